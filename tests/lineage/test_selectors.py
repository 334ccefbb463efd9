"""Every way to name samples, beside what the views say in plain SQL; streams, lists and wrong names."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from click.testing import CliRunner
from named_samples import samples_named

from headwater import Lake
from headwater.cli.root import cli
from headwater.errors import UsageError
from headwater.lineage.lookup import open_lookup
from headwater.lineage.names import WAYS, Names
from headwater.lineage.operators import digits_of
from headwater.lineage.past_runs import read_runs
from headwater.lineage.questions import rows
from headwater.lineage.selectors import MOST_AT_ONCE, selected
from headwater.lineage.views import connect

if TYPE_CHECKING:
    import duckdb
    from small_lake import SmallLake

pytestmark = pytest.mark.spark  # the lake is made by Spark, once


@pytest.fixture(scope="module")
def views(finished_lake: SmallLake) -> Iterator[duckdb.DuckDBPyConnection]:
    """The views of the small lake."""
    with connect(str(finished_lake.folder)) as connection:
        yield connection


def _ids(views: duckdb.DuckDBPyConnection, condition: str, *values: object) -> list[int]:
    return [row["id"] for row in rows(views, f"SELECT DISTINCT sample_id AS id FROM {condition} ORDER BY 1", values)]


# Way → a value of it in the small lake, and what the views say of it.
TRUTH: dict[str, Callable[[duckdb.DuckDBPyConnection], tuple[Any, list[int]]]] = {  # Any: a value of any way
    "sample": lambda views: (_ids(views, "content")[3], _ids(views, "content")[3:4]),
    "uri": lambda views: _same(views, "content", "uri", "uri LIKE '%pendulum%'"),
    "hash": lambda views: _same(
        views, "content", "content_hash", "sample_id IN (SELECT sample_id FROM verdicts WHERE NOT kept)"
    ),
    "host": lambda views: ("example.org", _ids(views, "captures WHERE host = 'example.org'")),
    "domain": lambda views: ("example.org", _ids(views, "captures WHERE registered_domain = 'example.org'")),
    "source": lambda views: _same(views, "content", "source", "source IS NOT NULL"),
    "licence": lambda views: (
        "Apache-2.0",
        _ids(views, "content JOIN files USING (file_id) WHERE license = 'Apache-2.0'"),
    ),
    "file": lambda views: _same(
        views, "(FROM content JOIN files USING (file_id))", "file_uri", "file_uri LIKE '%second%'"
    ),
    "cluster": lambda views: _same(views, "duplicates", "cluster_id", "kind = 'exact'"),
    "rule": lambda views: (
        "gopher_max_top_3gram_chars",
        _ids(views, "verdicts WHERE list_contains(reasons, 'gopher_max_top_3gram_chars')"),
    ),
    "language": lambda views: _same(views, "language", "language", "language <> 'en'"),
    "first_rule": lambda views: _same(views, "verdicts", "first_reason", "first_reason IS NOT NULL"),
    "run": lambda views: _same(views, "content", "run_id", "batch = 'two'"),
    "operator": lambda views: ("policy_lines@1", _ids(views, "spans WHERE operator = 'policy_lines'")),
    "vocabulary": lambda views: _same(views, "tokens", "vocabulary", "TRUE"),
    "evaluation_set": lambda views: ("planted", _ids(views, "contamination WHERE benchmark = 'planted'")),
    "where": lambda views: ("kept AND quality > 30000", _ids(views, "samples WHERE kept AND quality > 30000")),
    "samples": lambda views: (_ids(views, "content")[::-2], sorted(_ids(views, "content")[::-2])),
}


def _same(
    views: duckdb.DuckDBPyConnection, table: str, column: str, condition: str
) -> tuple[Any, list[int]]:  # Any: as in TRUTH
    """Return the first value of a column under a condition, and the samples that have it."""
    (row,) = rows(views, f"SELECT min({column}) AS value FROM {table} WHERE {condition}")
    of_hash = column in ("content_hash", "cluster_id")
    return row["value"], _ids(
        views, f"{table} WHERE {f'lower(hex({column}))' if of_hash else column} = ?", row["value"]
    )


@pytest.mark.parametrize("way", WAYS)
def test_each_way_names_what_the_views_say(
    way: str, finished_lake: SmallLake, views: duckdb.DuckDBPyConnection
) -> None:
    """All of them, ascending, each once; a limit takes the first."""
    value, expected = TRUTH[way](views)
    assert expected, "the small lake has no sample to try this with"
    named: Names = {way: value}  # type: ignore[misc] # a way is a key of Names
    assert samples_named(str(finished_lake.folder), **named) == expected
    assert samples_named(str(finished_lake.folder), limit=1, **named) == expected[:1]


@pytest.mark.parametrize(
    "ways", [("source", "rule"), ("where", "run"), ("language", "samples", "operator"), ("host", "domain")]
)
def test_several_ways_name_what_each_of_them_names(
    ways: tuple[str, ...], finished_lake: SmallLake, views: duckdb.DuckDBPyConnection
) -> None:
    """The samples that are in all, ascending; where there is none, an error that names every way."""
    answers = {way: TRUTH[way](views) for way in ways}
    named: Names = {way: value for way, (value, _) in answers.items()}  # type: ignore[assignment] # a way is a key of Names
    expected = sorted(set.intersection(*(set(ids) for _, ids in answers.values())))
    if expected:
        assert samples_named(str(finished_lake.folder), **named) == expected
        return
    with pytest.raises(UsageError, match=" and ".join(f"--{way}.*" for way in ways)):
        samples_named(str(finished_lake.folder), **named)


def test_a_run_names_the_samples_of_which_it_wrote_a_row(
    finished_lake: SmallLake, views: duckdb.DuckDBPyConnection
) -> None:
    """Of every step: a union over families, whether a row a sample or some rows of some; a run of no sample is an error that says so."""
    families = {
        "annotate": "signals",
        "deduplicate": "duplicates",
        "decide": "verdicts",
        "select": "stages",
        "build": "placements",
    }
    for run in read_runs(views):
        if run.step in families:
            expected = _ids(views, f"{families[run.step]} WHERE run_id = ?", run.run_id)
            if expected:
                assert samples_named(str(finished_lake.folder), run=run.run_id) == expected
    with pytest.raises(UsageError, match="did you mean"):
        samples_named(str(finished_lake.folder), run=read_runs(views)[0].run_id[:-1])


def test_an_operator_is_named_by_version_digits_or_model(
    finished_lake: SmallLake, views: duckdb.DuckDBPyConnection
) -> None:
    """The three name the same rows; a version that no run had is an error with the nearest one."""
    lake = str(finished_lake.folder)
    annotate = next(run for run in read_runs(views) if run.step == "annotate")
    version, models = annotate.operators["signals"]["version"], annotate.operators["scores"]["models"]
    everything = _ids(views, "signals")
    digits = digits_of(annotate)["signals"]
    assert samples_named(lake, operator=f"signals@{version}") == everything
    assert samples_named(lake, operator=digits) == samples_named(lake, operator=f"signals@{digits[:8]}") == everything
    assert samples_named(lake, operator=f"quality@{models['quality'][:12]}") == everything
    for wrong in (f"signals@{version + 1}", "signals", f"other@{digits}", digits[:7]):
        with pytest.raises(UsageError, match="expected an operator as NAME@VERSION"):
            samples_named(lake, operator=wrong)


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("kept) OR (TRUE", "expected a condition"),
        ("TRUE; SELECT 1", "expected one condition"),
        ("TRUE; DROP TABLE x", "expected a condition"),
        ("TRUE ORDER BY 1", "expected one condition"),
        ("read_text('/etc/passwd') = ''", "found the function read_text"),
        ("sample_id IN (SELECT 1 FROM read_csv('x'))", "found the function read_csv"),
        ("qualitty > 3", "did you mean 'quality'"),
        ("quality > ", "DuckDB says"),
    ],
)
def test_a_condition_is_one_expression_over_the_views(condition: str, message: str, finished_lake: SmallLake) -> None:
    """What is more than that, or reads something else, is refused before it runs."""
    with pytest.raises(UsageError, match=message):
        samples_named(str(finished_lake.folder), where=condition)


def test_a_condition_may_ask_other_views(finished_lake: SmallLake, views: duckdb.DuckDBPyConnection) -> None:
    """A subquery, a comment at the end, a column of a family that another condition does not read."""
    condition = (
        "language = 'en' AND sample_id IN (SELECT sample_id FROM placements WHERE stage = 'knowledge') -- chosen"
    )
    expected = _ids(views, f"samples WHERE {condition.partition('--')[0]}")
    assert samples_named(str(finished_lake.folder), where=condition) == expected != []


def test_lists_of_ids(finished_lake: SmallLake, tmp_path: Path) -> None:
    """A file of numbers, of find's own lines, or both; what is none names its line, what the lake has not its id."""
    lake = str(finished_lake.folder)
    (tmp_path / "ids").write_text('2\n\n{"sample_id": 0, "uri": null}\n2\n')
    assert samples_named(lake, samples=str(tmp_path / "ids")) == [0, 2]
    for text, message in (
        ("1\nx\n", "on line 2"),
        ("99999999999\n", "none with the id 99999999999"),
        ("\n", "found none"),
        ("-1\n", "line 1"),
    ):
        (tmp_path / "ids").write_text(text)
        with pytest.raises(UsageError, match=message):
            samples_named(lake, samples=str(tmp_path / "ids"))
    printed = CliRunner().invoke(cli, ["find", lake, "--source", "headwater-demo/math", "--output", "jsonl"])
    again = CliRunner().invoke(cli, ["find", lake, "--samples", "-", "--output", "jsonl"], input=printed.stdout)
    assert again.stdout == printed.stdout != ""


