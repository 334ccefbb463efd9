"""An outage of the store while inputs are read is told as one, whatever their format: never a property of a file, never a loss."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
from collections.abc import Callable

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from stores.fixtures import Store
from stores.proxy import Fault, Kind, operation_is

from headwater.errors import BadInputError, StoreError
from headwater.pipelines.ingest.decompress import Limits
from headwater.pipelines.ingest.file_kinds import FileInfo, inspect_file
from headwater.pipelines.ingest.records import read_records
from headwater.pipelines.ingest.refusals import WHOLE_FILE
from headwater.warehouse import storage_files

ROWS = 3000
LIMITS = Limits(max_record_bytes=1 << 20, max_expansion_ratio=10_000, max_nesting=32, split_bytes=32 << 10)


def _lines() -> bytes:
    rows = (
        {"text": f"document {number} of the outage {number * 7919 % 104729:x}", "url": f"https://a.example/{number}"}
        for number in range(ROWS)
    )
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def _parquet() -> bytes:
    sink = io.BytesIO()
    texts = [json.loads(line)["text"] for line in _lines().splitlines()]
    pq.write_table(pa.table({"text": texts}), sink, row_group_size=500, compression="none")
    return sink.getvalue()


def _wet() -> list[bytes]:
    """Return records of an archive of texts of pages, a member each."""
    pages = []
    for number in range(300):
        block = "".join(
            f"Line {line} of page {number}: {line * number * 7919 % 104729:x}.\n" for line in range(20)
        ).encode()
        head = (
            f"WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Record-ID: <urn:uuid:{number:032x}>\r\nWARC-Target-URI: https://a.example/{number}\r\n"
            f"WARC-Date: 2025-01-01T00:00:00Z\r\nContent-Type: text/plain\r\nContent-Length: {len(block)}\r\n\r\n"
        )
        pages.append(head.encode() + block + b"\r\n\r\n")
    return pages


FORMATS: dict[str, Callable[[], bytes]] = {
    "plain.jsonl": _lines,
    "packed.jsonl.gz": lambda: gzip.compress(_lines()),
    "packed.jsonl.bz2": lambda: bz2.compress(_lines()),
    "packed.jsonl.xz": lambda: lzma.compress(_lines()),
    "packed.jsonl.zst": lambda: pa.compress(_lines(), codec="zstd", asbytes=True),
    "table.parquet": _parquet,
    "crawl.wet": lambda: b"".join(_wet()),
    "crawl.wet.gz": lambda: b"".join(map(gzip.compress, _wet())),
    "crawl.wet.zst": lambda: b"".join(pa.compress(page, codec="zstd", asbytes=True) for page in _wet()),
    "note.txt": lambda: b"A note of some words, long enough to be read.\n" * 2000,
}


def _read(uri: str, info: FileInfo) -> tuple[int, list[str]]:
    """Return how many records a file has, and the reasons for which the file as a whole was refused."""
    records, reasons = 0, []
    for chunk in info.chunks:
        for columns in read_records(uri, info, chunk, LIMITS):
            records += len(columns.record_no)
            reasons += [refusal.reason for refusal in columns.refused if refusal.record_no == WHOLE_FILE]
    return records, reasons


@pytest.mark.parametrize("name", FORMATS)
def test_an_outage_is_told_whenever_it_comes(store: Store, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Whichever request of either pass is the first that fails: an error of the store, or all records; never fewer, and never damage."""
    monkeypatch.setenv("HEADWATER_RETRY_TIMEOUT", "0.05s")
    monkeypatch.setattr(storage_files, "_WHOLE_BYTES", 1 << 10)  # so that a short file takes several requests too
    monkeypatch.setattr(storage_files, "_AHEAD_BYTES", 16 << 10)
    data = FORMATS[name]()
    uri = store.put(f"input/{name}", data)
    info = inspect_file(uri, len(data), LIMITS)
    whole = _read(uri, info)
    assert whole[0] > 0
    assert not whole[1]
    told = 0
    kinds: tuple[Kind, ...] = ("error", "cut")
    for kind in kinds:
        for after in range(12):
            for reading in (False, True):
                store.proxy.use(
                    Fault(
                        kind=kind, of=operation_is("GET", "HEAD"), after=after, status=503 if kind == "error" else None
                    )
                )
                try:
                    found = info if reading else inspect_file(uri, len(data), LIMITS)
                    assert found == info
                    if reading:
                        assert _read(uri, info) == whole
                except StoreError:
                    told += 1
                finally:
                    store.proxy.use()
    assert told >= 8


def test_a_footer_that_could_not_be_read_loses_no_row(store: Store) -> None:
    """A file that was taken for one without row groups, and has some, has changed: nothing of it is passed over in silence."""
    data = _parquet()
    uri = store.put("input/table.parquet", data)
    info = inspect_file(uri, len(data), LIMITS)
    empty = type(info.chunks[0])(begin=0, end=0, first_record=0)
    with pytest.raises(BadInputError, match="file_changed"):
        list(read_records(uri, info, empty, LIMITS))
