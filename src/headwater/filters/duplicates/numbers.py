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
from typing import Final

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

__all__ = ["DENSE", "count_number_shingles", "fold_digits", "keeps_numbers", "number_signs"]

DENSE: Final = (1, 3)
"""Least share of shingles with a number, as a fraction, of a text that is dense in numbers."""

_Bytes = npt.NDArray[np.uint8]
_Ints = npt.NDArray[np.int64]
_Flags = npt.NDArray[np.bool_]

_ZERO, _NINE, _SPACE, _LINE_FEED = 48, 57, 32, 10
# What `_sign_kinds` says of a character besides the signs, which are their ASCII bytes.
_OTHER, _BLANK, _BREAK, _DIGIT = 0, 1, 2, 3
_BETWEEN, _PERCENT = (44, 46, 58), 37  # , . :
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


def keeps_numbers(counts: _Ints, domains: pa.Array | pa.ChunkedArray | None, numbers: Mapping[str, str]) -> _Flags:
    """Whether each text keeps its digits in near comparison.

    Args:
        counts: from `count_number_shingles`.
        domains: of the texts, family ``scores``; null, and None for all of them, stand for ``general``.
        numbers: `keep` or `fold` for each of ``NUMBER_TEXTS``.

    Raises:
        UsageError: more or fewer domains than texts, or an unknown one.

    >>> from headwater.filters.duplicates.number_settings import DEFAULT_NUMBERS
    >>> counts = np.array([[1, 9], [1, 9], [3, 9]])
    >>> keeps_numbers(counts, pa.array(["general", "math", None]), DEFAULT_NUMBERS).tolist()
    [False, True, True]
    """
    n = len(counts)
    kept = np.full(n, numbers["general"] == KEEP)
    if domains is not None:
        if len(domains) != n:
            raise UsageError(f"expected a domain for each of {n} texts, found {len(domains)}")
        column = domains.combine_chunks() if isinstance(domains, pa.ChunkedArray) else domains
        places = pc.index_in(column.fill_null("general"), value_set=pa.array(NUMBER_TEXTS[:-1]))
        if places.null_count:
            raise UsageError(f"expected domains among {', '.join(NUMBER_TEXTS[:-1])}, found another")
        kept = np.array([numbers[name] == KEEP for name in NUMBER_TEXTS[:-1]])[places.to_numpy()]
    if numbers[DENSE_TEXTS] == KEEP:
        kept |= (counts[:, 0] > 0) & (DENSE[1] * counts[:, 0] >= DENSE[0] * counts[:, 1])
    return kept


@njit(cache=True, nogil=True)
def _has_digit(data: _Bytes, begin: int, end: int) -> bool:
    """Looked for in blocks, each without a way out, so that the compiler compares many bytes at once."""
    while begin < end:
        stop = min(begin + 4096, end)
        found = False
        for i in range(begin, stop):
            found |= (data[i] >= _ZERO) & (data[i] <= _NINE)
        if found:
            return True
        begin = stop
    return False


@njit(cache=True, nogil=True)
def count_number_shingles(data: _Bytes, offsets: _Ints, kinds: _Bytes) -> _Ints:
    """int64 [n, 2]: how many of a normalised text's shingles hold a digit, and how many there are, repeats counted; 0 and 0 without a digit.

    Args:
        data: normalised texts with their digits.
        offsets: where they begin, and the last one ends.
        kinds: from ``shingles.unit_kinds``.
    """
    counts = np.zeros((offsets.size - 1, 2), np.int64)
    for row in range(counts.shape[0]):
        i, end = offsets[row], offsets[row + 1]
        if not _has_digit(data, i, end):
            continue
        unit = np.int64(-1)  # number of the unit that is being read
        last = np.int64(-N_UNITS)  # number of the last one that holds a digit
        with_digit = np.int64(0)
        inside, solo = False, False
        while i <= end:
            byte = data[i] if i < end else np.uint8(_SPACE)
            width = np.int64(1)
            begins = False
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
        if unit < N_UNITS - 1:
            counts[row, 0], counts[row, 1] = 1, 1
        else:
            counts[row, 0], counts[row, 1] = with_digit, unit + 2 - N_UNITS
    return counts


