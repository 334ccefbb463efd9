from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headwater.errors import BadInputError
from headwater.pipelines.ingest.chunks import Chunk
from headwater.pipelines.ingest.decompress import Limits
from headwater.pipelines.ingest.fields import FieldPlacer
from headwater.pipelines.ingest.file_kinds import FileInfo, inspect_file
from headwater.pipelines.ingest.record_columns import RecordColumns
from headwater.pipelines.ingest.records import Record, parse_line, read_records
from headwater.pipelines.ingest.refusals import REASONS, Refusal

Found = tuple[list[tuple[int, str]], list[tuple[int, str]]]


def _batches(path: Path, limits: Limits | None = None) -> list[RecordColumns]:
    limits = limits or Limits()
    info = inspect_file(str(path), path.stat().st_size, limits)
    return [batch for chunk in info.chunks for batch in read_records(str(path), info, chunk, limits)]


def _read(path: Path, data: bytes | None = None, limits: Limits | None = None) -> Found:
    """Return (number, text) of the records and (number, reason) of the refused ones, after checking the columns' promises."""
    if data is not None:
        path.write_bytes(data)
    records: list[tuple[int, str]] = []
    refused: list[tuple[int, str]] = []
    for batch in _batches(path, limits):
        n = len(batch.record_no)
        assert n or batch.refused
        assert batch.record_no.dtype == np.int64
        for column in (batch.text, batch.source, batch.uri, batch.collected_at, batch.license, batch.meta):
            assert len(column) == n
            assert column.type == pa.string()
            column.validate(full=True)
        assert batch.text.null_count == 0
        assert all(reason in REASONS for _, reason in batch.refused)
        records += list(zip(batch.record_no.tolist(), batch.text.to_pylist(), strict=True))
        refused += [(number, reason) for number, reason in batch.refused]
    return records, refused


def _lines(*texts: str) -> bytes:
    return b"".join(json.dumps({"text": text}).encode() + b"\n" for text in texts)


@pytest.fixture
def jsonl(tmp_path: Path) -> Path:
    """A path for a JSON Lines file."""
    return tmp_path / "data.jsonl"


def test_reasons_are_sorted() -> None:
    """The list of reasons reads like an index."""
    assert list(REASONS) == sorted(REASONS)


def test_all_columns_of_a_record(jsonl: Path) -> None:
    """Every column is filled, null where nothing is known."""
    full = {"text": "é", "url": "u", "source": "s", "date": "d", "license": "l", "z": 1, "a": [None]}
    jsonl.write_text(json.dumps(full) + '\n{"text": "bare"}\n')
    (batch,) = _batches(jsonl)
    rows = [batch.text, batch.source, batch.uri, batch.collected_at, batch.license, batch.meta]
    assert [column.to_pylist() for column in rows] == [
        ["é", "bare"],
        ["s", None],
        ["u", None],
        ["d", None],
        ["l", None],
        ['{"a":[null],"z":1}', None],
    ]


@pytest.mark.parametrize(
    "data,expected",
    [
        pytest.param(b"", [], id="empty file"),
        pytest.param(b"\n \n\r\n", [], id="only blank lines"),
        pytest.param(b'\xef\xbb\xbf{"text": "a"}\n', [(0, "a")], id="byte order mark"),
        pytest.param(b'{"text": "a"}\r\n\r\n{"text": "b"}\r\n', [(0, "a"), (2, "b")], id="CRLF, blank lines count"),
        pytest.param(b'{"text": "a"}\n{"text": "b"}', [(0, "a"), (1, "b")], id="no line feed at the end"),
        pytest.param(b'{"text": "a", "text": "b"}\n', [(0, "b")], id="the last of equal keys counts"),
        pytest.param(b'{"text": "a", "score": NaN}\n', [(0, "a")], id="NaN beside the text"),
        pytest.param(b'{"text": "a", "n": 123456789012345678901234567890}\n', [(0, "a")], id="integer beyond 64 bits"),
        pytest.param(
            '{"text": "a\u2028b\x85c"}\n'.encode(), [(0, "a\u2028b\x85c")], id="Unicode line separators are text"
        ),
        pytest.param(b'{"text": "\\ud83d\\ude00 \\uffff"}\n', [(0, "😀 \uffff")], id="escaped pairs and noncharacters"),
    ],
)
def test_json_lines_that_are_read(jsonl: Path, data: bytes, expected: list[tuple[int, str]]) -> None:
    """Unusual but whole files give all their records under the number of their line, and nothing is refused."""
    assert _read(jsonl, data) == (expected, [])


