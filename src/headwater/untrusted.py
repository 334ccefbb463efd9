"""What is read from strangers, bounded before and while it is parsed: sizes, depths, compressed streams, lines of messages.

A parser of Python's raises whatever it stumbles over: here all of it becomes one ``ValueError`` that says in a line what is wrong, and the
reader of a file makes the error of its own kind from it, with the file's name. Nothing takes more memory than some multiple of what it is
given, and what it is given is bounded.
"""

from __future__ import annotations

import codecs
import json
import lzma
import re
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

__all__ = [
    "DEEPEST",
    "UNREADABLE",
    "check_depth",
    "parse_decimal",
    "parse_json",
    "parse_toml",
    "read_bounded",
    "unpack_xz",
]

DEEPEST: Final = 64
"""Deepest nesting of a file of settings, a vocabulary or a manifest."""
_MOST_VALUES: Final = 8_000_000
"""Most commas of a JSON file: each parts two values, and a value takes up to a hundred bytes when it is parsed."""
_MOST_CONTAINERS: Final = 2_000_000
"""Most lists and objects of a JSON file."""
_LONG_KEY: Final = re.compile(r"""(?<![\w"'-])[\w"'-]++(?:[ \t]*+\.[ \t]*+[\w"'-]++){64}""")
"""A TOML key of so many parts that parsing it takes time by their square."""
_DECIMAL: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,2})?")
_LONGEST_DECIMAL: Final = 100
_XZ_MEMORY: Final = 128 << 20
"""What the decoder may take: the strongest preset of ``xz`` needs 65 MiB."""

_WIDE_INTEGER: Final = "expected integers within 64 bits, found one"

UNREADABLE: Final = (pa.ArrowException, OSError, ValueError, MemoryError, OverflowError, SystemError)
"""What pyarrow raises on damaged Parquet: types that it does not know, lengths that are negative or absurd, names that are no UTF-8."""


def read_bounded(path: Path, most: int) -> bytes:
    """Return a file's bytes.

    Raises:
        OSError: it cannot be read.
        ValueError: it has more than ``most`` bytes, or is no file: a device or a pipe has no end.
    """
    if path.exists() and not path.is_file():
        raise ValueError("no regular file")
    with path.open("rb") as stream:
        data = stream.read(most + 1)
    if len(data) > most:
        raise ValueError(f"more than {most:,} bytes")
    return data


def unpack_xz(data: bytes, most: int) -> bytes:
    """Return what one xz stream holds.

    Raises:
        ValueError: damage, a stream that is cut or that something follows, or more than ``most`` bytes.
    """
    decoder = lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)
    try:
        unpacked = decoder.decompress(data, most + 1)
    except (lzma.LZMAError, EOFError) as error:
        raise ValueError(f"no sound xz stream: {error}") from None
    if len(unpacked) > most:
        raise ValueError(f"more than {most:,} bytes when unpacked")
    if not decoder.eof:
        raise ValueError("an xz stream without its end")
    if decoder.unused_data:
        raise ValueError(f"{len(decoder.unused_data):,} bytes after the xz stream")
    return unpacked


def parse_json(data: bytes | str, *, unique: bool = False) -> Any:  # Any: whatever the file holds; who asked checks it
    """Return the value of a JSON text: without NaN and infinities; of a key that stands twice in an object the last counts.

    Args:
        unique: refuse a key that stands twice instead.

    Raises:
        ValueError: no JSON in UTF-8, too many values, too deep, a number of thousands of digits, half a surrogate.
    """
    text = data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass")
    values, containers = text.count(b","), text.count(b"[") + text.count(b"{")
    if values > _MOST_VALUES or containers > _MOST_CONTAINERS:
        raise ValueError(f"about {values:,} values in {containers:,} lists and objects, more than anything of use has")
    if text.startswith(codecs.BOM_UTF8):
        raise ValueError("expected UTF-8 without a byte order mark, found one at the beginning")
    try:
        value = json.loads(
            text.decode(), parse_constant=_no_constant, object_pairs_hook=_unique_keys if unique else None
        )
    except RecursionError:
        raise ValueError(f"lists or objects nested more than {DEEPEST} deep") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"no UTF-8 at byte {error.start}") from None
    except ValueError as error:
        if "integer string conversion" not in str(error):
            raise
        raise ValueError(f"{_WIDE_INTEGER} of thousands of digits") from None  # Python's own advice helps nobody here
    check_depth(value)
    return value


def parse_decimal(text: str) -> Decimal:
    """Return the number that a text is, in ASCII digits, with a point and an exponent of two digits at most.

    ``Decimal`` itself takes underscores and the digits of every script, and exponents whose integers fill the memory.

    >>> parse_decimal(" 0.25 "), parse_decimal("3e38")
    (Decimal('0.25'), Decimal('3E+38'))

    Raises:
        ValueError: anything else.
    """
    stripped = text.strip()
    if len(stripped) > _LONGEST_DECIMAL or not _DECIMAL.fullmatch(stripped):
        raise ValueError("no number in plain digits")
    return Decimal(stripped)


def parse_toml(text: str) -> dict[str, Any]:  # Any: whatever the file holds; who asked checks it
    """Return the tables of a TOML text; its integers have 64 bits, as TOML promises, so any message may write one out.

    Raises:
        ValueError: no TOML, too deep, an integer beyond 64 bits, however it is written.
    """
    if _LONG_KEY.search(text):
        raise ValueError("a key of more than 64 parts")
    try:
        tables = tomllib.loads(text)
    except RecursionError:
        raise ValueError(f"lists or tables nested more than {DEEPEST} deep") from None
    except ValueError as error:
        if isinstance(error, tomllib.TOMLDecodeError) or "digits" not in str(error):
            raise
        raise ValueError(f"{_WIDE_INTEGER} of thousands of digits") from None  # Python's own advice helps nobody here
    check_depth(tables)
    _check_integers(tables)
    return tables


def check_depth(value: object, most: int = DEEPEST) -> None:
    """Raise ValueError where lists and objects are nested deeper than ``most``; it takes no stack itself."""
    level = [value]
    for _ in range(most):
        level = [
            item
            for each in level
            for item in (each.values() if isinstance(each, dict) else each if isinstance(each, list) else ())
            if type(item) is dict or type(item) is list  # isinstance with both is ten times slower
        ]
        if not level:
            return
    raise ValueError(f"lists or objects nested more than {most} deep")


def _check_integers(tables: dict[str, Any]) -> None:  # Any: see parse_toml
    level: list[tuple[str, object]] = list(tables.items())
    while level:
        for key, value in level:
            if type(value) is int and not -(2**63) <= value < 2**63:
                bits = value.bit_length()  # Python refuses to write one of thousands of digits
                raise ValueError(f"{_WIDE_INTEGER} of {bits:,} bits at the key {key!r}")
        level = [
            (at, item)
            for key, value in level
            for at, item in (
                value.items()
                if isinstance(value, dict)
                else ((key, each) for each in value)
                if isinstance(value, list)
                else ()
            )
        ]


def _unique_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"expected each key once in an object, found {key[:100]!r} twice")
        found[key] = value
    return found


def _no_constant(name: str) -> object:
    raise ValueError(f"expected a finite number, found {name}")
