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

import numpy as np
import numpy.typing as npt

from headwater.filters.html.block_shapes import N_SHAPES, measure_shapes
from headwater.filters.html.element_marks import N_GROUPS, hash_starts, mark_nodes
from headwater.filters.html.feature_names import FEATURES, N_PAGE_NUMBERS
from headwater.filters.html.feature_rows import PageNumbers, fill_rows
from headwater.filters.html.nodes import NodeTable
from headwater.filters.html.page_counts import N_SUMS, best_container, count_ahead, fill_page
from headwater.filters.html.page_hints import page_hints, share_hints

__all__ = ["FEATURES", "BlockFeatures", "WordWeights", "measure_blocks"]


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
    page, wide = np.zeros(N_PAGE_NUMBERS, np.float32), np.zeros((blocks, len(FEATURES) + room), np.float32)
    fill_page(
        table.kind, table.tag, table.block_element, shapes, sums, repeated, counts,
        hints.linked_bytes, hints.described_bytes, page,
    )  # fmt: skip
    numbers = PageNumbers(
        marks=marks, around=around, shapes=shapes, hashes=hashes, hints=shares, first_block=first_block, sums=sums,
        ways=ways, repeated=repeated, keys=keys, counts=counts, best=int(best), page=page,
    )  # fmt: skip
    fill_rows(table, numbers, wide)
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
