"""The shape of each block's text, of no language: `measure_shapes`.

Counts of characters of some classes, over code points: letters, capitals, digits, marks that end sentences, of the Han and
kana and Korean characters (which have no spaces between words), and of what is in links or bold. White space counts as one
character between others and not at the ends. A *word* is a run of letters and digits of scripts that put spaces between words.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.filters.html.element_marks import MARKS
from headwater.filters.html.nodes import ELEMENT
from headwater.filters.html.tags import BR, IMG, TIME, A
from headwater.filters.text.compile import inlined, kernel

__all__ = ["N_SHAPES", "SHAPES", "measure_shapes"]

SHAPES: Final = (
    "chars", "words", "letters", "capitals", "digits", "ends", "commas", "others", "links", "link_chars", "bold_chars", "wide",
    "capital_words", "first", "last", "currencies", "bars", "cased", "longest", "images", "breaks", "inlines", "times", "rights",
    "colons", "questions",
)  # fmt: skip
"""Names of a block's numbers. first and last: class of its first and last character; wide: Han, kana, Korean syllables."""
N_SHAPES: Final = len(SHAPES)
(
    CHARS, WORDS, LETTERS, CAPITALS, DIGITS, ENDS, COMMAS, OTHERS, LINKS, LINK_CHARS, BOLD_CHARS, WIDE,
    CAPITAL_WORDS, FIRST, LAST, CURRENCIES, BARS, CASED, LONGEST, IMAGES, BREAKS, INLINES, TIMES, RIGHTS,
    COLONS, QUESTIONS,
) = range(26)  # fmt: skip

_SMALL, _CAPITAL, _DIGIT, _WIDE, _OTHER, _END, _COMMA, _CURRENCY, _RIGHT, _BAR = range(1, 11)
_LINK: Final = np.uint64(MARKS.index("a"))
_BOLD: Final = np.uint64(MARKS.index("strong"))
_HASH_START: Final = np.uint64(14695981039346656037)
_HASH_FACTOR: Final = np.uint64(1099511628211)


@inlined
def _class_of(point: int) -> int:
    """Return the class of a code point that is no white space."""
    if point < 0x80:
        if 0x61 <= point <= 0x7A:
            return _SMALL
        if 0x41 <= point <= 0x5A:
            return _CAPITAL
        if 0x30 <= point <= 0x39:
            return _DIGIT
        if point in (0x2E, 0x21, 0x3F):
            return _END
        if point == 0x2C:
            return _COMMA
        if point == 0x24:
            return _CURRENCY
        return _BAR if point in (0x7C, 0x3E) else _OTHER
    if 0x3040 <= point < 0xFB00:
        return _WIDE
    if 0xC0 <= point <= 0xDE or 0x410 <= point <= 0x42F or 0x391 <= point <= 0x3A9:
        return _CAPITAL
    if point in (0xA9, 0xAE, 0x2122):
        return _RIGHT
    if point in (0x3002, 0xFF01, 0xFF1F, 0x2026, 0x06D4, 0x0964, 0x061F):
        return _END
    if point in (0xFF0C, 0x3001, 0x060C):
        return _COMMA
    if point in (0x20AC, 0xA3, 0xA5, 0x20B9):
        return _CURRENCY
    if point in (0xBB, 0xAB, 0x203A, 0x2022, 0xB7, 0x2192):
        return _BAR
    if 0x2000 <= point < 0x2C00 or 0xA1 <= point <= 0xBF or point in (0xD7, 0xF7):
        return _OTHER
    return _SMALL


