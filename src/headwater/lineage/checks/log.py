"""Verify, the part about the table's log: its entries are whole and follow each other, and what opens is what they say.

The entries are replayed from the first, one in memory at a time. Of the live files a digest each is held.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b, sha256
from typing import Final

from headwater.errors import CorruptLakeError
from headwater.lineage.builds import LakeView
from headwater.lineage.checks.found import Found
from headwater.plain import JsonObject
from headwater.warehouse.filesystem import exists, file_sha256, filesystem_of, join, read_bytes
from headwater.warehouse.footers import Footer, read_footer
from headwater.warehouse.fragments import NAME_PATTERN
from headwater.warehouse.log import (
    CHECKPOINT_RECORD,
    HEAD_RECORD,
    LAST_CHECKPOINT,
    PREVIOUS,
    checkpoint_names,
    entry_fault,
    entry_name,
    entry_numbers,
    entry_sha256,
    log_folder,
    misplaced_names,
    read_entry,
    read_log,
    read_record,
)
from headwater.warehouse.many_files import for_each
from headwater.warehouse.snapshot import Snapshot

__all__ = ["log_entries", "log_statistics"]

_NAME: Final = re.compile(NAME_PATTERN)
_WRITERS: Final = ("headwater", "fragments")
"""Application ids whose numbers decide what the next commit does."""
_DIGITS: Final = 20
"""Of a version, in the name of its checkpoint."""


@dataclass(kw_only=True, slots=True)
class _Replay:
    """What the entries so far make of the table.

    Attributes:
        live: digest of a live file's path → digest of what the log says of it.
        numbers: application id → its last number, of those in ``_WRITERS``.
        table: the last action metaData.
        chained: the first entry that named its predecessor; None where none has.
        faults: what was wrong.
    """

    live: dict[bytes, bytes] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    table: JsonObject = field(default_factory=dict)
    chained: int | None = None
    faults: list[str] = field(default_factory=list)


def log_entries(lake: LakeView) -> Found:
    """Every entry is there once, follows the one that it names, and together they give the table that was opened; records agree."""
    snapshot = lake.snapshot
    numbers = entry_numbers(snapshot.uri)
    newest = max(numbers)
    replay = _Replay()
    there = {number for number in numbers if number <= snapshot.version}
    for version in sorted(set(range(snapshot.version + 1)) - there):
        replay.faults.append(
            entry_fault(snapshot.uri, version, newest=version == newest) or f"{entry_name(version)} is gone"
        )
    last: tuple[int, str] | None = None
    unnamed: int | None = None
    for version, data in read_log(snapshot.uri, sorted(there)):
        try:
            actions = read_entry(data)
            named = _apply(replay, actions, version)
        except (ValueError, KeyError, TypeError, AttributeError):
            fault = entry_fault(snapshot.uri, version, newest=version == newest)
            replay.faults.append(fault or f"{entry_name(version)} holds what no release writes; restore it from a copy")
            last = None
            continue
        if named is None and replay.chained is not None:
            unnamed = version
        elif named is not None:
            replay.chained = version if replay.chained is None else replay.chained
            unnamed = None
            if last is not None and last[0] == version - 1 and last[1] != named:
                replay.faults.append(
                    f"{entry_name(version)} does not follow {entry_name(version - 1)} as that is now: one of them was changed or put there later"
                )
        last = version, sha256(data).hexdigest()
    if unnamed is not None:
        replay.faults.append(
            f"{entry_name(unnamed)} names no entry that it follows, as entries before it do: another program or release wrote it"
        )
    if snapshot.log_uri != snapshot.uri:
        replay.faults.append(
            f"a checkpoint cannot be read, and the lake was opened from its log: headwater maintain {snapshot.lake} --repair-log"
        )
    if snapshot.version == newest:
        replay.faults += _record_faults(snapshot, replay.chained)
    replay.faults += _differences(snapshot, replay)
    return len(there), replay.faults


def _apply(replay: _Replay, actions: list[tuple[str, JsonObject]], version: int) -> str | None:
    """Add an entry's actions to the replay; return the SHA-256 that it names of its predecessor.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: a value is of another kind than Delta's.
    """
    named: str | None = None
    name = entry_name(version)
    counted = False
    for kind, body in sorted(actions, key=lambda action: action[0] != "remove"):
        if kind == "remove":
            if replay.live.pop(_digest(body["path"]), None) is None:
                replay.faults.append(f"{name} removes {body['path']}, which was not live before it")
        elif kind == "add":
            path = body["path"]
            parts = _NAME.fullmatch(path)
            if parts is None or body["partitionValues"] != {"family": parts["family"], "batch": parts["batch"]}:
                replay.faults.append(f"{name} adds a file whose family or batch is not that of its path")
            if _digest(path) in replay.live:
                replay.faults.append(f"{name} adds {path}, which is live already")
            replay.live[_digest(path)] = _facts_of(body)
        elif kind == "txn" and body["appId"] in _WRITERS:
            before = replay.numbers.get(body["appId"], 0)
            number = int(body["version"])
            if number < before or (body["appId"] == "headwater" and number != before + 1):
                replay.faults.append(f"{name} has number {number} of {body['appId']!r} after {before}")
            replay.numbers[body["appId"]] = number
            counted |= body["appId"] == "headwater"
        elif kind == "metaData":
            replay.table = body
        elif kind == "commitInfo":
            named = body.get(PREVIOUS)
    if version and not counted:
        replay.faults.append(f"{name} is not a commit of Headwater's: another program wrote to this table")
    return named


def _digest(*values: object) -> bytes:
    return blake2b(json.dumps(values).encode(), digest_size=16).digest()


def _facts_of(add: JsonObject) -> bytes:
    told = json.loads(add["stats"])
    low, high = told.get("minValues", {}), told.get("maxValues", {})
    return _digest(add["size"], told["numRecords"], low.get("sample_id"), high.get("sample_id"))


def _differences(snapshot: Snapshot, replay: _Replay) -> list[str]:
    """Return in what the table that was opened, as a rule from a checkpoint, differs from the entries; empties ``replay.live``."""
    faults = []
    files = snapshot.files.select(["path", "size", "rows", "min_id", "max_id"])
    for batch in files.to_batches(max_chunksize=4096):
        for row in batch.to_pylist():
            said = replay.live.pop(_digest(row["path"]), None)
            if said != _digest(row["size"], row["rows"], row["min_id"], row["max_id"]):
                what = "is not live" if said is None else "has another size or other statistics"
                faults.append(f"{row['path']} {what} by the log's entries")
    if replay.live:
        faults.append(
            f"{len(replay.live)} files that are live by the log's entries are missing from the table as it opens"
        )
    faults += [
        f"expected number {replay.numbers.get(app)} of {app!r}, as the log's entries say, found {snapshot.transaction(app)}"
        for app in _WRITERS
        if snapshot.transaction(app) != replay.numbers.get(app)
    ]
    if replay.table:
        opened = snapshot.described()
        said_of = {
            "description": replay.table.get("description"),
            "configuration": replay.table.get("configuration"),
            "partition columns": replay.table.get("partitionColumns"),
            "schema": json.loads(replay.table.get("schemaString", "null")),
        }
        faults += [
            f"the table's {name} is not what the log's entries say" for name in said_of if said_of[name] != opened[name]
        ]
    if faults:
        faults.append(f"write the checkpoint anew from the entries: headwater maintain {snapshot.lake} --repair-log")
    return faults


def _record_faults(snapshot: Snapshot, chained: int | None) -> list[str]:
    """Return in what the records beside the log, and the checkpoints that they name, differ from the log."""
    faults = []
    mend = f"headwater maintain {snapshot.lake} --repair-log"
    try:
        head = read_record(snapshot.uri, HEAD_RECORD)
        if head is None:
            faults += [f"{HEAD_RECORD} is gone; write it anew: {mend}"] if chained is not None else []
        elif head["version"] > snapshot.version and head["version"] not in entry_numbers(snapshot.uri):
            faults.append(
                f"the log ended with {entry_name(head['version'])} and now ends with {entry_name(snapshot.version)}: restore the entries between "
                f"from a copy; without one: {mend}, then run the last step again"
            )
        elif head["version"] <= snapshot.version and entry_sha256(snapshot.uri, head["version"]) != head["sha256"]:
            faults.append(
                f"{entry_name(head['version'])} has not the hash that {HEAD_RECORD} says; restore it from a copy"
            )
    except CorruptLakeError as error:
        faults.append(str(error))
    try:
        faults += [f"{fault}; write it anew: {mend}" for fault in _checkpoint_faults(snapshot, chained)]
    except CorruptLakeError as error:
        faults.append(str(error))
    return faults


def _checkpoint_faults(snapshot: Snapshot, chained: int | None) -> list[str]:
    filesystem, folder = log_folder(snapshot.uri)
    misplaced = [
        f"expected a file at {name} of the log, found none, but a folder or a link"
        for name in misplaced_names(snapshot.uri)
    ]
    if misplaced:
        return misplaced
    there = checkpoint_names(snapshot.uri)
    if exists(filesystem, join(folder, LAST_CHECKPOINT)) is not None:
        there.append(LAST_CHECKPOINT)
    record = read_record(snapshot.uri, CHECKPOINT_RECORD)
    if record is None:
        # An earlier release wrote none; what its checkpoints hold is held against the entries all the same.
        todays = chained is not None and any(name >= entry_name(chained) for name in there if name != LAST_CHECKPOINT)
        if todays:
            return [f"{name} has no recorded hash" for name in there]
        pointed = LAST_CHECKPOINT not in there or _names_checkpoint(
            read_bytes(filesystem, join(folder, LAST_CHECKPOINT)), there
        )
        return [] if pointed else [f"{LAST_CHECKPOINT} names no checkpoint that is there"]
    # A writer that was killed between a checkpoint and its record leaves one that is newer than all recorded: it is what the table was
    # opened from, and so was held against the entries. What names the newest one names it then, or another that is there.
    newest = max((name for name in record["files"] if name != LAST_CHECKPOINT), default="")
    unrecorded = [name for name in there if name not in record["files"]]
    ahead = [name for name in there if name != LAST_CHECKPOINT and name[:_DIGITS] > newest[:_DIGITS]]
    faults = [
        f"{name} has no recorded hash" for name in unrecorded if not ahead or name not in (*ahead, LAST_CHECKPOINT)
    ]
    for name, recorded in record["files"].items():
        if name not in there:
            faults.append(f"{name} is gone")
        elif ahead and name == LAST_CHECKPOINT:
            if not _names_checkpoint(read_bytes(filesystem, join(folder, name)), there):
                faults.append(f"{name} names no checkpoint that is there")
        elif file_sha256(filesystem, join(folder, name)) != recorded:
            faults.append(f"{name} has not the SHA-256 that was recorded of it")
    return faults


def _names_checkpoint(pointer: bytes, there: list[str]) -> bool:
    """Return whether the record of the newest checkpoint, which nothing has a hash of, names one that is there."""
    try:
        version = json.loads(pointer.decode())["version"]
        return any(name.startswith(f"{version:020d}.checkpoint.") for name in there)
    except (ValueError, KeyError, TypeError, RecursionError):
        return False


def log_statistics(lake: LakeView) -> Found:
    """Size, rows and least and greatest sample_id that the log says of a live file are those of the file and its footer."""
    faults = []
    snapshot = lake.snapshot
    said = snapshot.files.select(["path", "size", "rows", "min_id", "max_id"]).to_pylist()
    footers = for_each(filesystem_of(snapshot.uri)[0], partial(_footer, snapshot.uri), [row["path"] for row in said])
    for row, footer in zip(said, footers, strict=True):
        if isinstance(footer, str):
            faults.append(footer)
            continue
        for name, found in (
            ("size", footer.size),
            ("rows", footer.rows),
            ("min_id", footer.min_id),
            ("max_id", footer.max_id),
        ):
            if row[name] != found:
                faults.append(f"{row['path']}: the log says {name} {row[name]}, the file {found}")
    return snapshot.files.num_rows, faults


def _footer(table_uri: str, path: str) -> Footer | str:
    """Return what the footer of a file says, or why it cannot be read."""
    try:
        return read_footer(table_uri, path)
    except CorruptLakeError as error:
        return str(error)
