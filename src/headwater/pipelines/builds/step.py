"""Build: the chosen samples' tokens, shuffled, packed to each stage's context, in shards, with a placement for every run of tokens.

Tasks read the chosen texts, leave out their spans, tokenize, and hand narrow token rows to Spark's shuffle; the other side gets a shard's rows in the
order of their positions, packs them, writes the shard's files and describes its placements. A shard and its placements are committed together;
a build that was killed goes on with the shards that are missing.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from headwater.errors import RecipeError, UsageError
from headwater.fingerprint import canonical_json, fingerprint
from headwater.lineage.build_records import PROVENANCE, build_record, provenance_bytes, settle_provenance
from headwater.lineage.builds import builds_uri, check_texts_stand, shard_name, stage_operator
from headwater.lineage.past_runs import base_of, past_counts, past_recipe, past_run, runs_of
from headwater.lineage.revisions import open_revisions
from headwater.lineage.runs import Run, Unit, begin_run, commit_wave
from headwater.pipelines.builds.chunks import SHUFFLE_ROW
from headwater.pipelines.builds.encode_task import BuildJob, fragment_chunks
from headwater.pipelines.builds.settle import settle
from headwater.pipelines.builds.shard_task import empty_shard, write_shards
from headwater.pipelines.recipe.bounds import BUCKETS
from headwater.pipelines.recipe.job import Recipe
from headwater.pipelines.recipe.operators import Resolved
from headwater.pipelines.recipe.stages import Stage
from headwater.pipelines.spark.parcels import parcels
from headwater.pipelines.spark.progress import Progress
from headwater.pipelines.spark.sessions import parallelism
from headwater.plain import JsonObject
from headwater.tokenize.forms.load import Vocabulary
from headwater.tokenize.shards.manifest import (
    FORMAT,
    MANIFEST,
    Revision,
    Shard,
    make_manifest,
    read_shard,
    write_manifest,
)
from headwater.tokenize.shards.roots import ROOT, build_root
from headwater.version import __version__
from headwater.warehouse.filesystem import filesystem_of, join, write_file
from headwater.warehouse.many_files import read_present
from headwater.warehouse.snapshot import Snapshot, open_snapshot

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["build", "packing_buckets", "run_shards", "stage_manifest"]

VERSION: Final = 2
PROVENANCE_FORMAT: Final = 1
MOST_BLOCKS: Final = 100_000_000
"""Most blocks of the shuffle, tasks times partitions: with eighty terabytes of tokens each has most of a megabyte."""
_TOKEN_BYTES: Final = 4
Chunks = Callable[[BuildJob, Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]


def _shard_counts(snapshot: Snapshot, recipe: Recipe, name: str) -> dict[str, int]:
    """Return how many shards each stage has: its packing buckets, for the tokens that its selection counted.

    Those of a proxy follow from its own tokens, whatever number of buckets the whole stage is given.
    """
    scaled = base_of(snapshot, name) is not None
    totals: dict[str, int] = {}
    for key, tokens in (past_counts(snapshot, "select", name) or {}).items():
        kind, _, cell = key.partition(":")
        if kind == "tokens":
            stage = cell.partition(":")[0]
            totals[stage] = totals.get(stage, 0) + int(tokens)
    return {
        stage.name: packing_buckets(
            replace(stage, buckets=None) if scaled else stage, totals[stage.name], recipe.build.shard_tokens
        )
        for stage in recipe.stages
        if totals.get(stage.name)
    }


def packing_buckets(stage: Stage, tokens: int, shard_tokens: int) -> int:
    """Return how many packing buckets a stage has: as many as it says, or the smallest power of two that keeps to ``shard_tokens``.

    Raises:
        RecipeError: more than ``BUCKETS.most``.
    """
    if stage.buckets is not None:
        return stage.buckets
    buckets = 1 << (-(-tokens // shard_tokens) - 1).bit_length() if tokens else 1
    if buckets > BUCKETS.most:
        raise RecipeError(
            f"build: shard_tokens: expected at most {BUCKETS.most} shards in stage {stage.name}, found {buckets} for {tokens} tokens; "
            f"set it to {-(-tokens // BUCKETS.most)} or more"
        )
    return buckets


def build(spark: SparkSession, job: Resolved, name: str) -> dict[str, int]:
    """Write every shard of a build that is missing, its placements, and a manifest a stage; return the counts of what was done.

    Raises:
        UsageError: no finished selection of that name, or one by another recipe.
        CorruptLakeError: a sample does not give the tokens that were counted.
    """
    lake, recipe, vocabulary = job.lake, job.recipe, job.vocabulary
    snapshot = open_snapshot(lake)
    if open_revisions(snapshot, name):
        settle(lake, name)
        snapshot = snapshot.newest()
    fragments = snapshot.covered("stages", batch=name)
    if len(fragments) == 0:
        raise UsageError(f"expected a selection named {name}, found none; run select first")
    selected_by = past_recipe(snapshot, "select", name)
    if selected_by is None:
        raise UsageError(f"expected a finished selection named {name}, found one that was stopped; run select again")
    if selected_by != canonical_json(recipe.literals):
        raise UsageError(
            f"expected the recipe that chose {name}, found another; build with that one, or select under another name"
        )
    state = fingerprint({"build": name, "recipe": recipe.fingerprint, "version": VERSION})
    if past_run(snapshot, "build", state) is not None:
        return {}
    check_texts_stand(snapshot, name, fragments)
    shards = _shard_counts(snapshot, recipe, name)
    _check_specials(recipe, vocabulary)
    settings = {"version": VERSION, "state": state, "build": name, "vocabulary": vocabulary.fingerprint}
    run = begin_run(lake, "build", recipe.literals, {"shards": settings}, snapshot.version)
    while True:
        with Progress("build", spark.sparkContext) as progress:
            while missing := _missing(snapshot, name, shards):
                # Read anew each time: a takedown may have changed what was chosen, and the texts, since the last wave.
                planned = set(snapshot.paths("stages", batch=name))
                fragments = snapshot.covered("stages", batch=name)
                located = list(snapshot.locate(fragments, ["stages", "spans", "tokens"], batch=name))
                work = BuildJob(
                    lake=lake,
                    table=snapshot.uri,
                    folder=builds_uri(lake, name),
                    build=name,
                    run_id=run.run_id,
                    recipe=recipe,
                    shards=shards,
                    slots=tuple(missing),
                )
                written: set[str] = set()
                for units in run_shards(spark, work, located):
                    snapshot, _ = commit_wave(run, snapshot, units, valid=partial(_as_planned, name, planned))
                    if set(snapshot.paths("stages", batch=name)) != planned:
                        # The version planned from may have texts that were taken down.
                        run.input_version = snapshot.version
                        break
                    progress.add(
                        size=_TOKEN_BYTES
                        * sum(n for unit in units for name, n in unit.counts.items() if name.startswith("tokens:"))
                    )
                    written |= {tag for unit in units for tag in unit.tags}
                # A shard to which no document fell still gets its (empty) placements, so that it counts as done.
                empty = [
                    empty_shard(work, stage, number) for stage, number in missing if f"{stage}/{number}" not in written
                ]
                if empty and set(snapshot.paths("stages", batch=name)) == planned:
                    snapshot, _ = commit_wave(run, snapshot, empty, valid=partial(_as_planned, name, planned))
        if not run.waves:
            snapshot, _ = commit_wave(run, snapshot, [])
        planned = set(snapshot.paths("stages", batch=name))
        manifests = _write_manifests(lake, recipe, name, shards, vocabulary)
        provenance = _write_provenance(lake, recipe, name, shards, run, snapshot)
        record = build_record(manifests, provenance)
        write_file(builds_uri(lake, name), ROOT, build_root(record["manifests"]), root=lake)
        run.operators = canonical_json({"shards": settings | record})
        # A takedown that came since the last wave has taken placements and shards of a build that had not ended.
        snapshot, dropped = commit_wave(
            run,
            snapshot,
            [Unit(adds=())],
            final=True,
            changes_data=False,
            valid=partial(_as_planned, name, planned),
        )
        if not dropped:
            break
        run.input_version = snapshot.version
    settle_provenance(lake, name, provenance)
    return dict(run.counts)


def _check_specials(recipe: Recipe, vocabulary: Vocabulary) -> None:
    for stage in recipe.stages:
        if stage.beginning_of_text and vocabulary.beginning_of_text is None:
            raise RecipeError(
                f"stages ({stage.name}): beginning_of_text: expected a vocabulary that has one, found {vocabulary.name} without; "
                "choose another vocabulary or leave it out"
            )


def _as_planned(name: str, planned: set[str], snapshot: Snapshot, unit: Unit) -> bool:
    """Return whether a version has the selection from which a unit was made, and so the texts: a takedown changes both in one commit."""
    return set(snapshot.paths("stages", batch=name)) == planned


def _missing(snapshot: Snapshot, name: str, shards: Mapping[str, int]) -> list[tuple[str, int]]:
    """Return (stage, shard) of the shards without placements."""
    missing: list[tuple[str, int]] = []
    for stage, number in shards.items():
        there = set(snapshot.covered("placements", operator=stage_operator(stage), batch=name).tolist())
        missing += [(stage, shard) for shard in range(number) if shard not in there]
    return missing


def run_shards(
    spark: SparkSession, job: BuildJob, parts: Sequence[object], chunks: Chunks = fragment_chunks
) -> Iterator[list[Unit]]:
    """Yield the units of a few shards at a time: the shuffle runs once, and later waves find its files.

    Args:
        parts: what the tasks read, a task one or more: as a rule fragments.
        chunks: gives the chunks of some parts; see ``parcels``.
    """
    from pyspark.sql import functions as sf

    context = spark.sparkContext
    slots = parallelism(spark)
    items = parcels(parts, 8 * slots)
    work = spark.createDataFrame(context.parallelize(items, len(items)), "item binary")
    rows = work.mapInArrow(partial(chunks, job), SHUFFLE_ROW)
    runs = _runs_of_shards(len(job.slots), len(items))
    if runs == len(job.slots):
        sent = rows.repartitionById(runs, "slot")
    else:
        run = sf.expr(f"CAST((CAST(slot AS BIGINT) * {runs}) DIV {len(job.slots)} AS INT)")
        sent = rows.withColumn("run", run).repartitionById(runs, "run").drop("run").sortWithinPartitions("slot")
    written = sent.mapInArrow(partial(write_shards, job, ordered=runs < len(job.slots)), "unit binary").rdd
    partitions = written.getNumPartitions()
    for begin in range(0, partitions, 4 * slots):
        chosen = range(begin, min(partitions, begin + 4 * slots))
        found = context.runJob(written, lambda part: [row.unit for row in part], list(chosen))
        yield [pickle.loads(unit) for unit in found]  # noqa: S301 - written by this job's own tasks


def _runs_of_shards(shards: int, tasks: int) -> int:
    """Return into how many runs of neighbouring shards a shuffle goes, a partition each: one a shard, unless blocks would be too many.

    A shuffle moves a block a task and partition: with a partition a shard, twenty trillion tokens would be billions of them, of some kilobytes.
    The shards of a run are sorted apart where they arrive, by Spark, which spills to the local disk; one at a time is in memory as ever.
    """
    return max(1, min(shards, MOST_BLOCKS // tasks))


def _write_manifests(
    lake: str, recipe: Recipe, name: str, shards: Mapping[str, int], vocabulary: Vocabulary
) -> dict[str, bytes]:
    """Write each stage's manifest from the records beside its shards, and return them by stage."""
    written: dict[str, bytes] = {}
    for stage in recipe.stages:
        if stage.name not in shards:
            continue
        folder = builds_uri(lake, name, stage.name)
        filesystem, path = filesystem_of(folder)
        records = [join(path, f"{shard_name(number)}.json") for number in range(shards[stage.name])]
        found = [
            read_shard(data, record)
            for record, data in zip(records, read_present(filesystem, records), strict=True)
            if data is not None  # otherwise no document fell to the shard
        ]
        data = stage_manifest(recipe, stage, shards[stage.name], vocabulary, found)
        write_file(folder, MANIFEST, data, root=lake)
        written[stage.name] = data
    return written


