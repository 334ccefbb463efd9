"""Standard input, output and error as a command needs them: a closed one must neither lose the answer nor become some other file."""

from __future__ import annotations

import io
import os
import sys
from typing import Final

__all__ = ["drop_unwritten", "keep_standard_streams"]

_INPUT: Final = 0
_OUTPUT: Final = 1
_ERROR: Final = 2


def keep_standard_streams() -> None:
    """Refuse a closed standard output, point the other streams, where closed, at nothing, and buffer what is printed.

    The next file that a process opens gets the lowest number that is free: with 1 or 2 closed that would be a file of the lake, and what Java
    prints would go into it.
    """
    for number in (_INPUT, _OUTPUT, _ERROR):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number, which is this one
            if number == _OUTPUT:
                _refuse()
    _buffer_output()


def _buffer_output() -> None:
    """Put a buffer before a standard output that has none (PYTHONUNBUFFERED).

    Python would take a write that the system did in part for a whole one: the rest of an answer would be lost, and a reader that went away not
    be noticed.
    """
    raw = getattr(sys.stdout, "buffer", None)
    if isinstance(raw, io.RawIOBase):
        sys.stdout = io.TextIOWrapper(
            io.BufferedWriter(raw),
            encoding=sys.stdout.encoding,
            errors=sys.stdout.errors,
            line_buffering=True,
        )


def drop_unwritten() -> None:
    """Drop what standard output did not take, which was told as an error; Python would try once more at its end, and exit with 120."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, _OUTPUT)
        os.close(nothing)


def _refuse() -> None:
    if sys.stderr is not None:
        sys.stderr.write(
            "Error: expected standard output for the answer, found it closed; nothing was done: redirect it to a file or to /dev/null\n"
        )
    sys.exit(1)
