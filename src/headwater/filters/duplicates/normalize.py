"""Text as near-duplicate search sees it: NFKC, lower case, digits of every script as 0 to 9, all other signs to single spaces.

The rules, in order:

1. In a run of more than 30 combining marks (characters whose decomposition begins with a non-zero combining class) only the first 30
   stay, so that ordering them stays linear (UAX 15, D4, sets the same bound).
2. NFKC (UAX 15).
3. Format characters (Cf: joiners, soft hyphen, byte order mark), variation selectors and U+034F go: they do not separate words.
4. Letters become lower case, each by itself (ς becomes σ, İ becomes i); decimal digits of every script become 0 to 9; other numbers stay.
5. Combining marks stay with what they follow (vowel signs, niqqud, harakat, tone marks carry meaning) and go after anything else.
6. Every other character, unassigned ones included, becomes a space; spaces collapse and go at both ends.

Loses case, punctuation and layout; what becomes of numbers is up to ``numbers``. Above 100 MB/s a core on Latin text. NFKC is done a segment
(a character and the marks after it) at a time, and only where the marks could change: elsewhere one table look-up a character.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import njit

from headwater.buffers import text_buffers
from headwater.filters.duplicates.tables import (
    CODE_POINT,
    CONTINUES,
    LEADS,
    LIMIT,
    MARK,
    MULTIPLE,
    NON_STARTER,
    PLAIN,
    NormalizationTables,
    normalization_tables,
)

__all__ = ["decode_character", "normalize", "normalize_bytes"]

_Bytes = npt.NDArray[np.uint8]
_Ints = npt.NDArray[np.int64]
_Int: TypeAlias = int | np.int64
"""Numba compiles both to the same 64 bits."""

_MAX_MARKS = 30
_SEGMENT = 160  # code points: 18 of the longest decomposition and 2 for each of 30 marks, with room to spare
_SLACK = 1024  # bytes that one segment can need beyond those of its input
_SPACE = 32


def normalize(texts: pa.Array) -> pa.LargeStringArray:
    r"""The normalised texts, one for each of `texts` (string or large_string; null counts as empty), without nulls.

    Time is linear in the bytes, whatever they are; memory is that of the input, more only where compatibility characters expand.

    >>> normalize(pa.array(["Ｈｅｌｌｏ,  World №42!", "Straße—ΣΊΣΥΦΟΣ", "e\u0301"])).to_pylist()
    ['hello world no42', 'straße σίσυφοσ', 'é']
    """
    output, ends = normalize_bytes(texts)
    return pa.LargeStringArray.from_buffers(len(texts), pa.py_buffer(ends), pa.py_buffer(output))


def normalize_bytes(texts: pa.Array) -> tuple[_Bytes, _Ints]:
    """The bytes of the normalised texts, and where each begins and the last ends; the arrays are the caller's to change."""
    data, offsets = text_buffers(texts)
    output, ends = _normalize(data, offsets, normalization_tables())
    return output[: ends[-1]], ends


@njit(cache=True, nogil=True)
def decode_character(data: _Bytes, i: _Int, end: _Int) -> tuple[_Int, _Int]:
    """The code point that begins at byte `i` (above 127) and its bytes; never reads at or behind `end`."""
    first = np.int64(data[i])
    if first < 0xE0:
        if i + 2 > end:
            return 0, 1
        return (first & 0x1F) << 6 | (data[i + 1] & 0x3F), 2
    if first < 0xF0:
        if i + 3 > end:
            return 0, end - i
        return (first & 0x0F) << 12 | (np.int64(data[i + 1]) & 0x3F) << 6 | (data[i + 2] & 0x3F), 3
    if i + 4 > end:
        return 0, end - i
    high = (first & 0x07) << 18 | (np.int64(data[i + 1]) & 0x3F) << 12
    return high | (np.int64(data[i + 2]) & 0x3F) << 6 | (data[i + 3] & 0x3F), 4


@njit(cache=True, nogil=True)
def _normalize(data: _Bytes, offsets: _Ints, tables: NormalizationTables) -> tuple[_Bytes, _Ints]:
    n = offsets.size - 1
    output = np.empty(offsets[n] - offsets[0] + _SLACK, np.uint8)
    ends = np.zeros(n + 1, np.int64)
    segment = np.empty(_SEGMENT, np.int64)
    for row in range(n):
        j = ends[row]
        end = _normalize_text(data, offsets[row], offsets[row + 1], output, j, tables, segment)
        while end < 0:  # no room: the text is done again in twice as much, so time stays linear
            grown = np.empty(2 * output.size + offsets[row + 1] - offsets[row], np.uint8)
            grown[:j] = output[:j]
            output = grown
            end = _normalize_text(data, offsets[row], offsets[row + 1], output, j, tables, segment)
        ends[row + 1] = end
    return output, ends


