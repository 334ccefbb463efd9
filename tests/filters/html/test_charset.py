"""The encoding of a page: what the standards order, what bytes that contradict it do, and decoders equal to the standard's tables."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from real_text import first_texts

from headwater.filters.html.charset import decode, decode_page
from headwater.filters.html.charset_detect import guess
from headwater.filters.html.charset_labels import ENCODINGS, encoding_of
from headwater.filters.html.charset_meta import declared_in, declared_later

GERMAN = "<p>Schöne Grüße aus Köln, wo die Bäcker früh öffnen und die Züge spät fahren.</p>"


@pytest.mark.parametrize(
    ("body", "header", "used", "source", "declared"),
    [
        (b"\xef\xbb\xbf<meta charset=koi8-r>", "big5", "UTF-8", "bom", "big5"),
        (b"\xff\xfea\0", None, "UTF-16LE", "bom", None),
        (b"\xfe\xff\0a", "utf-8", "UTF-16BE", "bom", "utf-8"),
        (b"<meta charset=koi8-r>\xc1", "latin1", "windows-1252", "http", "latin1"),
        (b"<meta charset=koi8-r>\xc1", "no-such-label", "KOI8-R", "meta", "koi8-r"),
        (b"<meta charset=koi8-r>\xc1", ' "ISO-8859-2" ', "ISO-8859-2", "http", "ISO-8859-2"),
        (b"<meta charset=utf-16>\xc3\xa9", None, "UTF-8", "meta", "utf-16"),
        (b"<meta charset=x-user-defined>\xe9", None, "windows-1252", "meta", "x-user-defined"),
        (b"\xe9", "x-user-defined", "x-user-defined", "http", "x-user-defined"),
        (b"<?xml version='1.0' encoding='iso-8859-5'?><p>\xd4", None, "ISO-8859-5", "meta", "iso-8859-5"),
        (b"<?xml encoding='iso-8859-5'?><meta charset=koi8-r>\xd4", None, "KOI8-R", "meta", "koi8-r"),
        (b"<!--" + b"x" * 1100 + b"--><meta charset=koi8-r>\xd4", None, "KOI8-R", "meta", "koi8-r"),
        (GERMAN.encode(), None, "UTF-8", "detected", None),
        (GERMAN.encode("cp1252"), None, "windows-1252", "detected", None),
        (b"<p>plain", None, "windows-1252", "default", None),
        (b"<p>plain", "klingon", "windows-1252", "default", "klingon"),
        (b"", None, "windows-1252", "default", None),
    ],
)
def test_the_order_of_the_standard(
    body: bytes, header: str | None, used: str, source: str, declared: str | None
) -> None:
    """Byte order mark, HTTP's header, meta, detection, windows-1252; labels that nobody knows are passed over, and told."""
    found = decode_page(body, header)
    assert (found.used, found.source, found.declared) == (used, source, declared)
    assert "\ufeff" not in found.text


@pytest.mark.parametrize(
    ("head", "encoding"),
    [
        (b'<meta charset="sjis">', "Shift_JIS"),
        (b"<META CHARSET = 'sjis' />", "Shift_JIS"),
        (b"<meta/charset=sjis>", "Shift_JIS"),
        (b"<meta\x0ccharset=sjis >", "Shift_JIS"),
        (b'<meta http-equiv=content-type content="text/html; charset=sjis">', "Shift_JIS"),
        (b"<meta content=\"text/html; charset = 'sjis'; x\" http-equiv=Content-Type>", "Shift_JIS"),
        (b'<meta content="charset charset=sjis" http-equiv=content-type>', "Shift_JIS"),
        (b'<meta content="text/html; charset=sjis">', None),
        (b'<meta http-equiv=refresh content="text/html; charset=sjis">', None),
        (b"<metadata charset=sjis>", None),
        (b"<!-- <meta charset=sjis> -->", None),
        (b"<!--><meta charset=sjis>", "Shift_JIS"),
        (b"<!-- <meta charset=sjis>", None),
        (b"<p title='<meta charset=koi8-r>'><meta charset=sjis>", "Shift_JIS"),
        (b"<script>'<meta charset=sjis>'</script>", "Shift_JIS"),
        (b"</p x='><meta charset=koi8-r>'><meta charset=sjis>", "Shift_JIS"),
        (b"<? <meta charset=koi8-r><meta charset=sjis>", "Shift_JIS"),
        (b"<meta charset=klingon><meta charset=sjis>", "Shift_JIS"),
        (b"<meta charset=sjis charset=koi8-r>", "Shift_JIS"),
        (b"<meta charset=sjis", None),
        (b'<meta charset="sjis>', None),
        (b"<meta charset=utf-16be>", "UTF-8"),
        (b"<\0?\0x\0m\0l\0", "UTF-16LE"),
        (b"<" * 2000 + b"<meta charset=sjis>", None),
    ],
)
def test_the_prescan(head: bytes, encoding: str | None) -> None:
    """The standard's algorithm, byte by byte: attributes in any form, pragmas whole, comments and tags passed over."""
    found = declared_in(head)
    assert (found.encoding if found else None) == encoding


