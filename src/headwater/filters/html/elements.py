"""What each element writes where it begins and where it ends, by the rules of `write.py`'s docstring.

The walk keeps what is open in one int64 array, whose places are named here, so that kernels can share it; -1 for none:

- `OPEN_TABLE`, `OPEN_ROW`, `OPEN_CELL`: the table of data, row and cell; `COLUMN`: the next cell's, `COLUMNS`: the table's,
  `FIRST_ROW`: whether the next row is the first.
- `VERBATIM`: the code block. `HEADING`. `INLINE_CODE` with `TICKS` backticks. `SCRIPT`: a sub- or superscript, ended by the
  byte `CLOSING`. `QUOTED`, `READING`: a `<q>`, a `<rt>`. `POST`: a post of a forum, a comment.
- `LISTS`: how many lists are open. `LINK_END`: bytes written when the last link ended.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.filters.html.attributes import has_word, name_bytes
from headwater.filters.html.code import begin_code, end_code, longest_ticks
from headwater.filters.html.emit import (
    AT,
    BREAKS,
    CODE_BREAK,
    CODE_OPEN,
    FORM,
    GAP,
    INDENT,
    JOINED,
    LEVEL,
    MARKDOWN,
    MARKER,
    MARKER_INDENT,
    QUOTES,
    begin_text,
    break_line,
    put,
)
from headwater.filters.html.posts import is_post
from headwater.filters.html.rows import begin_row, end_cell, end_row
from headwater.filters.html.scripts import begin_script
from headwater.filters.html.small_facts import first_number, margin
from headwater.filters.html.tables import CODE as CODE_TABLE
from headwater.filters.html.tables import DATA, MOST_COLUMNS
from headwater.filters.html.tags import (
    ARTICLE,
    BLOCK,
    BLOCKQUOTE,
    BR,
    BUTTON,
    CODE,
    CUSTOM,
    DD,
    DIR,
    DIV,
    H1,
    H6,
    HR,
    KBD,
    LI,
    MENU,
    OL,
    RT,
    SAMP,
    SECTION,
    SUB,
    SUP,
    TABLE,
    TAG_FACTS,
    TD,
    TH,
    TITLE,
    TR,
    TT,
    UL,
    A,
    Q,
)
from headwater.filters.html.tags import (
    VERBATIM as IS_VERBATIM,
)
from headwater.filters.text.compile import kernel

# fmt: off
__all__ = [
    "CODE_BLOCKS", "COLUMN", "COLUMNS", "COUNTS", "FORMULAS", "LISTS", "MOST_LISTS", "OPEN_CELL", "OPEN_ROW", "OPEN_STATES",
    "VERBATIM", "begin_block", "begin_inline", "end_element", "open_nothing", "pass_over", "write_void",
]

COUNTS: Final = ("tables", "table_rows", "formulas", "code_blocks", "headings", "list_items", "posts")
"""What is counted, in this order."""
TABLES, TABLE_ROWS, FORMULAS, CODE_BLOCKS, HEADINGS, LIST_ITEMS, POSTS = range(7)

(
    OPEN_TABLE, OPEN_ROW, OPEN_CELL, COLUMN, COLUMNS, FIRST_ROW, VERBATIM, HEADING, INLINE_CODE, TICKS, SCRIPT, CLOSING, QUOTED,
    READING, POST, LISTS, LINK_END, OPEN_STATES,
) = range(18)
# fmt: on

MOST_LISTS: Final = 16
_MOST_HEADING: Final = 64
_CLASS: Final = name_bytes("class")
_HIGHLIGHTER: Final = name_bytes("syntaxhighlighter")


@kernel
def open_nothing(held: npt.NDArray[np.int64]) -> None:
    """Set what is open as it is before the first node."""
    held[:] = -1
    held[COLUMN] = held[COLUMNS] = held[TICKS] = held[CLOSING] = held[LISTS] = 0
    held[FIRST_ROW] = 1


@kernel
def end_element(
    html: npt.NDArray[np.uint8],
    begin: npt.NDArray[np.int64],
    finish: npt.NDArray[np.int64],
    node: int,
    name: int,
    held: npt.NDArray[np.int64],
    spans: npt.NDArray[np.int64],
    indents: npt.NDArray[np.int64],
    counts: npt.NDArray[np.int64],
    out: npt.NDArray[np.uint8],
    state: npt.NDArray[np.int64],
) -> None:
    """Write what the end of the element `node` calls for; the arrays are those of `write_nodes`, `name` is its tag."""
    if node == held[OPEN_CELL]:
        held[COLUMN] = end_cell(html, begin[node], finish[node], held[COLUMN], held[COLUMNS], spans, out, state)
        held[OPEN_CELL] = -1
    elif node == held[OPEN_ROW]:
        end_row(held[COLUMN], held[COLUMNS], held[FIRST_ROW] != 0, spans, out, state)
        held[OPEN_ROW], held[FIRST_ROW] = -1, 0
    elif node == held[OPEN_TABLE]:
        held[OPEN_TABLE] = -1
        break_line(state, 2)
    elif node == held[VERBATIM]:
        held[VERBATIM] = -1
        counts[CODE_BLOCKS] += end_code(out, state)
        break_line(state, 2)
    elif node == held[HEADING]:
        held[HEADING] = -1
        state[JOINED], state[LEVEL], state[GAP] = 0, 0, 0
        break_line(state, 2)
    elif node == held[INLINE_CODE]:
        if held[TICKS] > 1:
            put(out, state, 0x20)
        for _ in range(held[TICKS]):
            put(out, state, 0x60)
        held[INLINE_CODE] = -1
    elif node == held[SCRIPT]:
        if held[CLOSING] > 0:
            put(out, state, held[CLOSING])
        held[SCRIPT] = -1
    elif name in (UL, OL, MENU, DIR):
        held[LISTS] -= 1
        state[INDENT] = indents[min(held[LISTS], MOST_LISTS) - 1] if held[LISTS] else 0
        if held[VERBATIM] < 0:
            state[MARKER] = 0
            break_line(state, margin(name, held[LISTS]))
    elif name == BLOCKQUOTE:
        state[QUOTES] -= 1
        break_line(state, 2)
    elif node == held[QUOTED]:
        put(out, state, 0x22)
        held[QUOTED] = -1
    elif node == held[READING]:
        put(out, state, 0x29)
        held[READING] = -1
    elif name in (BUTTON, CUSTOM):
        state[GAP] = 1
    elif name == A:
        held[LINK_END] = state[AT]
    elif TAG_FACTS[name] & BLOCK:
        if held[VERBATIM] >= 0:
            if name not in (TD, TH):
                state[CODE_BREAK] = 1
        else:
            if name in (LI, DD):
                state[MARKER] = 0
            break_line(state, margin(name, held[LISTS]))
    if node == held[POST]:
        held[POST] = -1
        break_line(state, 2)


@kernel
def write_void(
    name: int, is_kept: bool, held: npt.NDArray[np.int64], out: npt.NDArray[np.uint8], state: npt.NDArray[np.int64]
) -> None:
    """Write what an element without content stands for: a line feed, the end of a paragraph."""
    if name == BR and is_kept:
        if held[VERBATIM] >= 0:
            if state[CODE_OPEN]:
                put(out, state, 0x0A)
        elif state[JOINED]:
            state[GAP] = 1
        else:
            state[BREAKS] = min(state[BREAKS] + 1, 2)
    elif name == HR:
        break_line(state, 2)


@kernel
def pass_over(
    name: int,
    is_empty: bool,
    held: npt.NDArray[np.int64],
    spans: npt.NDArray[np.int64],
    out: npt.NDArray[np.uint8],
    state: npt.NDArray[np.int64],
) -> None:
    """Write what an element calls for of which nothing is kept: breaks, an empty line of code, a row less to span."""
    if TAG_FACTS[name] & BLOCK and held[OPEN_CELL] < 0 and name != TITLE:
        if held[VERBATIM] >= 0:
            if state[CODE_OPEN] and name not in (TD, TH) and is_empty:
                if out[state[AT] - 1] != 0x0A:
                    put(out, state, 0x0A)
                put(out, state, 0x0A)  # an empty line
                state[CODE_BREAK] = 0
        else:
            break_line(state, margin(name, held[LISTS]))
    elif name == TR and held[OPEN_ROW] < 0:
        for place in range(MOST_COLUMNS):
            spans[place] = max(spans[place] - 1, 0)


@kernel
def _begin_item(
    name: int,
    ordered: bool,
    held: npt.NDArray[np.int64],
    numbers: npt.NDArray[np.int64],
    indents: npt.NDArray[np.int64],
    state: npt.NDArray[np.int64],
) -> None:
    """Set the marker and the indentation of an item of a list, or of a definition."""
    markdown, lists = state[FORM] == MARKDOWN, held[LISTS]
    if name == DD:
        state[MARKER], state[MARKER_INDENT] = -2, state[INDENT]
    elif lists:
        place = min(lists, MOST_LISTS) - 1
        state[INDENT] = indents[place]
        state[MARKER_INDENT] = indents[place - 1] if place and markdown else indents[place] * (not markdown)
        state[MARKER] = numbers[place] if ordered and numbers[place] > 0 else -1
    else:
        state[MARKER], state[MARKER_INDENT] = -1, 0


@kernel
def _begin_list(
    name: int,
    before_first: int,
    held: npt.NDArray[np.int64],
    numbers: npt.NDArray[np.int64],
    indents: npt.NDArray[np.int64],
    state: npt.NDArray[np.int64],
) -> None:
    """Open a list whose items are counted from the one after `before_first`."""
    held[LISTS] += 1
    place = min(held[LISTS], MOST_LISTS) - 1
    numbers[place] = before_first
    outer = indents[place - 1] if place else 0
    if state[FORM] == MARKDOWN:
        indents[place] = outer + (3 if name == OL else 2)
    else:
        indents[place] = outer + 2 if place else 0


@kernel
def begin_block(
    html: npt.NDArray[np.uint8],
    tag: npt.NDArray[np.uint8],
    parent: npt.NDArray[np.int32],
    end: npt.NDArray[np.int32],
    begin: npt.NDArray[np.int64],
    finish: npt.NDArray[np.int64],
    shape: int,
    highlighters: bool,
    node: int,
    held: npt.NDArray[np.int64],
    spans: npt.NDArray[np.int64],
    numbers: npt.NDArray[np.int64],
    indents: npt.NDArray[np.int64],
    counts: npt.NDArray[np.int64],
    out: npt.NDArray[np.uint8],
    state: npt.NDArray[np.int64],
) -> None:
    """Write what the beginning of the block-level element `node` calls for; `shape` is the element's."""
    name = tag[node]
    if held[POST] < 0 and name in (ARTICLE, DIV, LI, SECTION, TABLE, TR) and is_post(html, begin[node], finish[node]):
        held[POST] = node
        counts[POSTS] += 1
        break_line(state, 2)
    break_line(state, margin(name, held[LISTS]))
    alone = held[OPEN_CELL] < 0 and held[HEADING] < 0
    if (
        TAG_FACTS[name] & IS_VERBATIM
        or (name == TABLE and shape == CODE_TABLE)
        or (highlighters and name == DIV and has_word(html, begin[node], finish[node], _CLASS, _HIGHLIGHTER))
    ):
        if alone:
            held[VERBATIM] = node
            begin_code(html, tag, parent, end, begin, finish, node, state)
    elif H1 <= name <= H6:
        if alone and end[node] - node <= _MOST_HEADING:
            held[HEADING] = node
            counts[HEADINGS] += 1
            # The line before ends first: within a heading all breaks are spaces.
            state[JOINED], state[LEVEL] = 1, name - H1 + 1
    elif name in (UL, OL, MENU, DIR):
        before_first = first_number(html, begin[node], finish[node]) - 1 if name == OL else -1
        _begin_list(name, before_first, held, numbers, indents, state)
    elif name in (LI, DD):
        if alone:
            counts[LIST_ITEMS] += name == LI
            ordered = parent[node] >= 0 and tag[parent[node]] == OL
            _begin_item(name, ordered, held, numbers, indents, state)
    elif name == BLOCKQUOTE:
        state[QUOTES] += 1
    elif name == TABLE and shape >= DATA and held[OPEN_TABLE] < 0 and held[HEADING] < 0:
        held[OPEN_TABLE], held[COLUMNS], held[FIRST_ROW] = node, shape, 1
        counts[TABLES] += 1
        for place in range(MOST_COLUMNS):
            spans[place] = 0
    elif name == TR and held[OPEN_TABLE] >= 0 and held[OPEN_CELL] < 0:
        held[OPEN_ROW], held[COLUMN] = node, 0
        counts[TABLE_ROWS] += 1
        begin_row(held[FIRST_ROW] != 0, out, state)


