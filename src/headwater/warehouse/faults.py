"""Points at which a test may kill the process: the only honest way to show what a crash leaves behind."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Final

__all__ = [
    "ANNOTATE",
    "DUPLICATES",
    "EXTRACT",
    "INGEST",
    "PLACEMENTS",
    "STAGES",
    "TAKEDOWN",
    "TASK_FOLDER",
    "VARIABLE",
    "VERDICTS",
    "VOCABULARY_COUNTS",
    "reach",
    "reach_in_task",
]

VARIABLE: Final = "HEADWATER_KILL_AT"
TASK_FOLDER: Final = "HEADWATER_TASK_FAULTS"

# Where a task may be killed, after the work named: of tasks that write a family on its own, the family's name.
INGEST: Final = "ingest"
EXTRACT: Final = "extract"
TAKEDOWN: Final = "takedown"
ANNOTATE: Final = "annotate"
DUPLICATES: Final = "duplicates"
VERDICTS: Final = "verdicts"
STAGES: Final = "stages"
PLACEMENTS: Final = "placements"
VOCABULARY_COUNTS: Final = "vocabulary-counts"


def reach(point: str) -> None:
    """Kill this process with SIGKILL when the environment variable HEADWATER_KILL_AT names ``point``; otherwise do nothing.

    Points are ``<step>/before-commit/<wave>`` and ``<step>/after-commit/<wave>`` in the driver, waves from 1; of an upgrade also
    ``upgrade/begun``, ``upgrade/columns-added`` and ``upgrade/rewritten``; of a takedown ``takedown/planned``, ``takedown/removed``,
    ``takedown/before-revise/<build>``, ``takedown/after-revise/<build>``, ``takedown/revised``, ``takedown/delete/<file, from 0>`` and
    ``takedown/deleted``.
    """
    if os.environ.get(VARIABLE) == point:
        os.kill(os.getpid(), signal.SIGKILL)


def reach_in_task(point: str) -> None:
    """Kill or delay this process once when the folder HEADWATER_TASK_FAULTS holds a file named ``point``; otherwise do nothing.

    A task comes here when its files are written and before it says so. The task that deletes the file dies, or waits as many seconds as
    the file says; the next one finds nothing.
    """
    folder = os.environ.get(TASK_FOLDER)
    if folder is None:
        return
    fault = Path(folder, point)
    try:
        seconds = fault.read_text("utf-8")
        fault.unlink()
    except FileNotFoundError:
        return
    if not seconds:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(float(seconds))
