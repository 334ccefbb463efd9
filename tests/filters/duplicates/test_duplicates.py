"""Components and winners of near-duplicates against comparing every pair."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.errors import UsageError
from headwater.filters.duplicates.agreement import MIN_AGREEMENT, signature_matrix
from headwater.filters.duplicates.pairs import components, connect_bucket, elect_winners

Signatures = npt.NDArray[np.uint32]
SEEDS = st.integers(0, 2**32 - 1)


def families(generator: np.random.Generator, n: int, n_families: int, most_changes: int) -> Signatures:
    """Signatures around a few centres, each with up to `most_changes` of its 112 values drawn anew, in random order."""
    centres = generator.integers(0, 1 << 32, (n_families, 112), dtype=np.uint32)
    signatures = centres[generator.integers(0, n_families, n)].copy()
    for row in range(n):
        changed = generator.choice(112, generator.integers(0, most_changes + 1), replace=False)
        signatures[row, changed] = generator.integers(0, 3, changed.size, dtype=np.uint32)
    return signatures


def agreements(signatures: Signatures) -> npt.NDArray[np.int64]:
    """Equal values of every pair of rows; 0 with an empty one."""
    counts: npt.NDArray[np.int64] = (signatures[:, None, :] == signatures[None, :, :]).sum(axis=2)
    empty = (signatures == 0xFFFFFFFF).all(axis=1)
    counts[empty] = 0
    counts[:, empty] = 0
    return counts


def reference_components(edges: list[tuple[int, int]], n: int) -> list[int]:
    """Labels lowered along the edges until nothing changes."""
    labels = list(range(n))
    changed = True
    while changed:
        changed = False
        for a, b in edges:
            least = min(labels[a], labels[b])
            changed |= labels[a] != least or labels[b] != least
            labels[a] = labels[b] = least
    return labels


def label_edges(known: npt.NDArray[np.int64], offsets: npt.NDArray[np.int64]) -> list[tuple[int, int]]:
    """An edge for each two rows of one bucket with the same label."""
    return [
        (i, j)
        for begin, end in pairwise(offsets.tolist())
        for i in range(begin, end)
        for j in range(begin, i)
        if known[i] == known[j] >= 0
    ]


def check_connect(signatures: Signatures, known: npt.NDArray[np.int64], offsets: npt.NDArray[np.int64]) -> int:
    """Compares with brute force; returns the number of edges."""
    n = len(signatures)
    left, right = connect_bucket(signatures, known, offsets)
    counts = agreements(signatures)
    labels = label_edges(known, offsets)
    every = [
        (i, j)
        for begin, end in pairwise(offsets.tolist())
        for i in range(begin, end)
        for j in range(begin, i)
        if counts[i, j] >= MIN_AGREEMENT and not (known[i] >= 0 and known[j] >= 0)
    ]
    edges = list(zip(left.tolist(), right.tolist(), strict=True))
    normal = {(max(edge), min(edge)) for edge in edges}
    assert normal <= set(every)
    assert reference_components(labels + edges, n) == reference_components(labels + every, n)
    # A forest: each edge lowers the number of components by one.
    assert len(set(reference_components(labels, n))) - len(edges) == len(set(reference_components(labels + edges, n)))
    return len(edges)


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(0, 40), st.integers(1, 6), st.sampled_from([0, 14, 20, 28, 40]), st.booleans())
def test_connect_equals_brute_force(seed: int, n: int, n_families: int, changes: int, with_known: bool) -> None:
    """Small buckets give exactly the components of all matching pairs united with the known labels, in the fewest edges."""
    generator = np.random.default_rng(seed)
    signatures = families(generator, n, n_families, changes)
    known = generator.integers(-1, 4, n) if with_known else np.full(n, -1)
    cuts = np.sort(generator.integers(0, n + 1, 3)) if n else np.zeros(3, np.int64)
    check_connect(signatures, known, np.array([0, *cuts, n], np.int64))


@settings(max_examples=12, deadline=None)
@given(SEEDS, st.integers(65, 130), st.integers(1, 12), st.sampled_from([0, 1, 14, 17, 28, 40]), st.booleans())
def test_connect_large_bucket_equals_brute_force(
    seed: int, n: int, n_families: int, changes: int, with_known: bool
) -> None:
    """Buckets that are compared by chunks give the same components, among them those whose rows are nearly all equal."""
    generator = np.random.default_rng(seed)
    signatures = families(generator, n, n_families, changes)
    signatures[:, 8:16] = 7  # the band that brought them together
    known = generator.integers(-1, 9, n) if with_known else np.full(n, -1)
    check_connect(signatures, known, np.array([0, n], np.int64))


def test_pair_at_the_limit() -> None:
    """84 equal values are a pair, 83 are not, in small and in large buckets."""
    base = np.arange(112, dtype=np.uint32)
    for size in (2, 70):
        for equal, edges in ((85, 1), (84, 1), (83, 0)):
            signatures = np.arange(112 * size, dtype=np.uint32).reshape(size, 112) + np.uint32(1000)
            signatures[0] = base
            signatures[1] = base
            signatures[1, equal:] += np.uint32(500)
            assert check_connect(signatures, np.full(size, -1), np.array([0, size])) == edges


def test_chain_of_pairs_is_one_component() -> None:
    """Neighbours that match connect rows that do not match each other."""
    rows = 100
    signatures = np.zeros((rows, 112), np.uint32)
    for row in range(1, rows):
        signatures[row] = signatures[row - 1]
        signatures[row, [(row * 20 + k) % 112 for k in range(20)]] = row
    assert check_connect(signatures, np.full(rows, -1), np.array([0, rows])) == rows - 1


def test_known_rows_are_never_compared() -> None:
    """Two rows with labels stay apart even when equal, unless a new row joins them."""
    signatures = np.zeros((3, 112), np.uint32)
    offsets = np.array([0, 3])
    left, _ = connect_bucket(signatures[:2], np.array([5, 6]), np.array([0, 2]))
    assert left.size == 0
    assert check_connect(signatures, np.array([5, 6, -1]), offsets) == 2
    assert check_connect(signatures, np.array([5, 5, -1]), offsets) == 1


def test_empty_signatures_match_nothing() -> None:
    """Rows with all bits set are no pair, neither with each other nor with others."""
    signatures = np.full((3, 112), 0xFFFFFFFF, np.uint32)
    left, _ = connect_bucket(signatures, np.full(3, -1), np.array([0, 3]))
    assert left.size == 0


def test_order_does_not_change_components() -> None:
    """The same rows in another order fall into the same components."""
    generator = np.random.default_rng(3)
    signatures = families(generator, 300, 9, 20)
    order = generator.permutation(300)
    partitions = []
    for rows in (np.arange(300), order):
        left, right = connect_bucket(signatures[rows], np.full(300, -1), np.array([0, 300]))
        labels = components(rows[left], rows[right], 300)
        partitions.append(labels.tolist())
    assert partitions[0] == partitions[1]


def test_large_bucket_of_copies_is_fast() -> None:
    """100,000 rows around one centre: comparing all pairs would take a minute, following the components takes seconds."""
    generator = np.random.default_rng(4)
    signatures = np.tile(generator.integers(0, 1 << 32, 112, dtype=np.uint32), (100_000, 1))
    signatures[:, 60] = np.arange(100_000)
    left, right = connect_bucket(signatures, np.full(100_000, -1), np.array([0, 100_000]))
    assert left.size == 99_999
    assert components(left, right, 100_000).max() == 0


@settings(deadline=None)
@given(
    st.integers(1, 30).flatmap(
        lambda n: st.tuples(st.just(n), st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1))))
    )
)
def test_components_equal_reference(graph: tuple[int, list[tuple[int, int]]]) -> None:
    """Every node gets the smallest member of its component."""
    n, edges = graph
    ends = np.array(edges, np.int64).reshape(-1, 2)
    assert components(ends[:, 0], ends[:, 1], n).tolist() == reference_components(edges, n)


def test_components_of_a_long_chain() -> None:
    """A chain in the worst order ends, and no nodes give no labels."""
    n = 200_000
    assert components(np.arange(n - 1)[::-1].copy(), np.arange(1, n)[::-1].copy(), n).max() == 0
    assert components(np.arange(n - 1), np.arange(1, n), n).max() == 0
    assert components(np.zeros(0, np.int64), np.zeros(0, np.int64), 0).size == 0


def reference_elect(
    signatures: Signatures,
    offsets: npt.NDArray[np.int64],
    content: npt.NDArray[np.uint64],
    normalized: npt.NDArray[np.uint64],
    short: npt.NDArray[np.bool_],
) -> tuple[list[int], list[float]]:
    """The rules of `elect_winners`, row by row."""
    counts = agreements(signatures)
    winners: list[int] = []
    similarities: list[float] = []
    for begin, end in pairwise(offsets.tolist()):
        for row in range(begin, end):
            winner, similarity = -1, 1.0
            for other in range(begin, row):
                if winners[other] >= 0:
                    continue
                if (content[row] == content[other]).all():
                    found = 1.0
                elif short[row] or short[other]:
                    same = (normalized[row] == normalized[other]).all() and normalized[row].any()
                    found = 1.0 if same and short[row] and short[other] else 0.0
                else:
                    same = (normalized[row] == normalized[other]).all() and normalized[row].any()
                    found = float(np.float32((counts[row, other] if same else min(counts[row, other], 111)) / 112))
                if found >= 0.75:
                    winner, similarity = other, found
                    break
            winners.append(winner)
            similarities.append(similarity)
    return winners, similarities


@settings(max_examples=60, deadline=None)
@given(
    SEEDS,
    st.one_of(st.integers(0, 30), st.integers(66, 140)),
    st.integers(1, 10),
    st.sampled_from([0, 10, 16, 20, 28, 40]),
)
def test_elect_equals_reference(seed: int, n: int, n_families: int, changes: int) -> None:
    """Winners and similarities equal the plain greedy loop, with copies, short and empty rows among them, in small and large clusters."""
    generator = np.random.default_rng(seed)
    signatures = families(generator, n, n_families, changes)
    short = generator.random(n) < 0.2
    content = generator.integers(0, max(1, 2 * n), (n, 2)).astype(np.uint64)
    content[:, 0] = content[:, 1] // 3
    normalized = np.stack([np.arange(n), np.arange(n)], axis=1).astype(np.uint64)
    normalized[short] = generator.integers(0, 3, (int(short.sum()), 1))
    for row in range(1, n, 7):  # equal normalised text has an equal signature
        normalized[row], signatures[row], short[row] = normalized[row - 1], signatures[row - 1], short[row - 1]
    signatures[generator.random(n) < 0.05] = 0xFFFFFFFF
    offsets = np.array([0, min(n, 3), n], np.int64)
    winner, similarity = elect_winners(signatures, offsets, content, normalized, short)
    expected = reference_elect(signatures, offsets, content, normalized, short)
    assert winner.tolist() == expected[0]
    assert similarity.tolist() == expected[1]


def test_elect_keeps_the_far_end_of_a_chain() -> None:
    """A row that resembles only a loser is kept; a row names the first kept row that it resembles."""
    a = np.arange(112, dtype=np.uint32)
    b = a.copy()
    b[:28] += np.uint32(1000)
    c = b.copy()
    c[28:40] += np.uint32(1000)
    keys = np.arange(6, dtype=np.uint64).reshape(3, 2)
    winner, similarity = elect_winners(np.stack([a, b, c]), np.array([0, 3]), keys, keys, np.zeros(3, bool))
    assert winner.tolist() == [-1, 0, -1]
    assert similarity.tolist() == [1.0, 0.75, 1.0]


@pytest.mark.parametrize("n", [2, 70])
def test_only_equal_normalised_text_is_of_similarity_one(n: int) -> None:
    """Equal signatures of texts that differ, in their numbers say, count as 111 of 112: at 1.0 all of them stay, in small and large clusters."""
    signatures = np.tile(np.arange(112, dtype=np.uint32), (n, 1))
    keys = np.arange(2, 2 * n + 2, dtype=np.uint64).reshape(n, 2)
    winner, similarity = elect_winners(signatures, np.array([0, n]), keys, keys, np.zeros(n, bool))
    assert winner.tolist() == [-1] + [0] * (n - 1)
    assert set(similarity[1:].tolist()) == {float(np.float32(111 / 112))}
    winner, _ = elect_winners(signatures, np.array([0, n]), keys, keys, np.zeros(n, bool), 112)
    assert winner.tolist() == [-1] * n
    winner, similarity = elect_winners(signatures, np.array([0, n]), keys, keys // 1000 + 1, np.zeros(n, bool), 112)
    assert winner.tolist() == [-1] + [0] * (n - 1)
    assert set(similarity.tolist()) == {1.0}


def test_elect_short_and_empty_rows() -> None:
    """Short rows match by normalised text alone, empty normalised text matches nothing, equal content always matches."""
    signatures = np.zeros((5, 112), np.uint32)
    signatures[3:] = 0xFFFFFFFF
    content = np.array([[1, 1], [2, 2], [3, 3], [4, 4], [4, 4]], np.uint64)
    normalized = np.array([[9, 9], [8, 8], [9, 9], [0, 0], [0, 0]], np.uint64)
    winner, similarity = elect_winners(signatures, np.array([0, 5]), content, normalized, np.ones(5, bool))
    assert winner.tolist() == [-1, -1, 0, -1, 3]
    assert similarity.tolist() == [1.0] * 5
    content[4] = 5
    winner, _ = elect_winners(signatures, np.array([0, 5]), content, normalized, np.ones(5, bool))
    assert winner.tolist() == [-1, -1, 0, -1, -1]


def test_signature_matrix_reads_columns() -> None:
    """Signatures, empty bytes, nulls, slices and chunks become rows; other sizes are an error that says what to do."""
    row = np.arange(112, dtype="<u4")
    column = pa.array([b"", row.tobytes(), None, (row + 1).tobytes()], pa.binary())
    empty = [0xFFFFFFFF] * 112
    expected = [empty, row.tolist(), empty, (row + 1).tolist()]
    assert signature_matrix(column).tolist() == expected
    assert signature_matrix(column.slice(1, 2)).tolist() == expected[1:3]
    assert signature_matrix(pa.chunked_array([column, column.slice(2)])).tolist() == expected + expected[2:]
    assert signature_matrix(pa.chunked_array([], pa.binary())).shape == (0, 112)
    assert signature_matrix(column.slice(4)).shape == (0, 112)
    with pytest.raises(UsageError, match="found one of 3 bytes"):
        signature_matrix(pa.array([b"abc"]))


def test_wrong_shapes_are_named() -> None:
    """Offsets, keys, labels and edges that do not fit are errors, not reads behind an array."""
    signatures = np.zeros((2, 112), np.uint32)
    keys = np.zeros((2, 2), np.uint64)
    with pytest.raises(UsageError, match="expected offsets"):
        connect_bucket(signatures, np.full(2, -1), np.array([0, 3]))
    with pytest.raises(UsageError, match="expected known"):
        connect_bucket(signatures, np.full(1, -1), np.array([0, 2]))
    with pytest.raises(UsageError, match="expected content_hashes"):
        elect_winners(signatures, np.array([0, 2]), keys[:1], keys, np.zeros(2, bool))
    with pytest.raises(UsageError, match="expected short"):
        elect_winners(signatures, np.array([0, 2]), keys, keys, np.zeros(1, bool))
    with pytest.raises(UsageError, match="as many ends"):
        components(np.array([0, 1]), np.array([0]), 2)
