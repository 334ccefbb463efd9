"""What a record of a web archive is to a lake: a page, a text, or neither, and then of what kind.

A page is the body of an HTTP response of a status that the recipe takes, or a resource, of a type of media that it takes: by its bytes and by what
the server says, see ``mime``. A conversion of type text/plain (WET) is a text as it stands. All others are counted by kind, and so are revisits:
what they stand for is in another file.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import orjson

from headwater.filters.html.page import PageInput
from headwater.filters.urls.hosts import without_credentials
from headwater.pipelines.ingest.decompress import Limits
from headwater.pipelines.ingest.web.http import Body, Response, decode_body, parse_response
from headwater.pipelines.ingest.web.mime import HTML, TEXT, XHTML, detect_type, parameter, type_of
from headwater.pipelines.ingest.web.settings import WebSettings
from headwater.pipelines.ingest.web.warc import WarcRecord
from headwater.pipelines.ingest.web.wat import page_metadata

__all__ = ["PAGE_HEADERS", "Page", "media_kind", "page_headers", "raw_page", "read_capture"]

PAGE_HEADERS: Final = ("content-language", "link", "x-robots-tag")
"""HTTP headers that have a say in how a page is read, beside its type."""
_MOST_HEADER: Final = 64 << 10
_BY_TYPE: Final = ("request", "metadata", "warcinfo", "continuation")
_PROFILES: Final = {
    "identical-payload-digest": "revisit_identical",
    "uri-agnostic-identical-payload-digest": "revisit_identical",
    "server-not-modified": "revisit_not_modified",
}
_MEDIA: Final = {
    "application/pdf": "pdf",
    "application/json": "json",
    "application/ld+json": "json",
    "text/json": "json",
    "application/rss+xml": "feed",
    "application/atom+xml": "feed",
    "application/xml": "xml",
    "text/xml": "xml",
    "text/css": "style",
    "text/javascript": "script",
    "application/javascript": "script",
    "application/x-javascript": "script",
    "application/zip": "archive",
    "application/gzip": "archive",
    "application/octet-stream": "binary",
    HTML: "html",
    XHTML: "xhtml",
    TEXT: "plain_text",
}
_FAMILIES: Final = ("image", "video", "audio", "font", "text")
_DIGESTS: Final = {"sha1": 20, "sha256": 32, "sha512": 64, "md5": 16}


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """A page or text of a web archive, or an HTML file.

    Attributes:
        number: of its record.
        body: without transfer and content encoding.
        is_text: whether the body is a text as it stands, and no HTML.
        is_given: whether another program made the text from a page (WET).
        headers: those of ``PAGE_HEADERS`` that there are.
        offset, offset_in: as family ``captures`` has them, like all that follows.
    """

    number: int
    body: bytes
    mime_detected: str
    is_text: bool = False
    is_given: bool = False
    uri: str | None = None
    date: str | None = None
    record_id: str | None = None
    offset: int | None = None
    offset_in: str | None = None
    status: int | None = None
    mime_declared: str | None = None
    charset: str | None = None
    truncated: str | None = None
    content_language: str | None = None
    headers: dict[str, str]
    meta: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Payload:
    """The body of a record and what was said of it when it was served."""

    body: bytes
    headers: dict[str, str]
    mime: str | None
    status: int | None = None
    is_cut: bool = False


def read_capture(
    record: WarcRecord, settings: WebSettings, limits: Limits, *, has_checksum: bool
) -> Page | tuple[bool, str]:
    """Return the page of a record; or whether it is refused, with the reason, or else passed over, with its kind.

    Args:
        has_checksum: whether the container has one, which held; else the digest of the record's block is checked where it has one.
    """
    fields = record.fields
    kind = fields.get("warc-type", "").strip().lower()
    if kind == "revisit":
        return False, _PROFILES.get(fields.get("warc-profile", "").rstrip("/").rpartition("/")[2].lower(), "revisit")
    if kind == "metadata" and settings.metadata:
        return _metadata(record, settings)
    if kind in _BY_TYPE:
        return False, kind
    if kind == "response":
        return _response(record, settings, limits, has_checksum=has_checksum)
    if kind not in {"resource", "conversion"}:
        return False, "other_record" if kind else "no_record_type"
    if record.block is None:
        return _too_large(_resource(record, record.head), settings)
    return _page(record, _resource(record, record.block), settings, has_checksum=has_checksum)


def _metadata(record: WarcRecord, settings: WebSettings) -> Page | tuple[bool, str]:
    is_json = type_of(record.fields.get("content-type")) == "application/json"
    if record.block is None:
        return (True, "record_too_large") if is_json else (False, "metadata")
    found = page_metadata(record.block) if is_json else None
    if found is None:
        return False, "metadata"
    if found.status not in settings.statuses:
        return False, f"status_{found.status or 0}"
    meta = {"links": found.links, "warc_type": "metadata"}
    offset, offset_in = _place(record)
    return Page(
        number=record.number,
        body=found.text.encode(),
        mime_detected=TEXT,
        is_text=True,
        is_given=True,
        uri=found.uri and without_credentials(found.uri),
        date=found.date,
        record_id=record.fields.get("warc-record-id") or None,
        offset=offset,
        offset_in=offset_in,
        status=found.status,
        mime_declared=type_of(found.content_type),
        charset=parameter(found.content_type, "charset"),
        headers={},
        meta=orjson.dumps(meta, option=orjson.OPT_SORT_KEYS).decode(),
    )


def _place(record: WarcRecord) -> tuple[int, str]:
    """Return where a record is, and in what that counts."""
    return (record.place, "unpacked") if record.stored is None else (record.stored, "stored")


def raw_page(record: WarcRecord, limits: Limits) -> PageInput | None:
    """Return what a record holds as ``read_page`` takes it, whatever a recipe takes; None where that is no body that can be read."""
    if record.block is None:
        return None
    payload = _resource(record, record.block)
    if record.fields.get("warc-type", "").strip().lower() == "response":
        response = parse_response(record.block)
        found = None if response is None else _decoded(response, limits)
        if response is None or not isinstance(found, Body):
            return None
        payload = _Payload(body=found.data, headers=response.headers, mime=None)
    charset = parameter(payload.headers.get("content-type"), "charset")
    url = _uri(record.fields)
    return PageInput(body=payload.body, http_charset=charset, headers=page_headers(payload.headers), url=url)


def page_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return those of a response's headers that have a say in how its page is read."""
    return {name: headers[name][:_MOST_HEADER] for name in PAGE_HEADERS if headers.get(name)}


