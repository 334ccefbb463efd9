"""Boosted trees as flat arrays, and what they answer: `Trees`, `margins`, `probability`.

A node asks whether a number of a row is at most its threshold; the ways lead to nodes, or, below 0, to the leaf `~way`. What
trees add up to is a margin, the logarithm of the odds. Thresholds are float32 like the rows, so a comparison has one outcome
on every CPU; sums go tree by tree in double precision, and `probability` uses only the four operations, so its bits too are
the same everywhere.

>>> trees = Trees(
...     roots=np.array([0, 1]), feature=np.array([0], np.int16), threshold=np.array([2.0], np.float32),
...     low=np.array([~0], np.int32), high=np.array([~1], np.int32), value=np.array([-1.5, 0.5]),
... )
>>> margins(np.array([[2.0], [2.5]], np.float32), *trees.arrays)
array([-1.5,  0.5])
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from headwater.filters.text.compile import kernel

__all__ = ["Trees", "add_margins", "margins", "probability"]

_Arrays = tuple[
    npt.NDArray[np.int64],
    npt.NDArray[np.int16],
    npt.NDArray[np.float32],
    npt.NDArray[np.int32],
    npt.NDArray[np.int32],
    npt.NDArray[np.float64],
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Trees:
    """Trees, one after another.

    Attributes:
        roots: int64 (trees + 1,): the first node of each tree; the last entry is the number of nodes.
        feature: int16 (nodes,): the number of a row that a node asks about.
        threshold: float32 (nodes,): the way is `low` where it is at most this.
        low: int32 (nodes,): a node, or ~leaf.
        high: int32 (nodes,): likewise.
        value: float64 (leaves,): what a leaf adds to the margin.
    """

    roots: npt.NDArray[np.int64]
    feature: npt.NDArray[np.int16]
    threshold: npt.NDArray[np.float32]
    low: npt.NDArray[np.int32]
    high: npt.NDArray[np.int32]
    value: npt.NDArray[np.float64]

    @property
    def arrays(self) -> _Arrays:
        """The arrays in the order in which the kernels take them."""
        return self.roots, self.feature, self.threshold, self.low, self.high, self.value


@kernel
def add_margins(
    rows: npt.NDArray[np.float32],
    roots: npt.NDArray[np.int64],
    feature: npt.NDArray[np.int16],
    threshold: npt.NDArray[np.float32],
    low: npt.NDArray[np.int32],
    high: npt.NDArray[np.int32],
    value: npt.NDArray[np.float64],
    sums: npt.NDArray[np.float64],
) -> None:
    """Add to `sums` (rows,) what the trees say of each row (rows, features). Cost: trees times their depth a row."""
    for row in range(len(rows)):
        total = 0.0
        for tree in range(len(roots) - 1):
            at = roots[tree]
            while at >= 0:
                at = np.int64(low[at]) if rows[row, feature[at]] <= threshold[at] else np.int64(high[at])
            total += value[~at]
        sums[row] += total


def margins(
    rows: npt.NDArray[np.float32],
    roots: npt.NDArray[np.int64],
    feature: npt.NDArray[np.int16],
    threshold: npt.NDArray[np.float32],
    low: npt.NDArray[np.int32],
    high: npt.NDArray[np.int32],
    value: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Return the margin of each row (rows, features)."""
    sums = np.zeros(len(rows), np.float64)
    add_margins(rows, roots, feature, threshold, low, high, value, sums)
    return sums


@kernel
def probability(margin: float) -> float:
    """Return 1 / (1 + exp(-margin)), to about 1e-9, by the four operations alone.

    >>> round(probability(0.0), 9), round(probability(2.0), 6), round(probability(-40.0), 6)
    (0.5, 0.880797, 0.0)
    """
    x = min(max(margin, -30.0), 30.0)
    # exp(-x) = exp(-x / 64) ** 64, the first by its Taylor series: |x / 64| < 0.47
    y = -x / 64.0
    series = 1.0 + y * (
        1.0
        + y
        / 2.0
        * (1.0 + y / 3.0 * (1.0 + y / 4.0 * (1.0 + y / 5.0 * (1.0 + y / 6.0 * (1.0 + y / 7.0 * (1.0 + y / 8.0))))))
    )
    for _ in range(6):
        series *= series
    return 1.0 / (1.0 + series)
