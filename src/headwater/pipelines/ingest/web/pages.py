"""Pages of the web → records as columns: their text by the recipe's first extractor that finds one, and what is known of each capture.

Pages are read some at a time in a process of their own, so that one that kills its parser costs a record and no task.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
import orjson
import pyarrow as pa

from headwater.filters.html.extractors import OF_OTHERS, ExtractorSettings
from headwater.filters.html.page import Extracted, PageInput, PageOutput
from headwater.pipelines.ingest.record_columns import PassedOver, RecordColumns
from headwater.pipelines.ingest.refusals import WHOLE_FILE, Refusal
from headwater.pipelines.ingest.web.captures import Page
from headwater.pipelines.ingest.web.mime import TEXT
from headwater.pipelines.ingest.web.settings import WebSettings
from headwater.pipelines.ingest.web.workers import shared_reader
from headwater.warehouse.schema import FAMILIES

__all__ = ["CAPTURE_FIELDS", "PageBatch", "fault_of_text"]

FROM_URL: Final = ("host", "registered_domain", "url_key")
CAPTURE_FIELDS: Final = pa.schema(
    [
        *((name, kind) for name, (kind, _) in FAMILIES["captures"].fields.items() if name not in FROM_URL),
        *((name, kind) for name, (kind, _) in FAMILIES["html"].fields.items()),
    ]
)
"""Columns of a capture that do not follow from its URL, and of its page as it was served."""
_BATCH_BYTES: Final = 8 << 20
_BATCH_PAGES: Final = 256


@dataclass(kw_only=True, slots=True)
class PageBatch:
    """Collects pages, refusals and records that are passed over, until they are turned into columns.

    Attributes:
        settings: which extractor, and whether pages are stored.
    """

    settings: WebSettings
    _pages: list[Page] = field(default_factory=list)
    _refused: list[Refusal] = field(default_factory=list)
    _passed_over: list[PassedOver] = field(default_factory=list)
    _size: int = 0

    @property
    def is_full(self) -> bool:
        """Whether the pages are enough for a batch."""
        n = len(self._pages) + (len(self._refused) + len(self._passed_over)) // 64
        return self._size >= _BATCH_BYTES or n >= _BATCH_PAGES

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to turn into columns."""
        return not (self._pages or self._refused or self._passed_over)

    def add(self, page: Page) -> None:
        """Add a page."""
        self._pages.append(page)
        self._size += len(page.body)

    def refuse(self, record_no: int, reason: str) -> None:
        """Add a refusal."""
        self._refused.append(Refusal(record_no, reason))

    def pass_over(self, record_no: int, kind: str) -> None:
        """Add a record that holds no page that was asked for."""
        self._passed_over.append(PassedOver(record_no, kind))

    def take(self) -> RecordColumns:
        """Return the columns of what was collected and begin anew."""
        read = self._read()
        kept: list[tuple[Page, _Text]] = []
        for page, found in zip(self._pages, read, strict=True):
            fault = found if isinstance(found, str) else fault_of_text(found.text)
            if fault is not None:
                self.refuse(page.number, fault)
            elif not isinstance(found, str):
                kept.append((page, found))
        refused = sorted(self._refused, key=lambda each: (each.record_no == WHOLE_FILE, each.record_no))
        pages = [page for page, _ in kept]
        nothing = pa.nulls(len(pages), pa.string())
        columns = RecordColumns(
            record_no=np.array([page.number for page in pages], np.int64),
            source=nothing,
            uri=pa.array([page.uri for page in pages], pa.string()),
            collected_at=pa.array([page.date for page in pages], pa.string()),
            license=nothing,
            meta=pa.array([page.meta for page in pages], pa.string()),
            text=pa.array([found.text for _, found in kept], pa.string()),
            refused=tuple(refused),
            passed_over=tuple(self._passed_over),
            captures=pa.Table.from_pylist(
                [_capture(page, found, self.settings) for page, found in kept], CAPTURE_FIELDS
            ),
        )
        self._pages, self._refused, self._passed_over, self._size = [], [], [], 0
        return columns

    def _read(self) -> list[_Text | str]:
        """Return of each page what it was read to and its text, or why it cannot be read."""
        read = [page for page in self._pages if not page.is_given]
        outputs = iter(self._by_extractors(read) if read else ())
        return [_given(page) if page.is_given else next(outputs) for page in self._pages]

    def _by_extractors(self, pages: Sequence[Page]) -> list[_Text | str]:
        """Return the text of each page by the first extractor that finds one; of none, why the first of them does not."""
        found = _extracted(pages, self.settings.extractor)
        for extractor in self.settings.others:
            lacking = [number for number, each in enumerate(found) if _lacks_text(each) and not pages[number].is_text]
            again = _extracted([pages[number] for number in lacking], extractor) if lacking else []
            for number, each in zip(lacking, again, strict=True):
                if not _lacks_text(each):
                    found[number] = each
        return found


