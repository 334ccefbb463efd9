"""What the views read: exactly the live files, by DuckDB's reader or through pyarrow, of all of them or of those that a statement can ask for."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from text_lake import Document, make_text_lake

from headwater.errors import CorruptLakeError, StoreTransientError, UsageError
from headwater.lineage import views
from headwater.lineage.questions import rows
from headwater.lineage.sample_bounds import sample_bounds
from headwater.lineage.sql_check import check_statement
from headwater.lineage.sql_connection import LakeConnection
from headwater.lineage.views import connect, connect_for_users
from headwater.warehouse.fragments import first_id
from headwater.warehouse.schema import FAMILIES
from headwater.warehouse.snapshot import open_snapshot

FRAGMENTS = 20


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A lake of twenty fragments of two samples; every other fragment lacks family verdicts, the first of another batch."""
    folder = tmp_path_factory.mktemp("views") / "a [lake]* of 'files'"
    make_text_lake(
        folder,
        [
            [
                Document(f"text {n} {row}", f"u{n}", "de" if n % 3 else "en", kept=bool(row) if n % 2 else None)
                for row in range(2)
            ]
            for n in range(FRAGMENTS)
        ],
    )
    return str(folder)


def _through_pyarrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let views take every lake for one in a store."""
    monkeypatch.setattr(views, "is_local", lambda _: False)


@pytest.mark.spark
def test_both_ways_give_the_same_rows_of_every_family(finished_lake: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows, columns, types and order of columns, of every family and of the wide row, at the newest version and an older one."""
    folder = str(finished_lake.folder)
    newest = open_snapshot(folder).version

    def told(version: int) -> dict[str, tuple[list[Any], list[str]]]:
        with connect(folder, version) as connection:
            found = {}
            for view in (*FAMILIES, "samples"):
                answer = connection.execute(f"SELECT * FROM {view}")
                described = [column[:2] for column in answer.description or []]
                found[view] = (
                    [(str(name), str(kind)) for name, kind in described],
                    sorted(map(repr, answer.fetchall())),
                )
            return found

    listed = {version: told(version) for version in (newest // 2, newest)}
    _through_pyarrow(monkeypatch)
    assert {version: told(version) for version in listed} == listed
    assert sum(len(found) for _, found in listed[newest].values()) > 300


STATEMENTS = [
    "SELECT count(*) FROM samples",
    "SELECT language, count(*) FROM samples GROUP BY ALL",
    "SELECT language, kept, count(*) FROM samples GROUP BY ALL",
    "SELECT batch, count(*) FROM samples GROUP BY 1",
    "SELECT text FROM samples WHERE kept",
    "SELECT kept FROM samples WHERE sample_id IN (16777216, 16777217, 50331648)",
    "SELECT s FROM samples AS s",
    "SELECT samples FROM samples WHERE sample_id = 16777217",
    "SELECT samples.language, main.samples.kept FROM samples",
    "SELECT a, b FROM samples AS t(a, b)",
    "SELECT #1, #3 FROM samples",
    "SELECT COLUMNS('lang.*') FROM samples",
    "SELECT n FROM (SELECT *, 1 AS n FROM samples)",
    "SELECT count(*) FROM samples NATURAL JOIN language",
    "SELECT count(*) FROM samples JOIN content USING (sample_id, text, uri)",
    "SELECT l.language, s.text FROM samples s, language l WHERE s.sample_id = l.sample_id AND s.kept",
    "WITH s AS (SELECT language FROM samples) SELECT s FROM s",
    "SELECT domain AS quality FROM samples WHERE quality IS NULL",
    "FROM (PIVOT samples ON language IN ('de', 'en') USING count(*) GROUP BY kept)",
    'SELECT LANGUAGE, "Kept" FROM samples ORDER BY ALL',
    "SELECT * FROM samples WHERE sample_id BETWEEN 33554432 AND 50331649 AND kept",
    "SELECT * FROM content WHERE 33554432 > sample_id",
    "SELECT * FROM content WHERE sample_id = 5",
    "SELECT * FROM content WHERE sample_id = 33554433 OR text = 'text 7 1'",
    "SELECT (SELECT count(*) FROM content) FROM content WHERE sample_id = 33554433",
    "SELECT * FROM content WHERE sample_id = 33554433 UNION ALL SELECT * FROM content WHERE text = 'text 7 1'",
    "SELECT count(*) FROM content WHERE NOT sample_id = 33554433",
    "SELECT count(*), sum(count(*)) OVER () FROM content WHERE sample_id > 33554433 GROUP BY batch HAVING count(*) > 1",
    "SELECT sample_id FROM language WHERE batch = 'b' AND sample_id <= 33554433",
    "SELECT sample_id FROM language WHERE batch = 'c'",
    "DESCRIBE samples",
    "SELECT column_name FROM information_schema.columns WHERE table_name = 'samples' AND EXISTS (SELECT language FROM samples)",
]


@pytest.mark.parametrize("statement", STATEMENTS)
@pytest.mark.parametrize("way", ["listed", "pyarrow"])
def test_a_statement_is_answered_as_over_the_whole_views(
    statement: str, way: str, lake: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is left out of views for a statement changes no row of its answer."""
    with connect(lake) as raw:
        expected = sorted(map(repr, raw.execute(statement).fetchall()))
    if way == "pyarrow":
        _through_pyarrow(monkeypatch)
    with connect_for_users(lake) as connection:
        assert sorted(map(repr, connection.execute(statement).fetchall())) == expected


def test_what_a_statement_joins_and_opens(lake: str) -> None:
    """Only families that are named are joined, content only where it must be, and files are left out by the ids that the log has of them."""

    def plan(connection: LakeConnection, statement: str) -> str:
        return str(connection.execute(f"EXPLAIN ANALYZE {statement}").fetchall()[0][1])

    with connect_for_users(lake) as connection:
        by_language = plan(connection, "SELECT language, count(*) FROM samples GROUP BY 1")
        kept = plan(connection, "SELECT language FROM samples WHERE kept")
        one = plan(connection, f"SELECT text, kept FROM samples WHERE sample_id = {first_id(3)}")
    assert ("JOIN" in by_language, by_language.count("READ_PARQUET")) == (False, 1)
    assert "JOIN" in kept
    assert "Total Files Read: 20" in by_language
    assert "Total Files Read: 20" not in one
    assert "Total Files Read: 1 " in one
    with connect(lake) as raw:
        assert (
            "Scanning Files: 0/20" in raw.execute("EXPLAIN SELECT text FROM content WHERE batch = 'c'").fetchall()[0][1]
        )


@pytest.mark.parametrize(
    ("condition", "bounds"),
    [
        ("sample_id = 5", (5, 5)),
        ("SAMPLE_ID IN (9, 7) AND kept", (7, 9)),
        ("content.sample_id BETWEEN 3 AND 8 AND sample_id >= 5", (5, 8)),
        ("5 > sample_id AND sample_id > -2", (-2, 5)),
        ("sample_id = 5 OR kept", None),
        ("NOT sample_id = 5", None),
        ("sample_id = text_bytes", None),
        ("sample_id + 1 = 5", None),
        ("sample_id IN (1, text_bytes)", None),
        ("sample_id <> 5", None),
        ("sample_id = 5.5", None),
        ("sample_id = true", None),
        ("sample_id = NULL", None),
        ("sample_id = 5 AND text_bytes IN (SELECT 1)", None),
    ],
)
def test_bounds_of_samples(condition: str, bounds: tuple[int, int] | None) -> None:
    """Of what must be true of every row, and of nothing else."""
    with duckdb.connect() as connection:
        tree = check_statement(connection, f"SELECT 1 FROM content WHERE {condition}")
    found = sample_bounds(tree)
    if found is not None and bounds is not None:
        found = max(found[0], -2), found[1]
    assert found == bounds


@pytest.mark.parametrize("way", ["listed", "pyarrow"])
def test_files_of_several_forms_are_one_view(way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A column that a file lacks is null in its rows, whichever file comes first and in whatever order columns stand."""
    snapshot = make_text_lake(tmp_path, [[Document(f"text {n}", "u", domain="code")] for n in range(3)])
    for number, path in enumerate(snapshot.paths("scores")):
        file = tmp_path / "samples" / path
        table = pq.read_table(file, partitioning=None)
        names = [name for name in table.column_names if number == 1 or name != "domain"]
        pq.write_table(table.select(names if number else names[::-1]), file)
    if way == "pyarrow":
        _through_pyarrow(monkeypatch)
    with connect(str(tmp_path)) as connection:
        found = connection.execute("SELECT sample_id, domain, batch FROM scores ORDER BY 1").fetchall()
    assert found == [(first_id(0), None, "b"), (first_id(1), "code", "b"), (first_id(2), None, "b")]


def _spoil(change: Callable[[Path], None], lake: Path) -> None:
    for path in open_snapshot(str(lake)).paths("content"):
        change(lake / "samples" / path)


@pytest.mark.parametrize("way", ["listed", "pyarrow"])
@pytest.mark.parametrize(
    "change",
    [
        Path.unlink,
        lambda path: path.write_bytes(path.read_bytes()[:-9]),
        lambda path: path.write_bytes(path.read_bytes()[:4] + b"\xff" * 60 + path.read_bytes()[64:]),
    ],
    ids=["gone", "cut", "page"],
)
def test_damage_of_one_family_is_told_by_whoever_reads_it(
    change: Callable[[Path], None], way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Views are made whatever state files are in; a question of another family is answered."""
    make_text_lake(tmp_path, [[Document("first " * 99, "u"), Document("second " * 99, "v")]])
    _spoil(change, tmp_path)
    if way == "pyarrow":
        _through_pyarrow(monkeypatch)
    with connect(str(tmp_path)) as connection:
        assert rows(connection, "SELECT count(*) AS n FROM language") == [{"n": 2}]
        with pytest.raises(CorruptLakeError, match="headwater verify"):
            rows(connection, "SELECT * FROM content")
    with connect_for_users(str(tmp_path)) as connection, pytest.raises(CorruptLakeError, match="headwater verify"):
        connection.execute("SELECT * FROM samples").fetchall()


def test_a_store_is_read_without_files_of_this_machine(
    store: Any, lake: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lake in a store answers as its copy here does; DuckDB may open no file at all, and no extension is loaded."""
    store.upload(Path(lake), "lake")
    outside = tmp_path / "outside.csv"
    outside.write_text("a,b\n1,private\n")
    statement = "SELECT language, count(*) AS n, max(text) AS last FROM samples WHERE sample_id > 50331648 GROUP BY 1 ORDER BY 1"
    with connect_for_users(lake) as connection:
        expected = connection.execute(statement).fetchall()
    with connect_for_users(store.uri("lake")) as connection:
        assert connection.execute(statement).fetchall() == expected
        with pytest.raises(UsageError, match="^expected one query "):
            connection.execute(f"SELECT * FROM read_text('{outside}')")
    with connect(store.uri("lake")) as raw:
        known = raw.execute("SELECT DISTINCT function_name FROM duckdb_functions()").fetchall()
        assert ("delta_scan",) not in known
        for forbidden in (
            f"SELECT * FROM read_text('{outside}')",
            f"SELECT * FROM '{outside}'",
            f"COPY (SELECT 1) TO '{tmp_path}/made.csv'",
            f"SELECT * FROM read_parquet('{store.uri('lake')}/samples/**')",
            "LOAD httpfs",
            "SET enable_external_access = true",
        ):
            with pytest.raises(duckdb.Error):
                raw.execute(forbidden)


def test_a_store_that_fails_is_no_damage(store: Any, lake: str) -> None:
    """An outage while rows are read is told as one, and the next question is answered; whatever is not asked for is not fetched."""
    from stores.proxy import Fault, operation_is

    store.upload(Path(lake), "lake")
    with connect_for_users(store.uri("lake")) as connection:
        before = store.proxy.counts()["GET"]
        connection.execute(f"SELECT text FROM content WHERE sample_id = {first_id(3)}").fetchall()
        assert store.proxy.counts()["GET"] - before <= 2
        store.proxy.use(Fault(kind="error", of=operation_is("GET"), status=503))
        begin = time.monotonic()
        with pytest.raises(StoreTransientError, match="nothing stored is damaged"):
            connection.execute("SELECT max(text) FROM content").fetchall()
        assert time.monotonic() - begin < 60
        store.proxy.reset()
        assert connection.execute("SELECT count(DISTINCT text) FROM content").fetchall() == [(2 * FRAGMENTS,)]
