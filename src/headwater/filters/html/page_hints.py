"""What a page says of itself outside of its text: `page_hints`.

JSON-LD, the descriptions in `<meta>` and the title repeat parts of the main text. Their word trigrams (of the title, its words)
are kept as Bloom filters; `share_hints` counts how much of each block they hold. A filter answers "yes" wrongly for a few
per cent of trigrams. *Tokens* are words that tell the kind of the page: types in JSON-LD, `og:type`, generator, the
words of the canonical address, the classes of `<body>`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.filters.html.attributes import decode_text, find_attribute, name_bytes
from headwater.filters.html.nodes import TEXT_NODE, NodeTable
from headwater.filters.html.tags import BODY, HTML, LINK, META, SCRIPT, TITLE
from headwater.filters.html.wanted import Wanted, wanted_elements
from headwater.filters.text.compile import kernel

__all__ = ["PageHints", "page_hints", "share_hints"]

_START: Final = np.uint64(14695981039346656037)
_FACTOR: Final = np.uint64(1099511628211)
_FIRST: Final = np.uint64(0x9E3779B97F4A7C15)
_SECOND: Final = np.uint64(0xC2B2AE3D27D4EB4F)
_MOST_SCRIPT: Final = 300_000
"""Bytes of one script of JSON-LD that are read."""
_MOST_ELEMENTS: Final = 200
"""Scripts, `<meta>` and `<link>` that are read, each."""
_TYPE, _NAME, _PROPERTY, _CONTENT, _REL, _HREF, _CLASS = (
    name_bytes(name) for name in ("type", "name", "property", "content", "rel", "href", "class")
)
_LINKED_DATA: Final = Wanted(keys=("type",), values=("application/ld+json",))
_DESCRIBING: Final = Wanted(
    keys=("name", "property"),
    values=("description", "og:description", "twitter:description", "og:url", "og:type", "generator"),
)
_CANONICAL: Final = Wanted(keys=("rel",), values=("canonical",))
_LD_TYPE: Final = re.compile(r'"@type"\s*:\s*"(\w{1,40})"')
_LETTERS: Final = re.compile(r"[a-z]+")
_SCHEME: Final = re.compile(r"^https?://")


@dataclass(frozen=True, kw_only=True, slots=True)
class PageHints:
    """What a page says of itself.

    Attributes:
        linked: filter of the trigrams of its JSON-LD.
        described: filter of those of its descriptions.
        titled: filter of the words of its title.
        linked_bytes: bytes of JSON-LD.
        described_bytes: bytes of descriptions.
        tokens: words that tell its kind, sorted.
    """

    linked: npt.NDArray[np.uint8]
    described: npt.NDArray[np.uint8]
    titled: npt.NDArray[np.uint8]
    linked_bytes: int
    described_bytes: int
    tokens: tuple[str, ...]


@kernel
def _is_letter(byte: int) -> bool:
    return byte >= 0x80 or 0x30 <= byte <= 0x39 or 0x61 <= (byte | 0x20) <= 0x7A


@kernel
def _add(html: npt.NDArray[np.uint8], begin: int, finish: int, size: int, bits: npt.NDArray[np.uint8]) -> None:
    """Set the bits of the words (size 1) or trigrams of words (size 3) of a stretch; escapes of JSON end words."""
    mask = np.uint64(len(bits) * 8 - 1)
    first, second, word = np.uint64(0), np.uint64(0), _START
    letters, words, at = 0, 0, begin
    while at <= finish:
        byte = int(html[at]) if at < finish else 0x20
        if _is_letter(byte):
            word = (word ^ np.uint64(byte | 0x20 if byte < 0x80 else byte)) * _FACTOR
            letters += 1
        else:
            if letters:
                words += 1
                if words >= size:
                    value = word
                    if size > 1:
                        value ^= (first * _FIRST) ^ (second * _SECOND)
                    value = (value ^ (value >> np.uint64(29))) & mask
                    bits[value >> np.uint64(3)] |= np.uint8(1) << np.uint8(value & np.uint64(7))
                first, second, word, letters = second, word, _START, 0
            if byte == 0x5C and at + 1 < finish:
                at += 5 if html[at + 1] == 0x75 else 1
            elif byte == 0x26:
                stop = at + 1
                while stop < finish and stop < at + 8 and html[stop] != 0x3B:
                    stop += 1
                if stop < finish and html[stop] == 0x3B:
                    at = stop
        at += 1


@kernel
def _has(bits: npt.NDArray[np.uint8], value: np.uint64) -> int:
    place = value & np.uint64(len(bits) * 8 - 1)
    return int(bits[place >> np.uint64(3)] >> np.uint8(place & np.uint64(7)) & 1)


@kernel
def share_hints(
    html: npt.NDArray[np.uint8],
    kind: npt.NDArray[np.uint8],
    begin: npt.NDArray[np.int64],
    finish: npt.NDArray[np.int64],
    block: npt.NDArray[np.int32],
    linked: npt.NDArray[np.uint8],
    described: npt.NDArray[np.uint8],
    titled: npt.NDArray[np.uint8],
    counts: npt.NDArray[np.float32],
) -> None:
    """Fill (blocks, 5), zeros before: words; their trigrams; of these, linked and described; words in the title."""
    last = -1
    first, second, words = np.uint64(0), np.uint64(0), 0
    for node in range(len(kind)):
        number = block[node]
        if number < 0 or kind[node] != TEXT_NODE:
            continue
        if number != last:
            last, words = number, 0
        word, letters = _START, 0
        at, stop = begin[node], finish[node]
        while at <= stop:
            byte = int(html[at]) if at < stop else 0x20
            if _is_letter(byte):
                word = (word ^ np.uint64(byte | 0x20 if byte < 0x80 else byte)) * _FACTOR
                letters += 1
            else:
                if letters:
                    words += 1
                    counts[number, 0] += 1
                    counts[number, 4] += _has(titled, word ^ (word >> np.uint64(29)))
                    if words > 2:
                        value = (first * _FIRST) ^ (second * _SECOND) ^ word
                        value ^= value >> np.uint64(29)
                        counts[number, 1] += 1
                        counts[number, 2] += _has(linked, value)
                        counts[number, 3] += _has(described, value)
                    first, second, word, letters = second, word, _START, 0
                if byte == 0x26:
                    end = at + 1
                    while end < stop and end < at + 8 and html[end] != 0x3B:
                        end += 1
                    if end < stop and html[end] == 0x3B:
                        at = end
            at += 1


def page_hints(html: npt.NDArray[np.uint8], table: NodeTable) -> PageHints:
    """Return what a page says of itself."""
    linked, described, titled = np.zeros(1 << 14, np.uint8), np.zeros(1 << 10, np.uint8), np.zeros(1 << 9, np.uint8)
    tokens: set[str] = set()
    linked_bytes = described_bytes = 0
    for node in wanted_elements(html, table, SCRIPT, _LINKED_DATA, _MOST_ELEMENTS):
        if _value(html, table, node, _TYPE).lower() == "application/ld+json" and _has_text(table, node):
            begin = int(table.begin[node + 1])
            finish = min(int(table.finish[node + 1]), begin + _MOST_SCRIPT)
            _add(html, begin, finish, 3, linked)
            linked_bytes += finish - begin
            types = _LD_TYPE.findall(decode_text(html, begin, finish, raw=True))
            tokens.update("ld:" + kind for kind in types[:60])
    for node in wanted_elements(html, table, META, _DESCRIBING, _MOST_ELEMENTS):
        name = (_value(html, table, node, _NAME) or _value(html, table, node, _PROPERTY)).lower()
        if name in {"description", "og:description", "twitter:description"}:
            begin, finish = find_attribute(html, table.begin[node], table.finish[node], _CONTENT)
            if begin >= 0:
                _add(html, begin, finish, 3, described)
                described_bytes += int(finish - begin)
        elif name == "og:url":
            tokens.update(_address_tokens(_value(html, table, node, _CONTENT).lower()))
        elif name in {"og:type", "generator"}:
            content = _value(html, table, node, _CONTENT).lower()
            tokens.update(f"{name}:{word}" for word in _LETTERS.findall(content)[:3])
    for node in wanted_elements(html, table, LINK, _CANONICAL, _MOST_ELEMENTS):
        if _value(html, table, node, _REL).lower() == "canonical":
            tokens.update(_address_tokens(_value(html, table, node, _HREF).lower()))
    for node in _first(table, TITLE):
        if _has_text(table, node):
            _add(html, table.begin[node + 1], table.finish[node + 1], 1, titled)
    for tag in (HTML, BODY):
        for node in _first(table, tag):
            classes = _value(html, table, node, _CLASS).lower()
            tokens.update("body:" + word for word in _LETTERS.findall(classes)[:60])
    return PageHints(
        linked=linked,
        described=described,
        titled=titled,
        linked_bytes=linked_bytes,
        described_bytes=described_bytes,
        tokens=tuple(sorted(tokens)),
    )


def _first(table: NodeTable, tag: int) -> list[int]:
    """Return the first element of a name, if there is one."""
    is_it = table.tag == tag
    node = int(is_it.argmax()) if table.n_nodes else 0
    return [node] if table.n_nodes and is_it[node] else []


def _has_text(table: NodeTable, node: int) -> bool:
    """Tell whether an element begins with a text."""
    return node + 1 < table.n_nodes and table.kind[node + 1] == TEXT_NODE and table.parent[node + 1] == node


def _value(html: npt.NDArray[np.uint8], table: NodeTable, node: int, name: npt.NDArray[np.uint8]) -> str:
    """Return the beginning of an attribute's value, "" where it has none."""
    begin, finish = find_attribute(html, table.begin[node], table.finish[node], name)
    return decode_text(html, begin, min(finish, begin + 2_000))


def _address_tokens(address: str) -> list[str]:
    """Return the tokens of a page's own address."""
    host, _, path = _SCHEME.sub("", address).partition("/")
    parts = [part for part in path.split("?")[0].split("/") if part]
    last = parts[-1] if parts else ""
    return [
        f"depth:{min(len(parts), 6)}",
        f"query:{int('?' in path)}",
        f"dashes:{min(last.count('-'), 9)}",
        f"digits:{int(any(letter.isdigit() for letter in last))}",
        *("host:" + word for word in _LETTERS.findall(host)),
        *("path:" + word for part in parts[:4] for word in _LETTERS.findall(part)[:3]),
    ]
