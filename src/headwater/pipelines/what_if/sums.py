"""Sums of documents, bytes and tokens by dimension: what fragments return and the answer is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, TypedDict

import numpy as np

from headwater.arrays import Int64s

__all__ = ["MEASURES", "TOTAL", "Measure", "Sums", "gained_slot", "lost_slot", "measures"]

MEASURES: Final = ("documents", "bytes", "tokens")
TOTAL: Final = "total"


class Measure(TypedDict):
    """Documents, bytes or tokens under the rules as they are and as they might be; shares are of now."""

    now: int
    then: int
    gained: int
    lost: int
    gained_share: float | None
    lost_share: float | None


def gained_slot(scenario: int) -> int:
    """Return the slot of what a scenario gains; slot 0 is what is kept now."""
    return 1 + 2 * scenario


def lost_slot(scenario: int) -> int:
    """Return the slot of what a scenario loses."""
    return 2 + 2 * scenario


@dataclass(kw_only=True, slots=True)
class Sums:
    """Documents, bytes and tokens by (dimension, key) and slot; adding is exact and in any order the same.

    Attributes:
        width: slots: one for now, two a scenario.
        cells: (dimension, key) → int64 [width, 3].
    """

    width: int
    cells: dict[tuple[str, str], Int64s] = field(default_factory=dict)

    def add(
        self, slot: int, dimension: str, names: Sequence[str], index: Int64s, weights: Sequence[Int64s], sign: int = 1
    ) -> None:
        """Add rows: ``index`` into ``names`` and the weights (bytes, tokens) of each."""
        if len(index) == 0:
            return
        # Sums of doubles are exact up to 2^53; a fragment holds some 2^29 bytes of text and at most 2^44.
        columns = [np.bincount(index, weight, minlength=len(names)) for weight in (None, *weights)]
        found = np.stack([column.astype(np.int64) for column in columns], axis=1) * sign
        for at in np.flatnonzero(found[:, 0]).tolist():
            self._cell(dimension, names[at])[slot] += found[at]

    def merge(self, other: Sums) -> None:
        """Add another's sums."""
        for (dimension, name), cell in other.cells.items():
            held = self._cell(dimension, name)
            held += cell

    def _cell(self, dimension: str, name: str) -> Int64s:
        return self.cells.setdefault((dimension, name), np.zeros((self.width, len(MEASURES)), np.int64))

    def get(self, dimension: str, name: str) -> Int64s:
        """Return a cell, zeros where nothing was added."""
        return self.cells.get((dimension, name), np.zeros((self.width, len(MEASURES)), np.int64))

    def names(self, dimension: str) -> list[str]:
        """Return the keys of a dimension: most kept now first, then by name."""
        found = [(name, cell) for (kind, name), cell in self.cells.items() if kind == dimension and cell.any()]
        return [name for name, cell in sorted(found, key=lambda item: (-int(item[1][0, 0]), item[0]))]


def measures(cell: Int64s, scenario: int) -> dict[str, Measure]:
    """Return measure → now, then, gained and lost, the last two also as shares of now (null where there is nothing now)."""
    now, gained, lost = cell[0], cell[gained_slot(scenario)], cell[lost_slot(scenario)]
    return {measure: _measure(int(now[at]), int(gained[at]), int(lost[at])) for at, measure in enumerate(MEASURES)}


def _measure(now: int, gained: int, lost: int) -> Measure:
    return {
        "now": now,
        "then": now + gained - lost,
        "gained": gained,
        "lost": lost,
        "gained_share": gained / now if now else None,
        "lost_share": lost / now if now else None,
    }
