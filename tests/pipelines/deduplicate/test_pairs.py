"""Buckets: of bands that several texts share, each set of members once; whole buckets give the same components however they arrive."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from headwater.filters.duplicates.minhash import N_PERMUTATIONS
from headwater.pipelines.deduplicate import pairs as buckets
from headwater.pipelines.deduplicate.components import EDGE
from headwater.pipelines.spark.blocks import Records, gather, route

_NEW = int(buckets._NEW)


def _banded(*rows: tuple[int, int, int]) -> Records:
    """Rows of (band, node, address)."""
    return np.array([(band, node, node, address) for band, node, address in rows], buckets._BANDED)


def _wanted(rows: Records) -> dict[tuple[int, ...], set[int]]:
    """Bucket → addresses asked for, of rows that arrive as one block; all fragments have one reader."""
    blocks = list(buckets._shared(np.array([0], np.int64), route(0, rows, np.zeros(len(rows)))))
    (found,) = gather(blocks, buckets._WANTED)
    asked: dict[tuple[int, ...], set[int]] = {}
    for bucket, address in zip(found["bucket"].tolist(), found["address"].tolist(), strict=True):
        asked.setdefault(tuple(bucket), set()).add(address)
    return asked


def test_bands_of_one_text_or_of_old_texts_go_no_further() -> None:
    """A band alone, a band of copies of one text, a band of texts that were there: nothing new to compare."""
    assert _wanted(_banded((1, 10, _NEW | 5))) == {}
    assert _wanted(_banded((1, 10, _NEW | 5), (1, 10, _NEW | 6))) == {}
    assert _wanted(_banded((1, 10, 5), (1, 11, 6))) == {}
    assert _wanted(_banded()) == {}


def test_of_a_texts_copies_an_old_one_speaks() -> None:
    """The smallest old address, since it knows the cluster; a new one only where there is none."""
    rows = _banded((1, 10, _NEW | 2), (1, 10, 9), (1, 10, 8), (1, 11, _NEW | 4), (1, 11, _NEW | 3))
    assert list(_wanted(rows).values()) == [{8, 3}]


def test_buckets_with_the_same_members_count_once() -> None:
    """Twins share most of their bands; a third text in one of them makes another bucket."""
    twins = [(band, node, _NEW | node) for band in range(5) for node in (10, 11)]
    assert list(_wanted(_banded(*twins)).values()) == [{10, 11}]
    third = _wanted(_banded(*twins, (3, 12, _NEW | 12)))
    assert sorted(map(sorted, third.values())) == [[10, 11], [10, 11, 12]]


def _signed(signatures: npt.NDArray[np.uint32], members: list[tuple[int, int]], new: bool = True) -> Records:
    rows = np.zeros(len(members), buckets._SIGNED)
    for row, (bucket, node) in zip(rows, members, strict=True):
        row["bucket"], row["node"], row["name"] = (bucket, bucket), (node, node), (node, node)
        row["new"], row["signature"] = new, signatures[node]
    return rows


@pytest.mark.parametrize("seed", range(4))
def test_order_of_arrival_changes_no_component(seed: int) -> None:
    """Members of a bucket in any order and in several blocks: the pairs that agree are connected, others are not, nor across buckets."""
    draw = np.random.default_rng(3)
    signatures = draw.integers(1, 1 << 30, (9, N_PERMUTATIONS), dtype=np.uint32)
    for copy, of, differ in ((1, 0, 28), (2, 1, 28), (4, 3, 29), (6, 5, 1), (8, 7, 0)):
        signatures[copy] = signatures[of]
        signatures[copy, copy * 7 : copy * 7 + differ] += 1
    members = [(1, 0), (1, 1), (1, 2), (1, 3), (1, 4), (2, 5), (2, 6), (3, 7), (4, 8)]
    rows = _signed(signatures, members)[np.random.default_rng(seed).permutation(len(members))]
    blocks = [*route(0, rows[:4], np.zeros(4)), *route(0, rows[4:], np.zeros(5))]
    edges = np.frombuffer(b"".join(buckets._connect(84, iter(blocks))), EDGE)
    parent = list(range(9))
    for a, b in zip(edges["a"][:, 0].tolist(), edges["b"][:, 0].tolist(), strict=True):
        low, high = sorted((parent[a], parent[b]))
        parent = [low if root == high else root for root in parent]
    # 0 and 2 differ in 56 values and belong together through 1; 3 and 4 differ in 29; 7 and 8 share no bucket.
    assert parent == [0, 0, 0, 3, 4, 5, 5, 7, 8]


def test_old_texts_of_one_cluster_are_one_component() -> None:
    """Two old texts are never compared; known components are numbered from 0, new texts are -1."""
    names = np.array([[5, 5], [4, 4], [5, 5], [9, 9]], np.uint64)
    known = buckets._known(names, np.array([False, False, False, True])).tolist()
    assert known[0] == known[2] != known[1]
    assert known[3] == -1
    assert min(known[:3]) == 0
