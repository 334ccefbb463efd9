"""Pages made to hurt: 30,000 of something, which takes hours where time grows with the square, and little room where it does not."""

from __future__ import annotations

import pytest
from html_reference import read, write

N = 30_000

PAGES = {
    "nested div": "<div>x" * N,
    "nested inline": "<b>x<br><br>" * N,
    "attributes": "<div " + " ".join(f"a{number}=1" for number in range(N)) + ">x",
    "svg templates": "<svg><template>x" * N,
    "an open comment": "<p>x<!--" + "- " * N,
    "null bytes": "<p>x\0</p>" * N,
    "spans": "<table>" + "<tr><td colspan=1000000000 rowspan=1000000000>x<td>y" * N + "</table>",
    "empty cells": "<table><tr><th>a<th>b<tr>" + "<td>" * N + "x</table>",
    "nested tables": "<table><tr><td>x" * N,
    "ampersands": "<p>" + "&" * N,
    "references": "<p>" + "&CounterClockwiseContourIntegral;" * N,
    "a script": "<script>" + "a<b;" * N + "</script>x",
    "dashed scripts": "<script><!--<script>" * N,
    "nested lists": "<ol start=99999999999><li>x" * N,
    "nested quotations": "<blockquote><p>x" * N,
    "open headings": "<h1>x<div>" * N,
    "nested pre": "<table><tr><td><pre>x" * N,
    "backticks": "<pre>" + "`" * N + "</pre><p>y <code>" + "`" * N + "</code>",
    "nested code": "<code>`x" * N,
    "nested scripts": "x<sup>2" * N,
    "nested readings": "<ruby>x<rt>y" * N,
    "nested containers": "<span class=katex>x" * N,
    "previews": "<span class=MathJax_Preview>x" * N,
    "nested MathML": "<math>" + "<mfrac><mi>x</mi>" * N,
    "links": "<a href=x>x</a>" * N,
    "hidden": "<div hidden>x<span style='display:none'>y" * N,
    "names": "".join(f"<x{number}>x" for number in range(N)),
    "quotes in attributes": "<p title='" + '"' * N + "'>x",
    "end tags": "<div>" * N + "x</p></b></x>" * N,
}


@pytest.mark.parametrize("name", PAGES)
def test_a_hostile_page_is_read_and_written(name: str) -> None:
    """Both forms are written; neither is much longer than the page, whatever it says of itself."""
    page = PAGES[name]
    _, table = read(page)
    assert table.n_nodes <= 8 * N + 10
    for form in ("text", "markdown"):
        written = write(page, form)
        assert len(written.text) <= 5 * len(page) + 1000


def test_what_stands_before_and_after_survives() -> None:
    """A page that hides text behind 30,000 elements keeps what it shows."""
    text = write("<p>before" + "<table><tr><td>" * N + "within" + "</table>" * N + "<p>after").text
    assert [line for line in text.split("\n") if line] == ["before", "within", "after"]


def test_empty_cells_keep_their_places() -> None:
    """A thousand empty cells before one are a thousand tabs."""
    assert (
        write("<table><tr><th>a<th>b<tr>" + "<td></td>" * 1000 + "<td>x</table>").text == "a\tb\n" + "\t" * 1000 + "x"
    )
