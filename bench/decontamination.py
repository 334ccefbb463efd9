"""Recall and false finds of decontamination on real text, as one JSON object: ``python -m bench.decontamination`` (docs/how-to/decontamination.md).

Every item of every evaluation set is planted into a document of the corpus, in several ways: the question alone or with its answers, unchanged
or with case, signs and line breaks changed. An item counts as found when a row names it; as rejected when the default rule
would reject its document. Then the unchanged corpus is searched: whatever is found in it is listed by id.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import orjson
import pyarrow as pa

from bench.documents import CORPUS
from bench.figures import Figures
from headwater.filters.contamination.find import find_contamination
from headwater.filters.contamination.index import ContaminationIndex, ItemSet, build_index
from headwater.filters.contamination.items import Item, ItemFields
from headwater.filters.rules.rule_set import evaluate, load_rules
from headwater.pipelines.decide.contamination_columns import CONTAMINATION_COLUMNS, sum_contamination
from headwater.pipelines.ingest.evaluation_items import read_items

__all__ = ["CHANGES", "main", "measure_recall", "plant"]

_BATCH_BYTES: Final = 8 << 20
_SIGNS: Final = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~’“”–—…"
_TABLE_SPACES: Final = {ord(sign): " " for sign in _SIGNS}
_TABLE_NOTHING: Final = {ord(sign): None for sign in _SIGNS}


def _other_signs(text: str, dice: random.Random) -> str:
    return "".join(dice.choice("!?.,;:-") + " " if letter in ".,;:!?" else letter for letter in text)


def _other_lines(text: str, dice: random.Random) -> str:
    return "".join(
        dice.choice(["\n", " ", "  ", "\r\n", "\n\n", "\t"]) if letter.isspace() else letter for letter in text
    )


def _everything(text: str, dice: random.Random) -> str:
    return _other_lines(_other_signs(text, dice).swapcase(), dice)


CHANGES: Final[dict[str, Callable[[str, random.Random], str]]] = {
    "verbatim": lambda text, _: text,
    "upper_case": lambda text, _: text.upper(),
    "lower_case": lambda text, _: text.lower(),
    "signs_to_spaces": lambda text, _: text.translate(_TABLE_SPACES),
    "signs_left_out": lambda text, _: text.translate(_TABLE_NOTHING),
    "other_signs": _other_signs,
    "other_line_breaks": _other_lines,
    "case_signs_and_lines": _everything,
}
"""What is done to a planted text."""


def plant(item: Item, host: str, with_answer: bool, change: str, dice: random.Random) -> str:
    """Return the host text with the item between two of its paragraphs."""
    parts = [item.question]
    if with_answer:
        parts += item.answers[:1] if item.known else item.answers
    text = CHANGES[change]("\n".join(parts), dice)
    half = host.find("\n", len(host) // 2)
    half = len(host) if half < 0 else half
    return f"{host[:half]}\n\n{text}\n\n{host[half:]}"


def measure_recall(
    sets: Sequence[ItemSet],
    index: ContaminationIndex,
    hosts: Sequence[str],
    with_answer: bool,
    change: str,
    step: int = 1,
) -> dict[str, dict[str, int]]:
    """Return by set how many items were planted, found, and rejected with their document.

    Args:
        step: only every step-th item.
    """
    dice = random.Random(7)
    rules = load_rules(["decontaminate"])
    counts: dict[str, dict[str, int]] = {}
    for each in sets:
        items = each.items[::step]
        found = rejected = 0
        for begin in range(0, len(items), 500):
            part = items[begin : begin + 500]
            texts = [
                plant(item, hosts[(begin + place) % len(hosts)], with_answer, change, dice)
                for place, item in enumerate(part)
            ]
            rows = pa.Table.from_batches([find_contamination(pa.array(texts, pa.large_string()), index)])
            listed = zip(*(rows[name].to_pylist() for name in ("row", "benchmark", "item", "part")), strict=True)
            hits = {(row, item) for row, name, item, kind in listed if name == each.name and kind == "question"}
            found += sum((place, item.name) in hits for place, item in enumerate(part))
            sparse = rows.rename_columns(["sample_id", *rows.column_names[1:]])
            sums = sum_contamination(np.arange(len(part)), sparse)
            table = pa.table(dict(zip(CONTAMINATION_COLUMNS, sums, strict=True)))
            rejected += table.num_rows - evaluate(table, rules)["first_reason"].null_count
        counts[each.name] = {"planted": len(items), "found": found, "rejected": rejected}
    return counts


def _search(index: ContaminationIndex, files: Sequence[Path]) -> Figures:
    """Return what stands in the files as they are, and how fast they were searched."""
    matches: list[Figures] = []
    n_bytes, seconds, documents = 0, 0.0, 0
    for file in files:
        for ids, texts in _batches(file):
            begin = time.thread_time()
            rows = find_contamination(texts, index)
            seconds += time.thread_time() - begin
            n_bytes += texts.nbytes
            documents += len(texts)
            matches += [{"document": ids[row.pop("row")], **row} for row in rows.to_pylist()]
    return {
        "documents": documents,
        "megabytes": n_bytes / 1e6,
        "megabytes_a_second": n_bytes / 1e6 / seconds,
        "matches": matches,
    }


def _documents(file: Path) -> Iterator[tuple[str, str]]:
    with pa.input_stream(str(file), compression="zstd") as stream:
        for line in stream.read().splitlines():
            record = orjson.loads(line)
            yield record["id"], record["text"]


def _batches(file: Path) -> Iterator[tuple[list[str], pa.Array]]:
    ids: list[str] = []
    texts: list[str] = []
    size = 0
    for name, text in _documents(file):
        ids.append(name)
        texts.append(text)
        size += len(text.encode())
        if size >= _BATCH_BYTES:
            yield ids, pa.array(texts, pa.large_string())
            ids, texts, size = [], [], 0
    if texts:
        yield ids, pa.array(texts, pa.large_string())


def main(arguments: Sequence[str] | None = None) -> None:
    """Plant, search, print."""
    parser = argparse.ArgumentParser(prog="bench.decontamination", description=__doc__)
    corpus = Path(os.environ.get("HEADWATER_CORPUS", CORPUS))
    parser.add_argument("--corpus", type=Path, default=corpus, help="folder of SOURCE/LANGUAGE.jsonl.zst")
    parser.add_argument(
        "--benchmarks", type=Path, default=corpus.parent / "benchmarks", help="folder of evaluation sets"
    )
    parser.add_argument("--step", type=int, default=1, help="plant every STEP-th item only")
    options = parser.parse_args(arguments)
    sets = [
        ItemSet(name=file.name.split(".")[0], items=read_items(str(file), ItemFields()))
        for file in sorted(options.benchmarks.glob("*.jsonl*"))
    ]
    begin = time.thread_time()
    index = build_index(sets)
    built = time.thread_time() - begin
    files = sorted(options.corpus.glob("*/*.jsonl.zst"))
    hosts = [text for _, text in _documents(options.corpus / "wikipedia-leads" / "en.jsonl.zst")][:1000]
    recall = {
        f"{'question and answer' if with_answer else 'question'}, {change}": measure_recall(
            sets, index, hosts, with_answer, change, options.step
        )
        for with_answer in (False, True)
        for change in CHANGES
    }
    totals = {
        name: {key: sum(each[key] for each in counts.values()) for key in ("planted", "found", "rejected")}
        for name, counts in recall.items()
    }
    unplanted = _search(index, files)
    kinds = Counter((match["benchmark"], match["part"]) for match in unplanted["matches"])
    report = {
        "format": 1,
        "index": {"items": len(index.items), "bytes": index.size_bytes, "seconds": built},
        "matchable": {
            name: {"alone": each.alone, "with_answer": each.with_answer, "unmatchable": each.unmatchable}
            for name, each in index.matchable.items()
        },
        "totals": {name: each | {"recall": each["found"] / each["planted"]} for name, each in totals.items()},
        "recall": recall,
        "unplanted": unplanted | {"rows": {f"{name}, {part}": n for (name, part), n in sorted(kinds.items())}},
    }
    print(json.dumps(report, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
