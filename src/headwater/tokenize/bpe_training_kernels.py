"""Kernels of BPE training: pair counts, the pieces that hold each pair, a heap of candidates, and one merge.

The trainer works on distinct pieces, each a row of symbols with a weight. A pair's count is the sum of the weights of the
places where its symbols stand side by side. Counts of a pair only fall once the merge that made its younger symbol is
done, so a candidate in the heap can only be too high: it is put back with its true count when it comes up. Pairs that fall
below the least count are forgotten.

Merging costs the length of the pieces that hold the pair. Of each piece, only places beside a merged pair change:

    a b a b c, merge (a, b) to X:  X X c
    gone: (a, b) twice, (b, a), (b, c);  new: (X, X), (X, c)

All new pairs hold the new symbol, so they are counted in two dense arrays, code ``2 * other`` for (other, new) and
``2 * other + 1`` for (new, other), and only those that reach the least count enter the table.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import njit

__all__ = [
    "FREE",
    "best_pair",
    "commit_pairs",
    "count_support",
    "first_heap",
    "first_pairs",
    "grow_pairs",
    "pack_index",
    "rewrite",
]

FREE: Final = np.uint64(0xFFFFFFFFFFFFFFFF)
_PRIME: Final = np.uint64(0x9E3779B97F4A7C15)
_SYMBOL_BITS: Final = np.uint64(32)
_SYMBOL_MASK: Final = np.uint64(0xFFFFFFFF)


@njit(cache=True, nogil=True)
def _slot_of(key: Any, keys: Any) -> Any:
    """Return where `key` stands in the table, or the free place where it would."""
    mask = np.uint64(len(keys) - 1)
    h = key * _PRIME
    slot = (h ^ (h >> np.uint64(29))) & mask
    while keys[slot] != FREE and keys[slot] != key:
        slot = (slot + np.uint64(1)) & mask
    return slot


@njit(cache=True, nogil=True)
def grow_pairs(keys: Any, values: Any, size: int) -> tuple[Any, Any]:
    """Return the table with `size` places, a power of two, without the pairs whose count is 0.

    Args:
        keys: uint64 [places], ``left << 32 | right`` or `FREE`.
        values: int64 [places, 3]: count, and begin and end of the pair's pieces in the index.
        size: places of the result.
    """
    new_keys = np.full(size, FREE, dtype=np.uint64)
    new_values = np.zeros((size, 3), dtype=np.int64)
    for old in range(len(keys)):
        if keys[old] != FREE and values[old, 0] > 0:
            slot = _slot_of(keys[old], new_keys)
            new_keys[slot] = keys[old]
            new_values[slot] = values[old]
    return new_keys, new_values


@njit(cache=True, nogil=True)
def first_pairs(symbols: Any, offsets: Any, weights: Any, least: int) -> tuple[Any, Any, Any, int]:
    """Return the table of the pairs that reach `least`, their index, and how many they are.

    Args:
        symbols: int32, all pieces one after the other.
        offsets: int64 [n pieces + 1].
        weights: int64 [n pieces].
        least: least count of a pair.

    Returns:
        keys and values as `grow_pairs` has them; int32, the pieces of each pair, ascending; number of pairs.
    """
    keys = np.full(1 << 17, FREE, dtype=np.uint64)
    values = np.zeros((1 << 17, 3), dtype=np.int64)
    n_keys = 0
    for piece in range(len(weights)):
        for i in range(offsets[piece], offsets[piece + 1] - 1):
            key = np.uint64(symbols[i]) << _SYMBOL_BITS | np.uint64(symbols[i + 1])
            slot = _slot_of(key, keys)
            if keys[slot] == FREE:
                keys[slot] = key
                n_keys += 1
                if 2 * n_keys > len(keys):
                    keys, values = grow_pairs(keys, values, 2 * len(keys))
                    slot = _slot_of(key, keys)
                    keys[slot] = key
            values[slot, 0] += weights[piece]
            values[slot, 2] += 1
    total, n_pairs = 0, 0
    for slot in range(len(keys)):
        if values[slot, 0] < least:
            values[slot, 0] = 0
        else:
            places = values[slot, 2]
            values[slot, 1] = values[slot, 2] = total
            total += places
            n_pairs += 1
    index = np.empty(total, dtype=np.int32)
    for piece in range(len(weights)):
        for i in range(offsets[piece], offsets[piece + 1] - 1):
            key = np.uint64(symbols[i]) << _SYMBOL_BITS | np.uint64(symbols[i + 1])
            slot = _slot_of(key, keys)
            end = values[slot, 2]
            if values[slot, 0] > 0 and (end == values[slot, 1] or index[end - 1] != piece):
                index[end] = piece
                values[slot, 2] += 1
    size = 1 << 12
    while size < 4 * n_pairs:
        size *= 2
    keys, values = grow_pairs(keys, values, size)
    return keys, values, index, n_pairs


@njit(cache=True, nogil=True)
def pack_index(values: Any, index: Any, used: int, room: int) -> tuple[Any, int]:
    """Return the index without the pieces of pairs that are gone, with `room` free places, and how many are used."""
    live = 0
    for slot in range(len(values)):
        if values[slot, 0] > 0:
            live += values[slot, 2] - values[slot, 1]
    out = np.empty(live + live // 4 + room, dtype=np.int32)
    at = 0
    for slot in range(len(values)):
        if values[slot, 0] > 0:
            begin, end = values[slot, 1], values[slot, 2]
            out[at : at + end - begin] = index[begin:end]
            values[slot, 1] = at
            at += end - begin
            values[slot, 2] = at
    return out, at


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
            _push(heap_counts, heap_keys, n, values[slot, 0], keys[slot], token_bytes, token_offsets)
            n += 1
    return heap_counts, heap_keys, n


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
def _push(heap_counts: Any, heap_keys: Any, n: int, count: int, key: Any, token_bytes: Any, token_offsets: Any) -> None:
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
def best_pair(
    heap_counts: Any, heap_keys: Any, n: int, keys: Any, values: Any, least: int, token_bytes: Any, token_offsets: Any
) -> tuple[int, Any, int]:
    """Take the best pair from the heap: what is left of the heap, the pair's key (`FREE`: none is left) and count."""
    while n > 0:
        key = heap_keys[0]
        slot = _slot_of(key, keys)
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


