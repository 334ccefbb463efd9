"""Trees of a score model, as its file has them."""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple

from headwater.filters.scores.values import check_known, check_list, check_number, check_table, check_whole
from headwater.plain import JsonObject

__all__ = ["Node", "parse_trees", "plain_node"]

_MOST_NODES: Final = 1 << 20
"""Of all trees of a model."""


class Node(NamedTuple):
    """A node of a tree.

    Attributes:
        input: number of the input that it asks about; -1 in a leaf.
        at: the way is ``low`` where the input is at most this.
        low: node that follows, after this one in its tree.
        high: likewise.
        value: of a leaf, what it adds to the margin; of another, the mean of what is below it.
    """

    input: int
    at: float
    low: int
    high: int
    value: float


def parse_trees(raw: object, n_classes: int, n: int) -> tuple[tuple[tuple[Node, ...], ...], ...]:
    """Return the trees of a model's file.

    Args:
        n: inputs that a node may ask about.

    Raises:
        ValueError: no such trees; the message names the node.
    """
    found = []
    total = 0
    for number, trees in enumerate(check_list(raw, "trees", n_classes, n_classes)):
        mine = []
        for at, tree in enumerate(check_list(trees, f"trees[{number}]", 0, _MOST_NODES)):
            where = f"trees[{number}][{at}]"
            nodes = check_list(tree, where, 1, _MOST_NODES)
            total += len(nodes)
            if total > _MOST_NODES:
                raise ValueError(f"trees: expected at most {_MOST_NODES} nodes, found more")
            mine.append(_with_means([_node(node, where, place, len(nodes), n) for place, node in enumerate(nodes)]))
        found.append(tuple(mine))
    if not any(found):
        raise ValueError("trees: expected at least one tree of one class, found none")
    return tuple(found)


def _node(
    raw: Any,  # Any: whatever the file holds; it is checked here
    where: str,
    place: int,
    n_nodes: int,
    n: int,
) -> Node:
    table = check_table(raw, where)
    if "value" in table:
        check_known(table, {"value"}, where)
        return Node(-1, 0.0, 0, 0, check_number(table["value"], f"{where}.value"))
    check_known(table, {"input", "at", "low", "high", "mean"}, where)
    after = place + 1  # a way that only leads forward has an end
    if after == n_nodes:
        raise ValueError(
            f"{where}: expected a leaf, with value, as the last node, found one that asks: ways lead to later nodes"
        )
    return Node(
        check_whole(table.get("input"), f"{where}.input", 0, n - 1),
        check_number(table.get("at"), f"{where}.at"),
        check_whole(table.get("low"), f"{where}.low", after, n_nodes - 1),
        check_whole(table.get("high"), f"{where}.high", after, n_nodes - 1),
        math.nan if table.get("mean") is None else check_number(table["mean"], f"{where}.mean"),
    )


def _with_means(nodes: list[Node]) -> tuple[Node, ...]:
    """Return the nodes with the mean of both ways where a file says none."""
    for place in range(len(nodes) - 1, -1, -1):
        node = nodes[place]
        if math.isnan(node.value):
            nodes[place] = node._replace(value=(nodes[node.low].value + nodes[node.high].value) / 2.0)
    return tuple(nodes)


def plain_node(node: Node) -> JsonObject:
    """Return a node as a model's file has it."""
    if node.input < 0:
        return {"value": node.value}
    return {"input": node.input, "at": node.at, "low": node.low, "high": node.high, "mean": node.value}
