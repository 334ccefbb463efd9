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

__all__ = ["explain_line", "split_lines"]

_STRINGS = re.compile(rb"\"[^\"\\]*+(?:\\.[^\"\\]*+)*+\"?", re.DOTALL)
_BRACKETS = re.compile(rb"[\[{\]}]")


def split_lines(blocks: Iterable[bytes], max_bytes: int) -> Iterator[list[bytes | None]]:
    r"""Yield the lines of a stream, a list for each block, without their line feeds.

    A line longer than ``max_bytes`` is None: its bytes are dropped as they come, so memory holds one block and ``max_bytes`` at most.
    What follows the last line feed is a line when it is not empty; it is withheld when ``blocks`` raises, since it may be incomplete.

    >>> list(split_lines([b"one\ntw", b"o\nlong line", b"\nend"], 5))
    [[b'one'], [b'two'], [None], [b'end']]
    """
    pieces: list[bytes] = []
    carried = 0
    for block in blocks:
        cut = block.rfind(b"\n")
        if cut >= 0:
            lines: list[bytes | None] = [*block[:cut].split(b"\n")]
            first = lines[0] or b""
            whole = carried + len(first)
            lines[0] = None if whole > max_bytes else b"".join([*pieces, first]) if pieces else first
            # Only the first can be longer than a block; the others are measured where a block may hold one that is too long.
            if len(block) > max_bytes:
                lines = [line if line is None or len(line) <= max_bytes else None for line in lines]
            yield lines
            pieces.clear()
            carried = 0
        rest = block[cut + 1 :]
        if rest:
            carried += len(rest)
            if carried > max_bytes:
                pieces.clear()
            else:
                pieces.append(rest)
    if carried:
        yield [None if carried > max_bytes else b"".join(pieces)]


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
