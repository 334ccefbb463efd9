"""Choosing the blocks of a page that are its main text: `choose_blocks`.

Boosted trees tell the kind of the page, then give each block a first answer, then, knowing all first answers, a second: the
probability that its words are main text. What is kept is the set of blocks for which the F1 of words is expected to be
greatest (those whose probability is at least half of it; Lewis 1995, "Evaluating and optimizing autonomous text classification
systems"), within limits. Why a block is left out is told by plain rules from its marks. All arithmetic is of the four operations, so bits
do not depend on the CPU nor on other pages.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.filters.html.boosted import add_margins, probability
from headwater.filters.html.choice_model import ChoiceModel, load_choice_model
from headwater.filters.html.element_marks import MARKS
from headwater.filters.html.features import FEATURES, BlockFeatures, measure_blocks
from headwater.filters.html.nodes import NodeTable
from headwater.filters.html.page_counts import find_slot
from headwater.filters.html.page_kind import PAGE_KINDS, page_row
from headwater.filters.html.second_features import ANSWERS, measure_answers
from headwater.filters.text.compile import kernel

__all__ = [
    "BOILERPLATE", "COMMENTS", "CONTROLS", "DUPLICATE", "HIDDEN", "KEPT", "NAVIGATION", "REASONS", "Choice", "choose_blocks",
    "keep_expected",
]  # fmt: skip

KEPT, NAVIGATION, BOILERPLATE, COMMENTS, HIDDEN, CONTROLS, DUPLICATE = range(7)
REASONS: Final = ("kept", "navigation", "boilerplate", "comments", "hidden", "controls", "duplicate")
"""Names of the reasons. controls: buttons, forms, labels; duplicate: the same text is kept elsewhere on the page."""

LEAST_LIMIT: Final = 0.15
MOST_LIMIT: Final = 0.5
_ANSWERS: Final = len(FEATURES) + len(PAGE_KINDS)
"""The column at which what the first answers say begins."""
_WORDS: Final = FEATURES.index("words")
_WIDE: Final = FEATURES.index("wide_share")
_LINKS: Final = FEATURES.index("link_share")


def _any(*names: str) -> np.uint64:
    return np.uint64(sum(1 << MARKS.index(name) for name in names))


_OF_COMMENTS: Final = _any("w_comment")
_OF_NAVIGATION: Final = _any("nav", "header", "footer", "aside", "w_nav", "w_related", "w_side", "w_share")
_OF_CONTROLS: Final = _any("button", "form", "label", "fieldset", "dialog", "w_login", "w_cookie", "w_modal")


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """What was chosen of a page.

    Attributes:
        keep: bool (blocks,).
        reason: uint8 (blocks,): KEPT, or why a block is left out.
        page_kind: one of PAGE_KINDS; "" for a page without blocks.
        answers: float32 (blocks,): the probability that a block's words are main text.
    """

    keep: npt.NDArray[np.bool_]
    reason: npt.NDArray[np.uint8]
    page_kind: str
    answers: npt.NDArray[np.float32]


def choose_blocks(html: npt.NDArray[np.uint8], table: NodeTable, model: ChoiceModel | None = None) -> Choice:
    """Return which blocks of a page are its main text.

    Args:
        html: the page's normal HTML, UTF-8, (bytes,).
        table: its nodes and blocks.
        model: another model than the shipped one.
    """
    model = load_choice_model() if model is None else model
    if not table.n_blocks:
        return Choice(
            keep=np.zeros(0, np.bool_), reason=np.zeros(0, np.uint8), page_kind="", answers=np.zeros(0, np.float32)
        )
    measured = measure_blocks(html, table, model.words, room=len(PAGE_KINDS) + len(ANSWERS))
    rows, kinds = measured.wide, _kinds(measured, model)
    rows[:, len(FEATURES) : _ANSWERS] = kinds
    first = _answers(rows, model.first.arrays)
    measure_answers(table, measured, first, rows[:, _ANSWERS:])
    answers = _answers(rows, model.second.arrays)
    keep = keep_expected(answers, block_words(measured))
    return Choice(
        keep=keep,
        reason=_reasons(table, measured, keep),
        page_kind=PAGE_KINDS[int(np.argmax(kinds))],
        answers=answers,
    )


def block_words(measured: BlockFeatures) -> npt.NDArray[np.float64]:
    """Return about how many words each block has; a word of scripts without spaces is taken to be two characters."""
    rows = measured.rows
    return rows[:, _WORDS].astype(np.float64) + rows[:, _WIDE].astype(np.float64) * rows[:, 0] / 2.0


def keep_expected(answers: npt.NDArray[np.float32], words: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Return which blocks to keep so that the expected F1 of words is greatest.

    >>> keep_expected(np.array([0.9, 0.3, 0.1], np.float32), np.array([100.0, 10.0, 50.0])).tolist()
    [True, False, False]
    """
    kept = np.zeros(len(answers), np.bool_)
    _keep(answers, words, np.argsort(-answers, kind="stable"), kept)
    return kept


