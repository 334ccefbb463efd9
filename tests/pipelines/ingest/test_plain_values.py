from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headwater.pipelines.ingest.decompress import Limits
from headwater.pipelines.ingest.file_kinds import inspect_file
from headwater.pipelines.ingest.plain_values import plain_rows, plain_values
from headwater.pipelines.ingest.record_columns import RecordColumns
from headwater.pipelines.ingest.records import read_records
from headwater.pipelines.ingest.refusals import WHOLE_FILE

DIGITS = "123456789012345678901234"
NO_UTF8 = pa.Array.from_buffers(pa.string(), 2, pa.array([b"ok", b"\xff"], pa.binary()).buffers())
VIEWS = pa.array([[1, 2], None, [], [None]], pa.list_view(pa.int64()))

VALUES: dict[str, tuple[pa.Array, list[object]]] = {
    "null": (pa.nulls(2), [None, None]),
    "int": (pa.array([-(2**63), None], pa.int64()), [-(2**63), None]),
    "unsigned": (pa.array([2**64 - 1], pa.uint64()), [2**64 - 1]),
    "half": (pa.array([1.5]).cast(pa.float16()), [1.5]),
    "string view": (pa.array(["a", None], pa.string_view()), ["a", None]),
    "no UTF-8": (NO_UTF8, ["ok", "\ufffd"]),
    "binary": (pa.array([b"a", b"\xff", None], pa.binary_view()), ["a", "ff", None]),
    "fixed binary": (pa.array([b"a", b"\xff"], pa.binary(1)), ["a", "ff"]),
    "decimal": (pa.array([int(DIGITS), None], pa.decimal128(38, 0)), [DIGITS, None]),
    "decimal of 70 digits": (pa.array([10**69], pa.decimal256(76, 0)), ["1" + "0" * 69]),
    "small decimal": (pa.array([1], pa.decimal32(5, 2)), ["1.00"]),
    "date": (
        pa.array([0, -719528, 2932897, 2**31 - 1, -(2**31), None], pa.int32()).cast(pa.date32()),
        [datetime.date(1970, 1, 1), "0000-01-01", "+10000-01-01", "+5881580-07-11", "-5877641-06-23", None],
    ),
    "date64": (pa.array([2**62], pa.int64()).view(pa.date64()), ["+146140482-04-24"]),
    "timestamp": (
        pa.array([0, 253402300800, -62135596801, None], pa.timestamp("s")),
        [datetime.datetime.fromisoformat("1970-01-01"), "+10000-01-01T00:00:00", "0000-12-31T23:59:59", None],
    ),
    "largest timestamp": (pa.array([2**63 - 1], pa.timestamp("us")), ["+294247-01-10T04:00:54.775807"]),
    "timestamp ns": (
        pa.array([2**63 - 1], pa.timestamp("ns")),
        [datetime.datetime.fromisoformat("2262-04-11T23:47:16.854775")],
    ),
    "zone that is nowhere": (pa.array([1], pa.timestamp("s", "Mars/Olympus")), ["1970-01-01T00:00:01+00:00"]),
    "zone that is a folder": (pa.array([1], pa.timestamp("ms", "Europe")), ["1970-01-01T00:00:00.001000+00:00"]),
    "zone of 25 hours": (pa.array([0], pa.timestamp("s", "+25:00")), ["1970-01-01T00:00:00+00:00"]),
    "zone that leaves the year 9999": (
        pa.array([253402300799], pa.timestamp("s", "+10:00")),
        ["9999-12-31T23:59:59+00:00"],
    ),
    "time": (
        pa.array([1, 86_400_000_000, None], pa.time64("us")),
        [datetime.time(0, 0, 0, 1), "86400000000 us", None],
    ),
    "time ns": (pa.array([-5, 1000], pa.time64("ns")), ["-5 ns", datetime.time(0, 0, 0, 1)]),
    "duration": (pa.array([1, 10**15], pa.duration("s")), [datetime.timedelta(seconds=1), "1000000000000000 s"]),
    "interval": (pa.array([pa.MonthDayNano([1, 2, -3]), None]), ["P1M2DT-0.000000003S", None]),
    "uuid": (
        pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"1" * 16, None], pa.binary(16))),
        ["31313131-3131-3131-3131-313131313131", None],
    ),
    "json": (pa.ExtensionArray.from_storage(pa.json_(pa.string()), pa.array(["{}"])), ["{}"]),
    "bool8": (pa.ExtensionArray.from_storage(pa.bool8(), pa.array([5, 0, None], pa.int8())), [True, False, None]),
    "dictionary": (pa.DictionaryArray.from_arrays(pa.array([1, None, 0]), NO_UTF8), ["\ufffd", None, "ok"]),
    "dictionary of dates": (
        pa.DictionaryArray.from_arrays(pa.array([0, 0]), pa.array([2932897], pa.int32()).cast(pa.date32())),
        ["+10000-01-01"] * 2,
    ),
    "run-end encoded": (
        pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int32()), pa.array([10**15, None], pa.duration("s"))),
        ["1000000000000000 s"] * 2 + [None],
    ),
    "list": (pa.array([[253402300800], None, []], pa.list_(pa.timestamp("s"))), [["+10000-01-01T00:00:00"], None, []]),
    "large list of lists": (pa.array([[[1], None], None], pa.large_list(pa.list_(pa.int8()))), [[[1], None], None]),
    "fixed list": (pa.array([[1, 2], None, [3, None]], pa.list_(pa.int64(), 2)), [[1, 2], None, [3, None]]),
    "list view": (VIEWS, [[1, 2], None, [], [None]]),
    "map": (
        pa.array([[("a", 1), ("a", 2)], None, []], pa.map_(pa.string(), pa.int64())),
        [[["a", 1], ["a", 2]], None, []],
    ),
    "struct": (pa.array([{"a": {"b": [1]}}, None]), [{"a": {"b": [1]}}, None]),
    "struct of nothing": (pa.array([{}, None], pa.struct([])), [{}, None]),
    "struct of equal names": (
        pa.StructArray.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"]),
        [{"a": 1, "a_2": 2}],
    ),
    "sparse union": (
        pa.UnionArray.from_sparse(pa.array([0, 1], pa.int8()), [pa.array([1, 2]), pa.array(["a", "b"])]),
        [1, "b"],
    ),
    "dense union": (
        pa.UnionArray.from_dense(
            pa.array([1, 0], pa.int8()),
            pa.array([0, 0], pa.int32()),
            [pa.array([1]), pa.array([10**15], pa.duration("s"))],
        ),
        ["1000000000000000 s", 1],
    ),
}
"""Arrays of every type of Arrow, with null and extreme values → what comes of them."""
IN_PARQUET = [
    name
    for name in VALUES
    if name not in {"interval", "run-end encoded", "sparse union", "dense union", "struct of nothing"}
]
"""Those that pyarrow writes."""


