"""Headwater under Spark, ``local[1]``: a process that runs the real steps when it is asked to.

``python -m bench.spark_side FOLDER RECIPE`` makes its lakes in FOLDER and answers ``annotate INPUTS`` (the step alone, on a fresh lake
into which INPUTS was ingested before the clock starts) and ``run INPUTS`` (the whole job) with a line of JSON. ``lake INPUTS`` makes an
annotated lake that stays, ``again LAKE FAMILIES`` annotates it again after the definitions of FAMILIES were changed, and ``only LAKE
FAMILIES`` does so for these families alone, also where others follow them.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from bench.definitions import live_files, raise_definition
from bench.figures import Figures
from bench.process_tree import peak_megabytes, tree_cpu_seconds
from headwater.pipelines.annotate.step import annotate
from headwater.pipelines.ingest.step import ingest
from headwater.pipelines.recipe.job import Recipe, load_recipe
from headwater.pipelines.recipe.operators import resolve
from headwater.pipelines.run import run
from headwater.pipelines.spark.sessions import session
from headwater.warehouse.commit import create_lake
from headwater.warehouse.snapshot import open_snapshot

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["main"]

_Result = TypeVar("_Result")


def main() -> None:
    """Start Spark, then serve."""
    folder, recipe_file = Path(sys.argv[1]), sys.argv[2]
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever the JVM prints goes to standard error
    spark = session(
        "local[1]", {"spark.local.dir": str(folder), "spark.sql.warehouse.dir": str(folder / "warehouse")}, "bench"
    )
    recipe = load_recipe(recipe_file)
    answers.write(json.dumps({"version": importlib.metadata.version("pyspark")}) + "\n")
    try:
        for number, request in enumerate(sys.stdin):
            verb, _, inputs = request.strip().partition(" ")
            lake = folder / f"lake-{number}"
            answer = {"annotate": _annotate, "run": _run, "lake": _make_lake, "again": _again, "only": _only}[verb](
                spark, str(lake), recipe, inputs
            )
            answers.write(json.dumps(answer) + "\n")
            if verb in {"annotate", "run"}:
                shutil.rmtree(lake)
    finally:
        gateway: Any = spark.sparkContext._gateway  # Any: the gateway of py4j, which ships no types
        spark.stop()
        gateway.shutdown()
        # Spark leaves the JVM behind; its memory is counted once it was waited for.
        gateway.proc.stdin.close()
        gateway.proc.wait()


def _annotate(spark: SparkSession, lake: str, recipe: Recipe, inputs: str) -> Figures:
    create_lake(lake)
    ingest(spark, lake, recipe, [inputs])
    return _timed(lambda: annotate(spark, resolve(recipe, lake)))[1]


def _run(spark: SparkSession, lake: str, recipe: Recipe, inputs: str) -> Figures:
    report, seconds = _timed(lambda: run(spark, lake, recipe, [inputs]))
    steps = {step.step: step.seconds for step in report.steps}
    return seconds | {"steps": steps, "peak_megabytes": peak_megabytes()}


def _make_lake(spark: SparkSession, lake: str, recipe: Recipe, inputs: str) -> Figures:
    _annotate(spark, lake, recipe, inputs)
    return {"lake": lake}


def _only(spark: SparkSession, _: str, recipe: Recipe, request: str) -> Figures:
    lake, names = request.split(" ")
    families = names.split(",")
    for family in families:
        raise_definition(family)
    return _timed(lambda: annotate(spark, resolve(recipe, lake), families))[1]


def _again(spark: SparkSession, _: str, recipe: Recipe, request: str) -> Figures:
    lake, families = request.split(" ")
    old = resolve(recipe, "").fingerprints
    for family in families.split(","):
        raise_definition(family)
    changed = {family for family, operator in resolve(recipe, "").fingerprints.items() if operator != old[family]}
    # Versions only rise in this process: what an earlier request left out of date beyond this one's families is annotated first.
    snapshot = open_snapshot(lake)
    if any(len(snapshot.missing(family, operator)) for family, operator in old.items() if family not in changed):
        annotate(spark, resolve(recipe, lake))
        for family in families.split(","):
            raise_definition(family)
    before = live_files(open_snapshot(lake))
    seconds = _timed(lambda: annotate(spark, resolve(recipe, lake)))[1]
    after = live_files(open_snapshot(lake))
    return seconds | {
        "bytes": {family: sum(files.values()) for family, files in after.items()},
        "written": {
            family: size
            for family, files in after.items()
            if (size := sum(files[path] for path in files.keys() - before.get(family, {}).keys()))
        },
        "untouched": sorted(family for family, files in after.items() if files == before.get(family)),
    }


def _timed(work: Callable[[], _Result]) -> tuple[_Result, Figures]:
    cpu, wall = tree_cpu_seconds(), time.perf_counter()
    result = work()
    return result, {"cpu": tree_cpu_seconds() - cpu, "wall": time.perf_counter() - wall}


if __name__ == "__main__":
    main()