@pytest.mark.parametrize(
    "line, found",
    [
        (b'{"text": "a", "url": "u", "n": 1}', Record(7, "a", (None, "u", None, None, '{"n":1}'))),
        (b'{"Content": "a"}', Record(7, "a", (None, None, None, None, None))),
        (b'{"text": "a", "b": [[1]]}', Record(7, "a", (None, None, None, None, '{"b":[[1]]}'))),
        (b'{"text": "a", "b": [[[1]]]}', Refusal(7, "too_deep")),
        (b'{"b": [[[1]]]}', Refusal(7, "too_deep")),
        (b'{"b": [[1]]}', Refusal(7, "no_text_field")),
        (b"[[[[1]]]]", Refusal(7, "too_deep")),
        (b"[[[1]]]", Refusal(7, "not_an_object")),
        (b'{"text": ["a"]}', Refusal(7, "text_not_string")),
        (b'{"text": "\\n"}', Refusal(7, "empty_text")),
        (b'{"text": "a"', Refusal(7, "not_json")),
        (b'{"text": "\xff"}', Refusal(7, "invalid_utf8")),
        (b'{"text": "\\ud800"}', Refusal(7, "lone_surrogate")),
    ],
)
def test_a_line_is_a_record_or_a_refusal(line: bytes, found: Record | Refusal) -> None:
    """Each way out of a line, at three levels of nesting and beyond; the number goes with either."""
    assert parse_line(7, line, FieldPlacer(3), 3) == found


def test_nan_and_huge_integers_in_meta(jsonl: Path) -> None:
    """NaN is null, an integer beyond 64 bits has the digits that were written, on the fast path and beside a NaN alike."""
    jsonl.write_bytes(b'{"text": "a", "n": 36893488147419103232}\n{"text": "b", "n": 36893488147419103232, "x": NaN}\n')
    (batch,) = _batches(jsonl)
    assert batch.meta.to_pylist() == ['{"n":36893488147419103232}', '{"n":36893488147419103232,"x":null}']


@pytest.mark.parametrize(
    "number",
    [
        "123456789012345678901234",
        "-123456789012345678901234",
        "18446744073709551616",
        "9223372036854775808",
        "0.12345678901234567890123",
        "1e400",
        "9" * 5000,
    ],
)
def test_a_number_that_is_an_id_keeps_its_digits(jsonl: Path, number: str) -> None:
    """An id fills its column as it is written, so ids that differ in their last digit are two; in meta an integer is whole too."""
    line = f'{{"text": "a", "id": {number}, "metadata": {{"id": {number}}}, "x": [{number}]}}\n'
    jsonl.write_text(line + line.replace(number, number[:-1] + "7"))
    (batch,) = _batches(jsonl)
    assert batch.uri.to_pylist() == [number, number[:-1] + "7"]
    if "." not in number:
        assert batch.meta.to_pylist()[0] == f'{{"metadata":{{"id":{number}}},"x":[{number}]}}'


def test_numbers_that_a_double_holds_are_as_before(jsonl: Path) -> None:
    """What is no longer than a double needs is written as doubles are."""
    jsonl.write_bytes(b'{"text": "a", "id": 2101.10, "b": 1E2, "c": 0.1, "d": 1e300}\n')
    (batch,) = _batches(jsonl)
    assert batch.uri.to_pylist() == ["2101.1"]
    assert batch.meta.to_pylist() == ['{"b":100.0,"c":0.1,"d":1e+300}']


@pytest.mark.parametrize(
    "line, text",
    [
        (b'{"text": null, "content": "c"}', "c"),
        (b'{"content": null, "text": null, "raw_content": "r"}', "r"),
        (b'{"text": "t", "content": null}', "t"),
        (b'{"Text": null, "CONTENT": "c"}', "c"),
    ],
)
def test_the_text_is_the_first_that_is_not_null(jsonl: Path, line: bytes, text: str) -> None:
    """A null under a better name does not cost the text under the next."""
    assert _read(jsonl, line + b"\n") == ([(0, text)], [])


