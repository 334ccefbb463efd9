"""Measures of how a text is made: marks, sentences, names, numbers; one pass over the tokens, line by line.

A *sentence* here ends at a terminal mark of any script and at the end of its line, and has a word: so that menus, verse and
lists show. (`rpv2_num_sentences` goes on over the end of a line.)
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.filters.signals import counts
from headwater.filters.signals.marks import DASH
from headwater.filters.text.characters import DIGIT, UPPER
from headwater.filters.text.compile import inlined, kernel
from headwater.filters.text.symbols import is_terminal
from headwater.filters.words.cut import SPACED, WORD, Pieces

__all__ = ["measure_structure"]

_HYPHEN: Final = 0x2D
_DOLLAR: Final = 0x24


@inlined
def _stands_alone(pieces: Pieces, i: int, last: int) -> bool:
    """Tell whether the token i has white space on both sides; the end of its line, `last`, is white space."""
    return bool(pieces.kinds[i] & SPACED) and (i + 1 == last or bool(pieces.kinds[i + 1] & SPACED))


@inlined
def _begins_with_digit(pieces: Pieces, classes: npt.NDArray[np.uint8], i: int) -> bool:
    return bool(classes[pieces.points[i]] == DIGIT)


@inlined
def _is_price(pieces: Pieces, classes: npt.NDArray[np.uint8], i: int, first: int, last: int) -> bool:
    """Tell whether the dollar sign i stands at a number: $5, 5$ and 5 $, not $x$ and $HOME."""
    before = i > first and _begins_with_digit(pieces, classes, i - 1)
    after = i + 1 < last and not pieces.kinds[i + 1] & SPACED and _begins_with_digit(pieces, classes, i + 1)
    return before or after


@inlined
def _is_address(pieces: Pieces, i: int, first: int, last: int) -> bool:
    """Tell whether the sign @ at i stands between two words, touching both."""
    return (
        pieces.sizes[i] == 1
        and first < i < last - 1
        and bool(pieces.kinds[i - 1] & WORD)
        and not pieces.kinds[i] & SPACED
        and bool(pieces.kinds[i + 1] & WORD)
        and not pieces.kinds[i + 1] & SPACED
    )


@kernel
def measure_structure(
    classes: npt.NDArray[np.uint8],
    mark_kinds: npt.NDArray[np.uint8],
    pieces: Pieces,
    found: npt.NDArray[np.int64],
    marks: npt.NDArray[np.int64],
) -> None:
    """Write the counts of one text to `found`, each in its place of `counts`, and to `marks` those of each kind of mark.

    Cost: a step a token.
    """
    found[:] = 0
    marks[:] = 0
    points, kinds, sizes = pieces.points, pieces.kinds, pieces.sizes
    sentences, squares = 0, 0
    with_digit, names = 0, 0
    last = 0
    for line in range(pieces.totals[1]):
        first, last = last, pieces.line_tokens[line + 1]
        length = 0
        for i in range(first, last):
            token = np.uint64(i)
            point = int(points[token])
            if kinds[token] & WORD:
                kind = classes[np.uint64(point)]
                with_digit += kind == DIGIT
                names += (kind == UPPER) & (length > 0)
                length += 1
                continue
            mark = mark_kinds[np.uint64(point)]
            if mark:
                if mark == DASH:
                    marks[DASH] += 1
                elif point != _DOLLAR or _is_price(pieces, classes, i, first, last):
                    marks[mark] += sizes[token]
            elif point == _HYPHEN:
                marks[DASH] += sizes[token] <= 2 and i > first and _stands_alone(pieces, i, last)
            elif point == 0x40:  # @
                found[counts.ADDRESSES] += _is_address(pieces, i, first, last)
            if is_terminal(point) and length:
                sentences += 1
                squares += length * length
                length = 0
        if length:
            sentences += 1
            squares += length * length
    found[counts.CLOSED_SENTENCES] = sentences
    found[counts.SENTENCE_SQUARES] = squares
    found[counts.NUMBERS] = with_digit
    found[counts.NAMES] = names