@kernel
def _keep(
    answers: npt.NDArray[np.float32],
    words: npt.NDArray[np.float64],
    order: npt.NDArray[np.int64],
    kept: npt.NDArray[np.bool_],
) -> None:
    """Fill `kept`, given the blocks in order of their answers."""
    hits, sizes, most = 0.0, 0.0, 0.0
    for place in range(len(order)):
        number = order[place]
        hits += (words[number] + 0.01) * np.float64(answers[number])
    total = hits
    hits = 0.0
    for place in range(len(order)):
        number = order[place]
        size = words[number] + 0.01
        hits += size * np.float64(answers[number])
        sizes += size
        most = max(most, 2.0 * hits / (sizes + total))
    limit = min(max(most / 2.0, LEAST_LIMIT), MOST_LIMIT)
    for number in range(len(answers)):
        kept[number] = np.float64(answers[number]) >= np.float64(np.float32(limit))


def _kinds(measured: BlockFeatures, model: ChoiceModel) -> npt.NDArray[np.float32]:
    """Return the probability of each kind of page."""
    row = page_row(measured, model.tokens)
    odds = np.zeros(len(PAGE_KINDS), np.float64)
    for number, trees in enumerate(model.kinds):
        margin = np.zeros(1, np.float64)
        add_margins(row, *trees.arrays, margin)
        chance = probability(float(margin[0]))
        odds[number] = chance / (1.0 - chance)
    return (odds / odds.sum()).astype(np.float32)


@kernel
def _probabilities(margins: npt.NDArray[np.float64], out: npt.NDArray[np.float32]) -> None:
    for number in range(len(margins)):
        out[number] = probability(margins[number])


def _answers(
    rows: npt.NDArray[np.float32],
    trees: tuple[
        npt.NDArray[np.int64],
        npt.NDArray[np.int16],
        npt.NDArray[np.float32],
        npt.NDArray[np.int32],
        npt.NDArray[np.int32],
        npt.NDArray[np.float64],
    ],
) -> npt.NDArray[np.float32]:
    """Return the probabilities of rows."""
    margins, answers = np.zeros(len(rows), np.float64), np.zeros(len(rows), np.float32)
    add_margins(rows, *trees, margins)
    _probabilities(margins, answers)
    return answers


def _reasons(table: NodeTable, measured: BlockFeatures, keep: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    """Return KEPT, or why a block is left out: the first of the rules that holds."""
    reason = np.empty(table.n_blocks, np.uint8)
    texts = np.zeros(1 << (2 * table.n_blocks + 2).bit_length(), np.uint64)
    _fill_reasons(
        table.block_first, table.block_hidden, measured.marks, measured.hashes, measured.rows, keep, texts, reason
    )
    return reason


@kernel
def _fill_reasons(
    block_first: npt.NDArray[np.int32],
    block_hidden: npt.NDArray[np.uint8],
    marks: npt.NDArray[np.uint64],
    hashes: npt.NDArray[np.uint64],
    rows: npt.NDArray[np.float32],
    keep: npt.NDArray[np.bool_],
    texts: npt.NDArray[np.uint64],
    reason: npt.NDArray[np.uint8],
) -> None:
    """Fill `reason`; `texts` has room for the hashes of all kept texts in open addressing and is zeros before."""
    without = False  # a kept text's hash is 0
    for number in range(len(keep)):
        if keep[number]:
            without |= hashes[number] == 0
            texts[find_slot(texts, hashes[number])] = hashes[number]
    for number in range(len(keep)):
        mark, linked = marks[block_first[number]], rows[number, _LINKS] >= np.float32(0.6)
        controls = (mark & _OF_CONTROLS) != 0
        if keep[number]:
            reason[number] = KEPT
        elif block_hidden[number]:
            reason[number] = HIDDEN
        elif texts[find_slot(texts, hashes[number])] == hashes[number] and (hashes[number] != 0 or without):
            reason[number] = DUPLICATE
        elif (mark & _OF_COMMENTS) != 0 and not controls and not linked:
            reason[number] = COMMENTS
        elif controls:
            reason[number] = CONTROLS
        else:
            reason[number] = NAVIGATION if (mark & _OF_NAVIGATION) != 0 or linked else BOILERPLATE
