"""The same recipe on the same documents gives the same bytes, however it is run."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import main_job
import pytest

from headwater.pipelines.deduplicate import step as deduplicate
from headwater.pipelines.deduplicate.components import connected_components

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark


def test_several_shards_a_stage(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The undisturbed lake is no trivial case: several fragments, three stages of several shards, all checks passed."""
    lake, _, hashes = main_job.undisturbed(spark, tmp_path_factory)
    main_job.assert_whole(lake)
    for stage in ("knowledge", "reasoning", "mid-training"):
        assert sum(name.startswith(stage) and name.endswith(".bin") for name in hashes) >= 2
        assert f"{stage}/manifest.json" in hashes


def test_order_partitions_and_fragments_leave_no_trace(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other files, lines and order, another number of partitions and fragments, clusters by star contraction: the same shards."""
    _, build, hashes = main_job.undisturbed(spark, tmp_path_factory)
    monkeypatch.setattr(deduplicate, "connected_components", partial(connected_components, single_task_edges=0))
    before = {name: spark.conf.get(name) for name in ("spark.sql.shuffle.partitions", "spark.sql.adaptive.enabled")}
    folders = main_job.write_folders(tmp_path / "in", folders=2, files=9, seed=3)
    try:
        spark.conf.set("spark.sql.shuffle.partitions", "3")
        spark.conf.set("spark.sql.adaptive.enabled", "false")
        report = main_job.run_in_batches(spark, str(tmp_path / "lake"), [folders[::-1]], 4_000)
    finally:
        for name, value in before.items():
            spark.conf.set(name, str(value))
    assert report.build == build
    assert main_job.shard_hashes(tmp_path / "lake", build) == hashes


def test_batches_and_cores_leave_no_trace(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    """Three batches in another order on one core, each compared with the ones before, give the shards of one batch on two cores."""
    _, build, hashes = main_job.undisturbed(spark, tmp_path_factory)
    folders = main_job.write_folders(tmp_path / "in", files=2, seed=7)
    conf = {"MAIN_JOB_CONF": json.dumps({"spark.sql.shuffle.partitions": "7"})}
    driver = main_job.start_driver(
        tmp_path / "lake", folders[::-1], master="local[1,3]", fragment_bytes=200_000, environment=conf
    )
    assert main_job.finish(driver) == build
    assert main_job.shard_hashes(tmp_path / "lake", build) == hashes
    main_job.assert_whole(tmp_path / "lake")
