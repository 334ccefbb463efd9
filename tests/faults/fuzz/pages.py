"""Web pages: whatever a stranger serves is read, into text that is Unicode, with counts that add up."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Final

from headwater.filters.html.charset import decode_page
from headwater.filters.html.charset_labels import ENCODINGS
from headwater.filters.html.page import ExtractorSettings, PageInput, read_page

from .mutations import mutate_bytes
from .trials import Target

__all__ = ["PAGES"]

_EXTRACTORS: Final = (
    ExtractorSettings(name="main"),
    ExtractorSettings(name="marked", form="markdown", comments="keep"),
    ExtractorSettings(name="full", method="full"),
)
_PAGE: Final = """<!DOCTYPE html><html lang=de><head><meta charset=utf-8><title>Über Brücken</title><meta name=robots content="noai">
<link rel=license href="https://creativecommons.org/licenses/by/4.0/"><style>p { color: red }</style>
<script type="application/ld+json">{"license": "https://creativecommons.org/publicdomain/zero/1.0/"}</script></head>
<body><nav><a href="/">Start</a> <a href="/b">Mehr</a></nav><article><h1>Über Brücken</h1>
<p>Die Brücke trägt <b>zwölf</b> Tonnen, &amp; sie ist schöner als andere: \\(a^2 &lt; b\\) und <sup>2</sup>.</p>
<ul><li>Eisen<li>Stein<ol><li>grau</ol></ul><table><tr><th colspan=2>Maß<tr><td>Länge<td rowspan=9>30 m</table>
<pre>for x in y:
    z</pre><math><mi>x</mi><annotation encoding="application/x-tex">x</annotation></math><img alt="$y$" src=c.png>
<blockquote>„So hoch!“</blockquote></article><div class=comments><p>Erster!<p hidden>nein</div><footer>© 2024</footer></body></html>"""
_PIECES: Final = (
    *(
        f"<{name}>".encode()
        for name in "table tr td p b a svg template math select option frameset body html head".split()
    ),
    *(f"</{name}>".encode() for name in "table p b a svg body html br form template".split()),
    *(
        f"<{name}>".encode()
        for name in "script style title textarea plaintext noscript xmp iframe pre annotation-xml mi".split()
    ),
    *(
        b"<!--",
        b"-->",
        b"--!>",
        b"<![CDATA[",
        b"]]>",
        b"<?xml",
        b"<!DOCTYPE",
        b"&#0;",
        b"&#xD800;",
        b"&NotEqualTilde;",
        b"&#x110000;",
    ),
    *(
        b'colspan="1000000000"',
        b"rowspan=-1",
        b"hidden",
        b'style="display:none"',
        b"\0",
        b"\xff\xfe",
        b"\xfe\xff",
        b"\xef\xbb\xbf",
    ),
    *(
        b"\x1b$B",
        b"\x1b(B",
        b"\x8f\xa2",
        b"\x81\x30\x81\x30",
        b"\\(",
        b"$$",
        b"\\begin{align}",
        b"```",
        b"| |",
        b"<meta charset=big5>",
    ),
)


def _seeds(folder: Path) -> list[bytes]:
    texts = {
        "windows-1252": _PAGE,
        "utf-16": _PAGE,
        "utf-8": _PAGE,
        "shift_jis": "<p>日本語の文章です。</p>" * 3,
        "gb18030": "<p>中文的文章。" * 3,
    }
    return [text.replace("utf-8", name).encode(name, "xmlcharrefreplace") for name, text in texts.items()]


def _mutate(data: bytes, draw: random.Random) -> bytes:
    for _ in range(draw.choice((0, 1, 3, 20))):
        at = draw.randrange(len(data) + 1)
        data = data[:at] + draw.choice(_PIECES) * draw.choice((1, 1, 2, 500)) + data[at:]
    return mutate_bytes(data, draw) if draw.random() < 0.7 else data


def _read(path: Path) -> None:
    body = path.read_bytes()
    label = random.Random(body).choice((None, None, *ENCODINGS))
    page = read_page(PageInput(body=body, http_charset=label, url="https://a.example/b"), _EXTRACTORS)
    for text in page.texts:
        text.text.encode()  # no half of a surrogate pair
        assert "\0" not in text.text
        assert text.blocks_left_out == sum(blocks for blocks, _ in text.left_out.values())
        assert text.bytes_left_out == sum(size for _, size in text.left_out.values())
    assert 0 <= page.mojibake <= 65535


def _decode(path: Path) -> None:
    body = path.read_bytes()
    for label in (None, random.Random(body).choice(ENCODINGS), "no label"):
        found = decode_page(body, label, tld="jp")
        found.text.encode()
        assert found.used in ENCODINGS
        assert found.n_replaced == found.text.count("\ufffd")


PAGES: Final = (
    Target(name="web page", seeds=_seeds, mutate=_mutate, parse=_read, allowed=()),
    Target(name="charset of a page", seeds=_seeds, mutate=_mutate, parse=_decode, allowed=()),
)
