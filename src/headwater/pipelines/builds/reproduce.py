"""Reproduce: a past build made again from its rows in family ``runs`` alone, and compared with what was recorded when it ended.

The recipe comes from the row of the build, the version of the table and the choice of samples from the lake; nothing is read of the build's own
files, which may be gone. Each stage's manifest holds the SHA-256 of every shard file, and the row holds the SHA-256 of each manifest: where a
manifest made anew has that hash, every shard has the bytes that were committed.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from pyarrow.fs import FileType

from headwater.errors import UsageError
from headwater.lineage.build_records import recorded_files
from headwater.lineage.builds import builds_uri, require_named_build, shard_name, snapshot_then, stage_operator
from headwater.lineage.past_runs import past_recipe
from headwater.lineage.revisions import check_settled
from headwater.pipelines.builds.repair import (
    Damage,
    StageDamage,
    build_again,
    clear_folder,
    described_stage,
    filled_shards,
)
from headwater.pipelines.recipe.job import Recipe, parse_recipe
from headwater.pipelines.recipe.operators import resolve
from headwater.plain import JsonObject
from headwater.tokenize.shards.manifest import MANIFEST, Shard, read_shard
from headwater.warehouse.filesystem import filesystem_of, join, read_bytes
from headwater.warehouse.snapshot import Snapshot, open_snapshot

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["FOLDER", "ReproducedBuild", "ReproducedStage", "reproduce"]

FOLDER: Final = ".reproduced"
"""Below the build's folder; deleted when all is the same, unless it shall be kept."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReproducedStage:
    """A stage made again.

    Attributes:
        sha256: of its manifest made anew, hexadecimal.
        recorded: what the build recorded; None where an earlier release built it and recorded none.
        same: whether both are one.
        shards: how many hold something.
        tokens: in all of them.
    """

    stage: str
    shards: int
    tokens: int
    n_bytes: int
    sha256: str
    recorded: str | None
    same: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class ReproducedBuild:
    """A build made again from version ``version`` of the table; ``folder`` holds its shards where they were kept."""

    build: str
    version: int
    folder: str | None
    stages: tuple[ReproducedStage, ...]

    @property
    def same(self) -> bool:
        """Whether every stage has the bytes that were committed."""
        return all(stage.same for stage in self.stages)

    def plain(self) -> JsonObject:
        """Return this as JSON."""
        return asdict(self) | {"same": self.same}


def reproduce(spark: SparkSession, lake: str, build: str, *, keep: bool = False) -> ReproducedBuild:
    """Make every shard of a build again beside it, from the version that it pins, and say whether each stage is what was recorded.

    Args:
        keep: leave the shards in the folder ``.reproduced`` of the build; they are left too where a stage differs.

    Raises:
        UsageError: no finished build of that name, or one of a release that recorded no hashes.
        CorruptLakeError: the version that it pins cannot be read.
    """
    snapshot = open_snapshot(lake)
    recipe = _recipe_of(snapshot, build)
    check_settled(snapshot, build)
    folder = builds_uri(lake, build, FOLDER)
    clear_folder(folder, lake)
    stages = tuple(found for each in recipe.stages if (found := _all_of(snapshot, build, each.name)) is not None)
    build_again(spark, resolve(recipe, lake), snapshot, Damage(build=build, stages=stages), folder, "reproduce")
    made = tuple(_compared(snapshot, recipe, build, stage, folder) for stage in stages)
    kept = keep or not all(stage.same for stage in made)
    if not kept:
        clear_folder(folder, lake)
        _remove_if_empty(builds_uri(lake, build))
    version = snapshot_then(snapshot, build).version
    return ReproducedBuild(build=build, version=version, folder=folder if kept else None, stages=made)


def _recipe_of(snapshot: Snapshot, build: str) -> Recipe:
    require_named_build(snapshot, build)
    literals = past_recipe(snapshot, "build", build)
    if literals is None:
        raise UsageError(f"expected a finished build named {build}, found one that has not ended; run its build again")
    return parse_recipe(json.loads(literals))


def _all_of(snapshot: Snapshot, build: str, stage: str) -> StageDamage | None:
    """Return every shard of a stage as one to be built again; None where the build has no such stage."""
    buckets = len(snapshot.covered("placements", operator=stage_operator(stage), batch=build))
    if not buckets:
        return None
    if recorded_files(snapshot, build, stage) is None:
        raise UsageError(
            f"expected hashes recorded by the run that made build {build}, found none: an earlier release made it; headwater verify checks its files"
        )
    numbers = filled_shards(snapshot, build, stage)
    files = {f"{shard_name(number)}.json": "made again" for number in numbers}
    return StageDamage(stage=stage, buckets=buckets, shards={}, files=files, records=())


def _compared(snapshot: Snapshot, recipe: Recipe, build: str, stage: StageDamage, folder: str) -> ReproducedStage:
    shards: dict[int, tuple[Shard, ...]] = {}
    filesystem, path = filesystem_of(join(folder, stage.stage))
    for number in stage.numbers:
        record = join(path, f"{shard_name(number)}.json")
        shards[number] = (read_shard(read_bytes(filesystem, record), record),)
    data = described_stage(snapshot, recipe, build, stage.stage, stage.buckets, shards, None)
    found = hashlib.sha256(data).hexdigest()
    recorded = recorded_files(snapshot, build, stage.stage)
    expected = None if recorded is None else recorded[MANIFEST]
    made = [forms[0] for forms in shards.values()]
    return ReproducedStage(
        stage=stage.stage,
        shards=len(made),
        tokens=sum(shard.tokens for shard in made),
        n_bytes=sum(file.n_bytes for shard in made for file in shard.files),
        sha256=found,
        recorded=expected,
        same=found == expected,
    )


def _remove_if_empty(uri: str) -> None:
    """Delete the folder of a build whose files were gone before: an empty one would look like a build."""
    from pyarrow.fs import FileSelector

    filesystem, path = filesystem_of(uri)
    if filesystem.get_file_info(path).type == FileType.Directory and not filesystem.get_file_info(FileSelector(path)):
        filesystem.delete_dir(path)
