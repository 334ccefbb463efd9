"""The character encoding of a page, decided as the HTML Standard orders it, and the page's text (docs/concepts/web-pages.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from headwater.filters.html.charset_detect import count_high, guess, is_utf8
from headwater.filters.html.charset_labels import encoding_of
from headwater.filters.html.charset_meta import declared_in, declared_later

__all__ = ["Decoded", "decode", "decode_page"]

_MARKS: Final = ((b"\xef\xbb\xbf", "UTF-8"), (b"\xfe\xff", "UTF-16BE"), (b"\xff\xfe", "UTF-16LE"))
_WIDE: Final = ("UTF-16BE", "UTF-16LE")
_DEFAULT: Final = "windows-1252"
_FEW: Final = 8
"""Characters of several bytes: so many in valid UTF-8 are stronger than a label that says otherwise."""
_LONGEST_LABEL: Final = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class Decoded:
    """A page's text and how its encoding was decided.

    Attributes:
        text: without a byte order mark; never half a surrogate pair; NUL is left to the parser.
        declared: the label that counts, as HTTP's header or the page writes it, known or not; at most 64 characters.
        used: the standard's name of the encoding that the text was decoded with.
        source: what decided: ``bom``, ``http``, ``meta``, ``detected`` or ``default``.
        n_replaced: U+FFFD in the text: bytes that are no character of the encoding, and such as the page has itself.
        n_nul: U+0000 in the text.
    """

    text: str
    declared: str | None
    used: str
    source: str
    n_replaced: int = 0
    n_nul: int = 0


def decode_page(body: bytes, http_charset: str | None = None, *, tld: str | None = None) -> Decoded:
    r"""Return a page's text, decoded as a browser does it, but where the bytes contradict what is declared.

    The order is that of the HTML Standard's encoding sniffing algorithm: byte order mark, HTTP's header, ``<meta>`` (the prescan of
    1,024 bytes, then a later one, for which a browser reads the page again), detection, windows-1252. Other than a browser:

    - a declared encoding in which a third or more of the bytes beyond ASCII are errors, where another one fits them;
    - a declared encoding other than UTF-8 where the body is valid UTF-8 with eight or more characters beyond ASCII;
    - UTF-16 without mark and label, known by its NUL bytes.

    Each of these is told: ``source`` is ``detected`` while ``declared`` keeps the label.

    Args:
        body: the page's bytes, after transfer and content encodings.
        http_charset: the charset parameter of the ``Content-Type`` header.
        tld: the last label of the host's name, which narrows detection as in Firefox.

    >>> decode_page(b"<meta charset=iso-8859-1>na\xefve", None).text[-5:], decode_page(b"\xef\xbb\xbfa", "koi8-r").source
    ('naïve', 'bom')
    """
    label = http_charset.strip(" \t\"'")[:_LONGEST_LABEL] if http_charset else ""
    declared = label or None
    for mark, name in _MARKS:
        if body.startswith(mark):
            return _decoded(body[len(mark) :], declared, name, "bom")
    asked, source = encoding_of(label), "http"
    if asked is None:
        found = declared_in(body)
        if found is None or found.encoding is None:
            found = declared_later(body) or found
        if found is not None:
            asked, source = found.encoding, "meta"
            declared = found.label if asked is not None or declared is None else declared
    if asked is not None:
        result = _decoded(body, declared, asked, source)
        return _contradicted(body, result, tld) or result
    guessed = guess(body, tld)
    return _decoded(body, declared, guessed or _DEFAULT, "detected" if guessed else "default")


def decode(body: bytes, name: str) -> str:
    """Return bytes as text by the standard's decoder of an encoding, errors as U+FFFD; a byte order mark stays."""
    if name == "UTF-8":
        return body.decode("utf-8", "replace")
    return body.decode(f"whatwg-{name}")


def _decoded(body: bytes, declared: str | None, name: str, source: str) -> Decoded:
    text = decode(body, name)
    return Decoded(
        text=text,
        declared=declared,
        used=name,
        source=source,
        n_replaced=text.count("\ufffd"),
        n_nul=text.count("\0"),
    )


def _contradicted(body: bytes, result: Decoded, tld: str | None) -> Decoded | None:
    """Return the page decoded otherwise where its bytes contradict what it declares."""
    if result.used == "UTF-8" and not result.n_replaced:
        return None
    n_high = count_high(body)
    name = None
    if result.used != "UTF-8" and is_utf8(body):
        if n_high >= 2 * _FEW or (result.used in _WIDE and b"\0" not in body):
            name = "UTF-8"
    elif n_high and result.n_replaced * 3 >= n_high and result.used != "replacement":
        name = guess(body, tld)
    if name is None or name == result.used:
        return None
    other = _decoded(body, result.declared, name, "detected")
    return other if other.n_replaced * 4 <= result.n_replaced or name == "UTF-8" else None