def stage_manifest(
    recipe: Recipe,
    stage: Stage,
    buckets: int,
    vocabulary: Vocabulary,
    shards: Sequence[Shard],
    *,
    revisions: Sequence[Revision] = (),
    format_: int = FORMAT,
) -> bytes:
    """Return the manifest of a stage as it is stored; arguments as for ``make_manifest``."""
    manifest = make_manifest(
        stage=stage.name,
        context=stage.context,
        vocabulary=vocabulary,
        packing=stage.packing,
        beginning_of_text=stage.beginning_of_text,
        end_of_text=stage.end_of_text,
        seed=recipe.build.seed,
        buckets=buckets,
        recipe=recipe.fingerprint,
        shards=shards,
        revisions=revisions,
        format_=format_,
    )
    return write_manifest(manifest)


def _write_provenance(
    lake: str, recipe: Recipe, name: str, shards: Mapping[str, int], run: Run, snapshot: Snapshot
) -> dict[str, JsonObject]:
    """Write beside each manifest where the shards come from, what may differ between lakes that hold the same documents; return it by stage."""
    written: dict[str, JsonObject] = {}
    runs = {step: sorted(run.run_id for run in runs_of(snapshot, step, name)) for step in ("select", "build")}
    for stage in recipe.stages:
        if stage.name not in shards:
            continue
        record: JsonObject = {
            "format": PROVENANCE_FORMAT,
            "build": name,
            "stage": stage.name,
            "recipe_name": recipe.name,
            "recipe": recipe.fingerprint,
            "input_version": run.input_version,
            "table_version": snapshot.version,
            "runs": runs,
            "code_version": __version__,
        }
        write_file(builds_uri(lake, name, stage.name), PROVENANCE, provenance_bytes(record), root=lake)
        written[stage.name] = record
    return written
