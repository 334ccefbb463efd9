"""Sets of record numbers as runs of consecutive numbers: small where nearly all records of a file are in, or nearly none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Ranges"]

_Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Ranges:
    """A set of integers: ``begins[i]`` to ``ends[i]``, without the end, ascending and apart."""

    begins: _Ints
    ends: _Ints

    @staticmethod
    def of(numbers: _Ints) -> Ranges:
        """Return the set of some numbers, in any order.

        >>> found = Ranges.of(np.array([7, 3, 4, 5]))
        >>> found.begins.tolist(), found.ends.tolist()
        ([3, 7], [6, 8])
        """
        ordered = np.unique(numbers.astype(np.int64))
        cuts = np.flatnonzero(np.diff(ordered) != 1) + 1
        begins = ordered[np.concatenate(([0], cuts))] if len(ordered) else ordered
        ends = ordered[np.concatenate((cuts - 1, [len(ordered) - 1]))] + 1 if len(ordered) else ordered
        return Ranges(begins=begins, ends=ends)

    @staticmethod
    def union(parts: Sequence[Ranges]) -> Ranges:
        """Return the union of sets that have no number in common."""
        none = np.empty(0, np.int64)
        begins = np.concatenate([none, *(part.begins for part in parts)])
        ends = np.concatenate([none, *(part.ends for part in parts)])
        return Ranges(begins=np.sort(begins), ends=np.sort(ends))

    def hold(self, numbers: _Ints) -> npt.NDArray[np.bool_]:
        """Return which of some numbers are in the set.

        >>> Ranges.of(np.array([3, 4, 7])).hold(np.array([2, 3, 4, 5, 7, 8])).tolist()
        [False, True, True, False, True, False]
        """
        at = np.searchsorted(self.begins, numbers, side="right") - 1
        found: npt.NDArray[np.bool_] = (at >= 0) & (numbers < np.append(self.ends, 0)[at])
        return found
