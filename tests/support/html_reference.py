"""A page's nodes by a plain walk of the parser's own tree, for tests of `node_table`."""

from __future__ import annotations

import numpy as np
import turbohtml

from headwater.filters.html.attributes import decode_text
from headwater.filters.html.nodes import TEXT_NODE, NodeTable, node_table
from headwater.filters.html.parse import normal_html
from headwater.filters.html.tags import RAW, TAG_FACTS, TAGS
from headwater.filters.html.write import Form, Written, write_text

__all__ = ["nodes_of_table", "nodes_of_tree", "read", "write"]

Node = tuple[int, str, str]
"""Depth, name (#text for a text), text."""


def read(page: str) -> tuple[np.ndarray[tuple[int], np.dtype[np.uint8]], NodeTable]:
    """Return a page's normal HTML and nodes."""
    html = np.frombuffer(normal_html(page.encode()), np.uint8)
    return html, node_table(html)


def write(page: str, form: Form = "text") -> Written:
    """Return all of a page's blocks written."""
    html, table = read(page)
    return write_text(html, table, np.ones(table.n_blocks, np.bool_), form)


def nodes_of_tree(page: str) -> list[Node]:
    """Return the parser's elements and texts in document order; of a template the element alone."""
    document = turbohtml.parse(page, positions=False, scripting=False, allow_declarative_shadow_roots=False)
    nodes: list[Node] = []
    todo = [(child, 0) for child in reversed(list(document.children))]
    while todo:
        node, depth = todo.pop()
        if isinstance(node, turbohtml.Text):
            nodes.append((depth, "#text", node.data))
        elif isinstance(node, turbohtml.Element):
            name = node.tag if node.tag in TAGS else "#custom" if "-" in node.tag else "#other"
            nodes.append((depth, name, ""))
            if node.tag != "template":
                todo.extend((child, depth + 1) for child in reversed(list(node.children)))
    return nodes


def nodes_of_table(page: str) -> list[Node]:
    """Return the same of `node_table`."""
    html, table = read(page)
    nodes: list[Node] = []
    at = 0
    while at < table.n_nodes:
        name = TAGS[table.tag[at]]
        text = ""
        if table.kind[at] == TEXT_NODE:
            raw = table.parent[at] >= 0 and bool(TAG_FACTS[table.tag[table.parent[at]]] & RAW)
            text = decode_text(html, int(table.begin[at]), int(table.finish[at]), raw=raw)
        nodes.append((int(table.depth[at]), name, text))
        at = int(table.end[at]) if name == "template" else at + 1
    return nodes
