"""From margins to what is stored: a score from 0 to 65535 whose meaning is the same in every language, or a class.

A score is ``sigmoid(a * margin + b)`` with the a and b of the text's language, or of ``*``; stored is round half up of 65535 times it. Classes get a
share each by softmax over margins plus the language's offsets; a class that is a kind of another is answered where its share is large enough, and
is counted for the other elsewhere. Of equal shares the first class counts. e to the power comes from ``text.exact_math``: the same bits on every CPU.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from headwater.filters.scores.languages import Languages, encode_languages, of_languages
from headwater.filters.scores.model import ANY, ScoreModel
from headwater.filters.scores.names import MOST_SCORE
from headwater.filters.text.compile import kernel
from headwater.filters.text.exact_math import compute_exp

__all__ = ["choose_classes", "class_shares", "probabilities", "stored"]

_Values = npt.NDArray[np.float64]


@kernel
def _sigmoid_all(values: _Values) -> None:
    for at in range(values.size):
        values[at] = 1.0 / (1.0 + compute_exp(-values[at]))


@kernel
def _exp_all(values: _Values) -> None:
    for at in range(values.size):
        values[at] = compute_exp(values[at])


def probabilities(model: ScoreModel, margin: _Values, languages: Sequence[str | None] | Languages) -> _Values:
    """Return the calibrated score of each text, float64 [n], 0 to 1; NaN where the margin is.

    >>> model = ScoreModel(
    ...     name="x", kind="linear", classes=("score",), inputs=(), biases=(0.0,), calibration={"*": (1.0, 0.0), "fr": (2.0, 1.0)}
    ... )
    >>> probabilities(model, np.array([0.0, -0.5]), ["en", "fr"]).tolist()
    [0.5, 0.5]
    """
    coded = encode_languages(languages)
    a, b = (_of({key: pair[at] for key, pair in model.calibration.items()}, coded) for at in (0, 1))
    found = np.nan_to_num(a * margin + b, nan=0.0)  # the kernel looks powers up by what it is given
    _sigmoid_all(found)
    return np.where(np.isnan(margin), np.nan, found)


def stored(probability: _Values) -> npt.NDArray[np.int32]:
    """Return round half up of 65535 times each, int32 [n]; of NaN 0.

    >>> stored(np.array([0.0, 0.5, 1.0])).tolist()
    [0, 32768, 65535]
    """
    return np.floor(np.nan_to_num(probability, nan=0.0) * float(MOST_SCORE) + 0.5).astype(np.int32)


def class_shares(model: ScoreModel, margins: _Values, languages: Sequence[str | None] | Languages) -> _Values:
    """Return the share of each class, float64 [classes, n], which sum to 1; NaN where a margin is."""
    coded = encode_languages(languages)
    moved = np.empty_like(margins)
    for number in range(len(model.classes)):
        offsets = {language: row[number] for language, row in model.offsets.items()}
        moved[number] = margins[number] + _of(offsets, coded)
    shares = np.nan_to_num(moved - moved.max(axis=0, initial=-np.inf), nan=0.0)  # as in ``probabilities``
    _exp_all(shares.reshape(-1))
    total = np.zeros(shares.shape[1])
    for row in shares:
        total = total + row
    return np.where(np.isnan(margins), np.nan, shares / total)


def choose_classes(
    model: ScoreModel, shares: _Values, languages: Sequence[str | None] | Languages, words: _Values | None
) -> npt.NDArray[np.int64]:
    """Return the number of each text's class, int64 [n]; -1 for ``general``.

    Args:
        shares: from ``class_shares``, without NaN.
        words: ``gopher_words`` of each text; None where the model has no ``least_words``.
    """
    counted = shares.copy()
    for name, (parent, least) in model.parents.items():
        own, other = model.classes.index(name), model.classes.index(parent)
        unsure = shares[own] < least
        counted[other] += np.where(unsure, shares[own], 0.0)
        counted[own] = np.where(unsure, 0.0, counted[own])
    best = np.argmax(counted, axis=0).astype(np.int64)
    best[counted.max(axis=0, initial=0.0) < model.least_share] = -1
    if words is not None:
        best[words < model.least_words] = -1
    if model.languages is not None:
        known = of_languages(dict.fromkeys(model.languages, 1.0), 0.0, encode_languages(languages))
        best[known == 0.0] = -1
    return best


def _of(values: Mapping[str, float], languages: Languages) -> _Values:
    """Return float64 [n]: the number of each language, else that of ``*``, else 0."""
    return of_languages(values, values.get(ANY, 0.0), languages)
