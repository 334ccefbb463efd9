"""Linear heads fitted by penalised likelihood: logistic for one score, softmax for classes.

The penalty draws the weights to a prior mean, 0 unless something is known, so that a class with few documents still has sensible signs. The optimum
is unique; weights are rounded so that the last bits of a BLAS do not show in a file.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

__all__ = ["auc", "fit_classes", "fit_score", "spearman"]

Matrix = npt.NDArray[np.float64]


def fit_classes(x: Matrix, share: Matrix, weight: Matrix, *, ridge: float, prior: Matrix) -> tuple[Matrix, Matrix]:
    """Return weights [classes, inputs] and biases [classes] of a softmax head.

    Args:
        x: inputs, [n, inputs].
        share: how much of each text is of each class, [n, classes]; rows add up to 1.
        weight: of the texts, [n].
        ridge: penalty, half of it times the squared distance of the weights from ``prior``.
        prior: [classes, inputs].
    """
    classes, inputs = prior.shape

    def loss(flat: Matrix) -> tuple[float, Matrix]:
        w, b = flat[: classes * inputs].reshape(classes, inputs), flat[classes * inputs :]
        margin = x @ w.T + b
        margin -= margin.max(axis=1, keepdims=True)
        log_sum = np.log(np.exp(margin).sum(axis=1, keepdims=True))
        error = weight[:, None] * (np.exp(margin - log_sum) - share)
        away = w - prior
        value = -(weight[:, None] * share * (margin - log_sum)).sum() + 0.5 * ridge * (away**2).sum()
        return float(value), np.concatenate([(error.T @ x + ridge * away).ravel(), error.sum(axis=0)])

    start = np.concatenate([prior.ravel(), np.zeros(classes)])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 2000, "ftol": 1e-10, "gtol": 1e-4})
    return found.x[: classes * inputs].reshape(classes, inputs), found.x[classes * inputs :]


def fit_score(x: Matrix, share: Matrix, weight: Matrix, *, ridge: float, prior: Matrix) -> tuple[Matrix, float]:
    """Return weights [inputs] and bias of a logistic head; ``share`` [n] is 1 for what the score means, 0 for what it does not."""

    def loss(flat: Matrix) -> tuple[float, Matrix]:
        margin = x @ flat[:-1] + flat[-1]
        away = flat[:-1] - prior
        value = (weight * (np.logaddexp(0.0, margin) - share * margin)).sum() + 0.5 * ridge * (away**2).sum()
        error = weight * (1.0 / (1.0 + np.exp(-margin)) - share)
        return float(value), np.concatenate([x.T @ error + ridge * away, [error.sum()]])

    start = np.concatenate([prior, [0.0]])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 2000, "ftol": 1e-10, "gtol": 1e-4})
    return found.x[:-1], float(found.x[-1])


def auc(score: Matrix, positive: npt.NDArray[np.bool_]) -> float:
    """Return the share of pairs of a positive and a negative that the score puts in order, ties half."""
    ranks = _ranks(score)
    n = int(positive.sum())
    if n in (0, len(positive)):
        return float("nan")
    return float((ranks[positive].sum() - n * (n + 1) / 2) / (n * (len(positive) - n)))


def spearman(one: Matrix, other: Matrix) -> float:
    """Return the correlation of the ranks."""
    return float(np.corrcoef(_ranks(one), _ranks(other))[0, 1])


def _ranks(values: Matrix) -> Matrix:
    """Ranks from 1, the mean rank where values are equal."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    mean: Matrix = (last - (count - 1) / 2)[place]
    return mean
