"""The eight invariants of a lake, each a named check that returns what breaks it; `docs/concepts/invariants.md` lists them.

Most are asked of ``verify``, where users have them too; those about the log and about two runs read the bytes themselves.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import main_job
import pyarrow.parquet as pq

from headwater.lineage.checks.lake import verify
from headwater.lineage.past_runs import ended_builds
from headwater.warehouse.snapshot import open_snapshot

__all__ = ["INVARIANTS", "Invariant"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Invariant:
    """What must hold, the name of its check, and the check: of a lake, and of a second one of the same documents where it takes two."""

    statement: str
    name: str
    check: Callable[[Path, Path | None], list[str]]


def every_record_is_accounted_for(lake: Path, _: Path | None = None) -> list[str]:
    """I1: per file, what was read is what is stored and what was refused; what is stored is kept or has a first reason."""
    return _failed(lake, "counts_reconcile")


def every_sample_is_there_once(lake: Path, _: Path | None = None) -> list[str]:
    """I2: in a version of the table an id occurs once, and a fragment has one live file of a family."""
    return _failed(lake, "ids_unique", "one_live_file")


def every_text_is_what_was_hashed(lake: Path, _: Path | None = None) -> list[str]:
    """I3: the hash of a sample's text is its content_hash."""
    return _failed(lake, "content_hashes")


def every_choice_is_placed(lake: Path, _: Path | None = None) -> list[str]:
    """I4: each copy of a chosen sample is placed once and whole, nothing else is, and token sums are those of the shards."""
    return _failed(lake, "placed_as_planned", "texts_decode")


def every_duplicate_names_a_kept_winner(lake: Path, _: Path | None = None) -> list[str]:
    """I5: a duplicate names a sample of its cluster that was kept; so there are no chains, and no circles."""
    return _failed(lake, "winners_kept")


def every_run_is_known(lake: Path, _: Path | None = None) -> list[str]:
    """I6: every run that a row names has its row, and a build with manifests has runs that ended."""
    ended = set(ended_builds(open_snapshot(str(lake))))
    built = {path.parents[1].name for path in (lake / "builds").glob("*/*/manifest.json")}
    return _failed(lake, "runs_known") + [f"build {name} has no run that ended" for name in sorted(built - ended)]


def the_same_bytes_again(lake: Path, twin: Path | None = None) -> list[str]:
    """I7: the same recipe on the same documents gives the same shards, however they were read."""
    if twin is None:
        return []
    faults = []
    for folder in sorted((lake / "builds").iterdir()):
        one, other = main_job.shard_hashes(lake, folder.name), main_job.shard_hashes(twin, folder.name)
        faults += [f"{folder.name}/{name}" for name in sorted(one | other) if one.get(name) != other.get(name)]
    return faults


def the_log_says_what_files_hold(lake: Path, _: Path | None = None) -> list[str]:
    """I8: rows, size, first and last id of a live file in the log are those of its footer."""
    table = lake / "samples"
    live: dict[str, dict[str, int]] = {}
    for entry in sorted((table / "_delta_log").glob("*.json")):
        for line in entry.read_text("utf-8").splitlines():
            action = json.loads(line)
            if "add" in action:
                add = action["add"]
                said = json.loads(add["stats"])
                live[add["path"]] = {"size": add["size"], "rows": said["numRecords"]} | {
                    name: said[name]["sample_id"] for name in ("minValues", "maxValues") if name in said
                }
            elif "remove" in action:
                live.pop(action["remove"]["path"], None)
    return [
        f"{path}: the log says {said}, the file {found}"
        for path, said in sorted(live.items())
        if said != (found := _footer(table / path, ids="minValues" in said))
    ]


def _footer(path: Path, *, ids: bool) -> dict[str, int]:
    footer = pq.read_metadata(path)
    found = {"size": path.stat().st_size, "rows": footer.num_rows}
    if ids:
        sample_ids = pq.read_table(path, columns=["sample_id"], partitioning=None)["sample_id"].to_pylist()
        found |= {"minValues": min(sample_ids), "maxValues": max(sample_ids)}
    return found


def _failed(lake: Path, *names: str) -> list[str]:
    checks = {check.name: check for check in verify(str(lake))}
    return [f"{name}: {checks[name].detail}" for name in names if not checks[name].passed]


INVARIANTS: Final = tuple(
    Invariant(statement=str(check.__doc__).removesuffix("."), name=check.__name__, check=check)
    for check in (
        every_record_is_accounted_for,
        every_sample_is_there_once,
        every_text_is_what_was_hashed,
        every_choice_is_placed,
        every_duplicate_names_a_kept_winner,
        every_run_is_known,
        the_same_bytes_again,
        the_log_says_what_files_hold,
    )
)
