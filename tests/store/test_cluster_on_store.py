"""A cluster of two workers with lake and input on a store: the whole job by spark-submit; executors and drivers die, and the shards are the same."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Self

import main_job
import pytest
from real_text import ALL
from spark_cluster import SparkCluster
from stores.fixtures import Store
from stores.jobs import LAKE, assert_same, upload_inputs, wait_for_put

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.spark, pytest.mark.slow]

_JOB = Path(__file__).resolve().parents[2] / "jobs" / "run_job.py"


@pytest.fixture
def cluster(store: Store, tmp_path: Path) -> Iterator[SparkCluster]:
    """Two workers that are told nothing of the store: what they need comes from the driver, with the tasks."""
    unset = dict.fromkeys(store.environment(), "")
    with SparkCluster(tmp_path / "cluster", workers=2, cores=1, environment=unset) as made:
        yield made


class _Job:
    """The job by spark-submit, in a process group of its own, which ends with the ``with`` block."""

    def __init__(self, cluster: SparkCluster, store: Store, inputs: str, log: Path) -> None:
        command = cluster.submit_command(_JOB, store.uri(LAKE), main_job.RECIPE, "--input", inputs, options=_options())
        self._log = log
        with log.open("wb") as said:
            self._process = subprocess.Popen(
                command,
                env=cluster.driver_environment() | store.environment(),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def runs(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        """Kill the driver with all that belongs to it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def said(self) -> str:
        """Return what it has printed."""
        return self._log.read_text("utf-8", "replace")

    def comes_to(self, words: str, store: Store) -> None:
        """Wait until it has written something whose path holds ``words``; it must still run then."""
        assert wait_for_put(store, words, self.runs), self.said()[-6000:]

    def finish(self) -> None:
        """Wait for its end, which must be a success."""
        assert self._process.wait(main_job.TIMEOUT_S) == 0, self.said()[-6000:]


def _options() -> list[str]:
    quick = main_job.FAST_SPARK | {"spark.executor.memory": "512m", "spark.sql.shuffle.partitions": "4"}
    return [part for name, value in quick.items() for part in ("--conf", f"{name}={value}")]


def _kill_one(cluster: SparkCluster) -> None:
    executors = cluster.executors()
    assert executors, cluster.logs()
    os.kill(executors[0], signal.SIGKILL)


def test_executor_killed(
    spark: SparkSession,
    tmp_path_factory: pytest.TempPathFactory,
    cluster: SparkCluster,
    store: Store,
    tmp_path: Path,
) -> None:
    """The whole job by spark-submit with lake and input on the store; an executor dies in annotate: the shards of a local run.

    The master's own page shows the application, and no key is in anything that master, workers and executors wrote.
    """
    _, build, hashes = main_job.undisturbed(spark, tmp_path_factory)
    (inputs,) = upload_inputs(store, tmp_path / "in")
    with _Job(cluster, store, inputs, tmp_path / "said.txt") as job:
        job.comes_to("family=content", store)
        _kill_one(cluster)
        job.finish()
    (application,) = cluster.applications().values()
    assert application["state"] == "FINISHED"
    assert_same(store, tmp_path, build, hashes)
    written = [path.read_bytes() for path in (tmp_path / "cluster").rglob("*") if path.is_file()]
    assert not [data for data in [*written, job.said().encode()] if store.server.secret.encode() in data]


@pytest.mark.skipif(not ALL, reason="minutes; `make test-all` runs it")
def test_killed_thrice(
    spark: SparkSession,
    tmp_path_factory: pytest.TempPathFactory,
    cluster: SparkCluster,
    store: Store,
    tmp_path: Path,
) -> None:
    """An executor dies while content is written, then the driver in annotate, then in the second run an executor in the build: the same shards."""
    _, build, hashes = main_job.undisturbed(spark, tmp_path_factory)
    (inputs,) = upload_inputs(store, tmp_path / "in", files=12)
    with _Job(cluster, store, inputs, tmp_path / "said-1.txt") as job:
        job.comes_to("family=content", store)
        _kill_one(cluster)
        job.comes_to("family=signals", store)
    with _Job(cluster, store, inputs, tmp_path / "said-2.txt") as job:
        job.comes_to("family=stages", store)
        _kill_one(cluster)
        job.finish()
    assert_same(store, tmp_path, build, hashes)
