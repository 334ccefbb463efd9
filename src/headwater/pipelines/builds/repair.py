"""Repair: shard files of a finished build that are missing or damaged are built again, alone, and put back if they are byte for byte the same.

What a file must be stands twice: in the stage's manifest and in the record beside the shard. Where the two differ, the one that the files
agree with counts, or the one that the shard built anew agrees with. Placements and all other files stay as they are. A shard that
comes out different is not put back: both its forms are left for whoever looks into it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import fs as pafs

from headwater.errors import CorruptLakeError, HeadwaterError, RecipeError, UsageError
from headwater.lineage.build_records import (
    PROVENANCE,
    recorded_files,
    recorded_manifest,
    recorded_provenance,
    recorded_root,
)
from headwater.lineage.builds import builds_uri, shard_name, snapshot_then, stage_operator
from headwater.lineage.past_runs import past_recipe
from headwater.lineage.revisions import check_settled
from headwater.lineage.runs import Unit, begin_run, commit_wave, finish_run
from headwater.lineage.vocabularies import find_vocabulary
from headwater.pipelines.builds.encode_task import BuildJob
from headwater.pipelines.builds.files import put_back
from headwater.pipelines.builds.step import run_shards, stage_manifest
from headwater.pipelines.recipe.job import Recipe, parse_recipe
from headwater.pipelines.recipe.operators import Resolved
from headwater.tokenize.shards.manifest import (
    FORMAT,
    MANIFEST,
    READABLE,
    Manifest,
    Shard,
    read_manifest,
    read_shard,
    write_shard,
)
from headwater.tokenize.shards.roots import ROOT
from headwater.warehouse.faults import reach
from headwater.warehouse.filesystem import (
    exists,
    file_sha256,
    filesystem_of,
    join,
    read_bytes,
    write_file,
)
from headwater.warehouse.fragments import ROW_BITS
from headwater.warehouse.parquet import read_file
from headwater.warehouse.real_files import refuse_links
from headwater.warehouse.snapshot import Snapshot, open_snapshot

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = [
    "Damage",
    "StageDamage",
    "build_again",
    "clear_folder",
    "described_stage",
    "filled_shards",
    "find_damage",
    "repair",
]

_Record = TypeVar("_Record", Manifest, Shard)
_FOLDER: Final = ".repair"


@dataclass(frozen=True, kw_only=True, slots=True)
class StageDamage:
    """What is wrong with a stage's files.

    Attributes:
        shards: by number, what each shard may be: one form, or two where manifest and record differ and the files do not tell which is right.
        files: name of a shard's file → what is wrong with it.
        records: which of manifest.json, provenance.json and the records beside the shards must be written anew.
    """

    stage: str
    buckets: int
    shards: dict[int, tuple[Shard, ...]]
    files: dict[str, str]
    records: tuple[str, ...]

    @property
    def numbers(self) -> list[int]:
        """Numbers of the shards that must be built again: with damaged files, or with two forms to choose from."""
        damaged = {int(name.partition(".")[0].removeprefix("shard-")) for name in self.files}
        return sorted(damaged | {number for number, forms in self.shards.items() if len(forms) > 1})


@dataclass(frozen=True, kw_only=True, slots=True)
class Damage:
    """What is wrong with a build, by stage; stages that are whole are among them.

    Attributes:
        root: what its `root.json` must be; None where it is that, or an earlier release built it without one.
    """

    build: str
    stages: tuple[StageDamage, ...]
    root: bytes | None = None

    @property
    def files(self) -> dict[str, str]:
        """Return each damaged file → what is wrong with it, all stages together."""
        found = {f"{stage.stage}/{name}": fault for stage in self.stages for name, fault in stage.files.items()}
        found |= {f"{stage.stage}/{name}": "record" for stage in self.stages for name in stage.records}
        return found | ({} if self.root is None else {ROOT: "record"})


def _is_recipe(recipe: Recipe, recorded: str) -> bool:
    """Return whether the literals that a run recorded are those of a recipe; keys that the run's release did not have are at their defaults."""
    try:
        return parse_recipe(json.loads(recorded)).literals == recipe.literals
    except RecipeError:  # of an earlier release that took what is refused today
        return False


