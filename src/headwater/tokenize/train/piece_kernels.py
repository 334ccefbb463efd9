"""Kernels that count pieces: cut a batch of documents, and join counted tables; `piece_counts.py` is their front.

Both hash pieces into a table with open addressing and compare bytes where they lie, so nothing is copied until the end.
Sets of hashes are kept as their smallest members, ascending, which makes the result independent of order.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from numba import njit

from headwater.arrays import Int32s, Int64s, UInt8s
from headwater.tokenize.encode.pieces import piece_end

__all__ = [
    "BEGIN",
    "COUNT",
    "LENGTH",
    "N_DOCUMENTS",
    "N_FIELDS",
    "N_SOURCES",
    "SOURCES",
    "STRATUM",
    "bins_of_pieces",
    "copy_pieces",
    "count_batch",
    "group_rows",
    "merge_lists",
    "order_events",
]

BEGIN: Final = 0
LENGTH: Final = 1
STRATUM: Final = 2
COUNT: Final = 3
LAST_DOCUMENT: Final = 4
N_DOCUMENTS: Final = 5
N_SOURCES: Final = 6
HASH: Final = 7
SOURCES: Final = 8
N_FIELDS: Final = 11
"""Fields of a row of `count_batch`; the three from `SOURCES` on are hashes of sources, ascending."""


@njit(cache=True, nogil=True)
def _hash_piece(text: UInt8s, begin: int, end: int, stratum: int) -> np.uint64:
    h = np.uint64(0xCBF29CE484222325) ^ np.uint64(stratum)
    for i in range(begin, end):
        h = (h ^ np.uint64(text[i])) * np.uint64(0x9E3779B97F4A7C15)
        h ^= h >> np.uint64(29)
    return h ^ (h >> np.uint64(32))


@njit(cache=True, nogil=True)
def _same(text: UInt8s, a: int, b: int, n: int) -> bool:
    for i in range(n):
        if text[a + i] != text[b + i]:
            return False
    return True


@njit(cache=True, nogil=True)
def _grow_table(rows: Int64s, n_rows: int, size: int) -> Int32s:
    table = np.full(size, -1, dtype=np.int32)
    mask = np.uint64(size - 1)
    for row in range(n_rows):
        slot = np.uint64(rows[row, HASH]) & mask
        while table[slot] >= 0:
            slot = (slot + np.uint64(1)) & mask
        table[slot] = row
    return table


@njit(cache=True, nogil=True)
def _add_source(rows: Int64s, row: int, source: int, cap: int) -> None:
    """Insert a hash into the row's smallest `cap` ones."""
    n = rows[row, N_SOURCES]
    at = n
    for i in range(n):
        if rows[row, SOURCES + i] == source:
            return
        if rows[row, SOURCES + i] > source:
            at = i
            break
    if at == cap:
        return
    last = min(n, cap - 1)
    for i in range(last, at, -1):
        rows[row, SOURCES + i] = rows[row, SOURCES + i - 1]
    rows[row, SOURCES + at] = source
    rows[row, N_SOURCES] = last + 1


@njit(cache=True, nogil=True)
def count_batch(
    text: UInt8s, offsets: Int64s, order: Int64s, strata: Int32s, documents: Int64s, sources: Int64s, classes: UInt8s,
    max_bytes: int, max_sources: int, max_documents: int,
) -> tuple[Int64s, Int32s, Int64s]:  # fmt: skip
    """Return a row for each distinct piece of a stratum, and in which documents it stands.

    Args:
        text: uint8, UTF-8.
        offsets: int64 [n + 1].
        order: int64 [n], the documents in ascending order of their hash.
        strata: int32 [n].
        documents: int64 [n], hashes.
        sources: int64 [n], hashes.
        classes: of `grammar.character_classes`.
        max_bytes: longer pieces are cut, between two characters.
        max_sources: at most 3.
        max_documents: most documents kept of a piece.

    Returns:
        int64 [n rows, N_FIELDS]; and the first `max_documents` documents of each as two columns in the order of the
        documents, int32 row and int64 hash.
    """
    rows = np.zeros((1 << 14, N_FIELDS), dtype=np.int64)
    table = np.full(1 << 15, -1, dtype=np.int32)
    event_rows = np.empty(1 << 16, dtype=np.int32)
    event_documents = np.empty(1 << 16, dtype=np.int64)
    n_rows, n_events = 0, 0
    for place in range(len(order)):
        document = order[place]
        begin, stop = offsets[document], offsets[document + 1]
        while begin < stop:
            piece = piece_end(text, begin, stop, classes)
            while begin < piece:
                end = piece
                if end - begin > max_bytes:
                    end = begin + max_bytes
                    while text[end] & 0xC0 == 0x80 and end > begin + max_bytes - 4:
                        end -= 1
                h = _hash_piece(text, begin, end, strata[document])
                mask = np.uint64(len(table) - 1)
                slot = h & mask
                row = -1
                while table[slot] >= 0:
                    known = table[slot]
                    if (
                        np.uint64(rows[known, HASH]) == h
                        and rows[known, LENGTH] == end - begin
                        and rows[known, STRATUM] == strata[document]
                        and _same(text, rows[known, BEGIN], begin, end - begin)
                    ):
                        row = known
                        break
                    slot = (slot + np.uint64(1)) & mask
                if row < 0:
                    row = n_rows
                    n_rows += 1
                    if row == len(rows):
                        larger = np.zeros((2 * row, N_FIELDS), dtype=np.int64)
                        larger[:row] = rows
                        rows = larger
                    rows[row, BEGIN] = begin
                    rows[row, LENGTH] = end - begin
                    rows[row, STRATUM] = strata[document]
                    rows[row, HASH] = np.int64(h)
                    table[slot] = row
                    if 2 * n_rows > len(table):
                        table = _grow_table(rows, n_rows, 2 * len(table))
                rows[row, COUNT] += 1
                if rows[row, COUNT] == 1 or rows[row, LAST_DOCUMENT] != documents[document]:
                    rows[row, LAST_DOCUMENT] = documents[document]
                    if rows[row, N_DOCUMENTS] < max_documents:
                        rows[row, N_DOCUMENTS] += 1
                        if n_events == len(event_rows):
                            event_rows = np.concatenate((event_rows, np.empty_like(event_rows)))
                            event_documents = np.concatenate((event_documents, np.empty_like(event_documents)))
                        event_rows[n_events] = row
                        event_documents[n_events] = documents[document]
                        n_events += 1
                _add_source(rows, row, sources[document], max_sources)
                begin = end
    return rows[:n_rows], event_rows[:n_events], event_documents[:n_events]