def _uri(fields: Mapping[str, str]) -> str | None:
    # The grammar of WARC 1.0 has the URL in angle brackets, which some writers follow.
    uri = fields.get("warc-target-uri", "").strip().removeprefix("<").removesuffix(">")
    return without_credentials(uri) or None


def _resource(record: WarcRecord, body: bytes) -> _Payload:
    content_type = record.fields.get("content-type")
    return _Payload(body=body, headers={"content-type": content_type or ""}, mime=type_of(content_type))


def _response(
    record: WarcRecord, settings: WebSettings, limits: Limits, *, has_checksum: bool
) -> Page | tuple[bool, str]:
    response = parse_response(record.head if record.block is None else record.block)
    if response is None:
        return False, "response_not_http"
    if response.status not in settings.statuses:
        return False, f"status_{response.status}"
    mime = type_of(response.headers.get("content-type"))
    payload = _Payload(body=response.body, headers=response.headers, mime=mime, status=response.status)
    if record.block is None:
        return _too_large(payload, settings)
    if not _may_be_page(mime, settings):
        return False, media_kind(detect_type(response.body, mime))
    found = _decoded(response, limits)
    if isinstance(found, str):
        return True, found
    payload = _Payload(
        body=found.data, headers=response.headers, mime=mime, status=response.status, is_cut=found.is_cut
    )
    return _page(record, payload, settings, has_checksum=has_checksum)


