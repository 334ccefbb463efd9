"""Select: what each stage takes from the pools, exact to one document a cell (design, section 6).

One job reads the narrow columns; then, stage by stage in the order of choosing, passes over what it holds give sums: what is available by cell, and
the cut of every cell (``search``). The driver holds sums and cuts, and samples only where they are few.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headwater.errors import UsageError
from headwater.filters.scores.names import SCORE_COLUMNS
from headwater.fingerprint import fingerprint, fingerprint_of_rows
from headwater.lineage.past_runs import past_run
from headwater.lineage.runs import begin_run
from headwater.pipelines.recipe.job import Recipe
from headwater.pipelines.recipe.operators import Resolved
from headwater.pipelines.recipe.stages import Stage
from headwater.pipelines.selection.candidates import Candidates, Cuts, candidates
from headwater.pipelines.selection.cuts import Chosen, choose
from headwater.pipelines.selection.report import Selection, report, top_hosts
from headwater.pipelines.selection.rows import assign
from headwater.pipelines.selection.sums import ChosenSums, chosen_sums
from headwater.pipelines.selection.writer import StageWriter
from headwater.pipelines.spark.aligned import Target, plan_targets
from headwater.pipelines.spark.held_rows import held_parts
from headwater.pipelines.spark.progress import Progress
from headwater.pipelines.spark.sessions import parallelism
from headwater.warehouse.fragments import batch_name
from headwater.warehouse.parquet import FragmentFiles, read_aligned
from headwater.warehouse.snapshot import Snapshot, open_snapshot

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["select"]

VERSION: Final = 1
_COLUMNS: Final = {
    "verdicts": ["kept", "contamination_overlap", "contamination_answered"],
    "language": ["language"],
    "scores": list(SCORE_COLUMNS),
    "tokens": ["n_tokens"],
    "content": ["content_hash", "origin", "source", "uri"],
}
_FAMILIES: Final = [name for name in _COLUMNS if name != "content"]


def _located(snapshot: Snapshot, own: str) -> tuple[npt.NDArray[np.int64], list[FragmentFiles]]:
    fragments = snapshot.covered("verdicts", own)
    if len(snapshot.covered("content")) == 0:
        raise UsageError(
            f"expected samples in {snapshot.lake}, found none: no input was ingested, or none held a record that can be used (family quarantine has "
            f"those that were refused); headwater ingest {snapshot.lake} RECIPE --input FILES adds some"
        )
    if len(fragments) == 0:
        raise UsageError(
            "expected samples with verdicts by this recipe, found none; run decide first, or headwater run for all steps"
        )
    return fragments, list(snapshot.locate(fragments, _FAMILIES))


def _state(located: Sequence[FragmentFiles]) -> str:
    return fingerprint_of_rows([where.fragment, sorted(path for path, _ in where.files.values())] for where in located)


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
    targets = _targets(parallelism(spark), "", snapshot, fragments)
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
            cuts = {f"cut:{cell.stage}:{cell.cell}": cell.cut for cell in selection.cells if cell.cut is not None}
            run.counts.update({"cuts": len(cuts), **cuts})
            for long in selection.full_sequences:
                run.counts[f"full_sequences_asked:{long.stage}"] = long.asked
                run.counts[f"full_sequences_there:{long.stage}"] = long.there
                run.counts[f"full_sequences:{long.stage}"] = long.got
            # What a sample's rows say follows from the recipe and what was chosen; a name that the user gave stands for neither.
            operator = fingerprint({"stages": VERSION, "build": name, "recipe": recipe.fingerprint, "chosen": digest})
            writer = StageWriter(
                build=name,
                operator=operator,
                plan=partial(_targets, parallelism(spark), name),
                read=read,
                size=_rows_of,
                rows=partial(assign, decided=tuple(decided)),
            )
            writer.write(spark, run, snapshot, fragments, targets, parts)
    return selection


def _targets(tasks: int, build: str, snapshot: Snapshot, fragments: npt.NDArray[np.int64]) -> list[Target]:
    return plan_targets(snapshot, "stages", fragments, _FAMILIES, tasks, batch=build)


def _read(table_uri: str, recipe: Recipe, where: FragmentFiles) -> Candidates:
    columns = {**_COLUMNS, "scores": [*_COLUMNS["scores"], *recipe.own_scores]}
    return candidates(where.fragment, pa.concat_tables(read_aligned(table_uri, where, columns)), recipe)


def _rows_of(found: Candidates) -> int:
    return len(found.row) + len(found.bare)
