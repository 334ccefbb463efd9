"""The rows of a page's blocks, filled from what was measured before: `fill_rows`.

Each kernel fills the columns of one subject for all blocks of a page, so that it needs few arrays and no call a block.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.filters.html import block_shapes as shape_of
from headwater.filters.html.element_marks import MARKS, N_GROUPS
from headwater.filters.html.feature_names import FEATURES, LEVELS, NEAR
from headwater.filters.html.nodes import NodeTable
from headwater.filters.html.page_counts import HEADING_LEVEL, TEXT_KEY, WAY_KEY, find_slot, is_long
from headwater.filters.text.compile import kernel

__all__ = ["PageNumbers", "fill_rows"]

_FIRST: Final = {name: number for number, name in enumerate(FEATURES)}
_MARK, _TAG, _WORDS, _AROUND, _RICH, _REPEATED, _WAY, _HINTS, _HEADINGS, _BEST, _NEARBY, _WITHIN, _PAGE = (
    _FIRST[name]
    for name in (
        f"mark_{MARKS[0]} tag words0_least around0_chars around1_ends repeated0 way_blocks linked after_h1 best_in near-3_chars "
        "within5_chars page_blocks"
    ).split()
)
_N_MARKS: Final = len(MARKS)
_MOST_ABOVE: Final = 64
_ONE: Final = np.uint64(1)


@kernel
def _steps_above(element: int, node: int, parent: npt.NDArray[np.int32], end: npt.NDArray[np.int32]) -> int:
    """Return how many steps above an element the first is that holds a node too; 99 beyond 64."""
    steps = 0
    while element >= 0 and not element <= node < end[element]:
        element = parent[element]
        steps += 1
        if steps > _MOST_ABOVE:
            return 99
    return steps


@kernel
def _heading_of(element: int, tag: npt.NDArray[np.uint8], parent: npt.NDArray[np.int32]) -> int:
    """Return the level of the heading that a block is in, at most two elements up; 0 for none."""
    for _ in range(3):
        if element < 0:
            return 0
        if HEADING_LEVEL[tag[element]]:
            return int(HEADING_LEVEL[tag[element]])
        element = parent[element]
    return 0


@kernel
def _fill_shapes(
    block_first: npt.NDArray[np.int32],
    block_hidden: npt.NDArray[np.uint8],
    marks: npt.NDArray[np.uint64],
    around: npt.NDArray[np.float32],
    shapes: npt.NDArray[np.float32],
    rows: npt.NDArray[np.float32],
) -> None:
    """Fill what a block's own text, its marks and the words around it say: `chars` to `words2_near`, but for its place."""
    one = np.float32(1)
    for number in range(len(rows)):
        row, shape, first = rows[number], shapes[number], block_first[number]
        chars = max(shape[shape_of.CHARS], one)
        letters = max(shape[shape_of.LETTERS], one)
        row[0], row[1] = shape[shape_of.CHARS], shape[shape_of.WORDS]
        row[2] = shape[shape_of.LETTERS] / chars
        row[3] = shape[shape_of.CAPITALS] / letters
        row[4] = shape[shape_of.DIGITS] / chars
        row[5], row[6] = shape[shape_of.ENDS], shape[shape_of.COMMAS]
        row[7] = shape[shape_of.OTHERS] / chars
        row[8] = shape[shape_of.LINKS]
        row[9] = shape[shape_of.LINK_CHARS] / chars
        row[10] = shape[shape_of.BOLD_CHARS] / chars
        row[11] = shape[shape_of.WIDE] / chars
        row[12] = shape[shape_of.CAPITAL_WORDS] / max(shape[shape_of.WORDS], one)
        row[13], row[14] = shape[shape_of.FIRST], shape[shape_of.LAST]
        row[15], row[16] = shape[shape_of.CURRENCIES], shape[shape_of.BARS]
        row[17] = shape[shape_of.LONGEST]
        row[18], row[19], row[20] = shape[shape_of.IMAGES], shape[shape_of.BREAKS], shape[shape_of.INLINES]
        row[21], row[22] = shape[shape_of.TIMES], shape[shape_of.RIGHTS]
        row[23], row[24] = shape[shape_of.COLONS], shape[shape_of.QUESTIONS]
        row[25] = block_hidden[number]
        row[26] = shape[shape_of.WORDS] / (shape[shape_of.ENDS] + 1)
        for mark in range(_N_MARKS):
            row[_MARK + mark] = np.float32((marks[first] >> np.uint64(mark)) & _ONE)
        for place in range(3 * N_GROUPS):
            row[_WORDS + place] = around[first, place]


