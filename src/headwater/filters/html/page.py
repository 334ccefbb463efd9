"""A page as it was served → the text of each extractor that is asked for, and what the page says of itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.filters.html.charset import decode_page
from headwater.filters.html.choice_model import load_choice_model
from headwater.filters.html.choose import COMMENTS, HIDDEN, KEPT, REASONS, Choice, choose_blocks
from headwater.filters.html.extractors import OF_OTHERS, ExtractorSettings
from headwater.filters.html.hidden import SHOWN
from headwater.filters.html.marks import page_marks
from headwater.filters.html.mojibake import mojibake_share
from headwater.filters.html.nodes import NodeTable, node_table
from headwater.filters.html.others import VERSION as OTHERS_VERSION
from headwater.filters.html.others import others_text, package_version
from headwater.filters.html.parse import normal_html
from headwater.filters.html.write import whole_rows, write_text
from headwater.filters.urls.hosts import host_of
from headwater.plain import JsonObject

__all__ = [
    "VERSION",
    "Extracted",
    "ExtractorSettings",
    "PageInput",
    "PageOutput",
    "compile_page",
    "extractor_operator",
    "read_page",
]

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
    elif settings.method == "main":
        own |= {"model": load_choice_model().sha256}
    return own | {"method": settings.method, "form": settings.form, "comments": settings.comments}


def read_page(page: PageInput, extractors: Sequence[ExtractorSettings]) -> PageOutput:
    """Return a page's text by each extractor, in their order.

    A body whose header says ``text/plain`` is its text. Time and memory are linear in the body; a parser in C works on it, so strangers'
    pages go through ``pipelines.ingest.web.workers``.
    """
    decoded = decode_page(page.body, page.http_charset, tld=_top_level(page.url))
    marks = None
    if page.headers.get("content-type", "").partition(";")[0].strip().lower() == "text/plain":
        texts = [_plain(decoded.text)] * len(extractors)
    else:
        html = np.frombuffer(normal_html(decoded.text), np.uint8)
        table = node_table(html)
        marks = page_marks(html, table, page.headers, page.url)
        choice = choose_blocks(html, table) if any(each.method == "main" for each in extractors) else None
        texts = [_extracted(decoded.text, html, table, choice, each) for each in extractors]
    return PageOutput(
        charset_declared=decoded.declared,
        charset=decoded.used,
        charset_source=decoded.source,
        mojibake=mojibake_share(texts[0].text if texts else decoded.text),
        robots=marks.robots if marks is not None else [],
        licenses=marks.licenses if marks is not None else [],
        texts=texts,
    )


def compile_page() -> None:
    """Read a small page, which has every kernel compiled, or loaded where it was compiled before."""
    body = b"""<!DOCTYPE html><meta charset=iso-8859-1><title>t</title><h1>A</h1><p>B\xe9\xa9 <a href=x rel=license>c</a> \\(x\\)<ul><li>d</ul>
<table><tr><td>e<td>f</table><pre>g</pre><math><mi>x</mi></math><p style="display:none">h"""
    forms = (ExtractorSettings(name="text"), ExtractorSettings(name="markdown", form="markdown"))
    read_page(PageInput(body=body), forms)
    mojibake_share("\xe9")  # a text that is chosen from so small a page may be ASCII


def _extracted(
    text: str, html: npt.NDArray[np.uint8], table: NodeTable, choice: Choice | None, settings: ExtractorSettings
) -> Extracted:
    """Return one extractor's text of a page."""
    if settings.method in OF_OTHERS:
        return Extracted(text=others_text(text, settings), page_kind="")
    if settings.method == "main" and choice is not None:
        keep, reasons, kind = choice.keep, choice.reason, choice.page_kind
        if settings.comments == "keep":
            keep = keep | (reasons == COMMENTS)
    else:
        keep, kind = table.block_hidden == SHOWN, ""
        reasons = np.where(keep, KEPT, HIDDEN)
    keep = whole_rows(html, table, keep)
    written = write_text(html, table, keep, "markdown" if settings.form == "markdown" else "text")
    left = reasons[~keep]
    blocks = np.bincount(left, minlength=len(REASONS)).tolist()
    sizes = np.bincount(left, weights=table.block_bytes[~keep], minlength=len(REASONS)).tolist()
    left_out = {name: [blocks[reason], int(sizes[reason])] for reason, name in enumerate(REASONS) if blocks[reason]}
    return Extracted(
        text=written.text,
        page_kind=kind,
        blocks_kept=int(np.count_nonzero(keep)),
        blocks_left_out=sum(n_blocks for n_blocks, _ in left_out.values()),
        bytes_left_out=sum(n_bytes for _, n_bytes in left_out.values()),
        left_out=left_out,
        tables=written.tables,
        table_rows=written.table_rows,
        formulas=written.formulas,
        code_blocks=written.code_blocks,
        headings=written.headings,
        list_items=written.list_items,
        posts=written.posts,
    )


def _plain(text: str) -> Extracted:
    """Return a plain text as a page's: its lines end in newlines, and U+0000 is U+FFFD, as browsers show it."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")
    return Extracted(text=lines, page_kind="", blocks_kept=1)


def _top_level(url: str | None) -> str | None:
    """Return the last label of an address's host."""
    host = host_of(url) if url else None
    return host.rpartition(".")[2] if host and "." in host else None
