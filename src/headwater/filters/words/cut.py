"""Cutting a text into tokens and lines: the one pass over the bytes that all signals share.

A *word* is a run of letters, combining marks, digits and other numbers; an apostrophe, underscore or geresh between two
word characters and a full stop or comma between two digits belong to it. Within a run of Han and kana, or of Thai,
words begin where a learned table says so (`boundaries`), in Lao, Khmer and Burmese where a hash does, and none has
more than 16 letters. Korean is cut at its spaces. Everything else that is no white space is a *symbol token*: a run of
one character, marks after it swallowed.

>>> [token for token, _ in cut_text("It's 3.5 km -- 東京都です!!")]
["It's", '3.5', 'km', '--', '東京', '都', 'です', '!!']
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from headwater.filters.text.characters import (
    DIGIT,
    HAN,
    JOINER,
    LETTER,
    MARK,
    NEWLINE,
    NUMBER,
    NUMERIC_JOINER,
    SPACE,
    THAI,
    UNSEGMENTED,
    UPPER,
    character_classes,
    decode_point,
)
from headwater.filters.text.compile import kernel
from headwater.filters.text.word_hash import HASH_SEED, hash_characters, mix, step_hash
from headwater.filters.words.boundaries import Boundaries, load_boundaries
from headwater.filters.words.runs import ALPHA, CAPITALS, MIXED, SPACED, WORD, cut_run, cut_unlearned

__all__ = [
    "ALPHA",
    "CAPITALS",
    "HASH_SEED",
    "MIXED",
    "SPACED",
    "WORD",
    "Pieces",
    "cut_text",
    "cut_tokens",
    "hash_word",
    "make_pieces",
    "mix",
    "step_hash",
]

_TATWEEL: Final = 0x640  # stretches an Arabic word: a letter that lists leave out, as they do marks


class Pieces(NamedTuple):
    """Tokens and lines of one text; arrays are reused from text to text and hold more than the current one.

    Attributes:
        hashes: uint64, a token's 64-bit hash.
        sizes: int32, a token's chars (for symbols without swallowed marks).
        points: int32, a token's first code point.
        begins: int64, a token's first byte.
        kinds: uint8, bits WORD, ALPHA, SPACED, CAPITALS, MIXED.
        line_begins: int64, a line's first byte.
        line_tokens: int64, a line's first token; one more entry than lines.
        line_chars: int64, a line's chars without its newline.
        line_words: int32, a line's words.
        line_uppers: int32, a line's letters of upper case.
        line_digits: int32, a line's digits and other numbers.
        classes: int64 (16,), chars of each class of `characters`.
        totals: int64 (4,): tokens, lines, chars, chars of the longest run without white space.
        boundaries: where words begin in scripts without spaces; shared by all texts, read only.
    """

    hashes: npt.NDArray[np.uint64]
    sizes: npt.NDArray[np.int32]
    points: npt.NDArray[np.int32]
    begins: npt.NDArray[np.int64]
    kinds: npt.NDArray[np.uint8]
    line_begins: npt.NDArray[np.int64]
    line_tokens: npt.NDArray[np.int64]
    line_chars: npt.NDArray[np.int64]
    line_words: npt.NDArray[np.int32]
    line_uppers: npt.NDArray[np.int32]
    line_digits: npt.NDArray[np.int32]
    classes: npt.NDArray[np.int64]
    totals: npt.NDArray[np.int64]
    boundaries: Boundaries


def make_pieces(most_bytes: int) -> Pieces:
    """Return room for the tokens and lines of a text of at most `most_bytes`; pages are touched only when used."""
    n = most_bytes + 2
    return Pieces(
        hashes=np.empty(n, np.uint64),
        sizes=np.empty(n, np.int32),
        points=np.empty(n, np.int32),
        begins=np.empty(n, np.int64),
        kinds=np.empty(n, np.uint8),
        line_begins=np.empty(n, np.int64),
        line_tokens=np.empty(n, np.int64),
        line_chars=np.empty(n, np.int64),
        line_words=np.empty(n, np.int32),
        line_uppers=np.empty(n, np.int32),
        line_digits=np.empty(n, np.int32),
        classes=np.zeros(16, np.int64),
        totals=np.zeros(4, np.int64),
        boundaries=load_boundaries(),
    )


@kernel
def _cut_word(
    data: npt.NDArray[np.uint8], at: int, end: int, classes: npt.NDArray[np.uint8], counts: npt.NDArray[np.int64]
) -> tuple[np.uint64, int, int, int]:
    """Return hash, chars, end and bits ALPHA, CAPITALS and MIXED of the word of a script with spaces that begins at `at`."""
    value = np.uint64(HASH_SEED)
    letters, uppers, digits, marks, numbers, joiners, tatweels = 0, 0, 0, 0, 0, 0, 0
    kind = 0
    while at < end:
        byte = int(np.int64(data[np.uint64(at)]))
        while byte < 0x80:  # the letters and digits of ASCII, apart: no step waits for the width of the one before
            step = classes[np.uint64(byte)]
            if step >= LETTER:  # LETTER or UPPER: no branch for capitals
                letters += 1
                uppers += step - LETTER
            elif step == DIGIT:
                digits += 1
            else:
                break
            kind = int(np.int64(step))
            value = step_hash(value, byte)
            at += 1
            if at >= end:
                break
            byte = int(np.int64(data[np.uint64(at)]))
        if at >= end:
            break
        before = kind
        point = byte
        width = 1
        if point >= 0x80:
            point, width = decode_point(data, at, end)
        kind = int(np.int64(classes[np.uint64(point)]))
        if LETTER <= kind <= UPPER:
            letters += 1
            uppers += kind - LETTER
            tatweels += point == _TATWEEL
        elif kind == DIGIT:
            digits += 1
        elif kind == MARK:
            marks += 1
        elif kind == NUMBER:
            numbers += 1
        else:
            if not (kind == JOINER or (kind == NUMERIC_JOINER and before == DIGIT)) or at + width >= end:
                break
            after = classes[decode_point(data, at + width, end)[0]]
            if not (after == DIGIT or (kind == JOINER and DIGIT <= after <= UPPER)):
                break
            joiners += 1
        value = step_hash(value, point)
        at += width
    counts[LETTER] += letters - uppers
    counts[UPPER] += uppers
    counts[DIGIT] += digits
    counts[MARK] += marks
    counts[NUMBER] += numbers
    bits = (ALPHA if letters else 0) | (CAPITALS if uppers and uppers == letters else 0)
    bits |= MIXED if uppers | joiners | marks | tatweels else 0
    return value, letters + digits + marks + numbers + joiners, at, bits


@kernel
def _cut_symbol(
    data: npt.NDArray[np.uint8], at: int, end: int, classes: npt.NDArray[np.uint8], counts: npt.NDArray[np.int64]
) -> tuple[int, int, int]:
    """Return the length, the chars with swallowed marks, and the end of the run of one symbol that begins at `at`."""
    first, width = decode_point(data, at, end)
    size, n_chars = 1, 1
    at += width
    while at < end:
        byte = data[np.uint64(at)]
        if byte < 0x80:
            if byte != first:
                break
            size += 1
            n_chars += 1
            at += 1
            continue
        point, width = decode_point(data, at, end)
        if point == first:
            size += 1
        elif classes[np.uint64(point)] != MARK:
            break
        n_chars += 1
        at += width
    counts[classes[first]] += size
    counts[MARK] += n_chars - size
    return size, n_chars, at


@kernel
def cut_tokens(
    data: npt.NDArray[np.uint8], begin: int, end: int, classes: npt.NDArray[np.uint8], pieces: Pieces
) -> None:
    """Fill `pieces` with the tokens and lines of the bytes [begin, end) of `data`.

    Cost: one step a code point, whatever the text; memory is `pieces`.
    """
    # Arrays are taken out of the tuple once: Numba counts a reference, atomically, each time one is.
    hashes, sizes, points, begins, kinds = pieces.hashes, pieces.sizes, pieces.points, pieces.begins, pieces.kinds
    line_begins, line_tokens, line_chars = pieces.line_begins, pieces.line_tokens, pieces.line_chars
    line_words, line_uppers, line_digits = pieces.line_words, pieces.line_uppers, pieces.line_digits
    counts, boundaries = pieces.classes, pieces.boundaries
    counts[:] = 0
    n_tokens, n_words, n_lines, chars = 0, 0, 0, 0
    line_chars_before, run_chars_before, longest = 0, 0, 0
    words_before, uppers_before, digits_before = 0, 0, 0
    spaced = SPACED
    line_begins[0] = begin
    line_tokens[0] = 0
    at = begin
    while at < end:
        point = int(np.int64(data[np.uint64(at)]))  # unsigned index: no look at negative ones; signed value
        width = 1
        if point >= 0x80:
            point, width = decode_point(data, at, end)
        kind = int(np.int64(classes[np.uint64(point)]))
        if kind == SPACE or kind == NEWLINE:  # noqa: PLR1714, SIM109  (a tuple would be built for each character)
            longest = max(longest, chars - run_chars_before)
            if kind == NEWLINE:
                digits = counts[DIGIT] + counts[NUMBER]
                line_chars[n_lines] = chars - line_chars_before
                line_words[n_lines] = n_words - words_before
                line_uppers[n_lines] = counts[UPPER] - uppers_before
                line_digits[n_lines] = digits - digits_before
                n_lines += 1
                line_begins[n_lines] = at + 1
                line_tokens[n_lines] = n_tokens
                line_chars_before = chars + 1
                words_before, uppers_before, digits_before = n_words, counts[UPPER], digits
                counts[NEWLINE] += 1
            else:
                counts[SPACE] += 1
            chars += 1
            run_chars_before = chars
            spaced = SPACED
            at += width
            continue
        if HAN <= kind <= THAI:
            bits = spaced | WORD | ALPHA
            before = n_tokens
            n_tokens, at, size = cut_run(
                data, at, end, classes, boundaries, counts, hashes, sizes, points, begins, kinds, n_tokens, bits
            )
            n_words += n_tokens - before
            chars += size
            spaced = 0
            continue
        token = np.uint64(n_tokens)
        points[token] = point
        begins[token] = at
        if kind == UNSEGMENTED:
            value, size, at = cut_unlearned(data, at, end, classes, counts)
            bits = spaced | WORD | ALPHA
            n_words += 1
            chars += size
        elif kind >= MARK:
            value, size, at, bits = _cut_word(data, at, end, classes, counts)
            bits |= spaced | WORD
            n_words += 1
            chars += size
        else:
            size, n_chars, at = _cut_symbol(data, at, end, classes, counts)
            value = step_hash(step_hash(np.uint64(HASH_SEED), point), -size)
            bits = spaced
            chars += n_chars
        hashes[token] = mix(value)
        sizes[token] = size
        kinds[token] = bits
        spaced = 0
        n_tokens += 1
    longest = max(longest, chars - run_chars_before)
    if end > line_begins[n_lines]:
        line_chars[n_lines] = chars - line_chars_before
        line_words[n_lines] = n_words - words_before
        line_uppers[n_lines] = counts[UPPER] - uppers_before
        line_digits[n_lines] = counts[DIGIT] + counts[NUMBER] - digits_before
        n_lines += 1
    line_tokens[n_lines] = n_tokens
    pieces.totals[0] = n_tokens
    pieces.totals[1] = n_lines
    pieces.totals[2] = chars
    pieces.totals[3] = longest


def hash_word(word: str) -> int:
    """Return the hash that `cut_tokens` gives a token of these characters, were it one token.

    >>> hash_word("water") == cut_text("cold water")[1][1]
    True
    """
    return hash_characters(word)


def cut_text(text: str) -> list[tuple[str, int]]:
    """Return the tokens of one text and their 64-bit hashes; for word lists, tests and a look at the definition."""
    data = np.frombuffer(text.encode(), np.uint8)
    pieces = make_pieces(len(data))
    cut_tokens(data, 0, len(data), character_classes(), pieces)
    begins = pieces.begins[: pieces.totals[0]].tolist()
    ends = [*begins[1:], len(data)][: len(begins)]
    return [
        (bytes(data[begin:end]).decode().rstrip(), int(value))
        for begin, end, value in zip(begins, ends, pieces.hashes[: len(begins)], strict=True)
    ]
