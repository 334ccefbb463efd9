"""How the JVM of a local master runs: it lives for one command, and most of what it would spend goes into starting and compiling.

Java's second compiler and its concurrent collector pay on a server that runs for days. A local job's work is in Python workers and kernels, and
only narrow rows and descriptions pass the JVM, so that the first compiler's code is enough, at 100 MB of text too; and one thread collects
what few cores make. Classes come ready from an archive where there is one (:mod:`class_archive`). JVMs of clusters are left as they are.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from headwater.pipelines.spark.class_archive import find_archive

__all__ = ["local_java_options"]

_SERIAL_CORES: Final = 8
"""Up to so many cores one thread collects; with more, Java chooses the collector."""
_LOCAL: Final = re.compile(r"local(?:\[(\*|(\d+))(?:,\s*\d+)?\])?")
_OPTIONS: Final = ("spark.driver.defaultJavaOptions", "spark.driver.extraJavaOptions")
_VARIABLES: Final = (
    "JAVA_TOOL_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "_JAVA_OPTIONS",
    "SPARK_SUBMIT_OPTS",
    "PYSPARK_SUBMIT_ARGS",
)
_COMPILER: Final = re.compile(r"-Xint\b|-Xcomp\b|-XX:\S*(?:Tiered|Compilation|JVMCI)")
_COLLECTOR: Final = re.compile(r"-XX:[+-]Use\w+GC\b")
_SHARING: Final = re.compile(r"-Xshare\b|-XX:\S*(?:Shared|ArchiveClasses)")
_ELSEWHERE: Final = re.compile(r"-XX:(?:Flags|VMOptionsFile)=|(?:^|\s)@")
"""Options in a file that is not read here: any may be among them."""


def local_java_options(settings: Mapping[str, str]) -> str:
    """Return the options for the JVM of a local master, as Spark splits them; none for other masters, and none that the user's own speak of.

    Args:
        settings: of Spark, the user's among them.
    """
    local = _LOCAL.fullmatch(settings.get("spark.master", ""))
    if local is None:
        return ""
    cores = int(local[2] or 1) if local[1] != "*" else os.cpu_count() or 1
    from pyspark.find_spark_home import _find_spark_home

    spark_home = Path(_find_spark_home())
    own = _users_own(settings, spark_home)
    if _ELSEWHERE.search(own):
        return ""
    options = []
    if not _COMPILER.search(own):
        options.append("-XX:TieredStopAtLevel=1")
    if cores <= _SERIAL_CORES and not _COLLECTOR.search(own):
        options.append("-XX:+UseSerialGC")
    if not _SHARING.search(own):
        archive = find_archive(spark_home)
        if archive is not None:
            # A Java that cannot use the archive goes on without it, and without a word.
            options += [f'"-XX:SharedArchiveFile={archive}"', "-Xlog:cds=off", "-Xlog:cds+dynamic=off"]
    return " ".join(options)


def _users_own(settings: Mapping[str, str], spark_home: Path) -> str:
    """Return all options for Java that the user gave: by setting, by variable or in Spark's file of defaults."""
    found = [os.environ.get(name, "") for name in _VARIABLES]
    found += [settings.get(name, "") for name in _OPTIONS]
    folder = os.environ.get("SPARK_CONF_DIR")
    defaults = (Path(folder) if folder else spark_home / "conf") / "spark-defaults.conf"
    with contextlib.suppress(OSError):  # most have none; one that cannot be read is for Spark to tell
        lines = defaults.read_text(errors="replace").splitlines()
        found += [line for line in lines if line.lstrip().startswith(_OPTIONS)]
    return " ".join(found)
