"""Which inputs a head gets, and on what scale: signals that say how a text is written, none that says how long it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from headwater.errors import UsageError
from headwater.filters.rules.predicates import nearest
from headwater.filters.scores.heads import input_values
from headwater.filters.scores.model import Input, ScoreModel
from headwater.filters.signals.columns import COLUMNS, SIGNALS
from headwater.pipelines.scoring.examples import Examples

__all__ = ["DIGITS", "fitted_inputs", "usual_signals"]

DIGITS: Final = 6
"""Significant digits of every fitted number that is written: what lies behind them is another machine's arithmetic."""
_LENGTHS: Final = frozenset(
    [
        "gopher_words",
        "c4_lines",
        "c4_sentences",
        "c4_longest_word",
        "rpv2_lines",
        "rpv2_num_sentences",
        "rpv2_unigram_entropy",
        "hw_chars",
    ]
)
"""Signals that grow with the text and say little else."""
_SAME: Final = 1e-6


def usual_signals() -> list[str]:
    """Return the signals that are inputs where nobody says which: all but those that grow with the text."""
    return [name for name in SIGNALS if name not in _LENGTHS]


def fitted_inputs(examples: Examples, signals: Sequence[str] | None, *, limit: float = 4.0) -> tuple[Input, ...]:
    """Return an input for each signal: counts per 1000 words, what is skewed by root or logarithm, centred and scaled on the examples.

    A signal that does not vary among them is left out.

    Args:
        signals: their names; None for the usual ones.

    Raises:
        UsageError: a name that no signal has, or none that varies.
    """
    chosen = list(signals) if signals is not None else usual_signals()
    for name in chosen:
        if name not in SIGNALS:
            raise UsageError(f"--signals: unknown signal {name!r}; {nearest(name, SIGNALS)}")
    units = {column.name: column.unit for column in COLUMNS}
    bare = [_bare(name, units[name]) for name in dict.fromkeys(chosen)]
    raw = _values(bare, examples)
    found = []
    for each, values in zip(bare, raw, strict=True):
        center, scale = float(np.nanmean(values)), float(np.nanstd(values))
        if scale > _SAME:
            found.append(
                Input(
                    signal=each.signal,
                    per=each.per,
                    times=each.times,
                    transform=each.transform,
                    center=shortened(center),
                    scale=shortened(scale),
                    limit=limit,
                )
            )
    if not found:
        raise UsageError("expected signals that vary among the examples, found none; give other examples or signals")
    return tuple(found)


def _bare(name: str, unit: str) -> Input:
    """Return a signal's input before it is centred and scaled."""
    if SIGNALS[name] == pa.int32() and name not in _LENGTHS:
        return Input(signal=name, per="gopher_words", times=1000.0, transform="log1p", limit=1e9)
    if unit.startswith("per 1000"):
        return Input(signal=name, transform="log1p", limit=1e9)
    if unit == "fraction" or unit.startswith("per "):
        return Input(signal=name, transform="sqrt", limit=1e9)
    return Input(signal=name, transform="log1p", limit=1e9)


def _values(inputs: Sequence[Input], examples: Examples) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    model = ScoreModel(name="x", kind="linear", classes=("score",), inputs=tuple(inputs), biases=(0.0,))
    found: np.ndarray[tuple[int, int], np.dtype[np.float64]] = input_values(
        model, examples.signals, examples.languages.tolist()
    )
    return found


def shortened(value: float) -> float:
    """Return a number of ``DIGITS`` significant digits.

    >>> shortened(0.123456789), shortened(12345678.0)
    (0.123457, 12345700.0)
    """
    return float(f"{value:.{DIGITS}g}")
