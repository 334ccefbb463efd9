"""The sum of rows in vector registers against plain float32 additions."""

from __future__ import annotations

import numpy as np
import pytest

from headwater.filters.fasttext.sum_rows import add_rows


@pytest.mark.parametrize("columns", [8, 16, 24, 32, 40, 104])
@pytest.mark.parametrize("n_found", [0, 1, 500])
def test_fasttext_sum_is_in_order(columns: int, n_found: int) -> None:
    """Every column is the float32 sum of the chosen rows, added one after another to what was there, bit for bit."""
    draw = np.random.default_rng(5)
    rows = (draw.standard_normal((300, columns)) * 10.0 ** draw.integers(-3, 3, (300, 1))).astype(np.float32)
    found = draw.integers(0, len(rows), 500).astype(np.int32)
    sums = draw.standard_normal(columns).astype(np.float32)
    expected = sums.copy()
    for row in found[:n_found]:
        expected += rows[row]
    add_rows(rows, found, n_found, sums)
    np.testing.assert_array_equal(sums, expected)
