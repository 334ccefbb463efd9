"""Verify by Spark's tasks answers what verify in one process does, of a sound lake and of damaged ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from headwater.cli.root import cli
from headwater.lineage.checks.lake import verify
from headwater.lineage.checks.pieces import file_pieces, text_pieces
from headwater.pipelines.verification import by_spark
from headwater.pipelines.verification.by_spark import verify_by_spark
from headwater.warehouse.snapshot import open_snapshot

if TYPE_CHECKING:
    from pyspark.sql import SparkSession
    from small_lake import SmallLake

pytestmark = pytest.mark.spark


def _flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def test_a_sound_lake(spark: SparkSession, finished_lake: SmallLake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every check is the same, on as many things, whatever number of pieces goes to the tasks at once."""
    lake = str(finished_lake.folder)
    alone = verify(lake)
    assert verify_by_spark(spark, lake) == alone
    monkeypatch.setattr(by_spark, "_AT_ONCE", 3)
    assert verify_by_spark(spark, lake, finished_lake.build) == verify(lake, finished_lake.build)
    counts = {check.name: check.count for check in alone}
    snapshot = open_snapshot(lake)
    assert counts["file_hashes"] == len(list(file_pieces(snapshot))) > 3
    assert counts["content_hashes"] > len(list(text_pieces(snapshot))) > 1


def test_damage_is_told_alike(spark: SparkSession, copied_lake: SmallLake) -> None:
    """A flipped byte of a family's file, of a shard and a lost text file fail the same checks with the same words."""
    lake = copied_lake.folder
    snapshot = open_snapshot(str(lake))
    _flip(lake / "samples" / snapshot.paths("signals")[0], 200)
    shard = sorted((lake / "builds").rglob("shard-*.boundaries.parquet"))[0]
    _flip(shard, 100)
    (lake / "samples" / snapshot.paths("content")[-1]).unlink()
    alone = verify(str(lake))
    failed = {check.name for check in alone if not check.passed}
    assert {"file_hashes", "shard_files", "content_hashes"} <= failed
    told = verify_by_spark(spark, str(lake))
    assert [(check.name, check.detail, check.count) for check in told] == [
        (check.name, check.detail, check.count) for check in alone
    ]


def test_the_command(spark: SparkSession, finished_lake: SmallLake) -> None:
    """With --master the tasks of the session that is there are used; --conf alone is refused."""
    assert spark is not None
    arguments = ["verify", str(finished_lake.folder)]
    done = CliRunner().invoke(cli, [*arguments, "--master", "local[2]"])
    assert done.exit_code == 0, done.output
    assert done.stdout == CliRunner().invoke(cli, arguments).stdout
    assert CliRunner().invoke(cli, [*arguments, "--conf", "spark.ui.enabled=false"]).exit_code == 2
