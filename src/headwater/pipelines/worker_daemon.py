"""The process from which Spark forks its Python workers: ``python -m headwater.pipelines.worker_daemon``.

PySpark's own daemon imports nothing, so that every worker imports for itself what its tasks need, and collects garbage after each task:
with Numba, pandas and the steps loaded that takes a tenth of a second a task, longer than most tasks of a small lake. Here what tasks use is
imported once, before the workers are forked, and kept out of every later collection. On a cluster kernels are compiled first, once a machine.
"""

from __future__ import annotations

import gc
import os

import pandas as pd  # noqa: F401 - PySpark imports it in each worker that gets a batch

import headwater.pipelines.annotate.step
import headwater.pipelines.builds.step
import headwater.pipelines.decide.step
import headwater.pipelines.deduplicate.step
import headwater.pipelines.ingest.step
import headwater.pipelines.selection.step  # noqa: F401 - all of them for their tasks
from headwater.pipelines.annotate.compile_once import compile_once

__all__ = ["main"]


def main() -> None:
    """Fork workers for Spark until it closes standard input."""
    from pyspark import daemon

    if os.environ.get("HEADWATER_COMPILE_FIRST"):
        compile_once()
    gc.collect()
    gc.freeze()
    daemon.manager()


if __name__ == "__main__":
    main()
