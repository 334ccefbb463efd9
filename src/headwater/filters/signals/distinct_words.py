"""Measures of the distinct words of a text: cues, rarity, years. Each word is looked at once, however often it stands there."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.filters.signals import counts
from headwater.filters.signals.cues import ELIDES, EVERYWHERE, Cues, find_mask, start_slot
from headwater.filters.signals.prefix_nodes import ENDS, look_at_node
from headwater.filters.signals.word_ranks import COMMON, CUE, FREQUENT, Ranks, find_rank, rank_slot
from headwater.filters.text.byte_words import highest_bit
from headwater.filters.text.characters import DIGIT, decode_point
from headwater.filters.text.compile import inlined, kernel
from headwater.filters.text.word_hash import HASH_SEED, mix, step_hash
from headwater.filters.words.cut import ALPHA, MIXED, WORD

__all__ = ["measure_distinct_words"]

_YEAR_DIGITS: Final = 4
_APOSTROPHE: Final = 0x27


@inlined
def _digit(point: int) -> int:
    """Return the value of a decimal digit of any script of Unicode 3.2, by the places where their sets of ten begin."""
    if point >= 0x1D7CE:
        return (point - 0x1D7CE) % 10
    if 0x0900 <= point < 0x0E00:  # Indic sets begin at ...6
        return (point & 15) - 6
    if 0x1369 <= point <= 0x1371:  # Ethiopic, without a zero
        return point - 0x1368
    return point & 15


@inlined
def _is_year(data: npt.NDArray[np.uint8], at: int, size: int, end: int, classes: npt.NDArray[np.uint8]) -> bool:
    """Tell whether the word of `size` chars at `at` is a whole number from 1000 to 2099."""
    if size != _YEAR_DIGITS:
        return False
    value = 0
    for _ in range(_YEAR_DIGITS):
        point, width = decode_point(data, at, end)
        if classes[point] != DIGIT:
            return False
        value = 10 * value + _digit(point)
        at += width
    return 1000 <= value < 2100


@inlined
def _find_stems(
    data: npt.NDArray[np.uint8],
    at: int,
    size: int,
    end: int,
    nodes: npt.NDArray[np.uint8],
    starts: npt.NDArray[np.uint64],
) -> np.uint64:
    """Return the categories of the stems, of 2 chars or more, that the word of `size` chars at `at` begins with."""
    mask = np.uint64(0)
    value = np.uint64(HASH_SEED)
    for k in range(size):
        point = int(np.int64(data[np.uint64(at)]))
        width = 1
        if point >= 0x80:
            point, width = decode_point(data, at, end)
        at += width
        value = step_hash(value, point)
        if k:
            spread = step_hash(value, 0)
            bits = look_at_node(nodes, spread)
            if bits & ENDS:
                mask |= find_mask(starts, start_slot(starts, spread), value)
            if not bits:
                break
    return mask


@kernel
def _look_at_word(
    data: npt.NDArray[np.uint8],
    at: int,
    size: int,
    end: int,
    nodes: npt.NDArray[np.uint8],
    words: npt.NDArray[np.uint64],
    starts: npt.NDArray[np.uint64],
    lowers: npt.NDArray[np.uint16],
    ranked: npt.NDArray[np.uint32],
    everywhere: bool,
    elides: bool,
) -> tuple[np.uint64, int]:
    """Return the categories and the rank of the word of `size` chars at `at`, and of what follows its apostrophes if its language elides."""
    mask = np.uint64(0)
    rank = 0
    left = size
    while left > 0:
        if not everywhere:
            mask |= _find_stems(data, at, left, end, nodes, starts)
        size = left
        value, small = np.uint64(HASH_SEED), np.uint64(HASH_SEED)
        rest, left = at, 0
        for k in range(size):
            point, width = decode_point(data, at, end)
            at += width
            value = step_hash(value, point)
            lower = int(np.int64(lowers[np.uint64(point)])) if point < 0x10000 else point
            if lower == _APOSTROPHE and elides and not left:
                rest, left = at, size - k - 1
            if lower:
                small = step_hash(small, lower)
        key = mix(small)
        found = find_rank(ranked, key, ranked[rank_slot(key)])
        if found & CUE:
            key = mix(value)
            mask |= find_mask(words, key & np.uint64(len(words) - 1), key)
        rank |= found
        at = rest
    return mask, rank


@inlined
def _count(mask: np.uint64, times: int, hits: npt.NDArray[np.int64]) -> None:
    """Count each category of a mask `times` times."""
    while mask:
        category = highest_bit(mask)
        hits[category] += times
        mask ^= np.uint64(1) << np.uint64(category)


@kernel
def _count_everywhere(
    data: npt.NDArray[np.uint8],
    begin: int,
    end: int,
    nodes: npt.NDArray[np.uint8],
    starts: npt.NDArray[np.uint64],
    hits: npt.NDArray[np.int64],
) -> None:
    """Count the entries of a language without spaces: at each character, each category that an entry there is in, once."""
    at = begin
    while at < end:
        point, width = decode_point(data, at, end)
        value = np.uint64(HASH_SEED)
        mask = np.uint64(0)
        place = at + width
        while True:
            value = step_hash(value, point)
            spread = step_hash(value, 0)
            bits = look_at_node(nodes, spread)
            if bits & ENDS:
                mask |= find_mask(starts, start_slot(starts, spread), value)
            if not bits or place >= end:
                break
            point, step = decode_point(data, place, end)
            place += step
        if mask:
            _count(mask, 1, hits)
        at += width


@kernel
def measure_distinct_words(
    data: npt.NDArray[np.uint8],
    begin: int,
    end: int,
    points: npt.NDArray[np.int32],
    kinds: npt.NDArray[np.uint8],
    begins: npt.NDArray[np.int64],
    sizes: npt.NDArray[np.int32],
    firsts: npt.NDArray[np.int32],
    times: npt.NDArray[np.int32],
    keys: npt.NDArray[np.uint64],
    cells: npt.NDArray[np.uint64],
    n_distinct: int,
    classes: npt.NDArray[np.uint8],
    cues: Cues,
    ranks: Ranks,
    row: int,
    turkish: bool,
    found: npt.NDArray[np.int64],
    hits: npt.NDArray[np.int64],
) -> None:
    """Write the years and the common and rare words to `found`, each in its place of `counts`, and the cues to `hits`.

    `points`, `kinds`, `begins` and `sizes` are those of `Pieces`; `firsts` holds the first token, `times` the occurrences and
    `keys` the hash of each of the `n_distinct` tokens; `row` is the language's. The bits that `word_ranks` has for each are left in
    `cells`. Cost: one look-up and some
    three steps along its characters for a distinct word of small letters, a walk along all of them for others; in Chinese,
    Japanese and Thai also some two steps a character of the text.
    """
    found[:] = 0
    hits[:] = 0
    nodes, words, starts = cues.nodes[row], cues.words[row], cues.starts[row]
    lowers, ranked = ranks.lowers[1 if turkish else 0], ranks.keys[row]
    everywhere, elides = cues.ways[row] & EVERYWHERE != 0, cues.ways[row] & ELIDES != 0
    last_word = np.uint64(len(words) - 1)
    if row:
        for number in range(n_distinct):  # apart, so that no load waits for the work on the word before it
            cells[np.uint64(number)] = ranked[rank_slot(keys[np.uint64(number)])]
    common, rare = 0, 0
    for number in range(n_distinct):
        token = np.uint64(firsts[np.uint64(number)])
        kind = kinds[token]
        if not kind & ALPHA:
            cells[np.uint64(number)] = 0
            if (
                kind & WORD
                and classes[np.uint64(points[token])] == DIGIT
                and _is_year(data, begins[token], sizes[token], end, classes)
            ):
                found[counts.YEARS] += times[np.uint64(number)]
            continue
        if row == 0:
            continue
        key = keys[np.uint64(number)]
        if kind & MIXED:
            mask, rank = _look_at_word(
                data,
                int(begins[token]),
                int(sizes[token]),
                end,
                nodes,
                words,
                starts,
                lowers,
                ranked,
                everywhere,
                elides,
            )
        else:
            mask = (
                np.uint64(0)
                if everywhere
                else _find_stems(data, int(begins[token]), int(sizes[token]), end, nodes, starts)
            )
            rank = find_rank(ranked, key, np.uint32(cells[np.uint64(number)]))
            if rank & CUE:
                mask |= find_mask(words, key & last_word, key)
        cells[np.uint64(number)] = rank
        if mask:
            _count(mask, times[np.uint64(number)], hits)
        if rank & COMMON:
            common += times[np.uint64(number)]
        elif not rank & FREQUENT:
            rare += times[np.uint64(number)]
    found[counts.COMMON_WORDS] = common
    found[counts.RARE_WORDS] = rare
    if everywhere:
        _count_everywhere(data, begin, end, nodes, starts, hits)
