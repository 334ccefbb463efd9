"""A command that is ended from outside, at any moment, leaves no process and no temporary file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = [pytest.mark.spark, pytest.mark.slow]

_MARK = "HEADWATER_TEST_SIGNALS"
_WAIT_S = 120
_GONE_S = 30
_TEXT = '{"text": "%s"}\n' % ("A sentence of some words that stands in a lake. " * 20)


class _Run:
    """A command under a mark in its environment, which everything that it starts inherits, with a folder for temporary files of its own."""

    def __init__(self, folder: Path) -> None:
        self._mark = f"{_MARK}={folder}"
        self.temporary = folder / "temporary"
        self.temporary.mkdir()
        source = folder / "one.jsonl"
        source.write_text(_TEXT)
        environment = os.environ | {_MARK: str(folder), "TMPDIR": str(self.temporary)}
        subprocess.run(
            [sys.executable, "-m", "headwater", "init", str(folder / "lake")], check=True, env=environment, cwd=folder
        )
        self.command = subprocess.Popen(
            [
                *(sys.executable, "-m", "headwater", "ingest", str(folder / "lake"), "demo"),
                *("--input", str(source), "--master", "local[1]"),
            ],
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def processes(self) -> dict[int, str]:
        """Return the command lines of what runs under the mark, by process."""
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if self._mark.encode() in (entry / "environ").read_bytes().split(b"\0"):
                    state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                    if state not in "ZX":
                        found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
        return found

    def wait_until(self, holds: Callable[[dict[int, str]], bool]) -> None:
        """Wait until something holds of the processes."""
        deadline = time.monotonic() + _WAIT_S
        while not holds(self.processes()):
            assert self.command.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def left(self) -> tuple[dict[int, str], list[str]]:
        """Return the processes and the temporary files that are still there after some time."""
        deadline = time.monotonic() + _GONE_S
        while time.monotonic() < deadline and (self.processes() or any(self.temporary.iterdir())):
            time.sleep(0.1)
        return self.processes(), sorted(str(path) for path in self.temporary.rglob("*"))


def _begun(processes: dict[int, str]) -> bool:
    return len(processes) > 0


def _keeper(processes: dict[int, str]) -> bool:
    return any("keeper.py" in line for line in processes.values())


def _java(processes: dict[int, str]) -> bool:
    return any("org.apache.spark.deploy.SparkSubmit" in line and "keeper.py" not in line for line in processes.values())


def _workers(processes: dict[int, str]) -> bool:
    return any("daemon" in line and "SparkSubmit" not in line for line in processes.values())


_MOMENTS: dict[str, tuple[Callable[[dict[int, str]], bool], float]] = {
    "at the beginning": (_begun, 0.0),
    "while the keeper starts": (_keeper, 0.0),
    "while Java starts": (_java, 0.0),
    "while the gateway comes up": (_java, 1.0),
    "while the context comes up": (_java, 3.0),
    "while a task runs": (_workers, 0.0),
    "at its end": (_workers, 1.0),
}
_CODES = {signal.SIGINT: {130, -2}, signal.SIGTERM: {143, -15}, signal.SIGHUP: {129, -1}, signal.SIGKILL: {-9}}
_CHOSEN = [
    ("while Java starts", signal.SIGINT),
    ("while the gateway comes up", signal.SIGTERM),
    ("while the context comes up", signal.SIGKILL),
    ("while a task runs", signal.SIGINT),
]
_ALL = [(moment, number) for moment in _MOMENTS for number in _CODES]


@pytest.mark.parametrize(("moment", "number"), _ALL if os.environ.get("HEADWATER_ALL") else _CHOSEN)
def test_nothing_stays(moment: str, number: signal.Signals, tmp_path: Path) -> None:
    """After an interrupt, a request to end, a closed terminal or a kill nothing runs on and the folder for temporary files is empty."""
    run = _Run(tmp_path)
    holds, delay_s = _MOMENTS[moment]
    run.wait_until(holds)
    time.sleep(delay_s)
    os.kill(run.command.pid, number)
    code = run.command.wait(_WAIT_S)
    assert code in _CODES[number] | ({0} if moment == "at its end" else set())
    assert run.left() == ({}, [])


def test_a_whole_group_that_is_killed_leaves_nothing(tmp_path: Path) -> None:
    """Killing the driver's group, its session even, leaves the keeper, which ends the rest."""
    run = _Run(tmp_path)
    run.wait_until(_java)
    os.killpg(run.command.pid, signal.SIGKILL)
    assert run.command.wait(_WAIT_S) == -9
    assert run.left() == ({}, [])
