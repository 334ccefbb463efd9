"""What the rule sets keep of the corpus: ``python -m bench.rule_shares default fineweb2`` prints Markdown tables.

Every document is annotated (language, signals, scores); then each set is evaluated, `default` also without its exemptions. Shares are of
documents and, in brackets, of bytes. The last table is about documents of 50 words or more in the language of their folder: the share with
two stop words or more, and the first percentile of the language score. The help of GIMP and LibreOffice is left out of it, half English
in several languages.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa

from bench.documents import CORPUS
from headwater.filters.language.identify import identify, load_model
from headwater.filters.rules.rule_set import RuleSet, evaluate, load_rules
from headwater.filters.scores.score import score
from headwater.filters.signals.lexicon import STOP_WORDS
from headwater.filters.signals.measure import measure_signals

_BATCH = 5000
_HALF_ENGLISH = ["gimp-help", "libreoffice-help"]
_PROTECTED = ("stacks-project", "competition-math", "worked-math", "python-stdlib")


def annotate(corpus: Path) -> Iterator[pa.Table]:
    """Yield what rules read, with source, folder and text_bytes, file by file."""
    model = load_model()
    for path in sorted(corpus.glob("*/*.jsonl.zst")):
        with pa.input_stream(str(path), compression="zstd") as stream:
            texts = [orjson.loads(line)["text"] for line in stream.read().splitlines()]
        for at in range(0, len(texts), _BATCH):
            batch = pa.array(texts[at : at + _BATCH], pa.large_string())
            language = identify(batch, model)
            signals = measure_signals(batch, language["language"])
            columns: dict[str, Any] = {"source": pa.array([path.parent.name] * len(batch))}
            columns["folder"] = pa.array([path.name.split(".", 1)[0]] * len(batch))
            columns["text_bytes"] = pa.array([len(text.encode()) for text in texts[at : at + _BATCH]], pa.int64())
            for part in (
                language.select(["language", "language_score", "script"]),
                signals,
                score(signals, language["language"]),
            ):
                columns |= {name: part[name] for name in part.schema.names}
            yield pa.table(columns)


def find_kept(table: pa.Table, rules: RuleSet) -> npt.NDArray[np.bool_]:
    """Return which documents have no reason."""
    return np.array([not reasons for reasons in evaluate(table, rules)["reasons"].to_pylist()])


def print_shares(title: str, table: pa.Table, column: str, kept: dict[str, Any], chosen: Sequence[str] = ()) -> None:
    """Print a row for each value of `column`, most bytes first, and one for all."""
    groups = np.array(table[column].to_pylist(), dtype=object)
    sizes = table["text_bytes"].to_numpy()
    names = chosen or sorted(set(groups), key=lambda name: -sizes[groups == name].sum())
    print(f"\n| {title} | documents | " + " | ".join(kept) + " |\n" + "|---" * (len(kept) + 2) + "|")
    for name in [*names, *([] if chosen else ["all"])]:
        members = np.full(len(groups), True) if name == "all" else groups == name
        cells = [
            f"{which[members].mean():.3f} ({sizes[members & which].sum() / sizes[members].sum():.3f})"
            for which in kept.values()
        ]
        print(f"| {name} | {members.sum()} | " + " | ".join(cells) + " |")


def main() -> None:
    """Annotate, decide, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+")
    parser.add_argument("--corpus", type=Path, default=CORPUS)
    options = parser.parse_args()
    table = pa.concat_tables(annotate(options.corpus))
    kept = {name: find_kept(table, load_rules([name])) for name in options.sets}
    long = table.filter(pa.array(table["gopher_words"].to_numpy() >= 50))
    print_shares("source", table, "source", kept)
    languages = [*STOP_WORDS, "und"]
    print_shares("language", table, "language", kept, languages)
    print_shares("domain", table, "domain", kept)
    print(f"\nof {long.num_rows} documents of 50 words or more: ", end="")
    print({name: round(float(find_kept(long, load_rules([name])).mean()), 3) for name in options.sets})
    bare = load_rules(["default"], exempt={rule.name: [] for rule in load_rules(["default"]).rules})
    both = {"default": find_kept(table, load_rules(["default"])), "without exemptions": find_kept(table, bare)}
    print_shares("source", table, "source", both, _PROTECTED)
    print("\n| language | documents | with two stop words | score that 99 % reach |\n|---|---|---|---|")
    folder, language, source = (
        np.array(table[name].to_pylist(), dtype=object) for name in ("folder", "language", "source")
    )
    ordinary = (folder == language) & (table["gopher_words"].to_numpy() >= 50) & ~np.isin(source, _HALF_ENGLISH)
    ordinary &= np.array(table["domain"].to_pylist(), dtype=object) == "general"
    stop_words, scores = table["gopher_stop_words"].to_numpy(), table["language_score"].to_numpy()
    for name in STOP_WORDS:
        members = ordinary & (language == name)
        reached = np.quantile(scores[members], 0.01) if members.any() else 0.0
        print(f"| {name} | {members.sum()} | {np.mean(stop_words[members] >= 2):.3f} | {reached:.3f} |")


if __name__ == "__main__":
    main()
