"""Progress of a step on a terminal: rows, MB/s and time left; silent elsewhere."""

from __future__ import annotations

import sys
import threading
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from tqdm import tqdm

if TYPE_CHECKING:
    from pyspark import SparkContext

__all__ = ["Progress"]

_REFRESH_S = 0.5


class Progress:
    """A line on standard error for one step: bytes, rows, rate and time left where tasks count them, else Spark's tasks done.

    Tasks that are tried again count twice here; the counts that are stored come from the results.

    Args:
        step: shown at the left.
        context: to follow Spark's tasks, for a step whose rows only pass through shuffles.
        total_bytes: expected total, for the time left; None when unknown.
        shown: None shows it only where standard error is a terminal.
    """

    def __init__(
        self, step: str, context: SparkContext | None = None, total_bytes: int | None = None, shown: bool | None = None
    ) -> None:
        self._context = context
        self._bar = tqdm(
            desc=f"{step:<12}",
            total=total_bytes,
            unit="B" if context is None else " tasks",
            unit_scale=context is None,
            file=sys.stderr,
            disable=not (sys.stderr.isatty() if shown is None else shown),
            dynamic_ncols=True,
        )
        self._counters: tuple[Any, Any] | None = None
        self._tasks: dict[int, tuple[int, int]] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def counters(self, context: SparkContext) -> tuple[Any, Any]:
        """Return the accumulators (rows, bytes) that tasks add to."""
        if self._counters is None:
            self._counters = (context.accumulator(0), context.accumulator(0))
        return self._counters

    def _refresh(self) -> None:
        if self._bar.disable:
            return
        if self._context is not None:
            self._follow_tasks(self._context)
        elif self._counters is not None:
            rows, size = self._counters[0].value, self._counters[1].value
            self._bar.set_postfix_str(f"{rows:,} rows", refresh=False)
            self._bar.update(size - self._bar.n)

    def _follow_tasks(self, context: SparkContext) -> None:
        tracker = context.statusTracker()
        for stage in tracker.getActiveStageIds():
            info = tracker.getStageInfo(stage)
            if info is not None:
                self._tasks[stage] = (info.numCompletedTasks, info.numTasks)
        self._bar.total = sum(total for _, total in self._tasks.values())
        self._bar.update(sum(done for done, _ in self._tasks.values()) - self._bar.n)

    def _follow(self) -> None:
        while not self._stopped.wait(_REFRESH_S):
            self._refresh()

    def __enter__(self) -> Self:
        """Start to follow."""
        if not self._bar.disable:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Show the last state and stop."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()
        self._refresh()
        self._bar.close()
