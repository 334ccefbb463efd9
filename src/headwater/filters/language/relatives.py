"""Tells languages that are written alike from each other: a second model of ours, asked only where the first hesitates between them.

The first model knows 216 labels in 16 columns, so that Malay and Indonesian lie close together in it. This one,
``data/relatives.ftz``, knows nothing but such languages. What it says is no verdict: each label that it knows, in the group of the first
model's best one, gets a bonus to its product, ``WEIGHT`` of ln (k p), p being its probability within the group of k labels, and what
``PRIORS`` gives. Other labels get none. Malay and Indonesian are told apart by words besides (``malay``).

Asked is about documents whose best label has a relative that the model knows, and a probability below ``SURE``.

The model is made by ``bench/train_relatives.py``; docs/cards/language-model.md says of what, and what it changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from numba import njit

from headwater.filters.fasttext.layout import KernelModel
from headwater.filters.fasttext.predict import sum_segments
from headwater.filters.language.judge import add_up
from headwater.filters.language.malay import weigh_words
from headwater.filters.text.exact_math import compute_exp, compute_log

__all__ = ["PRIORS", "SURE", "WEIGHT", "Relatives", "ask_relatives", "weigh_relatives"]

SURE: Final = 0.98
WEIGHT: Final = 1.0
_LEAST: Final = 1e-5  # of a probability

PRIORS: Final[Mapping[str, float]] = {"ms": -1.5, "no": 1.0, "pt": 0.7, "es": 0.7, "nl": 0.5, "cs": 0.3}
"""What is added for a label whatever the text: far less than ln of how much more frequent it is on the web than its relatives, so that few of
theirs are taken for it. Set on the web sentences of part 2 of ``bench.language_text.read_web`` and on pages of the neighbours."""

_Floats = npt.NDArray[np.float32]
_Longs = npt.NDArray[np.int64]


class Relatives:
    """Where the labels of this model stand among those of the first.

    Attributes:
        places: int64 (labels of this model,): the place of each in the first model's labels.
        groups: int64 (labels of this model,): the group of each.
        known: bool (labels of the first model,): whether the model knows at least two of the label's group.
        priors: float32 (labels of this model,).
        n_labels: of the first model.
        malay: the place of Malay among them.
        malay_group: its group.
    """

    def __init__(self, labels: Sequence[str], own_labels: Sequence[str], own_groups: _Longs) -> None:
        """Look up the labels, every one of which the first model has."""
        self.places = np.array([own_labels.index(label) for label in labels], np.int64)
        self.groups = own_groups[self.places]
        several = np.bincount(self.groups, minlength=int(own_groups.max(initial=0)) + 1) > 1
        self.known = several[own_groups]
        self.n_labels = len(own_labels)
        self.malay = own_labels.index("ms")
        self.malay_group = int(own_groups[self.malay])
        self.priors = np.array([PRIORS.get(label, 0.0) for label in labels], np.float32)


@njit(cache=True, nogil=True)
def _weigh(
    sums: _Floats,
    counts: _Longs,
    asked: _Longs,
    model: KernelModel,
    places: _Longs,
    groups: _Longs,
    priors: _Floats,
    bonuses: _Floats,
) -> None:
    output, norms = model.output, model.output_norms
    products = np.empty(len(norms), dtype=np.float32)
    for row in range(len(sums)):
        if counts[row] == 0:
            continue
        scale = np.float32(1.0 / (counts[row] + 1))
        products[:] = np.float32(0.0)
        for column in range(model.dim):
            end = model.rows[model.end_row, column] if model.end_row >= 0 else np.float32(0.0)
            value = (sums[row, column] + end) * scale
            for label in range(len(products)):
                products[label] += output[column, label] * value
        best = np.float32(-np.inf)
        for label in range(len(products)):
            products[label] *= norms[label]
            if groups[label] == asked[row]:
                best = max(best, products[label])
        whole = 0.0
        n = 0
        for label in range(len(products)):
            if groups[label] == asked[row]:
                whole += compute_exp(np.float64(products[label] - best))
                n += 1
        for label in range(len(products)):
            if groups[label] == asked[row]:
                p = compute_exp(np.float64(products[label] - best)) / whole
                ratio = compute_log(max(p, _LEAST)) - compute_log(1.0 / n)
                bonuses[row, places[label]] = np.float32(WEIGHT * ratio) + priors[label]


def weigh_relatives(
    sums: _Floats, counts: _Longs, asked: _Longs, model: KernelModel, relatives: Relatives, n_labels: int
) -> _Floats:
    """What the model adds to the products of the first one's labels.

    Args:
        sums: float32 (n, columns), of each document's segments together, from ``predict.sum_segments`` with this model.
        counts: int64 (n,), likewise.
        asked: int64 (n,): the group that each document is asked about.
        model: of the softmax kind.
        relatives: its labels.
        n_labels: of the first model.

    Returns:
        float32 (n, n_labels), 0 for labels outside the group, and everywhere for a text of which the model knows no part.
    """
    bonuses = np.zeros((len(sums), n_labels), dtype=np.float32)
    _weigh(sums, counts, asked, model, relatives.places, relatives.groups, relatives.priors, bonuses)
    return bonuses


def ask_relatives(
    data: npt.NDArray[np.uint8],
    segments: _Longs,
    owners: _Longs,
    asked: _Longs,
    groups: _Longs,
    relatives: Relatives,
    model: KernelModel,
    weights: npt.NDArray[np.int8],
) -> _Floats:
    """What is added to the products of the first model's labels, by this model and by the words of Malay and Indonesian.

    Args:
        data: UTF-8 bytes of all documents.
        segments: int64 (n, 6), of all documents, as for ``predict.sum_segments``.
        owners: int64 (n,): the document of each.
        asked: int64 (m,): the documents that are asked about, ascending.
        groups: int64 (m,): the group that each is asked about.
        relatives: the labels of ``model``.
        model: of the softmax kind.
        weights: from ``malay.read_weights``.

    Returns:
        float32 (m, labels of the first model).
    """
    places = np.full(int(owners.max()) + 1, -1, dtype=np.int64)
    places[asked] = np.arange(len(asked))
    chosen = places[owners] >= 0
    segments, owners = segments[chosen], places[owners[chosen]]
    sums, counts = add_up(*sum_segments(data, segments, model), owners, len(asked))
    bonuses = weigh_relatives(sums, counts, groups, model, relatives, relatives.n_labels)
    may_be = groups == relatives.malay_group
    bonuses[may_be, relatives.malay] += weigh_words(data, segments, owners, len(asked), weights)[may_be]
    return bonuses
