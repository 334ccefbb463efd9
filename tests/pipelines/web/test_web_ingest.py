from __future__ import annotations

import base64
import gzip
import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from warcs import (
    PACKERS,
    chunked,
    conversion,
    html,
    metadata,
    pack_zstd,
    request,
    resource,
    response,
    revisit,
    small_crawl,
    warc_record,
    warcinfo,
)

from headwater.pipelines.ingest.decompress import Limits
from headwater.pipelines.ingest.file_kinds import FileInfo, inspect_file
from headwater.pipelines.ingest.records import read_records
from headwater.pipelines.ingest.refusals import REASONS
from headwater.pipelines.ingest.task import FilePart, IngestTask, write_task
from headwater.pipelines.ingest.units import plan
from headwater.pipelines.ingest.web.settings import WebSettings
from headwater.warehouse.parquet import read_file

Row = dict[str, Any]  # Any: values of rows of several families, by column

PAGE = html("<p>One line of text.</p>")


def _inspect(path: Path, limits: Limits | None = None) -> FileInfo:
    return inspect_file(str(path), path.stat().st_size, limits or Limits())


def _ingest(
    folder: Path, path: Path, limits: Limits | None = None, web: WebSettings | None = None
) -> dict[str, list[Row]]:
    """Return what one task writes of a file: family → rows."""
    limits = limits or Limits()
    info = _inspect(path, limits)
    parts = tuple(FilePart(uri=str(path), info=info, chunk=chunk) for chunk in range(len(info.chunks)))
    task = IngestTask(
        table=str(folder / "samples"),
        run_id="run",
        batch="b",
        first=0,
        fragments=1,
        fragment_bytes=1 << 20,
        parts=parts,
        limits=limits,
        web=web or WebSettings(),
    )
    result = write_task(task)
    assert result.unread == []
    rows: dict[str, list[Row]] = {"passed_over": [result.passed_over.get(parts[0].file_id, {})]} if parts else {}
    for entry in result.entries:
        rows[entry.family] = [row for table in read_file(task.table, entry.path) for row in table.to_pylist()]
    return rows


def _read(tmp_path: Path, records: Sequence[bytes], web: WebSettings | None = None) -> dict[str, list[Row]]:
    path = tmp_path / "a.warc"
    path.write_bytes(b"".join(records))
    return _ingest(tmp_path, path, web=web)


def _texts(rows: dict[str, list[Row]]) -> list[str]:
    return [row["text"] for row in rows.get("content", [])]


def _reasons(rows: dict[str, list[Row]]) -> list[tuple[int, str]]:
    found = [(row["record_no"], row["quarantine_reason"]) for row in rows.get("quarantine", [])]
    assert all(reason in REASONS for _, reason in found)
    return found


def test_every_record_is_told_of(tmp_path: Path) -> None:
    """Samples, refusals and records that are passed over are all the records there are."""
    records = [*small_crawl(), response("https://a.example/", html(""))]
    rows = _read(tmp_path, records)
    passed_over = rows["passed_over"][0]
    assert passed_over == {
        "warcinfo": 1,
        "request": 6,
        "metadata": 6,
        "status_404": 1,
        "media_image": 1,
        "revisit_identical": 1,
    }
    assert _reasons(rows) == [(len(records) - 1, "no_text")]
    assert len(_texts(rows)) + 1 + sum(passed_over.values()) == len(records)


