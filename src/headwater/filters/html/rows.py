"""Rows and cells of tables of data as they are written: with tabs between cells in text, with `|` around them in Markdown.

`spans` tells for each column how many of the rows to come a cell above still covers; their places stay empty.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.filters.html.attributes import name_bytes
from headwater.filters.html.emit import (
    BREAKS,
    CELL,
    FORM,
    GAP,
    JOINED,
    LINE,
    MARKDOWN,
    TABS,
    begin_text,
    break_line,
    put,
)
from headwater.filters.html.tables import span_of
from headwater.filters.text.compile import kernel

__all__ = ["begin_cell", "begin_row", "end_cell", "end_row"]

_COLSPAN: Final = name_bytes("colspan")
_ROWSPAN: Final = name_bytes("rowspan")


@kernel
def _empty_cell(out: npt.NDArray[np.uint8], state: npt.NDArray[np.int64]) -> None:
    """Write a cell without content."""
    if state[FORM] == MARKDOWN:
        put(out, state, 0x20)
        put(out, state, 0x20)
        put(out, state, 0x7C)
    else:
        state[TABS] += 1


@kernel
def _pass_covered(
    column: int,
    columns: int,
    spans: npt.NDArray[np.int64],
    out: npt.NDArray[np.uint8],
    state: npt.NDArray[np.int64],
) -> int:
    """Write the empty places of cells above from `column` on; return the first column that is free."""
    while column < columns and spans[column] > 0:
        spans[column] -= 1
        _empty_cell(out, state)
        column += 1
    return column


@kernel
def begin_row(first: bool, out: npt.NDArray[np.uint8], state: npt.NDArray[np.int64]) -> None:
    """Begin a row's line."""
    if first:
        break_line(state, 2 if state[BREAKS] else 1)
    begin_text(out, state)
    if state[FORM] == MARKDOWN:
        put(out, state, 0x7C)


@kernel
def begin_cell(
    column: int,
    columns: int,
    spans: npt.NDArray[np.int64],
    out: npt.NDArray[np.uint8],
    state: npt.NDArray[np.int64],
) -> int:
    """Begin a cell; return its column, past those that cells above cover."""
    column = _pass_covered(column, columns, spans, out, state)
    if state[FORM] == MARKDOWN:
        put(out, state, 0x20)
    state[CELL], state[JOINED], state[GAP], state[LINE] = 1, 1, 0, 0
    return column


@kernel
def end_cell(
    html: npt.NDArray[np.uint8],
    begin: int,
    finish: int,
    column: int,
    columns: int,
    spans: npt.NDArray[np.int64],
    out: npt.NDArray[np.uint8],
    state: npt.NDArray[np.int64],
) -> int:
    """End the cell with the attributes `html[begin:finish]`; return the column after it and after those that it spans."""
    if state[FORM] == MARKDOWN:
        put(out, state, 0x20)
        put(out, state, 0x7C)
    else:
        state[TABS] += 1
    down = span_of(html, begin, finish, _ROWSPAN)
    after = max(min(column + span_of(html, begin, finish, _COLSPAN), columns), column + 1)
    for place in range(column, after):
        if place < columns:
            spans[place] = down - 1
        if place > column:
            _empty_cell(out, state)
    state[CELL], state[JOINED], state[GAP], state[LINE] = 0, 0, 0, 1
    return after


@kernel
def end_row(
    column: int,
    columns: int,
    first: bool,
    spans: npt.NDArray[np.int64],
    out: npt.NDArray[np.uint8],
    state: npt.NDArray[np.int64],
) -> None:
    """End a row, after the first one of Markdown with the line that makes it the head."""
    _pass_covered(column, columns, spans, out, state)
    if first and state[FORM] == MARKDOWN:
        put(out, state, 0x0A)
        put(out, state, 0x7C)
        for _ in range(columns):
            for byte in (0x20, 0x2D, 0x2D, 0x2D, 0x20, 0x7C):
                put(out, state, byte)
    state[TABS] = 0
    break_line(state, 1)
