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

    domain     = code      where code >= 0.3 and latex < 0.02
                 math      where latex >= 0.02, or equations per 100 words >= 2, or math symbols per kB >= 12, and code < 0.3
                 dialogue  where dialogue lines >= 0.4 of at least 3 lines
                 general   elsewhere
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headwater.errors import UsageError
from headwater.filters.scores.names import DOMAINS
from headwater.filters.signals.columns import SIGNALS
from headwater.filters.signals.lexicon import STOP_WORDS

__all__ = ["SCORES", "VERSION", "score"]

VERSION: Final = 1
"""Raised with any change that alters a stored score."""

SCORES: Final = ("quality", "knowledge_density", "reasoning_density", "chain_of_thought")

_Values = npt.NDArray[np.float64]


def score(signals: pa.RecordBatch, languages: pa.Array | pa.ChunkedArray) -> pa.RecordBatch:
    """Return quality, knowledge_density, reasoning_density, chain_of_thought (int32, 0 to 65535) and domain.

    Where a signal that the formulas read is null or NaN, all five are null: a missing measure gives no score.

    Raises:
        UsageError: a signal is missing from the batch, or there are more or fewer languages than rows.

    >>> from headwater.filters.signals.measure import measure_signals
    >>> languages = pa.array(["en", "en"])
    >>> texts = pa.array(["", "First we add 2 + 3 = 5. Then 5 * 4 = 20, so the sum is 20."])
    >>> batch = score(measure_signals(texts, languages), languages)
    >>> batch["quality"].to_pylist()[0], batch["domain"].to_pylist()
    (0, ['general', 'math'])
    """
    if lacking := [name for name in SIGNALS if name not in signals.schema.names]:
        raise UsageError(f"score: expected all signals, the batch lacks {', '.join(lacking)}: measure them first")
    if len(languages) != signals.num_rows:
        raise UsageError(f"score: expected one language a row, found {len(languages)} for {signals.num_rows} rows")
    values = {name: _as_float(signals[name]) for name in SIGNALS}
    missing = np.zeros(signals.num_rows, np.bool_)
    for column in values.values():
        missing |= np.isnan(column)
        column[missing] = 0.0
    listed = np.array([language in STOP_WORDS for language in languages.to_pylist()], np.bool_)
    results, domain = _formulas(values, listed)
    stored = [pa.array(np.floor(np.clip(x, 0.0, 1.0) * 65535.0 + 0.5).astype(np.int32), mask=missing) for x in results]
    names = pa.array(DOMAINS).take(pa.array(domain, mask=missing))
    return pa.RecordBatch.from_arrays([*stored, names], names=[*SCORES, "domain"])


def _as_float(column: pa.Array) -> _Values:
    floats = pc.fill_null(pc.cast(column, pa.float64()), float("nan"))
    return np.array(floats.to_numpy(zero_copy_only=False))


def _ramp(x: _Values, start: float, stop: float) -> _Values:
    """0 up to start, 1 from stop, straight between; falling where start > stop."""
    return np.clip((x - start) / (stop - start), 0.0, 1.0)


def _per(part: _Values, whole: _Values) -> _Values:
    return part / np.maximum(whole, 1.0)


def _formulas(
    signals: dict[str, _Values], listed: npt.NDArray[np.bool_]
) -> tuple[tuple[_Values, ...], npt.NDArray[np.int64]]:
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

    is_math = ((latex >= 0.02) | (equations_per_100_words >= 2.0) | (symbols >= 12.0)) & (code < 0.3)
    is_dialogue = (signals["hw_dialogue_lines_fraction"] >= 0.4) & (lines >= 3.0)
    domain = np.select([is_code, is_math, is_dialogue], [1, 2, 3], 0).astype(np.int64)
    return (quality, knowledge, reasoning, thought), domain
