"""What rules and stages read of family ``contamination``: two numbers a sample, summed from its sparse rows."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headwater.filters.contamination.find import ANSWER
from headwater.warehouse.parquet import FragmentFiles, read_sparse

__all__ = ["CONTAMINATION_COLUMNS", "add_contamination", "sum_contamination"]

CONTAMINATION_COLUMNS: Final = ("contamination_overlap", "contamination_answered")
_ANSWERED: Final = 0.5
"""Least share of an answer with which its question counts as answered."""


def sum_contamination(
    ids: npt.NDArray[np.int64], rows: pa.Table
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return for each sample the largest overlap of a question, and the largest of one whose answer is there too; 0 where none is.

    Args:
        ids: sample_id, ascending.
        rows: sample_id, benchmark, item, part and overlap, of these samples.

    >>> rows = pa.table({"sample_id": [8, 8, 9], "benchmark": ["a", "a", "a"], "item": ["1", "1", "2"],
    ...     "part": ["question", "answer", "question"], "overlap": [0.5, 1.0, 0.75]})
    >>> [sums.tolist() for sums in sum_contamination(np.array([7, 8, 9]), rows)]
    [[0.0, 0.5, 0.75], [0.0, 0.5, 0.0]]
    """
    overlap, answered = np.zeros(len(ids), np.float32), np.zeros(len(ids), np.float32)
    listed = [rows[name].to_pylist() for name in ("sample_id", "benchmark", "item", "part", "overlap")]
    keyed = list(zip(*listed, strict=True))
    with_answer = {key[:3] for key in keyed if key[3] == ANSWER and key[4] >= _ANSWERED}
    places = np.searchsorted(ids, np.array(listed[0], np.int64)).tolist()
    for place, key in zip(places, keyed, strict=True):
        if key[3] != ANSWER:
            overlap[place] = max(overlap[place], key[4])
            if key[:3] in with_answer:
                answered[place] = max(answered[place], key[4])
    return overlap, answered


def add_contamination(table_uri: str, active: bool, where: FragmentFiles, table: pa.Table) -> pa.Table:
    """Return a fragment's aligned rows with the two columns beside them; zeros where the recipe names no evaluation set.

    Raises:
        CorruptLakeError: the fragment's rows of family ``contamination`` are gone or cannot be read.
    """
    ids = table["sample_id"].to_numpy()
    sums = (np.zeros(len(ids), np.float32), np.zeros(len(ids), np.float32))
    if active:
        names = ["benchmark", "item", "part", "overlap"]
        sums = sum_contamination(ids, read_sparse(table_uri, where, "contamination", names))
    for name, values in zip(CONTAMINATION_COLUMNS, sums, strict=True):
        table = table.append_column(name, pa.array(values, pa.float32()))
    return table
