"""A past build made again from its run rows alone: the bytes that were committed, or a clear word where they differ."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from small_lake import SmallLake

from headwater.cli.root import cli
from headwater.errors import UsageError
from headwater.lineage import build_records
from headwater.lineage.builds import builds_uri
from headwater.pipelines.builds import reproduce as module
from headwater.pipelines.builds.reproduce import FOLDER, reproduce
from headwater.warehouse.filesystem import file_sha256, filesystem_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark


def _hashes(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): file_sha256(*filesystem_of(str(path)))
        for path in sorted(folder.rglob("shard-*"))
        if FOLDER not in path.relative_to(folder).parts
    }


def test_a_build_whose_files_are_gone(copied_lake: SmallLake, spark: SparkSession) -> None:
    """Every shard file has the SHA-256 that it had, though nothing of the build is left; without ``keep`` nothing new is left either."""
    lake, build = str(copied_lake.folder), copied_lake.build
    folder = Path(builds_uri(lake, build))
    before = _hashes(folder)
    assert before
    shutil.rmtree(folder)
    made = reproduce(spark, lake, build, keep=True)
    assert made.same
    assert made.folder is not None
    assert _hashes(Path(made.folder)) == before
    assert sum(stage.tokens for stage in made.stages) > 1000
    shutil.rmtree(folder)
    again = reproduce(spark, lake, build)
    assert (again.same, again.folder, folder.exists()) == (True, None, False)


def test_a_difference_is_told(copied_lake: SmallLake, spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other bytes than those recorded: exit code 1, the stage's name, and the shards are left to look at."""
    lake, build = str(copied_lake.folder), copied_lake.build
    real = build_records.recorded_files

    def other(*arguments: object) -> dict[str, str] | None:
        found = real(*arguments)  # type: ignore[arg-type] # handed on as they came
        return None if found is None else found | {"manifest.json": "0" * 64}

    monkeypatch.setattr(module, "recorded_files", other)
    done = CliRunner().invoke(cli, ["reproduce", lake, build, "--output", "json"])
    told = json.loads(done.stdout)
    assert (done.exit_code, told["same"]) == (1, False)
    assert "knowledge" in done.stderr
    assert list(Path(told["folder"]).rglob("shard-*"))


def test_names_that_are_none(finished_lake: SmallLake, spark: SparkSession) -> None:
    """A build that never was."""
    with pytest.raises(UsageError, match="smal"):
        reproduce(spark, str(finished_lake.folder), "smal")
