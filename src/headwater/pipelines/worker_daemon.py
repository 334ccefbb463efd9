"""The process from which Spark forks its Python workers: ``python -m headwater.pipelines.worker_daemon``.

PySpark's own daemon imports nothing, so that every worker imports for itself what its tasks need, and collects garbage after each task:
with Numba, pandas and the steps loaded that takes a tenth of a second a task, longer than most tasks of a small lake. Here what tasks use is
imported once, before the workers are forked, and kept out of every later collection. On a cluster kernels are compiled first, once a machine.

Spark names to its workers the archives of pyspark and py4j that it brings along, before all other places. Out of an archive each module is compiled
anew at every start, and after each task's files were named the archive's directory is read again. Where the archive is part of the very package
that is installed, the package is taken.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

__all__ = ["main", "without_copies"]

_LOADED: Final = (
    "headwater.pipelines.annotate.step",
    "headwater.pipelines.builds.step",
    "headwater.pipelines.decide.step",
    "headwater.pipelines.deduplicate.step",
    "headwater.pipelines.ingest.step",
    "headwater.pipelines.selection.step",
    "pandas",  # PySpark imports it in each worker that gets a batch
    "pyspark.worker",
)


def without_copies(path: Sequence[str]) -> list[str]:
    """Return the places of modules without the archives ``pyspark/python/lib/*.zip`` of a pyspark that is installed in one of the others.

    An archive stays where its package is not beside that pyspark: on a cluster that has Spark but no pyspark, or another one.
    """
    installed = {Path(place).resolve() for place in path if place and Path(place).is_dir()}
    kept = []
    for place in path:
        archive = Path(place).resolve()
        packages = archive.parents[3] if len(archive.parents) > 3 else archive
        inside = archive.suffix == ".zip" and archive.parent == packages / "pyspark" / "python" / "lib"
        if (
            inside
            and packages in installed
            and (packages / archive.name.partition("-")[0].removesuffix(".zip")).is_dir()
        ):
            continue
        kept.append(place)
    return kept


def main() -> None:
    """Fork workers for Spark until it closes standard input."""
    sys.path[:] = without_copies(sys.path)
    for name in _LOADED:
        importlib.import_module(name)
    from pyspark import daemon

    from headwater.pipelines.annotate.compile_once import compile_once

    if os.environ.get("HEADWATER_COMPILE_FIRST"):
        compile_once()
    gc.collect()
    gc.freeze()
    daemon.manager()


if __name__ == "__main__":
    main()
