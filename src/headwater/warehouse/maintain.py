"""Maintenance: checkpoint, compaction of narrow families, retention, orphans.

None of it changes what a reader of the newest version sees. Versions that builds pin are kept: their files are never deleted.
"""

from __future__ import annotations

import datetime
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake.exceptions import DeltaError
from pyarrow import fs as pafs

from headwater.errors import ConflictError, CorruptLakeError, StorageError
from headwater.warehouse.commit import commit
from headwater.warehouse.filesystem import delete_file, filesystem_of, join
from headwater.warehouse.fragments import FRAGMENTS_PER_FILE, FileEntry, fragments_of
from headwater.warehouse.parquet import check_file, read_file, write_family
from headwater.warehouse.schema import FAMILIES
from headwater.warehouse.snapshot import Snapshot, open_snapshot

__all__ = ["MaintenanceReport", "compact", "maintain"]

_LEFT_ALONE: Final = {"content", "placements", "uri_index"}
"""Content is a file a fragment by design; a shard's placements are one file; an index file is sorted as a whole."""
_MAX_TABLE_BYTES: Final = 256 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class MaintenanceReport:
    """What was done: numbers of files, and bytes."""

    version: int
    files_before: int
    files_after: int
    compacted: int
    deleted: int
    deleted_bytes: int
    orphans: int


def maintain(
    lake: str, *, retention_hours: float = 168.0, orphan_hours: float = 24.0, dry_run: bool = False
) -> MaintenanceReport:
    """Compact narrow families, write a checkpoint, and delete files that no kept version and no running step needs.

    Args:
        retention_hours: files that the newest version no longer holds are deleted when their removal is older than this.
        orphan_hours: files that no version names are deleted when they are older than this; longer than the longest step.
        dry_run: count, change nothing.

    Raises:
        ConflictError: writers were faster throughout; try again when they rest.
        CorruptLakeError: a file cannot be read as it was committed.
        StorageError: the file system refused a write.
    """
    before = open_snapshot(lake)
    compacted = 0 if dry_run else compact(lake)
    after = open_snapshot(lake)
    if not dry_run:
        try:
            after.delta.create_checkpoint()
        except (DeltaError, OSError) as error:
            raise StorageError(
                f"cannot write a checkpoint of {after.uri}: {error}; free space or grant permission, then run again"
            ) from error
    deleted, deleted_bytes, orphans = _sweep(after, retention_hours, orphan_hours, dry_run)
    return MaintenanceReport(
        version=after.version,
        files_before=before.files.num_rows,
        files_after=after.files.num_rows,
        compacted=compacted,
        deleted=deleted,
        deleted_bytes=deleted_bytes,
        orphans=orphans,
    )


def compact(lake: str) -> int:
    """Rewrite small narrow files as files of up to 64 fragments, row groups unchanged; return how many files were replaced."""
    replaced = 0
    for family in FAMILIES:
        if family in _LEFT_ALONE:
            continue
        while True:
            snapshot = open_snapshot(lake)
            entries: list[FileEntry] = []
            removes: list[str] = []
            groups = _groups(snapshot, family)
            for files in groups:
                entries.append(_rewrite(snapshot, family, files))
                removes += files["path"].to_pylist()
            if not entries:
                break
            try:
                commit(
                    snapshot,
                    adds=entries,
                    removes=removes,
                    wave=(f"maintain-{family}-{secrets.token_hex(8)}", 1),
                    lake=lake,
                    changes_data=False,
                )
            except ConflictError:
                continue
            replaced += len(removes)
    return replaced


def _groups(snapshot: Snapshot, family: str) -> list[pa.Table]:
    """Return sets of two or more live files of one operator and batch that fit one file."""
    files = snapshot.live(family)
    found: list[pa.Table] = []
    keys = list(zip(files["batch"].to_pylist(), files["operator"].to_pylist(), strict=True))
    for key in sorted(set(keys)):
        mine = files.filter(pa.array([each == key for each in keys]))
        if not FAMILIES[family].by_sample:
            if mine.num_rows > 1 and sum(mine["size"].to_pylist()) <= _MAX_TABLE_BYTES:
                found.append(mine)
            continue
        begin = 0
        base = mine["base"].to_numpy()
        last = np.array(
            [max(fragments_of(b, m)) for b, m in zip(base.tolist(), mine["mask"].to_pylist(), strict=True)],
            dtype=np.int64,
        )
        while begin < mine.num_rows:
            end = begin + 1
            while end < mine.num_rows and last[end] - base[begin] < FRAGMENTS_PER_FILE:
                end += 1
            if end - begin > 1:
                found.append(mine.slice(begin, end - begin))
            begin = end
    return found


