"""Revise: a finished build loses some samples and gets others in their places; only the shards that hold them change.

The shards that are touched are packed again from their own tokens and put in place of the old ones; every other byte of the build stays as it is.
A build made anew from the same rows of family ``stages`` has the same shards, byte for byte.

Whole or not at all: new files are made ready in ``<build>/.revise/<run>``; one commit replaces the rows of families ``stages`` and
``placements``, with a row of family ``runs`` that says what the manifests must become; then `settle` puts the files in place. Killed before the
commit, nothing happened, and what was made ready is cleared by the next one. Killed after it, the next call (or ``build --repair``, or ``build``)
ends the work.
"""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from headwater.errors import ConflictError, CorruptLakeError, UsageError
from headwater.fingerprint import canonical_json
from headwater.lineage.build_records import recorded_files, recorded_provenance
from headwater.lineage.builds import builds_uri, shard_name, snapshot_then, stage_operator, text_operators
from headwater.lineage.past_runs import PastRun, ended_builds, newest_ended, runs_of
from headwater.lineage.revisions import STEP, check_settled, newest_revision, revision_record, revisions_plain
from headwater.lineage.runs import Run, Unit, begin_run, commit_wave
from headwater.lineage.vocabularies import find_vocabulary
from headwater.pipelines.builds.encode_task import BuildJob
from headwater.pipelines.builds.revised_build import RevisedBuild, told_build
from headwater.pipelines.builds.revised_task import revised_chunks
from headwater.pipelines.builds.revision_plan import Ints, Membership, Parts, changed_rows, plan_parts, write_stage_rows
from headwater.pipelines.builds.settle import STAGED, clear_staged, held, settle
from headwater.pipelines.builds.shard_task import empty_shard, write_shards
from headwater.pipelines.builds.step import run_shards, stage_manifest
from headwater.pipelines.recipe.job import Recipe, parse_recipe
from headwater.plain import JsonObject
from headwater.tokenize.shards.manifest import (
    FORMAT,
    MANIFEST,
    Manifest,
    Revision,
    Shard,
    read_manifest,
    read_shard,
)
from headwater.warehouse.filesystem import exists, filesystem_of, join, read_bytes, write_file
from headwater.warehouse.snapshot import Snapshot, open_snapshot

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["revise"]

VERSION: Final = 1
_TRIES: Final = 100


def revise(
    spark: SparkSession | None,
    lake: str,
    build: str,
    *,
    gone: Sequence[int],
    come: Mapping[int, int] | None = None,
    cause: str,
) -> RevisedBuild:
    """Take samples out of a finished build, put others in their places, and move the version on which the build stands to the newest.

    A build that holds none of the samples stands on the newest version afterwards too: no file of an earlier one is kept for it.

    Args:
        spark: packs shards in its tasks; None: one after the other here, which is quicker for a few.
        gone: sample_ids that go from every stage.
        come: of some of these, which sample takes its place, with its stages and copies; their texts and tokens are those of the
            version that the build stands on.
        cause: why, for family ``runs``; the same call with the same cause does it once.

    Raises:
        UsageError: no such build, one that has not ended, or texts of it that step extract has replaced since.
        CorruptLakeError: a shard that must be packed again is damaged.
        ConflictError: other writers were faster a hundred times.
    """
    wanted, replacing = np.unique(np.array(list(gone), np.int64)), dict(come or {})
    for _ in range(_TRIES):
        settle(lake, build)
        snapshot = open_snapshot(lake)
        built = _built(snapshot, build)
        known = [each.run_id for each in runs_of(snapshot, STEP, build)]
        run = begin_run(lake, STEP, built.recipe, {}, snapshot.version)
        with held(lake, build, run.run_id):
            try:
                check_settled(snapshot, build)
                plan = _plan(snapshot, built, build, wanted, replacing)
                done = _done(snapshot, build, cause)
                if done is not None and len(plan.change.removed) == 0:
                    return told_build(done, known=True)
                _check_records(plan)
                unit = _work(spark, plan, run, cause)
            except Exception:
                clear_staged(lake, build, run.run_id)
                if _alone(build, known, run.run_id, open_snapshot(lake)):
                    raise
                continue  # another revision moved the shards away that were read
            _, dropped = commit_wave(run, snapshot, [unit], valid=partial(_still_alone, build, known, run.run_id))
            if dropped:
                clear_staged(lake, build, run.run_id)
                continue
            settle(lake, build)
        (mine,) = (each for each in runs_of(open_snapshot(lake), STEP, build) if each.run_id == run.run_id)
        return told_build(mine)
    raise ConflictError(f"{_TRIES} revisions of {build} lost against other writers; run the same command again")


