"""Single rows of the table's files: the footer of a file is read once, and of a file only the row group that holds the row.

A file never changes under its name, which has its hash, so what a footer said stays true as long as the file is there.
"""

from __future__ import annotations

import functools
import itertools
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from headwater.errors import CorruptLakeError, one_line, raise_of_file_system
from headwater.untrusted import UNREADABLE
from headwater.warehouse.filesystem import filesystem_of, is_local
from headwater.warehouse.open_files import gone, open_bytes, open_file
from headwater.warehouse.page_rows import Chunk, find_page, read_pages
from headwater.warehouse.row_groups import (
    family_of,
    format_of,
    own_scores_of,
    read_columns,
    read_groups,
    refuse_other_meaning,
)
from headwater.warehouse.schema import arrow_schema

__all__ = ["RowReader"]

_MOST_CHUNKS: Final = 60_000
"""Most column chunks that the footers kept may describe, about a kilobyte each."""
_PAGE_ROWS: Final = 20_000
"""Most rows of a page, as pyarrow writes them: of a larger row group only the pages with the row are read."""
_FEW: Final = 4
"""Up to so many rows of a row group are read one by one."""
_AT_ONCE_BYTES: Final = 64 << 20
"""Row groups of about so many bytes are read together."""
_KINDS: Final = {
    pa.string(): "BYTE_ARRAY",
    pa.binary(): "BYTE_ARRAY",
    pa.bool_(): "BOOLEAN",
    pa.int32(): "INT32",
    pa.int64(): "INT64",
    pa.float32(): "FLOAT",
    pa.timestamp("us", tz="UTC"): "INT64",
}
"""How each type of a column is stored; one that is stored otherwise is damaged, and read as a whole it says so."""
_LOWEST, _HIGHEST = np.iinfo(np.int64).min, np.iinfo(np.int64).max


@dataclass(kw_only=True, slots=True)
class _Known:
    """What is known of a file.

    Attributes:
        footer: as it was read once.
        begins: the first row of each row group, and the end.
        version: the format that it was written in.
        own: columns of a team's own.
        columns: number in the footer of each column that is not nested, by name.
        bounds: smallest and largest value by row group, of columns that were asked for.
    """

    footer: pq.FileMetaData
    begins: npt.NDArray[np.int64]
    version: int
    own: tuple[str, ...]
    columns: dict[str, int]
    bounds: dict[str, tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]

    @property
    def chunks(self) -> int:
        return int(self.footer.num_row_groups * self.footer.num_columns)


