"""Which run made this: the rows of family ``runs``, parsed, and what steps and questions look up in them.

Every question takes a version of the table or a connection to one. A run without an end was killed or still runs: it counts only where a
question says so.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from headwater.errors import UsageError, nearest
from headwater.fingerprint import canonical_json
from headwater.lineage.damaged_files import arrow_damage_told, damage_told
from headwater.plain import JsonObject, ValuesByName
from headwater.warehouse.parquet import read_file
from headwater.warehouse.snapshot import Snapshot

if TYPE_CHECKING:
    import duckdb

__all__ = [
    "PastRun",
    "Source",
    "base_of",
    "ended_builds",
    "newest_ended",
    "newest_selection",
    "past_counts",
    "past_recipe",
    "past_run",
    "read_runs",
    "require_build",
    "runs_of",
]

Source: TypeAlias = "Snapshot | duckdb.DuckDBPyConnection"
"""A version of the table, or a connection with its views."""
_COLUMNS: Final = (
    "run_id",
    "step",
    "started",
    "ended",
    "code_version",
    "input_version",
    "counts",
    "operators",
    "recipe",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class PastRun:
    """A run of a step.

    Attributes:
        ended: None for one that was killed or still runs.
        input_version: version of the table that it was planned from.
        counts: what it counted.
        operators: name → record of what it ran: settings, and for a step of a build the build's name.
        recipe: literals of its recipe.
        recipe_json: the same as it is stored, in canonical JSON.
    """

    run_id: str
    step: str
    started: datetime.datetime
    ended: datetime.datetime | None
    code_version: str
    input_version: int
    counts: ValuesByName
    operators: ValuesByName
    recipe: ValuesByName
    recipe_json: str

    @property
    def records(self) -> list[ValuesByName]:
        """The records among its operators; ingest has a bare version in place of one."""
        return [record for record in self.operators.values() if isinstance(record, Mapping)]

    def record(self, key: str, value: str) -> ValuesByName | None:
        """Return the record that says ``value`` of ``key``, or None."""
        return next((record for record in self.records if record.get(key) == value), None)

    @property
    def build(self) -> str | None:
        """The build that it selected, scaled, built or repaired; None for a step of the whole lake."""
        return next((str(record["build"]) for record in self.records if "build" in record), None)

    def plain(self, *, whole: bool = False) -> JsonObject:
        """Return the run as plain data, times in ISO 8601; ``whole``: with counts, operators and recipe."""
        found: JsonObject = {
            "run_id": self.run_id,
            "step": self.step,
            "started": self.started.isoformat(),
            "ended": None if self.ended is None else self.ended.isoformat(),
            "code_version": self.code_version,
            "input_version": self.input_version,
        }
        if whole:
            found |= {"counts": dict(self.counts), "operators": dict(self.operators), "recipe": dict(self.recipe)}
        return found


def read_runs(source: Source, step: str | None = None) -> list[PastRun]:
    """Return the runs of one step or of all, oldest first, those without an end included.

    Raises:
        CorruptLakeError: a file of family ``runs`` is damaged or gone.
    """
    if isinstance(source, Snapshot):
        with arrow_damage_told():
            rows = [
                row
                for path in source.paths("runs")
                for table in read_file(source.uri, path, _COLUMNS)
                for row in table.to_pylist()
            ]
    else:
        with damage_told():
            found = source.execute(f"SELECT {', '.join(_COLUMNS)} FROM runs").fetchall()
        rows = [dict(zip(_COLUMNS, row, strict=True)) for row in found]
    with arrow_damage_told():
        runs = [_parsed(row) for row in rows if step in (None, row["step"])]
    return sorted(runs, key=lambda run: (run.started, run.run_id))


def _parsed(row: ValuesByName) -> PastRun:
    parsed = {name: json.loads(row[name]) for name in ("counts", "operators", "recipe")}
    return PastRun(**{**row, **parsed}, recipe_json=row["recipe"])


def newest_ended(runs: Sequence[PastRun]) -> PastRun | None:
    """Return the run that ended last; of two that ended at once the older one."""
    newest: PastRun | None = None
    for run in runs:
        if run.ended is not None and (newest is None or newest.ended is None or run.ended > newest.ended):
            newest = run
    return newest


def past_run(source: Source, step: str, state: str) -> ValuesByName | None:
    """Return the operators' record of the newest ended run of ``step`` over the same ``state``, or None."""
    found = newest_ended([run for run in read_runs(source, step) if run.record("state", state) is not None])
    return None if found is None else found.record("state", state)


def _newest_of_build(source: Source, step: str, build: str) -> PastRun | None:
    return newest_ended([run for run in read_runs(source, step) if run.record("build", build) is not None])


def past_recipe(source: Source, step: str, build: str) -> str | None:
    """Return the recipe's literals, as canonical JSON, of the newest ended run of ``step`` for ``build``; None when none ended."""
    found = _newest_of_build(source, step, build)
    return None if found is None else found.recipe_json


def past_counts(source: Source, step: str, build: str) -> ValuesByName | None:
    """Return what the newest ended run of ``step`` for ``build`` counted; None when none ended."""
    found = _newest_of_build(source, step, build)
    return None if found is None else found.counts


def base_of(source: Source, build: str) -> str | None:
    """Return the selection of which ``build`` is a proxy; None for a whole one."""
    found = _newest_of_build(source, "select", build)
    record = None if found is None else found.record("build", build)
    return None if record is None or "base" not in record else str(record["base"])


def runs_of(source: Source, step: str, build: str) -> list[PastRun]:
    """Return the runs of a step for a build, oldest first, those that were killed included."""
    return [run for run in read_runs(source, step) if run.record("build", build) is not None]


def ended_builds(source: Source) -> list[str]:
    """Return the names of the builds of which a run ended, sorted."""
    return sorted({run.build for run in read_runs(source, "build") if run.ended is not None and run.build is not None})


def require_build(source: Source, build: str | None, stage: str | None = None) -> None:
    """Refuse a build that no run made, or a stage that it has not (without a build: that no build has).

    Raises:
        UsageError: there is none of that name; the message has the nearest one.
    """
    if build is None and stage is None:
        return
    stages: dict[str, set[str]] = {}
    for run in read_runs(source):
        if run.build is not None:
            stages.setdefault(run.build, set()).update(item["name"] for item in run.recipe.get("stages", ()))
    if build is not None and build not in stages:
        raise UsageError(f"expected a build of this lake, found none named {build!r}; {nearest(build, stages)}")
    if stage is not None:
        known = set().union(*stages.values()) if build is None else stages[build]
        if stage not in known:
            of = "a build of this lake" if build is None else f"build {build}"
            raise UsageError(f"expected a stage of {of}, found none named {stage!r}; {nearest(stage, known)}")


def newest_selection(source: Source, recipe: ValuesByName) -> str | None:
    """Return the build that the newest ended selection by a recipe (its literals) made, or None; a proxy is asked for by name."""
    wanted = canonical_json(recipe)
    whole = [run for run in read_runs(source, "select") if run.recipe_json == wanted and not _is_proxy(run)]
    found = newest_ended(whole)
    return None if found is None else found.build


def _is_proxy(run: PastRun) -> bool:
    return any("base" in record for record in run.records)
