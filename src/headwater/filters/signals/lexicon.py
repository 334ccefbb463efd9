"""Word lists of the 30 languages: stop words, reasoning connectives and words that open a step.

They are data: ``data/word_lists.toml``, with notes on where they come from. A word is matched as written and with a
capital first letter. In Chinese, Japanese and Thai an entry is matched wherever its characters stand, whatever the cut
into words.
"""

from __future__ import annotations

import functools
import tomllib
from importlib.resources import files
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from headwater.errors import BadInputError
from headwater.filters.signals.prefix_nodes import N_NODE_BYTES, mark_node
from headwater.filters.text.compile import kernel
from headwater.filters.words.cut import HASH_SEED, hash_word, step_hash

__all__ = ["CONNECTIVE", "CONNECTIVES", "STEP", "STEP_WORDS", "STOP", "STOP_WORDS", "Lexicon", "load_lexicon"]

STOP: Final = 1
CONNECTIVE: Final = 2
STEP: Final = 4

UNSPACED: Final = ("zh", "ja", "th")
_FORMAT: Final = 1


def _read_lists() -> dict[str, dict[str, str]]:
    lists = tomllib.loads((files("headwater.filters") / "data" / "word_lists.toml").read_text("utf-8"))
    if lists.pop("format") != _FORMAT:
        raise BadInputError(f"word_lists.toml: expected format = {_FORMAT}; install the package anew", "bad_format")
    return lists


_LISTS: Final = _read_lists()
STOP_WORDS: Final = _LISTS["stop_words"]
"""Language → its stop words, separated by spaces; so are the other two."""
CONNECTIVES: Final = _LISTS["connectives"]
STEP_WORDS: Final = _LISTS["step_words"]

_SLOTS: Final = 512
_MASK: Final = _SLOTS - 1


class Lexicon(NamedTuple):
    """The word lists as tables for kernels; row 0 is for every language without lists, and empty.

    Attributes:
        keys: uint64 (rows, 512), open addressing by the low bits of a word's hash; 0 where empty.
        kinds: uint8 (rows, 512), bits STOP, CONNECTIVE, STEP.
        entries: uint8 (rows, 512), the number of the stop word in its list, the same for its capitalised form.
        unspaced: uint8 (rows,), 1 where words are matched at every character.
        nodes: uint8 (rows, N_NODE_BYTES), of `prefix_nodes`: the beginnings of unspaced words.
    """

    keys: npt.NDArray[np.uint64]
    kinds: npt.NDArray[np.uint8]
    entries: npt.NDArray[np.uint8]
    unspaced: npt.NDArray[np.uint8]
    nodes: npt.NDArray[np.uint8]


@functools.cache
def load_lexicon() -> tuple[Lexicon, dict[str, int]]:
    """Return the tables and the row of each language; other languages have row 0."""
    rows = {language: row for row, language in enumerate(STOP_WORDS, 1)}
    n = len(rows) + 1
    lexicon = Lexicon(
        keys=np.zeros((n, _SLOTS), np.uint64),
        kinds=np.zeros((n, _SLOTS), np.uint8),
        entries=np.zeros((n, _SLOTS), np.uint8),
        unspaced=np.zeros(n, np.uint8),
        nodes=np.zeros((n, N_NODE_BYTES), np.uint8),
    )
    for language, row in rows.items():
        lexicon.unspaced[row] = language in UNSPACED
        for kind, lists in ((STOP, STOP_WORDS), (CONNECTIVE, CONNECTIVES), (STEP, STEP_WORDS)):
            for number, word in enumerate(lists[language].split()):
                for form in {word, word[0].upper() + word[1:]}:
                    _enter(lexicon, row, form, kind, number)
                if lexicon.unspaced[row]:
                    _mark(np.array([ord(character) for character in word], np.int64), lexicon.nodes[row])
    return lexicon, rows


@kernel
def _mark(points: npt.NDArray[np.int64], nodes: npt.NDArray[np.uint8]) -> None:
    """Mark the beginnings of a word."""
    value = np.uint64(HASH_SEED)
    for place in range(len(points)):
        value = step_hash(value, points[place])
        mark_node(nodes, step_hash(value, 0), place + 1 == len(points))


def _enter(lexicon: Lexicon, row: int, word: str, kind: int, number: int) -> None:
    value = hash_word(word)
    slot = value & _MASK
    while int(lexicon.keys[row, slot]) not in (0, value):
        slot = (slot + 1) & _MASK
    lexicon.keys[row, slot] = value
    lexicon.kinds[row, slot] |= kind
    if kind == STOP:
        lexicon.entries[row, slot] = number
