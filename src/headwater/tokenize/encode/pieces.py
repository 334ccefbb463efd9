"""Kernel that finds where the next piece of a text ends: the grammar of `grammar.py` as a scanner over UTF-8 bytes."""

from __future__ import annotations

from numba import njit

from headwater.arrays import UInt8s
from headwater.tokenize.encode.grammar import BLANK, BREAK, COMMON_LETTER, DIGIT, MARK, SIGN, SPACE

__all__ = ["piece_end"]


@njit(cache=True, nogil=True, inline="always")
def _class_and_width(text: UInt8s, i: int, end: int, classes: UInt8s) -> tuple[int, int]:
    """Return the class of the character at byte `i` and its width in bytes; a stray byte is a sign of width 1."""
    byte = int(text[i])
    if byte < 0x80:
        return int(classes[byte]), 1
    if 0xC2 <= byte < 0xE0 and i + 1 < end:
        return int(classes[(byte & 0x1F) << 6 | int(text[i + 1]) & 0x3F]), 2
    if 0xE0 <= byte < 0xF0 and i + 2 < end:
        return int(classes[(byte & 0x0F) << 12 | (int(text[i + 1]) & 0x3F) << 6 | int(text[i + 2]) & 0x3F]), 3
    if 0xF0 <= byte < 0xF4 and i + 3 < end:
        code = (int(text[i + 1]) & 0x3F) << 12 | (int(text[i + 2]) & 0x3F) << 6 | int(text[i + 3]) & 0x3F
        return int(classes[(byte & 0x07) << 18 | code]), 4
    if byte == 0xF4 and i + 3 < end and int(text[i + 1]) < 0x90:
        code = (int(text[i + 1]) & 0x3F) << 12 | (int(text[i + 2]) & 0x3F) << 6 | int(text[i + 3]) & 0x3F
        return int(classes[0x100000 | code]), 4
    return SIGN, 1


@njit(cache=True, nogil=True)
def piece_end(text: UInt8s, begin: int, end: int, classes: UInt8s) -> int:
    """Return the byte after the piece that starts at byte `begin`.

    Args:
        text: uint8, UTF-8.
        begin: first byte of the piece.
        end: byte after the document.
        classes: uint8 [0x110000], from `grammar.character_classes`.

    >>> import numpy as np
    >>> from headwater.tokenize.encode.grammar import character_classes
    >>> text = np.frombuffer(b"two words, 12", dtype=np.uint8)
    >>> ends, classes = [0], character_classes()
    >>> while ends[-1] < len(text):
    ...     ends.append(piece_end(text, ends[-1], len(text), classes))
    >>> [bytes(text[begin:end]) for begin, end in zip(ends, ends[1:])]
    [b'two', b' words', b',', b' ', b'1', b'2']
    """
    first, width = _class_and_width(text, begin, end, classes)
    i = begin + width
    second, second_width = SIGN, 0
    if i < end:
        second, second_width = _class_and_width(text, i, end, classes)

    script = 0
    if first >= COMMON_LETTER:
        script = first
    elif first < BREAK and second >= COMMON_LETTER and second_width > 0:
        script = second  # one character before the word goes with it
        i += second_width
    if script:
        while i < end:
            kind, width = _class_and_width(text, i, end, classes)
            if kind != script and kind not in (MARK, COMMON_LETTER):
                break
            i += width
        return i

    if first == DIGIT:
        return i
    if first <= MARK or (first == SPACE and second_width > 0 and second <= MARK):
        while i < end:
            kind, width = _class_and_width(text, i, end, classes)
            if kind > MARK:
                break
            i += width
        return i
    if first == BREAK:
        while i < end:
            kind, width = _class_and_width(text, i, end, classes)
            if kind != BREAK:
                break
            i += width
        return i

    last = begin  # start of the last blank of the run
    kind = first
    while i < end:
        kind, width = _class_and_width(text, i, end, classes)
        if not SPACE <= kind <= BLANK:
            break
        last = i
        i += width
    if i < end and kind != BREAK and last > begin:
        return last  # the last blank goes with what follows, or stands alone before a digit
    return i
