"""Linear heads fitted by penalised likelihood: logistic for one score, softmax for classes.

Two penalties besides the likelihood. A ridge draws the weights to a prior mean, 0 unless something is known, so that a class with few documents still
has sensible signs. The other is how much the margins of translations of one document differ, so that weight goes to inputs that mean the
same in every language. The optimum is unique; weights are rounded in the files, so that the last bits of a BLAS do not show.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

__all__ = ["class_f1", "fit_classes", "fit_score"]

Matrix = npt.NDArray[np.float64]
_OPTIONS = {"maxiter": 3000, "ftol": 1e-11, "gtol": 1e-5}


def fit_classes(x: Matrix, share: Matrix, weight: Matrix, *, penalty: Matrix, prior: Matrix) -> tuple[Matrix, Matrix]:
    """Return weights [classes, inputs] and biases [classes] of a softmax head.

    Args:
        x: inputs, [n, inputs].
        share: how much of each text is of each class, [n, classes]; rows add up to 1.
        weight: of the texts, [n].
        penalty: positive definite [inputs, inputs]; half of the square that it makes of the weights less ``prior`` is added, a class.
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
        drawn = away @ penalty
        value = -(weight[:, None] * share * (margin - log_sum)).sum() + 0.5 * (away * drawn).sum()
        return float(value), np.concatenate([(error.T @ x + drawn).ravel(), error.sum(axis=0)])

    start = np.concatenate([prior.ravel(), np.zeros(classes)])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options=_OPTIONS)
    return found.x[: classes * inputs].reshape(classes, inputs), found.x[classes * inputs :]


def fit_score(
    x: Matrix, share: Matrix, weight: Matrix, *, penalty: Matrix, offset: Matrix | None = None
) -> tuple[Matrix, float]:
    """Return weights [inputs] and bias of a logistic head.

    Args:
        x, weight, penalty: as for ``fit_classes``.
        share: [n], 1 for what the score means, 0 for what it does not.
        offset: [n], a part of the margin that stays as it is.
    """
    fixed = np.zeros(len(x)) if offset is None else offset

    def loss(flat: Matrix) -> tuple[float, Matrix]:
        margin = x @ flat[:-1] + flat[-1] + fixed
        drawn = penalty @ flat[:-1]
        value = (weight * (np.logaddexp(0.0, margin) - share * margin)).sum() + 0.5 * flat[:-1] @ drawn
        error = weight * (0.5 * (1.0 + np.tanh(0.5 * margin)) - share)
        return float(value), np.concatenate([x.T @ error + drawn, [error.sum()]])

    found = minimize(loss, np.zeros(x.shape[1] + 1), jac=True, method="L-BFGS-B", options=_OPTIONS)
    return found.x[:-1], float(found.x[-1])


def class_f1(truth: npt.NDArray[np.int64], found: npt.NDArray[np.int64], classes: int) -> Matrix:
    """Return F1 of each class, 0 for one that is neither there nor found."""
    both = np.array([((truth == each) & (found == each)).sum() for each in range(classes)], np.float64)
    size = np.array([(truth == each).sum() + (found == each).sum() for each in range(classes)], np.float64)
    f1: Matrix = 2.0 * both / np.maximum(size, 1.0)
    return f1
