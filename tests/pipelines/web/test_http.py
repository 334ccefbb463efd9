from __future__ import annotations

import gzip
import zlib

import brotli  # type: ignore[import-untyped]  # it has no stubs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from warcs import chunked, pack_zstd

from headwater.pipelines.ingest.web.http import Body, Response, decode_body, parse_response
from headwater.pipelines.ingest.web.mime import detect_type, parameter, type_of

_PACK = {"gzip": gzip.compress, "deflate": zlib.compress, "br": brotli.compress, "zstd": pack_zstd}


def _response(body: bytes, **headers: str) -> Response:
    return Response(status=200, headers={name.replace("_", "-"): value for name, value in headers.items()}, body=body)


@given(st.binary(max_size=400), st.lists(st.sampled_from(sorted(_PACK)), max_size=3), st.integers(1, 50))
def test_what_was_encoded_is_decoded(data: bytes, codings: list[str], size: int) -> None:
    """Any body comes back from any codings in any chunks, whole."""
    packed = data
    for name in codings:
        packed = _PACK[name](packed)
    response = _response(chunked(packed, size), transfer_encoding="chunked", content_encoding=", ".join(codings))
    assert decode_body(response, 1 << 20, 200) == Body(data=data, is_cut=False)


@given(st.binary(max_size=300))
def test_any_bytes_are_decoded_or_refused(data: bytes) -> None:
    """Whatever a header says of whatever bytes, there is a body or a reason."""
    for name in (*_PACK, "x-gzip", "unheard-of"):
        found = decode_body(_response(data, content_encoding=name, transfer_encoding="chunked"), 1 << 16, 200)
        assert isinstance(found, Body) or found in {"bad_content_encoding", "expansion_ratio", "record_too_large"}


@given(st.binary(max_size=200))
def test_any_bytes_are_a_response_or_none(data: bytes) -> None:
    """No block is beyond reading."""
    parse_response(data)
    parse_response(b"HTTP/1.1 200\r\n" + data)


@pytest.mark.parametrize(
    "block, status, headers, body",
    [
        (b"HTTP/1.1 404 Not Found\r\nA: b\r\n\r\nx", 404, {"a": "b"}, b"x"),
        (b"HTTP/2 200\nA: b\nA: c\n\nx", 200, {"a": "b, c"}, b"x"),
        (b"HTTP/1.0 200 OK\r\n\r\nx", 200, {}, b"x"),
        (b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", 200, {"a": "b c"}, b""),
        (b"HTTP/1.1 200 OK\r\nA: b", 200, {"a": "b"}, b""),
        (b"HTTP/1.1 200 OK", 200, {}, b""),
    ],
)
def test_responses(block: bytes, status: int, headers: dict[str, str], body: bytes) -> None:
    """Status, headers and body of responses of every age."""
    assert parse_response(block) == Response(status=status, headers=headers, body=body)


@pytest.mark.parametrize("block", [b"", b"<html>", b"HTTP/1.1 20", b"HTTP/1.1 2000 OK\r\n\r\n", b"ICY 200 OK\r\n\r\n"])
def test_what_is_no_response(block: bytes) -> None:
    """Blocks without a status are none."""
    assert parse_response(block) is None


@pytest.mark.parametrize(
    "body, declared, found",
    [
        (b" \n<!DOCTYPE HTML>", None, "text/html"),
        (b"<!-- a comment -->", None, "text/html"),
        (b"<h1>a", None, "text/html"),
        (b"<h2>a", None, "text/plain"),
        (b'<?xml version="1.0"?><html xmlns="a">', None, "application/xhtml+xml"),
        (b'<?xml version="1.0"?><html xmlns="a">', "application/xml", "application/xhtml+xml"),
        (b"<?xml?><rss>", "text/html", "application/rss+xml"),
        (b"\xef\xbb\xbf<html>", "application/unknown", "text/html"),
        (b"\xff\xfe<\0h\0t\0m\0l\0", "text/html", "text/html"),
        (b"\x89PNG\r\n\x1a\n", "text/html", "image/png"),
        (b"\x00\x01\x02", "text/html", "application/octet-stream"),
        (b"a\x1bb", "text/plain", "text/plain"),
        (b"<p>no page at all", "text/plain", "text/plain"),
        (b"<html><p>a page after all", "text/plain", "text/html"),
        (b"body {}", "text/css", "text/css"),
        (b"", None, "text/plain"),
        (b"", "text/html", "text/html"),
    ],
)
def test_types_of_media(body: bytes, declared: str | None, found: str) -> None:
    """Bytes tell the type where they show it, else what is declared does."""
    assert detect_type(body, declared) == found


@pytest.mark.parametrize(
    "header, media, charset",
    [
        ('text/html; charset="UTF-8"', "text/html", "UTF-8"),
        ("text/html;charset=utf-8; charset=latin1", "text/html", "utf-8"),
        ("TEXT/HTML, text/plain", "text/html", None),
        ("text/html; q=1; CharSet = 'x'", "text/html", "'x'"),
        ("", None, None),
        (";;;", None, None),
        ("text/html; charset=", "text/html", None),
    ],
)
def test_content_types(header: str, media: str | None, charset: str | None) -> None:
    """Type and charset of a Content-Type, however it is written."""
    assert (type_of(header), parameter(header, "charset")) == (media, charset)
