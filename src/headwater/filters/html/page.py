"""A page as it was served → the text of each extractor that is asked for, and what the page says of itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from headwater.filters.html.charset import decode_page
from headwater.filters.html.extractors import OF_OTHERS, ExtractorSettings
from headwater.filters.html.others import VERSION as OTHERS_VERSION
from headwater.filters.html.others import others_text, package_version
from headwater.plain import JsonObject

__all__ = ["VERSION", "Extracted", "ExtractorSettings", "PageInput", "PageOutput", "extractor_operator", "read_page"]

VERSION: Final = 1
"""Raised with any change that alters a page's text, its counts or its marks."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PageInput:
    """A page as it was served: the body's bytes, the HTTP header's charset, headers by lower-case name, the address."""

    body: bytes
    http_charset: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    url: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Extracted:
    """The text of one extractor, and counts: of what it left out by reason ([blocks, bytes]), and of what stands in the text."""

    text: str
    page_kind: str
    blocks_kept: int = 0
    blocks_left_out: int = 0
    bytes_left_out: int = 0
    left_out: dict[str, list[int]] = field(default_factory=dict)
    tables: int = 0
    table_rows: int = 0
    formulas: int = 0
    code_blocks: int = 0
    headings: int = 0
    list_items: int = 0
    posts: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class PageOutput:
    """What a page is read to: its charset and how that was decided, its marks, and a text an extractor."""

    charset_declared: str | None
    charset: str
    charset_source: str
    mojibake: int
    robots: list[str]
    licenses: list[str]
    texts: list[Extracted]


def extractor_operator(settings: ExtractorSettings) -> JsonObject:
    """Return what identifies an extractor: version and everything that has a say in its text; its name has none."""
    own: JsonObject = {"version": VERSION}
    if settings.method in OF_OTHERS:
        own |= {"package": package_version(settings.method), "settings": OTHERS_VERSION}
    return own | {"method": settings.method, "form": settings.form, "comments": settings.comments}


def read_page(page: PageInput, extractors: Sequence[ExtractorSettings]) -> PageOutput:
    """Return a page's text by each extractor, in their order."""
    decoded = decode_page(page.body, page.http_charset)
    text = _visible(decoded.text)
    texts = [
        Extracted(text=others_text(decoded.text, each), page_kind="")
        if each.method in OF_OTHERS
        else Extracted(text=text, page_kind="article", blocks_kept=text.count("\n") + 1)
        for each in extractors
    ]
    return PageOutput(
        charset_declared=decoded.declared,
        charset=decoded.used,
        charset_source=decoded.source,
        mojibake=0,
        robots=[],
        licenses=[],
        texts=texts,
    )


def _visible(html: str) -> str:
    from selectolax.lexbor import LexborHTMLParser

    tree = LexborHTMLParser(html)
    tree.strip_tags(["script", "style", "noscript", "template", "head"])
    return tree.body.text(separator="\n", strip=True) if tree.body else ""