@njit(cache=True, nogil=True)
def _lower(left: int, right: int, weight: int, keys: Any, values: Any) -> None:
    key = np.uint64(left) << _SYMBOL_BITS | np.uint64(right)
    slot = _slot_of(key, keys)
    if keys[slot] == key:
        values[slot, 0] = max(0, values[slot, 0] - weight)


@njit(cache=True, nogil=True)
def rewrite(
    key: Any, made: int, symbols: Any, offsets: Any, lengths: Any, weights: Any, keys: Any, values: Any, index: Any,
    fresh_counts: Any, fresh_places: Any,
) -> tuple[Any, Any, Any]:  # fmt: skip
    """Merge a pair in every piece that holds it, leftmost first, and count the pairs that arise.

    Args:
        key: the pair.
        made: the new symbol.
        symbols: int32, pieces at `offsets`, of which the first `lengths` symbols are in use.
        offsets: int64 [n pieces + 1].
        lengths: int32 [n pieces].
        weights: int64 [n pieces].
        keys: the table of pairs, with
        values: and
        index: as `first_pairs` has them.
        fresh_counts: int64 [2 x ids], all 0; counts of the new pairs by code.
        fresh_places: int64 [2 x ids], all 0; upper bounds of how many pieces hold them.

    Returns:
        int32 [n], int32 [n]: code and piece of each new pair's place; int32: the distinct codes.
    """
    a, b = np.int64(key >> _SYMBOL_BITS), np.int64(key & _SYMBOL_MASK)
    own = _slot_of(key, keys)
    begin, end = values[own, 1], values[own, 2]
    room = 0
    for at in range(begin, end):
        room += lengths[index[at]]
    codes, holders = np.empty(room + 2, dtype=np.int32), np.empty(room + 2, dtype=np.int32)
    distinct = np.empty(min(room + 2, len(fresh_counts)), dtype=np.int32)
    n, n_distinct = 0, 0
    for at in range(begin, end):
        piece = index[at]
        first, length, weight = offsets[piece], np.int64(lengths[piece]), weights[piece]
        i, out = 0, 0
        while i < length:
            if i + 1 < length and symbols[first + i] == a and symbols[first + i + 1] == b:
                if i > 0 and not (out > 0 and symbols[first + out - 1] == made):
                    _lower(symbols[first + out - 1], a, weight, keys, values)
                if i + 2 < length:
                    _lower(b, symbols[first + i + 2], weight, keys, values)
                symbols[first + out] = made
                i += 2
            else:
                symbols[first + out] = symbols[first + i]
                i += 1
            out += 1
        lengths[piece] = out
        for i in range(out - 1):
            left, right = symbols[first + i], symbols[first + i + 1]
            if made not in (left, right):
                continue
            code = 2 * right + 1 if left == made else 2 * left
            if fresh_places[code] == 0:
                distinct[n_distinct] = code
                n_distinct += 1
            fresh_counts[code] += weight
            fresh_places[code] += 1
            codes[n], holders[n] = code, piece
            n += 1
    return codes[:n], holders[:n], distinct[:n_distinct]


