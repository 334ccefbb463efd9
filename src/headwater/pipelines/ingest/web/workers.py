"""Reads pages in a child process, so that one that kills its parser costs a record and no task.

Parsers in C die of some pages, whatever their authors do: by a signal, by the memory they take, by a loop without end. Each page is
answered when it is done, so the first unanswered page of a dead child is the suspect: it is tried once more, alone in a fresh child, and
only what happens there counts, whatever earlier pages had left behind. Time is processor time, so that a loaded machine changes nothing.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import functools
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final

from headwater.errors import HeadwaterError, one_line
from headwater.filters.html.page import ExtractorSettings, PageInput, PageOutput
from headwater.pipelines.ingest.web.page_frames import (
    PAGE_FAILED,
    PAGE_TOO_LARGE,
    PAGE_TOO_SLOW,
    READY,
    pack_request,
    parse_answer,
    read_frame,
)

__all__ = ["PageReader", "shared_reader"]

_BATCH_BYTES: Final = 4 << 20
_BATCH_PAGES: Final = 128
_PIPE_BYTES: Final = 1 << 20
_START_S: Final = 900
"""Seconds for a child to start: without Numba's cache it compiles every kernel."""
_WALL: Final = 30
"""Seconds on the clock for each second of processor time before a child that does nothing at all is given up."""
_ANSWER: Final = (1 << 20, 8)
"""Bytes that an answer may have: so many, and so many more a byte of the page and an extractor."""


