"""A page is read whole: what its header, its bytes and its markup say comes out together."""

from __future__ import annotations

import dataclasses

import pytest

from headwater.filters.html.extractors import METHODS, OF_OTHERS
from headwater.filters.html.page import ExtractorSettings, PageInput, extractor_operator, read_page
from headwater.fingerprint import fingerprint

_PAGE = """<!DOCTYPE html><html><head><meta charset=iso-8859-2><title>Title</title><meta name=robots content="noai">
<link rel=license href="https://creativecommons.org/licenses/by/4.0/"></head><body>
<article><h1>Ostrava</h1><p>První věta o městě, která má dost slov na to, aby byla vlastním textem stránky.</p>
<p>Druhá věta říká, že řeka teče pod mostem a že se v ní na jaře objevují ryby, které nikdo nechytá.</p>
<table><tr><th>rok<th>lidé</tr><tr><td>1900<td>30000</tr></table></article><p hidden>skryto</p></body></html>"""
_TEXT, _MARKDOWN = ExtractorSettings(name="text"), ExtractorSettings(name="markdown", form="markdown")
_FULL = ExtractorSettings(name="full", method="full")


def test_everything_of_a_page() -> None:
    """Charset, marks, a text for each extractor in their order, and counts that add up."""
    page = read_page(PageInput(body=_PAGE.encode("iso-8859-2"), url="https://a.example/b"), [_TEXT, _MARKDOWN, _FULL])
    assert (page.charset_declared, page.charset, page.charset_source, page.mojibake) == (
        "iso-8859-2",
        "ISO-8859-2",
        "meta",
        0,
    )
    assert page.robots
    assert page.licenses == ["CC-BY-4.0"]
    text, markdown, full = page.texts
    assert "Druhá věta říká" in text.text
    assert "# Ostrava" in markdown.text
    assert "# Ostrava" not in text.text
    assert "skryto" not in full.text
    assert full.left_out["hidden"] == [1, len("skryto")]
    assert (full.tables, full.table_rows) == (1, 2)
    for each in page.texts:
        assert each.blocks_left_out == sum(blocks for blocks, _ in each.left_out.values())
        assert each.bytes_left_out == sum(n_bytes for _, n_bytes in each.left_out.values())
        assert each.blocks_kept + each.blocks_left_out == full.blocks_kept + full.blocks_left_out


def test_plain_text_is_its_text() -> None:
    """A body whose header says text/plain is no markup; its lines end alike, and U+0000 is U+FFFD."""
    body = b"<p>1 < 2\r\nb\rc\0"
    (text,) = read_page(PageInput(body=body, headers={"content-type": "Text/Plain; charset=x"}), [_TEXT]).texts
    assert text.text == "<p>1 < 2\nb\nc\ufffd"


def test_mojibake_is_of_the_first_text() -> None:
    """Written with references or as characters, it is seen in what the text says, and markup does not thin it."""
    body = b"<!--" + b"x" * 5000 + b"--><p>Gr&Atilde;&frac14;&Atilde;&Yuml;e aus K&Atilde;&para;ln"
    assert read_page(PageInput(body=body), [_FULL]).mojibake > 20_000


@pytest.mark.parametrize(
    "body", [b"", b"\0", b"<", b"\xff", b"<!DOCTYPE html>", b"<frameset><frame></frameset>", b"<svg><template>"]
)
def test_pages_with_nothing(body: bytes) -> None:
    """A page without text has an empty one, or marks of replacement."""
    page = read_page(PageInput(body=body), [_TEXT, _FULL])
    assert all(text.text.strip("\ufffd<\xff\n") in ("", "ÿ") for text in page.texts)
    assert read_page(PageInput(body=body), []).texts == []


def test_what_identifies_an_extractor() -> None:
    """Everything that has a say in its text, and not its name."""
    assert extractor_operator(_TEXT) == extractor_operator(dataclasses.replace(_TEXT, name="other"))
    own = [ExtractorSettings(name="x", method=method) for method in METHODS if method not in OF_OTHERS]
    others = [_MARKDOWN, dataclasses.replace(_TEXT, comments="keep")]
    operators = [fingerprint(extractor_operator(each)) for each in [*own, *others]]
    assert len(set(operators)) == len(operators)
