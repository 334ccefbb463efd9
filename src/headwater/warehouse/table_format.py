"""What an upgrade changes in the table itself: the description, which names the format, and the columns of the schema.

Each is a commit of its own. From the first to the last no release reads or writes the lake: the description names an upgrade that has begun.
"""

from __future__ import annotations

import contextlib
from typing import Final

import pyarrow as pa
from deltalake import Schema

from headwater.errors import ConflictError
from headwater.warehouse.commit import commit_once
from headwater.warehouse.schema import FORMAT, table_schema
from headwater.warehouse.snapshot import Snapshot, describe, open_snapshot

__all__ = ["add_missing_columns", "begin_upgrade", "declare_columns", "end_upgrade"]

_TRIES: Final = 20


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
    missing = [column for column in table_schema() if column.name not in snapshot.columns]
    if missing:
        fields = Schema.from_arrow(pa.schema(missing)).fields
        commit_once(
            snapshot,
            lambda properties, hooks: snapshot.delta.alter.add_columns(
                fields, commit_properties=properties, post_commithook_properties=hooks
            ),
        )
        snapshot = snapshot.newest()
    return snapshot, [column.name for column in missing]


def declare_columns(lake: str) -> Snapshot:
    """Return the newest snapshot of a lake whose table has every column of today's families, adding those that it lacks.

    A table drops columns without a word that its schema does not name, so a step that may write new ones begins with this.

    Raises:
        ConflictError: other writers were faster throughout.
        StorageError: the log cannot be written.
    """
    for _ in range(_TRIES):
        with contextlib.suppress(ConflictError):
            return add_missing_columns(open_snapshot(lake))[0]
    raise ConflictError(
        f"{_TRIES} tries to add columns to {lake} lost against other writers; run the same command again"
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
