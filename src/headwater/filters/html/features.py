"""What is measured of every block of a page to tell main text: `measure_blocks`, 220 numbers of no language.

Of a block: the shape of its text, its marks and the weights of the class words around it, its place in the page, how long
and how linked each of the containers around it is, how often elements like its own are repeated, how alike its
neighbours are, how far the nearest long text and the nearest headings are, whether the page's own descriptions repeat it.
Of the page: its totals, the same for all blocks.

Two elements have the same *form* if tag and class are the same (digits left out); a *way* is the forms from the root to a block.
The *best container* is Readability's: the element whose children and grandchildren hold the most long text with few links.
Everything is a count or a quotient of counts, so bits do not depend on the CPU. Cost: linear in nodes, but for the walks up to
at most 64 elements around a block.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.filters.html import block_shapes as shape_of
from headwater.filters.html.block_shapes import N_SHAPES, measure_shapes
from headwater.filters.html.element_marks import MARKS, N_GROUPS, hash_starts, mark_nodes
from headwater.filters.html.nodes import NodeTable
from headwater.filters.html.page_counts import (
    HEADING_LEVEL,
    N_SUMS,
    TEXT_KEY,
    WAY_KEY,
    best_container,
    count_ahead,
    fill_page,
    find_slot,
    is_long,
)
from headwater.filters.html.page_hints import page_hints, share_hints
from headwater.filters.text.compile import kernel

__all__ = ["FEATURES", "BlockFeatures", "WordWeights", "measure_blocks"]

_LEVELS: Final = 6
_NEAR: Final = (-3, -2, -1, 1, 2, 3)
FEATURES: Final = (
    *"chars words letter_share capital_share digit_share ends commas other_share links link_share bold_share wide_share".split(),
    *"capital_words first last currencies bars longest images breaks inlines times rights colons questions hidden".split(),
    "words_an_end",
    *(f"mark_{mark}" for mark in MARKS),
    *"tag parent_tag depth place chars_before chars_after blocks_after".split(),
    *(f"words{group}_{name}" for group in range(N_GROUPS) for name in ("least", "most", "near")),
    *(f"around{level}_{name}" for level in range(_LEVELS) for name in ("chars", "links", "blocks", "share")),
    *(f"around{level}_{name}" for level in (1, 2, 3) for name in ("ends", "images", "currencies")),
    *(f"repeated{level}" for level in range(4)),
    *"repeated_times repeated_chars repeated_links repeated_level".split(),
    *"way_blocks way_chars way_links way_share copies copies_before".split(),
    *"linked described titled trigrams".split(),
    *"after_h1 before_h1 heading_level after_heading before_heading".split(),
    *"best_in best_before best_after best_share best_depth best_above".split(),
    *(f"near{by:+d}_{name}" for by in _NEAR for name in ("chars", "links", "ends", "words", "way", "tag")),
    *"within5_chars within5_links within15_chars within15_links".split(),
    *"after_long before_long after_long_above before_long_above".split(),
    *"page_blocks page_chars page_links page_p page_li page_table page_article page_form page_h1 page_long_share".split(),
    *"page_long page_currencies page_main page_linked page_described page_headings page_images page_repeated".split(),
)
"""Names of a block's numbers, in their places."""
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


@dataclass(frozen=True, kw_only=True, slots=True)
class WordWeights:
    """Weights of the words of attributes.

    Attributes:
        hashes: uint32 (words,), sorted.
        weights: float32 (words, N_GROUPS).
        starts: where hashes of the same beginning stand.
    """

    hashes: npt.NDArray[np.uint32]
    weights: npt.NDArray[np.float32]
    starts: npt.NDArray[np.int32] = field(init=False)

    def __post_init__(self) -> None:
        """Find where hashes of the same beginning stand."""
        object.__setattr__(self, "starts", hash_starts(self.hashes))


