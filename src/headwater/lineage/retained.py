"""What a lake keeps, for what reason, until when, and what it costs in bytes; nothing is changed."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from headwater.errors import UsageError
from headwater.lineage.past_runs import read_runs
from headwater.plain import JsonObject
from headwater.warehouse.filesystem import filesystem_of, join
from headwater.warehouse.log import is_of_log
from headwater.warehouse.maintain import MOST_HOURS, pinned_files, removal_times
from headwater.warehouse.real_files import walk_files
from headwater.warehouse.snapshot import Snapshot, open_snapshot

__all__ = ["retained"]

_PINNING: Final = ("build", "revise")


@dataclass(kw_only=True, slots=True)
class _Kept:
    """Files kept for one reason, with the time from which `maintain` deletes the last of them."""

    files: int = 0
    n_bytes: int = 0
    until: datetime.datetime | None = None

    def add(self, size: int, until: datetime.datetime | None = None) -> None:
        self.files += 1
        self.n_bytes += size
        if until is not None and (self.until is None or until > self.until):
            self.until = until


def retained(lake: str, *, retention_hours: float = 168.0, orphan_hours: float = 24.0) -> JsonObject:
    """Return what a lake holds by the reason for which it is kept; each file counts once, for the first reason that holds.

    Args:
        retention_hours: as ``maintain`` will be called with.
        orphan_hours: the same.

    Returns:
        ``version``, ``n_bytes`` in all and ``kept``, a list with ``what``, ``why``, ``files``, ``n_bytes`` and ``until`` (ISO 8601; null:
        as long as the reason holds). Reasons: the newest version; a version that builds were made from, by build; replaced, and younger
        than the retention; named by no version; the log; each build's shards; what else lies in the lake, by folder.

    Raises:
        UsageError: no lake at that place, or hours that are no number from 0 to ``MOST_HOURS``.
    """
    for name, hours in (("retention", retention_hours), ("orphan", orphan_hours)):
        if not 0 <= hours <= MOST_HOURS:  # NaN is neither
            raise UsageError(f"--{name}-hours: expected a number from 0 to {MOST_HOURS:,}, found {hours}")
    snapshot = open_snapshot(lake)
    kept: dict[tuple[str, str], _Kept] = {}
    for what, why, size, until in (
        *_of_table(snapshot, retention_hours, orphan_hours),
        *_of_builds(snapshot),
        *_of_others(snapshot),
    ):
        kept.setdefault((what, why), _Kept()).add(size, until)
    rows = [
        {
            "what": what,
            "why": why,
            "files": found.files,
            "n_bytes": found.n_bytes,
            "until": None if found.until is None else found.until.isoformat(timespec="seconds"),
        }
        for (what, why), found in kept.items()
    ]
    return {
        "lake": snapshot.lake,
        "version": snapshot.version,
        "n_bytes": sum(found.n_bytes for found in kept.values()),
        "kept": rows,
    }


def _of_table(
    snapshot: Snapshot, retention_hours: float, orphan_hours: float
) -> Iterator[tuple[str, str, int, datetime.datetime | None]]:
    filesystem, root = filesystem_of(snapshot.uri)
    live = set(snapshot.files["path"].to_pylist())
    pinned = _pinned_by(snapshot)
    removed = removal_times(snapshot)
    for file in walk_files(filesystem, root):
        if file.path in live:
            yield "table", f"version {snapshot.version}, the newest", file.size, None
        elif file.path in pinned:
            yield "earlier versions", f"needed by {pinned[file.path]}", file.size, None
        elif file.regular and is_of_log(file.path):
            yield "log", "the table's log", file.size, None
        elif (moment := removed.get(file.path)) is not None:
            until = moment + datetime.timedelta(hours=retention_hours)
            yield (
                "earlier versions",
                f"replaced less than {retention_hours:g} hours ago, or maintain has not run",
                file.size,
                until,
            )
        else:
            until = file.written + datetime.timedelta(hours=orphan_hours)
            yield "left behind", "no version names it: a killed task's, or not Headwater's", file.size, until


def _pinned_by(snapshot: Snapshot) -> Mapping[str, str]:
    """Return each file of a version that builds stand on → the first of these builds, by name."""
    builds: dict[int, set[str]] = {}
    for step in _PINNING:
        for run in read_runs(snapshot, step):
            named = {
                str(record["build"])
                for record in run.operators.values()
                if isinstance(record, dict) and "build" in record
            }
            builds.setdefault(run.input_version, set()).update(named)
    found: dict[str, str] = {}
    for version, files in pinned_files(snapshot).items():
        names = sorted(builds.get(version, set()))
        reason = f"build {names[0]}" if names else f"version {version}, for counts of tokens"
        reason += f" and {len(names) - 1} more" if len(names) > 1 else ""
        for path in files["path"].to_pylist():
            found.setdefault(path, reason)
    return found


def _of_builds(snapshot: Snapshot) -> Iterator[tuple[str, str, int, None]]:
    filesystem, folder = filesystem_of(join(snapshot.lake, "builds"))
    for file in walk_files(filesystem, folder):
        name, _, rest = file.path.partition("/")
        yield "shards", f"build {name}" if rest else "beside the builds", file.size, None


def _of_others(snapshot: Snapshot) -> Iterator[tuple[str, str, int, None]]:
    filesystem, folder = filesystem_of(snapshot.lake)
    for file in walk_files(filesystem, folder):
        name, _, rest = file.path.partition("/")
        if name not in ("samples", "builds"):
            yield "beside the table", f"folder {name}" if rest else f"file {name}", file.size, None