@pytest.mark.parametrize(
    "named",
    [
        {},
        {"host": "a.org", "source": "x"},
        {"hast": "a.org"},
        {"hash": "12"},
        {"cluster": "g" * 32},
        {"source": ""},
        {"source": "' OR 1=1"},
    ],
)
def test_wrong_names(named: Names, finished_lake: SmallLake) -> None:
    """None, two, an unknown way, a hash that is none, an empty text, and a value that would be SQL."""
    with pytest.raises(UsageError, match="^expected"):
        samples_named(str(finished_lake.folder), **named)


def test_streams_come_in_batches(finished_lake: SmallLake, monkeypatch: pytest.MonkeyPatch) -> None:
    """At most so many ids a batch, ascending over batches, whatever pieces they are read in."""
    monkeypatch.setattr("headwater.lineage.selectors.MOST_AT_ONCE", 4)
    lookup = open_lookup(str(finished_lake.folder))
    batches = list(selected(None, lookup, {"where": "TRUE"}))
    assert max(map(len, batches)) == 4 < MOST_AT_ONCE
    whole = np.concatenate(batches)
    assert np.all(np.diff(whole) > 0)
    assert len(whole) == sum(lookup.snapshot.live("content")["rows"].to_pylist())
    assert [len(batch) for batch in selected(None, lookup, {"where": "TRUE"}, 6)] == [4, 2]


def test_find_says_the_same_as_lines_object_and_table(finished_lake: SmallLake) -> None:
    """One sample a line as JSON, all as one object, and a row a place as text; a limit that hides some says so."""
    arguments = ["find", str(finished_lake.folder), "--source", "headwater-demo/web"]
    lines = CliRunner().invoke(cli, [*arguments, "--output", "jsonl"])
    whole = CliRunner().invoke(cli, [*arguments, "--output", "json"])
    found = [json.loads(line) for line in lines.stdout.splitlines()]
    assert found == json.loads(whole.stdout)["samples"] == Lake(finished_lake.folder).find(source="headwater-demo/web")
    table = CliRunner().invoke(cli, arguments)
    assert len(table.stdout.splitlines()) == 1 + sum(max(1, len(row["placements"])) for row in found)
    some = CliRunner().invoke(cli, [*arguments, "--limit", "2"])
    assert "the first 2 samples" in some.stderr
    every = CliRunner().invoke(cli, [*arguments, "--limit", str(len(found))])
    assert every.stderr == ""