@njit(cache=True, nogil=True)
def fold_digits(data: _Bytes, offsets: _Ints, rows: _Flags) -> None:
    """Turn every digit of the chosen normalised texts to 0, in place."""
    for row in range(rows.size):
        if rows[row]:
            for i in range(offsets[row], offsets[row + 1]):
                if _ZERO <= data[i] <= _NINE:
                    data[i] = _ZERO


@cache
def _sign_kinds() -> _Bytes:
    """What each code point up to `LIMIT` is to `number_signs`."""
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
    return kinds


def number_signs(data: _Bytes, offsets: _Ints, rows: _Flags) -> tuple[_Bytes, _Ints]:
    """The signs that belong to the numbers of the chosen texts: what normalising loses of a number.

    A text's signs are bytes: 0 for each number, in order, and before or between them each sign that counts, unified (- for −, * for ×). Signs are
    - + * / ^ where a digit follows at once, or after spaces if the sign is not the first of its line; . , : between two digits; % behind one.
    Superscripts, subscripts and fractions, whose digits become plain, count as ^, : and /. Without any sign a text has no bytes.

    Args:
        data: the texts as they came, UTF-8.
        offsets: where they begin, and the last one ends.
        rows: which texts; the others have no bytes.

    Returns:
        The bytes of all texts, and where each begins and the last ends.
    """
    return _number_signs(data, offsets, rows, _sign_kinds())


@njit(cache=True, nogil=True)
def _number_signs(data: _Bytes, offsets: _Ints, rows: _Flags, kinds: _Bytes) -> tuple[_Bytes, _Ints]:
    room = np.int64(0)
    for row in range(rows.size):
        if rows[row]:
            room += offsets[row + 1] - offsets[row]
    signs = np.empty(room, np.uint8)
    ends = np.zeros(rows.size + 1, np.int64)
    for row in range(rows.size):
        ends[row + 1] = ends[row]
        if rows[row]:
            ends[row + 1] = _write_signs(data, offsets[row], offsets[row + 1], kinds, signs, ends[row])
    return signs[: ends[-1]], ends


@njit(cache=True, nogil=True)
def _write_signs(data: _Bytes, i: int, end: int, kinds: _Bytes, signs: _Bytes, begin: int) -> int:
    """Write the signs of the bytes [i, end) at `signs[begin]`; return where they end. At most a byte is written for each that is read."""
    j = begin
    any_sign = False
    before = np.int64(_BREAK)  # kind of the character before
    pending = np.int64(_OTHER)  # a sign that counts if a digit comes
    leading = True  # nothing but blanks so far on this line
    first = False  # whether the pending sign is the first of its line
    while i < end:
        byte = data[i]
        if byte < 128:
            kind, width = np.int64(kinds[byte]), np.int64(1)
        else:
            code_point, width = decode_character(data, i, end)
            kind = np.int64(kinds[code_point]) if code_point < LIMIT else np.int64(_OTHER)
        if kind == _DIGIT:
            if pending:
                signs[j] = pending
                j += 1
                any_sign = True
            if before != _DIGIT:
                signs[j] = _ZERO
                j += 1
            pending = np.int64(_OTHER)
        elif kind == _BLANK:
            if first or pending in _BETWEEN:
                pending = np.int64(_OTHER)
        elif kind & _ALWAYS or (kind == _PERCENT and before == _DIGIT):
            signs[j] = kind & 127
            j += 1
            any_sign = True
            pending = np.int64(_OTHER)
            kind = np.int64(_PERCENT if kind == _PERCENT else _DIGIT)
        elif kind in _BETWEEN:
            pending = kind if before == _DIGIT else np.int64(_OTHER)
            first = False
        elif kind > _DIGIT and kind != _PERCENT:
            pending = kind
            first = leading
        else:
            pending = np.int64(_OTHER)
        leading = kind == _BREAK or (leading and kind == _BLANK)
        before = kind
        i += width
    return j if any_sign else begin
