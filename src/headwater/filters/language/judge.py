"""Judges segments and documents by the labels of a fastText model: the best label, and how probable it is.

Where ``predict.distribution`` gives all probabilities just as fastText does, here only the best label of each text is wanted, so e to
a product is taken only where it matters: a label whose product is more than ``_REACH`` below the best has a probability below 1e-5 and
counts for nothing. That is a tenth of the time for 200 labels.

A document's vector is that of all its segments together. Another model's opinion is weighed in by a bonus to the products of one group
of labels before the softmax: a share of the logarithm of the odds that the other model gives. The group is all that is written like the other
model's label; the label itself gets another share, of the odds against all the rest together, so it loses where the other model is in doubt.

Labels that a text cannot be in by its letters (``writing``) are left out before the softmax: probabilities are of those that remain.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from headwater.filters.fasttext.layout import KernelModel
from headwater.filters.text.exact_math import compute_exp, compute_log

__all__ = ["add_up", "judge_documents", "judge_segments"]

_REACH = np.float32(11.5)
_GROUP_WEIGHT = np.float32(0.4)  # of the other model's odds against each of _OTHERS, for the group of its label
_WEIGHT = np.float32(0.5)  # of its odds against all the rest, for the label
_OTHERS = 20.0  # languages that the rest of its probability is taken to be spread over
_LEAST, _MOST = 0.05, 0.999

_Floats = npt.NDArray[np.float32]
_Ints = npt.NDArray[np.int32]
_Longs = npt.NDArray[np.int64]
_Flags = npt.NDArray[np.bool_]


@njit(cache=True, nogil=True)
def _judge(
    total: _Floats,
    count: int,
    model: KernelModel,
    sets: _Longs,
    possible: _Flags,
    groups: _Longs,
    favoured: int,
    odds: np.float32,
    own_odds: np.float32,
    bonuses: _Floats,
    hidden: _Floats,
    products: _Floats,
) -> tuple[int, np.float32]:
    """The best possible label of a text with this sum of rows, -1 for one without rows or labels, and its probability by softmax."""
    if count == 0:
        return -1, np.float32(0.0)
    output, norms = model.output, model.output_norms
    scale = np.float32(1.0 / (count + 1))
    for column in range(model.dim):
        end = model.rows[model.end_row, column] if model.end_row >= 0 else np.float32(0.0)
        hidden[column] = (total[column] + end) * scale
    products[:] = np.float32(0.0)
    for column in range(model.dim):
        value = hidden[column]
        for label in range(len(products)):
            products[label] += output[column, label] * value
    for label in range(len(products)):
        products[label] *= norms[label]
    if favoured >= 0:
        for label in range(len(products)):
            if groups[label] == groups[favoured]:
                products[label] += _GROUP_WEIGHT * odds
        products[favoured] += _WEIGHT * own_odds
    for label in range(len(bonuses)):
        products[label] += bonuses[label]
    best = -1
    for label in range(len(products)):
        if possible[sets[label]] and (best < 0 or products[label] > products[best]):
            best = label
    if best < 0:
        return -1, np.float32(0.0)
    whole = 0.0
    for label in range(len(products)):
        if possible[sets[label]] and products[label] > products[best] - _REACH:
            whole += compute_exp(np.float64(products[label] - products[best]))
    return best, np.float32(1.0 / whole)


@njit(cache=True, nogil=True)
def _judge_all(
    sums: _Floats,
    counts: _Longs,
    model: KernelModel,
    sets: _Longs,
    possible: _Flags,
    groups: _Longs,
    favoured: _Longs,
    opinions: _Floats,
    bonuses: _Floats,
    labels: _Longs,
    probabilities: _Floats,
) -> None:
    nothing = np.empty(0, dtype=np.float32)
    hidden = np.empty(model.dim, dtype=np.float32)
    products = np.empty(len(model.output_norms), dtype=np.float32)
    for row in range(len(sums)):
        odds = own_odds = np.float32(0.0)
        if favoured[row] >= 0:
            p = min(max(np.float64(opinions[row]), _LEAST), _MOST)
            odds = np.float32(compute_log(p) - compute_log((1.0 - p) / _OTHERS))
            own_odds = np.float32(compute_log(p) - compute_log(1.0 - p))
        labels[row], probabilities[row] = _judge(
            sums[row],
            counts[row],
            model,
            sets,
            possible[row],
            groups,
            favoured[row],
            odds,
            own_odds,
            bonuses[row] if len(bonuses) > 0 else nothing,
            hidden,
            products,
        )


@njit(cache=True, nogil=True)
def _add_up(sums: _Floats, counts: _Longs, owners: _Longs, totals: _Floats, total_counts: _Longs) -> None:
    for segment in range(len(sums)):
        owner = owners[segment]
        total_counts[owner] += counts[segment]
        for column in range(sums.shape[1]):
            totals[owner, column] += sums[segment, column]


def judge_segments(
    sums: _Floats, counts: _Longs, model: KernelModel, sets: _Longs, possible: _Flags
) -> tuple[_Longs, _Floats]:
    """The best label of each segment and its probability.

    Args:
        sums: float32 (n, columns), from ``predict.sum_segments``.
        counts: int64 (n,), likewise.
        model: of the softmax kind.
        sets: int64 (labels,): the set of scripts of each label.
        possible: bool (n, sets): whether each segment may be in a language of each set.

    Returns:
        int64 (n,), places in the model's labels, -1 where the model knows no part of the text or no label is possible; float32 (n,), 0 there.
    """
    labels = np.empty(len(sums), dtype=np.int64)
    probabilities = np.empty(len(sums), dtype=np.float32)
    nobody = np.full(len(sums), -1, dtype=np.int64)
    none = np.empty(0, np.float32)
    _judge_all(sums, counts, model, sets, possible, nobody, nobody, none, none.reshape(0, 0), labels, probabilities)
    return labels, probabilities


def add_up(sums: _Floats, counts: _Longs, owners: _Longs, n_documents: int) -> tuple[_Floats, _Longs]:
    """The sums and counts of each document's segments together.

    Args:
        sums: float32 (segments, columns), from ``predict.sum_segments``.
        counts: int64 (segments,), likewise.
        owners: int64 (segments,): the document of each segment, below ``n_documents``.
        n_documents: how many rows there are to be.

    Returns:
        float32 (documents, columns); int64 (documents,).
    """
    totals = np.zeros((n_documents, sums.shape[1]), dtype=np.float32)
    total_counts = np.zeros(n_documents, dtype=np.int64)
    _add_up(sums, counts, owners, totals, total_counts)
    return totals, total_counts


def judge_documents(
    sums: _Floats,
    counts: _Longs,
    model: KernelModel,
    sets: _Longs,
    possible: _Flags,
    groups: _Longs,
    favoured: _Longs,
    opinions: _Floats,
    bonuses: _Floats,
) -> tuple[_Longs, _Floats]:
    """The best label of each document, all its segments together, and its probability.

    Args:
        sums: float32 (documents, columns), from ``add_up``.
        counts: int64 (documents,), likewise.
        model: of the softmax kind.
        sets: int64 (labels,): the set of scripts of each label.
        possible: bool (documents, sets): whether each document may be in a language of each set.
        groups: int64 (labels,): the group of each label.
        favoured: int64 (documents,): the best label of another model, a possible one, or -1.
        opinions: float32 (documents,): the probability it gives.
        bonuses: float32 (documents, labels), added to the products; (0, 0) for none.

    Returns:
        As ``judge_segments``, a row a document.
    """
    labels = np.empty(len(sums), dtype=np.int64)
    probabilities = np.empty(len(sums), dtype=np.float32)
    _judge_all(sums, counts, model, sets, possible, groups, favoured, opinions, bonuses, labels, probabilities)
    return labels, probabilities
