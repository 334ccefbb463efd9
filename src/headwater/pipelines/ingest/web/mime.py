"""The type of media of a body: by its first bytes where they show it, as https://mimesniff.spec.whatwg.org tells types apart, else as declared.

Stricter than a browser in one point: what is declared to be a page and begins like an image, an archive or a PDF is no page.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["HTML", "TEXT", "XHTML", "detect_type", "parameter", "type_of"]

HTML: Final = "text/html"
XHTML: Final = "application/xhtml+xml"
TEXT: Final = "text/plain"
_BINARY: Final = "application/octet-stream"
_HEAD_BYTES: Final = 1445
"""The standard's resource header."""
_UNKNOWN: Final = ("", "unknown/unknown", "application/unknown", "*/*")
_WORD: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_TYPE: Final = re.compile(rf"\s*({_WORD}/{_WORD})\s*(?:;|,|$)")
_PARAMETER: Final = re.compile(rf";\s*({_WORD})\s*=\s*(?:\"([^\"]*)\"|([^\s;,]+))")
_MAGIC: Final = re.compile(
    rb"(?P<application_pdf>%PDF-)|(?P<application_postscript>%!PS-Adobe-)|(?P<image_xicon>\0\0[\1\2]\0)|(?P<image_bmp>BM.{4}\0\0\0\0)"
    rb"|(?P<image_gif>GIF8[79]a)|(?P<image_webp>RIFF.{4}WEBPVP)|(?P<image_png>\x89PNG\r\n\x1a\n)|(?P<image_jpeg>\xff\xd8\xff)"
    rb"|(?P<audio_aiff>FORM.{4}AIFF)|(?P<audio_mpeg>ID3)|(?P<application_ogg>OggS\0)|(?P<audio_midi>MThd\0\0\0\6)|(?P<video_avi>RIFF.{4}AVI )"
    rb"|(?P<audio_wave>RIFF.{4}WAVE)|(?P<video_mp4>\0\0.{2}ftyp)|(?P<video_webm>\x1a\x45\xdf\xa3)|(?P<font_woff>wOF[F2])"
    rb"|(?P<application_xgzip>\x1f\x8b\x08)|(?P<application_zip>PK\3\4)|(?P<application_xrar>Rar!\x1a\x07)|(?P<application_zstd>\x28\xb5\x2f\xfd)",
    re.DOTALL,
)
_NAMES: Final = {
    "image_xicon": "image/x-icon",
    "application_xgzip": "application/gzip",
    "application_xrar": "application/x-rar-compressed",
}
_PAGE: Final = re.compile(
    rb"[\t\n\x0c\r ]*<(?:!DOCTYPE HTML|HTML|HEAD|SCRIPT|IFRAME|H1|DIV|FONT|TABLE|A|STYLE|TITLE|B|BODY|BR|P)[ >]"
    rb"|[\t\n\x0c\r ]*<!--",
    re.IGNORECASE,
)
_XML: Final = re.compile(rb"[\t\n\x0c\r ]*<\?xml")
_PROLOG: Final = rb"(?>\s*+(?:<\?.*?\?>|<!--(?:-?>|.*?-->)|<!(?!--)[^>]*>))*+\s*+"
"""What may stand before a root; each part ends where it first can, so that comment after comment costs linear time."""
_FEED: Final = re.compile(_PROLOG + rb"<(?:rss|feed|rdf:RDF)\b", re.DOTALL)
_ROOT: Final = re.compile(_PROLOG + rb"<html\b", re.DOTALL | re.IGNORECASE)
_MARKS: Final = (b"\xfe\xff", b"\xff\xfe", b"\xef\xbb\xbf")
_CONTROL: Final = re.compile(rb"[\0-\x08\x0b\x0e-\x1a\x1c-\x1f]")


def type_of(header: str | None) -> str | None:
    """Return the type of media of a Content-Type, in small letters and without parameters; None where it is none.

    >>> type_of("Text/HTML; charset=utf-8"), type_of("html")
    ('text/html', None)
    """
    found = _TYPE.match(header or "")
    return found[1].lower() if found else None


def parameter(header: str | None, name: str) -> str | None:
    """Return a parameter of a Content-Type.

    >>> parameter('text/html; charset="UTF-8"', "charset")
    'UTF-8'
    """
    for found in _PARAMETER.finditer((header or "")[:4096]):
        if found[1].lower() == name:
            return (found[2] if found[2] is not None else found[3]).strip() or None
    return None


def detect_type(body: bytes, declared: str | None) -> str:
    """Return the type of media of a body.

    Args:
        body: its beginning suffices.
        declared: type without parameters; None where none is declared.

    >>> detect_type(b"<!doctype html><p>", None), detect_type(b"%PDF-1.7", "text/html"), detect_type(b"one, two", "text/csv")
    ('text/html', 'application/pdf', 'text/csv')
    """
    head = body[:_HEAD_BYTES]
    magic = _MAGIC.match(head)
    if magic is not None and magic.lastgroup is not None:
        return _NAMES.get(magic.lastgroup, magic.lastgroup.replace("_", "/", 1))
    known = declared or ""
    if known in _UNKNOWN:
        return _of_unknown(head)
    if known == HTML:
        return _of_markup(head) or (_BINARY if _looks_binary(head) else HTML)
    if known == TEXT:
        # Servers that know no better call everything text/plain.
        if _looks_binary(head):
            return _BINARY
        return _of_unknown(head) if _PAGE.match(head) and _ROOT.match(head) else TEXT
    if known in {"text/xml", "application/xml"} and _ROOT.match(head):
        return XHTML
    return known


def _of_markup(head: bytes) -> str | None:
    text = head.removeprefix(b"\xef\xbb\xbf")
    if _FEED.match(text):
        return "application/rss+xml"
    return None


def _of_unknown(head: bytes) -> str:
    text = head.removeprefix(b"\xef\xbb\xbf")
    if _PAGE.match(text):
        return HTML
    if _XML.match(text):
        return XHTML if _ROOT.match(text) else _of_markup(text) or "text/xml"
    return _BINARY if _looks_binary(head) else TEXT


def _looks_binary(head: bytes) -> bool:
    return not head.startswith(_MARKS) and _CONTROL.search(head) is not None
