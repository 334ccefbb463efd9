"""Rows of an index by their hashes: of its files only the row groups that may have them are read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headwater.warehouse.schema import arrow_schema

if TYPE_CHECKING:
    from headwater.lineage.lookup import Lookup

__all__ = ["index_groups", "index_rows"]


def index_rows(
    lookup: Lookup, family: str, column: str, hashes: npt.NDArray[np.int64], columns: Sequence[str]
) -> Iterator[pa.Table]:
    """Yield the rows of an index with one of some hashes; a row group whose hashes lie elsewhere is not read.

    Args:
        column: that the index is sorted by.
        columns: that are wanted of its rows.
    """
    wanted = pa.array(np.unique(hashes)).cast(arrow_schema(family).field(column).type)
    for path, groups in index_groups(lookup, family, column, hashes):
        for group in groups:
            keys = lookup.reader.read(path, group, [column])[column]
            rows = np.flatnonzero(pc.is_in(keys, wanted).to_numpy())
            if len(rows):
                yield lookup.reader.take(path, group, rows, columns)


def index_groups(
    lookup: Lookup, family: str, column: str, hashes: npt.NDArray[np.int64]
) -> Iterator[tuple[str, list[int]]]:
    """Yield the files of an index with the row groups that may have one of some hashes."""
    files = lookup.live.of(family)
    for file in range(len(files.base)):
        path = files.path(file)
        groups = {group for each in hashes.tolist() for group in lookup.reader.between(path, column, each, each)}
        yield path, sorted(groups)
