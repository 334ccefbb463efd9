"""Kernels of byte pair encoding: look a piece up whole, else merge its bytes in the order of the merges' priority.

Cost: one hash look-up for a piece that is a token (nine of ten), another for one met before in this call; the rest is
merged, at O(n²) comparisons for up to `SHORT` bytes and O(n log n) with a heap above, so that a megabyte of one letter
takes a fraction of a second. Look-ups are what costs, one cache miss each, hence the tables that hold key and value in one
or two words:

- pairs: uint64 ``left << 40 | right << 20 | rank``; empty slots are `EMPTY`; asked only where a filter of 2^21 bits, small
  enough for the second-level cache, does not say no at once; pairs of single bytes have a table of their own;
- tokens of at most 13 bytes: two uint64, the first eight bytes, then ``the other five << 24 | length << 20 | id``;
- longer tokens: the id alone, whose bytes are compared where they lie.

Ids and ranks must be below 2^20, which `encoder.has_kernel` checks.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import njit

from headwater.tokenize.encode.pieces import piece_end

__all__ = [
    "EMPTY", "FILTER_BITS", "NO_RANK", "build_pair_tables", "build_token_tables", "encode_documents", "merge_short", "pair_hash",
]  # fmt: skip

EMPTY: Final = np.uint64(0xFFFFFFFFFFFFFFFF)
SHORT: Final = 96
INLINE: Final = 13
FILTER_BITS: Final = 21
CACHE_SLOTS: Final = 1 << 16
CACHE_BYTES: Final = 48
CACHE_IDS: Final = 15
NO_RANK: Final = (1 << 31) - 1
_PRIME: Final = np.uint64(0x9E3779B97F4A7C15)
_SEED: Final = np.uint64(0xCBF29CE484222325)
_ID_BITS: Final = np.uint64(20)
_ID_MASK: Final = np.uint64((1 << 20) - 1)
_FOLD: Final = np.uint64(32)


@njit(cache=True, nogil=True, inline="always")
def _load(text: Any, begin: int, end: int) -> tuple[Any, Any]:
    """Return a piece of at most 13 bytes as the two words of its table entry, the id left 0."""
    low, high = np.uint64(0), np.uint64(0)
    middle = min(end, begin + 8)
    for i in range(begin, middle):
        low |= np.uint64(text[i]) << np.uint64(8 * (i - begin))
    for i in range(middle, end):
        high |= np.uint64(text[i]) << np.uint64(8 * (i - middle))
    return low, (high << np.uint64(24)) | (np.uint64(end - begin) << _ID_BITS)


@njit(cache=True, nogil=True, inline="always")
def _hash_words(low: Any, high: Any) -> Any:
    h = (low ^ (high * _PRIME)) * _PRIME
    h ^= h >> _FOLD
    h *= _PRIME
    return h ^ (h >> _FOLD)


@njit(cache=True, nogil=True)
def _hash_bytes(text: Any, begin: int, end: int) -> Any:
    """Return a 64-bit hash of the bytes; only ever a hint, whatever it finds is compared byte by byte."""
    h = _SEED ^ np.uint64(end - begin)
    for i in range(begin, end):
        h = (h ^ np.uint64(text[i])) * _PRIME
        h ^= h >> np.uint64(29)
    return h


@njit(cache=True, nogil=True, inline="always")
def pair_hash(pair: Any) -> Any:
    """Return a 64-bit hash of ``left << 20 | right``."""
    h = pair * _PRIME
    return h ^ (h >> _FOLD)


@njit(cache=True, nogil=True, inline="always")
def _find_pair(left: int, right: int, pairs: Any, filled: Any) -> Any:
    """Return the rank of the merge of two ids, or `NO_RANK`."""
    pair = (np.uint64(left) << _ID_BITS) | np.uint64(right)
    h = pair_hash(pair)
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
def build_pair_tables(merges: Any, byte_ids: Any, pairs: Any, filled: Any, byte_pairs: Any) -> None:
    """Fill the tables from pair to rank.

    Args:
        merges: int32 [n, 3].
        byte_ids: int32 [256].
        pairs: uint64 [power of two], all `EMPTY`; open addressing.
        filled: uint64 [2^FILTER_BITS / 64], all 0; a bit for each pair's hash.
        byte_pairs: int64 [65536], filled: the rank of the merge of two bytes.
    """
    mask = np.uint64(len(pairs) - 1)
    for rank in range(len(merges)):
        pair = (np.uint64(merges[rank, 0]) << _ID_BITS) | np.uint64(merges[rank, 1])
        h = pair_hash(pair)
        bit = h >> np.uint64(64 - FILTER_BITS)
        filled[bit >> np.uint64(6)] |= np.uint64(1) << (bit & np.uint64(63))
        slot = h & mask
        while pairs[slot] != EMPTY:
            slot = (slot + np.uint64(1)) & mask
        pairs[slot] = (pair << _ID_BITS) | np.uint64(rank)
    for first in range(256):
        for second in range(256):
            byte_pairs[first << 8 | second] = _find_pair(byte_ids[first], byte_ids[second], pairs, filled)


@njit(cache=True, nogil=True)
def build_token_tables(
    token_bytes: Any, token_offsets: Any, made: Any, byte_ids: Any, pairs: Any, filled: Any, byte_pairs: Any,
    short_tokens: Any, long_tokens: Any,
) -> None:  # fmt: skip
    """Fill the tables from bytes to id with the tokens that their own bytes merge to; some never are.

    Args:
        token_bytes: uint8, all tokens.
        token_offsets: int64 [n + 1].
        made: int32 [n_merges], the id each merge makes.
        byte_ids: int32 [256].
        pairs, filled, byte_pairs: tables of `build_pair_tables`.
        short_tokens: uint64 [power of two, 2], all `EMPTY`.
        long_tokens: int32 [power of two], all -1.
    """
    longest = 0
    for token in range(len(token_offsets) - 1):
        longest = max(longest, token_offsets[token + 1] - token_offsets[token])
    ids = np.empty(longest, dtype=np.int32)
    scratch = np.empty(longest, dtype=np.int32)
    short_mask, long_mask = np.uint64(len(short_tokens) - 1), np.uint64(len(long_tokens) - 1)
    for token in range(len(token_offsets) - 1):
        begin, end = token_offsets[token], token_offsets[token + 1]
        n = int(end - begin)
        if n == 0:
            continue
        left = merge_short(token_bytes, begin, n, ids, scratch, made, byte_ids, pairs, filled, byte_pairs)
        if left != 1 or ids[0] != token:
            continue
        if n <= INLINE:
            low, high = _load(token_bytes, begin, end)
            slot = _hash_words(low, high) & short_mask
            while short_tokens[slot, 1] != EMPTY:
                slot = (slot + np.uint64(1)) & short_mask
            short_tokens[slot, 0] = low
            short_tokens[slot, 1] = high | np.uint64(token)
        else:
            slot = _hash_bytes(token_bytes, begin, end) & long_mask
            while long_tokens[slot] >= 0:
                slot = (slot + np.uint64(1)) & long_mask
            long_tokens[slot] = token


@njit(cache=True, nogil=True)
def _find_long(text: Any, begin: int, n: int, h: Any, token_bytes: Any, token_offsets: Any, long_tokens: Any) -> int:
    """Return the id of the token whose bytes are `text[begin:begin + n]`, or -1."""
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


@njit(cache=True, nogil=True)
def merge_short(
    text: Any, begin: int, n: int, ids: Any, ranks: Any, made: Any, byte_ids: Any, pairs: Any, filled: Any, byte_pairs: Any
) -> int:  # fmt: skip
    """Write the ids of `text[begin:begin + n]`, scanning for the lowest rank, leftmost first; return how many.

    `ids` and `ranks` hold at least n; `ranks` is scratch: the rank of the merge of each id with the next.
    """
    ids[0] = byte_ids[text[begin]]
    for i in range(1, n):
        ids[i] = byte_ids[text[begin + i]]
        ranks[i - 1] = byte_pairs[np.int64(text[begin + i - 1]) << 8 | np.int64(text[begin + i])]
    while n > 1:
        best, at = NO_RANK, -1
        for i in range(n - 1):
            if ranks[i] < best:
                best, at = ranks[i], i
        if at < 0:
            break
        ids[at] = made[best]
        for i in range(at + 1, n - 1):
            ids[i] = ids[i + 1]
            ranks[i] = ranks[i + 1]
        n -= 1
        if at > 0:
            ranks[at - 1] = _find_pair(ids[at - 1], ids[at], pairs, filled)
        if at < n - 1:
            ranks[at] = _find_pair(ids[at], ids[at + 1], pairs, filled)
    return n


@njit(cache=True, nogil=True)
def _push(heap: Any, size: int, key: int) -> int:
    at = size
    while at > 0 and heap[(at - 1) >> 1] > key:
        heap[at] = heap[(at - 1) >> 1]
        at = (at - 1) >> 1
    heap[at] = key
    return size + 1


@njit(cache=True, nogil=True)
def _pop(heap: Any, size: int) -> int:
    """Remove the smallest key, `heap[0]`; return the new size."""
    size -= 1
    key = heap[size]
    at = 0
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        if child + 1 < size and heap[child + 1] < heap[child]:
            child += 1
        if heap[child] >= key:
            break
        heap[at] = heap[child]
        at = child
    heap[at] = key
    return size


@njit(cache=True, nogil=True)
def _merge_long(ids: Any, n: int, made: Any, pairs: Any, filled: Any) -> int:
    """Do the same as `merge_short` with a heap of `rank << 32 | position` and a linked list.

    Memory: 28 bytes a byte of the piece, the caller's `ids` included.
    """
    following = np.empty(n, dtype=np.int32)
    before = np.empty(n, dtype=np.int32)
    heap = np.empty(2 * n, dtype=np.int64)
    size = 0
    for i in range(n):
        following[i] = i + 1
        before[i] = i - 1
    for i in range(n - 1):
        rank = _find_pair(ids[i], ids[i + 1], pairs, filled)
        if rank != NO_RANK:
            size = _push(heap, size, rank << 32 | i)
    while size > 0:
        top = heap[0]
        size = _pop(heap, size)
        i = int(top & 0xFFFFFFFF)
        rank = int(top >> 32)
        j = int(following[i])
        if j < 0 or j >= n or _find_pair(ids[i], ids[j], pairs, filled) != rank:
            continue  # one of the two has been merged away since
        ids[i] = made[rank]
        k = int(following[j])
        following[i] = k
        following[j] = -1
        if k < n:
            before[k] = i
            rank = _find_pair(ids[i], ids[k], pairs, filled)
            if rank != NO_RANK:
                size = _push(heap, size, rank << 32 | i)
        if before[i] >= 0:
            h = int(before[i])
            rank = _find_pair(ids[h], ids[i], pairs, filled)
            if rank != NO_RANK:
                size = _push(heap, size, rank << 32 | h)
    left, i = 0, 0
    while i < n:
        ids[left] = ids[i]
        left += 1
        i = int(following[i])
    return left


@njit(cache=True, nogil=True)
def encode_documents(
    text: Any, offsets: Any, classes: Any, token_bytes: Any, token_offsets: Any, short_tokens: Any, long_tokens: Any,
    made: Any, byte_ids: Any, pairs: Any, filled: Any, byte_pairs: Any, out: Any, out_offsets: Any,
) -> None:  # fmt: skip
    """Write the ids of each document one after the other.

    Args:
        text: uint8, UTF-8 of all documents.
        offsets: int32 or int64 [n + 1] into `text`.
        classes: uint8 [0x110000].
        token_bytes: uint8, all tokens.
        token_offsets: int64.
        short_tokens, long_tokens: tables of `build_token_tables`.
        made: int32, the id each merge makes.
        byte_ids: int32 [256].
        pairs, filled, byte_pairs: tables of `build_pair_tables`.
        out: uint32, as long as the text has bytes: no token is shorter than one.
        out_offsets: int64 [n + 1], filled.
    """
    mask = np.uint64(len(short_tokens) - 1)
    cache_mask = np.uint64(CACHE_SLOTS - 1)
    # Of a piece met before: its two words, or its hash and 0 where it is longer, when its bytes are compared too.
    cached_words = np.zeros((CACHE_SLOTS, 2), dtype=np.uint64)
    cached_bytes = np.zeros((CACHE_SLOTS, CACHE_BYTES), dtype=np.uint8)
    cached_ids = np.zeros((CACHE_SLOTS, CACHE_IDS + 1), dtype=np.int32)  # their number first
    short_ids = np.empty(SHORT, dtype=np.int32)
    scratch = np.empty(SHORT, dtype=np.int32)
    written = 0
    out_offsets[0] = 0
    for document in range(len(offsets) - 1):
        begin, stop = int(offsets[document]), int(offsets[document + 1])
        while begin < stop:
            end = piece_end(text, begin, stop, classes)
            n = end - begin
            found: Any = -1
            if n <= INLINE:
                low, high = _load(text, begin, end)
                h = _hash_words(low, high)
                slot = h & mask
                while short_tokens[slot, 1] != EMPTY:
                    if short_tokens[slot, 0] == low and (short_tokens[slot, 1] >> _ID_BITS) == (high >> _ID_BITS):
                        found = np.int64(short_tokens[slot, 1] & _ID_MASK)  # a signed word, lest Numba makes it a float
                        break
                    slot = (slot + np.uint64(1)) & mask
            else:
                h = _hash_bytes(text, begin, end)
                low, high = h, np.uint64(n)
                found = _find_long(text, begin, n, h, token_bytes, token_offsets, long_tokens)
            if found >= 0:
                out[written] = found
                written += 1
                begin = end
                continue
            if n > SHORT:
                long_ids = np.empty(n, dtype=np.int32)
                for i in range(n):
                    long_ids[i] = byte_ids[text[begin + i]]
                left = _merge_long(long_ids, n, made, pairs, filled)
                for i in range(left):
                    out[written + i] = long_ids[i]
                written += left
                begin = end
                continue
            line = (h >> np.uint64(40)) & cache_mask
            if cached_words[line, 0] == low and cached_words[line, 1] == high:
                i = 0
                if n > INLINE:
                    while i < n and cached_bytes[line, i] == text[begin + i]:
                        i += 1
                if n <= INLINE or i == n:
                    left = cached_ids[line, 0]
                    for j in range(left):
                        out[written + j] = cached_ids[line, j + 1]
                    written += left
                    begin = end
                    continue
            left = merge_short(text, begin, n, short_ids, scratch, made, byte_ids, pairs, filled, byte_pairs)
            for i in range(left):
                out[written + i] = short_ids[i]
            written += left
            if n <= CACHE_BYTES and left <= CACHE_IDS:
                cached_words[line, 0], cached_words[line, 1] = low, high
                cached_ids[line, 0] = left
                if n > INLINE:
                    for i in range(n):
                        cached_bytes[line, i] = text[begin + i]
                for i in range(left):
                    cached_ids[line, i + 1] = short_ids[i]
            begin = end
        out_offsets[document + 1] = written
