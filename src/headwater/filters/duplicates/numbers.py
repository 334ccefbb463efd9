"""Numbers in near-duplicate search: which texts keep them, and what of them counts for exactness.

Two texts that differ in nothing but their numbers, which stand in a share p of their shingles, have (1 - p) / (1 + p) of all their shingles in
common: 0.75 at p = 1/7, a half at p = 1/3. So below a seventh it hardly matters whether digits are folded to 0; above it folding is what makes
such texts duplicates. In prose that is wanted (a page with another date), in mathematics and code it is not, and beyond `DENSE`, a third, it never
is: less than half of what the texts say is equal.

For exactness numbers always count, with the signs that make them another number, which normalising turns to spaces: see `number_signs`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from functools import cache
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit

from headwater.errors import UsageError
from headwater.filters.duplicates.normalize import decode_character
from headwater.filters.duplicates.number_settings import DENSE_TEXTS, KEEP, NUMBER_TEXTS
from headwater.filters.duplicates.shingles import N_UNITS
from headwater.filters.duplicates.tables import LIMIT

__all__ = ["DENSE", "count_number_shingles", "find_numbers", "fold_digits", "keeps_numbers", "number_signs"]

DENSE: Final = (1, 3)
"""Least share of shingles with a number, as a fraction, of a text that is dense in numbers."""

_Bytes = npt.NDArray[np.uint8]
_Ints = npt.NDArray[np.int64]
_Flags = npt.NDArray[np.bool_]
_Int: TypeAlias = int | np.int64
"""Numba compiles both to the same 64 bits."""

_ZERO, _NINE, _SPACE, _LINE_FEED = 48, 57, 32, 10
# What `_sign_kinds` says of a character besides the signs, which are their ASCII bytes.
_OTHER, _BLANK, _BREAK, _DIGIT = 0, 1, 2, 3
_BETWEEN, _PERCENT = (44, 46, 58), 37  # , . :
_MOST_BLANKS = 16  # that are looked over on either side of a sign, so that the search stays linear
_ALWAYS = 128  # beside a sign: it is part of the number's own character, as in ² and ½
_SIGNS: Final = {
    "-": "-\u2212\ufe63\uff0d",
    "+": "+\ufe62\uff0b",
    "*": "*\u00d7\u00b7\u2217\u22c5\uff0a",
    "/": "/\u00f7\u2044\u2215\uff0f",
    "^": "^\uff3e",
    "%": "%\u2030\ufe6a\uff05",
    ".": ".\u066b\uff0e",
    ",": ",\u066c\u2019\uff0c",
    ":": ":\u2236\uff1a",
}


def keeps_numbers(dense: _Flags, kinds: pa.Array | pa.ChunkedArray | None, numbers: Mapping[str, str]) -> _Flags:
    """Whether each text keeps its digits in near comparison.

    Args:
        dense: from `find_numbers`.
        kinds: of the texts, from ``signals.kinds``; null, and None for all of them, stand for ``prose``.
        numbers: `keep` or `fold` for each of ``NUMBER_TEXTS``.

    Raises:
        UsageError: more or fewer kinds than texts, or an unknown one.

    >>> from headwater.filters.duplicates.number_settings import DEFAULT_NUMBERS
    >>> keeps_numbers(np.array([False, False, True]), pa.array(["prose", "math", None]), DEFAULT_NUMBERS).tolist()
    [False, True, True]
    """
    n = len(dense)
    kept = np.full(n, numbers["prose"] == KEEP)
    if kinds is not None:
        if len(kinds) != n:
            raise UsageError(f"expected a kind for each of {n} texts, found {len(kinds)}")
        column = kinds.combine_chunks() if isinstance(kinds, pa.ChunkedArray) else kinds
        places = pc.index_in(column.fill_null("prose"), value_set=pa.array(NUMBER_TEXTS[:-1]))
        if places.null_count:
            raise UsageError(f"expected kinds among {', '.join(NUMBER_TEXTS[:-1])}, found another")
        kept = np.array([numbers[name] == KEEP for name in NUMBER_TEXTS[:-1]])[places.to_numpy()]
    return kept | dense if numbers[DENSE_TEXTS] == KEEP else kept


def find_numbers(data: _Bytes, offsets: _Ints, kinds: _Bytes) -> tuple[_Flags, _Flags]:
    """Which normalised texts hold a digit, and which are dense in numbers.

    Args:
        data: normalised texts with their digits.
        offsets: where they begin, and the last one ends.
        kinds: from ``shingles.unit_kinds``.
    """
    holds, dense = np.zeros((2, len(offsets) - 1), np.bool_)
    _find_numbers(data, offsets, kinds, holds, dense)
    return holds, dense


@njit(cache=True, nogil=True)
def _find_numbers(data: _Bytes, offsets: _Ints, kinds: _Bytes, holds: _Flags, dense: _Flags) -> None:
    for row in range(holds.size):
        begin, end = offsets[row], offsets[row + 1]
        numbers, spaces = _count_runs(data, begin, end)
        holds[row] = numbers > 0
        # A number stands in five shingles at most, and there are as many units as words or more: most texts need no closer look.
        if DENSE[1] * N_UNITS * numbers < DENSE[0] * (spaces + 2 - N_UNITS):
            continue
        with_digit, shingles = count_number_shingles(data, begin, end, kinds)
        dense[row] = with_digit > 0 and DENSE[1] * with_digit >= DENSE[0] * shingles


@njit(cache=True, nogil=True)
def _count_runs(data: _Bytes, begin: _Int, end: _Int) -> tuple[_Int, _Int]:
    """Runs of digits and spaces among the bytes; no way out of the loop, so that the compiler counts many at once."""
    numbers, spaces = 0, 0
    if begin < end:
        numbers += _ZERO <= data[begin] <= _NINE
    for i in range(begin + 1, end):
        digit = (data[i] >= _ZERO) & (data[i] <= _NINE)
        follows = (data[i - 1] >= _ZERO) & (data[i - 1] <= _NINE)
        numbers += digit & ~follows
        spaces += data[i] == _SPACE
    return numbers, spaces


@njit(cache=True, nogil=True)
def count_number_shingles(data: _Bytes, i: _Int, end: _Int, kinds: _Bytes) -> tuple[_Int, _Int]:
    """How many shingles of the normalised bytes [i, end) hold a digit, and how many there are, repeats counted."""
    unit = np.int64(-1)  # number of the unit that is being read
    last = np.int64(-N_UNITS)  # number of the last one that holds a digit
    with_digit = np.int64(0)
    inside, solo = False, False
    while i <= end:
        byte = data[i] if i < end else np.uint8(_SPACE)
        width = np.int64(1)
        if byte >= 128:
            code_point, width = decode_character(data, i, end)
            kind = kinds[code_point] if code_point < LIMIT else 0
            begins = not inside or kind == 1 or (solo and kind == 0)
            solo_next = kind == 1 or (solo and kind == 2)
        else:
            begins = byte != _SPACE and (not inside or solo)
            solo_next = False
        # Here the unit before ends, and with it the shingle whose last unit it is.
        if inside and (begins or byte == _SPACE) and unit >= N_UNITS - 1 and unit - last < N_UNITS:
            with_digit += 1
        if byte == _SPACE:
            inside, solo = False, False
        else:
            if begins:
                unit += 1
            inside, solo = True, solo_next
            if _ZERO <= byte <= _NINE:
                last = unit
        i += width
    if unit < 0:
        return 0, 0
    if unit < N_UNITS - 1:
        return np.int64(last >= 0), 1
    return with_digit, unit + 2 - N_UNITS


@njit(cache=True, nogil=True)
def fold_digits(data: _Bytes, offsets: _Ints, rows: _Flags) -> None:
    """Turn every digit of the chosen normalised texts to 0, in place."""
    for row in range(rows.size):
        if rows[row]:
            for i in range(offsets[row], offsets[row + 1]):
                if _ZERO <= data[i] <= _NINE:
                    data[i] = _ZERO


@cache
def _sign_kinds() -> tuple[_Bytes, _Bytes]:
    """What each code point up to `LIMIT` is to `number_signs`, and which bytes begin what is a digit."""
    kinds = np.zeros(LIMIT, np.uint8)
    for code_point in range(LIMIT):
        character = chr(code_point)
        category = unicodedata.category(character)
        if category == "Nd":
            kinds[code_point] = _DIGIT
        elif category == "Zs" or character == "\t":
            kinds[code_point] = _BLANK
        elif category in ("Zl", "Zp") or character in "\n\v\f\r\x85":
            kinds[code_point] = _BREAK
        elif category == "No":
            form = unicodedata.decomposition(character).split(" ")[0]
            sign = {"<super>": "^", "<sub>": ":", "<fraction>": "/"}.get(form)
            if sign:
                kinds[code_point] = _ALWAYS | ord(sign)
    for sign, characters in _SIGNS.items():
        for character in characters:
            kinds[ord(character)] = ord(sign)
    leads = np.zeros(256, np.uint8)
    for code_point in np.flatnonzero((kinds == _DIGIT) | (kinds >= _ALWAYS)).tolist():
        leads[chr(code_point).encode()[0]] = 1
    return kinds, leads


def number_signs(data: _Bytes, offsets: _Ints, rows: _Flags) -> tuple[_Bytes, _Ints]:
    """The signs that belong to the numbers of the chosen texts: what normalising loses of a number.

    A text's signs are bytes: 0 for each number, in order, and before or behind it each sign that counts, unified (- for −, * for ×). These are
    - + * / ^ where a digit follows at once, or after blanks if the sign is not the first of its line; . , : between two digits; % behind one.
    Superscripts, subscripts and fractions, whose digits become plain, count as ^, : and /. Without any sign a text has no bytes.

    Args:
        data: the texts as they came, UTF-8.
        offsets: where they begin, and the last one ends.
        rows: which texts; the others have no bytes.

    Returns:
        The bytes of all texts, and where each begins and the last ends.
    """
    return _number_signs(data, offsets, rows, *_sign_kinds())


@njit(cache=True, nogil=True)
def _number_signs(data: _Bytes, offsets: _Ints, rows: _Flags, kinds: _Bytes, leads: _Bytes) -> tuple[_Bytes, _Ints]:
    room = np.int64(0)
    for row in range(rows.size):
        if rows[row]:
            room += offsets[row + 1] - offsets[row]
    signs = np.empty(room, np.uint8)
    ends = np.zeros(rows.size + 1, np.int64)
    for row in range(rows.size):
        ends[row + 1] = ends[row]
        if rows[row]:
            ends[row + 1] = _write_signs(data, offsets[row], offsets[row + 1], kinds, leads, signs, ends[row])
    return signs[: ends[-1]], ends


@njit(cache=True, nogil=True)
def _write_signs(
    data: _Bytes, begin: _Int, end: _Int, kinds: _Bytes, leads: _Bytes, signs: _Bytes, first: _Int
) -> _Int:
    """Write the signs of the bytes [begin, end) at `signs[first]`; return where they end. At most a byte is written for each that is read."""
    j = first
    any_sign = False
    i = begin
    while True:
        while i < end and not leads[data[i]]:
            i += 1
        if i >= end:
            return j if any_sign else first
        kind, width = _kind_at(data, i, end, kinds)
        if kind & _ALWAYS:
            signs[j] = kind & 127
            j += 1
            any_sign = True
        elif kind == _DIGIT:
            before, at = _kind_before(data, i, begin, kinds)
            sign = _sign_before(data, at, begin, kinds, before)
            if sign:
                signs[j] = sign
                j += 1
                any_sign = True
            if before != _DIGIT and not before & _ALWAYS:
                signs[j] = _ZERO
                j += 1
        i += width
        if kind & _ALWAYS or kind == _DIGIT:
            while i < end and _ZERO <= data[i] <= _NINE:
                i += 1
            if i < end and _kind_at(data, i, end, kinds)[0] == _PERCENT:
                signs[j] = _PERCENT
                j += 1
                any_sign = True


@njit(cache=True, nogil=True)
def _kind_at(data: _Bytes, i: _Int, end: _Int, kinds: _Bytes) -> tuple[_Int, _Int]:
    """The kind of the character that begins at byte `i`, and its bytes."""
    if data[i] < 128:
        return np.int64(kinds[data[i]]), np.int64(1)
    code_point, width = decode_character(data, i, end)
    return np.int64(kinds[code_point]) if code_point < LIMIT else np.int64(_OTHER), np.int64(width)


@njit(cache=True, nogil=True)
def _kind_before(data: _Bytes, i: _Int, begin: _Int, kinds: _Bytes) -> tuple[_Int, _Int]:
    """The kind of the character that ends before byte `i`, and where it begins; a break before the first one."""
    if i <= begin:
        return np.int64(_BREAK), np.int64(begin)
    at = i - 1
    while at > begin and at > i - 4 and data[at] & 0xC0 == 0x80:
        at -= 1
    return _kind_at(data, at, i, kinds)[0], np.int64(at)


@njit(cache=True, nogil=True)
def _sign_before(data: _Bytes, at: _Int, begin: _Int, kinds: _Bytes, kind: _Int) -> _Int:
    """The sign that counts for a number behind a character of this kind at byte `at`, 0 for none."""
    if kind in _BETWEEN:
        before = _kind_before(data, at, begin, kinds)[0]
        return kind if before == _DIGIT or before & _ALWAYS else np.int64(_OTHER)
    blanks = kind == _BLANK
    steps = 0
    while kind == _BLANK and steps < _MOST_BLANKS:
        kind, at = _kind_before(data, at, begin, kinds)
        steps += 1
    if kind <= _DIGIT or kind & _ALWAYS or kind == _PERCENT or kind in _BETWEEN:
        return np.int64(_OTHER)
    if blanks:
        before, at = _kind_before(data, at, begin, kinds)
        steps = 0
        while before == _BLANK and steps < _MOST_BLANKS:
            before, at = _kind_before(data, at, begin, kinds)
            steps += 1
        if before == _BREAK:
            return np.int64(_OTHER)
    return kind
