"""Planting and searching, a small part of what bench/decontamination.py measures in full."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import orjson
import pyarrow as pa
import pytest
from bench.decontamination import CHANGES, measure_recall

from conftest import CORPUS
from headwater.filters.contamination.find import find_contamination
from headwater.filters.contamination.index import ItemSet, build_index
from headwater.filters.contamination.items import Item, ItemFields
from headwater.pipelines.ingest.evaluation_items import read_items

pytestmark = pytest.mark.slow

_STEP = 60


def _texts(files: Sequence[Path], most: int) -> list[str]:
    found = []
    for file in files:
        with pa.input_stream(str(file), compression="zstd" if file.suffix == ".zst" else None) as stream:
            records = [orjson.loads(line) for line in stream.read().splitlines()[:most]]
        found += [record.get("text") or record["content"] for record in records]
    return found


@pytest.fixture(scope="module")
def evaluation_sets() -> list[ItemSet]:
    """Every sixtieth item of the evaluation sets beside the corpus; without them, items made up of numbered words."""
    files = sorted(CORPUS.parent.glob("benchmarks/*.jsonl.zst"))
    sets = [ItemSet(name=file.name.split(".")[0], items=read_items(str(file), ItemFields())[::_STEP]) for file in files]
    made = [
        Item(name=str(i), question=" ".join(f"w{i + j}x" for j in range(20)), answers=(f"it's {i}",), known=False)
        for i in range(9)
    ]
    return [*sets, ItemSet(name="made_up", items=tuple(made))]


@pytest.mark.parametrize("change", CHANGES)
def test_planted_items_are_found_in_corpus_text(
    change: str, evaluation_sets: list[ItemSet], real_text_files: list[Path]
) -> None:
    """Of the items that their question alone can tell, 99 % are found whatever was done to case, signs and lines; with answers, of all."""
    index = build_index(evaluation_sets)
    hosts = [text for text in _texts(real_text_files[-8:], 20) if text]
    counts = measure_recall(evaluation_sets, index, hosts, False, change)
    alone = sum(each.alone for each in index.matchable.values())
    assert sum(each["found"] for each in counts.values()) >= 0.99 * alone
    answered = measure_recall(evaluation_sets, index, hosts, True, change)
    assert sum(each["found"] for each in answered.values()) >= 0.99 * sum(each["planted"] for each in answered.values())


def test_unplanted_corpus_text_is_not_rejected(evaluation_sets: list[ItemSet], real_text_files: list[Path]) -> None:
    """Nothing of the text as it is reaches the default rule's limit: GSM8K's training problems are not its test set."""
    files = sorted(CORPUS.parent.glob("benchmarks/gsm8k*.jsonl.zst"))
    sets = [ItemSet(name="gsm8k", items=read_items(str(file), ItemFields())) for file in files] or evaluation_sets
    math = [file for file in real_text_files if "math" in str(file)]
    rows = find_contamination(pa.array(_texts(math or real_text_files, 10_000), pa.large_string()), build_index(sets))
    assert all(row["overlap"] < 0.6 for row in rows.to_pylist() if row["part"] == "question")
