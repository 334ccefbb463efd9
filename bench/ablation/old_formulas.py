"""The old formulas: hand-set scores over signals as Headwater shipped them before its scores were trained (version 1, commit 846a7e3).

Kept here as what the trained scores must beat. With ramp(x, a, b) = clip((x - a) / (b - a), 0, 1), falling where a > b, and signals named
without prefix:

    prose      = ramp(alpha_words, 0.5, 0.8) * ramp(words, 5, 100)
    clean      = ramp(dup_lines_chars, 0.3, 0) * ramp(top_2gram, 0.3, 0.05) * ramp(dup_10gram, 0.5, 0.05)
    shape      = (2 * ramp(punct_lines, 0, 0.6) + ramp(short_lines, 1, 0.3) + ramp(policy_lines / lines, 0.2, 0)) / 4
    function   = ramp(stop_words, 0, 4)
    quality    = clean * (0.4 * prose + 0.35 * shape + 0.25 * function)
                 code: clean * (0.5 * ramp(code, 0.1, 0.5) + 0.5 * ramp(words, 5, 100))

    knowledge_density = (quality + 1) / 2 * (0.35 * ramp(distinct_words, 0.2, 0.65) + 0.25 * ramp(long_words, 0.05, 0.35)
                                             + 0.2 * ramp(stop_words_fraction, 0.5, 0.2) + 0.2 * figures)
    figures    = ramp(digits, 0, 0.05) * ramp(digits, 0.4, 0.1)

    reasoning_density = clean * (0.5 * formal + 0.35 * ramp(connectives_per_kword, 0, 30) + 0.15 * ramp(math_symbols_per_kb, 0, 15))
    formal     = max(ramp(latex, 0, 0.06), ramp(equations per 100 words, 0, 4), ramp(code, 0.1, 0.5))
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["old_scores"]

_Values = npt.NDArray[np.float64]


def old_scores(signals: pa.RecordBatch) -> dict[str, _Values]:
    """Return quality, knowledge density and reasoning density in [0, 1] of documents in a language that has a list of stop words.

    >>> from headwater.filters.signals.measure import measure_signals
    >>> texts = pa.array(["", "First we add 2 + 3 = 5. Then 5 * 4 = 20, so the sum is 20."])
    >>> {name: values.round(3).tolist() for name, values in old_scores(measure_signals(texts, pa.array(["en", "en"]))).items()}
    {'quality': [0.0, 0.267], 'knowledge_density': [0.0, 0.422], 'reasoning_density': [0.0, 0.648]}
    """

    def signal(name: str) -> _Values:
        return np.asarray(pc.cast(signals[name], pa.float64()).to_numpy(zero_copy_only=False), np.float64)

    words, lines, code = signal("gopher_words"), signal("c4_lines"), signal("hw_code_fraction")
    equations, latex, digits = signal("hw_equations"), signal("hw_latex_fraction"), signal("hw_digit_fraction")

    enough = _ramp(words, 5.0, 100.0)
    prose = _ramp(signal("gopher_alpha_words_fraction"), 0.5, 0.8) * enough
    clean = _ramp(signal("gopher_dup_lines_chars_fraction"), 0.3, 0.0)
    clean = clean * _ramp(signal("gopher_top_2gram_chars_fraction"), 0.3, 0.05)
    clean = clean * _ramp(signal("gopher_dup_10gram_chars_fraction"), 0.5, 0.05)
    shape = 2.0 * _ramp(signal("fineweb_punct_lines_fraction"), 0.0, 0.6)
    shape = shape + _ramp(signal("fineweb_short_lines_fraction"), 1.0, 0.3)
    shape = (shape + _ramp(signal("c4_policy_lines") / np.maximum(lines, 1.0), 0.2, 0.0)) / 4.0
    function = _ramp(signal("gopher_stop_words"), 0.0, 4.0)
    quality = np.where(
        (code >= 0.3) & (latex < 0.02),
        clean * (0.5 * _ramp(code, 0.1, 0.5) + 0.5 * enough),
        clean * (0.4 * prose + 0.35 * shape + 0.25 * function),
    )
    quality = np.where(words > 0.0, quality, 0.0)

    lexical = _ramp(signal("hw_distinct_words_fraction"), 0.2, 0.65)
    terms = _ramp(signal("hw_long_words_fraction"), 0.05, 0.35)
    dense = _ramp(signal("hw_stop_words_fraction"), 0.5, 0.2)
    figures = _ramp(digits, 0.0, 0.05) * _ramp(digits, 0.4, 0.1)
    knowledge = (quality + 1.0) / 2.0 * (0.35 * lexical + 0.25 * terms + 0.2 * dense + 0.2 * figures)
    knowledge = np.where(words > 0.0, knowledge, 0.0)

    formal = np.maximum(_ramp(latex, 0.0, 0.06), _ramp(100.0 * equations / np.maximum(words, 1.0), 0.0, 4.0))
    formal = np.maximum(formal, _ramp(code, 0.1, 0.5))
    argument = _ramp(signal("hw_connectives_per_kword"), 0.0, 30.0)
    symbols = _ramp(signal("hw_math_symbols_per_kb"), 0.0, 15.0)
    reasoning = clean * (0.5 * formal + 0.35 * argument + 0.15 * symbols)
    scores = {"quality": quality, "knowledge_density": knowledge, "reasoning_density": reasoning}
    return {name: np.clip(values, 0.0, 1.0) for name, values in scores.items()}


def _ramp(x: _Values, start: float, stop: float) -> _Values:
    """0 up to start, 1 from stop, straight between; falling where start > stop."""
    return np.clip((x - start) / (stop - start), 0.0, 1.0)
