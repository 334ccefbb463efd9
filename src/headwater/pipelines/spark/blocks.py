"""Narrow rows of fixed width from tasks to tasks: NumPy sorts them into blocks of bytes, Spark moves the blocks.

Spark's own shuffle of a DataFrame handles each row twice in the JVM: for 32 bytes that costs more than all the work on them. Here a task hands
Spark one block a partition and flush, and a task that receives gets whole blocks, in any order: what it makes of them must not depend on that.
128-bit hashes travel as two numbers, see ``hashes.Halves``.

Memory: a task that sends holds some ten flushes of ``FLUSH_BYTES`` at most, one that receives holds its partition.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from pyspark import RDD

__all__ = [
    "FLUSH_BYTES",
    "Block",
    "Records",
    "exchange",
    "gather",
    "partitions_of",
    "route",
    "run_begins",
    "run_bounds",
]

Records = npt.NDArray[np.void]
"""A structured array: a named field a column."""
Block = tuple[int, bytes]
"""A kind, by which the receiver tells rows apart, and rows of that kind as bytes."""

FLUSH_BYTES: Final = 16 << 20
_PARTITION_BYTES: Final = 128 << 20


def partitions_of(size_bytes: int, slots: int) -> int:
    """Return how many partitions rows of a size need: one for each 128 MiB, and one a slot at least."""
    return max(slots, -(-size_bytes // _PARTITION_BYTES))


def route(kind: int, rows: Records, partition: npt.NDArray[np.generic]) -> Iterator[tuple[int, Block]]:
    r"""Yield (partition, block) for rows, in pieces of ``FLUSH_BYTES``.

    >>> rows = np.array([(5,), (6,), (7,)], dtype=[("x", "<u1")])
    >>> list(route(1, rows, np.array([1, 0, 1])))
    [(0, (1, b'\x06')), (1, (1, b'\x05\x07'))]
    """
    piece = max(1, FLUSH_BYTES // rows.dtype.itemsize)
    for begin in range(0, len(rows), piece):
        part = np.asarray(partition[begin : begin + piece]).astype(np.uint32)
        order = np.argsort(part, kind="stable")
        ordered = part[order]
        bounds = run_bounds(ordered)
        for first, last in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
            yield int(ordered[first]), (kind, rows[begin + order[first:last]].tobytes())


def exchange(blocks: RDD[tuple[int, Block]], partitions: int) -> RDD[tuple[int, Block]]:
    """Return the blocks, each in the partition that it names."""
    return blocks.partitionBy(partitions, int)


def gather(blocks: Iterable[tuple[int, Block]], *dtypes: np.dtype[np.void]) -> list[Records]:
    """Return the rows of each kind, kinds from 0.

    >>> gather([(0, (0, b"ab")), (0, (0, b"c"))], np.dtype([("x", "S1")]))[0]["x"].tolist()
    [b'a', b'b', b'c']
    """
    parts: list[list[bytes]] = [[] for _ in dtypes]
    for _, (kind, data) in blocks:
        parts[kind].append(data)
    return [np.frombuffer(b"".join(part), dtype) for part, dtype in zip(parts, dtypes, strict=True)]


def run_begins(*columns: npt.NDArray[np.generic]) -> npt.NDArray[np.int64]:
    """Return where each run of rows that are equal in all columns begins.

    >>> run_begins(np.array([1, 1, 2]), np.array([0, 5, 5])).tolist()
    [0, 1, 2]
    """
    n = len(columns[0])
    if n == 0:
        return np.empty(0, dtype=np.int64)
    differs = np.zeros(n - 1, dtype=bool)
    for column in columns:
        differs |= column[1:] != column[:-1]
    return np.flatnonzero(np.concatenate([[True], differs]))


def run_bounds(*columns: npt.NDArray[np.generic]) -> npt.NDArray[np.int64]:
    """Return where each run of rows that are equal in all columns begins, and the number of rows at the end.

    >>> run_bounds(np.array([3, 3, 5])).tolist()
    [0, 2, 3]
    """
    return np.append(run_begins(*columns), len(columns[0])).astype(np.int64)
