"""From the vector of a text to the probabilities of labels, as fastText makes them for each loss.

- Hierarchical softmax: a walk of a tree, ``headwater.filters.fasttext.tree``.
- Softmax: e to the product with each label's vector less the largest, divided by the sum of these, in float32.
- One against all, and negative sampling: fastText takes the sigmoid of each product from a table of 512 steps between -8 and 8, and 0
  or 1 beyond; the probabilities of a text do not add up to 1, and many are equal.

For all of them fastText then takes log(p + 1e-5) in float32, compares that and reports e to it: a probability is 1e-5 too high, and so
it is here. On a tie the later label wins.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from headwater.filters.fasttext.layout import KernelModel
from headwater.filters.fasttext.model import HIERARCHICAL_SOFTMAX, SOFTMAX
from headwater.filters.fasttext.tree import compute_log_probability, fill_leaves, find_best_leaf
from headwater.filters.text.compile import plain
from headwater.filters.text.exact_math import compute_exp

__all__ = ["fill_probabilities", "find_best"]

_Floats = npt.NDArray[np.float32]

_SIGMOID_LIMIT = 8
_SIGMOID_STEPS = 512
_SIGMOIDS: _Floats = np.array(
    [1.0 / (1.0 + np.float64(np.float32(plain(compute_exp)(8.0 - step / 32.0)))) for step in range(_SIGMOID_STEPS + 1)],
    dtype=np.float32,
)
_TIE = np.float32(0.999999)  # below this share of the best probability no logarithm in float32 is equal


@njit(cache=True, nogil=True)
def _fill_shares(hidden: _Floats, model: KernelModel, shares: _Floats) -> None:
    """Writes softmax or sigmoid of each label's product with ``hidden``, before fastText's logarithm."""
    output, norms = model.output, model.output_norms
    n_labels = len(shares)
    shares[:] = np.float32(0.0)
    for i in range(model.dim):  # label by label each product is summed in this order
        value = hidden[i]
        for label in range(n_labels):
            shares[label] += output[i, label] * value
    for label in range(n_labels):
        shares[label] *= norms[label]
    if model.loss == SOFTMAX:
        largest = shares[0]
        for label in range(1, n_labels):
            largest = max(largest, shares[label])
        total = np.float32(0.0)
        for label in range(n_labels):
            shares[label] = np.float32(compute_exp(np.float64(shares[label] - largest)))
            total += shares[label]
        for label in range(n_labels):
            shares[label] /= total
        return
    limit = np.float32(_SIGMOID_LIMIT)
    for label in range(n_labels):
        x = shares[label]
        if x < -limit:
            shares[label] = np.float32(0.0)
        elif x > limit:
            shares[label] = np.float32(1.0)
        else:
            shares[label] = _SIGMOIDS[np.int64((x + limit) * np.float32(_SIGMOID_STEPS / _SIGMOID_LIMIT / 2))]


@njit(cache=True, nogil=True)
def fill_probabilities(
    hidden: _Floats, model: KernelModel, nodes: npt.NDArray[np.int64], scores: _Floats, probabilities: _Floats
) -> None:
    """Writes the probability of every label. ``nodes`` and ``scores`` are scratch, two longer than the tree and than the labels."""
    if model.loss == HIERARCHICAL_SOFTMAX:
        fill_leaves(hidden, model.dim, model.output, model.output_norms, model.children, nodes, scores, probabilities)
        return
    _fill_shares(hidden, model, probabilities)
    for label in range(len(probabilities)):
        score = compute_log_probability(probabilities[label])
        probabilities[label] = np.float32(compute_exp(np.float64(score)))


@njit(cache=True, nogil=True)
def find_best(
    hidden: _Floats, model: KernelModel, nodes: npt.NDArray[np.int64], scores: _Floats
) -> tuple[np.int64, np.float32]:
    """The best label and its probability. Scratch as for ``fill_probabilities``."""
    if model.loss == HIERARCHICAL_SOFTMAX:
        best, score = find_best_leaf(hidden, model.dim, model.output, model.output_norms, model.children, nodes, scores)
        return best, np.float32(compute_exp(np.float64(score)))
    shares = scores[: len(model.output_norms)]
    _fill_shares(hidden, model, shares)
    best, highest = np.int64(0), shares[0]
    best_score = compute_log_probability(highest)
    for label in range(1, len(shares)):
        if shares[label] < highest * _TIE:
            continue
        score = compute_log_probability(shares[label])
        if score >= best_score:
            best, highest, best_score = np.int64(label), shares[label], score
    return best, np.float32(compute_exp(np.float64(best_score)))