@pytest.mark.parametrize(
    ("page", "encoding"),
    [
        (b"<style>" + b"x" * 2000 + b"</style><meta charset=gbk>", "GBK"),
        (b"<script>" + b"x" * 2000 + b"'<meta charset=koi8-r>'</script><meta charset=gbk>", "GBK"),
        (b"<!--" + b"x" * 2000 + b"<meta charset=koi8-r>--><meta charset=gbk>", "GBK"),
        (b"<script>" + b"x" * 2000 + b"<meta charset=gbk>", None),
        (b"x" * (1 << 20) + b"<meta charset=gbk>", None),
        (b"<meta charset=gbk>", None),
    ],
)
def test_a_later_meta(page: bytes, encoding: str | None) -> None:
    """One after the first 1,024 bytes counts, as a browser reads the page again for it; not one in a script or a comment."""
    found = declared_later(page)
    assert (found.encoding if found else None) == encoding


@pytest.mark.parametrize(
    ("body", "header", "used", "text"),
    [
        (GERMAN.encode("cp1252"), "utf-8", "windows-1252", GERMAN),
        (GERMAN.encode() + b"\xe4" * 8, "utf-8", "UTF-8", None),
        (GERMAN.encode(), "iso-8859-1", "UTF-8", GERMAN),
        ("Grüße".encode(), "iso-8859-1", "windows-1252", "GrÃ¼ÃŸe"),
        (GERMAN.encode()[:-5] + b"\xc3", "iso-8859-1", "UTF-8", None),
        (GERMAN.encode("utf-16-le"), None, "UTF-16LE", GERMAN),
        (GERMAN.encode("utf-16-be"), None, "UTF-16BE", GERMAN),
        (b"<p>plain", "utf-16", "UTF-8", "<p>plain"),
        (("日本語のテキスト" * 9).encode("shift_jis"), "utf-8", "Shift_JIS", "日本語のテキスト" * 9),
        (b"anything \xe9", "iso-2022-kr", "replacement", "\ufffd"),
    ],
)
def test_what_bytes_contradict(body: bytes, header: str | None, used: str, text: str | None) -> None:
    """A label that a third of the bytes contradict, or that valid UTF-8 does, gives way; short or doubtful bytes change nothing."""
    found = decode_page(body, header)
    assert found.used == used
    assert text is None or found.text == text
    assert found.source == ("http" if header and encoding_of(header) == used else "detected")


def test_one_cut_character_hides_no_encoding() -> None:
    """A title that a template cut in the middle of a character leaves the page in its encoding."""
    for name, text in {
        "shift_jis": "これは日本語の文章です。長い文章を書きます。",
        "gb18030": "这是一个中文网页的内容。",
        "euc-kr": "이것은 한국어 문장입니다.",
    }.items():
        body = b"<title>" + text.encode(name)[:5] + b"</title><p>" + (text * 3).encode(name)
        assert guess(body) == encoding_of(name if name != "gb18030" else "gbk")


def test_counts() -> None:
    """What was replaced and U+0000 are counted; no half of a surrogate pair comes out."""
    found = decode_page("a\0ééé".encode() + b"\xff\xfe", "utf-8")
    assert (found.n_replaced, found.n_nul) == (2, 1)
    assert decode_page(b"\xff\xfe\x00\xd8a\0").text == "\ufffda"
    assert decode_page(b"\xff\xfea").text == "\ufffd"


