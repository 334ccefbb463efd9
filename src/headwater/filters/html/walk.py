"""The walk that writes a page: `write_nodes`, one pass over the nodes, without recursion.

What is not kept is jumped over by whole subtrees. Formulas are given (`formula_places.py`) and written where their
elements stand; what belongs to their elements is jumped over. The rules of each element are those of `write.py`'s docstring.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.filters.html.attributes import has_word, name_bytes
from headwater.filters.html.code import begin_code, end_code, is_line_numbers, longest_ticks
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
    SLACK,
    TABS,
    begin_text,
    break_line,
    put,
    write_bytes,
    write_folded,
    write_verbatim,
)
from headwater.filters.html.posts import is_post
from headwater.filters.html.rows import begin_cell, begin_row, end_cell, end_row
from headwater.filters.html.scripts import begin_script
from headwater.filters.html.small_facts import first_number, is_anchor_mark, margin
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
    PRE,
    RAW,
    RP,
    RT,
    SAMP,
    SECTION,
    SUB,
    SUP,
    TABLE,
    TAG_FACTS,
    TD,
    TEXT,
    TH,
    TITLE,
    TR,
    TT,
    UL,
    VERBATIM,
    VOID,
    A,
    Q,
)
from headwater.filters.text.compile import kernel

__all__ = ["COUNTS", "TOO_SMALL", "write_nodes"]

COUNTS: Final = ("tables", "table_rows", "formulas", "code_blocks", "headings", "list_items", "posts")
"""What is counted, in this order."""

TOO_SMALL: Final = -1

_MOST_LISTS: Final = 16
_MOST_HEADING: Final = 64
_CLASS: Final = name_bytes("class")
_HIGHLIGHTER: Final = name_bytes("syntaxhighlighter")


@kernel
def write_nodes(
    html: npt.NDArray[np.uint8],
    tag: npt.NDArray[np.uint8],
    parent: npt.NDArray[np.int32],
    end: npt.NDArray[np.int32],
    begin: npt.NDArray[np.int64],
    finish: npt.NDArray[np.int64],
    block: npt.NDArray[np.int32],
    keep: npt.NDArray[np.bool_],
    following: npt.NDArray[np.int32],
    shape: npt.NDArray[np.uint8],
    places: npt.NDArray[np.int64],
    latex: npt.NDArray[np.uint8],
    latex_ends: npt.NDArray[np.int64],
    highlighters: bool,
    out: npt.NDArray[np.uint8],
    state: npt.NDArray[np.int64],
    spans: npt.NDArray[np.int64],
    numbers: npt.NDArray[np.int64],
    indents: npt.NDArray[np.int64],
    counts: npt.NDArray[np.int64],
) -> int:
    """Write the kept nodes to `out`; return how many bytes, or TOO_SMALL if `out` has no room for them.

    Args:
        html: the page.
        tag: of each node, and so on to `following` (`next_kept`) and `shape` (`table_shapes`).
        parent: see `tag`.
        end: see `tag`.
        begin: see `tag`.
        finish: see `tag`.
        block: see `tag`.
        keep: whether each block is kept.
        following: see `tag`.
        shape: see `tag`.
        places: the formulas, rows of `PLACE_COLUMNS`.
        latex: their text with its delimiters, one after the other; empty for one that is left out.
        latex_ends: where each one's ends.
        highlighters: whether the page has blocks of SyntaxHighlighter, which are no `<pre>`.
        out: the output.
        state: all 0 but FORM, `emit.STATES` entries.
        spans: room for `MOST_COLUMNS` entries, all 0.
        numbers: room for a number per open list, all 0.
        indents: room for a number per open list, all 0.
        counts: one for each of COUNTS, all 0.
    """
    nodes, size = len(tag), len(out)
    node, open_node, formula, formulas = 0, -1, 0, len(places)
    table, row, cell, column, columns, first_row = -1, -1, -1, 0, 0, True
    verbatim, heading, code, ticks, script, closing, quoted, reading, post = -1, -1, -1, 0, -1, 0, -1, -1, -1
    lists, link_end = 0, -1
    markdown = state[FORM] == MARKDOWN
    while True:
        # Elements that end here.
        while open_node >= 0 and (end[open_node] <= node or node >= nodes):
            name = tag[open_node]
            if open_node == cell:
                column = end_cell(html, begin[cell], finish[cell], column, columns, spans, out, state)
                cell = -1
            elif open_node == row:
                end_row(column, columns, first_row, spans, out, state)
                row, first_row = -1, False
            elif open_node == table:
                table = -1
                break_line(state, 2)
            elif open_node == verbatim:
                verbatim = -1
                counts[3] += end_code(out, state)
                break_line(state, 2)
            elif open_node == heading:
                heading = -1
                state[JOINED], state[LEVEL], state[GAP] = 0, 0, 0
                break_line(state, 2)
            elif open_node == code:
                if ticks > 1:
                    put(out, state, 0x20)
                for _ in range(ticks):
                    put(out, state, 0x60)
                code = -1
            elif open_node == script:
                if closing > 0:
                    put(out, state, closing)
                script = -1
            elif name in (UL, OL, MENU, DIR):
                lists -= 1
                state[INDENT] = indents[min(lists, _MOST_LISTS) - 1] if lists else 0
                if verbatim < 0:
                    state[MARKER] = 0
                    break_line(state, margin(name, lists))
            elif name == BLOCKQUOTE:
                state[QUOTES] -= 1
                break_line(state, 2)
            elif open_node == quoted:
                put(out, state, 0x22)
                quoted = -1
            elif open_node == reading:
                put(out, state, 0x29)
                reading = -1
            elif name in (BUTTON, CUSTOM):
                state[GAP] = 1
            elif name == A:
                link_end = state[AT]
            elif TAG_FACTS[name] & BLOCK:
                if verbatim >= 0:
                    if name not in (TD, TH):
                        state[CODE_BREAK] = 1
                else:
                    if name in (LI, DD):
                        state[MARKER] = 0
                    break_line(state, margin(name, lists))
            if open_node == post:
                post = -1
                break_line(state, 2)
            open_node = parent[open_node]
        if node >= nodes:
            return state[AT]
        if state[AT] + SLACK + state[TABS] + 2 * (finish[node] - begin[node]) > size:
            return TOO_SMALL
        name = tag[node]
        if name == TEXT:
            if block[node] >= 0 and keep[block[node]]:
                raw = open_node >= 0 and TAG_FACTS[tag[open_node]] & RAW != 0
                if verbatim >= 0:
                    write_verbatim(html, begin[node], finish[node], raw, out, state)
                else:
                    write_folded(html, begin[node], finish[node], raw, out, state)
            node += 1
            continue
        while formula < formulas and places[formula, 0] < node:
            formula += 1
        if formula < formulas and places[formula, 0] == node:
            first = latex_ends[formula - 1] if formula else 0
            last = latex_ends[formula]
            if last > first:
                if state[AT] + SLACK + state[TABS] + last - first > size:
                    return TOO_SMALL
                if places[formula, 5]:
                    break_line(state, 1)
                write_bytes(latex, first, last, out, state)
                if places[formula, 5]:
                    break_line(state, 1)
                counts[2] += 1
            node = places[formula, 1]
            formula += 1
            continue
        facts = TAG_FACTS[name]
        if facts & VOID:
            if name == BR and (block[node] < 0 or keep[block[node]]):
                if verbatim >= 0:
                    if state[CODE_OPEN]:
                        put(out, state, 0x0A)
                elif state[JOINED]:
                    state[GAP] = 1
                else:
                    state[BREAKS] = min(state[BREAKS] + 1, 2)
            elif name == HR:
                break_line(state, 2)
            node += 1
            continue
        if row >= 0 and cell < 0 and verbatim < 0 and name in (TD, TH):
            column = begin_cell(column, columns, spans, out, state)
            cell = node
            open_node = node
            node += 1
            continue
        if name == LI and lists:
            numbers[min(lists, _MOST_LISTS) - 1] += 1
        if following[node] >= end[node]:
            if facts & BLOCK and cell < 0 and name != TITLE:
                if verbatim >= 0:
                    if state[CODE_OPEN] and name not in (TD, TH) and end[node] == node + 1:
                        if out[state[AT] - 1] != 0x0A:
                            put(out, state, 0x0A)
                        put(out, state, 0x0A)  # an empty line
                        state[CODE_BREAK] = 0
                else:
                    break_line(state, margin(name, lists))
            elif name == TR and row < 0:
                for place in range(MOST_COLUMNS):
                    spans[place] = max(spans[place] - 1, 0)
            node = end[node]
            continue
        seen = finish[node] > begin[node] and (verbatim >= 0 or name in (TD, PRE))
        if seen and is_line_numbers(html, name, begin[node], finish[node], verbatim >= 0):
            node = end[node]
            continue
        if name == RP or (
            name == A and end[node] == node + 2 and is_anchor_mark(html, begin[node + 1], finish[node + 1])
        ):
            node = end[node]
            continue
        open_node = node
        if verbatim >= 0:
            if facts & BLOCK and name not in (TD, TH):
                state[CODE_BREAK] = 1
            if name in (UL, OL, MENU, DIR):
                lists += 1
            elif name == BLOCKQUOTE:
                state[QUOTES] += 1
            node += 1
            continue
        if facts & BLOCK:
            if post < 0 and name in (ARTICLE, DIV, LI, SECTION, TABLE, TR) and is_post(html, begin[node], finish[node]):
                post = node
                counts[6] += 1
                break_line(state, 2)
            break_line(state, margin(name, lists))
            if (
                facts & VERBATIM
                or (name == TABLE and shape[node] == CODE_TABLE)
                or (highlighters and name == DIV and has_word(html, begin[node], finish[node], _CLASS, _HIGHLIGHTER))
            ):
                if cell < 0 and heading < 0:
                    verbatim = node
                    begin_code(html, tag, end, begin, finish, node, state)
            elif H1 <= name <= H6:
                if cell < 0 and heading < 0 and end[node] - node <= _MOST_HEADING:
                    heading = node
                    counts[4] += 1
                    # The line before ends first: within a heading all breaks are spaces.
                    state[JOINED], state[LEVEL] = 1, name - H1 + 1
            elif name in (UL, OL, MENU, DIR):
                lists += 1
                place = min(lists, _MOST_LISTS) - 1
                numbers[place] = first_number(html, begin[node], finish[node]) - 1 if name == OL else -1
                outer = indents[place - 1] if place else 0
                if markdown:
                    indents[place] = outer + (3 if name == OL else 2)
                else:
                    indents[place] = outer + 2 if place else 0
            elif name == LI:
                if cell < 0 and heading < 0:
                    counts[5] += 1
                    place = min(lists, _MOST_LISTS) - 1
                    if lists:
                        state[INDENT] = indents[place]
                        state[MARKER_INDENT] = (
                            indents[place - 1] if place and markdown else indents[place] * (not markdown)
                        )
                        ordered = parent[node] >= 0 and tag[parent[node]] == OL
                        state[MARKER] = numbers[place] if ordered and numbers[place] > 0 else -1
                    else:
                        state[MARKER], state[MARKER_INDENT] = -1, 0
            elif name == DD:
                if cell < 0 and heading < 0:
                    state[MARKER], state[MARKER_INDENT] = -2, state[INDENT]
            elif name == BLOCKQUOTE:
                state[QUOTES] += 1
            elif name == TABLE and shape[node] >= DATA and table < 0 and heading < 0:
                table, columns = node, int(shape[node])
                first_row = True
                counts[0] += 1
                for place in range(MOST_COLUMNS):
                    spans[place] = 0
            elif name == TR and table >= 0 and cell < 0:
                row, column = node, 0
                counts[1] += 1
                begin_row(first_row, out, state)
        elif name in (CODE, KBD, SAMP, TT) and markdown and code < 0:
            code = node
            ticks = longest_ticks(html, tag, begin, finish, node, end[node]) + 1
            begin_text(out, state)
            for _ in range(ticks):
                put(out, state, 0x60)
            if ticks > 1:
                put(out, state, 0x20)
        elif name in (SUB, SUP) and script < 0:
            closing = begin_script(html, tag, end, begin, finish, node, out, state)
            script = node if closing >= 0 else -1
        elif name == Q and quoted < 0:
            quoted = node
            begin_text(out, state)
            put(out, state, 0x22)
        elif name == RT and reading < 0:
            reading = node
            begin_text(out, state)
            put(out, state, 0x28)
        elif name in (BUTTON, CUSTOM) or (name == A and link_end == state[AT] and link_end > 0):
            state[GAP] = 1
        node += 1
