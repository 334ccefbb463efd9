"""The best leaf of fastText's hierarchical softmax.

The labels are leaves of a binary tree. Depth first, left first, a branch adds log(p + 1e-5) of its sigmoid; a subtree is left out
when it is already worse than the best leaf. On a tie the later leaf wins. The float32 and float64 steps are those of fastText.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from headwater.filters.text.exact_math import compute_exp, compute_log

__all__ = ["compute_log_probability", "fill_leaves", "find_best_leaf"]

_FLOOR_SCORE = np.float32(
    -11.512925148010254
)  # log(0 + 1e-5): fastText's threshold of 0, below which it follows no branch


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
