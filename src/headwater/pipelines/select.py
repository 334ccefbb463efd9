"""Select: what each stage takes from the pools, exact to one document a cell (design, section 6).

Passes over narrow columns, each a Spark job whose tasks return sums: what is there by cell; then, stage by stage in the order of
choosing, the cut of every cell, found byte by byte of the key from 256 sums a cell and round. The driver holds sums and cuts, never samples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headwater.errors import RecipeError, UsageError
from headwater.lineage.fingerprint import fingerprint
from headwater.lineage.runs import Run, Unit, begin_run, commit_wave, finish_run, past_run
from headwater.pipelines import decide
from headwater.pipelines.benchmarks import chosen_sets
from headwater.pipelines.narrow import fragment_rows, plan_targets
from headwater.pipelines.progress import Progress
from headwater.pipelines.quotas import Cell, Plan, solve, stage_budget
from headwater.pipelines.recipe import Recipe
from headwater.pipelines.recipe_sections import Stage
from headwater.pipelines.selection import KEY_BYTES, Cut, Cuts, assign, candidates
from headwater.pipelines.selection_sums import bin_sums, cell_sums, chosen_sums
from headwater.pipelines.spark import parallelism, run_tasks
from headwater.warehouse.fragments import batch_name, fragment_mask
from headwater.warehouse.parquet import FragmentFiles, read_aligned, write_family
from headwater.warehouse.snapshot import Snapshot, open_snapshot

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["CellReport", "Selection", "select"]

VERSION: Final = 1
_COLUMNS: Final = {
    "verdicts": ["kept", "contamination_overlap", "contamination_answered"],
    "language": ["language"],
    "scores": ["quality", "knowledge_density", "reasoning_density", "chain_of_thought", "domain"],
    "tokens": ["n_tokens"],
    "content": ["content_hash", "origin", "source"],
}
_FEW: Final = 8192
"""So many samples in the bin of a cut are looked at one by one."""
_TOP_HOSTS: Final = 10
_DECIDED: Final = ("stage", "copies", "rank", "reason")


@dataclass(frozen=True, kw_only=True, slots=True)
class CellReport:
    """What one cell of one stage gave; token numbers count the stage's beginning and end of text for each document and copy.

    Attributes:
        cut: the score at which the cell's choice ends; None where all of it was taken.
        epochs: tokens got for each token there.
        top_hosts: share of what was got that comes from the ten largest hosts (sources, for documents without a URL).
    """

    stage: str
    cell: str
    available: int
    asked: int
    got: int
    documents: int
    cut: int | None
    epochs: float
    top_hosts: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """The result of a selection.

    Attributes:
        build: its name: the recipe's name and a digest of the recipe and of what was chosen.
        unplaced: stage → tokens of its budget that no cell could give.
        known: nothing was done since an earlier run had chosen from the same rows.
    """

    build: str
    cells: Sequence[CellReport] = ()
    unplaced: Mapping[str, int] = field(default_factory=dict)
    known: bool = False


def _located(snapshot: Snapshot, operator: Mapping[str, Any]) -> tuple[npt.NDArray[np.int64], list[FragmentFiles]]:
    own = fingerprint({"verdicts": operator})
    fragments = snapshot.covered("verdicts", own)
    if len(fragments) == 0:
        raise UsageError(
            "expected samples with verdicts by this recipe, found none; run decide first, or headwater run for all steps"
        )
    return fragments, list(snapshot.locate(fragments, [name for name in _COLUMNS if name != "content"]))


def _state(located: Sequence[FragmentFiles]) -> str:
    return fingerprint([[where.fragment, sorted(path for path, _ in where.files.values())] for where in located])


def _available(
    spark: SparkSession,
    snapshot: Snapshot,
    located: Sequence[FragmentFiles],
    recipe: Recipe,
    stage: Stage,
    earlier: Sequence[tuple[Stage, Cuts]],
) -> tuple[int, dict[Cell, int]]:
    """Return all tokens that are there, and by cell those that the stage may choose."""
    from pyspark.sql import functions as sf

    schema = "pool string, language string, domain string, open boolean, tokens long"
    rows = fragment_rows(
        spark, located, snapshot.uri, _COLUMNS, schema, partial(cell_sums, recipe, stage, tuple(earlier))
    )
    sums = rows.groupBy("pool", "language", "domain", "open").agg(sf.sum("tokens").alias("tokens")).collect()
    everything = sum(row.tokens for row in sums if not row.open)
    return everything, {Cell(row.pool, row.language, row.domain): row.tokens for row in sums if row.open}


@dataclass(kw_only=True, slots=True)
class _Search:
    """The search for the cut of one planned cell: the prefix of the key found so far and the tokens needed beyond it."""

    need: int
    prefix: bytes = b""
    last: bytes | None = None
    few: bool = False


def _find_cuts(
    spark: SparkSession,
    snapshot: Snapshot,
    located: Sequence[FragmentFiles],
    recipe: Recipe,
    stage: Stage,
    earlier: Sequence[tuple[Stage, Cuts]],
    plan: Plan,
    there: Mapping[Cell, int],
) -> dict[Cell, Cut]:
    """Return the cut of every cell of the plan: documents in order of their keys, stopping at the first that crosses the target."""
    from pyspark.sql import functions as sf

    full: dict[Cell, int] = {}
    searches: dict[Cell, _Search] = {}
    for cell, target in plan.targets.items():
        full[cell] = min(target // there[cell], stage.max_copies)
        rest = target - full[cell] * there[cell]
        if rest > 0 and full[cell] < stage.max_copies:
            searches[cell] = _Search(need=rest)
    while waiting := {cell: (search.prefix, search.few) for cell, search in searches.items() if search.last is None}:
        read = partial(bin_sums, recipe, stage, tuple(earlier), dict(plan.cell_of), waiting)
        rows = fragment_rows(
            spark, located, snapshot.uri, _COLUMNS, "cell string, key binary, tokens long, documents long", read
        )
        found: dict[str, list[tuple[bytes, int, int]]] = {}
        for row in (
            rows.groupBy("cell", "key")
            .agg(sf.sum("tokens").alias("tokens"), sf.sum("documents").alias("documents"))
            .collect()
        ):
            found.setdefault(row.cell, []).append((bytes(row.key), row.tokens, row.documents))
        for cell in waiting:
            _advance(searches[cell], sorted(found["\t".join(cell)]))
    return {
        cell: Cut(full=number, last=searches[cell].last if cell in searches else None) for cell, number in full.items()
    }


def _advance(search: _Search, bins: Sequence[tuple[bytes, int, int]]) -> None:
    """Step into the bin in which the need is met, or end at the document that meets it."""
    for key, tokens, documents in bins:
        if tokens < search.need:
            search.need -= tokens
            continue
        if len(key) == KEY_BYTES:
            search.last = key
        else:
            search.prefix, search.few = key, documents <= _FEW
        return
    raise RecipeError(
        "selection: expected the cell's samples to sum to what was counted before, found fewer; the lake changed, run again"
    )


def select(
    spark: SparkSession,
    lake: str,
    recipe: Recipe,
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
        UsageError: no sample has a verdict by this recipe.
    """
    snapshot = open_snapshot(lake, version)
    verdicts = decide.operator(recipe, chosen_sets(lake, recipe.contamination.sets))
    fragments, located = _located(snapshot, verdicts)
    state = fingerprint(
        {"recipe": recipe.fingerprint, "rows": _state(located), "name": build or "", "version": VERSION}
    )
    earlier_run = past_run(snapshot, "select", state)
    if earlier_run is not None and not dry_run:
        return Selection(build=str(earlier_run["build"]), known=True)
    decided: list[tuple[Stage, Cuts]] = []
    plans: list[tuple[Plan, dict[Cell, int], dict[Cell, Cut]]] = []
    with Progress("select", spark.sparkContext):
        for stage in recipe.choosing_order:
            everything, available = _available(spark, snapshot, located, recipe, stage, decided)
            plan = solve(available, stage, stage_budget(stage, everything))
            there = {planned.cell: planned.available for planned in plan.cells}
            cuts = _find_cuts(spark, snapshot, located, recipe, stage, decided, plan, there)
            by_cell = {cell: cuts[target] for cell, target in plan.cell_of.items() if target in cuts}
            # A cell that had nothing left for this stage is not in the plan; its samples still get a reason.
            decided.append((stage, Cuts(stage=stage.name, cuts=by_cell, planned=dict(plan.cell_of))))
            plans.append((plan, there, cuts))
        reports, digest = _report(spark, snapshot, located, recipe, decided, plans)
    name = batch_name(build or f"{recipe.name}-{fingerprint([recipe.fingerprint, digest])[:12]}")
    unplaced = {plan.stage: plan.unplaced for plan, _, _ in plans}
    if not dry_run:
        settings = {"version": VERSION, "state": state, "build": name, "verdicts": verdicts}
        run = begin_run(lake, "select", recipe.literals, {"stages": settings}, snapshot.version)
        run.counts.update({f"tokens:{report.stage}:{report.cell}": report.got for report in reports})
        _write(spark, run, snapshot, fragments, recipe, decided, name, digest)
    return Selection(build=name, cells=reports, unplaced=unplaced)


