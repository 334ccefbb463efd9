"""Workers that die and tasks that run twice: the shards are those of an undisturbed run. What befalls drivers is in tests/faults."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import main_job
import pytest

from headwater.warehouse.faults import (
    ANNOTATE,
    DUPLICATES,
    INGEST,
    PLACEMENTS,
    STAGES,
    TASK_FOLDER,
    VERDICTS,
)

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark


def test_killed_workers(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> None:
    """SIGKILL of a Python worker whose files are written and not yet told of, once in each step: the task is tried again."""
    _, build, hashes = main_job.undisturbed(spark, tmp_path_factory)
    folders = main_job.write_folders(tmp_path / "in", folders=1, files=12)
    faults = tmp_path / "faults"
    faults.mkdir()
    for point in (INGEST, ANNOTATE, DUPLICATES, VERDICTS, STAGES, PLACEMENTS):
        (faults / point).touch()
    driver = main_job.start_driver(
        tmp_path / "lake", folders, master="local[2,3]", fragment_bytes=40_000, environment={TASK_FOLDER: str(faults)}
    )
    assert main_job.finish(driver) == build
    assert not list(faults.iterdir())
    assert main_job.shard_hashes(tmp_path / "lake", build) == hashes
    main_job.assert_whole(tmp_path / "lake")


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[str]:
    """A Spark cluster of a master and two workers on hosts of their own: a speculative twin never runs on its brother's host."""
    import pyspark

    home = Path(pyspark.__file__).parent
    environment = os.environ | {"SPARK_NO_DAEMONIZE": "1", "PYSPARK_PYTHON": sys.executable}
    environment |= {"SPARK_DAEMON_MEMORY": "128m", "SPARK_WORKER_DIR": str(tmp_path / "work")}
    launch = [str(home / "bin" / "spark-class")]
    port = free_port()
    url = f"spark://127.0.0.1:{port}"
    master = ["org.apache.spark.deploy.master.Master", "--host", "127.0.0.1", "--port", str(port), "--webui-port", "0"]
    worker = ["org.apache.spark.deploy.worker.Worker", "--webui-port", "0", "--cores", "1", "--memory", "512m"]
    programs = [
        subprocess.Popen([*launch, *arguments], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for arguments in (master, [*worker, "--host", "127.0.0.1", url], [*worker, "--host", "127.0.0.2", url])
    ]
    yield url
    for program in programs:
        program.kill()
        program.wait()


def free_port() -> int:
    """Return a port on which nothing listens."""
    import socket

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_speculative_twins(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, cluster: str
) -> None:
    """A task that hangs once its files are written gets a twin elsewhere, which writes them too; one of the two counts."""
    _, build, hashes = main_job.undisturbed(spark, tmp_path_factory)
    folders = main_job.write_folders(tmp_path / "in", folders=1, files=12)
    faults = tmp_path / "faults"
    faults.mkdir()
    (faults / ANNOTATE).write_text(str(main_job.TIMEOUT_S), "utf-8")
    conf = {
        "spark.speculation": "true",
        "spark.speculation.interval": "100ms",
        "spark.speculation.quantile": "0.5",
        "spark.speculation.multiplier": "1.2",
        "spark.speculation.minTaskRuntime": "500ms",
        "spark.executor.memory": "512m",
        "spark.executorEnv.JAVA_TOOL_OPTIONS": os.environ["JAVA_TOOL_OPTIONS"],
        f"spark.executorEnv.{TASK_FOLDER}": str(faults),
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
    }
    driver = main_job.start_driver(
        tmp_path / "lake", folders, master=cluster, environment={"MAIN_JOB_CONF": json.dumps(conf)}
    )
    assert main_job.finish(driver) == build
    assert not list(faults.iterdir())
    assert main_job.shard_hashes(tmp_path / "lake", build) == hashes
    main_job.assert_whole(tmp_path / "lake")
