"""Web archives as a parser's input: every form of a small crawl, changed by bits and blocks; and its records changed before they are packed."""

from __future__ import annotations

import gzip
import random
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

from warcs import PACKERS, html, pack_zstd, response, small_crawl, warc_record

from headwater.pipelines.ingest.decompress import Limits
from headwater.pipelines.ingest.file_kinds import detect_compression
from headwater.pipelines.ingest.refusals import REASONS
from headwater.pipelines.ingest.web.captures import read_capture
from headwater.pipelines.ingest.web.members import Members
from headwater.pipelines.ingest.web.settings import WebSettings
from headwater.pipelines.ingest.web.stored import Stored
from headwater.pipelines.ingest.web.warc import Broken, warc_records

from .mutations import mutate_bytes

__all__ = ["archives", "archives_by_hand", "mutate_archive", "read_archive"]

_LIMITS: Final = Limits(max_record_bytes=1 << 20)


def archives(_: Path) -> Sequence[bytes]:
    """Return an archive of every form."""
    return [pack(small_crawl(3)) for pack in PACKERS.values()]


def mutate_archive(data: bytes, draw: random.Random) -> bytes:
    """Return an archive with changes, before it was packed or after."""
    if draw.random() < 0.5:
        return mutate_bytes(data, draw)
    records = [mutate_bytes(record, draw) if draw.random() < 0.3 else record for record in small_crawl(3)]
    return PACKERS[draw.choice(list(PACKERS))](records)


def archives_by_hand() -> Sequence[bytes]:
    """Return archives that claim too much, repeat what resembles a beginning, and unpack to far more than they are."""
    page = html("<p>x</p>")
    claims = b"".join(response("https://a.example/", page, length=10**17) for _ in range(2000))
    zeros = gzip.compress(bytes(50 << 20))
    return [
        *(b"WARC/1.0\r\n" * 100_000, b"WARC/1.0\r\n\r\n" * 100_000, b"\r\n" * 2_000_000, claims, gzip.compress(claims)),
        *(b"\x1f\x8b\x08" * 300_000, b"\x28\xb5\x2f\xfd" * 300_000, gzip.compress(b"WARC/")[:12] * 50_000),
        gzip.compress(b"WARC/1.0\r\n" + b"A: b\r\n" * 500_000),
        gzip.compress(b"WARC/1.0\r\nContent-Length: 9\r\n" + b" folded\r\n" * 300_000 + b"\r\n123456789"),
        *(zeros, gzip.compress(zeros), pack_zstd(b"WARC/1.0\r\n" + bytes(50 << 20))),
        response("https://a.example/", b"1\r\nx\r\n" * 100_000, headers=[("Transfer-Encoding", "chunked")]),
        response("https://a.example/", zeros, headers=[("Content-Encoding", "gzip, gzip, gzip, gzip")]),
        response("https://a.example/", page, headers=[(f"A{number}", "b") for number in range(50_000)]),
        response("https://a.example/", b"<!--" * 100_000, mime=";" * 100_000),
        warc_record("response", b"HTTP/1.1 200\n" + b" \n" * 200_000),
        b"\x5d\x2a\x4d\x18\xff\xff\xff\xff" + bytes(100),
    ]


def read_archive(path: Path) -> int:
    """Read all records of an archive, and return how many there are; whatever is broken is a row with a known reason."""
    numbers = [-1]
    with Stored(str(path)) as stored:
        members = Members(stored, str(path), detect_compression(path.read_bytes()[:16]), _LIMITS)
        for found in warc_records(members, 0, _LIMITS):
            if isinstance(found, Broken):
                if found.reason not in REASONS:
                    raise AssertionError(found.reason)
                if found.number < 0:
                    break
            else:
                read_capture(found, WebSettings(), _LIMITS, has_checksum=False)
            numbers.append(found.number)
        stored.finish()
    if any(other != one + 1 for one, other in pairwise(numbers)):
        raise AssertionError("records are not numbered one by one")
    return len(numbers) - 1
