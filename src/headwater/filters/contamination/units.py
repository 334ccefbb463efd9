"""Units: what an item is looked up by, numbered so that a number says whose it is.

An item has a question and its answers (the *part*), each read in up to three ways (the *reading*). The number of a unit is
8 times the item, plus 4 times the part, plus the reading; kernels and arrays use the same three functions.

>>> units = unit_numbers(np.array([0, 5], np.int32), ANSWER_PART, 2)
>>> units.tolist(), item_of(units).tolist(), part_of(46) == ANSWER_PART
([6, 46], [0, 5], True)
"""

from __future__ import annotations

from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt
from numba.extending import register_jitable

__all__ = ["ANSWER_PART", "QUESTION_PART", "UNITS_PER_ITEM", "item_of", "part_of", "unit_numbers"]

QUESTION_PART: Final = 0
ANSWER_PART: Final = 1
_READINGS: Final = 4
"""Numbers kept for the readings of a part; three are used."""
UNITS_PER_ITEM: Final = 2 * _READINGS

_Number = TypeVar("_Number", int, npt.NDArray[np.int32])


def unit_numbers(
    items: npt.NDArray[np.int32], parts: npt.NDArray[np.uint8] | int, reading: int
) -> npt.NDArray[np.int32]:
    """Return int32 [n]: the unit of each item and part (or of one part of all), read in one way."""
    return (items * UNITS_PER_ITEM + parts * _READINGS + reading).astype(np.int32)


@register_jitable
def item_of(unit: _Number) -> _Number:
    """Return the item of a unit, or of each."""
    return unit // UNITS_PER_ITEM


@register_jitable
def part_of(unit: _Number) -> _Number:
    """Return the part of a unit, or of each: `QUESTION_PART` or `ANSWER_PART`."""
    return unit // _READINGS % 2
