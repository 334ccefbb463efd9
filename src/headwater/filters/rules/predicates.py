"""SQL predicates and choices over named columns: parsed, checked, bound and tried by DuckDB before any data is read.

A predicate comes from a recipe or a rule file, so it is treated as input: one expression, known columns, and only
operators and functions whose result depends on the row alone. Clocks, random numbers, files, subqueries and aggregates
are refused. What is left can still fail on some rows and not on others (a text that is no number, a product beyond its
type), hours into a job: so it is tried on rows of the extremes of its columns first.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Final, NamedTuple

import duckdb

from headwater.errors import RecipeError, nearest, one_line
from headwater.filters.scores.names import MOST_SCORE
from headwater.filters.signals.columns import SIGNALS
from headwater.plain import JsonObject

__all__ = ["bare_expression", "check_choice", "check_predicate", "nearest", "opened_once", "predicate_connection"]

_EXPRESSIONS: Final = frozenset(
    ["BETWEEN", "CASE", "CAST", "COLUMN_REF", "COMPARISON", "CONJUNCTION", "CONSTANT", "FUNCTION", "OPERATOR"]
)
_FUNCTIONS: Final = frozenset(
    [
        *("+", "-", "*", "/", "//", "%", "~~", "!~~", "abs", "contains", "ends_with", "greatest", "isnan", "least"),
        *("length", "list_value", "lower", "not", "prefix", "row", "starts_with", "suffix", "upper"),
    ]
)
_LONGEST: Final = 20_000
"""Most characters of a predicate; the longest that ships has 79."""
_EXTREMES: Final[dict[str, tuple[str, ...]]] = {
    "VARCHAR": ("NULL", "''", "'en'", "'7'"),
    # Signals count characters of a record, and 2^24 bytes are the default limit of one; token counts and bytes have twice that exponent's room.
    "INTEGER": ("NULL", "0", "16777216"),
    "BIGINT": ("NULL", "0", "1073741824"),
    "FLOAT": ("NULL", "0", "1000000", "CAST('nan' AS FLOAT)"),
    "BOOLEAN": ("NULL", "TRUE", "FALSE"),
    "MAP(VARCHAR, INTEGER)": ("NULL", "MAP {}", "MAP {'en': 16777216}"),
}
"""Type to values that a column may hold, as SQL."""
_MOST_TRIED: Final = 20_000
"""Most rows on which a predicate is tried: all combinations of extremes up to that number, beyond it the extremes of all columns at once."""


def predicate_connection() -> duckdb.DuckDBPyConnection:
    """Return an in-memory connection with one thread that reaches no file, network or Python variable.

    One thread, so that rows come back in the order in which they went in.
    """
    connection = duckdb.connect(
        ":memory:",
        config={
            "enable_external_access": "false",
            "threads": "1",
            "preserve_insertion_order": "true",
            "python_enable_replacements": "false",
        },
    )
    # DuckDB's bar of a query of more than two seconds would stand among the answer on standard output.
    connection.execute("SET enable_progress_bar = false")
    connection.execute("SET lock_configuration = true")
    return connection


@contextlib.contextmanager
def opened_once() -> Iterator[Callable[[], duckdb.DuckDBPyConnection]]:
    """Give what returns one ``predicate_connection()``, which is opened when it is first asked for and closed at the end."""
    with contextlib.ExitStack() as ending:
        yield cache(lambda: ending.enter_context(predicate_connection()))


def check_predicate(
    predicate: str,
    columns: Mapping[str, str],
    where: str,
    connection: Callable[[], duckdb.DuckDBPyConnection] | None = None,
) -> tuple[str, ...]:
    """Return the columns that ``predicate`` reads, in order of first use.

    Args:
        predicate: one SQL expression of type BOOLEAN.
        columns: name → DuckDB type of every column that it may read.
        where: the place of the predicate, named in the message.
        connection: of ``opened_once()``, for many predicates: opening one takes some milliseconds.

    Raises:
        RecipeError: it is no such expression, reads an unknown column, or calls what a predicate may not call.
    """
    if connection is None:
        with opened_once() as own:
            return check_predicate(predicate, columns, where, own)
    found = _check(predicate, columns, where, connection)
    if found.kind not in ("BOOLEAN", "bool"):
        raise RecipeError(f"{where}: expected an expression that is true or false, {predicate!r} is {found.kind}")
    return found.columns


def check_choice(
    expression: str,
    columns: Mapping[str, str],
    names: Sequence[str],
    where: str,
    connection: Callable[[], duckdb.DuckDBPyConnection] | None = None,
) -> tuple[str, ...]:
    """Return the columns that an expression reads whose value is always one of some names, or NULL.

    That is known before any row is read, since only these may stand where the value comes from: a name in quotes, NULL, and CASE of such.

    Args:
        expression: one SQL expression.
        columns: as of ``check_predicate``; one that is called ``a.b`` is field ``b`` of a structure ``a``.
        names: what it may give.
        where: the place of the expression, named in the message.
        connection: as of ``check_predicate``.

    Raises:
        RecipeError: as of ``check_predicate``; or it may give something else.
    """
    if connection is None:
        with opened_once() as own:
            return check_choice(expression, columns, names, where, own)
    found = _check(expression, columns, where, connection)
    for result in _results(found.tree):
        if result is None:
            raise RecipeError(
                f"{where}: expected CASE WHEN … THEN … ELSE … END, each value of which is a name in quotes, found {expression!r}"
            )
        if result and result not in names:
            raise RecipeError(f"{where}: unknown name {result!r} in {expression!r}; {nearest(result, names)}")
    return found.columns


class _Checked(NamedTuple):
    """An expression that can be evaluated on every row: the columns that it reads, in order of first use, its type and its syntax tree."""

    columns: tuple[str, ...]
    kind: str
    tree: JsonObject


_SOUND: Final[dict[frozenset[tuple[str, str]], dict[str, _Checked]]] = {}
"""Columns → what was found of the predicates over them that this process has passed; recipes bring the same ones again and again."""
_MOST_SOUND: Final = 1_000
"""Predicates that are kept."""


def _check(
    predicate: str, columns: Mapping[str, str], where: str, connection: Callable[[], duckdb.DuckDBPyConnection]
) -> _Checked:
    named = frozenset(columns.items())
    found = _SOUND.get(named, {}).get(predicate)
    if found is None:
        found = _check_anew(predicate, columns, where, connection())
        if sum(map(len, _SOUND.values())) >= _MOST_SOUND:
            _SOUND.clear()
        _SOUND.setdefault(named, {})[predicate] = found
    return found


def _check_anew(
    predicate: str, columns: Mapping[str, str], where: str, connection: duckdb.DuckDBPyConnection
) -> _Checked:
    if "--" in predicate or "/*" in predicate:
        raise RecipeError(f"{where}: expected an SQL expression without comments, found {predicate!r}")
    if len(predicate) > _LONGEST or "\0" in predicate:
        raise RecipeError(
            f"{where}: expected an SQL expression of at most {_LONGEST} characters without a NUL, found {len(predicate)}"
        )
    try:
        expression = _parse(connection, predicate, where)
        used = dict.fromkeys(_columns(expression, predicate, columns, where))
    except RecursionError:
        raise RecipeError(f"{where}: expected an SQL expression, found one that is nested too deep") from None
    named = {name: columns[name] for name in used}
    kind = _bind(connection, predicate, named, where)
    _try(connection, predicate, named, where)
    return _Checked(tuple(used), kind, expression)


def _results(node: JsonObject) -> Iterator[str | None]:
    """Yield the strings that an expression may give: empty for NULL, None for what is neither a constant nor a choice of them."""
    if node["class"] == "CASE":
        for check in node["case_checks"]:
            yield from _results(check["then_expr"])
        yield from _results(node["else_expr"])
    elif node["class"] == "CONSTANT" and node["value"]["is_null"]:
        yield ""
    else:
        value = node["value"]["value"] if node["class"] == "CONSTANT" else None
        yield value if isinstance(value, str) and value else None


def _parse(connection: duckdb.DuckDBPyConnection, predicate: str, where: str) -> JsonObject:
    """Return DuckDB's syntax tree of the one expression.

    The text is parsed without brackets around it: what is complete by itself cannot close a bracket that a query puts
    around it.
    """
    row = connection.execute("SELECT json_serialize_sql(?)", [f"SELECT {predicate}\n"]).fetchone()
    tree = json.loads(row[0] if row else "{}")
    if tree.get("error", True):
        found = one_line(str(tree.get("error_message")))
        raise RecipeError(f"{where}: expected an SQL expression, found {predicate!r}: {found}")
    expression = bare_expression(tree)
    if expression is None:
        raise RecipeError(f"{where}: expected one SQL expression and nothing else, found {predicate!r}")
    return expression


def bare_expression(tree: JsonObject) -> JsonObject | None:
    """Return the one expression of DuckDB's syntax tree of ``SELECT`` and that expression; None where there is more, or something else."""
    node = tree["statements"][0]["node"]
    bare = (
        len(tree["statements"]) == 1
        and node["type"] == "SELECT_NODE"
        and len(node["select_list"]) == 1
        and node["from_table"]["type"] == "EMPTY"
        and not node["select_list"][0]["alias"]
        and not any(
            node[part] for part in ("modifiers", "where_clause", "group_expressions", "having", "sample", "qualify")
        )
    )
    return node["select_list"][0] if bare else None


