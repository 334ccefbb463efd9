"""Maintenance: checkpoint, compaction of narrow families, retention, orphans.

None of it changes what a reader of the newest version sees. Versions that builds pin are kept: their files are never deleted.
"""

from __future__ import annotations

import datetime
import json
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headwater.errors import ConflictError, CorruptLakeError, UsageError
from headwater.plain import Row
from headwater.warehouse.commit import commit
from headwater.warehouse.filesystem import delete_file, filesystem_of, join
from headwater.warehouse.fragments import BATCH_PATTERN, FRAGMENTS_PER_FILE, NAME_PATTERN, FileEntry, fragments_of
from headwater.warehouse.index_files import INDEXES, MOST_INDEX_ROWS, merged_index
from headwater.warehouse.log import LOG, entry_damage_told, is_of_log, read_entry, read_log
from headwater.warehouse.log_repair import check_room, write_checkpoint
from headwater.warehouse.made_indexes import make_indexes
from headwater.warehouse.parquet import check_file, file_own_scores, read_file, write_family
from headwater.warehouse.real_files import TEMPORARY_PATTERN, RealFile, refuse_links, walk_files
from headwater.warehouse.schema import FAMILIES
from headwater.warehouse.snapshot import Snapshot, open_snapshot
from headwater.warehouse.takedown_files import delete_due
from headwater.warehouse.unfinished_uploads import give_up_uploads

__all__ = [
    "MOST_HOURS",
    "MaintenanceReport",
    "compact",
    "maintain",
    "pinned_files",
    "removal_times",
]

