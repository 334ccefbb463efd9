"""What the first answers about a page's other blocks say of a block: `measure_answers`.

The first stage judges each block by itself and what is around it. The second sees what the first said of neighbours, of the
containers, of blocks on the same way from the root, of copies of the text, of the page as a whole.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.filters.html.features import BlockFeatures
from headwater.filters.html.nodes import NodeTable
from headwater.filters.html.page_counts import HEADING_LEVEL, TEXT_KEY, WAY_KEY, find_slot
from headwater.filters.text.compile import kernel

__all__ = ["ANSWERS", "measure_answers"]

_NEAR: Final = (-4, -3, -2, -1, 1, 2, 3, 4)
_WIDTHS: Final = (3, 8, 20)
_LEVELS: Final = 6
ANSWERS: Final = (
    "answer",
    *(f"answer{by:+d}" for by in _NEAR),
    *(f"answers_within{width}" for width in _WIDTHS),
    *(f"answers_around{level}" for level in range(_LEVELS)),
    *"way_mean way_most copies_most copies_before copies_after page_mean page_kept page_most page_unsure".split(),
    *"after_first before_last after_kept before_kept kept_before kept_after heading rank before_run after_run in_run".split(),
    *"beside beside_level".split(),
)
"""Names of the numbers, in their places."""
_WITHIN: Final = 1 + len(_NEAR)
_AROUND: Final = _WITHIN + len(_WIDTHS)
_WAY: Final = _AROUND + _LEVELS
_PAGE: Final = ANSWERS.index("page_mean")
_PLACE: Final = ANSWERS.index("after_first")
_BESIDE: Final = ANSWERS.index("beside")
_GAP: Final = 4
"""Blocks that are not kept within a run of kept ones."""
_LEAST_BESIDE: Final = 80
"""Chars beside an element that say enough."""
_ONE: Final = np.uint64(1)


@kernel
def _longest_run(answers: npt.NDArray[np.float32], chars: npt.NDArray[np.float32]) -> tuple[int, int]:
    """Return first and last block of the run of kept blocks with the most chars; (0, 0) where none is kept."""
    begin, stop, most = 0, 0, -1.0
    first, last, size = -1, -1, 0.0
    for number in range(len(answers)):
        if answers[number] > 0.5:
            if first < 0 or number - last > _GAP:
                first, size = number, 0.0
            last = number
            size += chars[number]
            if size > most:
                begin, stop, most = first, last, size
    return begin, stop


@kernel
def _sum_answers(
    block_element: npt.NDArray[np.int32],
    ways: npt.NDArray[np.uint64],
    hashes: npt.NDArray[np.uint64],
    chars: npt.NDArray[np.float32],
    answers: npt.NDArray[np.float32],
    sums: npt.NDArray[np.float64],
    keys: npt.NDArray[np.uint64],
    counts: npt.NDArray[np.float64],
) -> None:
    """Fill the sums of weights and of answers before each block, and those by way and by text."""
    for number in range(len(answers)):
        weight, answer = np.float64(chars[number]) + 1.0, np.float64(answers[number])
        sums[number + 1, 0] = sums[number, 0] + weight
        sums[number + 1, 1] = sums[number, 1] + weight * answer
        for turn in range(2):
            key = ways[max(block_element[number], 0)] ^ WAY_KEY if turn == 0 else (hashes[number] | _ONE) ^ TEXT_KEY
            slot = find_slot(keys, key)
            keys[slot] = key
            counts[slot, 0] += weight if turn == 0 else 1.0
            counts[slot, 1] += weight * answer if turn == 0 else answer
            counts[slot, 2] = max(counts[slot, 2], answer)


@kernel
def _fill_near(answers: npt.NDArray[np.float32], sums: npt.NDArray[np.float64], rows: npt.NDArray[np.float32]) -> None:
    """Fill a block's own answer and its neighbours': `answer` to `answers_within20`."""
    blocks = len(answers)
    for number in range(blocks):
        row, at = rows[number], 1
        row[0] = answers[number]
        for by in _NEAR:
            row[at] = answers[number + by] if 0 <= number + by < blocks else -1
            at += 1
        for width in _WIDTHS:
            begin, stop = max(number - width, 0), min(number + width + 1, blocks)
            size = sums[stop, 0] - sums[begin, 0] - (sums[number + 1, 0] - sums[number, 0])
            mine = sums[stop, 1] - sums[begin, 1] - (sums[number + 1, 1] - sums[number, 1])
            row[at] = mine / max(size, 1.0)
            at += 1


@kernel
def _fill_around(
    parent: npt.NDArray[np.int32],
    end: npt.NDArray[np.int32],
    block_element: npt.NDArray[np.int32],
    first_block: npt.NDArray[np.int32],
    sums: npt.NDArray[np.float64],
    rows: npt.NDArray[np.float32],
) -> None:
    """Fill the answers within the containers around a block, and those beside it in the first that has enough."""
    blocks = len(rows)
    for number in range(blocks):
        row, element = rows[number], block_element[number]
        at, holder = _AROUND, element
        for _ in range(_LEVELS):
            begin = first_block[holder] if holder >= 0 else 0
            stop = first_block[end[holder]] if holder >= 0 else blocks
            size = sums[stop, 0] - sums[begin, 0]
            row[at] = (sums[stop, 1] - sums[begin, 1]) / size if size > 0 else -1
            if holder >= 0:
                holder = parent[holder]
            at += 1
        at, holder, steps = _BESIDE, element, 0
        row[at] = -1
        while holder >= 0 and steps < 6 and parent[holder] >= 0:
            above = parent[holder]
            begin, stop = first_block[above], first_block[end[above]]
            inner, outer = first_block[holder], first_block[end[holder]]
            size = sums[stop, 0] - sums[begin, 0] - (sums[outer, 0] - sums[inner, 0])
            if size > _LEAST_BESIDE:
                row[at] = (sums[stop, 1] - sums[begin, 1] - (sums[outer, 1] - sums[inner, 1])) / size
                break
            holder = above
            steps += 1
        row[at + 1] = steps


@kernel
def _fill_copies(
    block_element: npt.NDArray[np.int32],
    ways: npt.NDArray[np.uint64],
    hashes: npt.NDArray[np.uint64],
    answers: npt.NDArray[np.float32],
    keys: npt.NDArray[np.uint64],
    counts: npt.NDArray[np.float64],
    rows: npt.NDArray[np.float32],
) -> None:
    """Fill the answers on a block's way and of copies of its text: `way_mean` to `copies_after`."""
    at = _WAY
    for number in range(len(answers)):
        row = rows[number]
        slot = find_slot(keys, ways[max(block_element[number], 0)] ^ WAY_KEY)
        row[at], row[at + 1] = counts[slot, 1] / counts[slot, 0], counts[slot, 2]
        slot = find_slot(keys, (hashes[number] | _ONE) ^ TEXT_KEY)
        row[at + 2], row[at + 3] = counts[slot, 2], counts[slot, 3]
        counts[slot, 3] += answers[number]
        row[at + 4] = counts[slot, 1] - counts[slot, 3]


