"""Tombstones: the files of a fragment written again with nothing left of some of its samples.

A sample that is taken down keeps its row in ``content`` and in every aligned family, so that no address changes and counts reconcile: the row says
which record of which file it was, and holds otherwise what an empty text has. Of sparse families and indices its rows go. A file is written again
only where it holds such a sample, row group by row group; rows of other samples are the same, value for value.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headwater.warehouse.faults import reach_in_task
from headwater.warehouse.fragments import FileEntry, parse_name
from headwater.warehouse.parquet import file_own_scores, read_file, write_family
from headwater.warehouse.schema import FAMILIES

__all__ = ["REASON", "Rewrite", "Rewritten", "rewrite_file", "tombstones"]

REASON: Final = "taken_down"
"""The reason of the verdict on a sample that was taken down, and of a record that was refused since the same text was."""
_EMPTY_TEXT: Final = blake2b(b"", digest_size=16).digest()
_STAYS: Final[dict[str, tuple[str, ...]]] = {
    "content": ("file_id", "record_no", "source"),
    "tokens": ("vocabulary",),
    "verdicts": ("rule_set",),
}
"""Family → its columns that stay as they are."""
_VALUES: Final[dict[str, dict[str, object]]] = {
    "content": {"content_hash": _EMPTY_TEXT, "origin": 0, "text": "", "text_bytes": 0},
    "language": {"language": "und", "language_score": 0.0},
    "minhash": {"bands": [], "signature": b"", "n_shingles": 0, "normalized_hash": b""},
    "recaptures": {"older_capture": 0},
    "blocklists": {"listed": []},
    "tokens": {"n_tokens": 0},
    "duplicates": {"cluster_size": 1},
    "verdicts": {
        "kept": False,
        "reasons": [REASON],
        "first_reason": REASON,
        "contamination_overlap": 0.0,
        "contamination_answered": 0.0,
    },
}
"""Family → the values of its columns; every other column is null. A rule takes a null for a reason (``missing:``), never for a pass."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rewrite:
    """A live file that is written again; runs in a task.

    Attributes:
        gone: int64 [n], samples that are taken down, ascending; those of other files may be among them.
        laid: rows of the family that take the place of those of the same samples, which stay: what a cluster's rest is now; None without such.
    """

    table: str
    path: str
    run_id: str
    gone: npt.NDArray[np.int64]
    laid: pa.Table | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Rewritten:
    """What a task wrote in place of a file.

    Attributes:
        entry: None where the file holds no such sample, and stays.
        rows: rows that were emptied or left out.
    """

    path: str
    entry: FileEntry | None
    rows: int


def rewrite_file(task: Rewrite) -> Rewritten:
    """Write a file again without its samples that go, where it has some; runs in a Spark task or in the driver.

    Raises:
        CorruptLakeError: it cannot be read.
        StorageError: the file system refused.
    """
    name = parse_name(task.path)
    rows = 0
    changed = 0
    for ids in read_file(task.table, task.path, ["sample_id"]):
        found = ids["sample_id"].to_numpy()
        rows += int(np.isin(found, task.gone).sum())
        changed += 0 if task.laid is None else int(np.isin(found, task.laid["sample_id"].to_numpy()).sum())
    if not rows and not changed:
        return Rewritten(path=task.path, entry=None, rows=0)
    own = file_own_scores(task.table, task.path) if name.family == "scores" else ()
    entry = write_family(
        task.table, name.family, name.batch, name.base, name.mask, name.operator, _groups(task, name.family), own
    )
    reach_in_task("takedown")
    return Rewritten(path=task.path, entry=entry, rows=rows)


def _groups(task: Rewrite, family: str) -> Iterator[pa.Table]:
    for group in read_file(task.table, task.path):
        here = np.isin(group["sample_id"].to_numpy(), task.gone)
        if not FAMILIES[family].aligned:
            yield group.filter(pa.array(~here))
            continue
        emptied = tombstones(family, group.filter(pa.array(here)), task.run_id)
        yield _lay(_lay(group, emptied), task.laid)


def _lay(group: pa.Table, rows: pa.Table | None) -> pa.Table:
    """Return a row group with some rows in place of those of the same samples."""
    if rows is None or not rows.num_rows or not group.num_rows:
        return group
    ids, new = group["sample_id"].to_numpy(), rows["sample_id"].to_numpy()
    mine = np.flatnonzero(np.isin(new, ids))
    take = np.arange(group.num_rows)
    take[np.searchsorted(ids, new[mine])] = group.num_rows + mine  # aligned rows are ascending
    both = pa.concat_tables([group, rows.select(group.column_names).cast(group.schema)])
    return both.take(pa.array(take))


def tombstones(family: str, rows: pa.Table, run_id: str) -> pa.Table:
    """Return what is left of some rows of an aligned family.

    >>> rows = pa.table({"sample_id": [7], "vocabulary": ["v"], "n_tokens": [12], "run_id": ["a"]})
    >>> tombstones("tokens", rows, "b").to_pylist()
    [{'sample_id': 7, 'vocabulary': 'v', 'n_tokens': 0, 'run_id': 'b'}]
    """
    values, stays = _VALUES.get(family, {}), ("sample_id", *_STAYS.get(family, ()))
    columns = {}
    for column in rows.schema:
        if column.name in stays:
            columns[column.name] = rows[column.name]
        elif column.name == "run_id":
            columns[column.name] = pa.repeat(pa.scalar(run_id, column.type), rows.num_rows)
        elif values.get(column.name) is None:
            columns[column.name] = pa.nulls(rows.num_rows, column.type)
        else:
            columns[column.name] = pa.array([values[column.name]] * rows.num_rows, column.type)
    return pa.table(columns, schema=rows.schema)
