"""What a user's SQL may be: one statement that only reads the views of a lake.

DuckDB has no mode in which a connection may read files but not write them. So a statement is parsed by DuckDB itself and its syntax tree walked
before it runs: kinds of nodes, tables and functions that are not known to be harmless are refused, whatever they are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Final

import duckdb

from headwater.errors import UsageError, nearest, one_line
from headwater.lineage.sql_functions import FUNCTIONS, LENGTHS, MOST_LENGTH, TABLE_FUNCTIONS, TEMPLATES
from headwater.plain import JsonObject
from headwater.warehouse.schema import FAMILIES

__all__ = ["check_parameters", "check_statement", "syntax_nodes", "without_explain"]

_VIEWS: Final = frozenset([*FAMILIES, "samples"])
_CATALOG: Final = frozenset(["columns", "tables"])
"""Views of ``information_schema`` that may be read."""
_EXPRESSIONS: Final = frozenset(
    [
        *(
            "BETWEEN",
            "CASE",
            "CAST",
            "COLLATE",
            "COLUMN_REF",
            "COMPARISON",
            "CONJUNCTION",
            "CONSTANT",
            "DEFAULT",
            "FUNCTION",
        ),
        *(
            "LAMBDA",
            "LAMBDA_REF",
            "OPERATOR",
            "PARAMETER",
            "POSITIONAL_REFERENCE",
            "STAR",
            "SUBQUERY",
            "TYPE",
            "WINDOW",
        ),
    ]
)
_NODES: Final = frozenset(
    [
        *("SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"),
        *("BASE_TABLE", "EMPTY", "EXPRESSION_LIST", "JOIN", "PIVOT", "SHOW_REF", "SUBQUERY", "TABLE_FUNCTION"),
        *("DISTINCT_MODIFIER", "LIMIT_MODIFIER", "LIMIT_PERCENT_MODIFIER", "ORDER_MODIFIER"),
        *("ASCENDING", "DESCENDING", "ORDER_DEFAULT"),
    ]
)
_SHOWN: Final = frozenset(["", '"tables"', "__show_tables_expanded"])
_EXPLAIN: Final = re.compile(r"\s*EXPLAIN(\s+ANALYZE)?\s+(?=\S)", re.IGNORECASE)
_PIVOT: Final = re.compile(r"\bPIVOT", re.IGNORECASE)
_NAME: Final = re.compile(r"\w+")
_LONG: Final = re.compile(r"\d{5}|\*|\{[^{}]*\{")
"""In a template: a width of five digits or more, or one that is an argument."""
_EXPECTED: Final = (
    "expected one query (SELECT, DESCRIBE, SUMMARIZE, SHOW TABLES or EXPLAIN) that only reads the views of the lake"
)


def check_statement(connection: duckdb.DuckDBPyConnection, statement: str) -> JsonObject:
    """Return the syntax tree of one query over the views, and refuse whatever else is given; nothing is run.

    Args:
        connection: whose parser will read the statement when it is run.

    Raises:
        UsageError: it is empty, more than one statement, no query, or it names a table or function that is not known to be harmless.
    """
    if not isinstance(statement, str):
        raise UsageError(f"{_EXPECTED}, found a value of type {type(statement).__name__}")
    try:
        statement.encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"{_EXPECTED}, found bytes that are no UTF-8 at {error.start}") from error
    if "\0" in statement:
        raise UsageError(f"{_EXPECTED}, found a zero byte at {statement.index(chr(0))}")
    tree = _parse(connection, without_explain(statement))
    nodes = list(syntax_nodes(tree))
    named = {name.lower() for node in nodes for name in _names_given(node)}
    for name in sorted(named - _VIEWS):
        _refuse_known(connection, name)
    in_from = {id(node["function"]) for node in nodes if node.get("type") == "TABLE_FUNCTION"}
    for node in nodes:
        _check(node, named)
        if node.get("function_name") and id(node) not in in_from:
            _check_length(str(node["function_name"]).lower(), node["children"])
    return tree


def without_explain(statement: str) -> str:
    """Return what a statement explains, or itself where it explains nothing.

    >>> without_explain("explain analyze SELECT 1"), without_explain("SELECT 1")
    ('SELECT 1', 'SELECT 1')
    """
    explained = _EXPLAIN.match(statement)
    return statement[explained.end() :] if explained else statement


def check_parameters(parameters: object) -> None:
    """Refuse parameters that are none, and texts in them that are no UTF-8.

    Raises:
        UsageError: they are neither a list nor a dictionary, or hold such a text at any depth.
    """
    if parameters is not None and not isinstance(parameters, list | tuple | Mapping):
        raise UsageError(f"expected parameters as a list or a dictionary, found {type(parameters).__name__}")
    rest: list[object] = [parameters]
    seen = set()
    while rest:
        item = rest.pop()
        if isinstance(item, str):
            try:
                item.encode()
            except UnicodeEncodeError as error:
                raise UsageError(
                    f"expected parameters in UTF-8, found one with bytes that are none at character {error.start}"
                ) from error
        elif isinstance(item, list | tuple | Mapping) and id(item) not in seen:
            seen.add(id(item))
            rest.extend([*item.keys(), *item.values()] if isinstance(item, Mapping) else item)


def _parse(connection: duckdb.DuckDBPyConnection, statement: str) -> JsonObject:
    try:
        row = connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [statement]).fetchone()
        answer = json.loads(row[0]) if row else {}
    except RecursionError as error:
        raise UsageError(f"{_EXPECTED}, found one that is nested too deeply") from error
    except duckdb.Error as error:
        raise UsageError(f"{_EXPECTED}; DuckDB says: {one_line(str(error))}") from error
    if answer.get("error", True):
        said = answer.get("error_message", "no reason given")
        if answer.get("error_type") == "not implemented":
            hint = "; PIVOT needs its values: PIVOT … ON column IN (…)" if _PIVOT.search(statement) else ""
            raise UsageError(f"{_EXPECTED}, found another statement{hint}; nothing was run")
        raise UsageError(f"{_EXPECTED}; DuckDB says: {one_line(str(said))}")
    statements = answer["statements"]
    if len(statements) != 1:
        raise UsageError(
            f"{_EXPECTED}, found {len(statements) or 'an empty text'}{' statements' if statements else ''}"
        )
    tree: JsonObject = statements[0]["node"]
    return tree


def syntax_nodes(tree: JsonObject) -> Iterator[JsonObject]:
    """Yield every object of a syntax tree, without recursion: a tree may be as deep as JSON allows."""
    rest: list[object] = [tree]
    while rest:
        item = rest.pop()
        if isinstance(item, dict):
            yield item
            rest.extend(item.values())
        elif isinstance(item, list):
            rest.extend(item)


def _names_given(node: JsonObject) -> Iterator[str]:
    """Yield the names that WITH gives at a node; one that could be a file's is refused, since it may be used where WITH does not reach."""
    given = [entry["key"] for entry in node["cte_map"]["map"]] if "cte_map" in node else []
    if node.get("cte_name"):
        given.append(node["cte_name"])
    for name in given:
        if not _NAME.fullmatch(name):
            raise UsageError(f"{_EXPECTED}, found WITH {name!r}; name it with letters, digits and _")
        yield name