@kernel
def _fill_places(
    chars: npt.NDArray[np.float32],
    answers: npt.NDArray[np.float32],
    sums: npt.NDArray[np.float64],
    rows: npt.NDArray[np.float32],
) -> None:
    """Fill the page's answers as a whole and where its kept blocks are: `page_mean` to `in_run`, but for the heading's."""
    blocks = len(answers)
    most, unsure, all_kept, first_kept, last_kept = 0.0, 0.0, 0.0, blocks, -1
    for number in range(blocks):
        weight, answer = np.float64(chars[number]) + 1.0, np.float64(answers[number])
        most = max(most, answer)
        unsure += weight * answer * (1.0 - answer)
        if answer > 0.5:
            first_kept, last_kept = min(first_kept, number), number
            all_kept += chars[number]
    total = max(sums[blocks, 0], 1.0)
    run_begin, run_stop = _longest_run(answers, chars)
    before, kept, at = -1, 0.0, _PLACE
    for number in range(blocks):
        row, own = rows[number], answers[number]
        row[_PAGE], row[_PAGE + 1] = sums[blocks, 1] / total, all_kept
        row[_PAGE + 2], row[_PAGE + 3] = most, unsure / total
        row[at], row[at + 1] = number - first_kept, last_kept - number
        row[at + 2] = number - before if before >= 0 else 999
        row[at + 4] = kept / max(all_kept, 1.0)
        row[at + 5] = (all_kept - kept - (chars[number] if own > 0.5 else 0)) / max(all_kept, 1.0)
        row[at + 7] = own / max(most, 1e-9)
        row[at + 8], row[at + 9] = max(run_begin - number, 0), max(number - run_stop, 0)
        row[at + 10] = run_begin <= number <= run_stop
        if own > 0.5:
            before = number
            kept += chars[number]
    after = -1
    for number in range(blocks - 1, -1, -1):
        rows[number, at + 3] = after - number if after >= 0 else 999
        if answers[number] > 0.5:
            after = number


@kernel
def _fill_headings(
    tag: npt.NDArray[np.uint8],
    parent: npt.NDArray[np.int32],
    block_element: npt.NDArray[np.int32],
    answers: npt.NDArray[np.float32],
    rows: npt.NDArray[np.float32],
) -> None:
    """Fill the answer of the heading before a block, at most two elements up: `heading`."""
    heading = np.float32(-1)
    for number in range(len(answers)):
        rows[number, _PLACE + 6] = heading
        holder = block_element[number]
        for _ in range(3):
            if holder >= 0:
                if HEADING_LEVEL[tag[holder]]:
                    heading = answers[number]
                holder = parent[holder]


def measure_answers(
    table: NodeTable,
    measured: BlockFeatures,
    answers: npt.NDArray[np.float32],
    rows: npt.NDArray[np.float32] | None = None,
) -> npt.NDArray[np.float32]:
    """Return what the first answers say of each block: (blocks, len(ANSWERS)).

    Args:
        table: the page's nodes and blocks.
        measured: of its blocks.
        answers: probabilities of main text, (blocks,).
        rows: zeros to fill instead of new ones.
    """
    blocks = table.n_blocks
    rows = np.zeros((blocks, len(ANSWERS)), np.float32) if rows is None else rows
    slots = 1 << (4 * blocks + 8).bit_length()
    sums, keys, counts = np.zeros((blocks + 1, 2)), np.zeros(slots, np.uint64), np.zeros((slots, 4))
    chars, element = np.ascontiguousarray(measured.rows[:, 0]), table.block_element
    ways, hashes = measured.ways, measured.hashes
    _sum_answers(element, ways, hashes, chars, answers, sums, keys, counts)
    _fill_near(answers, sums, rows)
    _fill_around(table.parent, table.end, element, measured.first_block, sums, rows)
    _fill_copies(element, ways, hashes, answers, keys, counts, rows)
    _fill_places(chars, answers, sums, rows)
    _fill_headings(table.tag, table.parent, element, answers, rows)
    return rows
