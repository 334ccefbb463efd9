"""Which tables have rows to write: `table_shapes`.

Most tables of the web set pages, not data. Data is a table without a table within, of two columns at least, that names its
heads (`<th>`, `<caption>`, `<thead>`) or has at least two rows of short cells. Others are read as if their cells were
paragraphs. A table of code, a line a row (`td.blob-code`), is read as code.

Cost: each node is looked at once at most, since the look ahead ends at the first table within.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.filters.html.attributes import find_attribute, has_word, name_bytes, starts_with
from headwater.filters.html.tags import (
    ARTICLE,
    BLOCKQUOTE,
    CAPTION,
    FORM,
    H1,
    H6,
    LI,
    OL,
    PRE,
    TABLE,
    TD,
    TEXT,
    TH,
    THEAD,
    TR,
    UL,
    P,
)
from headwater.filters.text.compile import kernel

__all__ = ["CODE", "DATA", "LAYOUT", "MOST_COLUMNS", "span_of", "table_shapes"]

LAYOUT: Final = 0
CODE: Final = 1
DATA: Final = 2
"""The shapes; one of data is the number of cells of its longest row, DATA at least and `MOST_COLUMNS` at most."""

MOST_COLUMNS: Final = 64
"""Cells beyond that of a row are still written; `colspan` and `rowspan` reach no further."""

_LONG_CELL: Final = 400
_ROLE: Final = name_bytes("role")
_PRESENTATION: Final = name_bytes("presentation")
_NONE: Final = name_bytes("none")
_CLASS: Final = name_bytes("class")
_BLOB: Final = name_bytes("blob-code")


@kernel
def span_of(html: npt.NDArray[np.uint8], begin: int, finish: int, name: npt.NDArray[np.uint8]) -> int:
    """Return the number that the attribute `name` gives, 1 to 64; 1 if it gives none."""
    at, end = find_attribute(html, begin, finish, name)
    number = 0
    while 0 <= at < end and 0x30 <= html[at] <= 0x39 and number <= MOST_COLUMNS:
        number = number * 10 + html[at] - 0x30
        at += 1
    return min(max(number, 1), MOST_COLUMNS)


@kernel
def _shape(
    html: npt.NDArray[np.uint8],
    tag: npt.NDArray[np.uint8],
    end: npt.NDArray[np.int32],
    begin: npt.NDArray[np.int64],
    finish: npt.NDArray[np.int64],
    table: int,
) -> int:
    """Return what the table at node `table` is."""
    role, role_end = find_attribute(html, begin[table], finish[table], _ROLE)
    if role >= 0 and (
        starts_with(html, role, role_end, _PRESENTATION)
        or (role_end - role == 4 and starts_with(html, role, role_end, _NONE))
    ):
        return LAYOUT
    rows, cells, row_cells, most, heads, heavy, size, code_end = 0, 0, 0, 0, 0, 0, 0, 0
    for node in range(table + 1, end[table]):
        name = tag[node]
        if name == TEXT:
            size += finish[node] - begin[node]
            if node < code_end:
                for place in range(begin[node], finish[node]):
                    if html[place] == 0x0A:
                        return LAYOUT
        elif name == TABLE:
            return LAYOUT
        elif name == TR:
            rows += 1
            row_cells = 0
        elif name in (TD, TH):
            cells += 1
            row_cells += 1
            most = max(most, row_cells)
            heads += name == TH
            if name == TD and cells <= 2 and has_word(html, begin[node], finish[node], _CLASS, _BLOB):
                return CODE
        elif name in (CAPTION, THEAD):
            heads += 1
        elif name == PRE:
            code_end = max(code_end, end[node])
        elif name in (P, LI):
            heavy += 1
        elif H1 <= name <= H6 or name in (UL, OL, BLOCKQUOTE, ARTICLE, FORM):
            heavy += 2
    if most < 2:
        return LAYOUT
    if not heads and (rows < 2 or heavy > 2 * cells or size > _LONG_CELL * cells):
        return LAYOUT
    return min(most, MOST_COLUMNS)


@kernel
def table_shapes(
    html: npt.NDArray[np.uint8],
    tag: npt.NDArray[np.uint8],
    end: npt.NDArray[np.int32],
    begin: npt.NDArray[np.int64],
    finish: npt.NDArray[np.int64],
    shape: npt.NDArray[np.uint8],
) -> None:
    """Set `shape` (uint8, one a node) of each table to LAYOUT, CODE or, of data, its columns; other entries are left."""
    for node in range(len(tag)):
        if tag[node] == TABLE:
            shape[node] = _shape(html, tag, end, begin, finish, node)
