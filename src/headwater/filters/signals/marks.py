"""What a punctuation mark or symbol of any script counts as: comma, quotation mark, currency, picture and so on.

Unicode's categories are those of version 3.2, as in `characters`, with the blocks of symbols that came later. Only symbol
tokens are looked up: an apostrophe or comma inside a word, or a numeral in a circle, never is.
"""

from __future__ import annotations

import functools
import unicodedata
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = [
    "BRACKET",
    "COLON",
    "COMMA",
    "CURRENCY",
    "DASH",
    "EXCLAMATION",
    "N_MARKS",
    "PERCENT",
    "PICTURE",
    "QUOTE",
    "SEMICOLON",
    "mark_kinds",
]

(
    NO_MARK,
    EXCLAMATION,
    COMMA,
    QUOTE,
    BRACKET,
    COLON,
    SEMICOLON,
    DASH,
    CURRENCY,
    PERCENT,
    PICTURE,
) = range(11)
N_MARKS: Final = 11

_LISTED: Final = {
    EXCLAMATION: "!！﹗‼",
    COMMA: ",،、，﹐﹑､︐︑",
    QUOTE: '"«»“”„‟‹›「」『』〝〞〟＂｢｣﹁﹂﹃﹄״',
    BRACKET: "(（﹙",
    COLON: ":：﹕︓",
    SEMICOLON: ";；﹔︔؛",
    DASH: "‒–—―⸺⸻﹘",
    PERCENT: "%％﹪٪‰",
    PICTURE: "•‣⁃",
}
_PICTURES: Final = (
    (0x2190, 0x21FF),  # arrows
    (0x2300, 0x23FF),  # technical signs
    (0x2580, 0x27BF),  # blocks, shapes, stars, dingbats
    (0x2900, 0x297F),  # arrows
    (0x2B00, 0x2BFF),  # arrows, stars
    (0x1F000, 0x1FAFF),  # pictographs
)
_LATE_CURRENCIES: Final = (0x20A0, 0x20CF)


@functools.cache
def mark_kinds() -> npt.NDArray[np.uint8]:
    """Return what every code point counts as, uint8 of shape (0x110000,): 0 or one of the kinds; 10 ms once a process.

    >>> kinds = mark_kinds()
    >>> [int(kinds[ord(mark)]) for mark in "、«—€🙂x"] == [COMMA, QUOTE, DASH, CURRENCY, PICTURE, 0]
    True
    """
    category = unicodedata.ucd_3_2_0.category
    kinds = np.zeros(0x110000, np.uint8)
    for first, last in _PICTURES:
        kinds[first : last + 1] = PICTURE
    kinds[[point for point in range(0x10000) if category(chr(point)) == "Sc"]] = CURRENCY
    kinds[_LATE_CURRENCIES[0] : _LATE_CURRENCIES[1] + 1] = CURRENCY
    for kind, marks in _LISTED.items():
        kinds[[ord(mark) for mark in marks]] = kind
    kinds.setflags(write=False)
    return kinds
