"""The bytes between a reader of pages and the process that reads them: pages there, answers back.

A frame is its length (eight bytes, little endian) and so many bytes. A request is one JSON object with all that is no body, then a frame
for each body; an answer is a frame for each page, JSON too. A process that reads hostile pages may itself be taken over, so its answers are
parsed as those of a stranger: bounded, every field of its type, else ``ValueError``.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any, Final, Protocol

import orjson

from headwater.filters.html.page import Extracted, ExtractorSettings, PageInput, PageOutput
from headwater.plain import JsonObject

__all__ = [
    "LENGTH",
    "PAGE_FAILED",
    "PAGE_TOO_LARGE",
    "PAGE_TOO_SLOW",
    "READY",
    "pack_answer",
    "pack_request",
    "parse_answer",
    "parse_request",
    "read_frame",
]

LENGTH: Final = struct.Struct("<Q")
READY: Final = b"ready"
"""The frame by which a child says that it can read."""
PAGE_FAILED: Final = "parser_failed"
PAGE_TOO_LARGE: Final = "page_too_large"
PAGE_TOO_SLOW: Final = "page_too_slow"
"""Reasons for which a page was not read."""
_SOURCES: Final = frozenset({"bom", "http", "meta", "detected", "default", "given"})
_MOST_SHARE: Final = 65535
_TEXTS: Final = tuple(each.name for each in fields(Extracted) if each.type == "str")
_NUMBERS: Final = tuple(each.name for each in fields(Extracted) if each.type == "int")


class Stream(Protocol):
    """What bytes are read from."""

    def read(self, n: int, /) -> bytes:
        """Return up to n bytes, fewer only at the end."""


def read_frame(stream: Stream, most: int) -> bytes | None:
    """Return the next frame, None at the end of the stream.

    Raises:
        ValueError: a frame of more than ``most`` bytes, or the stream ends within one.
    """
    head = stream.read(LENGTH.size)
    if not head:
        return None
    if len(head) < LENGTH.size:
        raise ValueError("the stream ends within a length")
    (size,) = LENGTH.unpack(head)
    if size > most:
        raise ValueError(f"a frame of {size:,} bytes, at most {most:,} are taken")
    data = stream.read(size)
    if len(data) < size:
        raise ValueError("the stream ends within a frame")
    return data


def pack_request(pages: Sequence[PageInput], extractors: Sequence[ExtractorSettings]) -> list[bytes]:
    """Return the pieces that make a request, to be written one after the other."""
    head = orjson.dumps(
        {
            "extractors": [asdict(each) for each in extractors],
            "pages": [
                [
                    _sound(each.http_charset),
                    {_sound(name): _sound(value) for name, value in each.headers.items()},
                    _sound(each.url),
                ]
                for each in pages
            ],
        }
    )
    pieces = [LENGTH.pack(len(head)), head]
    for page in pages:
        pieces += [LENGTH.pack(len(page.body)), page.body]
    return pieces


def _sound(text: str | None) -> str | None:
    """Return a text without halves of surrogate pairs, which JSON in UTF-8 cannot have."""
    return text.encode("utf-8", "replace").decode() if text is not None else None


def parse_request(stream: Stream) -> tuple[list[PageInput], list[ExtractorSettings]] | None:
    """Return the pages and extractors of the next request, None at the end of the stream; its sender is trusted."""
    head = read_frame(stream, 1 << 40)
    if head is None:
        return None
    asked = orjson.loads(head)
    pages = []
    for charset, headers, url in asked["pages"]:
        body = read_frame(stream, 1 << 40)
        if body is None:
            return None
        pages.append(PageInput(body=body, http_charset=charset, headers=headers, url=url))
    return pages, [ExtractorSettings(**each) for each in asked["extractors"]]


def pack_answer(answer: PageOutput | str) -> bytes:
    """Return an answer's frame: a page, or the reason why it was not read."""
    data = orjson.dumps(answer)
    return LENGTH.pack(len(data)) + data


def parse_answer(data: bytes, n_texts: int) -> PageOutput | str:
    """Return an answer from its frame's bytes.

    Raises:
        ValueError: anything but a reason or a whole page with so many texts.
    """
    value = orjson.loads(data)
    if isinstance(value, str):
        if not 0 < len(value) <= 100:
            raise ValueError("a reason of no use")
        return value
    if not isinstance(value, dict) or value.keys() != {each.name for each in fields(PageOutput)}:
        raise ValueError("expected the fields of a page")
    texts = value["texts"]
    if not isinstance(texts, list) or len(texts) != n_texts or value["charset_source"] not in _SOURCES:
        raise ValueError("expected a text for each extractor and a known source")
    declared = value["charset_declared"]
    return PageOutput(
        charset_declared=None if declared is None else _text(declared),
        charset=_text(value["charset"]),
        charset_source=value["charset_source"],
        mojibake=min(_number(value["mojibake"]), _MOST_SHARE),
        robots=[_text(each) for each in _list(value["robots"])],
        licenses=[_text(each) for each in _list(value["licenses"])],
        texts=[_extracted(each) for each in texts],
    )


def _extracted(value: Any) -> Extracted:  # Any: what a stranger's JSON holds
    if not isinstance(value, dict) or value.keys() != {each.name for each in fields(Extracted)}:
        raise ValueError("expected the fields of a text")
    left_out = value["left_out"]
    if not isinstance(left_out, dict) or not all(len(_list(counts)) == 2 for counts in left_out.values()):
        raise ValueError("expected blocks and bytes by reason")
    checked: JsonObject = {"left_out": {why: [_number(each) for each in counts] for why, counts in left_out.items()}}
    checked |= {name: _text(value[name]) for name in _TEXTS} | {name: _number(value[name]) for name in _NUMBERS}
    return Extracted(**checked)


def _text(value: Any) -> str:  # Any: of a stranger's JSON
    if not isinstance(value, str):
        raise ValueError("expected a text")
    return value


def _number(value: Any) -> int:  # Any: of a stranger's JSON
    if type(value) is not int or not 0 <= value < 1 << 62:
        raise ValueError("expected a whole number that is not negative")
    return value


def _list(value: Any) -> list[Any]:  # Any: of a stranger's JSON
    if not isinstance(value, list):
        raise ValueError("expected a list")
    return value