def _alone(build: str, known: Sequence[str], own: str, snapshot: Snapshot) -> bool:
    """Return whether a version has no other revisions of the build than those that were known."""
    return [each.run_id for each in runs_of(snapshot, STEP, build) if each.run_id != own] == list(known)


def _still_alone(build: str, known: Sequence[str], own: str, snapshot: Snapshot, unit: Unit) -> bool:
    """Return whether a unit still holds: of a build that no other revision has changed."""
    return bool(unit.adds or unit.counts) and _alone(build, known, own, snapshot)


def _built(snapshot: Snapshot, build: str) -> PastRun:
    """Return the run that built a build."""
    found = newest_ended(runs_of(snapshot, "build", build))
    if found is None:
        listed = ", ".join(ended_builds(snapshot)) or "none"
        raise UsageError(f"expected a finished build of this lake, found {build!r}; it has {listed}")
    return found


def _done(snapshot: Snapshot, build: str, cause: str) -> PastRun | None:
    """Return the newest ended revision of a build for the same cause."""
    return newest_ended([run for run in runs_of(snapshot, STEP, build) if revision_record(run)["cause"] == cause])


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Plan:
    """A revision as it is planned from one version of the table.

    Attributes:
        then: the version in which the build's texts and token counts stand.
        stored: stage → its manifest as stored, of the stages that have shards.
        manifests: the same, read.
    """

    snapshot: Snapshot
    then: Snapshot
    build: str
    recipe: Recipe
    stored: Mapping[str, bytes]
    manifests: Mapping[str, Manifest]
    change: Membership
    parts: Parts


def _plan(snapshot: Snapshot, built: PastRun, build: str, gone: Ints, come: Mapping[int, int]) -> _Plan:
    then = snapshot_then(snapshot, build)
    if text_operators(then) != {fragment: text_operators(snapshot).get(fragment) for fragment in text_operators(then)}:
        raise UsageError(
            f"expected the texts that build {build} was made from, found other ones, which step extract has made since; what is left of the old "
            "ones cannot be kept without those that go. Select and build again under another name, and delete this build"
        )
    recipe = parse_recipe(json.loads(built.recipe_json))
    change = changed_rows(snapshot, then, build, gone, come)
    stored = {}
    for name in (stage.name for stage in recipe.stages):
        data = _stored_manifest(snapshot.lake, build, name)
        if data is not None:
            stored[name] = data
    manifests = {stage: read_manifest(data, f"{build}/{stage}/{MANIFEST}") for stage, data in stored.items()}
    parts = plan_parts(snapshot, then, build, recipe, manifests, change)
    return _Plan(
        snapshot=snapshot,
        then=then,
        build=build,
        recipe=recipe,
        stored=stored,
        manifests=manifests,
        change=change,
        parts=parts,
    )


def _stored_manifest(lake: str, build: str, stage: str) -> bytes | None:
    filesystem, path = filesystem_of(builds_uri(lake, build, stage))
    place = join(path, MANIFEST)
    return None if exists(filesystem, place) is None else read_bytes(filesystem, place)