@pytest.mark.parametrize(
    "line, meta",
    [
        (
            b'{"text": "ok", "title": "half \\ud83d"}',
            '{"headwater_replaced":{"title":"lone_surrogate"},"title":"half \ufffd"}',
        ),
        (
            b'{"text": "ok", "title": "caf\xe9", "n": 123456789012345678901234}',
            '{"headwater_replaced":{"title":"invalid_utf8"},"n":123456789012345678901234,"title":"caf\ufffd"}',
        ),
        (
            b'{"text": "ok", "a": {"b": ["x", "\\udc00y"]}}',
            '{"a":{"b":["x","\ufffdy"]},"headwater_replaced":{"a":"lone_surrogate"}}',
        ),
        (b'{"text": "ok", "\\ud800": 1}', '{"headwater_replaced":{"\ufffd":"lone_surrogate"},"\ufffd":1}'),
        (
            b'{"text": "ok", "headwater_replaced": 1, "t": "\\udfff"}',
            '{"headwater_replaced":1,"headwater_replaced_":{"t":"lone_surrogate"},"t":"\ufffd"}',
        ),
    ],
)
def test_a_fault_beside_the_text_costs_its_characters_only(jsonl: Path, line: bytes, meta: str) -> None:
    """The record is kept, what no UTF-8 can hold is replaced, and ``meta`` says in which fields."""
    jsonl.write_bytes(line + b"\n")
    (batch,) = _batches(jsonl)
    assert batch.text.to_pylist() == ["ok"]
    assert batch.refused == ()
    assert batch.meta.to_pylist() == [meta]


def test_a_url_with_a_fault_names_no_document(jsonl: Path) -> None:
    """Two URLs that differ in what was replaced would be one: such a value fills no column, and the next name is tried."""
    jsonl.write_bytes(b'{"text": "a", "url": "http://x/\xe9", "id": 7}\n{"text": "b", "url": "http://x/\\ud800"}\n')
    (batch,) = _batches(jsonl)
    assert batch.uri.to_pylist() == ["7", None]


@pytest.mark.parametrize(
    "line,reason",
    [
        (b'{"text": "\xff\xfe"}', "invalid_utf8"),
        (b'{"text": "\xed\xa0\x80"}', "invalid_utf8"),
        (b'{"text": "\\ud800"}', "lone_surrogate"),
        (b'{"text": "\\udfff", "title": "ok"}', "lone_surrogate"),
        (b'{"text": null, "content": "\\udfff"}', "lone_surrogate"),
        (b'{"text": "\xff", "title": "\\udfff"}', "invalid_utf8"),
        (b'{"title": "\xff"}', "no_text_field"),
        (b'{"text": null, "content": null}', "text_not_string"),
        (b'{"text": "a\\u0000b"}', "nul_byte"),
        (b'{"text": "a\x00b"}', "not_json"),
        (b"[" * 100_000 + b"]" * 100_000, "too_deep"),
        (b'{"text": "a", "b": ' + b"[" * 64 + b"]" * 64 + b"}", "too_deep"),
        (b'{"text": "a", "b": ' + b'{"c":' * 300 + b"1" + b"}" * 301, "too_deep"),
        (b'{"b": ' + b"[" * 100 + b"]" * 100 + b"}", "too_deep"),
        (b"[" * 100 + b"]" * 100, "too_deep"),
        (b'{"text": "cut', "not_json"),
        (b"not json", "not_json"),
        (b'["text"]', "not_an_object"),
        (b"null", "not_an_object"),
        (b'{"body": "a"}', "no_text_field"),
        (b"{}", "no_text_field"),
        (b'{"text": null}', "text_not_string"),
        (b'{"text": 1}', "text_not_string"),
        (b'{"text": ["a"]}', "text_not_string"),
        (b'{"text": ""}', "empty_text"),
        (b'{"text": " \\n\\u3000"}', "empty_text"),
        (b'{"text": "' + b"x" * 4000 + b'"}', "record_too_large"),
    ],
)
def test_bad_line_is_refused_and_its_neighbours_kept(jsonl: Path, line: bytes, reason: str) -> None:
    """One bad record costs one row of quarantine and nothing else."""
    limits = Limits(max_record_bytes=300_000 if reason == "too_deep" else 4000)
    data = _lines("before") + line + b"\n" + _lines("after")
    assert _read(jsonl, data, limits) == ([(0, "before"), (2, "after")], [(1, reason)])
    assert _read(jsonl, line, limits)[1] in ([(0, reason)], [(-1, "wrong_format")])


def test_nesting_at_the_limit_is_kept(jsonl: Path) -> None:
    """63 arrays within the record are 64 levels."""
    assert _read(jsonl, b'{"text": "a", "b": ' + b"[" * 63 + b"]" * 63 + b"}\n")[1] == []