@njit(cache=True, nogil=True)
def _normalize_text(
    data: _Bytes, i: _Int, end: _Int, output: _Bytes, j: _Int, tables: NormalizationTables, segment: _Ints
) -> _Int:
    """Writes the normalised bytes [i, end) at `output[j]`; returns where they end, -1 if there may be too little room.

    The output array must not be bound anew in here: counting its references in the loop costs ten times the loop.
    """
    if output.size - j < end - i + _SLACK:
        return -1
    single, combining, ascii_table = tables.single, tables.combining, tables.ascii
    multiple, multiple_begins = tables.multiple, tables.multiple_begins
    begin = j
    previous = np.int64(_SPACE)  # what was written last; a text begins as if after a space
    # Where the last character that cannot change what stands before it began, in the input and in the output.
    base_i, base_j, base_previous = i, j, previous
    last_class = np.int64(0)
    marks = 0
    leads: _Int = (
        0  # whether the character before may compose with a starter: only some vowel signs and Hangul letters do
    )
    while i < end:
        byte = data[i]
        if byte < 128:
            last_class = np.int64(0)
            marks = 0
            leads = 0
            while True:
                base_j = j
                base_previous = previous
                character = np.int64(ascii_table[byte])
                output[j] = character
                j += (character != _SPACE) | (previous != _SPACE)
                previous = character
                i += 1
                if i >= end:
                    break
                byte = data[i]
                if byte >= 128:
                    break
            base_i = i - 1
            continue
        # Room for this segment and for the rest of the text at one byte a byte: the loop over ASCII needs no check.
        if output.size - j < end - i + _SLACK:
            return -1
        code_point, width = decode_character(data, i, end)
        entry = np.int64(single[code_point]) if code_point < LIMIT else _fold_above_limit(code_point)
        if entry & (CONTINUES | MULTIPLE) == 0 or entry & (NON_STARTER | MULTIPLE) | leads == 0:
            base_i, base_j, base_previous = i, j, previous
            i += width
            j, previous = _write(output, j, previous, entry)
            marks = 0
            leads = entry & LEADS
            last_class = np.int64(0)
        elif entry & CONTINUES:
            combining_class = np.int64(combining[code_point]) & 255
            if entry & PLAIN and last_class <= combining_class and marks < _MAX_MARKS:
                last_class = combining_class
                marks += 1
                leads = 0
                j, previous = _write(output, j, previous, entry)
                i += width
            else:
                i, j, previous = _write_segment(data, base_i, end, output, base_j, base_previous, tables, segment)
                base_i, base_j, base_previous = i, j, previous
                last_class = np.int64(255)
                leads = LEADS
        else:
            base_i, base_j, base_previous = i, j, previous
            i += width
            marks = 0
            leads = LEADS
            last_class = np.int64(255)  # it may end in marks, so the next mark takes the slow way
            number = entry & CODE_POINT
            for k in range(multiple_begins[number], multiple_begins[number + 1]):
                j, previous = _write(output, j, previous, np.int64(multiple[k]))
    return j - 1 if j > begin and previous == _SPACE else j


@njit(cache=True, nogil=True)
def _single(code_point: _Int, tables: NormalizationTables) -> _Int:
    if code_point < LIMIT:
        return np.int64(tables.single[code_point])
    return _fold_above_limit(code_point)


@njit(cache=True, nogil=True)
def _fold_above_limit(code_point: _Int) -> _Int:
    if code_point == 0xE0001 or 0xE0020 <= code_point <= 0xE007F or 0xE0100 <= code_point <= 0xE01EF:
        return 0
    return _SPACE


@njit(cache=True, nogil=True)
def _write(output: _Bytes, j: _Int, previous: _Int, entry: _Int) -> tuple[_Int, _Int]:
    """Writes one folded character as UTF-8; returns the new end and what now stands last."""
    code_point = entry & CODE_POINT
    if code_point == 0 or (previous == _SPACE and (code_point == _SPACE or entry & MARK)):
        return j, previous
    if code_point < 0x80:
        output[j] = code_point
        return j + 1, code_point
    if code_point < 0x800:
        output[j] = 0xC0 | code_point >> 6
        output[j + 1] = 0x80 | code_point & 0x3F
        return j + 2, code_point
    if code_point < 0x10000:
        output[j] = 0xE0 | code_point >> 12
        output[j + 1] = 0x80 | code_point >> 6 & 0x3F
        output[j + 2] = 0x80 | code_point & 0x3F
        return j + 3, code_point
    output[j] = 0xF0 | code_point >> 18
    output[j + 1] = 0x80 | code_point >> 12 & 0x3F
    output[j + 2] = 0x80 | code_point >> 6 & 0x3F
    output[j + 3] = 0x80 | code_point & 0x3F
    return j + 4, code_point


