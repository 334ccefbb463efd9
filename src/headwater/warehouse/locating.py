"""Where the rows of many fragments lie: all families at once, by arrays; one path is one text, however many fragments name it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headwater.errors import UsageError
from headwater.warehouse.fragments import expand_masks
from headwater.warehouse.parquet import FragmentFiles

__all__ = ["locate"]

_Ints = npt.NDArray[np.int64]


def locate(uri: str, fragments: _Ints, tables: Mapping[str, pa.Table]) -> Iterator[FragmentFiles]:
    """Yield where each fragment's rows lie; a family that does not cover a fragment is left out of it.

    Args:
        uri: of the table, for messages.
        fragments: ascending int64.
        tables: family → its live files, with ``path``, ``batch``, ``base`` and ``mask``; content among them.

    Raises:
        UsageError: a fragment that content does not have.
    """
    lookups = {}
    batches: dict[int, str] = {}
    for family, table in tables.items():
        numbers, rows = expand_masks(table["base"].to_numpy(), table["mask"].to_numpy())
        order = np.argsort(numbers, kind="stable")
        first = np.searchsorted(rows, np.arange(table.num_rows)) if table.num_rows else np.empty(0, np.int64)
        groups = np.arange(len(rows)) - first[rows] if len(rows) else rows
        at = np.searchsorted(numbers[order], fragments)
        found = at < len(numbers)
        found[found] = numbers[order][at[found]] == fragments[found]
        row, group = np.full(len(fragments), -1, np.int64), np.zeros(len(fragments), np.int64)
        row[found], group[found] = rows[order][at[found]], groups[order][at[found]]
        lookups[family] = (row.tolist(), group.tolist(), _texts_at(table["path"], row[found]))
        if family == "content":
            batches = _texts_at(table["batch"], row[found])
    in_content = lookups["content"][0]
    for number, fragment in enumerate(fragments.tolist()):
        if in_content[number] < 0:
            raise UsageError(f"expected a fragment of {uri}, found none with number {fragment}")
        where = {
            family: (paths[row[number]], group[number])
            for family, (row, group, paths) in lookups.items()
            if row[number] >= 0
        }
        yield FragmentFiles(fragment=fragment, batch=batches[in_content[number]], files=where)


def _texts_at(column: pa.ChunkedArray, rows: _Ints) -> dict[int, str]:
    """Return row → text; equal texts are one object, so that pickled together they travel once."""
    needed = np.unique(rows)
    found: dict[str, str] = {}
    texts = column.take(pa.array(needed)).to_pylist()
    return {row: found.setdefault(text, text) for row, text in zip(needed.tolist(), texts, strict=True)}
