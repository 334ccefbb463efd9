"""JSON Lines: lines out of blocks, and records out of lines, in bounded memory and whatever the bytes.

Numbers follow orjson: 64-bit integers are exact, larger ones become the nearest double. Of a key that comes twice the last value
counts, as in nearly every JSON library. ``NaN`` and ``Infinity``, which Python writes although JSON has no such thing, count as null:
a broken score in a field of its own must not cost the text beside it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

__all__ = ["explain_line", "is_too_deep", "whole_lines"]

_STRINGS = re.compile(rb"\"[^\"\\]*+(?:\\.[^\"\\]*+)*+\"?", re.DOTALL)
_BRACKETS = re.compile(rb"[\[{\]}]")


def whole_lines(blocks: Iterable[bytes], max_bytes: int) -> Iterator[bytes | None]:
    r"""Yield a stream's lines, several at a time, joined by line feeds and without one at the end.

    None stands for one line longer than ``max_bytes`` that spans blocks: its bytes are dropped as they come, so memory holds a block
    and ``max_bytes`` at most. A line within one block is passed on whatever its length. What follows the last line feed is a line when
    it is not empty; it is withheld when ``blocks`` raises, since it may be incomplete.

    >>> list(whole_lines([b"one\ntw", b"o\nthree\nlong line", b" of text\nend"], 9))
    [b'one', b'two\nthree', None, b'end']
    """
    pieces: list[bytes] = []
    carried = 0
    for block in blocks:
        last = block.rfind(b"\n")
        if last >= 0:
            first = block.find(b"\n") if carried else last
            if carried + first > max_bytes and carried:
                yield None
                if first < last:
                    yield block[first + 1 : last]
            else:
                yield b"".join([*pieces, block[:last]])
            pieces.clear()
            carried = 0
        rest = block[last + 1 :]
        carried += len(rest)
        if carried > max_bytes:
            pieces.clear()
        elif rest:
            pieces.append(rest)
    if carried:
        yield None if carried > max_bytes else b"".join(pieces)


def explain_line(line: bytes, max_nesting: int) -> Any:
    """Return what the line holds where orjson refuses it but JSON with ``NaN`` does not; else say why it is refused.

    Raises:
        ValueError: its argument is the reason: ``invalid_utf8``, ``too_deep``, ``not_json`` or ``lone_surrogate``.
    """
    try:
        text = line.decode()
    except UnicodeDecodeError:
        raise ValueError("invalid_utf8") from None
    # Before any recursive parser sees it.
    if is_too_deep(line, max_nesting):
        raise ValueError("too_deep")
    try:
        value = json.loads(text, parse_constant=lambda _: None, parse_int=_parse_int)
    except (ValueError, RecursionError):
        raise ValueError("not_json") from None
    try:
        orjson.dumps(value)
    except TypeError:
        raise ValueError("lone_surrogate") from None
    return value


def is_too_deep(line: bytes, max_nesting: int) -> bool:
    """Return whether brackets outside of strings nest deeper than ``max_nesting``, in time linear in the line."""
    if line.count(b"{") + line.count(b"[") <= max_nesting:
        return False
    depth = 0
    for bracket in _BRACKETS.finditer(_STRINGS.sub(b"", line)):
        depth += 1 if bracket[0] in b"[{" else -1
        if depth > max_nesting:
            return True
    return False


def _parse_int(digits: str) -> int | float | None:
    if len(digits) <= 20 and -(1 << 63) <= int(digits) < 1 << 64:
        return int(digits)
    value = float(digits)
    return value if abs(value) != float("inf") else None
