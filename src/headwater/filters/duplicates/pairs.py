"""Pairs, components and winners among near-duplicates: the kernels between the shuffles of the deduplicate and decide steps.

Two samples are near-duplicates if their signatures agree on 84 of 112 values or more (0.75); a shared band only makes a pair worth comparing.
Results are exact: equal to comparing every pair. Small groups compare pairs that are not yet united. In groups above 64 rows, since
two rows of a pair differ in at most 28 values, cutting the values on which the group is not unanimous into 29 chunks leaves at least one
chunk on which a pair agrees: only rows that share a chunk are compared. A group of n copies then costs O(n log n); one of n rows
that share chunks and yet are not duplicates costs O(n²) comparisons of about 10 ns.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from headwater.errors import UsageError
from headwater.filters.duplicates.agreement import (
    MIN_AGREEMENT,
    Ints,
    Signatures,
    check_rows,
    chunk_key,
    chunks,
    equal_values,
)
from headwater.filters.duplicates.minhash import N_PERMUTATIONS
from headwater.filters.duplicates.shingles import finish64

__all__ = [
    "components",
    "connect_bucket",
    "elect_winners",
]

_Hashes = npt.NDArray[np.uint64]
_Flags = npt.NDArray[np.bool_]

_SMALL_GROUP = 64


def connect_bucket(
    signatures: Signatures, known: Ints, offsets: Ints, min_agreement: int = MIN_AGREEMENT
) -> tuple[Ints, Ints]:
    """Edges that connect, in each bucket, exactly what comparing all its pairs would connect.

    Args:
        signatures: uint32 [n, 112], rows grouped by bucket: bucket b is the rows offsets[b] to offsets[b + 1].
        known: int64 [n], the component that a row belongs to already, -1 for a new row. Rows with the same label count as
            connected; two rows that both have a label are never compared.
        offsets: int64 [buckets + 1].
        min_agreement: equal values that make a pair.

    Returns:
        Two int64 arrays of row numbers, an edge (i, j) each. Beside the labels they are a spanning forest: as few edges as
        possible. Which of several possible edges is chosen depends on the order of the rows, the components do not.

    Memory: 60 bytes a row besides the signatures.
    """
    _check_offsets(offsets, len(signatures))
    if known.shape != (len(signatures),):
        raise UsageError(f"expected known of shape ({len(signatures)},), found {known.shape}")
    left, right = _connect(np.ascontiguousarray(signatures), known, offsets, min_agreement)
    return left, right


def components(edges_a: Ints, edges_b: Ints, n: int) -> Ints:
    """int64 [n]: the smallest member of each node's component, nodes 0 to n − 1; O((edges + n) log n), 8 bytes a node.

    >>> import numpy as np
    >>> components(np.array([4, 3]), np.array([3, 1]), 5).tolist()
    [0, 1, 2, 1, 1]
    """
    check_rows(edges_a, n)
    check_rows(edges_b, n)
    if len(edges_a) != len(edges_b):
        raise UsageError(f"expected as many ends as beginnings of edges, found {len(edges_a)} and {len(edges_b)}")
    return np.asarray(_components(edges_a, edges_b, n))


def elect_winners(
    signatures: Signatures,
    offsets: Ints,
    content_hashes: _Hashes,
    normalized_hashes: _Hashes,
    short: _Flags,
    min_agreement: int = MIN_AGREEMENT,
) -> tuple[Ints, npt.NDArray[np.float32]]:
    """Which rows of each cluster go, and in favour of which: a row goes if an earlier kept row of its cluster is its duplicate.

    Args:
        signatures: uint32 [n, 112], grouped by cluster, best row first.
        offsets: int64 [clusters + 1].
        content_hashes: uint64 [n, 2]; equal content is a duplicate of similarity 1.0, whatever its signature.
        normalized_hashes: uint64 [n, 2], zeros where the normalised text is empty; equal ones have equal signatures, and only they are of
            similarity 1.0: where nothing but numbers or the order of shingles differs it is 111 of 112.
        short: bool [n], fewer than 20 shingles: a duplicate only of a short row with the same normalised hash, of similarity 1.0.
        min_agreement: equal values that make two rows that are not short duplicates.

    Returns:
        winner int64 [n]: the first kept row that a row duplicates, -1 for a kept row; similarity float32 [n]: to the winner, 1.0 for a kept row.

    A row that is near a loser only is kept: chains do not swallow a family. Clusters up to 64 rows compare with every kept
    row, larger ones with the kept rows that share one of 29 chunks of the signature (any pair of duplicates does). Memory: 600 bytes
    a row of the largest cluster at most.
    """
    n = len(signatures)
    _check_offsets(offsets, n)
    for name, keys in (("content_hashes", content_hashes), ("normalized_hashes", normalized_hashes)):
        if keys.shape != (n, 2):
            raise UsageError(f"expected {name} of shape ({n}, 2), found {keys.shape}")
    if short.shape != (n,):
        raise UsageError(f"expected short of shape ({n},), found {short.shape}")
    winner, similarity = _elect(
        np.ascontiguousarray(signatures), offsets, content_hashes, normalized_hashes, short, min_agreement
    )
    return winner, similarity


def _check_offsets(offsets: Ints, n: int) -> None:
    if len(offsets) == 0 or offsets[0] != 0 or offsets[-1] != n or np.any(np.diff(offsets) < 0):
        raise UsageError(f"expected offsets that rise from 0 to the {n} rows, found {len(offsets)} of another kind")


@njit(cache=True, nogil=True)
def _find(parents: Ints, node: int) -> int:
    while parents[node] != node:
        parents[node] = parents[parents[node]]
        node = parents[node]
    return node


@njit(cache=True, nogil=True)
def _unite(parents: Ints, a: int, b: int) -> bool:
    """Unites two components under their smallest member; whether they were two."""
    a = _find(parents, a)
    b = _find(parents, b)
    if a == b:
        return False
    parents[max(a, b)] = min(a, b)
    return True


@njit(cache=True, nogil=True)
def _components(edges_a: Ints, edges_b: Ints, n: int) -> Ints:
    parents = np.arange(n)
    for k in range(edges_a.size):
        _unite(parents, edges_a[k], edges_b[k])
    # A parent is never larger than its child, so one pass upwards finds every root.
    for node in range(n):
        parents[node] = parents[parents[node]]
    return parents


@njit(cache=True, nogil=True)
def _connect(signatures: Signatures, known: Ints, offsets: Ints, min_agreement: int) -> tuple[Ints, Ints]:
    n = known.size
    parents = np.arange(n)
    edges = np.empty((2, n), np.int64)
    n_edges = 0
    lists = np.full((4, n), -1, np.int64)
    for bucket in range(offsets.size - 1):
        begin, end = offsets[bucket], offsets[bucket + 1]
        if end - begin < 2:
            continue
        # Rows with labels come first, so that each new row meets all of them and no two of them meet.
        order = np.argsort(-known[begin:end], kind="mergesort") + begin
        for k in range(1, order.size):
            if known[order[k]] >= 0 and known[order[k]] == known[order[k - 1]]:
                _unite(parents, order[k - 1], order[k])
        if known[order[-1]] >= 0:
            continue
        if order.size <= _SMALL_GROUP:
            n_edges = _connect_group(order, signatures, known, parents, min_agreement, edges, n_edges, lists)
            continue
        columns, bounds = chunks(signatures, begin, end, min_agreement)
        for chunk in range(bounds.size - 1):
            keys = np.empty(order.size, np.uint64)
            for k in range(order.size):
                keys[k] = chunk_key(signatures[order[k]], columns, bounds, chunk)
            by_key = np.argsort(keys, kind="mergesort")  # stable: rows with labels stay first
            first = 0
            for k in range(1, order.size + 1):
                if k < order.size and keys[by_key[k]] == keys[by_key[first]]:
                    continue
                if k - first > 1:
                    group = order[by_key[first:k]]
                    n_edges = _connect_group(group, signatures, known, parents, min_agreement, edges, n_edges, lists)
                first = k
    return edges[0, :n_edges].copy(), edges[1, :n_edges].copy()


@njit(cache=True, nogil=True)
def _connect_group(
    rows: Ints,
    signatures: Signatures,
    known: Ints,
    parents: Ints,
    min_agreement: int,
    edges: Ints,
    n_edges: int,
    lists: Ints,
) -> int:
    """Unites all matching pairs of `rows` (those with labels first) that are not united yet; returns the number of edges so far.

    Each component is a linked list of its rows, so that a row passes over its own in one step. `lists` is memory, int64 [4, n]: the first and the
    last row of each component, the row behind each row, and the component of each root, which is -1 before and after.
    """
    heads, tails, following, component_of = lists[0], lists[1], lists[2], lists[3]
    n_components = 0
    for row in rows:
        root = _find(parents, row)
        own = component_of[root]
        if known[row] < 0:
            k = 0
            while k < n_components:
                if k == own:
                    k += 1
                    continue
                member = heads[k]
                while member >= 0 and equal_values(signatures, row, member) < min_agreement:
                    member = following[member]
                if member < 0:
                    k += 1
                    continue
                edges[0, n_edges] = member
                edges[1, n_edges] = row
                n_edges += 1
                component_of[_find(parents, heads[k])] = -1
                if own >= 0:
                    component_of[root] = -1
                _unite(parents, row, member)
                root = _find(parents, row)
                if own < 0:
                    own = k
                    k += 1
                else:
                    # Component k joins the row's own; the last one takes its place.
                    following[tails[own]] = heads[k]
                    tails[own] = tails[k]
                    n_components -= 1
                    if k < n_components:
                        heads[k] = heads[n_components]
                        tails[k] = tails[n_components]
                        if own == n_components:
                            own = k
                        else:
                            component_of[_find(parents, heads[k])] = k
                component_of[root] = own
        following[row] = -1
        if own < 0:
            heads[n_components] = row
            tails[n_components] = row
            component_of[root] = n_components
            n_components += 1
        else:
            following[tails[own]] = row
            tails[own] = row
    for k in range(n_components):
        component_of[_find(parents, heads[k])] = -1
    return n_edges


@njit(cache=True, nogil=True)
def _elect(
    signatures: Signatures,
    offsets: Ints,
    content_hashes: _Hashes,
    normalized_hashes: _Hashes,
    short: _Flags,
    min_agreement: int,
) -> tuple[Ints, npt.NDArray[np.float32]]:
    n = short.size
    winner = np.full(n, -1, np.int64)
    similarity = np.ones(n, np.float32)
    kept = np.empty(n, np.int64)
    for cluster in range(offsets.size - 1):
        begin, end = offsets[cluster], offsets[cluster + 1]
        if end - begin > _SMALL_GROUP:
            _elect_large(
                begin, end, signatures, content_hashes, normalized_hashes, short, min_agreement, winner, similarity
            )
            continue
        n_kept = 0
        for row in range(begin, end):
            for k in range(n_kept):
                count = _match(row, kept[k], signatures, content_hashes, normalized_hashes, short)
                if count >= min_agreement:
                    winner[row] = kept[k]
                    similarity[row] = np.float32(count / N_PERMUTATIONS)
                    break
            if winner[row] < 0:
                kept[n_kept] = row
                n_kept += 1
    return winner, similarity


@njit(cache=True, nogil=True)
def _match(
    row: int, other: int, signatures: Signatures, content_hashes: _Hashes, normalized_hashes: _Hashes, short: _Flags
) -> int:
    """Equal values of two rows as `elect_winners` counts them: 112 for equal content or normalised text, and for nothing else."""
    if content_hashes[row, 0] == content_hashes[other, 0] and content_hashes[row, 1] == content_hashes[other, 1]:
        return N_PERMUTATIONS
    same = (
        normalized_hashes[row, 0] == normalized_hashes[other, 0]
        and normalized_hashes[row, 1] == normalized_hashes[other, 1]
        and (normalized_hashes[row, 0] != 0 or normalized_hashes[row, 1] != 0)
    )
    if short[row] or short[other]:
        return N_PERMUTATIONS if same and short[row] and short[other] else 0
    count = equal_values(signatures, row, other)
    return count if same else min(count, N_PERMUTATIONS - 1)


@njit(cache=True, nogil=True)
def _elect_large(
    begin: int,
    end: int,
    signatures: Signatures,
    content_hashes: _Hashes,
    normalized_hashes: _Hashes,
    short: _Flags,
    min_agreement: int,
    winner: Ints,
    similarity: npt.NDArray[np.float32],
) -> None:
    """As the loop of `_elect`, the kept rows indexed by content, normalised text and chunks; every index list is in the order of the rows."""
    size = end - begin
    columns, bounds = chunks(signatures, begin, end, min_agreement)
    n_chunks = bounds.size - 1
    n_keys = n_chunks + 1
    n_slots = 64
    while n_slots < size:
        n_slots *= 2
    # A chained hash table for each key: the first and last kept row of a slot, and the row behind each row.
    heads = np.full((n_keys, n_slots), -1, np.int32)
    tails = np.full((n_keys, n_slots), -1, np.int32)
    following = np.full((n_keys, size), -1, np.int32)
    slots = np.empty(n_keys, np.int64)
    mask = np.uint64(n_slots - 1)
    for row in range(begin, end):
        # Key 0 finds equal content, the others duplicates: one key for a short row, a key for each chunk for the rest.
        slots[0] = np.int64(finish64(content_hashes[row, 0] ^ finish64(content_hashes[row, 1])) & mask)
        n_used = n_keys
        if short[row]:
            n_used = 2
            slots[1] = np.int64(finish64(normalized_hashes[row, 0] ^ finish64(normalized_hashes[row, 1])) & mask)
        else:
            for chunk in range(n_chunks):
                slots[chunk + 1] = np.int64(chunk_key(signatures[row], columns, bounds, chunk) & mask)
        best = end
        best_count = 0
        for key in range(n_used):
            other = heads[key, slots[key]]
            while other >= 0 and begin + other < best:
                count = _match(row, begin + other, signatures, content_hashes, normalized_hashes, short)
                if count >= min_agreement:
                    best = begin + other
                    best_count = count
                other = following[key, other]
        if best < end:
            winner[row] = best
            similarity[row] = np.float32(best_count / N_PERMUTATIONS)
            continue
        for key in range(n_used):
            slot = slots[key]
            if heads[key, slot] < 0:
                heads[key, slot] = row - begin
            else:
                following[key, tails[key, slot]] = row - begin
            tails[key, slot] = row - begin