@kernel
def _fill_places(
    tag: npt.NDArray[np.uint8],
    parent: npt.NDArray[np.int32],
    depth: npt.NDArray[np.int32],
    block_element: npt.NDArray[np.int32],
    sums: npt.NDArray[np.float64],
    rows: npt.NDArray[np.float32],
) -> None:
    """Fill where a block stands in the page: `tag` to `blocks_after`."""
    blocks, at = len(rows), _TAG
    total = max(sums[blocks, 0], 1.0)
    for number in range(blocks):
        row, element = rows[number], block_element[number]
        above = parent[element] if element >= 0 else -1
        row[at] = tag[element] if element >= 0 else 0
        row[at + 1] = tag[above] if above >= 0 else 0
        row[at + 2] = depth[element] if element >= 0 else 0
        row[at + 3] = number / blocks
        row[at + 4] = sums[number, 0] / total
        row[at + 5] = (total - sums[number + 1, 0]) / total
        row[at + 6] = blocks - number


@kernel
def _fill_around(
    parent: npt.NDArray[np.int32],
    end: npt.NDArray[np.int32],
    block_element: npt.NDArray[np.int32],
    first_block: npt.NDArray[np.int32],
    sums: npt.NDArray[np.float64],
    rows: npt.NDArray[np.float32],
) -> None:
    """Fill what the containers around a block hold: `around0_chars` to `around3_currencies`."""
    blocks = len(rows)
    total = max(sums[blocks, 0], 1.0)
    for number in range(blocks):
        row, holder, at, rich = rows[number], block_element[number], _AROUND, _RICH
        for step in range(LEVELS):
            begin = first_block[holder] if holder >= 0 else 0
            stop = first_block[end[holder]] if holder >= 0 else blocks
            inside = sums[stop, 0] - sums[begin, 0]
            row[at] = inside
            row[at + 1] = (sums[stop, 1] - sums[begin, 1]) / max(inside, 1.0)
            row[at + 2] = stop - begin
            row[at + 3] = inside / total
            at += 4
            if 1 <= step <= 3:
                row[rich] = (sums[stop, 2] - sums[begin, 2]) / max(inside, 1.0)
                row[rich + 1] = (sums[stop, 3] - sums[begin, 3]) / max(stop - begin, 1)
                row[rich + 2] = (sums[stop, 4] - sums[begin, 4]) / max(stop - begin, 1)
                rich += 3
            if holder >= 0:
                holder = parent[holder]


@kernel
def _fill_repeated(
    parent: npt.NDArray[np.int32],
    block_element: npt.NDArray[np.int32],
    repeated: npt.NDArray[np.int32],
    counts: npt.NDArray[np.float64],
    rows: npt.NDArray[np.float32],
) -> None:
    """Fill how often elements like those around a block are repeated: `repeated0` to `repeated_level`."""
    for number in range(len(rows)):
        row, holder, at, most = rows[number], block_element[number], _REPEATED + 4, 0.0
        for step in range(12):
            if holder < 0:
                break
            slot = repeated[holder]
            if slot >= 0:
                if step < 4:
                    row[_REPEATED + step] = counts[slot, 0]
                if counts[slot, 0] >= 3 and counts[slot, 1] > most:
                    most = counts[slot, 1]
                    row[at] = counts[slot, 0]
                    row[at + 1] = counts[slot, 1] / counts[slot, 0]
                    row[at + 2] = counts[slot, 2] / max(counts[slot, 1], 1.0)
                    row[at + 3] = step
            holder = parent[holder]


@kernel
def _fill_copies(
    block_element: npt.NDArray[np.int32],
    hashes: npt.NDArray[np.uint64],
    ways: npt.NDArray[np.uint64],
    sums: npt.NDArray[np.float64],
    keys: npt.NDArray[np.uint64],
    counts: npt.NDArray[np.float64],
    rows: npt.NDArray[np.float32],
) -> None:
    """Fill what is on a block's way and how often its text stands in the page: `way_blocks` to `copies_before`.

    The fourth of `counts` is that of copies met so far.
    """
    total, at = max(sums[len(rows), 0], 1.0), _WAY
    for number in range(len(rows)):
        row = rows[number]
        slot = find_slot(keys, ways[max(block_element[number], 0)] ^ WAY_KEY)
        row[at] = counts[slot, 0]
        row[at + 1] = counts[slot, 1] / counts[slot, 0]
        row[at + 2] = counts[slot, 2] / max(counts[slot, 1], 1.0)
        row[at + 3] = counts[slot, 1] / total
        slot = find_slot(keys, (hashes[number] | _ONE) ^ TEXT_KEY)
        row[at + 4], row[at + 5] = counts[slot, 0], counts[slot, 3]
        counts[slot, 3] += 1


