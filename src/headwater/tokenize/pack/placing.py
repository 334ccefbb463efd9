"""Kernels that decide where documents go in sequences, and that copy their tokens there. No randomness; ties go by position."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from headwater.arrays import Int64s, UInt32s

__all__ = ["Placed", "copy_tokens", "fill_sequences", "place_best_fit", "place_concatenated", "place_first_fit"]


class Placed(NamedTuple):
    """Pieces of documents and where they go, int64 [n_pieces] each.

    Attributes:
        document: which document.
        sequence: which sequence.
        begin: first token in the sequence.
        length: tokens, with the document's beginning and end of text where the piece holds them.
        document_begin: first token of the piece in the document, counted with its beginning of text.
        n_sequences: how many sequences there are.
    """

    document: Int64s
    sequence: Int64s
    begin: Int64s
    length: Int64s
    document_begin: Int64s
    n_sequences: int


@njit(cache=True, nogil=True)
def place_concatenated(lengths: Int64s, groups: Int64s, context: int) -> Placed:
    """Return pieces of documents laid end to end; a document whose copy is in the open sequence starts the next one.

    Args:
        lengths: int64 [n], tokens of each document with its beginning and end of text.
        groups: int64 [n], dense from 0.
        context: tokens a sequence.

    >>> placed = place_concatenated(np.array([3, 9, 4]), np.array([0, 1, 2]), 8)
    >>> placed.document.tolist(), placed.sequence.tolist(), placed.begin.tolist()
    ([0, 1, 1, 2], [0, 0, 1, 1], [0, 3, 0, 4])
    """
    n = len(lengths)
    bound = 2 * n + lengths.sum() // context + 2
    document = np.empty(bound, dtype=np.int64)
    sequence = np.empty(bound, dtype=np.int64)
    begin = np.empty(bound, dtype=np.int64)
    length = np.empty(bound, dtype=np.int64)
    document_begin = np.empty(bound, dtype=np.int64)
    last_sequence = np.full(n, -1, dtype=np.int64)  # of each group
    pieces, current, used = 0, 0, 0
    for d in range(n):
        if lengths[d] == 0:
            continue  # an empty document without beginning and end of text is nowhere, and breaks no sequence
        if used > 0 and last_sequence[groups[d]] == current:
            current += 1
            used = 0
        done = 0
        while done < lengths[d]:
            if used == context:
                current += 1
                used = 0
            take = min(lengths[d] - done, context - used)
            document[pieces], sequence[pieces], begin[pieces] = d, current, used
            length[pieces], document_begin[pieces] = take, done
            pieces += 1
            done += take
            used += take
        last_sequence[groups[d]] = current
    total = current + 1 if used > 0 else 0
    return Placed(
        document[:pieces].copy(),
        sequence[:pieces].copy(),
        begin[:pieces].copy(),
        length[:pieces].copy(),
        document_begin[:pieces].copy(),
        total,
    )


def place_best_fit(lengths: Int64s, groups: Int64s, context: int) -> Placed:
    """Return pieces of documents kept whole where they fit; longest first, equal ones by position.

    Args: as for `place_concatenated`. Time: n log(context), and the square of the number of copies within a group.

    >>> placed = place_best_fit(np.array([3, 9, 4]), np.array([0, 1, 2]), 8)
    >>> placed.document.tolist(), placed.sequence.tolist(), placed.begin.tolist()
    ([1, 2, 0, 1], [0, 1, 1, 1], [0, 0, 4, 7])
    """
    items = np.flatnonzero(lengths % context).astype(np.int64)
    items = items[np.argsort(-(lengths % context)[items], kind="stable")]
    return _place_rests(lengths, items, context, _best_fit((lengths % context)[items], groups[items], context))


def place_first_fit(lengths: Int64s, groups: Int64s, context: int) -> Placed:
    """Return pieces of documents kept whole where they fit, in their order, each in the first sequence that has room.

    Args: as for `place_concatenated`. Time: n log(n), and the square of the number of copies within a group.

    >>> placed = place_first_fit(np.array([3, 9, 4]), np.array([0, 1, 2]), 8)
    >>> placed.document.tolist(), placed.sequence.tolist(), placed.begin.tolist()
    ([1, 0, 1, 2], [0, 1, 1, 1], [0, 0, 3, 4])
    """
    items = np.flatnonzero(lengths % context).astype(np.int64)
    return _place_rests(lengths, items, context, _first_fit((lengths % context)[items], groups[items], context))


def _place_rests(
    lengths: Int64s,
    items: Int64s,
    context: int,
    placed: tuple[Int64s, Int64s, int],
) -> Placed:
    """Return the pieces that fill sequences, then the rests of the documents `items`, placed at (sequence, begin) behind them."""
    sequence, begin, opened = placed
    whole = lengths // context
    rest = lengths % context
    n_whole = int(whole.sum())
    cut = np.repeat(np.arange(len(lengths), dtype=np.int64), whole)  # document of each piece that fills a sequence
    part = np.arange(n_whole, dtype=np.int64) - np.repeat(np.cumsum(whole) - whole, whole)
    return Placed(
        np.concatenate([cut, items]),
        np.concatenate([np.arange(n_whole, dtype=np.int64), sequence + n_whole]),
        np.concatenate([np.zeros(n_whole, dtype=np.int64), begin]),
        np.concatenate([np.full(n_whole, context, dtype=np.int64), rest[items]]),
        np.concatenate([part * context, (lengths - rest)[items]]),
        n_whole + opened,
    )


@njit(cache=True, nogil=True)
def _best_fit(sizes: Int64s, groups: Int64s, context: int) -> tuple[Int64s, Int64s, int]:
    """Return sequence and begin of each item, and how many sequences were opened.

    Open sequences wait in one queue for each number of free tokens; a tree over those numbers finds the smallest that is
    large enough and not empty. Of two equally good sequences the one that has waited longer is taken.
    """
    n = len(sizes)
    leaves = 1
    while leaves < context + 1:
        leaves *= 2
    waiting = np.zeros(2 * leaves, dtype=np.int64)  # sequences below each node of the tree
    first = np.full(context + 1, -1, dtype=np.int64)
    last = np.full(context + 1, -1, dtype=np.int64)
    following = np.full(n, -1, dtype=np.int64)  # of a sequence in its queue
    free = np.empty(n, dtype=np.int64)  # of a sequence
    sequence = np.empty(n, dtype=np.int64)
    begin = np.empty(n, dtype=np.int64)
    newest = np.full(groups.max() + 1 if n else 0, -1, dtype=np.int64)  # item placed last of each group
    earlier = np.full(n, -1, dtype=np.int64)  # item placed before it of the same group
    opened = 0
    for item in range(n):
        size, group = sizes[item], groups[item]
        found, before, room = -1, -1, size
        while found < 0:
            room = _next_waiting(waiting, leaves, room)
            if room > context:
                break
            before, candidate = -1, first[room]
            while candidate >= 0:
                copy = newest[group]
                while copy >= 0 and sequence[copy] != candidate:
                    copy = earlier[copy]
                if copy < 0:
                    found = candidate
                    break
                before, candidate = candidate, following[candidate]
            if found < 0:
                room += 1
        if found < 0:
            found = opened
            opened += 1
            free[found] = context
        else:
            if before < 0:
                first[room] = following[found]
            else:
                following[before] = following[found]
            if last[room] == found:
                last[room] = before
            _count_waiting(waiting, leaves, room, -1)
        sequence[item] = found
        begin[item] = context - free[found]
        earlier[item] = newest[group]
        newest[group] = item
        free[found] -= size
        room = free[found]
        if room > 0:
            following[found] = -1
            if first[room] < 0:
                first[room] = found
            else:
                following[last[room]] = found
            last[room] = found
            _count_waiting(waiting, leaves, room, 1)
    return sequence, begin, opened


@njit(cache=True, nogil=True)
def _count_waiting(waiting: Int64s, leaves: int, room: int, change: int) -> None:
    node = leaves + room
    while node > 0:
        waiting[node] += change
        node //= 2


@njit(cache=True, nogil=True)
def _next_waiting(waiting: Int64s, leaves: int, room: int) -> int:
    """Return the smallest number of free tokens, at least `room`, that some sequence has; `leaves` when there is none."""
    if room >= leaves:
        return leaves
    node = leaves + room
    while waiting[node] == 0:
        while node % 2 == 1:  # a right child: nothing further right below its parent
            if node == 1:
                return leaves
            node //= 2
        node += 1
    while node < leaves:
        node *= 2
        if waiting[node] == 0:
            node += 1
    return node - leaves


@njit(cache=True, nogil=True)
def _first_fit(sizes: Int64s, groups: Int64s, context: int) -> tuple[Int64s, Int64s, int]:
    """Return sequence and begin of each item, and how many sequences were opened.

    A tree over the sequences in the order in which they were opened holds the most free tokens below each node; one that is not
    open yet has all of them free, so there is always a first one.
    """
    n = len(sizes)
    leaves = 1
    while leaves < n + 1:
        leaves *= 2
    most = np.full(2 * leaves, context, dtype=np.int64)
    sequence = np.empty(n, dtype=np.int64)
    begin = np.empty(n, dtype=np.int64)
    newest = np.full(groups.max() + 1 if n else 0, -1, dtype=np.int64)  # item placed last of each group
    earlier = np.full(n, -1, dtype=np.int64)  # item placed before it of the same group
    opened = 0
    for item in range(n):
        size, group = sizes[item], groups[item]
        found = -1
        while True:
            found = _next_free(most, leaves, found + 1, size)
            copy = newest[group]
            while copy >= 0 and sequence[copy] != found:
                copy = earlier[copy]
            if copy < 0:
                break
        opened = max(opened, found + 1)
        node = leaves + found
        sequence[item] = found
        begin[item] = context - most[node]
        earlier[item] = newest[group]
        newest[group] = item
        most[node] -= size
        node //= 2
        while node > 0:
            most[node] = max(most[2 * node], most[2 * node + 1])
            node //= 2
    return sequence, begin, opened


@njit(cache=True, nogil=True)
def _next_free(most: Int64s, leaves: int, first: int, size: int) -> int:
    """Return the first sequence from `first` on with `size` free tokens; the caller knows that there is one."""
    node = leaves + first
    while most[node] < size:
        while node % 2 == 1:
            node //= 2
        node += 1
    while node < leaves:
        node *= 2
        if most[node] < size:
            node += 1
    return node - leaves


@njit(cache=True, nogil=True)
def fill_sequences(
    sequences: UInt32s, tokens: UInt32s, offsets: Int64s, placed: Placed, beginning_of_text: int, end_of_text: int
) -> None:
    """Copy the tokens of every piece to its place, with the beginning of text before a document's first and the end after its last.

    Args:
        sequences: uint32 [n_sequences, context], already padded; written.
        tokens: uint32, of all documents.
        offsets: int64 [n + 1] into `tokens`.
        placed: the pieces; here a document's own tokens are numbered from 0, and `document_begin` -1 is its beginning of text.
        beginning_of_text: id, read where a piece begins at -1.
        end_of_text: id, read where a piece goes beyond the document's own tokens.
    """
    document, sequence, begin, length, document_begin, _ = placed
    for piece in range(len(document)):
        d = document[piece]
        row, at, left, first = sequence[piece], begin[piece], length[piece], document_begin[piece]
        if first < 0:
            sequences[row, at] = beginning_of_text
            at += 1
            left -= 1
            first = 0
        source = offsets[d] + first
        own = min(left, offsets[d + 1] - source)
        for i in range(own):
            sequences[row, at + i] = tokens[source + i]
        if own < left:
            sequences[row, at + own] = end_of_text


@njit(cache=True, nogil=True)
def copy_tokens(tokens: UInt32s, begins: Int64s, n_tokens: Int64s, targets: Int64s, out: UInt32s) -> None:
    """Copy the tokens of documents from one array to another.

    Args:
        tokens: uint32.
        begins: int64 [n], first token of each document in `tokens`.
        n_tokens: int64 [n].
        targets: int64 [n], first token of each in `out`.
        out: uint32, written.
    """
    for d in range(len(begins)):
        source, target = begins[d], targets[d]
        for i in range(n_tokens[d]):
            out[target + i] = tokens[source + i]
