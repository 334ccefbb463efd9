"""Mojibake, measured and not mended: UTF-8 that somebody read as another encoding before the page was written.

``Ã©`` is ``é`` in UTF-8 read as windows-1252, ``Рџ`` is ``П`` read as windows-1251, ``鐨勬椂鍊`` is ``的时候`` read as GBK. A text is taken back to
the bytes of each such encoding, and what is valid UTF-8 there counts. Real text has such sequences too, by chance: ``CAFÉ—``, ``été »``,
``Рік``. So a sequence counts by itself only where its second characters are such as follow no letter (``©``, ``¤``, ``‚``); with other
ones, quotes, dashes and letters, it counts only beside those. Two bytes other than those of Latin letters count in rows of two or more.
"""

from __future__ import annotations

import functools
import unicodedata
from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.filters.html.charset import decode
from headwater.filters.text.characters import decode_point
from headwater.filters.text.compile import kernel

__all__ = ["MOST", "mojibake_share"]

MOST: Final = 65535
"""The share of a text that is mojibake from one end to the other."""
_READ_AS: Final = ("windows-1252", "windows-1250", "windows-1251", "windows-1253", "windows-1255", "windows-1256")
_STRONG: Final = frozenset("ƒˆ‚„‰¡¿§¶·ªºµѕЅ")
_WEAK: Final = frozenset("\u00ad\u200c\u200d†‡•")
_IS_STRONG: Final = 256
_POINTS: Final = 65536


def mojibake_share(text: str) -> int:
    """Return the share of a text's characters, spaces apart, that are UTF-8 read as another encoding: 0 to 65,535.

    What it does not see: Thai read as windows-874 and Japanese read as Shift_JIS, whose letters are real ones in real orders; text in
    other encodings than UTF-8 that was read wrongly; characters that were lost on the way.

    >>> mojibake_share("GrÃ¼ÃŸe"), mojibake_share("CAFÉ — été » and naïve")
    (37448, 0)
    """
    if text.isascii():
        return 0
    data = np.frombuffer(text.encode("utf-8", "replace"), np.uint8)
    singles, pairs = _tables()
    return int(_share(data, singles, pairs))


@functools.cache
def _tables() -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint16]]:
    """Return the byte of each character in each encoding (n, 65536), with a mark for strong ones, and its bytes in GBK (65536); 0: none."""
    singles = np.zeros((len(_READ_AS), _POINTS), np.uint16)
    for row, name in enumerate(_READ_AS):
        for byte in range(0x80, 0x100):
            character = decode(bytes([byte]), name)
            if character != "\ufffd":
                singles[row, ord(character)] = byte | (_IS_STRONG if _is_strong(character) else 0)
    singles[0, 0x80:0xA0] = np.arange(0x80, 0xA0) | _IS_STRONG  # as latin-1 has them
    pairs = np.zeros(_POINTS, np.uint16)
    codes = [bytes([lead, trail]) for lead in range(0x81, 0xFF) for trail in range(0x80, 0xFF)]
    for code, character in zip(codes, decode(b"\n".join(codes), "GBK").split("\n"), strict=True):
        if len(character) == 1 and 0x3400 <= ord(character) < 0xFFFD:
            pairs[ord(character)] = int.from_bytes(code, "big")
    return singles, pairs


def _is_strong(character: str) -> bool:
    """Return whether a character follows no letter in real text."""
    if character in _STRONG or character in _WEAK:
        return character in _STRONG
    return unicodedata.ucd_3_2_0.category(character) in ("Sc", "So", "Sm", "Sk", "No", "Cc")


@kernel
def _share(data: npt.NDArray[np.uint8], singles: npt.NDArray[np.uint16], pairs: npt.NDArray[np.uint16]) -> int:
    """Return the share of the encoding in which most is mojibake."""
    n = data.size
    n_characters = 0
    for i in range(n):
        n_characters += (data[i] & 0xC0) != 0x80 and data[i] > 32
    most = _count_hanzi(data, pairs)
    for row in range(singles.shape[0]):
        most = max(most, _count(data, singles[row]))
    return most * 65535 // max(n_characters, 1)


