"""Programs beside this one: an environment for peers, and processes that answer a line with a line."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.figures import Figures

__all__ = ["PeerFailedError", "Server", "peer_python"]

_STAMP = "headwater-requirements"
_INSTALL_TIMEOUT_S = 1200


class PeerFailedError(Exception):
    """A program beside this one ended early; the message is the last line it wrote."""


class Server:
    """A process that writes one line of JSON when it is ready and one for each line that it is given.

    Args:
        command: the program and its arguments.
        environment: what is changed in this process's environment.

    Raises:
        PeerFailedError: it ended before it wrote that it is ready.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process does
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=os.environ | dict(environment or {}),
        )
        self.greeting = self._read()

    def ask(self, request: str) -> Figures:
        """Return the answer to a line.

        Raises:
            PeerFailedError: the process ended instead.
        """
        assert self._process.stdin is not None
        # What an ended process said on standard error tells more than the broken pipe: `_read` reports it.
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(request + "\n")
            self._process.stdin.flush()
        return self._read()

    def _read(self) -> Figures:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            self._errors.seek(0)
            said = self._errors.read().decode("utf-8", "replace").strip().splitlines()
            self._close()
            raise PeerFailedError(said[-1][:300] if said else f"ended with code {self._process.returncode}")
        answer: Figures = json.loads(line)
        return answer

    def __enter__(self) -> Self:
        """Return the server."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process by ending its input, and wait for it: only then does the system count what it used."""
        self._close()

    def _close(self) -> None:
        for stream in (self._process.stdin, self._process.stdout):
            # What could not be written to a process that has ended is of no use any more.
            with contextlib.suppress(BrokenPipeError):
                if stream is not None:
                    stream.close()
        self._process.wait()
        self._errors.close()


def peer_python(folder: Path, requirements: Path, *, install: bool) -> tuple[Path | None, str | None]:
    """Return the Python of an environment that holds exactly what `requirements` pins, or None and why there is none.

    Args:
        folder: of the environment; made again when the pins have changed.
        install: whether it may be made: that takes minutes and a package index.
    """
    python = folder / "bin" / "python"
    stamp = folder / _STAMP
    wanted = hashlib.blake2b(requirements.read_bytes(), digest_size=16).hexdigest()
    if python.exists() and stamp.exists() and stamp.read_text() == wanted:
        return python, None
    if not install:
        return None, f"{folder.name} does not hold what {requirements.name} pins, and installing was switched off"
    print(f"bench: installing {requirements.name} into {folder.name}, some minutes", file=sys.stderr)
    make = [sys.executable, "-m", "venv", "--clear", str(folder)]
    fill = [
        str(python),
        "-m",
        "pip",
        "install",
        "-q",
        "--no-deps",
        "--disable-pip-version-check",
        "-r",
        str(requirements),
    ]
    for command in (make, fill):
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_INSTALL_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            return None, f"installing {requirements.name} took more than {_INSTALL_TIMEOUT_S} s"
        if done.returncode:
            said = (
                [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
                or done.stderr.splitlines()
                or [""]
            )
            return None, f"installing {requirements.name} failed: {said[0][:300]}"
    stamp.write_text(wanted)
    return python, None
