"""Identity of settings: a 128-bit fingerprint of canonical JSON.

Two values have the same fingerprint exactly when their canonical JSON is the same text. Anything that has no canonical form is an error:
falling back to ``str()`` would give an address in memory or a set's order a say in what is computed again.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Final

from headwater.errors import UsageError

__all__ = ["canonical_json", "fingerprint", "fingerprint_of_rows"]

_MAX_DEPTH: Final = 64


def canonical_json(value: object) -> str:
    """Return ``value`` as JSON with sorted keys, no spaces and no escapes that JSON does not demand.

    Integers and floats stay apart (``1`` is not ``1.0``); floats are written as the shortest decimal that reads back to
    the same double; tuples are written as lists.

    Args:
        value: None, bool, int, finite float, str, and lists, tuples and mappings of them with str keys.

    Raises:
        UsageError: a set, an object, a key that is no string, NaN or an infinity, a string that is not valid Unicode,
            or more than 64 levels of nesting (a value that contains itself among them).

    >>> canonical_json({"b": (1, 2.5), "a": None})
    '{"a":null,"b":[1,2.5]}'
    """
    _check(value, "value", 0)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def fingerprint(value: object) -> str:
    """Return 32 hexadecimal digits: BLAKE2b-128 of the UTF-8 bytes of ``canonical_json(value)``.

    Raises:
        UsageError: as ``canonical_json``.

    >>> fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    True
    """
    return blake2b(canonical_json(value).encode(), digest_size=16).hexdigest()


def fingerprint_of_rows(rows: Iterable[object]) -> str:
    """Return the fingerprint of a list of values, one in memory at a time.

    Raises:
        UsageError: as ``canonical_json``.

    >>> fingerprint_of_rows(iter([[1, "a"], {}])) == fingerprint([[1, "a"], {}])
    True
    """
    digest = blake2b(b"[", digest_size=16)
    for number, row in enumerate(rows):
        digest.update((b"," if number else b"") + canonical_json(row).encode())
    digest.update(b"]")
    return digest.hexdigest()


def _check(value: object, where: str, depth: int) -> None:
    """Raise UsageError unless ``value`` has a canonical form; exact types only, since a subclass may print itself otherwise."""
    if depth > _MAX_DEPTH:
        raise UsageError(f"{where[:80]}: expected at most {_MAX_DEPTH} levels of nesting, found more")
    if value is None or type(value) in (bool, int):
        return
    if type(value) is float:
        if not math.isfinite(value):
            raise UsageError(f"{where}: expected a finite number, found {value}")
    elif type(value) is str:
        _check_text(value, where)
    elif type(value) in (list, tuple):
        for number, item in enumerate(value):  # type: ignore[arg-type, var-annotated]  # exact types were checked above
            _check(item, f"{where}[{number}]", depth + 1)
    elif isinstance(value, dict):
        _check_mapping(value, where, depth)
    else:
        raise UsageError(
            f"{where}: expected null, a boolean, a number, a string, a list or a table, found {type(value).__name__}; "
            "convert it to one of these, since nothing else has a canonical form"
        )


def _check_mapping(value: Mapping[object, object], where: str, depth: int) -> None:
    for key, item in value.items():
        if type(key) is not str:
            raise UsageError(f"{where}: expected keys that are strings, found one of type {type(key).__name__}")
        _check_text(key, where)
        _check(item, f"{where}.{key}", depth + 1)


def _check_text(text: str, where: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{where}: expected valid Unicode, found a lone surrogate") from None