class _DiedError(Exception):
    """The child is gone, or no longer talks sense."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class PageReader:
    """Reads pages in a child process that is started when it is first needed, and again when it dies; a context manager.

    Attributes:
        n_started: children so far.
    """

    _module = "headwater.pipelines.ingest.web.page_child"

    def __init__(self, *, max_bytes: int = 32 << 20, memory_bytes: int = 3 << 30, cpu_s: float = 60) -> None:
        """Set the limits.

        Args:
            max_bytes: of a page's body; larger ones are not parsed.
            memory_bytes: of address space that pages may take; enforced on Linux.
            cpu_s: processor seconds that a page may take.
        """
        self.n_started = 0
        self._max_bytes, self._memory_bytes, self._cpu_s = max_bytes, memory_bytes, cpu_s
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> PageReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def process(self) -> int | None:
        """The child's number, None while there is none."""
        return None if self._child is None else self._child.pid

    def close(self) -> None:
        """End the child; the next page starts another."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.communicate()

    def read(self, pages: Sequence[PageInput], extractors: Sequence[ExtractorSettings]) -> list[PageOutput | str]:
        """Return what each page is read to, or why it is not, in order.

        Reasons: ``page_too_large`` (its bytes, or the memory that it takes), ``page_too_slow``, ``parser_failed``.

        Raises:
            HeadwaterError: the child does not start.
        """
        answers: list[PageOutput | str] = [PAGE_TOO_LARGE] * len(pages)
        small = [index for index, page in enumerate(pages) if len(page.body) <= self._max_bytes]
        for batch in _batches(small, pages):
            left = batch
            while left:
                done, reason = self._try(left, pages, extractors, answers)
                left = left[done:]
                if reason is not None and left:
                    answers[left[0]] = self._alone(pages[left[0]], extractors, reason)
                    left = left[1:]
        return answers

    def _try(
        self,
        batch: Sequence[int],
        pages: Sequence[PageInput],
        extractors: Sequence[ExtractorSettings],
        answers: list[PageOutput | str],
    ) -> tuple[int, str | None]:
        """Fill in answers for a batch; return how many came, and why no more did."""
        done = 0
        try:
            child = self._running()
            self._send(child, [pages[index] for index in batch], extractors)
            for index in batch:
                answer = self._answer(child, pages[index], len(extractors))
                if answer == PAGE_TOO_LARGE:  # earlier pages may have left it less memory
                    raise _DiedError(PAGE_TOO_LARGE)
                answers[index] = answer
                done += 1
        except _DiedError as death:
            self.close()
            return done, death.reason
        return done, None

    def _alone(self, page: PageInput, extractors: Sequence[ExtractorSettings], reason: str) -> PageOutput | str:
        """Return what a page is read to in a fresh child, or why that fails too; time that was used up is not spent twice."""
        if reason == PAGE_TOO_SLOW:
            return reason
        self.close()
        answers: list[PageOutput | str] = [reason]
        _, again = self._try([0], [page], extractors, answers)
        return answers[0] if again is None else again

    def _running(self) -> subprocess.Popen[bytes]:
        """Return the child, started where there is none.

        Raises:
            HeadwaterError: it does not start.
        """
        if self._child is not None:
            return self._child
        # What this process finds, the child finds: Spark extends the path of its workers without telling the environment.
        path = [str(Path(__file__).parents[4]), *(each for each in sys.path if each)]
        self.n_started += 1
        command = [sys.executable, "-P", "-m", self._module]
        limits = [str(self._memory_bytes), str(self._cpu_s), str(os.getpid())]
        child = subprocess.Popen(  # noqa: S603 - this package's own module
            [*command, *limits],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(path)},
        )
        self._child = child
        _widen(child)
        try:
            ready = read_frame(_Timed(child, _START_S), 100)
        except (ValueError, OSError, TimeoutError):
            ready = None
        if ready != READY:
            self._child = None
            child.kill()
            _, told = child.communicate()
            last = one_line(told.decode("utf-8", "replace")[-2000:])
            raise HeadwaterError(
                f"expected the process that reads pages to start, found it ended ({child.returncode}): {last}"
            )
        return child

    def _send(
        self, child: subprocess.Popen[bytes], pages: Sequence[PageInput], extractors: Sequence[ExtractorSettings]
    ) -> None:
        assert child.stdin is not None  # noqa: S101 - it was asked for
        try:
            for piece in pack_request(pages, extractors):
                view = memoryview(piece)
                while view:
                    view = view[child.stdin.write(view) :]
        except OSError:
            raise _DiedError(PAGE_FAILED) from None

    def _answer(self, child: subprocess.Popen[bytes], page: PageInput, n_texts: int) -> PageOutput | str:
        least, each = _ANSWER
        try:
            data = read_frame(_Timed(child, self._cpu_s * _WALL), least + each * len(page.body) * max(n_texts, 1))
            if data is not None:
                return parse_answer(data, n_texts)
        except TimeoutError:
            raise _DiedError(PAGE_TOO_SLOW) from None
        except (ValueError, OSError):
            raise _DiedError(PAGE_FAILED) from None
        raise _DiedError(PAGE_TOO_SLOW if child.wait() == -signal.SIGPROF else PAGE_FAILED)


def _widen(child: subprocess.Popen[bytes]) -> None:
    """Let pipes hold more than 64 KiB where the system lets them, so that the two processes take turns less often."""
    for pipe in (child.stdin, child.stdout):
        if pipe is not None and hasattr(fcntl, "F_SETPIPE_SZ"):
            with contextlib.suppress(OSError):
                fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


class _Timed:
    """Reads a child's answers, and gives up when none comes for so many seconds."""

    def __init__(self, child: subprocess.Popen[bytes], seconds: float) -> None:
        assert child.stdout is not None  # noqa: S101 - it was asked for
        self._descriptor = child.stdout.fileno()
        self._readable = select.poll()
        self._readable.register(self._descriptor, select.POLLIN)
        self._wait_ms = int(seconds * 1000)

    def read(self, n: int, /) -> bytes:
        pieces, left = [], n
        while left:
            if not self._readable.poll(self._wait_ms):
                raise TimeoutError
            piece = os.read(self._descriptor, min(left, 1 << 20))
            if not piece:
                break
            pieces.append(piece)
            left -= len(piece)
        return b"".join(pieces)


def _batches(indices: Sequence[int], pages: Sequence[PageInput]) -> Iterator[list[int]]:
    """Yield indices in order, together not more pages and bytes than a batch may have, or one page that has more."""
    batch: list[int] = []
    size = 0
    for index in indices:
        more = len(pages[index].body)
        if batch and (size + more > _BATCH_BYTES or len(batch) == _BATCH_PAGES):
            yield batch
            batch, size = [], 0
        batch.append(index)
        size += more
    if batch:
        yield batch


@functools.cache
def _shared(process: int) -> PageReader:
    """Return the reader of a process; the key is there for a forked one, which must not use its parent's child."""
    reader = PageReader()
    atexit.register(reader.close)
    return reader


def shared_reader() -> PageReader:
    """Return this process's one reader, with the usual limits, whose child all tasks of a Spark worker use."""
    return _shared(os.getpid())