def test_what_is_known_of_a_page(tmp_path: Path) -> None:
    """URL, date and the record's own facts are columns; the raw page is where its offset says."""
    fields = {"WARC-Truncated": "length", "WARC-Payload-Digest": "sha1:AAAA"}
    headers = [("Content-Language", "de"), ("Last-Modified", "yesterday")]
    record = response("https://u:p@Sub.Example.co.uk/a?b", PAGE, headers=headers, fields=fields)
    rows = _read(tmp_path, [warcinfo(), record])
    (content,), (capture,) = rows["content"], rows["captures"]
    assert (content["uri"], content["collected_at"], content["record_no"]) == (
        "https://Sub.Example.co.uk/a?b",
        "2026-01-02T03:04:05Z",
        1,
    )
    assert content["meta"] == '{"last_modified":"yesterday","payload_digest":"sha1:AAAA","warc_type":"response"}'
    wanted = {
        "host": "sub.example.co.uk",
        "registered_domain": "example.co.uk",
        "warc_offset": len(warcinfo()),
        "warc_offset_in": "stored",
        "http_status": 200,
        "mime_declared": "text/html",
        "mime_detected": "text/html",
        "charset_declared": "utf-8",
        "truncated": "length",
        "content_language": "de",
        "html_bytes": len(PAGE),
        "extractor": "main",
    }
    assert {name: capture[name] for name in wanted} == wanted
    assert capture["warc_record_id"].startswith("<urn:uuid:")
    assert capture["sample_id"] == content["sample_id"]


@pytest.mark.parametrize(
    "body, headers",
    [
        (PAGE, []),
        (chunked(PAGE, 7), [("Transfer-Encoding", "chunked")]),
        (PAGE, [("Transfer-Encoding", "chunked")]),
        (gzip.compress(PAGE), [("Content-Encoding", "gzip")]),
        (gzip.compress(PAGE[:50]) + gzip.compress(PAGE[50:]), [("Content-Encoding", "x-gzip")]),
        (PAGE, [("Content-Encoding", "gzip")]),
        (zlib.compress(PAGE), [("Content-Encoding", "deflate")]),
        (zlib.compress(PAGE)[2:-4], [("Content-Encoding", "deflate")]),
        (PAGE, [("Content-Encoding", "br")]),
        (pack_zstd(PAGE), [("Content-Encoding", "zstd")]),
        (chunked(gzip.compress(PAGE)), [("Transfer-Encoding", "chunked"), ("Content-Encoding", "gzip")]),
        (gzip.compress(zlib.compress(PAGE)), [("Content-Encoding", "deflate, gzip")]),
    ],
    ids=[
        *("plain", "chunked", "chunked in name only", "gzip", "two members", "gzip in name only", "deflate"),
        *("raw deflate", "br in name only", "zstd", "chunked gzip", "gzip of deflate"),
    ],
)
def test_encodings_of_bodies(tmp_path: Path, body: bytes, headers: list[tuple[str, str]]) -> None:
    """A body is decoded where it is encoded, and stands as it is where only a header says so."""
    rows = _read(tmp_path, [response("https://a.example/", body, headers=headers)])
    assert rows["captures"][0]["html_bytes"] == len(PAGE)
    assert rows["captures"][0]["truncated"] is None


def test_brotli(tmp_path: Path) -> None:
    """The encoding without a mark is decoded too; one that is damaged is refused."""
    import brotli  # type: ignore[import-untyped]  # it has no stubs

    packed = brotli.compress(PAGE)
    records = [
        response("https://a.example/", data, headers=[("Content-Encoding", "br")]) for data in (packed, b"\xff" * 90)
    ]
    rows = _read(tmp_path, records)
    assert [row["html_bytes"] for row in rows["captures"]] == [len(PAGE)]
    assert _reasons(rows) == [(1, "bad_content_encoding")]


