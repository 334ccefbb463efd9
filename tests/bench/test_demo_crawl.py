"""The crawl that the demo ships is the one that its program makes of its pages."""

from __future__ import annotations

import zlib
from pathlib import Path

from bench.demo_crawl.build import crawl


def _members(data: bytes) -> list[bytes]:
    found = []
    while data:
        member = zlib.decompressobj(zlib.MAX_WBITS | 16)
        found.append(member.decompress(data))
        data = member.unused_data
    return found


def test_shipped_crawl() -> None:
    """The same pages give the same records, and these are shipped."""
    shipped = Path(__file__).parents[2] / "src" / "headwater" / "demo" / "crawl" / "crawl.warc.gz"
    *whole, cut = _members(shipped.read_bytes())
    *made, cut_now = _members(crawl())
    assert whole == made
    assert cut.startswith(cut_now[:100])
