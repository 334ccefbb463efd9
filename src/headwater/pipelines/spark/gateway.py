"""The JVM that Spark runs in, started so that what it logs about itself stays off the screen and everything else reaches it."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import threading
from collections.abc import Mapping
from typing import Final

from tqdm import tqdm

from headwater.errors import UsageError
from headwater.pipelines.spark.launch import launch

__all__ = ["hush", "is_notice", "jvm_runs", "start_jvm", "submitted_to_jvm"]

_NOTICES: Final = re.compile(
    rb"WARNING: Using incubator modules: jdk\.incubator\.vector"
    rb"|(?:NOTE: )?Picked up _?J\w+_OPTIONS: .*"
    rb"|Using Spark's default log4j profile: \S+"
    rb"|Setting default log level to \"\w+\"\."
    rb"|To adjust logging level use sc\.setLogLevel\(newLevel\)\..*"
    rb"|[\d/]+ [\d:]+ WARN NativeCodeLoader: Unable to load native-hadoop library for your platform.*"
)
"""What Java, Spark's launcher and Spark always say, whole lines. Spark adds the incubator module to every JVM; Java has no switch for the warning."""
_STDERR: Final = 2
_hushed = threading.Event()
_started = threading.Event()
_submitted: dict[str, str] = {}
"""What the JVM that this process started was given by others."""


def is_notice(line: bytes) -> bool:
    r"""Return whether a line says nothing that a user could act on.

    >>> is_notice(b"WARNING: Using incubator modules: jdk.incubator.vector\n")
    True
    >>> is_notice(b"WARNING: Using incubator modules: jdk.incubator.vector, jdk.incubator.other\n")
    False
    """
    return _NOTICES.fullmatch(line.rstrip(b"\r\n")) is not None


def hush() -> None:
    """Show nothing more of what the JVM and its workers print: they were interrupted, and each would tell so at length."""
    _hushed.set()


def jvm_runs() -> bool:
    """Return whether a JVM runs, started by this process or by ``spark-submit``."""
    from pyspark import SparkContext

    return SparkContext._gateway is not None or "PYSPARK_GATEWAY_PORT" in os.environ


def submitted_to_jvm() -> dict[str, str]:
    """Return the settings that the running JVM was given by others than Headwater; before the gateway to it is open, Spark knows none."""
    from pyspark import SparkConf, SparkContext

    if _started.is_set():
        return {**_submitted}
    SparkContext._ensure_initialized()
    return dict(SparkConf().getAll())


def start_jvm(settings: Mapping[str, str], submitted: Mapping[str, str]) -> None:
    """Start a JVM; both of its outputs go line by line to standard error, without the notices.

    Standard output stays free for answers. Python workers of a local master inherit these outputs, so theirs take the same way.

    Args:
        settings: what Headwater and its caller give; they win over ``spark-defaults.conf``, and ``PYSPARK_SUBMIT_ARGS`` over them.
        submitted: what these two give.

    Raises:
        UsageError: the JVM ended before Spark was up; what it said is on standard error, and its first line in the message.
    """
    from pyspark import SparkContext

    reading, writing = os.pipe()
    output = _Output(reading)
    try:
        launched = launch(settings, writing)
    finally:
        os.close(writing)
    if launched is None:
        output.join()
        said = output.first_line or "it said nothing"
        raise UsageError(f"expected Java to start Spark, but it ended: {said}; check JAVA_HOME and --conf")
    _submitted.update(submitted)
    _started.set()
    SparkContext._ensure_initialized(gateway=launched[1])


class _Output(threading.Thread):
    """Copies lines out of a pipe to standard error as long as anything holds the other end, without tearing the progress bars."""

    def __init__(self, reading: int) -> None:
        super().__init__(name="output of the JVM", daemon=True)
        self._reading = reading
        self.first_line = ""
        self.start()

    def run(self) -> None:
        """Copy until the other end is closed."""
        with os.fdopen(self._reading, "rb") as pipe:
            for line in pipe:
                if not is_notice(line) and not _hushed.is_set():
                    self.first_line = self.first_line or line.decode(errors="replace").strip()
                    with tqdm.external_write_mode(file=sys.stderr):
                        _write(line)


def _write(line: bytes) -> None:
    """Write to standard error as it is now; where nobody reads it, the pipe must be emptied all the same or the JVM would wait."""
    with contextlib.suppress(OSError):
        while line:
            line = line[os.write(_STDERR, line) :]
