"""E-mail addresses written so that programs do not find them: ``name [at] host [dot] tld`` and its kin.

Marks of the @: ``[at]`` in any brackets, ``(@)``, ``_AT_``, ``-at-``, the HTML entities, and the words for it (``at``, ``bei``, ``arobase``,
``arroba``, …). A word that stands alone counts only where the dot is a word too, the last label is a domain that is known, and what
stands before it is no word of a sentence ("look at example dot com"). What it loses: addresses with spelled digits, pictures, ROT13,
and names of several words.
"""

from __future__ import annotations

import functools
import re
import tomllib
from importlib import resources
from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.filters.personal.found import Found
from headwater.filters.personal.scan_addresses import is_alphanumeric
from headwater.filters.personal.tries import byte_trie
from headwater.filters.personal.types import HIGH, LOW, MEDIUM, PERSONAL
from headwater.filters.text.compile import kernel

__all__ = ["find_obfuscated"]

_OPERATOR: Final = PERSONAL + "email_obfuscated"
_WORD, _BRACKETS, _ENTITY = 0, 1, 2
_MOST_LOCAL, _MOST_DOMAIN, _MOST_LABELS = 64, 255, 8
_LEAST_ROOM, _BYTES_A_CANDIDATE = 1024, 256
"""Room for candidates at the first reading; a text that has more is read again."""
_MOST_UNKNOWN: Final = 6
"""Letters of a last label that no list has, where brackets around the at say that an address is meant."""
_FORMS: Final = (("word", LOW), ("brackets", MEDIUM), ("entity", HIGH))
_AT_A_POINT: Final = re.compile(r"\s*at\b.*\b(?:point|piste|prik|pont)\b", re.DOTALL)
"""English ``at`` with another language's dot: "at this point in"."""
_SPELLED_DOT: Final = re.compile(rb"(?:\b[A-Za-z0-9_+-]{1,24} (?:dot|DOT|punkt|punto|ponto|kropka) ){1,3}$")


@functools.cache
def _words() -> dict[str, frozenset[str]]:
    """Return the lists of ``data/personal/obfuscated.toml``."""
    text = resources.files("headwater.filters").joinpath("data/personal/obfuscated.toml").read_text("utf-8")
    return {name: frozenset(words) for name, words in tomllib.loads(text).items()}


@functools.cache
def _marks() -> npt.NDArray[np.int16]:
    """Return the trie of the words for @ and dot and of the entities: int16 [states, 257]; the last column says what ends there, 1, 2 or 3."""
    kinds = enumerate(("at", "dot", "entities"), 1)
    words = ((word.encode(), kind) for kind, name in kinds for word in sorted(_words()[name]))
    steps, ends = byte_trie(words, nothing=0)
    return np.concatenate([steps, ends[:, None]], axis=1)


