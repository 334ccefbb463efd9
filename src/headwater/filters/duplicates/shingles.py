"""Shingles of normalised text: 32-bit hashes of every five consecutive units.

A *unit* is a word, except in scripts that put no spaces between words (Han, kana, Bopomofo, Thai, Lao, Khmer, Burmese and their
neighbours): there every character is a unit of its own. A combining mark belongs to the unit before it. Text of fewer than five units,
but at least one, is one shingle.

A unit's hash is 64 bits of a multiply-and-fold over its bytes, eight at a time, finished by MurmurHash3's 64-bit finalizer; a shingle's
is the polynomial of its units' hashes modulo 2^64, rolled along the text, finished alike, of which the upper 32 bits are taken. Two
different shingles collide with probability 2^-32.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import njit

from headwater.buffers import text_buffers
from headwater.filters.duplicates.normalize import decode_character
from headwater.filters.duplicates.tables import LIMIT
from headwater.filters.text.byte_words import first_marked, first_space_or_wide, load_word

__all__ = ["N_UNITS", "distinct", "finish64", "most_shingles", "shingle_hashes", "unit_kinds", "write_shingles"]

N_UNITS = 5

_RUN, _SOLO, _MARK = 0, 1, 2
_SPACE = 32
_UNIT_SEED = np.uint64(0x9AE16A3B2F90404F)
_UNIT_FACTOR = np.uint64(0xC6A4A7935BD1E995)
_ROLL = 0x9E3779B97F4A7C15  # odd, so that no unit is multiplied away
_ROLL_OUT = np.uint64(pow(_ROLL, N_UNITS, 1 << 64))
_ROLL_IN = np.uint64(_ROLL)

# Blocks of scripts written without spaces between words (Unicode Blocks.txt, line breaking class SA or ID in UAX 14).
_SOLO_RANGES = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Burmese
    (0x1780, 0x17FF),  # Khmer
    (0x1950, 0x19DF),  # Tai Le, New Tai Lue
    (0x1A20, 0x1AAF),  # Tai Tham
    (0x1B00, 0x1B7F),  # Balinese
    (0x3005, 0x3007),  # ideographic iteration mark and zero
    (0x3021, 0x303C),  # Hangzhou numerals, iteration marks
    (0x3041, 0x312F),  # kana, Bopomofo
    (0x31A0, 0x31BF),  # Bopomofo
    (0x31F0, 0x31FF),  # small katakana
    (0x3400, 0x4DBF),  # Han
    (0x4E00, 0xA4CF),  # Han, Yi
    (0xA980, 0xA9FF),  # Javanese, Burmese
    (0xAA60, 0xAADF),  # Burmese, Tai Viet
    (0x1AFF0, 0x1B16F),  # kana
    (0x20000, LIMIT - 1),  # Han
)


def shingle_hashes(texts: pa.Array) -> list[npt.NDArray[np.uint32]]:
    """The shingle hashes of each normalised text in the order of the text, repeats included: for tests and other libraries.

    >>> [hashes.size for hashes in shingle_hashes(pa.array(["a b c d e f", "a b", "", "春眠不觉晓处处"]))]
    [2, 1, 0, 3]
    """
    data, offsets = text_buffers(texts)
    kinds = unit_kinds()
    hashes = np.empty(most_shingles(offsets), np.uint32)
    found = []
    for begin, end in pairwise(offsets.tolist()):
        found.append(hashes[: write_shingles(data, begin, end, kinds, hashes)].copy())
    return found


def most_shingles(offsets: npt.NDArray[np.int64]) -> int:
    """An upper bound for the units of any one text: a unit takes two bytes, with the space that ends it."""
    return int(np.diff(offsets).max(initial=0)) // 2 + 2


@cache
def unit_kinds() -> npt.NDArray[np.uint8]:
    """What each code point up to `LIMIT` does to the units: 0 continues a word, 1 is a unit, 2 joins what stands before it."""
    kinds = np.full(LIMIT, _RUN, np.uint8)
    for first, last in _SOLO_RANGES:
        kinds[first : last + 1] = _SOLO
    for code_point in range(LIMIT):
        if unicodedata.category(chr(code_point))[0] == "M":
            kinds[code_point] = _MARK
    return kinds


@njit(cache=True, nogil=True)
def finish64(value: np.uint64) -> np.uint64:
    """MurmurHash3's 64-bit finalizer, a bijection that lets every bit change every other."""
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xFF51AFD7ED558CCD)
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xC4CEB9FE1A85EC53)
    return value ^ (value >> np.uint64(33))


