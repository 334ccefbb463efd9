r"""Chosen blocks written as text or Markdown: `write_text`.

- Paragraphs, headings, lists, tables, quotations and code stand a blank line apart, other lines of their own a line feed.
  White space is folded as a browser folds it; `<br>` is a line feed.
- Headings are plain lines, or `#` to `######`. List items are lines, those of nested lists indented by two spaces a level;
  in Markdown they have `-` or their number. Terms and definitions are lines, definitions with `:` in Markdown.
- Tables of data are written row by row, cells in order: with a tab between cells, or as GitHub's tables, whose first row is
  the head. A row is written whole if any of its blocks is kept. A cell that spans others is written once, the others stay
  empty (64 columns at most). Other tables are read as paragraphs.
- `<pre>` is written byte for byte but for line feeds at its end, without columns of line numbers; in Markdown fenced, with its
  language where the page names one. Inline code has backticks in Markdown.
- Formulas are written once, as LaTeX, `$…$` in a line and `$$…$$` displayed; what stands in the text as `\(…\)`, `\[…\]` or
  `$…$` stays as it is. Superscripts are `^2` or `^(n+1)`, subscripts `_2`, footnote marks `[3]`; ordinals stay words.
- Nothing is escaped in Markdown but `|` in a cell, so that LaTeX and code are never spoilt.

Lost: emphasis, links, pictures without LaTeX, quotation marks of `<blockquote>` in text, soft hyphens, the numbers of items
in text. Ruby is written in parentheses after its base.

>>> page = np.frombuffer(b'<html><head></head><body><h1>A</h1><p>E = mc<sup>2</sup></p></body></html>', np.uint8)
>>> table = node_table(page)
>>> write_text(page, table, np.ones(table.n_blocks, np.bool_), "markdown").text
'# A\n\nE = mc^2'
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from headwater.filters.html.attributes import decode_text, holds, name_bytes, word_steps
from headwater.filters.html.elements import COUNTS, OPEN_STATES
from headwater.filters.html.emit import FORM, MARKDOWN, SLACK, STATES, TEXT_FORM
from headwater.filters.html.formula_places import (
    ASCII_TEXT,
    LATEX_ATTRIBUTE,
    LATEX_TEXT,
    MATHML,
    MATHML_TEXT,
    PLACE_COLUMNS,
    find_formulas,
)
from headwater.filters.html.kept import keep_whole_rows, next_kept
from headwater.filters.html.mathematics import clean_latex, mathml_to_latex
from headwater.filters.html.nodes import NodeTable, node_table
from headwater.filters.html.parse import normal_html
from headwater.filters.html.tables import MOST_COLUMNS, table_shapes
from headwater.filters.html.tags import IMG, MATH, RAW, TAG_FACTS, TEXT
from headwater.filters.html.walk import TOO_SMALL, write_nodes

__all__ = ["Form", "Written", "whole_rows", "write_text"]

Form = Literal["text", "markdown"]

_MARKS: Final = (b"<img", b"katex", b"MathJax", b"mjx-", b"mwe-math", b"<math", b'"math/', b"ztext-math")
"""A page with none of these has no formula in its markup; nearly every page has the first."""
_HIGHLIGHTER: Final = name_bytes("syntaxhighlighter")
_HIGHLIGHTER_STEPS: Final = word_steps(_HIGHLIGHTER)


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """A page's text, and how many things of each kind it has (`formulas`: of the markup; `posts`: comments too)."""

    text: str
    tables: int
    table_rows: int
    formulas: int
    code_blocks: int
    headings: int
    list_items: int
    posts: int


def _node_text(html: npt.NDArray[np.uint8], table: NodeTable, first: int, end: int) -> str:
    pieces = []
    for node in range(first, end):
        if table.tag[node] == TEXT:
            raw = bool(TAG_FACTS[table.tag[table.parent[node]]] & RAW)
            pieces.append(decode_text(html, int(table.begin[node]), int(table.finish[node]), raw=raw))
    return "".join(pieces)


