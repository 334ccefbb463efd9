"""Web archives of every form, and broken ones, made from records that a test names: nothing here reads, so no fault is shared with the reader."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Final

__all__ = [
    "PACKERS",
    "chunked",
    "conversion",
    "dictionary",
    "html",
    "metadata",
    "pack_zstd",
    "request",
    "resource",
    "response",
    "revisit",
    "small_crawl",
    "warc_record",
    "warcinfo",
    "with_dictionary",
]

DATE: Final = "2026-01-02T03:04:05Z"


def warc_record(
    kind: str,
    block: bytes,
    *,
    fields: Mapping[str, str] | None = None,
    length: int | None = None,
    version: str = "WARC/1.0",
    end: bytes = b"\r\n\r\n",
    line_end: bytes = b"\r\n",
) -> bytes:
    """Return a record; ``fields`` come on top of type, date, id and length, an empty value leaves one of these out."""
    digest = base64.b32encode(hashlib.sha1(block, usedforsecurity=False).digest()).decode()
    named = {
        "WARC-Type": kind,
        "WARC-Date": DATE,
        "WARC-Record-ID": f"<urn:uuid:{hashlib.md5(block, usedforsecurity=False).hexdigest()}>",
        "WARC-Block-Digest": f"sha1:{digest}",
        "Content-Length": str(len(block) if length is None else length),
    } | dict(fields or {})
    lines = [version.encode(), *(f"{name}: {value}".encode() for name, value in named.items() if value)]
    return line_end.join([*lines, b"", b""]) + block + end


def html(body: str, *, title: str = "A page", head: str = "") -> bytes:
    """Return a page."""
    return f"<!DOCTYPE html><html><head><title>{title}</title>{head}</head><body>{body}</body></html>".encode()


def response(
    url: str,
    body: bytes,
    *,
    status: int = 200,
    mime: str | None = "text/html; charset=utf-8",
    headers: Sequence[tuple[str, str]] = (),
    fields: Mapping[str, str] | None = None,
    length: int | None = None,
) -> bytes:
    """Return the record of an HTTP response."""
    named = [*([("Content-Type", mime)] if mime else []), *headers]
    lines = [f"HTTP/1.1 {status} Something", *(f"{name}: {value}" for name, value in named)]
    block = "\r\n".join([*lines, "", ""]).encode() + body
    given = {"WARC-Target-URI": url, "Content-Type": "application/http; msgtype=response"}
    return warc_record("response", block, fields=given | dict(fields or {}), length=length)


def chunked(body: bytes, size: int = 100) -> bytes:
    """Return a body in chunks."""
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def resource(url: str, body: bytes, mime: str = "text/html") -> bytes:
    """Return a record of something that was not fetched by HTTP."""
    return warc_record("resource", body, fields={"WARC-Target-URI": url, "Content-Type": mime})


def conversion(url: str, text: str, *, language: str | None = None) -> bytes:
    """Return a record of a WET file."""
    fields = {"WARC-Target-URI": url, "Content-Type": "text/plain"}
    fields |= {"WARC-Identified-Content-Language": language} if language else {}
    return warc_record("conversion", text.encode(), fields=fields)


def request(url: str) -> bytes:
    """Return the record of a request."""
    block = f"GET / HTTP/1.1\r\nHost: {url.split('/')[2]}\r\n\r\n".encode()
    return warc_record(
        "request", block, fields={"WARC-Target-URI": url, "Content-Type": "application/http; msgtype=request"}
    )


def metadata(url: str, body: bytes = b"fetchTimeMs: 7\r\n", mime: str = "application/warc-fields") -> bytes:
    """Return a record of metadata."""
    return warc_record("metadata", body, fields={"WARC-Target-URI": url, "Content-Type": mime})


def warcinfo() -> bytes:
    """Return the record with which archives begin."""
    return warc_record("warcinfo", b"software: a test\r\n", fields={"Content-Type": "application/warc-fields"})


def revisit(url: str, profile: str = "http://netpreserve.org/warc/1.0/revisit/identical-payload-digest") -> bytes:
    """Return a record that stands for an earlier capture."""
    block = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n"
    return warc_record("revisit", block, fields={"WARC-Target-URI": url, "WARC-Profile": profile})


def pack_zstd(data: bytes, dictionary: bytes | None = None) -> bytes:
    """Return one zstd frame."""
    from fastwarc.stream_io import ZstdWriter

    out = io.BytesIO()
    writer = ZstdWriter(out, dictionary=dictionary)
    view = memoryview(data)
    while view:
        view = view[writer.write(bytes(view[: 1 << 20])) :]
    writer.close()
    packed = out.getvalue()
    if dictionary is not None and packed.startswith(b"\x5d\x2a\x4d\x18"):
        packed = packed[8 + struct.unpack("<I", packed[4:8])[0] :]  # the writer puts the dictionary before its frames
    return packed


def dictionary(records: Sequence[bytes]) -> bytes:
    """Return a zstd dictionary trained on some records."""
    from fastwarc.stream_io import zstd_train_dictionary_from_samples

    samples = [record[at : at + 200] for record in records for at in range(0, len(record), 50)]
    return bytes(zstd_train_dictionary_from_samples(samples * (1 + 400 // len(samples)), 2048))


def with_dictionary(records: Sequence[bytes], trained: bytes, *, packed: bool = False) -> bytes:
    """Return a zstd archive whose frames need the dictionary at its beginning, itself packed or not."""
    first = pack_zstd(trained) if packed else trained
    head = b"\x5d\x2a\x4d\x18" + struct.pack("<I", len(first)) + first
    return head + b"".join(pack_zstd(record, trained) for record in records)


def _in_blocks(data: bytes, size: int) -> bytes:
    return b"".join(gzip.compress(data[at : at + size], mtime=0) for at in range(0, len(data), size))


PACKERS: Final[Mapping[str, Callable[[Sequence[bytes]], bytes]]] = {
    "warc": b"".join,
    "records.warc.gz": lambda records: b"".join(gzip.compress(record, mtime=0) for record in records),
    "whole.warc.gz": lambda records: gzip.compress(b"".join(records), mtime=0),
    "blocks.warc.gz": lambda records: _in_blocks(b"".join(records), 777),
    "records.warc.zst": lambda records: b"".join(pack_zstd(record) for record in records),
    "whole.warc.zst": lambda records: pack_zstd(b"".join(records)),
    "dictionary.warc.zst": lambda records: with_dictionary(records, dictionary(records)),
    "packed-dictionary.warc.zst": lambda records: with_dictionary(records, dictionary(records), packed=True),
}
"""End of a file's name → what makes the file of its records."""


def small_crawl(pages: int = 6) -> list[bytes]:
    """Return the records of a small crawl: as many pages, each different, and between them what is none."""
    records = [warcinfo()]
    for number in range(pages):
        url = f"https://site{number % 3}.example/page/{number}"
        paragraphs = "".join(f"<p>Paragraph {line} of page {number} tells of nothing much.</p>" for line in range(5))
        body = html(f"<h1>Page {number}</h1>{paragraphs}", title=f"Page {number}")
        encodings: list[tuple[bytes, list[tuple[str, str]]]] = [
            (body, []),
            (chunked(body), [("Transfer-Encoding", "chunked")]),
            (gzip.compress(body, mtime=0), [("Content-Encoding", "gzip")]),
            (zlib.compress(body), [("Content-Encoding", "deflate")]),
        ]
        served, headers = encodings[number % 4]
        records += [request(url), response(url, served, headers=headers), metadata(url)]
    gone = "https://site0.example/gone"
    records += [
        response(gone, html("<p>Nothing here.</p>"), status=404),
        response("https://site1.example/a.png", b"\x89PNG\r\n\x1a\n" + bytes(40), mime="image/png"),
        revisit("https://site2.example/page/2"),
    ]
    return records