class _Text(NamedTuple):
    """What a page was read to, its text, and the extractor; None of a text that no extractor made."""

    output: PageOutput
    text: str
    extractor: ExtractorSettings | None


def _extracted(pages: Sequence[Page], extractor: ExtractorSettings) -> list[_Text | str]:
    outputs = shared_reader().read([_input(page) for page in pages], [extractor])
    return [
        output if isinstance(output, str) else _Text(output, output.texts[0].text, None if page.is_text else extractor)
        for page, output in zip(pages, outputs, strict=True)
    ]


def _lacks_text(found: _Text | str) -> bool:
    return isinstance(found, str) or fault_of_text(found.text) is not None


def _input(page: Page) -> PageInput:
    headers = page.headers | ({"content-type": TEXT} if page.is_text else {})
    return PageInput(body=page.body, http_charset=page.charset, headers=headers, url=page.uri)


def _given(page: Page) -> _Text | str:
    """Return the text that another program made of a page, as WET has it whatever the page was: UTF-8."""
    try:
        text = page.body.decode()
    except UnicodeDecodeError:
        return "invalid_utf8"
    output = PageOutput(
        charset_declared=page.charset,
        charset="UTF-8",
        charset_source="given",
        mojibake=0,
        robots=[],
        licenses=[],
        texts=[],
    )
    return _Text(output, text.removeprefix("\ufeff"), None)


def fault_of_text(text: str) -> str | None:
    """Return why a text cannot be a sample's."""
    if not text or text.isspace():
        return "no_text"
    if "\0" in text:
        return "nul_byte"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "lone_surrogate"
    return None


def _capture(page: Page, found: _Text, settings: WebSettings) -> dict[str, object]:
    output = found.output
    row: dict[str, object] = {
        "warc_record_id": page.record_id,
        "warc_offset": page.offset,
        "warc_offset_in": page.offset_in,
        "http_status": page.status,
        "mime_declared": page.mime_declared,
        "mime_detected": page.mime_detected,
        "truncated": page.truncated,
        "content_language": page.content_language,
        "html_bytes": None if page.is_text else len(page.body),
    }
    row |= {
        "charset_declared": output.charset_declared,
        "charset": output.charset,
        "charset_source": output.charset_source,
        "robots": output.robots,
        "licenses": output.licenses,
        "mojibake": None if page.is_given else output.mojibake,
    }
    if found.extractor is not None:
        row |= _extraction(output.texts[0], found.extractor)
    if settings.store_html and not page.is_text:
        headers = orjson.dumps(page.headers, option=orjson.OPT_SORT_KEYS).decode()
        row |= {"html": page.body, "http_charset": page.charset, "http_headers": headers}
    return row


def _extraction(found: Extracted, extractor: ExtractorSettings) -> dict[str, object]:
    """Return what describes the text that an extractor made; a package of others counts nothing, and tells no kind of page."""
    if extractor.method in OF_OTHERS:
        return {"extractor": extractor.name}
    return {
        "extractor": extractor.name,
        "page_kind": found.page_kind or None,
        "blocks_kept": found.blocks_kept,
        "blocks_left_out": found.blocks_left_out,
        "bytes_left_out": found.bytes_left_out,
        "left_out": orjson.dumps(found.left_out, option=orjson.OPT_SORT_KEYS).decode(),
    }
