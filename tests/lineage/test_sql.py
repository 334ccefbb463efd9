"""SQL of users: it reads the views of a lake, within limits, and does nothing else."""

from __future__ import annotations

import hashlib
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from text_lake import Document, make_text_lake

from headwater.errors import CorruptLakeError, LimitError, UsageError
from headwater.lineage.questions import query
from headwater.lineage.sql_connection import LakeConnection, Limits, parse_size
from headwater.lineage.sql_functions import FUNCTIONS, TABLE_FUNCTIONS
from headwater.lineage.views import connect, connect_for_users

CROSS_JOIN = "SELECT count(*) FROM range(10000000) a, range(100000) b WHERE a.range % 7 = b.range % 11"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake of two samples, beside a file that no query may read."""
    folder = tmp_path_factory.mktemp("sql")
    make_text_lake(folder / "lake", [[Document("first", "https://example.org/1"), Document("second", "2")]])
    (folder / "outside.csv").write_text("a,b\n1,private\n")
    return folder / "lake"


@pytest.fixture(scope="module")
def opened(lake: Path) -> Iterator[LakeConnection]:
    """A connection to it, for all tests that need no other."""
    with connect_for_users(str(lake)) as connection:
        yield connection


def _content(folder: Path) -> dict[str, str]:
    """Return every file below a folder → SHA-256 of its bytes."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT text FROM samples ORDER BY sample_id",
        "FROM Content SELECT text ORDER BY 1;",
        "TABLE language",
        "DESCRIBE samples",
        "SUMMARIZE SELECT text_bytes FROM content",
        "SHOW TABLES",
        "EXPLAIN SELECT 1",
        "explain analyze FROM content",
        "-- a comment\nSELECT /* another */ 1",
        "VALUES (1), (2)",
        "WITH long AS (SELECT * FROM content WHERE text_bytes > 5) SELECT count(*) FROM long JOIN language USING (sample_id)",
        "WITH RECURSIVE a AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM a WHERE n < 3) FROM a",
        "SELECT source, count(*) FILTER (text_bytes > 5) AS n, max_by(text, text_bytes) FROM content GROUP BY ALL HAVING n >= 0",
        "SELECT sample_id, row_number() OVER (PARTITION BY batch ORDER BY text_bytes DESC) AS place FROM content QUALIFY place = 1",
        "SELECT list_transform([1, 2], x -> x + 1), [y FOR y IN [1, 2] IF y > 1], {'a': 1}.a, MAP {'a': 1}['a']",
        "SELECT uri LIKE 'https%', uri ~ '^h', regexp_extract(uri, '[0-9]'), coalesce(source, ''), strftime(now(), '%Y') FROM content",
        "SELECT unnest([1, 2]) AS n, x.range FROM range(3) x LIMIT 50 %",
        "SELECT lpad('7', 5, '0'), repeat('ab', 3), format('{:,} {:>8}', 1, 2), printf('%5d', 1), range(3), list_resize([1], 3)",
        "WITH content AS (SELECT 1 AS n) SELECT n FROM content",
        "PIVOT content ON batch IN ('b') USING count(*)",
        "SELECT * EXCLUDE (text) REPLACE (text_bytes + 1 AS text_bytes) FROM content USING SAMPLE 10 ROWS",
        "SELECT column_name FROM information_schema.columns WHERE table_name = 'samples'",
        "SELECT meta ->> '$.a', meta[1] FROM content UNION ALL (SELECT 'a', 'b' EXCEPT SELECT 'c', 'd')",
    ],
)
def test_what_reads_the_views_is_answered(statement: str, opened: LakeConnection) -> None:
    """Every way of asking over views and values, with what DuckDB's parser makes of it."""
    assert opened.execute(statement).fetchall()


