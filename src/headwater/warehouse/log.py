"""The table's log as files: its entries in order, each naming the one before by its SHA-256, and a record of the newest.

delta-rs writes the entries. Headwater adds to each the hash of its predecessor (``headwater.previous`` in ``commitInfo``), and beside the log
two small records of its own, which every other reader passes over: the newest entry's hash and the hashes of checkpoints. So no entry can
change, vanish or be doubled unseen. Entries that an earlier release wrote name no predecessor.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from pyarrow import fs as pafs

from headwater.errors import CorruptLakeError, StorageError, one_line
from headwater.plain import JsonObject
from headwater.warehouse.filesystem import (
    exists,
    file_sha256,
    filesystem_of,
    is_local,
    join,
    parent,
    read_bytes,
    write_file,
)
from headwater.warehouse.storage import hide_secrets

__all__ = [
    "CHECKPOINT_RECORD",
    "HEAD_RECORD",
    "LAST_CHECKPOINT",
    "LOG",
    "PREVIOUS",
    "checkpoint_names",
    "entry_damage_told",
    "entry_fault",
    "entry_name",
    "entry_numbers",
    "entry_sha256",
    "entry_stamp",
    "find_fault",
    "is_of_log",
    "log_folder",
    "misplaced_names",
    "plain_message",
    "read_entry",
    "read_log",
    "read_record",
    "record_checkpoints",
    "record_head",
]

LOG: Final = "_delta_log"
PREVIOUS: Final = "headwater.previous"
"""Key of ``commitInfo`` with the SHA-256 of the entry before."""
HEAD_RECORD: Final = "_headwater_head"
CHECKPOINT_RECORD: Final = "_headwater_checkpoints"
LAST_CHECKPOINT: Final = "_last_checkpoint"
_FORMAT: Final = 1
_READINGS: Final = 3
_TRIES: Final = 10
_ENTRY: Final = re.compile(r"([0-9]{20})\.json")
_CHECKPOINT: Final = re.compile(r"[0-9]{20}\.checkpoint(\..+)?\.parquet")
_ASIDE: Final = re.compile(r"_headwater_.+\.aside-[0-9a-f]{8}")
_COLOURS: Final = re.compile("\x1b\\[[0-9;]*[A-Za-z]")
_KINDS: Final = {"commitInfo", "add", "remove", "txn", "metaData", "protocol"}


def plain_message(error: BaseException) -> str:
    """Return what a library says of an error in one line, without the colours and lists of causes that some write for a screen."""
    return one_line(hide_secrets(_COLOURS.sub("", str(error))))


def log_folder(uri: str) -> tuple[pafs.FileSystem, str]:
    """Return the file system of a table and the path of its log."""
    filesystem, path = filesystem_of(uri)
    return filesystem, join(path, LOG)


def entry_name(version: int) -> str:
    """Return the name of the entry that made a version.

    >>> entry_name(12)
    '00000000000000000012.json'
    """
    return f"{version:020d}.json"


def _names(uri: str) -> list[str]:
    filesystem, folder = log_folder(uri)
    for place in (parent(folder), folder):
        if filesystem.get_file_info(place).type == pafs.FileType.File:
            raise CorruptLakeError(
                f"expected the folder of the table's log at {folder}, found a file at {place}; restore the lake's folder samples from a copy"
            )
    found = filesystem.get_file_info(pafs.FileSelector(folder, allow_not_found=True))
    return sorted(info.base_name for info in found if info.type == pafs.FileType.File)


def misplaced_names(uri: str) -> list[str]:
    """Return the names of checkpoints and of what lies beside the entries at which there is something that is no file."""
    filesystem, folder = log_folder(uri)
    if not is_local(filesystem) or not Path(folder).is_dir():
        return []  # stores have no folders
    named = {HEAD_RECORD, CHECKPOINT_RECORD, LAST_CHECKPOINT}
    return sorted(
        place.name
        for place in Path(folder).iterdir()
        if (place.name in named or _CHECKPOINT.fullmatch(place.name)) and not place.is_file()
    )


def entry_numbers(uri: str) -> list[int]:
    """Return the versions whose entries are there, ascending."""
    return [int(match[1]) for name in _names(uri) if (match := _ENTRY.fullmatch(name))]


def checkpoint_names(uri: str) -> list[str]:
    """Return the names of the log's checkpoints, oldest first."""
    return [name for name in _names(uri) if _CHECKPOINT.fullmatch(name)]


