from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.pipelines.ingest.json_lines import explain_line, is_too_deep, split_lines


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
        (b"[" * 100_000, "too_deep"),
        (b"[" * 100_000 + b"]" * 100_000, "too_deep"),
        (b'{"a":' * 100_000, "too_deep"),
        (b'{"a":[' * 1000 + b'"\\ud800', "too_deep"),
    ],
)
def test_reason_of_a_line_that_is_refused(line: bytes, reason: str) -> None:
    """Each fault has its own reason; depth is seen before any recursion."""
    with pytest.raises(ValueError, match=f"^{reason}$"):
        explain_line(line, 64)


@pytest.mark.parametrize(
    "line,expected",
    [
        (b'{"a": NaN, "b": [-Infinity, Infinity]}', {"a": None, "b": [None, None]}),
        (
            b'{"a": NaN, "b": 18446744073709551615, "c": 18446744073709551616}',
            {"a": None, "b": 2**64 - 1, "c": float(2**64)},
        ),
        (b'{"a": NaN, "b": ' + b"9" * 400 + b"}", {"a": None, "b": None}),
        (b'{"a": NaN, "a": 2}', {"a": 2}),
    ],
)
def test_nan_and_large_numbers_cost_no_record(line: bytes, expected: object) -> None:
    """NaN and infinities are null, integers beyond 64 bits doubles, as orjson has them; the last of equal keys counts."""
    assert explain_line(line, 64) == expected


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
