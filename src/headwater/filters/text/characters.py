"""Classes of Unicode code points for the signals, frozen, and the decoding of UTF-8.

The classes come from the Unicode 3.2 data that every Python carries unchanged (`unicodedata.ucd_3_2_0`), so that a
newer Python never alters a stored signal. Code points assigned later are letters, except in blocks of symbols and the
marks of the 30 languages. What it
loses: marks of other scripts encoded after 2002 count as letters, which matters only where letters and marks are told apart.
"""

from __future__ import annotations

import functools
import unicodedata
from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.filters.text.compile import kernel

__all__ = [
    "DIGIT",
    "HAN",
    "HIRAGANA",
    "JOINER",
    "KATAKANA",
    "LETTER",
    "MARK",
    "MATH",
    "NEWLINE",
    "NUMBER",
    "NUMERIC_JOINER",
    "SPACE",
    "SYMBOL",
    "THAI",
    "UNSEGMENTED",
    "UPPER",
    "character_classes",
    "decode_point",
]

# The order is used: symbols of all kinds are below MARK, word characters from MARK on, letters from LETTER on,
# scripts without spaces from HAN on.
SYMBOL: Final = 0
SPACE: Final = 1
NEWLINE: Final = 2
JOINER: Final = 3
"""Apostrophes, underscore, geresh: inside a word between two word characters, else symbols."""
NUMERIC_JOINER: Final = 4
"""Full stop and comma: inside a number between two digits, else symbols."""
MATH: Final = 5
MARK: Final = 6
DIGIT: Final = 7
NUMBER: Final = 8
LETTER: Final = 9
UPPER: Final = 10
"""Letters of upper or title case (Lu and Lt); all other letters of scripts with spaces are LETTER."""
HAN: Final = 11
HIRAGANA: Final = 12
KATAKANA: Final = 13
THAI: Final = 14
UNSEGMENTED: Final = 15
"""Letters of Lao, Khmer and Burmese: no spaces between words, and no table that says where words begin."""

_BY_CATEGORY: Final = {
    "Nd": DIGIT,
    "Sm": MATH,
    "Cf": MARK,
    "Cc": SYMBOL,
    "Cs": SYMBOL,
    "Co": SYMBOL,
    "Lu": UPPER,
    "Lt": UPPER,
}
_BY_INITIAL: Final = {"L": LETTER, "M": MARK, "N": NUMBER, "P": SYMBOL, "S": SYMBOL, "Z": SPACE, "C": LETTER}

_RANGES: Final = (
    (0x2E00, 0x2E7F, SYMBOL),
    (0x1F000, 0x1FAFF, SYMBOL),
    (0xFFF0, 0xFFFF, SYMBOL),
    (0x3400, 0x4DBF, HAN),
    (0x4E00, 0x9FFF, HAN),
    (0xF900, 0xFAFF, HAN),
    (0x20000, 0x3FFFF, HAN),
    (0x3005, 0x3007, HAN),
    (0x303B, 0x303B, HAN),
    (0x3041, 0x3096, HIRAGANA),
    (0x309D, 0x309F, HIRAGANA),
    (0x30A1, 0x30FA, KATAKANA),
    (0x30FC, 0x30FF, KATAKANA),
    (0x31F0, 0x31FF, KATAKANA),
    (0xFF66, 0xFF9F, KATAKANA),
    # Marks and invisible joiners inside words of the 30 languages, encoded after Unicode 3.2 or of another category then.
    (0x00AD, 0x00AD, MARK),
    (0x0350, 0x036F, MARK),
    (0x05A2, 0x05A2, MARK),
    (0x05BA, 0x05BA, MARK),
    (0x05C5, 0x05C5, MARK),
    (0x05C7, 0x05C7, MARK),
    (0x0610, 0x061A, MARK),
    (0x061C, 0x061C, MARK),
    (0x0656, 0x065F, MARK),
    (0x08D3, 0x08FF, MARK),
    (0x0955, 0x0957, MARK),
    (0x09FE, 0x09FE, MARK),
    (0x1AB0, 0x1AFF, MARK),
    (0x1DC0, 0x1DFF, MARK),
    (0x2066, 0x2069, MARK),
    (0xFE24, 0xFE2F, MARK),
    (0x102B, 0x1032, MARK),  # Burmese vowels and medials, most of them encoded after Unicode 3.2
    (0x1036, 0x103E, MARK),
    (0xE0100, 0xE01EF, MARK),
)
_BLOCKS_WITHOUT_SPACES: Final = (
    (0x0E00, 0x0E7F, THAI),
    (0x0E80, 0x0EFF, UNSEGMENTED),
    (0x1000, 0x109F, UNSEGMENTED),
    (0x1780, 0x17FF, UNSEGMENTED),
)
_LATE_SYMBOLS: Final = ((0x2000, 0x2BFF), (0x2FF0, 0x2FFF), (0xFE10, 0xFE1F))
_SPACES: Final = (0x09, 0x0B, 0x0C, 0x0D, 0x1C, 0x1D, 0x1E, 0x1F, 0x85, 0x200B, 0xFEFF)
_JOINERS: Final = (0x27, 0x5F, 0x2019, 0x05F3, 0x05F4)