def test_line_at_the_limit_is_kept(jsonl: Path) -> None:
    """A line of exactly max_record_bytes passes, one byte more does not."""
    line = _lines("x" * 50).rstrip()
    assert _read(jsonl, line + b"\n", Limits(max_record_bytes=len(line)))[1] == []
    assert _read(jsonl, line + b" \n", Limits(max_record_bytes=len(line)))[1] == [(0, "record_too_large")]


def test_deep_field_that_is_not_refused_has_a_text_of_brackets(jsonl: Path) -> None:
    """Brackets in the text are text."""
    text = "[{" * 200_000
    assert _read(jsonl, _lines(text)) == ([(0, text)], [])


@pytest.mark.parametrize(
    "pack", [gzip.compress, bz2.compress, lzma.compress, lambda data: pa.compress(data, "zstd", asbytes=True)]
)
def test_packed_records_equal_plain_ones(tmp_path: Path, pack: Any) -> None:
    """Each compression gives the same records, whatever the file is called."""
    data = _lines("one", "two") + b"bad\n"
    plain = _read(tmp_path / "a.jsonl", data)
    assert plain == ([(0, "one"), (1, "two")], [(2, "not_json")])
    assert _read(tmp_path / "a.jsonl.gz", pack(data)) == plain
    assert _read(tmp_path / "b.jsonl", pack(data) + pack(data))[0] == [*plain[0], (3, "one"), (4, "two")]


