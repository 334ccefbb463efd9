"""Results as they come in: committed while tasks still run, each once, all of them kept when a task or whoever takes them fails."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pyspark import cloudpickle

from headwater.pipelines.spark.arrivals import Pace, arrivals
from headwater.pipelines.spark.sessions import run_tasks

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_WAIT_S = 60.0


@pytest.fixture(autouse=True, scope="module")
def by_value() -> Iterator[None]:
    """Let workers, which do not find this module, get its functions whole."""
    module = sys.modules[__name__]
    cloudpickle.register_pickle_by_value(module)  # type: ignore[no-untyped-call]  # pyspark leaves it bare
    yield
    cloudpickle.unregister_pickle_by_value(module)  # type: ignore[no-untyped-call]  # pyspark leaves it bare


def _await(place: Path) -> None:
    end = time.monotonic() + _WAIT_S
    while not place.exists():
        if time.monotonic() > end:
            raise TimeoutError(place.name)
        time.sleep(0.02)


def _square(folder: Path, item: int) -> int:
    """Return the square; the task of 7 goes on only when someone has taken another's result."""
    if item == 7:
        _await(folder / "taken")
    return item * item


def _fail_last(folder: Path, item: int) -> int:
    if item == 2:
        _await(folder / "done-0")
        _await(folder / "done-1")
        raise ValueError("the last of them")
    (folder / f"done-{item}").touch()
    return item


def _die_once(folder: Path, item: int) -> int:
    """Return the item; the process of 3 dies the first time, after another has ended."""
    if item == 3 and not (folder / "died").exists():
        (folder / "died").touch()
        os._exit(1)
    return item


class _Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_pace_of_commits() -> None:
    """Due after the interval; after a commit that took long, not before it is a twentieth of the time."""
    clock = _Clock()
    pace = Pace(60.0, 0.05, clock)
    assert pace.seconds_left() == 60.0
    clock.now += 75.0
    assert pace.seconds_left() == 0.0
    with pace.committing():
        clock.now += 1.0
    assert pace.seconds_left() == 60.0
    with pace.committing():
        clock.now += 10.0
    assert pace.seconds_left() == pytest.approx(190.0)


@pytest.mark.spark
def test_results_come_while_tasks_run(spark: SparkSession, tmp_path: Path) -> None:
    """A task that waits for another's result to be taken ends: results are there before the job is; each comes once, in order."""
    found = []
    for part in arrivals(spark, partial(_square, tmp_path), [3, 7, 5], Pace(0.0)):
        found.append(part)
        (tmp_path / "taken").touch()
    assert len(found) > 1
    assert all(part == sorted(part) for part in found)
    assert sorted(pair for part in found for pair in part) == [(0, 9), (1, 49), (2, 25)]


@pytest.mark.spark
def test_a_small_job_is_taken_at_once(spark: SparkSession) -> None:
    """Where nothing is due before the end, all results come together, in the order of the items."""
    assert list(arrivals(spark, abs, [-5, 4, -3, 2], Pace())) == [[(0, 5), (1, 4), (2, 3), (3, 2)]]
    assert list(arrivals(spark, abs, [], Pace())) == []


@pytest.mark.spark
def test_what_was_done_before_a_failure_is_kept(spark: SparkSession, tmp_path: Path) -> None:
    """The results of tasks that ended are yielded, then the error of the one that failed for good is raised."""
    found: list[tuple[int, int]] = []
    with pytest.raises(Exception, match="the last of them"):
        found.extend(
            pair for part in arrivals(spark, partial(_fail_last, tmp_path), [0, 1, 2], Pace()) for pair in part
        )
    assert found == [(0, 0), (1, 1)]


@pytest.mark.spark
def test_a_task_that_is_tried_again_comes_once(spark: SparkSession, tmp_path: Path) -> None:
    """A worker that dies takes no result with it, and gives none twice."""
    found = [pair for part in arrivals(spark, partial(_die_once, tmp_path), list(range(6)), Pace(0.0)) for pair in part]
    assert (tmp_path / "died").exists()
    assert sorted(found) == [(number, number) for number in range(6)]


@pytest.mark.spark
def test_whoever_stops_taking_ends_the_job(spark: SparkSession, tmp_path: Path) -> None:
    """After an error of the driver's own, what is still running is cancelled: the session is free at once."""

    def take() -> Generator[None, None, None]:
        for _ in arrivals(spark, partial(_square, tmp_path), [3, 7], Pace(0.0)):
            yield

    taking = take()
    next(taking)
    taking.close()
    assert not spark.sparkContext.statusTracker().getActiveJobsIds()
    (tmp_path / "taken").touch()
    assert run_tasks(spark, abs, [-1]) == [1]


_HANGS = """
import sys, time
from headwater.pipelines.spark.watch import beat, watched

with watched(1.0):
    for _ in range(4):
        time.sleep(0.5)
        beat()
    print("went on", flush=True)
    time.sleep(60)
print("never", flush=True)
"""


def test_a_process_that_hangs_is_ended() -> None:
    """One that says that it goes on lives; one that does not is ended, and says where it hung, without values."""
    ended = subprocess.run([sys.executable, "-c", _HANGS], capture_output=True, text=True, timeout=50, check=False)
    assert (ended.returncode, ended.stdout) == (1, "went on\n")
    assert "Timeout" in ended.stderr
    assert 'File "<string>", line 10 in <module>' in ended.stderr
