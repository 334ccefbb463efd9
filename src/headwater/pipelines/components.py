"""Connected components of an edge table in Spark, with no edge in the driver's memory.

Small graphs are solved in one task by union-find; larger ones by alternating large-star and small-star steps (Kiveris, Lattanzi,
Mirrokni, Rastogi, Vassilvitskii: "Connected Components in MapReduce and Beyond", SoCC 2014), whose rounds grow with the logarithm of the
number of edges. Both name a component by its smallest node, so they give the same rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from headwater.errors import ReconciliationError
from headwater.filters.duplicates import components

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["connected_components"]

SINGLE_TASK_EDGES: Final = 4_000_000
"""Some 128 MB of edges, a few hundred MB with what union-find needs: fits a Python worker of 1.5 GB."""
_MAX_ROUNDS: Final = 100


def connected_components(edges: DataFrame, single_task_edges: int = SINGLE_TASK_EDGES) -> DataFrame:
    """Return (node, root) for every node of an edge, root the smallest node of its component, the root's own row included.

    Args:
        edges: two binary columns ``a`` and ``b``, different in every row; persisted by the caller, since it is read more than once.
        single_task_edges: up to so many edges are solved in one task.

    Raises:
        ReconciliationError: a fault of Headwater: the rounds did not come to an end.
    """
    if edges.count() <= single_task_edges:
        return edges.coalesce(1).mapInArrow(_solve, "node binary, root binary")
    return _stars(edges)


def _solve(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    found = [pa.Table.from_batches([batch]) for batch in batches]
    if not found:
        return
    table = pa.concat_tables(found)
    both = pa.concat_arrays([*table["a"].chunks, *table["b"].chunks])
    unique = both.dictionary_encode()
    order = np.argsort(np.array(unique.dictionary.to_pylist(), dtype=object), kind="stable")
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    numbers = rank[unique.indices.to_numpy()]
    half = table.num_rows
    roots = components(numbers[:half], numbers[half:], len(order))
    nodes = unique.dictionary.take(pa.array(order))
    result = pa.table({"node": nodes, "root": nodes.take(pa.array(roots))})
    yield from result.to_batches(max_chunksize=1 << 16)


def _stars(edges: DataFrame) -> DataFrame:
    from pyspark.sql import functions as sf

    current = (
        edges.select(sf.greatest("a", "b").alias("a"), sf.least("a", "b").alias("b"))
        .where("a <> b")
        .distinct()
        .localCheckpoint()
    )
    state = None
    for _ in range(_MAX_ROUNDS):
        current = _small_star(_large_star(current)).localCheckpoint()
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
