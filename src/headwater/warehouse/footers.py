"""What a file's footer says of its rows, to hold against what the table's log says."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow.parquet as pq

from headwater.errors import CorruptLakeError, raise_of_file_system
from headwater.untrusted import UNREADABLE
from headwater.warehouse.filesystem import exists, filesystem_of, join

__all__ = ["Footer", "read_footer"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Footer:
    """What a file says of itself; attributes as of ``FileEntry``."""

    size: int
    rows: int
    min_id: int | None
    max_id: int | None


def read_footer(table_uri: str, path: str) -> Footer:
    """Return the size of a file, and rows and bounds of ``sample_id`` from its footer; no row is read.

    Raises:
        CorruptLakeError: there is no such file, or its footer cannot be read.
    """
    filesystem, root = filesystem_of(table_uri)
    size = exists(filesystem, join(root, path))
    if size is None:
        raise CorruptLakeError(f"the log names {path}, which is gone; restore it from a copy or run the step again")
    try:
        found = pq.read_metadata(join(root, path), filesystem=filesystem)
        names = [found.schema.column(number).path for number in range(found.num_columns)]
        at = names.index("sample_id") if "sample_id" in names else None
        bounds: list[int] = []
        for group in range(found.num_row_groups if at is not None else 0):
            column = found.row_group(group).column(at)
            if column.num_values and column.statistics is not None and column.statistics.has_min_max:
                bounds += [int(column.statistics.min), int(column.statistics.max)]
    except (*UNREADABLE, TypeError) as error:
        raise_of_file_system(error, path)
        raise CorruptLakeError(
            f"cannot read the footer of {path}; restore it from a copy or run the step again"
        ) from error
    return Footer(size=size, rows=found.num_rows, min_id=min(bounds, default=None), max_id=max(bounds, default=None))
