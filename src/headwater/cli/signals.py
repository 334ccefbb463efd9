"""What ends a command from outside ends it in order: what was begun is undone on the way, as after Ctrl-C."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import Final

__all__ = ["end_in_order", "ended_by"]

_MESSAGE: Final = b"Error: ended by signal %d; what was committed stays, and the same command goes on from there\n"
_STDERR: Final = 2


_got: list[int] = []


def ended_by() -> int | None:
    """Return the signal that asked this process to end, if one did; a library may have turned the exit that follows into an error of its own."""
    return _got[0] if _got else None


def end_in_order() -> None:
    """Let the signals that ask a process to end raise SystemExit with a shell's code for them; a second one ends it at once.

    A lake's files that were not finished are removed and Spark is stopped on the way. Of a signal that is ignored, as under ``nohup``,
    nothing changes.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _end)


def _end(number: int, _: FrameType | None) -> None:
    for each in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_DFL)
    if gateway := sys.modules.get("headwater.pipelines.spark.gateway"):
        gateway.hush()
    _got.append(number)
    os.write(_STDERR, _MESSAGE % number)
    sys.exit(128 + number)