def _report(
    spark: SparkSession,
    snapshot: Snapshot,
    located: Sequence[FragmentFiles],
    recipe: Recipe,
    decided: Sequence[tuple[Stage, Cuts]],
    plans: Sequence[tuple[Plan, dict[Cell, int], dict[Cell, Cut]]],
) -> tuple[list[CellReport], str]:
    from pyspark.sql import Window
    from pyspark.sql import functions as sf

    columns = _COLUMNS | {"content": [*_COLUMNS["content"], "uri"]}
    schema = "stage string, cell string, host string, tokens long, documents long, digest long"
    rows = fragment_rows(spark, located, snapshot.uri, columns, schema, partial(chosen_sums, recipe, tuple(decided)))
    hosts = rows.groupBy("stage", "cell", "host").agg(
        sf.sum("tokens").alias("tokens"),
        sf.sum("documents").alias("documents"),
        sf.sum(sf.col("digest").cast("decimal(38,0)")).alias("digest"),
    )
    order = sf.row_number().over(Window.partitionBy("stage", "cell").orderBy(sf.desc("tokens"), "host"))
    sums = (
        hosts.withColumn("place", order)
        .groupBy("stage", "cell")
        .agg(
            sf.sum("tokens").alias("tokens"),
            sf.sum("documents").alias("documents"),
            sf.sum(sf.when(sf.col("place") <= _TOP_HOSTS, sf.col("tokens")).otherwise(0)).alias("top"),
            sf.sum("digest").alias("digest"),
        )
        .collect()
    )
    got = {(row.stage, row.cell): row for row in sums}
    reports = []
    for plan, _, cuts in plans:
        for planned in plan.cells:
            row = got.get((plan.stage, "\t".join(planned.cell)))
            tokens = row.tokens if row else 0
            last = cuts[planned.cell].last if planned.cell in cuts else None
            reports.append(
                CellReport(
                    stage=plan.stage,
                    cell="/".join(planned.cell),
                    available=planned.available,
                    asked=planned.asked + planned.received,
                    got=tokens,
                    documents=row.documents if row else 0,
                    cut=None if last is None else 65535 - int.from_bytes(last[:2], "big"),
                    epochs=tokens / planned.available if planned.available else 0.0,
                    top_hosts=row.top / tokens if row and tokens else 0.0,
                )
            )
    return reports, str(sum(int(row.digest) for row in sums))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Task:
    table: str
    run_id: str
    build: str
    recipe: Recipe
    decided: tuple[tuple[Stage, Cuts], ...]
    fragments: tuple[FragmentFiles, ...]
    operator: str


