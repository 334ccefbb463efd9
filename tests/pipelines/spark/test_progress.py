from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from headwater.pipelines.spark.progress import Progress

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def last_line(capsys: pytest.CaptureFixture[str]) -> str:
    """Return what the last line on the screen shows in the end, with its end; what was drawn before on the same line is gone."""
    return re.sub(r" +(?=\n?$)", "", capsys.readouterr().err.rsplit("\r", 1)[-1])


def fail_after(step: Progress, **done: int) -> None:
    """Run a step that counts something and fails."""
    with step as progress:
        progress.add(**done)
        raise ValueError("broken")


def test_a_step_ends_at_100_percent(capsys: pytest.CaptureFixture[str]) -> None:
    """A step that ends well is shown as whole, even where the forecast of its bytes was too high, with what was counted."""
    with Progress("annotate", total_bytes=9_000_000, shown=True) as progress:
        progress.add(rows=1200, size=4_000_000)
    assert re.fullmatch(r"annotate +100 % \|█{20}\| 1,200 rows, 4\.0 MB, [\d.,]+ MB/s, 0:0\d\n", last_line(capsys))


def test_a_step_that_fails_keeps_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    """The line of a step that fails says how far it came, and what follows begins on a new line."""
    with pytest.raises(ValueError, match="broken"):
        fail_after(Progress("export", parts=(8, "file"), shown=True), parts=2)
    assert re.fullmatch(r"export +25 % \|█{5} {15}\| 2 of 8 files, 0:0\d\n", last_line(capsys))


def test_a_step_without_work_leaves_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Where nothing was counted, nothing stays on the screen."""
    with Progress("ingest", shown=True):
        pass
    assert last_line(capsys) == ""


def test_a_forecast_that_was_too_low_stays_under_100_percent(capsys: pytest.CaptureFixture[str]) -> None:
    """While a step runs it is never shown as whole: only its end is."""
    with pytest.raises(ValueError, match="broken"):
        fail_after(Progress("annotate", total_bytes=10, shown=True), size=30)
    assert "99 %" in last_line(capsys)


def test_nothing_is_drawn_where_no_terminal_is(capsys: pytest.CaptureFixture[str]) -> None:
    """Standard error that goes to a file or a pipe gets no line."""
    with Progress("annotate", total_bytes=10) as progress:
        progress.add(rows=1, size=10)
    assert capsys.readouterr().err == ""


@pytest.mark.spark
def test_tasks_of_spark_are_counted_once(spark: SparkSession, capsys: pytest.CaptureFixture[str]) -> None:
    """The tasks of every stage that ran are counted, those of quick stages too; stages that Spark skips and earlier jobs are not."""
    context = spark.sparkContext
    context.parallelize(range(4), 7).count()
    with Progress("decide", context, shown=True):
        sums = context.parallelize(range(100), 3).map(lambda n: (n % 2, n)).reduceByKey(int.__add__, 2)
        for _ in range(2):  # the second time the stage before the shuffle is skipped
            sums.count()
    assert re.fullmatch(r"decide +100 % \|█{20}\| 7 tasks, \d+:\d\d\n", last_line(capsys))
