"""Cutting a text into tokens and lines: the one pass over the bytes that all signals share.

A *word* is a run of letters, combining marks, digits and other numbers; an apostrophe, underscore or geresh between two
word characters and a full stop or comma between two digits belong to it. Scripts without spaces are cut into units of
fixed length within a run of one script: 2 Han or Hiragana, 4 Katakana, Thai, Lao, Khmer or Burmese letters, each with
its marks. That is cheap and near the mean word of a dictionary segmenter, but no dictionary: a repeated passage that
starts at an odd place of its run is cut differently and its repetition is missed. Everything else that is no white
space is a *symbol token*: a run of one character, marks after it swallowed.

>>> [token for token, _ in cut_text("It's 3.5 km -- 東京都です!!")]
["It's", '3.5', 'km', '--', '東京', '都', 'です', '!!']
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from headwater.filters.characters import (
    DIGIT,
    HAN,
    JOINER,
    KATAKANA,
    LETTER,
    MARK,
    NEWLINE,
    NUMERIC_JOINER,
    SPACE,
    character_classes,
    decode_point,
)

__all__ = [
    "ALPHA",
    "HASH_SEED",
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

WORD: Final = 1
"""Bit of a token's kind: it is a word, not a run of symbols."""
ALPHA: Final = 2
"""Bit of a token's kind: it has a letter."""
SPACED: Final = 4
"""Bit of a token's kind: white space or the begin of the text is before it."""

HASH_SEED: Final = 0xCBF29CE484222325
_HASH_FACTOR: Final = 0x9E3779B97F4A7C15


class Pieces(NamedTuple):
    """Tokens and lines of one text; arrays are reused from text to text and hold more than the current one.

    Attributes:
        hashes: uint64, a token's 64-bit hash.
        sizes: int32, a token's chars (for symbols without swallowed marks).
        points: int32, a token's first code point.
        begins: int64, a token's first byte.
        kinds: uint8, bits WORD, ALPHA, SPACED.
        line_begins: int64, a line's first byte.
        line_tokens: int64, a line's first token; one more entry than lines.
        line_chars: int64, a line's chars without its newline.
        classes: int64 (16,), chars of each class of `characters`.
        totals: int64 (4,): tokens, lines, chars, chars of the longest run without white space.
    """

    hashes: npt.NDArray[np.uint64]
    sizes: npt.NDArray[np.int32]
    points: npt.NDArray[np.int32]
    begins: npt.NDArray[np.int64]
    kinds: npt.NDArray[np.uint8]
    line_begins: npt.NDArray[np.int64]
    line_tokens: npt.NDArray[np.int64]
    line_chars: npt.NDArray[np.int64]
    classes: npt.NDArray[np.int64]
    totals: npt.NDArray[np.int64]


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
        classes=np.zeros(16, np.int64),
        totals=np.zeros(4, np.int64),
    )


@njit(cache=True, nogil=True)
def step_hash(value: np.uint64, point: int) -> np.uint64:
    """Return the running hash of a token after one more code point."""
    value = (value ^ np.uint64(point)) * np.uint64(_HASH_FACTOR)
    return value ^ (value >> np.uint64(32))


