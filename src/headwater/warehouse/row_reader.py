"""Single rows of the table's files: the footer of a file is read once, and of a file only the row group that holds the row.

A file never changes under its name, which has its hash, so what a footer said stays true as long as the file is there.
"""

from __future__ import annotations

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
from headwater.warehouse.open_files import open_bytes, open_file
from headwater.warehouse.page_rows import Chunk, find_page, read_pages
from headwater.warehouse.row_groups import check_meaning, family_of, own_scores_of, read_columns
from headwater.warehouse.schema import arrow_schema

__all__ = ["RowReader"]

_MOST_CHUNKS: Final = 60_000
"""Most column chunks that the footers kept may describe, about a kilobyte each."""
_PAGE_ROWS: Final = 20_000
"""Most rows of a page, as pyarrow writes them: of a larger row group only the pages with the row are read."""
_FEW: Final = 4
"""Up to so many rows of a row group are read one by one."""
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
    """What is known of a file: its footer, the first row of each row group and the end, bounds of columns by row group."""

    footer: pq.FileMetaData
    begins: npt.NDArray[np.int64]
    own: tuple[str, ...]
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
        sizes = [footer.row_group(group).num_rows for group in range(footer.num_row_groups)]
        begins = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.array(sizes, np.int64))])
        known = _Known(footer=footer, begins=begins, own=own_scores_of(file), bounds={})
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

    def rows(self, path: str, group: int) -> int:
        """Return how many rows a row group has."""
        begins = self._known(path).begins
        return int(begins[group + 1] - begins[group])

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
        file, known = self._open(path)
        rows = int(known.begins[group + 1] - known.begins[group])
        if row >= rows:
            return None
        values = (
            self._values(path, file, known.footer, group, row, columns) if self._local and rows > _PAGE_ROWS else {}
        )
        rest = [name for name in columns if name not in values]
        found = read_columns(file, path, group, rest).slice(row, 1) if rest else None
        if found is None or not values:
            return found if found is not None else pa.table(values).select(list(columns))
        others: dict[str, pa.Array | pa.ChunkedArray] = dict(zip(rest, found.columns, strict=True))
        return pa.table(others | values).select(list(columns))

    def take(self, path: str, group: int, rows: npt.NDArray[np.int64], columns: Sequence[str]) -> pa.Table:
        """Return columns of some rows of a row group; few of them are read one by one."""
        if len(rows) > _FEW:
            return self.read(path, group, columns).take(pa.array(rows))
        found = [self.row(path, group, row, columns) for row in rows.tolist()]
        return pa.concat_tables([each for each in found if each is not None])

    def _values(
        self, path: str, file: pq.ParquetFile, footer: pq.FileMetaData, group: int, row: int, columns: Sequence[str]
    ) -> dict[str, pa.Array]:
        """Return column → its value in a row, an array of one, of those columns whose pages can be read one by one."""
        check_meaning(file, path, columns)
        schema = arrow_schema(family_of(path), own_scores_of(file))
        kinds = {field.name: field.type for field in schema}
        wanted = kinds.keys() & set(columns)
        try:
            found = {}
            source = open_bytes(self._uri, path)
            for number in range(footer.num_columns):
                name = footer.schema.column(number).path
                chunk = Chunk.of(footer, group, number) if name in wanted else None
                if chunk is not None and chunk.kind == _KINDS.get(kinds[name]):
                    found[name] = find_page(source, chunk, row)
            values = read_pages([page for page in found.values() if page is not None], row)
            return {
                name: value if value.type == kinds[name] else value.cast(kinds[name]) for name, value in values.items()
            }
        except UNREADABLE as error:
            raise_of_file_system(error, path)
            raise CorruptLakeError(
                f"cannot read row group {group} of {path}: {one_line(str(error))}; run verify, then restore the file"
            ) from error


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
