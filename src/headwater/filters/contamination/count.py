"""Kernels of decontamination: which texts hold anything of an evaluation set, and, of those that do, how much of which item.

A first pass cuts a text into words and tests two windows that end at each word, one of n words and one of three, against a few bits each; only
what passes is looked up. It stops at the first hit, so ordinary text costs the cutting and two tests a word. A text with a hit is counted
in a second pass.

Cost: linear in the words of a text, whatever it holds: an n-gram counts once a text and item, an item's answers are looked for near at most
`_MOST_PLACES` places of its question, within `_FARTHEST` words of them.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from headwater.filters.contamination.fold import SIGNS_SEPARATE, WORD_WEIGHT, FoldTables, Words, cut_words
from headwater.filters.contamination.grams import ANCHOR_WORDS, ShortAnswers, Table, find_slot, may_have, window_hash
from headwater.filters.contamination.units import QUESTION_PART, item_of, part_of
from headwater.filters.text.compile import kernel

__all__ = ["FOUND_COLUMNS", "Counts", "Grams", "count_text", "flag_texts"]

_ANCHOR: Final = ANCHOR_WORDS * WORD_WEIGHT
_BLOCK: Final = 32
_MOST_PLACES: Final = 8
_FARTHEST: Final = 1024

FOUND_COLUMNS: Final = (
    *("unit", "weight", "ngrams", "begin", "end"),
    *("right", "answers", "answers_weight", "answer_begin", "answer_end"),
)
"""Columns of what `count_text` writes: of a unit, the weight and number of its n-grams found and the bytes they span; then, of the
short answers near it, whether answer 0 is there, how many are, the weight of their words, and the bytes of answer 0 or the first one."""


class Grams(NamedTuple):
    """What windows are looked up in; see `index`.

    Attributes:
        window: weight of an n-gram's words.
        factors: see ``contamination_grams.powers``.
        weights: int64, of each posting of ``ngrams``.
        reach: weight of the words around a question in which its answers are looked for.
    """

    window: int
    factors: npt.NDArray[np.uint64]
    ngrams: Table
    weights: npt.NDArray[np.int64]
    anchors: Table
    shorts: Table
    reach: int


class Counts(NamedTuple):
    """Room for counting; `stamps` tell which entries belong to the current text, so that nothing is cleared between texts.

    Attributes:
        seen: int32 by posting of n-grams: stamp of the text that has it.
        stamps: int32 by unit. row: int32 by unit: its row in ``found``.
        places: int32 by unit: places of a short question looked at.
        first, last: int32 by unit: first and last word of its n-grams, end exclusive.
        found: int64 (units, len(FOUND_COLUMNS)).
    """

    seen: npt.NDArray[np.int32]
    stamps: npt.NDArray[np.int32]
    row: npt.NDArray[np.int32]
    places: npt.NDArray[np.int32]
    first: npt.NDArray[np.int32]
    last: npt.NDArray[np.int32]
    found: npt.NDArray[np.int64]


@kernel
def flag_texts(
    data: npt.NDArray[np.uint8],
    offsets: npt.NDArray[np.int64],
    tables: FoldTables,
    words: Words,
    grams: Grams,
    flags: npt.NDArray[np.uint8],
) -> None:
    """Set the flag of each text that holds an n-gram or a whole short question."""
    for row in range(len(offsets) - 1):
        n = cut_words(data, offsets[row], offsets[row + 1], tables, SIGNS_SEPARATE, words)
        spaced = words.weights[n] == n * WORD_WEIGHT
        flags[row] = _has_hit(n, words, grams) if spaced else _has_mixed_hit(n, words, grams)


@kernel
def _has_hit(n: int, words: Words, grams: Grams) -> bool:
    """Return whether a text of words of scripts with spaces has a hit: windows are of as many words as they weigh.

    The bits are tested a block of words at a time, in a loop without any other branch, which the compiler turns into vector instructions; only
    a block where some window passes is looked at again.
    """
    hashes, factors = words.hashes, grams.factors
    bits, anchor_bits = grams.ngrams.bits, grams.anchors.bits
    size = grams.window // WORD_WEIGHT
    begin = ANCHOR_WORDS
    while begin <= n:
        # Windows of n words begin with word n: up to there one block for the short ones.
        stop = min(begin + _BLOCK if begin >= size else size, n + 1)
        passed = 0
        for end in range(begin, stop):
            if may_have(window_hash(hashes, end - ANCHOR_WORDS, end, factors), anchor_bits):
                passed += 1
        if begin >= size:
            for end in range(begin, stop):
                if may_have(window_hash(hashes, end - size, end, factors), bits):
                    passed += 1
        if passed and _has_hit_between(begin, stop, words, grams):
            return True
        begin = stop
    return False


@kernel
def _has_hit_between(begin: int, stop: int, words: Words, grams: Grams) -> bool:
    """Return whether a window that ends before one of the words [begin, stop) is there."""
    hashes, factors = words.hashes, grams.factors
    size = grams.window // WORD_WEIGHT
    for end in range(begin, stop):
        value = window_hash(hashes, end - ANCHOR_WORDS, end, factors)
        if may_have(value, grams.anchors.bits) and _ends_short(value, end, hashes, grams):
            return True
        if end >= size:
            value = window_hash(hashes, end - size, end, factors)
            if may_have(value, grams.ngrams.bits) and find_slot(value, grams.ngrams) >= 0:
                return True
    return False


@kernel
def _has_mixed_hit(n: int, words: Words, grams: Grams) -> bool:
    """Return the same of a text of any script."""
    hashes, weights, factors = words.hashes, words.weights, grams.factors
    bits, anchor_bits = grams.ngrams.bits, grams.anchors.bits
    begin, near = 0, 0
    for end in range(1, n + 1):
        weight = weights[np.uint64(end)]
        while weight - weights[np.uint64(near + 1)] >= _ANCHOR:
            near += 1
        if weight - weights[np.uint64(near)] < _ANCHOR:
            continue
        value = window_hash(hashes, near, end, factors)
        if may_have(value, anchor_bits) and _ends_short(value, end, hashes, grams):
            return True
        while weight - weights[np.uint64(begin + 1)] >= grams.window:
            begin += 1
        if weight - weights[np.uint64(begin)] >= grams.window:
            value = window_hash(hashes, begin, end, factors)
            if may_have(value, bits) and find_slot(value, grams.ngrams) >= 0:
                return True
    return False


@kernel
def _ends_short(anchor: np.uint64, end: int, hashes: npt.NDArray[np.uint64], grams: Grams) -> bool:
    """Return whether a short question with this anchor ends before word `end`."""
    slot = find_slot(anchor, grams.anchors)
    if slot < 0:
        return False
    first = grams.anchors.first[slot]
    for i in range(first, first + grams.anchors.sizes[slot]):
        length = int(grams.anchors.postings[i])
        if length <= end:
            value = window_hash(hashes, end - length, end, grams.factors)
            if may_have(value, grams.shorts.bits) and find_slot(value, grams.shorts) >= 0:
                return True
    return False


@kernel
def _touch(unit: int, stamp: int, touched: int, counts: Counts) -> int:
    """Make room for a unit that the text has not shown before; return the number of units it has shown."""
    if counts.stamps[unit] == stamp:
        return touched
    counts.stamps[unit] = stamp
    counts.row[unit] = touched
    counts.places[unit] = 0
    counts.found[touched, :] = 0
    counts.found[touched, 0] = unit
    return touched + 1


@kernel
def count_text(
    data: npt.NDArray[np.uint8],
    begin_byte: int,
    end_byte: int,
    tables: FoldTables,
    words: Words,
    grams: Grams,
    answers: ShortAnswers,
    totals: npt.NDArray[np.int64],
    least_percent: int,
    stamp: int,
    counts: Counts,
) -> int:
    """Write a row of `counts.found` for each unit that the text holds something of; return their number.

    Args:
        totals: int64, weight of all n-grams of each unit.
        least_percent: share of a question from which on its answers are looked for.
        stamp: another one for each text, above 0.
    """
    n = cut_words(data, begin_byte, end_byte, tables, SIGNS_SEPARATE, words)
    hashes, weights = words.hashes, words.weights
    window, factors, ngrams, anchors, shorts = grams.window, grams.factors, grams.ngrams, grams.anchors, grams.shorts
    touched, begin, near = 0, 0, 0
    for end in range(1, n + 1):
        while weights[end] - weights[begin + 1] >= window:
            begin += 1
        while weights[end] - weights[near + 1] >= _ANCHOR:
            near += 1
        if weights[end] - weights[near] < _ANCHOR:
            continue
        slot = find_slot(window_hash(hashes, near, end, factors), anchors)
        if slot >= 0:
            for i in range(anchors.first[slot], anchors.first[slot] + anchors.sizes[slot]):
                length = int(anchors.postings[i])
                short = -1
                if length <= end:
                    short = find_slot(window_hash(hashes, end - length, end, factors), shorts)
                if short >= 0:
                    for j in range(shorts.first[short], shorts.first[short] + shorts.sizes[short]):
                        touched = _touch(shorts.postings[j], stamp, touched, counts)
                        _place_short(shorts.postings[j], end - length, end, n, words, answers, grams, counts)
        if weights[end] - weights[begin] < window:
            continue
        slot = find_slot(window_hash(hashes, begin, end, factors), ngrams)
        if slot >= 0:
            for i in range(ngrams.first[slot], ngrams.first[slot] + ngrams.sizes[slot]):
                if counts.seen[i] != stamp:
                    counts.seen[i] = stamp
                    unit = ngrams.postings[i]
                    before = touched
                    touched = _touch(unit, stamp, touched, counts)
                    if touched > before:
                        counts.first[unit] = begin
                    counts.last[unit] = end
                    row = counts.row[unit]
                    counts.found[row, 1] += grams.weights[i]
                    counts.found[row, 2] += 1
    for row in range(touched):
        unit = counts.found[row, 0]
        if counts.places[unit]:
            continue
        first, last = int(counts.first[unit]), int(counts.last[unit])
        counts.found[row, 3], counts.found[row, 4] = words.begins[first], words.ends[last - 1]
        if part_of(unit) == QUESTION_PART and counts.found[row, 1] * 100 >= totals[unit] * least_percent:
            _find_answers(row, item_of(unit), first, min(last, first + _FARTHEST), n, words, answers, grams, counts)
            if last - first > _FARTHEST:
                _find_answers(row, item_of(unit), max(first, last - _FARTHEST), last, n, words, answers, grams, counts)
    return touched


@kernel
def _place_short(
    unit: int,
    first: int,
    last: int,
    n: int,
    words: Words,
    answers: ShortAnswers,
    grams: Grams,
    counts: Counts,
) -> None:
    """Record that a whole short question stands at the words [first, last): the first place, or a later one with more answers near it."""
    row = counts.row[unit]
    if counts.places[unit] == _MOST_PLACES:
        return
    counts.places[unit] += 1
    before = counts.found[row, 6] + counts.found[row, 5]
    _find_answers(row, item_of(unit), first, last, n, words, answers, grams, counts)
    if counts.places[unit] == 1 or counts.found[row, 6] + counts.found[row, 5] > before:
        counts.found[row, 1], counts.found[row, 2] = 1, 1
        counts.found[row, 3], counts.found[row, 4] = words.begins[first], words.ends[last - 1]


@kernel
def _find_answers(
    row: int,
    item: int,
    first: int,
    last: int,
    n: int,
    words: Words,
    answers: ShortAnswers,
    grams: Grams,
    counts: Counts,
) -> None:
    """Look for an item's short answers around the words [first, last); keep what is found when it is more than before.

    The answers follow the question or go before it: neither is searched inside the question, where the same words may stand by chance.
    """
    hashes, weights = words.hashes, words.weights
    low, high = first, last
    while low > 0 and weights[first] - weights[low - 1] <= grams.reach:
        low -= 1
    while high < n and weights[high + 1] - weights[last] <= grams.reach:
        high += 1
    right, several, weight, span_begin, span_end = 0, 0, 0, 0, 0
    number = -1
    for i in range(answers.begins[item], answers.begins[item + 1]):
        if answers.number[i] == number:
            continue  # its other reading was found
        length = int(answers.lengths[i])
        for begin in range(low, high - length + 1):
            if begin < last and begin + length > first:
                continue
            if window_hash(hashes, begin, begin + length, grams.factors) == answers.hashes[i]:
                number = answers.number[i]
                if number == 0:
                    right = 1
                if several == 0:
                    span_begin, span_end = words.begins[begin], words.ends[begin + length - 1]
                several += 1
                weight += answers.weights[i]
                break
    if several + right > counts.found[row, 5] + counts.found[row, 6]:
        counts.found[row, 5], counts.found[row, 6], counts.found[row, 7] = right, several, weight
        counts.found[row, 8], counts.found[row, 9] = span_begin, span_end
