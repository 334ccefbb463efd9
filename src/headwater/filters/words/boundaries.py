"""Where words begin in scripts without spaces: a learned table for Chinese, Japanese and Thai, a rule for three others.

Whether a word begins between two characters is a sum of small weights, one for each n-gram of one to three characters
that touches the place or the characters next to it (the pointwise prediction of Neubig et al., ACL 2011, with all
n-grams' weights in hashed tables): a logistic regression trained by ``bench/train_boundaries.py`` on what the splitters
say that datatrove uses. The decision sees three characters to the left and three to the right and no language, so equal
passages are cut alike but for three characters at their ends, wherever they stand; Chinese and Japanese share one table.

Lao, Khmer and Burmese have no table: a word begins where a hash of two neighbouring characters says so, one place in
four, which is as blind to meaning as a fixed length but cuts equal passages alike. No word begins at a mark, and none
has more than 16 letters.

What it loses: it is no dictionary. docs/cards/words.md has precision and recall against its teachers.
"""

from __future__ import annotations

import functools
import lzma
from importlib.resources import files
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from headwater.filters.text.compile import kernel

__all__ = [
    "LANES",
    "MOST_LETTERS",
    "PAIR_BITS",
    "SINGLE_BITS",
    "TRIPLE_BITS",
    "Boundaries",
    "begins_unlearned",
    "load_boundaries",
    "pack_weights",
    "pair_slot",
    "single_slot",
    "triple_slot",
]

MOST_LETTERS: Final = 16
"""Letters after which a word of a script without spaces ends in any case."""

SINGLE_BITS: Final = 13
PAIR_BITS: Final = 15
TRIPLE_BITS: Final = 15
LANES: Final = 4
"""Places that an n-gram votes on: before the second to last character of the window, before the last but one, before the last, after it."""

_FIRST: Final = 0x9E3779B97F4A7C15
_SECOND: Final = 0xC2B2AE3D27D4EB4F
_THIRD: Final = 0x165667B19E3779F9


class Boundaries(NamedTuple):
    """The weights, four of 16 bits in each int64, the lane of the earliest place lowest.

    Attributes:
        singles: (2^SINGLE_BITS,), by the hash of a character.
        pairs: (2^PAIR_BITS,), of two neighbours.
        triples: (2^TRIPLE_BITS,), of three.
    """

    singles: npt.NDArray[np.int64]
    pairs: npt.NDArray[np.int64]
    triples: npt.NDArray[np.int64]


def pack_weights(weights: npt.NDArray[np.int8]) -> Boundaries:
    """Return the tables of the weights (slots of singles, pairs, triples one after the other × LANES).

    Packed lanes add up as one number: a borrow of a negative lane is undone when the lane below it is taken off.

    >>> weights = np.zeros((2**SINGLE_BITS + 2**PAIR_BITS + 2**TRIPLE_BITS, LANES), np.int8)
    >>> weights[0] = [-1, 2, 0, 0]
    >>> hex(pack_weights(weights).singles[0])
    '0x1ffff'
    """
    packed = np.zeros(len(weights), np.int64)
    for lane in range(LANES):
        packed += weights[:, lane].astype(np.int64) << (16 * lane)
    cuts = [1 << SINGLE_BITS, (1 << SINGLE_BITS) + (1 << PAIR_BITS)]
    singles, pairs, triples = (np.ascontiguousarray(part) for part in np.split(packed, cuts))
    for part in (singles, pairs, triples):
        part.setflags(write=False)
    return Boundaries(singles=singles, pairs=pairs, triples=triples)


@functools.cache
def load_boundaries() -> Boundaries:
    """Return the tables that the package ships; some 20 ms once a process, 0.6 MB."""
    raw = lzma.decompress((files("headwater.filters") / "data" / "word_boundaries.xz").read_bytes())
    return pack_weights(np.frombuffer(raw, np.int8).reshape(-1, LANES))


@kernel
def single_slot(x: int) -> np.uint64:
    """Return the slot of a character in `singles`."""
    return (np.uint64(x) * np.uint64(_FIRST)) >> np.uint64(64 - SINGLE_BITS)


@kernel
def pair_slot(x: int, y: int) -> np.uint64:
    """Return the slot of two neighbours in `pairs`; 0 stands for what is outside of the run."""
    return (np.uint64(x) * np.uint64(_FIRST) + np.uint64(y) * np.uint64(_SECOND)) >> np.uint64(64 - PAIR_BITS)


@kernel
def triple_slot(x: int, y: int, z: int) -> np.uint64:
    """Return the slot of three neighbours in `triples`."""
    value = np.uint64(x) * np.uint64(_FIRST) + np.uint64(y) * np.uint64(_SECOND) + np.uint64(z) * np.uint64(_THIRD)
    return value >> np.uint64(64 - TRIPLE_BITS)


@kernel
def begins_unlearned(before: int, point: int) -> bool:
    """Return whether a word of Lao, Khmer or Burmese begins between two characters, the second no mark.

    Never after a sign that stacks the next consonant or a Lao vowel that is written before it, nor before a Lao vowel
    that is written after its consonant; elsewhere one place in four.

    >>> bool(begins_unlearned(0x17D2, 0x1798))  # Khmer: a consonant below another
    False
    """
    if before in (0x17D2, 0x1039) or 0x0EC0 <= before <= 0x0EC4 or 0x0EB0 <= point <= 0x0EB3:
        return False
    return (np.uint64(before) * np.uint64(_FIRST) + np.uint64(point) * np.uint64(_SECOND)) >> np.uint64(62) == 0
