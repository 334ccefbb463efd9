"""The columns of family ``scores``: each model's answer for every text of a batch, from its signals and, where a model reads it, its beginning.

    quality ... chain_of_thought   int32, 0 to 65535: see ``calibration``
    domain                         string: code and math by ``signals.kinds``, else the class of the model of genres, or general
    a team's own                   int32, like the four

Null where a signal that the model reads is null or NaN: a missing measure gives no score.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headwater.errors import UsageError
from headwater.filters.scores.calibration import choose_classes, class_shares, probabilities, stored
from headwater.filters.scores.heads import input_values, margins
from headwater.filters.scores.languages import Languages, encode_languages
from headwater.filters.scores.model import Input
from headwater.filters.scores.names import DOMAIN, DOMAINS, SCORE_COLUMNS
from headwater.filters.scores.shipped import Scorer, shipped_scorer
from headwater.filters.scores.words import word_odds
from headwater.filters.signals.columns import SIGNALS
from headwater.filters.signals.kinds import KIND_SIGNALS, PROSE, column_values, kinds

__all__ = [
    "VERSION",
    "check_model",
    "reads_text",
    "score",
    "score_values",
    "shipped_models",
    "signals_read",
]

VERSION: Final = 2
"""Raised with any change that alters a score of the same model."""

Values = npt.NDArray[np.float64]


def shipped_models() -> dict[str, Scorer]:
    """Return column → the model that ships for it, for the four scores and ``domain``."""
    return {name: shipped_scorer(name) for name in SCORE_COLUMNS}


def check_model(column: str, scorer: Scorer) -> None:
    """Raise UsageError unless a model can fill a column: ``domain`` wants classes, every other column a score."""
    if scorer.model.is_score == (column != DOMAIN):
        if column == DOMAIN and (strange := sorted(set(scorer.model.classes) - set(DOMAINS))):
            raise UsageError(f"scores: domain: expected classes among {', '.join(DOMAINS)}, found {', '.join(strange)}")
        return
    wanted = "a model of classes" if column == DOMAIN else "a model of one score"
    raise UsageError(
        f"scores: {column}: expected {wanted}, found {scorer.model.name} with the classes {', '.join(scorer.model.classes)}"
    )


def signals_read(models: Mapping[str, Scorer]) -> tuple[str, ...]:
    """Return the signals that some models read, in the order of ``SIGNALS``."""
    named = {name for each in models.values() for name in each.model.signals}
    return tuple(name for name in SIGNALS if name in named or (DOMAIN in models and name in KIND_SIGNALS))


def reads_text(models: Mapping[str, Scorer]) -> bool:
    """Return whether some model reads the texts themselves."""
    return any(each.words is not None for each in models.values())


def score(
    signals: pa.RecordBatch,
    languages: pa.Array | pa.ChunkedArray,
    models: Mapping[str, Scorer] | None = None,
    texts: pa.Array | pa.ChunkedArray | None = None,
) -> pa.RecordBatch:
    """Return a column for each model, one row a text.

    Args:
        signals: with the columns of ``signals_read``.
        languages: of the texts, BCP 47.
        models: column → model; by default those that ship.
        texts: string or large_string; None where no model reads them.

    Raises:
        UsageError: a signal is missing from the batch, there are more or fewer languages or texts than rows, or a model reads texts and none came.

    >>> from headwater.filters.signals.measure import measure_signals
    >>> texts, languages = pa.array(["", "First we add 2 + 3 = 5. Then 5 * 4 = 20, so the sum is 20."]), pa.array(["en", "en"])
    >>> score(measure_signals(texts, languages), languages, texts=texts)["domain"].to_pylist()
    ['general', 'math']
    """
    models = shipped_models() if models is None else models
    n = signals.num_rows
    if lacking := [name for name in signals_read(models) if name not in signals.schema.names]:
        raise UsageError(
            f"score: expected the signals that the models read, the batch lacks {', '.join(lacking)}: measure them first"
        )
    if len(languages) != n:
        raise UsageError(f"score: expected one language a row, found {len(languages)} for {n} rows")
    coded = encode_languages(languages.to_pylist())
    known: dict[Input, Values] = {}
    values = {name: column_values(signals[name]) for name in signals_read(models)}
    odds = _WordOdds(texts, n)
    columns: list[pa.Array] = []
    for column, scorer in models.items():
        if column == DOMAIN:
            columns.append(_domain(scorer, signals, values, coded, odds.of(scorer), known))
        else:
            found = score_values(scorer, values, coded, odds.of(scorer), known)
            columns.append(pa.array(stored(found), pa.int32(), mask=np.isnan(found)))
    return pa.RecordBatch.from_arrays(columns, names=list(models))


class _WordOdds:
    """Log odds of a batch's texts, computed once for models that share a fastText model."""

    def __init__(self, texts: pa.Array | pa.ChunkedArray | None, n: int) -> None:
        if texts is not None and len(texts) != n:
            raise UsageError(f"score: expected one text a row, found {len(texts)} for {n} rows")
        self._texts = texts
        self._found: dict[tuple[str, str, int], Values] = {}

    def of(self, scorer: Scorer) -> Values | None:
        if scorer.words is None:
            return None
        if self._texts is None:
            raise UsageError(f"score: expected the texts, which the model {scorer.model.name} reads, found none")
        words = scorer.words.words
        key = (words.sha256, words.label, words.bytes)
        if key not in self._found:
            self._found[key] = word_odds(self._texts, scorer.words)
        return self._found[key]


def score_values(
    scorer: Scorer,
    signals: Mapping[str, Values],
    languages: Sequence[str | None] | Languages,
    words: Values | None,
    known: dict[Input, Values] | None = None,
) -> Values:
    """Return a score as float64 [n], 0 to 1; NaN where a signal is missing."""
    inputs = input_values(scorer.model, signals, languages, words, known)
    margin = margins(scorer.model, inputs)[0]
    margin[np.isnan(inputs).any(axis=0)] = np.nan  # trees would answer all the same
    return probabilities(scorer.model, margin, languages)


def _domain(
    scorer: Scorer,
    signals: pa.RecordBatch,
    values: Mapping[str, Values],
    languages: Languages,
    odds: Values | None,
    known: dict[Input, Values],
) -> pa.StringArray:
    """Return the domain of each text."""
    model = scorer.model
    found = kinds(signals)
    missing = np.zeros(len(found), np.bool_)
    for name in {*KIND_SIGNALS, *model.signals}:
        missing |= np.isnan(values[name])
    shares = class_shares(model, margins(model, input_values(model, values, languages, odds, known)), languages)
    words = np.nan_to_num(values["gopher_words"], nan=0.0) if model.least_words else None
    best = choose_classes(model, np.nan_to_num(shares, nan=0.0), languages, words)
    genre = pa.array(["general", *model.classes]).take(pa.array(best + 1))
    chosen = pc.if_else(pc.equal(found, PROSE), genre, found)
    return pc.if_else(pa.array(missing), pa.scalar(None, pa.string()), chosen)
