"""What is kept of a page, by nodes: rows of tables whole (`keep_whole_rows`), and where the next kept node is (`next_kept`)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from headwater.filters.html.tables import DATA, LAYOUT
from headwater.filters.html.tags import TABLE, TR
from headwater.filters.text.compile import kernel

__all__ = ["keep_whole_rows", "next_kept"]


@kernel
def keep_whole_rows(
    tag: npt.NDArray[np.uint8],
    end: npt.NDArray[np.int32],
    block: npt.NDArray[np.int32],
    hidden: npt.NDArray[np.uint8],
    shape: npt.NDArray[np.uint8],
    keep: npt.NDArray[np.bool_],
) -> None:
    """Keep every block of a row of data of which one is kept, hidden ones apart; and so of a table of code."""
    for node in range(len(tag)):
        if tag[node] != TABLE or shape[node] == LAYOUT:
            continue
        row = node
        while row < end[node]:
            if tag[row] != TR and shape[node] >= DATA:
                row += 1
                continue
            kept = False
            for within in range(row, end[row]):
                if block[within] >= 0 and keep[block[within]]:
                    kept = True
                    break
            if kept:
                for within in range(row, end[row]):
                    if block[within] >= 0 and not hidden[block[within]]:
                        keep[block[within]] = True
            row = end[row]


@kernel
def next_kept(
    kind: npt.NDArray[np.uint8],
    block: npt.NDArray[np.int32],
    keep: npt.NDArray[np.bool_],
    following: npt.NDArray[np.int32],
) -> int:
    """Set `following[n]` to the first node from n on that belongs to a kept block (the number of nodes if none does).

    Returns how many nodes do.
    """
    nodes, kept = len(kind), 0
    last = nodes
    for node in range(nodes - 1, -1, -1):
        if block[node] >= 0 and keep[block[node]]:
            last = node
            kept += 1
        following[node] = last
    return kept