def _refuse_known(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """Refuse a name of WITH that leads to something where WITH does not reach: the table itself, a list of DuckDB's settings or files."""
    try:
        connection.execute(f'EXPLAIN FROM "{name}"')
    except duckdb.CatalogException:
        return
    except duckdb.Error as error:
        raise UsageError(f"{_EXPECTED}, found WITH {name!r}, which cannot be looked up; use another name") from error
    raise UsageError(f"{_EXPECTED}, found WITH {name!r}, a name that DuckDB has for something else; use another name")


def _check_length(name: str, arguments: list[JsonObject]) -> None:
    """Refuse a call whose answer may be long without a long text being given."""
    if name in TEMPLATES:
        template = _constant(arguments[0]) if arguments else ""
        if not isinstance(template, str) or _LONG.search(template):
            raise UsageError(f"{_EXPECTED}, found {name} with a template that is no constant, or has a long width")
    elif name in LENGTHS:
        place = LENGTHS[name]
        for argument in arguments if place is None else arguments[place : place + 1]:
            length = _constant(argument)
            if not isinstance(length, int) or abs(length) > MOST_LENGTH:
                raise UsageError(
                    f"{_EXPECTED}, found {name} of a length that is no constant of at most {MOST_LENGTH:,}; in FROM range has no bound"
                )


def _constant(node: JsonObject) -> object:
    """Return the value of an expression that is a constant, or None."""
    if node.get("class") != "CONSTANT":
        return None
    value: object = node["value"].get("value")
    return value


def _check(node: JsonObject, named: set[str]) -> None:
    kind, of = node.get("type"), node.get("class")
    if of is not None:
        if of not in _EXPRESSIONS:
            raise UsageError(f"{_EXPECTED}, found an expression of kind {of}")
        name = str(node.get("function_name") or "")
        if name and name.lower() not in FUNCTIONS | TABLE_FUNCTIONS:
            raise UsageError(f"{_EXPECTED}, found the function {name}, which a query may not call")
    elif isinstance(kind, str) and kind not in _NODES and not kind.endswith("_TYPE_INFO"):
        raise UsageError(f"{_EXPECTED}, found a part of kind {kind}")
    elif kind == "BASE_TABLE":
        _check_table(node, named)
    elif kind == "TABLE_FUNCTION":
        name = str(node["function"].get("function_name"))
        if name.lower() not in TABLE_FUNCTIONS:
            raise UsageError(f"{_EXPECTED}, found the function {name} in FROM, which a query may not call")
    elif kind == "SHOW_REF" and (node.get("table_name", "") not in _SHOWN or node.get("show_type") == "SHOW_FROM"):
        raise UsageError(f"{_EXPECTED}, found SHOW of something else than tables")


def _check_table(node: JsonObject, named: set[str]) -> None:
    catalog, schema, table = (str(node.get(f"{part}_name") or "").lower() for part in ("catalog", "schema", "table"))
    mine = table in _VIEWS and schema in ("", "main") and catalog in ("", "memory")
    mine = mine or (table in named and not schema and not catalog)
    if not mine and not (schema == "information_schema" and not catalog and table in _CATALOG):
        found = ".".join(filter(None, (catalog, schema, table)))
        raise UsageError(f"{_EXPECTED}, found the table {found!r}; {nearest(found, _VIEWS)}")
