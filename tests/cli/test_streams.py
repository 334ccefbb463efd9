"""What the command line does with standard streams that are closed, full or left, and with Ctrl-C."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from headwater.cli.groups import Commands
from headwater.warehouse.commit import create_lake

FULL = Path("/dev/full")
LONG = "SELECT range FROM range(200000)"


def _run(lake: Path, query: str, prepare: Callable[[], None], buffered: bool = True) -> tuple[int, bytes, bytes]:
    """Run ``headwater sql`` with streams as ``prepare`` leaves them in the new process."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "" if buffered else "1"}
    done = subprocess.run(
        [sys.executable, "-m", "headwater", "sql", str(lake), query],
        capture_output=True,
        env=environment,
        preexec_fn=prepare,
        check=False,
        timeout=120,
    )
    return done.returncode, done.stdout, done.stderr


@contextlib.contextmanager
def computing(lake: Path, folder: Path, query: str) -> Iterator[subprocess.Popen[bytes]]:
    """Give ``headwater sql`` as a process in which DuckDB computes; ``folder``, empty, is its place for temporary files."""
    process = subprocess.Popen(
        [sys.executable, "-m", "headwater", "sql", str(lake), query],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(folder)},
    )
    with process:
        while not list(folder.iterdir()):
            assert process.poll() is None
            time.sleep(0.05)
        time.sleep(2)  # from opening the lake to the query
        yield process


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty lake."""
    folder = tmp_path_factory.mktemp("streams") / "lake"
    create_lake(str(folder))
    return folder


def test_a_closed_output_is_an_error_before_anything_is_done(lake: Path) -> None:
    """The answer would be lost, and the next file opened would take its number."""
    code, _, error = _run(lake, "SELECT 1", lambda: os.close(1))
    assert code == 1
    assert error.startswith(b"Error: expected standard output for the answer, found it closed")
    assert error.count(b"\n") == 1


@pytest.mark.parametrize("number", [0, 2])
def test_another_closed_stream_takes_nothing_from_the_answer(lake: Path, number: int) -> None:
    """Input and error closed: the answer is whole, and no file of the lake gets the number."""
    code, answer, _ = _run(lake, "SELECT 1 AS n", lambda: os.close(number))
    assert (code, answer) == (0, b"n\n1\n")


@pytest.mark.skipif(not FULL.exists(), reason="this system has no device that is always full")
@pytest.mark.parametrize("buffered", [True, False])
def test_an_answer_that_cannot_be_written_is_an_error(lake: Path, buffered: bool) -> None:
    """One line and exit code 1, without Python's own report at its end."""

    def fill() -> None:
        os.dup2(os.open(FULL, os.O_WRONLY), 1)

    code, _, error = _run(lake, "SELECT 1", fill, buffered)
    assert code == 1
    assert error == b"Error: cannot write the answer to standard output: No space left on device\n"


@pytest.mark.parametrize("buffered", [True, False])
def test_a_reader_that_goes_away_is_no_success(lake: Path, buffered: bool) -> None:
    """The rest of the answer was lost, so the exit code is not 0."""
    process = subprocess.Popen(
        [sys.executable, "-m", "headwater", "sql", str(lake), LONG],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "" if buffered else "1"},
    )
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(5) == b" rang"
        process.stdout.close()
        assert process.wait(120) == 1
        assert process.stderr.read() == b""


def test_an_answer_is_whole_without_a_buffer(lake: Path) -> None:
    """With PYTHONUNBUFFERED, where Python gives a long text to the system once, and takes a part for the whole."""
    code, answer, _ = _run(lake, LONG, lambda: None, buffered=False)
    assert code == 0
    assert answer.split()[:3] == [b"range", b"0", b"1"]
    assert len(answer.split()) == 200_001


def test_an_interrupt_is_one_line_and_130() -> None:
    """Ctrl-C in a command: what to do next, no traceback."""

    @click.group(cls=Commands)
    def group() -> None:
        pass

    @group.command()
    def wait() -> None:
        signal.raise_signal(signal.SIGINT)

    found = CliRunner().invoke(group, ["wait"])
    assert found.exit_code == 130
    assert found.stderr == "Error: interrupted; what was committed stays, and the same command goes on from there\n"


@pytest.mark.parametrize(
    ("number", "code", "told"),
    [
        (
            signal.SIGINT,
            130,
            b"Error: interrupted; what was committed stays, and the same command goes on from there\n",
        ),
        (
            signal.SIGTERM,
            143,
            b"Error: ended by signal 15; what was committed stays, and the same command goes on from there\n",
        ),
    ],
)
def test_a_query_that_computes_ends_with_one_line(
    lake: Path, tmp_path: Path, number: signal.Signals, code: int, told: bytes
) -> None:
    """A real Ctrl-C, and a request to end, while DuckDB computes: no traceback, and the folder for what did not fit is gone."""
    cross_join = "SELECT count(*) FROM range(10000000) a, range(100000) b WHERE a.range % 7 = b.range % 11"
    with computing(lake, tmp_path, cross_join) as process:
        process.send_signal(number)
        answer, error = process.communicate(timeout=60)
    assert (process.returncode, answer, error) == (code, b"", told)
    assert list(tmp_path.iterdir()) == []


DEAF = "SELECT jaro_similarity(repeat(repeat('ab', 10000), 500), repeat(repeat('ba', 10000), 500))"
"""Minutes within one value, in which DuckDB heeds no interrupt."""


@pytest.mark.slow
def test_a_query_that_heeds_no_interrupt_ends_all_the_same(lake: Path, tmp_path: Path) -> None:
    """Some seconds after its time: one line, exit code 1, nothing left behind."""
    begin = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "headwater", "sql", str(lake), DEAF, "--timeout", "1"],
        capture_output=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(b"Error: the query was stopped after 1 s; ")
    assert done.stderr.count(b"\n") == 1
    assert time.monotonic() - begin < 40
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_second_interrupt_ends_at_once(lake: Path, tmp_path: Path) -> None:
    """The first has no effect in such a query; 130 and the line of an interrupt."""
    with computing(lake, tmp_path, DEAF) as process:
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        answer, error = process.communicate(timeout=3)
    assert (process.returncode, answer) == (130, b"")
    assert error == b"Error: interrupted; what was committed stays, and the same command goes on from there\n"
    assert list(tmp_path.iterdir()) == []
