"""What Spark reports of a failure, made into one cause and a file with all of it.

Spark's own text is a hundred lines of Java's stack around the one line that somebody can act on.
"""

from __future__ import annotations

import os
import re
import tempfile
import traceback
from typing import Final

from headwater import errors
from headwater.errors import HeadwaterError, one_line
from headwater.version import __version__

__all__ = ["cause_of", "write_report"]

_RAISED: Final = re.compile(r"headwater\.errors\.(\w+): (.+)")
"""How an error that a task raised stands in what Spark reports of it."""
_ANY_RAISED: Final = re.compile(r"^((?:\w+\.)*\w*(?:Error|Exception|Exit|Interrupt|Warning)\b.*)$", re.MULTILINE)
_TRACEBACK: Final = re.compile(
    r"^Traceback \(most recent call last\):\n.*?(?=\s*^(?: SQLSTATE|\tat )|\Z)", re.MULTILINE | re.DOTALL
)
"""What Python said in a task, up to Java's stack."""
_TASK: Final = re.compile(r"Lost task [^\n]*?\(TID \d+\)[^:\n]*: ([^\n]+)")
"""What Spark says of the last try of a task whose Python said nothing."""
_JAVA: Final = re.compile(r"^[: ]*(?:Caused by: )?((?:\w+\.)+\w*(?:Error|Exception)\b.*)$", re.MULTILINE)
_MAX_CAUSE: Final = 300


def cause_of(error: Exception) -> HeadwaterError | str:
    """Return the Headwater error that a task raised, or one line that says what Python, else Spark, else Java had to say.

    Args:
        error: of py4j or pyspark.
    """
    report = str(error)
    for name, message in _RAISED.findall(report):
        kind = getattr(errors, name, None)
        if isinstance(kind, type) and issubclass(kind, HeadwaterError):
            return kind(message)
    if said := _TRACEBACK.search(report):
        raised = _ANY_RAISED.findall(said[0]) or [line for line in said[0].splitlines() if not line.startswith(" ")]
        return one_line(raised[-1], _MAX_CAUSE)
    for pattern in (_TASK, _JAVA if type(error).__module__.startswith("py4j") else _ANY_RAISED):
        if found := pattern.search(report):
            return one_line(found[1], _MAX_CAUSE)
    lines = [line for line in report.splitlines() if line.strip()]
    return one_line(lines[0] if lines else type(error).__name__, _MAX_CAUSE)


def write_report(error: Exception) -> str | None:
    """Write all that is known of a failure to a new file that only the user can read; return its path, or None where there is no room.

    The file is in the folder for temporary files, under a name that cannot be guessed.
    """
    told = "".join(traceback.format_exception(error))
    try:
        descriptor, path = tempfile.mkstemp(prefix="headwater-failure-", suffix=".txt")
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"headwater {__version__}\n\n{told}\n")
    except OSError:
        return None
    return path
