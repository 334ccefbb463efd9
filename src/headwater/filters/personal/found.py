"""What a finder gives: places in texts with their type, the form it has there and how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from headwater.filters.personal.types import CONFIDENCES, HIGH

__all__ = ["Found", "settle"]


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Found:
    """A place in a text.

    Attributes:
        row: number of the text.
        begin: first byte within the text.
        end: first byte after it.
        operator: ``personal:`` or ``secret:`` with the type.
        variant: the form it has: a country's id, a vendor's key; empty where the type says all.
        confidence: of ``types.CONFIDENCES``.
    """

    row: int
    begin: int
    end: int
    operator: str
    variant: str = ""
    confidence: str = HIGH


def settle(found: Sequence[Found]) -> list[Found]:
    """Return what stays where places overlap, sorted by row and begin: the surer, then the longer, then the earlier, then the first by name.

    One walk: a place is held against the last that stays, so of a chain of overlapping ones each that loses is gone before the next is looked at.

    >>> [(each.begin, each.operator) for each in settle([
    ...     Found(row=0, begin=0, end=9, operator="a", confidence="low"), Found(row=0, begin=5, end=12, operator="b")])]
    [(5, 'b')]
    """
    kept: list[Found] = []
    for each in sorted(found):
        if kept and kept[-1].row == each.row and each.begin < kept[-1].end:
            if _rank(each) < _rank(kept[-1]):
                kept[-1] = each
        else:
            kept.append(each)
    return kept


def _rank(each: Found) -> tuple[int, int, int, str]:
    return CONFIDENCES.index(each.confidence), each.begin - each.end, each.begin, each.operator