def find_damage(lake: str, recipe: Recipe, name: str) -> Damage:
    """Return which files of a build are not what was committed; every file is read once.

    Raises:
        UsageError: no finished build of that name by this recipe.
        CorruptLakeError: neither the manifest nor a shard's record says what the shard was.
    """
    snapshot = open_snapshot(lake)
    built_by = past_recipe(snapshot, "build", name)
    check_settled(snapshot, name)
    if built_by is None:
        raise UsageError(
            f"expected a finished build named {name}, found none; headwater build writes shards that are missing"
        )
    if not _is_recipe(recipe, built_by):
        raise UsageError(f"expected the recipe that built {name}, found another")
    stages = []
    for stage in recipe.stages:
        buckets = len(snapshot.covered("placements", operator=stage_operator(stage.name), batch=name))
        if buckets:
            stages.append(_stage_damage(lake, snapshot, recipe, name, stage.name, buckets))
    root = recorded_root(snapshot, name)
    filesystem, path = filesystem_of(builds_uri(lake, name))
    same = root is None or _read(filesystem, join(path, ROOT)) == root
    return Damage(build=name, stages=tuple(stages), root=None if same else root)


def _stage_damage(lake: str, snapshot: Snapshot, recipe: Recipe, name: str, stage: str, buckets: int) -> StageDamage:
    filesystem, path = filesystem_of(builds_uri(lake, name, stage))
    stored = _read(filesystem, join(path, "manifest.json"))
    manifest = _parsed(read_manifest, stored)
    entries = {shard.number: shard for shard in manifest.shards} if manifest is not None else {}
    shards: dict[int, tuple[Shard, ...]] = {}
    files: dict[str, str] = {}
    records = []
    for number in filled_shards(snapshot, name, stage):
        record = f"{shard_name(number)}.json"
        kept = _read(filesystem, join(path, record))
        described: list[Shard | None] = [entries.get(number), _parsed(read_shard, kept)]
        forms = {shard for shard in described if shard is not None and _fits(shard, number)}
        if not forms:
            raise CorruptLakeError(
                f"{name}/{stage}: expected shard {number} in manifest.json or {record}, found it in neither; restore one of them from a copy"
            )
        faults = {form: _faults(filesystem, path, form) for form in forms}
        whole = [form for form in forms if not faults[form]]
        shards[number] = (whole[0],) if len(whole) == 1 else tuple(sorted(forms, key=repr))
        for form in shards[number]:
            files |= faults[form]
        if len(shards[number]) > 1 or kept != write_shard(shards[number][0]):
            records.append(record)
    decided = all(len(forms) == 1 for forms in shards.values())
    if not decided or stored != described_stage(snapshot, recipe, name, stage, buckets, shards, manifest):
        records.append(MANIFEST)
    origins = recorded_provenance(snapshot, name, stage)
    if origins is not None and _read(filesystem, join(path, PROVENANCE)) != origins:
        records.append(PROVENANCE)
    return StageDamage(stage=stage, buckets=buckets, shards=shards, files=files, records=tuple(records))


def _read(filesystem: pafs.FileSystem, path: str) -> bytes | None:
    return None if exists(filesystem, path) is None else read_bytes(filesystem, path)


def _parsed(read: Callable[[bytes], _Record], data: bytes | None) -> _Record | None:
    """Return what a file of records says, or None where it is missing or damaged."""
    try:
        return None if data is None else read(data)
    except HeadwaterError:
        return None


def _fits(shard: Shard, number: int) -> bool:
    """Return whether an entry can be that of a shard: flipped bits may still be JSON."""
    if shard.number != number or not shard.files:
        return False
    stem = f"{shard_name(number)}."
    return all(file.name.startswith(stem) and "/" not in file.name for file in shard.files)


