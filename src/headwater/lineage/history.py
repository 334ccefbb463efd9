"""The history of a lake: what each commit of its table added and took away, by whom; read from the log's entries, not from data files."""

from __future__ import annotations

import datetime
import re
from collections import Counter
from collections.abc import Iterator
from typing import Final

from headwater.errors import UsageError
from headwater.plain import JsonObject
from headwater.warehouse.fragments import parse_name
from headwater.warehouse.log import entry_damage_told, entry_numbers, read_entry, read_log
from headwater.warehouse.snapshot import open_snapshot

__all__ = ["commits"]

_RUN: Final = re.compile(r"[0-9]{8}T[0-9]{6}-([a-z-]+)-[0-9a-f]{12}")
_KINDS: Final = {
    "WRITE": "data",
    "OPTIMIZE": "compaction",
    "CREATE TABLE": "new lake",
    "ADD COLUMN": "columns added",
    "SET TBLPROPERTIES": "settings",
}


def commits(lake: str, *, limit: int | None = None, run: str | None = None) -> Iterator[JsonObject]:
    """Yield the commits of a lake, newest first: version, time, what was done, run and step, files and bytes added and removed by family.

    Memory does not grow with the log. Versions whose entries a copy of the lake lacks are left out.

    Args:
        limit: how many at most.
        run: only those of one run.

    Raises:
        UsageError: no lake at that place.
        CorruptLakeError: an entry of the log cannot be read.
    """
    snapshot = open_snapshot(lake)
    if limit is not None and limit < 1:
        raise UsageError(f"--limit: expected a number of at least 1, found {limit}")
    shown = 0
    for version in sorted(entry_numbers(snapshot.uri), reverse=True):
        for number, data in read_log(snapshot.uri, range(version, version + 1)):
            newest = number == snapshot.version
            with entry_damage_told(snapshot.uri, number, newest=newest, expected="a commit of Headwater's"):
                found = _commit(number, read_entry(data))
            if run is None or found["run"] == run:
                yield found
                shown += 1
        if shown == limit:
            return


def _commit(version: int, actions: list[tuple[str, JsonObject]]) -> JsonObject:
    added: dict[str, JsonObject] = {}
    removed: Counter[str] = Counter()
    batches: set[str] = set()
    told: JsonObject = {"run": None, "step": None, "wave": None}
    said: JsonObject = {}
    for kind, body in actions:
        if kind == "add":
            name = parse_name(body["path"])
            mine = added.setdefault(name.family, {"files": 0, "bytes": 0})
            mine["files"] += 1
            mine["bytes"] += body["size"]
            batches.add(name.batch)
        elif kind == "remove":
            removed[parse_name(body["path"]).family] += 1
        elif kind == "txn" and (match := _RUN.fullmatch(body["appId"])):
            told = {"run": body["appId"], "step": match[1], "wave": body["version"]}
        elif kind == "txn" and str(body["appId"]).startswith("maintain-"):
            told["step"] = "maintain"
        elif kind == "commitInfo":
            said = body
    moment = datetime.datetime.fromtimestamp(said["timestamp"] / 1000, datetime.UTC)
    return {
        "version": version,
        "time": moment.isoformat(timespec="milliseconds"),
        "kind": _kind(str(said.get("operation")), added, removed),
        **told,
        "batches": sorted(batches),
        "added": {family: added[family] for family in sorted(added)},
        "removed": {family: {"files": removed[family]} for family in sorted(removed)},
    }


def _kind(operation: str, added: JsonObject, removed: Counter[str]) -> str:
    if operation == "WRITE" and not added and not removed:
        return "reservation"  # of fragment numbers, or the end of a run
    return _KINDS.get(operation, operation.lower())
