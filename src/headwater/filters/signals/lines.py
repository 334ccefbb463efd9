"""Measures of the lines and paragraphs of a text, over the tokens that `words` cut.

Two lines are equal when their tokens and the widths of the white space between them are: which white space it is, and
white space at the end, do not count. A paragraph is a run of filled lines; blank lines part paragraphs, also when they
hold spaces (datatrove: only empty ones).
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.filters.signals import counts
from headwater.filters.signals.line_rules import (
    C4_REMOVED,
    COUNTER,
    ELLIPSIS,
    ENDED,
    NUMERIC,
    ONE_WORD,
    REFINEDWEB_REMOVED,
    SHORT_PHRASE,
    UPPERCASE,
    judge_line,
    read_phrases,
)
from headwater.filters.signals.repetition import Numbering, sum_repeats
from headwater.filters.text.compile import inlined, kernel
from headwater.filters.text.symbols import ends_alone, is_bullet, is_closing_quote, is_terminal, opens_dialogue
from headwater.filters.words.cut import ALPHA, HASH_SEED, SPACED, WORD, Pieces, hash_word, mix, step_hash

__all__ = ["is_code_line", "measure_lines"]

_CODE_WORDS: Final = (
    "def class return import from if else elif for while try except with func fn function let const var int void "
    "public private protected static struct package use include define end echo print self case switch break continue "
    "elsif raise throw catch namespace template export async await yield lambda type enum impl interface"
)
_CODE_SLOTS: Final = 1024


def _code_tables() -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint8]]:
    # hashes of the code words, each at its low bits or the next free slot; 1 at the code point of a mark of code
    keys = np.zeros(_CODE_SLOTS, np.uint64)
    for word in _CODE_WORDS.split():
        slot = hash_word(word) % _CODE_SLOTS
        while keys[slot]:
            slot = (slot + 1) % _CODE_SLOTS
        keys[slot] = hash_word(word)
    marks = np.zeros(128, np.uint8)
    marks[[ord(mark) for mark in "()[]{}=;_<>&|@+*"]] = 1
    return keys, marks


_CODE_KEYS, _CODE_MARKS = _code_tables()


@inlined
def _is_code_word(key: np.uint64) -> bool:
    slot = key & np.uint64(_CODE_SLOTS - 1)
    while _CODE_KEYS[slot] and _CODE_KEYS[slot] != key:
        slot = (slot + np.uint64(1)) & np.uint64(_CODE_SLOTS - 1)
    return bool(_CODE_KEYS[slot] == key)


@inlined
def is_code_line(pieces: Pieces, first: int, last: int, indented: bool) -> bool:
    """Tell whether the filled line of the tokens [first, last) looks like source code: 2 points or more.

    2 points: it ends in { or }. 1 point each: it ends in ; ( [ or :, the last two only with a bracket or a code
    word; a quarter of its tokens or more are marks of code, ( ) [ ] { } = ; _ < > & | @ + *; it opens with a code word;
    it is indented. No points for lines that open with a bullet, a backslash or a bar: lists, LaTeX, tables.
    """
    opening = pieces.points[first]
    if opening in (0x2D, 0x2A, 0x5C, 0x7C, 0x2022, 0x23):
        return False
    closing = pieces.points[last - 1]
    if pieces.kinds[last - 1] & WORD:
        closing = 0
    keyword = _is_code_word(pieces.hashes[first])
    points = int(keyword) + int(indented)
    if closing in (0x7B, 0x7D):
        points += 2
    elif points == 0 and closing not in (0x3B, 0x28, 0x5B, 0x3A):
        return False  # at most the point for marks, as in most prose
    marks = 0
    for i in range(first, last):  # no word begins with a mark of code
        point = pieces.points[i]
        marks += _CODE_MARKS[np.uint64(point & 127)] if point < 128 else 0
    if closing == 0x3B or (closing in (0x28, 0x5B, 0x3A) and (keyword or marks > 0)):
        points += 1
    if 4 * marks >= last - first:
        points += 1
    return points >= 2 and (marks > 0 or keyword)


@inlined
def _count_sentences(pieces: Pieces, first: int, last: int) -> int:
    """Sentences in one line: after . ! ? … comes white space, a closing quote or the end; other marks end alone."""
    sentences = 0
    open_words = False
    for i in range(first, last):
        if pieces.kinds[i] & WORD:
            open_words = True
        elif open_words and is_terminal(pieces.points[i]):
            closed = i + 1 == last or pieces.kinds[i + 1] & SPACED or ends_alone(pieces.points[i])
            if closed or is_closing_quote(pieces.points[i + 1]):
                sentences += 1
                open_words = False
    return sentences + 1 if open_words else sentences


@inlined
def _hash_line(pieces: Pieces, first: int, last: int, line_begin: int) -> np.uint64:
    """Return the hash of a line's tokens and of the widths of the white space between them."""
    value = np.uint64(HASH_SEED)
    for i in range(first, last):
        value = step_hash(value ^ pieces.hashes[i], pieces.begins[i] - line_begin)
    return mix(value)


@inlined
def _count_rules(judged: int, words: int, chars: int, found: npt.NDArray[np.int64]) -> None:
    """Count a line under the rules that it falls under."""
    found[counts.ELLIPSIS_LINES] += (judged & ELLIPSIS) != 0
    found[counts.UNTERMINATED_LINES] += judged & (ENDED | ELLIPSIS) != ENDED
    found[counts.PUNCTUATED_LINES] += judged & ENDED
    if judged & C4_REMOVED:
        found[counts.C4_REMOVED_LINES] += 1
        found[counts.C4_REMOVED_CHARS] += chars
    if judged & REFINEDWEB_REMOVED:
        found[counts.UPPERCASE_LINES] += (judged & UPPERCASE) != 0
        found[counts.NUMERIC_LINES] += (judged & NUMERIC) != 0
        found[counts.COUNTER_LINES] += (judged & COUNTER) != 0
        found[counts.ONE_WORD_LINES] += (judged & ONE_WORD) != 0
        found[counts.SHORT_PHRASE_LINES] += (judged & SHORT_PHRASE) != 0
        found[counts.REFINEDWEB_REMOVED_WORDS] += words


@kernel
def measure_lines(
    data: npt.NDArray[np.uint8],
    classes: npt.NDArray[np.uint8],
    begin: int,
    end: int,
    pieces: Pieces,
    room: Numbering,
    sizes: npt.NDArray[np.int64],
    paragraphs: npt.NDArray[np.uint64],
    found: npt.NDArray[np.int64],
    shares: npt.NDArray[np.float64],
) -> None:
    """Write the counts of one text's lines to `found`, each in its place of `counts`.

    `shares`: the sums over lines of the share of a line's chars that are letters of upper case, and numbers.
    `room` (its keys and numbers are overwritten), `sizes` and `paragraphs` are scratch for as many entries as lines.
    Cost: one step a token and a line, and the search for phrases over the bytes.
    """
    found[:] = 0
    shares[:] = 0.0
    n_lines = pieces.totals[1]
    filled, n_paragraphs = 0, 0
    hit, hit_kind = begin - 1, 0
    paragraph, paragraph_chars = np.uint64(0), 0
    for line in range(n_lines):
        first, last = pieces.line_tokens[line], pieces.line_tokens[line + 1]
        if first == last:
            if paragraph_chars:
                paragraphs[n_paragraphs] = mix(paragraph)
                pieces.line_chars[n_paragraphs] = paragraph_chars - 1  # entries of lines already read
                n_paragraphs += 1
                paragraph_chars = 0
            continue
        line_begin = pieces.line_begins[line]
        line_end = pieces.line_begins[line + 1] if line + 1 < n_lines else end
        n_policy, n_javascript, n_lorem, cart, hit, hit_kind = read_phrases(
            data, line_begin, line_end, end, hit, hit_kind
        )
        policy = n_policy + n_javascript > 0
        judged = judge_line(data, classes, pieces, line, line_end, policy, cart)
        value = _hash_line(pieces, first, last, line_begin)
        words, chars = pieces.line_words[line], pieces.line_chars[line]
        room.keys[filled] = value
        sizes[filled] = chars
        filled += 1
        paragraph = step_hash(paragraph ^ value, 1) if paragraph_chars else value
        paragraph_chars += chars + 1
        shares[counts.UPPER_SHARES] += pieces.line_uppers[line] / chars
        shares[counts.NUMBER_SHARES] += pieces.line_digits[line] / chars

        opening = pieces.points[first]
        closing = pieces.points[last - 1]
        indented = pieces.begins[first] - line_begin >= 2 or data[line_begin] == 9
        _count_rules(judged, words, chars, found)
        found[counts.BULLET_LINES] += opening in (0x2022, 0x2D)
        found[counts.LINES_UNDER_3_WORDS] += words < 3
        found[counts.LINES_UP_TO_30_CHARS] += chars <= 30
        found[counts.POLICY_LINES] += policy
        found[counts.LOREM_IPSUMS] += n_lorem
        if words >= 3 and not policy:
            found[counts.LINE_SENTENCES] += _count_sentences(pieces, first, last)
        found[counts.INDENTED_LINES] += indented
        found[counts.CODE_LINES] += is_code_line(pieces, first, last, indented)
        found[counts.DIALOGUE_LINES] += opens_dialogue(opening)
        number = pieces.kinds[first] & (WORD | ALPHA) == WORD
        found[counts.NUMBERED_LINES] += number and last > first + 1 and pieces.points[first + 1] in (0x2E, 0x29, 0x3A)
        found[counts.LINES_FROM_200_CHARS] += chars >= 200
        found[counts.JAVASCRIPTS] += n_javascript
        found[counts.ROUND_BULLET_LINES] += is_bullet(opening)
        found[counts.TERMINAL_LINES] += not pieces.kinds[last - 1] & WORD and (
            is_terminal(closing) or closing == 0x201D
        )
    if paragraph_chars:
        paragraphs[n_paragraphs] = mix(paragraph)
        pieces.line_chars[n_paragraphs] = paragraph_chars - 1
        n_paragraphs += 1
    found[counts.FILLED_LINES] = filled
    found[counts.EQUAL_LINES], found[counts.EQUAL_LINES_CHARS] = sum_repeats(room.keys, sizes, filled, room)
    found[counts.PARAGRAPHS] = n_paragraphs
    found[counts.EQUAL_PARAGRAPHS], found[counts.EQUAL_PARAGRAPHS_CHARS] = sum_repeats(
        paragraphs, pieces.line_chars, n_paragraphs, room
    )