def _write(
    spark: SparkSession,
    run: Run,
    snapshot: Snapshot,
    fragments: npt.NDArray[np.int64],
    recipe: Recipe,
    decided: Sequence[tuple[Stage, Cuts]],
    build: str,
    digest: str,
) -> None:
    """Write family ``stages`` of the build for the fragments that lack it; a selection that was killed goes on here."""
    families = [name for name in _COLUMNS if name != "content"]
    # What a sample's rows say follows from the recipe and what was chosen; a name that the user gave stands for neither.
    operator = fingerprint({"stages": VERSION, "build": build, "recipe": recipe.fingerprint, "chosen": digest})
    while True:
        todo = np.setdiff1d(fragments, snapshot.covered("stages", operator=operator, batch=build))
        if len(todo) == 0 and run.waves:
            break
        stale = snapshot.live("stages", batch=build)
        stale = stale.filter(pa.compute.not_equal(stale["operator"], operator[:16]))
        if stale.num_rows:
            raise UsageError(
                f"expected no build named {build} of another recipe or other samples, found one; choose another name with --build"
            )
        targets = plan_targets(snapshot, "stages", todo, families, parallelism(spark), batch=build)
        tasks = [
            _Task(
                table=snapshot.uri,
                run_id=run.run_id,
                build=build,
                recipe=recipe,
                decided=tuple(decided),
                fragments=target.fragments,
                operator=operator,
            )
            for target in targets
        ]
        units = run_tasks(spark, _write_task, tasks)
        snapshot, _ = commit_wave(run, snapshot, units)
    finish_run(run, snapshot)


def _write_task(task: _Task) -> Unit:
    base, mask = fragment_mask(where.fragment for where in task.fragments)
    counts: dict[str, int] = {"samples": 0, "chosen": 0}

    def groups() -> Any:
        for where in task.fragments:
            rows = pa.concat_tables(read_aligned(task.table, where, _COLUMNS))
            table = _rows(task, rows)
            counts["samples"] += table.num_rows
            counts["chosen"] += table.num_rows - table["stage"].null_count
            yield table

    entry = write_family(task.table, "stages", task.build, base, mask, task.operator, groups())
    counts["stages_bytes"] = entry.size
    return Unit(adds=[entry], counts=counts)


def _rows(task: _Task, table: pa.Table) -> pa.Table:
    """Return the rows of family ``stages`` of some samples, by sample_id."""
    found = candidates(table, task.recipe)
    rows = assign(found, task.decided)
    ids = found.table["sample_id"].take(rows["row"])
    n = len(ids)
    named = {"build": pa.array([task.build] * n, pa.string()), "run_id": pa.array([task.run_id] * n, pa.string())}
    chosen = pa.table({"sample_id": ids, **{name: rows[name] for name in _DECIDED}} | named)
    # A kept sample of which spans left nothing is no candidate, and still gets a reason.
    bare = table.filter(pa.compute.and_kleene(table["kept"], pa.compute.equal(table["n_tokens"], 0)))["sample_id"]
    if not len(bare):
        return chosen
    rest = pa.Table.from_pylist(
        [
            {
                "sample_id": sample,
                "build": task.build,
                "copies": 0,
                "rank": 0,
                "reason": "out: no tokens",
                "run_id": task.run_id,
            }
            for sample in bare.to_pylist()
        ],
        schema=chosen.schema,
    )
    return pa.concat_tables([chosen, rest]).sort_by("sample_id")
