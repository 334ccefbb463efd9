from __future__ import annotations

import pytest

from headwater.pipelines.ingest.file_kinds import detect_format
from headwater.pipelines.ingest.web.mime import detect_type


@pytest.mark.parametrize(
    "body,declared,expected",
    [
        (b"<!-- a --><!-- b --> <rss>", "text/html", "application/rss+xml"),
        (b"<?xml version='1.0'?>\n<!-- <html> --><feed>", "text/html", "application/rss+xml"),
        (b"<!-- <rss> --><!doctype html><p>", "text/html", "text/html"),
        (b"<!-- a > b --><!doctype html>\n<html>", "text/plain", "text/html"),
        (b"<!--><html>", "text/plain", "text/html"),
        (b"<!-- no end <html>", "text/plain", "text/plain"),
        (b"<?xml version='1.0'?><!DOCTYPE html><html>", "application/xml", "application/xhtml+xml"),
    ],
)
def test_what_stands_before_a_root(body: bytes, declared: str, expected: str) -> None:
    """Comments, instructions and declarations before the root element do not hide it, nor what stands within them."""
    assert detect_type(body, declared) == expected


@pytest.mark.parametrize("declared", [None, "text/html", "text/plain", "application/xml"])
@pytest.mark.parametrize("part", [b"<!---->", b"<!-- -->\n", b"<!a>", b"<??>", b"<?a", b"<!--"])
def test_many_comments_are_read_in_linear_time(part: bytes, declared: str | None) -> None:
    """A page that begins with comment after comment is told as soon as any other: with a way to read two as one, thirty would take hours."""
    assert detect_type(part * 200 + b"x", declared)


@pytest.mark.parametrize("part", [b"<!---->", b"<!-- -->\n", b"<!--"])
def test_many_comments_in_a_file_are_read_in_linear_time(part: bytes) -> None:
    """So is a file, whose beginning is looked at further."""
    assert detect_format(part * 5000 + b"x", "page") == "unknown"
    assert detect_format(b"<!-- a -->\n" * 5000 + b"<!doctype html>", "page") == "html"
