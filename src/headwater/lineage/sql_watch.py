"""Ends a call of DuckDB whose time is up, or that the user broke off, and one that takes far more memory than it may.

DuckDB looks at an interrupt, and counts memory, between values: within one, a function may go on for minutes or take gigabytes. What then
helps is the end of the process, which is the caller's to decide.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

import duckdb

from headwater.errors import LimitError

__all__ = ["Watch"]

_PATIENCE_S: Final = 0.1
"""Between two interrupts: one that comes before DuckDB has begun is forgotten."""
_GRACE_S: Final = 5.0
"""For an interrupt to have its effect."""
_GRACE_BYTES: Final = 1 << 29
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_USED: Final = Path("/proc/self/statm")

_Answer = TypeVar("_Answer")


class Watch:
    """Limits of calls.

    Args:
        timeout_s: of one call; None is no limit.
        memory: which DuckDB and an answer may each take.
        give_up: called with the reason when the call does not end; it ends the process. None: the call is waited for, as long as it takes.
    """

    def __init__(self, timeout_s: float | None, memory: int, give_up: Callable[[BaseException], None] | None) -> None:
        self._timeout_s = timeout_s
        self._memory = memory
        self._give_up = give_up

    def over(self, connection: duckdb.DuckDBPyConnection, call: Callable[[], _Answer]) -> _Answer:
        """Return what a call on the connection gives; it is interrupted when its time is up, by Ctrl-C or by a signal that ends the process.

        The call runs in a thread of its own, since Python cannot handle a signal while DuckDB computes in its main thread.

        Raises:
            LimitError: its time ended.
        """
        answers: list[_Answer] = []
        errors: list[BaseException] = []

        def work() -> None:
            try:
                answers.append(call())
            except BaseException as error:
                errors.append(error)
            finally:
                done.set()

        # Waited for in place of the thread: a join that a signal interrupts takes the thread for ended.
        done = threading.Event()
        worker = threading.Thread(target=work, name="query")
        worker.start()
        try:
            over = not self._wait(done)
        except BaseException as reason:
            self._stop(connection, done, reason)
            worker.join()
            raise
        if over:
            late = LimitError(
                f"the query was stopped after {self._timeout_s:g} s; ask for less, or allow more with --timeout (timeout_s)"
            )
            self._stop(connection, done, late)
            worker.join()
            raise late
        worker.join()
        for error in errors:
            raise error
        return answers[0]

    def _wait(self, done: threading.Event) -> bool:
        """Wait for the end; return whether it came in time."""
        if self._give_up is None:
            return done.wait(self._timeout_s)
        most = _resident() + 2 * self._memory + _GRACE_BYTES
        until = None if self._timeout_s is None else time.monotonic() + self._timeout_s
        while not done.wait(_PATIENCE_S if until is None else min(_PATIENCE_S, max(0.0, until - time.monotonic()))):
            if _resident() > most:
                self._give_up(
                    LimitError(
                        f"the query was ended, since the process took far more than {self._memory:,} bytes of memory; ask for less, or allow "
                        "more with --memory (memory)"
                    )
                )
            if until is not None and time.monotonic() >= until:
                return done.is_set()
        return True

    def _stop(self, connection: duckdb.DuckDBPyConnection, done: threading.Event, reason: BaseException) -> None:
        """Interrupt until the call has ended; a second Ctrl-C, or an interrupt without effect, ends the process if the caller wants that."""
        begin = time.monotonic()
        while not done.is_set():
            try:
                connection.interrupt()
                done.wait(_PATIENCE_S)
            except KeyboardInterrupt as again:
                if self._give_up is None:
                    raise
                self._give_up(again)
            if self._give_up is not None and time.monotonic() - begin > _GRACE_S:
                self._give_up(reason)


def _resident() -> int:
    """Return the memory of this process in bytes; 0 on systems that do not tell it in a file."""
    try:
        return int(_USED.read_bytes().split()[1]) * _PAGE
    except FileNotFoundError:
        return 0
