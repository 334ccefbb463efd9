"""Measures of the distinct words of a text: cues, rarity, years. Each word is looked at once, however often it stands there."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.filters.signals import counts
from headwater.filters.signals.cues import ELIDES, ENDS, EVERYWHERE, Cues, find_mask, look_at_node, start_slot
from headwater.filters.signals.word_ranks import COMMON, CUE, FREQUENT, Ranks, find_rank
from headwater.filters.text.characters import DIGIT, decode_point
from headwater.filters.text.compile import inlined, kernel
from headwater.filters.text.word_hash import HASH_SEED, mix, step_hash
from headwater.filters.words.cut import ALPHA, WORD

__all__ = ["measure_distinct_words"]

_YEAR_DIGITS: Final = 4
_APOSTROPHE: Final = 0x27
_CURLY_APOSTROPHE: Final = 0x2019


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
def _count(mask: np.uint64, times: int, hits: npt.NDArray[np.int64]) -> None:
    """Count each category of a mask `times` times."""
    category = 0
    while mask:
        if mask & np.uint64(1):
            hits[category] += times
        mask >>= np.uint64(1)
        category += 1


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
    places: npt.NDArray[np.int32],
    times: npt.NDArray[np.int32],
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

    `points`, `kinds`, `begins` and `sizes` are those of `Pieces`; `places` holds the first token and `times` the occurrences
    of each of the `n_distinct` tokens; `row` is the language's. (With all of `Pieces` for an argument, LLVM makes the whole of
    `measure` slow.) Cost: a walk over the characters of each distinct word; in Chinese, Japanese and Thai also some two
    steps a character of the text.
    """
    found[:] = 0
    hits[:] = 0
    nodes, words, starts = cues.nodes[row], cues.words[row], cues.starts[row]
    lowers, ranked = ranks.lowers[1 if turkish else 0], ranks.keys[row]
    everywhere, elides = cues.ways[row] & EVERYWHERE != 0, cues.ways[row] & ELIDES != 0
    last_word = np.uint64(len(words) - 1)
    common, rare = 0, 0
    for number in range(n_distinct):
        token = np.uint64(places[np.uint64(number)])
        kind = kinds[token]
        if not kind & WORD:
            continue
        at, size = begins[token], np.int64(sizes[token])
        if classes[np.uint64(points[token])] == DIGIT and _is_year(data, at, size, end, classes):
            found[counts.YEARS] += times[np.uint64(number)]
        if row == 0 or not kind & ALPHA:
            continue
        mask = np.uint64(0)
        rank = 0
        while size > 0:
            value, small = np.uint64(HASH_SEED), np.uint64(HASH_SEED)
            walking = not everywhere
            rest, left = np.int64(0), np.int64(0)
            for k in range(size):
                point = int(np.int64(data[np.uint64(at)]))
                width = 1
                if point >= 0x80:
                    point, width = decode_point(data, at, end)
                at += width
                value = step_hash(value, point)
                lower = int(np.int64(lowers[np.uint64(point)])) if point < 0x10000 else point
                if lower == _APOSTROPHE and not left:
                    rest, left = at, size - k - 1
                if lower:
                    small = step_hash(small, lower)
                if walking and k:
                    spread = step_hash(value, 0)
                    bits = look_at_node(nodes, spread)
                    if bits & ENDS:
                        mask |= find_mask(starts, start_slot(starts, spread), value)
                    walking = bits != 0
            found_rank = find_rank(ranked, mix(small))
            if found_rank & CUE:
                key = mix(value)
                mask |= find_mask(words, key & last_word, key)
            rank |= found_rank
            at = rest
            size = left if elides else 0
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
