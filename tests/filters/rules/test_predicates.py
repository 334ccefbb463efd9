"""Predicates are input: one expression over known columns, or an error that says why."""

from __future__ import annotations

import re

import duckdb
import pytest

from headwater.errors import RecipeError
from headwater.filters.rules.predicates import check_predicate, predicate_connection

_COLUMNS = {"score": "FLOAT", "words": "INTEGER", "domain": "VARCHAR"}


@pytest.mark.parametrize(
    "predicate, columns",
    [
        ("TRUE", ()),
        ("words >= 3 AND domain IN ('code', 'math') OR NOT score BETWEEN 0.1 AND 0.2", ("words", "domain", "score")),
        ("domain LIKE 'x%' AND score + 1 > CASE domain WHEN 'a;b' THEN 2 ELSE 3 END", ("domain", "score")),
        ("score <= CAST(0.1 AS FLOAT)", ("score",)),
        ("coalesce(score, 0) > 0 AND domain IS NOT NULL", ("score", "domain")),
        ("greatest(words, 3) = abs(-3)", ("words",)),
        ("TRY_CAST(domain AS INTEGER) > 3", ("domain",)),
        ("words > '3' AND domain IN ('3', '4')", ("words", "domain")),
        ("CAST(words AS BIGINT) * words > 9", ("words",)),
        ("words // 0 = 1 OR words % 0 = 1", ("words",)),
        ("(" * 900 + "domain = 'a'" + ")" * 900, ("domain",)),
    ],
)
def test_columns_of_a_good_predicate(predicate: str, columns: tuple[str, ...]) -> None:
    """A predicate of plain SQL is accepted and its columns are found, in order of first use."""
    assert check_predicate(predicate, _COLUMNS, "here") == columns


@pytest.mark.parametrize(
    "predicate, message",
    [
        ("", "expected an SQL expression"),
        ("words >", "expected an SQL expression"),
        ("TRUE) OR (FALSE", "expected an SQL expression"),
        ("TRUE, FALSE", "one SQL expression and nothing else"),
        ("TRUE; SELECT 1", "one SQL expression and nothing else"),
        ("TRUE FROM elsewhere", "one SQL expression and nothing else"),
        ("TRUE WHERE 1 = 1", "one SQL expression and nothing else"),
        ("TRUE LIMIT 1", "one SQL expression and nothing else"),
        ("TRUE UNION SELECT TRUE", "one SQL expression and nothing else"),
        ("DISTINCT words", "one SQL expression and nothing else"),
        ("TRUE AS kept", "one SQL expression and nothing else"),
        ("TRUE -- all", "without comments"),
        ("TRUE /* all */", "without comments"),
        ("(SELECT 1) = 1", "may not use subquery"),
        ("EXISTS (SELECT 1)", "may not use subquery"),
        ("row_number() OVER () > 1", "may not use window"),
        ("words = $1", "may not use parameter"),
        ("* = 1", "may not use star"),
        ("count(*) > 1", "may not call count_star()"),
        ("random() > 0.5", "may not call random()"),
        ("now() > '2026-01-01'", "may not call now()"),
        ("read_text('/etc/hostname') = ''", "may not call read_text()"),
        ("getenv('HOME') = ''", "may not call getenv()"),
        ("start_with(domain, 'c')", "did you mean 'starts_with'?"),
        ("wrds > 3", "unknown column 'wrds' in 'wrds > 3'; did you mean 'words'?"),
        ("Words > 3", "unknown column 'Words'"),
        ("samples.words > 3", "unknown column 'samples.words'"),
        ("current_date > domain", "unknown column 'current_date'"),
        ("words", "expected an expression that is true or false, 'words' is INTEGER"),
        ("domain > 1", "does not fit its columns"),
        ("domain IN (3)", "fails on some values of its columns: Conversion Error: Could not convert string"),
        ("CAST(domain AS INTEGER) > 3", "fails on some values of its columns: Conversion Error"),
        ("domain = DATE '2026-01-01'", "fails on some values of its columns: Conversion Error"),
        ("words > 'many'", "Could not convert string 'many' to INT32"),
        ("words * words > 9", "fails on some values of its columns: Out of Range Error: Overflow"),
        ("CAST(score AS INTEGER) > 9", "fails on some values of its columns: Conversion Error"),
        ("domain IN ('a', 'b') AND score > 1 OR words * words * words > 9", "Overflow"),
        (" OR ".join(f"domain = '{number}'" for number in range(2000)), "at most 20000 characters"),
        ("NOT " * 4000 + "TRUE", "expression depth"),
        ("domain = 'a\0b'", "without a NUL"),
    ],
)
def test_bad_predicate(predicate: str, message: str) -> None:
    """Anything else is an error that names the place and what is wrong."""
    with pytest.raises(RecipeError, match="^here: .*" + re.escape(message)):
        check_predicate(predicate, _COLUMNS, "here")


def test_connection_reaches_nothing() -> None:
    """The connection reads no file, sees no Python variable and cannot be opened up again."""
    secret = duckdb.connect().sql("SELECT 1")
    with predicate_connection() as connection:
        for statement in ("SELECT * FROM read_text('/etc/hostname')", "SELECT * FROM secret", "SET threads = 4"):
            with pytest.raises(duckdb.Error):
                connection.execute(statement)
    assert secret is not None


def test_connection_prints_nothing() -> None:
    """A query of many seconds shows no bar: standard output is for the answer."""
    with predicate_connection() as connection:
        assert connection.execute("SELECT current_setting('enable_progress_bar')").fetchone() == (False,)
