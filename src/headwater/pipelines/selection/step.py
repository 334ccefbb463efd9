"""Select: what each stage takes from the pools, exact to one document a cell (design, section 6).

One job reads the narrow columns; then, stage by stage in the order of choosing, passes over what it holds give sums: what is there by cell, and
the cut of every cell (``selection_search``). The driver holds sums and cuts, and samples only where they are few.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headwater.errors import UsageError
from headwater.fingerprint import fingerprint
from headwater.lineage.past_runs import past_run
from headwater.lineage.runs import Run, Unit, begin_run, commit_wave, finish_run
from headwater.pipelines.recipe.job import Recipe
from headwater.pipelines.recipe.operators import Resolved
from headwater.pipelines.recipe.sections import Stage
from headwater.pipelines.selection.candidates import Candidates, Cuts, assign, candidates
from headwater.pipelines.selection.cuts import Chosen, choose
from headwater.pipelines.selection.report import Selection, report, top_hosts
from headwater.pipelines.selection.sums import ChosenSums, chosen_sums
from headwater.pipelines.spark.aligned import Target, plan_targets
from headwater.pipelines.spark.held_rows import Parts, held_parts
from headwater.pipelines.spark.progress import Progress
from headwater.pipelines.spark.sessions import parallelism
from headwater.warehouse.columns import repeat_text
from headwater.warehouse.fragments import batch_name, operator_digits, sample_ids
from headwater.warehouse.parquet import FragmentFiles, read_aligned, write_family
from headwater.warehouse.snapshot import Snapshot, open_snapshot

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["select"]

VERSION: Final = 1
_COLUMNS: Final = {
    "verdicts": ["kept", "contamination_overlap", "contamination_answered"],
    "language": ["language"],
    "scores": ["quality", "knowledge_density", "reasoning_density", "chain_of_thought", "domain"],
    "tokens": ["n_tokens"],
    "content": ["content_hash", "origin", "source", "uri"],
}
_FAMILIES: Final = [name for name in _COLUMNS if name != "content"]
_KILLED: Final = "_write_task"
"""What the writing is called where a test kills it."""
_DECIDED: Final = ("stage", "copies", "rank", "reason")


def _located(snapshot: Snapshot, own: str) -> tuple[npt.NDArray[np.int64], list[FragmentFiles]]:
    fragments = snapshot.covered("verdicts", own)
    if len(fragments) == 0:
        raise UsageError(
            "expected samples with verdicts by this recipe, found none; run decide first, or headwater run for all steps"
        )
    return fragments, list(snapshot.locate(fragments, _FAMILIES))


def _state(located: Sequence[FragmentFiles]) -> str:
    return fingerprint([[where.fragment, sorted(path for path, _ in where.files.values())] for where in located])


def select(
    spark: SparkSession,
    job: Resolved,
    *,
    build: str | None = None,
    dry_run: bool = False,
    version: int | None = None,
) -> Selection:
    """Choose the samples of every stage, record for each kept sample why it is in or out, and return what was chosen.

    Args:
        build: name of the build; by default made from the recipe and what it chooses, so the same documents give the same name.
        dry_run: choose and report, write nothing.
        version: table version to choose from.

    Raises:
        RecipeError: quotas that cannot be met and may not fall short; nothing was written.
        UsageError: no sample has a verdict by this recipe, or the build's name cannot stand in a path.
    """
    if build is not None:
        batch_name(build)
    recipe = job.recipe
    snapshot = open_snapshot(job.lake, version)
    fragments, located = _located(snapshot, job.operator("verdicts"))
    state = fingerprint(
        {"recipe": recipe.fingerprint, "rows": _state(located), "name": build or "", "version": VERSION}
    )
    earlier_run = past_run(snapshot, "select", state)
    if earlier_run is not None and not dry_run:
        return Selection(build=str(earlier_run["build"]), known=True)
    targets = _targets(spark, snapshot, fragments)
    read = partial(_read, snapshot.uri, recipe)
    with Progress("select", spark.sparkContext), held_parts(spark, targets, read, _rows_of) as parts:
        chosen: list[Chosen] = []
        decided: list[tuple[Stage, Cuts]] = []
        for stage in recipe.choosing_order:
            chosen.append(choose(parts, stage, decided))
            decided.append((stage, chosen[-1].by_cell))
        sums = parts.fold(partial(chosen_sums, tuple(decided)), ChosenSums.merge, ChosenSums())
        digest = str(sum(row[3] for row in sums.cells.values()))
        name = batch_name(build or f"{recipe.name}-{fingerprint([recipe.fingerprint, digest])[:12]}")
        selection = report(name, chosen, sums, top_hosts(parts, decided))
        if not dry_run:
            settings = {"version": VERSION, "state": state, "build": name, "verdicts": job.operators["verdicts"]}
            run = begin_run(job.lake, "select", recipe.literals, {"stages": settings}, snapshot.version)
            run.counts.update({f"tokens:{cell.stage}:{cell.cell}": cell.got for cell in selection.cells})
            for long in selection.full_sequences:
                run.counts[f"full_sequences_asked:{long.stage}"] = long.asked
                run.counts[f"full_sequences_there:{long.stage}"] = long.there
                run.counts[f"full_sequences:{long.stage}"] = long.got
            # What a sample's rows say follows from the recipe and what was chosen; a name that the user gave stands for neither.
            operator = fingerprint({"stages": VERSION, "build": name, "recipe": recipe.fingerprint, "chosen": digest})
            write = partial(_write_target, snapshot.uri, name, run.run_id, tuple(decided), operator)
            _write(spark, run, snapshot, fragments, targets, parts, read, write, operator, name)
    return selection


def _targets(
    spark: SparkSession, snapshot: Snapshot, fragments: npt.NDArray[np.int64], build: str | None = None
) -> list[Target]:
    return plan_targets(snapshot, "stages", fragments, _FAMILIES, parallelism(spark), batch=build or "")


def _read(table_uri: str, recipe: Recipe, where: FragmentFiles) -> Candidates:
    return candidates(where.fragment, pa.concat_tables(read_aligned(table_uri, where, _COLUMNS)), recipe)


def _rows_of(found: Candidates) -> int:
    return len(found.row) + len(found.bare)


def _write(
    spark: SparkSession,
    run: Run,
    snapshot: Snapshot,
    fragments: npt.NDArray[np.int64],
    held: Sequence[Target],
    parts: Parts[Candidates],
    read: Any,
    write: Any,
    operator: str,
    build: str,
) -> None:
    """Write family ``stages`` of the build for the fragments that lack it; a selection that was killed goes on here."""
    while True:
        todo = np.setdiff1d(fragments, snapshot.covered("stages", operator=operator, batch=build))
        if len(todo) == 0 and run.waves:
            break
        stale = snapshot.live("stages", batch=build)
        stale = stale.filter(pa.compute.not_equal(stale["operator"], operator_digits(operator)))
        if stale.num_rows:
            raise UsageError(
                f"expected no build named {build} of another recipe or other samples, found one; choose another name with --build"
            )
        targets = _targets(spark, snapshot, todo, build)
        if targets == list(held):
            units = parts.write(write, _KILLED)
        else:
            with held_parts(spark, targets, read, _rows_of) as missing:
                units = missing.write(write, _KILLED)
        snapshot, _ = commit_wave(run, snapshot, units)
    finish_run(run, snapshot)


def _write_target(
    table_uri: str,
    build: str,
    run_id: str,
    decided: tuple[tuple[Stage, Cuts], ...],
    operator: str,
    base: int,
    mask: int,
    parts: Iterator[Candidates],
) -> Unit:
    counts: dict[str, int] = {"samples": 0, "chosen": 0}

    def groups() -> Iterator[pa.Table]:
        for found in parts:
            table = _rows(build, run_id, decided, found)
            counts["samples"] += table.num_rows
            counts["chosen"] += table.num_rows - table["stage"].null_count
            yield table

    entry = write_family(table_uri, "stages", build, base, mask, operator, groups())
    counts["stages_bytes"] = entry.size
    return Unit(adds=[entry], counts=counts)


def _rows(build: str, run_id: str, decided: Sequence[tuple[Stage, Cuts]], found: Candidates) -> pa.Table:
    """Return the rows of family ``stages`` of some samples, by sample_id."""
    rows = assign(found, decided)
    at = found.row[rows["row"]]
    # A kept sample of which spans left nothing is no candidate, and still gets a reason.
    n = len(found.bare)
    nothing = {
        "stage": pa.nulls(n, pa.string()),
        "copies": pa.array(np.zeros(n, np.int32)),
        "rank": pa.array(np.zeros(n, np.int64)),
        "reason": repeat_text("out: no tokens", n),
    }
    at = np.concatenate([at, found.bare])
    order = np.argsort(at, kind="stable")
    columns = {name: pa.concat_arrays([rows[name], nothing[name]]).take(pa.array(order)) for name in _DECIDED}
    ids = sample_ids(found.fragment, 0, int(at.max()) + 1 if len(at) else 0)[at[order]]
    named = {"build": build, "run_id": run_id}
    same = {name: repeat_text(text, len(at)) for name, text in named.items()}
    return pa.table({"sample_id": pa.array(ids), **columns, **same})
