"""Progress of a step on a terminal, in one style for all of them: how far it is, with rows, MB/s and time left where they are known."""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from tqdm import tqdm

if TYPE_CHECKING:
    from pyspark import Accumulator, SparkContext

__all__ = ["Progress", "format_figures"]

_REFRESH_S: Final = 0.5
_BAR: Final = "{desc:<13} {percentage:3.0f} % |{bar:20}| "
_NO_BAR: Final = "{desc:<13} "
_MOST: Final = 0.99
"""What a running step shows at most: a forecast can be too low."""
_FORECAST_AFTER_S: Final = 2.0


def format_figures(
    seconds: float,
    *,
    rows: int = 0,
    size: int = 0,
    parts: tuple[int, int, str] | None = None,
    left_s: float | None = None,
) -> str:
    """Return what is known of a step, in the order in which it is read.

    Args:
        seconds: since it began.
        rows: counted so far.
        size: bytes counted so far.
        parts: done, of how many, of what (in the singular).
        left_s: seconds left, where that can be told.

    >>> format_figures(8.0, rows=1200, size=40_000_000, left_s=75.0)
    '1,200 rows, 40.0 MB, 5.0 MB/s, 0:08, 1:15 left'
    >>> format_figures(3700.0, parts=(2, 9, "task"))
    '2 of 9 tasks, 1:01:40'
    >>> format_figures(4.0, parts=(9, 9, "task"), rows=300)
    '9 tasks, 300 rows, 0:04'
    """
    figures = []
    if parts is not None:
        done, total, noun = parts
        counted = f"{total:,} {noun}{'' if total == 1 else 's'}"
        figures.append(counted if done == total else f"{done:,} of {counted}")
    if rows:
        figures.append(f"{rows:,} row{'' if rows == 1 else 's'}")
    if size:
        figures += [f"{_megabytes(size)} MB", f"{_megabytes(size / max(seconds, 1e-3))} MB/s"]
    figures.append(_clock(seconds))
    if left_s is not None:
        figures.append(f"{_clock(left_s)} left")
    return ", ".join(figures)


def _megabytes(size: float) -> str:
    return f"{size / 1e6:,.1f}" if size >= 1e6 else f"{size / 1e6:.2g}"


def _clock(seconds: float) -> str:
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


class Progress:
    """A line on standard error for one step; nothing where standard error is no terminal.

    A step that ends well ends at 100 %; one that fails leaves its line as it stands; one that had nothing to do leaves none. What counts is
    bytes where a total is expected, else the parts that the driver counts, else Spark's tasks: of these only the stages begun so far
    are known, so no time left is shown. Tasks that are tried again count twice in rows and bytes; the counts that are stored come from results.

    Args:
        step: shown at the left.
        context: to follow Spark's tasks, for a step whose rows only pass through shuffles.
        total_bytes: expected total, for the time left; None when unknown.
        parts: how many parts the driver will count with ``add``, and what one is.
        shown: None shows it only where standard error is a terminal.
    """

    def __init__(
        self,
        step: str,
        context: SparkContext | None = None,
        total_bytes: int | None = None,
        parts: tuple[int, str] | None = None,
        shown: bool | None = None,
    ) -> None:
        self._context = context
        self._tasks: _Tasks | None = None
        self._total_bytes = total_bytes
        self._parts = parts
        self._done = self._rows = self._size = 0
        self._counters: tuple[Accumulator[int], Accumulator[int]] | None = None
        self._shown = sys.stderr.isatty() if shown is None else shown
        self._step = step
        self._bar: tqdm[None] | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def counters(self, context: SparkContext) -> tuple[Accumulator[int], Accumulator[int]]:
        """Return the accumulators (rows, bytes) that tasks add to."""
        if self._counters is None:
            self._counters = (context.accumulator(0), context.accumulator(0))
        return self._counters

    def add(self, *, rows: int = 0, size: int = 0, parts: int = 0) -> None:
        """Count what the driver itself knows to be done: rows, bytes, parts."""
        self._rows += rows
        self._size += size
        self._done += parts

    def _follow(self) -> None:
        while not self._stopped.wait(_REFRESH_S):
            self._draw(ended=False)

    def _draw(self, *, ended: bool) -> None:
        """Draw the line as things stand; at the end of a step that succeeded, as whole."""
        bar = self._bar
        if bar is None:
            return
        seconds = time.monotonic() - self._begin
        rows, size = self._rows, self._size
        if self._counters is not None:
            rows, size = rows + self._counters[0].value, size + self._counters[1].value
        parts: tuple[int, int, str] | None = None
        if self._parts is not None:
            parts = (self._done, *self._parts)
        elif self._tasks is not None:
            done, begun = self._tasks.count()
            parts = (done, begun, "task") if begun else None
        share = self._share(size, parts)
        if ended:
            share, parts = 1.0, parts and (parts[1], parts[1], parts[2])
        left = None
        if share is not None and not ended and self._tasks is None and share > 0 and seconds > _FORECAST_AFTER_S:
            left = seconds * (1 - share) / share
        figures = format_figures(seconds, rows=rows, size=size, parts=parts, left_s=left)
        bar.total, bar.n = (None, 0) if share is None else (1.0, share)
        bar.bar_format = (_NO_BAR if share is None else _BAR) + figures
        bar.leave = bool(rows or size or parts)
        bar.refresh()

    def _share(self, size: int, parts: tuple[int, int, str] | None) -> float | None:
        """Return the share that is done, None where no total is known."""
        done, total = (size, self._total_bytes or 0) if parts is None else parts[:2]
        return min(done / total, _MOST) if total else None

    def __enter__(self) -> Self:
        """Start to follow."""
        self._begin = time.monotonic()
        if self._shown:
            if self._context is not None:
                self._tasks = _Tasks(self._context)
            self._bar = tqdm(desc=self._step, file=sys.stderr, dynamic_ncols=True, bar_format=_NO_BAR)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Show the last state, whole unless the step failed, and stop."""
        if self._bar is None:
            return
        self._stopped.set()
        self._thread.join()
        self._draw(ended=kind is None)
        self._bar.close()


class _Tasks:
    """Counts the tasks of the jobs that Spark began since this was made."""

    def __init__(self, context: SparkContext) -> None:
        self._tracker = context.statusTracker()
        self._ended = set(self._tracker.getJobIdsForGroup())
        self._stages: dict[int, tuple[int, int]] = {}

    def count(self) -> tuple[int, int]:
        """Return tasks done and tasks of all stages begun so far; stages that Spark skips never begin."""
        for job in set(self._tracker.getJobIdsForGroup()) - self._ended:
            found = self._tracker.getJobInfo(job)
            for stage in found.stageIds if found else ():
                info = self._tracker.getStageInfo(stage)
                if info is not None and info.numActiveTasks + info.numCompletedTasks + info.numFailedTasks:
                    self._stages[stage] = (info.numCompletedTasks, info.numTasks)
            if found and found.status != "RUNNING":
                self._ended.add(job)
        return sum(done for done, _ in self._stages.values()), sum(total for _, total in self._stages.values())
