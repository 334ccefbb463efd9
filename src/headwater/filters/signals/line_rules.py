"""The rules by which C4 and RefinedWeb remove single lines, for signals and for spans alike.

C4 (arXiv 1910.10683, section 2.2): a line goes that does not end in a terminal mark or closing quote or ends in an
ellipsis, has fewer than 3 words (the released code: 5), has a run of more than 1000 chars without white space, or has
"javascript" or a phrase of a policy notice.

RefinedWeb (arXiv 2306.01116, appendix G.2; figures as DCLM's configuration gives them): a line goes of whose chars more
than half are letters of upper case, that is all digits (a share above 0.999999), that is a counter ("3 likes"), that has
one word or none, or that has at most 10 words and begins with "sign-in", ends in "read more..." or has "items in cart".
RefinedWeb cuts only the phrase out of such a short line; here the line goes as a whole.

Blank lines are never removed: they are not lines of text. Words are those of `words`, so in scripts without spaces a line
of one unit has one word. Counters and phrases are English, as the publications are.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.filters.signals.phrases import CART, JAVASCRIPT, LOREM_IPSUM, POLICY, find_phrase, match_letters
from headwater.filters.text.characters import NEWLINE, SPACE, decode_point
from headwater.filters.text.compile import inlined, kernel
from headwater.filters.text.symbols import is_closing_quote, is_terminal
from headwater.filters.words.cut import SPACED, WORD, Pieces

__all__ = [
    "C4_REMOVED",
    "COUNTER",
    "ELLIPSIS",
    "ENDED",
    "NUMERIC",
    "ONE_WORD",
    "REFINEDWEB_REMOVED",
    "SHORT_PHRASE",
    "UPPERCASE",
    "judge_line",
    "read_phrases",
]

# Bits of what `judge_line` returns.
ENDED: Final = 1
"""The line ends in a terminal mark or closing quote of its script."""
ELLIPSIS: Final = 2
"""The line ends in ... or …."""
C4_REMOVED: Final = 4
"""C4's line rules remove it."""
UPPERCASE: Final = 8
NUMERIC: Final = 16
COUNTER: Final = 32
ONE_WORD: Final = 64
SHORT_PHRASE: Final = 128
REFINEDWEB_REMOVED: Final = UPPERCASE | NUMERIC | COUNTER | ONE_WORD | SHORT_PHRASE
"""The bits of RefinedWeb's five rules."""

_MIN_WORDS: Final = 3
_LONGEST_RUN: Final = 1000
_SHORT_LINE_WORDS: Final = 10
_COUNTED: Final = (
    b"likes",
    b"shares",
    b"comments",
    b"retweets",
    b"reposts",
    b"quotes",
    b"bookmarks",
    b"upvotes",
    b"downvotes",
    b"downloads",
    b"views",
    b"followers",
)
_COUNTED_LETTERS: Final = np.frombuffer(b"".join(_COUNTED), np.uint8)
_COUNTED_ENDS: Final = np.cumsum([len(word) for word in _COUNTED])
_SIGN_IN: Final = np.frombuffer(b"sign-in", np.uint8)
_READ_MORE: Final = np.frombuffer(b"read more...", np.uint8)


@inlined
def read_phrases(
    data: npt.NDArray[np.uint8], line_begin: int, line_end: int, end: int, hit: int, hit_kind: int
) -> tuple[int, int, int, bool, int, int]:
    r"""Count the phrases of the line [line_begin, line_end): policy, javascript, lorem ipsum, and whether a cart is there.

    `hit` and `hit_kind` are what the call for the line before returned last (at first: the begin of the text - 1, 0), so
    that a text of many lines is searched once up to `end`.

    >>> data = np.frombuffer(b"Hi\nWe use cookies, JavaScript", np.uint8)
    >>> read_phrases(data, 0, 3, len(data), -1, 0)
    (0, 0, 0, False, 13, 1)
    >>> read_phrases(data, 3, 29, len(data), 13, 1)
    (1, 1, 0, False, 29, 0)
    """
    policy, javascript, lorem, cart = 0, 0, 0, False
    while hit < line_end:
        if hit >= line_begin:
            policy += hit_kind == POLICY
            javascript += hit_kind == JAVASCRIPT
            lorem += hit_kind == LOREM_IPSUM
            if hit_kind == CART:
                cart = True
        hit, hit_kind = find_phrase(data, max(hit + 1, line_begin), line_begin, end)
    return policy, javascript, lorem, cart, hit, hit_kind