class RowReader:
    """Reads rows of the files of one table; any number of threads may."""

    def __init__(self, table_uri: str) -> None:
        self._uri = table_uri
        self._local = is_local(filesystem_of(table_uri)[0])  # a store is asked for a whole column at once
        self._files: OrderedDict[str, _Known] = OrderedDict()
        self._held = 0
        self._lock = threading.Lock()

    def _open(self, path: str) -> tuple[pq.ParquetFile, _Known]:
        with self._lock:
            known = self._files.get(path)
            if known is not None:
                self._files.move_to_end(path)
        if known is not None:
            return open_file(self._uri, path, footer=known.footer), known
        file = open_file(self._uri, path)
        footer = file.metadata
        names = [footer.schema.column(number).path for number in range(footer.num_columns)]
        sizes = [footer.row_group(group).num_rows for group in range(footer.num_row_groups)]
        begins = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.array(sizes, np.int64))])
        known = _Known(
            footer=footer,
            begins=begins,
            version=format_of(file, path),
            own=own_scores_of(file),
            columns={name: number for number, name in enumerate(names) if "." not in name},
            bounds={},
        )
        with self._lock:
            if path not in self._files:
                self._files[path] = known
                self._held += known.chunks
            while self._held > _MOST_CHUNKS and len(self._files) > 1:
                self._held -= self._files.popitem(last=False)[1].chunks
        return file, known

    def _known(self, path: str) -> _Known:
        """Return what is known of a file, which is opened only the first time."""
        with self._lock:
            known = self._files.get(path)
            if known is not None:
                self._files.move_to_end(path)
                return known
        return self._open(path)[1]

    def groups(self, path: str) -> int:
        """Return how many row groups a file has."""
        return int(self._known(path).footer.num_row_groups)

    def all_rows(self, path: str) -> int:
        """Return how many rows a file has."""
        return int(self._known(path).begins[-1])

    def span(self, path: str, group: int) -> tuple[int, int]:
        """Return the first row of a row group in its file, and the first one after it."""
        begins = self._known(path).begins
        return int(begins[group]), int(begins[group + 1])

    def own_scores(self, path: str) -> tuple[str, ...]:
        """Return the columns of a team's own that a file of family ``scores`` has."""
        return self._known(path).own

    def group_of(self, path: str, row: int) -> tuple[int, int] | None:
        """Return row group, and row in it, of a row of a file; None where it has fewer."""
        begins = self._known(path).begins
        if row >= begins[-1]:
            return None
        group = int(np.searchsorted(begins, row, side="right")) - 1
        return group, row - int(begins[group])

    def between(self, path: str, column: str, low: int, high: int) -> list[int]:
        """Return the row groups that may hold a value of an integer column from ``low`` to ``high``: all, where their bounds are not known."""
        known = self._known(path)
        if column not in known.bounds:
            known.bounds[column] = _bounds(known.footer, column, path)
        least, most = known.bounds[column]
        return [int(group) for group in np.flatnonzero((least <= high) & (most >= low))]

    def read(self, path: str, group: int, columns: Sequence[str]) -> pa.Table:
        """Return columns of a row group, whole; errors as for ``read_columns``."""
        return read_columns(self._open(path)[0], path, group, columns)

    def row(self, path: str, group: int, row: int, columns: Sequence[str]) -> pa.Table | None:
        """Return columns of one row of a row group, a table of one row; None where the group has fewer."""
        known = self._known(path)
        rows = int(known.begins[group + 1] - known.begins[group])
        if row >= rows:
            return None
        values = self._values(path, known, group, row, columns) if self._local and rows > _PAGE_ROWS else {}
        rest = [name for name in columns if name not in values]
        if not rest:
            return pa.table(values).select(list(columns))
        found = read_columns(self._open(path)[0], path, group, rest).slice(row, 1)
        others: dict[str, pa.Array | pa.ChunkedArray] = dict(zip(rest, found.columns, strict=True))
        return pa.table(others | values).select(list(columns)) if values else found

    def take(self, path: str, group: int, rows: npt.NDArray[np.int64], columns: Sequence[str]) -> pa.Table:
        """Return columns of some rows of a row group; few of them are read one by one."""
        if len(rows) > _FEW:
            return self.read(path, group, columns).take(pa.array(rows))
        found = [self.row(path, group, row, columns) for row in rows.tolist()]
        return pa.concat_tables([each for each in found if each is not None])

    def take_all(self, path: str, rows: npt.NDArray[np.int64], columns: Sequence[str]) -> pa.Table:
        """Return columns of some rows of a file, by their numbers in the whole file: each row group with some is read once.

        Several row groups are read at a time, of some 64 MB together; of a large one with few of the rows only the pages with them.

        Args:
            rows: int64 [n], ascending, of rows that the file has.
        """
        known = self._known(path)
        groups = np.searchsorted(known.begins, rows, side="right") - 1
        cuts = [0, *(np.flatnonzero(np.diff(groups)) + 1).tolist(), len(rows)] if len(rows) else [0]
        parts: list[pa.Table] = []
        waiting: list[tuple[int, npt.NDArray[np.int64]]] = []
        held = 0
        for begin, end in itertools.pairwise(cuts):
            group = int(groups[begin])
            mine = rows[begin:end] - known.begins[group]
            if self._local and len(mine) <= _FEW and known.begins[group + 1] - known.begins[group] > _PAGE_ROWS:
                parts += [*self._read_waiting(path, waiting, columns), self.take(path, group, mine, columns)]
                waiting, held = [], 0
                continue
            waiting.append((group, mine))
            held += self._size(known, group, columns)
            if held >= _AT_ONCE_BYTES:
                parts += self._read_waiting(path, waiting, columns)
                waiting, held = [], 0
        parts += self._read_waiting(path, waiting, columns)
        return pa.concat_tables(parts) if parts else self.read(path, 0, columns).slice(0, 0)

    def _read_waiting(
        self, path: str, waiting: Sequence[tuple[int, npt.NDArray[np.int64]]], columns: Sequence[str]
    ) -> list[pa.Table]:
        """Return the rows wanted of some row groups, which are read together: one table, or none."""
        if not waiting:
            return []
        file, known = self._open(path)
        whole = read_groups(file, path, [group for group, _ in waiting], columns)
        sizes = [int(known.begins[group + 1] - known.begins[group]) for group, _ in waiting]
        begins = np.cumsum([0, *sizes[:-1]])
        at = np.concatenate([begin + rows for begin, (_, rows) in zip(begins.tolist(), waiting, strict=True)])
        return [whole.take(pa.array(at))]

    def _size(self, known: _Known, group: int, columns: Sequence[str]) -> int:
        """Return how many bytes columns of a row group take in memory, about; nested ones are not counted."""
        part = known.footer.row_group(group)
        return sum(
            part.column(known.columns[name]).total_uncompressed_size for name in columns if name in known.columns
        )

    def _values(self, path: str, known: _Known, group: int, row: int, columns: Sequence[str]) -> dict[str, pa.Array]:
        """Return column → its value in a row, an array of one, of those columns whose pages can be read one by one."""
        refuse_other_meaning(known.version, path, columns)
        kinds = _kinds(family_of(path), known.own)
        footer = known.footer
        try:
            found = {}
            source = open_bytes(self._uri, path)
            part = footer.row_group(group)
            for name in columns:
                number = known.columns.get(name) if name in kinds else None
                chunk = None if number is None else Chunk.of(footer.schema.column(number), part.column(number))
                if chunk is not None and chunk.kind == _KINDS.get(kinds[name]):
                    found[name] = find_page(source, chunk, row)
            values = read_pages([page for page in found.values() if page is not None], row)
            return {
                name: value if value.type == kinds[name] else value.cast(kinds[name]) for name, value in values.items()
            }
        except FileNotFoundError as error:
            raise gone(path) from error
        except UNREADABLE as error:
            raise_of_file_system(error, path)
            raise CorruptLakeError(
                f"cannot read row group {group} of {path}: {one_line(str(error))}; run verify, then restore the file"
            ) from error


@functools.lru_cache(maxsize=256)
def _kinds(family: str, own: tuple[str, ...]) -> dict[str, pa.DataType]:
    """Return the columns of a family by name, with their types."""
    return {field.name: field.type for field in arrow_schema(family, own)}


def _bounds(footer: pq.FileMetaData, column: str, path: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return smallest and largest value of a column by row group; of an empty one no value, of one without statistics any."""
    least = np.full(footer.num_row_groups, _LOWEST)
    most = np.full(footer.num_row_groups, _HIGHEST)
    try:
        names = [footer.schema.column(number).path for number in range(footer.num_columns)]
        at = names.index(column) if column in names else None
        for group in range(footer.num_row_groups):
            part = footer.row_group(group)
            if part.num_rows == 0:
                least[group], most[group] = _HIGHEST, _LOWEST
            elif at is not None:
                found = part.column(at).statistics
                if found is not None and found.has_min_max:
                    least[group], most[group] = int(found.min), int(found.max)
    except (*UNREADABLE, TypeError) as error:
        raise CorruptLakeError(f"cannot read the footer of {path}; run verify, then restore the file") from error
    return least, most
