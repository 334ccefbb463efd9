from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.errors import BadInputError
from headwater.pipelines.ingest.decompress import Limits
from headwater.pipelines.ingest.exact_numbers import Number
from headwater.pipelines.ingest.json_lines import is_too_deep, number_lines, parse_object, read_objects, split_lines


def _cut(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[begin:end] for begin, end in zip(edges, edges[1:], strict=False)]


@given(st.lists(st.integers(0, 12)), st.lists(st.integers(0, 200)), st.integers(1, 12), st.booleans())
def test_lines_do_not_depend_on_blocks(
    lengths: list[int], cuts: list[int], max_bytes: int, newline_at_end: bool
) -> None:
    """However the bytes are cut into blocks, the lines are those of one split; too long ones are None."""
    data = b"\n".join(b"x" * length for length in lengths) + (b"\n" if newline_at_end else b"")
    expected = [line if len(line) <= max_bytes else None for line in data.split(b"\n")]
    if expected[-1] == b"":
        expected.pop()
    assert [line for lines in split_lines(_cut(data, cuts), max_bytes) for line in lines] == expected


def test_unfinished_line_is_withheld_when_the_blocks_fail() -> None:
    """What came after the last line feed before a fault may be half a record."""

    def blocks() -> Any:
        yield b"whole\nha"
        raise OSError

    stream = split_lines(blocks(), 100)
    assert next(stream) == [b"whole"]
    with pytest.raises(OSError):
        next(stream)


@pytest.mark.parametrize(
    "line,reason",
    [
        (b'{"text": "\xff"}', "invalid_utf8"),
        (b'{"text": "\xed\xa0\x80"}', "invalid_utf8"),
        (b'{"text": "\\ud800"}', "lone_surrogate"),
        (b'{"text": "t", "a": ["\\udc00\\ud800"]}', "lone_surrogate"),
        (b'{"\\ud800": 1, "text": "t"}', "lone_surrogate"),
        (b'{"text": "a"', "not_json"),
        (b'{"text": "a\tb"}', "not_json"),
        (b'{"text": "a"} {}', "not_json"),
        (b"plain", "not_json"),
        (b"", "not_json"),
        (b'"not_json"', "not_an_object"),
        (b"[NaN]", "not_an_object"),
        (b"null", "not_an_object"),
        (b"[" * 65 + b"]" * 65, "too_deep"),
        (b"[" * 100_000, "too_deep"),
        (b"[" * 100_000 + b"]" * 100_000, "too_deep"),
        (b'{"a":' * 100_000, "too_deep"),
        (b'{"a":[' * 1000 + b'"\\ud800', "too_deep"),
    ],
)
def test_reason_of_a_line_that_is_refused(line: bytes, reason: str) -> None:
    """Each fault has its own reason; depth is seen before any recursion."""
    assert parse_object(line, 64) == reason


@pytest.mark.parametrize(
    "line,expected",
    [
        (b'{"a": NaN, "b": [-Infinity, Infinity]}', {"a": None, "b": [None, None]}),
        (
            b'{"a": NaN, "b": 18446744073709551615, "c": 18446744073709551616}',
            {"a": None, "b": 2**64 - 1, "c": float(2**64)},
        ),
        (b'{"a": NaN, "b": ' + b"9" * 400 + b"}", {"a": None, "b": Number("9" * 400)}),
        (b'{"a": 1e400}', {"a": Number("1e400")}),
        (b'{"a": NaN, "a": 2}', {"a": 2}),
    ],
)
def test_nan_and_large_numbers_cost_no_record(line: bytes, expected: object) -> None:
    """NaN and infinities are null, integers beyond 64 bits doubles, as orjson has them, or as written where no double is near."""
    assert parse_object(line, 64) == expected


@pytest.mark.parametrize(
    "line,deep",
    [
        (b"[" * 64 + b"]" * 64, False),
        (b"[" * 65 + b"]" * 65, True),
        (b'"' + b"[" * 100 + b'"', False),
        (b'["\\"' + b"[" * 100 + b'"]', False),
        (b'["\\\\",' + b"[" * 100, True),
        (b"[]" * 100, False),
        (b'"' + b"[" * 100, False),
    ],
)
def test_depth_counts_brackets_outside_of_strings(line: bytes, deep: bool) -> None:
    """64 levels are within the limit, 65 beyond; brackets in strings, closed or not, count for nothing."""
    assert is_too_deep(line, 64) is deep


@given(st.lists(st.sampled_from([b"", b" \t\r", b"x", b"\xef\xbb\xbf", b"\xef\xbb\xbfy"])), st.integers(0, 3))
def test_numbers_count_blank_lines_and_a_byte_order_mark_is_no_text(lines: list[bytes], first: int) -> None:
    """Line n of the file has number n, blank ones are left out, and only the file's own first line loses a mark."""
    data = b"".join(line + b"\n" for line in lines)
    expected = []
    for number, line in enumerate(lines, first):
        text = line.removeprefix(b"\xef\xbb\xbf") if number == 0 else line
        if text.strip():
            expected.append((number, text))
    assert list(number_lines([data] if data else [], 100, first)) == expected


def test_objects_of_a_file_or_the_reason_of_each_line(tmp_path: Path) -> None:
    """What reads a file of JSON Lines gets every line that is not blank: at the limit of length and depth its object, beyond it the reason."""
    lines = [
        b'{"a":[[1]]}',
        b"",
        b'{"a":[[[1]]]}',
        b'{"a":"' + b"x" * 12 + b'"}',
        b'{"a":"' + b"x" * 13 + b'"}',
        b"[1]",
        b"no",
    ]
    path = tmp_path / "lines"
    path.write_bytes(gzip.compress(b"\n".join(lines)))
    found = list(read_objects(str(path), Limits(max_record_bytes=20, max_nesting=3)))
    assert found == [
        (0, {"a": [[1]]}),
        (2, "too_deep"),
        (3, {"a": "x" * 12}),
        (4, "record_too_large"),
        (5, "not_an_object"),
        (6, "not_json"),
    ]
    path.write_bytes(gzip.compress(b"{}\n{}\n")[:-12])
    with pytest.raises(BadInputError, match="truncated_compression"):
        list(read_objects(str(path), Limits()))