@dataclass(frozen=True, kw_only=True, slots=True)
class BlockFeatures:
    """What is measured of a page's blocks, and what the second stage and training need.

    Attributes:
        rows: float32 (blocks, features).
        wide: float32 (blocks, features + room): what `rows` is a part of.
        marks: uint64 (nodes,).
        first_block: int32 (nodes + 1,): number of blocks that begin before a node.
        ways: uint64 (nodes,).
        hashes: uint64 (blocks,), of the characters.
        tokens: of the page (`PageHints`).
        words: hashes of the words of attributes, if they were asked for.
        word_nodes: the element of each.
    """

    rows: npt.NDArray[np.float32]
    wide: npt.NDArray[np.float32]
    marks: npt.NDArray[np.uint64]
    first_block: npt.NDArray[np.int32]
    ways: npt.NDArray[np.uint64]
    hashes: npt.NDArray[np.uint64]
    tokens: tuple[str, ...]
    words: npt.NDArray[np.uint32]
    word_nodes: npt.NDArray[np.int32]


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
def _fill_rows(
    tag: npt.NDArray[np.uint8],
    parent: npt.NDArray[np.int32],
    end: npt.NDArray[np.int32],
    depth: npt.NDArray[np.int32],
    block_first: npt.NDArray[np.int32],
    block_element: npt.NDArray[np.int32],
    block_hidden: npt.NDArray[np.uint8],
    marks: npt.NDArray[np.uint64],
    around: npt.NDArray[np.float32],
    shapes: npt.NDArray[np.float32],
    hashes: npt.NDArray[np.uint64],
    hints: npt.NDArray[np.float32],
    first_block: npt.NDArray[np.int32],
    sums: npt.NDArray[np.float64],
    ways: npt.NDArray[np.uint64],
    repeated: npt.NDArray[np.int32],
    keys: npt.NDArray[np.uint64],
    counts: npt.NDArray[np.float64],
    best: int,
    page: npt.NDArray[np.float32],
    rows: npt.NDArray[np.float32],
) -> None:
    """Fill the rows of all blocks."""
    blocks = len(block_first)
    total = max(sums[blocks, 0], 1.0)
    one = np.float32(1)
    best_begin = first_block[best] if best >= 0 else 0
    best_stop = first_block[end[best]] if best >= 0 else blocks
    last_h1, last_long, level, since = -1, -1, 0, 999
    for number in range(blocks):
        row, shape = rows[number], shapes[number]
        element, first = block_element[number], block_first[number]
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
        above = parent[element] if element >= 0 else -1
        at = _TAG
        row[at] = tag[element] if element >= 0 else 0
        row[at + 1] = tag[above] if above >= 0 else 0
        row[at + 2] = depth[element] if element >= 0 else 0
        row[at + 3] = number / blocks
        row[at + 4] = sums[number, 0] / total
        row[at + 5] = (total - sums[number + 1, 0]) / total
        row[at + 6] = blocks - number
        for place in range(3 * N_GROUPS):
            row[_WORDS + place] = around[first, place]
        at, rich, holder = _AROUND, _RICH, element
        for step in range(_LEVELS):
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
            if step < 4:
                row[_REPEATED + step] = counts[repeated[holder], 0] if holder >= 0 and repeated[holder] >= 0 else 0
            if holder >= 0:
                holder = parent[holder]
        at, holder, most = _REPEATED + 4, element, 0.0
        row[at], row[at + 1], row[at + 2], row[at + 3] = 0, 0, 0, 0
        for step in range(12):
            if holder < 0:
                break
            slot = repeated[holder]
            if slot >= 0 and counts[slot, 0] >= 3 and counts[slot, 1] > most:
                most = counts[slot, 1]
                row[at] = counts[slot, 0]
                row[at + 1] = counts[slot, 1] / counts[slot, 0]
                row[at + 2] = counts[slot, 2] / max(counts[slot, 1], 1.0)
                row[at + 3] = step
            holder = parent[holder]
        at = _WAY
        slot = find_slot(keys, ways[max(element, 0)] ^ WAY_KEY)
        row[at] = counts[slot, 0]
        row[at + 1] = counts[slot, 1] / counts[slot, 0]
        row[at + 2] = counts[slot, 2] / max(counts[slot, 1], 1.0)
        row[at + 3] = counts[slot, 1] / total
        slot = find_slot(keys, (hashes[number] | _ONE) ^ TEXT_KEY)
        row[at + 4], row[at + 5] = counts[slot, 0], counts[slot, 3]
        counts[slot, 3] += 1
        at, trigrams = _HINTS, hints[number, 1]
        row[at] = hints[number, 2] / trigrams if trigrams > 0 and page[13] > 0 else -1
        row[at + 1] = hints[number, 3] / trigrams if trigrams > 0 and page[14] > 0 else -1
        row[at + 2] = hints[number, 4] / max(hints[number, 0], one)
        row[at + 3] = trigrams
        at, heading = _HEADINGS, _heading_of(element, tag, parent)
        if heading == 1:
            last_h1 = number
        row[at] = number - last_h1 if last_h1 >= 0 else -1
        row[at + 2], row[at + 3] = level, since
        if heading:
            level, since = heading, 0
        since = min(since + 1, 999)
        at = _BEST
        row[at] = best_begin <= number < best_stop
        row[at + 1] = max(best_begin - number, 0)
        row[at + 2] = max(number - best_stop + 1, 0)
        row[at + 3] = (sums[best_stop, 0] - sums[best_begin, 0]) / total
        row[at + 4] = depth[best] if best >= 0 else 0
        row[at + 5] = 99
        if best >= 0 and element >= 0:
            steps = _steps_above(element, best, parent, end)
            holder = element
            for _ in range(min(steps, _MOST_ABOVE)):
                holder = parent[holder]
            row[at + 5] = depth[best] - depth[holder] if holder >= 0 and steps < 99 else 99
        at = _NEARBY
        for by in _NEAR:
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
        at = _WITHIN
        for width in (5, 15):
            begin, stop = max(number - width, 0), min(number + width + 1, blocks)
            inside = sums[stop, 0] - sums[begin, 0]
            row[at] = inside / (stop - begin)
            row[at + 1] = (sums[stop, 1] - sums[begin, 1]) / max(inside, 1.0)
            at += 2
        row[at] = number - last_long if last_long >= 0 else 999
        row[at + 2] = _steps_above(element, block_first[last_long], parent, end) if last_long >= 0 else 99
        if is_long(shape):
            last_long = number
        for place in range(len(page)):
            row[_PAGE + place] = page[place]
    next_h1, next_heading, next_long = -1, -1, -1
    for number in range(blocks - 1, -1, -1):
        row, element = rows[number], block_element[number]
        at = _WITHIN + 4
        row[at + 1] = next_long - number if next_long >= 0 else 999
        row[at + 3] = _steps_above(element, block_first[next_long], parent, end) if next_long >= 0 else 99
        if is_long(shapes[number]):
            next_long = number
        row[_HEADINGS + 1] = next_h1 - number if next_h1 >= 0 else -1
        row[_HEADINGS + 4] = next_heading - number if next_heading >= 0 else 999
        heading = _heading_of(element, tag, parent)
        if heading:
            next_heading = number
            if heading == 1:
                next_h1 = number


