"""First versions of the scores: plain formulas over signals, to be replaced by trained models.

They are honest about what they are: hand-set weights, never fitted to labels, compared with nothing but the look of
the corpus. They order samples within a language better than across languages. Every score is a float64 made of + - * /
min max in a fixed order (no function whose last bit depends on the CPU), stored as round-half-up of 65535 times it.

With ramp(x, a, b) = clip((x - a) / (b - a), 0, 1), falling where a > b, and signals named without prefix:

    prose      = ramp(alpha_words, 0.5, 0.8) * ramp(words, 5, 100)
    clean      = ramp(dup_lines_chars, 0.3, 0) * ramp(top_2gram, 0.3, 0.05) * ramp(dup_10gram, 0.5, 0.05)
    shape      = (2 * ramp(punct_lines, 0, 0.6) + ramp(short_lines, 1, 0.3) + ramp(policy_lines / lines, 0.2, 0)) / 4
    function   = ramp(stop_words, 0, 4), or 0.5 in a language without a stop list
    quality    = clean * (0.4 * prose + 0.35 * shape + 0.25 * function)
                 code: clean * (0.5 * ramp(code, 0.1, 0.5) + 0.5 * ramp(words, 5, 100))

    lexical    = ramp(distinct_words, 0.2, 0.65)
    dense      = ramp(stop_words_fraction, 0.5, 0.2), or 0.5 without a stop list
    terms      = ramp(long_words, 0.05, 0.35)
    figures    = ramp(digits, 0, 0.05) * ramp(digits, 0.4, 0.1)
    knowledge_density = (quality + 1) / 2 * (0.35 * lexical + 0.25 * terms + 0.2 * dense + 0.2 * figures)

    argument   = ramp(connectives_per_kword, 0, 30)
    formal     = max(ramp(latex, 0, 0.06), ramp(equations per 100 words, 0, 4), ramp(code, 0.1, 0.5))
    reasoning_density = clean * (0.5 * formal + 0.35 * argument + 0.15 * ramp(math_symbols_per_kb, 0, 15))

    steps      = max(ramp(step_markers per line, 0, 0.3), ramp(equations per line, 0, 0.8))
    chain_of_thought = clean * steps * (0.5 + 0.5 * argument) * ramp(words, 20, 60) * ramp(code, 0.5, 0.2)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.filters.scores.names import SCORES
from headwater.filters.signals.lexicon import STOP_WORDS

__all__ = ["VERSION", "score"]

VERSION: Final = 1
"""Raised with any change that alters a stored score."""

_Values = npt.NDArray[np.float64]


def score(signals: Mapping[str, _Values], languages: Sequence[str | None]) -> dict[str, _Values]:
    """Return quality, knowledge_density, reasoning_density and chain_of_thought, float64 [n], 0 to 1.

    Where a signal is NaN, all are NaN: a missing measure gives no score.

    Args:
        signals: every signal, float64 [n].
    """
    values = {name: column.copy() for name, column in signals.items()}
    missing = np.zeros(len(languages), np.bool_)
    for column in values.values():
        missing |= np.isnan(column)
        column[missing] = 0.0
    listed = np.array([language in STOP_WORDS for language in languages], np.bool_)
    found = _formulas(values, listed)
    return {name: np.where(missing, np.nan, np.clip(x, 0.0, 1.0)) for name, x in zip(SCORES, found, strict=True)}


def _ramp(x: _Values, start: float, stop: float) -> _Values:
    """0 up to start, 1 from stop, straight between; falling where start > stop."""
    return np.clip((x - start) / (stop - start), 0.0, 1.0)


def _per(part: _Values, whole: _Values) -> _Values:
    return part / np.maximum(whole, 1.0)


def _formulas(signals: dict[str, _Values], listed: npt.NDArray[np.bool_]) -> tuple[_Values, ...]:
    """The formulas of the module's docstring; `listed`: the language has a stop list."""
    words, lines, code = signals["gopher_words"], signals["c4_lines"], signals["hw_code_fraction"]
    equations, latex = signals["hw_equations"], signals["hw_latex_fraction"]
    is_code = (code >= 0.3) & (latex < 0.02)

    enough = _ramp(words, 5.0, 100.0)
    prose = _ramp(signals["gopher_alpha_words_fraction"], 0.5, 0.8) * enough
    clean = _ramp(signals["gopher_dup_lines_chars_fraction"], 0.3, 0.0)
    clean = clean * _ramp(signals["gopher_top_2gram_chars_fraction"], 0.3, 0.05)
    clean = clean * _ramp(signals["gopher_dup_10gram_chars_fraction"], 0.5, 0.05)
    shape = 2.0 * _ramp(signals["fineweb_punct_lines_fraction"], 0.0, 0.6)
    shape = shape + _ramp(signals["fineweb_short_lines_fraction"], 1.0, 0.3)
    shape = (shape + _ramp(_per(signals["c4_policy_lines"], lines), 0.2, 0.0)) / 4.0
    function = np.where(listed, _ramp(signals["gopher_stop_words"], 0.0, 4.0), 0.5)
    quality = np.where(
        is_code,
        clean * (0.5 * _ramp(code, 0.1, 0.5) + 0.5 * enough),
        clean * (0.4 * prose + 0.35 * shape + 0.25 * function),
    )
    quality = np.where(words > 0.0, quality, 0.0)

    digits = signals["hw_digit_fraction"]
    lexical = _ramp(signals["hw_distinct_words_fraction"], 0.2, 0.65)
    dense = np.where(listed, _ramp(signals["hw_stop_words_fraction"], 0.5, 0.2), 0.5)
    terms = _ramp(signals["hw_long_words_fraction"], 0.05, 0.35)
    figures = _ramp(digits, 0.0, 0.05) * _ramp(digits, 0.4, 0.1)
    knowledge = (quality + 1.0) / 2.0 * (0.35 * lexical + 0.25 * terms + 0.2 * dense + 0.2 * figures)
    knowledge = np.where(words > 0.0, knowledge, 0.0)

    equations_per_100_words = _per(100.0 * equations, words)
    argument = _ramp(signals["hw_connectives_per_kword"], 0.0, 30.0)
    formal = np.maximum(_ramp(latex, 0.0, 0.06), _ramp(equations_per_100_words, 0.0, 4.0))
    formal = np.maximum(formal, _ramp(code, 0.1, 0.5))
    symbols = signals["hw_math_symbols_per_kb"]
    reasoning = clean * (0.5 * formal + 0.35 * argument + 0.15 * _ramp(symbols, 0.0, 15.0))

    steps = np.maximum(
        _ramp(_per(signals["hw_step_markers"], lines), 0.0, 0.3), _ramp(_per(equations, lines), 0.0, 0.8)
    )
    thought = clean * steps * (0.5 + 0.5 * argument) * _ramp(words, 20.0, 60.0) * _ramp(code, 0.5, 0.2)

    return quality, knowledge, reasoning, thought
