"""The Spark session and the one way in which steps hand work to it.

Spark schedules, retries and shuffles narrow rows. A task gets a small description of its work, reads and writes the lake with Arrow, and
returns small descriptions of what it wrote; text never crosses the JVM.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

from headwater.errors import MissingDependencyError, UsageError
from headwater.extras import needing_extras
from headwater.pipelines.spark.gateway import jvm_runs, start_jvm, submitted_to_jvm
from headwater.pipelines.spark.progress import Progress
from headwater.pipelines.spark.settings import (
    choose_python,
    is_local,
    jvm_settings,
    own_settings,
    submitted_settings,
)
from headwater.pipelines.spark.slots import parallelism
from headwater.pipelines.spark.watch import beat, watched
from headwater.pipelines.spark.worker_setup import equip_workers
from headwater.warehouse.faults import reach_in_task

if TYPE_CHECKING:
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

__all__ = ["parallelism", "run_tasks", "session", "task_body"]

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_MASTER: Final = "local[*]"
_MIN_JAVA: Final = 17


def session(
    master: str | None = None, conf: Mapping[str, str] | None = None, app_name: str = "headwater"
) -> SparkSession:
    """Return the running Spark session, or start one.

    Of one setting, what ``conf`` says counts, then what was submitted (see ``settings``), then Headwater's own.

    Args:
        master: a Spark master; None for the one submitted, and ``local[*]`` where none was. ``local[N]`` is made ``local[N,3]``: local
            mode would otherwise try nothing twice.
        conf: further settings, which win over all others.

    Raises:
        MissingPackageError: the extra ``spark`` is not installed.
        MissingDependencyError: no Java of version 17 or later.
        UsageError: Java or Spark refused the master or a setting.
    """
    with needing_extras():
        from pyspark.logger import PySparkLogger
        from pyspark.sql import SparkSession
    for name in ("DataFrameQueryContextLogger", "SQLQueryContextLogger"):
        PySparkLogger.getLogger(name).disabled = True  # each writes a line of Java's stack of what is raised besides
    _check_java()
    conf = dict(conf or {})
    runs = jvm_runs()
    submitted = submitted_to_jvm() if runs else submitted_settings()
    given = {**submitted, **({} if master is None else {"spark.master": master}), **conf}
    own = own_settings(given.get("spark.master", _MASTER), app_name)
    chosen = own["spark.master"]
    if not runs:
        if is_local(chosen):
            os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        others = {key: value for key, value in own.items() if key not in submitted}
        start_jvm(jvm_settings(chosen, submitted) | others | conf | {"spark.master": chosen}, submitted)
    os.environ["PYSPARK_PYTHON"] = choose_python(given)
    os.environ.setdefault("PYSPARK_DRIVER_PYTHON", sys.executable)
    builder = SparkSession.builder
    for key, value in (own | given | {"spark.master": chosen}).items():
        builder = builder.config(key, value)
    try:
        spark = builder.getOrCreate()
    except Exception as error:
        raise UsageError(
            f"Spark did not start with master {chosen!r}: {_cause(error)}; check --master and --conf"
        ) from error
    equip_workers(spark.sparkContext)
    return spark


def _cause(error: Exception) -> str:
    """Return the line of a Java exception that says what was wrong, without its stack."""
    lines = [
        line.strip(" :") for line in str(error).splitlines() if line.strip() and not line.lstrip().startswith("at ")
    ]
    return next((line for line in lines if "Exception" in line), lines[0] if lines else type(error).__name__)


def _check_java() -> None:
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin") if home else shutil.which("java")
    if java is None and home:
        raise MissingDependencyError(
            f"expected Java {_MIN_JAVA} or later in JAVA_HOME, found no bin/java in {home}; correct JAVA_HOME, or unset it to use the PATH's"
        )
    if java is None:
        raise MissingDependencyError(
            f"expected Java {_MIN_JAVA} or later, found none; install it (make setup does, or apt-get install openjdk-17-jre-headless) "
            "and set JAVA_HOME if it is not on the PATH"
        )
    answer = subprocess.run([java, "-version"], capture_output=True, text=True, check=False, timeout=60)  # noqa: S603 - java, found on PATH
    found = re.search(r'version "(\d+)', answer.stderr + answer.stdout)
    if found is None or int(found.group(1)) < _MIN_JAVA:
        version = found.group(1) if found else "an unknown version"
        raise MissingDependencyError(
            f"expected Java {_MIN_JAVA} or later, found {version} at {java}; install it and set JAVA_HOME"
        )


def run_tasks(
    spark: SparkSession,
    function: Callable[[_Item], _Result],
    items: Sequence[_Item],
    progress: Progress | None = None,
    size: Callable[[_Result], tuple[int, int]] | None = None,
    tasks: int | None = None,
    point: str | None = None,
) -> list[_Result]:
    """Run ``function`` on each item and return the results in the order of the items.

    Args:
        function: a module-level function or partial; reads and writes files, returns a small picklable result.
        items: one wave of work; results of a wave are held by the driver.
        progress: counts what finished tasks report.
        size: (rows, bytes) of a result, for the progress line.
        tasks: how many tasks share the items; by default each has its own.
        point: the work's name in ``warehouse.faults``, for tests that kill it.
    """
    if not items:
        return []
    context = spark.sparkContext
    call = task_body(context, function, progress, size, point)
    return list(context.parallelize(items, min(len(items), tasks or len(items))).mapPartitions(call).collect())


def task_body(
    context: SparkContext,
    function: Callable[[_Item], _Result],
    progress: Progress | None = None,
    size: Callable[[_Result], tuple[int, int]] | None = None,
    point: str | None = None,
) -> Callable[[Iterable[_Item]], Iterable[_Result]]:
    """Return what a task does with its items; arguments as of ``run_tasks``."""
    done = None if progress is None or size is None else progress.counters(context)

    def call(part: Iterable[_Item]) -> Iterable[_Result]:
        with watched():
            for item in part:
                result = function(item)
                beat()
                if point is not None:
                    reach_in_task(point)
                if done is not None and size is not None:
                    rows, size_bytes = size(result)
                    done[0].add(rows)
                    done[1].add(size_bytes)
                yield result

    return call
