from __future__ import annotations

import datetime
from typing import Any

import pytest

from headwater.pipelines.ingest.fields import FIELD_NAMES, FieldPlacer, find_name, nesting_depth


def _place(record: dict[str, Any], max_nesting: int = 64) -> Any:
    placer = FieldPlacer(max_nesting)
    name = placer.text_name(record)
    text = record.pop(name) if name is not None else None
    placed = placer.place(record)
    return (text, *placed) if placed is not None else None


@pytest.mark.parametrize(
    "record,expected",
    [
        pytest.param(
            {
                "id": "d1",
                "text": "t",
                "source": "common-crawl",
                "added": "2023-04-11T09:57:03Z",
                "created": "2020-01-17T12:48:23Z",
                "metadata": {"url": "https://e.org/", "length": 3},
            },
            (
                *("t", "common-crawl", "https://e.org/", "2023-04-11T09:57:03Z", None),
                '{"created":"2020-01-17T12:48:23Z","id":"d1","metadata":{"length":3}}',
            ),
            id="dolma",
        ),
        pytest.param(
            {
                "text": "t",
                "id": "<urn:uuid:1>",
                "dump": "CC-MAIN",
                "url": "https://e.org/",
                "date": "2013-05-18",
                "token_count": 9,
            },
            ("t", None, "https://e.org/", "2013-05-18", None, '{"dump":"CC-MAIN","id":"<urn:uuid:1>","token_count":9}'),
            id="fineweb",
        ),
        pytest.param(
            {"text": "t", "meta": {"url": "https://e.org/", "timestamp": "2019", "source": "wiki", "language": "en"}},
            ("t", "wiki", "https://e.org/", "2019", None, '{"meta":{"language":"en"}}'),
            id="redpajama-1",
        ),
        pytest.param(
            {"url": "https://e.org/", "date_download": "2014", "digest": "sha1:x", "title": "T", "raw_content": "t"},
            ("t", None, "https://e.org/", "2014", None, '{"digest":"sha1:x","title":"T"}'),
            id="redpajama-2",
        ),
        pytest.param(
            {"text": "t", "timestamp": "2019-04-25T12:57:54Z", "url": "https://e.org/"},
            ("t", None, "https://e.org/", "2019-04-25T12:57:54Z", None, None),
            id="c4",
        ),
        pytest.param(
            {
                "text": "t",
                "metadata": {"WARC-Target-URI": "https://e.org/", "WARC-Date": "2022", "Content-Length": "9"},
            },
            ("t", None, "https://e.org/", "2022", None, '{"metadata":{"Content-Length":"9"}}'),
            id="dclm",
        ),
        pytest.param(
            {"text": "t", "meta": {"pile_set_name": "PubMed"}},
            ("t", "PubMed", None, None, None, None),
            id="pile",
        ),
        pytest.param(
            {"content": "t", "_id": 17, "license": "MIT", "tags": ["b", "a"]},
            ("t", None, "17", None, "MIT", '{"tags":["b","a"]}'),
            id="hub",
        ),
    ],
)
def test_records_of_known_data_sets(record: dict[str, Any], expected: tuple[str | None, ...]) -> None:
    """Text, source, uri, date, licence and meta of a record as each data set writes it."""
    assert _place(record) == expected


def test_exact_spelling_comes_before_other_cases() -> None:
    """An exact name wins over a better one in other case, and other case is found last."""
    assert find_name(["Text", "content"], FIELD_NAMES["text"]) == "content"
    assert find_name(["CONTENT", "Body"], FIELD_NAMES["text"]) == "CONTENT"
    assert find_name(["body"], FIELD_NAMES["text"]) is None
    assert _place({"text": "t", "URL": "upper", "uri": "exact"})[2] == "exact"
    assert _place({"Text": "t", "URL": "upper", "ID": "1"})[2] == "upper"


@pytest.mark.parametrize("unfit", [None, "", [], {}, True, float("nan"), ["x"]])
def test_value_that_cannot_fill_its_column_stays_in_meta(unfit: object) -> None:
    """The next name is tried instead."""
    _, _, uri, _, _, meta = _place({"text": "t", "url": unfit, "id": "i1"})
    assert uri == "i1"
    assert meta.startswith('{"url":')


def test_meta_is_canonical() -> None:
    """Keys are sorted at every level, without white space; non-ASCII is kept; bytes, dates and NaN become plain JSON."""
    record = {
        "text": "t",
        "b": {"z": 1, "a": "é"},
        "a": b"\xff",
        "c": b"ok",
        "d": datetime.date(2026, 1, 2),
        "e": float("nan"),
    }
    assert _place(record)[5] == '{"a":"ff","b":{"a":"é","z":1},"c":"ok","d":"2026-01-02","e":null}'


def test_date_values_become_strings() -> None:
    """A Parquet date or timestamp fills collected_at in ISO 8601; a number as its digits."""
    assert _place({"text": "t", "date": datetime.date(2026, 1, 2)})[3] == "2026-01-02"
    assert _place({"text": "t", "timestamp": 1700000000})[3] == "1700000000"


def test_nesting_at_and_beyond_the_limit() -> None:
    """The record counts as 1: at the limit it is placed, one deeper it is refused, and very deep values do not crash."""
    assert _place({"text": "t", "a": [[1]]}, max_nesting=3) is not None
    assert _place({"text": "t", "a": [[[1]]]}, max_nesting=3) is None
    deep: list[Any] = []
    for _ in range(900):
        deep = [deep]
    assert nesting_depth(deep) == 901
    assert _place({"text": "t", "a": deep}) is None


def test_many_brackets_are_not_deep() -> None:
    """Width is not depth, and brackets inside strings are text."""
    assert _place({"text": "t", "a": [[1]] * 500, "b": "[{" * 500}) is not None


def test_layouts_are_forgotten_before_they_fill_memory() -> None:
    """Records whose keys never recur are placed all the same."""
    placer = FieldPlacer(64)
    for number in range(3000):
        assert placer.text_name({f"k{number}": 1, "text": "t"}) == "text"
        assert placer.place({f"k{number}": 1, "url": "u"}) == (None, "u", None, None, f'{{"k{number}":1}}')
    assert len(placer._layouts) <= 1024
    assert len(placer._text_names) <= 1024
