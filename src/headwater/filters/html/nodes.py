"""A page's tree as arrays, and its text cut into blocks: `node_table`, from the bytes of its normal HTML.

A *block* is a maximal run of inline content: text that no block-level element's beginning or end interrupts, nor two
`<br>` with nothing between them. So a paragraph, a heading, a table cell, a list item's own words are each a block; a cell
that holds paragraphs has a block for each. A `<pre>` (also `<textarea>`, `<listing>`, `<xmp>`) is one block whatever it
holds. Formulas (`<math>`, `<script type="math/…">`, pictures whose `alt` is LaTeX) are inline content of the block around
them. A run without text or formula is no block.

Hidden is what the page itself says: the attribute `hidden`, `style="display:none"`, `aria-hidden="true"` (but not on
`<html>` and `<body>`, which scripts show later; nor is a picture or rendered formula hidden by `aria-hidden`). Hidden blocks
are blocks all the same, and told apart (`block_hidden`); text that an inline element hides within a block belongs to none.

>>> page = np.frombuffer(b'<html><head></head><body><p>One <b>and</b> <i hidden="">no</i></p><p>two</p></body></html>', np.uint8)
>>> table = node_table(page)
>>> from headwater.filters.html.tags import TAGS
>>> [(TAGS[tag], int(block)) for tag, block in zip(table.tag[3:], table.block[3:])]
[('p', -1), ('#text', 0), ('b', 0), ('#text', 0), ('#text', 0), ('i', 0), ('#text', -1), ('p', -1), ('#text', 1)]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.filters.html.attributes import find_attribute, name_bytes, starts_with
from headwater.filters.html.formulas import is_formula_image
from headwater.filters.html.hidden import HIDDEN_ARIA, HIDDEN_ATTRIBUTE, HIDDEN_STYLE, SHOWN, which_hides
from headwater.filters.html.markup import is_blank, markup_end, raw_end, skip_to, tag_end
from headwater.filters.html.tags import (
    BLOCK,
    BR,
    IMG,
    LISTING,
    MATH,
    PRE,
    RAW,
    SCRIPT,
    TAG_FACTS,
    TEMPLATE,
    TEXT,
    TEXTAREA,
    UNSEEN,
    VERBATIM,
    VOID,
    tag_number,
)
from headwater.filters.text.compile import kernel

__all__ = [
    "ELEMENT",
    "HIDDEN_ARIA",
    "HIDDEN_ATTRIBUTE",
    "HIDDEN_STYLE",
    "SHOWN",
    "TEXT_NODE",
    "NodeTable",
    "node_table",
]

ELEMENT: Final = 0
TEXT_NODE: Final = 1

_TYPE: Final = name_bytes("type")
_MATH_TYPE: Final = name_bytes("math/")
_SHADOW: Final = name_bytes("shadowrootmode")


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeTable:
    """The elements and text nodes of a page in document order, and its blocks. Comments and the doctype are left out.

    One entry a node: `kind` (uint8: ELEMENT or TEXT_NODE), `tag` (uint8: number in `TAGS`), `parent` (int32, -1 for the
    root), `end` (int32: the first node after the subtree), `depth` (int32, 0 for the root), `container` (int32: nearest
    block-level element, the node itself included, -1 for none), `begin` and `finish` (int64: the text's bytes, escaped as
    they stand, or the element's attributes, from its name to its `>`), `block` (int32, -1 for none; inline elements have
    the block of their first content, block-level ones none).

    One entry a block, in document order: `block_first` (int32: its first node), `block_element` (int32: nearest
    block-level element), `block_bytes` (int32: bytes of its text that is not white space alone, escaped as it stands),
    `block_hidden` (uint8: SHOWN or which rule hides it).
    """

    kind: npt.NDArray[np.uint8]
    tag: npt.NDArray[np.uint8]
    parent: npt.NDArray[np.int32]
    end: npt.NDArray[np.int32]
    depth: npt.NDArray[np.int32]
    container: npt.NDArray[np.int32]
    begin: npt.NDArray[np.int64]
    finish: npt.NDArray[np.int64]
    block: npt.NDArray[np.int32]
    block_first: npt.NDArray[np.int32]
    block_element: npt.NDArray[np.int32]
    block_bytes: npt.NDArray[np.int32]
    block_hidden: npt.NDArray[np.uint8]

    @property
    def n_nodes(self) -> int:
        """The number of nodes."""
        return len(self.kind)

    @property
    def n_blocks(self) -> int:
        """The number of blocks."""
        return len(self.block_first)


@kernel
def _closes(html: npt.NDArray[np.uint8], at: int, stop: int, begin: int) -> bool:
    """Return whether the end tag `html[at:stop]` has the name of the element whose attributes begin at `begin`."""
    length = stop - at - 2
    name = begin - length
    if name <= 0 or html[name - 1] != 0x3C:
        return False
    for place in range(length):  # Numba compiles no generators
        if html[at + 2 + place] != html[name + place]:
            return False
    return True


@kernel
def _fill_tree(
    html: npt.NDArray[np.uint8],
    kind: npt.NDArray[np.uint8],
    tags: npt.NDArray[np.uint8],
    parent: npt.NDArray[np.int32],
    end: npt.NDArray[np.int32],
    depth: npt.NDArray[np.int32],
    container: npt.NDArray[np.int32],
    begin: npt.NDArray[np.int64],
    finish: npt.NDArray[np.int64],
) -> int:
    """Fill the arrays of a `NodeTable` that need no blocks, all long enough; return how many nodes there are."""
    size = len(html)
    at, nodes = 0, 0
    open_node = -1  # the innermost open element
    while at < size:
        if html[at] != 0x3C:
            # Text. Only the end of raw text begins with "<" and is not seen here.
            stop = skip_to(html, at, 0x3C)
        else:
            stop = at
            after = html[at + 1] if at + 1 < size else np.uint8(0)
            if after == 0x2F:
                stop = skip_to(html, at, 0x3E)
                # End tags in normal HTML close the innermost element; what does not (within svg) is passed over.
                if open_node >= 0 and _closes(html, at, stop, begin[open_node]):
                    end[open_node] = nodes
                    open_node = parent[open_node]
                at = min(stop + 1, size)
                continue
            if not 0x61 <= (after | 0x20) <= 0x7A:
                at = markup_end(html, at)
                continue
            name = at + 1
            at = name
            while at < size and html[at] > 0x20 and html[at] != 0x2F and html[at] != 0x3E:
                at += 1
            name_end = at
            tag = tag_number(html, name, name_end)
            at = tag_end(html, name_end)
            facts = TAG_FACTS[tag]
            node = nodes
            nodes += 1
            kind[node], tags[node], parent[node], end[node] = ELEMENT, tag, open_node, nodes
            depth[node] = depth[open_node] + 1 if open_node >= 0 else 0
            begin[node], finish[node] = name_end, at
            container[node] = node if facts & BLOCK else (container[open_node] if open_node >= 0 else -1)
            at = min(at + 1, size)
            if not facts & VOID:
                open_node = node
            if not facts & RAW or facts & VOID:
                continue
            stop = raw_end(html, at, name, name_end, tag == SCRIPT)
        if stop == at:
            continue
        # A text node: html[at:stop].
        first = at
        at = stop
        if (
            html[first] == 0x0A
            and open_node >= 0
            and nodes == open_node + 1
            and tags[open_node] in (LISTING, PRE, TEXTAREA)
        ):
            # A page is written with one line feed more where one of these begins with one.
            first += 1
            if first == stop:
                continue
        node = nodes
        nodes += 1
        kind[node], tags[node], parent[node], end[node] = TEXT_NODE, 0, open_node, nodes
        depth[node] = depth[open_node] + 1 if open_node >= 0 else 0
        container[node] = container[open_node] if open_node >= 0 else -1
        begin[node], finish[node] = first, stop
    while open_node >= 0:
        end[open_node] = nodes
        open_node = parent[open_node]
    return nodes


@kernel
def _is_seen(html: npt.NDArray[np.uint8], tag: int, begin: int, finish: int) -> bool:
    """Return whether an element of UNSEEN is one whose content is seen all the same: a formula, a shadow tree."""
    if tag == SCRIPT:
        value_begin, value_end = find_attribute(html, begin, finish, _TYPE)
        return bool(starts_with(html, value_begin, value_end, _MATH_TYPE))
    if tag == TEMPLATE:
        value_begin, value_end = find_attribute(html, begin, finish, _SHADOW)
        return value_begin >= 0
    return False


@kernel
def _fill_blocks(
    html: npt.NDArray[np.uint8],
    kind: npt.NDArray[np.uint8],
    tags: npt.NDArray[np.uint8],
    parent: npt.NDArray[np.int32],
    container: npt.NDArray[np.int32],
    begin: npt.NDArray[np.int64],
    finish: npt.NDArray[np.int64],
    block: npt.NDArray[np.int32],
    block_first: npt.NDArray[np.int32],
    block_element: npt.NDArray[np.int32],
    block_bytes: npt.NDArray[np.int32],
    block_hidden: npt.NDArray[np.uint8],
) -> int:
    """Fill each node's block and the arrays of blocks, all long enough; return how many blocks there are."""
    blocks = 0
    open_node = -1  # the innermost open element
    # Roots of what is open: content never seen, verbatim, hidden, a formula; -1 for none.
    unseen, verbatim, hidden, math = -1, -1, -1, -1
    hidden_by = SHOWN
    hushed = False  # text is hidden by an inline element within the open block
    current = -1  # the open block
    pending = 0  # the first node since the last boundary
    broken = False  # the last thing seen in this run is a <br>
    for node in range(len(kind)):
        while open_node != parent[node]:  # elements that end here
            if TAG_FACTS[tags[open_node]] & BLOCK and verbatim < 0:
                current, pending, broken, hushed = -1, node, False, False
            if open_node == verbatim:
                verbatim, current, pending, broken = -1, -1, node, False
            if open_node == unseen:
                unseen = -1
            if open_node == hidden:
                if not hushed and verbatim < 0:  # the hidden element began a run of its own
                    current, pending, broken = -1, node, False
                hidden, hushed = -1, False
            if open_node == math:
                math = -1
            open_node = parent[open_node]
        block[node] = -1
        if kind[node] == ELEMENT:
            tag = tags[node]
            facts = TAG_FACTS[tag]
            if facts & BLOCK and verbatim < 0 and unseen < 0:
                current, pending, broken, hushed = -1, node + 1, False, False
            reason = SHOWN
            if finish[node] > begin[node] and hidden < 0 and unseen < 0:
                reason = which_hides(html, tag, begin[node], finish[node])
            if not facts & BLOCK:
                block[node] = current
            if tag == BR and verbatim < 0:
                if broken:
                    current, pending = -1, node + 1
                    block[node] = -1
                broken = True
            if not facts & VOID:
                open_node = node
                if reason != SHOWN:
                    hidden, hidden_by, hushed = node, reason, current >= 0
                if facts & VERBATIM and verbatim < 0 and unseen < 0:
                    verbatim = node
                if tag == MATH and math < 0:
                    math = node
                if facts & UNSEEN and unseen < 0:
                    if not _is_seen(html, tag, begin[node], finish[node]):
                        unseen = node
                    elif tag == SCRIPT:
                        math = node
            # Of elements only pictures of formulas are content themselves.
            if (
                tag != IMG
                or unseen >= 0
                or hushed
                or reason == HIDDEN_ATTRIBUTE
                or not is_formula_image(html, begin[node], finish[node])
            ):
                continue
        elif unseen >= 0 or (hushed and math < 0):
            continue
        elif is_blank(html, begin[node], finish[node]):
            block[node] = current
            continue
        if current < 0:
            current = blocks
            within = verbatim if kind[node] == TEXT_NODE and verbatim >= 0 else container[node]
            block_first[blocks], block_element[blocks], block_bytes[blocks] = node, within, 0
            block_hidden[blocks] = hidden_by if hidden >= 0 else SHOWN
            blocks += 1
            for earlier in range(pending, node):
                # In a <pre>, white space before the first word is content as well.
                if kind[earlier] == ELEMENT or (
                    kind[node] == TEXT_NODE and verbatim >= 0 and is_blank(html, begin[earlier], finish[earlier])
                ):
                    block[earlier] = current
            pending = node + 1
        block[node] = current
        if kind[node] == TEXT_NODE:
            block_bytes[current] += finish[node] - begin[node]
        broken = False
    return blocks


