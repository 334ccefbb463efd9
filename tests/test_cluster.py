"""Headwater on a real cluster: a standalone master and two workers in processes of their own, jobs by ``spark-submit``."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from main_job import shard_hashes
from spark_cluster import SparkCluster

from conftest import REPOSITORY, DemoLake

pytestmark = [pytest.mark.spark, pytest.mark.slow]

_TIMEOUT_S = 300
_SHOW = """
import json, os, sys
from headwater.pipelines.spark.sessions import parallelism, run_tasks, session

def look(item):
    import headwater
    return {name: os.environ.get(name) for name in ("HOME", "LANG", "TZ", "THROUGH", "TOKENIZERS_PARALLELISM")}

spark = session(conf={"spark.sql.shuffle.partitions": "5"})
conf = dict(spark.sparkContext.getConf().getAll())
names = ["spark.master", "spark.task.maxFailures", "spark.sql.shuffle.partitions", "spark.executorEnv.TOKENIZERS_PARALLELISM"]
found = {"conf": {name: conf[name] for name in names}, "slots": parallelism(spark)}
print(json.dumps(found | {"workers": run_tasks(spark, look, [0, 1])}))
spark.stop()
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkCluster]:
    """Two workers of one core each."""
    with SparkCluster(tmp_path_factory.mktemp("cluster"), workers=2, cores=1) as started:
        yield started


def test_what_was_submitted_wins(cluster: SparkCluster, tmp_path: Path) -> None:
    """Master, settings, ``spark-defaults.conf`` and the Python of ``spark-submit`` count, and the caller's own settings before them."""
    (tmp_path / "spark-defaults.conf").write_text("spark.executorEnv.TOKENIZERS_PARALLELISM of-the-site\n", "utf-8")
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nTHROUGH=wrapper exec {sys.executable} "$@"\n', "utf-8")
    python.chmod(0o755)
    script = tmp_path / "show.py"
    script.write_text(_SHOW, "utf-8")
    options = ["--name", "shown", "--executor-memory", "640m", "--conf", "spark.task.maxFailures=7"]
    done = cluster.submit(
        script,
        options=[*options, "--conf", "spark.sql.shuffle.partitions=3"],
        environment={
            "SPARK_CONF_DIR": str(tmp_path),
            "PYSPARK_PYTHON": str(python),
            "PYSPARK_DRIVER_PYTHON": sys.executable,
        },
        timeout_s=_TIMEOUT_S,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["conf"] == {
        "spark.master": cluster.master,
        "spark.task.maxFailures": "7",
        "spark.sql.shuffle.partitions": "5",
        "spark.executorEnv.TOKENIZERS_PARALLELISM": "of-the-site",
    }
    assert found["slots"] == 2
    seen = cluster.applications()["shown"]
    assert (seen["state"], seen["cores"], seen["memoryperexecutor"]) == ("FINISHED", 2, 640)
    assert {worker["HOME"] for worker in found["workers"]} <= {
        str(cluster.folder / f"worker-{number}" / "home") for number in range(2)
    }
    elsewhere = {"LANG": "C", "TZ": "Asia/Tokyo", "THROUGH": "wrapper", "TOKENIZERS_PARALLELISM": "of-the-site"}
    assert all(elsewhere.items() <= worker.items() for worker in found["workers"])


def test_a_cluster_that_grows_from_nothing(cluster: SparkCluster, tmp_path: Path) -> None:
    """Where executors come on demand, pieces are planned for those that can be had, not for the two cores of which Spark speaks before."""
    script = tmp_path / "show.py"
    script.write_text(_SHOW, "utf-8")
    grows = {
        "spark.dynamicAllocation.enabled": "true",
        "spark.dynamicAllocation.maxExecutors": "7",
        "spark.executor.cores": "1",
        "spark.executor.memory": "640m",
    }
    done = cluster.submit(
        script,
        options=["--name", "grown", *(word for key, value in grows.items() for word in ("--conf", f"{key}={value}"))],
        environment={"PYSPARK_PYTHON": sys.executable},
        timeout_s=_TIMEOUT_S,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["slots"] == 7
    assert len(found["workers"]) == 2


def test_an_executor_is_killed_and_the_shards_are_the_same(
    cluster: SparkCluster, demo_lake: DemoLake, tmp_path: Path
) -> None:
    """The whole job, submitted with a relative lake, on executors with another HOME, LANG and TZ, one of them killed: shards as of a local run."""
    inputs = [word for folder in demo_lake.inputs for word in ("--input", folder)]
    command = cluster.submit_command(
        REPOSITORY / "jobs" / "run_job.py", "lake", "demo", *inputs, options=["--name", "whole"]
    )
    with (tmp_path / "log").open("wb") as log:
        driver = subprocess.Popen(
            command,
            env=cluster.driver_environment() | {"PYSPARK_PYTHON": sys.executable},
            cwd=tmp_path,
            stdout=log,
            stderr=log,
        )
        try:
            deadline = time.monotonic() + _TIMEOUT_S
            # The first commit makes the table, the second is ingest's: what runs then is annotate.
            while not _begun(cluster, tmp_path / "lake", commits=2):
                assert driver.poll() is None, (tmp_path / "log").read_text("utf-8", "replace")[-4000:]
                assert time.monotonic() < deadline
                time.sleep(0.1)
            killed = cluster.executors()[0]
            os.kill(killed, signal.SIGKILL)
            assert driver.wait(_TIMEOUT_S) == 0, (tmp_path / "log").read_text("utf-8", "replace")[-4000:]
        finally:
            driver.kill()
            driver.wait()
    found = cluster.applications()["whole"]
    assert (found["state"], found["cores"]) == ("FINISHED", 2)
    assert len(list(cluster.folder.glob(f"worker-*/executors/{found['id']}/*"))) == 3  # the killed one was replaced
    assert shard_hashes(tmp_path / "lake", demo_lake.build) == shard_hashes(demo_lake.folder, demo_lake.build)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lake", "log"]


def _begun(cluster: SparkCluster, lake: Path, commits: int) -> bool:
    return len(list(lake.glob("samples/_delta_log/*.json"))) >= commits and len(cluster.executors()) == 2
