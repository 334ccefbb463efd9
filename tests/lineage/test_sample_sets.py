"""A set of samples answers as a set of Python's does, and pairs of a cluster are all pairs with a given sample."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from headwater.lineage.near_samples import given_pairs
from headwater.lineage.sample_sets import SampleSet

_IDS = st.lists(st.integers(0, 60) | st.integers(1 << 24, (1 << 24) + 20) | st.integers(0, (1 << 62) - 1), max_size=60)


@given(_IDS, _IDS)
def test_a_set_finds_what_python_finds(held: list[int], asked: list[int]) -> None:
    """Rows, places, membership, fragments and the bounds of each equal those of plain Python."""
    found = SampleSet([np.array(held[:3], np.int64), np.array(held[3:], np.int64)])
    assert found.ids.tolist() == sorted(set(held))
    rows, places = found.find(np.array(asked, np.int64))
    assert rows.tolist() == [at for at, number in enumerate(asked) if number in held]
    assert found.ids[places].tolist() == [number for number in asked if number in held]
    assert found.contains(np.array(asked, np.int64)).tolist() == [number in held for number in asked]
    assert found.fragments.tolist() == sorted({number >> 24 for number in held})
    for fragment in found.fragments.tolist():
        within = found.ids[found.within(fragment)].tolist()
        assert within == sorted({number for number in held if number >> 24 == fragment})


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), max_size=30), st.integers(1, 9))
def test_pairs_are_all_of_a_cluster(members: list[tuple[int, bool]], most: int) -> None:
    """Every given member is paired once with every other one of its cluster that was not given, in parts of at most ``most``."""
    cluster = np.array([number for number, _ in members], np.int64)
    given_ = np.array([flag for _, flag in members], np.bool_)
    parts = list(given_pairs(cluster, given_, most))
    assert all(0 < len(left) <= most for left, _ in parts)
    found = [pair for left, right in parts for pair in zip(left.tolist(), right.tolist(), strict=True)]
    wanted = {
        (left, right)
        for left in np.flatnonzero(given_).tolist()
        for right in np.flatnonzero(~given_).tolist()
        if cluster[left] == cluster[right]
    }
    assert len(found) == len(wanted)
    assert set(found) == wanted
