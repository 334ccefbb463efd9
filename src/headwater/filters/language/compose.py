"""Documents as Unicode composes them (NFC): the form that both models were trained on.

A model of n-grams of bytes sees other text where é is written as e and an accent, or 한 as three letters of the alphabet: decomposed Korean was
Estonian to lid.176, Czech lost six sentences of ten. Canonically equivalent texts (UAX 15) are one text, so they are judged as one.

Nearly all documents are composed already, and one pass over the bytes shows it: it looks for characters that NFC changes or that may compose with
what stands before them. What it finds is normalised by ``unicodedata``. A document with more than 30 combining marks in a row stays as it is: no
language is written so, and ordering them takes the square of their number.
"""

from __future__ import annotations

import sys
import unicodedata
from functools import cache
from itertools import chain
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit

from headwater.filters.text.byte_words import load_word

__all__ = ["MOST_MARKS", "compose", "find_decomposed"]

MOST_MARKS: Final = 30
"""Combining marks in a row, as in the Stream-Safe Text Format (UAX 15, D4)."""

_Bytes = npt.NDArray[np.uint8]
_Longs = npt.NDArray[np.int64]
# Of an entry of `_tables`: the combining class; NFC changes it; it composes with some characters; the class that its decomposition ends in.
_CLASS, _CHANGES, _SECOND, _LAST_CLASS_BITS = 255, 256, 512, 16
_ASSIGNED: Final = (range(0x40000), range(0xE0000, 0xE1000))
"""All that may compose or be a mark: Unicode keeps the other planes empty or private."""
_NOT_ASCII = np.uint64(0x8080808080808080)
_FIRST_LEAD = 0xCC  # lead byte of U+0300, the first character that has an entry


def compose(texts: pa.Array, data: _Bytes, offsets: _Longs) -> tuple[pa.Array, _Longs]:
    """The texts in NFC, and which of them are other texts now, ascending.

    Args:
        texts: string or large_string.
        data: their bytes.
        offsets: where they begin, and the last one ends.

    >>> from headwater.buffers import text_buffers
    >>> texts = pa.array(["re\u0301sume\u0301", None, "résumé"])
    >>> composed, rows = compose(texts, *text_buffers(texts))
    >>> composed.to_pylist(), rows.tolist()
    (['résumé', None, 'résumé'], [0])
    """
    rows, written = [], []
    for row in np.flatnonzero(find_decomposed(data, offsets)).tolist():
        try:
            text = data[offsets[row] : offsets[row + 1]].tobytes().decode()
        except UnicodeDecodeError:  # bytes that ingest never lets through stay as they are
            continue
        composed = unicodedata.normalize("NFC", text)
        if composed != text:
            rows.append(row)
            written.append(composed)
    found = np.array(rows, np.int64)
    if not rows:
        return texts, found
    mask = np.zeros(len(texts), np.bool_)
    mask[found] = True
    return pc.replace_with_mask(texts, pa.array(mask), pa.array(written, texts.type)), found


def find_decomposed(data: _Bytes, offsets: _Longs) -> npt.NDArray[np.bool_]:
    """Which texts NFC may change, all that it does change among them; never one with more than `MOST_MARKS` marks in a row."""
    entries, pairs = _tables()
    found = np.zeros(len(offsets) - 1, np.bool_)
    _find_decomposed(data, offsets, entries, pairs, found)
    return found


@cache
def _tables() -> tuple[npt.NDArray[np.uint32], _Longs]:
    """An entry for each code point, and the pairs that compose, first << 21 | second, ascending; Hangul's letters count as changed without pairs."""
    entries = np.zeros(sys.maxunicode + 1, np.uint32)
    pairs = []
    for code_point in chain(*_ASSIGNED):
        character = chr(code_point)
        own_class = unicodedata.combining(character)
        decomposition = unicodedata.decomposition(character)
        if not own_class and not decomposition:
            continue
        last = unicodedata.normalize("NFD", character)[-1]
        entries[code_point] |= own_class | unicodedata.combining(last) << _LAST_CLASS_BITS
        parts = decomposition.split()
        if not parts or parts[0].startswith("<"):
            continue
        if unicodedata.normalize("NFC", character) != character:
            entries[code_point] |= _CHANGES
        elif len(parts) == 2:
            first, second = (int(part, 16) for part in parts)
            entries[second] |= _SECOND
            pairs.append(first << 21 | second)
    entries[0x1161:0x1176] |= _CHANGES
    entries[0x11A8:0x11C3] |= _CHANGES
    return entries, np.sort(np.array(pairs, np.int64))


@njit(cache=True, nogil=True)
def _composes(first: int, second: int, pairs: _Longs) -> bool:
    key = first << 21 | second
    place = np.searchsorted(pairs, key)
    return bool(place < pairs.size and pairs[place] == key)


@njit(cache=True, nogil=True)
def _find_decomposed(
    data: _Bytes, offsets: _Longs, entries: npt.NDArray[np.uint32], pairs: _Longs, found: npt.NDArray[np.bool_]
) -> None:
    for row in range(found.size):
        at, end = offsets[row], offsets[row + 1]
        before = np.int64(0)  # the character before, and its combining class
        last_class = np.int64(0)
        marks = 0
        changes = False
        while at < end:
            byte = np.int64(data[at])
            if byte < _FIRST_LEAD:
                # A starter, or the rest of one: only a mark behind it needs to know which.
                begin = at
                at += 1
                while at + 8 <= end and load_word(data, at) & _NOT_ASCII == 0:
                    at += 8
                while at < end and data[at] < _FIRST_LEAD:
                    at += 1
                marks = 0
                if at < end:
                    place = at - 1
                    while place > begin and data[place] & 0xC0 == 0x80:
                        place -= 1
                    before = np.int64(data[place])
                    if before >= 0xC0:
                        before = (before & 0x1F) << 6 | (np.int64(data[place + 1]) & 0x3F)
                    last_class = np.int64(entries[before]) >> _LAST_CLASS_BITS
                continue
            n_more = 1 if byte < 0xE0 else (2 if byte < 0xF0 else 3)
            point = byte & (0x3F >> n_more)
            for place in range(at + 1, min(at + 1 + n_more, end)):
                point = point << 6 | (np.int64(data[place]) & 0x3F)
            at += 1 + n_more
            entry = np.int64(entries[point]) if point < entries.size else np.int64(0)
            mark_class = entry & _CLASS
            if entry:
                changes |= bool(
                    entry & _CHANGES != 0
                    or (mark_class != 0 and mark_class < last_class)
                    or (entry & _SECOND != 0 and (last_class != 0 or _composes(before, point, pairs)))
                )
            marks = marks + 1 if mark_class else 0
            if marks > MOST_MARKS:
                changes = False
                break
            before = point
            last_class = entry >> _LAST_CLASS_BITS
        found[row] = changes
