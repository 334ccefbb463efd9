"""Judge a model on labelled documents: the same figures as training reports, of the score as a lake would store it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from headwater.errors import UsageError
from headwater.filters.scores.names import DOMAIN, MOST_SCORE, SCORES
from headwater.filters.scores.score import score
from headwater.filters.scores.shipped import Scorer
from headwater.pipelines.scoring.examples import Examples
from headwater.pipelines.scoring.report import class_figures, describe_examples, score_figures
from headwater.plain import JsonObject

__all__ = ["evaluate_model"]


def evaluate_model(scorer: Scorer, examples: Examples, cut: float = 0.2) -> JsonObject:
    """Return the report of a model on labelled documents.

    Args:
        cut: share of the documents above the cut at which precision is told.

    Raises:
        UsageError: labels that are numbers for a model of classes, or the reverse.
    """
    model = scorer.model
    is_domain = not model.is_score
    if is_domain == examples.is_score:
        wanted, found = ("names of classes", "numbers") if is_domain else ("numbers", "names of classes")
        raise UsageError(f"{model.name}: expected labels that are {wanted}, found {found}")
    column = DOMAIN if is_domain else model.name if model.name in SCORES else "score"
    signals = pa.record_batch({name: pa.array(values) for name, values in examples.signals.items()})
    answers = score(signals, pa.array(examples.languages.tolist()), {column: scorer}, examples.texts)[column]
    if is_domain:
        figures = class_figures(examples, answers.to_pylist())
    else:
        stored = answers.cast(pa.float64()).fill_null(0.0).to_numpy(zero_copy_only=False)
        figures = score_figures(examples, np.asarray(stored) / MOST_SCORE, cut)
    return {
        "model": model.name,
        "sha256": model.sha256,
        "examples": describe_examples(examples),
        "figures": figures,
    }
