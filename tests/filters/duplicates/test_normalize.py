"""The normaliser against Python's own NFKC, character by character, on random and on real text."""

from __future__ import annotations

import re
import sys
import unicodedata
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from real_text import ALL, first_texts

from headwater.errors import UsageError
from headwater.filters.duplicates.normalize import normalize

_NON_STARTERS = "".join(
    character
    for character in map(chr, range(sys.maxunicode + 1))
    if unicodedata.combining(unicodedata.normalize("NFKD", character)[0])
)
_LONG_RUN = re.compile(f"([{re.escape(_NON_STARTERS)}]{{30}})[{re.escape(_NON_STARTERS)}]+")
_IGNORED = {0x34F, *range(0xFE00, 0xFE10), *range(0x180B, 0x1810), *range(0xE0100, 0xE01F0)}


def reference_normalize(text: str) -> str:
    """The rules of the module's docstring, one character after the other."""
    written: list[str] = []
    for character in unicodedata.normalize("NFKC", _LONG_RUN.sub(r"\1", text)):
        category = unicodedata.category(character)
        if category == "Cf" or ord(character) in _IGNORED:
            continue
        if category == "Nd":
            written.append(str(unicodedata.decimal(character)))
        elif category[0] == "M":
            if written and written[-1] != " ":
                written.append(character)
        elif category[0] in "LN":
            written.append("σ" if character == "ς" else character.lower()[0])
        elif written and written[-1] != " ":
            written.append(" ")
    return "".join(written).rstrip(" ")


def normalized(text: str) -> str:
    """One text through the kernel."""
    return str(normalize(pa.array([text]))[0].as_py())


_INTERESTING = st.one_of(
    st.characters(exclude_categories=["Cs"]),
    st.sampled_from(
        "aeio<=12 -.\tßİςΣΆ가각각ᆨᅡﾊﾟﾞカがＡ①½ﷺ№ﬁक़क़ক\u09c7\u09be\u09d7\u0bc6\u0bbe\u0cc6\u0cc2\u0cd5\u0dd9\u0dcf\u0dca"
    ),
    st.sampled_from(_NON_STARTERS),
    st.sampled_from(
        "\u0301\u0323\u0308\u030a\u0344\u0316\u0334\u0338\u05bc\u05b7\u064b\u0653\u093c\u094d\u3099\u200d\ufe0f\u034f\u00ad\u00a8"
    ),
)


@pytest.mark.slow
@settings(max_examples=1500, deadline=None)
@given(st.lists(_INTERESTING, max_size=40).map("".join))
def test_equals_reference(text: str) -> None:
    """Any text gives exactly what Python's unicodedata gives under the same rules."""
    assert normalized(text) == reference_normalize(text)


@pytest.mark.slow
def test_every_code_point_alone_and_before_and_behind_others() -> None:
    """Every code point of Unicode, alone, before an accent, after a letter and between two, equals the reference."""
    frames = ["{}", "{}\u0301", "a{}", "x\u0323{}\u0301y", "{}\u0316\u0338", "\u09c7{}", "\u1100{}\u11a8"]
    code_points = [code_point for code_point in range(0x110000) if not 0xD800 <= code_point < 0xE000]
    texts = [
        frame.format(chr(code_point))
        for frame in frames
        for code_point in code_points
        if code_point < 0x3400 or 0xA000 <= code_point < 0xAD00 or 0xD700 < code_point < 0x1F000 or frame == "{}"
        if code_point < 0x32400 or code_point >= 0xE0000 or code_point % 997 == 0
    ]
    results = normalize(pa.array(texts)).to_pylist()
    wrong = [
        text.encode("unicode_escape")
        for text, result in zip(texts, results, strict=True)
        if result != reference_normalize(text)
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        (" \t\n", ""),
        ("...", ""),
        ("\u0301\u0301", ""),
        ("Don't  STOP!", "don t stop"),
        ("Tel. ٠١٢-345", "tel 012 345"),
        ("می‌خواهم", "میخواهم"),
        ("❤️ x", "x"),
        ("ＡＢＣ　ｶﾞ", "abc ガ"),
        ("nai\u0308ve", "naïve"),
        ("a\x00b", "a b"),
    ],
)
def test_worked_examples(text: str, expected: str) -> None:
    """Each rule of the docstring on a short text."""
    assert normalized(text) == expected
    assert reference_normalize(text) == expected


def test_long_runs_of_marks_are_cut() -> None:
    """The thirty-first mark in a row is left out, with or without marks that must be reordered."""
    for marks in ("\u0301", "\u0301\u0316", "\u05b7\u05bc", "\uff9e"):
        for count in (29, 30, 31, 32, 200):
            run = (marks * count)[:count]
            assert normalized("a" + run + "b") == reference_normalize("a" + run + "b")


def test_batch_shapes() -> None:
    """Strings and large strings, slices, nulls and empty arrays give one row a text."""
    texts = ["Erst", None, "", "Zwei—3", "ﬁn"]
    expected = ["erst", "", "", "zwei 3", "fin"]
    for kind in (pa.string(), pa.large_string()):
        array = pa.array(texts, kind)
        assert normalize(array).to_pylist() == expected
        assert normalize(array.slice(2)).to_pylist() == expected[2:]
        assert normalize(array.slice(3, 1)).to_pylist() == expected[3:4]
        assert normalize(array.slice(0, 0)).to_pylist() == []
        assert normalize(pa.array([], kind)).to_pylist() == []
        assert normalize(pa.nulls(2, kind)).to_pylist() == ["", ""]
    with pytest.raises(UsageError, match="expected an array of string"):
        normalize(pa.array([1]))


def test_expansion_grows_the_output() -> None:
    """A text that becomes eleven times longer, among others, is written whole."""
    texts = ["abc", "ﷺ" * 3000, "def" * 1000, "㎢" * 2000]
    assert normalize(pa.array(texts)).to_pylist() == [reference_normalize(text) for text in texts]


@pytest.mark.parametrize(
    "text",
    [
        "a" * 10**6,
        "\u0301" * 10**6,
        "a" + "\u0301\u0316" * 500_000,
        "\u09be" * 10**6,
        "ᅡ" * 10**6,
        "ﾊﾟ" * 10**6,
        "ﷺ" * 300_000,
    ],
)
def test_hostile_text_is_linear(text: str) -> None:
    """A million characters of one kind end at once: a quadratic pass over any of them would take hours."""
    assert len(normalized(text)) < 20 * len(text)


def test_truncated_bytes_stay_in_bounds() -> None:
    """Bytes that are not UTF-8, which ingest never lets through, do not make the kernel read behind the text."""
    for raw in (b"a\xc3", b"a\xe2\x82", b"a\xf0\x9f\x98", b"\xff", b"\xed\xa0\x80", b"\x80\x80"):
        offsets = pa.array([0, len(raw)], pa.int64()).buffers()[1]
        array = pa.LargeStringArray.from_buffers(1, offsets, pa.py_buffer(raw))
        assert normalize(array)[0].as_buffer().size <= 3


@pytest.mark.slow
def test_real_text_of_the_corpus(real_text_files: list[Path]) -> None:
    """The first documents of every file of real text, all languages, equal the reference."""
    for path in real_text_files:
        texts = first_texts(path, 20_000)[: None if ALL else 4]
        assert normalize(pa.array(texts, pa.large_string())).to_pylist() == [
            reference_normalize(text) for text in texts
        ]