def test_truncated_gzip_keeps_the_whole_records_before_the_end(tmp_path: Path) -> None:
    """All complete lines are kept, the half line is none, and the fault is the file's."""
    texts = [f"record {number} {number * 7919}" for number in range(5000)]
    packed = gzip.compress(_lines(*texts))
    records, refused = _read(tmp_path / "a.jsonl.gz", packed[: len(packed) // 2])
    assert refused == [(-1, "truncated_compression")]
    assert 1000 < len(records) < 4000
    assert records == list(enumerate(texts[: len(records)]))


@pytest.mark.slow
def test_corrupt_gzip_keeps_earlier_members(tmp_path: Path) -> None:
    """A flipped bit in the second member is reported; batches that were read whole before it stay."""
    first, second = (
        gzip.compress(_lines(*["a" * 20] * 300_000)),
        bytearray(gzip.compress(_lines(*[str(n) for n in range(9999)]))),
    )
    second[len(second) // 2] ^= 1
    records, refused = _read(tmp_path / "a.jsonl.gz", first + second)
    assert refused[-1] == (-1, "corrupt_compression")
    assert len(records) > 200_000


@pytest.mark.parametrize(
    "name,data,reason",
    [
        ("a.jsonl", b"\x89PNG\r\n\x1a\n\x00\x00", "wrong_format"),
        ("a.jsonl", '{"text": "x"}\n'.encode("utf-16"), "wrong_format"),
        ("a.csv", b"id,text\n1,a\n", "wrong_format"),
        ("a.json", b'[\n{"text": "a"}\n]', "wrong_format"),
        ("a.jsonl.gz", bytes(range(256)) * 4, "wrong_format"),
        ("a.jsonl.gz", b"", "truncated_compression"),
        ("a.jsonl.gz", b"\x1f\x8b", "truncated_compression"),
        ("a.parquet", b"", "wrong_format"),
        ("a.parquet", b"PAR1 but not more", "corrupt_parquet"),
        ("a.gz", gzip.compress(gzip.compress(b'{"text": "a"}', mtime=0), mtime=0), "wrong_format"),
    ],
)
def test_bad_file_is_one_refusal(tmp_path: Path, name: str, data: bytes, reason: str) -> None:
    """A file that cannot be read at all is refused as a whole."""
    assert _read(tmp_path / name, data) == ([], [(-1, reason)])


def test_gz_that_is_not_gzip_is_read_as_what_it_is(tmp_path: Path) -> None:
    """A wrong extension costs nothing."""
    assert _read(tmp_path / "a.jsonl.gz", _lines("plain")) == ([(0, "plain")], [])


def test_chunks_together_are_the_file(jsonl: Path) -> None:
    """Split or whole: the same records under the same numbers, bad and blank lines included."""
    data = b"\n".join(
        [b"", b"bad", *(_lines(f"text {number}" * (number % 7)).rstrip() for number in range(300)), b"", b"{}"]
    )
    whole = _read(jsonl, data)
    assert len(whole[0]) > 200
    for split_bytes in (1, 100, 1000):
        assert _read(jsonl, data, Limits(split_bytes=split_bytes)) == whole


def test_batches_are_bounded(jsonl: Path) -> None:
    """Neither bytes nor records exceed their limit, except for one record that is longer alone; refusals count as records."""
    jsonl.write_bytes(_lines(*["x" * 100] * 50, "y" * 5000, *["z"] * 50) + b"bad\n" * 50)
    batches = _batches(jsonl, Limits(batch_bytes=1000, batch_records=10))
    assert all(len(batch.text) + len(batch.refused) <= 10 for batch in batches)
    sizes = [pa.compute.sum(pa.compute.binary_length(batch.text)).as_py() or 0 for batch in batches]
    assert sorted(sizes)[-2:] == [sorted(sizes)[-2], 5000]
    assert sorted(sizes)[-2] <= 1000
    assert sum(len(batch.refused) for batch in batches) == 50


def _changed(path: Path, data: bytes, limits: Limits) -> list[str]:
    """Return how the reading of each chunk ends after the file's bytes were replaced behind the back of its inspection."""
    info = inspect_file(str(path), path.stat().st_size, limits)
    path.write_bytes(data)
    ends = []
    for chunk in info.chunks:
        try:
            list(read_records(str(path), info, chunk, limits))
            ends.append("whole")
        except BadInputError as error:
            ends.append(error.reason)
    return ends


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (_lines("a"), _lines("a", "b")),
        (_lines("aaaa"), _lines("bbbb")),
        (_lines("a", "b"), _lines("a")),
        (gzip.compress(_lines("abcd"), mtime=0), gzip.compress(_lines("abce"), mtime=0)),
        (b"prose one", b"prose two"),
    ],
    ids=["grown", "same size", "shrunk", "packed, same size", "text, same size"],
)
def test_a_file_that_changed_after_its_inspection_is_no_input(
    tmp_path: Path, request: pytest.FixtureRequest, before: bytes, after: bytes
) -> None:
    """What was read must be what the SHA-256 names, even where the size is the same: neither a record nor a refusal stands."""
    assert (len(before) == len(after)) == ("same size" in request.node.name)
    path = tmp_path / ("a.txt" if before.startswith(b"prose") else "a.jsonl")
    path.write_bytes(before)
    assert _changed(path, after, Limits()) == ["file_changed"]
    path.write_bytes(before)
    assert _changed(path, before, Limits()) == ["whole"]


def test_a_chunk_that_changed_is_no_input(jsonl: Path) -> None:
    """Of a file that is split, each task vouches for what it read itself."""
    lines = [_lines(f"text {number}") for number in range(4)]
    jsonl.write_bytes(b"".join(lines))
    changed = b"".join([*lines[:2], lines[2].replace(b"text", b"next"), lines[3]])
    assert _changed(jsonl, changed, Limits(split_bytes=1)) == ["whole", "whole", "file_changed", "whole"]


def test_row_groups_that_changed_are_no_input(tmp_path: Path) -> None:
    """The same of a Parquet file: a row group costs the chunks whose blocks it shares, the footer all, and an unchanged file none."""
    path = tmp_path / "a.parquet"
    limits = Limits(split_bytes=1)
    pq.write_table(pa.table({"text": [f"text {n}" for n in range(40)]}), path, row_group_size=10, compression="none")
    data = path.read_bytes()
    assert _changed(path, data, limits) == ["whole"] * 4
    assert "file_changed" in _changed(path, data.replace(b"text 25", b"next 25"), limits)
    path.write_bytes(data)
    assert _changed(path, data[:-9] + bytes([data[-9] ^ 1]) + data[-8:], limits) == ["file_changed"] * 4
    path.write_bytes(data)
    assert _changed(path, data.replace(b"text 25", b"next 25"), Limits()) == ["file_changed"]


# Text files


@pytest.mark.parametrize(
    "name,data,expected",
    [
        ("a.txt", "ünïcode\r\nlines\n".encode(), ([(0, "ünïcode\r\nlines\n")], [])),
        ("a.md", b"\xef\xbb\xbf# title\n", ([(0, "# title\n")], [])),
        ("a.txt.gz", gzip.compress(b"packed", mtime=0), ([(0, "packed")], [])),
        ("a.txt", b"", ([], [(0, "empty_text")])),
        ("a.txt", b" \n", ([], [(0, "empty_text")])),
        ("a.txt", b"a\xff", ([], [(0, "invalid_utf8")])),
        ("a.txt", b"a\0b", ([], [(0, "nul_byte")])),
        ("a.txt", b"x" * 101, ([], [(0, "record_too_large")])),
        ("a.txt.gz", gzip.compress(b"packed", mtime=0)[:-4], ([], [(-1, "truncated_compression")])),
        ("a.txt", _lines("one", "two"), ([(0, "one"), (1, "two")], [])),
    ],
)
def test_text_file_is_one_record(tmp_path: Path, name: str, data: bytes, expected: Found) -> None:
    """The whole file is the text, without a byte order mark; a file of JSON Lines called .txt is read as such."""
    assert _read(tmp_path / name, data, Limits(max_record_bytes=100)) == expected


# Memory: hostile files are made and read in a process of their own, whose peak is measured.

_MEASURE = """
import resource, sys
from headwater.pipelines.ingest.decompress import Limits
from headwater.pipelines.ingest.file_kinds import inspect_file
from headwater.pipelines.ingest.records import read_records
import os

def read(path):
    info = inspect_file(path, os.path.getsize(path), Limits())
    records, refused = 0, []
    for chunk in info.chunks:
        for batch in read_records(path, info, chunk, Limits()):
            records += len(batch.text)
            refused += [(number, reason) for number, reason in batch.refused]
    return records, refused

read(sys.argv[1])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found = read(sys.argv[2])
print(repr((found, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10)))
"""


def _peak(tmp_path: Path, make: str) -> tuple[tuple[int, list[tuple[int, str]]], int]:
    """Return what reading the file made by ``make`` (Python that writes ``out``) found, and the growth of the peak in MiB."""
    small, big = tmp_path / "small.jsonl", tmp_path / "big"
    small.write_bytes(_lines("warm"))
    made = f"import gzip, sys\nwith open(sys.argv[1], 'wb') as out:\n{textwrap.indent(textwrap.dedent(make), '    ')}"
    subprocess.run([sys.executable, "-c", made, str(big)], check=True)
    command = [sys.executable, "-c", _MEASURE, str(small), str(big)]
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, env={**os.environ, "PYTHONWARNINGS": "error"}
    )
    found: tuple[tuple[int, list[tuple[int, str]]], int] = eval(done.stdout)  # noqa: S307 - printed by the program above
    return found


