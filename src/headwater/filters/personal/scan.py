"""The one pass over the bytes that finds what may be personal data; ``find`` looks at each candidate more closely.

Candidates begin at a digit, an ``@`` or a ``:``; from each the kernel reads a bounded number of bytes, so that cost is linear whatever the text.
A number begins where no letter, digit or sign that makes it part of something larger stands before it, and ends likewise.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.filters.personal.digits import CLOSING, DASH, OPENING, PLUS, SPACE, digit_at, separator_at
from headwater.filters.personal.scan_addresses import (
    domain_end,
    ip4_end,
    ip6_end,
    is_alphanumeric,
    is_letter,
    local_begin,
    looks_like_ip4,
)
from headwater.filters.personal.shapes import ShapeTrie
from headwater.filters.personal.words import NEAR_BYTES, WINDOW_BYTES, Automaton, read_topics
from headwater.filters.text.compile import kernel

__all__ = ["COLUMNS", "EMAIL", "IBAN", "IP4", "IP6", "NUMBER", "PHONE", "make_classes", "scan"]

EMAIL, IP4, IP6, IBAN, NUMBER, PHONE = range(6)
COLUMNS: Final = 6
"""Of a candidate: row, kind, begin and end within the text, the topics before it; of a ``NUMBER`` the state of the trie, of an ``IP4`` the
topics right before it, of a ``PHONE`` those of the last telling word there."""

_MOST_LETTERS: Final = 6
_MOST_PHONE: Final = 15
_MOST_IBAN: Final = 34
_BESIDE: Final = 6


def make_classes() -> npt.NDArray[np.uint8]:
    """Return uint8 [256], byte → what may begin there: 1 a digit, 2 an ``@``, 3 a ``:``, 4 perhaps a digit of another script, 0 nothing."""
    classes = np.zeros(256, np.uint8)
    classes[48:58] = 1
    classes[ord("@")], classes[ord(":")] = 2, 3
    classes[[0xD9, 0xDB, 0xE0, 0xEF]] = 4
    return classes


@kernel
def scan(
    data: npt.NDArray[np.uint8],
    offsets: npt.NDArray[np.int64],
    languages: npt.NDArray[np.uint64],
    classes: npt.NDArray[np.uint8],
    trie: ShapeTrie,
    words: Automaton,
    phone: np.uint64,
    found: npt.NDArray[np.int64],
) -> int:
    """Write the candidates while there is room; return how many there are.

    Args:
        data: the bytes of all texts.
        offsets: int64 [n + 1].
        languages: uint64 [n], the bit of each text's language.
        classes: of ``make_classes``.
        trie: shapes of numbers.
        words: what names a number.
        phone: the bit of topic ``phone``.
        found: int64 [room, ``COLUMNS``].
    """
    count = 0
    for row in range(len(offsets) - 1):
        begin, end = offsets[row], offsets[row + 1]
        before = count
        at = begin
        done = begin  # what an address took is not read again
        while at < end:
            what = classes[data[at]]
            if what == 0:
                at += 1
                continue
            if what == 2:
                first, last = local_begin(data, at, done), domain_end(data, at, end)
                if first < at and last > at:
                    count = _write(EMAIL, first, last, np.uint64(0), 0, count, found)
                    done = last
                    at = last
                else:
                    at += 1
                continue
            if what == 3:
                first, last = ip6_end(data, begin, at, end)
                if last > first:
                    count = _write(IP6, first, last, np.uint64(0), 0, count, found)
                    at = last
                else:
                    at += 1
                continue
            if digit_at(data, at, end) == 0:
                at += 1
                continue
            count = _read_number(data, begin, at, done, end, languages[row], trie, words, phone, count, found)
            at = _run_end(data, at, end)
        for i in range(before, min(count, len(found))):
            found[i, 0] = row
            found[i, 2] -= begin
            found[i, 3] -= begin
    return count


@kernel
def _write(
    kind: int, begin: int, end: int, named: np.uint64, more: np.int64 | int, count: int, found: npt.NDArray[np.int64]
) -> int:
    if count < len(found):
        found[count, 1], found[count, 2], found[count, 3] = kind, begin, end
        found[count, 4], found[count, 5] = np.int64(named), more
    return count + 1


@kernel
def _run_end(data: npt.NDArray[np.uint8], at: int, end: int) -> int:
    """Return where the digits and ASCII letters that begin here end."""
    while at < end:
        digit = digit_at(data, at, end)
        if digit:
            at += digit >> 4
        elif is_alphanumeric(data[at]):
            at += 1
        else:
            break
    return at


@kernel
def _ends_well(data: npt.NDArray[np.uint8], at: int, end: int) -> bool:
    """Return whether a number may end here: what follows is no more of it."""
    if at >= end:
        return True
    byte = data[at]
    if is_alphanumeric(byte) or byte in (95, 64, 37) or digit_at(data, at, end):  # _ @ %
        return False
    if (
        byte in (44, 46, 47, 58, 45) and at + 1 < end
    ):  # , . / : - go on where a digit follows, a hyphen also where a letter does
        return not (digit_at(data, at + 1, end) or (byte == 45 and is_letter(data[at + 1])))
    separator = separator_at(data, at, end)
    return not (separator & 15 == DASH and digit_at(data, at + (separator >> 4), end))


@kernel
def _begins_well(data: npt.NDArray[np.uint8], begin: int, at: int) -> bool:
    """Return whether a number may begin here: what stands before it is no part of it."""
    if at == begin:
        return True
    byte = data[at - 1]
    if is_alphanumeric(byte) or byte in (95, 35, 36, 94, 92, 126, 43, 37, 64, 38, 123):  # _ # $ ^ \ ~ + % @ & {
        return False
    if byte in (45, 47, 46, 44):  # - / go on where no space stands before them; . and , where a digit does
        if at - 1 == begin or byte in (45, 47):
            return bool(byte == 44 or (byte == 45 and at - 1 > begin and data[at - 2] >= 0x80))
        earlier = data[at - 2]
        if byte == 44:
            return not 48 <= earlier <= 57
        return bool(earlier >= 0x80 or _is_abbreviation(data, begin, at - 1))
    if (
        byte == 32 and at - 1 > begin and (48 <= data[at - 2] <= 57 or data[at - 2] == 36)
    ):  # a group of a longer number, a price
        return False
    if byte == 58 and at - 1 > begin:  # a time, or a port
        return not 48 <= data[at - 2] <= 57
    if byte >= 0x80 and at - 3 >= begin:
        if separator_at(data, at - 3, at) >> 4 == 3:
            return separator_at(data, at - 3, at) & 15 in (SPACE, OPENING)
        if digit_at(data, at - 3, at) >> 4 == 3 or digit_at(data, at - 2, at) >> 4 == 2:
            return False
        if byte == 0xAC and data[at - 2] == 0x82 and data[at - 3] == 0xE2:  # a price in euros
            return False
    return not (byte in (0xA3, 0xA5) and data[at - 2] == 0xC2)  # in pounds or yen


@kernel
def _is_abbreviation(data: npt.NDArray[np.uint8], begin: int, dot: int) -> bool:
    """Return whether a dot ends a word that stands by itself, as in `Tel.`; not one within an address or a name of a file."""
    first = dot
    while first > begin and dot - first < 12 and is_letter(data[first - 1]):
        first -= 1
    return first < dot and (first == begin or data[first - 1] in (10, 13, 32, 40, 34, 62) or data[first - 1] >= 0x80)


@kernel
def _read_number(
    data: npt.NDArray[np.uint8],
    begin: int,
    at: int,
    address: int,
    end: int,
    language: np.uint64,
    trie: ShapeTrie,
    words: Automaton,
    phone: np.uint64,
    count: int,
    found: npt.NDArray[np.int64],
) -> int:
    """Write what a number that begins at a digit may be, with the letters before it; return how many candidates there are now.

    Args:
        address: where the last e-mail address before it ends: a number right behind one is as good as named a phone's.
    """
    first = at
    while first > begin and at - first < _MOST_LETTERS and is_letter(data[first - 1]):
        first -= 1
    named, asked = np.uint64(0), False
    if first == at and looks_like_ip4(data, at, end):
        last = ip4_end(data, begin, at, end)
        if last > at:
            near, telling = read_topics(data, begin, at, NEAR_BYTES, words)
            named, _ = read_topics(data, begin, at, WINDOW_BYTES, words)
            count = _write(IP4, at, last, named, np.int64(near), count, found)
            if telling & phone == 0:  # else a phone number in four groups, perhaps: the surer of the two holds
                return count
    lettered = first < at
    if not _begins_well(data, begin, first):
        plus = not lettered and first > begin and (data[first - 1] == 43 or _is_wide_plus(data, begin, first))
        if plus and _before_plus(data, begin, first):
            digits, last, _ = _read_phone(data, at, end, False)
            if digits >= 8:
                named, _ = read_topics(data, begin, at, WINDOW_BYTES, words)
                _, near = read_topics(data, begin, at, NEAR_BYTES, words)
                count = _write(PHONE, at - (1 if data[at - 1] == 43 else 3), last, named, np.int64(near), count, found)
        return count
    if lettered and at - first == 2:
        last = _iban_end(data, first, at, end)
        if last > at:
            count = _write(IBAN, first, last, np.uint64(0), 0, count, found)
    state, last = _read_shape(data, first, end, trie)
    if state:
        wanted = (trie.languages[state] & language) != 0
        if not wanted and trie.topics[state] != 0:
            named, asked = read_topics(data, begin, first, WINDOW_BYTES, words)[0], True
            wanted = (trie.topics[state] & named) != 0
        if wanted:
            if not asked:
                named, asked = read_topics(data, begin, first, WINDOW_BYTES, words)[0], True
            count = _write(NUMBER, first, last, named, state, count, found)
    if lettered:
        return count
    if at > begin and data[at - 1] == 40 and at - 1 > begin and is_alphanumeric(data[at - 2]):  # a call: f(0123
        return count
    opened = at > begin and (
        data[at - 1] == 40 or (data[at - 1] == 0x88 and separator_at(data, at - 3, at) & 15 == OPENING)
    )
    digits, last, bracket = _read_phone(data, at, end, opened)
    if digits < 7:
        return count
    leading = digit_at(data, at, end) & 15 == 0
    beside = 0 < at - address <= _BESIDE and address > begin
    for place in range(address, at):
        beside = beside and not (is_letter(data[place]) or data[place] == 61)  # nor =
        if not beside:
            break
    likely = digits >= 9 and (leading or bracket == 2)
    if not likely:
        if not asked:
            named, asked = read_topics(data, begin, at, WINDOW_BYTES, words)[0], True
        likely = beside or (named & phone) != 0
    if likely:
        if not asked:
            named = read_topics(data, begin, at, WINDOW_BYTES, words)[0]
        start = at
        if opened and bracket > 0:
            start = at - 1 if data[at - 1] == 40 else at - 3
        _, near = read_topics(data, begin, at, NEAR_BYTES, words)
        count = _write(PHONE, start, last, named, np.int64(phone if beside else near), count, found)
    return count


@kernel
def _is_wide_plus(data: npt.NDArray[np.uint8], begin: int, at: int) -> bool:
    return at - 3 >= begin and separator_at(data, at - 3, at) == (48 | PLUS)


@kernel
def _before_plus(data: npt.NDArray[np.uint8], begin: int, at: int) -> bool:
    """Return whether the plus before a digit begins a phone number and is no sum, no exponent, no offset from UTC."""
    plus = at - 1 if data[at - 1] == 43 else at - 3
    if plus == begin:
        return True
    byte = data[plus - 1]
    return not (is_alphanumeric(byte) or byte in (95, 43, 45, 41, 93, 125, 36, 94, 37, 42, 47, 46))


@kernel
def _read_shape(data: npt.NDArray[np.uint8], at: int, end: int, trie: ShapeTrie) -> tuple[int, int]:
    """Return the state of the longest shape that begins here and ends where a number does, and its end; 0 if there is none."""
    state, best, last = 0, 0, at
    while at < end:
        digit = digit_at(data, at, end)
        if digit:
            state = trie.next[state, 0]
            at += digit >> 4
        elif is_letter(data[at]):
            state = trie.next[state, 1]
            at += 1
        else:
            separator = separator_at(data, at, end)
            if separator == 0:
                break
            state = trie.next[state, separator & 15]
            at += separator >> 4
        if state == 0:
            break
        if trie.ends[state] and _ends_well(data, at, end):
            best, last = state, at
    return best, last


@kernel
def _read_phone(data: npt.NDArray[np.uint8], at: int, end: int, opened: bool) -> tuple[int, int, int]:
    """Return how many digits follow each other as a phone number's do, where the last ends, and a mark of it.

    The mark is 2 if an area code is in brackets or an extension follows, 1 if one digit is in brackets, else 0.

    Args:
        opened: whether a bracket stands right before.
    """
    area = 0 if opened else -1  # digits before the bracket that is open
    digits, last, gap, bracket = 0, at, 0, 0
    whole_digits, whole_last, whole_bracket = 0, at, 0  # up to the group before
    while at < end:
        digit = digit_at(data, at, end)
        if digit:
            digits += 1
            if digits > _MOST_PHONE:
                return whole_digits, whole_last, whole_bracket
            at += digit >> 4
            last, gap = at, 0
            continue
        separator = separator_at(data, at, end)
        kind = separator & 15
        if separator == 0 or kind == PLUS or gap == 2:
            break
        if gap == 0:
            whole_digits, whole_last, whole_bracket = digits, last, bracket
        if kind == OPENING:
            if area >= 0 or bracket > 0 or digits > 4:
                break
            area = digits
        elif kind == CLOSING:
            if area < 0 or gap or not (1 <= digits - area <= 5):
                break
            bracket = 2 if digits - area >= 2 else 1
            area = -1
        gap += 1
        at += separator >> 4
    if digits >= 7 and last < end and data[last] == 120:  # an extension: x123
        at = last + 1
        while at < end and at - last <= 6 and 48 <= data[at] <= 57:
            at += 1
        if at > last + 1:
            last, bracket = at, 2
    if not _ends_well(data, last, end):
        return 0, last, 0
    return digits, last, bracket


@kernel
def _iban_end(data: npt.NDArray[np.uint8], first: int, at: int, end: int) -> int:
    """Return the end of what may be an IBAN: two letters, two digits, then letters and digits with single spaces; `at` itself if it is too short."""
    if not (at + 1 < end and 48 <= data[at] <= 57 and 48 <= data[at + 1] <= 57):
        return at
    place, count, last = at + 2, 4, at + 2
    while place < end and count < _MOST_IBAN:
        byte = data[place]
        if is_alphanumeric(byte):
            count += 1
            place += 1
            last = place
            continue
        separator = separator_at(data, place, end)
        if separator & 15 not in (SPACE, DASH) or place != last:
            break
        after = place + (separator >> 4)
        if after >= end or not is_alphanumeric(data[after]):
            break
        place = after
        last = place
    return last if count >= 15 else at