def _columns(node: object, predicate: str, columns: Mapping[str, str], where: str) -> Iterator[str]:
    """Yield the columns under ``node``; refuse whatever is not on the lists above."""
    if isinstance(node, list):
        for item in node:
            yield from _columns(item, predicate, columns, where)
    if not isinstance(node, dict):
        return
    kind = node.get("class")
    if kind is not None and kind not in _EXPRESSIONS:
        raise RecipeError(f"{where}: a predicate may not use {kind.lower()}, found in {predicate!r}")
    if kind == "FUNCTION" and node["function_name"].lower() not in _FUNCTIONS:
        known = nearest(node["function_name"], [name for name in _FUNCTIONS if name.isidentifier()])
        raise RecipeError(
            f"{where}: a predicate may not call {node['function_name']}(), found in {predicate!r}; {known}"
        )
    if kind == "COLUMN_REF":
        name = ".".join(node["column_names"])
        if name not in columns:
            raise RecipeError(f"{where}: unknown column {name!r} in {predicate!r}; {nearest(name, columns)}")
        yield name
    for key, child in node.items():
        if key != "value":
            yield from _columns(child, predicate, columns, where)


def _declared(columns: Mapping[str, str], value: str = "NULL") -> str:
    """Return what SELECT lists: the columns by name and type, fields of one structure together.

    Args:
        value: what each is cast from; with ``{}`` for its name.

    >>> _declared({"n": "BIGINT", "a.x": "BIGINT", "a.y": "INTEGER"})
    '1, CAST(NULL AS BIGINT) AS "n", struct_pack("x" := CAST(NULL AS BIGINT), "y" := CAST(NULL AS INTEGER)) AS "a"'
    """
    plain: list[str] = ["1"]
    packed: dict[str, list[str]] = {}
    for name, kind in columns.items():
        whole, _, part = name.rpartition(".")
        cast = f"CAST({value.format(name)} AS {kind})"
        if whole:
            packed.setdefault(whole, []).append(f'"{part}" := {cast}')
        else:
            plain.append(f'{cast} AS "{name}"')
    return ", ".join(plain + [f'struct_pack({", ".join(parts)}) AS "{whole}"' for whole, parts in packed.items()])


