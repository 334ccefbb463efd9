"""Calibration: a and b of ``sigmoid(a * margin + b)`` for all languages and for each, from margins of documents that training did not see.

Both labels weigh the same, whatever their numbers: so a score is the chance of the label where it is as frequent as the other, in every language, and
one cut means the same in all of them. A language keeps to what holds for all as far as its documents do not say otherwise.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.filters.scores.model import ANY
from headwater.pipelines.scoring.fit import balanced_weights
from headwater.pipelines.scoring.inputs import shortened

__all__ = ["calibrate"]

_LEAST: Final = 20
"""Fewest documents of each label for a language's own numbers."""
_HOLD: Final = 10.0
"""How many documents' worth a language is held to what holds for all."""
_LEAST_SLOPE: Final = 0.05
_MOST: Final = 1000.0
"""Of both numbers, as a model's file may have them: a head that hardly moves would ask for more."""
_STEPS: Final = 100

_Floats = npt.NDArray[np.float64]


def calibrate(margin: _Floats, targets: _Floats, languages: npt.NDArray[np.str_]) -> dict[str, tuple[float, float]]:
    """Return language or ``*`` → (a, b).

    Args:
        margin: of documents held out, [n].
        targets: grades from 0 to 1, [n].
    """
    labels = (targets >= 0.5).astype(np.int64)
    spread = float(margin.std()) or 1.0
    whole = _fit(margin, targets, balanced_weights(languages, labels), (1.0 / spread, 0.0), 1e-3)
    found = {ANY: (shortened(whole[0]), shortened(whole[1]))}
    for language in sorted(set(languages.tolist())):
        mine = languages == language
        if min(int((labels[mine] == label).sum()) for label in (0, 1)) >= _LEAST:
            weights = balanced_weights(languages[mine], labels[mine])
            a, b = _fit(margin[mine], targets[mine], weights, whole, _HOLD)
            found[language] = (shortened(a), shortened(b))
    return found


def _fit(
    margin: _Floats, targets: _Floats, weights: _Floats, start: tuple[float, float], hold: float
) -> tuple[float, float]:
    """Return the a and b of the greatest likelihood, held to ``start``: Newton's method with halved steps."""
    at = np.array(start)
    first = at.copy()

    def loss(point: _Floats) -> float:
        z = point[0] * margin + point[1]
        fit = float(np.sum(weights * (np.logaddexp(0.0, z) - targets * z)))
        return fit + hold * float(np.sum((point - first) ** 2)) / 2.0

    for _ in range(_STEPS):
        p = 1.0 / (1.0 + np.exp(-np.clip(at[0] * margin + at[1], -50, 50)))
        error, bend = weights * (p - targets), weights * p * (1.0 - p)
        slope = np.array([np.sum(error * margin), np.sum(error)]) + hold * (at - first)
        cross = float(np.sum(bend * margin))
        curve = np.array([[np.sum(bend * margin * margin), cross], [cross, np.sum(bend)]]) + (hold + 1e-9) * np.eye(2)
        step = np.linalg.solve(curve, slope)
        size = 1.0
        while size > 1e-6 and loss(at - size * step) > loss(at):
            size /= 2.0
        at = at - size * step
        if float(np.abs(step).max()) < 1e-9:
            break
    return min(max(float(at[0]), _LEAST_SLOPE), _MOST), min(max(float(at[1]), -_MOST), _MOST)
