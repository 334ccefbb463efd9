"""Tables of byte pair encoding, and how they are asked: tokens by their bytes, and merges by the pair they join.

Look-ups are what encoding costs, one cache miss each, hence tables that hold key and value in one or two words; all have open
addressing over a power of two places, at least half of them empty. Ids and ranks are below 2^20, which `encoder.has_kernel` checks.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numba import njit

from headwater.arrays import Int32s, Int64s, UInt8s, UInt64s

__all__ = [
    "EMPTY",
    "FILTER_BITS",
    "INLINE",
    "NO_RANK",
    "MergeTables",
    "TokenTables",
    "add_pair",
    "fill_pairs",
    "find_long",
    "find_pair",
    "find_short",
    "hash_long",
    "hash_short",
    "load_short",
]

EMPTY: Final = np.uint64(0xFFFFFFFFFFFFFFFF)
INLINE: Final = 13
"""Most bytes of a token that stands in the table itself."""
FILTER_BITS: Final = 21
NO_RANK: Final = (1 << 31) - 1
_PRIME: Final = np.uint64(0x9E3779B97F4A7C15)
_SEED: Final = np.uint64(0xCBF29CE484222325)
_ID_BITS: Final = np.uint64(20)
_ID_MASK: Final = np.uint64((1 << 20) - 1)
_FOLD: Final = np.uint64(32)


class MergeTables(NamedTuple):
    """What merges the bytes of a piece.

    Attributes:
        made: int32 [n_merges], the id each merge makes.
        byte_ids: int32 [256], the id of each byte.
        pairs: uint64 [power of two], ``left << 40 | right << 20 | rank`` or `EMPTY`.
        filled: uint64 [2^FILTER_BITS / 64], a bit for each pair's hash, small enough for the second-level cache: the table of
            pairs is asked only where it does not say no at once.
        byte_pairs: int64 [65536], the rank of the merge of two bytes, or `NO_RANK`.
    """

    made: Int32s
    byte_ids: Int32s
    pairs: UInt64s
    filled: UInt64s
    byte_pairs: Int64s


class TokenTables(NamedTuple):
    """What finds a piece that is a token.

    Attributes:
        text: uint8, the bytes of all tokens.
        offsets: int64 [n + 1] into `text`.
        short: uint64 [power of two, 2], tokens of at most `INLINE` bytes: the first eight, then ``the other five << 24 |
            length << 20 | id``; the second word is `EMPTY` in an empty place.
        long: int32 [power of two], the ids of longer tokens, whose bytes are compared where they lie; -1 in an empty place.
    """

    text: UInt8s
    offsets: Int64s
    short: UInt64s
    long: Int32s


@njit(cache=True, nogil=True, inline="always")
def load_short(text: UInt8s, begin: int, end: int) -> tuple[np.uint64, np.uint64]:
    """Return a piece of at most `INLINE` bytes as the two words of its table entry, the id left 0."""
    low, high = np.uint64(0), np.uint64(0)
    middle = min(end, begin + 8)
    for i in range(begin, middle):
        low |= np.uint64(text[i]) << np.uint64(8 * (i - begin))
    for i in range(middle, end):
        high |= np.uint64(text[i]) << np.uint64(8 * (i - middle))
    return low, (high << np.uint64(24)) | (np.uint64(end - begin) << _ID_BITS)


@njit(cache=True, nogil=True, inline="always")
def hash_short(low: np.uint64, high: np.uint64) -> np.uint64:
    """Return a 64-bit hash of the two words of a short piece."""
    h = (low ^ (high * _PRIME)) * _PRIME
    h ^= h >> _FOLD
    h *= _PRIME
    return h ^ (h >> _FOLD)


@njit(cache=True, nogil=True)
def hash_long(text: UInt8s, begin: int, end: int) -> np.uint64:
    """Return a 64-bit hash of the bytes; only ever a hint, whatever it finds is compared byte by byte."""
    h = _SEED ^ np.uint64(end - begin)
    for i in range(begin, end):
        h = (h ^ np.uint64(text[i])) * _PRIME
        h ^= h >> np.uint64(29)
    return h


@njit(cache=True, nogil=True, inline="always")
def _hash_pair(pair: np.uint64) -> np.uint64:
    """Return a 64-bit hash of ``left << 20 | right``."""
    h = pair * _PRIME
    return h ^ (h >> _FOLD)


@njit(cache=True, nogil=True, inline="always")
def find_pair(left: int, right: int, pairs: UInt64s, filled: UInt64s) -> int | np.int64:
    """Return the rank of the merge of two ids, or `NO_RANK`."""
    pair = (np.uint64(left) << _ID_BITS) | np.uint64(right)
    h = _hash_pair(pair)
    bit = h >> np.uint64(64 - FILTER_BITS)
    if not (filled[bit >> np.uint64(6)] >> (bit & np.uint64(63))) & np.uint64(1):
        return NO_RANK
    mask = np.uint64(len(pairs) - 1)
    slot = h & mask
    while pairs[slot] != EMPTY:
        if pairs[slot] >> _ID_BITS == pair:
            return np.int64(pairs[slot] & _ID_MASK)
        slot = (slot + np.uint64(1)) & mask
    return NO_RANK


@njit(cache=True, nogil=True)
def add_pair(left: int, right: int, rank: int, pairs: UInt64s, filled: UInt64s) -> None:
    """Enter the merge of two ids, which is not in the table yet.

    >>> pairs, filled = np.full(8, EMPTY), np.zeros((1 << FILTER_BITS) // 64, dtype=np.uint64)
    >>> add_pair(97, 98, 5, pairs, filled)
    >>> find_pair(97, 98, pairs, filled), find_pair(98, 97, pairs, filled) == NO_RANK
    (5, True)
    """
    mask = np.uint64(len(pairs) - 1)
    pair = (np.uint64(left) << _ID_BITS) | np.uint64(right)
    h = _hash_pair(pair)
    bit = h >> np.uint64(64 - FILTER_BITS)
    filled[bit >> np.uint64(6)] |= np.uint64(1) << (bit & np.uint64(63))
    slot = h & mask
    while pairs[slot] != EMPTY:
        slot = (slot + np.uint64(1)) & mask
    pairs[slot] = (pair << _ID_BITS) | np.uint64(rank)


@njit(cache=True, nogil=True)
def fill_pairs(merges: Int32s, tables: MergeTables) -> None:
    """Fill `pairs`, all `EMPTY`, `filled`, all 0, and `byte_pairs` with the merges, int32 [n, 3]."""
    byte_ids, pairs, filled = tables.byte_ids, tables.pairs, tables.filled
    for rank in range(len(merges)):
        add_pair(merges[rank, 0], merges[rank, 1], rank, pairs, filled)
    for first in range(256):
        for second in range(256):
            tables.byte_pairs[first << 8 | second] = find_pair(byte_ids[first], byte_ids[second], pairs, filled)


@njit(cache=True, nogil=True, inline="always")
def find_short(low: np.uint64, high: np.uint64, h: np.uint64, short: UInt64s) -> np.int64:
    """Return the id of the token with these two words and this hash of them, or -1."""
    mask = np.uint64(len(short) - 1)
    slot = h & mask
    found = np.int64(-1)  # signed on both branches, lest Numba makes it a float
    while short[slot, 1] != EMPTY:
        if short[slot, 0] == low and (short[slot, 1] >> _ID_BITS) == (high >> _ID_BITS):
            found = np.int64(short[slot, 1] & _ID_MASK)
            break
        slot = (slot + np.uint64(1)) & mask
    return found


@njit(cache=True, nogil=True)
def find_long(text: UInt8s, begin: int, n: int, h: np.uint64, tokens: TokenTables) -> int:
    """Return the id of the token whose bytes are `text[begin:begin + n]`, with this hash, or -1."""
    token_bytes, token_offsets, long_tokens = tokens.text, tokens.offsets, tokens.long
    mask = np.uint64(len(long_tokens) - 1)
    slot = h & mask
    while long_tokens[slot] >= 0:
        token = long_tokens[slot]
        at = token_offsets[token]
        if token_offsets[token + 1] - at == n:
            i = 0
            while i < n and token_bytes[at + i] == text[begin + i]:
                i += 1
            if i == n:
                return int(token)
        slot = (slot + np.uint64(1)) & mask
    return -1