def _bind(connection: duckdb.DuckDBPyConnection, predicate: str, columns: Mapping[str, str], where: str) -> str:
    """Let DuckDB check the types on a row of NULLs; return the type of the whole."""
    declared = _declared(columns)
    try:
        found = str(connection.execute(f"SELECT ({predicate}) FROM (SELECT {declared}) LIMIT 0").description[0][1])
    except duckdb.Error as error:
        raise RecipeError(f"{where}: {predicate!r} does not fit its columns: {str(error).splitlines()[0]}") from None
    return found


def _try(connection: duckdb.DuckDBPyConnection, predicate: str, columns: Mapping[str, str], where: str) -> None:
    """Evaluate a predicate on the extremes of its columns: what fails there fails on some row of a lake."""
    values = {name: _extremes(name, kind) for name, kind in columns.items()}
    if math.prod(map(len, values.values())) <= _MOST_TRIED:
        rows = list(itertools.product(*values.values()))
    else:
        longest = max(map(len, values.values()))
        rows = [tuple(each[min(at, len(each) - 1)] for each in values.values()) for at in range(longest)]
    if not rows[0]:
        rows = [("NULL",)]
    names = ", ".join(f'"{name}"' for name in columns) or "none"
    kinds = _declared(columns, '"{}"')
    tried = ", ".join(f"({', '.join(row)})" for row in rows)
    try:
        connection.execute(
            f"SELECT ({predicate}) FROM (SELECT {kinds} FROM (VALUES {tried}) AS extremes({names}))"
        ).fetchall()
    except duckdb.Error as error:
        raise RecipeError(
            f"{where}: {predicate!r} fails on some values of its columns: {str(error).splitlines()[0]}; "
            "compare columns with values of their own type, cast to a wider one, or use TRY_CAST"
        ) from None


def _extremes(name: str, kind: str) -> tuple[str, ...]:
    # What is whole, no signal and of no structure is a score, a team's own among them.
    is_score = kind == "INTEGER" and name not in SIGNALS and "." not in name
    return ("NULL", "0", str(MOST_SCORE)) if is_score else _EXTREMES[kind]
