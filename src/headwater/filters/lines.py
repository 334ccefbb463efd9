"""Measures of the lines and paragraphs of a text, over the tokens that `words` cut.

Two lines are equal when their tokens and the widths of the white space between them are: which white space it is, and
white space at the end, do not count. A paragraph is a run of filled lines; blank lines part paragraphs, also when they
hold spaces (datatrove: only empty ones).
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.filters.kernel import kernel
from headwater.filters.ngram_repetition import Numbering, sum_repeats
from headwater.filters.phrases import POLICY, find_phrase
from headwater.filters.symbols import ends_alone, is_closing_quote, is_terminal, opens_dialogue
from headwater.filters.words import ALPHA, HASH_SEED, SPACED, WORD, Pieces, hash_word, mix, step_hash

__all__ = ["LINE_MEASURES", "is_code_line", "measure_lines"]

LINE_MEASURES: Final = (
    "filled",
    "bullets",
    "ellipses",
    "unterminated",
    "punctuated",
    "under_3_words",
    "at_most_30_chars",
    "policy",
    "lorem_ipsum",
    "sentences",
    "indented",
    "code",
    "dialogue",
    "numbered",
    "equal_lines",
    "equal_lines_chars",
    "paragraphs",
    "equal_paragraphs",
    "equal_paragraphs_chars",
)
"""What `measure_lines` writes, in order."""

_CODE_WORDS: Final = (
    "def class return import from if else elif for while try except with func fn function let const var int void "
    "public private protected static struct package use include define end echo print self case switch break continue "
    "elsif raise throw catch namespace template export async await yield lambda type enum impl interface"
)
_CODE_KEYS: Final = np.sort(np.array([hash_word(word) for word in _CODE_WORDS.split()], np.uint64))


@kernel
def _is_code_mark(point: int) -> bool:
    return point in (0x28, 0x29, 0x5B, 0x5D, 0x7B, 0x7D, 0x3D, 0x3B, 0x5F, 0x3C, 0x3E, 0x26, 0x7C, 0x40, 0x2B, 0x2A)


@kernel
def is_code_line(pieces: Pieces, first: int, last: int, indented: bool) -> bool:
    """Tell whether the filled line of the tokens [first, last) looks like source code: 2 points or more.

    2 points: it ends in { or }. 1 point each: it ends in ; ( [ or :, the last two only with a bracket or a code
    word; a quarter of its tokens or more are marks of code, ( ) [ ] { } = ; _ < > & | @ + *; it opens with a code word;
    it is indented. No points for lines that open with a bullet, a backslash or a bar: lists, LaTeX, tables.
    """
    opening = pieces.points[first]
    if opening in (0x2D, 0x2A, 0x5C, 0x7C, 0x2022, 0x23):
        return False
    marks = 0
    for i in range(first, last):
        if not pieces.kinds[i] & WORD and _is_code_mark(pieces.points[i]):
            marks += 1
    closing = pieces.points[last - 1]
    if pieces.kinds[last - 1] & WORD:
        closing = 0
    points = 0
    key = pieces.hashes[first]
    slot = np.searchsorted(_CODE_KEYS, key)
    keyword = slot < len(_CODE_KEYS) and _CODE_KEYS[slot] == key
    if closing in (0x7B, 0x7D):
        points += 2
    elif closing == 0x3B or (closing in (0x28, 0x5B, 0x3A) and (keyword or marks > 0)):
        points += 1
    if 4 * marks >= last - first:
        points += 1
    if keyword:
        points += 1
    if indented:
        points += 1
    return points >= 2 and (marks > 0 or keyword)


@kernel
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


@kernel
def measure_lines(
    data: npt.NDArray[np.uint8],
    begin: int,
    end: int,
    pieces: Pieces,
    room: Numbering,
    sizes: npt.NDArray[np.int64],
    paragraphs: npt.NDArray[np.uint64],
    found: npt.NDArray[np.int64],
) -> None:
    """Write the counts of `LINE_MEASURES` for one text to `found`.

    `room` (its keys and numbers are overwritten), `sizes` and `paragraphs` are scratch for as many entries as lines.
    Cost: one step a token and a line, and the search for phrases over the bytes.
    """
    found[:] = 0
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
        policy = False
        while hit < line_end:
            if hit >= line_begin and hit_kind == POLICY:
                policy = True
            elif hit >= line_begin and hit_kind:
                found[8] = 1
            hit, hit_kind = find_phrase(data, max(hit + 1, line_begin), line_begin, end)
            if not hit_kind:
                hit = end
                break
        value = np.uint64(HASH_SEED)
        words = 0
        for i in range(first, last):
            value = step_hash(value ^ pieces.hashes[i], pieces.begins[i] - line_begin)
            words += pieces.kinds[i] & WORD
        value = mix(value)
        chars = pieces.line_chars[line]
        room.keys[filled] = value
        sizes[filled] = chars
        filled += 1
        paragraph = step_hash(paragraph ^ value, 1) if paragraph_chars else value
        paragraph_chars += chars + 1

        closing = pieces.points[last - 1]
        symbol = not pieces.kinds[last - 1] & WORD
        ellipsis = symbol and (closing == 0x2026 or (closing == 0x2E and pieces.sizes[last - 1] >= 3))
        ended = symbol and (is_terminal(closing) or is_closing_quote(closing))
        opening = pieces.points[first]
        indented = pieces.begins[first] - line_begin >= 2 or data[line_begin] == 9
        found[1] += opening in (0x2022, 0x2D)
        found[2] += ellipsis
        found[3] += not ended or ellipsis
        found[4] += ended
        found[5] += words < 3
        found[6] += chars <= 30
        found[7] += policy
        if words >= 3 and not policy:
            found[9] += _count_sentences(pieces, first, last)
        found[10] += indented
        found[11] += is_code_line(pieces, first, last, indented)
        found[12] += opens_dialogue(opening)
        number = pieces.kinds[first] & (WORD | ALPHA) == WORD
        found[13] += number and last > first + 1 and pieces.points[first + 1] in (0x2E, 0x29, 0x3A)
    if paragraph_chars:
        paragraphs[n_paragraphs] = mix(paragraph)
        pieces.line_chars[n_paragraphs] = paragraph_chars - 1
        n_paragraphs += 1
    found[0] = filled
    found[14], found[15] = sum_repeats(room.keys, sizes, filled, room)
    found[16] = n_paragraphs
    found[17], found[18] = sum_repeats(paragraphs, pieces.line_chars, n_paragraphs, room)