REFUSED = [
    # Writes, in a statement or hidden in a function.
    "COPY (SELECT 1) TO '{lake}/samples/x.csv'",
    "COPY content TO '{lake}/samples/family=content/x.parquet'",
    "COPY (SELECT 1) TO '{lake}/samples/_delta_log/00000000000000009999.json'",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '{lake}/x.csv'",
    "EXPORT DATABASE '{lake}/samples/x'",
    "ATTACH '{lake}/samples/x.db'",
    "ATTACH '{lake}/samples' AS other (TYPE delta)",
    "SELECT write_blob('{lake}/samples/x', 'a'::BLOB)",
    "CREATE TABLE x AS SELECT 1",
    "CREATE VIEW x AS SELECT 1",
    "CREATE MACRO x() AS TABLE SELECT 1",
    "DROP VIEW samples",
    "INSERT INTO content VALUES (1)",
    "DELETE FROM lake",
    "VACUUM",
    "CHECKPOINT",
    "SELECT write_log('x')",
    # Files, in every place of a query where a table may stand.
    "SELECT * FROM read_blob('{lake}/samples/**')",
    "SELECT * FROM read_text('{outside}')",
    "SELECT * FROM read_csv('{outside}')",
    "SELECT * FROM sniff_csv('{outside}')",
    "SELECT * FROM read_parquet('{lake}/samples/**/*.parquet')",
    "SELECT * FROM parquet_metadata('{lake}/samples/**/*.parquet')",
    "SELECT * FROM glob('{lake}/**')",
    "SELECT * FROM delta_scan('{lake}/samples')",
    "SELECT * FROM delta_list_files('{lake}/samples')",
    "SELECT * FROM '{outside}'",
    'SELECT * FROM "{outside}"',
    "DESCRIBE '{outside}'",
    "SUMMARIZE '{outside}'",
    "PIVOT '{outside}' ON a IN (1) USING count(*)",
    "SELECT (SELECT max(a) FROM '{outside}')",
    "SELECT 1 WHERE EXISTS (FROM '{outside}')",
    "SELECT 1 ORDER BY (SELECT a FROM '{outside}')",
    "SELECT 1 LIMIT (SELECT a FROM '{outside}')",
    "SELECT sum(1) OVER (ORDER BY (SELECT a FROM '{outside}'))",
    "SELECT list_transform([1], x -> (SELECT a FROM '{outside}'))",
    "SELECT * FROM content, LATERAL (FROM read_text(uri))",
    "WITH a AS (FROM '{outside}') SELECT 1",
    "SELECT * FROM (WITH \"{outside}\" AS (SELECT 1) SELECT 1), '{outside}'",
    # Other SQL inside of strings.
    "SELECT * FROM query('SELECT 1')",
    "SELECT * FROM query_table('{outside}')",
    "SELECT * FROM histogram('{outside}', 'a')",
    "SELECT json_serialize_plan('FROM ''{outside}''')",
    "SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))",
    "PREPARE a AS SELECT 1",
    "EXECUTE a",
    # Settings, secrets, extensions, the program around.
    "SET threads = 1",
    "SET enable_external_access = true",
    "RESET lock_configuration",
    "PRAGMA threads = 1",
    "CALL pragma_version()",
    "SELECT current_setting('temp_directory')",
    "SELECT getenv('HOME')",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM duckdb_settings()",
    "INSTALL httpfs",
    "LOAD '{outside}'",
    "USE memory",
    "DETACH memory",
    "SELECT * FROM lake",
    "SELECT * FROM secret_frame",
    # Names of WITH where WITH does not reach.
    *(
        f"SELECT * FROM (WITH {name} AS (SELECT 1) SELECT 1) a, {name}"
        for name in (
            *(
                "pg_settings",
                "pragma_database_list",
                "duckdb_databases",
                "duckdb_views",
                "sqlite_master",
            ),
            *("sqlite_temp_master", "pg_tables", "duckdb_logs"),
        )
    ),
    "WITH a AS (SELECT 1) SELECT * FROM lake.main.a",
    "WITH a AS (SELECT 1) SELECT * FROM main.a",
    # Values that take minutes or gigabytes each.
    "SELECT levenshtein(text, text) FROM content",
    "SELECT damerau_levenshtein(text, text) FROM content",
    "SELECT editdist3(text, text) FROM content",
    "SELECT lpad('a', 2000000000, 'b')",
    "SELECT lpad('a', 99999999999999999999999, 'b')",
    "SELECT rpad('a', text_bytes * 1000, 'b') FROM content",
    "SELECT repeat('a', 1000 * 1000 * 1000)",
    "SELECT ('a').repeat(1000000000)",
    "SELECT repeat('a', ?)",
    "SELECT format('{:>1999999999}', 1)",
    "SELECT format('{:>{}}', 1, 1999999999)",
    "SELECT printf('%1999999999d', 1)",
    "SELECT printf('%*d', 1999999999, 1)",
    "SELECT printf(text, 1) FROM content",
    "SELECT range(1000000000)",
    "SELECT unnest(generate_series(1, 1000000000))",
    "SELECT list_resize([1], 1000000000)",
    "SELECT bitstring('1', 1000000000)",
    "SELECT bar(1, 0, 1, 1000000000)",
    "SELECT to_base(1, 2, 1000000000)",
    # No query at all, several, what no parser reads.
    "",
    ";",
    "-- nothing",
    "SELECT 1; SELECT 2",
    "CREATE VIEW broken AS SELECT",
    "SELECT ?? FROM",
    "SELECT 1\0; COPY content TO '{outside}'",
    "SELECT '\udcff'",
    "SELECT " + "+".join("1" * 900),
]


