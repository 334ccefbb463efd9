"""Commits: one a wave, planned from one snapshot, refused when another writer was faster.

Every commit carries the shared writer name ``headwater`` and is tried exactly once against the snapshot's version, so of two writers one
succeeds and the other gets a ConflictError, reads the table again and plans again. A commit also carries the name of its own wave: when the
answer to a commit is lost, the table itself says whether it happened.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, Transaction
from deltalake.exceptions import DeltaError
from deltalake.transaction import AddAction, RemoveAction

from headwater.errors import ConflictError, CorruptLakeError, StorageError, UsageError
from headwater.warehouse.filesystem import filesystem_of, is_local, join
from headwater.warehouse.fragments import FileEntry, expand_masks
from headwater.warehouse.log import LOG, PREVIOUS, entry_numbers, entry_sha256, plain_message, record_head
from headwater.warehouse.log_repair import checkpoint_in_passing
from headwater.warehouse.many_files import sizes_of
from headwater.warehouse.real_files import refuse_links
from headwater.warehouse.schema import FAMILIES, table_schema
from headwater.warehouse.snapshot import DESCRIPTION, Snapshot, open_snapshot, table_uri
from headwater.warehouse.storage import delta_options
from headwater.warehouse.storage_errors import store_error
from headwater.warehouse.storage_probe import check_conditional_put

__all__ = ["CHECKPOINT_EVERY", "commit", "commit_once", "coverage_scope", "create_lake", "reserve_fragments"]

_SHARED = "headwater"
_FRAGMENTS = "fragments"
_TRIES = 200
_RETENTION = "interval 365 days"
CHECKPOINT_EVERY: Final = 50
"""After how many versions a commit leaves a checkpoint, so that opening a lake reads at most so many entries."""


def create_lake(lake: str) -> Snapshot:
    """Make an empty lake and return its first snapshot.

    Raises:
        UsageError: there is one already.
        StorageError: the folder cannot be written.
    """
    uri = table_uri(lake)
    filesystem, path = filesystem_of(uri)
    try:
        refuse_links(filesystem, filesystem_of(lake)[1], join(path, LOG))
        filesystem.create_dir(path, recursive=True)
        check_conditional_put(lake)
        DeltaTable.create(
            uri,
            storage_options=delta_options(uri) or None,
            schema=table_schema(),
            partition_by=["family", "batch"],
            description=DESCRIPTION,
            configuration={
                "delta.dataSkippingStatsColumns": "sample_id",
                "delta.enableExpiredLogCleanup": "false",
                "delta.logRetentionDuration": _RETENTION,
                "delta.deletedFileRetentionDuration": _RETENTION,
            },
            commit_properties=CommitProperties(max_commit_retries=0),
        )
    except DeltaError as error:
        # Of two writers that make a lake at once one gets an error of some other name.
        if entry_numbers(uri):
            raise UsageError(f"expected no lake at {lake}, found one; use it, or choose another folder") from error
        found = store_error(error, f"make a lake at {lake}") if not is_local(filesystem) else None
        raise found or StorageError(
            f"cannot make a lake at {lake}: {plain_message(error)}; check the path and its permissions"
        ) from error
    except OSError as error:
        found = store_error(error, f"make a lake at {lake}") if not is_local(filesystem) else None
        raise found or StorageError(
            f"cannot make a lake at {lake}: {plain_message(error)}; check the path and its permissions"
        ) from error
    record_head(uri, 0)
    return open_snapshot(lake)


def reserve_fragments(lake: str, count: int) -> int:
    """Return the first of ``count`` fragment numbers that no one else will use; gaps are legal."""
    for _ in range(_TRIES):
        snapshot = open_snapshot(lake)
        first = snapshot.transaction(_FRAGMENTS) or 0
        with contextlib.suppress(ConflictError):
            _write(snapshot, [], [Transaction(_FRAGMENTS, first + count)])
            return first
    raise ConflictError(f"{_TRIES} tries to reserve fragments of {lake} lost against other writers; try again")


def commit(
    snapshot: Snapshot,
    *,
    adds: Sequence[FileEntry],
    removes: Sequence[str] = (),
    wave: tuple[str, int],
    lake: str,
    changes_data: bool = True,
) -> Snapshot:
    """Commit files to the table and return the snapshot after it.

    Args:
        snapshot: what the wave was planned from.
        adds: files that tasks have written.
        removes: paths of live files that they replace.
        wave: name of the wave's series, for example ``run/annotate``, and its number, ascending.
        changes_data: False for a commit that only rearranges rows.

    Raises:
        ConflictError: the table has moved on, holds this wave already, or would have two live files for a fragment and family; plan again
            from a new snapshot.
        CorruptLakeError: a file is not there or has another size, or a file to remove is not live.
        StorageError: the log cannot be written.
    """
    app, number = wave
    if (snapshot.transaction(app) or 0) >= number:
        raise ConflictError(f"expected wave {number} of {app} to be new in version {snapshot.version}, found it there")
    try:
        _check_files(snapshot, adds)
    except CorruptLakeError as error:
        # A takedown deletes what was made from files that it has replaced since; the table then says that there is something to plan again.
        if (newest := max(entry_numbers(snapshot.uri), default=0)) > snapshot.version:
            raise ConflictError(f"planned from version {snapshot.version}, found {newest}, and a file gone") from error
        raise
    _check_removes(snapshot, removes)
    _check_coverage(snapshot, adds, removes)
    now = int(time.time() * 1000)
    actions: list[AddAction | RemoveAction] = [_add(entry, now, changes_data) for entry in adds]
    old = snapshot.files.filter(pc.is_in(snapshot.files["path"], pa.array(list(removes), pa.string())))
    actions.extend(
        RemoveAction(row["path"], changes_data, now, row["size"], {"family": row["family"], "batch": row["batch"]})
        for row in old.select(["path", "size", "family", "batch"]).to_pylist()
    )
    try:
        _write(snapshot, actions, [Transaction(app, number)])
    except (ConflictError, StorageError):
        # The answer may have been lost, not the commit: then the newer version that looks like a rival's is this one.
        after = snapshot.newest()
        if after.transaction(app) == number:
            return after
        raise
    after = snapshot.newest()
    if after.version <= snapshot.version or after.transaction(app) != number:
        raise CorruptLakeError(
            f"expected wave {number} of {app} in version {snapshot.version + 1} or later of {lake}, found version {after.version} without it; "
            "do not write to this lake before its log was looked at"
        )
    return after


def _write(snapshot: Snapshot, actions: Sequence[AddAction | RemoveAction], transactions: list[Transaction]) -> None:
    def add(properties: CommitProperties, hooks: PostCommitHookProperties) -> None:
        snapshot.delta.create_write_transaction(
            list(actions),
            mode="append",
            schema=snapshot.delta.schema(),
            partition_by=["family", "batch"],
            commit_properties=properties,
            post_commithook_properties=hooks,
        )

    commit_once(snapshot, add, transactions)


def commit_once(
    snapshot: Snapshot,
    change: Callable[[CommitProperties, PostCommitHookProperties], None],
    transactions: Sequence[Transaction] = (),
) -> None:
    """Commit one change of the snapshot's table, tried once against its version.

    Args:
        change: makes the commit with the properties that it is given.
        transactions: what the commit says besides that it is Headwater's.

    Raises:
        ConflictError: the table has moved on.
        StorageError: the log cannot be written.
    """
    snapshot.check_writable()
    check_conditional_put(snapshot.lake)
    try:
        previous = entry_sha256(snapshot.uri, snapshot.version)
        shared = (snapshot.transaction(_SHARED) or 0) + 1
        properties = CommitProperties(
            max_commit_retries=0,
            app_transactions=[Transaction(_SHARED, shared), *transactions],
            custom_metadata={PREVIOUS: previous} if previous is not None else None,
        )
        change(properties, PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False))
    except (DeltaError, OSError) as error:
        newest = max(entry_numbers(snapshot.uri), default=0)
        if newest > snapshot.version:
            raise ConflictError(
                f"planned from version {snapshot.version}, found {newest}: another writer was faster"
            ) from error
        found = None if is_local(filesystem_of(snapshot.uri)[0]) else store_error(error, f"commit to {snapshot.uri}")
        raise found or StorageError(
            f"cannot commit to {snapshot.uri}: {plain_message(error)}; free space or grant permission, then run again"
        ) from error
    version = snapshot.version + 1
    _sync_log(snapshot.uri, version)
    record_head(snapshot.uri, version)
    if version % CHECKPOINT_EVERY == 0:
        checkpoint_in_passing(snapshot.uri)


def _sync_log(uri: str, version: int) -> None:
    """Make the log entry survive a power loss; delta-rs leaves that to the operating system."""
    filesystem, path = filesystem_of(uri)
    if not is_local(filesystem):
        return
    for name in (join(path, "_delta_log", f"{version:020d}.json"), join(path, "_delta_log")):
        descriptor = os.open(name, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _add(entry: FileEntry, now: int, changes_data: bool) -> AddAction:
    statistics: dict[str, object] = {"numRecords": entry.rows}
    if entry.min_id is not None:
        statistics |= {
            "minValues": {"sample_id": entry.min_id},
            "maxValues": {"sample_id": entry.max_id},
            "nullCount": {"sample_id": 0},
        }
    return AddAction(
        path=entry.path,
        size=entry.size,
        partition_values={"family": entry.family, "batch": entry.batch},
        modification_time=now,
        data_change=changes_data,
        stats=json.dumps(statistics),
    )


def _check_files(snapshot: Snapshot, adds: Sequence[FileEntry]) -> None:
    filesystem, root = filesystem_of(snapshot.uri)
    for entry, size in zip(adds, sizes_of(filesystem, [join(root, entry.path) for entry in adds]), strict=True):
        if size != entry.size:
            found = "no file" if size is None else f"{size} bytes"
            raise CorruptLakeError(f"expected {entry.size} bytes in {entry.path}, found {found}; run the step again")


def _check_removes(snapshot: Snapshot, removes: Sequence[str]) -> None:
    wanted = pa.array(list(removes), pa.string())
    dead = wanted.filter(pc.invert(pc.is_in(wanted, snapshot.files["path"].combine_chunks())))
    if len(dead):
        raise CorruptLakeError(
            f"expected {dead[0].as_py()} to be live in version {snapshot.version}, found it is not; plan again"
        )


def _check_coverage(snapshot: Snapshot, adds: Sequence[FileEntry], removes: Sequence[str]) -> None:
    """No fragment may have two live files of one family, of one build; of placements, no shard of a stage."""
    gone = pa.array(list(removes), pa.string())
    scopes: dict[tuple[str, str | None, str | None], list[FileEntry]] = {}
    for entry in adds:
        if FAMILIES[entry.family].by_sample:
            scopes.setdefault(coverage_scope(entry), []).append(entry)
    for (family, batch, operator), new in scopes.items():
        old = snapshot.live(family, operator=operator, batch=batch)
        old = old.filter(pc.invert(pc.is_in(old["path"], gone)))
        base = np.concatenate([old["base"].to_numpy(), np.array([entry.base for entry in new], np.int64)])
        mask = np.concatenate([old["mask"].to_numpy(), np.array([entry.mask for entry in new], np.uint64)])
        numbers = np.sort(expand_masks(base, mask)[0])
        twice = numbers[1:][numbers[1:] == numbers[:-1]]
        if len(twice):
            raise ConflictError(
                f"fragment {int(twice[0])} would have two live files of family {family}; plan again from a new snapshot"
            )


def coverage_scope(entry: FileEntry) -> tuple[str, str | None, str | None]:
    """Return (family, batch, operator) within which a number may be covered once; None where that does not tell files apart.

    A fragment is the whole lake's, or a build's (named by the batch), or an operator's; a shard is a stage's (named by the operator) within a build.
    """
    family = FAMILIES[entry.family]
    return entry.family, entry.batch if family.by_build else None, entry.operator if family.by_operator else None
