"""The record of what was run: one row a step in family ``runs``, in the same commits as what the step wrote.

Every commit of a step replaces the step's row, so at each version of the table every ``run_id`` that a row carries has its row in
``runs``, with counts that match what that version holds. A row without ``ended`` belongs to a step that runs or was killed.
"""

from __future__ import annotations

import datetime
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headwater.errors import ConflictError
from headwater.fingerprint import canonical_json, fingerprint
from headwater.version import __version__
from headwater.warehouse.commit import commit, coverage_scope
from headwater.warehouse.faults import reach
from headwater.warehouse.fragments import FileEntry, fragments_of, parse_name
from headwater.warehouse.parquet import read_file, write_family
from headwater.warehouse.schema import FAMILIES, arrow_schema
from headwater.warehouse.snapshot import Snapshot

__all__ = [
    "Run",
    "Unit",
    "base_of",
    "begin_run",
    "commit_wave",
    "finish_run",
    "past_counts",
    "past_recipe",
    "past_run",
    "runs_of",
]

_TRIES = 100
_BATCH = "runs"


@dataclass(frozen=True, kw_only=True, slots=True)
class Unit:
    """Files that are committed together or not at all.

    Attributes:
        removes: the live files that they replace.
        counts: what the unit adds to the run's counts.
        tags: names by which a step knows its units again.
    """

    adds: Sequence[FileEntry]
    removes: Sequence[str] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    tags: frozenset[str] = frozenset()


@dataclass(kw_only=True, slots=True)
class Run:
    """A step that runs; its state outlives each wave.

    Attributes:
        run_id: time and 48 random bits; never in a shard and never part of an identity.
        counts: what the committed waves counted.
        waves: number of commits so far.
        row: path of the live file with this run's row.
    """

    lake: str
    step: str
    run_id: str
    recipe: str
    operators: str
    input_version: int
    started: datetime.datetime
    counts: dict[str, Any] = field(default_factory=dict)
    waves: int = 0
    row: str | None = None


def begin_run(lake: str, step: str, recipe: Mapping[str, Any], operators: Mapping[str, Any], input_version: int) -> Run:
    """Return a new run; nothing is stored before its first commit."""
    now = datetime.datetime.now(datetime.UTC)
    return Run(
        lake=lake,
        step=step,
        run_id=f"{now:%Y%m%dT%H%M%S}-{step}-{secrets.token_hex(6)}",
        recipe=canonical_json(recipe),
        operators=canonical_json(operators),
        input_version=input_version,
        started=now,
    )


def _write_row(snapshot: Snapshot, run: Run, counts: Mapping[str, Any], ended: datetime.datetime | None) -> FileEntry:
    row = {
        "step": run.step,
        "recipe": run.recipe,
        "code_version": __version__,
        "operators": run.operators,
        "input_version": run.input_version,
        "started": run.started,
        "ended": ended,
        "counts": canonical_json(counts),
        "run_id": run.run_id,
    }
    table = pa.Table.from_pylist([row], schema=arrow_schema("runs"))
    return write_family(snapshot.uri, "runs", _BATCH, 0, 0, fingerprint(run.run_id), [table])


def commit_wave(
    run: Run,
    snapshot: Snapshot,
    units: Sequence[Unit],
    *,
    final: bool = False,
    valid: Callable[[Snapshot, Unit], bool] | None = None,
    changes_data: bool = True,
) -> tuple[Snapshot, list[Unit]]:
    """Commit the units that still hold, with the run's row, and return the new snapshot and the units that were dropped.

    When another writer was faster the table is read again and each unit is judged against what it holds now: one whose fragments
    were written meanwhile, or whose replaced files are gone, is dropped; the step finds by itself what is then still missing. When
    all are dropped there is no commit.

    Args:
        final: store the run's end.
        valid: a further condition of a unit, judged against the snapshot that the commit is planned from.

    Raises:
        ConflictError: other writers were faster a hundred times.
    """
    dropped: list[Unit] = []
    held = list(units)
    for _ in range(_TRIES):
        good = [
            free and (valid is None or valid(snapshot, unit))
            for unit, free in zip(held, _holding(snapshot, held), strict=True)
        ]
        dropped += [unit for unit, kept in zip(held, good, strict=True) if not kept]
        held = [unit for unit, kept in zip(held, good, strict=True) if kept]
        if units and not held:
            return snapshot.newest(), dropped
        counts = dict(run.counts)
        for unit in held:
            for name, value in unit.counts.items():
                counts[name] = counts.get(name, 0) + value
        ended = datetime.datetime.now(datetime.UTC) if final else None
        entry = _write_row(snapshot, run, counts, ended)
        adds = [add for unit in held for add in unit.adds]
        removes = [path for unit in held for path in unit.removes]
        if entry.path != run.row:  # a wave that counted nothing has the row of the wave before
            adds.append(entry)
            removes += [run.row] if run.row else []
        reach(f"{run.step}/before-commit/{run.waves + 1}")
        try:
            after = commit(
                snapshot,
                adds=adds,
                removes=removes,
                wave=(run.run_id, run.waves + 1),
                lake=run.lake,
                changes_data=changes_data,
            )
        except ConflictError:
            snapshot = snapshot.newest()
            continue
        run.counts, run.waves, run.row = counts, run.waves + 1, entry.path
        reach(f"{run.step}/after-commit/{run.waves}")
        return after, dropped
    raise ConflictError(f"{_TRIES} commits of {run.step} lost against other writers; run the same command again")