@pytest.mark.parametrize("packed", [False, True])
def test_line_of_200_mb_is_skipped_in_little_memory(tmp_path: Path, packed: bool) -> None:
    """The line is refused, its neighbours are kept, and memory grows by much less than the line."""
    make = """
        file = gzip.GzipFile(fileobj=out, mode="wb", compresslevel=0) if PACKED else out
        file.write(b'{"text": "before"}\\n{"text": "')
        for number in range(200):
            file.write((b"%d " % (number * 7919)) * 170_000)
        file.write(b'"}\\n{"text": "after"}\\n')
        if PACKED: file.close()
    """
    found, grown = _peak(tmp_path, make.replace("PACKED", str(packed)))
    assert found == (2, [(1, "record_too_large")])
    assert grown < 64


def test_gzip_bomb_is_stopped_in_little_memory(tmp_path: Path) -> None:
    """1.5 MB that unpack to 1.5 GB as one line: stopped at 200 times what was read; the record before it is kept."""
    make = """
        out.write(gzip.compress(b'{"text": "before"}\\n{"text": "', mtime=0))
        out.write(gzip.compress(b"a" * 100_000_000, mtime=0) * 15)
    """
    found, grown = _peak(tmp_path, make)
    assert found == (1, [(-1, "expansion_ratio")])
    assert grown < 64


# Parquet


def _parquet(path: Path, columns: dict[str, Any], **options: Any) -> Found:
    pq.write_table(pa.table(columns), path, **options)
    return _read(path)


@pytest.mark.parametrize(
    "kind",
    [
        pa.string(),
        pa.large_string(),
        pa.string_view(),
        pa.binary(),
        pa.large_binary(),
        pa.dictionary(pa.int32(), pa.string()),
    ],
)
def test_parquet_text_of_every_kind(tmp_path: Path, kind: pa.DataType) -> None:
    """Strings and binary, large, viewed or dictionary-encoded, are texts; rows keep their numbers across row groups."""
    texts = ["é", "b", "", None, "b"]
    text = pa.array(texts, pa.string())
    text = text.dictionary_encode() if pa.types.is_dictionary(kind) else text.cast(kind)
    found = _parquet(tmp_path / "a.parquet", {"text": text}, row_group_size=2)
    assert found == ([(0, "é"), (1, "b"), (4, "b")], [(2, "empty_text"), (3, "text_not_string")])


