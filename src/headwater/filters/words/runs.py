"""Cutting a run of a script without spaces into words."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.filters.text.characters import HAN, KATAKANA, MARK, THAI, UNSEGMENTED, decode_point
from headwater.filters.text.compile import kernel
from headwater.filters.text.word_hash import HASH_SEED, mix, step_hash
from headwater.filters.words.boundaries import (
    MOST_LETTERS,
    Boundaries,
    begins_unlearned,
    pair_slot,
    single_slot,
    triple_slot,
)

__all__ = ["ALPHA", "CAPITALS", "MIXED", "SPACED", "WORD", "cut_run", "cut_unlearned"]

WORD: Final = 1
"""Bit of a token's kind: it is a word, not a run of symbols."""
ALPHA: Final = 2
"""Bit of a token's kind: it has a letter."""
SPACED: Final = 4
"""Bit of a token's kind: white space or the begin of the text is before it."""
CAPITALS: Final = 8
"""Bit of a token's kind: it has letters, all of upper case."""
MIXED: Final = 16
"""Bit of a token's kind: a word of a script with spaces that has more than letters without upper case, and digits."""


@kernel
def cut_run(
    data: npt.NDArray[np.uint8],
    at: int,
    end: int,
    classes: npt.NDArray[np.uint8],
    boundaries: Boundaries,
    counts: npt.NDArray[np.int64],
    hashes: npt.NDArray[np.uint64],
    sizes: npt.NDArray[np.int32],
    points: npt.NDArray[np.int32],
    begins: npt.NDArray[np.int64],
    kinds: npt.NDArray[np.uint8],
    token: int,
    bits: int,
) -> tuple[int, int, int]:
    """Write the words of the run of Han and kana, or of Thai, that begins at `at`; return the next token, the end, chars.

    The window is x y z. A step adds what the n-grams that end in z say about four places and takes off the lowest lane,
    the verdict on the place before x. After the run one step with z = 0 adds what its end says, one more empties the window.
    """
    singles, pairs, triples = boundaries.singles, boundaries.pairs, boundaries.triples
    thai = classes[decode_point(data, at, end)[0]] == THAI
    lowest, highest = (THAI, THAI) if thai else (HAN, KATAKANA)
    value = np.uint64(HASH_SEED)
    scores = np.int64(0)
    chars, size, letters = 0, 0, MOST_LETTERS
    x, y = 0, 0
    x_kind, y_kind, z_kind = 0, 0, 0
    x_at, y_at = at, at
    while True:
        z, width = 0, 0
        if at < end:
            z, width = decode_point(data, at, end)
            z_kind = int(np.int64(classes[np.uint64(z)]))
            if z_kind == MARK or lowest <= z_kind <= highest:
                scores += singles[single_slot(z)] + pairs[pair_slot(y, z)] + triples[triple_slot(x, y, z)]
                counts[np.uint64(z_kind)] += 1
                chars += 1
            else:
                z, width, end = 0, 0, at
        if z == 0:
            if y:
                scores += pairs[pair_slot(y, 0)] + triples[triple_slot(x, y, 0)]
            elif x == 0:
                break
        verdict = (scores << np.int64(48)) >> np.int64(48)
        scores = (scores - verdict) >> np.int64(16)
        if x:
            if x_kind != MARK:
                if verdict > 0 or letters == MOST_LETTERS:
                    if size:
                        index = np.uint64(token)
                        hashes[index] = mix(value)
                        sizes[index] = size
                        token += 1
                    index = np.uint64(token)
                    points[index] = x
                    begins[index] = x_at
                    kinds[index] = bits
                    bits = WORD | ALPHA
                    value = np.uint64(HASH_SEED)
                    size, letters = 0, 0
                letters += 1
            value = step_hash(value, x)
            size += 1
        x, x_kind, x_at = y, y_kind, y_at
        y, y_kind, y_at = z, z_kind, at
        at += width
    hashes[token] = mix(value)
    sizes[token] = size
    return token + 1, at, chars


@kernel
def cut_unlearned(
    data: npt.NDArray[np.uint8], at: int, end: int, classes: npt.NDArray[np.uint8], counts: npt.NDArray[np.int64]
) -> tuple[np.uint64, int, int]:
    """Return hash, chars and end of the unit of Lao, Khmer or Burmese that begins at `at`."""
    value = np.uint64(HASH_SEED)
    letters, size, before = 0, 0, 0
    while at < end:
        point, width = decode_point(data, at, end)
        kind = int(np.int64(classes[np.uint64(point)]))
        if kind == UNSEGMENTED:
            if size and (letters == MOST_LETTERS or begins_unlearned(before, point)):
                break
            letters += 1
        elif kind != MARK:
            break
        value = step_hash(value, point)
        before = point
        size += 1
        at += width
    counts[UNSEGMENTED] += letters
    counts[MARK] += size - letters
    return value, size, at
