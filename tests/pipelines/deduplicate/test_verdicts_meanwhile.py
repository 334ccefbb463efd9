"""Another driver gives verdicts while this one clusters: what they were made from is replaced, so they go with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import main_job
import pytest

from headwater.pipelines.annotate.step import annotate
from headwater.pipelines.decide.step import decide
from headwater.pipelines.deduplicate import step as deduplicate_step
from headwater.pipelines.ingest.step import ingest
from headwater.pipelines.recipe.job import load_recipe
from headwater.pipelines.recipe.operators import resolve
from headwater.pipelines.run import run
from headwater.pipelines.spark.aligned import write_blocks
from headwater.warehouse.commit import create_lake
from headwater.warehouse.snapshot import open_snapshot

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.spark, pytest.mark.slow]


def test_verdicts_given_meanwhile_are_given_again(
    spark: SparkSession,
    tmp_path_factory: pytest.TempPathFactory,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first batch is clustered and decided by the other driver only now: its verdicts know nothing of the second batch."""
    _, build, hashes = main_job.undisturbed(spark, tmp_path_factory)
    recipe = load_recipe(main_job.RECIPE)
    lake = str(tmp_path / "lake")
    create_lake(lake)
    job = resolve(recipe, lake)
    first, second = main_job.write_folders(tmp_path / "in", folders=2)
    given: list[dict[str, int]] = []
    ingest(spark, lake, recipe, [first], fragment_bytes=main_job.FRAGMENT_BYTES)
    annotate(spark, job)
    deduplicate_step.deduplicate(spark, job)
    ingest(spark, lake, recipe, [second], fragment_bytes=main_job.FRAGMENT_BYTES)
    annotate(spark, job)

    def with_another(*arguments: Any, **named: Any) -> object:
        done = write_blocks(*arguments, **named)
        if not given:
            given.append(decide(spark, job))
        return done

    with monkeypatch.context() as patch:
        patch.setattr(deduplicate_step, "write_blocks", with_another)
        deduplicate_step.deduplicate(spark, job)
    assert given[0]["samples"] > 0
    assert len(open_snapshot(lake).missing("verdicts", job.operator("verdicts")))
    assert run(spark, lake, recipe).build == build
    assert main_job.shard_hashes(lake, build) == hashes
