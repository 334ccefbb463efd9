"""JSON Lines: lines out of blocks, and objects out of lines, in bounded memory and whatever the bytes.

Numbers follow orjson: 64-bit integers are exact, larger ones become the nearest double where there is one; ``parse_exactly`` gives a line
whose numbers are all exact, for values of which that matters. Of a key that comes twice the last value counts, as in nearly every JSON
library. ``NaN`` and ``Infinity``, which Python writes although JSON has no such thing, count as null: a broken score in a field of its own
must not cost the text beside it. For the same reason ``mend_object`` reads a line that holds bytes that are no UTF-8, or halves of
surrogate pairs.
"""

from __future__ import annotations

import codecs
import json
import math
import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import orjson

from headwater.pipelines.ingest.decompress import Limits, unpacked_blocks
from headwater.pipelines.ingest.exact_numbers import Number, exact_float, exact_int
from headwater.pipelines.ingest.file_kinds import detect_compression
from headwater.pipelines.ingest.opening import open_stream

__all__ = [
    "Mended",
    "Replaced",
    "is_too_deep",
    "mend_object",
    "number_lines",
    "parse_exactly",
    "parse_object",
    "read_objects",
    "split_lines",
    "surrogate_fault",
]

_STRINGS = re.compile(rb"\"[^\"\\]*+(?:\\.[^\"\\]*+)*+\"?", re.DOTALL)
_BRACKETS = re.compile(rb"[\[{\]}]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_HEAD_BYTES = 16


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


def number_lines(blocks: Iterable[bytes], max_bytes: int, first: int = 0) -> Iterator[tuple[int, bytes | None]]:
    r"""Yield each line of a stream that is not blank, with its number; one longer than ``max_bytes`` is None.

    Args:
        blocks: from the beginning of a file, whose byte order mark is left out, or from that of a later line.
        max_bytes: longest line.
        first: number of the first line; blank lines are counted.

    >>> list(number_lines([b"\xef\xbb\xbfone\n\n \r\nfour"], 9))
    [(0, b'one'), (3, b'four')]
    """
    number = first - 1
    for lines in split_lines(blocks, max_bytes):
        if number < 0 and lines[0] is not None:
            lines[0] = lines[0].removeprefix(codecs.BOM_UTF8)
        for line in lines:
            number += 1
            if line is None or (line and not line.isspace()):
                yield number, line


def parse_object(line: bytes, max_nesting: int) -> dict[str, object] | str:
    """Return the object that a line holds, or the reason for which it holds none that can be used.

    An object that orjson reads is returned however deep it is, since what lies deep may be left out of the record: see ``is_too_deep``.

    Returns:
        The object, or ``invalid_utf8``, ``too_deep``, ``not_json``, ``lone_surrogate`` or ``not_an_object``.

    >>> parse_object(b'{"a": NaN}', 64), parse_object(b"[1]", 64), parse_object(b"{", 64)
    ({'a': None}, 'not_an_object', 'not_json')
    """
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        return _parse_slowly(line, max_nesting)
    if type(value) is dict:
        return value
    return "too_deep" if is_too_deep(line, max_nesting) else "not_an_object"


def _parse_slowly(line: bytes, max_nesting: int) -> dict[str, object] | str:
    """Return the object of a line that orjson refuses and JSON with ``NaN`` does not, or the reason as ``parse_object`` does."""
    try:
        text = line.decode()
    except UnicodeDecodeError:
        return "invalid_utf8"
    # Before any recursive parser sees it.
    if is_too_deep(line, max_nesting):
        return "too_deep"
    try:
        value = json.loads(text, parse_constant=lambda _: None, parse_int=_round_int, parse_float=_round_float)
    except (ValueError, RecursionError):
        return "not_json"
    try:
        orjson.dumps(value, default=str)
    except TypeError:
        return "lone_surrogate"
    return value if type(value) is dict else "not_an_object"


def parse_exactly(line: bytes) -> dict[str, object]:
    """Return the object of a line that ``parse_object`` has read, with every number as exact as it was written.

    >>> parse_exactly(b'{"id": 123456789012345678901234}')
    {'id': Number('123456789012345678901234')}
    """
    value: dict[str, object] = _loads(line.decode())
    return value


def _loads(text: str) -> Any:  # Any: whatever the JSON holds
    return json.loads(text, parse_constant=lambda _: None, parse_int=exact_int, parse_float=exact_float)


class Replaced(str):
    """A string in which what no UTF-8 can hold was replaced by U+FFFD; it names nothing, so it fills no column but ``meta``."""

    __slots__ = ()


class Mended(NamedTuple):
    """An object of a line that is no UTF-8, or holds halves of surrogate pairs, as it was read.

    Attributes:
        fields: key → value; their strings may hold surrogates, of which those from U+DC80 on stand for bytes that are no UTF-8.
    """

    fields: dict[str, object]

    def replace(self) -> tuple[dict[str, object], dict[str, str]]:
        """Return the fields with ``Replaced`` strings where there was a fault, and the fault of each such field."""
        fields: dict[str, object] = {}
        faults: dict[str, str] = {}
        for key, value in self.fields.items():
            found: list[str] = []
            name = str(_replace(key, found))
            fields[name] = _replace(value, found)
            if found:
                faults[name] = found[0]
        return fields, faults


def mend_object(line: bytes, max_nesting: int) -> Mended | None:
    """Return the object of a line that ``parse_object`` refuses for its characters alone; None where more is wrong with it."""
    if is_too_deep(line, max_nesting):
        return None
    try:
        value = _loads(line.decode(errors="surrogateescape"))
    except (ValueError, RecursionError):
        return None
    return Mended(value) if type(value) is dict else None


def surrogate_fault(text: str) -> str | None:
    """Return ``invalid_utf8`` or ``lone_surrogate`` for a string of ``Mended`` that no UTF-8 can hold, None for any other."""
    found = _SURROGATES.search(text)
    if found is None:
        return None
    return "invalid_utf8" if "\udc80" <= found[0] <= "\udcff" else "lone_surrogate"


def _replace(value: object, faults: list[str]) -> object:
    """Return a JSON value with its faulty strings replaced; recursion is bounded, since ``is_too_deep`` was asked before."""
    if isinstance(value, str):
        fault = surrogate_fault(value)
        if fault is None:
            return value
        faults.append(fault)
        return Replaced(_SURROGATES.sub("\ufffd", value))
    if isinstance(value, dict):
        return {str(_replace(key, faults)): _replace(item, faults) for key, item in value.items()}
    if isinstance(value, list):
        return [_replace(item, faults) for item in value]
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


def read_objects(uri: str, limits: Limits) -> Iterator[tuple[int, dict[str, object] | str]]:
    """Yield the number of each line of a file, plain or compressed, with its object or the reason for which it has none.

    The reasons are those of ``parse_object`` and ``record_too_large``; an object nested deeper than the limit is ``too_deep``.

    Raises:
        BadInputError: the compressed data are damaged or expand too far, after the lines before the fault.
        OSError: the file cannot be opened or read.
    """
    with open_stream(uri) as stream:
        compression = detect_compression(bytes(stream.read(_HEAD_BYTES)))
    for number, line in number_lines(unpacked_blocks(uri, compression, limits), limits.max_record_bytes):
        if line is None:
            yield number, "record_too_large"
            continue
        found = parse_object(line, limits.max_nesting)
        deep = not isinstance(found, str) and is_too_deep(line, limits.max_nesting)
        yield number, "too_deep" if deep else found


def _round_int(written: str) -> int | float | Number:
    value = exact_int(written)
    return value if isinstance(value, int) else _round_float(written)


def _round_float(written: str) -> float | Number:
    value = float(written)
    return value if math.isfinite(value) else Number(written)
