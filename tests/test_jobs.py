from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import REPOSITORY, DemoLake
from headwater.cli.root import cli

JOBS = sorted((REPOSITORY / "jobs").glob("*.py"))
COMMANDS = {"deduplicate": "dedup"}
_TIMEOUT_S = 300


def test_a_script_for_every_step() -> None:
    """Each step of the job, and the whole of it, has its script."""
    steps = ["annotate", "build", "decide", "deduplicate", "extract", "ingest", "run", "select"]
    assert [path.name for path in JOBS] == [f"{step}_job.py" for step in steps]


def test_no_script_shadows_a_module() -> None:
    """spark-submit puts the scripts' folder first on sys.path: no name of the standard library or of the package is taken."""
    names = {path.stem for path in JOBS}
    assert not names & sys.stdlib_module_names
    assert not names & {"headwater", "pyspark", "select", "tokenize", "build"}


@pytest.mark.parametrize("script", JOBS, ids=lambda path: path.stem)
def test_script_is_its_command(
    script: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A script takes the arguments of the command of its step and has its help."""
    step = script.stem.removesuffix("_job")
    command = COMMANDS.get(step, step)
    monkeypatch.setattr(sys, "argv", [str(script), "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(script), run_name="__main__")
    assert ended.value.code == 0
    assert str(cli.commands[command].help).splitlines()[0] in capsys.readouterr().out


@pytest.mark.spark
def test_spark_submit_gives_master_and_settings(demo_lake: DemoLake, tmp_path: Path) -> None:
    """Under spark-submit a script runs with its master and settings, as Spark itself records; on a lake that lacks nothing it exits with 0."""
    script = REPOSITORY / "jobs" / "annotate_job.py"
    given = {
        "spark.master": "local[1,2]",
        "spark.task.maxFailures": "9",
        "spark.sql.shuffle.partitions": "3",
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": tmp_path.as_uri(),
        "spark.eventLog.compress": "false",
        "spark.eventLog.rolling.enabled": "false",
    }
    settings = [word for key, value in given.items() for word in ("--conf", f"{key}={value}")]
    done = subprocess.run(
        [str(Path(sys.executable).parent / "spark-submit"), *settings, str(script), str(demo_lake.folder), "demo"],
        env=os.environ | {"PYSPARK_PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert done.stdout.startswith("annotate      nothing new")
    (log,) = tmp_path.iterdir()
    (recorded,) = [
        event["Spark Properties"]
        for event in map(json.loads, log.read_text("utf-8").splitlines())
        if event["Event"] == "SparkListenerEnvironmentUpdate"
    ]
    assert given.items() <= recorded.items()
    assert recorded["spark.sql.session.timeZone"] == "UTC"  # Headwater's own, which nobody named
