"""Digits and separators of numbers in UTF-8: ASCII, full-width, Arabic, Persian, Devanagari, Bengali and Thai digits, every space and dash.

Kernels give how many bytes a character takes and what it stands for as one number, ``bytes << 4 | value``, and 0 where it is none.
"""

from __future__ import annotations

import unicodedata
from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.filters.text.compile import kernel

__all__ = ["CLOSING", "DASH", "DOT", "OPENING", "PLUS", "SLASH", "SPACE", "digit_at", "plain", "separator_at"]

SPACE, DASH, DOT, SLASH, OPENING, CLOSING, PLUS = range(2, 9)
"""What ``separator_at`` tells: places in ``shapes.SYMBOLS``, where 0 and 1 are a digit and a letter."""


@kernel
def digit_at(data: npt.NDArray[np.uint8], at: int, end: int) -> int:
    """Return the digit that begins at a byte: its bytes << 4 | its value."""
    if at >= end:
        return 0
    first = data[at]
    if first < 128:
        return 16 | int(first - 48) if 48 <= first <= 57 else 0
    if first == 0xD9:
        second = data[at + 1] if at + 1 < end else 0
        return 32 | int(second - 0xA0) if 0xA0 <= second <= 0xA9 else 0  # U+0660
    if first == 0xDB:
        second = data[at + 1] if at + 1 < end else 0
        return 32 | int(second - 0xB0) if 0xB0 <= second <= 0xB9 else 0  # U+06F0
    if at + 2 >= end:
        return 0
    second, third = data[at + 1], data[at + 2]
    if first == 0xE0:
        if second in (0xA5, 0xA7) and 0xA6 <= third <= 0xAF:  # U+0966, U+09E6
            return 48 | int(third - 0xA6)
        if second == 0xB9 and 0x90 <= third <= 0x99:  # U+0E50
            return 48 | int(third - 0x90)
    elif first == 0xEF and second == 0xBC and 0x90 <= third <= 0x99:  # U+FF10
        return 48 | int(third - 0x90)
    return 0


@kernel
def separator_at(data: npt.NDArray[np.uint8], at: int, end: int) -> int:
    """Return the separator that begins at a byte: its bytes << 4 | which one."""
    if at >= end:
        return 0
    first = data[at]
    if first < 128:
        if first == 32:
            return 16 | SPACE
        if first == 45:
            return 16 | DASH
        if first == 46:
            return 16 | DOT
        if first == 47:
            return 16 | SLASH
        if first == 40:
            return 16 | OPENING
        if first == 41:
            return 16 | CLOSING
        return 16 | PLUS if first == 43 else 0
    second = data[at + 1] if at + 1 < end else 0
    if first == 0xC2:
        return 32 | SPACE if second == 0xA0 else 0
    if first < 0xE2 or at + 2 >= end:
        return 0
    third = data[at + 2]
    if first == 0xE2:
        if second == 0x80:
            if 0x90 <= third <= 0x94:  # U+2010 to U+2014
                return 48 | DASH
            return 48 | SPACE if third in (0x82, 0x87, 0x89, 0xAF) else 0
        return 48 | DASH if second == 0x88 and third == 0x92 else 0  # U+2212
    if first == 0xE3:
        return 48 | SPACE if second == 0x80 and third == 0x80 else 0
    if first == 0xEF and second == 0xBC:
        if third == 0x8D:
            return 48 | DASH
        if third == 0x8E:
            return 48 | DOT
        if third == 0x88:
            return 48 | OPENING
        if third == 0x89:
            return 48 | CLOSING
        return 48 | PLUS if third == 0x8B else 0
    return 0


_DASHES: Final = dict.fromkeys([*range(0x2010, 0x2015), 0x2212], "-")


def plain(data: bytes) -> str:
    """Return a number as ASCII: digits of every script as 0 to 9, every dash as a hyphen, every space as one.

    >>> plain("٠١٢ ３‐४".encode())
    '012 3-4'
    """
    text = data.decode("utf-8", "replace")
    if text.isascii():
        return text
    text = unicodedata.normalize("NFKC", text).translate(_DASHES)
    return "".join(
        str(unicodedata.decimal(char)) if char.isdecimal() else " " if char.isspace() else char for char in text
    )
