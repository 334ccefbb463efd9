"""The numbers that kernels write to are those of the columns and of the arrays: an order that changed would fail here."""

from __future__ import annotations

from types import ModuleType

from headwater.filters.signals import counts, places
from headwater.filters.signals.columns import SIGNALS


def numbers_of(module: ModuleType) -> dict[str, int]:
    """The whole numbers that a module names, by name, in the order in which it names them."""
    return {name: value for name, value in vars(module).items() if name.isupper() and isinstance(value, int)}


def test_places_are_those_of_the_columns() -> None:
    """Each signal has its column's number under its column's name, and nothing else has a place."""
    assert list(numbers_of(places).items()) == [(name.upper(), number) for number, name in enumerate(SIGNALS)]


def test_counts_fill_their_arrays() -> None:
    """The names of an array's counts are numbered from 0 on, without gaps, up to the array's length."""
    found: list[int] = []
    for name, number in numbers_of(counts).items():
        if name in {"GOPHER_NGRAMS", "RPV2_NGRAMS", "N_NGRAM_COUNTS"}:
            continue
        if name.startswith("N_"):
            assert found == list(range(number)), name
            found = []
        else:
            found.append(number)
    assert not found
    assert counts.RPV2_NGRAMS - counts.GOPHER_NGRAMS == counts.N_NGRAM_COUNTS - counts.RPV2_NGRAMS == 9


def test_ngrams_follow_each_other() -> None:
    """`rows` writes nine lengths in a row from the first on: 2 to 4 by the most frequent, 5 to 10 by repetition."""
    names = list(SIGNALS)
    for source, first in (
        ("gopher", places.GOPHER_TOP_2GRAM_CHARS_FRACTION),
        ("rpv2", places.RPV2_TOP_2GRAM_CHARS_FRACTION),
    ):
        kinds = ["top"] * 3 + ["dup"] * 6
        expected = [f"{source}_{kind}_{n}gram_chars_fraction" for n, kind in enumerate(kinds, 2)]
        assert names[first : first + 9] == expected