def _faults(filesystem: pafs.FileSystem, path: str, shard: Shard) -> dict[str, str]:
    found = {}
    for file in shard.files:
        size = exists(filesystem, join(path, file.name))
        if size != file.n_bytes:
            found[file.name] = "missing" if size is None else f"expected {file.n_bytes} bytes, found {size}"
        elif (sha256 := file_sha256(filesystem, join(path, file.name))) != file.sha256:
            found[file.name] = f"expected SHA-256 {file.sha256}, found {sha256}"
    return found


def described_stage(
    snapshot: Snapshot,
    recipe: Recipe,
    name: str,
    stage: str,
    buckets: int,
    shards: dict[int, tuple[Shard, ...]],
    stored: Manifest | None,
) -> bytes:
    """Return what the manifest of a stage must be, in the format in which it was written and with its revisions.

    Args:
        stored: the manifest that is there, None where it cannot be read.
    """
    settings = next(found for found in recipe.stages if found.name == stage)
    chosen = [forms[0] for forms in shards.values()]
    vocabulary = find_vocabulary(snapshot.lake, recipe.vocabulary.name)
    told, revisions = recorded_manifest(snapshot, name, stage)
    recorded = recorded_files(snapshot, name, stage)
    # Rows of earlier releases have no format: it is the one in which the manifest has the recorded hash, or that of the manifest itself.
    formats = [told] if told is not None else [FORMAT if stored is None else stored.format, *READABLE]
    made = [
        stage_manifest(recipe, settings, buckets, vocabulary, chosen, revisions=revisions, format_=each)
        for each in formats
    ]
    fitting = [data for data in made if recorded is not None and hashlib.sha256(data).hexdigest() == recorded[MANIFEST]]
    return (fitting or made)[0]


def _placements(snapshot: Snapshot, name: str, stage: str, columns: Sequence[str]) -> Iterator[pa.Table]:
    for path in snapshot.live("placements", operator=stage_operator(stage), batch=name)["path"].to_pylist():
        yield from read_file(snapshot.uri, path, columns)


def filled_shards(snapshot: Snapshot, name: str, stage: str) -> list[int]:
    """Return the numbers of the shards that hold something; a shard to which no document fell has no files."""
    found: set[int] = set()
    for table in _placements(snapshot, name, stage, ["shard"]):
        found |= set(pc.unique(table["shard"]).to_pylist())
    return sorted(found)


def repair(spark: SparkSession | None, job: Resolved, damage: Damage) -> dict[str, int]:
    """Build the damaged shards again, put their files back, and return how many of what; a row of family ``runs`` records it.

    Args:
        spark: may be None where only records are damaged.
        damage: from `find_damage`.

    Raises:
        CorruptLakeError: a shard came out different from what was committed; it was not put back, all others were.
    """
    if not damage.files:
        return {}
    lake, recipe, name = job.lake, job.recipe, damage.build
    snapshot = open_snapshot(lake)
    run = begin_run(
        lake, "repair", recipe.literals, {"repair": {"build": name, "files": sorted(damage.files)}}, snapshot.version
    )
    snapshot, _ = commit_wave(run, snapshot, [])
    folder = builds_uri(lake, name, _FOLDER)
    clear_folder(folder, lake)
    if spark is not None:
        build_again(spark, job, snapshot, damage, folder, run.run_id)
    reach("repair/before-replace/1")
    different: list[str] = []
    n_files = 0
    for stage in damage.stages:
        chosen = dict(stage.shards)
        for number in stage.numbers:
            form, names = _agreed(lake, name, stage, number)
            if form is None:
                different += [f"{stage.stage}/{file}" for file in names]
                continue
            chosen[number] = (form,)
            for file in (file for file in form.files if file.name in names):
                put_back(join(folder, stage.stage), builds_uri(lake, name, stage.stage), file, lake)
                n_files += 1
                reach(f"repair/after-replace/{n_files}")
        if all(len(forms) == 1 for forms in chosen.values()):
            _write_records(snapshot, recipe, name, stage, chosen)
    if damage.root is not None:
        write_file(builds_uri(lake, name), ROOT, damage.root, root=lake)
    if different:
        raise CorruptLakeError(
            f"{name}: expected the bytes that were committed, found others in {', '.join(different)}, built again; they were left as they are and "
            f"the new ones are in {folder}. Another version of Headwater or pyarrow, or a table that changed, gives other bytes"
        )
    clear_folder(folder, lake)
    counts = {
        "shards": sum(len(stage.numbers) for stage in damage.stages),
        "files": n_files,
        "records": sum(len(stage.records) for stage in damage.stages) + (damage.root is not None),
    }
    snapshot, _ = commit_wave(run, snapshot, [Unit(adds=[], counts=counts)])
    finish_run(run, snapshot)
    return counts


