"""The record of what was run: one row a step in family ``runs``, in the same commits as what the step wrote.

Every commit of a step replaces the step's row, so at each version of the table every ``run_id`` that a row carries has its row in
``runs``, with counts that match what that version holds. A row without ``ended`` belongs to a step that runs or was killed.
"""

from __future__ import annotations

import datetime
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from headwater.errors import ConflictError
from headwater.fingerprint import canonical_json, fingerprint
from headwater.lineage.claims import Claims
from headwater.lineage.run_events import listener
from headwater.plain import JsonObject
from headwater.version import __version__
from headwater.warehouse.commit import commit
from headwater.warehouse.faults import reach
from headwater.warehouse.fragments import FileEntry
from headwater.warehouse.parquet import write_family
from headwater.warehouse.schema import arrow_schema
from headwater.warehouse.snapshot import Snapshot

__all__ = [
    "Run",
    "Unit",
    "begin_run",
    "commit_wave",
    "finish_run",
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
    counts: JsonObject = field(default_factory=dict)
    waves: int = 0
    row: str | None = None


def begin_run(
    lake: str, step: str, recipe: Mapping[str, object], operators: Mapping[str, object], input_version: int
) -> Run:
    """Return a new run; nothing is stored before its first commit."""
    now = datetime.datetime.now(datetime.UTC)
    run = Run(
        lake=lake,
        step=step,
        run_id=f"{now:%Y%m%dT%H%M%S}-{step}-{secrets.token_hex(6)}",
        recipe=canonical_json(recipe),
        operators=canonical_json(operators),
        input_version=input_version,
        started=now,
    )
    if (heard := listener()) is not None:
        heard.began(run)
    return run


def _write_row(
    snapshot: Snapshot, run: Run, counts: Mapping[str, object], ended: datetime.datetime | None
) -> FileEntry:
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
    together: Callable[[Sequence[Unit]], Sequence[FileEntry]] | None = None,
    changes_data: bool = True,
) -> tuple[Snapshot, list[Unit]]:
    """Commit the units that still hold, with the run's row, and return the new snapshot and the units that were dropped.

    When another writer was faster the table is read again and each unit is judged against what it holds now: one whose fragments
    were written meanwhile, or whose replaced files are gone, is dropped; the step finds by itself what is then still missing. When
    all are dropped there is no commit.

    Args:
        final: store the run's end.
        valid: a further condition of a unit, judged against the snapshot that the commit is planned from.
        together: writes what is said of all units that are committed, in files of their own.

    Raises:
        ConflictError: other writers were faster a hundred times.
    """
    dropped: list[Unit] = []
    held = list(units)
    for _ in range(_TRIES):
        claims = Claims(snapshot)
        good = [claims.grant(unit.adds, unit.removes) and (valid is None or valid(snapshot, unit)) for unit in held]
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
        shared = Unit(adds=together(held) if together is not None and held else [])
        adds = [add for unit in (*held, shared) for add in unit.adds]
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
        _tell(run, [*held, shared] if shared.adds else held, after, final=final)
        return after, dropped
    raise ConflictError(f"{_TRIES} commits of {run.step} lost against other writers; run the same command again")


def _tell(run: Run, units: Sequence[Unit], after: Snapshot, *, final: bool) -> None:
    """Tell whoever hears of runs that a wave was committed, and that it was the last."""
    if (heard := listener()) is not None:
        heard.committed(run, units, after)
        if final:
            heard.ended(run, after)


def finish_run(run: Run, snapshot: Snapshot) -> Snapshot:
    """Store the end of a run and return the snapshot after it; a run that committed nothing leaves no row."""
    if not run.waves:
        _tell(run, [], snapshot, final=True)
        return snapshot
    after, _ = commit_wave(run, snapshot, [], final=True, changes_data=False)
    return after