def test_labels() -> None:
    """Forty encodings, 228 labels, any case, HTML's white space around them, nothing else."""
    assert len(ENCODINGS) == 40
    assert [encoding_of(name) for name in ENCODINGS] == list(ENCODINGS)
    assert encoding_of("\t\n\f\r UTF8 ") == "UTF-8"
    assert {encoding_of(label) for label in ("utf-7", "", "utf\u00ad8", "\u00a0utf-8", "oei8-\u212a")} == {None}


_IDENTIFIERS = {
    "koi8-u": "19a4da2c3f245118bbc8019326f45a07832949938ff903f03d62ac4da1f61f40",
    "macintosh": "f2c6a4f6406b3e86a50a5dba4d2b7dd48e2e33c0d82aefe764535c934ec11764",
    "windows-1255": "cd7fb43c97eefa1651084d92d02af53ad668bd848528c18c3b1af5c06b499651",
    "big5": "8dfc771062e7be0810919082c2c06baa2236147909e0ecc235b1cb9ad782ac82",
    "euc-kr": "1d97134cbf187263585bc8f593ca4196654ed4c7a673f5672eaad4f5d9fdc4ba",
    "gb18030": "715f084846f5c6fc9dd31046d0a4d604bd2d88bfe3a22833cea048415e413c70",
    "jis0208": "cbaa91f3deb7d0841faf5c33041fc15a285da0e87e64ab802c4bf04b7c4da861",
    "jis0212": "83bf90dd1c591a4355730d8c4567efc499d74da7490531019ef22a879991cfb7",
}
"""The identifiers that the Encoding Standard's index files of 2017-05-06 carry: SHA-256 of the list of code points as Python writes it."""
_GB18030_2022 = {
    **dict(zip(range(7182, 7189), (0xE78D, 0xE78E, 0xE78F, 0xE790, 0xE791, 0xE792, 0xE793), strict=True)),
    7201: 0xE794,
    7202: 0xE795,
    7208: 0xE796,
    23775: 0xE81E,
    23783: 0xE826,
    23788: 0xE82B,
    23789: 0xE82C,
    23795: 0xE832,
    23812: 0xE843,
    23829: 0xE854,
    23845: 0xE864,
}
"""The eighteen characters that index gb18030 moved out of private use since, as GB 18030-2022 has them."""


def _identifier(codes: list[bytes], name: str) -> str:
    characters = decode(b"\n".join(codes), name).split("\n")
    points = [ord(each) if len(each) == 1 and each != "\ufffd" else None for each in characters]
    if name == "gb18030":
        points = [_GB18030_2022.get(pointer, point) for pointer, point in enumerate(points)]
    return hashlib.sha256(str(points).encode()).hexdigest()


def _trail(pointer: int, a_row: int, first: int, gap: int) -> int:
    """Return the second byte, which leaves out 0x7F, or more."""
    return pointer % a_row + (first if pointer % a_row < 0x3F else gap)


