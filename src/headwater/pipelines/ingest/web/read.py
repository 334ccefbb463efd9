"""Web archives and HTML files read to columns, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from headwater.pipelines.ingest.chunks import Chunk
from headwater.pipelines.ingest.decompress import Limits, unpacked_blocks
from headwater.pipelines.ingest.file_kinds import FileInfo
from headwater.pipelines.ingest.record_columns import RecordColumns
from headwater.pipelines.ingest.refusals import fault
from headwater.pipelines.ingest.web.captures import Page, media_kind, read_capture
from headwater.pipelines.ingest.web.members import Members
from headwater.pipelines.ingest.web.mime import HTML, XHTML, detect_type
from headwater.pipelines.ingest.web.pages import PageBatch
from headwater.pipelines.ingest.web.settings import WebSettings
from headwater.pipelines.ingest.web.stored import Stored
from headwater.pipelines.ingest.web.warc import Broken, warc_records

__all__ = ["read_html", "read_warc"]

_GUARDED: Final = ("gz", "xz", "bz2")
"""Compressions that have a checksum of what they hold."""


def read_warc(uri: str, info: FileInfo, chunk: Chunk, limits: Limits, settings: WebSettings) -> Iterator[RecordColumns]:
    """Yield the pages of a chunk of a web archive, its refused records and those that it passes over, in file order.

    Raises:
        OSError: the file is gone or the store failed.
        BadInputError: ``file_changed``: what was read is not what was inspected, so nothing that was yielded may be used.
    """
    batch = PageBatch(settings=settings)
    has_checksum = info.compression in _GUARDED
    with Stored(uri, chunk.begin, chunk.end) as stored:
        members = Members(stored, uri, info.compression, limits)
        for found in warc_records(members, chunk.begin, limits, chunk.first_record, chunk.place):
            if isinstance(found, Broken):
                batch.refuse(found.number, found.reason)
            else:
                capture = read_capture(found, settings, limits, has_checksum=has_checksum)
                if isinstance(capture, Page):
                    batch.add(capture)
                elif capture[0]:
                    batch.refuse(found.number, capture[1])
                else:
                    batch.pass_over(found.number, capture[1])
            if batch.is_full:
                yield batch.take()
        if not batch.is_empty:
            yield batch.take()
        if stored.finish() != (chunk.digest or info.sha256):
            raise fault("file_changed", uri)


def read_html(uri: str, info: FileInfo, limits: Limits, settings: WebSettings) -> Iterator[RecordColumns]:
    """Yield the one page of an HTML file, or why it is none.

    Raises:
        OSError: as ``read_warc``.
        BadInputError: ``truncated_compression``, ``corrupt_compression`` or ``expansion_ratio``.
    """
    batch = PageBatch(settings=settings)
    data = bytearray()
    for block in unpacked_blocks(uri, info.compression, limits):
        data += block
        if len(data) > limits.max_record_bytes:
            batch.refuse(0, "record_too_large")
            break
    else:
        body = bytes(data)
        detected = detect_type(body, None)
        kind = detected if detected == XHTML else HTML
        if kind in settings.kinds:
            batch.add(Page(number=0, body=body, mime_detected=kind, headers={}))
        else:
            batch.pass_over(0, media_kind(kind))
    yield batch.take()
