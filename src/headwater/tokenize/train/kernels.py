"""Kernels of BPE training: pair counts, the pieces that hold each pair, and one merge.

The trainer works on distinct pieces, each a row of symbols with a weight. A pair's count is the sum of the weights of the
places where its symbols stand side by side; pairs below the least count are left out.

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

from headwater.tokenize.train.heap import FREE, push, slot_of

__all__ = ["commit_pairs", "count_support", "first_pairs", "grow_pairs", "pack_index", "rewrite"]

_SYMBOL_BITS: Final = np.uint64(32)
_SYMBOL_MASK: Final = np.uint64(0xFFFFFFFF)


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
            slot = slot_of(keys[old], new_keys)
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
            slot = slot_of(key, keys)
            if keys[slot] == FREE:
                keys[slot] = key
                n_keys += 1
                if 2 * n_keys > len(keys):
                    keys, values = grow_pairs(keys, values, 2 * len(keys))
                    slot = slot_of(key, keys)
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
            slot = slot_of(key, keys)
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
def _lower(left: int, right: int, weight: int, keys: Any, values: Any) -> None:
    key = np.uint64(left) << _SYMBOL_BITS | np.uint64(right)
    slot = slot_of(key, keys)
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
    own = slot_of(key, keys)
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
        slot = slot_of(key, keys)
        keys[slot] = key
        values[slot, 0] = fresh_counts[code]
        values[slot, 1] = values[slot, 2] = used
        used += fresh_places[code]
        fresh_places[code] = np.int64(slot)
        push(heap_counts, heap_keys, n_heap, values[slot, 0], key, token_bytes, token_offsets)
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
    own = slot_of(key, keys)
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
