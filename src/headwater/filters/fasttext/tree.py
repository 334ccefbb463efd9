"""The best leaf of fastText's hierarchical softmax, and the exp and log that it needs, the same on every CPU.

The labels are leaves of a binary tree. Depth first, left first, a branch adds log(p + 1e-5) of its sigmoid; a subtree is left out
when it is already worse than the best leaf. On a tie the later leaf wins. The float32 and float64 steps are those of fastText.

exp and log are made of IEEE additions, multiplications and divisions alone, in a fixed order: the C library's differ in the last bit
between CPUs, since it picks a version with or without fused multiplication.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["compute_exp", "compute_log", "compute_log_probability", "fill_leaves", "find_best_leaf"]

_LOG2_E = 1.4426950408889634
_LN2_HIGH = 0.693147180369123816490  # ln 2 in two parts: n times the first is exact for small n
_LN2_LOW = 1.90821492927058770002e-10
_LN2 = 0.6931471805599453
_SQRT_HALF = 0.7071067811865476
_EXP_LIMIT = 87.0
_POWERS_OF_TWO: npt.NDArray[np.float64] = np.ldexp(1.0, np.arange(-128, 129))
_INVERSE_FACTORIALS: npt.NDArray[np.float64] = np.array(
    [1.0 / float(np.prod(np.arange(1.0, n + 1.0))) for n in range(14)]
)
_FLOOR_SCORE = np.float32(
    -11.512925148010254
)  # log(0 + 1e-5): fastText's threshold of 0, below which it follows no branch


@njit(cache=True, nogil=True, forceinline=True)
def compute_exp(x: float) -> float:
    """Return e**x to 1e-15 for |x| <= 87, beyond which it is cut off: ``2**n * p(r)``, Taylor's series of degree 13, |r| <= ln 2 / 2."""
    x = min(max(x, -_EXP_LIMIT), _EXP_LIMIT)
    n = np.int64(np.floor(x * _LOG2_E + 0.5))
    r = (x - n * _LN2_HIGH) - n * _LN2_LOW
    total = _INVERSE_FACTORIALS[13]
    for power in range(12, -1, -1):
        total = total * r + _INVERSE_FACTORIALS[power]
    return float(total * _POWERS_OF_TWO[n + 128])


@njit(cache=True, nogil=True, forceinline=True)
def compute_log(x: float) -> float:
    """Return ln x to 1e-15 for 1e-6 < x < 1.41: ``n ln 2 + 2 artanh((m - 1) / (m + 1))`` with m in [sqrt(1/2), sqrt 2)."""
    n = 0
    while x < _SQRT_HALF:
        x *= 2.0
        n -= 1
    s = (x - 1.0) / (x + 1.0)
    square = s * s
    total = 0.0
    for power in range(23, 0, -2):
        total = total * square + 1.0 / power
    return n * _LN2 + 2.0 * s * total


@njit(cache=True, nogil=True, forceinline=True)
def compute_log_probability(p: np.float32) -> np.float32:
    """Return log(p + 1e-5) as fastText takes it, for 0 <= p <= 1."""
    return np.float32(compute_log(np.float64(p) + 1e-5))


@njit(cache=True, nogil=True, forceinline=True)
def _find_branch(
    hidden: npt.NDArray[np.float32],
    dim: int,
    output: npt.NDArray[np.float32],
    output_norms: npt.NDArray[np.float32],
    node: np.int64,
) -> np.float32:
    """The probability of the right branch at an inner node."""
    dot = np.float32(0.0)
    for i in range(dim):
        dot += output[node, i] * hidden[i]
    dot *= output_norms[node]
    return np.float32(1.0 / np.float64(np.float32(1.0) + np.float32(compute_exp(-np.float64(dot)))))


@njit(cache=True, nogil=True)
def find_best_leaf(
    hidden: npt.NDArray[np.float32],
    dim: int,
    output: npt.NDArray[np.float32],
    output_norms: npt.NDArray[np.float32],
    children: npt.NDArray[np.int32],
    nodes: npt.NDArray[np.int64],
    scores: npt.NDArray[np.float32],
) -> tuple[np.int64, np.float32]:
    """Depth-first search of the tree; returns the best leaf and its log probability. ``nodes`` and ``scores`` are scratch."""
    n_labels = len(output)
    best, best_score = np.int64(-1), np.float32(0.0)
    nodes[0], scores[0] = len(children) - 1, np.float32(0.0)
    n_open = 1
    while n_open > 0:
        n_open -= 1
        node, score = nodes[n_open], scores[n_open]
        if score < _FLOOR_SCORE or (best >= 0 and score < best_score):
            continue
        left, right = children[node, 0], children[node, 1]
        if left < 0:
            best, best_score = np.int64(node), score
            continue
        p = _find_branch(hidden, dim, output, output_norms, node - n_labels)
        nodes[n_open], scores[n_open] = right, score + compute_log_probability(p)
        nodes[n_open + 1], scores[n_open + 1] = left, score + compute_log_probability(np.float32(1.0 - np.float64(p)))
        n_open += 2
    return best, best_score


@njit(cache=True, nogil=True)
def fill_leaves(
    hidden: npt.NDArray[np.float32],
    dim: int,
    output: npt.NDArray[np.float32],
    output_norms: npt.NDArray[np.float32],
    children: npt.NDArray[np.int32],
    nodes: npt.NDArray[np.int64],
    scores: npt.NDArray[np.float32],
    probabilities: npt.NDArray[np.float32],
) -> None:
    """Writes the probability of every leaf; 0 for those below fastText's threshold, which it does not list. Scratch as above."""
    n_labels = len(output)
    probabilities[:] = np.float32(0.0)
    nodes[0], scores[0] = len(children) - 1, np.float32(0.0)
    n_open = 1
    while n_open > 0:
        n_open -= 1
        node, score = nodes[n_open], scores[n_open]
        if score < _FLOOR_SCORE:
            continue
        left, right = children[node, 0], children[node, 1]
        if left < 0:
            probabilities[node] = np.float32(compute_exp(np.float64(score)))
            continue
        p = _find_branch(hidden, dim, output, output_norms, node - n_labels)
        nodes[n_open], scores[n_open] = right, score + compute_log_probability(p)
        nodes[n_open + 1], scores[n_open + 1] = left, score + compute_log_probability(np.float32(1.0 - np.float64(p)))
        n_open += 2