@pytest.mark.parametrize(
    "body, headers",
    [
        (chunked(PAGE, 20)[:90], [("Transfer-Encoding", "chunked")]),
        (gzip.compress(PAGE * 30)[:-30], [("Content-Encoding", "gzip")]),
    ],
    ids=["chunks", "gzip"],
)
def test_bodies_that_are_cut(tmp_path: Path, body: bytes, headers: list[tuple[str, str]]) -> None:
    """What is there of a body that lacks its end is a page, said to be cut."""
    rows = _read(tmp_path, [response("https://a.example/", body, headers=headers)])
    assert rows["captures"][0]["truncated"] == "transfer"


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd", "br"])
def test_bombs_in_bodies(tmp_path: Path, encoding: str) -> None:
    """A body that unpacks to far more than was served is refused alone, however often it is packed."""
    import brotli

    pack = {"gzip": gzip.compress, "deflate": zlib.compress, "zstd": pack_zstd, "br": brotli.compress}[encoding]
    once = pack(b"<html>" + bytes(12 << 20))
    headers = [("Content-Encoding", encoding)]
    twice = [("Content-Encoding", f"{encoding}, {encoding}")]
    records = [
        response("https://a.example/", once, headers=headers),
        response("https://a.example/", pack(once), headers=twice),
        response("https://b.example/", PAGE),
    ]
    rows = _read(tmp_path, records)
    assert len(_texts(rows)) == 1
    assert {reason for _, reason in _reasons(rows)} <= {"expansion_ratio", "record_too_large"}
    assert len(_reasons(rows)) == 2


def test_kinds_of_records(tmp_path: Path) -> None:
    """Pages are told by their bytes and by what is declared; what is no page is counted by kind."""
    records = [
        response("https://a.example/1", PAGE, mime=None),
        response("https://a.example/2", b"%PDF-1.7 ...", mime="text/html"),
        response("https://a.example/3", b"just text", mime="text/plain"),
        response("https://a.example/4", b"\x00\x01\x02", mime="text/plain"),
        response("https://a.example/5", b'{"a": 1}', mime="application/json"),
        response("https://a.example/6", b"<rss><channel/></rss>", mime="text/html"),
        response("https://a.example/7", PAGE, status=301),
        resource("file:///a.html", PAGE),
        warc_record("response", b"no http at all", fields={"WARC-Target-URI": "dns:a.example"}),
        warc_record("continuation", b"x"),
        warc_record("unheard-of", b"x"),
        revisit("https://a.example/8", "http://netpreserve.org/warc/1.1/revisit/server-not-modified"),
        response("https://a.example/9", b"body{}", mime="text/css"),
    ]
    rows = _read(tmp_path, records)
    assert [row["record_no"] for row in rows["content"]] == [0, 2, 7]
    assert [row["extractor"] for row in rows["captures"]] == ["main", None, "main"]
    assert rows["passed_over"][0] == {
        "media_pdf": 1,
        "media_binary": 1,
        "media_json": 1,
        "media_feed": 1,
        "status_301": 1,
        "response_not_http": 1,
        "continuation": 1,
        "other_record": 1,
        "revisit_not_modified": 1,
        "media_style": 1,
    }


def test_texts_of_wet_files_stand_as_they_are(tmp_path: Path) -> None:
    """A conversion's text is the sample's, byte for byte; its language is kept."""
    path = tmp_path / "a.warc.wet.gz"
    text = "Titel\n\n  Ein Satz. \n"
    records = [warcinfo(), conversion("https://a.example/", text, language="deu")]
    path.write_bytes(PACKERS["records.warc.gz"](records))
    rows = _ingest(tmp_path, path)
    assert _inspect(path).kind == "wet.gz"
    assert _texts(rows) == [text]
    capture = rows["captures"][0]
    assert (capture["charset_source"], capture["extractor"], capture["content_language"]) == ("given", None, "deu")


def test_settings_choose(tmp_path: Path) -> None:
    """Statuses and types of media that the recipe names are taken, and no others."""
    records = [
        response("https://a.example/1", PAGE, status=404),
        response("https://a.example/2", PAGE, mime="application/xhtml+xml"),
    ]
    assert len(_texts(_read(tmp_path, records, WebSettings(statuses=(404,))))) == 1
    assert _read(tmp_path, records, WebSettings(kinds=("text/html",)))["passed_over"] == [
        {"status_404": 1, "media_xhtml": 1}
    ]


