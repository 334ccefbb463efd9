"""What becomes of personal data and secrets when spans are applied, and where spans overlap."""

from __future__ import annotations

import itertools

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.errors import UsageError
from headwater.filters.personal.types import PERSONAL_TYPES
from headwater.filters.spans.find import MASK, SPAN_COLUMNS, find_spans, without_spans
from headwater.filters.spans.policy import DEFAULT_POLICY, decide_actions, policy_of, union_of_spans
from headwater.filters.spans.stored import stored_spans

TEXT = "use cookies, ann@example.org\nask bob@example.org or +1 212 736 5000"


def stored(texts: list[str], operators: list[str]) -> pa.Table:
    """Return the rows of family ``spans`` of samples 10, 11, …."""
    found = pa.Table.from_batches(
        [stored_spans(pa.array(texts), operators, pa.array(["en"] * len(texts)), personal=True)]
    )
    return found.add_column(0, "sample_id", pa.array(found["row"].to_numpy() + 10, pa.int64())).drop(["row"])


def applied(text: str, operators: list[str], policy: dict[str, str]) -> str:
    """Return a text as a build by a policy has it."""
    table = pa.table({"sample_id": pa.array([10], pa.int64()), "text": [text]})
    spans = stored([text], operators).select(["sample_id", *SPAN_COLUMNS])
    return str(without_spans(table, spans, {**DEFAULT_POLICY, **policy})[0].as_py())


@pytest.mark.parametrize(
    ("operators", "policy", "wanted"),
    [
        ([], {}, f"use cookies, {MASK}\nask {MASK} or {MASK}"),
        ([], {"personal:phone": "keep"}, f"use cookies, {MASK}\nask {MASK} or +1 212 736 5000"),
        ([], {"personal:email": "drop", "personal:phone": "keep"}, "use cookies, \nask  or +1 212 736 5000"),
        (["policy_lines"], {}, f"ask {MASK} or {MASK}"),
        (
            ["emails"],
            {"personal:email": "keep", "personal:phone": "keep"},
            f"use cookies, {MASK}\nask {MASK} or +1 212 736 5000",
        ),
        (["emails"], {}, f"use cookies, {MASK}\nask {MASK} or {MASK}"),
        (["emails"], {"personal:email": "drop"}, f"use cookies, \nask  or {MASK}"),
        (
            ["emails", "policy_lines"],
            {"personal:email": "keep", "personal:phone": "keep"},
            f"ask {MASK} or +1 212 736 5000",
        ),
    ],
)
def test_the_policy_says_what_a_build_leaves_out(operators: list[str], policy: dict[str, str], wanted: str) -> None:
    """The same spans, masked, dropped or kept; a dropped line takes what stands in it; two masks of the same bytes are one."""
    assert applied(TEXT, operators, policy) == wanted


def test_what_is_found_does_not_hang_on_the_other_operators() -> None:
    """Personal data are stored also inside a line that another operator drops, without an action of their own."""
    alone, beside = stored([TEXT], []), stored([TEXT], ["policy_lines"])
    rows = [row for row in beside.to_pylist() if row["action"] is None]
    assert rows == alone.to_pylist()
    assert [row["operator"] for row in rows] == ["personal:email", "personal:email", "personal:phone"]
    assert {row["confidence"] for row in rows} == {"high"}
    begins = beside["span_begin"].to_pylist()
    assert begins == sorted(begins)


def test_without_personal_data_spans_are_as_they_were() -> None:
    """The rows of the operators, with two columns that are null."""
    found = stored_spans(pa.array([TEXT]), ["emails", "policy_lines"])
    assert found.select(find_spans(pa.array([TEXT]), ["emails"]).schema.names).equals(
        find_spans(pa.array([TEXT]), ["emails", "policy_lines"])
    )
    assert found["variant"].null_count == found["confidence"].null_count == found.num_rows


def test_spans_with_actions_are_applied_as_they_stand() -> None:
    """A lake of an earlier release has no span without an action, and none is moved."""
    spans = pa.table({"sample_id": [1], "operator": ["emails"], "span_begin": [0], "span_end": [2], "action": ["mask"]})
    assert decide_actions(spans, {}) is spans


def test_a_span_of_an_unknown_kind_is_refused() -> None:
    """What a newer release found is never silently kept."""
    spans = pa.table(
        {
            "sample_id": [1],
            "operator": ["personal:gait"],
            "span_begin": [0],
            "span_end": [2],
            "action": pa.nulls(1, pa.string()),
        }
    )
    with pytest.raises(UsageError, match="personal:gait"):
        decide_actions(spans, DEFAULT_POLICY)


def test_a_policy_names_what_it_changes() -> None:
    """What a recipe's table does not name has its default."""
    assert policy_of({}) == DEFAULT_POLICY
    changed = policy_of({"personal": {"ip": "drop"}, "secrets": {"password": "keep"}})
    assert {name for name in DEFAULT_POLICY if changed[name] != DEFAULT_POLICY[name]} == {
        "personal:ip",
        "secret:password",
    }
    assert {name.partition(":")[2] for name in changed if name.startswith("personal:")} == set(PERSONAL_TYPES)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 20), st.integers(1, 8), st.booleans()), max_size=12))
def test_a_union_covers_each_byte_once(spans: list[tuple[int, int, int, bool]]) -> None:
    """A byte in a drop is dropped, another in a mask is masked; nothing else is touched; what comes out is sorted and apart."""
    rows, begins, lengths, drop = (
        (np.array(column) for column in zip(*spans, strict=True)) if spans else (np.zeros(0, np.int64),) * 4
    )
    found = union_of_spans(rows, begins, begins + lengths, drop.astype(bool)).tolist()
    assert found == sorted(found)
    assert all(one[0] != two[0] or one[2] <= two[1] for one, two in itertools.pairwise(found))
    wanted: dict[tuple[int, int], int] = {}
    for row, begin, length, is_drop in spans:
        for at in range(begin, begin + length):
            wanted[row, at] = max(wanted.get((row, at), 0), int(is_drop))
    assert {(row, at): kind for row, begin, end, kind in found for at in range(begin, end)} == wanted
