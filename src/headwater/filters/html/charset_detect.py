"""Which encoding bytes look to be in that declare none: UTF-8 by its structure, UTF-16 by its NULs, the rest by a browser's detector.

The detector is chardetng's method, which Firefox has, in the version that turbohtml carries. It gives up a multi-byte encoding at the first
error, and one character that a template cut in a title is enough; here the pieces of the page that hold such errors are left out.
"""

from __future__ import annotations

import re
from typing import Final

import numpy as np
from turbohtml.detect import Detection, detect

__all__ = ["count_high", "guess", "is_utf8"]

_DOUBLE: Final = ("GBK", "Big5", "Shift_JIS", "EUC-JP", "EUC-KR")
_READ: Final = 1 << 18
"""Bytes that the detector reads: it takes a second for some 10 million."""
_PIECES: Final = re.compile(rb"[<>\n]")
"""No second byte of a character in any of the multi-byte encodings, ISO-2022-JP apart."""
_TLD: Final = re.compile(r"[a-z0-9-]{2,63}")
_DAMAGED: Final = 50
"""Of so many characters of a multi-byte encoding one may be an error."""


def guess(body: bytes, tld: str | None = None) -> str | None:
    """Return the encoding that bytes look to be in, None where they are plain ASCII.

    Args:
        body: the bytes; the end may cut a character.
        tld: the last label of the host's name: ``jp``, ``ru``; what is none is no hint.
    """
    if wide := _wide(body):
        return wide
    escapes = b"\x1b" in body
    if body.isascii():
        return _ask([body], tld) if escapes else None
    if is_utf8(body) or _is_damaged_utf8(body):
        return "UTF-8"
    pieces = [body] if escapes else [piece for piece in _PIECES.split(body) if not piece.isascii()]
    name = _ask(pieces, tld)
    return _damaged_double(pieces, tld, name) or name


def is_utf8(body: bytes) -> bool:
    """Return whether bytes are UTF-8; a character that the end cuts is forgiven."""
    try:
        body.decode()
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data" and error.end == len(body)
    return True


def count_high(body: bytes) -> int:
    """Return how many bytes are beyond ASCII."""
    return 0 if body.isascii() else int(np.count_nonzero(np.frombuffer(body, np.uint8) & 0x80))


def _ask(pieces: list[bytes], tld: str | None) -> str | None:
    joined = b"\n" + b"\n".join(pieces)[:_READ]  # at its very beginning the detector would look for a mark
    hint = tld if tld is not None and _TLD.fullmatch(tld) else None
    return detect(joined, Detection(tld=hint, excluded=frozenset({"UTF-8"}))).encoding


def _wide(body: bytes) -> str | None:
    """Return UTF-16 in the order of bytes that the NULs of ASCII letters show, as a page in it has them: in every tag."""
    head = body[:4096]
    if len(head) < 8 or head.count(0) * 4 < len(head):
        return None
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if odd >= 8 * even:
        return "UTF-16LE"
    return "UTF-16BE" if even >= 8 * odd else None


def _is_damaged_utf8(body: bytes) -> bool:
    """Return whether bytes are UTF-8 but for some: one error at most to each fifty characters of several bytes."""
    n_errors = body.decode("utf-8", "replace").count("\ufffd")
    values = np.frombuffer(body, np.uint8)
    n_leads = int(np.count_nonzero((values >= 0xC2) & (values <= 0xF4)))
    return n_errors * _DAMAGED <= n_leads


def _damaged_double(pieces: list[bytes], tld: str | None, first: str | None) -> str | None:
    """Return the multi-byte encoding that the pieces without errors are in, where few of all characters are errors."""
    joined = b"\n".join(pieces)[:_READ]
    most = max(2, count_high(joined) // (2 * _DAMAGED))
    errors = {name: joined.decode(f"whatwg-{name}").count("\ufffd") for name in _DOUBLE}
    if first in _DOUBLE and not errors[first]:
        return None
    for name in sorted(_DOUBLE, key=errors.__getitem__):
        if 0 < errors[name] <= most:
            sound = [piece for piece in joined.split(b"\n") if "\ufffd" not in piece.decode(f"whatwg-{name}")]
            if _ask(sound, tld) == name:
                return name
    return None