def is_of_log(path: str) -> bool:
    """Return whether a path relative to the table is that of a file of the log: of an entry, a checkpoint, a record, or one set aside.

    >>> is_of_log("_delta_log/00000000000000000012.json"), is_of_log("_delta_log/notes.txt")
    (True, False)
    """
    folder, _, name = path.rpartition("/")
    name = re.sub("#[0-9]+$", "", name)  # what delta-rs was writing when it was killed
    return folder == LOG and bool(
        name in {HEAD_RECORD, CHECKPOINT_RECORD, LAST_CHECKPOINT}
        or _ENTRY.fullmatch(name)
        or _CHECKPOINT.fullmatch(name)
        or _ASIDE.fullmatch(name)
    )


def read_entry(data: bytes) -> list[tuple[str, JsonObject]]:
    """Return the actions of an entry: what each is, and what it says.

    Raises:
        ValueError: no release wrote this; the message repeats nothing of it.
    """
    if not data:
        raise ValueError("an empty file")
    actions: list[tuple[str, JsonObject]] = []
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line and number > 1:
            continue
        try:
            found = json.loads(line.decode())  # of bytes, json.loads would pass over a byte order mark, and take UTF-16
        except (ValueError, RecursionError):
            raise ValueError(f"no JSON in line {number}") from None
        if not isinstance(found, dict) or len(found) != 1 or not _KINDS.issuperset(found):
            raise ValueError(f"no action of Delta's in line {number}")
        ((kind, body),) = found.items()
        if not isinstance(body, dict):
            raise ValueError(f"no action of Delta's in line {number}")
        actions.append((kind, body))
    for kind, key in (("add", "path"), ("remove", "path"), ("txn", "appId")):
        named = [body.get(key) for each, body in actions if each == kind]
        if not all(isinstance(name, str) for name in named) or len(set(named)) != len(named):
            raise ValueError(f"an action {kind} twice, or one without {key}")
    if [kind for kind, _ in actions].count("commitInfo") != 1:
        raise ValueError("not one commitInfo")
    return actions


def entry_fault(uri: str, version: int, *, newest: bool) -> str | None:
    """Return what is wrong with an entry taken alone, in one line that says what to do, or None.

    Args:
        newest: whether no other entry comes after it, so that the lake can do without it.
    """
    filesystem, folder = log_folder(uri)
    place = join(folder, entry_name(version))
    way_on = "restore it from a copy of the lake"
    if newest:
        lake = parent(uri)
        way_on += f"; without one, headwater maintain {lake} --repair-log sets it aside: run the last step again then"
    if exists(filesystem, place) is None:
        return f"expected an entry of the log at {place}, found none; {way_on}"
    try:
        read_entry(read_bytes(filesystem, place))
    except ValueError as error:
        return f"expected a commit in {place}, found {error}; {way_on}"
    return None


@contextlib.contextmanager
def entry_damage_told(uri: str, version: int, *, newest: bool, expected: str) -> Iterator[None]:
    """Tell what cannot be read or made of an entry within as damage to the log, in one line that says what to do.

    Args:
        newest: whether no other entry comes after it.
        expected: what an entry of Headwater's would have had, where Delta can read this one.

    Raises:
        CorruptLakeError: it cannot.
    """
    try:
        yield
    except (ValueError, KeyError, TypeError, OverflowError, OSError):
        fault = entry_fault(uri, version, newest=newest)
        raise CorruptLakeError(
            fault
            or f"expected {expected} in {entry_name(version)} of the log, found something else; restore it from a copy"
        ) from None


def find_fault(uri: str) -> str | None:
    """Return the first fault among the entries that are read to open the newest version without a checkpoint, or None."""
    newest = max(entry_numbers(uri), default=-1)
    for version in range(newest + 1):
        fault = entry_fault(uri, version, newest=version == newest)
        if fault is not None:
            return fault
    return None


