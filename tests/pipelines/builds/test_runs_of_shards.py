"""A shuffle in which a partition holds a run of shards: the same bytes as with a partition a shard."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_lake import BUILD, SmallLake, small_recipe

from headwater.lineage.builds import read_stage_manifest
from headwater.pipelines.builds import step
from headwater.pipelines.builds.encode_task import BuildJob
from headwater.warehouse.snapshot import open_snapshot

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@given(st.integers(1, 3 * 65_536), st.integers(1, 20_000))
def test_blocks_are_bounded(shards: int, tasks: int) -> None:
    """A partition a shard while that is few blocks; never more partitions than shards, nor more blocks than the bound."""
    runs = step._runs_of_shards(shards, tasks)
    assert 1 <= runs <= shards
    assert runs * tasks <= step.MOST_BLOCKS
    assert runs == shards or (runs + 1) * tasks > step.MOST_BLOCKS


@pytest.mark.spark
@pytest.mark.parametrize("runs", [1, 3])
def test_runs_of_shards_give_the_same_bytes(
    runs: int, spark: SparkSession, copied_lake: SmallLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every file of every shard, whether one partition has all of them or several have neighbours, is that of the build."""
    lake = copied_lake.folder
    snapshot = open_snapshot(str(lake))
    shards = {stage: read_stage_manifest(str(lake), BUILD, stage).buckets for stage in ("knowledge", "mid-training")}
    slots = tuple((stage, number) for stage, n in shards.items() for number in range(n))
    assert len(slots) > 5
    job = BuildJob(
        lake=str(lake),
        table=snapshot.uri,
        folder=str(lake / "again"),
        build=BUILD,
        run_id="again",
        recipe=small_recipe(),
        shards=shards,
        slots=slots,
        placements=False,
    )
    families = ["stages", "spans", "tokens"]
    located = list(snapshot.locate(snapshot.covered("stages", batch=BUILD), families, batch=BUILD))
    monkeypatch.setattr(step, "_runs_of_shards", lambda *_: runs)
    waves = list(step.run_shards(spark, job, located))
    tags = [tag for units in waves for unit in units for tag in unit.tags]
    assert len(set(tags)) == len(tags)
    assert _hashes(lake / "again") == {
        name: sha256 for name, sha256 in _hashes(lake / "builds" / BUILD).items() if "/shard-" in name
    }


def _hashes(folder: Path) -> dict[str, str]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