@kernel
def _has_long_run(data: npt.NDArray[np.uint8], classes: npt.NDArray[np.uint8], line_begin: int, line_end: int) -> bool:
    """Tell whether the line has more than 1000 chars in a row that are not white space."""
    run = 0
    at = line_begin
    while at < line_end:
        point, width = decode_point(data, at, line_end)
        run = 0 if SPACE <= classes[point] <= NEWLINE else run + 1
        if run > _LONGEST_RUN:
            return True
        at += width
    return False


@kernel
def _is_counter(
    data: npt.NDArray[np.uint8], classes: npt.NDArray[np.uint8], pieces: Pieces, first: int, last: int
) -> bool:
    """Tell whether the tokens [first, last) of a line of two words are a number and a counted thing, as in "1.2K views".

    As DCLM has it: a digit, more of them with , and ., at most one of K M B, white space, one of the twelve words; only
    symbols before and after.
    """
    number = first
    while not pieces.kinds[number] & WORD:
        number += 1
    thing = last - 1
    while not pieces.kinds[thing] & WORD:
        thing -= 1
    at, stop = pieces.begins[number], pieces.begins[thing]
    if not (48 <= data[at] <= 57 and pieces.kinds[thing] & SPACED):
        return False
    while 48 <= data[at] <= 57 or data[at] in (0x2C, 0x2E):  # ends at the white space before the thing at the latest
        at += 1
    if data[at] in (0x42, 0x4B, 0x4D, 0x62, 0x6B, 0x6D):
        at += 1
    if classes[decode_point(data, at, stop)[0]] != SPACE or pieces.begins[thing - 1] >= at:
        return False
    begin = 0
    for i in range(len(_COUNTED_ENDS)):
        end = _COUNTED_ENDS[i]
        if pieces.sizes[thing] == end - begin and match_letters(data, stop, _COUNTED_LETTERS, begin, end):
            return True
        begin = end
    return False


@inlined
def _has_short_phrase(data: npt.NDArray[np.uint8], line_end: int, pieces: Pieces, first: int, last: int) -> bool:
    """Tell whether a line begins with "sign-in" or ends in "read more..."."""
    begin = pieces.begins[first]
    if begin + len(_SIGN_IN) <= line_end and match_letters(data, begin, _SIGN_IN, 0, len(_SIGN_IN)):
        return True
    if pieces.points[last - 1] != 0x2E or pieces.sizes[last - 1] < 3:
        return False
    at = pieces.begins[last - 1] + pieces.sizes[last - 1] - len(_READ_MORE)
    return at >= begin and match_letters(data, at, _READ_MORE, 0, len(_READ_MORE))


@inlined
def judge_line(
    data: npt.NDArray[np.uint8],
    classes: npt.NDArray[np.uint8],
    pieces: Pieces,
    line: int,
    line_end: int,
    policy: bool,
    cart: bool,
) -> int:
    """Return the bits of the rules that the filled line number `line`, which ends before byte `line_end`, falls under.

    `policy`: it has "javascript" or a policy phrase; `cart`: it has "items in cart" (`read_phrases`). Cost: a few steps
    a line; a second look at the bytes only of lines of two words with a digit and in texts with a run of over 1000 chars.
    """
    first, last = pieces.line_tokens[line], pieces.line_tokens[line + 1]
    words, chars = pieces.line_words[line], pieces.line_chars[line]
    found = 0
    if not pieces.kinds[last - 1] & WORD:
        closing = pieces.points[last - 1]
        if is_terminal(closing) or is_closing_quote(closing):
            found |= ENDED
        if closing == 0x2026 or (closing == 0x2E and pieces.sizes[last - 1] >= 3):
            found |= ELLIPSIS
    long_run = min(pieces.totals[3], chars) > _LONGEST_RUN and _has_long_run(
        data, classes, pieces.line_begins[line], line_end
    )
    if policy or long_run or words < _MIN_WORDS or found & (ENDED | ELLIPSIS) != ENDED:
        found |= C4_REMOVED
    if 2 * pieces.line_uppers[line] > chars:
        found |= UPPERCASE
    if 1_000_000 * pieces.line_digits[line] > 999_999 * chars:
        found |= NUMERIC
    if words <= 1:
        found |= ONE_WORD
    elif words == 2 and pieces.line_digits[line] and _is_counter(data, classes, pieces, first, last):
        found |= COUNTER
    if words <= _SHORT_LINE_WORDS and (cart or _has_short_phrase(data, line_end, pieces, first, last)):
        found |= SHORT_PHRASE
    return found
