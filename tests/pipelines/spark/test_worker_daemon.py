"""Workers come with what tasks use, from packages that are compiled, and nothing of it is looked through after each task."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from headwater.pipelines.worker_daemon import without_copies

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

STEPS = ("ingest", "annotate", "deduplicate", "decide", "selection", "builds")


def test_copies_of_what_is_installed_are_left_out(tmp_path: Path) -> None:
    """Archives inside an installed pyspark go, through links too; those of another Spark, of what is not installed, and of users stay."""
    packages, elsewhere, empty = tmp_path / "packages", tmp_path / "elsewhere", tmp_path / "empty"
    for folder in (packages / "pyspark/python/lib", packages / "py4j", elsewhere / "pyspark/python/lib", empty):
        folder.mkdir(parents=True)
    (tmp_path / "link").symlink_to(packages)
    archives = [f"{packages}/pyspark/python/lib/{name}" for name in ("pyspark.zip", "py4j-0.10.9.9-src.zip")]
    others = [
        f"{elsewhere}/pyspark/python/lib/pyspark.zip",
        f"{packages}/pyspark/python/lib/other.zip",
        f"{empty}/mine.zip",
        "",
    ]
    assert without_copies([*archives, *others, str(packages)]) == [*others, str(packages)]
    assert without_copies([*archives, str(tmp_path / "link")]) == [str(tmp_path / "link")]
    assert without_copies([*archives, str(elsewhere)]) == [*archives, str(elsewhere)]
    (packages / "py4j").rmdir()
    assert without_copies([*archives, str(packages)]) == [archives[1], str(packages)]


@pytest.mark.spark
def test_workers_take_pyspark_from_its_package(spark: SparkSession) -> None:
    """No module of a worker comes out of an archive, and none is looked for in one."""

    def places(_: int) -> list[str]:
        import sys

        files = [str(getattr(module, "__file__", "")) for module in sys.modules.values()]
        return [place for place in [*sys.path, *files] if "/pyspark.zip" in place or "/py4j-" in place]

    assert spark.sparkContext.parallelize([0, 1], 2).map(places).collect() == [[], []]


@pytest.mark.spark
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
