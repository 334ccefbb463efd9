"""One row of a large row group: read from single pages, it is the row that the whole group has there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from headwater.errors import CorruptLakeError
from headwater.warehouse import row_reader
from headwater.warehouse.fragments import FileEntry, sample_ids
from headwater.warehouse.open_files import open_bytes, open_file
from headwater.warehouse.page_rows import Chunk, find_page
from headwater.warehouse.parquet import write_family
from headwater.warehouse.row_reader import RowReader
from headwater.warehouse.schema import arrow_schema

ROWS = 45_000
"""Three pages of a column, as pyarrow cuts them."""


def _column(kind: pa.DataType, rng: np.random.Generator) -> pa.Array:
    """Return values of a type: on the first page none null, on the second a tenth, on the third all."""
    numbers = rng.integers(0, 70_000, ROWS)
    mask = rng.random(ROWS) < 0.1
    mask[:20_000], mask[40_000:] = False, True
    if pa.types.is_floating(kind):
        return pa.array(rng.random(ROWS).astype(np.float32), mask=mask)
    if pa.types.is_boolean(kind):
        return pa.array(numbers % 2 == 0, mask=mask)
    if pa.types.is_integer(kind):
        return pa.array(numbers, mask=mask).cast(kind)
    if pa.types.is_list(kind):
        return pa.array([[f"rule {number % 5}"] * (number % 3) for number in numbers.tolist()], kind)
    if pa.types.is_map(kind):
        return pa.array([[("en", 0.5)] * (number % 3) or None for number in numbers.tolist()], kind)
    return pa.array([f"é{number}" for number in numbers.tolist()], pa.string(), mask=mask).cast(kind)


def _written(folder: Path, family: str) -> tuple[FileEntry, pa.Table]:
    """Write a file of two fragments, a row group each, the second one large; return it and the rows of that."""
    rng = np.random.default_rng(7)
    schema = arrow_schema(family)
    columns = {field.name: _column(field.type, rng) for field in schema}
    columns["sample_id"] = pa.array(sample_ids(4, 0, ROWS))
    table = pa.table(columns, schema=pa.schema([pa.field(field.name, field.type) for field in schema]))
    first = table.slice(0, 10).set_column(0, "sample_id", pa.array(sample_ids(3, 0, 10)))
    return write_family(str(folder), family, "b", 3, 3, "a" * 32, [first, table]), table


@pytest.mark.parametrize("family", ["content", "verdicts", "scores", "captures", "language"])
def test_a_row_of_single_pages_is_the_row(tmp_path: Path, family: str) -> None:
    """Of every type, null or not, at the edges of pages and between; nested columns come with the others."""
    entry, table = _written(tmp_path, family)
    reader = RowReader(str(tmp_path))
    for row in (0, 1, 19_999, 20_000, 31_234, ROWS - 1):
        found = reader.row(entry.path, 1, row, table.column_names)
        assert found is not None
        assert found.equals(table.slice(row, 1))
    assert reader.row(entry.path, 1, ROWS, ["sample_id"]) is None
    some = np.array([5, 20_001])
    assert reader.take(entry.path, 1, some, ["sample_id"])["sample_id"].to_pylist() == [
        (4 << 24) + 5,
        (4 << 24) + 20_001,
    ]


@pytest.mark.parametrize("family", ["verdicts", "captures"])
def test_rows_of_a_file_are_those_of_its_row_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, family: str
) -> None:
    """Few and many of a row group, of one and of several, whatever is read together: in order, as the whole file has them."""
    entry, table = _written(tmp_path, family)
    whole = pa.concat_tables([table.slice(0, 10).set_column(0, "sample_id", pa.array(sample_ids(3, 0, 10))), table])
    for at_once in (1, 64 << 20):
        monkeypatch.setattr(row_reader, "_AT_ONCE_BYTES", at_once)
        reader = RowReader(str(tmp_path))
        for rows in ([], [3], [9, 10], [0, 1, 2, 3, 4, 5, 44_999], [2, *range(40, 45_010, 1009)], [45_009]):
            found = reader.take_all(entry.path, np.array(rows, np.int64), table.column_names)
            assert found.combine_chunks().equals(whole.take(pa.array(rows, pa.int64())).combine_chunks())


def test_of_a_large_group_pages_are_read_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of columns without repetition: the whole group is not touched for them."""
    entry, table = _written(tmp_path, "verdicts")
    whole: list[list[str]] = []

    def read(file: object, path: str, group: int, columns: list[str]) -> pa.Table:
        whole.append(list(columns))
        return table.select(columns)

    monkeypatch.setattr(row_reader, "read_columns", read)
    RowReader(str(tmp_path)).row(entry.path, 1, 30_000, table.column_names)
    assert whole == [["reasons"]]


def _flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 0x40
    path.write_bytes(data)


@pytest.mark.parametrize(("family", "column"), [("scores", "quality"), ("language", "language_score")])
def test_a_damaged_page_is_told(tmp_path: Path, family: str, column: str) -> None:
    """A bit in the values, whose checksum then fails, or in the header: an error of the lake's that names the file, or the row as it was."""
    entry, table = _written(tmp_path, family)
    uri = str(tmp_path)
    file = open_file(uri, entry.path)
    number = table.column_names.index(column)
    chunk = Chunk.of(file.metadata.schema.column(number), file.metadata.row_group(1).column(number))
    assert chunk is not None
    page = find_page(open_bytes(uri, entry.path), chunk, 100)
    assert page is not None
    whole = Path(tmp_path, entry.path).read_bytes()
    at = whole.index(page.data)
    told: list[str] = []
    for place in (at + len(page.data) // 2, at + len(page.data) - 1, *range(at, at + 24)):
        Path(tmp_path, entry.path).write_bytes(whole)
        _flip(Path(tmp_path, entry.path), place)
        found = None
        try:
            found = RowReader(uri).row(entry.path, 1, 100, [column])
        except CorruptLakeError as error:
            told.append(str(error))
        assert found is None or found.equals(table.select([column]).slice(100, 1))
    assert len(told) > 20
    assert all(entry.path in message and "\n" not in message for message in told)