@pytest.mark.parametrize("name", VALUES)
def test_values_of_every_type(name: str) -> None:
    """Whatever the type and the value, nothing raises and nothing turns into another value; slices are read as such."""
    array, expected = VALUES[name]
    assert plain_values(array, 64) == expected
    assert plain_values(array.slice(1), 64) == expected[1:]
    assert plain_values(array.slice(0, 0), 64) == []


def test_lists_beyond_the_limit_come_empty() -> None:
    """A list at the limit is read, one deeper is not, and is deep all the same."""
    array = pa.array([[[[1]]], [[]], None])
    assert plain_values(array, 3) == [[[[1]]], [[]], None]
    assert plain_values(array, 2) == [[[[]]], [[]], None]


def test_rows_say_which_columns_were_mended() -> None:
    """Only columns with replaced characters are named, under the names that their values have."""
    batch = pa.RecordBatch.from_arrays([NO_UTF8, NO_UTF8, pa.array([1, 2])], names=["a", "a", "b"])
    assert plain_rows(batch, 64) == (
        [{"a": "ok", "a_2": "ok", "b": 1}, {"a": "\ufffd", "a_2": "\ufffd", "b": 2}],
        ("a", "a_2"),
    )


def _read(path: Path, columns: dict[str, pa.Array], **options: Any) -> list[RecordColumns]:
    pq.write_table(pa.table(columns), path, **options)
    info = inspect_file(str(path), path.stat().st_size, Limits())
    return [batch for chunk in info.chunks for batch in read_records(str(path), info, chunk, Limits())]