@kernel
def begin_inline(
    html: npt.NDArray[np.uint8],
    tag: npt.NDArray[np.uint8],
    end: npt.NDArray[np.int32],
    begin: npt.NDArray[np.int64],
    finish: npt.NDArray[np.int64],
    node: int,
    held: npt.NDArray[np.int64],
    out: npt.NDArray[np.uint8],
    state: npt.NDArray[np.int64],
) -> None:
    """Write what the beginning of the inline element `node` calls for."""
    name = tag[node]
    if name in (CODE, KBD, SAMP, TT) and state[FORM] == MARKDOWN and held[INLINE_CODE] < 0:
        held[INLINE_CODE] = node
        ticks = longest_ticks(html, tag, begin, finish, node, end[node]) + 1
        held[TICKS] = ticks
        begin_text(out, state)
        for _ in range(ticks):
            put(out, state, 0x60)
        if ticks > 1:
            put(out, state, 0x20)
    elif name in (SUB, SUP) and held[SCRIPT] < 0:
        closing = begin_script(html, tag, end, begin, finish, node, out, state)
        held[CLOSING] = closing
        held[SCRIPT] = node if closing >= 0 else -1
    elif name == Q and held[QUOTED] < 0:
        held[QUOTED] = node
        begin_text(out, state)
        put(out, state, 0x22)
    elif name == RT and held[READING] < 0:
        held[READING] = node
        begin_text(out, state)
        put(out, state, 0x28)
    elif name in (BUTTON, CUSTOM) or (name == A and held[LINK_END] == state[AT] and held[LINK_END] > 0):
        state[GAP] = 1
