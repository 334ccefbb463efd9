"""Views over a lake: every family and the wide row, one pinned version, and nothing outside of the lake."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from named_samples import samples_named

from headwater.errors import UsageError
from headwater.lineage.finding import placements_of
from headwater.lineage.lookup import open_lookup
from headwater.lineage.past_runs import read_runs
from headwater.lineage.questions import rows
from headwater.lineage.runs import Unit, begin_run, commit_wave, finish_run
from headwater.lineage.story import why
from headwater.lineage.views import connect
from headwater.warehouse.commit import create_lake
from headwater.warehouse.fragments import sample_ids
from headwater.warehouse.parquet import write_family
from headwater.warehouse.schema import ALIGNED, FAMILIES, arrow_schema
from headwater.warehouse.snapshot import open_snapshot


@pytest.fixture
def lake(lake_folder: Path) -> str:
    """A lake with three samples of content and nothing else."""
    snapshot = create_lake(str(lake_folder))
    run = begin_run(str(lake_folder), "ingest", {}, {"ingest": 1}, 0)
    content = {
        "sample_id": pa.array(sample_ids(1, 0, 3)),
        "file_id": pa.array([7, 7, 8], pa.int64()),
        "record_no": pa.array([0, 1, 0], pa.int64()),
        "source": ["a", "b", None],
        "uri": ["https://one.example.org/x", "https://one.example.org.evil.net/x", None],
        "collected_at": pa.nulls(3, pa.string()),
        "content_hash": pa.array([bytes([n] * 16) for n in range(3)], pa.binary()),
        "origin": pa.array([1, 2, 3], pa.int64()),
        "text": ["first", "second", "third"],
        "text_bytes": pa.array([5, 6, 5], pa.int64()),
        "meta": pa.nulls(3, pa.string()),
        "run_id": [run.run_id] * 3,
    }
    entry = write_family(snapshot.uri, "content", "b", 1, 1, "a" * 32, [pa.table(content)])
    after, _ = commit_wave(run, snapshot, [Unit(adds=[entry], counts={"records": 3})])
    finish_run(run, after)
    return str(lake_folder)


def test_an_empty_lake_has_every_view(lake_folder: Path) -> None:
    """Before anything is ingested every view is there, with its columns and no row."""
    create_lake(str(lake_folder))
    with connect(str(lake_folder)) as connection:
        for family in FAMILIES:
            found = connection.execute(f"SELECT * FROM {family}")
            assert [column[0] for column in found.description] == [*arrow_schema(family).names, "batch"]
            assert found.fetchall() == []
        assert rows(connection, "SELECT * FROM samples") == []


def test_the_wide_row_has_every_aligned_column(lake: str) -> None:
    """A sample that lacks a family still has its row, with nulls; no column is there twice."""
    with connect(lake) as connection:
        found = rows(connection, "SELECT * FROM samples ORDER BY sample_id")
    assert [row["text"] for row in found] == ["first", "second", "third"]
    assert found[0]["language"] is None
    wanted = {"sample_id", "batch"} | {name for family in ALIGNED for name in FAMILIES[family].fields}
    assert set(found[0]) == wanted


def test_a_connection_is_pinned_to_its_version(lake: str) -> None:
    """An older version shows what was there then."""
    with connect(lake, 0) as connection:
        assert rows(connection, "SELECT count(*) AS n FROM content") == [{"n": 0}]
    newest = open_snapshot(lake).version
    with pytest.raises(UsageError, match=f"version {newest + 5}"):
        connect(lake, newest + 5)


@pytest.mark.parametrize("name", ["it's", 'a "quoted" name', "a'; DROP VIEW samples; --"])
def test_a_path_with_quotes_stays_a_path(name: str, tmp_path: Path) -> None:
    """A path cannot end the string of the statement that attaches it."""
    create_lake(str(tmp_path / name))
    with connect(str(tmp_path / name)) as connection:
        assert rows(connection, "SELECT count(*) AS n FROM samples") == [{"n": 0}]


def test_values_of_every_kind_are_plain(lake: str) -> None:
    """Bytes become hexadecimal, times ISO 8601, lists and structs stay; everything can be printed as JSON."""
    with connect(lake) as connection:
        (row,) = rows(
            connection,
            "SELECT '\\xab'::BLOB AS b, [1, 2] AS l, {'a': '\\x01'::BLOB} AS s, TIMESTAMPTZ '2026-01-02 03:04:05+00' AS t, "
            "1.5::DOUBLE AS d, NULL AS n, TRUE AS y, 3::HUGEINT AS h",
        )
    assert row["b"] == "ab"
    assert (row["l"], row["s"], row["d"], row["n"], row["y"], row["h"]) == ([1, 2], {"a": "01"}, 1.5, None, True, 3)
    assert row["t"].startswith("2026-01-0")


def test_samples_are_named_in_one_way(lake: str) -> None:
    """By id, host, source or file, or several of them at once; a host is matched whole, and nothing found is a wrong call."""
    one = 1 << 24
    assert samples_named(lake, sample=one) == [one]
    assert samples_named(lake, host="one.example.org") == [one]
    assert samples_named(lake, source="b") == [one + 1]
    assert samples_named(lake, sample=one, source="a") == [one]
    for wrong in (
        {},
        {"sample": one, "source": "b"},
        {"sample": 5},
        {"host": "oneXexample.org"},
        {"source": "' OR 1=1"},
    ):
        with pytest.raises(UsageError):
            samples_named(lake, **wrong)


def test_questions_about_a_sample_that_is_not_there(lake: str) -> None:
    """why and find say that there is no such sample."""
    for question in (lambda: why(open_lookup(lake), 5), lambda: placements_of(open_lookup(lake), [5])):
        with pytest.raises(UsageError, match="expected a sample 5, found none"):
            question()


def test_the_story_of_a_sample_without_measures(lake: str) -> None:
    """Just ingested: file, content without text, and its one run; what is not there yet is not made up."""
    with connect(lake) as connection:
        story = why(open_lookup(lake), 1 << 24)
        (run,) = read_runs(connection)
        assert isinstance(connection, duckdb.DuckDBPyConnection)
    assert "text" not in story["content"]
    assert "first" not in str(story)
    assert (story["content"]["batch"], story["spans"], story["placements"], "verdicts" in story) == ("b", [], [], False)
    assert [each["run_id"] for each in story["runs"]] == [run.run_id]
    assert run.ended is not None