def test_stored_pages(tmp_path: Path) -> None:
    """Pages are stored as they were served where the recipe says so, and not otherwise."""
    record = response(
        "https://a.example/", gzip.compress(PAGE), headers=[("Content-Encoding", "gzip"), ("X-Robots-Tag", "noai")]
    )
    assert "html" not in _read(tmp_path, [record])
    (row,) = _read(tmp_path, [record], WebSettings(store_html=True))["html"]
    assert (row["html"], row["http_charset"]) == (PAGE, "utf-8")
    assert row["http_headers"] == '{"x-robots-tag":"noai"}'


def test_digests_guard_what_has_no_checksum(tmp_path: Path) -> None:
    """A page that was changed in a plain archive does not have its digest; gzip has a checksum of its own."""
    wrong = "sha1:" + base64.b32encode(b"x" * 20).decode()
    records = [
        response("https://a.example/", PAGE, fields={"WARC-Block-Digest": wrong}),
        response("https://b.example/", PAGE),
    ]
    assert _reasons(_read(tmp_path, records)) == [(0, "wrong_digest")]
    path = tmp_path / "b.warc.gz"
    path.write_bytes(PACKERS["records.warc.gz"](records))
    assert len(_texts(_ingest(tmp_path, path))) == 2


@pytest.mark.parametrize("name", ["warc", "records.warc.gz", "records.warc.zst", "dictionary.warc.zst"])
def test_split_archives_give_the_same_samples(name: str, tmp_path: Path) -> None:
    """Whatever the size of a chunk, an archive's records, numbers and offsets are the same."""
    path = tmp_path / f"a.{name}"
    path.write_bytes(PACKERS[name](small_crawl(12)))
    whole = _ingest(tmp_path, path)
    for size in (300, 2000):
        limits = Limits(split_bytes=size)
        assert len(_inspect(path, limits).chunks) > 2
        assert _ingest(tmp_path, path, limits) == whole


@pytest.mark.parametrize("name", ["whole.warc.gz", "blocks.warc.gz", "records.warc.gz"])
def test_what_cannot_be_split_is_one_chunk(name: str, tmp_path: Path) -> None:
    """Records without members of their own, and archives with damage, are read by one task."""
    path = tmp_path / f"a.{name}"
    data = PACKERS[name](small_crawl(12))
    path.write_bytes(data[:-5] if name == "records.warc.gz" else data)
    assert len(_inspect(path, Limits(split_bytes=100)).chunks) == 1


def test_html_files(tmp_path: Path) -> None:
    """An HTML file is a page, told by its bytes or else by its name."""
    for name, data in {
        "a.html": PAGE,
        "b": PAGE,
        "c.htm": b"Text <b>alone</b>",
        "d.xhtml": b'<?xml version="1.0"?><html xmlns="x"><body>e</body></html>',
    }.items():
        path = tmp_path / name
        path.write_bytes(data)
        assert _inspect(path).kind == "html"
        rows = _ingest(tmp_path, path)
        assert len(_texts(rows)) == 1
        assert rows["captures"][0]["warc_offset"] is None
        packed = tmp_path / f"{name}.gz"
        packed.write_bytes(gzip.compress(data))
        assert _inspect(packed).kind == "html.gz"


@pytest.mark.parametrize(
    "name, data, kind",
    [
        ("a.txt", PAGE, "text"),
        ("a.md", b"<div>markdown</div>", "text"),
        ("a.jsonl", PAGE, "jsonl"),
        ("a.html", b'{"text": "a"}\n', "jsonl"),
        ("a.bin", b"".join(small_crawl(1)), "warc"),
        ("a.warc", b"broken", "warc"),
        ("a.warc.gz", b"\x1f\x8b\x08broken", "warc.gz"),
        ("a.wat", warcinfo() + metadata("https://a.example/", b"{}", "application/json"), "wat"),
        ("a.svg", b"<svg/>", "unknown"),
        ("a.png", b"\x89PNG\r\n\x1a\n", "unknown"),
    ],
)
def test_formats(tmp_path: Path, name: str, data: bytes, kind: str) -> None:
    """Bytes come before names; what was text stays text."""
    path = tmp_path / name
    path.write_bytes(data)
    assert _inspect(path).kind == kind