def _most_nodes(html: npt.NDArray[np.uint8]) -> int:
    """Return no less than the number of nodes.

    A text follows a `>` and begins with another byte than "<", but for raw text, whose "<" begins no element.
    """
    texts = np.count_nonzero((html[:-1] == 0x3E) & (html[1:] != 0x3C)) + 1
    return int(np.count_nonzero(html == 0x3C) + texts)


def node_table(html: npt.NDArray[np.uint8]) -> NodeTable:
    """Return the nodes and blocks of a page.

    Args:
        html: its normal HTML (`parse.normal_html`), UTF-8, (bytes,); other bytes give some table as well, never an error.

    Cost: one walk of the bytes, one of the nodes; memory some 45 bytes a node. Nothing depends on how deep elements are nested.
    """
    most = _most_nodes(html)
    kind, tag = np.empty(most, np.uint8), np.empty(most, np.uint8)
    parent, end, depth, container, block = np.empty((5, most), np.int32)
    begin, finish = np.empty((2, most), np.int64)
    n = _fill_tree(html, kind, tag, parent, end, depth, container, begin, finish)
    # Only texts and pictures begin blocks.
    most_blocks = np.count_nonzero(tag[:n] == TEXT) + np.count_nonzero(tag[:n] == IMG)
    first, element, size = np.empty((3, most_blocks), np.int32)
    hidden = np.empty(most_blocks, np.uint8)
    n_blocks = _fill_blocks(html, kind[:n], tag, parent, container, begin, finish, block, first, element, size, hidden)
    return NodeTable(
        kind=kind[:n],
        tag=tag[:n],
        parent=parent[:n],
        end=end[:n],
        depth=depth[:n],
        container=container[:n],
        begin=begin[:n],
        finish=finish[:n],
        block=block[:n],
        block_first=first[:n_blocks],
        block_element=element[:n_blocks],
        block_bytes=size[:n_blocks],
        block_hidden=hidden[:n_blocks],
    )