@kernel
def _count(data: npt.NDArray[np.uint8], table: npt.NDArray[np.uint16]) -> int:
    """Return how many characters belong to sequences that are UTF-8 in the bytes of one encoding."""
    strong, weak, n = 0, 0, data.size
    begin = 0
    in_row, row_characters, row_strong, row_free = 0, 0, 0, 0
    while begin < n:
        if data[begin] < 0x80:
            if in_row:
                kept = row_strong if in_row >= 2 else row_free
                strong += kept
                weak += row_characters - kept
                in_row, row_characters, row_strong, row_free = 0, 0, 0, 0
            begin += 1
            continue
        point, width = decode_point(data, begin, n)
        after = begin + width
        lead = table[point] & 0xFF if point < 65536 else 0
        n_more = 1 if 0xC2 <= lead < 0xE0 else 2 if 0xE0 <= lead < 0xF0 else 3 if 0xF0 <= lead < 0xF5 else 0
        n_strong, found, at = 0, 0, after
        while found < n_more and at < n and data[at] >= 0x80:
            point, width = decode_point(data, at, n)
            entry = table[point] if point < 65536 else 0
            byte = entry & 0xFF
            if byte < 0x80 or byte > 0xBF:
                break
            if found == 0 and (
                (lead == 0xE0 and byte < 0xA0)
                or (lead == 0xED and byte > 0x9F)
                or (lead == 0xF0 and byte < 0x90)
                or (lead == 0xF4 and byte > 0x8F)
            ):
                break
            n_strong += entry >> 8
            found += 1
            at += width
        if n_more and found == n_more:
            in_row += 1
            row_characters += n_more + 1
            if n_strong:
                row_strong += n_more + 1
                if 0xC2 <= lead <= 0xC5 or lead in (0xE2, 0xF0) or (n_more == 2 and n_strong == 2):
                    row_free += n_more + 1
            begin = at
            continue
        if in_row:
            kept = row_strong if in_row >= 2 else row_free
            strong += kept
            weak += row_characters - kept
            in_row, row_characters, row_strong, row_free = 0, 0, 0, 0
        begin = after
    if in_row:
        kept = row_strong if in_row >= 2 else row_free
        strong += kept
        weak += row_characters - kept
    return strong + (weak if weak <= 4 * strong else 0)


@kernel
def _count_hanzi(data: npt.NDArray[np.uint8], pairs: npt.NDArray[np.uint16]) -> int:
    """Return how many Chinese characters stand in sixes and more whose bytes in GBK are UTF-8 of three bytes each."""
    n, begin, total, in_row = data.size, 0, 0, 0
    while begin < n:
        if data[begin] < 0xE3:
            total += 3 * in_row if in_row >= 2 else 0
            in_row = 0
            begin += 1
            continue
        at, leads, follows, second = begin, 0, 0, begin
        for place in range(3):
            if at >= n or data[at] < 0xE3:
                break
            point, width = decode_point(data, at, n)
            at += width
            if place == 0:
                second = at
            pair = pairs[point] if point < 65536 else 0
            high, low = pair >> 8, pair & 0xFF
            leads |= ((0xE3 <= high <= 0xE9) << (2 * place)) | ((0xE3 <= low <= 0xE9) << (2 * place + 1))
            follows |= ((0x80 <= high <= 0xBF) << (2 * place)) | ((0x80 <= low <= 0xBF) << (2 * place + 1))
        if (leads | follows) == 63 and leads in (9, 18, 36):
            in_row += 1
            begin = at
        else:
            total += 3 * in_row if in_row >= 2 else 0
            in_row = 0
            begin = second
    return total + (3 * in_row if in_row >= 2 else 0)