_LEFT_ALONE: Final = {"captures", "content", "html", "placements", "takedowns", "texts"}
"""Content is a file a fragment by design, and so is what an extraction writes; a shard's placements are one file."""
_PINNING: Final = pa.array(["build", "revise"])
_COUNTED: Final = pa.array(["spans", "tokens"])
_MAX_TABLE_BYTES: Final = 256 << 20
MOST_HOURS: Final = 1_000_000
"""Most hours of a retention, more than a hundred years: dates of files can be reckoned with."""
_CLOCKS: Final = datetime.timedelta(minutes=5)
"""How far the clocks of machines may be apart: a file is dated ahead only beyond that."""
_LEFT_BY_COMMITS: Final = re.compile(rf"_delta_log/{TEMPORARY_PATTERN}")
_OWN: Final = re.compile(
    rf"({_LEFT_BY_COMMITS.pattern}|family=({'|'.join(FAMILIES)})/batch={BATCH_PATTERN}/{TEMPORARY_PATTERN}|{NAME_PATTERN})"
)
_LEFT_BY_BUILDS: Final = re.compile(
    rf"[^/]+/(\.repair/)?([^/]+/)?{TEMPORARY_PATTERN}|[^/]+/\.revise/(?P<run>[^/]+?)(\.lock|/.+)"
)
_LEFT_BY_TRAININGS: Final = re.compile(
    rf"({TEMPORARY_PATTERN}|\.counts-[0-9a-f]+/({TEMPORARY_PATTERN}|[^/.][^/]*\.parquet))"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class MaintenanceReport:
    """What was done: numbers of files, and bytes.

    Attributes:
        strangers: what lies below the table's folder and is not Headwater's, and links and the like in the lake's other folders, relative to the
            lake; it was left alone.
        dated_ahead: Headwater's own files that would go when they are old enough, but are dated in the future, relative to the lake; left alone.
        uploads: uploads in parts that were given up, as killed processes leave them in a store; None where they cannot be listed.
        takedowns: ids of takedowns whose older files were due, and are deleted.
    """

    version: int
    files_before: int
    files_after: int
    compacted: int
    deleted: int
    deleted_bytes: int
    orphans: int
    strangers: tuple[str, ...] = ()
    dated_ahead: tuple[str, ...] = ()
    takedowns: tuple[str, ...] = ()
    uploads: int | None = 0


def maintain(
    lake: str, *, retention_hours: float = 168.0, orphan_hours: float = 24.0, dry_run: bool = False
) -> MaintenanceReport:
    """Make indexes, compact narrow families, write a checkpoint, and delete files that no kept version and no running step needs.

    Args:
        retention_hours: files that the newest version no longer holds are deleted when their removal is older than this.
        orphan_hours: files that no version names are deleted when they are older than this; longer than the longest step.
        dry_run: count, change nothing.

    Raises:
        UsageError: hours that are no number from 0 to ``MOST_HOURS``, or a folder of the lake that is a symbolic link.
        ConflictError: writers were faster throughout; try again when they rest.
        CorruptLakeError: a file cannot be read as it was committed.
        StorageError: the file system refused a write.
    """
    for name, hours in (("retention", retention_hours), ("orphan", orphan_hours)):
        if not 0 <= hours <= MOST_HOURS:  # NaN is neither
            raise UsageError(f"--{name}-hours: expected a number from 0 to {MOST_HOURS:,}, found {hours}")
    before = open_snapshot(lake)
    filesystem, root = filesystem_of(before.uri)
    refuse_links(filesystem, filesystem_of(lake)[1], join(root, LOG))
    if not dry_run:
        check_room(before)
    if not dry_run:
        make_indexes(lake)
    compacted = 0 if dry_run else compact(lake)
    after = open_snapshot(lake)
    if not dry_run:
        write_checkpoint(after)
    taken = [] if dry_run else delete_due(lake)
    swept = _sweep(after, retention_hours, orphan_hours, dry_run)
    return MaintenanceReport(
        version=after.version,
        files_before=before.files.num_rows,
        files_after=after.files.num_rows,
        compacted=compacted,
        deleted=swept.deleted,
        deleted_bytes=swept.deleted_bytes,
        orphans=swept.orphans,
        strangers=tuple(swept.strangers),
        dated_ahead=tuple(swept.dated_ahead),
        takedowns=tuple(taken),
        uploads=give_up_uploads(after.lake, orphan_hours, dry_run=dry_run),
    )


def compact(lake: str) -> int:
    """Rewrite small narrow files as files of up to 64 fragments; return how many files were replaced.

    Row groups are unchanged, but those of indexes, of which rows are sorted anew: see ``index_files``.
    """
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
        most = MOST_INDEX_ROWS if family in INDEXES else None
        ends = np.cumsum(mine["rows"].to_numpy())
        last = np.array(
            [max(fragments_of(b, m)) for b, m in zip(base.tolist(), mine["mask"].to_pylist(), strict=True)],
            dtype=np.int64,
        )
        while begin < mine.num_rows:
            end = begin + 1
            before = int(ends[begin - 1]) if begin else 0
            while end < mine.num_rows and last[end] - base[begin] < FRAGMENTS_PER_FILE:
                if most is not None and int(ends[end]) - before > most:
                    break
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

    if family in INDEXES:
        return write_family(
            snapshot.uri, family, batch, base, mask, operator, merged_index(snapshot.uri, family, paths)
        )

    def groups() -> Iterator[pa.Table]:
        # A file's row groups come in the order of its fragments, so each file is read once, a row group in memory at a time.
        readers = {path: read_file(snapshot.uri, path) for path in paths}
        for _, path in sorted(order):
            yield next(readers[path])

    # Files of one operator were made by the same models, so they have the same columns.
    return write_family(
        snapshot.uri, family, batch, base, mask, operator, groups(), file_own_scores(snapshot.uri, paths[0])
    )


@dataclass(kw_only=True, slots=True)
class _Swept:
    """What a sweep deleted, or would: files, their bytes, how many of them no version ever named, what was not Headwater's, and dates ahead."""

    deleted: int = 0
    deleted_bytes: int = 0
    orphans: int = 0
    strangers: list[str] = field(default_factory=list)
    dated_ahead: list[str] = field(default_factory=list)


def _sweep(snapshot: Snapshot, retention_hours: float, orphan_hours: float, dry_run: bool) -> _Swept:
    """Delete Headwater's own files that are neither live nor needed; everything else below the lake's folders is left and named."""
    filesystem, root = filesystem_of(snapshot.uri)
    lake = filesystem_of(snapshot.lake)[1]
    live = set(snapshot.files["path"].to_pylist()) | _pinned(snapshot)
    now = datetime.datetime.now(datetime.UTC)
    named = removal_times(snapshot)
    unsettled = _unsettled(snapshot)
    swept = _Swept()

    def delete(folder: str, file: RealFile, *, orphan: bool) -> None:
        if not dry_run:
            delete_file(filesystem, join(folder, file.path))
        swept.deleted += 1
        swept.deleted_bytes += file.size
        swept.orphans += orphan

    def delete_old(name: str, file: RealFile, moment: datetime.datetime, hours: float, *, orphan: bool) -> None:
        if moment - now > _CLOCKS:
            swept.dated_ahead.append(f"{name}/{file.path}")
        elif now - moment >= datetime.timedelta(hours=hours):
            delete(join(lake, name), file, orphan=orphan)

    for file in walk_files(filesystem, root):
        if file.path in live or (file.regular and is_of_log(file.path)):
            continue
        if not (file.regular and _OWN.fullmatch(file.path)):
            swept.strangers.append(f"samples/{file.path}")
            continue
        removed = named.get(file.path)
        limit = retention_hours if removed is not None else orphan_hours
        delete_old("samples", file, removed or file.written, limit, orphan=removed is None)
    # What a killed build task leaves beside its shards holds tokens of texts, what a killed training of a vocabulary leaves their pieces.
    for name, left in (
        ("builds", _LEFT_BY_BUILDS),
        ("vocabularies", _LEFT_BY_TRAININGS),
        ("benchmarks", re.compile(TEMPORARY_PATTERN)),
        ("scratch", re.compile(rf"[^/]+/({TEMPORARY_PATTERN}|[0-9a-f]{{32}}\.parquet)")),
        ("models", re.compile(TEMPORARY_PATTERN)),
        ("takedowns", re.compile(TEMPORARY_PATTERN)),
    ):
        for file in walk_files(filesystem, join(lake, name)):
            if not file.regular:
                swept.strangers.append(f"{name}/{file.path}".rstrip("/"))
            elif (found := left.fullmatch(file.path)) and found.groupdict().get("run") not in unsettled:
                delete_old(name, file, file.written, orphan_hours, orphan=True)
    return swept


def _unsettled(snapshot: Snapshot) -> set[str]:
    """Return the revisions of builds that were committed and of which the files may not be in place: what they made ready is needed."""
    return {
        row["run_id"]
        for path in snapshot.paths("runs")
        for table in read_file(snapshot.uri, path, ["step", "ended", "run_id"])
        for row in table.to_pylist()
        if row["step"] == "revise" and row["ended"] is None
    }


def removal_times(snapshot: Snapshot) -> dict[str, datetime.datetime]:
    """Return files that earlier versions held → when the newest of them was replaced, from the log."""
    found: dict[str, datetime.datetime] = {}
    for version, data in read_log(snapshot.uri, range(snapshot.version + 1)):
        newest = version == snapshot.version
        with entry_damage_told(snapshot.uri, version, newest=newest, expected="the time of each removal"):
            for kind, body in read_entry(data):
                if kind == "remove":
                    moment = datetime.datetime.fromtimestamp(body["deletionTimestamp"] / 1000, datetime.UTC)
                    found[body["path"]] = moment
    return found


def _pinned(snapshot: Snapshot) -> set[str]:
    """Return the files of the versions that builds were made from: a build can always be explained and made again."""
    return {path for files in pinned_files(snapshot).values() for path in files["path"].to_pylist()}


def pinned_files(snapshot: Snapshot, *, ended_only: bool = False) -> dict[int, pa.Table]:
    """Return the versions that builds stand on, ascending → which of their files are kept, in the columns of ``Snapshot.files``.

    Args:
        ended_only: leave out builds that have not ended, which are made from the newest version when they go on.
    """
    whole, counted = _pins(snapshot, ended_only=ended_only)
    found = {}
    for version in sorted(whole | counted):
        files = open_snapshot(snapshot.lake, version).files
        found[version] = files if version in whole else files.filter(pc.is_in(files["family"], _COUNTED))
    return found


def _is_record(value: object) -> bool:
    return isinstance(value, dict)


def _pins(snapshot: Snapshot, *, ended_only: bool = False) -> tuple[set[int], set[int]]:
    """Return the versions that builds stand on whole, and those on which they stand only for spans and token counts."""
    builds: dict[str, list[Row]] = {}
    for path in snapshot.paths("runs"):
        for table in read_file(
            snapshot.uri, path, ["step", "input_version", "operators", "started", "ended", "run_id"]
        ):
            for row in table.filter(pc.is_in(table["step"], _PINNING)).to_pylist():
                for record in filter(_is_record, json.loads(row["operators"]).values()):
                    builds.setdefault(str(record.get("build")), []).append(row | {"record": record})
    whole: set[int] = set()
    counted: set[int] = set()
    for rows in builds.values():
        if ended_only and not any(row["ended"] is not None for row in rows):
            continue
        rows.sort(key=lambda row: (row["started"], row["run_id"]))
        # What came before a revision that ended, the build itself too, stands nowhere any more: its texts may have been taken down.
        ended = [place for place, row in enumerate(rows) if row["step"] == "revise" and row["ended"] is not None]
        for row in rows[ended[-1] if ended else 0 :]:
            whole.add(row["input_version"])
            if row["record"].get("counted_at") is not None:
                counted.add(row["record"]["counted_at"])
    return whole, counted
