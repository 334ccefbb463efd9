r"""Text put out line by line: white space folded as a browser folds it, breaks, prefixes of lines, cells of tables.

A writer keeps its state in one int64 array, whose places are named here, so that kernels can share it:

- `AT`: bytes written. `FORM`: TEXT_FORM or MARKDOWN.
- `BREAKS`: line feeds due before the next character (2 for a blank line). `GAP`: a space is due. `LINE`: the line has text.
- `JOINED`: all is put on one line, breaks are spaces (a heading, a cell). `CELL`: in a cell of a table whose rows are lines.
- `TABS`: separators due before the next character of a row in TEXT_FORM.
- `INDENT`: columns of lines within the open list item. `MARKER`: what the item's first line begins with: 0 nothing, -1 a
  bullet, -2 a definition's colon, n >= 1 the number n; it stands `MARKER_INDENT` columns in. `LEVEL`: the heading's level.
- `QUOTES`: open block quotes. `LAST_QUOTES`: those of the line before. `FENCE`: backticks of the code block due or open.
- `NAME`, `NAME_END`: where in the page the block's language stands. `CODE_OPEN`: the code block has text. `CODE_BREAK`: it owes a line feed.

Nothing here checks room: a caller gives for each node `SLACK` bytes, those of `TABS` and twice its text's.

>>> out, state = np.zeros(SLACK, np.uint8), np.zeros(STATES, np.int64)
>>> text = np.frombuffer("  a &lt; b&nbsp;\n  c ".encode(), np.uint8)
>>> write_folded(text, 0, len(text), False, out, state)
>>> out[: state[AT]].tobytes()
b'a < b c'
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.filters.text.compile import kernel

# fmt: off
__all__ = [
    "AT", "BREAKS", "CELL", "CODE_BREAK", "CODE_OPEN", "FENCE", "FORM", "GAP", "INDENT", "JOINED", "LAST_QUOTES",
    "LEVEL", "LINE", "MARKDOWN", "MARKER", "MARKER_INDENT", "NAME", "NAME_END", "QUOTES", "SLACK", "STATES", "TABS", "TEXT_FORM",
    "begin_text", "break_line", "decode_reference", "put", "write_bytes", "write_folded", "write_verbatim",
]
# fmt: on

TEXT_FORM: Final = 0
MARKDOWN: Final = 1

# fmt: off
(
    AT, FORM, BREAKS, GAP, LINE, JOINED, CELL, TABS, INDENT, MARKER, MARKER_INDENT, LEVEL, QUOTES, LAST_QUOTES, FENCE,
    NAME, NAME_END, CODE_OPEN, CODE_BREAK, STATES,
) = range(20)
# fmt: on

SLACK: Final = 4096
"""Bytes that one call may write beside its text: prefixes, separators, a fence."""

_MOST_QUOTES: Final = 8
_MOST_INDENT: Final = 40


@kernel
def put(out: npt.NDArray[np.uint8], state: npt.NDArray[np.int64], byte: int) -> None:
    """Write one byte."""
    out[state[AT]] = byte
    state[AT] += 1


@kernel
def break_line(state: npt.NDArray[np.int64], breaks: int) -> None:
    """Owe at least so many line feeds; a space where all is put on one line."""
    if state[JOINED]:
        state[GAP] = 1
    elif state[BREAKS] < breaks:
        state[BREAKS] = breaks


@kernel
def _put_many(out: npt.NDArray[np.uint8], state: npt.NDArray[np.int64], byte: int, times: int) -> None:
    for _ in range(times):
        put(out, state, byte)


@kernel
def _end_lines(out: npt.NDArray[np.uint8], state: npt.NDArray[np.int64]) -> None:
    """Write the line feeds that are due, none at the very beginning; blank lines within a quotation keep its mark."""
    quotes = min(state[QUOTES], state[LAST_QUOTES], _MOST_QUOTES)
    if state[AT] > 0:
        for count in range(state[BREAKS]):
            if count and state[FORM] == MARKDOWN:
                _put_many(out, state, 0x3E, quotes)
            put(out, state, 0x0A)
        if state[BREAKS]:
            state[LINE] = 0
    state[BREAKS] = 0


@kernel
def _begin_line(out: npt.NDArray[np.uint8], state: npt.NDArray[np.int64]) -> None:
    """Write what a line begins with: marks of quotation, indentation, the marker of an item, of a heading."""
    marker = state[MARKER]
    state[MARKER] = 0
    indent = min(state[MARKER_INDENT] if marker else state[INDENT], _MOST_INDENT)
    if state[FORM] == MARKDOWN:
        for _ in range(min(state[QUOTES], _MOST_QUOTES)):
            put(out, state, 0x3E)
            put(out, state, 0x20)
        state[LAST_QUOTES] = state[QUOTES]
    _put_many(out, state, 0x20, indent)
    if state[FORM] == MARKDOWN:
        if marker in (-1, -2):
            put(out, state, 0x2D if marker == -1 else 0x3A)
            put(out, state, 0x20)
        elif marker > 0:
            power = 1
            while power * 10 <= marker:
                power *= 10
            while power > 0:
                put(out, state, 0x30 + (marker // power) % 10)
                power //= 10
            put(out, state, 0x2E)
            put(out, state, 0x20)
        if state[LEVEL]:
            _put_many(out, state, 0x23, state[LEVEL])
            put(out, state, 0x20)
            state[LEVEL] = 0
    state[LINE] = 1


@kernel
def begin_text(out: npt.NDArray[np.uint8], state: npt.NDArray[np.int64]) -> None:
    """Write all that is due before a character: separators, line feeds and what a line begins with, or a space."""
    if state[CELL]:
        if state[TABS]:
            _put_many(out, state, 0x09, state[TABS])
            state[TABS] = 0
        elif state[GAP] and state[LINE]:
            put(out, state, 0x20)
        state[LINE] = 1
    else:
        if state[BREAKS]:
            _end_lines(out, state)
        if not state[LINE]:
            _begin_line(out, state)
        elif state[GAP]:
            put(out, state, 0x20)
    state[GAP] = 0


@kernel
def decode_reference(html: npt.NDArray[np.uint8], at: int, finish: int) -> tuple[int, int]:
    """Return the character that the reference at `at` stands for, and its length; "&" itself, 1, if it is none.

    Of those that a serialiser leaves: `&amp;`, `&lt;`, `&gt;`, `&quot;`, `&nbsp;` (0xA0).
    """
    if at + 3 < finish and html[at + 2] == 0x74 and html[at + 3] == 0x3B:
        if html[at + 1] == 0x6C:
            return 0x3C, 4
        if html[at + 1] == 0x67:
            return 0x3E, 4
    if (
        at + 4 < finish
        and html[at + 1] == 0x61
        and html[at + 2] == 0x6D
        and html[at + 3] == 0x70
        and html[at + 4] == 0x3B
    ):
        return 0x26, 5
    if at + 5 < finish and html[at + 5] == 0x3B:
        if html[at + 1] == 0x6E and html[at + 2] == 0x62 and html[at + 3] == 0x73 and html[at + 4] == 0x70:
            return 0xA0, 6
        if html[at + 1] == 0x71 and html[at + 2] == 0x75 and html[at + 3] == 0x6F and html[at + 4] == 0x74:
            return 0x22, 6
    return 0x26, 1


@kernel
def write_folded(
    html: npt.NDArray[np.uint8],
    begin: int,
    finish: int,
    raw: bool,
    out: npt.NDArray[np.uint8],
    state: npt.NDArray[np.int64],
) -> None:
    r"""Write a text with each run of white space (no-break spaces among it) as one space, none at a line's ends.

    Soft hyphens are left out. In a cell of a Markdown table `|` is written as `\|`.
    """
    at = begin
    escapes = state[CELL] and state[FORM] == MARKDOWN
    while at < finish:
        byte = html[at]
        if byte == 0x20 or 0x09 <= byte <= 0x0D:
            state[GAP] = 1
            at += 1
            continue
        size = 1
        if byte == 0x26 and not raw:
            character, size = decode_reference(html, at, finish)
            if character == 0xA0:
                state[GAP] = 1
                at += size
                continue
            byte = np.uint8(character)
        elif byte == 0xC2 and at + 1 < finish and html[at + 1] in (0xA0, 0xAD):
            if html[at + 1] == 0xA0:
                state[GAP] = 1
            at += 2
            continue
        if state[GAP] or state[BREAKS] or state[TABS] or not state[LINE]:
            begin_text(out, state)
        if byte == 0x7C and escapes:
            put(out, state, 0x5C)
        place = state[AT]
        out[place] = byte
        place += 1
        at += size
        while at < finish:
            byte = html[at]
            if byte <= 0x20 or byte in (0x26, 0x7C, 0xC2):
                break
            out[place] = byte
            place += 1
            at += 1
        state[AT] = place


@kernel
def write_verbatim(
    html: npt.NDArray[np.uint8],
    begin: int,
    finish: int,
    raw: bool,
    out: npt.NDArray[np.uint8],
    state: npt.NDArray[np.int64],
) -> None:
    """Write a text of a code block byte for byte, opening the block first if it has none yet."""
    if begin >= finish:
        return
    if not state[CODE_OPEN]:
        _end_lines(out, state)
        if state[FORM] == MARKDOWN:
            _put_many(out, state, 0x60, state[FENCE])
            for place in range(state[NAME], state[NAME_END]):
                put(out, state, html[place])
            put(out, state, 0x0A)
        state[CODE_OPEN], state[CODE_BREAK], state[GAP], state[MARKER], state[LINE] = 1, 0, 0, 0, 1
    if state[CODE_BREAK]:
        if out[state[AT] - 1] != 0x0A:
            put(out, state, 0x0A)
        state[CODE_BREAK] = 0
    at, place = begin, state[AT]
    while at < finish:
        byte = html[at]
        if byte == 0x26 and not raw:
            character, size = decode_reference(html, at, finish)
            if character == 0xA0:
                out[place] = 0xC2
                place += 1
            out[place] = character
            at += size
        else:
            out[place] = byte
            at += 1
        place += 1
    state[AT] = place


@kernel
def write_bytes(
    data: npt.NDArray[np.uint8], begin: int, finish: int, out: npt.NDArray[np.uint8], state: npt.NDArray[np.int64]
) -> None:
    """Write `data[begin:finish]` as it stands, after all that is due."""
    if begin < finish:
        begin_text(out, state)
        place = state[AT]
        for at in range(begin, finish):
            out[place] = data[at]
            place += 1
        state[AT] = place
