"""Measures of the tokens of a text: word lengths, symbols that mean something, hits of the word lists."""

from __future__ import annotations

import functools
from decimal import Context, Decimal
from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.filters.signals import counts
from headwater.filters.signals.lexicon import CONNECTIVE, STEP, STOP, Lexicon
from headwater.filters.signals.prefix_nodes import ENDS, look_at_node
from headwater.filters.signals.repetition import Numbering
from headwater.filters.signals.word_ranks import LISTED
from headwater.filters.text.characters import HAN, MARK, decode_point
from headwater.filters.text.compile import inlined, kernel
from headwater.filters.text.exact_math import LN_2, compute_log
from headwater.filters.text.symbols import is_bracket_end, is_question, is_terminal
from headwater.filters.words.cut import ALPHA, CAPITALS, HASH_SEED, SPACED, WORD, Pieces, hash_word, mix, step_hash

__all__ = ["count_lexicon", "entropy_term", "entropy_terms", "measure_tokens"]

_LONG_WORD: Final = 8
_FIRST_WORDS: Final = 1000
_LONGEST_ENTRY: Final = 12
_N_TERMS: Final = 1024
_MEANINGS: Final = np.array([chr(point) in "#.{}$[\\=:!?" for point in range(128)])  # symbols that are looked at
_EDIT: Final = np.uint64(hash_word("edit"))
_CITATION: Final = np.uint64(hash_word("citation"))
_NEEDED: Final = np.uint64(hash_word("needed"))


@functools.cache
def entropy_terms() -> npt.NDArray[np.float64]:
    """Return n ln n for n below 1024, rounded from 28 decimal digits: the same bits on every CPU; 10 ms once a process.

    >>> entropy_terms()[[0, 1, 10]].tolist()
    [0.0, 0.0, 23.025850929940457]
    """
    context = Context(prec=28)
    return np.array([0.0, *(float(context.multiply(n, context.ln(Decimal(n)))) for n in range(1, _N_TERMS))])


@inlined
def entropy_term(count: int, terms: npt.NDArray[np.float64]) -> float:
    """Return count ln count, from the table or as count (k ln 2 + ln x) with count = x 2**k and x in [1/2, 1)."""
    if count < _N_TERMS:
        return float(terms[count])
    x, k = float(count), 0
    while x >= 1.0:
        x *= 0.5
        k += 1
    return count * (k * LN_2 + compute_log(x))


@kernel
def _is_citation(data: npt.NDArray[np.uint8], pieces: Pieces, bracket: int) -> bool:
    """Tell whether the last [ of a token opens [], [12], [edit] or [citation needed], as C4 cuts them out."""
    n = pieces.totals[0]
    at = pieces.begins[bracket] + pieces.sizes[bracket]
    token = bracket + 1
    if token >= n or pieces.begins[token] != at:
        return False
    if pieces.points[token] == 0x5D:
        return True
    key, size = pieces.hashes[token], pieces.sizes[token]
    if 48 <= pieces.points[token] <= 57:
        for i in range(at, at + size):
            if not 48 <= data[i] <= 57:
                return False
    elif key == _CITATION:
        token += 1
        at += size + 1
        if token >= n or pieces.hashes[token] != _NEEDED or pieces.begins[token] != at or data[at - 1] != 32:
            return False
    elif key != _EDIT:
        return False
    following = token + 1
    return bool(
        following < n
        and pieces.points[following] == 0x5D
        and pieces.begins[following] == pieces.begins[token] + pieces.sizes[token]
    )


@inlined
def _measure_symbol(data: npt.NDArray[np.uint8], pieces: Pieces, i: int, found: npt.NDArray[np.int64]) -> None:
    """Count what the symbol token i means."""
    point, size = pieces.points[i], pieces.sizes[i]
    touching = i + 1 < pieces.totals[0] and not pieces.kinds[i + 1] & SPACED
    if point == 0x23:  # #
        found[counts.HASH_SIGNS] += size
    elif point == 0x2E:  # .
        found[counts.ELLIPSES] += size // 3
    elif point == 0x2026:  # …
        found[counts.ELLIPSES] += size
    elif point == 0x7B:  # {
        found[counts.OPENING_BRACES] += size
    elif point == 0x7D:  # }
        found[counts.CLOSING_BRACES] += size
    elif point == 0x24:  # $
        found[counts.LATEX_CHARS] += size
    elif point == 0x5B:  # [
        found[counts.CITATIONS] += _is_citation(data, pieces, i)
    elif point == 0x5C:  # \ and the word after it
        if size == 1 and touching and pieces.kinds[i + 1] & ALPHA:
            found[counts.LATEX_CHARS] += 1 + pieces.sizes[i + 1]
    elif point == 0x3D:  # =
        after_term = i > 0 and (pieces.kinds[i - 1] & WORD or is_bracket_end(pieces.points[i - 1]))
        # neither => and =~ nor the attributes of HTML, as in class="x" and class='x'
        if size == 1 and after_term and not (touching and pieces.points[i + 1] in (0x3E, 0x7E, 0x22, 0x27)):
            found[counts.EQUATIONS] += 1
    elif point == 0x3A:  # :
        if size == 1 and touching and pieces.points[i + 1] == 0x2F and pieces.sizes[i + 1] >= 2:
            found[counts.URLS] += 1
    elif is_question(point):
        found[counts.QUESTION_MARKS] += size


