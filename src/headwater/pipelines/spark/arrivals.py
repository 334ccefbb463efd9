"""Results of tasks as they come in, so that a step commits while it works: what the driver's death costs is what was not committed yet.

Spark hands a driver the results of a job when all of its tasks have ended. What a task adds to an accumulator is there when that task has ended,
once for each task however often it was tried. So results travel by an accumulator, and the driver takes what has come whenever it is due to commit.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast

from headwater.errors import ReconciliationError
from headwater.pipelines.spark.sessions import task_body

if TYPE_CHECKING:
    from pyspark import Accumulator
    from pyspark.sql import SparkSession

    from headwater.pipelines.spark.progress import Progress

__all__ = ["Pace", "arrivals"]

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_INTERVAL_S: Final = 60.0
_SHARE: Final = 0.05
_LEAST_WAIT_S: Final = 0.2
_CANCEL_S: Final = 10.0


class Pace:
    """When a step commits next: not before ``interval_s`` have gone by, nor before committing would take more than ``share`` of the time.

    So a small lake gets one commit a step, and on a large one, where a commit reads a table of half a million files, commits stay a small part of
    the work. Nothing that is stored depends on it but the number of versions.

    Args:
        clock: seconds, ascending.
    """

    def __init__(
        self, interval_s: float = _INTERVAL_S, share: float = _SHARE, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._interval_s, self._share, self._clock = interval_s, share, clock
        self._due = clock() + interval_s

    def seconds_left(self) -> float:
        """Return how long until a commit is due, 0 where it is."""
        return max(0.0, self._due - self._clock())

    @contextlib.contextmanager
    def committing(self) -> Iterator[None]:
        """Take the time of a commit; the next is due after it, by how long it took."""
        begin = self._clock()
        yield
        now = self._clock()
        self._due = now + max(self._interval_s, (now - begin) * (1 / self._share - 1))


class _Gathered(Generic[_Result]):
    """How an accumulator gathers results: Spark's ``AccumulatorParam`` of lists, without importing Spark."""

    def zero(self, _: list[_Result]) -> list[_Result]:
        return []

    def addInPlace(self, held: list[_Result], more: list[_Result]) -> list[_Result]:  # noqa: N802 - Spark's name
        held.extend(more)
        return held


def arrivals(
    spark: SparkSession,
    function: Callable[[_Item], _Result],
    items: Sequence[_Item],
    pace: Pace,
    progress: Progress | None = None,
    size: Callable[[_Result], tuple[int, int]] | None = None,
    point: str | None = None,
) -> Iterator[list[tuple[int, _Result]]]:
    """Run ``function`` on each item, a task each, and yield (place of the item, result) of those that ended whenever a commit is due.

    The rest comes at the end. What is yielded together is in the order of the items. Whoever takes it commits it before asking for more: that
    time is what ``pace`` is kept by. When a task fails for good, what the others gave is yielded before the error is raised.

    Args:
        function, progress, size, point: as of ``run_tasks``.

    Raises:
        ReconciliationError: a fault of Spark or Headwater: the job ended without a result of each task.
    """
    if not items:
        return
    context = spark.sparkContext
    results = cast(
        "Accumulator[list[tuple[int, _Result]]]",
        context.accumulator(cast("Any", []), cast("Any", _Gathered())),  # Any: Spark's types know its own params only
    )
    body = task_body(context, function, progress, size, point)
    tag = f"headwater-{secrets.token_hex(8)}"
    ended = threading.Event()
    errors: list[BaseException] = []

    def work() -> None:
        try:
            context.addJobTag(tag)
            numbered = context.parallelize(list(enumerate(items)), len(items))
            numbered.foreachPartition(partial(_gather, body, results))
        except BaseException as error:  # raised where results are taken
            errors.append(error)
        finally:
            ended.set()

    from py4j.protocol import Py4JError
    from pyspark import InheritableThread

    thread = InheritableThread(target=work, daemon=True)
    thread.start()
    arrived = 0
    try:
        over = False
        while not over:
            over = ended.wait(max(pace.seconds_left(), _LEAST_WAIT_S))
            found = _take(results.value)
            arrived += len(found)
            if found:
                with pace.committing():
                    yield sorted(found, key=_place)
        if errors:
            raise errors[0]
        if arrived != len(items):
            raise ReconciliationError(
                f"expected a result of each of {len(items)} tasks, found {arrived}; run the same command again"
            )
    finally:
        if not ended.is_set():
            # Only where whoever takes the results has ended: what is still running is of no use to anyone. A JVM that is gone runs nothing.
            with contextlib.suppress(Py4JError, OSError):
                context.cancelJobsWithTag(tag)
                ended.wait(_CANCEL_S)


def _gather(
    body: Callable[[Iterable[_Item]], Iterable[_Result]],
    results: Accumulator[list[tuple[int, _Result]]],
    part: Iterable[tuple[int, _Item]],
) -> None:
    for number, item in part:
        results.add([(number, result) for result in body([item])])


def _take(held: list[_Result]) -> list[_Result]:
    """Return what a list holds and take it out, while another thread may add to its end."""
    n = len(held)
    found = held[:n]
    del held[:n]
    return found


def _place(pair: tuple[int, object]) -> int:
    return pair[0]
