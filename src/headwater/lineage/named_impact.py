"""Impact of samples that are named, and the defect question: which tokens did a version of an operator, or a run, touch?

Rows are replaced when an operator is run again, so a build may rest on rows that the newest version no longer has. Of a run and of an operator the
samples are therefore found, for each build, in the version of the table that the build was made from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from headwater.arrays import Int64s
from headwater.errors import UsageError
from headwater.lineage.forget_order import write_forget_order
from headwater.lineage.impact import impact
from headwater.lineage.lookup import open_lookup
from headwater.lineage.names import Names, ways_named
from headwater.lineage.near_samples import near_duplicates
from headwater.lineage.operators import families_written, runs_with
from headwater.lineage.past_runs import read_runs, require_build, runs_of
from headwater.lineage.sample_sets import SampleSet
from headwater.lineage.selectors import selected
from headwater.lineage.training_order import TrainingOrder
from headwater.plain import JsonObject
from headwater.warehouse.filesystem import exists, filesystem_of, join
from headwater.warehouse.schema import FAMILIES
from headwater.warehouse.snapshot import Snapshot, open_snapshot

if TYPE_CHECKING:
    import duckdb

__all__ = ["named_forget_order", "named_impact", "named_samples"]


def named_samples(lake: str, named: Names, version: int | None = None) -> Iterator[Int64s]:
    """Yield the ids of the samples that are named, ascending; errors as of ``selected``."""
    with ExitStack() as stack:
        yield from selected(_opener(stack, lake, version), open_lookup(lake, version), named)


def _opener(stack: ExitStack, lake: str, version: int | None) -> Callable[[], duckdb.DuckDBPyConnection]:
    """Return what opens the views where a question needs them; they are closed with the stack."""

    def opened() -> duckdb.DuckDBPyConnection:
        from headwater.lineage.views import connect

        return stack.enter_context(connect(lake, version))

    return opened


def named_impact(
    lake: str,
    named: Names,
    *,
    near: float | None = None,
    version: int | None = None,
    build: str | None = None,
    stage: str | None = None,
    order: TrainingOrder | None = None,
) -> JsonObject:
    """Return what the samples that are named reach, as ``impact`` does.

    Of a run and of an operator each build's ``selected_at`` says in which version its samples were found; with ``version`` all are found in that one.

    Raises:
        UsageError: nothing is named, nothing is found, or as ``impact``.
    """
    if version is not None or not _of_past(named):
        found = named_samples(lake, named, version)
        return impact(lake, found, near=near, version=version, build=build, stage=stage, order=order)
    snapshot = open_snapshot(lake)
    require_build(snapshot, build, stage)
    builds = [build] if build is not None else sorted(set(snapshot.live("placements")["batch"].to_pylist()))
    families = _families(snapshot, named)
    versions = {each: _version_read(snapshot, each, families) for each in builds}
    by_version = {each: _found_at(lake, named, each) for each in {snapshot.version, *versions.values()}}
    if not any(map(len, by_version.values())):
        list(named_samples(lake, named))  # tells why there is none
    of_builds = {each: [by_version[at]] for each, at in versions.items()}
    answer = impact(
        lake, [by_version[snapshot.version]], near=near, build=build, stage=stage, order=order, of_builds=of_builds
    )
    for row in answer["builds"]:
        row["selected_at"] = versions[row["build"]]
    return answer


def _families(snapshot: Snapshot, named: Names) -> tuple[str, ...]:
    """Return the families with rows of a run or an operator.

    Raises:
        UsageError: there is none of that name.
    """
    runs = read_runs(snapshot)
    found: list[str] = []
    for kind, value in _of_past(named):
        if kind == "operator":
            found += runs_with(runs, str(value))
        else:
            found += [family for run in runs if run.run_id == value for family in families_written(run.step)]
    return tuple(dict.fromkeys(found))


def _of_past(named: Names) -> list[tuple[str, object]]:
    """Return the ways among those given whose samples are found in the version that a build was made from."""
    return [(kind, value) for kind, value in ways_named(named) if kind in ("run", "operator")]


def _version_read(snapshot: Snapshot, build: str, families: tuple[str, ...]) -> int:
    """Return the version that a build was made from; the newest where it reads nothing of some families, or their files of then are gone."""
    read = [run.input_version for step in ("select", "build") for run in runs_of(snapshot, step, build)]
    aligned = [family for family in families if family in FAMILIES and not FAMILIES[family].by_build]
    if not read or not aligned:
        return snapshot.version
    then = open_snapshot(snapshot.lake, max(read))
    filesystem, root = filesystem_of(snapshot.uri)
    replaced = {path for family in aligned for path in set(then.paths(family)).difference(snapshot.paths(family))}
    there = all(exists(filesystem, join(root, path)) is not None for path in replaced)
    return then.version if there else snapshot.version


def _found_at(lake: str, named: Names, version: int) -> Int64s:
    """Return the samples of a run or operator in one version, which may have none of it, or not know it yet."""
    runs = read_runs(open_snapshot(lake, version))
    try:
        for kind, value in _of_past(named):
            if kind == "operator":
                runs_with(runs, str(value))
            elif value not in {run.run_id for run in runs}:
                return np.empty(0, np.int64)
        parts = list(named_samples(lake, named, version))
    except UsageError:  # that there is none; the name itself was checked against the newest version
        return np.empty(0, np.int64)
    return np.concatenate(parts)


def named_forget_order(
    lake: str,
    named: Names,
    path: str | Path,
    *,
    build: str,
    stage: str,
    order: TrainingOrder,
    first_step: int,
    last_step: int,
    near: float | None = None,
    version: int | None = None,
) -> JsonObject:
    """Write the order of samples in steps ``first_step`` to ``last_step``, with those that are named, and their near-duplicates, marked.

    See ``write_forget_order``; a run's and an operator's samples are found in the version that the build was made from.

    Raises:
        UsageError: nothing is named, nothing is found, or no such build, stage, steps or file.
        StorageError: the file cannot be written.
    """
    snapshot = open_snapshot(lake, version)
    require_build(snapshot, build, stage)
    at = version
    if version is None and _of_past(named):
        at = _version_read(snapshot, build, _families(snapshot, named))
    samples = SampleSet(named_samples(lake, named, at))
    if near is not None:
        samples = SampleSet([samples.ids, near_duplicates(snapshot, samples, near)[0]])
    return write_forget_order(snapshot, build, stage, samples, order, path, first_step, last_step)
