"""The program between a driver and the JVM that it starts: whatever becomes of the driver, no process and no file of Spark's stays.

    python -I -S keeper.py DESCRIPTOR COMMAND...

It makes a private folder for temporary files, starts the command there, writes what the JVM says of its gateway to the descriptor, and
waits for the end of its own standard input, which the driver holds: a driver that ends, is interrupted or is killed closes it. Then the JVM's
own input is closed, on which it ends by itself; what has not ended in time is killed, and the folder is removed. It runs in a session of
its own, so that what ends a driver's group of processes does not end it. ``{folder}`` in an argument stands for the folder.

Only the standard library: it starts in some 30 ms and holds 10 MB.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

__all__ = ["main"]

_GRACE_S = 10.0
"""How long a JVM may take to end: it tells a cluster's manager that the application is over."""
_STEP_S = 0.05
_STARTING_STEP_S = 0.02
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


def main() -> None:
    """Keep one JVM."""
    descriptor, command = int(sys.argv[1]), sys.argv[2:]
    waking, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    told: list[int] = []
    for number in (*_SIGNALS, signal.SIGCHLD):
        signal.signal(number, lambda number, _: None if number == signal.SIGCHLD else told.append(number))
    folder = tempfile.mkdtemp(prefix="headwater-")
    code = 1
    try:
        code = _keep(descriptor, [part.replace("{folder}", folder) for part in command], Path(folder), waking, told)
    finally:
        _end_others()
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(code)


def _keep(descriptor: int, command: list[str], folder: Path, waking: int, told: list[int]) -> int:
    info = folder / "gateway"
    env = os.environ | {"TMPDIR": str(folder), "_PYSPARK_DRIVER_CONN_INFO_PATH": str(info)}
    process = subprocess.Popen(command, stdin=subprocess.PIPE, env=env, process_group=0)  # noqa: S603 - the command line of Spark's launcher
    started = False
    while process.poll() is None and not told:
        if not started and info.is_file():
            with os.fdopen(descriptor, "wb") as pipe, contextlib.suppress(BrokenPipeError):
                pipe.write(info.read_bytes())
            info.unlink()
            started = True
        ready, _, _ = select.select([0, waking], [], [], None if started else _STARTING_STEP_S)
        if 0 in ready and not os.read(0, 1 << 16):
            break
        if waking in ready:
            os.read(waking, 1 << 16)
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()
    # Before its gateway is up a JVM does not look at its input.
    _wait(process, _GRACE_S if started else 0.0)
    return process.wait()


def _wait(process: subprocess.Popen[bytes], grace_s: float) -> None:
    """Let a process end, and kill its group after the grace: Spark's launcher is a shell that starts a JVM to learn how to start the JVM."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(grace_s)
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _end_others() -> None:
    """Wait for what else runs in this session, workers of the JVM, and kill what has not ended; where there is no /proc they end by themselves."""
    deadline = time.monotonic() + 2
    while others := _others():
        if time.monotonic() > deadline:
            for process in others:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
        if time.monotonic() > deadline + 2:
            return
        time.sleep(_STEP_S)


def _others() -> list[int]:
    """Return the processes of this session other than this one that have not ended."""
    session, found = os.getsid(0), []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            state, _, _, its_session = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
            if int(its_session) == session and int(entry.name) != os.getpid() and state not in "ZX":
                found.append(int(entry.name))
    return found


if __name__ == "__main__":
    main()