@kernel
def _point(html: npt.NDArray[np.uint8], at: int, finish: int) -> tuple[int, int]:
    """Return the code point at `at`, a character reference read, and where the next begins."""
    byte = int(html[at])
    if byte < 0x80:
        if byte != 0x26:
            return byte, at + 1
        stop = at + 1
        while stop < finish and stop < at + 6 and html[stop] != 0x3B:
            stop += 1
        if stop >= finish or html[stop] != 0x3B:
            return byte, at + 1
        letter = html[at + 1]
        point = (
            0x20
            if letter == 0x6E
            else 0x3C
            if letter == 0x6C
            else 0x3E
            if letter == 0x67
            else 0x22
            if letter == 0x71
            else 0x26
        )
        return point, stop + 1
    if byte >= 0xF0 and at + 3 < finish:
        return (
            (byte & 7) << 18 | (int(html[at + 1]) & 63) << 12 | (int(html[at + 2]) & 63) << 6 | (int(html[at + 3]) & 63)
        ), at + 4
    if byte >= 0xE0 and at + 2 < finish:
        return ((byte & 15) << 12 | (int(html[at + 1]) & 63) << 6 | (int(html[at + 2]) & 63)), at + 3
    if byte >= 0xC0 and at + 1 < finish:
        return ((byte & 31) << 6 | (int(html[at + 1]) & 63)), at + 2
    return byte, at + 1


@kernel
def measure_shapes(
    html: npt.NDArray[np.uint8],
    kind: npt.NDArray[np.uint8],
    tag: npt.NDArray[np.uint8],
    begin: npt.NDArray[np.int64],
    finish: npt.NDArray[np.int64],
    block: npt.NDArray[np.int32],
    marks: npt.NDArray[np.uint64],
    shapes: npt.NDArray[np.float32],
    hashes: npt.NDArray[np.uint64],
) -> None:
    """Fill the shapes (blocks, N_SHAPES), zeros before, and a hash of each block's characters that are no white space."""
    for number in range(len(hashes)):
        hashes[number] = _HASH_START
    last, letters = -1, 0
    for node in range(len(kind)):
        number = block[node]
        if number < 0:
            continue
        shape = shapes[number]
        if number != last:
            last, letters = number, 0
        if kind[node] == ELEMENT:
            if tag[node] == IMG:
                shape[IMAGES] += 1
            elif tag[node] == BR:
                shape[BREAKS] += 1
                letters = 0
            elif tag[node] == TIME:
                shape[TIMES] += 1
            elif tag[node] == A:
                shape[LINKS] += 1
            shape[INLINES] += 1
            continue
        in_link = (marks[node] >> _LINK) & np.uint64(1)
        in_bold = (marks[node] >> _BOLD) & np.uint64(1)
        value = hashes[number]
        at, stop, space = begin[node], finish[node], True
        while at < stop:
            point, at = _point(html, at, stop)
            if point <= 0x20 or point in (0xA0, 0x200B, 0x3000, 0xFEFF):
                letters = 0
                if not space:
                    shape[CHARS] += 1
                space = True
                continue
            space = False
            shape[CHARS] += 1
            if in_link:
                shape[LINK_CHARS] += 1
            if in_bold:
                shape[BOLD_CHARS] += 1
            value = (value ^ np.uint64(point)) * _HASH_FACTOR
            meaning = _class_of(point)
            if shape[FIRST] == 0:
                shape[FIRST] = meaning
            shape[LAST] = meaning
            if meaning <= _DIGIT:
                if meaning == _DIGIT:
                    shape[DIGITS] += 1
                else:
                    shape[LETTERS] += 1
                    if meaning == _CAPITAL:
                        shape[CAPITALS] += 1
                    if point >= 0x80:
                        shape[CASED] += 1
                if letters == 0:
                    shape[WORDS] += 1
                    if meaning == _CAPITAL:
                        shape[CAPITAL_WORDS] += 1
                letters += 1
                shape[LONGEST] = max(shape[LONGEST], np.float32(letters))
                continue
            if meaning == _WIDE:
                shape[LETTERS] += 1
                shape[WIDE] += 1
                letters = 0
                continue
            if point not in (0x27, 0x2019, 0x2D):
                letters = 0
            if meaning == _END:
                shape[ENDS] += 1
                if point == 0x3F:
                    shape[QUESTIONS] += 1
            elif meaning == _COMMA:
                shape[COMMAS] += 1
            elif meaning == _CURRENCY:
                shape[CURRENCIES] += 1
            elif meaning == _RIGHT:
                shape[RIGHTS] += 1
            elif meaning == _BAR:
                shape[BARS] += 1
            else:
                shape[OTHERS] += 1
                if point in (0x3A, 0xFF1A):
                    shape[COLONS] += 1
        hashes[number] = value
