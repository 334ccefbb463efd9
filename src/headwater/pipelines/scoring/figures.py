"""Figures of how well a score tells two kinds of documents apart; nothing here is fitted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["auc", "by_group", "calibration_table", "length_bands", "macro_f1", "precision_at", "rank_correlation"]

_Floats = npt.NDArray[np.float64]
_Flags = npt.NDArray[np.bool_]


def auc(score: _Floats, positive: _Flags) -> float | None:
    """Return the chance that a positive scores higher than a negative, ties counted half; None where one of them is missing.

    >>> auc(np.array([0.9, 0.5, 0.5, 0.1]), np.array([True, True, False, False]))
    0.875
    """
    n = int(positive.sum())
    if n == 0 or n == len(positive):
        return None
    ranks = _ranks(score)
    return float((ranks[positive].sum() - n * (n + 1) / 2) / (n * (len(positive) - n)))


def _ranks(values: _Floats) -> _Floats:
    """Return ranks from 1, equal values the mean of theirs."""
    _, index, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2.0)[index.reshape(-1)]


def rank_correlation(one: _Floats, other: _Floats) -> float | None:
    """Return Spearman's correlation of two columns; None where one of them does not vary.

    >>> rank_correlation(np.array([1.0, 2.0, 3.0]), np.array([9.0, 4.0, 1.0]))
    -1.0
    """
    a, b = _ranks(one), _ranks(other)
    if len(a) < 2 or a.std() == 0 or b.std() == 0:
        return None
    return round(float(np.corrcoef(a, b)[0, 1]), 6)


def precision_at(score: _Floats, positive: _Flags, share: float) -> float | None:
    """Return the share of positives among the documents that score highest, ``share`` of all and one at least; the first of equal ones count.

    >>> precision_at(np.array([0.9, 0.5, 0.4, 0.1]), np.array([True, False, True, False]), 0.5)
    0.5
    """
    if len(score) == 0:
        return None
    chosen = np.argsort(-score, kind="stable")[: max(1, round(share * len(score)))]
    return float(positive[chosen].mean())


def by_group(groups: npt.NDArray[np.str_], score: _Floats, positive: _Flags, share: float) -> list[dict[str, object]]:
    """Return for each group its documents, positives, AUC and precision at the cut, by name."""
    rows: list[dict[str, object]] = []
    for name in sorted(set(groups.tolist())):
        mine = groups == name
        rows.append(
            {
                "name": name,
                "documents": int(mine.sum()),
                "positives": int(positive[mine].sum()),
                "auc": rounded(auc(score[mine], positive[mine])),
                "precision_at_cut": rounded(precision_at(score[mine], positive[mine], share)),
            }
        )
    return rows


def length_bands(words: _Floats, score: _Floats, positive: _Flags, n: int = 4) -> list[dict[str, object]]:
    """Return the AUC within each band of lengths, bands of equal numbers of documents: what is left when length cannot help."""
    edges = np.quantile(words, np.linspace(0, 1, n + 1))
    rows: list[dict[str, object]] = []
    for number in range(n):
        last = number == n - 1
        mine = (words >= edges[number]) & ((words <= edges[number + 1]) if last else (words < edges[number + 1]))
        rows.append(
            {
                "words": f"{edges[number]:.0f} to {edges[number + 1]:.0f}",
                "documents": int(mine.sum()),
                "positives": int(positive[mine].sum()),
                "auc": rounded(auc(score[mine], positive[mine])),
                "auc_of_length": rounded(auc(words[mine], positive[mine])),
            }
        )
    return rows


def calibration_table(score: _Floats, target: _Floats, n: int = 10) -> list[dict[str, object]]:
    """Return for each tenth of the scale how many documents score in it, their mean score, and their mean label, both labels weighing the same."""
    positive = target >= 0.5
    rare = max(int(positive.sum()), 1), max(int((~positive).sum()), 1)
    weight = np.where(positive, 1.0 / rare[0], 1.0 / rare[1])
    band = np.minimum((score * n).astype(np.int64), n - 1)
    rows: list[dict[str, object]] = []
    for number in range(n):
        mine = band == number
        if mine.any():
            rows.append(
                {
                    "score": f"{number / n:g} to {(number + 1) / n:g}",
                    "documents": int(mine.sum()),
                    "mean_score": rounded(float(np.average(score[mine], weights=weight[mine]))),
                    "mean_label": rounded(float(np.average(target[mine], weights=weight[mine]))),
                }
            )
    return rows


def macro_f1(found: npt.NDArray[np.int64], wanted: npt.NDArray[np.int64], classes: Sequence[str]) -> dict[str, object]:
    """Return the F1 of each class that is there or was answered, and their mean.

    >>> macro_f1(np.array([0, 0, 1]), np.array([0, 1, 1]), ["a", "b"])["macro"]
    0.6667
    """
    scores: dict[str, float] = {}
    for number, name in enumerate(classes):
        there, answered = wanted == number, found == number
        if there.any():
            scores[name] = 2.0 * float((there & answered).sum()) / float(there.sum() + answered.sum())
    by_class = {name: round(value, 4) for name, value in scores.items()}
    return {"macro": round(float(np.mean(list(scores.values()))), 4) if scores else None, "classes": by_class}


def rounded(value: float | None) -> float | None:
    """Return a figure with four decimals."""
    return None if value is None else round(value, 4)
