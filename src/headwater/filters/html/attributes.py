"""Attributes of an element in normal HTML, and the text of a stretch of it: `find_attribute`, `decode_text`.

Normal HTML is what `parse.normal_html` writes: attributes stand as ` name="value"`, and of character references only
`&amp;`, `&lt;`, `&gt;`, `&quot;` and `&nbsp;` are left. Ranges are pairs of places in the bytes of the page.

>>> html = np.frombuffer(b'<a href="/x?a=1&amp;b" class="big  red">', np.uint8)
>>> place = find_attribute(html, 2, len(html) - 1, name_bytes("href"))
>>> decode_text(html, *place), has_word(html, 2, len(html) - 1, name_bytes("class"), name_bytes("red"))
('/x?a=1&b', True)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from headwater.filters.text.compile import kernel

if TYPE_CHECKING:
    from collections.abc import Sequence

# fmt: off
__all__ = [
    "decode_text", "equals", "find_attribute", "has_word", "holds", "listed_word", "name_bytes", "next_attribute", "starts_with",
    "word_list", "word_steps",
]
# fmt: on


def name_bytes(name: str) -> npt.NDArray[np.uint8]:
    """Return the UTF-8 of `name` as an array, as the kernels of this module take names."""
    return np.frombuffer(name.encode(), np.uint8)


def word_steps(word: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Return by how much `holds` goes on where a byte stands in the last place of a word, (256,)."""
    steps = np.full(256, len(word), np.int64)
    for place in range(len(word) - 1):
        steps[word[place]] = len(word) - 1 - place
    return steps


@kernel
def holds(
    html: npt.NDArray[np.uint8], begin: int, finish: int, word: npt.NDArray[np.uint8], steps: npt.NDArray[np.int64]
) -> bool:
    """Tell whether `html[begin:finish]` holds `word`, byte for byte; `steps` are the word's (Horspool 1980).

    >>> word = name_bytes("word")
    >>> holds(name_bytes("a sword"), 0, 7, word, word_steps(word)), holds(word, 0, 3, word, word_steps(word))
    (True, False)
    """
    last = len(word) - 1
    at = begin + last
    while at < finish:
        byte = html[at]
        if byte == word[last]:
            place = 0
            while place < last and html[at - last + place] == word[place]:
                place += 1
            if place == last:
                return True
        at += steps[byte]
    return False


@kernel
def next_attribute(html: npt.NDArray[np.uint8], at: int, finish: int) -> tuple[int, int, int, int]:
    """Return begin and end of the next attribute's name and of its value, of an element's attributes `html[at:finish]`.

    The name begins at -1 where there is none. The next call begins one past the value's end (its closing quote).
    """
    while at < finish and (html[at] == 0x20 or html[at] == 0x2F or 0x09 <= html[at] <= 0x0D):
        at += 1
    if at >= finish:
        return -1, -1, -1, -1
    begin = at
    at += 1  # the standard lets a name begin with any character, "=" among them
    while at < finish and html[at] != 0x3D and html[at] != 0x20 and html[at] != 0x2F:
        at += 1
    name_end = at
    if at + 1 < finish and html[at] == 0x3D and html[at + 1] == 0x22:
        at += 2
        value = at
        while at < finish and html[at] != 0x22:
            at += 1
        return begin, name_end, value, at
    return begin, name_end, name_end, name_end


@kernel
def equals(html: npt.NDArray[np.uint8], begin: int, finish: int, name: npt.NDArray[np.uint8]) -> bool:
    """Tell whether `html[begin:finish]` is `name`, without regard to the case of ASCII letters in `html`."""
    if finish - begin != len(name):
        return False
    return starts_with(html, begin, finish, name)


@kernel
def starts_with(html: npt.NDArray[np.uint8], begin: int, finish: int, name: npt.NDArray[np.uint8]) -> bool:
    """Tell whether `html[begin:finish]` begins with `name` (lower case), without regard to the case of letters in `html`."""
    if finish - begin < len(name):
        return False
    for place in range(len(name)):
        byte = html[begin + place]
        if 0x41 <= byte <= 0x5A:
            byte |= 0x20
        if byte != name[place]:
            return False
    return True


@kernel
def find_attribute(
    html: npt.NDArray[np.uint8], begin: int, finish: int, name: npt.NDArray[np.uint8]
) -> tuple[int, int]:
    """Return begin and end of the value of the attribute `name` of an element, both -1 where it has none.

    `html[begin:finish]` are the element's attributes (`NodeTable.begin`, `.finish`); an empty value has begin == end.
    """
    at = begin
    while True:
        name_begin, name_end, value_begin, value_end = next_attribute(html, at, finish)
        if name_begin < 0:
            return -1, -1
        if equals(html, name_begin, name_end, name):
            return value_begin, value_end
        at = value_end + 1 if value_begin > name_end else name_end


@kernel
def has_word(
    html: npt.NDArray[np.uint8], begin: int, finish: int, name: npt.NDArray[np.uint8], word: npt.NDArray[np.uint8]
) -> bool:
    """Tell whether the attribute `name` has `word` (lower case) among its words, as `class` has."""
    at, end = find_attribute(html, begin, finish, name)
    while at < end:
        stop = at
        while stop < end and html[stop] > 0x20:
            stop += 1
        if equals(html, at, stop, word):
            return True
        at = stop + 1
    return False


def word_list(words: Sequence[str]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Return the bytes of words in a row, and where each one's end: as `listed_word` takes them."""
    return name_bytes("".join(words)), np.cumsum([len(word.encode()) for word in words], dtype=np.int64)


@kernel
def listed_word(
    html: npt.NDArray[np.uint8], begin: int, finish: int, letters: npt.NDArray[np.uint8], ends: npt.NDArray[np.int64]
) -> int:
    """Return which word of a list (lower case, ASCII) `html[begin:finish]` is, without regard to case; -1 for none."""
    first = 0
    for word in range(len(ends)):
        if ends[word] - first == finish - begin:
            same = True
            for place in range(finish - begin):
                letter = html[begin + place]
                if 0x41 <= letter <= 0x5A:
                    letter |= 0x20
                if letter != letters[first + place]:
                    same = False
                    break
            if same:
                return word
        first = ends[word]
    return -1


def decode_text(html: npt.NDArray[np.uint8], begin: int, finish: int, *, raw: bool = False) -> str:
    """Return the text that `html[begin:finish]` stands for; "" for a range of -1.

    Args:
        html: the page's normal HTML, UTF-8, (bytes,).
        begin: the first byte.
        finish: one past the last.
        raw: whether it is the text of a script or the like, where "&" stands for itself.
    """
    if begin < 0:
        return ""
    text = html[begin:finish].tobytes().decode("utf-8", "replace")
    if raw or "&" not in text:
        return text
    for reference, character in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&nbsp;", "\u00a0"), ("&amp;", "&")):
        text = text.replace(reference, character)
    return text