@njit(cache=True, nogil=True)
def _write_segment(
    data: _Bytes,
    i: _Int,
    end: _Int,
    output: _Bytes,
    j: _Int,
    previous: _Int,
    tables: NormalizationTables,
    segment: _Ints,
) -> tuple[_Int, _Int, _Int]:
    """NFKC of the character at `i` and all that may change it; returns the next input byte, the output's end, the last character.

    Stops before a starter that does not compose with what came before it: the next segment begins with it.
    """
    size = 0
    composed = False
    marks = 0
    first = True
    while i < end:
        code_point, width = decode_character(data, i, end) if data[i] >= 128 else (np.int64(data[i]), 1)
        entry = _single(code_point, tables)
        if not first and not entry & CONTINUES:
            break
        begin = stop = np.int64(0)
        if code_point < LIMIT:
            begin, stop = tables.decomposed_begins[code_point], tables.decomposed_begins[code_point + 1]
        if entry & NON_STARTER:
            marks += 1
            if marks > _MAX_MARKS:
                i += width
                continue
        elif not first:
            if not composed:
                size = _compose(segment, size, tables)
                composed = True
            if (
                size != 1
                or _pair(segment[0], np.int64(tables.decomposed[begin]) if begin < stop else code_point, tables) == 0
            ):
                break
            marks = 0
        for k in range(begin, max(stop, begin + 1)):
            part = np.int64(tables.decomposed[k]) if begin < stop else code_point
            if _combining_class(part, tables):
                segment[size] = part
                size += 1
                composed = False
                continue
            if size:
                if not composed:
                    size = _compose(segment, size, tables)
                    composed = True
                composite = _pair(segment[0], part, tables) if size == 1 else 0
                if composite:
                    segment[0] = composite
                    continue
                j, previous = _write_folded(output, j, previous, segment, size, tables)
            segment[0] = part
            size = 1
            composed = True
        first = False
        i += width
    if not composed:
        size = _compose(segment, size, tables)
    j, previous = _write_folded(output, j, previous, segment, size, tables)
    return i, j, previous


@njit(cache=True, nogil=True)
def _write_folded(
    output: _Bytes, j: _Int, previous: _Int, segment: _Ints, size: _Int, tables: NormalizationTables
) -> tuple[_Int, _Int]:
    for k in range(size):
        code_point = segment[k]
        entry = np.int64(tables.folded[code_point]) if code_point < LIMIT else _fold_above_limit(code_point)
        j, previous = _write(output, j, previous, entry)
    return j, previous


@njit(cache=True, nogil=True)
def _combining_class(code_point: _Int, tables: NormalizationTables) -> _Int:
    return np.int64(tables.combining[code_point]) & 255 if code_point < LIMIT else 0


@njit(cache=True, nogil=True)
def _compose(segment: _Ints, size: _Int, tables: NormalizationTables) -> _Int:
    """Orders the marks of a segment by class, stably, and composes them with its starter (UAX 15, D117); returns its new size."""
    for k in range(1, size):
        part = segment[k]
        combining_class = _combining_class(part, tables)
        m = k - 1
        while m >= 0 and _combining_class(segment[m], tables) > combining_class:
            segment[m + 1] = segment[m]
            m -= 1
        segment[m + 1] = part
    if size < 2 or _combining_class(segment[0], tables):
        return size
    kept = 1
    last_class = 0
    for k in range(1, size):
        part = segment[k]
        combining_class = _combining_class(part, tables)
        composite = _pair(segment[0], part, tables) if last_class < combining_class else 0
        if composite:
            segment[0] = composite
        else:
            segment[kept] = part
            kept += 1
            last_class = combining_class
    return kept


@njit(cache=True, nogil=True)
def _pair(first: _Int, second: _Int, tables: NormalizationTables) -> _Int:
    """The primary composite of two characters, 0 if there is none."""
    if second >= LIMIT or not tables.combining[second] & 256:
        return 0
    key = np.uint64(first << 21 | second)
    mask = tables.pair_keys.size - 1
    slot = np.int64((key * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(49))
    while tables.pair_keys[slot] != 0:
        if tables.pair_keys[slot] == key:
            return np.int64(tables.pair_values[slot])
        slot = (slot + 1) & mask
    return 0