def test_parquet_columns(tmp_path: Path) -> None:
    """Other columns are placed as in JSON Lines; the rest is meta with dates, lists, structs, NaN, bytes and nanoseconds."""
    path = tmp_path / "a.parquet"
    columns = {
        "content": ["t"],
        "id": pa.array([7], pa.int64()),
        "date": pa.array([0], pa.date32()),
        "metadata": pa.array([{"url": "u", "n": [1, None]}]),
        "seen": pa.array([1_700_000_000_123_456_789], pa.timestamp("ns", "UTC")),
        "score": [float("nan")],
        "raw": pa.array([b"\xff"], pa.binary()),
        "price": pa.array([1.5]).cast(pa.decimal128(10, 2)),
    }
    pq.write_table(pa.table(columns), path)
    (batch,) = _batches(path)
    assert batch.uri.to_pylist() == ["u"]
    assert batch.collected_at.to_pylist() == ["1970-01-01"]
    assert json.loads(batch.meta[0].as_py()) == {
        "id": 7,
        "metadata": {"n": [1, None]},
        "seen": "2023-11-14T22:13:20.123456+00:00",
        "score": None,
        "raw": "ff",
        "price": "1.50",
    }


def test_parquet_rows_that_are_refused(tmp_path: Path) -> None:
    """Invalid UTF-8, NUL, blank and long texts cost their rows only; invalid UTF-8 beside the text not even that."""
    bad_string = pa.Array.from_buffers(
        pa.string(), 6, pa.array([b"ok", b"ok", b"ok", b"ok", b"ok", b"\xff"], pa.binary()).buffers()
    )
    text = pa.array([b"good", b"\xff", b"a\0b", b" ", b"x" * 200, b"fine"], pa.binary())
    pq.write_table(pa.table({"text": text, "title": bad_string}), tmp_path / "a.parquet")
    records, refused = _read(tmp_path / "a.parquet", limits=Limits(max_record_bytes=100))
    assert records == [(0, "good"), (5, "fine")]
    assert refused == [(1, "invalid_utf8"), (2, "nul_byte"), (3, "empty_text"), (4, "record_too_large")]
    (batch,) = _batches(tmp_path / "a.parquet", Limits(max_record_bytes=100))
    assert batch.meta.to_pylist()[1] == '{"headwater_replaced":{"title":"invalid_utf8"},"title":"\ufffd"}'


@pytest.mark.parametrize(
    "columns,reason",
    [({"body": ["a"]}, "no_text_column"), ({"text": [1]}, "text_not_string"), ({"text": [["a"]]}, "text_not_string")],
)
def test_parquet_without_a_text_column(tmp_path: Path, columns: dict[str, Any], reason: str) -> None:
    """The file is refused as a whole, be it empty or not."""
    assert _parquet(tmp_path / "a.parquet", columns) == ([], [(-1, reason)])
    empty = pa.table(columns).slice(0, 0)
    pq.write_table(empty, tmp_path / "b.parquet")
    assert _read(tmp_path / "b.parquet") == ([], [(-1, reason)])


def test_parquet_with_zero_rows(tmp_path: Path) -> None:
    """No rows are no fault."""
    assert _parquet(tmp_path / "a.parquet", {"text": pa.array([], pa.string())}) == ([], [])


def test_parquet_chunks_and_batches(tmp_path: Path) -> None:
    """Split at row groups and cut into small batches, the rows and their numbers are the same."""
    path = tmp_path / "a.parquet"
    texts = ["x" * (number % 90 + 1) for number in range(1000)]
    pq.write_table(pa.table({"text": texts}), path, row_group_size=130)
    limits = Limits(split_bytes=1, batch_bytes=500)
    assert _read(path, limits=limits) == (list(enumerate(texts)), [])
    sizes = [batch.text.nbytes for batch in _batches(path, limits)]
    assert len(sizes) > 50


def test_parquet_page_checksum_is_verified(tmp_path: Path) -> None:
    """A flipped bit in a page is found where the writer stored checksums; earlier row groups are kept."""
    path = tmp_path / "a.parquet"
    texts = [f"text {number}" for number in range(200)]
    table = pa.table({"text": texts})
    pq.write_table(table, path, row_group_size=100, write_page_checksum=True, compression="none", use_dictionary=False)
    data = bytearray(path.read_bytes())
    data[data.rfind(b"text 15")] ^= 1
    assert _read(path, bytes(data)) == (list(enumerate(texts[:100])), [(-1, "corrupt_parquet")])


