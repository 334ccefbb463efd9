"""A command with everything of its own, as a user starts it: interpreter, JVM, workers, temporary folder, process group."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from zygote import FAST_SPARK

__all__ = ["Process"]

_MARK: Final = "FAULTS_PROCESS"


class Process:
    """``headwater`` in a session of its own; a context that leaves nothing of it behind.

    All that it starts inherits a mark in its environment, by which it is found, whatever session it went to.

    Args:
        arguments: of ``headwater``.
        folder: for what it says and for its temporary files.
    """

    def __init__(self, arguments: list[str], folder: Path) -> None:
        self.said = folder / "said-process.txt"
        self.scratch = folder / "tmp"
        self.scratch.mkdir()
        self._mark = secrets.token_hex(8).encode()
        confs = [f"--conf={key}={value}" for key, value in FAST_SPARK.items()]
        with self.said.open("wb") as said:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "headwater", *arguments, "--master", "local[2]", *confs],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
                env=os.environ | {"TMPDIR": str(self.scratch), _MARK: self._mark.decode()},
            )

    @property
    def code(self) -> int | None:
        """Exit code, or minus the signal that ended it."""
        return self._process.returncode

    def __enter__(self) -> Self:
        """It runs already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Kill whatever is left."""
        for pid in self._members():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()

    def disturb(self, whom: str, number: int, after_s: float) -> bool:
        """Send a signal to the driver, the JVM or all after some seconds; a stopped one goes on a second later. Return whether it went out.

        The seconds count from the start of the driver, or from that of a JVM where it is meant.
        """
        while whom == "jvm" and self._process.poll() is None and not self._members(only_java=True):
            time.sleep(0.05)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(after_s)
        if self._process.poll() is not None:
            return False
        chosen = [self._process.pid] if whom == "driver" else self._members(only_java=whom == "jvm")
        _send(chosen, number)
        if number == signal.SIGSTOP:
            time.sleep(1.0)
            _send(chosen, signal.SIGCONT)
        return bool(chosen)

    def finish(self, limit_s: float) -> None:
        """Wait until the command has ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(limit_s)

    def left(self, limit_s: float) -> list[str]:
        """Return what of its processes still runs after so many seconds."""
        end = time.monotonic() + limit_s
        while (members := self._members()) and time.monotonic() < end:
            time.sleep(0.1)
        return [_command_line(pid) for pid in members]

    def _members(self, *, only_java: bool = False) -> list[int]:
        """Return the processes that carry the mark and are no zombies, which have no environment."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                marked = _MARK.encode() + b"=" + self._mark in (folder / "environ").read_bytes().split(b"\0")
                if marked and (not only_java or (folder / "comm").read_text("utf-8").strip() == "java"):
                    found.append(int(folder.name))
        return found


def _send(pids: list[int], number: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _command_line(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()[:120]
    return str(pid)
