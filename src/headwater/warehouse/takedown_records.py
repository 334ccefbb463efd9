"""The record of a takedown: what was asked, what is done and what is left to do, one JSON file each in the lake's folder ``takedowns``.

It is written before anything is removed, and again after each part that was done, whole or not at all: a takedown that was killed goes on from
it. It names samples by their ids and what was asked for by a keyed hash; no text, URL or host stands in it.
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import Final

from pyarrow import fs as pafs

from headwater.errors import CorruptLakeError, UsageError
from headwater.plain import JsonObject
from headwater.untrusted import parse_json
from headwater.warehouse.filesystem import filesystem_of, join, read_bytes, write_file

__all__ = ["FOLDER", "STATES", "Record", "read_record", "read_records", "write_record"]

FOLDER: Final = "takedowns"
_FORMAT: Final = 2
_READ: Final = (1, 2)
"""Formats that are read: 1 tells neither sequences, training nor the hashes of the report."""
_NAME: Final = re.compile(r"([0-9]{8}T[0-9]{6}-[0-9a-f]{8})\.json")
STATES: Final = ("planned", "removed", "revised", "deleted", "ended")
"""How far a takedown is: written down; gone from the newest version of the table; from builds; from older files; reported."""


@dataclass(kw_only=True, slots=True)
class Record:
    """One takedown.

    Attributes:
        takedown: its id: time and 32 random bits.
        state: one of ``STATES``, the last that is done.
        request: keyed hash of what was asked for, by which the same command finds a takedown that was killed.
        key_id: what the lake's key is known by; code_version: of Headwater.
        named: how many samples were named; exact: copies of them; near: near-duplicates of them.
        samples: ids of all of them, ascending.
        records: file and number of refused records that were named.
        near_from: least similarity of the near-duplicates, None where these stay.
        build_names: builds that are to be revised, None for all.
        due: when older files are deleted, ISO 8601.
        version: of the table in which they are gone.
        new_winners: sample that went → the one that takes its place in its cluster.
        removed: family → rows that were emptied or left out.
        rewritten: files written again and their bytes.
        removed_at: when they were, ISO 8601; run_id: of the run that did it.
        training: how training took the sequences of builds, as it was told; None: it was not.
        places: build and stage → how many of them were there, with their copies, tokens, sequences and shards, and the training steps that
            took them, before anything was done.
        restarted: builds that had not ended and had chosen some of them: they are built anew from a selection without them.
        revised: build → what was revised of it.
        settled: builds that stand on a version without them, those that held none too.
        unrevised: build → why it still holds some.
        deleted: files and bytes of older versions that were deleted.
        left: what was not deleted, and why.
        proof: what a search for the texts found.
        report: ending of each file of the report → its SHA-256, of a takedown that has ended.
    """

    takedown: str
    who: str
    why: str
    asked_at: str
    request: str
    key_id: str = ""
    code_version: str = ""
    state: str = "planned"
    named: int = 0
    exact: int = 0
    near: int = 0
    samples: list[int] = field(default_factory=list)
    records: list[list[int]] = field(default_factory=list)
    near_from: float | None = None
    build_names: list[str] | None = None
    due: str | None = None
    version: int | None = None
    removed_at: str | None = None
    run_id: str | None = None
    new_winners: list[list[int]] = field(default_factory=list)
    removed: dict[str, int] = field(default_factory=dict)
    rewritten: dict[str, int] = field(default_factory=dict)
    revised: dict[str, JsonObject] = field(default_factory=dict)
    settled: list[str] = field(default_factory=list)
    unrevised: dict[str, str] = field(default_factory=dict)
    restarted: list[str] = field(default_factory=list)
    places: list[JsonObject] = field(default_factory=list)
    deleted: dict[str, int] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)
    proof: JsonObject = field(default_factory=dict)
    training: JsonObject | None = None
    report: dict[str, str] = field(default_factory=dict)

    def is_due(self, now: datetime.datetime) -> bool:
        """Return whether older files are to be deleted now."""
        return self.due is not None and datetime.datetime.fromisoformat(self.due) <= now

    def reached(self, state: str) -> bool:
        """Return whether a part is done."""
        return STATES.index(self.state) >= STATES.index(state)


def write_record(lake: str, record: Record) -> None:
    """Write the record of a takedown, over the one that is there.

    Raises:
        StorageError: the file system refused.
    """
    told = {"format": _FORMAT, **dataclasses.asdict(record)}
    data = json.dumps(told | {"digest": _digest(told)}, sort_keys=True, indent=1).encode() + b"\n"
    write_file(join(lake, FOLDER), f"{record.takedown}.json", data, root=lake)


def read_records(lake: str) -> list[Record]:
    """Return the takedowns of a lake, oldest first.

    Raises:
        CorruptLakeError: a record is damaged.
    """
    filesystem, folder = filesystem_of(join(lake, FOLDER))
    found = filesystem.get_file_info(pafs.FileSelector(folder, allow_not_found=True))
    names = sorted(info.base_name for info in found if info.type == pafs.FileType.File)
    return [_parse(filesystem, join(folder, name)) for name in names if _NAME.fullmatch(name)]


def read_record(lake: str, takedown: str) -> Record:
    """Return one takedown.

    Raises:
        UsageError: the lake has none of that id.
        CorruptLakeError: the record is damaged.
    """
    found = read_records(lake)
    for record in found:
        if record.takedown == takedown:
            return record
    listed = ", ".join(record.takedown for record in found) or "none"
    raise UsageError(f"expected a takedown of this lake, found none with id {takedown!r}; it has {listed}")


def _digest(told: JsonObject) -> str:
    """Return a hash of a record, which it holds itself: a flipped bit of it is found."""
    return hashlib.blake2b(json.dumps(told, sort_keys=True).encode(), digest_size=16).hexdigest()


def _parse(filesystem: pafs.FileSystem, place: str) -> Record:
    try:
        told = parse_json(read_bytes(filesystem, place))
        whole = told.pop("digest") == _digest(told)
        named = told["takedown"] == place.rpartition("/")[2].removesuffix(".json")  # else two have changed places
        if whole and named and told.pop("format") in _READ and told["state"] in STATES and _is_sound(told):
            return Record(**told)
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    raise CorruptLakeError(
        f"expected the record of a takedown, of format {' or '.join(map(str, _READ))}, at {place}, found another file; restore it from a copy"
    )


def _is_sound(told: JsonObject) -> bool:
    """Return whether what is computed with has the types that it must have.

    Raises:
        ValueError: a time is none.
        KeyError: a field is missing.
        TypeError: a list is none.
    """
    for name in ("due", "removed_at"):
        if told[name] is not None:
            datetime.datetime.fromisoformat(told[name]).astimezone(datetime.UTC)
    numbers = [*told["samples"], *(number for pair in told["records"] for number in pair)]
    numbers += [number for pair in told["new_winners"] for number in pair]
    pairs = all(len(pair) == 2 for pair in (*told["records"], *told["new_winners"]))
    texts = all(isinstance(told[name], str) for name in ("takedown", "who", "why", "asked_at", "request", "key_id"))
    return pairs and texts and all(type(number) is int and 0 <= number < 1 << 63 for number in numbers)
