"""The cue lists of the 30 languages as tables for kernels.

They are data: ``data/cues/<language>.toml``, a string of entries for each category of `cue_categories`. An entry is
matched as written and with a capital first letter, its apostrophe also as ’. ``stem*`` matches every word that begins so. In
Chinese, Japanese and Thai an entry with a character of these scripts is matched wherever it stands; one without is a word.

Stems and entries without spaces share one way of looking: a walk along the characters with a running hash (`prefix_nodes`).
"""

from __future__ import annotations

import functools
import tomllib
from importlib.resources import files
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from headwater.errors import BadInputError
from headwater.filters.signals.cue_categories import CATEGORIES
from headwater.filters.signals.lexicon import STOP_WORDS, UNSPACED
from headwater.filters.signals.prefix_nodes import N_NODE_BYTES, mark_node
from headwater.filters.text.characters import HAN, character_classes
from headwater.filters.text.compile import inlined, kernel
from headwater.filters.text.word_hash import HASH_SEED, mix, step_hash

__all__ = [
    "ELIDES",
    "EVERYWHERE",
    "Cues",
    "cue_masks",
    "find_mask",
    "load_cues",
    "read_cues",
    "start_slot",
]

_FORMAT: Final = 1
_ELIDING: Final = ("fr", "it")

EVERYWHERE: Final = 1
"""Bit of a language's way: entries without spaces are matched at every character."""
ELIDES: Final = 2
"""Bit of a language's way: the word after an apostrophe is looked up as well, since articles and pronouns lose their vowel."""


class Cues(NamedTuple):
    """The cue lists; row 0 is for every language without lists, and empty.

    Attributes:
        words: uint64 (rows, slots, 2), finished hashes of whole words and a bit for each of their categories; open
            addressing by the low bits of the hash, 0 where empty.
        starts: uint64 (rows, slots, 2), the same of stems, and of entries without spaces, with their running hashes, by the
            top bits of the spread (`look_at_node`).
        nodes: uint8 (rows, N_NODE_BYTES), of `prefix_nodes`: the beginnings of `starts`.
        ways: uint8 (rows,), bits EVERYWHERE and ELIDES.
    """

    words: npt.NDArray[np.uint64]
    starts: npt.NDArray[np.uint64]
    nodes: npt.NDArray[np.uint8]
    ways: npt.NDArray[np.uint8]


def read_cues(language: str) -> dict[str, list[str]]:
    """Return category → entries of one of the 30 languages, as its file has them.

    Raises:
        BadInputError: the file has another format or other categories.
    """
    name = f"cues/{language}.toml"
    content = tomllib.loads((files("headwater.filters") / "data" / name).read_text("utf-8"))
    lists = content.get("cues", {})
    if content.get("format") != _FORMAT or list(lists) != list(CATEGORIES):
        raise BadInputError(
            f"{name}: expected format = {_FORMAT} and the {len(CATEGORIES)} categories in order; install the package anew",
            "bad_format",
        )
    return {category: words.split() for category, words in lists.items()}


def _forms(entry: str) -> set[str]:
    capital = {entry, entry[0].upper() + entry[1:]}
    return capital | {form.replace("'", "\N{RIGHT SINGLE QUOTATION MARK}") for form in capital}


@functools.cache
def cue_masks(language: str) -> tuple[dict[str, int], dict[str, int]]:
    """Return word → mask of categories, for whole words in all their forms, and for stems and entries without spaces."""
    classes = character_classes()
    words: dict[str, int] = {}
    starts: dict[str, int] = {}
    for bit, entries in enumerate(read_cues(language).values()):
        for entry in entries:
            everywhere = language in UNSPACED and any(classes[ord(character)] >= HAN for character in entry)
            found = starts if everywhere or entry.endswith("*") else words
            for form in _forms(entry.removesuffix("*")):
                found[form] = found.get(form, 0) | 1 << bit
    return words, starts


@functools.cache
def load_cues() -> Cues:
    """Return the tables, rows as in `lexicon`; other languages have row 0.

    Cost: a quarter of a second once a process.
    """
    masks = [cue_masks(language) for language in STOP_WORDS]
    word_slots, start_slots = (1 << (3 * max(len(pair[at]) for pair in masks) // 2).bit_length() for at in (0, 1))
    n = len(masks) + 1
    cues = Cues(
        words=np.zeros((n, word_slots, 2), np.uint64),
        starts=np.zeros((n, start_slots, 2), np.uint64),
        nodes=np.zeros((n, N_NODE_BYTES), np.uint8),
        ways=np.zeros(n, np.uint8),
    )
    for row, language in enumerate(STOP_WORDS, 1):
        cues.ways[row] = (EVERYWHERE if language in UNSPACED else 0) | (ELIDES if language in _ELIDING else 0)
        for stems, entries in enumerate(masks[row - 1]):
            sizes = np.array([len(word) for word in entries], np.int64)
            points = np.frombuffer("".join(entries).encode("utf-32-le"), np.uint32).astype(np.int64)
            table = cues.starts[row] if stems else cues.words[row]
            _enter(points, sizes, np.array(list(entries.values()), np.uint64), table, cues.nodes[row], bool(stems))
    return cues


@inlined
def find_mask(table: npt.NDArray[np.uint64], slot: np.uint64, key: np.uint64) -> np.uint64:
    """Return the categories of `key` in one language's `words` or `starts`, looked for from `slot` on; 0 where it is not."""
    last = np.uint64(len(table) - 1)
    while table[slot, 0] != 0:
        if table[slot, 0] == key:
            return table[slot, 1]
        slot = (slot + np.uint64(1)) & last
    return np.uint64(0)


@inlined
def start_slot(table: npt.NDArray[np.uint64], spread: np.uint64) -> np.uint64:
    """Return where a running hash of this spread belongs in `starts`: by the top bits, as many as its slots need."""
    return (spread >> np.uint64(32)) * np.uint64(len(table)) >> np.uint64(32)


@kernel
def _enter(
    points: npt.NDArray[np.int64],
    sizes: npt.NDArray[np.int64],
    masks: npt.NDArray[np.uint64],
    table: npt.NDArray[np.uint64],
    nodes: npt.NDArray[np.uint8],
    stems: bool,
) -> None:
    """Enter the words of `sizes` code points each, one after another in `points`, whole words or stems."""
    last = np.uint64(len(table) - 1)
    at = 0
    for word in range(len(sizes)):
        value = np.uint64(HASH_SEED)
        for place in range(sizes[word]):
            value = step_hash(value, points[at])
            at += 1
            if stems:
                mark_node(nodes, step_hash(value, 0), place + 1 == sizes[word])
        key = value if stems else mix(value)
        slot = start_slot(table, step_hash(value, 0)) if stems else key & last
        while table[slot, 0] != 0 and table[slot, 0] != key:
            slot = (slot + np.uint64(1)) & last
        table[slot, 0] = key
        table[slot, 1] |= masks[word]
