"""How many tasks can run at once: what a step plans its pieces for."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from headwater.pipelines.spark.settings import is_local

if TYPE_CHECKING:
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

__all__ = ["parallelism", "slots_to_be_had"]

_UNBOUNDED: Final = 64
"""What is planned for at least where a cluster grows on demand and nothing says how far: as many tasks as make it grow."""
_ENDLESS: Final = 2**31 - 1
"""Spark's own default of the greatest number of executors."""
_FIRST_EXECUTOR_S: Final = 30.0
_SETTLED_S: Final = 2.0
_STEP_S: Final = 0.1


def parallelism(spark: SparkSession) -> int:
    """Return how many tasks run at once, or could where executors come on demand.

    A cluster's executors register after the session has begun, and until then Spark speaks of two cores: the first call waits for the first of
    them, and until no more come. Each call asks anew, so that a wave is planned for what is there by then.
    """
    context = spark.sparkContext
    if is_local(context.master or ""):
        return max(1, int(context.defaultParallelism))
    conf = dict(context.getConf().getAll())
    if "spark.default.parallelism" in conf:
        return max(1, int(conf["spark.default.parallelism"]))
    if conf.get("spark.dynamicAllocation.enabled") != "true":
        _await_executors(context)
    return slots_to_be_had(conf, context.master or "", int(context.defaultParallelism), _executors(context))


def slots_to_be_had(conf: Mapping[str, str], master: str, cores: int, executors: int) -> int:
    """Return how many tasks can run at once.

    Args:
        conf: settings of Spark.
        master: of the cluster.
        cores: that have registered.
        executors: that have registered; without any, ``cores`` says nothing.

    >>> slots_to_be_had({"spark.task.cpus": "2"}, "yarn", 16, 4)
    8
    >>> growing = {"spark.dynamicAllocation.enabled": "true", "spark.executor.cores": "4"}
    >>> slots_to_be_had(growing | {"spark.dynamicAllocation.maxExecutors": "10"}, "yarn", 2, 0)
    40
    >>> slots_to_be_had(growing, "yarn", 2, 0), slots_to_be_had(growing, "yarn", 800, 200)
    (64, 800)
    """
    cpus = int(conf.get("spark.task.cpus", "1"))
    here = cores if executors else 0
    if conf.get("spark.dynamicAllocation.enabled") != "true":
        return max(1, (here or cores) // cpus)
    standalone = master.startswith("spark:")
    # On a standalone cluster an executor takes all cores of its worker, elsewhere one, unless told.
    each = int(conf.get("spark.executor.cores", (here // executors if here else 0) if standalone else 1))
    most = int(conf.get("spark.dynamicAllocation.maxExecutors", _ENDLESS))
    bounds = [int(conf["spark.cores.max"])] if standalone and "spark.cores.max" in conf else []
    bounds += [most * each] if each and most < _ENDLESS else []
    return max(1, here // cpus, (min(bounds) if bounds else _UNBOUNDED) // cpus)


def _executors(context: SparkContext) -> int:
    """Return how many executors have registered; the driver stands in the same list."""
    return int(context._jsc.sc().getExecutorMemoryStatus().size()) - 1


def _await_executors(context: SparkContext) -> None:
    """Wait until executors are there and their number stays, the first time that a context is asked for."""
    if getattr(context, _AWAITED, False):
        return
    began = changed = time.monotonic()
    known = 0
    while time.monotonic() - began < _FIRST_EXECUTOR_S and (not known or time.monotonic() - changed < _SETTLED_S):
        if (found := _executors(context)) != known:
            known, changed = found, time.monotonic()
        time.sleep(_STEP_S)
    setattr(context, _AWAITED, True)


_AWAITED: Final = "_headwater_awaited_executors"