def _rewrite(snapshot: Snapshot, family: str, files: pa.Table) -> FileEntry:
    paths = files["path"].to_pylist()
    # A flipped bit of a footer passes a reader's checks: written again it would have a hash of its own.
    for path, sha256 in zip(paths, files["sha256"].to_pylist(), strict=True):
        fault = check_file(snapshot.uri, path, sha256)
        if fault is not None:
            raise CorruptLakeError(f"{fault}; restore it from a copy or run the step that wrote it again")
    batch, operator = files["batch"][0].as_py(), files["operator"][0].as_py()
    if not FAMILIES[family].by_sample:
        tables = [table for path in paths for table in read_file(snapshot.uri, path)]
        return write_family(snapshot.uri, family, batch, 0, 0, operator, [pa.concat_tables(tables)])
    base = int(files["base"][0].as_py())
    mask = 0
    order: list[tuple[int, str]] = []
    for path, first, bits in zip(paths, files["base"].to_pylist(), files["mask"].to_pylist(), strict=True):
        covered = fragments_of(first, bits)
        order += [(fragment, path) for fragment in covered]
        mask |= sum(1 << (fragment - base) for fragment in covered)

    def groups() -> Iterator[pa.Table]:
        # A file's row groups come in the order of its fragments, so each file is read once, a row group in memory at a time.
        readers = {path: read_file(snapshot.uri, path) for path in paths}
        for _, path in sorted(order):
            yield next(readers[path])

    return write_family(snapshot.uri, family, batch, base, mask, operator, groups())


def _sweep(snapshot: Snapshot, retention_hours: float, orphan_hours: float, dry_run: bool) -> tuple[int, int, int]:
    """Delete what is neither live nor needed; return files deleted, their bytes, and how many of them no version ever named."""
    filesystem, root = filesystem_of(snapshot.uri)
    live = set(snapshot.files["path"].to_pylist()) | _pinned(snapshot)
    now = datetime.datetime.now(datetime.UTC)
    named = _named(snapshot)
    deleted = size = orphans = 0
    for info in filesystem.get_file_info(pafs.FileSelector(root, recursive=True)):
        path = info.path[len(root) :].lstrip("/")
        if info.type != pafs.FileType.File or path.startswith("_delta_log") or path in live:
            continue
        removed = named.get(path)
        limit = retention_hours if removed is not None else orphan_hours
        since = removed if removed is not None else _written(info)
        if now - since < datetime.timedelta(hours=limit):
            continue
        if not dry_run:
            delete_file(filesystem, info.path)
        deleted += 1
        size += int(info.size)
        orphans += removed is None
    # What a killed build task leaves beside its shards holds tokens of texts, what a killed training of a vocabulary leaves their pieces.
    for folder, kinds in (("builds", ("tmp",)), ("vocabularies", ("tmp", "parquet"))):
        place = join(filesystem_of(snapshot.lake)[1], folder)
        for info in filesystem.get_file_info(pafs.FileSelector(place, recursive=True, allow_not_found=True)):
            hidden = "/." in info.path[len(place) :]
            temporary = info.type == pafs.FileType.File and hidden and info.extension in kinds
            if temporary and now - _written(info) >= datetime.timedelta(hours=orphan_hours):
                if not dry_run:
                    delete_file(filesystem, info.path)
                deleted += 1
                size += int(info.size)
                orphans += 1
    return deleted, size, orphans


def _written(info: pafs.FileInfo) -> datetime.datetime:
    return info.mtime if info.mtime.tzinfo else info.mtime.replace(tzinfo=datetime.UTC)


def _named(snapshot: Snapshot) -> dict[str, datetime.datetime]:
    """Return files that earlier versions held → when the newest of them was replaced, from the log."""
    filesystem, root = filesystem_of(snapshot.uri)
    found: dict[str, datetime.datetime] = {}
    for info in filesystem.get_file_info(pafs.FileSelector(join(root, "_delta_log"))):
        if not info.path.endswith(".json"):
            continue
        with filesystem.open_input_stream(info.path) as stream:
            for line in bytes(stream.read()).splitlines():
                action = json.loads(line)
                if "remove" in action:
                    moment = datetime.datetime.fromtimestamp(action["remove"]["deletionTimestamp"] / 1000, datetime.UTC)
                    found[action["remove"]["path"]] = moment
    return found


def _pinned(snapshot: Snapshot) -> set[str]:
    """Return the files of the versions that builds were made from: a build can always be explained and made again."""
    versions: set[int] = set()
    for path in snapshot.paths("runs"):
        for table in read_file(snapshot.uri, path, ["step", "input_version", "operators"]):
            for row in table.filter(pc.equal(table["step"], "build")).to_pylist():
                if json.loads(row["operators"]):
                    versions.add(row["input_version"])
    return {path for version in versions for path in open_snapshot(snapshot.lake, version).files["path"].to_pylist()}