def entry_sha256(uri: str, version: int) -> str | None:
    """Return the SHA-256 of an entry, or None where it is not there."""
    filesystem, folder = log_folder(uri)
    with contextlib.suppress(FileNotFoundError):
        return file_sha256(filesystem, join(folder, entry_name(version)))
    return None


def entry_stamp(uri: str, version: int, *, newest: bool) -> tuple[int, int] | None:
    """Return size and time of writing of a version's entry, by which a log made anew is told from the one that was read before.

    None where it is not there or, with ``newest``, where an entry comes after it.
    """
    filesystem, folder = log_folder(uri)
    names = [entry_name(version), *([entry_name(version + 1)] if newest else [])]
    infos = filesystem.get_file_info([join(folder, name) for name in names])
    if infos[0].type != pafs.FileType.File or any(info.type != pafs.FileType.NotFound for info in infos[1:]):
        return None
    return int(infos[0].size), int(infos[0].mtime_ns or 0)


def record_head(uri: str, version: int) -> None:
    """Write down the newest entry's hash.

    A record that could not be written, or that another writer wrote over, is of an earlier version; checks know that, and the commit stands.
    """
    with contextlib.suppress(StorageError, OSError):
        _write(uri, HEAD_RECORD, {"format": _FORMAT, "version": version, "sha256": entry_sha256(uri, version)})


def record_checkpoints(uri: str, version: int = -1) -> None:
    """Write down the hashes of the log's checkpoints, that of ``version``, which was just written, anew, and of the file that names the newest.

    Of checkpoints that were recorded before, the hash of then stays: so damage since is seen. Another writer may make a checkpoint meanwhile,
    and write over this record: what is recorded is looked at again after, until it is what is there.

    Raises:
        StorageError: the file system refused.
        CorruptLakeError: the record before is damaged.
    """
    filesystem, folder = log_folder(uri)
    recorded: JsonObject = (read_record(uri, CHECKPOINT_RECORD) or {"files": {}})["files"]
    known = {name: sha256 for name, sha256 in recorded.items() if not name.startswith(entry_name(version)[:20])}
    for _ in range(_TRIES):
        files = {}
        for name in checkpoint_names(uri):
            known[name] = files[name] = known.get(name) or file_sha256(filesystem, join(folder, name))
        if exists(filesystem, join(folder, LAST_CHECKPOINT)) is not None:
            files[LAST_CHECKPOINT] = file_sha256(filesystem, join(folder, LAST_CHECKPOINT))
        if (read_record(uri, CHECKPOINT_RECORD) or {}).get("files") == files:
            return
        _write(uri, CHECKPOINT_RECORD, {"format": _FORMAT, "files": files})


def _write(uri: str, name: str, record: JsonObject) -> None:
    data = json.dumps(record, sort_keys=True, indent=1).encode() + b"\n"
    write_file(join(uri, LOG), name, data, root=parent(uri))


def read_record(uri: str, name: str) -> JsonObject | None:
    """Return one of the two records, or None where there is none.

    Raises:
        CorruptLakeError: it is damaged.
    """
    filesystem, folder = log_folder(uri)
    place = join(folder, name)
    if exists(filesystem, place) is None:
        return None
    # A store gives length and bytes by two requests, and another writer may replace the record in between.
    for _ in range(1 if is_local(filesystem) else _READINGS):
        found = _parse_record(read_bytes(filesystem, place), name)
        if found is not None:
            return found
    lake = parent(uri)
    raise CorruptLakeError(
        f"expected a record of format {_FORMAT} at {place}, found none; write it again: headwater maintain {lake} --repair-log"
    )


def _parse_record(data: bytes, name: str) -> JsonObject | None:
    """Return what a record says, or None where it is damaged."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or found.get("format") != _FORMAT:
        return None
    if name == HEAD_RECORD:
        whole = set(found) == {"format", "version", "sha256"} and type(found["version"]) is int
    else:
        whole = set(found) == {"format", "files"} and isinstance(found["files"], dict)
    return found if whole else None


def read_log(uri: str, numbers: Iterable[int]) -> Iterator[tuple[int, bytes]]:
    """Yield the bytes of entries that are there, one at a time."""
    filesystem, folder = log_folder(uri)
    for version in numbers:
        with contextlib.suppress(FileNotFoundError):
            yield version, read_bytes(filesystem, join(folder, entry_name(version)))
