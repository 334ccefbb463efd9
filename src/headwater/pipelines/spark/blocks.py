"""Narrow rows of fixed width from tasks to tasks: NumPy sorts them into blocks of bytes, Spark moves the blocks.

Spark's own shuffle of a DataFrame handles each row twice in the JVM: for 32 bytes that costs more than all the work on them. Here a task hands
Spark one block a partition and flush, and a task that receives gets whole blocks, in any order: what it makes of them must not depend on that.
128-bit hashes travel as two uint64, the first eight bytes and the last eight as big-endian numbers, so that they sort as the bytes do.

Memory: a task that sends holds some ten flushes of ``FLUSH_BYTES`` at most, one that receives holds its partition.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from pyspark import RDD

__all__ = [
    "FLUSH_BYTES",
    "Block",
    "Halves",
    "Rows",
    "exchange",
    "find",
    "gather",
    "halves",
    "hash_bytes",
    "partitions_of",
    "route",
    "run_begins",
]

Rows = npt.NDArray[Any]
"""A structured array: a named field a column."""
Halves = npt.NDArray[np.uint64]
"""uint64 [n, 2]: 128-bit hashes."""
Block = tuple[int, bytes]
"""A kind, by which the receiver tells rows apart, and rows of that kind as bytes."""

FLUSH_BYTES: Final = 16 << 20
_PARTITION_BYTES: Final = 128 << 20


def partitions_of(size_bytes: int, slots: int) -> int:
    """Return how many partitions rows of a size need: one for each 128 MiB, and one a slot at least."""
    return max(slots, -(-size_bytes // _PARTITION_BYTES))


def route(kind: int, rows: Rows, partition: npt.NDArray[Any]) -> Iterator[tuple[int, Block]]:
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
        bounds = np.append(run_begins(ordered), len(part))
        for first, last in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
            yield int(ordered[first]), (kind, rows[begin + order[first:last]].tobytes())


def exchange(blocks: RDD[tuple[int, Block]], partitions: int) -> RDD[tuple[int, Block]]:
    """Return the blocks, each in the partition that it names."""
    return blocks.partitionBy(partitions, int)


def gather(blocks: Iterable[tuple[int, Block]], *dtypes: np.dtype[Any]) -> list[Rows]:
    """Return the rows of each kind, kinds from 0.

    >>> gather([(0, (0, b"ab")), (0, (0, b"c"))], np.dtype([("x", "S1")]))[0]["x"].tolist()
    [b'a', b'b', b'c']
    """
    parts: list[list[bytes]] = [[] for _ in dtypes]
    for _, (kind, data) in blocks:
        parts[kind].append(data)
    return [np.frombuffer(b"".join(part), dtype) for part, dtype in zip(parts, dtypes, strict=True)]


def halves(hashes: pa.Array | pa.ChunkedArray) -> Halves:
    r"""Return 16-byte hashes, none of them null or of another length, as two numbers each.

    >>> halves(pa.array([bytes(7) + b"\x01" + bytes(7) + b"\x02"])).tolist()
    [[1, 2]]
    """
    if isinstance(hashes, pa.ChunkedArray):
        hashes = hashes.combine_chunks()
    fixed = hashes.cast(pa.binary(16))
    numbers = np.frombuffer(fixed.buffers()[1] or b"", ">u8")[2 * fixed.offset : 2 * (fixed.offset + len(fixed))]
    return numbers.reshape(-1, 2).astype(np.uint64)


def hash_bytes(numbers: Halves) -> pa.Array:
    r"""Return hashes as 16 bytes each: ``halves`` undone.

    >>> hash_bytes(np.array([[1, 2]], np.uint64))[0].as_py() == bytes(7) + b"\x01" + bytes(7) + b"\x02"
    True
    """
    data = pa.py_buffer(np.ascontiguousarray(numbers.astype(">u8")).tobytes())
    return pa.Array.from_buffers(pa.binary(16), len(numbers), [None, data])


def find(wanted: Halves, among: Halves) -> npt.NDArray[np.int64]:
    """Return for each of some hashes its first place in ``among``, or -1.

    >>> find(np.array([[1, 2], [1, 3]], np.uint64), np.array([[0, 0], [1, 3]], np.uint64)).tolist()
    [-1, 1]
    """
    if len(among) == 0:
        return np.full(len(wanted), -1, dtype=np.int64)
    found = pc.index_in(hash_bytes(wanted), value_set=hash_bytes(among))
    return np.asarray(pc.fill_null(found, -1).to_numpy(zero_copy_only=False), dtype=np.int64)


def run_begins(*columns: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
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
