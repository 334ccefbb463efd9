"""Headwater's signals and rules beside datatrove's on the same documents: ``python -m bench.datatrove_verdicts`` prints Markdown tables.

Documents of 1 to 20 kB whose language is what their folder says, the same number of each language, as evenly from its sources as they
have them, by hash of the text. datatrove runs in the environment that ``make bench`` fills (`datatrove_signals`), each filter with the limits
of the rule set that stands for it: Gopher's, FineWeb's with 0.1 for repeated lines as in the paper, C4's without terminal punctuation; the stop
words are ours on both sides. A difference is told apart by asking datatrove once more about the text without the white space at the ends of
its lines: it splits lines at newlines, and takes lines of spaces for text.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
import pyarrow as pa

from bench.documents import CORPUS, REPOSITORY
from headwater.filters.language.identify import identify, load_model
from headwater.filters.rules.rule_set import evaluate, load_rules
from headwater.filters.signals.lexicon import STOP_WORDS
from headwater.filters.signals.measure import measure_signals
from headwater.filters.words.cut import cut_text

SHOWN: Final = (
    ("words", "gopher_words"),
    ("word length", "gopher_mean_word_length"),
    ("alphabetic", "gopher_alpha_words_fraction"),
    ("top 2-gram", "gopher_top_2gram_chars_fraction"),
    ("5-grams again", "gopher_dup_5gram_chars_fraction"),
    ("lines again", "gopher_dup_lines_fraction"),
    ("short lines", "fineweb_short_lines_fraction"),
    ("ended lines", "fineweb_punct_lines_fraction"),
)
FILTERS: Final = ("quality", "repetition", "fineweb", "c4")
PUBLISHED_ALPHABETIC: Final = {
    "zh": 0.735, "de": 0.774, "nl": 0.828, "sv": 0.841, "no": 0.783, "da": 0.798, "es": 0.825, "pt": 0.814,
    "fr": 0.812, "it": 0.807, "ro": 0.779, "ru": 0.713, "pl": 0.726, "uk": 0.694, "cs": 0.781, "vi": 0.803,
    "th": 0.9, "ko": 0.791, "id": 0.805, "ja": 0.759, "ar": 0.787, "hi": 0.837, "tr": 0.773, "fi": 0.755,
    "el": 0.809, "hu": 0.766, "he": 0.799, "fa": 0.812, "bn": 0.8,
}  # fmt: skip
"""FineWeb2's least share of tokens with a letter (github.com/huggingface/fineweb-2, folder configs)."""
_REPEATS: Final = ("gopher_max_dup", "gopher_max_top")


