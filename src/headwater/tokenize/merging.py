"""Kernels of byte pair encoding: look a piece up whole, else merge its bytes in the order of the merges' priority.

Cost: one hash look-up for a piece that is a token (nine of ten), another for one met before in this call; the rest is
merged, at O(n²) comparisons for up to `SHORT` bytes and O(n log n) with a heap above, so that a megabyte of one letter
takes a fraction of a second.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import njit

from headwater.tokenize.pieces import piece_end

__all__ = ["build_pair_table", "build_token_table", "encode_documents"]

SHORT: Final = 96
CACHE_SLOTS: Final = 1 << 15
CACHE_BYTES: Final = 48
CACHE_IDS: Final = 16
_NO_RANK: Final = 1 << 40
_PRIME: Final = np.uint64(0x9E3779B97F4A7C15)
_SEED: Final = np.uint64(0xCBF29CE484222325)
_SHIFT: Final = np.uint64(29)


@njit(cache=True, nogil=True, inline="always")  # type: ignore[untyped-decorator,unused-ignore]
def _hash_bytes(text: Any, begin: int, end: int) -> Any:
    """Return a 64-bit hash of the bytes; only ever a hint, whatever it finds is compared byte by byte."""
    h = _SEED ^ np.uint64(end - begin)
    for i in range(begin, end):
        h = (h ^ np.uint64(text[i])) * _PRIME
        h ^= h >> _SHIFT
    return h


@njit(cache=True, nogil=True, inline="always")  # type: ignore[untyped-decorator,unused-ignore]
def _find_pair(left: int, right: int, keys: Any, ranks: Any) -> int:
    """Return the rank of the merge of two ids, or `_NO_RANK`."""
    key = np.uint64(left) << np.uint64(32) | np.uint64(right)
    h = key * _PRIME
    slot = np.int64((h ^ (h >> np.uint64(32))) & np.uint64(len(keys) - 1))
    wanted = np.int64(key)
    while keys[slot] != wanted:
        if keys[slot] < 0:
            return _NO_RANK
        slot = (slot + 1) & (len(keys) - 1)
    return int(ranks[slot])


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator,unused-ignore]
def build_pair_table(merges: Any, keys: Any, ranks: Any) -> None:
    """Fill an open-addressing table from pair to rank.

    Args:
        merges: int32 [n, 3].
        keys: int64 [power of two], all -1; becomes `left << 32 | right`.
        ranks: int32 [same].
    """
    for rank in range(len(merges)):
        key = np.uint64(merges[rank, 0]) << np.uint64(32) | np.uint64(merges[rank, 1])
        h = key * _PRIME
        slot = np.int64((h ^ (h >> np.uint64(32))) & np.uint64(len(keys) - 1))
        while keys[slot] >= 0:
            slot = (slot + 1) & (len(keys) - 1)
        keys[slot] = np.int64(key)
        ranks[slot] = rank


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator,unused-ignore]
def _merge_short(ids: Any, n: int, made: Any, keys: Any, ranks: Any, pending: Any) -> int:
    """Merge `ids[:n]` in place by scanning for the lowest rank, leftmost first; return how many are left.

    `pending` is scratch of at least n: the rank of the merge of each id with the next.
    """
    for i in range(n - 1):
        pending[i] = _find_pair(ids[i], ids[i + 1], keys, ranks)
    while n > 1:
        best, at = _NO_RANK, -1
        for i in range(n - 1):
            if pending[i] < best:
                best, at = pending[i], i
        if at < 0:
            break
        ids[at] = made[best]
        for i in range(at + 1, n - 1):
            ids[i] = ids[i + 1]
            pending[i] = pending[i + 1]
        n -= 1
        if at > 0:
            pending[at - 1] = _find_pair(ids[at - 1], ids[at], keys, ranks)
        if at < n - 1:
            pending[at] = _find_pair(ids[at], ids[at + 1], keys, ranks)
    return n


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator,unused-ignore]
def _push(heap: Any, size: int, key: int) -> int:
    at = size
    while at > 0 and heap[(at - 1) >> 1] > key:
        heap[at] = heap[(at - 1) >> 1]
        at = (at - 1) >> 1
    heap[at] = key
    return size + 1


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator,unused-ignore]
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


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator,unused-ignore]
def _merge_long(ids: Any, n: int, made: Any, keys: Any, ranks: Any) -> int:
    """Do the same as `_merge_short` with a heap of `rank << 32 | position` and a linked list.

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
        rank = _find_pair(ids[i], ids[i + 1], keys, ranks)
        if rank != _NO_RANK:
            size = _push(heap, size, rank << 32 | i)
    while size > 0:
        top = heap[0]
        size = _pop(heap, size)
        i = int(top & 0xFFFFFFFF)
        rank = int(top >> 32)
        j = int(following[i])
        if j < 0 or j >= n or _find_pair(ids[i], ids[j], keys, ranks) != rank:
            continue  # one of the two has been merged away since
        ids[i] = made[rank]
        k = int(following[j])
        following[i] = k
        following[j] = -1
        if k < n:
            before[k] = i
            rank = _find_pair(ids[i], ids[k], keys, ranks)
            if rank != _NO_RANK:
                size = _push(heap, size, rank << 32 | i)
        if before[i] >= 0:
            h = int(before[i])
            rank = _find_pair(ids[h], ids[i], keys, ranks)
            if rank != _NO_RANK:
                size = _push(heap, size, rank << 32 | h)
    left, i = 0, 0
    while i < n:
        ids[left] = ids[i]
        left += 1
        i = int(following[i])
    return left


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator,unused-ignore]
def build_token_table(
    token_bytes: Any, token_offsets: Any, made: Any, byte_ids: Any, keys: Any, ranks: Any, slots: Any
) -> None:
    """Fill an open-addressing table from bytes to id with the tokens that their own bytes merge to; some never are.

    Args:
        token_bytes: uint8, all tokens.
        token_offsets: int64 [n + 1].
        made: int32 [n_merges], the id each merge makes.
        byte_ids: int32 [256].
        keys: pair table of `build_pair_table`.
        ranks: pair table of `build_pair_table`.
        slots: int32 [power of two], all -1; becomes the id.
    """
    longest = 0
    for token in range(len(token_offsets) - 1):
        longest = max(longest, token_offsets[token + 1] - token_offsets[token])
    ids = np.empty(longest, dtype=np.int32)
    pending = np.empty(longest, dtype=np.int64)
    for token in range(len(token_offsets) - 1):
        begin, end = token_offsets[token], token_offsets[token + 1]
        n = int(end - begin)
        for i in range(n):
            ids[i] = byte_ids[token_bytes[begin + i]]
        if n == 0 or _merge_short(ids, n, made, keys, ranks, pending) != 1 or ids[0] != token:
            continue
        slot = np.int64(_hash_bytes(token_bytes, begin, end) & np.uint64(len(slots) - 1))
        while slots[slot] >= 0:
            slot = (slot + 1) & (len(slots) - 1)
        slots[slot] = token


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator,unused-ignore]
def encode_documents(
    text: Any, offsets: Any, classes: Any, token_bytes: Any, token_offsets: Any, slots: Any, made: Any, byte_ids: Any,
    keys: Any, ranks: Any, out: Any, out_offsets: Any,
) -> None:  # fmt: skip
    """Write the ids of each document one after the other.

    Args:
        text: uint8, UTF-8 of all documents.
        offsets: int32 or int64 [n + 1] into `text`.
        classes: uint8 [0x110000].
        token_bytes: uint8, all tokens.
        token_offsets: int64.
        slots: table of `build_token_table`.
        made: int32, the id each merge makes.
        byte_ids: int32 [256].
        keys: pair table.
        ranks: pair table.
        out: uint32, as long as the text has bytes: no token is shorter than one.
        out_offsets: int64 [n + 1], filled.
    """
    mask = np.uint64(len(slots) - 1)
    cached_bytes = np.zeros((CACHE_SLOTS, CACHE_BYTES), dtype=np.uint8)
    cached_length = np.zeros(CACHE_SLOTS, dtype=np.int32)
    cached_ids = np.zeros((CACHE_SLOTS, CACHE_IDS), dtype=np.int32)
    cached_n = np.zeros(CACHE_SLOTS, dtype=np.int32)
    short_ids = np.empty(SHORT, dtype=np.int32)
    pending = np.empty(SHORT, dtype=np.int64)
    written = 0
    out_offsets[0] = 0
    for document in range(len(offsets) - 1):
        begin, stop = int(offsets[document]), int(offsets[document + 1])
        while begin < stop:
            end = piece_end(text, begin, stop, classes)
            n = end - begin
            if n == 1:
                out[written] = byte_ids[text[begin]]
                written += 1
                begin = end
                continue
            h = _hash_bytes(text, begin, end)
            slot = np.int64(h & mask)
            found = -1
            while slots[slot] >= 0:
                token = slots[slot]
                at = token_offsets[token]
                if token_offsets[token + 1] - at == n:
                    i = 0
                    while i < n and token_bytes[at + i] == text[begin + i]:
                        i += 1
                    if i == n:
                        found = token
                        break
                slot = (slot + 1) & (len(slots) - 1)
            if found >= 0:
                out[written] = found
                written += 1
                begin = end
                continue
            if n > SHORT:
                long_ids = np.empty(n, dtype=np.int32)
                for i in range(n):
                    long_ids[i] = byte_ids[text[begin + i]]
                left = _merge_long(long_ids, n, made, keys, ranks)
                for i in range(left):
                    out[written + i] = long_ids[i]
                written += left
                begin = end
                continue
            line = np.int64((h >> np.uint64(40)) & np.uint64(CACHE_SLOTS - 1))
            if cached_length[line] == n:
                i = 0
                while i < n and cached_bytes[line, i] == text[begin + i]:
                    i += 1
                if i == n:
                    left = cached_n[line]
                    for j in range(left):
                        out[written + j] = cached_ids[line, j]
                    written += left
                    begin = end
                    continue
            for i in range(n):
                short_ids[i] = byte_ids[text[begin + i]]
            left = _merge_short(short_ids, n, made, keys, ranks, pending)
            for i in range(left):
                out[written + i] = short_ids[i]
            written += left
            if n <= CACHE_BYTES and left <= CACHE_IDS:
                cached_length[line] = n
                cached_n[line] = left
                for i in range(n):
                    cached_bytes[line, i] = text[begin + i]
                for i in range(left):
                    cached_ids[line, i] = short_ids[i]
            begin = end
        out_offsets[document + 1] = written
