"""A heap of candidate pairs for BPE training, and where a pair stands in the table.

Counts of a pair only fall once the merge that made its younger symbol is done, so a candidate in the heap can only be too
high: it is put back with its true count when it comes up.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import njit

__all__ = ["FREE", "best_pair", "first_heap", "push", "slot_of"]

FREE: Final = np.uint64(0xFFFFFFFFFFFFFFFF)
_PRIME: Final = np.uint64(0x9E3779B97F4A7C15)
_SYMBOL_BITS: Final = np.uint64(32)
_SYMBOL_MASK: Final = np.uint64(0xFFFFFFFF)


@njit(cache=True, nogil=True)
def slot_of(key: Any, keys: Any) -> Any:
    """Return where `key` stands in the table, or the free place where it would."""
    mask = np.uint64(len(keys) - 1)
    h = key * _PRIME
    slot = (h ^ (h >> np.uint64(29))) & mask
    while keys[slot] != FREE and keys[slot] != key:
        slot = (slot + np.uint64(1)) & mask
    return slot


@njit(cache=True, nogil=True)
def _compare_tokens(a: int, b: int, token_bytes: Any, token_offsets: Any) -> int:
    """Return -1, 0 or 1 as the bytes of token `a` come before, are, or come after those of `b`."""
    n_a, n_b = token_offsets[a + 1] - token_offsets[a], token_offsets[b + 1] - token_offsets[b]
    for i in range(min(n_a, n_b)):
        x, y = token_bytes[token_offsets[a] + i], token_bytes[token_offsets[b] + i]
        if x != y:
            return -1 if x < y else 1
    if n_a == n_b:
        return 0
    return -1 if n_a < n_b else 1


@njit(cache=True, nogil=True)
def _goes_before(count: int, key: Any, other_count: int, other: Any, token_bytes: Any, token_offsets: Any) -> bool:
    """Return whether a candidate is better: more counts, else the lesser bytes of the left part, else of the right."""
    if count != other_count:
        return count > other_count
    left = _compare_tokens(np.int64(key >> _SYMBOL_BITS), np.int64(other >> _SYMBOL_BITS), token_bytes, token_offsets)
    if left:
        return left < 0
    right = _compare_tokens(np.int64(key & _SYMBOL_MASK), np.int64(other & _SYMBOL_MASK), token_bytes, token_offsets)
    return right < 0


@njit(cache=True, nogil=True)
def push(heap_counts: Any, heap_keys: Any, n: int, count: int, key: Any, token_bytes: Any, token_offsets: Any) -> None:
    """Put a candidate into a heap of `n`."""
    i = n
    while i > 0:
        parent = (i - 1) >> 1
        if not _goes_before(count, key, heap_counts[parent], heap_keys[parent], token_bytes, token_offsets):
            break
        heap_counts[i], heap_keys[i] = heap_counts[parent], heap_keys[parent]
        i = parent
    heap_counts[i], heap_keys[i] = count, key


@njit(cache=True, nogil=True)
def _sink(heap_counts: Any, heap_keys: Any, n: int, count: int, key: Any, token_bytes: Any, token_offsets: Any) -> None:
    """Put a candidate in the place of the first of a heap of `n`."""
    i = 0
    while 2 * i + 1 < n:
        child = 2 * i + 1
        if child + 1 < n and _goes_before(
            heap_counts[child + 1],
            heap_keys[child + 1],
            heap_counts[child],
            heap_keys[child],
            token_bytes,
            token_offsets,
        ):
            child += 1
        if _goes_before(count, key, heap_counts[child], heap_keys[child], token_bytes, token_offsets):
            break
        heap_counts[i], heap_keys[i] = heap_counts[child], heap_keys[child]
        i = child
    heap_counts[i], heap_keys[i] = count, key


@njit(cache=True, nogil=True)
def first_heap(keys: Any, values: Any, token_bytes: Any, token_offsets: Any) -> tuple[Any, Any, int]:
    """Return a heap of all pairs of the table: counts, keys, size."""
    n = 0
    for slot in range(len(keys)):
        n += values[slot, 0] > 0
    heap_counts, heap_keys = np.empty(n + 1024, dtype=np.int64), np.empty(n + 1024, dtype=np.uint64)
    n = 0
    for slot in range(len(keys)):
        if values[slot, 0] > 0:
            push(heap_counts, heap_keys, n, values[slot, 0], keys[slot], token_bytes, token_offsets)
            n += 1
    return heap_counts, heap_keys, n


@njit(cache=True, nogil=True)
def best_pair(
    heap_counts: Any, heap_keys: Any, n: int, keys: Any, values: Any, least: int, token_bytes: Any, token_offsets: Any
) -> tuple[int, Any, int]:
    """Take the best pair from the heap: what is left of the heap, the pair's key (`FREE`: none is left) and count."""
    while n > 0:
        key = heap_keys[0]
        slot = slot_of(key, keys)
        count = values[slot, 0] if keys[slot] == key else 0
        if count == heap_counts[0] and count >= least:
            values[slot, 0] = 0
            n -= 1
            _sink(heap_counts, heap_keys, n, heap_counts[n], heap_keys[n], token_bytes, token_offsets)
            return n, key, count
        if count < least:
            values[slot, 0] = 0
            n -= 1
            _sink(heap_counts, heap_keys, n, heap_counts[n], heap_keys[n], token_bytes, token_offsets)
        else:
            _sink(heap_counts, heap_keys, n, count, key, token_bytes, token_offsets)
    return 0, FREE, 0