def find_obfuscated(data: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64]) -> list[Found]:
    """Return the obfuscated addresses of the texts, by row and begin.

    Args:
        data: UTF-8 bytes of all texts.
        offsets: int64 [n + 1]; text i is data[offsets[i] : offsets[i + 1]].

    >>> import numpy as np
    >>> text = b"mail jane.doe [at] example [dot] org, or look at example dot org"
    >>> [(each.begin, each.end) for each in find_obfuscated(np.frombuffer(text, np.uint8), np.array([0, len(text)]))]
    [(5, 36)]
    """
    places = np.empty((_LEAST_ROOM + int(offsets[-1] - offsets[0]) // _BYTES_A_CANDIDATE, 6), np.int64)
    count = _scan(data, offsets, _marks(), places)
    if count > len(places):
        places = np.empty((count, 6), np.int64)
        _scan(data, offsets, _marks(), places)
    words = _words()
    found = []
    done_row, done = -1, 0
    for row, begin, end, kind, mark, label in places[:count].tolist():
        first = int(offsets[row])
        local = data[first + begin : first + mark].tobytes().decode("ascii")
        between = data[first + mark : first + label].tobytes().decode("utf-8", "replace").lower()
        last = data[first + label : first + end].tobytes().decode("ascii").lower()
        known = last in words["domains"]
        if kind == _WORD and (
            not known or local.lower() in words["not_local"] or len(local) < 2 or _AT_A_POINT.match(between)
        ):
            continue
        if not known and kind == _BRACKETS and (len(last) > _MOST_UNKNOWN or between.startswith("-")):
            continue
        low = max(first + (done if row == done_row else 0), first + begin - _MOST_LOCAL)
        spelled = _SPELLED_DOT.search(data[low : first + begin].tobytes()) if kind == _WORD else None
        if spelled:
            begin -= len(spelled[0])  # noqa: PLW2901 - the address begins earlier
        done_row, done = row, end
        variant, confidence = _FORMS[kind]
        found.append(Found(row=row, begin=begin, end=end, operator=_OPERATOR, variant=variant, confidence=confidence))
    return found


@kernel
def _scan(
    data: npt.NDArray[np.uint8],
    offsets: npt.NDArray[np.int64],
    marks: npt.NDArray[np.int16],
    places: npt.NDArray[np.int64],
) -> int:
    """Write row, begin, end, kind, end of the local part and begin of the last label of each candidate; return how many there are."""
    count = 0
    for row in range(len(offsets) - 1):
        first, end = offsets[row], offsets[row + 1]
        done = first
        place = first
        while place < end:
            byte = data[place]
            if not marks[0, byte] or (is_alphanumeric(byte) and place > first and is_alphanumeric(data[place - 1])):
                place += 1
                continue
            stop, kind = _mark(data, place, end, marks)
            if kind not in (1, 3):
                place += 1
                continue
            # Between the local part and the host: brackets and spaces around the mark.
            form = _ENTITY
            left, right = place, stop
            if kind == 1:
                left, right, form = _around(data, place, stop, first, end)
                if form < 0:
                    place += 1
                    continue
            begin = left
            while begin > done and left - begin < _MOST_LOCAL and _is_local(data[begin - 1]):
                begin -= 1
            while begin < left and not is_alphanumeric(data[begin]):
                begin += 1
            if begin == left:
                place += 1
                continue
            last, label, words = _domain(data, right, end, marks)
            # @ alone with blanks beside it is one of prose unless the dot is apart as well; so is a word.
            if last > right and (form != _WORD or words):
                if count < len(places):
                    places[count, 0], places[count, 1], places[count, 2] = row, begin - first, last - first
                    places[count, 3], places[count, 4], places[count, 5] = form, left - first, label - first
                count += 1
                done = last
                place = last
            else:
                place += 1
    return count


@kernel
def _is_local(byte: np.uint8) -> bool:
    return is_alphanumeric(byte) or byte in (43, 45, 46, 95)


@kernel
def _mark(data: npt.NDArray[np.uint8], place: int, end: int, marks: npt.NDArray[np.int16]) -> tuple[int, int]:
    """Return the end of the longest mark at `place` and its kind; 0 where none is."""
    state, at = 0, place
    stop, kind = place, 0
    while at < end:
        state = marks[state, data[at]]
        if state == 0:
            break
        at += 1
        if marks[state, 256]:
            stop, kind = at, int(marks[state, 256])
    return stop, kind


@kernel
def _around(data: npt.NDArray[np.uint8], place: int, stop: int, first: int, end: int) -> tuple[int, int, int]:
    """Return where the local part ends, where the host begins, and the form of the word for @ in [place, stop); -1 where it is none."""
    left, right = place, stop
    while left > first and data[left - 1] == 32 and place - left < 2:
        left -= 1
    while right < end and data[right] == 32 and right - stop < 2:
        right += 1
    if left == first or right == end:
        return place, stop, -1
    before, after = data[left - 1], data[right]
    opens = before in (40, 60, 91, 123) and after == (41 if before == 40 else before + 2)
    dashes = before == after and before in (45, 95, 42) and left == place and right == stop
    if opens or dashes:
        left -= 1
        right += 1
        blanks = left
        while blanks > first and data[blanks - 1] == 32 and left - blanks < 2:
            blanks -= 1
        left = blanks
        blanks = right
        while blanks < end and data[blanks] == 32 and blanks - right < 2:
            blanks += 1
        return left, blanks, _BRACKETS
    if left == place or right == stop:
        return place, stop, -1
    return left, right, _WORD


@kernel
def _domain(data: npt.NDArray[np.uint8], place: int, end: int, marks: npt.NDArray[np.int16]) -> tuple[int, int, bool]:
    """Return the end of the domain at `place` (`place` if none is there), the begin of its last label, and whether all its dots are apart."""
    at = place
    last, last_label, apart = place, place, False
    all_apart = True
    for number in range(_MOST_LABELS):
        label = at
        letters = True
        while at < end and (is_alphanumeric(data[at]) or data[at] == 45) and at - place < _MOST_DOMAIN:
            # a hyphen may be the bracket of a dot: -dot-
            if data[at] == 45 and _dot(data, at, end, marks) > at:
                break
            if data[at] < 65:
                letters = False
            at += 1
        if at == label:
            break
        if number > 0 and letters and at - label >= 2:
            last, last_label, apart = at, label, all_apart
        onward = _dot(data, at, end, marks)
        if onward > at:
            at = onward
        elif at + 1 < end and data[at] == 46 and is_alphanumeric(data[at + 1]):
            at += 1
            all_apart = False
        else:
            break
    return last, last_label, apart


@kernel
def _dot(data: npt.NDArray[np.uint8], place: int, end: int, marks: npt.NDArray[np.int16]) -> int:
    """Return the end of a dot that is spelled, bracketed or apart at `place`, with the blanks and brackets around it; `place` if none is there."""
    at = place
    while at < end and data[at] == 32 and at - place < 2:
        at += 1
    blank = at > place
    bracket = np.uint8(0)
    if at < end and data[at] in (40, 60, 91, 123, 45, 95, 42):
        bracket = data[at]
        at += 1
        while at < end and data[at] == 32 and at - place < 5:
            at += 1
    if at < end and data[at] == 46 and (blank or bracket):
        at += 1
    else:
        stop, kind = _mark(data, at, end, marks)
        if kind != 2 or not (blank or bracket):
            return place
        at = stop
    after = at
    while at < end and data[at] == 32 and at - after < 2:
        at += 1
    if bracket:
        closing = bracket if bracket in (45, 95, 42) else 41 if bracket == 40 else bracket + 2
        if at >= end or data[at] != closing:
            return place
        at += 1
        after = at
        while at < end and data[at] == 32 and at - after < 2:
            at += 1
    elif at == after:
        return place
    return at if at < end and is_alphanumeric(data[at]) else place
