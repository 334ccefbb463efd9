"""A task that does nothing more is ended and tried again, however long a sound one takes.

Spark can end a Python worker from which nothing has come for some time. A task that writes files says nothing until all are written, so the longest
sound task would set that limit. Here a task tells that it goes on, a fragment or a batch at a time; a thread of the interpreter's own, which needs no
lock that a hanging library may hold, ends the process when that has not happened for ``SILENT_S``, and writes where it hung to the executor's log:
names of functions and files, never their values.
"""

from __future__ import annotations

import contextlib
import faulthandler
from collections.abc import Iterator
from typing import Final

__all__ = ["SILENT_S", "beat", "watched"]

SILENT_S: Final = 3600.0
"""Longer than the slowest legal batch."""

_STDERR: Final = 2
_limits: list[float] = []
"""The limit of the task that runs in this process; none outside of one."""


@contextlib.contextmanager
def watched(silent_s: float = SILENT_S) -> Iterator[None]:
    """End this process when ``beat`` is not called for ``silent_s`` seconds before the block ends."""
    _limits.append(silent_s)
    try:
        beat()
        yield
    finally:
        _limits.pop()
        faulthandler.cancel_dump_traceback_later()
        beat()


def beat() -> None:
    """Say that the task that runs in this process goes on; nothing outside of one."""
    if _limits:
        faulthandler.dump_traceback_later(_limits[-1], exit=True, file=_STDERR)
