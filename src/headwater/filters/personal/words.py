"""The words before a number that say what it is, found by one automaton (Aho and Corasick, 1975) over the bytes before it.

What it loses: words further away than ``WINDOW_BYTES`` and those after the number are not read.
"""

from __future__ import annotations

import functools
import tomllib
import unicodedata
from collections import deque
from importlib import resources
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from headwater.filters.text.compile import kernel

__all__ = ["NEAR_BYTES", "WINDOW_BYTES", "Automaton", "read_topics", "topic_bits", "word_automaton"]

WINDOW_BYTES: Final = 72
NEAR_BYTES: Final = 28
_BOUNDARY: Final = 1
_SHORT: Final = 4
_GENERAL: Final = frozenset({"id", "ip", "version"})
_NO_SPACES: Final = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "THAI", "IDEOGRAPHIC")


class Automaton(NamedTuple):
    """What ``read_topics`` walks.

    Attributes:
        classes: uint8 [256], byte → class; 1 is where a word ends.
        goto: int16 [states, classes].
        topics: uint64 [states], a bit for each topic that a word ending there belongs to.
        telling: uint64 [1], the bits of topics that are not general.
    """

    classes: npt.NDArray[np.uint8]
    goto: npt.NDArray[np.int16]
    topics: npt.NDArray[np.uint64]
    telling: npt.NDArray[np.uint64]


@functools.cache
def _words() -> dict[str, list[str]]:
    text = resources.files("headwater.filters").joinpath("data/personal/words.toml").read_text("utf-8")
    return tomllib.loads(text)


@functools.cache
def topic_bits() -> dict[str, int]:
    """Return topic → its bit in what ``read_topics`` gives."""
    return {topic: 1 << number for number, topic in enumerate(_words())}


def _forms(word: str) -> set[bytes]:
    """Return the byte strings of a word: with marks composed and apart, in three cases, with a boundary where it needs one."""
    name = unicodedata.name(word[0], "")
    spaced = not name.startswith(_NO_SPACES)
    latin = name.startswith("LATIN")
    before = " " if spaced and (latin or len(word) < _SHORT) else ""
    after = " " if spaced and len(word) <= (_SHORT if latin else _SHORT - 1) else ""
    forms = {form for case in (word, word.title(), word.upper()) for form in (case, unicodedata.normalize("NFD", case))}
    return {_fold(f"{before}{form}{after}".encode()) for form in forms}


def _fold(data: bytes) -> bytes:
    lowered = bytes(byte + 32 if 65 <= byte <= 90 else byte for byte in data)
    return bytes(32 if byte < 128 and not 97 <= byte <= 122 else byte for byte in lowered)


@functools.cache
def word_automaton() -> Automaton:
    """Return the automaton of all words of all topics, made at its first use (some 50 ms)."""
    bits = topic_bits()
    words: dict[bytes, int] = {}
    for topic, listed in _words().items():
        for word in listed:
            for form in _forms(word):
                words[form] = words.get(form, 0) | bits[topic]
    used = sorted({byte for form in words for byte in form if byte != 32})
    classes = np.zeros(256, np.uint8)
    for byte in range(128):
        classes[byte] = 0 if 97 <= byte <= 122 or 65 <= byte <= 90 else _BOUNDARY
    for number, byte in enumerate(used):
        classes[byte] = number + 2
        if 97 <= byte <= 122:
            classes[byte - 32] = number + 2
    children: list[dict[int, int]] = [{}]
    after_boundary = set()
    topics = [0]
    for form, mask in words.items():
        state = 0
        for byte in form:
            key = int(classes[byte])
            if key not in children[state]:
                children[state][key] = len(children)
                children.append({})
                topics.append(0)
            state = children[state][key]
            if key == _BOUNDARY:
                after_boundary.add(state)
        topics[state] |= mask
    goto = np.zeros((len(children), len(used) + 2), np.int16)
    fail = [0] * len(children)
    queue = deque([0])
    while queue:
        state = queue.popleft()
        goto[state] = goto[fail[state]] if state else 0
        topics[state] |= topics[fail[state]]
        for key, child in children[state].items():
            fail[child] = int(goto[fail[state], key]) if state else 0
            queue.append(child)
        for key, child in children[state].items():
            goto[state, key] = child
        if state in after_boundary:  # several in a row are one
            goto[state, _BOUNDARY] = state
    telling = sum(bit for topic, bit in bits.items() if topic not in _GENERAL)
    return Automaton(classes, goto, np.array(topics, np.uint64), np.array([telling], np.uint64))


@kernel
def read_topics(
    data: npt.NDArray[np.uint8], begin: int, at: int, window: int, words: Automaton
) -> tuple[np.uint64, np.uint64]:
    """Return the topics of the words in the ``window`` bytes before ``at``, not before ``begin``, a bit each; then those of the last word alone.

    Words of general topics (``id``, ``ip``, ``version``) are never the last: they stand between a word and its number.
    """
    low = max(begin, at - window)
    while low < at and data[low] & 0xC0 == 0x80:
        low += 1
    state = 0
    if low == begin or words.classes[data[low - 1]] == _BOUNDARY:
        state = words.goto[0, _BOUNDARY]
    found, last = np.uint64(0), np.uint64(0)
    for place in range(low, at + 1):
        state = words.goto[state, words.classes[data[place]] if place < at else _BOUNDARY]
        here = words.topics[state]
        if here:
            found |= here
            if here & words.telling[0]:
                last = here & words.telling[0]
    return found, last
