"""Connected components of an edge table in Spark, with no edge in the driver's memory.

Small graphs are solved in one task by union-find; larger ones by alternating large-star and small-star steps (Kiveris, Lattanzi,
Mirrokni, Rastogi, Vassilvitskii: "Connected Components in MapReduce and Beyond", SoCC 2014), whose rounds grow with the logarithm of the
number of edges. Both name a component by its smallest node, so they give the same rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from headwater.errors import ReconciliationError
from headwater.filters.duplicates.pairs import components
from headwater.hashes import halves_of_hashes, hashes_of_halves
from headwater.pipelines.deduplicate.scratch import Scratch
from headwater.pipelines.spark.blocks import run_begins

if TYPE_CHECKING:
    from pyspark import RDD
    from pyspark.sql import DataFrame, SparkSession

__all__ = ["EDGE", "ROOT", "connected_components"]

EDGE: Final = np.dtype([("a", "<u8", (2,)), ("b", "<u8", (2,))])
"""Two nodes that are connected; a node is a 128-bit hash, see ``hashes.Halves``."""
ROOT: Final = np.dtype([("name", "<u8", (2,)), ("root", "<u8", (2,))])
"""A node and the smallest node of its component."""

SINGLE_TASK_EDGES: Final = 4_000_000
"""128 MB of edges, a few hundred MB with what union-find needs: fits a Python worker of 1.5 GB."""
_MAX_ROUNDS: Final = 100


def connected_components(
    spark: SparkSession, edges: RDD[bytes], scratch: Scratch, single_task_edges: int = SINGLE_TASK_EDGES
) -> RDD[bytes]:
    """Return blocks of ``ROOT`` rows for every node of an edge, the root's own row included.

    Args:
        edges: blocks of ``EDGE`` rows, two different nodes in every row; persisted by the caller, since it is read more than once.
        scratch: keeps the edges of a round; the rows that are returned may be read from it.
        single_task_edges: most edges that are solved in one task.

    Raises:
        ReconciliationError: a fault of Headwater: the rounds did not come to an end.
    """
    if sum(edges.map(len).collect()) <= single_task_edges * EDGE.itemsize:
        return edges.coalesce(1).mapPartitions(_solve)
    frame = spark.createDataFrame(edges.map(_single), "block binary").mapInArrow(_unpack, "a binary, b binary")
    return _stars(frame, scratch).mapInArrow(_pack, "block binary").rdd.map(_block)


def _solve(blocks: Iterable[bytes]) -> Iterator[bytes]:
    edges = np.frombuffer(b"".join(blocks), EDGE)
    if len(edges) == 0:
        return
    both = np.concatenate([edges["a"], edges["b"]])
    order = np.lexsort((both[:, 1], both[:, 0]))
    begins = run_begins(both[order, 0], both[order, 1])
    numbers = np.empty(len(both), np.int64)
    numbers[order] = np.repeat(np.arange(len(begins)), np.diff(np.append(begins, len(both))))
    names = both[order[begins]]
    found = np.empty(len(names), ROOT)
    found["name"] = names
    found["root"] = names[components(numbers[: len(edges)], numbers[len(edges) :], len(names))]
    yield found.tobytes()


def _single(block: bytes) -> tuple[bytes]:
    return (block,)


def _block(row: tuple[bytearray]) -> bytes:
    return bytes(row[0])


def _unpack(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        for item in batch.column(0):
            edges = np.frombuffer(item.as_py(), EDGE)
            yield pa.record_batch({name: hashes_of_halves(edges[name]).cast(pa.binary()) for name in ("a", "b")})


def _pack(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        found = np.empty(batch.num_rows, ROOT)
        found["name"], found["root"] = halves_of_hashes(batch["node"]), halves_of_hashes(batch["root"])
        yield pa.record_batch({"block": pa.array([found.tobytes()], pa.binary())})


def _stars(edges: DataFrame, scratch: Scratch) -> DataFrame:
    from pyspark.sql import functions as sf

    larger_first = edges.select(sf.greatest("a", "b").alias("a"), sf.least("a", "b").alias("b"))
    current = scratch.keep(larger_first.where("a <> b").distinct())
    state = None
    for _ in range(_MAX_ROUNDS):
        current = scratch.keep(_small_star(_large_star(current)))
        row = current.agg(
            sf.count("*").alias("n"), sf.sum(sf.xxhash64("a", "b").cast("decimal(38,0)")).alias("s")
        ).first()
        if row is not None and (row.n, row.s) == state:
            break
        state = (row.n, row.s) if row is not None else None
    else:
        raise ReconciliationError(
            f"components: expected at most {_MAX_ROUNDS} rounds, found edges that still change; nothing was written"
        )
    roots = current.select(sf.col("b").alias("node"), sf.col("b").alias("root")).distinct()
    return current.select(sf.col("a").alias("node"), sf.col("b").alias("root")).unionByName(roots)


def _large_star(edges: DataFrame) -> DataFrame:
    """Connect every larger neighbour of a node to the smallest of its neighbours and itself."""
    from pyspark.sql import functions as sf

    both = edges.select("a", "b").union(edges.select(sf.col("b").alias("a"), sf.col("a").alias("b")))
    smallest = both.groupBy("a").agg(sf.min("b").alias("m")).select("a", sf.least("a", "m").alias("m"))
    return (
        both.join(smallest, "a")
        .where("b > a")
        .select(sf.col("b").alias("a"), sf.col("m").alias("b"))
        .where("a <> b")
        .distinct()
    )


def _small_star(edges: DataFrame) -> DataFrame:
    """Connect every smaller neighbour of a node, and the node, to the smallest of them."""
    from pyspark.sql import functions as sf

    down = edges.select(sf.greatest("a", "b").alias("a"), sf.least("a", "b").alias("b"))
    smallest = down.groupBy("a").agg(sf.min("b").alias("m"))
    joined = down.join(smallest, "a")
    parts = joined.select(sf.col("b").alias("a"), sf.col("m").alias("b")).union(
        smallest.select("a", sf.col("m").alias("b"))
    )
    return parts.where("a <> b").distinct()
