"""Decontamination: the items of evaluation sets that stand in texts, with the share of each found and where.

Peers: decon (AI2, used for OLMo 3) samples 5-grams of tokens, weighs them by rarity and asks for the answer near the question; datatrove
compares 12-grams, FineMath 13-grams of words. Here every 13-gram of words counts, weighed by how many items share it, and
question and answer are told apart. What it loses: an item that was reworded or translated is not found, nor one that was
cut up so that fewer than 13 words in a row are left; see `fold` for what does not matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headwater.buffers import text_buffers
from headwater.filters.contamination.count import FOUND_COLUMNS, Counts, Grams, count_text, flag_texts
from headwater.filters.contamination.fold import WORD_WEIGHT, fold_tables, make_words
from headwater.filters.contamination.grams import powers
from headwater.filters.contamination.index import LEAST_EVIDENCE, ContaminationIndex
from headwater.filters.contamination.units import ANSWER_PART, QUESTION_PART, item_of, part_of

__all__ = ["ANSWER", "QUESTION", "VERSION", "find_contamination"]

VERSION: Final = 1
"""Raised with any change that alters a stored row."""
QUESTION: Final = "question"
ANSWER: Final = "answer"

_ANSWERED: Final = 0.5
_COLUMNS: Final = pa.schema(
    [
        ("row", pa.int32()),
        ("benchmark", pa.string()),
        ("item", pa.string()),
        ("part", pa.string()),
        ("overlap", pa.float32()),
        ("ngrams", pa.int32()),
        ("span_begin", pa.int64()),
        ("span_end", pa.int64()),
    ]
)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Match:
    """What a text has of one part of an item: share, n-grams, bytes; and, of a question, what of the short answers is near."""

    unit: int
    overlap: float
    ngrams: int
    begin: int
    end: int
    answered: float = 0.0
    answer_weight: int = 0
    answer_begin: int = 0
    answer_end: int = 0


def find_contamination(
    texts: pa.Array | pa.ChunkedArray, index: ContaminationIndex, least_overlap: float = 0.1, answer_words: int = 100
) -> pa.RecordBatch:
    """Return a row for each text and part of an item found in it, in the order of texts, sets and items, question before answer.

    Columns: row int32; benchmark, item, part; overlap float32: share of the part's n-grams, by weight, that the text has; of a question
    shorter than n words, its words over n; of short answers near the question, 1 for the right one, else the share that is there;
    ngrams int32: how many; span_begin, span_end int64: bytes from the first to the last of them.

    Args:
        least_overlap: of what is recorded.
        answer_words: how far from the question short answers are looked for, words.
    """
    data, offsets = text_buffers(texts)
    tables, words = fold_tables(), make_words(int(np.diff(offsets).max(initial=0)))
    grams = Grams(
        index.ngram_words * WORD_WEIGHT,
        powers(index.ngram_words),
        index.ngrams,
        index.ngram_weights,
        index.anchors,
        index.shorts,
        answer_words * WORD_WEIGHT,
    )
    flags = np.zeros(len(offsets) - 1, np.uint8)
    flag_texts(data, offsets, tables, words, grams, flags)
    flagged = np.flatnonzero(flags).tolist()
    rows: list[tuple[int, int, str, float, int, int, int]] = []
    if flagged:
        counts = _make_counts(index)
        percent = round(100 * least_overlap)
        for stamp, row in enumerate(flagged, 1):
            begin, end = int(offsets[row]), int(offsets[row + 1])
            n = count_text(
                data, begin, end, tables, words, grams, index.answers, index.unit_total, percent, stamp, counts
            )
            rows += [(row, *match) for match in _matches(counts.found[:n], index, least_overlap)]
    return _batch(rows, index)


def _make_counts(index: ContaminationIndex) -> Counts:
    n = len(index.unit_total)
    stamps, row, places, first, last = (np.zeros(n, np.int32) for _ in range(5))
    found = np.empty((n, len(FOUND_COLUMNS)), np.int64)
    return Counts(np.zeros(len(index.ngram_weights), np.int32), stamps, row, places, first, last, found)


def _matches(
    found: npt.NDArray[np.int64], index: ContaminationIndex, least_overlap: float
) -> list[tuple[int, str, float, int, int, int]]:
    """Return what of one text is recorded: item, part, overlap, n-grams, begin, end; by item, question before answer."""
    # Whole numbers, divided once: the order of adding cannot change the last bit.
    short = index.unit_weight[found[:, 0]]
    full = index.ngram_words * WORD_WEIGHT
    overlaps = np.where(short > 0, short / full, found[:, 1] / index.unit_total[found[:, 0]])
    parts: dict[tuple[int, int], _Match] = {}
    for place in np.flatnonzero(overlaps >= least_overlap).tolist():
        unit, _, ngrams, begin, end, right, several, weight, answer_begin, answer_end = found[place].tolist()
        item, part = item_of(unit), part_of(unit)
        answered = 0.0
        if several:
            answered = 1.0 if right and index.item_known[item] else several / int(index.item_answers[item])
        match = _Match(
            unit=unit,
            overlap=float(overlaps[place]),
            ngrams=ngrams,
            begin=begin,
            end=end,
            answered=answered,
            answer_weight=weight + int(index.unit_weight[unit]) if not index.unit_alone[unit] else -1,
            answer_begin=answer_begin,
            answer_end=answer_end,
        )
        known = parts.get((item, part))
        # The better reading counts: of equal ones the one with the answer, then the first, which has the smaller number.
        rank = (match.overlap, match.answered, -unit)
        if known is None or rank > (known.overlap, known.answered, -known.unit):
            parts[item, part] = match
    rows = []
    for item in sorted({item for item, _ in parts}):
        question, answer = parts.get((item, QUESTION_PART)), parts.get((item, ANSWER_PART))
        best = max(question.answered if question else 0.0, answer.overlap if answer else 0.0)
        if question is not None and not _convicts(question, best, answer is not None):
            question = None
        if question is not None:
            rows.append((item, QUESTION, question.overlap, question.ngrams, question.begin, question.end))
        if (
            question is not None
            and question.answered >= least_overlap
            and (answer is None or question.answered > answer.overlap)
        ):
            rows.append((item, ANSWER, question.answered, 1, question.answer_begin, question.answer_end))
        elif answer is not None:
            rows.append((item, ANSWER, answer.overlap, answer.ngrams, answer.begin, answer.end))
    return rows


def _convicts(question: _Match, answered: float, has_ngrams: bool) -> bool:
    """Return whether a question counts: by itself, or with enough of an answer."""
    if question.answer_weight < 0:
        return True
    enough = has_ngrams or question.answer_weight >= LEAST_EVIDENCE * WORD_WEIGHT
    return answered >= _ANSWERED and enough


def _batch(rows: list[tuple[int, int, str, float, int, int, int]], index: ContaminationIndex) -> pa.RecordBatch:
    columns: list[list[object]] = [list(column) for column in zip(*rows, strict=True)] if rows else [[]] * 7
    row, item, part, overlap, ngrams, begin, end = columns
    sets = [index.sets[index.item_set[number]] for number in item]  # type: ignore[call-overload]  # numbers of items
    names = [index.items[number] for number in item]  # type: ignore[call-overload]  # numbers of items
    arrays = [row, sets, names, part, overlap, ngrams, begin, end]
    return pa.RecordBatch.from_arrays(
        [pa.array(values, kind) for values, kind in zip(arrays, _COLUMNS.types, strict=True)], schema=_COLUMNS
    )
