"""Deletion of the files that a takedown replaced: those of earlier versions, and what killed writers left, that may hold what was taken down.

A file's name says which fragments it covers, so nothing is opened. Builds do not keep such a file: each has been revised, and stands on a version
without the samples. Only versions on which builds stand that the takedown was told to leave as they are stay whole.
"""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from typing import Final

from headwater.warehouse.faults import reach
from headwater.warehouse.filesystem import delete_file, filesystem_of, join
from headwater.warehouse.fragments import FRAGMENTS_PER_FILE, NAME_PATTERN, ROW_BITS, parse_name
from headwater.warehouse.real_files import TEMPORARY_PATTERN, walk_files
from headwater.warehouse.schema import FAMILIES
from headwater.warehouse.snapshot import Snapshot, open_snapshot
from headwater.warehouse.takedown_records import Record, read_records, write_record

__all__ = ["delete_due", "delete_replaced", "replaced_files"]

_NAME: Final = re.compile(NAME_PATTERN)
_TEMPORARY: Final = re.compile(rf"family=({'|'.join(FAMILIES)})/batch=[^/]+/{TEMPORARY_PATTERN}")
_NO_TEXT: Final = ("placements", "stages", "takedowns", "vocabularies")
"""Families by sample that hold nothing of a text but the address of its sample."""
_OLD: Final = datetime.timedelta(hours=24)
"""Age at which a file that was being written belongs to no running step, as for ``maintain``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Replaced:
    path: str
    size: int


def _covers(path: str, fragments: frozenset[int]) -> bool:
    """Return whether a file may hold something of samples of some fragments."""
    name = parse_name(path)
    if not FAMILIES[name.family].by_sample or name.family in _NO_TEXT:
        return False
    return any(
        name.mask >> (fragment - name.base) & 1
        for fragment in fragments
        if 0 <= fragment - name.base < FRAGMENTS_PER_FILE
    )


def _fragments(record: Record) -> frozenset[int]:
    return frozenset(sample >> ROW_BITS for sample in record.samples)


def replaced_files(snapshot: Snapshot, record: Record) -> tuple[list[_Replaced], list[str]]:
    """Return the files on disk that may hold what was taken down, and what else may and cannot be deleted, with the reason.

    Args:
        snapshot: a version in which it is taken down.
    """
    filesystem, root = filesystem_of(snapshot.uri)
    live = set(snapshot.files["path"].to_pylist())
    from headwater.warehouse.maintain import pinned_files  # which deletes what is due by this module

    kept = {path for files in pinned_files(snapshot, ended_only=True).values() for path in files["path"].to_pylist()}
    fragments = _fragments(record)
    removed_at = datetime.datetime.fromisoformat(record.removed_at or "9999-01-01T00:00:00+00:00")
    now = datetime.datetime.now(datetime.UTC)
    found: list[_Replaced] = []
    left: list[str] = []
    for file in walk_files(filesystem, root):
        if file.regular and _TEMPORARY.fullmatch(file.path):
            # Which fragments it is of is not known yet; a step that runs may be writing it.
            if file.written < min(removed_at, now - _OLD):
                found.append(_Replaced(path=file.path, size=file.size))
            elif file.written < removed_at:
                left.append(
                    f"samples/{file.path}: a step that runs may be writing it; maintain deletes it when it is a day old"
                )
        elif file.regular and _NAME.fullmatch(file.path) and file.path not in live and _covers(file.path, fragments):
            if file.path in kept:
                left.append(f"samples/{file.path}: a build stands on it")
            elif file.written < removed_at:
                found.append(_Replaced(path=file.path, size=file.size))
    return found, left


def delete_replaced(lake: str, record: Record, *, dry_run: bool = False) -> None:
    """Delete the files of earlier versions that may hold what was taken down, and note in the record what was deleted and what was not."""
    snapshot = open_snapshot(lake)
    filesystem, root = filesystem_of(snapshot.uri)
    found, left = replaced_files(snapshot, record)
    for number, file in enumerate(found):
        if not dry_run:
            reach(f"takedown/delete/{number}")
            delete_file(filesystem, join(root, file.path))
    before = record.deleted
    record.deleted = {
        "files": before.get("files", 0) + len(found),
        "bytes": before.get("bytes", 0) + sum(file.size for file in found),
    }
    record.left = left


def delete_due(lake: str) -> list[str]:
    """Delete the older files of takedowns whose time has come, and return the ids of these."""
    now = datetime.datetime.now(datetime.UTC)
    done = []
    for record in read_records(lake):
        if record.reached("revised") and not record.reached("deleted") and record.is_due(now):
            delete_replaced(lake, record)
            record.state = "deleted"
            write_record(lake, record)
            done.append(record.takedown)
    return done
