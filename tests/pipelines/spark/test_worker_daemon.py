"""Workers come with what tasks use, and nothing of it is looked through after each task."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark

STEPS = ("ingest", "annotate", "deduplicate", "decide", "selection", "builds")


def test_workers_inherit_steps_and_collect_little(spark: SparkSession) -> None:
    """Every worker has the steps before its first task, and most of its objects are kept out of collections."""
    wanted = [f"headwater.pipelines.{step}.step" for step in STEPS]

    def loaded(_: int) -> tuple[list[str], int, int]:
        # Inside the test, so that it travels by value: workers know no test modules.
        import gc
        import sys

        return [name for name in wanted if name in sys.modules], gc.get_freeze_count(), len(gc.get_objects())

    for modules, kept_out, looked_through in spark.sparkContext.parallelize([0, 1], 2).map(loaded).collect():
        assert modules == wanted
        assert kept_out > 100_000 > looked_through