@kernel
def _fill_hints(hints: npt.NDArray[np.float32], page: npt.NDArray[np.float32], rows: npt.NDArray[np.float32]) -> None:
    """Fill how much of a block the page's own descriptions repeat, `linked` to `trigrams`, and the page's numbers."""
    at, one = _HINTS, np.float32(1)
    for number in range(len(rows)):
        row, trigrams = rows[number], hints[number, 1]
        row[at] = hints[number, 2] / trigrams if trigrams > 0 and page[13] > 0 else -1
        row[at + 1] = hints[number, 3] / trigrams if trigrams > 0 and page[14] > 0 else -1
        row[at + 2] = hints[number, 4] / max(hints[number, 0], one)
        row[at + 3] = trigrams
        for place in range(len(page)):
            row[_PAGE + place] = page[place]


@kernel
def _fill_headings(
    tag: npt.NDArray[np.uint8],
    parent: npt.NDArray[np.int32],
    block_element: npt.NDArray[np.int32],
    rows: npt.NDArray[np.float32],
) -> None:
    """Fill how far the headings before and after a block are: `after_h1` to `before_heading`."""
    last_h1, level, since, at = -1, 0, 999, _HEADINGS
    for number in range(len(rows)):
        row, heading = rows[number], _heading_of(block_element[number], tag, parent)
        if heading == 1:
            last_h1 = number
        row[at] = number - last_h1 if last_h1 >= 0 else -1
        row[at + 2], row[at + 3] = level, since
        if heading:
            level, since = heading, 0
        since = min(since + 1, 999)
    next_h1, next_heading = -1, -1
    for number in range(len(rows) - 1, -1, -1):
        row, heading = rows[number], _heading_of(block_element[number], tag, parent)
        row[at + 1] = next_h1 - number if next_h1 >= 0 else -1
        row[at + 4] = next_heading - number if next_heading >= 0 else 999
        if heading:
            next_heading = number
            if heading == 1:
                next_h1 = number


@kernel
def _fill_best(
    parent: npt.NDArray[np.int32],
    end: npt.NDArray[np.int32],
    depth: npt.NDArray[np.int32],
    block_element: npt.NDArray[np.int32],
    first_block: npt.NDArray[np.int32],
    sums: npt.NDArray[np.float64],
    best: int,
    rows: npt.NDArray[np.float32],
) -> None:
    """Fill where the best container is, seen from a block: `best_in` to `best_above`."""
    blocks, at = len(rows), _BEST
    total = max(sums[blocks, 0], 1.0)
    begin = first_block[best] if best >= 0 else 0
    stop = first_block[end[best]] if best >= 0 else blocks
    for number in range(blocks):
        row, element = rows[number], block_element[number]
        row[at] = begin <= number < stop
        row[at + 1] = max(begin - number, 0)
        row[at + 2] = max(number - stop + 1, 0)
        row[at + 3] = (sums[stop, 0] - sums[begin, 0]) / total
        row[at + 4] = depth[best] if best >= 0 else 0
        row[at + 5] = 99
        if best >= 0 and element >= 0:
            steps = _steps_above(element, best, parent, end)
            holder = element
            for _ in range(min(steps, _MOST_ABOVE)):
                holder = parent[holder]
            row[at + 5] = depth[best] - depth[holder] if holder >= 0 and steps < 99 else 99


@kernel
def _fill_near(
    tag: npt.NDArray[np.uint8],
    block_first: npt.NDArray[np.int32],
    block_element: npt.NDArray[np.int32],
    ways: npt.NDArray[np.uint64],
    around: npt.NDArray[np.float32],
    shapes: npt.NDArray[np.float32],
    rows: npt.NDArray[np.float32],
) -> None:
    """Fill what a block's neighbours are like: `near-3_chars` to `near+3_tag`."""
    blocks, one = len(rows), np.float32(1)
    for number in range(blocks):
        row, element, at = rows[number], block_element[number], _NEARBY
        for by in NEAR:
            other = number + by
            if 0 <= other < blocks:
                its = block_element[other]
                row[at] = shapes[other, shape_of.CHARS]
                row[at + 1] = shapes[other, shape_of.LINK_CHARS] / max(shapes[other, shape_of.CHARS], one)
                row[at + 2] = shapes[other, shape_of.ENDS]
                row[at + 3] = around[block_first[other], 0] + around[block_first[other], 1]
                row[at + 4] = its >= 0 and element >= 0 and ways[its] == ways[element]
                row[at + 5] = tag[its] if its >= 0 else 0
            else:
                for place in range(6):
                    row[at + place] = 0 if place == 3 else -1
            at += 6