@njit(cache=True, nogil=True)
def order_events(n_documents: Int64s, event_rows: Int32s, event_documents: Int64s) -> Int64s:
    """Return the documents of all rows, one row after the other; `n_documents` is int64 [n rows]."""
    at = np.zeros(len(n_documents), dtype=np.int64)
    for row in range(1, len(n_documents)):
        at[row] = at[row - 1] + n_documents[row - 1]
    out = np.empty(len(event_rows), dtype=np.int64)
    for event in range(len(event_rows)):
        out[at[event_rows[event]]] = event_documents[event]
        at[event_rows[event]] += 1
    return out


@njit(cache=True, nogil=True)
def copy_pieces(text: UInt8s, begins: Int64s, lengths: Int64s) -> UInt8s:
    """Return the bytes of all pieces, one after the other."""
    total = 0
    for row in range(len(lengths)):
        total += lengths[row]
    out = np.empty(total, dtype=np.uint8)
    at = 0
    for row in range(len(lengths)):
        for i in range(lengths[row]):
            out[at + i] = text[begins[row] + i]
        at += lengths[row]
    return out


@njit(cache=True, nogil=True)
def group_rows(text: UInt8s, offsets: Int64s, strata: Int32s) -> tuple[Int32s, int]:
    """Return which rows have the same stratum and piece: int32 [n], groups numbered as they first appear, and how many."""
    n = len(strata)
    size = 1 << 10
    while size < 2 * n:
        size *= 2
    mask = np.uint64(size - 1)
    table = np.full(size, -1, dtype=np.int32)
    groups = np.empty(n, dtype=np.int32)
    n_groups = 0
    for row in range(n):
        begin, end = offsets[row], offsets[row + 1]
        slot = _hash_piece(text, begin, end, strata[row]) & mask
        found = -1
        while table[slot] >= 0:
            known = table[slot]
            if (
                strata[known] == strata[row]
                and offsets[known + 1] - offsets[known] == end - begin
                and _same(text, offsets[known], begin, end - begin)
            ):
                found = groups[known]
                break
            slot = (slot + np.uint64(1)) & mask
        if found < 0:
            table[slot] = row
            found = n_groups
            n_groups += 1
        groups[row] = found
    return groups, n_groups


@njit(cache=True, nogil=True)
def merge_lists(
    order: Int64s, groups: Int32s, n_groups: int, offsets: Int64s, values: Int64s, cap: int
) -> tuple[Int64s, Int64s]:
    """Return for each group the `cap` smallest distinct values of its rows' lists: offsets int64 and values int64.

    Args:
        order: int64 [n], rows so that those of a group follow each other, groups ascending.
        groups: int32 [n], by row.
        n_groups: how many there are.
        offsets: int64 [n + 1] of the rows' lists, each ascending.
        values: int64.
        cap: most values kept.
    """
    out_offsets = np.zeros(n_groups + 1, dtype=np.int64)
    out = np.empty(len(values), dtype=np.int64)
    merged, spare = np.empty(cap, dtype=np.int64), np.empty(cap, dtype=np.int64)
    at, place = 0, 0
    for group in range(n_groups):
        n = 0
        while place < len(order) and groups[order[place]] == group:
            row = order[place]
            i, j, k = 0, offsets[row], 0
            while k < cap and (i < n or j < offsets[row + 1]):
                if i < n and (j == offsets[row + 1] or merged[i] <= values[j]):
                    if j < offsets[row + 1] and merged[i] == values[j]:
                        j += 1
                    spare[k] = merged[i]
                    i += 1
                else:
                    spare[k] = values[j]
                    j += 1
                k += 1
            merged, spare, n = spare, merged, k
            place += 1
        out[at : at + n] = merged[:n]
        at += n
        out_offsets[group + 1] = at
    return out_offsets, out[:at]


@njit(cache=True, nogil=True)
def bins_of_pieces(data: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64], bins: int) -> npt.NDArray[np.int64]:
    """Return a bin for each piece: FNV-1a of its bytes, finished by a multiplication."""
    found = np.empty(len(offsets) - 1, dtype=np.int64)
    for row in range(len(found)):
        value = np.uint64(0xCBF29CE484222325)
        for at in range(offsets[row], offsets[row + 1]):
            value = (value ^ np.uint64(data[at])) * np.uint64(0x100000001B3)
        value = (value ^ (value >> np.uint64(32))) * np.uint64(0x9E3779B97F4A7C15)
        found[row] = np.int64((value >> np.uint64(32)) % np.uint64(bins))
    return found
