"""Heads fitted by scikit-learn and written as plain numbers: logistic regression, or small trees by gradient boosting.

Every language weighs the same, and in each language every label: a head that could tell languages apart, or knows which label is frequent where,
gains nothing by it. One thread and a fixed seed; the numbers are cut to ``inputs.DIGITS`` digits, and what is reported is the head as it is written.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from headwater.filters.scores.model import Input, ScoreModel, Words
from headwater.filters.scores.trees import Node
from headwater.pipelines.scoring.inputs import shortened

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["LINEAR", "TREES", "balanced_weights", "fit_head"]

LINEAR: Final = "linear"
TREES: Final = "trees"
_ROUNDS: Final = 80
_DEPTH: Final = 3
_RATE: Final = 0.1
_LEAST_LEAF: Final = 20

_Floats = npt.NDArray[np.float64]


def balanced_weights(languages: npt.NDArray[np.str_], labels: npt.NDArray[np.int64]) -> _Floats:
    """Return a weight for each document, float64 [n], mean 1: every language in sum the same, and in it every label that it has.

    >>> balanced_weights(np.array(["en", "en", "en", "fr"]), np.array([0, 0, 1, 1])).round(3).tolist()
    [0.5, 0.5, 1.0, 2.0]
    """
    weights = np.zeros(len(labels))
    names = np.unique(languages)
    for language in names.tolist():
        mine = languages == language
        there = np.unique(labels[mine])
        for label in there.tolist():
            these = mine & (labels == label)
            weights[these] = len(labels) / (len(names) * len(there) * float(these.sum()))
    return weights


def fit_head(
    name: str,
    kind: str,
    classes: tuple[str, ...],
    inputs: tuple[Input, ...],
    words: Words | None,
    x: _Floats,
    targets: _Floats,
    languages: npt.NDArray[np.str_],
    *,
    strength: float,
    seed: int,
) -> ScoreModel:
    """Return a head fitted to documents; it is not calibrated yet.

    Args:
        x: from ``heads.input_values``, [inputs, n].
        targets: of a score, grades from 0 to 1; of classes, their numbers.
        strength: C of logistic regression: the larger, the closer to the examples.

    Raises:
        MissingPackageError: the extra ``train`` is not installed.
    """
    from threadpoolctl import threadpool_limits

    is_score = classes == ("score",)
    rows = np.ascontiguousarray(x.T)
    if is_score:  # a grade between is both labels, each as much as it says
        rows = np.concatenate([rows, rows])
        labels = np.repeat(np.array([0, 1], np.int64), x.shape[1])
        shares = np.concatenate([1.0 - targets, targets])
        whole = balanced_weights(languages, (targets >= 0.5).astype(np.int64))
        weights = np.concatenate([whole, whole]) * shares
        rows, labels, weights = rows[weights > 0], labels[weights > 0], weights[weights > 0]
    else:
        labels = targets.astype(np.int64)
        weights = balanced_weights(languages, labels)
    common: dict[str, Any] = {
        "name": name,
        "kind": kind,
        "classes": classes,
        "inputs": inputs,
    }  # Any: fields of ScoreModel
    common["calibration"] = {"*": (1.0, 0.0)}
    with threadpool_limits(1):
        if kind == TREES:
            biases, trees = _fit_trees(rows, labels, weights, len(classes), seed)
            return ScoreModel(**common, words=words, biases=biases, trees=trees)
        biases, found = _fit_linear(rows, labels, weights, len(classes), strength, seed)
    if words is not None:
        words = replace(words, weight=tuple(row[-1] for row in found))
        found = [row[:-1] for row in found]
    return ScoreModel(**common, words=words, biases=biases, weights=tuple(tuple(row) for row in found))


def _fit_linear(
    rows: _Floats, labels: npt.NDArray[np.int64], weights: _Floats, n_classes: int, strength: float, seed: int
) -> tuple[tuple[float, ...], list[list[float]]]:
    from sklearn.linear_model import LogisticRegression

    head = LogisticRegression(C=strength, max_iter=2000, tol=1e-8, random_state=seed)
    head.fit(rows, labels, sample_weight=weights)
    found = _all_classes(head.coef_, head.intercept_, head.classes_, n_classes)
    return tuple(shortened(float(bias)) for bias in found[1]), [[shortened(float(w)) for w in row] for row in found[0]]


def _all_classes(
    coefficients: _Floats, intercepts: _Floats, there: npt.NDArray[np.int64], n_classes: int
) -> tuple[_Floats, _Floats]:
    """Return weights and biases of every class; one that no document has is out of reach."""
    if n_classes == 1:
        return coefficients, intercepts
    if len(there) == 2:  # of two classes scikit-learn fits the second against the first
        coefficients, intercepts = (
            np.concatenate([-coefficients, coefficients]) / 2,
            np.concatenate([-intercepts, intercepts]) / 2,
        )
    weights, biases = np.zeros((n_classes, coefficients.shape[1])), np.full(n_classes, -100.0)
    weights[there], biases[there] = coefficients, intercepts
    return weights, biases


def _fit_trees(
    rows: _Floats, labels: npt.NDArray[np.int64], weights: _Floats, n_classes: int, seed: int
) -> tuple[tuple[float, ...], tuple[tuple[tuple[Node, ...], ...], ...]]:
    from sklearn.ensemble import GradientBoostingClassifier

    head = GradientBoostingClassifier(
        n_estimators=_ROUNDS,
        max_depth=_DEPTH,
        learning_rate=_RATE,
        min_samples_leaf=_LEAST_LEAF,
        random_state=seed,
    )
    head.fit(rows, labels, sample_weight=weights)
    start = np.asarray(head._raw_predict_init(rows[:1].astype(np.float32)))[0]
    columns = head.estimators_.shape[1]
    fitted = [
        tuple(_nodes(head.estimators_[step, column].tree_) for step in range(len(head.estimators_)))
        for column in range(columns)
    ]
    if n_classes == 1:
        return (shortened(float(start[0])),), (fitted[0],)
    if columns == 1:  # two classes: the second against the first
        return (0.0, shortened(float(start[0]))), ((), fitted[0])
    biases = [-100.0] * n_classes
    trees: list[tuple[tuple[Node, ...], ...]] = [()] * n_classes
    for column, label in enumerate(head.classes_.tolist()):
        biases[label], trees[label] = shortened(float(start[column])), fitted[column]
    return tuple(biases), tuple(trees)


def _nodes(tree: Any) -> tuple[Node, ...]:  # Any: scikit-learn's own, whose types its package does not ship
    """Return the nodes of a tree, which stand before those that follow them."""
    low, high = tree.children_left.tolist(), tree.children_right.tolist()
    value = [_RATE * float(each) for each in tree.value[:, 0, 0]]
    size = tree.weighted_n_node_samples.tolist()
    for at in range(len(low) - 1, -1, -1):
        if low[at] >= 0:
            value[at] = (value[low[at]] * size[low[at]] + value[high[at]] * size[high[at]]) / (
                size[low[at]] + size[high[at]]
            )
    return tuple(_node(at, tree, low, high, value) for at in range(len(low)))


def _node(at: int, tree: Any, low: Sequence[int], high: Sequence[int], value: Sequence[float]) -> Node:  # Any: as above
    if low[at] < 0:
        return Node(-1, 0.0, 0, 0, shortened(value[at]))
    return Node(int(tree.feature[at]), shortened(float(tree.threshold[at])), low[at], high[at], shortened(value[at]))
