"""Counts over a whole page that its blocks' features refer to: sums over blocks, repetitions, ways, the best container.

Counts stand in one table of open addressing: keys (0 where free) and four numbers each. A repetition is counted by parent and form, a
way and a block's characters by their hashes; that hashes of 64 bits may meet is accepted.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.filters.html import block_shapes as shape_of
from headwater.filters.html.nodes import ELEMENT
from headwater.filters.html.tags import ARTICLE, FORM, IMG, LI, MAIN, TABLE, TAGS, P
from headwater.filters.text.compile import kernel

__all__ = [
    "HEADING_LEVEL", "N_SUMS", "TEXT_KEY", "WAY_KEY", "best_container", "count_ahead", "fill_page", "find_slot", "is_long",
]  # fmt: skip

N_SUMS: Final = 5
"""Running sums over blocks: chars, chars in links, ends of sentences, images, blocks with a currency."""
_LONG: Final = 150
"""Chars of a long text."""
_LONG_LINKS: Final = 0.3
_ONE: Final = np.uint64(1)
WAY_KEY: Final = np.uint64(0x1234567890ABCDE0)
TEXT_KEY: Final = np.uint64(0x5555AAAA00000000)
"""What the hashes of ways and of characters are mixed with, so that one table serves all."""


def _heading_levels() -> npt.NDArray[np.int64]:
    levels = np.zeros(256, np.int64)
    for level in range(1, 7):
        levels[TAGS.index(f"h{level}")] = level
    return levels


HEADING_LEVEL: Final = _heading_levels()
"""By number of the tag: 1 to 6 of a heading, 0 of others."""


@kernel
def find_slot(keys: npt.NDArray[np.uint64], key: int) -> int:
    """Return the slot of a key that is not 0, or the free one where it belongs; some slot (a power of two) must be free."""
    mask = np.uint64(len(keys) - 1)
    value = (np.uint64(key) ^ (np.uint64(key) >> np.uint64(31))) * np.uint64(0x9E3779B97F4A7C15)
    slot = (value ^ (value >> np.uint64(32))) & mask
    while keys[slot] != 0 and keys[slot] != np.uint64(key):
        slot = (slot + _ONE) & mask
    return int(slot)


@kernel
def is_long(shape: npt.NDArray[np.float32]) -> bool:
    """Tell whether a block is a long text with few links."""
    return shape[shape_of.CHARS] >= _LONG and shape[shape_of.LINK_CHARS] < _LONG_LINKS * shape[shape_of.CHARS]


@kernel
def best_container(
    parent: npt.NDArray[np.int32],
    end: npt.NDArray[np.int32],
    block_element: npt.NDArray[np.int32],
    block_hidden: npt.NDArray[np.uint8],
    shapes: npt.NDArray[np.float32],
    first_block: npt.NDArray[np.int32],
    sums: npt.NDArray[np.float64],
    scores: npt.NDArray[np.float32],
) -> int:
    """Return the best container, -1 for none; `scores` (nodes,) are zeros before."""
    for number in range(len(block_element)):
        element = block_element[number]
        shape = shapes[number]
        chars = shape[shape_of.CHARS]
        links = shape[shape_of.LINK_CHARS] / max(chars, np.float32(1))
        if chars < 40 or links >= 0.5 or element < 0 or block_hidden[number]:
            continue
        value = (1 + shape[shape_of.COMMAS] + min(chars / 100, np.float32(8))) * (1 - links)
        weight = np.float32(1)
        for level in range(3):
            element = parent[element]
            if element < 0:
                break
            scores[element] += value * weight
            weight = np.float32(0.6) if level == 0 else np.float32(0.35)
    best, most = -1, 0.0
    for node in range(len(parent)):
        if scores[node] > 0:
            begin, stop = first_block[node], first_block[end[node]]
            links = (sums[stop, 1] - sums[begin, 1]) / max(sums[stop, 0] - sums[begin, 0], 1.0)
            if scores[node] * (1 - links) > most:
                best, most = node, scores[node] * (1 - links)
    return best


@kernel
def count_ahead(
    kind: npt.NDArray[np.uint8],
    parent: npt.NDArray[np.int32],
    end: npt.NDArray[np.int32],
    block_first: npt.NDArray[np.int32],
    block_element: npt.NDArray[np.int32],
    form: npt.NDArray[np.uint64],
    shapes: npt.NDArray[np.float32],
    hashes: npt.NDArray[np.uint64],
    first_block: npt.NDArray[np.int32],
    sums: npt.NDArray[np.float64],
    ways: npt.NDArray[np.uint64],
    repeated: npt.NDArray[np.int32],
    keys: npt.NDArray[np.uint64],
    counts: npt.NDArray[np.float64],
) -> None:
    """Fill sums over blocks (chars, link chars, ends, images, currencies), ways, and the counts of repetitions and ways."""
    blocks = len(block_first)
    for number in range(blocks):
        shape = shapes[number]
        sums[number + 1, 0] = sums[number, 0] + shape[shape_of.CHARS]
        sums[number + 1, 1] = sums[number, 1] + shape[shape_of.LINK_CHARS]
        sums[number + 1, 2] = sums[number, 2] + shape[shape_of.ENDS]
        sums[number + 1, 3] = sums[number, 3] + shape[shape_of.IMAGES]
        sums[number + 1, 4] = sums[number, 4] + min(shape[shape_of.CURRENCIES], np.float32(1))
    number = 0
    for node in range(len(kind)):
        while number < blocks and block_first[number] < node:
            number += 1
        first_block[node] = number
    first_block[len(kind)] = blocks
    for node in range(len(kind)):
        repeated[node] = -1
        above = parent[node]
        ways[node] = ways[above] if above >= 0 else _ONE
        if kind[node] != ELEMENT:
            continue
        ways[node] = (ways[node] ^ form[node]) * np.uint64(0x9E3779B97F4A7C15) | _ONE
        if above >= 0:
            key = (np.uint64(above) * np.uint64(0xD6E8FEB86659FD93)) ^ (
                form[node] * np.uint64(0xC2B2AE3D27D4EB4F)
            ) | _ONE
            slot = find_slot(keys, key)
            keys[slot] = key
            begin, stop = first_block[node], first_block[end[node]]
            counts[slot, 0] += 1
            counts[slot, 1] += sums[stop, 0] - sums[begin, 0]
            counts[slot, 2] += sums[stop, 1] - sums[begin, 1]
            repeated[node] = slot
    for number in range(blocks):
        key = ways[max(block_element[number], 0)] ^ WAY_KEY
        slot = find_slot(keys, key)
        keys[slot] = key
        counts[slot, 0] += 1
        counts[slot, 1] += shapes[number, shape_of.CHARS]
        counts[slot, 2] += shapes[number, shape_of.LINK_CHARS]
        key = (hashes[number] | _ONE) ^ TEXT_KEY
        slot = find_slot(keys, key)
        keys[slot] = key
        counts[slot, 0] += 1


@kernel
def fill_page(
    kind: npt.NDArray[np.uint8],
    tag: npt.NDArray[np.uint8],
    block_element: npt.NDArray[np.int32],
    shapes: npt.NDArray[np.float32],
    sums: npt.NDArray[np.float64],
    repeated: npt.NDArray[np.int32],
    counts: npt.NDArray[np.float64],
    linked_bytes: int,
    described_bytes: int,
    page: npt.NDArray[np.float32],
) -> None:
    """Fill the page's numbers."""
    blocks = len(block_element)
    total = max(sums[blocks, 0], 1.0)
    page[0], page[1], page[2] = blocks, total, sums[blocks, 1] / total
    for place in range(3, len(page)):
        page[place] = 0
    for node in range(len(kind)):
        if kind[node] == ELEMENT:
            name = tag[node]
            page[3] += name == P
            page[4] += name == LI
            page[5] += name == TABLE
            page[6] += name == ARTICLE
            page[7] += name == FORM
            page[8] += HEADING_LEVEL[name] == 1
            page[12] += name == MAIN
            page[15] += HEADING_LEVEL[name] > 0
            page[16] += name == IMG
    for number in range(blocks):
        if is_long(shapes[number]):
            page[9] += shapes[number, shape_of.CHARS]
            page[10] += 1
        element = block_element[number]
        if element >= 0 and repeated[element] >= 0 and counts[repeated[element], 0] >= 4:
            page[17] += 1
    page[9] = page[9] / total
    page[11] = sums[blocks, 4]
    page[13], page[14] = linked_bytes, described_bytes
    page[17] = page[17] / max(blocks, 1)
