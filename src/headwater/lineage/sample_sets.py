"""A set of samples that many rows are compared with: sorted ids, and a table that turns most of the others away at once."""

from __future__ import annotations

import itertools
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

import numpy as np

from headwater.arrays import Bools, Int64s
from headwater.warehouse.fragments import ROW_BITS, first_id

__all__ = ["SampleSet", "in_threads"]

_MIX: Final = np.uint64(0x9E3779B97F4A7C15)
_MOST_BITS: Final = 26
_Place = TypeVar("_Place")
_Found = TypeVar("_Found")


class SampleSet:
    """Samples by their ids, held once: 8 bytes a sample, and at most 64 MB for the table.

    Args:
        batches: int64 ids in any order; an id may come more than once.

    >>> some = SampleSet([np.array([7, 3]), np.array([3, 9])])
    >>> some.ids.tolist(), [found.tolist() for found in some.find(np.array([9, 4, 3, 3]))]
    ([3, 7, 9], [[0, 2, 3], [2, 0, 0]])
    """

    def __init__(self, batches: Iterable[Int64s]) -> None:
        parts = list(batches)
        self.ids: Int64s = np.unique(np.concatenate(parts)) if parts else np.empty(0, np.int64)
        bits = min(_MOST_BITS, max(10, 4 + len(self.ids).bit_length()))
        self._shift = np.uint64(64 - bits)
        self._seen = np.zeros(1 << bits, np.bool_)
        self._seen[self._slot(self.ids)] = True

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.ids)

    def _slot(self, ids: Int64s) -> Int64s:
        slots: Int64s = ((ids.view(np.uint64) * _MIX) >> self._shift).astype(np.int64)
        return slots

    def find(self, ids: Int64s) -> tuple[Int64s, Int64s]:
        """Return which rows of ``ids`` are in the set, ascending, and the place of each in ``self.ids``."""
        rows = np.flatnonzero(self._seen[self._slot(np.ascontiguousarray(ids))])
        if len(rows) == 0:
            return rows, rows
        wanted = ids[rows]
        places = np.minimum(np.searchsorted(self.ids, wanted), len(self.ids) - 1)
        held = self.ids[places] == wanted
        return rows[held], places[held]

    def contains(self, ids: Int64s) -> Bools:
        """Return for each id whether it is in the set."""
        held = np.zeros(len(ids), np.bool_)
        held[self.find(ids)[0]] = True
        return held

    @property
    def fragments(self) -> Int64s:
        """The fragments of the samples, ascending."""
        return np.unique(self.ids >> ROW_BITS)

    def within(self, fragment: int) -> slice:
        """Return where the samples of a fragment stand in ``self.ids``."""
        begin, end = np.searchsorted(self.ids, [first_id(fragment), first_id(fragment + 1)])
        return slice(int(begin), int(end))


def in_threads(work: Callable[[_Place], _Found], places: Iterable[_Place]) -> Iterator[_Found]:
    """Yield what is found at each place, in their order; no more than twice as many as there are threads are under way or wait to be taken.

    >>> list(in_threads(abs, iter([-1, 2, -3])))
    [1, 2, 3]
    """
    threads = min(8, os.cpu_count() or 1)
    left = iter(places)
    with ThreadPoolExecutor(threads) as pool:
        waiting = deque(pool.submit(work, place) for place in itertools.islice(left, 2 * threads))
        while waiting:
            found = waiting.popleft().result()
            waiting.extend(pool.submit(work, place) for place in itertools.islice(left, 1))
            yield found
