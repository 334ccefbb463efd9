"""Repair of the log: checkpoints and records are written anew from the entries, which must be whole.

An entry is never made up. A newest entry that cannot be read is set aside, not deleted: the lake opens as it was before that commit, and the
step that made it does its work again.
"""

from __future__ import annotations

import contextlib
import secrets
from dataclasses import dataclass

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from pyarrow import fs as pafs

from headwater.errors import CorruptLakeError, StorageError, UsageError
from headwater.warehouse.delta_tables import open_delta, telling_store_errors
from headwater.warehouse.filesystem import delete_file, exists, filesystem_of, join
from headwater.warehouse.log import (
    CHECKPOINT_RECORD,
    HEAD_RECORD,
    LAST_CHECKPOINT,
    LOG,
    checkpoint_names,
    entry_fault,
    entry_name,
    entry_numbers,
    find_fault,
    log_folder,
    misplaced_names,
    plain_message,
    read_record,
    record_checkpoints,
    record_head,
)
from headwater.warehouse.real_files import refuse_links
from headwater.warehouse.snapshot import Snapshot, open_snapshot, table_uri

__all__ = ["LogRepair", "check_room", "checkpoint_in_passing", "repair_log", "write_checkpoint"]


@dataclass(frozen=True, kw_only=True, slots=True)
class LogRepair:
    """What was done.

    Attributes:
        version: of the table, as it now opens.
        set_aside: what was renamed in the log's folder, by its new name: checkpoints, and a newest entry that could not be read.
    """

    version: int
    set_aside: tuple[str, ...]


def check_room(snapshot: Snapshot) -> None:
    """Do nothing where a checkpoint and its record can be written.

    Raises:
        UsageError: the log is reached through a symbolic link.
        CorruptLakeError: the checkpoint before is damaged, or something that is no file has its name or its record's.
    """
    snapshot.check_writable()
    for name in misplaced_names(snapshot.uri):
        raise CorruptLakeError(
            f"expected a file or nothing at {join(snapshot.uri, LOG, name)}, found a folder or a link to none; "
            f"set it aside: headwater maintain {snapshot.lake} --repair-log"
        )


def write_checkpoint(snapshot: Snapshot) -> None:
    """Write a checkpoint of the newest version and the record of its hash.

    Raises:
        UsageError, CorruptLakeError: as ``check_room``.
        StorageError: the file system refused.
    """
    check_room(snapshot)
    _write_checkpoint(snapshot.uri, snapshot.delta)


def checkpoint_in_passing(uri: str) -> None:
    """Write a checkpoint of the newest version and the record of its hash after a commit, which stands whatever becomes of them.

    Where none can be written, opening the lake reads more entries, and the next that is due is tried again; ``maintain`` says what is wrong.
    """
    if not misplaced_names(uri):
        with contextlib.suppress(DeltaError, OSError, StorageError, CorruptLakeError):
            _write_checkpoint(uri, open_delta(uri))


def _write_checkpoint(uri: str, delta: DeltaTable) -> None:
    if read_record(uri, CHECKPOINT_RECORD) is None:
        # So that a first checkpoint without its hash is told from one of which the record is gone.
        record_checkpoints(uri)
    try:
        with telling_store_errors(uri, "write a checkpoint of"):
            delta.create_checkpoint()
    except (DeltaError, OSError) as error:
        raise StorageError(
            f"cannot write a checkpoint of {uri}: {plain_message(error)}; free space or grant permission, then run again"
        ) from error
    record_checkpoints(uri, delta.version())


def repair_log(lake: str) -> LogRepair:
    """Set checkpoints aside, and a newest entry that cannot be read; write a checkpoint and the records anew.

    Twice is harmless, and so is being killed: the entries are the table, and they stay.

    Raises:
        UsageError: there is no lake, or its log is reached through a symbolic link.
        CorruptLakeError: an entry that is not the newest is missing or damaged; nothing was changed.
        StorageError: the file system refused.
    """
    uri = table_uri(lake)
    filesystem, folder = log_folder(uri)
    refuse_links(filesystem, filesystem_of(lake)[1], folder)
    numbers = entry_numbers(uri)
    if not numbers:
        raise UsageError(f"expected a lake at {lake}, found no entry of its log; restore the lake from a copy")
    aside = []
    fault = find_fault(uri)
    if fault is not None:
        if len(numbers) == 1 or numbers != list(range(len(numbers))) or not _only_newest(uri, numbers[-1]):
            raise CorruptLakeError(fault)
        aside.append(_set_aside(filesystem, folder, entry_name(numbers.pop())))
    names = {*checkpoint_names(uri), *misplaced_names(uri)}
    if exists(filesystem, join(folder, LAST_CHECKPOINT)) is not None:
        names.add(LAST_CHECKPOINT)
    aside += [_set_aside(filesystem, folder, name) for name in sorted(names)]
    for record in (HEAD_RECORD, CHECKPOINT_RECORD):
        delete_file(filesystem, join(folder, record))
    record_head(uri, numbers[-1])
    snapshot = open_snapshot(lake)
    write_checkpoint(snapshot)
    # Opened through it once, the checkpoint is known to be readable.
    open_delta(uri)
    return LogRepair(version=snapshot.version, set_aside=tuple(aside))


def _only_newest(uri: str, newest: int) -> bool:
    return all(entry_fault(uri, version, newest=False) is None for version in range(newest))


def _set_aside(filesystem: pafs.FileSystem, folder: str, name: str) -> str:
    """Rename a file so that no reader of Delta takes it for part of the log; return its new name."""
    new = f"_headwater_{name.removeprefix('_')}.aside-{secrets.token_hex(4)}"
    try:
        with contextlib.suppress(FileNotFoundError):
            filesystem.move(join(folder, name), join(folder, new))
    except OSError as error:
        raise StorageError(f"cannot rename {join(folder, name)}: {error}; grant permission, then run again") from error
    return new
