"""Rows of queries as plain data that can be printed as JSON: of Headwater's own statements, and of users'.

Values reach DuckDB as parameters, never as text of a query.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import duckdb

from headwater.lineage.damaged_files import damage_told
from headwater.lineage.sql_connection import LakeConnection
from headwater.lineage.view_values import plain
from headwater.plain import Row

__all__ = ["query", "rows"]


def rows(
    connection: duckdb.DuckDBPyConnection,
    statement: str,
    parameters: Sequence[object] | Mapping[str, object] = (),
) -> list[Row]:
    """Return the rows of a query as dictionaries; bytes become hexadecimal, times ISO 8601.

    Args:
        parameters: of the statement's ``?``, or by the names after its ``$``.

    Raises:
        CorruptLakeError: a file that it reads is damaged or gone.
    """
    with damage_told():
        found = connection.execute(statement, parameters)
        return _as_rows([column[0] for column in found.description or []], found.fetchall())


def _as_rows(columns: Sequence[str], values: Sequence[Sequence[object]]) -> list[Row]:
    """Return rows by name; the second column of a name is called ``name_1``, as DuckDB would in a subquery.

    >>> _as_rows(["n", "n", "n_1"], [(1, 2, 3)])
    [{'n': 1, 'n_1': 2, 'n_1_1': 3}]
    """
    names: dict[str, None] = {}
    for column in columns:
        name, number = column, 0
        while name in names:
            number += 1
            name = f"{column}_{number}"
        names[name] = None
    return [{name: plain(value) for name, value in zip(names, row, strict=True)} for row in values]


def query(connection: LakeConnection, statement: str) -> list[Row]:
    """Return the rows of a user's query as dictionaries, like ``rows``.

    Raises:
        UsageError: it is no query over the views, or DuckDB refused it; the message names the place.
        LimitError: it took more time or memory than it may.
    """
    found = connection.execute(statement)
    return _as_rows(found.columns, found.fetchall())
