"""Which elements are worth reading in Python, found by a kernel: `Wanted`, `wanted_elements`.

>>> from headwater.filters.html.nodes import node_table
>>> from headwater.filters.html.tags import META
>>> page = np.frombuffer(b'<html><head><meta name="a"><meta name=" Robots "></head></html>', np.uint8)
>>> wanted_elements(page, node_table(page), META, Wanted(keys=("name",), values=("robots",)), 100)
[3]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.filters.html.attributes import listed_word, next_attribute, word_list
from headwater.filters.html.element_marks import hash_place, word_hash
from headwater.filters.html.nodes import NodeTable
from headwater.filters.text.compile import kernel

__all__ = ["Wanted", "wanted_elements"]

_START: Final = 2166136261
_FACTOR: Final = 16777619
_LOW: Final = 0xFFFFFFFF


class Wanted:
    """Attributes and values: an element is wanted where one of the first has one of the second, trimmed, in any case."""

    def __init__(self, *, keys: Sequence[str], values: Sequence[str]) -> None:
        """Prepare names and values, both in small letters and ASCII."""
        self.keys, self.ends = word_list(keys)
        self.values = np.array(sorted({word_hash(value) for value in values}), np.uint32)


@kernel
def _find(
    html: npt.NDArray[np.uint8],
    tags: npt.NDArray[np.uint8],
    begin: npt.NDArray[np.int64],
    finish: npt.NDArray[np.int64],
    tag: int,
    keys: npt.NDArray[np.uint8],
    ends: npt.NDArray[np.int64],
    values: npt.NDArray[np.uint32],
    found: npt.NDArray[np.int64],
) -> int:
    """Fill `found` with what is wanted of the first `len(found)` elements of a name; return how many."""
    count, seen = 0, 0
    for node in range(len(tags)):
        if tags[node] != tag:
            continue
        at, hit = begin[node], False
        while not hit:
            name, name_end, value, value_end = next_attribute(html, at, finish[node])
            if name < 0:
                break
            at = value_end + 1 if value > name_end else name_end
            if listed_word(html, name, name_end, keys, ends) < 0:
                continue
            while value < value_end and html[value] <= 0x20:
                value += 1
            while value_end > value and html[value_end - 1] <= 0x20:
                value_end -= 1
            hashed = np.int64(_START)
            for place in range(value, value_end):
                byte = np.int64(html[place])
                hit |= bool(byte >= 0x80 or byte == 0x26)  # only Python tells
                hashed = ((hashed ^ (byte | 0x20 if 0x41 <= byte <= 0x5A else byte)) * _FACTOR) & _LOW
            hit |= hash_place(values, int(hashed)) >= 0
        if hit:
            found[count] = node
            count += 1
        seen += 1
        if seen == len(found):
            break
    return count


def wanted_elements(html: npt.NDArray[np.uint8], table: NodeTable, tag: int, wanted: Wanted, most: int) -> list[int]:
    """Return those of the first `most` elements of a name that may be wanted: all that are, and a few whose value has references.

    Args:
        html: normal HTML, UTF-8, (bytes,).
        table: its nodes.
        tag: the name's number.
        wanted: attributes and their values.
        most: elements that are looked at.
    """
    found = np.empty(most, np.int64)
    count = _find(html, table.tag, table.begin, table.finish, tag, wanted.keys, wanted.ends, wanted.values, found)
    return found[:count].tolist()
