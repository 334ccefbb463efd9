"""Samples by a condition in SQL: one expression over the columns of view ``samples``, checked as a query of ``headwater sql`` is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

import duckdb
import numpy as np
import numpy.typing as npt

from headwater.errors import UsageError, nearest, one_line
from headwater.filters.rules.predicates import bare_expression
from headwater.lineage.sql_check import syntax_nodes
from headwater.lineage.sql_connection import LakeConnection, Limits
from headwater.lineage.views import connect
from headwater.plain import JsonObject
from headwater.warehouse.columns import family_columns
from headwater.warehouse.schema import ALIGNED, FAMILIES
from headwater.warehouse.snapshot import Snapshot

__all__ = ["samples_where"]

_TIMEOUT_S = 600.0


def samples_where(
    connection: duckdb.DuckDBPyConnection | None, snapshot: Snapshot, condition: str, at_once: int
) -> Iterator[npt.NDArray[np.int64]]:
    """Yield the ids of the samples for which a condition is true, ascending, ``at_once`` at a time.

    Only the families whose columns it names are read: view ``samples`` would join all of them.

    Args:
        connection: with the views of the version; by default one is made.

    Raises:
        UsageError: it is no such expression, or names what is not there.
        LimitError: it took more time or memory than it may.
    """
    if connection is None:
        with connect(snapshot.lake, snapshot.version) as own:
            yield from samples_where(own, snapshot, condition, at_once)
        return
    expression = _parse(connection, condition)
    named = list(_columns(expression))
    families = family_columns(named, snapshot.own_scores)
    _check_known(expression, named, families)
    families.pop("content", None)
    listed = ", ".join(f'content."{name}"' for name in ("sample_id", "batch", *FAMILIES["content"].fields))
    joins = "".join(f" LEFT JOIN {family} USING (sample_id)" for family in families)
    columns = "".join(f', {family}."{name}"' for family, names in families.items() for name in dict.fromkeys(names))
    wide = f"(SELECT {listed}{columns} FROM content{joins}) AS samples"
    found = LakeConnection(connection, Limits(timeout_s=_TIMEOUT_S)).execute(
        f"SELECT sample_id FROM {wide} WHERE (\n{condition}\n) ORDER BY 1"
    )
    while rows := found.fetchmany(at_once):
        yield np.fromiter((row[0] for row in rows), np.int64, len(rows))


def _check_known(expression: JsonObject, named: Sequence[str], families: Mapping[str, Sequence[str]]) -> None:
    """Refuse an unknown column with the nearest one; in a subquery names may be of anything, and DuckDB looks them up."""
    if any(node.get("class") == "SUBQUERY" for node in syntax_nodes(expression)):
        return
    known = {"sample_id", "batch", "samples", *(name for names in families.values() for name in names)}
    for name in named:
        if name not in known:
            columns = ["sample_id", "batch", *(column for family in ALIGNED for column in FAMILIES[family].fields)]
            raise UsageError(f"--where: expected columns of view samples, found {name!r}; {nearest(name, columns)}")


def _parse(connection: duckdb.DuckDBPyConnection, condition: str) -> JsonObject:
    """Return DuckDB's syntax tree of the one expression.

    It is parsed without the brackets that the query will have around it: what is whole by itself cannot close them.
    """
    if "\0" in condition:
        raise UsageError(f"--where: expected a condition in SQL, found a zero byte at {condition.index(chr(0))}")
    row = connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [f"SELECT {condition}\n"]).fetchone()
    tree: JsonObject = json.loads(row[0]) if row else {}
    if tree.get("error", True):
        raise UsageError(
            f"--where: expected a condition in SQL over the columns of samples; DuckDB says: {one_line(str(tree.get('error_message')))}"
        )
    expression = bare_expression(tree)
    if expression is None:
        raise UsageError(
            "--where: expected one condition in SQL and nothing else, found more; put it as you would after WHERE"
        )
    return expression


def _columns(expression: JsonObject) -> Iterator[str]:
    """Yield the parts of every name of a column in a syntax tree; subqueries may add some that are not needed."""
    for node in syntax_nodes(expression):
        if node.get("class") == "COLUMN_REF":
            yield from (str(name).lower() for name in node["column_names"])
