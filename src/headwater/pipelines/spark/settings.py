"""Which settings of Spark count: what the caller gives, then what was submitted, then Headwater's own.

Submitted is whatever reached Spark without Headwater: options of ``spark-submit``, ``spark-defaults.conf``, a properties file,
``PYSPARK_SUBMIT_ARGS``. A JVM that runs knows them; before Headwater starts one, they are read here, since some of its own settings
(memory and options of the JVM) must be settled by then.
"""

from __future__ import annotations

import itertools
import os
import re
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from headwater.errors import UsageError

__all__ = ["choose_python", "is_local", "jvm_settings", "own_settings", "read_properties", "submitted_settings"]

_LOGGING: Final = Path(__file__).with_name("log4j2.properties")
_IDLE_TIMEOUT_S: Final = 3600
"""Longer than the slowest legal batch: a worker that says nothing for this long is killed and its task tried again."""
_LONGEST_TASK_S: Final = 12 * 3600
"""The same for tasks that say nothing before they end: those over text are watched by the worker itself, see ``watch``."""
_JAVA_OPTIONS: Final = "spark.driver.defaultJavaOptions"
_PYTHON: Final = "spark.pyspark.python"

_SETTINGS: Final[dict[str, str]] = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.execution.pyspark.udf.idleTimeoutSeconds": str(_IDLE_TIMEOUT_S),
    "spark.sql.execution.pyspark.udf.killOnIdleTimeout": "true",
    "spark.python.worker.idleTimeoutSeconds": str(_LONGEST_TASK_S),
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


def is_local(master: str) -> bool:
    """Return whether a master is this machine, in one process.

    >>> is_local("local[4,3]"), is_local("local-cluster[2,1,1024]"), is_local("spark://host:7077")
    (True, False, False)
    """
    return re.match(r"local(\[|$)", master) is not None


def own_settings(master: str, app_name: str) -> dict[str, str]:
    """Return Headwater's own settings, the master among them; whatever else is given wins over each of them.

    ``local[N]`` is made ``local[N,3]``: local mode would otherwise try nothing twice.

    >>> own_settings("local[2]", "headwater")["spark.master"], own_settings("local[2,1]", "headwater")["spark.master"]
    ('local[2,3]', 'local[2,1]')
    """
    if found := re.fullmatch(r"local\[(\*|\d+)\]|local", master):
        master = f"local[{found.group(1) or 1},3]"
    settings = _SETTINGS | {"spark.app.name": app_name, "spark.master": master}
    return settings | _local_settings(master) if is_local(master) else settings


def _local_settings(master: str) -> dict[str, str]:
    cores = _local_cores(master)
    return {
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.sql.shuffle.partitions": str(2 * cores),
        "spark.default.parallelism": str(cores),
    }


def _local_cores(master: str) -> int:
    found = re.search(r"\[(\d+)", master)
    return int(found.group(1)) if found else os.cpu_count() or 1


def jvm_settings(master: str, submitted: Mapping[str, str]) -> dict[str, str]:
    """Return Headwater's own settings of a JVM that it starts itself; one that runs already would not take them.

    Args:
        master: where Spark will run.
        submitted: what the JVM will be given besides; its Java options come after Headwater's.
    """
    # Spark puts these before the user's own spark.driver.extraJavaOptions.
    options = f"-Dlog4j2.configurationFile={_LOGGING.as_uri()} {submitted.get(_JAVA_OPTIONS, '')}".strip()
    memory = is_local(master) and "spark.driver.memory" not in submitted
    return {_JAVA_OPTIONS: options} | ({"spark.driver.memory": "2g"} if memory else {})


def choose_python(given: Mapping[str, str]) -> str:
    """Return the Python of the workers: the one that was given by a setting or else by ``PYSPARK_PYTHON``, or this process's.

    Args:
        given: settings of the caller and those submitted.
    """
    return given.get(_PYTHON) or os.environ.get("PYSPARK_PYTHON") or sys.executable


def submitted_settings() -> dict[str, str]:
    """Return what a JVM that does not run yet will be given besides: by ``spark-defaults.conf`` and ``PYSPARK_SUBMIT_ARGS``.

    Raises:
        UsageError: a file of settings cannot be read.
    """
    words = shlex.split(os.environ.get("PYSPARK_SUBMIT_ARGS", ""))
    options: dict[str, str] = {}
    file: Path | None = None
    for option, value in _options(words):
        if option in ("-c", "--conf"):
            key, _, setting = value.partition("=")
            options[key] = setting
        elif option == "--properties-file":
            file = Path(value)
        elif option in _NAMED:
            options[_NAMED[option]] = value
    if file is not None:
        found = (read_properties(_defaults()) if "--load-spark-defaults" in words else {}) | read_properties(file)
    else:
        found = read_properties(_defaults())
    return found | options


_NAMED: Final = {
    "--master": "spark.master",
    "--name": "spark.app.name",
    "--driver-memory": "spark.driver.memory",
    "--executor-memory": "spark.executor.memory",
    "--executor-cores": "spark.executor.cores",
    "--num-executors": "spark.executor.instances",
    "--total-executor-cores": "spark.cores.max",
    "--archives": "spark.archives",
    "--py-files": "spark.submit.pyFiles",
}


def _options(words: list[str]) -> list[tuple[str, str]]:
    """Return the options of a command line that take a value, as ``--option value`` or ``--option=value``."""
    found = []
    for word, following in itertools.pairwise([*words, ""]):
        option, equals, value = word.partition("=")
        if option.startswith("-"):
            found.append((option, value if equals else following))
    return found


def _defaults() -> Path:
    from pyspark.find_spark_home import _find_spark_home

    folder = os.environ.get("SPARK_CONF_DIR") or str(Path(_find_spark_home(), "conf"))
    return Path(folder, "spark-defaults.conf")


def read_properties(file: Path) -> dict[str, str]:
    """Return the settings of a file in the format of Java's properties; empty where there is none.

    Comments, continued lines and the separators blank, ``=`` and ``:`` are understood; of escapes those of a single character.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        text = file.read_text("utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the settings of Spark in {file}: {error}") from error
    found = {}
    for line in map(str.strip, re.sub(r"\\\n[ \t]*", "", text).splitlines()):
        if line and line[0] not in "#!":
            key, value = _PROPERTY.fullmatch(line).groups()  # type: ignore[union-attr]  # every line matches
            found[_ESCAPED.sub(r"\1", key)] = _ESCAPED.sub(r"\1", value)
    return found


_PROPERTY: Final = re.compile(r"((?:\\.|[^\\\s=:])*)\\?\s*[=:]?\s*(.*)", re.DOTALL)
_ESCAPED: Final = re.compile(r"\\(.)")
