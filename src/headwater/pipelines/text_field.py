"""The text of JSON lines, unescaped straight into UTF-8, so that the bulk of a record never becomes a Python string.

A line's text is cut out by a compiled scan and the rest, a few hundred bytes, goes to orjson: cutting out one whole string token leaves
a line that is valid JSON exactly when the line was, given that the token itself is valid. Whatever is unusual (a broken escape, a
control character, a key that comes twice or is written with escapes, a text that is no string) is left to the slow way, which decides
and gives the reason. UTF-8 is verified by the caller.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["cut_texts"]

_QUOTE, _BACKSLASH, _COMMA, _COLON = 0x22, 0x5C, 0x2C, 0x3A
_OPEN_OBJECT, _CLOSE_OBJECT, _OPEN_ARRAY, _CLOSE_ARRAY = 0x7B, 0x7D, 0x5B, 0x5D


@njit(cache=True, nogil=True)
def _hex4(data, at, end):  # type: ignore[no-untyped-def]
    """Return the code unit of the four hexadecimal digits at ``at``, or -1."""
    if at + 4 > end:
        return -1
    value = 0
    for position in range(at, at + 4):
        byte = int(data[position])
        if 0x30 <= byte <= 0x39:
            digit = byte - 0x30
        elif 0x41 <= byte <= 0x46:
            digit = byte - 0x37
        elif 0x61 <= byte <= 0x66:
            digit = byte - 0x57
        else:
            return -1
        value = value * 16 + digit
    return value


@njit(cache=True, nogil=True)
def _put_utf8(code, out, at):  # type: ignore[no-untyped-def]
    """Write a code point as UTF-8 and return the position after it."""
    if code < 0x80:
        out[at] = code
        return at + 1
    if code < 0x800:
        out[at] = 0xC0 | code >> 6
        out[at + 1] = 0x80 | code & 0x3F
        return at + 2
    if code < 0x10000:
        out[at] = 0xE0 | code >> 12
        out[at + 1] = 0x80 | code >> 6 & 0x3F
        out[at + 2] = 0x80 | code & 0x3F
        return at + 3
    out[at] = 0xF0 | code >> 18
    out[at + 1] = 0x80 | code >> 12 & 0x3F
    out[at + 2] = 0x80 | code >> 6 & 0x3F
    out[at + 3] = 0x80 | code & 0x3F
    return at + 4


@njit(cache=True, nogil=True)
def _unescape(data, begin, end, out, at):  # type: ignore[no-untyped-def]
    """Write the string that begins at ``begin``; return the position of its closing quote, or -1, and that after the output."""
    position = begin
    while position < end:
        byte = data[position]
        if byte == _QUOTE:
            return position, at
        if byte < 0x20:
            return -1, at
        if byte != _BACKSLASH:
            out[at] = byte
            at += 1
            position += 1
            continue
        position += 1
        if position >= end:
            return -1, at
        byte = data[position]
        position += 1
        if byte in (_QUOTE, _BACKSLASH) or byte == 47:
            code = int(byte)
        elif byte == 0x6E:
            code = 0x0A
        elif byte == 0x74:
            code = 0x09
        elif byte == 0x72:
            code = 0x0D
        elif byte == 0x62:
            code = 0x08
        elif byte == 0x66:
            code = 0x0C
        elif byte == 0x75:
            code = _hex4(data, position, end)
            position += 4
            if code < 0 or 0xDC00 <= code < 0xE000:
                return -1, at
            if code >= 0xD800 and code < 0xDC00:
                if position + 6 > end or data[position] != _BACKSLASH or data[position + 1] != 0x75:
                    return -1, at
                low = _hex4(data, position + 2, end)
                if low < 0xDC00 or low >= 0xE000:
                    return -1, at
                code = 0x10000 + (code - 0xD800 << 10) + (low - 0xDC00)
                position += 6
        else:
            return -1, at
        at = _put_utf8(code, out, at)
    return -1, at


@njit(cache=True, nogil=True)
def _cut_line(data, begin, end, name, out, at):  # type: ignore[no-untyped-def]
    """Return begin and end of the text's string token without its quotes, and the end of the output; begin is -1 for the slow way."""
    position = begin
    depth = 0
    key_comes = False
    cut_begin = np.int64(-1)
    cut_end = np.int64(-1)
    while position < end:
        byte = data[position]
        position += 1
        if byte == _QUOTE:
            start = position
            escaped = False
            while position < end and data[position] != _QUOTE:
                if data[position] == _BACKSLASH:
                    escaped = True
                    position += 1
                position += 1
            if position >= end:
                return np.int64(-1), cut_end, at
            stop = position
            position += 1
            if depth != 1 or not key_comes:
                continue
            key_comes = False
            if escaped:
                return np.int64(-1), cut_end, at
            if stop - start != len(name):
                continue
            same = True
            for offset in range(len(name)):
                if data[start + offset] != name[offset]:
                    same = False
                    break
            if not same:
                continue
            while position < end and (data[position] == _COLON or data[position] == 0x20):
                position += 1
            if cut_begin >= 0 or position >= end or data[position] != _QUOTE:
                return np.int64(-1), cut_end, at
            cut_begin = np.int64(position + 1)
            closing, at = _unescape(data, position + 1, end, out, at)
            if closing < 0:
                return np.int64(-1), cut_end, at
            cut_end = np.int64(closing)
            position = closing + 1
        elif byte in (_OPEN_OBJECT, _OPEN_ARRAY):
            depth += 1
            key_comes = byte == _OPEN_OBJECT
        elif byte in (_CLOSE_OBJECT, _CLOSE_ARRAY):
            depth -= 1
            key_comes = False
        elif byte == _COMMA:
            key_comes = depth == 1
    return cut_begin, cut_end, at


@njit(cache=True, nogil=True)
def _cut_all(data, begins, ends, name, out, cuts):  # type: ignore[no-untyped-def]
    at = 0
    for line in range(len(begins)):
        cut_begin, cut_end, after = _cut_line(data, begins[line], ends[line], name, out, at)
        if cut_begin < 0:
            after = at
        cuts[0, line] = cut_begin
        cuts[1, line] = cut_end
        cuts[2, line] = at
        cuts[3, line] = after
        at = after
    return at


def cut_texts(
    data: bytes, begins: npt.NDArray[np.int64], ends: npt.NDArray[np.int64], name: bytes
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    r"""Return where the texts of some lines lie, and the texts unescaped.

    Args:
        data: the lines' bytes.
        begins: int64[n], first byte of each line.
        ends: int64[n], first byte after it.
        name: the field that holds the text.

    Returns:
        int64[4, n]: begin and end of the text within ``data``, without its quotes, begin -1 where the line is left to the slow way; begin
        and end of the text in the second result. Then uint8[m]: the texts one after another, not yet verified to be UTF-8.

    >>> line = rb'{"id": 7, "text": "caf\u00e9"}'
    >>> cuts, texts = cut_texts(line, np.array([0]), np.array([len(line)]), b"text")
    >>> texts.tobytes().decode(), line[: cuts[0, 0]] + line[cuts[1, 0] :]
    ('café', b'{"id": 7, "text": ""}')
    """
    out = np.empty(len(data), dtype=np.uint8)
    cuts = np.empty((4, len(begins)), dtype=np.int64)
    size = _cut_all(np.frombuffer(data, dtype=np.uint8), begins, ends, np.frombuffer(name, dtype=np.uint8), out, cuts)
    return cuts, out[:size]