@pytest.mark.parametrize("role", ["text", "id", "date", "other"])
@pytest.mark.parametrize("name", IN_PARQUET)
def test_no_value_stops_a_file(tmp_path: Path, name: str, role: str) -> None:
    """As text, id, date or any other field of a Parquet file: every row is a record or a refusal, and its text is its own."""
    array = VALUES[name][0]
    texts = pa.array([f"text {row}" for row in range(len(array))])
    columns = {role: array} if role == "text" else {"text": texts, role: array}
    batches = _read(tmp_path / "a.parquet", columns)
    if role != "text":  # pyarrow cannot take some rows of every type
        empty = _read(tmp_path / "b.parquet", {"text": pa.array([""] * len(array)), role: array})
        assert [refusal.reason for batch in empty for refusal in batch.refused] == ["empty_text"] * len(array)
    records = sum(len(batch.text) for batch in batches)
    refused = [refusal for batch in batches for refusal in batch.refused]
    if role == "text":
        assert records + len(refused) == len(array) or [number for number, _ in refused] == [WHOLE_FILE]
        return
    assert (records, refused) == (len(array), [])
    assert [text for batch in batches for text in batch.text.to_pylist()] == texts.to_pylist()
    for batch in batches:
        for meta in batch.meta.to_pylist():
            assert meta is None or json.loads(meta).keys() <= {role, "headwater_replaced"}


def test_what_names_a_document_is_exact(tmp_path: Path) -> None:
    """Ids of 24 digits, and ids and URLs of bytes, fill their column with all they hold; times and broken strings fill none."""
    ids: dict[str, list[str | None]] = {
        "decimal": [DIGITS, None],
        "uuid": ["31313131-3131-3131-3131-313131313131", None],
        "binary": ["a", "ff", None],
        "no UTF-8": ["ok", None],
        "time": [None, None, None],
    }
    for name, expected in ids.items():
        array = VALUES[name][0]
        (batch,) = _read(tmp_path / "a.parquet", {"text": pa.array(["t"] * len(array)), "id": array})
        assert batch.uri.to_pylist() == expected
    dates = VALUES["date"][0]
    (batch,) = _read(tmp_path / "a.parquet", {"text": pa.array(["t"] * len(dates)), "date": dates})
    assert batch.collected_at.to_pylist()[:3] == ["1970-01-01", "0000-01-01", "+10000-01-01"]


def test_int96_beyond_what_nanoseconds_hold(tmp_path: Path) -> None:
    """INT96 is read in microseconds: year 10000 is no date of the 1800s, and others are what they were."""
    seconds = [0, 253402300800, -62135596801]
    array = pa.array([second * 1_000_000 + 5 for second in seconds], pa.timestamp("us"))
    columns = {"text": pa.array(["a", "b", "c"]), "date": array, "seen": array}
    (batch,) = _read(tmp_path / "a.parquet", columns, use_deprecated_int96_timestamps=True)
    expected = ["1970-01-01T00:00:00.000005", "+10000-01-01T00:00:00.000005", "0000-12-31T23:59:59.000005"]
    assert batch.collected_at.to_pylist() == expected
    assert [json.loads(meta)["seen"] for meta in batch.meta.to_pylist()] == expected


@pytest.mark.parametrize("nested", [False, True])
def test_int96_beyond_what_microseconds_hold(tmp_path: Path, nested: bool) -> None:
    """A day of year 5,000,000 stays that day, at the top and in a list, if at the price of the microseconds."""
    path = tmp_path / "a.parquet"
    dates = pa.array([0, 86_400_000_000], pa.timestamp("us"))
    columns = {"text": pa.array(["a", "b"]), "seen": pa.array([[date] for date in dates]) if nested else dates}
    options: dict[str, Any] = {"use_dictionary": False, "compression": "none", "write_statistics": False}
    _read(path, columns, use_deprecated_int96_timestamps=True, **options)
    # The Julian day, the last four bytes of an INT96, of the second row.
    day = (2_440_589).to_bytes(4, "little")
    assert path.read_bytes().count(day) == 1
    path.write_bytes(path.read_bytes().replace(day, (2_440_588 + 1_826_212_500).to_bytes(4, "little")))
    info = inspect_file(str(path), path.stat().st_size, Limits())
    (batch,) = read_records(str(path), info, info.chunks[0], Limits())
    seen = [json.loads(meta)["seen"] for meta in batch.meta.to_pylist()]
    assert [value[0] if nested else value for value in seen] == ["1970-01-01T00:00:00", "+5001970-01-01T00:00:00"]
