"""The search for a cut: where, in the order of a key, sums over a cell reach what is needed.

Exact and of bounded memory: tasks sum the samples behind a prefix of the key into 256 bins by its next byte, and the driver steps into the bin in
which the need is met; a bin of few samples is listed. A round costs one pass over the narrow rows and, a cell, 6 KB or the listed samples.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt

from headwater.errors import RecipeError

__all__ = ["Bins", "Group", "Search", "Waiting", "find_cuts", "sum_bins"]

_FEW: Final = 2048
"""Behind a prefix with at most this many samples, they are looked at one by one."""
_Ints = npt.NDArray[np.int64]
_Bytes = npt.NDArray[np.uint8]
_Key = TypeVar("_Key", bound=Hashable)


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """The samples of a fragment that belong to one search.

    Attributes:
        keys: uint8 [n, bytes of a key].
        sums: tokens and full sequences of each, int64 [n, 2].
    """

    keys: _Bytes
    sums: _Ints


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiting:
    """What a round asks of a cell: sums by the byte after ``prefix``, or all samples behind it."""

    prefix: bytes
    listed: bool


@dataclass(kw_only=True, slots=True)
class Bins:
    """What a round found.

    Attributes:
        counted: cell → tokens, full sequences and samples by next byte, int64 [256, 3].
        listed: cell → keys and their sums.
    """

    counted: dict[Hashable, _Ints] = field(default_factory=dict)
    listed: dict[Hashable, list[Group]] = field(default_factory=dict)

    def merge(self, other: Bins) -> Bins:
        """Add another's bins; the order does not matter."""
        for cell, sums in other.counted.items():
            mine = self.counted.get(cell)
            self.counted[cell] = sums if mine is None else mine + sums
        for cell, groups in other.listed.items():
            self.listed.setdefault(cell, []).extend(groups)
        return self


@dataclass(kw_only=True, slots=True)
class Search:
    """The search in one cell; it ends at the first sample with which either need is met.

    Attributes:
        tokens: tokens still needed beyond what lies before ``prefix``.
        sequences: the same for full sequences; None where they do not matter.
        samples: how many lie behind the prefix, or more.
        taken: tokens up to where the search has come: at its end, of all samples up to ``last``.
        last: key of the sample at which it ends.
    """

    tokens: int
    samples: int
    sequences: int | None = None
    prefix: bytes = b""
    taken: int = 0
    last: bytes | None = None

    @property
    def waiting(self) -> Waiting:
        """What the next round has to find."""
        return Waiting(prefix=self.prefix, listed=self.samples <= _FEW)

    def advance(self, found: Bins, cell: Hashable, width: int) -> None:
        """Step into the bin in which the need is met, or end at the sample that meets it.

        Raises:
            RecipeError: there is less than the need.
        """
        if self.waiting.listed:
            keys, sums = _in_order(found.listed.get(cell, []), width)
        else:
            counted = found.counted.get(cell, np.zeros((256, 3), np.int64))
            byte = np.flatnonzero(counted[:, 2])
            keys, sums = [self.prefix + bytes([value]) for value in byte.tolist()], counted[byte]
        before = np.cumsum(sums, axis=0) if len(sums) else np.zeros((0, 3), np.int64)
        met = before[:, 0] >= self.tokens
        if self.sequences is not None:
            met |= before[:, 1] >= self.sequences
        if not met.any():
            raise RecipeError(
                "selection: expected the cell's samples to sum to what was counted before, found fewer; the lake changed, run again"
            )
        at = int(met.argmax())
        if len(keys[at]) == width:
            self.taken += int(before[at, 0])
            self.last = keys[at]
            return
        passed = before[at] - sums[at]
        self.tokens -= int(passed[0])
        self.taken += int(passed[0])
        if self.sequences is not None:
            self.sequences -= int(passed[1])
        self.prefix, self.samples = keys[at], int(sums[at, 2])


def _in_order(groups: Sequence[Group], width: int) -> tuple[list[bytes], _Ints]:
    """Return the different keys, smallest first, with their sums and how many samples have them."""
    if not groups:
        return [], np.zeros((0, 3), np.int64)
    keys = np.concatenate([group.keys for group in groups])
    each = np.concatenate([group.sums for group in groups])
    distinct, place = np.unique(np.ascontiguousarray(keys).view(f"S{width}").reshape(-1), return_inverse=True)
    sums = np.zeros((len(distinct), 3), np.int64)
    np.add.at(sums[:, :2], place.reshape(-1), each)
    sums[:, 2] = np.bincount(place.reshape(-1), minlength=len(distinct))
    # numpy drops zeros at the end of a string.
    return [bytes(key).ljust(width, b"\0") for key in distinct.tolist()], sums


def sum_bins(groups: Mapping[_Key, Group], waiting: Mapping[_Key, Waiting]) -> Bins:
    """Return what a fragment's samples add to a round."""
    found = Bins()
    for cell, group in groups.items():
        asked = waiting[cell]
        length = len(asked.prefix)
        keys, sums = group.keys, group.sums
        if length:
            behind = (keys[:, :length] == np.frombuffer(asked.prefix, np.uint8)).all(axis=1)
            keys, sums = keys[behind], sums[behind]
        if len(keys) == 0:
            continue
        if asked.listed:
            found.listed[cell] = [Group(keys=keys, sums=sums)]
            continue
        byte = keys[:, length]
        counted = np.zeros((256, 3), np.int64)
        for column in (0, 1):
            # Sums of doubles are exact up to 2^53; a fragment has at most 2^44 tokens.
            counted[:, column] = np.bincount(byte, sums[:, column], minlength=256)
        counted[:, 2] = np.bincount(byte, minlength=256)
        found.counted[cell] = counted
    return found


def find_cuts(searches: Mapping[_Key, Search], width: int, fold: Callable[[Mapping[_Key, Waiting]], Bins]) -> None:
    """Bring every search to its end.

    Args:
        searches: cell → its search; each ends with ``last`` set.
        width: bytes of a key.
        fold: one round: the sums of all fragments for the cells that wait.
    """
    while waiting := {cell: search.waiting for cell, search in searches.items() if search.last is None}:
        found = fold(waiting)
        for cell in waiting:
            searches[cell].advance(found, cell, width)