@njit(cache=True, nogil=True)
def commit_pairs(
    made: int, codes: Any, holders: Any, distinct: Any, least: int, fresh_counts: Any, fresh_places: Any, keys: Any,
    values: Any, index: Any, used: int, heap_counts: Any, heap_keys: Any, n_heap: int, token_bytes: Any, token_offsets: Any,
) -> tuple[int, int, int]:  # fmt: skip
    """Enter the new pairs that reach `least` into table, index and heap, and clear the dense arrays.

    Returns:
        places used of the index, size of the heap, pairs entered.
    """
    entered = 0
    for code in distinct:
        if fresh_counts[code] < least:
            fresh_places[code] = -1
            continue
        other = np.uint64(code >> 1)
        new = np.uint64(made)
        key = new << _SYMBOL_BITS | other if code & 1 else other << _SYMBOL_BITS | new
        slot = _slot_of(key, keys)
        keys[slot] = key
        values[slot, 0] = fresh_counts[code]
        values[slot, 1] = values[slot, 2] = used
        used += fresh_places[code]
        fresh_places[code] = np.int64(slot)
        _push(heap_counts, heap_keys, n_heap, values[slot, 0], key, token_bytes, token_offsets)
        n_heap += 1
        entered += 1
    for event in range(len(codes)):
        slot = fresh_places[codes[event]]
        if slot < 0:
            continue
        end = values[slot, 2]
        if end == values[slot, 1] or index[end - 1] != holders[event]:
            index[end] = holders[event]
            values[slot, 2] += 1
    for code in distinct:
        fresh_counts[code] = 0
        fresh_places[code] = 0
    return used, n_heap, entered


@njit(cache=True, nogil=True)
def count_support(
    key: Any, keys: Any, values: Any, index: Any, symbols: Any, offsets: Any, lengths: Any, set_offsets: Any,
    set_values: Any, enough: int,
) -> int:  # fmt: skip
    """Return in how many distinct documents (or sources) a pair stands, counted up to `enough`.

    Args:
        key: the pair.
        keys: the table, with
        values: and
        index: as `first_pairs` has them.
        symbols: the pieces, at
        offsets: with
        lengths: as `rewrite` has them.
        set_offsets: int64 [n pieces + 1] into
        set_values: int64, the smallest hashes of each piece's documents, all of them where they are fewer than `enough`.
        enough: stop at so many.
    """
    a, b = np.int64(key >> _SYMBOL_BITS), np.int64(key & _SYMBOL_MASK)
    own = _slot_of(key, keys)
    size = 16
    while size < 2 * enough + 2:
        size *= 2
    known, filled = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.bool_)
    n = 0
    for at in range(values[own, 1], values[own, 2]):
        piece = index[at]
        first = offsets[piece]
        found = False
        for i in range(first, first + lengths[piece] - 1):
            if symbols[i] == a and symbols[i + 1] == b:
                found = True
                break
        if not found:
            continue
        for place in range(set_offsets[piece], set_offsets[piece + 1]):
            value = set_values[place]
            slot = np.int64(np.uint64(value) & np.uint64(size - 1))
            while filled[slot] and known[slot] != value:
                slot = (slot + 1) & (size - 1)
            if not filled[slot]:
                filled[slot], known[slot] = True, value
                n += 1
                if n >= enough:
                    return n
    return n
