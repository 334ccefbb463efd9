"""Repetition among tokens, lines and paragraphs, on their 64-bit hashes.

An n-gram that occurs twice contains (n-1)-grams that occur twice, so each length is looked for only where the length
before it repeated: on ordinary text nine lengths cost little more than the first two. Equal keys get equal numbers in
the order of first occurrence; an (n+1)-gram is the pair of the numbers of its two n-grams, so beyond the hash of a
token nothing is lost to collisions.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from headwater.filters.text.compile import kernel
from headwater.filters.words.cut import mix

__all__ = ["Numbering", "make_numbering", "measure_ngrams", "number_keys", "sum_repeats"]

_FIRST_SLOTS: Final = 512


class Numbering(NamedTuple):
    """Room for numbering up to n keys.

    Attributes:
        slots: int32, a power of two of at least 1.5 n: open addressing, number + 1, or 0 where empty.
        distinct: uint64 (n,), the key of each number.
        counts: int32 (n,), the occurrences of each number.
        firsts: int32 (n,), where each number occurs first among the keys given.
        numbers: int32 (n,), the number of each key given.
        keys: uint64 (n,), keys being made.
        places: int32 (n,), first tokens of the n-grams looked at.
        ends: int64 (n + 1,), chars of the tokens before each.
    """

    slots: npt.NDArray[np.int32]
    distinct: npt.NDArray[np.uint64]
    counts: npt.NDArray[np.int32]
    firsts: npt.NDArray[np.int32]
    numbers: npt.NDArray[np.int32]
    keys: npt.NDArray[np.uint64]
    places: npt.NDArray[np.int32]
    ends: npt.NDArray[np.int64]


def make_numbering(most: int) -> Numbering:
    """Return room for `most` keys: 46 to 52 bytes each, touched only when used."""
    n = most + 2
    return Numbering(
        slots=np.empty(1 << (3 * n // 2).bit_length(), np.int32),
        distinct=np.empty(n, np.uint64),
        counts=np.empty(n, np.int32),
        firsts=np.empty(n, np.int32),
        numbers=np.empty(n, np.int32),
        keys=np.empty(n, np.uint64),
        places=np.empty(n, np.int32),
        ends=np.empty(n + 1, np.int64),
    )


@kernel
def number_keys(keys: npt.NDArray[np.uint64], n: int, room: Numbering) -> int:
    """Number keys[:n] by first occurrence into `room.numbers`, `room.counts` and `room.firsts`; return how many are distinct.

    Low bits of the keys choose their places, so the keys are to be finished hashes (`mix`). The table grows with the
    distinct keys, which keeps it in the cache where most repeat. Cost: one look-up a key.

    >>> room = make_numbering(4)
    >>> number_keys(np.array([7, 9, 7, 7], np.uint64), 4, room), room.numbers[:4].tolist(), room.counts[:2].tolist()
    (2, [0, 1, 0, 0], [3, 1])
    """
    most = 4
    while 2 * most < 3 * n:
        most *= 2
    size = min(most, _FIRST_SLOTS)
    slots, distinct, counts, firsts, numbers = room.slots, room.distinct, room.counts, room.firsts, room.numbers
    slots[:size] = 0
    mask = np.uint64(size - 1)
    limit = size - size // 3
    n_distinct = 0
    for i in range(n):
        key = keys[np.uint64(i)]
        slot = key & mask
        number = slots[slot]
        while number and distinct[np.uint64(number - 1)] != key:
            slot = (slot + np.uint64(1)) & mask
            number = slots[slot]
        if number:
            counts[np.uint64(number - 1)] += 1
            numbers[np.uint64(i)] = number - 1
            continue
        if n_distinct == limit and size < most:
            size = min(4 * size, most)
            mask = np.uint64(size - 1)
            limit = size - size // 3
            slots[:size] = 0
            for old in range(n_distinct):
                slot = distinct[old] & mask
                while slots[slot]:
                    slot = (slot + np.uint64(1)) & mask
                slots[slot] = old + 1
            slot = key & mask
            while slots[slot]:
                slot = (slot + np.uint64(1)) & mask
        distinct[np.uint64(n_distinct)] = key
        counts[np.uint64(n_distinct)] = 1
        firsts[np.uint64(n_distinct)] = i
        numbers[np.uint64(i)] = n_distinct
        n_distinct += 1
        slots[slot] = n_distinct
    return n_distinct


@kernel
def sum_repeats(keys: npt.NDArray[np.uint64], sizes: npt.NDArray[np.int64], n: int, room: Numbering) -> tuple[int, int]:
    """Return how many of keys[:n] equal an earlier one, and the sum of their sizes.

    >>> sum_repeats(np.array([5, 6, 5], np.uint64), np.array([10, 20, 10]), 3, make_numbering(3))
    (1, 10)
    """
    number_keys(keys, n, room)
    repeats, total, seen = 0, 0, -1
    for i in range(n):
        if room.numbers[i] > seen:
            seen = room.numbers[i]
        else:
            repeats += 1
            total += sizes[i]
    return repeats, total


@kernel
def _lengthen(candidates: int, room: Numbering) -> int:
    """Make the keys of the n-grams whose two parts, which follow each other, both occur twice; return how many.

    Parts are the first `candidates` of `room.places` and `room.numbers`. No branch: which of them repeat is hard to guess.
    """
    numbers, counts, places, keys = room.numbers, room.counts, room.places, room.keys
    if candidates == 0:
        return 0
    kept = np.uint64(0)
    number, place = numbers[0], places[0]
    repeats = counts[np.uint64(number)] > 1
    for i in range(1, candidates):
        next_number, next_place = numbers[np.uint64(i)], places[np.uint64(i)]
        next_repeats = counts[np.uint64(next_number)] > 1
        keys[kept] = mix(np.uint64(number) << np.uint64(32) | np.uint64(next_number))  # one to one: no collisions
        places[kept] = place
        kept += np.uint64(repeats & next_repeats & (next_place == place + 1))
        number, place, repeats = next_number, next_place, next_repeats
    return int(kept)


@kernel
def _count_chars(length: int, candidates: int, n_distinct: int, room: Numbering) -> tuple[int, int]:
    """Return the chars of n-grams seen earlier and those of tokens in n-grams that occur twice or more."""
    numbers, counts, places, seen, ends = room.numbers, room.counts, room.places, room.keys, room.ends
    for number in range(n_distinct):
        seen[number] = 0  # the keys are numbered and no longer needed
    repeated, free = 0, 0
    covered, covered_end = 0, 0
    for i in range(candidates):
        place = places[i]
        if counts[numbers[i]] > 1:
            covered += ends[place + length] - ends[max(place, covered_end)]
            covered_end = place + length
        if place < free:
            continue
        if seen[numbers[i]]:
            repeated += ends[place + length] - ends[place]
            free = place + length
        else:
            seen[numbers[i]] = 1
    return repeated, covered


@kernel
def measure_ngrams(sizes: npt.NDArray[np.int32], n: int, room: Numbering, found: npt.NDArray[np.int64]) -> None:
    """Write the chars of repeated n-grams to `found`; `room` holds the numbering of the n tokens.

    found[0:3]: the most frequent 2-, 3- and 4-gram (the first among equals), its chars with one space between tokens
    times its count; n-grams may overlap, so it may exceed the text. found[3:9]: 5- to 10-grams seen earlier, walking
    left to right and jumping over each one found, chars without spaces. found[9:12]: as found[0:3] without the spaces, 0
    where none occurs twice. found[12:18]: chars of tokens that lie in a 5- to 10-gram that occurs twice or more, the
    first occurrence included.

    Cost: linear in n for each of nine lengths, and only for places where the shorter n-gram repeats.

    >>> room, sizes, found = make_numbering(6), np.array([1, 2, 1, 2, 1, 2], np.int32), np.zeros(18, np.int64)
    >>> _ = number_keys(np.array([1, 2, 1, 2, 1, 2], np.uint64), 6, room)
    >>> measure_ngrams(sizes, 6, room, found)
    >>> found.tolist()[:9]  # "a bb" 3 times; "a bb a" twice; "a bb a bb" twice; no 5-gram twice
    [12, 12, 18, 0, 0, 0, 0, 0, 0]
    >>> found.tolist()[9:]
    [9, 8, 12, 0, 0, 0, 0, 0, 0]
    """
    numbers, counts, places, ends = room.numbers, room.counts, room.places, room.ends
    ends[0] = 0
    total = 0
    for i in range(n):
        total += sizes[i]
        ends[i + 1] = total
        places[i] = i
    candidates = n
    for length in range(2, 11):
        candidates = _lengthen(candidates, room)
        n_distinct = number_keys(room.keys, candidates, room)
        if length > 4:
            found[length - 2], found[length + 7] = _count_chars(length, candidates, n_distinct, room)
            continue
        best = 0
        for number in range(1, n_distinct):
            if counts[number] > counts[best]:
                best = number
        chars, times = 0, 1
        if n_distinct and counts[best] > 1:
            times = int(counts[best])
            for i in range(candidates):
                if numbers[i] == best:
                    chars = ends[places[i] + length] - ends[places[i]] + length - 1
                    break
        elif n >= length:
            chars = ends[length] + length - 1
        found[length - 2] = chars * times
        found[length + 7] = (chars - length + 1) * times if times > 1 else 0
