"""Connected components: one task and the rounds of stars give the rows of a plain union-find."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.errors import ReconciliationError
from headwater.hashes import halves_of_hashes, hashes_of_halves
from headwater.pipelines.deduplicate import components
from headwater.pipelines.deduplicate.components import connected_components
from headwater.pipelines.deduplicate.scratch import Scratch

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def _name(number: int) -> bytes:
    """A node of 16 bytes; the order of names is not that of numbers, and some begin above 0x7f."""
    return bytes([number * 37 % 256]) + number.to_bytes(4, "big") + bytes(11)


def _pack(edges: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Edges as the rows of a block."""
    flat = pa.array([node for edge in edges for node in edge], pa.binary())
    return np.frombuffer(halves_of_hashes(flat).tobytes(), components.EDGE).tobytes()


def _unpack(blocks: Iterable[bytes]) -> dict[bytes, bytes]:
    """Node → root; a node that has two rows fails."""
    rows = np.frombuffer(b"".join(blocks), components.ROOT)
    names, roots = hashes_of_halves(rows["name"]).to_pylist(), hashes_of_halves(rows["root"]).to_pylist()
    assert len(set(names)) == len(names)
    return dict(zip(names, roots, strict=True))


def _reference(edges: Sequence[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    parent: dict[bytes, bytes] = {}

    def find(node: bytes) -> bytes:
        while parent.setdefault(node, node) != node:
            node = parent[node]
        return node

    for a, b in edges:
        one, two = sorted((find(a), find(b)))
        parent[two] = one
    return {node: find(node) for node in parent}


def _edges(pairs: Sequence[tuple[int, int]]) -> list[tuple[bytes, bytes]]:
    return [(_name(a), _name(b)) for a, b in pairs if a != b]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300)), max_size=60), st.integers(1, 20))
def test_one_task_equals_union_find(pairs: list[tuple[int, int]], rows_a_block: int) -> None:
    """Every node of an edge has the smallest name of its component, however the edges are cut into blocks."""
    edges = _edges(pairs)
    blocks = [_pack(edges[begin : begin + rows_a_block]) for begin in range(0, len(edges), rows_a_block)]
    assert _unpack(components._solve(blocks)) == _reference(edges)


@pytest.mark.spark
def test_stars_equal_one_task(spark: SparkSession, tmp_path: Path) -> None:
    """A graph of a chain of 200, a star of 500, cycles, repeats and random edges: the same rows on both ways, and nothing is left behind."""
    draw = random.Random(5)
    order = draw.sample(range(200), 200)
    pairs = list(zip(order, order[1:], strict=False))
    pairs += [(1000, 1001 + number) for number in range(500)]
    pairs += [(2000 + number, 2000 + (number + 1) % 9) for number in range(9)]
    pairs += [(draw.randrange(3000, 3150), draw.randrange(3000, 3150)) for _ in range(80)]
    pairs += [(b, a) for a, b in pairs[::7]]
    draw.shuffle(pairs)
    edges = _edges(pairs)
    blocks = spark.sparkContext.parallelize([_pack(edges[part::3]) for part in range(3)], 3)
    expected = _reference(edges)
    for single in (len(edges), 1):
        with Scratch(str(tmp_path), "run") as scratch:
            roots = connected_components(spark, blocks, scratch, single)
            assert _unpack(roots.collect()) == expected
            assert _unpack(roots.collect()) == expected
            assert bool(list(tmp_path.rglob("*.parquet"))) == (single == 1)
        assert not list(tmp_path.rglob("*.parquet"))


@pytest.mark.spark
def test_what_is_kept_needs_nothing_that_it_was_made_from(spark: SparkSession, tmp_path: Path) -> None:
    """Rows that were kept are read as often as they are asked for, and never made again; a second keeping deletes the first; none is no rows."""
    made = spark.sparkContext.accumulator(0)

    def count(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            made.add(batch.num_rows)
            yield batch

    with Scratch(str(tmp_path), "run") as scratch:
        rows = spark.range(0, 100, 1, 3).mapInArrow(count, "id long")
        kept = scratch.keep(rows)
        first = set(tmp_path.rglob("*.parquet"))
        for _ in range(2):
            assert sorted(row.id for row in kept.collect()) == list(range(100))
        assert made.value == 100
        again = scratch.keep(kept.where("id < 10"))
        assert first.isdisjoint(tmp_path.rglob("*.parquet"))
        assert sorted(row.id for row in again.collect()) == list(range(10))
        assert scratch.keep(again.where("id < 0")).collect() == []
    assert not list(tmp_path.rglob("*.parquet"))


@pytest.mark.spark
def test_no_edges_no_rows(spark: SparkSession, tmp_path: Path) -> None:
    """An edge table without rows is solved on the one-task way."""
    assert (
        connected_components(spark, spark.sparkContext.parallelize([], 2), Scratch(str(tmp_path), "run")).collect()
        == []
    )


@pytest.mark.spark
def test_rounds_that_do_not_end_are_an_error(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A graph that still changes in the last round is never given out as solved."""
    monkeypatch.setattr(components, "_MAX_ROUNDS", 1)
    blocks = spark.sparkContext.parallelize([_pack(_edges([(number, number + 1) for number in range(20)]))])
    with Scratch(str(tmp_path), "run") as scratch, pytest.raises(ReconciliationError, match="still change"):
        connected_components(spark, blocks, scratch, 0)
    assert not list(tmp_path.rglob("*.parquet"))
