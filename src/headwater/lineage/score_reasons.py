"""Why a score is what it is: what moved it most, recomputed from the stored signals by the model that the row's run names.

What moved a score is a share of its margin (see ``filters.scores.heads.contributions``), before calibration: plus raises the score, or the share of
the domain that was answered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
import pyarrow as pa

from headwater.errors import HeadwaterError, StoreError, UsageError
from headwater.filters.scores.heads import Values, contributions, input_names, input_values
from headwater.filters.scores.model import Input
from headwater.filters.scores.names import DOMAIN, MOST_SCORE
from headwater.filters.scores.shipped import Scorer
from headwater.filters.scores.words import word_odds
from headwater.lineage.past_runs import PastRun
from headwater.lineage.score_models import scorer_of
from headwater.plain import JsonObject, ValuesByName

__all__ = ["moved_by"]

_SHOWN: Final = 3


def moved_by(
    lake: str,
    run: PastRun | None,
    scores: ValuesByName,
    signals: ValuesByName,
    language: str | None,
    text: Callable[[], str | None],
) -> JsonObject:
    """Return for each score of a sample its model, the score as 0 to 1, and the features that moved it most, the strongest first.

    Inputs that read the same signal, by the same other one, count as one feature.

    Args:
        run: that wrote the scores; None where no run is known, and nothing is told.
        scores: the sample's row of family ``scores``, without ids.
        signals: its row of family ``signals``.
        text: gives the sample's text, where a model reads it.
    """
    models = _models(run)
    known: dict[Input, Values] = {}
    told: JsonObject = {}
    for column, value in scores.items():
        if column not in models or value is None:
            continue
        entry: JsonObject = {"model": models[column]}
        if column != DOMAIN:
            entry["score"] = round(int(value) / MOST_SCORE, 4)
        try:
            scorer = scorer_of(lake, models[column])
            entry["moved"] = _moved(scorer, str(value), signals, language, text, known)
        except UsageError:
            entry["lacking"] = "the lake does not have the model any more"
        except StoreError:
            raise
        except HeadwaterError as error:
            entry["lacking"] = str(error)
        told[column] = entry
    return told


def _models(run: PastRun | None) -> Mapping[str, str]:
    """Return column → SHA-256 of the model, as the run recorded it."""
    record = {} if run is None else run.operators.get("scores", {})
    models = record.get("models", {}) if isinstance(record, Mapping) else {}
    return models if isinstance(models, Mapping) else {}


def _moved(
    scorer: Scorer,
    value: str,
    signals: ValuesByName,
    language: str | None,
    text: Callable[[], str | None],
    known: dict[Input, Values],
) -> list[JsonObject]:
    model = scorer.model
    if not model.is_score and value not in model.classes:
        return []  # code, math and general are told by other means
    values = {name: _number(signals.get(name)) for name in model.signals}
    odds = None
    if scorer.words is not None:
        odds = word_odds(pa.array([text() or ""], pa.large_string()), scorer.words)
    inputs = input_values(model, values, [language], odds, known)
    by = contributions(model, inputs, 0 if model.is_score else model.classes.index(value))
    names = input_names(model)
    groups: dict[
        tuple[str, str | None] | None, list[int]
    ] = {}  # one signal under several transforms is one feature to people
    for number in range(len(names)):
        own = model.inputs[number] if number < len(model.inputs) else None
        groups.setdefault(None if own is None else (own.signal, own.per), []).append(number)
    summed = {feature: sum(float(by[number]) for number in numbers) for feature, numbers in groups.items()}
    order = sorted(groups, key=lambda feature: (-abs(summed[feature]), groups[feature][0]))[:_SHOWN]
    return [
        {
            "input": names[groups[feature][0]],
            "signal": None if feature is None else feature[0],
            "value": None if feature is None else signals.get(feature[0]),
            "by": round(summed[feature], 4),
        }
        for feature in order
        if summed[feature] != 0.0
    ]


def _number(value: object) -> Values:
    return np.array([float(value) if isinstance(value, int | float) else np.nan])
