"""Decide: in each cluster the best sample that passes stays, what is not like it stays too, and counts add up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.errors import ReconciliationError
from headwater.filters.duplicates.agreement import MIN_AGREEMENT
from headwater.pipelines.decide.election import find_losers
from headwater.pipelines.decide.verdicts import EXACT, NEAR, reconcile, verdict_rows, wiped_sources

_BASE = np.arange(1000, 1112, dtype=np.uint32)


def _signature(*changes: tuple[int, int]) -> bytes:
    """The base signature with `count` values from `begin` changed."""
    values = _BASE.copy()
    for begin, count in changes:
        values[begin : begin + count] += np.uint32(7919 * (begin + 1))
    return values.tobytes()


def _rows(rows: Sequence[tuple[int, int, bytes, int, int, int]]) -> pa.Table:
    """(sample, cluster, signature, content, normalized, shingles), in the order of choosing."""
    return pa.table(
        {
            "sample_id": pa.array([row[0] for row in rows], pa.int64()),
            "cluster_id": pa.array([bytes([row[1]] * 16) for row in rows], pa.binary()),
            "quality": pa.array([0] * len(rows), pa.int32()),
            "text_bytes": pa.array([0] * len(rows), pa.int64()),
            "content_hash": pa.array([bytes([row[3]] * 16) for row in rows], pa.binary()),
            "origin": pa.array([0] * len(rows), pa.int64()),
            "signature": pa.array([row[2] for row in rows], pa.binary()),
            "n_shingles": pa.array([row[5] for row in rows], pa.int32()),
            "normalized_hash": pa.array([bytes([row[4]] * 16) if row[4] else b"" for row in rows], pa.binary()),
        }
    )


def _losers(table: pa.Table, rows_a_batch: int = 1 << 16) -> dict[int, tuple[int, float, bool]]:
    found: dict[int, tuple[int, float, bool]] = {}
    for batch in find_losers(MIN_AGREEMENT, iter(table.to_batches(max_chunksize=rows_a_batch))):
        for row in batch.to_pylist():
            assert row["sample_id"] not in found
            found[row["sample_id"]] = (row["duplicate_of"], row["similarity"], row["same_text"])
    return found


def test_the_first_stays_and_the_others_name_it() -> None:
    """Equal content and near content lose to the first row; similarity is the share of equal values."""
    table = _rows(
        [
            (1, 1, _signature(), 1, 1, 50),
            (2, 1, _signature(), 1, 1, 50),
            (3, 1, _signature((0, 28)), 3, 3, 50),
            (4, 2, _signature(), 1, 1, 50),
        ]
    )
    found = _losers(table)
    assert set(found) == {2, 3}
    assert found[2] == (1, 1.0, True)
    assert found[3][0] == 1
    assert found[3][1] == pytest.approx(84 / 112)
    assert not found[3][2]


@pytest.mark.parametrize(("changed", "goes"), [(27, True), (28, True), (29, False)])
def test_a_sample_goes_at_three_quarters(changed: int, goes: bool) -> None:
    """84 of 112 equal values make a duplicate, 83 do not."""
    assert (2 in _losers(_rows([(1, 1, _signature(), 1, 1, 50), (2, 1, _signature((0, changed)), 2, 2, 50)]))) == goes


def test_who_is_like_a_loser_only_stays() -> None:
    """A chain does not swallow a family: the third is near the second, which went, and far from the winner."""
    table = _rows(
        [
            (1, 1, _signature(), 1, 1, 50),
            (2, 1, _signature((0, 28)), 2, 2, 50),
            (3, 1, _signature((0, 28), (40, 28)), 3, 3, 50),
        ]
    )
    assert set(_losers(table)) == {2}


def test_short_texts_are_duplicates_of_equal_normalised_text_only() -> None:
    """Under 20 shingles signatures say little: one shingle less than 20 counts by its normalised text, 20 by its signature."""
    same = [(1, 1, _signature(), 1, 9, 19), (2, 1, _signature(), 2, 9, 19), (3, 1, _signature(), 3, 8, 19)]
    assert set(_losers(_rows(same))) == {2}
    assert set(_losers(_rows([(1, 1, _signature(), 1, 9, 20), (2, 1, _signature(), 2, 8, 20)]))) == {2}
    assert _losers(_rows([(1, 1, b"", 1, 0, 0), (2, 1, b"", 2, 0, 0)])) == {}


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.tuples(st.integers(1, 3), st.integers(0, 3), st.integers(0, 60), st.integers(1, 6)), min_size=1, max_size=40
    ),
    st.integers(1, 9),
)
def test_a_cluster_cut_between_batches_is_elected_alike(
    rows: list[tuple[int, int, int, int]], rows_a_batch: int
) -> None:
    """However the rows are cut, the election is that of the plain rule: the first kept row that a row is like."""
    ordered = sorted(rows, key=lambda row: row[0])
    table = _rows(
        [
            (number, cluster, _signature((28 * place, count)), content, content, 50)
            for number, (cluster, place, count, content) in enumerate(ordered)
        ]
    )
    expected: dict[int, int] = {}
    kept: list[dict[str, Any]] = []
    for row in table.to_pylist():
        for other in kept:
            if row["cluster_id"] == other["cluster_id"] and (
                row["content_hash"] == other["content_hash"]
                or np.mean(np.equal(*(np.frombuffer(each["signature"], np.uint32) for each in (row, other)))) >= 0.75
            ):
                expected[row["sample_id"]] = other["sample_id"]
                break
        else:
            kept.append(row)
    assert {sample: winner for sample, (winner, _, _) in _losers(table, rows_a_batch).items()} == expected


def test_verdicts_keep_all_reasons_and_the_first() -> None:
    """A duplicate that passes the rules has the duplicate as its reason; counts add up by reason and by source."""
    zipped = pa.table({"sample_id": pa.array([10, 11, 12, 13], pa.int64()), "source": ["web", "web", None, "web"]})
    evaluated = pa.table(
        {
            "reasons": pa.array([[], [], [], ["short", "no_stop"]], pa.list_(pa.string())),
            "first_reason": pa.array([None, None, None, "short"], pa.string()),
        }
    )
    losers = pa.table(
        {
            "sample_id": pa.array([11, 12], pa.int64()),
            "duplicate_of": pa.array([10, 10], pa.int64()),
            "similarity": pa.array([1.0, 0.75], pa.float32()),
            "same_text": [True, False],
        }
    )
    zipped = zipped.append_column("contamination_overlap", pa.array([0.0, 0.5, 0.0, 0.0], pa.float32()))
    zipped = zipped.append_column("contamination_answered", pa.array([0.0] * 4, pa.float32()))
    table, counts = verdict_rows(zipped, evaluated, losers, "rules")
    assert table["rule_set"].to_pylist() == ["rules"] * 4
    assert table["contamination_overlap"].to_pylist() == [0.0, 0.5, 0.0, 0.0]
    assert table["kept"].to_pylist() == [True, False, False, False]
    assert table["reasons"].to_pylist() == [[], [EXACT], [NEAR], ["short", "no_stop"]]
    assert table["first_reason"].to_pylist() == [None, EXACT, NEAR, "short"]
    assert table["duplicate_of"].to_pylist() == [None, 10, 10, None]
    assert counts == {
        "samples": 4,
        "kept": 1,
        f"reason:{EXACT}": 1,
        f"reason:{NEAR}": 1,
        "reason:short": 1,
        "source:web": 3,
        "source:(none)": 1,
        "duplicates:web": 1,
        "duplicates:(none)": 1,
    }
    reconcile(counts)
    with pytest.raises(ReconciliationError, match="expected 5 samples"):
        reconcile(counts | {"samples": 5})


@pytest.mark.parametrize(("lost", "told"), [(4, False), (5, False), (6, True)])
def test_the_alarm_is_for_sources_that_lose_more_than_the_limit(lost: int, told: bool) -> None:
    """At the limit there is no alarm, above it there is; a source that lost nothing is never named."""
    counts = {"source:a": 10, "duplicates:a": lost, "source:b": 3}
    assert wiped_sources(counts, 0.5) == ({"a": lost / 10} if told else {})
