"""The child of a ``PageReader`` whose pages say what becomes of it: killed, stopped, out of memory, out of its senses."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from headwater.filters.html import page as pages
from headwater.filters.html.page import Extracted, ExtractorSettings, PageInput, PageOutput
from headwater.pipelines.ingest.web import page_child

_read = pages.read_page
_hoard: list[bytearray] = []


def _act(page: PageInput, extractors: Sequence[ExtractorSettings]) -> PageOutput:
    command, _, rest = page.body.partition(b" ")
    if command == b"!segfault":
        ctypes.string_at(0)
    elif command == b"!abort":
        os.abort()
    elif command == b"!loop":
        while True:
            pass
    elif command == b"!sleep":
        time.sleep(1000)
    elif command == b"!memory":
        bytearray(1 << 40)
    elif command == b"!hoard":
        _hoard.append(bytearray(int(rest)))
    elif command == b"!once":  # what an earlier page left behind kills a later one, but not in a fresh child
        mark = Path(os.fsdecode(rest))
        if not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
    elif command == b"!raise":
        raise RuntimeError(rest.decode())
    elif command == b"!surrogate":
        return PageOutput(
            charset_declared=None, charset="\ud800", charset_source="bom", mojibake=0, robots=[], licenses=[], texts=[]
        )
    elif command == b"!garbage":
        os.write(int(rest), b"\xff" * 100)
        time.sleep(1000)
    elif command == b"!print":
        os.write(1, b"a library prints")
        os.write(2, b"a library complains")
    elif command == b"!orphan":
        Path(os.fsdecode(rest)).write_text(str(os.getpid()), "ascii")
        while True:
            pass
    if page.headers:
        return _read(page, extractors)
    # Loading every kernel takes longer than most tests.
    text = Extracted(text=page.body.removeprefix(b"<p>").decode("latin-1"), page_kind="")
    return PageOutput(
        charset_declared=None,
        charset="UTF-8",
        charset_source="default",
        mojibake=0,
        robots=[],
        licenses=[],
        texts=[text],
    )


if __name__ == "__main__":
    pages.read_page = _act
    pages.compile_page = lambda: None
    page_child.main()
