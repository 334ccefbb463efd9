"""Words of a block list in texts: `count_words`, two tables of hashes walked token by token, and character by character where words have no spaces.

An entry is a row of tokens, as `filters.words` cuts it. Its beginnings are keys of a table: the key of a beginning is made of that of
the one before and of the next token's hash, so a text costs a look-up a token, and another only where an entry began. An entry of
Han, kana or Thai alone is a row of characters and looked for at every character.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headwater.buffers import text_buffers
from headwater.filters.text.characters import HAN, MARK, THAI, character_classes, decode_point
from headwater.filters.text.compile import kernel
from headwater.filters.words.cut import Pieces, cut_text, cut_tokens, make_pieces, mix

__all__ = ["WordList", "count_words", "make_word_list"]

_SEED: Final = 0x51_7C_C1_B7_27_22_0A_95
_CHARACTERS: Final = 0x2545_F491_4F6C_DD1D
"""Seed of rows of characters: another than that of rows of tokens, so that both share a table."""
_BEGINS: Final = 1
_ENDS: Final = 2
_MOST_STEPS: Final = 64
"""Longest entry, tokens or characters; a longer one is never found whole and is cut."""


class WordList(NamedTuple):
    """The entries as a table for kernels.

    Attributes:
        keys: uint64 (2**k,), open addressing by the low bits of a key; 0 where empty.
        flags: uint8 (2**k,), bits _BEGINS and _ENDS: an entry goes on here, ends here.
    """

    keys: npt.NDArray[np.uint64]
    flags: npt.NDArray[np.uint8]


def make_word_list(entries: Sequence[str]) -> WordList:
    """Return the table of entries; they are compared in small letters."""
    rows: dict[int, int] = {}
    classes = character_classes()
    for entry in pc.utf8_lower(pa.array(entries, pa.string())).to_pylist():
        kinds = [int(classes[ord(character)]) for character in entry]
        if all(HAN <= kind <= THAI or kind == MARK for kind in kinds) and any(HAN <= kind <= THAI for kind in kinds):
            seed, steps = _CHARACTERS, [ord(character) for character in entry]
        else:
            seed, steps = _SEED, [value for _, value in cut_text(entry)]
        key = np.uint64(seed)
        for place, step in enumerate(steps[:_MOST_STEPS], 1):
            key = np.uint64(_next(key, np.uint64(step)))
            rows[int(key)] = rows.get(int(key), 0) | (_ENDS if place == min(len(steps), _MOST_STEPS) else _BEGINS)
    size = 1 << max(4, (2 * len(rows)).bit_length())
    table = WordList(keys=np.zeros(size, np.uint64), flags=np.zeros(size, np.uint8))
    _enter(table.keys, table.flags, np.array(list(rows), np.uint64), np.array(list(rows.values()), np.uint8))
    return table


@kernel
def _next(key: np.uint64, step: np.uint64) -> np.uint64:
    """Return the key of a beginning that is one step longer; never 0."""
    return mix(key * np.uint64(0x9E3779B97F4A7C15) + step) | np.uint64(1)


@kernel
def _enter(
    keys: npt.NDArray[np.uint64],
    flags: npt.NDArray[np.uint8],
    new: npt.NDArray[np.uint64],
    their: npt.NDArray[np.uint8],
) -> None:
    mask = np.uint64(len(keys) - 1)
    for i in range(len(new)):
        slot = (new[i] >> np.uint64(1)) & mask
        while keys[slot] != 0:
            slot = (slot + np.uint64(1)) & mask
        keys[slot] = new[i]
        flags[slot] = their[i]


@kernel
def _look(keys: npt.NDArray[np.uint64], flags: npt.NDArray[np.uint8], key: np.uint64) -> int:
    """Return the flags of a key, 0 where it is not there."""
    mask = np.uint64(len(keys) - 1)
    slot = (key >> np.uint64(1)) & mask
    while keys[slot] != 0:
        if keys[slot] == key:
            return int(np.int64(flags[slot]))
        slot = (slot + np.uint64(1)) & mask
    return 0


@kernel
def _count(
    data: npt.NDArray[np.uint8],
    offsets: npt.NDArray[np.int64],
    classes: npt.NDArray[np.uint8],
    pieces: Pieces,
    keys: npt.NDArray[np.uint64],
    flags: npt.NDArray[np.uint8],
    counts: npt.NDArray[np.int32],
) -> None:
    """Fill `counts` with the entries in each text; of two that begin at one place the longer counts, and the next begins behind it."""
    hashes = pieces.hashes
    for row in range(len(counts)):
        begin, end = offsets[row], offsets[row + 1]
        cut_tokens(data, begin, end, classes, pieces)
        n, found = pieces.totals[0], 0
        i = 0
        while i < n:
            key, j, after = np.uint64(_SEED), i, i
            while j < n and j - i < _MOST_STEPS:
                key = _next(key, hashes[j])
                seen = _look(keys, flags, key)
                j += 1
                if seen & _ENDS:
                    after = j
                if not seen & _BEGINS:
                    break
            found += after > i
            i = max(after, i + 1)
        at = begin
        while at < end:
            if data[at] < 0x80:
                at += 1
                continue
            point, width = decode_point(data, at, end)
            if not HAN <= classes[point] <= THAI:
                at += width
                continue
            key, next_at, after, steps = np.uint64(_CHARACTERS), at, at, 0
            while next_at < end and steps < _MOST_STEPS:
                step, step_width = decode_point(data, next_at, end)
                key = _next(key, np.uint64(step))
                seen = _look(keys, flags, key)
                next_at += step_width
                steps += 1
                if seen & _ENDS:
                    after = next_at
                if not seen & _BEGINS:
                    break
            found += after > at
            at = after if after > at else at + width
        counts[row] = min(found, 2**31 - 1)


def count_words(texts: pa.Array | pa.ChunkedArray, words: WordList) -> npt.NDArray[np.int32]:
    """Return how many entries stand in each text, int32 [n].

    Args:
        texts: string [n] in small letters.

    >>> words = make_word_list(["bad word", "worse", "坏话"])
    >>> count_words(pa.array(["a bad word, worse words, bad", "这是坏话吗坏话", ""]), words).tolist()
    [2, 2, 0]
    """
    data, offsets = text_buffers(texts)
    counts = np.zeros(len(offsets) - 1, np.int32)
    pieces = make_pieces(int(np.diff(offsets).max(initial=0)))
    _count(data, offsets, character_classes(), pieces, words.keys, words.flags, counts)
    return counts