def _source(html: npt.NDArray[np.uint8], table: NodeTable, kind: int, first: int, end: int) -> str:
    """Return the LaTeX of one place, "" for one that is left out."""
    if kind == LATEX_ATTRIBUTE:
        return clean_latex(decode_text(html, first, end))
    if kind == MATHML:
        return mathml_to_latex(html, table, first)
    if kind == MATHML_TEXT:
        part = np.frombuffer(normal_html(_node_text(html, table, first, end).encode()), np.uint8)
        nodes = node_table(part)
        found = np.flatnonzero(nodes.tag == MATH)
        return mathml_to_latex(part, nodes, int(found[0])) if len(found) else ""
    if kind in (LATEX_TEXT, ASCII_TEXT):
        return clean_latex(_node_text(html, table, first, end))
    return ""


def _formulas(
    html: npt.NDArray[np.uint8], table: NodeTable, following: npt.NDArray[np.int32]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Return the places of the formulas, what is written for them with its delimiters, and where each one's ends."""
    room = 64
    data = html.tobytes()
    if not any(mark in data for mark in _MARKS):
        room = 0
    places = np.zeros((room, PLACE_COLUMNS), np.int64)
    while room:
        found = find_formulas(html, table.tag, table.parent, table.end, table.begin, table.finish, following, places)
        if found <= room:
            places = places[:found]
            break
        room = found
        places = np.zeros((room, PLACE_COLUMNS), np.int64)
    texts, before = [], ("", TEXT)
    for node, _, kind, first, end, display, alone in places.tolist():
        source, tag = _source(html, table, kind, first, end), int(table.tag[node])
        # The same beside itself, in other markup or as another picture, is the other form of one formula.
        if source and (alone or source != before[0] or (tag == before[1] and tag != IMG)):
            mark = "`" if kind == ASCII_TEXT else "$$" if display else "$"
            texts.append((mark + source + mark).encode("utf-8", "replace"))
        else:
            texts.append(b"")
        before = (source, tag) if source else before
    ends = np.cumsum([len(text) for text in texts], dtype=np.int64)
    return places, np.frombuffer(b"".join(texts), np.uint8), ends


def _with_whole_rows(
    html: npt.NDArray[np.uint8], table: NodeTable, keep: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.uint8]]:
    keep, shape = keep.copy(), np.zeros(table.n_nodes, np.uint8)
    table_shapes(html, table.tag, table.end, table.begin, table.finish, shape)
    keep_whole_rows(table.tag, table.end, table.block, table.block_hidden, shape, keep)
    return keep, shape


def whole_rows(html: npt.NDArray[np.uint8], table: NodeTable, keep: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return which blocks `write_text` writes if told to keep `keep`: those, and the rest of each row of data among them."""
    return _with_whole_rows(html, table, keep)[0]


def write_text(html: npt.NDArray[np.uint8], table: NodeTable, keep: npt.NDArray[np.bool_], form: Form) -> Written:
    """Return the text of the blocks kept.

    Args:
        html: the page's normal HTML, (bytes,).
        table: its nodes and blocks.
        keep: for each block, whether it is written, (blocks,); rows of tables of data are written whole.
        form: "text" or "markdown".

    Cost: linear in the page; what is not kept is passed over. Memory: the text twice.
    """
    keep, shape = _with_whole_rows(html, table, keep)
    following = np.empty(table.n_nodes, np.int32)
    next_kept(table.kind, table.block, keep, following)
    places, latex, latex_ends = _formulas(html, table, following)
    highlighters = holds(html, 0, len(html), _HIGHLIGHTER, _HIGHLIGHTER_STEPS)
    size = int(table.block_bytes[keep].sum()) * 5 // 4 + len(latex) + 16 * SLACK
    while True:
        out, state = np.empty(size, np.uint8), np.zeros(STATES, np.int64)
        state[FORM] = MARKDOWN if form == "markdown" else TEXT_FORM
        counts = np.zeros(len(COUNTS), np.int64)
        written = write_nodes(
            html,
            table.tag,
            table.parent,
            table.end,
            table.begin,
            table.finish,
            table.block,
            keep,
            following,
            shape,
            places,
            latex,
            latex_ends,
            highlighters,
            out,
            state,
            np.zeros(MOST_COLUMNS, np.int64),
            np.zeros(64, np.int64),
            np.zeros(64, np.int64),
            counts,
            np.zeros(OPEN_STATES, np.int64),
        )
        if written != TOO_SMALL:
            break
        size *= 2
    text = out[:written].tobytes().decode("utf-8", "replace")
    return Written(text=text, **dict(zip(COUNTS, counts.tolist(), strict=True)))