def past_run(snapshot: Snapshot, step: str, state: str) -> dict[str, Any] | None:
    """Return the operators' record of the newest ended run of ``step`` over the same ``state``, or None."""
    found = _newest(snapshot, step, "state", state)
    return None if found is None else found[0]


def past_recipe(snapshot: Snapshot, step: str, build: str) -> str | None:
    """Return the recipe's literals, as canonical JSON, of the newest ended run of ``step`` for ``build``; None when none ended."""
    found = _newest(snapshot, step, "build", build)
    return None if found is None else found[1]


def base_of(snapshot: Snapshot, build: str) -> str | None:
    """Return the selection of which ``build`` is a proxy; None for a whole one."""
    found = _newest(snapshot, "select", "build", build)
    base = None if found is None else found[0].get("base")
    return None if base is None else str(base)


def runs_of(snapshot: Snapshot, step: str, build: str) -> list[str]:
    """Return the run ids of a step for a build, oldest first, those that were killed included."""
    found: list[str] = []
    for path in snapshot.paths("runs"):
        for table in read_file(snapshot.uri, path, ["step", "operators", "run_id"]):
            for row in table.to_pylist():
                records = json.loads(row["operators"]).values() if row["step"] == step else ()
                if any(record.get("build") == build for record in records):
                    found.append(row["run_id"])
    return sorted(found)


def past_counts(snapshot: Snapshot, step: str, build: str) -> dict[str, Any] | None:
    """Return what the newest ended run of ``step`` for ``build`` counted; None when none ended."""
    newest: tuple[datetime.datetime, str] | None = None
    for path in snapshot.paths("runs"):
        for table in read_file(snapshot.uri, path, ["step", "operators", "ended", "counts"]):
            for row in table.to_pylist():
                if row["step"] != step or row["ended"] is None or (newest is not None and row["ended"] <= newest[0]):
                    continue
                if any(record.get("build") == build for record in json.loads(row["operators"]).values()):
                    newest = (row["ended"], row["counts"])
    return None if newest is None else json.loads(newest[1])


def newest_build(snapshot: Snapshot, recipe: Mapping[str, Any]) -> str | None:
    """Return the build that the newest ended selection by a recipe (its literals) made, or None."""
    wanted = canonical_json(recipe)
    newest: tuple[datetime.datetime, str] | None = None
    for path in snapshot.paths("runs"):
        for table in read_file(snapshot.uri, path, ["step", "recipe", "operators", "ended"]):
            for row in table.to_pylist():
                if row["step"] != "select" or row["ended"] is None or row["recipe"] != wanted:
                    continue
                record = json.loads(row["operators"])["stages"]
                if "base" not in record and (
                    newest is None or row["ended"] > newest[0]
                ):  # a proxy is asked for by name
                    newest = (row["ended"], record["build"])
    return None if newest is None else newest[1]


def _newest(snapshot: Snapshot, step: str, key: str, value: str) -> tuple[dict[str, Any], str] | None:
    """Return (operators' record, recipe) of the newest ended run of ``step`` whose record says ``value`` of ``key``."""
    newest: tuple[datetime.datetime, dict[str, Any], str] | None = None
    for path in snapshot.paths("runs"):
        for table in read_file(snapshot.uri, path, ["step", "recipe", "operators", "ended"]):
            for row in table.to_pylist():
                if row["step"] != step or row["ended"] is None or value not in row["operators"]:
                    continue
                for record in json.loads(row["operators"]).values():
                    if record.get(key) == value and (newest is None or row["ended"] > newest[0]):
                        newest = (row["ended"], record, row["recipe"])
    return None if newest is None else newest[1:]


def finish_run(run: Run, snapshot: Snapshot) -> Snapshot:
    """Store the end of a run and return the snapshot after it; a run that committed nothing leaves no row."""
    if not run.waves:
        return snapshot
    after, _ = commit_wave(run, snapshot, [], final=True, changes_data=False)
    return after


def _holding(snapshot: Snapshot, units: Sequence[Unit]) -> list[bool]:
    """Return for each unit whether it can be committed without a second live file for a fragment and family."""
    live = set(snapshot.files["path"].to_pylist()) if any(unit.removes for unit in units) else set()
    covered: dict[tuple[str, str | None, str | None], npt.NDArray[np.int64]] = {}

    replaced: set[str] = set()
    claimed: dict[tuple[str, str | None, str | None], set[int]] = {}

    def free(unit: Unit) -> bool:
        if not live.issuperset(unit.removes) or not replaced.isdisjoint(unit.removes):
            return False
        freed: dict[str, set[int]] = {}
        for path in unit.removes:
            family, _, base, mask, _, _ = parse_name(path)
            freed.setdefault(family, set()).update(fragments_of(base, mask))
        for add in unit.adds:
            if not FAMILIES[add.family].by_sample:
                continue
            key = coverage_scope(add)
            if key not in covered:
                covered[key] = snapshot.covered(key[0], operator=key[2], batch=key[1])
            mine = np.array(fragments_of(add.base, add.mask), dtype=np.int64)
            taken = mine[np.isin(mine, covered[key])]
            if not set(taken.tolist()) <= freed.get(add.family, set()) or not claimed.get(key, set()).isdisjoint(
                mine.tolist()
            ):
                return False
        replaced.update(unit.removes)
        for add in unit.adds:
            if FAMILIES[add.family].by_sample:  # so that of two units of a wave that write the same, one holds
                claimed.setdefault(coverage_scope(add), set()).update(fragments_of(add.base, add.mask))
        return True

    return [free(unit) for unit in units]
