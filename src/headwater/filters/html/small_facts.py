"""Small facts of elements: how far they stand apart, where a list begins to count, which links only mark their place."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.filters.html.attributes import find_attribute, name_bytes
from headwater.filters.html.tags import BLOCKQUOTE, DIR, DL, FIGURE, H1, H6, HR, MENU, OL, PRE, TABLE, UL, P
from headwater.filters.text.compile import kernel

__all__ = ["first_number", "is_anchor_mark", "margin"]

_START: Final = name_bytes("start")


@kernel
def margin(tag: int, lists: int) -> int:
    """Return how many line feeds separate an element from what is around it: 2 where browsers set a margin."""
    if tag in (P, BLOCKQUOTE, DL, FIGURE, HR, PRE, TABLE) or H1 <= tag <= H6:
        return 2
    if tag in (UL, OL, MENU, DIR):
        return 1 if lists else 2
    return 1


@kernel
def first_number(html: npt.NDArray[np.uint8], begin: int, finish: int) -> int:
    """Return the number that a list's `start` gives, 1 if none."""
    at, end = find_attribute(html, begin, finish, _START)
    number, digits = 0, 0
    while 0 <= at < end and 0x30 <= html[at] <= 0x39 and digits < 6:
        number = number * 10 + html[at] - 0x30
        at += 1
        digits += 1
    return number if digits else 1


@kernel
def is_anchor_mark(html: npt.NDArray[np.uint8], begin: int, finish: int) -> bool:
    """Tell whether a link's text is the pilcrow that programs of documentation set behind headings."""
    return finish - begin == 2 and html[begin] == 0xC2 and html[begin + 1] == 0xB6
