"""A heap of candidate pairs for BPE training, and where a pair stands in the table.

Counts of a pair only fall once the merge that made its younger symbol is done, so a candidate in the heap can only be too
high: it is put back with its true count when it comes up.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numba import njit

from headwater.arrays import Int64s, UInt8s, UInt64s

__all__ = ["FREE", "Heap", "Pairs", "Tokens", "best_pair", "first_heap", "push", "slot_of"]

FREE: Final = np.uint64(0xFFFFFFFFFFFFFFFF)
_PRIME: Final = np.uint64(0x9E3779B97F4A7C15)
_SYMBOL_BITS: Final = np.uint64(32)
_SYMBOL_MASK: Final = np.uint64(0xFFFFFFFF)


class Pairs(NamedTuple):
    """The table of pairs, open addressing over a power of two places.

    Attributes:
        keys: uint64 [places], ``left << 32 | right`` or `FREE`.
        values: int64 [places, 3]: count, and begin and end of the pair's pieces in the index.
    """

    keys: UInt64s
    values: Int64s


class Heap(NamedTuple):
    """Candidates, the best first, in arrays with room for more: int64 counts and uint64 keys."""

    counts: Int64s
    keys: UInt64s


class Tokens(NamedTuple):
    """The bytes of each id, which decide among equal counts: uint8, and int64 [n + 1] into it."""

    text: UInt8s
    offsets: Int64s


@njit(cache=True, nogil=True)
def slot_of(key: np.uint64, keys: UInt64s) -> np.uint64:
    """Return where `key` stands in the table, or the free place where it would."""
    mask = np.uint64(len(keys) - 1)
    h = key * _PRIME
    slot = (h ^ (h >> np.uint64(29))) & mask
    while keys[slot] != FREE and keys[slot] != key:
        slot = (slot + np.uint64(1)) & mask
    return slot


@njit(cache=True, nogil=True)
def _compare_tokens(a: int, b: int, tokens: Tokens) -> int:
    """Return -1, 0 or 1 as the bytes of token `a` come before, are, or come after those of `b`."""
    text, offsets = tokens
    n_a, n_b = offsets[a + 1] - offsets[a], offsets[b + 1] - offsets[b]
    for i in range(min(n_a, n_b)):
        x, y = text[offsets[a] + i], text[offsets[b] + i]
        if x != y:
            return -1 if x < y else 1
    if n_a == n_b:
        return 0
    return -1 if n_a < n_b else 1


@njit(cache=True, nogil=True)
def _goes_before(count: int, key: np.uint64, other_count: int, other: np.uint64, tokens: Tokens) -> bool:
    """Return whether a candidate is better: more counts, else the lesser bytes of the left part, else of the right."""
    if count != other_count:
        return count > other_count
    left = _compare_tokens(np.int64(key >> _SYMBOL_BITS), np.int64(other >> _SYMBOL_BITS), tokens)
    if left:
        return left < 0
    right = _compare_tokens(np.int64(key & _SYMBOL_MASK), np.int64(other & _SYMBOL_MASK), tokens)
    return right < 0


@njit(cache=True, nogil=True)
def push(heap: Heap, n: int, count: int, key: np.uint64, tokens: Tokens) -> None:
    """Put a candidate into a heap of `n`."""
    counts, keys = heap
    i = n
    while i > 0:
        parent = (i - 1) >> 1
        if not _goes_before(count, key, counts[parent], keys[parent], tokens):
            break
        counts[i], keys[i] = counts[parent], keys[parent]
        i = parent
    counts[i], keys[i] = count, key


@njit(cache=True, nogil=True)
def _sink(heap: Heap, n: int, count: int, key: np.uint64, tokens: Tokens) -> None:
    """Put a candidate in the place of the first of a heap of `n`."""
    counts, keys = heap
    i = 0
    while 2 * i + 1 < n:
        child = 2 * i + 1
        if child + 1 < n and _goes_before(counts[child + 1], keys[child + 1], counts[child], keys[child], tokens):
            child += 1
        if _goes_before(count, key, counts[child], keys[child], tokens):
            break
        counts[i], keys[i] = counts[child], keys[child]
        i = child
    counts[i], keys[i] = count, key


@njit(cache=True, nogil=True)
def first_heap(pairs: Pairs, tokens: Tokens) -> tuple[Heap, int]:
    """Return a heap of all pairs of the table, and its size."""
    keys, values = pairs
    n = 0
    for slot in range(len(keys)):
        n += values[slot, 0] > 0
    heap = Heap(np.empty(n + 1024, dtype=np.int64), np.empty(n + 1024, dtype=np.uint64))
    n = 0
    for slot in range(len(keys)):
        if values[slot, 0] > 0:
            push(heap, n, values[slot, 0], keys[slot], tokens)
            n += 1
    return heap, n


@njit(cache=True, nogil=True)
def best_pair(heap: Heap, n: int, pairs: Pairs, least: int, tokens: Tokens) -> tuple[int, np.uint64, int]:
    """Take the best pair from the heap: what is left of the heap, the pair's key (`FREE`: none is left) and count."""
    keys, values = pairs
    while n > 0:
        key = heap.keys[0]
        slot = slot_of(key, keys)
        count = values[slot, 0] if keys[slot] == key else 0
        if count == heap.counts[0] and count >= least:
            values[slot, 0] = 0
            n -= 1
            _sink(heap, n, heap.counts[n], heap.keys[n], tokens)
            return n, key, count
        if count < least:
            values[slot, 0] = 0
            n -= 1
            _sink(heap, n, heap.counts[n], heap.keys[n], tokens)
        else:
            _sink(heap, n, count, key, tokens)
    return 0, FREE, 0
