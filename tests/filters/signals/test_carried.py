"""Numbers that a text works out and goes on with."""

from __future__ import annotations

import pyarrow as pa
import pytest

from headwater.filters.signals.measure import measure_signals


@pytest.mark.parametrize(
    ("text", "carried"),
    [
        ("18 + 35 = 53. Then 53 − 3 = 50, so 50 are left.", 2),
        ("七人,一人三个:7 × 3 = 21。21 − 1 = 20。", 1),
        ("The price = $12.50; two cost 12.50 + 12.50 = 25", 2),
        ("x = −5, so x + 5 = 0", 1),
        ("2 × 3 = 6\n2 × 4 = 8", 0),
        ("53 and then 18 + 35 = 53", 0),
        ("if x == 5: print(5)", 0),
        ("a = b and 7, then 7", 0),
        ("", 0),
    ],
)
def test_results_taken_up_again(text: str, carried: int) -> None:
    """Only numbers count that stood after a single = before."""
    batch = measure_signals(pa.array([text]), pa.array(["en"]))
    words = max(batch["gopher_words"][0].as_py(), 1)
    assert batch["hw_carried_numbers_per_kword"][0].as_py() == pytest.approx(1000 * carried / words)