@pytest.mark.parametrize("cut", [4, 100])
def test_truncated_parquet(tmp_path: Path, cut: int) -> None:
    """Without its footer a file is corrupt."""
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": ["a"] * 100}), path)
    assert _read(path, path.read_bytes()[:-cut]) == ([], [(-1, "corrupt_parquet")])


def test_corpus_is_read_whole(real_text_files: list[Path]) -> None:
    """On real text the records equal those of the standard library's JSON."""
    path = min(real_text_files, key=lambda file: file.stat().st_size)
    data = pa.CompressedInputStream(str(path), "zstd").read() if path.suffix == ".zst" else path.read_bytes()
    expected = []
    for number, line in enumerate(data.split(b"\n")):
        try:
            text = json.loads(line)["text"]
        except (ValueError, KeyError, TypeError):
            continue
        if isinstance(text, str) and text.strip() and "\0" not in text:
            expected.append((number, text))
    assert _read(path)[0] == expected


def test_unknown_file_needs_no_inspection_to_be_refused(tmp_path: Path) -> None:
    """A file of no known format gives one refusal, so the caller needs no special case."""
    info = FileInfo(
        sha256="00" * 32, size=1, format="unknown", compression="", chunks=(Chunk(begin=0, end=1, first_record=0),)
    )
    (batch,) = read_records(str(tmp_path / "x"), info, info.chunks[0], Limits())
    assert batch.refused == ((-1, "wrong_format"),)


def test_parquet_text_is_the_first_that_is_not_null(tmp_path: Path) -> None:
    """Row by row, through columns of nulls; what was taken as the text is not in meta, and what was not is."""
    path = tmp_path / "a.parquet"
    columns = {"text": ["t", None, None], "content": ["c", "d", None], "raw_content": pa.nulls(3)}
    assert _parquet(path, columns) == ([(0, "t"), (1, "d")], [(2, "text_not_string")])
    (batch,) = _batches(path)
    assert batch.meta.to_pylist() == ['{"content":"c","raw_content":null}', '{"raw_content":null,"text":null}']
    assert _parquet(path, {"text": pa.nulls(1), "content": ["c"]}) == ([(0, "c")], [])
    assert _parquet(path, {"text": pa.nulls(1)}) == ([], [(-1, "text_not_string")])
    assert _parquet(path, {"text": [1], "content": ["c"]}) == ([], [(-1, "text_not_string")])


@pytest.mark.parametrize(
    "names,expected",
    [
        (["text", "text"], ([], [(-1, "no_text_column")])),
        (["TEXT", "TEXT"], ([], [(-1, "no_text_column")])),
        (["content", "content", "raw_content"], ([], [(-1, "no_text_column")])),
        (["text", "content", "content"], ([(0, "c0")], [])),
        (["raw_content", "raw_content", "text"], ([(0, "c2")], [])),
        (["Text", "text", "TEXT"], ([(0, "c1")], [])),
        (["text", "", "a\0b", "a\nb", "x", "x"], ([(0, "c0")], [])),
        (["", "", "\n"], ([], [(-1, "no_text_column")])),
    ],
)
def test_parquet_columns_of_one_name(tmp_path: Path, names: list[str], expected: Found) -> None:
    """Several columns under the best name of the text cannot be told apart: the file is refused; under any other name they cost nothing."""
    path = tmp_path / "a.parquet"
    pq.write_table(pa.Table.from_arrays([pa.array([f"c{at}"]) for at in range(len(names))], names=names), path)
    assert _read(path) == expected


def test_parquet_columns_of_one_name_that_hold_nothing(tmp_path: Path) -> None:
    """Columns of nulls alone are no text, however many there are: the next name is tried."""
    path = tmp_path / "a.parquet"
    nulls = pa.nulls(1)
    pq.write_table(pa.Table.from_arrays([nulls, nulls, pa.array(["c"])], names=["text", "text", "content"]), path)
    assert _read(path) == ([(0, "c")], [])
    pq.write_table(pa.Table.from_arrays([nulls, nulls], names=["text", "text"]), path)
    assert _read(path) == ([], [(-1, "text_not_string")])


def test_parquet_struct_with_doubled_fields(tmp_path: Path) -> None:
    """Both are kept, the second under a name with a number."""
    path = tmp_path / "a.parquet"
    doubled = pa.StructArray.from_arrays([pa.array(["p"]), pa.array(["q"])], names=["k", "k"])
    assert _parquet(path, {"text": ["t"], "x": doubled}) == ([(0, "t")], [])
    (batch,) = _batches(path)
    assert batch.meta.to_pylist() == ['{"x":{"k":"p","k_2":"q"}}']