def measure_blocks(
    html: npt.NDArray[np.uint8], table: NodeTable, words: WordWeights, *, keep_words: bool = False, room: int = 0
) -> BlockFeatures:
    """Return what is measured of a page's blocks.

    Args:
        html: the page's normal HTML, UTF-8, (bytes,).
        table: its nodes and blocks.
        words: what is known of the words of attributes.
        keep_words: whether to return the words met, for training.
        room: columns to leave free behind the rows' own, in `BlockFeatures.wide`.
    """
    nodes, blocks = table.n_nodes, table.n_blocks
    marks, form = np.zeros(nodes, np.uint64), np.zeros(nodes, np.uint64)
    around = np.zeros((nodes, 3 * N_GROUPS), np.float32)
    met = np.zeros(12 * nodes + 1024 if keep_words else 64, np.uint32)
    met_at = np.zeros(len(met), np.int32)
    kept = mark_nodes(
        html, table.kind, table.tag, table.parent, table.begin, table.finish, words.hashes, words.starts,
        words.weights, marks, form, around, met, met_at, np.empty((N_GROUPS, 2), np.float32),
    )  # fmt: skip
    shapes, hashes = np.zeros((blocks, N_SHAPES), np.float32), np.zeros(blocks, np.uint64)
    measure_shapes(html, table.kind, table.tag, table.begin, table.finish, table.block, marks, shapes, hashes)
    hints, shares = page_hints(html, table), np.zeros((blocks, 5), np.float32)
    share_hints(
        html, table.kind, table.begin, table.finish, table.block, hints.linked, hints.described, hints.titled, shares
    )
    first_block, sums = np.zeros(nodes + 1, np.int32), np.zeros((blocks + 1, N_SUMS))
    ways, repeated = np.zeros(nodes, np.uint64), np.zeros(nodes, np.int32)
    slots = 1 << int(2 * (nodes + 2 * blocks + 4)).bit_length()
    keys, counts = np.zeros(slots, np.uint64), np.zeros((slots, 4))
    count_ahead(
        table.kind, table.parent, table.end, table.block_first, table.block_element, form, shapes, hashes,
        first_block, sums, ways, repeated, keys, counts,
    )  # fmt: skip
    best = best_container(
        table.parent, table.end, table.block_element, table.block_hidden, shapes, first_block, sums,
        np.zeros(nodes, np.float32),
    )  # fmt: skip
    page, wide = np.zeros(len(FEATURES) - _PAGE, np.float32), np.zeros((blocks, len(FEATURES) + room), np.float32)
    fill_page(
        table.kind, table.tag, table.block_element, shapes, sums, repeated, counts,
        hints.linked_bytes, hints.described_bytes, page,
    )  # fmt: skip
    _fill_rows(
        table.tag, table.parent, table.end, table.depth, table.block_first, table.block_element, table.block_hidden,
        marks, around, shapes, hashes, shares, first_block, sums, ways, repeated, keys, counts, best, page, wide,
    )  # fmt: skip
    return BlockFeatures(
        rows=wide[:, : len(FEATURES)],
        wide=wide,
        marks=marks,
        first_block=first_block,
        ways=ways,
        hashes=hashes,
        tokens=hints.tokens,
        words=met[:kept],
        word_nodes=met_at[:kept],
    )
