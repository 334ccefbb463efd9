"""What a page says of its own encoding: the prescan of the HTML Standard (section 13.2.3.2), an XML declaration, a later ``<meta>``."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from headwater.filters.html.charset_labels import encoding_of

__all__ = ["PRESCANNED", "Declared", "declared_in", "declared_later"]

PRESCANNED: Final = 1024
"""Bytes that the standard has read before the page is parsed."""
_SEARCHED: Final = 1 << 20
"""Bytes within which a later ``<meta>`` counts; a head with styles and scripts in it has hundreds of thousands."""
_ATTRIBUTE: Final = re.compile(
    rb"""[\s/]*+(?:(?P<end>>)|(?P<name>[^\s/>][^\s/>=]*+)"""
    rb"""(?:\s*+=\s*+(?:"(?P<double>[^"]*+)"|'(?P<single>[^']*+)'|(?=>)|(?P<plain>[^\s>"'][^\s>]*+)(?=[\s>]))|(?=\s*+[^\s=])))"""
)
"""One attribute or the tag's end; no match where the bytes end first. (White space has the vertical tab too, which HTML's has not.)"""
_TAG: Final = re.compile(rb"</?([a-zA-Z][^\s>]*+)")
_CHARSET: Final = re.compile(rb"""charset\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s;"'][^\s;]*+)|)""", re.IGNORECASE)
_XML: Final = re.compile(
    rb"""<\?xml(?:(?!encoding)[^>])*+encoding[\0- ]*+=[\0- ]*+(?:"([^"'>\0- ]*+)"|'([^"'>\0- ]*+)')[^>]*+>"""
)
_LATER: Final = re.compile(rb"<meta[\s/][^>]{0,1000}charset", re.IGNORECASE)
_RAW: Final = frozenset(b"script style textarea title xmp iframe noembed noframes".split())
"""Elements whose content is text and no markup."""


class Declared(NamedTuple):
    """A label as it stands in the page, and the encoding that it asks for; None where it is no label of the standard."""

    label: str
    encoding: str | None


def declared_in(body: bytes) -> Declared | None:
    """Return what the first 1,024 bytes declare: the first ``<meta>`` that counts, else an XML declaration.

    >>> declared_in(b'<!-- <meta charset=koi8-r> --><META http-equiv=Content-Type content="text/html; charset=sjis">')
    Declared(label='sjis', encoding='Shift_JIS')
    """
    head = body[:PRESCANNED]
    if head.startswith(b"<\0?\0x\0"):
        return Declared("utf-16le", "UTF-16LE")
    if head.startswith(b"\0<\0?\0x"):
        return Declared("utf-16be", "UTF-16BE")
    found = _walk(head, raw=False)
    if (found is None or found.encoding is None) and (xml := _XML.match(head)):
        found = found or _as_asked(xml[1] or xml[2] or b"")
    return found


def declared_later(body: bytes) -> Declared | None:
    """Return what a ``<meta>`` after the prescan declares, for which a browser reads the page once more.

    Comments and the raw text of scripts, styles and their like hide it. Within the first 2**20 bytes, in linear time.
    """
    head = body[:_SEARCHED]
    if len(head) <= PRESCANNED or not _LATER.search(head):
        return None
    found = _walk(head, raw=True)
    return found if found is not None and found.encoding is not None else None


def _walk(head: bytes, *, raw: bool) -> Declared | None:
    """Return the first declaration that counts, else the first whose label is unknown, walking from tag to tag.

    Args:
        raw: pass over the text of scripts and their like, as the parser does and the prescan does not.
    """
    unknown: Declared | None = None
    lower = head.lower() if raw else b""
    at = 0
    while (at := head.find(b"<", at)) >= 0:
        if head.startswith(b"<!--", at):
            at = _after(head, b"-->", at + 2)
        elif tag := _TAG.match(head, at):
            name = tag[1].lower()
            is_open = head[at + 1] != 47
            if is_open and (name == b"meta" or name.startswith(b"meta/")):
                found, at = _read_meta(head, at + len(b"<meta"))
                if at >= 0 and found is not None and found.encoding is not None:
                    return found
                unknown = unknown or found
            else:
                at = _after_attributes(head, tag.end())
                if raw and is_open and at >= 0 and name in _RAW:
                    at = lower.find(b"</" + name, at)
        elif head[at + 1 : at + 2] in (b"!", b"/", b"?"):
            at = _after(head, b">", at)
        else:
            at += 1
        if at < 0:
            break
    return unknown


def _after(head: bytes, what: bytes, at: int) -> int:
    found = head.find(what, at)
    return found + len(what) if found >= 0 else -1


def _after_attributes(head: bytes, at: int) -> int:
    """Return where a tag ends, -1 where the bytes end first."""
    while attribute := _ATTRIBUTE.match(head, at):
        at = attribute.end()
        if attribute["end"]:
            return at
    return -1


def _read_meta(head: bytes, at: int) -> tuple[Declared | None, int]:
    """Return what a ``<meta>`` declares, whose attributes begin at ``at``, and where it ends (-1: not in these bytes)."""
    seen: set[bytes] = set()
    is_pragma, needs_pragma = False, False
    found: Declared | None = None
    while attribute := _ATTRIBUTE.match(head, at):
        at = attribute.end()
        if attribute["end"]:
            return (found if is_pragma or not needs_pragma else None), at
        name = attribute["name"].lower()
        if name in seen:
            continue
        seen.add(name)
        value = attribute["double"] or attribute["single"] or attribute["plain"] or b""
        if name == b"http-equiv":
            is_pragma = value.lower() == b"content-type"
        elif name == b"charset":
            found, needs_pragma = _as_asked(value), False
        elif name == b"content" and found is None and (label := _CHARSET.search(value)):
            found, needs_pragma = _as_asked(label[1] or label[2] or label[3] or b""), True
    return None, -1


def _as_asked(label: bytes) -> Declared:
    """Return a label with the encoding that it asks for: a page that was read so far can be in no UTF-16."""
    text = label[:64].decode("latin-1").strip("\t\n\f\r ")
    encoding = encoding_of(text)
    if encoding in ("UTF-16BE", "UTF-16LE"):
        encoding = "UTF-8"
    elif encoding == "x-user-defined":
        encoding = "windows-1252"
    return Declared(text, encoding)
