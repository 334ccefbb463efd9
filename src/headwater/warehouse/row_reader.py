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

from headwater.errors import CorruptLakeError
from headwater.untrusted import UNREADABLE
from headwater.warehouse.parquet import open_file
from headwater.warehouse.row_groups import own_scores_of, read_columns

__all__ = ["RowReader"]

_MOST_CHUNKS: Final = 60_000
"""Most column chunks that the footers kept may describe, about a kilobyte each."""
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

    def groups(self, path: str) -> int:
        """Return how many row groups a file has."""
        return int(self._open(path)[1].footer.num_row_groups)

    def own_scores(self, path: str) -> tuple[str, ...]:
        """Return the columns of a team's own that a file of family ``scores`` has."""
        return self._open(path)[1].own

    def group_of(self, path: str, row: int) -> tuple[int, int] | None:
        """Return row group, and row in it, of a row of a file; None where it has fewer."""
        begins = self._open(path)[1].begins
        if row >= begins[-1]:
            return None
        group = int(np.searchsorted(begins, row, side="right")) - 1
        return group, row - int(begins[group])

    def between(self, path: str, column: str, low: int, high: int) -> list[int]:
        """Return the row groups that may hold a value of an integer column from ``low`` to ``high``: all, where their bounds are not known."""
        known = self._open(path)[1]
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
        if row >= known.begins[group + 1] - known.begins[group]:
            return None
        return read_columns(file, path, group, columns).slice(row, 1)


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
