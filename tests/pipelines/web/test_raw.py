from __future__ import annotations

from pathlib import Path

import pytest
from warcs import PACKERS, html, response, small_crawl

from headwater.errors import StorageError
from headwater.pipelines.ingest.chunks import file_sha256
from headwater.pipelines.ingest.decompress import Limits
from headwater.pipelines.ingest.file_kinds import inspect_file
from headwater.pipelines.ingest.web.captures import Page, read_capture
from headwater.pipelines.ingest.web.members import Members
from headwater.pipelines.ingest.web.raw import RawRequest, read_raw
from headwater.pipelines.ingest.web.settings import WebSettings
from headwater.pipelines.ingest.web.stored import Stored
from headwater.pipelines.ingest.web.warc import WarcRecord, warc_records


def _pages(path: Path) -> list[Page]:
    info = inspect_file(str(path), path.stat().st_size, Limits())
    with Stored(str(path)) as stored:
        members = Members(stored, str(path), info.compression, Limits())
        found = [
            read_capture(record, WebSettings(), Limits(), has_checksum=False)
            for record in warc_records(members, 0, Limits())
            if isinstance(record, WarcRecord)
        ]
    return [page for page in found if isinstance(page, Page)]


@pytest.mark.parametrize("name", PACKERS)
def test_pages_are_read_again_by_offset(name: str, tmp_path: Path) -> None:
    """However an archive is packed, any of its pages is found by its offset, as it was served."""
    path = tmp_path / f"a.{name}"
    path.write_bytes(PACKERS[name](small_crawl(8)))
    pages = _pages(path)
    assert len(pages) == 8
    for some in (pages, pages[5:], pages[::3], pages[:1]):
        requests = [RawRequest(page.offset, page.offset_in, page.uri) for page in some]
        found = list(read_raw(str(path), file_sha256(str(path)), requests, Limits()))
        assert [(page.body, page.url, page.http_charset) for page in found] == [
            (page.body, page.uri, page.charset) for page in some
        ]


def test_an_html_file_is_read_again(tmp_path: Path) -> None:
    """The page of an HTML file is the file."""
    path = tmp_path / "a.html"
    path.write_bytes(html("<p>a</p>"))
    (found,) = read_raw(str(path), file_sha256(str(path)), [RawRequest(None, None)], Limits())
    assert found.body == path.read_bytes()


def test_another_file_is_told(tmp_path: Path) -> None:
    """A file that is gone, or another than was read, is an error that names it."""
    path = tmp_path / "a.warc"
    path.write_bytes(b"".join(small_crawl(2)))
    digest = file_sha256(str(path))
    path.write_bytes(response("https://a.example/", html("<p>other</p>")))
    with pytest.raises(StorageError, match="as ingest read it"):
        list(read_raw(str(path), digest, [RawRequest(0, "stored")], Limits()))
    path.unlink()
    with pytest.raises(StorageError, match=str(path)):
        list(read_raw(str(path), digest, [RawRequest(0, "stored")], Limits()))
