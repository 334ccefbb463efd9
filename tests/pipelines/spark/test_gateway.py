from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from headwater.pipelines.spark.gateway import is_notice

_TIMEOUT_S = 300
_COUNT = """
from headwater.pipelines.spark import session
print(session("local[1]").range(10).count())
"""
_FAIL = """
import click
from headwater.cli.groups import Commands
from headwater.cli.options import spark_session
from headwater.pipelines.spark.sessions import run_tasks

def broken(item):
    raise ValueError(f"item {item} is broken")

@click.group(cls=Commands)
def cli():
    pass

@cli.command()
def fail():
    with spark_session("local[1]", ()) as spark:
        run_tasks(spark, broken, [7])

cli(["fail"])
"""
_NO_JVM = """
from headwater.pipelines.spark import session
session("local[1]", {"spark.driver.extraJavaOptions": "--add-modules=no.such.module"})
"""


def run(program: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a program in a process of its own, its outputs kept apart."""
    script = folder / "program.py"  # a file, so that tasks find its functions and tracebacks its lines
    script.write_text(program)
    return subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=_TIMEOUT_S, check=False, cwd=folder
    )


@pytest.mark.parametrize(
    "line",
    [
        "WARNING: Using incubator modules: jdk.incubator.vector",
        "Picked up JAVA_TOOL_OPTIONS: -XX:+UseSerialGC",
        "NOTE: Picked up JDK_JAVA_OPTIONS: -Xss4m",
        "Using Spark's default log4j profile: org/apache/spark/log4j2-defaults.properties",
        'Setting default log level to "WARN".',
        "To adjust logging level use sc.setLogLevel(newLevel). For SparkR, use setLogLevel(newLevel).",
        "26/11/27 06:00:11 WARN NativeCodeLoader: Unable to load native-hadoop library for your platform... using builtin",
    ],
)
def test_notices_are_known(line: str) -> None:
    """What Java and Spark say at every start is a notice, as a whole line only."""
    assert is_notice(line.encode() + b"\n")
    assert not is_notice(b"Error: " + line.encode())


@pytest.mark.parametrize(
    "line",
    [
        "",
        "Error: Could not create the Java Virtual Machine.",
        "WARNING: A terminally deprecated method in sun.misc.Unsafe has been called",
        "26/11/27 06:00:11 ERROR SparkContext: Error initializing SparkContext.",
        "26/11/27 06:00:11 WARN TaskSetManager: Lost task 0.0 in stage 0.0",
    ],
)
def test_everything_else_is_shown(line: str) -> None:
    """Errors and warnings of Java and of Spark are no notices."""
    assert not is_notice(line.encode() + b"\n")


@pytest.mark.spark
def test_a_terminal_shows_the_answer_only(tmp_path: Path) -> None:
    """On a terminal, a session from Python starts and ends without a line of its own."""
    ours, theirs = pty.openpty()
    program = subprocess.Popen([sys.executable, "-c", _COUNT], stdin=theirs, stdout=theirs, stderr=theirs, cwd=tmp_path)
    os.close(theirs)
    shown = b""
    try:
        while data := os.read(ours, 1 << 16):
            shown += data
    except OSError:  # how Linux says that the other end is closed
        pass
    finally:
        os.close(ours)
    assert program.wait(_TIMEOUT_S) == 0
    assert shown == b"10\r\n"


@pytest.mark.spark
def test_a_task_that_fails_shows_one_cause(tmp_path: Path) -> None:
    """The cause stands once on standard error, with the file that has the traceback; the tries before are a line each, without notices."""
    done = run(_FAIL, tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert not [line for line in done.stderr.splitlines() if is_notice(line.encode())]
    assert "Traceback" not in done.stderr
    assert "\tat " not in done.stderr
    (told,) = [line for line in done.stderr.splitlines() if "ValueError" in line]
    found = re.fullmatch(r"Error: Spark failed: ValueError: item 7 is broken; the full report is in (\S+)", told)
    assert found is not None
    report = Path(found[1])
    assert report.stat().st_mode & 0o777 == 0o600
    assert "in broken" in report.read_text()
    report.unlink()
    assert done.stderr.count("ERROR Executor: Exception in task") == 3


@pytest.mark.spark
def test_a_jvm_that_cannot_start_says_why(tmp_path: Path) -> None:
    """What Java said before it ended is shown, and its first line is in the error."""
    done = run(_NO_JVM, tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "java.lang.module.FindException: Module no.such.module not found" in done.stderr
    assert (
        "UsageError: expected Java to start Spark, but it ended: Error occurred during initialization of boot layer; "
        "check JAVA_HOME and --conf" in done.stderr
    )
