"""Fingerprints: canonical or an error."""

from __future__ import annotations

import json
from collections import OrderedDict
from enum import IntEnum

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.errors import UsageError
from headwater.fingerprint import canonical_json, fingerprint, fingerprint_of_rows

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


class _Colour(IntEnum):
    RED = 1


def test_known_fingerprint() -> None:
    """The digest of a known value never changes: lakes store it."""
    assert canonical_json({"b": (1, 2.5), "a": None, "ü": [True]}) == '{"a":null,"b":[1,2.5],"ü":[true]}'
    assert fingerprint({"a": 1}) == "2c6b113b8dd15ffbded9860b43eb0c6c"


@given(_VALUES)
def test_canonical_json_reads_back(value: object) -> None:
    """Canonical JSON is JSON of the same value, and canonical again."""
    text = canonical_json(value)
    assert json.loads(text) == value
    assert canonical_json(json.loads(text)) == text


@given(st.lists(_VALUES, max_size=4))
def test_rows_one_at_a_time(rows: list[object]) -> None:
    """A list that is never held whole has the fingerprint of the list."""
    assert fingerprint_of_rows(iter(rows)) == fingerprint(rows)


@given(st.dictionaries(st.text(), st.integers(), min_size=2, max_size=6))
def test_order_of_keys_does_not_count(table: dict[str, int]) -> None:
    """The order in which keys were inserted is no part of a value."""
    assert fingerprint(dict(reversed(table.items()))) == fingerprint(table)


def test_types_and_values_count() -> None:
    """Values that mean different things have different fingerprints."""
    different: list[object] = [None, False, True, 0, 1, 1.0, "1", [], {}, [1], ["1"], {"1": 1}, "", [[]], [None]]
    assert len({fingerprint(value) for value in different}) == len(different)
    assert fingerprint((1, 2)) == fingerprint([1, 2])
    assert fingerprint(OrderedDict(a=1)) == fingerprint({"a": 1})


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        -float("inf"),
        {1, 2},
        frozenset(),
        object(),
        b"bytes",
        {1: "key"},
        {None: "key"},
        {"deep": [{"er": {3.5}}]},
        "\ud800",
        {"\ud800": 1},
        np.int64(1),
        np.float64(1.0),
        np.array([1]),
        _Colour.RED,
        range(3),
        print,
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_not_canonical_is_an_error(value: object) -> None:
    """Nothing falls back to str()."""
    with pytest.raises(UsageError):
        fingerprint(value)


def test_a_value_that_contains_itself_is_an_error() -> None:
    """A cycle ends with an error, not with a full stack."""
    cycle: list[object] = []
    cycle.append(cycle)
    with pytest.raises(UsageError, match="64 levels"):
        fingerprint(cycle)


def test_the_message_names_the_place() -> None:
    """The error says where in the value it was found."""
    with pytest.raises(UsageError, match=r"value\.stages\[1\]\.share: expected a finite number, found nan"):
        fingerprint({"stages": [{}, {"share": float("nan")}]})
