"""Hashes of word n-grams: cutting them out of items, and the table that they are looked up in.

A text's words have a running hash each (`fold.Words`), a polynomial modulo 2^64, so that the hash of any window of words is one
multiplication and a mixing away. Two different windows have the same 64-bit hash with a chance of 2^-64; nothing is done about that.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from headwater.filters.contamination.fold import HASH_BASE, SIGNS_SEPARATE, WORD_WEIGHT, FoldTables, Words, cut_words
from headwater.filters.text.compile import kernel

__all__ = [
    "ANCHOR_WORDS",
    "ShortAnswers",
    "Table",
    "cut_grams",
    "cut_hashes",
    "find_slot",
    "make_table",
    "may_have",
    "powers",
    "window_hash",
]

ANCHOR_WORDS: Final = 3
"""A question too short for an n-gram is found by its last words: this many, or as many as weigh the same."""
_MIXER: Final = 0x9E3779B97F4A7C15
_ANCHOR: Final = ANCHOR_WORDS * WORD_WEIGHT


class ShortAnswers(NamedTuple):
    """Answers too short for an n-gram, by item, then number, then reading.

    Attributes:
        begins: int64 (items + 1,): those of each item.
        hashes, lengths, weights: uint64, int32, int32: hash, words, and weight of the words.
        number: int32: which answer of the item it is; 0 is the right one where that is known.
    """

    begins: npt.NDArray[np.int64]
    hashes: npt.NDArray[np.uint64]
    lengths: npt.NDArray[np.int32]
    weights: npt.NDArray[np.int32]
    number: npt.NDArray[np.int32]


class Table(NamedTuple):
    """An open-addressing table from 64-bit hashes to ranges of postings, and the bits that stand before it.

    Attributes:
        bits: uint64 (2^k,): four bits of one word a hash; most hashes that are not there fail here.
        keys: uint64 (2^m,).
        first: int32 (2^m,), the first posting of the key.
        sizes: int32 (2^m,), its number of postings, 0 where empty.
        postings: int32: what the hash stands for, see ``ContaminationIndex``.
    """

    bits: npt.NDArray[np.uint64]
    keys: npt.NDArray[np.uint64]
    first: npt.NDArray[np.int32]
    sizes: npt.NDArray[np.int32]
    postings: npt.NDArray[np.int32]


def powers(ngram_words: int) -> npt.NDArray[np.uint64]:
    """Return the factors by which a window's first hash goes out, by the number of its words."""
    found = np.ones(ngram_words * WORD_WEIGHT + 1, np.uint64)
    with np.errstate(over="ignore"):
        for i in range(1, len(found)):
            found[i] = found[i - 1] * np.uint64(HASH_BASE)
    return found


@kernel
def window_hash(hashes: npt.NDArray[np.uint64], begin: int, end: int, factors: npt.NDArray[np.uint64]) -> np.uint64:
    """Return the hash of the words [begin, end)."""
    value = hashes[np.uint64(end)] - hashes[np.uint64(begin)] * factors[np.uint64(end - begin)]
    # The low bits of such a sum depend on the low bits of the words only: look-ups take the high ones, made to depend on all.
    return (value ^ (value >> np.uint64(32))) * np.uint64(_MIXER)


@kernel
def cut_grams(
    data: npt.NDArray[np.uint8],
    offsets: npt.NDArray[np.int64],
    tables: FoldTables,
    reading: int,
    words: Words,
    window: int,
    least_different: int,
    factors: npt.NDArray[np.uint64],
    texts: npt.NDArray[np.int32],
    grams: npt.NDArray[np.uint64],
    wholes: npt.NDArray[np.uint64],
    sizes: npt.NDArray[np.int32],
) -> int:
    """Write the n-grams of all texts (number of the text, hash) and return how many.

    Of each text also `wholes`: hash of all words and of the last few (0 for a text that has n-grams, or no words), running hash; `sizes`: number
    and weight of its words. Cost: up to n² steps an n-gram, once a process.
    """
    count = 0
    hashes, weights = words.hashes, words.weights
    for text in range(len(offsets) - 1):
        n = cut_words(data, offsets[text], offsets[text + 1], tables, reading, words)
        sizes[text, 0], sizes[text, 1] = n, weights[n]
        wholes[text, 2] = hashes[n]
        if 0 < weights[n] < window:
            wholes[text, 0] = window_hash(hashes, 0, n, factors)
            begin = 0
            while weights[n] - weights[begin + 1] >= _ANCHOR:
                begin += 1
            wholes[text, 1] = window_hash(hashes, begin, n, factors)
        begin = 0
        for end in range(1, n + 1):
            while weights[end] - weights[begin + 1] >= window:
                begin += 1
            if weights[end] - weights[begin] < window:
                continue
            different = 0
            for i in range(begin, end):
                new = True
                for j in range(begin, i):
                    same = hashes[i + 1] - hashes[i] * factors[1] == hashes[j + 1] - hashes[j] * factors[1]
                    new = new and not same
                different += new
            if different >= least_different:
                texts[count], grams[count] = text, window_hash(hashes, begin, end, factors)
                count += 1
    return count


