"""What WAT files say of pages: metadata of a crawl as JSON, one record a record of the crawl, without the pages themselves.

Of a page with a title it gives a short text, the title and the page's description, a line each, with URL, date, status, type of media and the number
of links. That suffices to look up what was crawled, or to judge pages before their archives are fetched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import orjson

__all__ = ["PageMetadata", "page_metadata"]


@dataclass(frozen=True, kw_only=True, slots=True)
class PageMetadata:
    """What a WAT record says of a page.

    Attributes:
        text: title and description, a line each.
        links: how many it has.
    """

    text: str
    uri: str | None
    date: str | None
    status: int | None
    content_type: str | None
    links: int


def page_metadata(block: bytes) -> PageMetadata | None:
    """Return what the record of a WAT file says of a page; None where it is of none, of one without a title, or no such JSON.

    >>> page_metadata(b'{"Envelope": 7}') is None
    True
    """
    try:
        envelope = _table(orjson.loads(block), "Envelope")
    except orjson.JSONDecodeError:
        return None
    response = _table(_table(envelope, "Payload-Metadata"), "HTTP-Response-Metadata")
    page = _table(response, "HTML-Metadata")
    head = _table(page, "Head")
    title = _line(head.get("Title"))
    if not title:
        return None
    header = _table(envelope, "WARC-Header-Metadata")
    status = _line(_table(response, "Response-Message").get("Status"))
    headers = {name.lower(): value for name, value in _table(response, "Headers").items()}
    links = page.get("Links")
    return PageMetadata(
        text="\n".join(line for line in (title, _description(head.get("Metas"))) if line),
        uri=_line(header.get("WARC-Target-URI")) or None,
        date=_line(header.get("WARC-Date")) or None,
        status=int(status) if len(status) == 3 and status.isascii() and status.isdigit() else None,
        content_type=_line(headers.get("content-type")) or None,
        links=len(links) if isinstance(links, list) else 0,
    )


def _table(value: object, key: str) -> Mapping[str, object]:
    found = value.get(key) if isinstance(value, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _line(value: object) -> str:
    return " ".join(value.split()) if isinstance(value, str) else ""


def _description(metas: object) -> str:
    for meta in metas if isinstance(metas, list) else ():
        if isinstance(meta, Mapping) and _line(meta.get("name")).lower() == "description":
            return _line(meta.get("content"))
    return ""