@kernel
def _fill_within(
    parent: npt.NDArray[np.int32],
    end: npt.NDArray[np.int32],
    block_first: npt.NDArray[np.int32],
    block_element: npt.NDArray[np.int32],
    shapes: npt.NDArray[np.float32],
    sums: npt.NDArray[np.float64],
    rows: npt.NDArray[np.float32],
) -> None:
    """Fill how much text is near a block and how far the long ones are: `within5_chars` to `before_long_above`."""
    blocks, last_long, next_long = len(rows), -1, -1
    for number in range(blocks):
        row, at = rows[number], _WITHIN
        for width in (5, 15):
            begin, stop = max(number - width, 0), min(number + width + 1, blocks)
            inside = sums[stop, 0] - sums[begin, 0]
            row[at] = inside / (stop - begin)
            row[at + 1] = (sums[stop, 1] - sums[begin, 1]) / max(inside, 1.0)
            at += 2
        row[at] = number - last_long if last_long >= 0 else 999
        row[at + 2] = _steps_above(block_element[number], block_first[last_long], parent, end) if last_long >= 0 else 99
        if is_long(shapes[number]):
            last_long = number
    at = _WITHIN + 4
    for number in range(blocks - 1, -1, -1):
        row = rows[number]
        row[at + 1] = next_long - number if next_long >= 0 else 999
        row[at + 3] = _steps_above(block_element[number], block_first[next_long], parent, end) if next_long >= 0 else 99
        if is_long(shapes[number]):
            next_long = number


@dataclass(frozen=True, kw_only=True, slots=True)
class PageNumbers:
    """What is known of a page's nodes and blocks before the rows are filled.

    Attributes:
        marks: of each node, uint64 (nodes,).
        around: weights of the words around each, float32 (nodes, 3 N_GROUPS).
        shapes: of each block's text, float32 (blocks, N_SHAPES).
        hashes: of each block's text, uint64 (blocks,).
        hints: what the page's descriptions repeat of each block, float32 (blocks, 5).
        first_block: int32 (nodes + 1,): number of blocks that begin before a node.
        sums: of the blocks before each, float64 (blocks + 1, N_SUMS).
        ways: of each node, uint64 (nodes,).
        repeated: the slot of elements like each node, int32 (nodes,), -1 for none.
        keys: of the slots, uint64.
        counts: of each slot, float64 (slots, 4); the last column is written.
        best: the best container, -1 for none.
        page: the page's own, float32 (N_PAGE_NUMBERS,).
    """

    marks: npt.NDArray[np.uint64]
    around: npt.NDArray[np.float32]
    shapes: npt.NDArray[np.float32]
    hashes: npt.NDArray[np.uint64]
    hints: npt.NDArray[np.float32]
    first_block: npt.NDArray[np.int32]
    sums: npt.NDArray[np.float64]
    ways: npt.NDArray[np.uint64]
    repeated: npt.NDArray[np.int32]
    keys: npt.NDArray[np.uint64]
    counts: npt.NDArray[np.float64]
    best: int
    page: npt.NDArray[np.float32]


def fill_rows(table: NodeTable, of: PageNumbers, rows: npt.NDArray[np.float32]) -> None:
    """Fill the rows of all blocks, (blocks, at least FEATURES), zeros before."""
    tag, parent, end, depth = table.tag, table.parent, table.end, table.depth
    first, element = table.block_first, table.block_element
    _fill_shapes(first, table.block_hidden, of.marks, of.around, of.shapes, rows)
    _fill_places(tag, parent, depth, element, of.sums, rows)
    _fill_around(parent, end, element, of.first_block, of.sums, rows)
    _fill_repeated(parent, element, of.repeated, of.counts, rows)
    _fill_copies(element, of.hashes, of.ways, of.sums, of.keys, of.counts, rows)
    _fill_hints(of.hints, of.page, rows)
    _fill_headings(tag, parent, element, rows)
    _fill_best(parent, end, depth, element, of.first_block, of.sums, of.best, rows)
    _fill_near(tag, first, element, of.ways, of.around, of.shapes, rows)
    _fill_within(parent, end, first, element, of.shapes, of.sums, rows)
