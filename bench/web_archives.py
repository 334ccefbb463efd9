"""How fast web archives are taken apart: unpacked MB a second of one core, by form, beside fastwarc's own reading.

    python -m bench.web_archives --pages FILE.jsonl.zst

Pages are the field ``html`` of JSON Lines, or made up. ``inspect`` is the reading that splits a large archive; ``records`` is what a task does
before it reads pages: unpack, find records, check, hash, undo the encodings of HTTP. Times are of the processor. Prints one JSON object a form.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from fastwarc.stream_io import ZstdWriter
from fastwarc.warc import ArchiveIterator

from headwater.pipelines.ingest.decompress import Limits, unpacked_blocks
from headwater.pipelines.ingest.file_kinds import detect_compression
from headwater.pipelines.ingest.json_lines import split_lines
from headwater.pipelines.ingest.web.captures import Page, read_capture
from headwater.pipelines.ingest.web.members import Members
from headwater.pipelines.ingest.web.settings import WebSettings
from headwater.pipelines.ingest.web.split import archive_chunks
from headwater.pipelines.ingest.web.stored import Stored
from headwater.pipelines.ingest.web.warc import WarcRecord, warc_records

_REPEATS: Final = 3
_WORDS: Final = 4000


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pages", type=Path, help="JSON Lines of pages, packed with zstd")
    parser.add_argument("--megabytes", type=int, default=60, help="of pages, unpacked")
    given = parser.parse_args()
    records = [_record(number, page) for number, page in enumerate(_pages(given.pages, given.megabytes * 1_000_000))]
    size = sum(map(len, records))
    forms: list[tuple[str, Callable[[Sequence[bytes]], bytes]]] = [
        ("warc", b"".join),
        ("warc.gz, a member a record", lambda parts: b"".join(gzip.compress(part, 6) for part in parts)),
        ("warc.gz, one member", lambda parts: gzip.compress(b"".join(parts), 6)),
        ("warc.zst, a frame a record", lambda parts: b"".join(map(_zstd, parts))),
    ]
    with tempfile.TemporaryDirectory() as folder:
        for name, pack in forms:
            path = Path(folder) / "archive"
            path.write_bytes(pack(records))
            reads: dict[str, Callable[[Path], object]] = {"inspect": _inspect, "records": _read, "fastwarc": _fastwarc}
            rates = {what: round(size / _seconds(read, path) / 1e6) for what, read in reads.items()}
            print(json.dumps({"form": name, "unpacked_mb": size / 1e6, "stored_mb": path.stat().st_size / 1e6} | rates))
            sys.stdout.flush()


def _pages(path: Path | None, size: int) -> list[bytes]:
    pages: list[bytes] = []
    if path is not None:
        for block in split_lines(unpacked_blocks(str(path), "zst", Limits()), 1 << 30):
            pages += [json.loads(line)["html"].encode() for line in block if line]
            if sum(map(len, pages)) >= size:
                return pages
    draw = random.Random(1)
    words = ["".join(draw.choices("etaoinshrdlu", k=draw.randint(2, 9))) for _ in range(_WORDS)]
    while sum(map(len, pages)) < size:
        lines = (f'<p class="text">{" ".join(draw.choices(words, k=40))}</p>\n' for _ in range(draw.randint(20, 600)))
        pages.append(f"<!doctype html><html><body>{''.join(lines)}</body></html>".encode())
    return pages


def _record(number: int, page: bytes) -> bytes:
    block = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + page
    fields = (
        f"WARC-Type: response\r\nWARC-Target-URI: https://a.example/{number}\r\nContent-Length: {len(block)}\r\n\r\n"
    )
    return b"WARC/1.0\r\n" + fields.encode() + block + b"\r\n\r\n"


def _zstd(data: bytes) -> bytes:
    out = io.BytesIO()
    writer = ZstdWriter(out)
    view = memoryview(data)
    while view:
        view = view[writer.write(bytes(view[: 1 << 20])) :]
    writer.close()
    return out.getvalue()


def _seconds(work: Callable[[Path], object], path: Path) -> float:
    best = float("inf")
    for _ in range(_REPEATS):
        begun = time.process_time()
        work(path)
        best = min(best, time.process_time() - begun)
    return best


def _inspect(path: Path) -> None:
    archive_chunks(str(path), path.stat().st_size, detect_compression(path.read_bytes()[:16]), Limits())


def _read(path: Path) -> int:
    limits, settings = Limits(), WebSettings()
    pages = 0
    with Stored(str(path)) as stored:
        members = Members(stored, str(path), detect_compression(bytes(stored.window(16)[:16])), limits)
        for record in warc_records(members, 0, limits):
            if isinstance(record, WarcRecord):
                pages += isinstance(read_capture(record, settings, limits, has_checksum=False), Page)
        stored.finish()
    return pages


def _fastwarc(path: Path) -> int:
    with path.open("rb") as stream:
        return sum(len(record.reader.read()) for record in ArchiveIterator(stream))


if __name__ == "__main__":
    main()
