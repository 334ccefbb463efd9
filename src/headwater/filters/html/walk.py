"""The walk that writes a page: `write_nodes`, one pass over the nodes, without recursion.

What is not kept is jumped over by whole subtrees. Formulas are given (`formula_places.py`) and written where their
elements stand; what belongs to their elements is jumped over. What each element writes is in `elements.py`.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.filters.html.code import is_line_numbers
from headwater.filters.html.elements import (
    COLUMN,
    COLUMNS,
    FORMULAS,
    LISTS,
    MOST_LISTS,
    OPEN_CELL,
    OPEN_ROW,
    VERBATIM,
    begin_block,
    begin_inline,
    end_element,
    open_nothing,
    pass_over,
    write_void,
)
from headwater.filters.html.emit import (
    AT,
    CODE_BREAK,
    QUOTES,
    SLACK,
    TABS,
    break_line,
    write_bytes,
    write_folded,
    write_verbatim,
)
from headwater.filters.html.rows import begin_cell
from headwater.filters.html.small_facts import is_anchor_mark
from headwater.filters.html.tags import (
    BLOCK,
    BLOCKQUOTE,
    DIR,
    LI,
    MENU,
    OL,
    PRE,
    RAW,
    RP,
    TAG_FACTS,
    TD,
    TEXT,
    TH,
    UL,
    VOID,
    A,
)
from headwater.filters.text.compile import kernel

__all__ = ["TOO_SMALL", "write_nodes"]

TOO_SMALL: Final = -1


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
    held: npt.NDArray[np.int64],
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
        counts: one for each of `elements.COUNTS`, all 0.
        held: room for what is open, `elements.OPEN_STATES` entries.
    """
    nodes, size = len(tag), len(out)
    node, open_node, formula, formulas = 0, -1, 0, len(places)
    open_nothing(held)
    while True:
        # Elements that end here.
        while open_node >= 0 and (end[open_node] <= node or node >= nodes):
            end_element(html, begin, finish, open_node, tag[open_node], held, spans, indents, counts, out, state)
            open_node = parent[open_node]
        if node >= nodes:
            return state[AT]
        if state[AT] + SLACK + state[TABS] + 2 * (finish[node] - begin[node]) > size:
            return TOO_SMALL
        name, verbatim = tag[node], held[VERBATIM] >= 0
        if name == TEXT:
            if block[node] >= 0 and keep[block[node]]:
                raw = open_node >= 0 and TAG_FACTS[tag[open_node]] & RAW != 0
                if verbatim:
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
                counts[FORMULAS] += 1
            node = places[formula, 1]
            formula += 1
            continue
        facts = TAG_FACTS[name]
        if facts & VOID:
            write_void(name, block[node] < 0 or keep[block[node]], held, out, state)
            node += 1
            continue
        if held[OPEN_ROW] >= 0 and held[OPEN_CELL] < 0 and not verbatim and name in (TD, TH):
            held[COLUMN] = begin_cell(held[COLUMN], held[COLUMNS], spans, out, state)
            held[OPEN_CELL] = node
            open_node = node
            node += 1
            continue
        if name == LI and held[LISTS]:
            numbers[min(held[LISTS], MOST_LISTS) - 1] += 1
        if following[node] >= end[node]:
            pass_over(name, end[node] == node + 1, held, spans, out, state)
            node = end[node]
            continue
        seen = finish[node] > begin[node] and (verbatim or name in (TD, PRE))
        if (
            (seen and is_line_numbers(html, name, begin[node], finish[node], verbatim))
            or name == RP
            or (name == A and end[node] == node + 2 and is_anchor_mark(html, begin[node + 1], finish[node + 1]))
        ):
            node = end[node]
            continue
        open_node = node
        if verbatim:
            if facts & BLOCK and name not in (TD, TH):
                state[CODE_BREAK] = 1
            if name in (UL, OL, MENU, DIR):
                held[LISTS] += 1
            elif name == BLOCKQUOTE:
                state[QUOTES] += 1
        elif facts & BLOCK:
            begin_block(
                html, tag, parent, end, begin, finish, shape[node], highlighters, node, held, spans, numbers, indents,
                counts, out, state,
            )  # fmt: skip
        else:
            begin_inline(html, tag, end, begin, finish, node, held, out, state)
        node += 1
