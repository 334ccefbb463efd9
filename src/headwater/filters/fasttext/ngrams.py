"""From n-grams to the rows of their buckets, compiled: the part of fastText that takes most of the time.

Most n-grams of a quantised model have no row: of lid.176.ftz's 2,000,000 buckets 42,765 are left. So the work is done in three steps,
each without a branch that depends on the text:

1. The hash of every stretch of bytes that an n-gram could be, from 16 places on at once (``hash_lanes``): one step for each byte
   of the longest n-gram.
2. For each n-gram, in order, its hash is taken out and multiplied with ``ceil(2**64 / buckets)``: the product modulo 2**64 is the
   fraction that the division leaves, in units of 2**-64 (Lemire, Kaser, Kurz: Faster remainder by direct computation, 2019). Its upper
   17 bits are looked up in a filter of 16 KB, which the nearest cache holds; 28 % of its bits are set for lid.176.ftz.
3. For these the product of fraction and buckets gives the bucket, a bit says whether it has a row, and the number of bits before it which.

Cost for each n-gram some 10 instructions in step 2, and for each that passes some 20 in step 3.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from numba import njit

from headwater.filters.fasttext.layout import FILTER_SHIFT, KernelModel, Scratch
from headwater.filters.fasttext.vectors import LANES, count_bits, hash_lanes, high_product
from headwater.filters.text.compile import kernel

__all__ = ["CHUNK", "FNV_BASIS", "STEPS", "add_subwords", "append_row", "fnv_step"]

CHUNK: Final = 128
"""Bytes of a token whose n-grams are looked up in one go: those that begin there."""
STEPS: Final = 64
"""Bytes of the longest n-gram that is hashed in vectors. Thirty-two characters may be longer; they take the slow way."""
FNV_BASIS: Final = 2166136261
_FNV_PRIME: Final = 16777619

_Bytes = npt.NDArray[np.uint8]
_Ints = npt.NDArray[np.int32]
_Words = npt.NDArray[np.uint64]


@njit(cache=True, nogil=True, forceinline=True)
def fnv_step(hash_: np.uint64, byte: int) -> np.uint64:
    """FNV-1a over a signed char: a byte of 128 or more is widened with ones."""
    signed = np.uint64(byte) | (np.uint64(0xFFFFFF00) if byte >= 128 else np.uint64(0))
    return ((np.uint64(hash_) ^ signed) * np.uint64(_FNV_PRIME)) & np.uint64(0xFFFFFFFF)


@njit(cache=True, nogil=True, forceinline=True)
def append_row(bucket: np.uint64, is_pruned: bool, n_words: int, buckets: _Words, found: _Ints, n_found: int) -> int:
    """Appends the row of a bucket to ``found``, if it has one; returns the new length."""
    if not is_pruned:
        found[np.uint64(n_found)] = n_words + np.int64(bucket)
        return n_found + 1
    # Written always and counted only for a set bit, which no branch predictor foresees.
    place = (bucket >> np.uint64(6)) << np.uint64(1)
    bits, bit = buckets[place], bucket & np.uint64(63)
    before = count_bits(bits & ((np.uint64(1) << bit) - np.uint64(1)))
    found[np.uint64(n_found)] = np.int64(buckets[place + np.uint64(1)] + before)
    return n_found + int((bits >> bit) & np.uint64(1))


@njit(cache=True, nogil=True, forceinline=True)
def _sift(hash_: np.uint32, factor: np.uint64, sieve: _Words, fractions: _Words, n: int) -> int:
    """Appends the fraction of a hash to ``fractions``, if the filter lets it pass; returns the new length."""
    fraction = np.uint64(hash_) * factor
    fractions[np.uint64(n)] = fraction
    bit = fraction >> np.uint64(FILTER_SHIFT)
    return n + int((sieve[bit >> np.uint64(6)] >> (bit & np.uint64(63))) & np.uint64(1))


@njit(cache=True, nogil=True, forceinline=True)
def _find_begins(word: _Bytes, length: int, begin: int, longest: int, begins: _Ints) -> tuple[int, int, int]:
    """Fills ``begins`` with the places of the characters from ``begin`` on, and ``longest`` times with the end of ``word`` if it is near.

    Returns:
        How many characters begin in the chunk; how many are in ``begins``, or -1 if n-grams of the chunk reach too far; bytes of the longest.
    """
    end = length if length < begin + CHUNK else begin + CHUNK
    reach = length if length < end + STEPS else end + STEPS
    n = 0
    for place in range(begin, end):
        begins[np.uint64(n)] = place
        n += int((word[np.uint64(place)] & 0xC0) != 0x80)
    n_chunk = n
    n_steps = longest if reach == end and n == end - begin else 0  # one byte a character
    for place in range(end, reach):
        begins[np.uint64(n)] = place
        n += int((word[np.uint64(place)] & 0xC0) != 0x80)
    if reach == length:
        for i in range(n, n + longest):
            begins[np.uint64(i)] = length
    elif n_chunk + longest > n:
        return n_chunk, -1, 0
    if n_steps == 0:
        for i in range(n_chunk):
            n_bytes = begins[np.uint64(i + longest)] - begins[np.uint64(i)]
            n_steps = n_bytes if n_bytes > n_steps else n_steps
    return n_chunk, n if n_steps <= STEPS else -1, n_steps


@kernel
def _add_slowly(word: _Bytes, length: int, begin: int, end: int, model: KernelModel, found: _Ints, n_found: int) -> int:
    """Does the same byte by byte, for n-grams of any length that begin before ``end``."""
    rule, buckets = model.ngrams, model.buckets
    for first in range(begin, end):
        if (word[first] & 0xC0) == 0x80:
            continue
        hash_, place = np.uint64(FNV_BASIS), first
        for n in range(1, rule.max_ngram + 1):
            hash_ = fnv_step(hash_, word[place])
            place += 1
            while place < length and (word[place] & 0xC0) == 0x80:
                hash_ = fnv_step(hash_, word[place])
                place += 1
            if n >= rule.min_ngram and not (n == 1 and (first == 0 or place == length)):
                bucket = hash_ % np.uint64(rule.bucket)
                n_found = append_row(bucket, model.is_pruned, model.n_words, buckets, found, n_found)
            if place == length:
                break
    return n_found


@njit(cache=True, nogil=True, forceinline=True)
def add_subwords(
    word: _Bytes, length: int, begin: int, model: KernelModel, scratch: Scratch, found: _Ints, n_found: int
) -> tuple[int, int]:
    """Appends the rows of the n-grams of ``word[:length]``, which includes ``<`` and ``>``, that begin in a chunk from ``begin`` on.

    ``word`` goes on for 80 bytes at least, whatever they are.

    Returns:
        Where to go on, ``length`` when done, ``begin`` if ``found`` could overflow; and the new length of ``found``.
    """
    rule, is_pruned, n_words, buckets, sieve = model.ngrams, model.is_pruned, model.n_words, model.buckets, model.sieve
    if rule.bucket == 0 or rule.max_ngram == 0:
        return length, n_found
    begins, hashes, fractions = scratch.begins, scratch.lane_hashes, scratch.fractions
    shortest, longest, factor = rule.min_ngram if rule.min_ngram > 1 else 1, rule.max_ngram, np.uint64(rule.factor)
    n_chunk, n_begins, n_steps = _find_begins(word, length, begin, longest, begins)
    if n_found + n_chunk * longest >= len(found):
        return begin, n_found
    end = length if length < begin + CHUNK else begin + CHUNK
    if n_begins < 0:
        return end, _add_slowly(word, length, begin, end, model, found, n_found)
    for place in range(begin, end, LANES):
        hash_lanes(word, place, n_steps, hashes, place - begin, CHUNK)
    n = 0
    if shortest == 1:
        for i in range(n_chunk):
            if begins[i] > 0 and begins[i + 1] < length:
                first = begins[i]
                n = _sift(hashes[(begins[i + 1] - first - 1) * CHUNK + first - begin], factor, sieve, fractions, n)
            for j in range(i + 2, (i + longest if i + longest < n_begins else n_begins) + 1):
                n = _sift(hashes[(begins[j] - begins[i] - 1) * CHUNK + begins[i] - begin], factor, sieve, fractions, n)
    else:
        n_full = 0
        if shortest == 2 and longest == 4:  # as lid.176 has it, written out
            n_full = n_chunk if n_chunk < n_begins - 3 else n_begins - 3
            for i in range(n_full):
                first = np.int64(begins[np.uint64(i)])
                base = first - begin - (first + 1) * CHUNK
                last = np.int64(begins[np.uint64(i) + np.uint64(2)])
                n = _sift(hashes[np.uint64(last * CHUNK + base)], factor, sieve, fractions, n)
                last = np.int64(begins[np.uint64(i) + np.uint64(3)])
                n = _sift(hashes[np.uint64(last * CHUNK + base)], factor, sieve, fractions, n)
                last = np.int64(begins[np.uint64(i) + np.uint64(4)])
                n = _sift(hashes[np.uint64(last * CHUNK + base)], factor, sieve, fractions, n)
        for i in range(n_full if n_full > 0 else 0, n_chunk):
            first = np.int64(begins[np.uint64(i)])
            base = first - begin - (first + 1) * CHUNK
            for j in range(i + shortest, (i + longest if i + longest < n_begins else n_begins) + 1):
                last = np.int64(begins[np.uint64(j)])
                n = _sift(hashes[np.uint64(last * CHUNK + base)], factor, sieve, fractions, n)
    if is_pruned:
        for i in range(n):
            bucket = high_product(fractions[np.uint64(i)], np.uint64(rule.bucket))
            n_found = append_row(bucket, True, n_words, buckets, found, n_found)
    else:
        for i in range(n):
            bucket = high_product(fractions[np.uint64(i)], np.uint64(rule.bucket))
            n_found = append_row(bucket, False, n_words, buckets, found, n_found)
    return end, n_found