def clear_folder(folder: str, lake: str) -> None:
    """Delete a folder of a build in which shards were built again, if it is there."""
    filesystem, path = filesystem_of(folder)
    refuse_links(filesystem, filesystem_of(lake)[1], path)
    if filesystem.get_file_info(path).type == pafs.FileType.Directory:
        filesystem.delete_dir(path)


def build_again(
    spark: SparkSession, job: Resolved, snapshot: Snapshot, damage: Damage, folder: str, run_id: str
) -> None:
    """Write the damaged shards below another folder, from the version that the build saw and only the fragments with samples in them."""
    name = damage.build
    slots = tuple((stage.stage, number) for stage in damage.stages for number in stage.numbers)
    if not slots:
        return
    fragments: set[int] = set()
    for stage in damage.stages:
        wanted = pa.array(stage.numbers, pa.int32())
        for table in _placements(snapshot, name, stage.stage, ["shard", "sample_id"]) if stage.numbers else ():
            mine = table.filter(pc.is_in(table["shard"], wanted))["sample_id"].to_numpy()
            fragments |= set(np.unique(mine >> ROW_BITS).tolist())
    then = snapshot_then(snapshot, name)
    work = BuildJob(
        lake=job.lake,
        table=then.uri,
        folder=folder,
        build=name,
        run_id=run_id,
        recipe=job.recipe,
        shards={stage.stage: stage.buckets for stage in damage.stages},
        slots=slots,
        placements=False,
    )
    located = list(then.locate(np.array(sorted(fragments), dtype=np.int64), ["stages", "spans", "tokens"], batch=name))
    for _ in run_shards(spark, work, located):
        pass


def _agreed(lake: str, name: str, stage: StageDamage, number: int) -> tuple[Shard | None, list[str]]:
    """Return the form that the shard built again has, and the names of the damaged files; None where it has none of the forms."""
    filesystem, path = filesystem_of(join(builds_uri(lake, name, _FOLDER), stage.stage))
    record = join(path, f"{shard_name(number)}.json")
    again = read_shard(read_bytes(filesystem, record), record)
    if len(stage.shards[number]) > 1:
        form = again if again in stage.shards[number] else None
        damaged = _faults(*filesystem_of(builds_uri(lake, name, stage.stage)), form or stage.shards[number][0])
        return form, sorted(damaged)
    (form,) = stage.shards[number]
    broken = sorted(file for file in stage.files if file.startswith(f"{shard_name(number)}."))
    same = {file.name for file in again.files if file in form.files}
    return (form if same.issuperset(broken) else None), broken


def _write_records(
    snapshot: Snapshot, recipe: Recipe, name: str, stage: StageDamage, shards: dict[int, tuple[Shard, ...]]
) -> None:
    """Write the damaged ones of the manifest, the record of origins and the shards' records."""
    lake = snapshot.lake
    for record in stage.records:
        if record == MANIFEST:
            data = described_stage(snapshot, recipe, name, stage.stage, stage.buckets, shards, None)
        elif record == PROVENANCE:
            data = recorded_provenance(snapshot, name, stage.stage) or b""
        else:
            data = write_shard(shards[int(record.removeprefix("shard-").removesuffix(".json"))][0])
        write_file(builds_uri(lake, name, stage.stage), record, data, root=lake)
