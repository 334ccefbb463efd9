"""Places that may be secrets, found in one pass over the bytes: a superset of what ``secrets`` keeps.

Where a word begins, the trie of prefixes is walked; at ``:``, ``=``, ``-`` and ``~`` the other forms are tried. Linear: the end of a run of
an alphabet is looked for once, an assignment's value is not read twice, the end of a key block is remembered.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.filters.personal.secret_kinds import ALNUM, DOTTED, WORD, PrefixTrie, name_table, prefix_trie
from headwater.filters.text.compile import kernel

__all__ = ["ASSIGNMENT", "AZURE", "PEM", "TELEGRAM", "URL", "find_candidates"]

ASSIGNMENT: Final = -1
AZURE: Final = -2
PEM: Final = -3
TELEGRAM: Final = -4
URL: Final = -5
"""What stands where a rule's number stands, for forms that are no prefix."""

_LEAST_ROOM, _BYTES_A_CANDIDATE = 1024, 256
"""Room for candidates at the first reading; a text that has more is read again."""
_MOST_NAME: Final = 40
_LEAST_VALUE, _MOST_VALUE = 6, 256
_MOST_USER, _LEAST_PASSWORD, _MOST_PASSWORD = 64, 4, 128
_MOST_PEM: Final = 16_384
_BEGIN: Final = np.frombuffer(b"-----BEGIN ", np.uint8)
_PRIVATE: Final = np.frombuffer(b"PRIVATE KEY", np.uint8)
_END: Final = np.frombuffer(b"-----END ", np.uint8)
_WORD, _MARK = 1, 2