def _check_records(plan: _Plan) -> None:
    """Refuse to revise a build whose manifests are not those that it recorded: shards would be read by them."""
    for stage, data in plan.stored.items():
        recorded = recorded_files(plan.snapshot, plan.build, stage)
        if recorded is not None and hashlib.sha256(data).hexdigest() != recorded[MANIFEST]:
            raise CorruptLakeError(
                f"{plan.build}/{stage}/{MANIFEST}: expected the SHA-256 that its build recorded, found another; first run: "
                f"headwater build LAKE RECIPE --build {plan.build} --repair"
            )
    for name in (stage.name for stage in plan.recipe.stages):
        placed = len(plan.snapshot.live("placements", operator=stage_operator(name), batch=plan.build))
        if placed and name not in plan.stored and recorded_files(plan.snapshot, plan.build, name) is not None:
            raise CorruptLakeError(
                f"{plan.build}/{name}/{MANIFEST}: expected the manifest of a stage with shards, found none; first run: "
                f"headwater build LAKE RECIPE --build {plan.build} --repair"
            )


def _work(spark: SparkSession | None, plan: _Plan, run: Run, cause: str) -> Unit:
    """Pack shards again, make their files ready, write the rows that change, and return what is to be committed; the run gets its record."""
    lake, build = plan.snapshot.lake, plan.build
    ready = join(builds_uri(lake, build, STAGED), run.run_id)
    job = BuildJob(
        lake=lake,
        table=plan.snapshot.uri,
        folder=ready,
        build=build,
        run_id=run.run_id,
        recipe=plan.recipe,
        shards={stage: manifest.buckets for stage, manifest in plan.manifests.items()},
        slots=plan.parts.slots,
    )
    _check_vocabulary(plan)
    units = list(_packed(spark, job, plan.parts))
    written = {tag for unit in units for tag in unit.tags}
    # A shard from which every document went keeps its (empty) placements.
    units += [empty_shard(job, *slot) for slot in job.slots if f"{slot[0]}/{slot[1]}" not in written]
    entries, replaced = write_stage_rows(plan.snapshot, build, plan.change, run.run_id)
    stages: dict[str, JsonObject] = {}
    counts: dict[str, int] = {"gone": len(plan.change.gone), "came": plan.change.came}
    for stage in dict.fromkeys(stage for stage, _ in job.slots):
        stages[stage], added = _new_stage(plan, job, stage)
        counts |= added
    run.operators = canonical_json({STEP: _record(plan, stages, cause)})
    return Unit(
        adds=[*(add for unit in units for add in unit.adds), *entries],
        removes=[*plan.parts.placements, *replaced],
        counts=counts,
    )


def _packed(spark: SparkSession | None, job: BuildJob, parts: Parts) -> Iterator[Unit]:
    """Yield the units of the shards that are packed again and not empty."""
    if not job.slots:
        return
    if spark is not None:
        for units in run_shards(spark, job, [*parts.old, *parts.new], revised_chunks):
            yield from units
        return
    come: dict[int, list[pa.RecordBatch]] = {}
    for chunk in revised_chunks(job, _items(parts.new)):
        for row, slot in enumerate(chunk.column("slot").to_pylist()):
            come.setdefault(slot, []).append(chunk.slice(row, 1))
    old = {shard.slot: shard for shard in parts.old}
    for slot in range(len(job.slots)):
        chunks = [*revised_chunks(job, _items([old[slot]] if slot in old else [])), *come.pop(slot, [])]
        for batch in write_shards(job, iter(chunks)):
            yield pickle.loads(batch.column(0)[0].as_buffer())  # noqa: S301 - pickled by write_shards a moment ago


def _items(parts: Sequence[object]) -> Iterator[pa.RecordBatch]:
    for part in parts:
        yield pa.record_batch({"item": pa.array([pickle.dumps((part,))], pa.binary())})