@kernel
def measure_tokens(
    data: npt.NDArray[np.uint8],
    pieces: Pieces,
    room: Numbering,
    terms: npt.NDArray[np.float64],
    found: npt.NDArray[np.int64],
) -> float:
    """Write the counts of the tokens to `found`, each in its place of `counts`; return the sum over distinct words of count ln count.

    `room` holds the numbering of the tokens, `terms` is `entropy_terms`. Cost: a step a token.
    """
    found[:] = 0
    numbers, kinds, sizes, points = room.numbers, pieces.kinds, pieces.sizes, pieces.points
    entropy = 0.0
    seen = -1
    words, chars, with_letter, long, capitals = 0, 0, 0, 0, 0
    distinct, distinct_first, sentences = 0, 0, 0
    open_words = 0
    for i in range(pieces.totals[0]):
        token = np.uint64(i)
        kind, number = kinds[token], numbers[token]
        if kind & WORD:
            size = sizes[token]
            words += 1
            chars += size
            with_letter += (kind & ALPHA) // ALPHA
            long += size >= _LONG_WORD
            capitals += (kind & CAPITALS) // CAPITALS
            if number > seen:
                distinct += 1
                entropy += entropy_term(room.counts[np.uint64(number)], terms)
            if words == _FIRST_WORDS:
                distinct_first = distinct
            open_words = 1
        else:
            point = points[token]
            if point >= 128 or _MEANINGS[np.uint64(point & 127)]:
                _measure_symbol(data, pieces, i, found)
                if is_terminal(point):
                    sentences += open_words
                    open_words = 0
        seen = max(seen, number)
    found[counts.WORDS] = words
    found[counts.WORD_CHARS] = chars
    found[counts.ALPHA_TOKENS] = with_letter
    found[counts.LONG_WORDS] = long
    found[counts.FIRST_WORDS] = min(words, _FIRST_WORDS)
    found[counts.DISTINCT_FIRST_WORDS] = distinct_first if words >= _FIRST_WORDS else distinct
    found[counts.DISTINCT_WORDS] = distinct
    found[counts.CAPITAL_WORDS] = capitals
    found[counts.SENTENCES] = sentences + open_words
    return entropy


@inlined
def _look_up(lexicon: Lexicon, row: int, key: np.uint64) -> int:
    """Return the slot of a hash in the row's table, -1 where it is not."""
    slots = lexicon.keys.shape[1]
    slot = np.int64(key & np.uint64(slots - 1))
    while lexicon.keys[row, slot] != 0:
        if lexicon.keys[row, slot] == key:
            return int(slot)
        slot = (slot + 1) & (slots - 1)
    return -1


@inlined
def _count_entry(
    lexicon: Lexicon, row: int, slot: int, times: int, seen: npt.NDArray[np.uint8], found: npt.NDArray[np.int64]
) -> None:
    """Count the entry in a slot of the row's table `times` times, under each list that it is in."""
    kind = lexicon.kinds[row, slot]
    if kind & STOP:
        found[counts.STOP_WORDS] += times
        seen[lexicon.entries[row, slot]] = 1
    if kind & CONNECTIVE:
        found[counts.CONNECTIVES] += times


@kernel
def _count_everywhere(
    data: npt.NDArray[np.uint8],
    begin: int,
    end: int,
    classes: npt.NDArray[np.uint8],
    lexicon: Lexicon,
    row: int,
    seen: npt.NDArray[np.uint8],
    found: npt.NDArray[np.int64],
) -> None:
    """Count the entries of a language without spaces: at each character, all entries that stand there."""
    nodes = lexicon.nodes[row]
    at = begin
    while at < end:
        point, width = decode_point(data, at, end)
        if classes[point] >= HAN:
            value = np.uint64(HASH_SEED)
            place = at
            for _ in range(_LONGEST_ENTRY):
                value = step_hash(value, point)
                bits = look_at_node(nodes, step_hash(value, 0))
                if bits & ENDS:
                    slot = _look_up(lexicon, row, mix(value))
                    if slot >= 0:
                        _count_entry(lexicon, row, slot, 1, seen, found)
                if not bits:
                    break
                place += decode_point(data, place, end)[1]
                if place >= end:
                    break
                point = decode_point(data, place, end)[0]
                if classes[point] < HAN and classes[point] != MARK:
                    break
        at += width


@kernel
def count_lexicon(
    data: npt.NDArray[np.uint8],
    begin: int,
    end: int,
    classes: npt.NDArray[np.uint8],
    pieces: Pieces,
    room: Numbering,
    n_distinct: int,
    lexicon: Lexicon,
    row: int,
    seen: npt.NDArray[np.uint8],
    found: npt.NDArray[np.int64],
) -> None:
    """Write the counts of the word lists' entries, for a text in the language of `row`, to `found`.

    `room.keys` holds the bits that `distinct_words` left there. Cost: one look-up a distinct word that some list has, and a
    line; in Chinese, Japanese and Thai as many as entries end at a character. `seen` (uint8, 256) is scratch.
    """
    found[:] = 0
    seen[:] = 0
    if row == 0:
        return
    if lexicon.unspaced[row]:
        _count_everywhere(data, begin, end, classes, lexicon, row, seen, found)
    else:
        for number in range(n_distinct):
            if not room.keys[number] & np.uint64(LISTED):
                continue
            slot = _look_up(lexicon, row, room.distinct[number])
            if slot >= 0:
                _count_entry(lexicon, row, slot, room.counts[number], seen, found)
    for entry in range(len(seen)):
        found[counts.DISTINCT_STOP_WORDS] += seen[entry]
    for line in range(pieces.totals[1]):
        first = pieces.line_tokens[line]
        if first < pieces.line_tokens[line + 1]:
            slot = _look_up(lexicon, row, pieces.hashes[first])
            found[counts.STEP_LINES] += slot >= 0 and (lexicon.kinds[row, slot] & STEP) != 0
