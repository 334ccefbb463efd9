from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from headwater.pipelines.spark.settings import (
    choose_python,
    jvm_settings,
    own_settings,
    read_properties,
    submitted_settings,
)
from headwater.pipelines.spark.slots import slots_to_be_had

_TIMEOUT_S = 300
_SHOW = """
import json
from headwater.pipelines.spark import session

def show(spark):
    conf = dict(spark.sparkContext.getConf().getAll())
    names = ["spark.app.name", "spark.master", "spark.task.maxFailures", "spark.sql.shuffle.partitions", "spark.executor.memory"]
    print(json.dumps({name: conf.get(name) for name in names} | {"timeZone": spark.conf.get("spark.sql.session.timeZone")}))
    spark.stop()

show(session(conf={"spark.sql.shuffle.partitions": "5"}))
show(session("local[2]"))
"""
_DEFAULTS = """
# of the site
spark.master                 local[1,2]
spark.task.maxFailures=7
spark.sql.shuffle.partitions 3
spark.app.name: of the site
"""


def test_properties_are_read_as_java_reads_them(tmp_path: Path) -> None:
    """Blanks, ``=`` and ``:`` separate; lines are continued; comments and blank lines are none."""
    file = tmp_path / "spark-defaults.conf"
    file.write_text(
        "# a\n! b\n\n a.b   c d\ne=f=g\n h : i\nspark.executorEnv.X\ty\\\n    z\nempty\nwith\\ blank v\n", "utf-8"
    )
    assert read_properties(file) == {
        "a.b": "c d",
        "e": "f=g",
        "h": "i",
        "spark.executorEnv.X": "yz",
        "empty": "",
        "with blank": "v",
    }
    assert read_properties(tmp_path / "absent.conf") == {}


def test_everything_submitted_is_seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Options win over the properties file, which stands in place of ``spark-defaults.conf`` unless both are asked for."""
    (tmp_path / "spark-defaults.conf").write_text("spark.master yarn\nspark.a 1\nspark.b 1\n", "utf-8")
    (tmp_path / "own.conf").write_text("spark.b 2\nspark.c 2\n", "utf-8")
    monkeypatch.setenv("SPARK_CONF_DIR", str(tmp_path))
    monkeypatch.delenv("PYSPARK_SUBMIT_ARGS", raising=False)
    assert submitted_settings() == {"spark.master": "yarn", "spark.a": "1", "spark.b": "1"}
    own = f"--properties-file {tmp_path}/own.conf --conf spark.c=3 -c spark.d=4 --executor-memory 5g"
    monkeypatch.setenv("PYSPARK_SUBMIT_ARGS", f"{own} --master=spark://host:1 pyspark-shell")
    found = {
        "spark.b": "2",
        "spark.c": "3",
        "spark.d": "4",
        "spark.executor.memory": "5g",
        "spark.master": "spark://host:1",
    }
    assert submitted_settings() == found
    monkeypatch.setenv("PYSPARK_SUBMIT_ARGS", f"--load-spark-defaults {own} --master=spark://host:1 pyspark-shell")
    assert submitted_settings() == found | {"spark.a": "1"}


def test_the_python_that_was_given_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting wins over the environment, which wins over this process's own."""
    monkeypatch.delenv("PYSPARK_PYTHON", raising=False)
    assert choose_python({}) == sys.executable
    monkeypatch.setenv("PYSPARK_PYTHON", "./environment/bin/python")
    assert choose_python({}) == "./environment/bin/python"
    assert choose_python({"spark.pyspark.python": "python3.12"}) == "python3.12"


def test_options_of_java_are_added_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """Java options that the site gives stay, behind Headwater's; memory that it gives is not named again."""
    monkeypatch.delenv("SPARK_CONF_DIR", raising=False)
    found = jvm_settings("local[1,3]", {"spark.driver.defaultJavaOptions": "-Da=b", "spark.driver.memory": "8g"})
    assert found["spark.driver.defaultJavaOptions"].endswith(" -Da=b")
    assert "log4j2.properties" in found["spark.driver.defaultJavaOptions"]
    assert "spark.driver.memory" not in found
    assert jvm_settings("local[1,3]", {})["spark.driver.memory"] == "2g"
    assert "spark.driver.memory" not in jvm_settings("yarn", {})


def test_only_local_masters_get_the_loopback() -> None:
    """A driver of a cluster must be reached from other machines."""
    assert own_settings("local", "x")["spark.driver.host"] == "127.0.0.1"
    assert not [key for key in own_settings("spark://host:7077", "x") if key.startswith("spark.driver.")]


_GROWS = {"spark.dynamicAllocation.enabled": "true"}


@pytest.mark.parametrize(
    ("conf", "master", "cores", "executors", "expected"),
    [
        ({}, "spark://h:1", 16, 2, 16),
        ({"spark.task.cpus": "4"}, "yarn", 16, 2, 4),
        ({"spark.task.cpus": "4"}, "yarn", 2, 0, 1),
        (_GROWS, "yarn", 2, 0, 64),
        (_GROWS, "k8s://https://h", 96, 24, 96),
        (_GROWS | {"spark.dynamicAllocation.maxExecutors": "9"}, "yarn", 2, 0, 9),
        (_GROWS | {"spark.dynamicAllocation.maxExecutors": "9"}, "spark://h:1", 2, 0, 64),
        (_GROWS | {"spark.dynamicAllocation.maxExecutors": "9"}, "spark://h:1", 12, 3, 36),
        (_GROWS | {"spark.cores.max": "9"}, "spark://h:1", 2, 0, 9),
        (
            _GROWS
            | {
                "spark.dynamicAllocation.maxExecutors": "100",
                "spark.executor.cores": "8",
                "spark.task.cpus": "2",
                "spark.cores.max": "200",
            },
            "spark://h:1",
            2,
            0,
            100,
        ),
        (
            _GROWS | {"spark.dynamicAllocation.maxExecutors": "250", "spark.executor.cores": "4"},
            "yarn",
            8,
            2,
            1000,
        ),
    ],
)
def test_slots_are_those_to_be_had(
    conf: dict[str, str], master: str, cores: int, executors: int, expected: int
) -> None:
    """Where executors come on demand, their greatest number counts; without one, enough to make the cluster grow."""
    assert slots_to_be_had(conf, master, cores, executors) == expected


@pytest.mark.spark
def test_what_the_site_sets_wins_over_headwaters_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """``spark-defaults.conf`` wins over Headwater's settings, the caller over both; also in a second session on the same JVM."""
    (tmp_path / "spark-defaults.conf").write_text(_DEFAULTS, "utf-8")
    monkeypatch.setenv("SPARK_CONF_DIR", str(tmp_path))
    monkeypatch.setenv("PYSPARK_SUBMIT_ARGS", "--conf spark.executor.memory=777m pyspark-shell")
    script = tmp_path / "show.py"
    script.write_text(_SHOW, "utf-8")
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=_TIMEOUT_S, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr[-4000:]
    first, second = map(json.loads, done.stdout.splitlines())
    assert first == {
        "spark.app.name": "of the site",
        "spark.master": "local[1,2]",
        "spark.task.maxFailures": "7",
        "spark.sql.shuffle.partitions": "5",
        "spark.executor.memory": "777m",
        "timeZone": "UTC",
    }
    assert second == first | {"spark.master": "local[2,3]", "spark.sql.shuffle.partitions": "3"}
