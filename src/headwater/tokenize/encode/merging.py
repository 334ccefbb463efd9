"""Kernels of byte pair encoding: look a piece up whole, else merge its bytes in the order of the merges' priority.

Cost: one hash look-up for a piece that is a token (nine of ten), another for one met before in this call; the rest is
merged, at O(n²) comparisons for up to `SHORT` bytes and O(n log n) with a heap above, so that a megabyte of one letter
takes a fraction of a second. The tables and their look-ups are in `tables.py`.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numba import njit

from headwater.arrays import Int32s, Int64s, UInt8s, UInt32s, UInt64s
from headwater.tokenize.encode.pieces import piece_end
from headwater.tokenize.encode.tables import (
    EMPTY,
    INLINE,
    NO_RANK,
    MergeTables,
    TokenTables,
    find_long,
    find_pair,
    find_short,
    hash_long,
    hash_short,
    load_short,
)

__all__ = ["encode_documents", "fill_tokens", "merge_short"]

SHORT: Final = 96
CACHE_SLOTS: Final = 1 << 16
CACHE_BYTES: Final = 48
CACHE_IDS: Final = 15


class _Cache(NamedTuple):
    """Pieces met before in this call that are no tokens.

    Attributes:
        words: uint64 [CACHE_SLOTS, 2]: a piece's two words, or its hash and length where it is longer, when its bytes are
            compared too.
        bytes: uint8 [CACHE_SLOTS, CACHE_BYTES], of the longer ones.
        ids: int32 [CACHE_SLOTS, CACHE_IDS + 1], their number first.
    """

    words: UInt64s
    bytes: UInt8s
    ids: Int32s


@njit(cache=True, nogil=True)
def merge_short(text: UInt8s, begin: int, n: int, ids: Int32s, ranks: Int32s, tables: MergeTables) -> int:
    """Write the ids of `text[begin:begin + n]`, scanning for the lowest rank, leftmost first; return how many.

    `ids` and `ranks` hold at least n; `ranks` is scratch: the rank of the merge of each id with the next.

    >>> from headwater.tokenize.encode.tables import FILTER_BITS, fill_pairs
    >>> tables = MergeTables(
    ...     made=np.array([256], dtype=np.int32), byte_ids=np.arange(256, dtype=np.int32), pairs=np.full(8, EMPTY),
    ...     filled=np.zeros((1 << FILTER_BITS) // 64, dtype=np.uint64), byte_pairs=np.empty(1 << 16, dtype=np.int64),
    ... )
    >>> fill_pairs(np.array([[97, 98, 256]], dtype=np.int32), tables)
    >>> ids, ranks = np.empty(5, dtype=np.int32), np.empty(5, dtype=np.int32)
    >>> n = merge_short(np.frombuffer(b"abcab", dtype=np.uint8), 0, 5, ids, ranks, tables)
    >>> ids[:n].tolist()
    [256, 99, 256]
    """
    made, byte_ids, pairs, filled, byte_pairs = tables
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
            ranks[at - 1] = find_pair(ids[at - 1], ids[at], pairs, filled)
        if at < n - 1:
            ranks[at] = find_pair(ids[at], ids[at + 1], pairs, filled)
    return n


@njit(cache=True, nogil=True)
def _push(heap: Int64s, size: int, key: int) -> int:
    at = size
    while at > 0 and heap[(at - 1) >> 1] > key:
        heap[at] = heap[(at - 1) >> 1]
        at = (at - 1) >> 1
    heap[at] = key
    return size + 1


@njit(cache=True, nogil=True)
def _pop(heap: Int64s, size: int) -> int:
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
def _merge_long(ids: Int32s, n: int, tables: MergeTables) -> int:
    """Do the same as `merge_short` with a heap of `rank << 32 | position` and a linked list.

    Memory: 28 bytes a byte of the piece, the caller's `ids` included.
    """
    made, pairs, filled = tables.made, tables.pairs, tables.filled
    following = np.empty(n, dtype=np.int32)
    before = np.empty(n, dtype=np.int32)
    heap = np.empty(2 * n, dtype=np.int64)
    size = 0
    for i in range(n):
        following[i] = i + 1
        before[i] = i - 1
    for i in range(n - 1):
        rank = find_pair(ids[i], ids[i + 1], pairs, filled)
        if rank != NO_RANK:
            size = _push(heap, size, rank << 32 | i)
    while size > 0:
        top = heap[0]
        size = _pop(heap, size)
        i = int(top & 0xFFFFFFFF)
        rank = int(top >> 32)
        j = int(following[i])
        if j < 0 or j >= n or find_pair(ids[i], ids[j], pairs, filled) != rank:
            continue  # one of the two has been merged away since
        ids[i] = made[rank]
        k = int(following[j])
        following[i] = k
        following[j] = -1
        if k < n:
            before[k] = i
            rank = find_pair(ids[i], ids[k], pairs, filled)
            if rank != NO_RANK:
                size = _push(heap, size, rank << 32 | i)
        if before[i] >= 0:
            h = int(before[i])
            rank = find_pair(ids[h], ids[i], pairs, filled)
            if rank != NO_RANK:
                size = _push(heap, size, rank << 32 | h)
    left, i = 0, 0
    while i < n:
        ids[left] = ids[i]
        left += 1
        i = int(following[i])
    return left


@njit(cache=True, nogil=True)
def fill_tokens(tokens: TokenTables, merges: MergeTables) -> None:
    """Fill `short`, all `EMPTY`, and `long`, all -1, with the tokens that their own bytes merge to; some never are."""
    token_bytes, token_offsets, short_tokens, long_tokens = tokens
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
        left = merge_short(token_bytes, begin, n, ids, scratch, merges)
        if left != 1 or ids[0] != token:
            continue
        if n <= INLINE:
            low, high = load_short(token_bytes, begin, end)
            slot = hash_short(low, high) & short_mask
            while short_tokens[slot, 1] != EMPTY:
                slot = (slot + np.uint64(1)) & short_mask
            short_tokens[slot, 0] = low
            short_tokens[slot, 1] = high | np.uint64(token)
        else:
            slot = hash_long(token_bytes, begin, end) & long_mask
            while long_tokens[slot] >= 0:
                slot = (slot + np.uint64(1)) & long_mask
            long_tokens[slot] = token


@njit(cache=True, nogil=True)
def _recall(
    text: UInt8s, begin: int, n: int, low: np.uint64, high: np.uint64, line: np.uint64, cache: _Cache, out: UInt32s, at: int
) -> int:  # fmt: skip
    """Write the ids of a piece from its line of the cache to `out[at:]`; return how many, or -1 where the line holds another."""
    if cache.words[line, 0] != low or cache.words[line, 1] != high:
        return -1
    if n > INLINE:
        for i in range(n):
            if cache.bytes[line, i] != text[begin + i]:
                return -1
    n_ids = int(cache.ids[line, 0])
    for i in range(n_ids):
        out[at + i] = cache.ids[line, i + 1]
    return n_ids


@njit(cache=True, nogil=True)
def _remember(
    text: UInt8s, begin: int, n: int, low: np.uint64, high: np.uint64, line: np.uint64, cache: _Cache, ids: Int32s, n_ids: int
) -> None:  # fmt: skip
    """Put a piece and its ids in a line of the cache, in place of what it held, unless they are too long for it."""
    if n > CACHE_BYTES or n_ids > CACHE_IDS:
        return
    cache.words[line, 0], cache.words[line, 1] = low, high
    cache.ids[line, 0] = n_ids
    if n > INLINE:
        for i in range(n):
            cache.bytes[line, i] = text[begin + i]
    for i in range(n_ids):
        cache.ids[line, i + 1] = ids[i]


@njit(cache=True, nogil=True)
def encode_documents(
    text: UInt8s, offsets: Int32s | Int64s, classes: UInt8s, tokens: TokenTables, merges: MergeTables, out: UInt32s,
    out_offsets: Int64s,
) -> None:  # fmt: skip
    """Write the ids of each document one after the other.

    Args:
        text: uint8, UTF-8 of all documents.
        offsets: int32 or int64 [n + 1] into `text`.
        classes: uint8 [0x110000].
        tokens: filled by `fill_tokens`.
        merges: filled by `fill_pairs`.
        out: uint32, as long as the text has bytes: no token is shorter than one.
        out_offsets: int64 [n + 1], filled.
    """
    byte_ids, short_tokens = merges.byte_ids, tokens.short
    cache = _Cache(
        np.zeros((CACHE_SLOTS, 2), dtype=np.uint64),
        np.zeros((CACHE_SLOTS, CACHE_BYTES), dtype=np.uint8),
        np.zeros((CACHE_SLOTS, CACHE_IDS + 1), dtype=np.int32),
    )
    short_ids = np.empty(SHORT, dtype=np.int32)
    scratch = np.empty(SHORT, dtype=np.int32)
    written = 0
    out_offsets[0] = 0
    for document in range(len(offsets) - 1):
        begin, stop = int(offsets[document]), int(offsets[document + 1])
        while begin < stop:
            end = piece_end(text, begin, stop, classes)
            n = end - begin
            if n <= INLINE:
                low, high = load_short(text, begin, end)
                h = hash_short(low, high)
                found = find_short(low, high, h, short_tokens)
            else:
                h = hash_long(text, begin, end)
                low, high = h, np.uint64(n)
                found = find_long(text, begin, n, h, tokens)
            if found >= 0:
                out[written] = found
                written += 1
                begin = end
                continue
            if n > SHORT:
                long_ids = np.empty(n, dtype=np.int32)
                for i in range(n):
                    long_ids[i] = byte_ids[text[begin + i]]
                left = _merge_long(long_ids, n, merges)
                for i in range(left):
                    out[written + i] = long_ids[i]
                written += left
                begin = end
                continue
            line = (h >> np.uint64(40)) & np.uint64(CACHE_SLOTS - 1)
            left = _recall(text, begin, n, low, high, line, cache, out, written)
            if left < 0:
                left = merge_short(text, begin, n, short_ids, scratch, merges)
                for i in range(left):
                    out[written + i] = short_ids[i]
                _remember(text, begin, n, low, high, line, cache, short_ids, left)
            written += left
            begin = end
        out_offsets[document + 1] = written
