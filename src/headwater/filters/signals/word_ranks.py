"""The most frequent words of each language, as tables for kernels: which words are common, which are rare.

The file ``data/word_ranks.npz`` holds hashes, no words: for each language the upper 31 bits of the hashes of its 10,000 most
frequent words in lower case, as `words` cuts them, the 1000 most frequent first (``bench/word_ranks.py``). A word that is
not among them passes for one of them once in 200,000 times.
"""

from __future__ import annotations

import functools
import io
import zipfile
from importlib.resources import files
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from headwater.errors import BadInputError
from headwater.filters.signals.cues import cue_masks
from headwater.filters.signals.lexicon import CONNECTIVES, STEP_WORDS, STOP_WORDS
from headwater.filters.text.characters import UPPER, character_classes
from headwater.filters.text.compile import inlined, kernel
from headwater.filters.text.word_hash import HASH_SEED, mix, step_hash

__all__ = [
    "COMMON",
    "CUE",
    "FREQUENT",
    "LISTED",
    "N_COMMON",
    "N_FREQUENT",
    "Ranks",
    "find_rank",
    "fold",
    "load_ranks",
    "read_ranks",
]

N_COMMON: Final = 1000
N_FREQUENT: Final = 10_000
COMMON: Final = 1
FREQUENT: Final = 2
CUE: Final = 4
"""Bit of a word that is a whole word of the cue lists in one of its forms."""
LISTED: Final = 8
"""Bit of a word that `lexicon` has in one of its forms."""

_SLOTS: Final = 1 << 14
_KEY: Final = np.uint32(0xFFFFFFF0)
_FILE: Final = "word_ranks.npz"
_SKIPPED: Final = (
    *range(0x0591, 0x05C8),  # Hebrew points
    0x0640,  # Arabic lengthening
    *range(0x064B, 0x0660),  # Arabic vowels
    0x0670,
    0x00AD,
)
"""Marks that the lists leave out; in Hebrew without what parts words (U+05BE, 05C0, 05C3, 05C6: symbols, never inside a word)."""


class Ranks(NamedTuple):
    """The lists; row 0 is for every language without one, and empty.

    Attributes:
        keys: uint32 (rows, 16384), the upper 28 bits of a word's hash over the bits COMMON, FREQUENT, CUE and LISTED; open
            addressing by the low bits of the hash's upper 31; 0 where empty.
        lowers: uint16 (2, 65536), what stands for a code point in the lists: its lower case, ' for ’, 0 for what is left
            out; row 1 as in Turkish, I to ı.
    """

    keys: npt.NDArray[np.uint32]
    lowers: npt.NDArray[np.uint16]


def read_ranks() -> dict[str, npt.NDArray[np.uint32]]:
    """Return language → upper halves of hashes as the file has them, the 1000 most frequent words first, each part sorted.

    Raises:
        BadInputError: the file is damaged.
    """
    try:
        packed = (files("headwater.filters") / "data" / _FILE).read_bytes()
        with np.load(io.BytesIO(packed), allow_pickle=False) as content:
            return {language: np.cumsum(content[language], dtype=np.uint32) for language in content.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise BadInputError(f"{_FILE}: expected arrays of hashes; install the package anew", "bad_format") from error


@functools.cache
def _lowers() -> npt.NDArray[np.uint16]:
    lowers = np.arange(0x10000, dtype=np.uint16)
    for point in np.flatnonzero(character_classes()[:0x10000] == UPPER).tolist():
        lowers[point] = ord(chr(point).lower()[0])
    lowers[0x2019] = ord("'")
    lowers[list(_SKIPPED)] = 0
    turkish = lowers.copy()
    turkish[ord("I")] = 0x0131
    return np.stack([lowers, turkish])


def fold(word: str, language: str) -> str:
    """Return a word as the lists have it, and as the kernel looks it up.

    >>> fold("D’Ivoire", "fr"), fold("DIYARBAKIR", "tr")
    ("d'ivoire", 'dıyarbakır')
    """
    return word.translate(_folding(language == "tr"))


@functools.cache
def _folding(turkish: bool) -> dict[int, int | None]:
    """Return what each character that folding changes becomes; None: nothing."""
    lowers = _lowers()[int(turkish)]
    changed = np.flatnonzero(lowers != np.arange(len(lowers)))
    return {point: int(lowers[point]) or None for point in changed.tolist()}


@functools.cache
def load_ranks() -> Ranks:
    """Return the tables, rows as in `lexicon`; 0.1 s once a process."""
    frequent = read_ranks()
    keys = np.zeros((len(STOP_WORDS) + 1, _SLOTS), np.uint32)
    for row, language in enumerate(STOP_WORDS, 1):
        halves = frequent[language]
        _enter(halves[:N_COMMON], np.uint32(COMMON | FREQUENT), keys[row])
        _enter(halves[N_COMMON:], np.uint32(FREQUENT), keys[row])
        listed = " ".join(lists[language] for lists in (STOP_WORDS, CONNECTIVES, STEP_WORDS)).split()
        for words, bit in ((cue_masks(language)[0], CUE), (listed, LISTED)):
            folded = [fold(word, language) for word in words]
            sizes = np.array([len(word) for word in folded], np.int64)
            points = np.frombuffer("".join(folded).encode("utf-32-le"), np.uint32).astype(np.int64)
            halves = np.empty(len(sizes), np.uint32)
            _write_halves(points, sizes, halves)
            _enter(halves, np.uint32(bit), keys[row])
    return Ranks(keys=keys, lowers=_lowers())


@inlined
def rank_slot(value: np.uint64) -> np.uint64:
    """Return where one language's `keys` begin to be searched for a word with this finished hash."""
    return (value >> np.uint64(33)) & np.uint64(_SLOTS - 1)


@inlined
def find_rank(keys: npt.NDArray[np.uint32], value: np.uint64, cell: np.uint32) -> int:
    """Return the bits COMMON, FREQUENT, CUE and LISTED of a word in lower case; `cell` is what stands in its first slot."""
    key = np.uint32(value >> np.uint64(32)) & _KEY
    slot = rank_slot(value)
    while cell != 0:
        if cell & _KEY == key:
            return int(np.int64(cell & ~_KEY))
        slot = (slot + np.uint64(1)) & np.uint64(_SLOTS - 1)
        cell = keys[slot]
    return 0


@kernel
def _write_halves(points: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64], halves: npt.NDArray[np.uint32]) -> None:
    """Write the upper halves of the hashes of words of `sizes` code points each, one after another in `points`."""
    at = 0
    for word in range(len(sizes)):
        value = np.uint64(HASH_SEED)
        for _ in range(sizes[word]):
            value = step_hash(value, points[at])
            at += 1
        halves[word] = np.uint32(mix(value) >> np.uint64(32))


@kernel
def _enter(halves: npt.NDArray[np.uint32], bits: np.uint32, keys: npt.NDArray[np.uint32]) -> None:
    """Enter the upper halves of hashes with these bits."""
    last = np.uint64(_SLOTS - 1)
    for half in halves:
        key = half & _KEY
        slot = np.uint64(half >> np.uint32(1)) & last
        while keys[slot] != 0 and keys[slot] & _KEY != key:
            slot = (slot + np.uint64(1)) & last
        keys[slot] |= key | bits
