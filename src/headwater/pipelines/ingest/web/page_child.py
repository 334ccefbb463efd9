"""The process that reads pages for ``workers.PageReader``: ``python -m headwater.pipelines.ingest.web.page_child MEMORY CPU_S PARENT``.

MEMORY: bytes of address space beyond what a started process has; CPU_S: processor seconds a page; PARENT: number of the process with which it ends.

It answers each page as it is done, so that its death names the page. It may be killed at any time and leaves nothing behind.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Final

__all__ = ["main"]

_PR_SET_PDEATHSIG: Final = 1


def main() -> None:
    """Read requests from standard input until it ends, and answer them on standard output."""
    memory, cpu_s, parent = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    _die_with(parent)
    # What libraries print must not stand among the answers, nor a page's text in the logs of Spark.
    answers = os.fdopen(os.dup(1), "wb")
    requests = os.fdopen(os.dup(0), "rb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1):
        os.dup2(nothing, descriptor)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    # Imported and compiled before limits hold: both take more than a page.
    from headwater.filters.html.page import compile_page, read_page
    from headwater.pipelines.ingest.web.page_frames import (
        LENGTH,
        PAGE_FAILED,
        PAGE_TOO_LARGE,
        READY,
        pack_answer,
        parse_request,
    )

    compile_page()
    os.dup2(nothing, 2)
    answers.write(LENGTH.pack(len(READY)) + READY)
    answers.flush()
    _limit_memory(memory)
    while (request := parse_request(requests)) is not None:
        pages, extractors = request
        for page in pages:
            signal.setitimer(signal.ITIMER_PROF, cpu_s)
            try:
                answer = pack_answer(read_page(page, extractors))
            except MemoryError:
                answer = pack_answer(PAGE_TOO_LARGE)
            except Exception:
                answer = pack_answer(PAGE_FAILED)
            finally:
                signal.setitimer(signal.ITIMER_PROF, 0)
            answers.write(answer)
            answers.flush()


def _die_with(parent: int) -> None:
    """Have Linux kill this process when its parent dies; elsewhere the end of standard input ends it, after at most one page."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before
        os._exit(1)


def _limit_memory(more: int) -> None:
    """Allow so many bytes of address space beyond what is in use; macOS does not enforce it."""
    with contextlib.suppress(ValueError, OSError):
        used = int(Path("/proc/self/statm").read_text("ascii").split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + more, used + more))


if __name__ == "__main__":
    main()