@njit(cache=True, nogil=True)
def mix(value: np.uint64) -> np.uint64:
    """Return the finished hash: every bit of it depends on every bit of `value` (the finalizer of splitmix64)."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@njit(cache=True, nogil=True)
def cut_tokens(
    data: npt.NDArray[np.uint8], begin: int, end: int, classes: npt.NDArray[np.uint8], pieces: Pieces
) -> None:
    """Fill `pieces` with the tokens and lines of the bytes [begin, end) of `data`.

    Cost: one step a code point, whatever the text; memory is `pieces`.
    """
    counts = pieces.classes
    counts[:] = 0
    n_tokens, n_lines, chars = 0, 0, 0
    line_chars_before, run_chars_before, longest = 0, 0, 0
    spaced = np.uint8(SPACED)
    pieces.line_begins[0] = begin
    pieces.line_tokens[0] = 0
    at = begin
    while at < end:
        point, width = decode_point(data, at, end)
        kind = classes[point]
        if kind in (SPACE, NEWLINE):
            longest = max(longest, chars - run_chars_before)
            if kind == NEWLINE:
                pieces.line_chars[n_lines] = chars - line_chars_before
                n_lines += 1
                pieces.line_begins[n_lines] = at + 1
                pieces.line_tokens[n_lines] = n_tokens
                line_chars_before = chars + 1
            counts[kind] += 1
            chars += 1
            run_chars_before = chars
            spaced = np.uint8(SPACED)
            at += width
            continue
        token_begin = at
        first = point
        value = np.uint64(HASH_SEED)
        size = 0
        bits = spaced
        spaced = np.uint8(0)
        if kind >= HAN:  # a unit of a script without spaces
            bits |= np.uint8(WORD | ALPHA)
            letters = 0
            limit = 4 if kind >= KATAKANA else 2
            script = kind
            while True:
                if kind == script:
                    letters += 1
                value = step_hash(value, point)
                counts[kind] += 1
                size += 1
                at += width
                if at >= end:
                    break
                point, width = decode_point(data, at, end)
                kind = classes[point]
                if not (kind == MARK or (kind == script and letters < limit)):
                    break
            chars += size
        elif kind >= MARK:  # a word of a script with spaces
            bits |= np.uint8(WORD)
            while True:
                if kind == LETTER:
                    bits |= np.uint8(ALPHA)
                value = step_hash(value, point)
                counts[kind] += 1
                size += 1
                at += width
                if at >= end:
                    break
                before = kind
                point, width = decode_point(data, at, end)
                kind = classes[point]
                if MARK <= kind <= LETTER:
                    continue
                if not (kind == JOINER or (kind == NUMERIC_JOINER and before == DIGIT)) or at + width >= end:
                    break
                after = classes[decode_point(data, at + width, end)[0]]
                if not (after == DIGIT or (kind == JOINER and DIGIT <= after <= LETTER)):
                    break
            chars += size
        else:  # a run of one symbol
            while True:
                if kind != MARK:
                    size += 1
                counts[kind] += 1
                chars += 1
                at += width
                if at >= end:
                    break
                point, width = decode_point(data, at, end)
                kind = classes[point]
                if not (point == first or kind == MARK):
                    break
            value = step_hash(step_hash(value, first), -size)
        pieces.hashes[n_tokens] = mix(value)
        pieces.sizes[n_tokens] = size
        pieces.points[n_tokens] = first
        pieces.begins[n_tokens] = token_begin
        pieces.kinds[n_tokens] = bits
        n_tokens += 1
    longest = max(longest, chars - run_chars_before)
    if end > pieces.line_begins[n_lines]:
        pieces.line_chars[n_lines] = chars - line_chars_before
        n_lines += 1
    pieces.line_tokens[n_lines] = n_tokens
    pieces.totals[0] = n_tokens
    pieces.totals[1] = n_lines
    pieces.totals[2] = chars
    pieces.totals[3] = longest


def hash_word(word: str) -> int:
    """Return the hash that `cut_tokens` gives a token of these characters, were it one token.

    >>> hash_word("water") == cut_text("cold water")[1][1]
    True
    """
    value = np.uint64(HASH_SEED)
    for character in word:
        value = np.uint64(step_hash(value, ord(character)))  # compiled code hands back a plain int
    return int(mix(value))


def cut_text(text: str) -> list[tuple[str, int]]:
    """Return the tokens of one text and their 64-bit hashes; for word lists, tests and a look at the definition."""
    data = np.frombuffer(text.encode(), np.uint8)
    pieces = make_pieces(len(data))
    cut_tokens(data, 0, len(data), character_classes(), pieces)
    begins = pieces.begins[: pieces.totals[0]].tolist()
    ends = [*begins[1:], len(data)]
    return [
        (bytes(data[begin:end]).decode().rstrip(), int(value))
        for begin, end, value in zip(begins, ends, pieces.hashes[: len(begins)], strict=True)
    ]
