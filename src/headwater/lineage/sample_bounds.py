"""The ids of samples that a statement can be about, as its WHERE says: files that hold none of them need not be opened."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from headwater.lineage.sql_check import syntax_nodes
from headwater.plain import JsonObject

__all__ = ["sample_bounds"]

_MIRRORED: Final = {
    "COMPARE_EQUAL": "COMPARE_EQUAL",
    "COMPARE_GREATERTHAN": "COMPARE_LESSTHAN",
    "COMPARE_GREATERTHANOREQUALTO": "COMPARE_LESSTHANOREQUALTO",
    "COMPARE_LESSTHAN": "COMPARE_GREATERTHAN",
    "COMPARE_LESSTHANOREQUALTO": "COMPARE_GREATERTHANOREQUALTO",
}
"""Comparison → the same with its sides exchanged."""
_WHOLE: Final = frozenset(["BIGINT", "INTEGER", "SMALLINT", "TINYINT"])
_LEAST, _MOST = np.iinfo(np.int64).min, np.iinfo(np.int64).max


def sample_bounds(tree: JsonObject) -> tuple[int, int] | None:
    """Return the smallest and largest id for which a statement's condition can be true, or None where nothing is known.

    Only of one SELECT over one view: there the column is that view's, and every row that the statement sees has passed the condition.

    Args:
        tree: of the statement, as DuckDB's parser gives it.
    """
    source = tree.get("from_table") or {}
    selects = sum(node.get("type") in ("SELECT_NODE", "SET_OPERATION_NODE") for node in syntax_nodes(tree))
    if selects != 1 or source.get("type") != "BASE_TABLE" or source["column_name_alias"] or source["sample"]:
        return None
    bounds = [found for part in _conjuncts(tree.get("where_clause")) if (found := _bounds(part)) is not None]
    if not bounds:
        return None
    return max(low for low, _ in bounds), min(high for _, high in bounds)


def _conjuncts(condition: JsonObject | None) -> Iterator[JsonObject]:
    rest = [condition] if condition else []
    while rest:
        part = rest.pop()
        if part["type"] == "CONJUNCTION_AND":
            rest += part["children"]
        else:
            yield part


def _bounds(part: JsonObject) -> tuple[int, int] | None:
    kind = part["type"]
    if kind == "COMPARE_BETWEEN" and _is_id(part["input"]):
        low, high = _whole(part["lower"]), _whole(part["upper"])
        return None if low is None or high is None else (low, high)
    if kind == "COMPARE_IN" and _is_id(part["children"][0]):
        listed = [_whole(each) for each in part["children"][1:]]
        whole = [each for each in listed if each is not None]
        return (min(whole), max(whole)) if len(whole) == len(listed) > 0 else None
    if kind not in _MIRRORED:
        return None
    if _is_id(part["left"]):
        value = _whole(part["right"])
    elif _is_id(part["right"]):
        value, kind = _whole(part["left"]), _MIRRORED[kind]
    else:
        return None
    if value is None:
        return None
    # The value itself stays within bounds that leave it out: they need not be tight.
    return (_LEAST if "LESS" in kind else value), (_MOST if "GREATER" in kind else value)


def _is_id(node: JsonObject) -> bool:
    return node.get("class") == "COLUMN_REF" and str(node["column_names"][-1]).lower() == "sample_id"


def _whole(node: JsonObject) -> int | None:
    """Return the value of a constant that is a whole number, or None."""
    if (
        node.get("class") != "CONSTANT" or node["value"]["type"]["id"] not in _WHOLE
    ):  # a decimal's value is in units of its scale
        return None
    value = node["value"].get("value")
    return value if isinstance(value, int) else None