def _classes() -> npt.NDArray[np.uint8]:
    classes = np.zeros(256, np.uint8)
    classes[list(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")] = _WORD
    classes[list(b":=-~\xef")] = _MARK
    return classes


_CLASSES: Final = _classes()
_STOPS: Final = np.zeros(256, np.bool_)
_STOPS[list(b" \t\r\n\"'`,;<>()[]{}|\\")] = True
_STOPS[128:] = True
_URL_STOPS: Final = np.zeros(256, np.bool_)
_URL_STOPS[list(b" \t\r\n\"'`<>/\\@()")] = True


def find_candidates(data: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return int64 [n, 5]: row, begin and end within the text, rule or form, begin of the name of what is assigned (else -1)."""
    trie = prefix_trie()
    run_ends = np.zeros(len(trie.alphabets), np.int64)
    room = _LEAST_ROOM + int(offsets[-1] - offsets[0]) // _BYTES_A_CANDIDATE
    while True:
        found = np.empty((room, 5), np.int64)
        count = _scan(data, offsets, _CLASSES, trie, name_table(), _STOPS, _URL_STOPS, run_ends, found)
        if count <= room:
            return found[:count]
        room = count


@kernel
def _scan(
    data: npt.NDArray[np.uint8],
    offsets: npt.NDArray[np.int64],
    classes: npt.NDArray[np.uint8],
    trie: PrefixTrie,
    names: npt.NDArray[np.int16],
    stops: npt.NDArray[np.bool_],
    url_stops: npt.NDArray[np.bool_],
    run_ends: npt.NDArray[np.int64],
    found: npt.NDArray[np.int64],
) -> int:
    """Write the candidates of all rows; return how many there are."""
    count = 0
    for row in range(len(offsets) - 1):
        first, end = offsets[row], offsets[row + 1]
        run_ends[:] = first
        assigned, pem_end = first, first
        before = 0
        place = first
        while place < end:
            kind = classes[data[place]]
            if kind == _WORD:
                if before != _WORD and trie.next[0, data[place]]:
                    rule, stop = _match_prefix(data, place, end, classes, trie, run_ends)
                    if rule >= 0:
                        count = _write(row, first, place, stop, rule, -1, count, found)
                        place = stop
                        before = 0
                        continue
            elif kind == _MARK:
                byte = data[place]
                if byte == 45:  # -
                    if place == first or data[place - 1] != 45:
                        stop, pem_end = _match_pem(data, place, end, pem_end)
                        if stop > place:
                            count = _write(row, first, place, stop, PEM, -1, count, found)
                            place = stop
                            before = 0
                            continue
                elif byte == 126:  # ~
                    begin, stop = _match_azure(data, place, first, end, trie.alphabets)
                    if stop > begin:
                        count = _write(row, first, begin, stop, AZURE, -1, count, found)
                else:
                    if byte == 58 and place + 2 < end and data[place + 1] == 47 and data[place + 2] == 47:  # ://
                        begin, stop = _match_url(data, place + 3, end, url_stops)
                        if stop > begin:
                            count = _write(row, first, begin, stop, URL, -1, count, found)
                    elif (
                        byte == 58
                        and place > first
                        and place + 35 < end
                        and data[place + 1] == 65
                        and data[place + 2] == 65
                    ):
                        begin, stop = _match_telegram(data, place, first, end, trie.alphabets)
                        if stop > begin:
                            count = _write(row, first, begin, stop, TELEGRAM, -1, count, found)
                    if place >= assigned:
                        name, begin, stop = _match_assignment(data, place, first, end, names, stops)
                        if stop > begin:
                            count = _write(row, first, begin, stop, ASSIGNMENT, name - first, count, found)
                            assigned = stop
            before = kind
            place += 1
    return count


@kernel
def _write(
    row: int, first: int, begin: int, stop: int, rule: int, name: int, count: int, found: npt.NDArray[np.int64]
) -> int:
    if count < len(found):
        found[count, 0], found[count, 1], found[count, 2], found[count, 3], found[count, 4] = (
            row,
            begin - first,
            stop - first,
            rule,
            name,
        )
    return count + 1


@kernel
def _match_prefix(
    data: npt.NDArray[np.uint8],
    place: int,
    end: int,
    classes: npt.NDArray[np.uint8],
    trie: PrefixTrie,
    run_ends: npt.NDArray[np.int64],
) -> tuple[int, int]:
    """Return the rule that the word at `place` keeps and its end; of several prefixes the longest that fits. -1 where none does."""
    state, at = 0, place
    best, best_stop = -1, place
    while at < end:
        state = trie.next[state, data[at]]
        if state == 0:
            break
        at += 1
        rule = trie.rule[state]
        if rule < 0:
            continue
        alphabet, least, most = trie.limits[rule, 0], trie.limits[rule, 1], trie.limits[rule, 2]
        if run_ends[alphabet] <= at:
            stop = at
            while stop < end and trie.alphabets[alphabet, data[stop]]:
                stop += 1
            run_ends[alphabet] = stop
        stop = run_ends[alphabet]
        whole = stop == end or classes[data[stop]] != _WORD
        while stop > at and (data[stop - 1] == 46 or data[stop - 1] == 45):  # . and - that end a sentence or a range
            stop -= 1
        if whole and least <= stop - at <= most:
            best, best_stop = rule, stop
    return best, best_stop


@kernel
def _starts(data: npt.NDArray[np.uint8], place: int, end: int, literal: npt.NDArray[np.uint8]) -> bool:
    if place + len(literal) > end:
        return False
    for i in range(len(literal)):
        if data[place + i] != literal[i]:
            return False
    return True


@kernel
def _match_pem(data: npt.NDArray[np.uint8], place: int, end: int, known: int) -> tuple[int, int]:
    """Return the end of a private key's block that begins at `place` (`place` if none does), and the next end of a block that is known."""
    if not _starts(data, place, end, _BEGIN):
        return place, known
    at = place + len(_BEGIN)
    head = min(at + 40, end)
    while at < head and not _starts(data, at, end, _PRIVATE):
        if data[at] == 45 or data[at] == 10:
            return place, known
        at += 1
    if at >= head:
        return place, known
    at += len(_PRIVATE)
    if known <= at:
        known = at
        while known < end and not (data[known] == 45 and _starts(data, known, end, _END)):
            known += 1
    if known < end and known - place <= _MOST_PEM:
        stop = known + len(_END)
        while stop < end and data[stop] != 45 and data[stop] != 10:
            stop += 1
        while stop < end and data[stop] == 45:
            stop += 1
        return stop, known
    stop = at  # no end: as far as the lines are a key's
    lines = min(end, place + _MOST_PEM)
    while stop < lines:
        byte = data[stop]
        if not (48 <= byte <= 57 or 65 <= byte <= 90 or 97 <= byte <= 122 or byte in (43, 47, 61, 10, 13, 45, 92)):
            break
        stop += 1
    return stop if stop - at >= 64 else place, known


@kernel
def _match_azure(
    data: npt.NDArray[np.uint8], place: int, first: int, end: int, alphabets: npt.NDArray[np.bool_]
) -> tuple[int, int]:
    """Return begin and end of an Entra client secret around the ~ at `place`: three bytes, a digit, Q~, 31 to 34 bytes."""
    begin = place - 5
    if begin < first or data[place - 1] != 81 or not 48 <= data[place - 2] <= 57:
        return place, place
    for i in range(begin, place - 2):
        if not alphabets[DOTTED, data[i]]:
            return place, place
    stop = place + 1
    while stop < end and stop - place <= 36 and alphabets[DOTTED, data[stop]]:
        stop += 1
    if (begin > first and alphabets[ALNUM, data[begin - 1]]) or not 31 <= stop - place - 1 <= 34:
        return place, place
    return begin, stop


@kernel
def _match_telegram(
    data: npt.NDArray[np.uint8], place: int, first: int, end: int, alphabets: npt.NDArray[np.bool_]
) -> tuple[int, int]:
    """Return begin and end of a bot's token around the : at `place`: 8 to 10 digits, AA and 33 bytes."""
    begin = place
    while begin > first and place - begin < 11 and 48 <= data[begin - 1] <= 57:
        begin -= 1
    stop = place + 1
    while stop < end and stop - place <= 36 and alphabets[WORD, data[stop]]:
        stop += 1
    if not 8 <= place - begin <= 10 or stop - place - 1 != 35:
        return place, place
    # In a URL of the service the word bot stands right before it.
    is_bot = begin >= first + 3 and data[begin - 1] == 116 and data[begin - 2] == 111 and data[begin - 3] == 98
    if begin > first and alphabets[ALNUM, data[begin - 1]] and not is_bot:
        return place, place
    return begin, stop


@kernel
def _match_url(data: npt.NDArray[np.uint8], place: int, end: int, stops: npt.NDArray[np.bool_]) -> tuple[int, int]:
    """Return begin and end of the password of a URL whose authority begins at `place`."""
    at = place
    while at < end and at - place <= _MOST_USER and not stops[data[at]] and data[at] != 58:
        at += 1
    if at >= end or data[at] != 58:
        return place, place
    begin = at + 1
    stop = begin
    while stop < end and stop - begin <= _MOST_PASSWORD and not stops[data[stop]]:
        stop += 1
    if (
        not _LEAST_PASSWORD <= stop - begin <= _MOST_PASSWORD
        or stop + 1 >= end
        or data[stop] != 64
        or stops[data[stop + 1]]
    ):
        return place, place
    return begin, stop


@kernel
def _is_parameter(data: npt.NDArray[np.uint8], place: int, end: int) -> bool:
    """Return whether a name and = stand at `place`, as after the & of a query."""
    at = place
    while at < end and at - place < 32 and (48 <= data[at] <= 57 or 65 <= data[at] <= 90 or 95 <= data[at] <= 122):
        at += 1
    return bool(at > place and at < end and data[at] == 61)


@kernel
def _match_assignment(
    data: npt.NDArray[np.uint8],
    place: int,
    first: int,
    end: int,
    names: npt.NDArray[np.int16],
    stops: npt.NDArray[np.bool_],
) -> tuple[int, int, int]:
    """Return the begin of the name, begin and end of the value that : or = at `place` gives to a name of ``SECRET_NAMES``."""
    none = place, place, place
    at = place
    wide = data[place] == 0xEF
    if wide and not (place + 2 < end and data[place + 1] == 0xBC and data[place + 2] == 0x9A):  # the full-width colon
        return none
    if at > first and data[at - 1] in (33, 45, 60, 61, 62, 58, 126):  # ! - < = > : ~
        return none
    while at > first and place - at < 4 and data[at - 1] in (32, 9):
        at -= 1
    if at > first and data[at - 1] == 93:  # ]
        at -= 1
    if at > first and data[at - 1] in (34, 39, 96):
        at -= 1
        if at > first and data[at - 1] == 92:
            at -= 1
    elif at > first and data[at - 1] == 42:  # ** of Markdown
        while at > first and data[at - 1] == 42 and place - at < 8:
            at -= 1
    low = max(first, at - _MOST_NAME)
    name, state, is_name = at, 0, False
    while name > low:
        state = names[state, data[name - 1]]
        if state == 0:
            break
        name -= 1
        if state < 0:
            is_name = True
            break
    if not is_name:
        return none
    begin = place + (3 if wide else 1)
    if begin < end and data[begin] in (58, 61, 62):  # of :=, => and the like
        if data[begin] == data[place]:
            return none
        begin += 1
    while begin < end and begin - place < 8 and data[begin] in (32, 9, 42):
        begin += 1
    for turn in range(2):
        quote = 0
        if begin < end and data[begin] == 92:
            begin += 1
        if begin < end and data[begin] in (34, 39, 96):
            quote = data[begin]
            begin += 1
        stop = begin
        while stop < end and stop - begin <= _MOST_VALUE and data[stop] > 32:
            if (quote and data[stop] == quote) or (not quote and stops[data[stop]]):
                break
            if not quote and data[stop] == 38 and _is_parameter(data, stop + 1, end):
                break
            stop += 1
        # The scheme of an Authorization header: the token comes after it.
        if (
            turn == 0
            and stop - begin in (5, 6)
            and stop < end
            and data[stop] == 32
            and data[begin] in (66, 84, 98, 116)
        ):
            begin = stop + 1
        else:
            break
    if quote and (stop >= end or data[stop] != quote):
        return none
    while stop > begin and (data[stop - 1] == 92 or (not quote and data[stop - 1] in (46, 33, 63))):
        stop -= 1
    # A value that ends as a name does is the name of the next: Authorization: api_key: "…".
    if not _LEAST_VALUE <= stop - begin <= _MOST_VALUE or (not quote and data[stop - 1] in (58, 61)):
        return none
    return name, begin, stop