def _new_stage(plan: _Plan, job: BuildJob, stage: str) -> tuple[JsonObject, dict[str, int]]:
    """Make the manifest of a stage ready and return what the run records of it, and what its counts grow by."""
    before, data = plan.manifests[stage], plan.stored[stage]
    numbers = sorted(number for name, number in job.slots if name == stage)
    new = _ready_shards(job, stage, numbers)
    kept = [shard for shard in before.shards if shard.number not in numbers]
    went = [shard for shard in before.shards if shard.number in numbers]
    replaces = hashlib.sha256(data).hexdigest()
    revision = Revision(
        number=before.revision + 1, replaces=replaces, sequences=before.sequences, shards=tuple(numbers)
    )
    settings = next(found for found in plan.recipe.stages if found.name == stage)
    vocabulary = find_vocabulary(plan.snapshot.lake, plan.recipe.vocabulary.name)
    after = stage_manifest(
        plan.recipe, settings, before.buckets, vocabulary, [*kept, *new], revisions=(*before.revisions, revision)
    )
    write_file(join(job.folder, stage), MANIFEST, after, root=plan.snapshot.lake)
    named = {file.name for shard in new for file in shard.files} | {f"{shard_name(shard.number)}.json" for shard in new}
    old = {file.name for shard in went for file in shard.files} | {f"{shard_name(shard.number)}.json" for shard in went}
    told: JsonObject = {
        "revision": revision.number,
        "before": replaces,
        "after": hashlib.sha256(after).hexdigest(),
        "shards": numbers,
        "removed": sorted(old - named),
        "of_shards": len(kept) + len(new),
        "bytes": sum(file.n_bytes for shard in new for file in shard.files),
        "documents": sum(shard.documents for shard in went) - sum(shard.documents for shard in new),
        "tokens": sum(shard.tokens for shard in went) - sum(shard.tokens for shard in new),
        "revisions": revisions_plain((*before.revisions, revision)),
    }
    grown = {
        f"shards:{stage}": len(new) - len(went),
        f"bytes:{stage}": told["bytes"],
        f"rewritten:{stage}": len(numbers),
    }
    for name in ("tokens", "sequences", "padding", "cut_documents", "full_sequences"):
        grown[f"{name}:{stage}"] = sum(getattr(shard, name) for shard in new) - sum(
            getattr(shard, name) for shard in went
        )
    return told, grown


def _ready_shards(job: BuildJob, stage: str, numbers: Sequence[int]) -> list[Shard]:
    """Return what the records beside the shards say that were made ready; one from which every document went has none."""
    filesystem, path = filesystem_of(join(job.folder, stage))
    found = []
    for number in numbers:
        place = join(path, f"{shard_name(number)}.json")
        if exists(filesystem, place) is not None:
            found.append(read_shard(read_bytes(filesystem, place), place))
    return found


def _record(plan: _Plan, stages: Mapping[str, JsonObject], cause: str) -> JsonObject:
    """Return what the row of the revision says: all that is needed to put its files in place, and what the build is afterwards."""
    manifests = {stage: hashlib.sha256(data).hexdigest() for stage, data in plan.stored.items()}
    revised = newest_revision(plan.snapshot, plan.build)
    earlier = {} if revised is None else revision_record(revised).get("revisions", {})
    provenance = {}
    for stage in plan.stored:
        told = recorded_provenance(plan.snapshot, plan.build, stage)
        provenance[stage] = None if told is None else json.loads(told)
    counted_at = None
    if plan.then.version != plan.snapshot.version:
        kept = None if revised is None else revision_record(revised).get("counted_at")
        counted_at = plan.then.version if kept is None else kept
    return {
        "version": VERSION,
        "build": plan.build,
        "cause": cause,
        "gone": len(plan.change.gone),
        "came": plan.change.came,
        "not_come": list(plan.change.not_come),
        "stages": {stage: {k: v for k, v in told.items() if k != "revisions"} for stage, told in stages.items()},
        "manifests": manifests | {stage: told["after"] for stage, told in stages.items()},
        "formats": {
            stage: FORMAT if stage in stages else manifest.format for stage, manifest in plan.manifests.items()
        },
        "revisions": {**earlier, **{stage: told["revisions"] for stage, told in stages.items()}},
        "provenance": {stage: told for stage, told in provenance.items() if told is not None},
        "counted_at": counted_at,
    }


def _check_vocabulary(plan: _Plan) -> None:
    found = find_vocabulary(plan.snapshot.lake, plan.recipe.vocabulary.name).fingerprint
    for stage, manifest in plan.manifests.items():
        if manifest.vocabulary != found:
            raise UsageError(
                f"{plan.build}/{stage}: expected vocabulary {manifest.vocabulary}, which it was built with, found {found} under the name "
                f"{plan.recipe.vocabulary.name}; restore it from a copy"
            )
