"""What is measured of a line to tell noise from text: 19 whole numbers, of no language, over the tokens that `words` cut.

Whole numbers, so that no bit depends on a CPU: shares are in thousandths, rounded down. *Size* is chars that are no white
space, with a Chinese character as 3, a kana or a Korean syllable as 2: roughly the letters that say as much in Latin script.
Letters of scripts without capitals (`_has_case`) count for neither case.

Whether a line is noise shows in its neighbours as much as in itself. A *sound* line is one that alone looks like running
text: at least 50 in size and 7 words, and it ends as a sentence does; or 250 in size. `PREVIOUS_SOUND` and `NEXT_SOUND` say
how far the nearest is, up to 48.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.filters.text.characters import HAN, KATAKANA, UPPER
from headwater.filters.text.compile import inlined, plain
from headwater.filters.text.symbols import is_bracket_end, is_bullet, is_closing_quote, is_terminal, opens_dialogue
from headwater.filters.words.cut import ALPHA, WORD, Pieces

__all__ = ["FARTHEST", "FEATURES", "N_FEATURES", "is_sound", "measure_line"]

FEATURES: Final = (
    "size", "words", "uppers", "digits", "symbols", "word_size", "closing", "opening", "terminals", "commas", "separators",
    "capital_words", "lower_words", "number_words", "brackets", "colons", "addresses", "previous_sound", "next_sound",
)  # fmt: skip
"""Names of a line's numbers, in their places. Thousandths: uppers and digits of all its chars that are no white space,
symbols of its size, capital_words of its words with letters (-1 where it has none). word_size: tenths a word."""
N_FEATURES: Final = len(FEATURES)
(
    SIZE, WORDS, UPPERS, DIGITS, SYMBOLS, WORD_SIZE, CLOSING, OPENING, TERMINALS, COMMAS, SEPARATORS,
    CAPITAL_WORDS, LOWER_WORDS, NUMBER_WORDS, BRACKETS, COLONS, ADDRESSES, PREVIOUS_SOUND, NEXT_SOUND,
) = range(19)  # fmt: skip

FARTHEST: Final = 48
"""Lines to the nearest sound line, where it is farther away or there is none."""
_SOUND_SIZE: Final = 50
_SOUND_WORDS: Final = 7
_LONG_SIZE: Final = 250

_TERMINAL, _COMMA, _SEPARATOR, _BRACKET, _COLON, _AT = range(1, 7)
_N_MEANINGS: Final = 128

_OTHER_END, _WORD_END, _NUMBER_END, _BRACKET_END, _ELLIPSIS_END, _COLON_END, _SENTENCE_END, _COMMA_END = range(-1, 7)
_OTHER_START, _BULLET_START, _NUMBER_START, _SPEECH_START, _LOWER_START, _CAPITAL_START, _CASELESS_START = range(7)


@inlined
def _meaning_within(point: int) -> int:
    """Return what a symbol that ends no sentence counts as."""
    if point in (0x2C, 0x3001, 0x060C, 0xFF0C):
        return _COMMA
    if point in (0x7C, 0xBB, 0x203A, 0xB7, 0x2022, 0x3E, 0x2F, 0xAB, 0x2192):
        return _SEPARATOR
    if point in (0x28, 0x5B, 0x7B, 0xFF08):
        return _BRACKET
    if point in (0x3A, 0xFF1A):
        return _COLON
    return _AT if point == 0x40 else 0


@inlined
def _meaning(point: int) -> int:
    """Return what a symbol counts as."""
    return _TERMINAL if is_terminal(point) else _meaning_within(point)


_MEANINGS: Final = np.array(
    [_TERMINAL if plain(is_terminal)(point) else plain(_meaning_within)(point) for point in range(_N_MEANINGS)],
    np.uint8,
)


@inlined
def _has_case(point: int) -> bool:
    """Tell whether a letter is of a script with capitals: Latin, Greek, Cyrillic, Armenian."""
    return point < 0x0590 or 0x1E00 <= point < 0x2000


@inlined
def _width(kind: int, point: int) -> int:
    """Return what a character of a word counts: 3 of Han, 2 of kana and of Korean syllables, else 1."""
    if kind == HAN:
        return 3
    if HAN < kind <= KATAKANA or 0xAC00 <= point <= 0xD7A3:
        return 2
    return 1


@inlined
def _closing(pieces: Pieces, first: int, last: int) -> int:
    """Return what the line of the tokens [first, last) ends in."""
    kind, point, size = pieces.kinds[last - 1], pieces.points[last - 1], pieces.sizes[last - 1]
    if kind & WORD:
        return _WORD_END if kind & ALPHA else _NUMBER_END
    if point == 0x2026 or (point == 0x2E and size >= 3):
        return _ELLIPSIS_END
    if is_terminal(point):
        return _SENTENCE_END
    if point in (0x3A, 0xFF1A):
        return _COLON_END
    if point in (0x2C, 0x3001, 0x060C, 0xFF0C):
        return _COMMA_END
    if is_closing_quote(point):
        ended = last - 1 > first and not pieces.kinds[last - 2] & WORD and is_terminal(pieces.points[last - 2])
        return _SENTENCE_END if ended else _BRACKET_END
    return _BRACKET_END if is_bracket_end(point) else _OTHER_END


@inlined
def _opening(pieces: Pieces, classes: npt.NDArray[np.uint8], first: int) -> int:
    """Return what the line that begins with the token `first` begins with."""
    kind, point = pieces.kinds[first], pieces.points[first]
    if kind & WORD:
        if not kind & ALPHA:
            return _NUMBER_START
        if classes[point] == UPPER:
            return _CAPITAL_START
        return _LOWER_START if _has_case(point) else _CASELESS_START
    if point in (0x2D, 0x2A) or is_bullet(point):
        return _BULLET_START
    return _SPEECH_START if opens_dialogue(point) else _OTHER_START


@inlined
def measure_line(
    pieces: Pieces, classes: npt.NDArray[np.uint8], line: int, columns: npt.NDArray[np.int32], row: int
) -> None:
    """Write the numbers of the filled line number `line` to `columns[:, row]`, but the last two, which are other lines'."""
    sizes, points, kinds = pieces.sizes, pieces.points, pieces.kinds
    first, last = pieces.line_tokens[line], pieces.line_tokens[line + 1]
    chars, size, words, symbols = 0, 0, 0, 0
    terminals, commas, separators, brackets, colons, addresses = 0, 0, 0, 0, 0, 0
    capitals, numbers = 0, 0
    for i in range(first, last):
        token = np.uint64(i)  # an unsigned index: no look at negative ones
        length, point, kind = int(sizes[token]), int(points[token]), kinds[token]
        chars += length
        if kind & WORD:
            letter = classes[np.uint64(point)]
            size += length * _width(letter, point)
            words += 1
            numbers += kind & ALPHA == 0
            capitals += (letter == UPPER) & (kind & ALPHA != 0)
            continue
        size += length
        symbols += length
        meaning = _MEANINGS[np.uint64(point)] if point < _N_MEANINGS else _meaning(point)
        if meaning == _TERMINAL:
            terminals += 1
        elif meaning == _COMMA:
            commas += 1
        elif meaning == _SEPARATOR:
            separators += 1
        elif meaning == _BRACKET:
            brackets += 1
        elif meaning == _COLON:
            colons += 1
            addresses += i + 1 < last and points[i + 1] == 0x2F and sizes[i + 1] == 2
        elif meaning == _AT:
            addresses += 1
    word_size, lowers = size - symbols, words - numbers - capitals
    columns[SIZE, row], columns[WORDS, row] = size, words
    columns[UPPERS, row] = 1000 * pieces.line_uppers[line] // chars
    columns[DIGITS, row] = 1000 * pieces.line_digits[line] // chars
    columns[SYMBOLS, row] = 1000 * symbols // size
    columns[WORD_SIZE, row] = 10 * word_size // words if words else 0
    columns[CLOSING, row], columns[OPENING, row] = _closing(pieces, first, last), _opening(pieces, classes, first)
    columns[TERMINALS, row], columns[COMMAS, row], columns[SEPARATORS, row] = terminals, commas, separators
    columns[CAPITAL_WORDS, row] = 1000 * capitals // (capitals + lowers) if capitals + lowers else -1
    columns[LOWER_WORDS, row], columns[NUMBER_WORDS, row] = lowers, numbers
    columns[BRACKETS, row], columns[COLONS, row], columns[ADDRESSES, row] = brackets, colons, addresses


@inlined
def is_sound(columns: npt.NDArray[np.int32], row: int) -> bool:
    """Tell whether a line alone looks like running text."""
    size = columns[SIZE, row]
    ended = columns[CLOSING, row] == _SENTENCE_END and size >= _SOUND_SIZE and columns[WORDS, row] >= _SOUND_WORDS
    return bool(ended or size >= _LONG_SIZE)
