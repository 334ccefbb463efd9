"""The index of evaluation items that texts are looked up in: hashes of word n-grams, and of whole short questions and answers.

An item's question and its answers are read in three ways (`fold`); a reading that differs is a *unit* of
its own, and a part's overlap is the best of its units.

- A text of at least n words is all its n-grams; those with fewer than a third of n different words (rows of digits) are left out. An n-gram
  that d items of a set share weighs 1/d², so that a passage or a turn of phrase does not stand for the questions built on it; above
  `MOST_SHARED` items it counts for nothing.
- A shorter question is one gram of its own length, which must stand whole; its overlap is then its words over n, so that a few words weigh
  little. It counts *alone* when at most two items share it and it has `PLAIN_WORDS` words, or `LEAST_WORDS` of which one is rare in the set
  (in at most 1 % of its questions, or in 8). Otherwise it counts only with an answer near it. Under `LEAST_WORDS` words nothing can be matched.
- A shorter answer is looked for near its question only.

Memory: some 60 bytes an n-gram and unit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headwater.buffers import text_buffers
from headwater.filters.contamination.fold import READINGS, WORD_WEIGHT, fold_tables, make_words
from headwater.filters.contamination.grams import ShortAnswers, Table, cut_grams, cut_hashes, make_table, powers
from headwater.filters.contamination.items import Item
from headwater.filters.contamination.units import (
    ANSWER_PART,
    QUESTION_PART,
    UNITS_PER_ITEM,
    item_of,
    part_of,
    unit_numbers,
)

__all__ = [
    "LEAST_EVIDENCE",
    "LEAST_WORDS",
    "MOST_SHARED",
    "PLAIN_WORDS",
    "ContaminationIndex",
    "ItemSet",
    "Matchable",
    "build_index",
]

LEAST_WORDS: Final = 3
"""Fewest words of a question that can be matched at all."""
PLAIN_WORDS: Final = 8
"""Words from which on a short question need not have a rare one to count without an answer."""
MOST_SHARED: Final = 50
"""Most items of a set that may share an n-gram that counts."""
_UNIT_WEIGHT: Final = 1 << 20
"""Weight of an n-gram that one item has; whole numbers, so that no sum depends on its order."""
_RARE_SHARE: Final = 100
_RARE_ITEMS: Final = 8
_MOST_EQUAL: Final = 2
LEAST_EVIDENCE: Final = 6
"""Fewest words of a question and the answers near it, together, where the question does not convict alone."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ItemSet:
    """An evaluation set: its name and its items."""

    name: str
    items: tuple[Item, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Matchable:
    """How many items of a set can be found: by the question alone, only with an answer near it, not at all."""

    alone: int
    with_answer: int
    unmatchable: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ContaminationIndex:
    """Everything that texts are matched with.

    Attributes:
        ngram_words: n.
        sets, items: names; of an item by its number.
        item_set: int32, the set of each item.
        ngrams: hash of an n-gram → its units.
        ngram_weights: int64 of the same length as ``ngrams.postings``.
        anchors: hash of the last words of short questions → lengths, in words, of the questions that end so.
        shorts: hash of a whole short question → its units.
        unit_total: int64, weight of all n-grams of a unit, of a short question 1; a unit's number is that of `units`.
        unit_alone: whether the question counts without an answer.
        unit_weight: int32, weight of a short question's words; 0 for units of n-grams.
        answers: short answers.
        item_answers: int32, number of short answers an item has. item_known: whether answer 0 is the right one.
        matchable: by set.
    """

    ngram_words: int
    sets: tuple[str, ...]
    items: tuple[str, ...]
    item_set: npt.NDArray[np.int32]
    ngrams: Table
    ngram_weights: npt.NDArray[np.int64]
    anchors: Table
    shorts: Table
    unit_total: npt.NDArray[np.int64]
    unit_alone: npt.NDArray[np.bool_]
    unit_weight: npt.NDArray[np.int32]
    answers: ShortAnswers
    item_answers: npt.NDArray[np.int32]
    item_known: npt.NDArray[np.bool_]
    matchable: dict[str, Matchable]

    @property
    def size_bytes(self) -> int:
        """Memory of the arrays, bytes."""
        own = [value for name in self.__slots__ if isinstance(value := getattr(self, name), np.ndarray)]
        return sum(array.nbytes for array in [*own, *self.ngrams, *self.anchors, *self.shorts, *self.answers])


@dataclass(frozen=True, kw_only=True, slots=True)
class _Texts:
    """Questions and answers of all items, one text each, as the readings of them give words."""

    item: npt.NDArray[np.int32]
    part: npt.NDArray[np.uint8]
    number: npt.NDArray[np.int32]
    readings: tuple[_Reading, ...]
    rare: npt.NDArray[np.int32]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Reading:
    """Words of all texts: (text, hash) of each n-gram, and by text the hash of a short one, of its last words, words and weight."""

    texts: npt.NDArray[np.int32]
    grams: npt.NDArray[np.uint64]
    wholes: npt.NDArray[np.uint64]
    sizes: npt.NDArray[np.int32]


def build_index(sets: Sequence[ItemSet], ngram_words: int = 13) -> ContaminationIndex:
    """Return the index of some evaluation sets; the same for the same sets in any order.

    Args:
        sets: of different names.
        ngram_words: n, words of an n-gram.
    """
    sets = sorted(sets, key=lambda each: each.name)
    items = [item for each in sets for item in each.items]
    item_set = np.repeat(np.arange(len(sets), dtype=np.int32), [len(each.items) for each in sets])
    texts = _read(items, item_set, ngram_words)
    used = _units_in_use(texts, len(items))
    ngrams, weights, totals = _build_ngrams(texts, used, item_set)
    shorts = _build_shorts(texts, used, item_set)
    answers, item_answers = _build_answers(texts, used, len(items))
    totals[shorts.units] = 1
    alone = part_of(np.arange(len(used), dtype=np.int32)) == QUESTION_PART
    alone[shorts.units] = shorts.alone
    unit_weight = np.zeros(len(used), np.int32)
    unit_weight[shorts.units] = shorts.weights
    return ContaminationIndex(
        ngram_words=ngram_words,
        sets=tuple(each.name for each in sets),
        items=tuple(item.name for item in items),
        item_set=item_set,
        ngrams=ngrams,
        ngram_weights=weights,
        anchors=shorts.anchors,
        shorts=shorts.table,
        unit_total=totals,
        unit_alone=alone,
        unit_weight=unit_weight,
        item_known=np.array([item.known for item in items], bool),
        matchable=_count_matchable(sets, item_set, totals, alone, _are_answerable(texts, len(items))),
        answers=answers,
        item_answers=item_answers,
    )


def _units_in_use(texts: _Texts, n_items: int) -> npt.NDArray[np.bool_]:
    """Return for each unit whether it is used: the first reading of a part always, another only where it differs from the first."""
    used = np.zeros(UNITS_PER_ITEM * n_items, bool)
    used[unit_numbers(texts.item, texts.part, 0)] = True
    first = texts.readings[0]
    for place, reading in enumerate(texts.readings[1:], 1):
        other = (first.wholes[:, 2] != reading.wholes[:, 2]) | (first.sizes[:, 0] != reading.sizes[:, 0])
        used[unit_numbers(texts.item[other], texts.part[other], place)] = True
    return used


def _are_answerable(texts: _Texts, n_items: int) -> npt.NDArray[np.bool_]:
    """Return for each item whether it has an answer, and with the question enough words to count by it."""
    sizes = texts.readings[0].sizes
    evidence = np.zeros(n_items, np.int64)
    np.add.at(evidence, texts.item, sizes[:, 1])
    has_answer = np.zeros(n_items, bool)
    has_answer[texts.item[(texts.part == ANSWER_PART) & (sizes[:, 0] > 0)]] = True
    return has_answer & (evidence >= LEAST_EVIDENCE * WORD_WEIGHT)


def _read(items: Sequence[Item], item_set: npt.NDArray[np.int32], ngram_words: int) -> _Texts:
    """Return the words of all questions and answers, in all readings."""
    listed = [
        (number, part, place, text)
        for number, item in enumerate(items)
        for part, texts in enumerate(((item.question,), item.answers))
        for place, text in enumerate(texts)
    ]
    data, offsets = text_buffers(pa.array([row[3] for row in listed], pa.large_string()))
    n, most = len(listed), int(offsets[-1] - offsets[0])
    words = make_words(int(np.diff(offsets).max(initial=0)))
    tables, factors = fold_tables(), powers(ngram_words)
    item = np.array([row[0] for row in listed], np.int32)
    part = np.array([row[1] for row in listed], np.uint8)
    readings = []
    for reading in READINGS:
        texts, grams = np.empty(2 * most, np.int32), np.empty(2 * most, np.uint64)
        wholes, sizes = np.zeros((n, 3), np.uint64), np.zeros((n, 2), np.int32)
        window = ngram_words * WORD_WEIGHT
        count = cut_grams(
            data, offsets, tables, reading, words, window, -(-ngram_words // 3), factors, texts, grams, wholes, sizes
        )
        readings.append(_Reading(texts=texts[:count].copy(), grams=grams[:count].copy(), wholes=wholes, sizes=sizes))
    texts, found = np.empty(2 * most, np.int32), np.empty(2 * most, np.uint64)
    count = cut_hashes(data, offsets, tables, words, factors, texts, found)
    asked = part[texts[:count]] == 0
    rare = _count_rare(texts[:count][asked], found[:count][asked], item, item_set, n)
    return _Texts(
        item=item,
        part=part,
        number=np.array([row[2] for row in listed], np.int32),
        readings=tuple(readings),
        rare=rare,
    )


def _count_rare(
    texts: npt.NDArray[np.int32],
    words: npt.NDArray[np.uint64],
    item: npt.NDArray[np.int32],
    item_set: npt.NDArray[np.int32],
    n: int,
) -> npt.NDArray[np.int32]:
    """Return for each text how many of its different words few questions of its set have."""
    order = np.lexsort((texts, words))
    texts, words = texts[order], words[order]
    new = np.ones(len(texts), bool)
    new[1:] = (texts[1:] != texts[:-1]) | (words[1:] != words[:-1])
    texts, words = texts[new], words[new]
    shared = _count_items(words, item[texts], item_set)
    sizes = np.bincount(item_set, minlength=1)
    limit = np.maximum(_RARE_ITEMS, sizes // _RARE_SHARE)[item_set[item[texts]]]
    return np.bincount(texts[shared <= limit], minlength=n).astype(np.int32)


def _count_items(
    hashes: npt.NDArray[np.uint64], item: npt.NDArray[np.int32], item_set: npt.NDArray[np.int32]
) -> npt.NDArray[np.int64]:
    """Return for each (hash, item) how many items of the same set have the hash."""
    group = item_set[item].astype(np.int64)
    order = np.lexsort((item, group, hashes))
    hashes, group, item = hashes[order], group[order], item[order]
    new_key = np.ones(len(order), bool)
    new_key[1:] = (hashes[1:] != hashes[:-1]) | (group[1:] != group[:-1])
    new_item = new_key.copy()
    new_item[1:] |= item[1:] != item[:-1]
    key = np.cumsum(new_key) - 1
    counts = np.bincount(key, weights=new_item, minlength=1).astype(np.int64)
    found = np.empty(len(order), np.int64)
    found[order] = counts[key]
    return found


def _build_ngrams(
    texts: _Texts, used: npt.NDArray[np.bool_], item_set: npt.NDArray[np.int32]
) -> tuple[Table, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the table of n-grams, the weight of each posting, and the sum of weights of each unit."""
    units = np.concatenate(
        [
            unit_numbers(texts.item[reading.texts], texts.part[reading.texts], place)
            for place, reading in enumerate(texts.readings)
        ]
    )
    grams = np.concatenate([reading.grams for reading in texts.readings])
    units, grams = units[used[units]], grams[used[units]]
    order = np.lexsort((units, grams))
    units, grams = units[order], grams[order]
    new = np.ones(len(units), bool)
    new[1:] = (units[1:] != units[:-1]) | (grams[1:] != grams[:-1])
    units, grams = units[new], grams[new]
    shared = _count_items(grams, item_of(units), item_set)
    kept = shared <= MOST_SHARED
    units, grams, shared = units[kept], grams[kept], shared[kept]
    weights = _UNIT_WEIGHT // (shared * shared)
    totals = np.zeros(len(used), np.int64)
    np.add.at(totals, units, weights)
    table, order = make_table(grams, units)
    return table, weights[order], totals


class _Shorts(NamedTuple):
    """Questions shorter than an n-gram: their tables, and by question its unit, whether it counts alone, the weight of its words."""

    table: Table
    anchors: Table
    units: npt.NDArray[np.int32]
    alone: npt.NDArray[np.bool_]
    weights: npt.NDArray[np.int32]


def _build_shorts(texts: _Texts, used: npt.NDArray[np.bool_], item_set: npt.NDArray[np.int32]) -> _Shorts:
    """Return the questions too short for an n-gram that have words enough to be matched at all."""
    question = np.flatnonzero(texts.part == QUESTION_PART)
    parts = []
    for place, reading in enumerate(texts.readings):
        unit = unit_numbers(texts.item[question], QUESTION_PART, place)
        enough = reading.sizes[question, 1] >= LEAST_WORDS * WORD_WEIGHT
        short = used[unit] & (reading.wholes[question, 0] != 0) & enough
        chosen = question[short]
        parts.append((unit[short], reading.wholes[chosen], reading.sizes[chosen], texts.rare[chosen]))
    units, wholes, sizes, rare = (np.concatenate(column) for column in zip(*parts, strict=True))
    weights = sizes[:, 1]
    equal = _count_items(wholes[:, 0], item_of(units), item_set)
    alone = ((rare > 0) | (weights >= PLAIN_WORDS * WORD_WEIGHT)) & (equal <= _MOST_EQUAL)
    table, _ = make_table(wholes[:, 0], units)
    ends = np.unique(np.stack([wholes[:, 1], sizes[:, 0].astype(np.uint64)], axis=1), axis=0)
    anchors, _ = make_table(ends[:, 0], ends[:, 1].astype(np.int32))
    return _Shorts(table=table, anchors=anchors, units=units, alone=alone, weights=weights)


def _build_answers(
    texts: _Texts, used: npt.NDArray[np.bool_], n_items: int
) -> tuple[ShortAnswers, npt.NDArray[np.int32]]:
    """Return the answers too short for an n-gram, and how many different ones each item has."""
    parts = []
    for place, reading in enumerate(texts.readings):
        unit = unit_numbers(texts.item, texts.part, place)
        short = np.flatnonzero((texts.part == ANSWER_PART) & (reading.wholes[:, 0] != 0) & used[unit])
        parts.append(
            (texts.item[short], texts.number[short], reading.wholes[short, 0], reading.sizes[short], place + 0 * short)
        )
    item, number, hashes, sizes, places = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((places, number, item))
    item, number, hashes, sizes = item[order], number[order], hashes[order], sizes[order]
    distinct = np.unique(item.astype(np.int64) << 32 | number)
    begins = np.searchsorted(item, np.arange(n_items + 1)).astype(np.int64)
    answers = ShortAnswers(begins, hashes, sizes[:, 0].copy(), sizes[:, 1].copy(), number)
    return answers, np.bincount(distinct >> 32, minlength=n_items).astype(np.int32)


def _count_matchable(
    sets: Sequence[ItemSet],
    item_set: npt.NDArray[np.int32],
    totals: npt.NDArray[np.int64],
    alone: npt.NDArray[np.bool_],
    answerable: npt.NDArray[np.bool_],
) -> dict[str, Matchable]:
    """Return by set how many items can be found, and how; `answerable` by item."""
    is_question = part_of(np.arange(UNITS_PER_ITEM, dtype=np.int32)) == QUESTION_PART
    known = (totals > 0).reshape(-1, UNITS_PER_ITEM)[:, is_question]
    by_question = np.logical_or.reduce(known & alone.reshape(-1, UNITS_PER_ITEM)[:, is_question], axis=1)
    by_answer = np.logical_or.reduce(known, axis=1) & answerable & ~by_question
    found = {}
    for number, each in enumerate(sets):
        mine = item_set == number
        first, second = int(by_question[mine].sum()), int(by_answer[mine].sum())
        found[each.name] = Matchable(alone=first, with_answer=second, unmatchable=len(each.items) - first - second)
    return found