def pick(corpus: Path, n_documents: int) -> list[dict[str, Any]]:
    """Return the documents, language by language: text, language and our stop words."""
    model = load_model()
    chosen = []
    for language, stop_words in STOP_WORDS.items():
        files = sorted(corpus.glob(f"*/{language}.jsonl.zst"))
        share = -(-2 * n_documents // max(1, len(files)))
        found: list[tuple[bytes, str]] = []
        for path in files:
            with pa.input_stream(str(path), compression="zstd") as stream:
                texts = [orjson.loads(line)["text"] for line in stream.read().splitlines()]
            sized = [text for text in texts if 1000 <= len(text.encode()) <= 20_000]
            keyed = sorted({(hashlib.blake2b(text.encode(), digest_size=8).digest(), text) for text in sized})
            keyed = keyed[: 2 * share]
            languages = identify(pa.array([text for _, text in keyed], pa.string()), model)["language"].to_pylist()
            found += [item for item, known in zip(keyed, languages, strict=True) if known == language][:share]
        chosen += [
            {"text": text, "language": language, "stop_words": stop_words.split()}
            for _, text in sorted(found)[:n_documents]
        ]
    return chosen


def ask_datatrove(python: Path, documents: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return datatrove's values and verdicts, one a document."""
    lines = "".join(json.dumps(document) + "\n" for document in documents)
    command = [str(python), str(REPOSITORY / "bench" / "datatrove_signals.py")]
    done = subprocess.run(command, input=lines, stdout=subprocess.PIPE, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def our_reasons(documents: Sequence[dict[str, Any]], signals: pa.RecordBatch) -> dict[str, list[list[str]]]:
    """Return for each of `FILTERS` the reasons of the rule set that stands for it; languages are taken as known for sure."""
    table = pa.Table.from_batches([signals])
    table = table.append_column("language", pa.array([document["language"] for document in documents]))
    table = table.append_column("language_score", pa.array(np.ones(len(documents), np.float32)))
    found = {name: evaluate(table, load_rules([name]))["reasons"].to_pylist() for name in ("gopher", "fineweb", "c4")}
    gopher = found.pop("gopher")
    found["quality"] = [[reason for reason in reasons if not reason.startswith(_REPEATS)] for reasons in gopher]
    found["repetition"] = [[reason for reason in reasons if reason.startswith(_REPEATS)] for reasons in gopher]
    return found


def print_signals(languages: Sequence[str], ours: dict[str, Any], theirs: Sequence[dict[str, Any]]) -> None:
    """Print by language the medians, datatrove's first, and the correlation over documents."""
    print("| language | documents | " + " | ".join(title for title, _ in SHOWN) + " |")
    print("|---" * (len(SHOWN) + 2) + "|")
    members = np.array(languages)
    for language in dict.fromkeys(languages):
        chosen = members == language
        cells = []
        for _, name in SHOWN:
            left = np.array([answer["values"][name] for answer in theirs])[chosen]
            right = ours[name][chosen]
            digits = 0 if name == "gopher_words" else 2
            both = left.std() > 0 and right.std() > 0
            agreement = f"{np.corrcoef(left, right)[0, 1]:.2f}" if both else "-"
            cells.append(f"{np.median(left):.{digits}f} {np.median(right):.{digits}f} ({agreement})")
        print(f"| {language} | {chosen.sum()} | " + " | ".join(cells) + " |")


def print_alphabetic(
    documents: Sequence[dict[str, Any]], ours: dict[str, Any], theirs: Sequence[dict[str, Any]]
) -> None:
    """Print the share of documents below Gopher's 0.8 by datatrove's tokens, by our tokens, and by our words without symbols."""
    name = "gopher_alpha_words_fraction"
    by_word = []
    for document in documents:
        tokens = [token for token, _ in cut_text(document["text"])]
        words = [token for token in tokens if any(character.isalnum() for character in token)]
        by_word.append(sum(any(c.isalpha() for c in word) for word in words) / max(1, len(words)))
    shares = [np.array(values) < 0.8 for values in ([x["values"][name] for x in theirs], ours[name], by_word)]
    print("\nbelow 0.8 alphabetic: " + ", ".join(f"{share.mean():.3f}" for share in shares))


def print_agreement(
    languages: Sequence[str], kept: dict[str, Any], theirs: dict[str, Any], tidied: dict[str, Any]
) -> None:
    """Print by language the share of documents on which both keep or both reject, and where datatrove reads the tidied text."""
    print("\n| language | " + " | ".join(FILTERS) + " |\n" + "|---" * (len(FILTERS) + 1) + "|")
    members = np.array(languages)
    for language in [*dict.fromkeys(languages), "all"]:
        chosen = (members == language) | (language == "all")
        shares = [
            f"{np.mean((kept[name] == theirs[name])[chosen]):.3f} {np.mean((kept[name] == tidied[name])[chosen]):.3f}"
            for name in FILTERS
        ]
        print(f"| {language} | " + " | ".join(shares) + " |")


def print_differences(
    languages: Sequence[str],
    reasons: dict[str, Any],
    theirs: Sequence[dict[str, Any]],
    tidied: Sequence[dict[str, Any]],
) -> None:
    """Print each pair of datatrove's reason and our first, how often, where most, and how often tidy line ends settle it."""
    print(
        "\n| filter | datatrove | Headwater | documents | agree on tidied text | most in |\n|---|---|---|---|---|---|"
    )
    for name in FILTERS:
        classes: Counter[tuple[str, str]] = Counter()
        settled: Counter[tuple[str, str]] = Counter()
        where: dict[tuple[str, str], Counter[str]] = {}
        for row, answer in enumerate(theirs):
            said, own = answer["verdicts"][name], reasons[name][row]
            if (said is None) == (not own):
                continue
            pair = (said or "kept", own[0] if own else "kept")
            classes[pair] += 1
            settled[pair] += (tidied[row]["verdicts"][name] is None) == (not own)
            where.setdefault(pair, Counter())[languages[row]] += 1
        for pair, times in classes.most_common():
            most = ", ".join(f"{language} {count}" for language, count in where[pair].most_common(4))
            print(f"| {name} | {pair[0]} | {pair[1]} | {times} | {settled[pair]} | {most} |")


def print_matched(languages: Sequence[str], ours: dict[str, Any], theirs: Sequence[dict[str, Any]]) -> None:
    """Print FineWeb2's limit on letters, the value of ours that as many documents are below, and how often each agrees with datatrove."""
    name = "gopher_alpha_words_fraction"
    print("| language | documents | published | ours | agree | agree at the published |\n|---|---|---|---|---|---|")
    members, left = np.array(languages), np.array([answer["values"][name] for answer in theirs])
    found = []
    for language, limit in PUBLISHED_ALPHABETIC.items():
        chosen = members == language
        passes, right = left[chosen] >= limit, ours[name][chosen]
        own = float(np.quantile(right, 1 - passes.mean()))
        found.append([np.mean(passes == (right >= own)), np.mean(passes == (right >= limit))])
        print(f"| {language} | {chosen.sum()} | {limit} | {own:.3f} | {found[-1][0]:.3f} | {found[-1][1]:.3f} |")
    print("median of the languages: " + ", ".join(f"{share:.3f}" for share in np.median(found, axis=0)))


def main() -> None:
    """Pick, measure on both sides, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, default=CORPUS)
    parser.add_argument("--documents", type=int, default=60, help="of each language")
    parser.add_argument("--python", type=Path, default=REPOSITORY / ".venv-peers" / "bin" / "python")
    parser.add_argument(
        "--keep", type=Path, help="write the documents with both sides' values to this file of JSON Lines"
    )
    parser.add_argument("--match", action="store_true", help="only print the limits on letters that match FineWeb2's")
    options = parser.parse_args()
    documents = pick(options.corpus, options.documents)
    languages = [document["language"] for document in documents]
    tidy = [
        document | {"text": "\n".join(line.rstrip() for line in document["text"].split("\n"))} for document in documents
    ]
    answers = ask_datatrove(options.python, documents if options.match else [*documents, *tidy])
    theirs, tidied = answers[: len(documents)], answers[len(documents) :]
    texts = pa.array([document["text"] for document in documents], pa.large_string())
    signals = measure_signals(texts, pa.array(languages))
    values = {
        name: np.asarray(signals[name].to_numpy(zero_copy_only=False), np.float64) for name in signals.schema.names
    }
    if options.match:
        print_matched(languages, values, theirs)
        return
    reasons = our_reasons(documents, signals)
    kept = {name: np.array([not listed for listed in reasons[name]]) for name in FILTERS}
    keeps, tidy_keeps = (
        {name: np.array([answer["verdicts"][name] is None for answer in given]) for name in FILTERS}
        for given in (theirs, tidied)
    )
    print_signals(languages, values, theirs)
    print_alphabetic(documents, values, theirs)
    print_agreement(languages, kept, keeps, tidy_keeps)
    print_differences(languages, reasons, theirs, tidied)
    if options.keep:
        with options.keep.open("w") as out:
            for row, answer in enumerate(theirs):
                own = {name: values[name][row] for name in answer["values"]} | {
                    "no_alph": values["rpv2_no_alph_words_fraction"][row]
                }
                out.write(
                    json.dumps({"language": languages[row], "datatrove": answer["values"], "headwater": own}) + "\n"
                )


if __name__ == "__main__":
    main()