def test_decoders_have_the_tables_of_the_standard() -> None:
    """Each index, put together from what the decoder makes of every pointer, has the identifier that the standard publishes."""
    single = [bytes([byte]) for byte in range(0x80, 0x100)]
    made = {name: _identifier(single, name) for name in ("koi8-u", "macintosh", "windows-1255")}
    made["big5"] = _identifier([bytes([p // 157 + 0x81, _trail(p, 157, 0x40, 0x62)]) for p in range(126 * 157)], "big5")
    made["euc-kr"] = _identifier([bytes([p // 190 + 0x81, p % 190 + 0x41]) for p in range(126 * 190)], "euc-kr")
    made["gb18030"] = _identifier(
        [bytes([p // 190 + 0x81, _trail(p, 190, 0x40, 0x41)]) for p in range(126 * 190)], "gb18030"
    )
    # The user-defined rows of Shift_JIS, 8836 to 10715, are no part of the index.
    rows = [bytes([p // 188 + (0x81 if p < 5828 else 0xC1), _trail(p, 188, 0x40, 0x41)]) for p in range(60 * 188)]
    made["jis0208"] = _identifier([b"ab" if 8836 <= p <= 10715 else row for p, row in enumerate(rows)], "shift_jis")
    made["jis0212"] = _identifier([bytes([0x8F, p // 94 + 0xA1, p % 94 + 0xA1]) for p in range(94 * 94)], "euc-jp")
    assert made == _IDENTIFIERS


def test_other_single_bytes_are_pythons_with_the_controls_filled_in() -> None:
    """Where Python's codec has a character the decoder has the same one; what it leaves open below 0xA0 is the control itself."""
    for name in ENCODINGS[1:29]:
        codec = {"windows-874": "cp874", "ISO-8859-8-I": "iso8859-8"}.get(
            name, name.replace("x-mac-cyrillic", "mac-cyrillic")
        )
        if name in ("KOI8-U", "macintosh", "windows-1255"):
            continue
        for byte in range(0x80, 0x100):
            ours, pythons = decode(bytes([byte]), name), bytes([byte]).decode(codec, "replace")
            assert ours == pythons or (pythons == "\ufffd" and byte < 0xA0 and ours == chr(byte)), (name, byte)


@pytest.mark.parametrize(
    ("name", "data", "text"),
    [
        ("big5", b"\x88\x62\x88\xa3", "\u00ca\u0304\u00ea\u0304"),
        ("gb18030", b"\x81\x35\xf4\x37\x84\x31\xa4\x37\x90\x30\x81\x30", "\ue7c7\ufffd\U00010000"),
        ("GBK", b"\x80\x81<", "€\ufffd<"),
        ("EUC-JP", b"\x8e\xb1\x8f\xa2\xaf\xa4", "ｱ˘\ufffd"),
        ("Shift_JIS", b"\x80\xb1\xf0\x40\x81<", "\x80ｱ\ue000\ufffd<"),
        ("ISO-2022-JP", b'\x1b(J\\~\x1b(I1\x1b$B$"\x1b(B\x0e', "¥‾ｱあ\ufffd"),
        ("EUC-KR", b"\xb0\xa1\x81\x41\xc9\xa1", "가갂\ufffd"),
        ("UTF-16BE", b"\xd8\x3d\xde\x00\xdc\x00", "😀\ufffd"),
        ("UTF-8", b"\xf0\x9f\x98\xe2\x82<\xc0\xaf", "\ufffd\ufffd<\ufffd\ufffd"),
        ("x-user-defined", b"a\x80\xff", "a\uf780\uf7ff"),
        ("replacement", b"", ""),
    ],
)
def test_decoders_at_their_edges(name: str, data: bytes, text: str) -> None:
    """Characters of two points, ranges, private use, errors that give back an ASCII byte, states."""
    assert decode(data, name) == text


def test_decoding_is_linear_in_hostile_heads() -> None:
    """A megabyte of tags that never end, or of metas that say nothing, is read once."""
    for unit in (b"<meta charset=x>", b"<!--", b"<p a=", b"<meta content='charset charset'>", b"<", b"<script>"):
        assert decode_page(unit * ((1 << 20) // len(unit))).used == "windows-1252"


_LEGACY = {
    "cs": "windows-1250",
    "ru": "windows-1251",
    "el": "windows-1253",
    "tr": "windows-1254",
    "he": "windows-1255",
    "ar": "windows-1256",
}
_LEGACY |= {
    "ja": "shift_jis",
    "ko": "euc-kr",
    "zh": "gb18030",
    "th": "windows-874",
    "uk": "koi8-u",
    "pl": "iso-8859-2",
    "de": "windows-1252",
}


def test_detection_on_real_text(real_text_files: list[Path]) -> None:
    """Text of thirteen languages in their old encodings is read as it was written, but for one in twenty of some hundred bytes."""
    hits = []
    for language, name in _LEGACY.items():
        files = [path for path in real_text_files if path.name.startswith(f"{language}.")]
        for path in files[:3]:
            for text in first_texts(path, 200_000)[:10]:
                body = text[:500].encode({"windows-874": "cp874"}.get(name, name), "ignore")
                if not body.isascii():
                    hits.append(decode(body, guess(body) or "UTF-8") == decode(body, encoding_of(name) or ""))
    assert not hits or np.mean(hits) > 0.95
