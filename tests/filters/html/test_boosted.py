"""Boosted trees as flat arrays."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.filters.html.boosted import Trees, margins, probability


def random_trees(seed: int, n_trees: int, n_features: int) -> Trees:
    """Return trees of random shape."""
    rng = np.random.default_rng(seed)
    roots, low, high = [0], list[int](), list[int]()
    feature, threshold, value = list[int](), list[float](), list[float]()
    for _ in range(n_trees):
        size, first = int(rng.integers(1, 9)), len(feature)
        open_ways: list[tuple[list[int], int]] = []
        for node in range(size):
            feature.append(int(rng.integers(n_features)))
            threshold.append(float(np.float32(rng.normal())))
            low.append(0)
            high.append(0)
            if node:
                ways, at = open_ways.pop(int(rng.integers(len(open_ways))))
                ways[at] = first + node
            open_ways += [(low, first + node), (high, first + node)]
        for ways, at in open_ways:
            ways[at] = ~len(value)
            value.append(float(rng.normal()))
        roots.append(len(feature))
    return Trees(
        roots=np.array(roots, np.int64),
        feature=np.array(feature, np.int16),
        threshold=np.array(threshold, np.float32),
        low=np.array(low, np.int32),
        high=np.array(high, np.int32),
        value=np.array(value),
    )


def walk(row: npt.NDArray[np.float32], trees: Trees) -> float:
    """Return the margin of a row, slowly."""
    total = 0.0
    for root in trees.roots[:-1]:
        at = int(root)
        while at >= 0:
            at = int(trees.low[at] if row[trees.feature[at]] <= trees.threshold[at] else trees.high[at])
        total += float(trees.value[~at])
    return total


@settings(deadline=None)  # the first call compiles
@given(st.integers(0, 2**32))
def test_margins_equal_a_slow_walk(seed: int) -> None:
    """The kernel adds the leaves that a plain walk reaches, in the same order, to the bit."""
    trees = random_trees(seed, 5, 4)
    rows = np.random.default_rng(seed + 1).normal(size=(6, 4)).astype(np.float32)
    assert margins(rows, *trees.arrays).tolist() == [walk(row, trees) for row in rows]


@settings(deadline=None)  # as above
@given(st.floats(-30, 30))
def test_probability_is_the_logistic_function(margin: float) -> None:
    """Eight terms of the series of exp at |y| < 0.47, to the 64th power, leave an error under 64 * 0.47**9 / 9!."""
    assert math.isclose(probability(margin), 1 / (1 + math.exp(-margin)), rel_tol=64 * 0.47**9 / math.factorial(9))
