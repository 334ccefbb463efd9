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

from typing import Final, NamedTuple

import numpy as np
from numba import njit

from headwater.arrays import Int32s, Int64s
from headwater.tokenize.train.heap import FREE, Heap, Pairs, Tokens, push, slot_of

__all__ = [
    "Arisen",
    "CutPieces",
    "Dense",
    "commit_pairs",
    "count_support",
    "first_pairs",
    "grow_pairs",
    "pack_index",
    "rewrite",
]

_SYMBOL_BITS: Final = np.uint64(32)
_SYMBOL_MASK: Final = np.uint64(0xFFFFFFFF)


class CutPieces(NamedTuple):
    """The distinct pieces as they are cut so far.

    Attributes:
        symbols: int32, pieces at `offsets`, of which the first `lengths` symbols are in use.
        offsets: int64 [n + 1].
        lengths: int32 [n].
        weights: int64 [n].
    """

    symbols: Int32s
    offsets: Int64s
    lengths: Int32s
    weights: Int64s


class Dense(NamedTuple):
    """What a merge counts of the new pairs by code; all 0 between two merges.

    Attributes:
        counts: int64 [2 x ids].
        places: int64 [2 x ids], upper bounds of how many pieces hold them.
    """

    counts: Int64s
    places: Int64s


class Arisen(NamedTuple):
    """The pairs that a merge made.

    Attributes:
        codes: int32 [n], the code of each place where one stands.
        holders: int32 [n], the piece of that place.
        distinct: int32, the distinct codes.
    """

    codes: Int32s
    holders: Int32s
    distinct: Int32s


@njit(cache=True, nogil=True)
def grow_pairs(pairs: Pairs, size: int) -> Pairs:
    """Return the table with `size` places, a power of two, without the pairs whose count is 0."""
    keys, values = pairs
    new_keys = np.full(size, FREE, dtype=np.uint64)
    new_values = np.zeros((size, 3), dtype=np.int64)
    for old in range(len(keys)):
        if keys[old] != FREE and values[old, 0] > 0:
            slot = slot_of(keys[old], new_keys)
            new_keys[slot] = keys[old]
            new_values[slot] = values[old]
    return Pairs(new_keys, new_values)


@njit(cache=True, nogil=True)
def first_pairs(pieces: CutPieces, least: int) -> tuple[Pairs, Int32s, int]:
    """Return the table of the pairs that reach `least`, their index, and how many they are.

    Args:
        pieces: all of whose symbols are in use.
        least: least count of a pair.

    Returns:
        the table; int32, the pieces of each pair, ascending; number of pairs.
    """
    symbols, offsets, _, weights = pieces
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
                    keys, values = grow_pairs(Pairs(keys, values), 2 * len(keys))
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
    return grow_pairs(Pairs(keys, values), size), index, n_pairs


@njit(cache=True, nogil=True)
def pack_index(values: Int64s, index: Int32s, room: int) -> tuple[Int32s, int]:
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
def _lower(left: int, right: int, weight: int, pairs: Pairs) -> None:
    keys, values = pairs
    key = np.uint64(left) << _SYMBOL_BITS | np.uint64(right)
    slot = slot_of(key, keys)
    if keys[slot] == key:
        values[slot, 0] = max(0, values[slot, 0] - weight)


@njit(cache=True, nogil=True)
def rewrite(key: np.uint64, made: int, pieces: CutPieces, pairs: Pairs, index: Int32s, dense: Dense) -> Arisen:
    """Merge a pair in every piece that holds it, leftmost first, and count the pairs that arise.

    Args:
        key: the pair.
        made: the new symbol.
        pieces: rewritten.
        pairs: the table; counts of the pairs that are gone fall.
        index: int32, the pieces of each pair.
        dense: all 0; filled.

    The piece of the module's docstring, with the codes of (X, X) and (X, c):

    >>> symbols = np.frombuffer(b"ababc", dtype=np.uint8).astype(np.int32)
    >>> pieces = CutPieces(symbols, np.array([0, 5]), np.array([5], dtype=np.int32), np.array([1]))
    >>> pairs, index, _ = first_pairs(pieces, 1)
    >>> dense = Dense(np.zeros(514, dtype=np.int64), np.zeros(514, dtype=np.int64))
    >>> arisen = rewrite(np.uint64(ord("a") << 32 | ord("b")), 256, pieces, pairs, index, dense)
    >>> symbols[: pieces.lengths[0]].tolist(), arisen.codes.tolist()
    ([256, 256, 99], [513, 199])
    """
    symbols, offsets, lengths, weights = pieces
    keys, values = pairs
    fresh_counts, fresh_places = dense
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
                    _lower(symbols[first + out - 1], a, weight, pairs)
                if i + 2 < length:
                    _lower(b, symbols[first + i + 2], weight, pairs)
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
    return Arisen(codes[:n], holders[:n], distinct[:n_distinct])


@njit(cache=True, nogil=True)
def commit_pairs(
    made: int, arisen: Arisen, least: int, dense: Dense, pairs: Pairs, index: Int32s, used: int, heap: Heap, n_heap: int,
    tokens: Tokens,
) -> tuple[int, int, int]:  # fmt: skip
    """Enter the new pairs that reach `least` into table, index and heap, and clear the dense arrays.

    Returns:
        places used of the index, size of the heap, pairs entered.
    """
    codes, holders, distinct = arisen
    fresh_counts, fresh_places = dense
    keys, values = pairs
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
        push(heap, n_heap, values[slot, 0], key, tokens)
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
    key: np.uint64, pairs: Pairs, index: Int32s, pieces: CutPieces, set_offsets: Int64s, set_values: Int64s, enough: int
) -> int:
    """Return in how many distinct documents (or sources) a pair stands, counted up to `enough`.

    Args:
        key: the pair.
        pairs: the table.
        index: int32, the pieces of each pair.
        pieces: as they are cut.
        set_offsets: int64 [n pieces + 1] into
        set_values: int64, the smallest hashes of each piece's documents, all of them where they are fewer than `enough`.
        enough: where to stop counting.
    """
    symbols, offsets, lengths, _ = pieces
    keys, values = pairs
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