@functools.cache
def character_classes() -> npt.NDArray[np.uint8]:
    """Return the class of every code point, uint8 of shape (0x110000,); 50 ms once a process.

    >>> classes = character_classes()
    >>> [int(classes[ord(character)]) for character in "aA7 の中ก+'"] == [
    ...     LETTER, UPPER, DIGIT, SPACE, HIRAGANA, HAN, THAI, MATH, JOINER]
    True
    """
    category = unicodedata.ucd_3_2_0.category
    classes = np.full(0x110000, SYMBOL, dtype=np.uint8)
    for point in range(0x20000):
        name = category(chr(point))
        classes[point] = _BY_CATEGORY.get(name, _BY_INITIAL[name[0]])
    for first, last in _LATE_SYMBOLS:
        block = classes[first : last + 1]
        block[block == LETTER] = [
            LETTER if category(chr(first + int(at)))[0] == "L" else SYMBOL for at in np.flatnonzero(block == LETTER)
        ]
    for first, last, kind in _BLOCKS_WITHOUT_SPACES:
        block = classes[first : last + 1]
        block[block == LETTER] = kind
    for first, last, kind in _RANGES:
        classes[first : last + 1] = kind
    classes[list(_SPACES)] = SPACE
    classes[list(_JOINERS)] = JOINER
    classes[[ord("."), ord(",")]] = NUMERIC_JOINER
    classes[ord("^")] = MATH
    classes[[ord(mark) for mark in "<>|~"]] = SYMBOL  # markup and shells use these far more than mathematics does
    classes[ord("\n")] = NEWLINE
    classes.setflags(write=False)
    return classes


@kernel
def decode_point(data: npt.NDArray[np.uint8], at: int, end: int) -> tuple[int, int]:
    """Return the code point that starts at byte `at` and its width in bytes; never reads at or past `end`.

    The text is valid UTF-8 (ingest checks it); a cut sequence is the replacement character of width 1.

    >>> decode_point(np.frombuffer("é".encode(), np.uint8), 0, 2)
    (233, 2)
    """
    index = np.uint64(at)  # an unsigned index spares Numba's look at negative ones
    first = np.int64(data[index])  # signed from here on: Numba makes floats of mixed signedness
    if first < 0x80:
        return int(first), 1
    if first < 0xE0:
        if at + 1 < end:
            return int((first & 0x1F) << 6 | (np.int64(data[index + np.uint64(1)]) & 0x3F)), 2
    elif first < 0xF0:
        if at + 2 < end:
            second, third = np.int64(data[index + np.uint64(1)]), np.int64(data[index + np.uint64(2)])
            return int((first & 0x0F) << 12 | (second & 0x3F) << 6 | (third & 0x3F)), 3
    elif at + 3 < end:
        second, third = np.int64(data[index + np.uint64(1)]), np.int64(data[index + np.uint64(2)])
        fourth = np.int64(data[index + np.uint64(3)])
        point = int((first & 0x07) << 18 | (second & 0x3F) << 12 | (third & 0x3F) << 6 | (fourth & 0x3F))
        if point < 0x110000:
            return point, 4
    return 0xFFFD, 1
