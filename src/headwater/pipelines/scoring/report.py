"""The report of a model on labelled documents: how well it tells the labels apart, in which languages, and whether it only measures length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.pipelines.scoring.examples import Examples
from headwater.pipelines.scoring.figures import (
    auc,
    by_group,
    calibration_table,
    length_bands,
    macro_f1,
    precision_at,
    rank_correlation,
    rounded,
)
from headwater.plain import JsonObject

__all__ = ["class_figures", "describe_examples", "markdown_of", "score_figures"]

_WORST: Final = 10
_LEAST: Final = 10
"""Fewest documents of each label for a language's figure to count in the mean."""

_Floats = npt.NDArray[np.float64]


def describe_examples(examples: Examples) -> JsonObject:
    """Return how many documents there are, by label, language and source, and how many were left out."""

    def counted(values: Sequence[str]) -> JsonObject:
        names, counts = np.unique(np.array(values), return_counts=True)
        return {str(name): int(count) for name, count in zip(names, counts, strict=True)}

    labels = (
        ["1" if each else "0" for each in examples.positive.tolist()]
        if examples.is_score
        else [examples.classes[int(each)] for each in examples.targets]
    )
    return {
        "documents": len(examples.ids),
        "copies_left_out": examples.copies,
        "contradictions_left_out": examples.contradictions,
        "labels": counted(labels),
        "languages": counted(examples.languages.tolist()),
        "sources": counted(examples.sources.tolist()),
        "inputs": dict(examples.inputs),
    }


def score_figures(examples: Examples, score: _Floats, cut: float) -> JsonObject:
    """Return the figures of a score.

    Args:
        score: of each document, 0 to 1; a document without one, NaN, counts as 0.
        cut: share of the documents above the cut at which precision is told.
    """
    score = np.nan_to_num(score, nan=0.0)
    positive, words = examples.positive, examples.words
    languages = by_group(examples.languages, score, positive, cut)
    counting = [
        row
        for row in languages
        if min(_whole(row["positives"]), _whole(row["documents"]) - _whole(row["positives"])) >= _LEAST
    ]
    aucs = [float(str(row["auc"])) for row in counting]
    lowest = min(counting, key=lambda row: float(str(row["auc"])), default=None)
    correlations = [
        found
        for language in sorted(set(examples.languages.tolist()))
        if (found := rank_correlation(score[examples.languages == language], words[examples.languages == language]))
        is not None
    ]
    return {
        "auc": rounded(auc(score, positive)),
        "auc_of_length": rounded(auc(words, positive)),
        "macro_auc_by_language": rounded(float(np.mean(aucs))) if aucs else None,
        "lowest_language": None if lowest is None else {"name": lowest["name"], "auc": lowest["auc"]},
        "cut": cut,
        "precision_at_cut": rounded(precision_at(score, positive, cut)),
        "rank_correlation_with_length": rounded(rank_correlation(score, words)),
        "mean_rank_correlation_with_length_by_language": rounded(float(np.mean(correlations)))
        if correlations
        else None,
        "by_language": languages,
        "by_source": by_group(examples.sources, score, positive, cut),
        "length_bands": length_bands(words, score, positive),
        "calibration": calibration_table(score, examples.targets),
        "worst": _worst(examples, score),
    }


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0


def _worst(examples: Examples, score: _Floats) -> JsonObject:
    """Return the positives of the lowest score and the negatives of the highest, by id and never by text."""

    def rows(order: npt.NDArray[np.int64]) -> list[JsonObject]:
        return [
            {
                "id": examples.ids[at],
                "language": str(examples.languages[at]),
                "source": str(examples.sources[at]),
                "label": rounded(float(examples.targets[at])),
                "score": rounded(float(score[at])),
            }
            for at in order[:_WORST].tolist()
        ]

    positive = np.flatnonzero(examples.positive)
    negative = np.flatnonzero(~examples.positive)
    return {
        "too_low": rows(positive[np.argsort(score[positive], kind="stable")]),
        "too_high": rows(negative[np.argsort(-score[negative], kind="stable")]),
    }


def class_figures(examples: Examples, answers: Sequence[str | None], shares: _Floats | None = None) -> JsonObject:
    """Return the figures of classes.

    Args:
        answers: the class that each document got; a name that no label has is an error of its own.
        shares: of the answer, [n]; they order the worst errors.
    """
    names = [*examples.classes, *sorted({each or "none" for each in answers} - set(examples.classes))]
    found = np.array([names.index(each or "none") for each in answers], np.int64)
    wanted = examples.targets.astype(np.int64)
    languages = []
    for language in sorted(set(examples.languages.tolist())):
        mine = examples.languages == language
        figures = macro_f1(found[mine], wanted[mine], names)
        languages.append({"name": language, "documents": int(mine.sum()), "macro_f1": figures["macro"]})
    whole = macro_f1(found, wanted, names)
    means = [float(str(row["macro_f1"])) for row in languages if row["macro_f1"] is not None]
    confusion = [
        {
            "label": name,
            **{other: int(((wanted == at) & (found == to)).sum()) for to, other in enumerate(names)},
        }
        for at, name in enumerate(examples.classes)
    ]
    sure = np.zeros(len(found)) if shares is None else shares
    wrong = np.flatnonzero(found != wanted)
    worst = wrong[np.argsort(-sure[wrong], kind="stable")][:_WORST]
    return {
        "accuracy": rounded(float((found == wanted).mean())),
        "macro_f1": whole["macro"],
        "mean_macro_f1_by_language": rounded(float(np.mean(means))) if means else None,
        "f1": whole["classes"],
        "by_language": languages,
        "confusion": confusion,
        "worst": {
            "wrong": [
                {
                    "id": examples.ids[at],
                    "language": str(examples.languages[at]),
                    "source": str(examples.sources[at]),
                    "label": examples.classes[int(wanted[at])],
                    "answer": names[int(found[at])],
                }
                for at in worst.tolist()
            ]
        },
    }


def markdown_of(figures: Mapping[str, object], level: int = 3) -> str:
    """Return figures as Markdown: what is single as a table, every list as one of its own."""
    single = {key: value for key, value in figures.items() if not isinstance(value, list | Mapping)}
    parts = [_table([{"figure": key.replace("_", " "), "value": value} for key, value in single.items()])]
    for key, value in figures.items():
        title = f"{'#' * level} {key.replace('_', ' ').capitalize()}"
        if isinstance(value, Mapping) and any(isinstance(each, list) for each in value.values()):
            parts += [f"{title}: {name.replace('_', ' ')}\n\n{_table(rows)}" for name, rows in value.items() if rows]
        elif isinstance(value, Mapping):
            parts.append(f"{title}\n\n{_table([{'name': name, 'value': each} for name, each in value.items()])}")
        elif isinstance(value, list) and value:
            parts.append(f"{title}\n\n{_table(value)}")
    return "\n\n".join(part for part in parts if part)


def _table(rows: Sequence[Mapping[str, object]]) -> str:
    """Return rows as a table of Markdown."""
    if not rows:
        return ""
    names = list(rows[0])
    lines = [
        f"| {' | '.join(name.replace('_', ' ') for name in names)} |",
        f"|{'|'.join('---' for _ in names)}|",
    ]
    lines += [f"| {' | '.join(_cell(row.get(name)) for name in names)} |" for row in rows]
    return "\n".join(lines)


def _cell(value: object) -> str:
    return "" if value is None else " ".join(str(value).replace("|", "\\|").split())