def _decoded(response: Response, limits: Limits) -> Body | str:
    return decode_body(response, limits.max_record_bytes, limits.max_expansion_ratio)


def _may_be_page(mime: str | None, settings: WebSettings) -> bool:
    """Return whether a body of a declared type may be taken, by its bytes or by what is declared."""
    return mime is None or mime in settings.kinds or mime.startswith("text/") or "xml" in mime or "unknown" in mime


def _too_large(payload: _Payload, settings: WebSettings) -> tuple[bool, str]:
    detected = payload.mime or ""
    if payload.headers.get("content-encoding", "") == "":
        detected = detect_type(payload.body, payload.mime)
    return (True, "record_too_large") if detected in (*settings.kinds, "") else (False, media_kind(detected))


def _page(
    record: WarcRecord, payload: _Payload, settings: WebSettings, *, has_checksum: bool
) -> Page | tuple[bool, str]:
    fields = record.fields
    is_given = fields.get("warc-type", "").strip().lower() == "conversion"
    detected = TEXT if is_given and payload.mime == TEXT else detect_type(payload.body, payload.mime)
    if detected not in settings.kinds and not (is_given and detected == TEXT):
        return False, media_kind(detected)
    if fields.get("warc-segment-number"):
        return True, "segmented_record"
    if not has_checksum and record.block is not None and not _digest_holds(fields, record.block):
        return True, "wrong_digest"
    headers = page_headers(payload.headers)
    language = headers.get("content-language") or fields.get("warc-identified-content-language")
    offset, offset_in = _place(record)
    return Page(
        number=record.number,
        body=payload.body,
        mime_detected=detected,
        is_text=detected not in {HTML, XHTML},
        is_given=is_given,
        uri=_uri(fields),
        date=fields.get("warc-date") or None,
        record_id=fields.get("warc-record-id") or None,
        offset=offset,
        offset_in=offset_in,
        status=payload.status,
        mime_declared=payload.mime,
        charset=parameter(payload.headers.get("content-type"), "charset"),
        truncated=fields.get("warc-truncated") or ("transfer" if payload.is_cut else None),
        content_language=language or None,
        headers=headers,
        meta=_meta(fields, payload),
    )


def _meta(fields: dict[str, str], payload: _Payload) -> str:
    found = {
        "etag": payload.headers.get("etag"),
        "last_modified": payload.headers.get("last-modified"),
        "payload_digest": fields.get("warc-payload-digest"),
        "warc_type": fields["warc-type"].strip().lower(),
    }
    kept = {name: value for name, value in found.items() if value}
    return orjson.dumps(kept, option=orjson.OPT_SORT_KEYS).decode()


def media_kind(mime: str) -> str:
    """Return the kind by which records of a type of media are counted: few kinds, whatever servers make up.

    >>> media_kind("image/png"), media_kind("application/x-unheard-of")
    ('media_image', 'media_other')
    """
    first = mime.partition("/")[0]
    other = first if first in _FAMILIES else "other"
    return f"media_{_MEDIA.get(mime, 'xml' if mime.endswith('+xml') else other)}"


def _digest_holds(fields: dict[str, str], block: bytes) -> bool:
    """Return whether a block has the digest that its record names; one that is not known, or cannot be read, says nothing."""
    name, _, written = fields.get("warc-block-digest", "").partition(":")
    name = name.strip().lower().replace("-", "")
    size = _DIGESTS.get(name)
    if size is None:
        return True
    wanted = _digest(written.strip(), size)
    return wanted is None or hashlib.new(name, block, usedforsecurity=False).digest() == wanted


def _digest(written: str, size: int) -> bytes | None:
    try:
        if len(written) == 2 * size:
            return bytes.fromhex(written)
        found = base64.b32decode(written.upper() + "=" * (-len(written) % 8))
    except (ValueError, binascii.Error):
        return None
    return found if len(found) == size else None
