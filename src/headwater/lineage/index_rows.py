"""Rows of an index by their hashes: of its files only the row groups that may have them are read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from headwater.lineage.lookup import Lookup

__all__ = ["index_rows"]


def index_rows(
    lookup: Lookup, family: str, column: str, hashes: npt.NDArray[np.int64], columns: Sequence[str]
) -> Iterator[pa.Table]:
    """Yield the rows of an index with one of some hashes; a row group whose hashes lie elsewhere is not read.

    Args:
        column: that the index is sorted by.
        columns: that are wanted of its rows.
    """
    files = lookup.live.of(family)
    wanted = pa.array(np.unique(hashes))
    for file in range(len(files.base)):
        path = files.path(file)
        groups = {group for each in hashes.tolist() for group in lookup.reader.between(path, column, each, each)}
        for group in sorted(groups):
            found = lookup.reader.read(path, group, list(dict.fromkeys([column, *columns])))
            mine = found.filter(pc.is_in(found[column], wanted))
            if mine.num_rows:
                yield mine
