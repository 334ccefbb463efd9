"""What changes in the table itself: the description, which names the format, and the columns of the schema.

Each is a commit of its own. From the first to the last of an upgrade no release reads or writes the lake: the description names one that has begun.
"""

from __future__ import annotations

import contextlib
from collections.abc import Container, Sequence
from typing import Final

import pyarrow as pa
from deltalake import Schema

from headwater.errors import ConflictError, UsageError
from headwater.warehouse.commit import commit_once
from headwater.warehouse.schema import FORMAT, OWN_SCORE, table_schema
from headwater.warehouse.snapshot import OWN_MARK, Snapshot, describe

__all__ = ["add_missing_columns", "begin_upgrade", "declare_columns", "end_upgrade"]


_TRIES: Final = 100


def begin_upgrade(snapshot: Snapshot) -> Snapshot:
    """Close the lake to every release until its upgrade ends, and return the snapshot after it.

    Raises:
        ConflictError: another writer was faster.
        StorageError: the log cannot be written.
    """
    return _redescribe(snapshot, describe(snapshot.format, begun=FORMAT))


def end_upgrade(snapshot: Snapshot) -> Snapshot:
    """Open the lake to releases of today's format, and return the snapshot after it; raises as ``begin_upgrade``."""
    return _redescribe(snapshot, describe(FORMAT))


def add_missing_columns(snapshot: Snapshot) -> tuple[Snapshot, list[str]]:
    """Add the columns of today's families that the table lacks; return the snapshot after it and their names.

    Raises as ``begin_upgrade``. No file is touched: in older ones the columns are null.
    """
    missing = _missing(snapshot.columns)
    if missing:
        _add_columns(snapshot, missing)
        snapshot = snapshot.newest()
    return snapshot, [column.name for column in missing]


def declare_columns(snapshot: Snapshot, own: Sequence[str]) -> Snapshot:
    """Add to the table's schema what it lacks: columns of this release's families, and a team's own scores; return the snapshot after it.

    No file is touched: in older ones the columns are null. Nothing is committed where nothing lacks.

    Raises:
        ConflictError: other writers were faster throughout.
        UsageError: a column of another kind has one of the names.
        StorageError: the log cannot be written.
    """
    for _ in range(_TRIES):
        columns, declared = snapshot.columns, snapshot.own_scores
        there = {name.lower() for name in columns}
        if taken := [name for name in own if name in there and name not in declared]:
            raise UsageError(
                f"scores: expected a name that no column of the lake has, found {taken[0]!r}; choose another"
            )
        new = [pa.field(name, OWN_SCORE[0], metadata={OWN_MARK: "scores"}) for name in own if name not in there]
        missing = _missing(columns) + new
        if not missing:
            return snapshot
        with contextlib.suppress(ConflictError):
            _add_columns(snapshot, missing)
        snapshot = snapshot.newest()
    raise ConflictError(f"{_TRIES} tries to declare columns lost against other writers; run the same command again")


def _missing(there: Container[str]) -> list[pa.Field]:
    return [column for column in table_schema() if column.name not in there]


def _add_columns(snapshot: Snapshot, columns: Sequence[pa.Field]) -> None:
    fields = Schema.from_arrow(pa.schema(columns)).fields
    commit_once(
        snapshot,
        lambda properties, hooks: snapshot.delta.alter.add_columns(
            fields, commit_properties=properties, post_commithook_properties=hooks
        ),
    )


def _redescribe(snapshot: Snapshot, description: str) -> Snapshot:
    if snapshot.delta.metadata().description == description:
        return snapshot
    commit_once(
        snapshot,
        lambda properties, hooks: snapshot.delta.alter.set_table_description(
            description, commit_properties=properties, post_commithook_properties=hooks
        ),
    )
    return snapshot.newest()
