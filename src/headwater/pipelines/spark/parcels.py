"""Descriptions of work on their way to Spark's tasks: those of a task pickled together, so that what they share travels once.

A fragment's description names a file a family, and neighbours name the same files: apart, a third of a million of them are a gigabyte.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa

__all__ = ["contents", "parcels"]


def parcels(parts: Sequence[object], tasks: int) -> list[tuple[bytes]]:
    """Return as many rows of one column as there are tasks, at most one a part, each with a run of the parts.

    >>> [len(pickle.loads(row)) for row, in parcels(range(10), 4)]
    [2, 3, 2, 3]
    """
    n = max(1, min(len(parts), tasks))
    return [(pickle.dumps(tuple(parts[len(parts) * at // n : len(parts) * (at + 1) // n])),) for at in range(n)]


def contents(batches: Iterable[pa.RecordBatch]) -> Iterator[Any]:  # Any: what the parcels were made of
    """Yield the parts in the parcels of a task; runs in it."""
    for batch in batches:
        for item in batch.column(0):
            yield from pickle.loads(item.as_buffer())  # noqa: S301 - written by this job's driver a moment ago
