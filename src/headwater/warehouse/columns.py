"""Columns of families: which one a name is of, and what writers make alike: one value in every row, values of some rows laid over all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headwater.warehouse.schema import ALIGNED, FAMILIES

__all__ = ["family_columns", "find_rows", "nullable_rows", "repeat_text", "with_run"]


def family_columns(columns: Iterable[str], own: Sequence[str] = ()) -> dict[str, list[str]]:
    """Return which aligned family each column comes from: family → names; names of none are left out.

    Args:
        own: a team's own scores, which family ``scores`` has besides.
    """
    chosen: dict[str, list[str]] = {}
    for name in columns:
        if name in own:
            chosen.setdefault("scores", []).append(name)
            continue
        for family in ALIGNED:
            if name in FAMILIES[family].fields:
                chosen.setdefault(family, []).append(name)
                break
    return chosen


def repeat_text(text: str, n: int) -> pa.StringArray:
    """Return string [n] with one text in every row.

    >>> repeat_text("a", 2).to_pylist()
    ['a', 'a']
    """
    return pa.repeat(pa.scalar(text, pa.string()), n)


def with_run(table: pa.Table, run_id: str) -> pa.Table:
    """Return a table with the column ``run_id`` that every family has."""
    return table.append_column("run_id", repeat_text(run_id, table.num_rows))


def find_rows(ids: npt.NDArray[np.int64], sparse: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return int64 [n]: for each of n samples its row among the sparse ones, -1 where it has none.

    Args:
        ids: int64 [n], ascending.
        sparse: some of them, each once.

    >>> find_rows(np.array([3, 5, 7]), np.array([7, 3])).tolist()
    [1, -1, 0]
    """
    rows = np.full(len(ids), -1, dtype=np.int64)
    rows[np.searchsorted(ids, sparse)] = np.arange(len(sparse))
    return rows


def nullable_rows(rows: npt.NDArray[np.int64]) -> pa.Int64Array:
    """Return rows for ``take``: a negative one gives a null.

    >>> pa.array(["a", "b"]).take(nullable_rows(np.array([1, -1]))).to_pylist()
    ['b', None]
    """
    return pa.array(rows, mask=rows < 0)