@pytest.mark.parametrize("statement", REFUSED, ids=range(len(REFUSED)))
def test_everything_else_is_refused_and_nothing_changes(statement: str, lake: Path, opened: LakeConnection) -> None:
    """Writes, files, other SQL, settings: one message of a wrong call; not a byte below or beside the lake is another."""
    secret_frame = pa.table({"x": [1]})
    assert secret_frame.num_rows == 1
    before = _content(lake.parent)
    text = statement.replace("{lake}", str(lake)).replace("{outside}", str(lake.parent / "outside.csv"))
    with pytest.raises(UsageError, match="^expected one query "):
        query(opened, text)
    assert _content(lake.parent) == before


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("SELECT nothing FROM content", 'column "nothing" not found'),
        ("SELECT 1 FROM content AT (VERSION => 1)", ""),
        ("EXPLAIN SELECT age(1, 2, 3, 4)", "No function matches"),
        ("SELECT left(1)", "No function matches"),
    ],
)
def test_a_query_that_duckdb_refuses_is_a_wrong_call(statement: str, said: str, opened: LakeConnection) -> None:
    """What is harmless and wrong keeps DuckDB's message, which names the place, on one line."""
    with pytest.raises(UsageError, match="DuckDB says") as found:
        opened.execute(statement)
    assert said in str(found.value)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize(
    "expression",
    [
        *("text::INTEGER", "text::UUID", "text::JSON", "text::ENUM('a')", "('[' || text)::INT[]", "text::DATE"),
        *(
            "strptime(text, '%Y')",
            "json_extract(text, '$.a')",
            "json_extract('{}', '$' || text)",
            "strftime(now(), text)",
        ),
        *("date_part(text, now())", "timezone(text, now())", "date_trunc(text, now())", "text::BIT", "from_hex(text)"),
        *("list_transform([text], x -> x::INT)", "(SELECT max(text)::INT FROM content)"),
    ],
)
def test_no_text_of_the_lake_is_in_an_error(expression: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """DuckDB quotes the value that it cannot use, even cut within a character; the message says what kind of error it was."""
    lake = tmp_path_factory.mktemp("quoted")
    make_text_lake(lake, [[Document("{geheim} %! " + "ينبع نهر" * 40, "u")]])
    with connect_for_users(str(lake)) as connection, pytest.raises(UsageError) as found:
        connection.execute(f"SELECT {expression} FROM content").fetchall()
    assert str(found.value).startswith("the query cannot be answered; DuckDB says: ")
    assert "TRY_CAST" in str(found.value)
    assert "geheim" not in str(found.value)
    assert str(found.value).isascii() or "…" in str(found.value)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize("damage", ["half", "five", "nothing", "no end", "footer", "page"])
def test_a_damaged_file_is_told_as_damage(damage: str, tmp_path: Path) -> None:
    """Whatever DuckDB's reader of Parquet says of it: the query is not to blame."""
    snapshot = make_text_lake(tmp_path, [[Document("first " * 500, "u"), Document("second " * 500, "v")]])
    path = tmp_path / "samples" / snapshot.paths("content")[0]
    whole = path.read_bytes()
    path.write_bytes(
        {
            "half": whole[: len(whole) // 2],
            "five": whole[:5],
            "nothing": b"",
            "no end": whole[:-4] + b"XXXX",
            "footer": whole[:-1008] + b"\xff" * 1000 + whole[-8:],
            "page": whole[:4] + b"\xff" * 200 + whole[204:],
        }[damage]
    )
    with (
        connect_for_users(str(tmp_path)) as connection,
        pytest.raises(CorruptLakeError, match="headwater verify LAKE names it"),
    ):
        query(connection, "SELECT * FROM content")


@pytest.mark.parametrize(
    ("statement", "parameters"),
    [
        ("SELECT ?", ["\udcff"]),
        ("SELECT ?", [[1, {"a": "\udcff"}]]),
        ("SELECT $a", {"a": "\udcff"}),
        ("SELECT ?", 5),
        ("SELECT ?", [object()]),
        ("SELECT ?", []),
        (None, None),
        (b"SELECT 1", None),
    ],
)
def test_what_is_no_statement_or_parameter_is_a_wrong_call(
    statement: str, parameters: list[object], opened: LakeConnection
) -> None:
    """One line in place of what Python's binding of DuckDB makes of it."""
    with pytest.raises(UsageError) as found:
        opened.execute(statement, parameters)
    assert "\n" not in str(found.value)


def test_a_file_that_is_gone_is_told_as_damage(tmp_path: Path) -> None:
    """A query is not to blame for the lake: exit code 1 of a command, and what names the damage."""
    snapshot = make_text_lake(tmp_path, [[Document("first", "u")]])
    with connect_for_users(str(tmp_path)) as connection:
        (tmp_path / "samples" / snapshot.paths("content")[0]).unlink()
        with pytest.raises(CorruptLakeError, match="headwater verify LAKE names it"):
            query(connection, "SELECT text FROM content")


def test_no_function_is_allowed_that_was_not_looked_at(lake: Path, opened: LakeConnection) -> None:
    """All functions of this DuckDB: only listed ones get through, and none of the list is about files or SQL."""
    with connect(str(lake)) as raw:
        found = raw.execute("SELECT DISTINCT function_name, function_type FROM duckdb_functions()").fetchall()
    tables = {str(name) for name, kind in found if kind.startswith("table")}
    scalars = {str(name) for name, kind in found if kind in ("scalar", "macro", "aggregate") and name[0].isalpha()}
    assert len(tables) > 80
    assert len(scalars) > 500
    for name in sorted(tables - TABLE_FUNCTIONS):
        with pytest.raises(UsageError, match=f"the function {name} "):
            opened.execute(f"SELECT * FROM {name}()")
    for name in sorted(each for each in scalars if each.lower() not in FUNCTIONS | TABLE_FUNCTIONS):
        with pytest.raises(UsageError, match=f"the function {name.lower()},|syntax error"):
            opened.execute(f"SELECT {name}()")
    about = (
        "file",
        "read_",
        "write",
        "copy",
        "sql",
        "setting",
        "secret",
        "env",
        "delta",
        "scan",
        "attach",
        "pragma",
        "_log",
    )
    harmless = {"parse_filename"}
    assert {name for name in FUNCTIONS | TABLE_FUNCTIONS if any(part in name for part in about)} == harmless


def test_the_connection_beneath_opens_the_data_files_and_nothing_else(lake: Path) -> None:
    """Were the check passed by, DuckDB's own limits would still hold for files; also cursors see no variable of the program."""
    secret_frame = pa.table({"x": [1]})
    assert secret_frame.num_rows == 1
    with connect(str(lake)) as raw:
        for statement in (
            f"SELECT * FROM read_text('{lake.parent}/outside.csv')",
            f"SELECT * FROM read_text('{lake}/samples/_delta_log/00000000000000000000.json')",
            f"COPY (SELECT 1) TO '{lake}/samples/_delta_log/00000000000000009999.json'",
            f"COPY (SELECT 1) TO '{lake}/samples/x.csv'",
            "SET enable_external_access = true",
        ):
            with pytest.raises(duckdb.Error):
                raw.execute(statement)
        with pytest.raises(duckdb.CatalogException, match="secret_frame"):
            raw.cursor().execute("SELECT * FROM secret_frame")


def test_a_query_ends_at_its_time(lake: Path) -> None:
    """A cross join is stopped, and the connection answers the next question."""
    with connect_for_users(str(lake), limits=Limits(timeout_s=0.5)) as connection:
        begin = time.monotonic()
        with pytest.raises(LimitError, match=r"stopped after 0\.5 s"):
            connection.execute(CROSS_JOIN)
        assert time.monotonic() - begin < 30
        assert connection.execute("SELECT 1").fetchall() == [(1,)]


def test_fetching_ends_at_its_time_too(lake: Path) -> None:
    """Rows that never end are stopped while they are taken."""
    with (
        connect_for_users(str(lake), limits=Limits(timeout_s=0.5)) as connection,
        pytest.raises(LimitError, match="stopped after"),
    ):
        connection.execute("SELECT a.range FROM range(1000000) a, range(1000000) b").fetchall()


def test_a_query_ends_at_its_memory(lake: Path) -> None:
    """Neither DuckDB nor the rows in Python's hands take more."""
    with connect_for_users(str(lake), limits=Limits(memory_bytes=64_000_000, threads=1)) as connection:
        assert connection.execute("SELECT count(*) FROM range(1000)").fetchall() == [(1000,)]
        with pytest.raises(LimitError, match="more than 64,000,000 bytes of memory"):
            connection.execute("SELECT string_agg(md5(range::VARCHAR), '') FROM range(4000000)")
        with pytest.raises(LimitError, match="the answer of the query takes more than"):
            connection.execute("SELECT repeat('x', 1000) FROM range(100000)").fetchall()


@pytest.mark.parametrize(
    "wrong",
    [
        {"memory_bytes": 0},
        {"memory_bytes": -1},
        {"threads": 0},
        {"threads": 5000},
        {"timeout_s": 0},
        {"timeout_s": float("nan")},
        {"timeout_s": float("inf")},
        {"timeout_s": 1e308},
        {"timeout_s": "x"},
        {"timeout_s": True},
        {"memory_bytes": 1.5e9},
        {"memory_bytes": 1 << 60},
        {"threads": "2"},
    ],
)
def test_limits_that_are_none_are_refused(wrong: dict[str, object]) -> None:
    """A limit of nothing, of less, of no number or beyond what a timer counts."""
    with pytest.raises(UsageError, match="^expected"):
        Limits(**wrong)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize("given", ["", "4", "GB", "-1GB", "4GB;", "1e3GB", "nan", "4 XB"])
def test_a_size_has_a_number_and_a_unit(given: str) -> None:
    """Anything else is no size; a quote cannot come near the setting."""
    with pytest.raises(UsageError, match="size of memory"):
        parse_size(given)


def test_a_size_beyond_all_memory_is_no_limit() -> None:
    """However many digits it has, and of whatever type."""
    for given in ("99999999999999999999TB", "9" * 400 + "GB", "9" * 10_000 + ".5kB"):
        with pytest.raises(UsageError, match="expected 1 MiB to 1 PiB of memory for a query, found [^\n]{1,90}$"):
            Limits(memory_bytes=parse_size(given))
    with pytest.raises(UsageError, match="size of memory such as 4GB or 512MiB, found 5"):
        parse_size(5)


def test_what_does_not_fit_lies_in_a_closed_folder_that_goes(
    lake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not in the lake, not in the current folder, readable by nobody else, and gone with the connection."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    monkeypatch.chdir(tmp_path)
    connection = connect_for_users(str(lake))
    (folder,) = place.iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    connection.execute("SELECT 1").fetchall()
    connection.close()
    del connection
    assert list(place.iterdir()) == []
    assert list(tmp_path.iterdir()) == [place]


def test_results_do_not_disturb_each_other(opened: LakeConnection) -> None:
    """Two results of one connection, read in turn; rows in every form."""
    first = opened.sql("SELECT range AS n FROM range(3)")
    second = opened.execute("SELECT ? AS a, $2 AS a", [7, 8])
    assert first.fetchone() == (0,)
    assert second.columns == ["a", "a"]
    assert second.fetchall() == [(7, 8)]
    assert second.fetchone() is None
    assert first.fetchmany(5) == [(1,), (2,)]
    assert opened.sql("SELECT 1 AS n").arrow().to_pylist() == [{"n": 1}]


def test_columns_of_one_name_are_all_answered(opened: LakeConnection) -> None:
    """The second is renamed as DuckDB would in a subquery, and takes no name that another has."""
    assert query(opened, "SELECT 1 AS n, 2 AS n, 3 AS n_1, 4 AS N") == [{"n": 1, "n_1": 2, "n_1_1": 3, "N": 4}]