@pytest.mark.parametrize("name", ["a.warc.gz", "a.warc.zst", "a.warc"])
def test_an_empty_archive(tmp_path: Path, name: str) -> None:
    """Nothing at all is an archive without records, or one that was cut where compressed data were expected."""
    path = tmp_path / name
    path.touch()
    info = _inspect(path)
    found = [
        refusal
        for chunk in info.chunks
        for each in read_records(str(path), info, chunk, Limits())
        for refusal in each.refused
    ]
    assert found == ([] if name == "a.warc" else [(-1, "truncated_compression")])


def test_pages_share_no_task_with_others(tmp_path: Path) -> None:
    """A fragment's text was made by one thing: tasks of web files have no other files."""
    files = []
    for name, data in {
        "a.jsonl": b'{"text": "a"}\n',
        "b.html": PAGE,
        "c.jsonl": b'{"text": "c"}\n',
        "d.warc": b"".join(small_crawl(1)),
    }.items():
        (tmp_path / name).write_bytes(data)
        files.append((name, _inspect(tmp_path / name), None))
    units = plan(files, 1 << 20)
    assert [[part.uri for part in task] for unit in units for task in unit] == [
        ["a.jsonl", "c.jsonl"],
        ["b.html", "d.warc"],
    ]


def test_requests_are_no_pages(tmp_path: Path) -> None:
    """A request's block is never taken for a page, whatever it holds."""
    rows = _read(
        tmp_path, [request("https://a.example/"), warc_record("request", PAGE, fields={"Content-Type": "text/html"})]
    )
    assert "content" not in rows
    assert rows["passed_over"] == [{"request": 2}]


def test_metadata_of_wat_files(tmp_path: Path) -> None:
    """Where the recipe asks, title and description of a page are a sample with URL, date and status; other metadata are counted."""
    head = {"Title": " A  title", "Metas": [{"name": "x"}, {"name": "Description", "content": "What it is."}]}
    response_metadata = {
        "Response-Message": {"Status": "200"},
        "Headers": {"Content-Type": "text/html; charset=latin1"},
        "HTML-Metadata": {"Head": head, "Links": [{"url": "/"}, {"url": "/a"}]},
    }
    header = {"WARC-Target-URI": "https://a.example/", "WARC-Date": "2026-01-01T00:00:00Z"}
    envelope = {"WARC-Header-Metadata": header, "Payload-Metadata": {"HTTP-Response-Metadata": response_metadata}}
    bodies = [json.dumps({"Envelope": envelope}).encode(), b"{}", b"[", b'{"Envelope": {"Payload-Metadata": []}}']
    records = [metadata("https://a.example/", body, "application/json") for body in bodies]
    assert "content" not in _read(tmp_path, records)
    rows = _read(tmp_path, records, WebSettings(metadata=True))
    assert _texts(rows) == ["A title\nWhat it is."]
    assert rows["content"][0]["uri"] == "https://a.example/"
    assert rows["content"][0]["meta"] == '{"links":2,"warc_type":"metadata"}'
    assert rows["captures"][0]["mime_declared"] == "text/html"
    assert rows["passed_over"] == [{"metadata": 3}]


def test_a_task_that_runs_twice_writes_the_same_files(tmp_path: Path) -> None:
    """A task that was killed and runs again gives the same files: names hold the SHA-256 of what is in them."""
    path = tmp_path / "a.warc.gz"
    path.write_bytes(PACKERS["records.warc.gz"](small_crawl()))
    settings = WebSettings(store_html=True)
    for folder in ("one", "two"):
        _ingest(tmp_path / folder, path, web=settings)
    names = [sorted(file.name for file in (tmp_path / folder).rglob("*.parquet")) for folder in ("one", "two")]
    assert names[0] == names[1]
    assert len(names[0]) == 5
