"""What near comparison asks of a text: is it code, mathematics or prose? A pure function of signals, so that no score has a say in it.

- ``code`` where code >= 0.3 and latex < 0.02;
- ``math`` where latex >= 0.02, or equations per 100 words >= 2, or math symbols per kB >= 12, and code < 0.3;
- ``prose`` elsewhere, and where a signal is missing.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headwater.errors import UsageError

__all__ = ["CODE", "KIND_SIGNALS", "MATH", "PROSE", "column_values", "kinds"]

PROSE: Final = "prose"
CODE: Final = "code"
MATH: Final = "math"

KIND_SIGNALS: Final = (
    "hw_code_fraction",
    "hw_latex_fraction",
    "hw_equations",
    "gopher_words",
    "hw_math_symbols_per_kb",
)
"""The signals that are read."""


def kinds(signals: pa.RecordBatch | pa.Table) -> pa.StringArray:
    """Return string [n], ``code``, ``math`` or ``prose``, of signals [n] with the columns ``KIND_SIGNALS``.

    Raises:
        UsageError: a signal is not there.

    >>> row = {"hw_code_fraction": 0.0, "hw_latex_fraction": 0.0, "hw_equations": 3, "gopher_words": 100, "hw_math_symbols_per_kb": 0.0}
    >>> kinds(pa.RecordBatch.from_pylist([row, row | {"hw_equations": 1}, row | {"hw_code_fraction": 0.5}])).to_pylist()
    ['math', 'prose', 'code']
    """
    if lacking := [name for name in KIND_SIGNALS if name not in signals.schema.names]:
        raise UsageError(f"kinds: expected the signals {', '.join(KIND_SIGNALS)}, the batch lacks {', '.join(lacking)}")
    code, latex, equations, words, symbols = (column_values(signals[name]) for name in KIND_SIGNALS)
    is_code = (code >= 0.3) & (latex < 0.02)
    dense = 100.0 * equations / np.maximum(words, 1.0) >= 2.0
    is_math = ((latex >= 0.02) | dense | (symbols >= 12.0)) & (code < 0.3)
    missing = np.isnan(code) | np.isnan(latex) | np.isnan(equations) | np.isnan(words) | np.isnan(symbols)
    index = np.select([missing, is_code, is_math], [0, 1, 2], 0)
    return pa.array([PROSE, CODE, MATH]).take(pa.array(index))


def column_values(column: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.float64]:
    """Return a signal as float64 [n]; null becomes NaN."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    floats = pc.fill_null(pc.cast(array, pa.float64()), float("nan"))
    return np.array(floats.to_numpy(zero_copy_only=False))
