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
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from headwater.errors import MissingDependencyError, UsageError
from headwater.extras import needing_extras
from headwater.pipelines.spark.gateway import start_jvm
from headwater.pipelines.spark.progress import Progress
from headwater.warehouse.faults import reach_in_task
from headwater.warehouse.storage import worker_environment

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["parallelism", "run_tasks", "session"]

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_MIN_JAVA: Final = 17
_LOGGING: Final = Path(__file__).with_name("log4j2.properties")
_IDLE_TIMEOUT_S: Final = 3600
"""Longer than the slowest legal batch: a worker that says nothing for this long is killed and its task tried again."""

_SETTINGS: Final[dict[str, str]] = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.execution.pyspark.udf.idleTimeoutSeconds": str(_IDLE_TIMEOUT_S),
    "spark.sql.execution.pyspark.udf.killOnIdleTimeout": "true",
    "spark.python.worker.idleTimeoutSeconds": str(_IDLE_TIMEOUT_S),
    "spark.python.worker.killOnIdleTimeout": "true",
    "spark.python.worker.reuse": "true",
    # Named, not imported: it knows the steps, which know this room.
    "spark.python.daemon.module": "headwater.pipelines.worker_daemon",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "65536",
    "spark.sql.execution.arrow.maxBytesPerBatch": str(32 << 20),
    "spark.sql.adaptive.enabled": "true",
    "spark.sql.parquet.enableVectorizedReader": "true",
    "spark.sql.parquet.mergeSchema": "false",
    "spark.hadoop.parquet.page.verify-checksum.enabled": "true",
    "spark.task.maxFailures": "4",
    # One thread a Python worker: cores are Spark's to give out.
    "spark.executorEnv.OMP_NUM_THREADS": "1",
    "spark.executorEnv.TOKENIZERS_PARALLELISM": "false",
    # Spark keeps a pool of workers for each environment. It sets this for SQL only: set for all, one pool serves both, and libraries and
    # kernels are loaded once a worker.
    "spark.executorEnv.SPARK_SIMPLIFIED_TRACEBACK": "1",
}


def session(
    master: str = "local[*]", conf: Mapping[str, str] | None = None, app_name: str = "headwater"
) -> SparkSession:
    """Return the running Spark session, or start one.

    Args:
        master: a Spark master; under ``spark-submit`` the one it was given wins. ``local[N]`` is made ``local[N,3]``: local mode would
            otherwise try nothing twice.
        conf: further settings, which win over Headwater's own.

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
    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable

    local = re.fullmatch(r"local\[(\*|\d+)\]|local", master)
    if local:
        master = f"local[{local.group(1) or 1},3]"
    settings = _SETTINGS | {"spark.app.name": app_name, "spark.master": master}
    if master.startswith("local"):
        cores = _local_cores(master)
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        settings |= {
            "spark.driver.bindAddress": "127.0.0.1",
            # Spark puts these before the user's own spark.driver.extraJavaOptions.
            "spark.driver.defaultJavaOptions": f"-Dlog4j2.configurationFile={_LOGGING.as_uri()}",
            "spark.driver.host": "127.0.0.1",
            "spark.driver.memory": "2g",
            "spark.sql.shuffle.partitions": str(2 * cores),
            "spark.default.parallelism": str(cores),
        }
    settings |= conf or {}
    start_jvm(settings)
    builder = SparkSession.builder
    for key, value in settings.items():
        builder = builder.config(key, value)
    try:
        spark = builder.getOrCreate()
    except Exception as error:
        raise UsageError(
            f"Spark did not start with master {master!r}: {_cause(error)}; check --master and --conf"
        ) from error
    # Travels with each task to its Python worker: no setting of Spark's, which its pages and logs would show.
    spark.sparkContext.environment.update(worker_environment())
    return spark


def _cause(error: Exception) -> str:
    """Return the line of a Java exception that says what was wrong, without its stack."""
    lines = [
        line.strip(" :") for line in str(error).splitlines() if line.strip() and not line.lstrip().startswith("at ")
    ]
    return next((line for line in lines if "Exception" in line), lines[0] if lines else type(error).__name__)


def _local_cores(master: str) -> int:
    found = re.search(r"\[(\d+)", master)
    return int(found.group(1)) if found else os.cpu_count() or 1


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


def parallelism(spark: SparkSession) -> int:
    """Return how many tasks run at once."""
    return max(1, int(spark.sparkContext.defaultParallelism))


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
    done = None if progress is None or size is None else progress.counters(context)

    def call(part: Iterable[_Item]) -> Iterable[_Result]:
        for item in part:
            result = function(item)
            if point is not None:
                reach_in_task(point)
            if done is not None and size is not None:
                rows, size_bytes = size(result)
                done[0].add(rows)
                done[1].add(size_bytes)
            yield result

    return list(context.parallelize(items, min(len(items), tasks or len(items))).mapPartitions(call).collect())