@kernel
def cut_hashes(
    data: npt.NDArray[np.uint8],
    offsets: npt.NDArray[np.int64],
    tables: FoldTables,
    words: Words,
    factors: npt.NDArray[np.uint64],
    texts: npt.NDArray[np.int32],
    found: npt.NDArray[np.uint64],
) -> int:
    """Write the words of all texts (number of the text, hash) and return how many."""
    count = 0
    for text in range(len(offsets) - 1):
        n = cut_words(data, offsets[text], offsets[text + 1], tables, SIGNS_SEPARATE, words)
        for i in range(n):
            texts[count], found[count] = text, window_hash(words.hashes, i, i + 1, factors)
            count += 1
    return count


@kernel
def _insert(
    hashes: npt.NDArray[np.uint64],
    begins: npt.NDArray[np.int64],
    keys: npt.NDArray[np.uint64],
    first: npt.NDArray[np.int32],
    sizes: npt.NDArray[np.int32],
    bits: npt.NDArray[np.uint64],
) -> None:
    slots, places = np.uint64(len(keys) - 1), np.uint64(len(bits) - 1)
    for i in range(len(hashes)):
        value = hashes[i]
        slot = (value >> np.uint64(32)) & slots
        while sizes[slot]:
            slot = (slot + np.uint64(1)) & slots
        keys[slot], first[slot], sizes[slot] = value, begins[i], begins[i + 1] - begins[i]
        bits[(value >> np.uint64(32)) & places] |= bit_pattern(value)


@kernel
def bit_pattern(value: np.uint64) -> np.uint64:
    """Return the four bits of a word of ``Table.bits`` that a hash sets; its bits from 32 up choose the word."""
    one, six = np.uint64(1), np.uint64(63)
    low = one << ((value >> np.uint64(26)) & six) | one << ((value >> np.uint64(20)) & six)
    return low | one << ((value >> np.uint64(14)) & six) | one << ((value >> np.uint64(8)) & six)


@kernel
def may_have(value: np.uint64, bits: npt.NDArray[np.uint64]) -> bool:
    """Return False for nearly all hashes that a table with these bits does not have, and for none that it has."""
    pattern = bit_pattern(value)
    return bool(bits[(value >> np.uint64(32)) & np.uint64(len(bits) - 1)] & pattern == pattern)


@kernel
def find_slot(value: np.uint64, table: Table) -> int:
    """Return the slot of a hash, -1 when the table does not have it."""
    slots = np.uint64(len(table.keys) - 1)
    slot = (value >> np.uint64(32)) & slots
    while table.sizes[slot]:
        if table.keys[slot] == value:
            return int(np.int64(slot))
        slot = (slot + np.uint64(1)) & slots
    return -1


def make_table(hashes: npt.NDArray[np.uint64], postings: npt.NDArray[np.int32]) -> tuple[Table, npt.NDArray[np.int64]]:
    """Return the table of hash → postings, and the order in which the postings stand: by hash, then by posting."""
    order = np.lexsort((postings, hashes))
    hashes, postings = hashes[order], postings[order]
    distinct, begins = np.unique(hashes, return_index=True)
    size = max(64, 1 << int(2 * len(distinct)).bit_length())
    keys, first, sizes = np.zeros(size, np.uint64), np.zeros(size, np.int32), np.zeros(size, np.int32)
    bits = np.zeros(size >> 3, np.uint64)  # 16 to 32 bits a hash: some 0.3 % of other hashes pass
    _insert(distinct, np.append(begins, len(hashes)).astype(np.int64), keys, first, sizes, bits)
    return Table(bits, keys, first, sizes, postings.astype(np.int32)), order