@njit(cache=True, nogil=True)
def write_shingles(
    data: npt.NDArray[np.uint8], begin: int, end: int, kinds: npt.NDArray[np.uint8], hashes: npt.NDArray[np.uint32]
) -> int:
    """Writes the shingle hashes of the normalised bytes [begin, end) into `hashes` (uint32); returns how many."""
    units = np.zeros(8, np.uint64)  # the last units, as a ring
    n_units = 0
    n_hashes = 0
    rolled = np.uint64(0)
    i = begin
    while i < end:
        # One unit: up to a space, or up to where the script changes its rule.
        if data[i] == _SPACE:
            i += 1
            continue
        unit_begin = i
        unit = _UNIT_SEED
        word = np.uint64(0)
        solo = False
        # Eight bytes at a time as long as they are of characters of one or two bytes, none of which is a unit of its own.
        while i + 8 <= end:
            eight = load_word(data, i)
            stop = first_marked(first_space_or_wide(eight))
            if stop < 8:
                if stop:
                    word = eight >> np.uint64(64 - 8 * stop)
                    i += stop
                break
            unit = (unit ^ eight) * _UNIT_FACTOR
            unit ^= unit >> np.uint64(32)
            i += 8
        while i < end:
            byte = np.uint64(data[i])
            if byte == _SPACE:
                break
            if byte < 0xC0:  # ASCII, or the rest of a character that the loop above began
                if solo:
                    break
                word = word << np.uint64(8) | byte
                i += 1
                if (i - unit_begin) & 7 == 0:
                    unit = (unit ^ word) * _UNIT_FACTOR
                    unit ^= unit >> np.uint64(32)
                    word = np.uint64(0)
                continue
            code_point, width = decode_character(data, i, end)
            kind = kinds[code_point] if code_point < LIMIT else _RUN
            if i > unit_begin and (kind == _SOLO or (solo and kind == _RUN)):
                break
            solo = solo or kind == _SOLO
            for _ in range(width):
                word = word << np.uint64(8) | np.uint64(data[i])
                i += 1
                if (i - unit_begin) & 7 == 0:
                    unit = (unit ^ word) * _UNIT_FACTOR
                    unit ^= unit >> np.uint64(32)
                    word = np.uint64(0)
        unit = finish64((unit ^ word) * _UNIT_FACTOR + np.uint64(i - unit_begin))
        rolled = rolled * _ROLL_IN + unit
        if n_units >= N_UNITS:
            rolled -= units[(n_units - N_UNITS) & 7] * _ROLL_OUT
        units[n_units & 7] = unit
        n_units += 1
        if n_units >= N_UNITS:
            hashes[n_hashes] = np.uint32(finish64(rolled) >> np.uint64(32))
            n_hashes += 1
    if 0 < n_units < N_UNITS:
        hashes[0] = np.uint32(finish64(rolled) >> np.uint64(32))
        n_hashes = 1
    return n_hashes


@njit(cache=True, nogil=True)
def distinct(hashes: npt.NDArray[np.uint32], n: int, slots: npt.NDArray[np.uint32]) -> int:
    """Moves the distinct values of `hashes[:n]` to its front, in the order of their first appearance; returns their number.

    `slots` (uint32) is memory for a hash set: a power of two entries, at least 2·n.
    """
    size = 64
    while size < 2 * n:
        size *= 2
    mask = size - 1
    slots[:size] = 0
    kept = 0
    zero_seen = False
    for k in range(n):
        value = hashes[k]
        slot = np.int64(value) & mask
        while slots[slot] != 0 and slots[slot] != value:
            slot = (slot + 1) & mask
        # Zero marks a free slot, so the value zero cannot be stored and is remembered apart.
        if slots[slot] == value and (value != 0 or zero_seen):
            continue
        zero_seen = zero_seen or value == 0
        slots[slot] = value
        hashes[kept] = value
        kept += 1
    return kept
