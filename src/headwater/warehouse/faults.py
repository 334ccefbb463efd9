"""Points at which a test may kill the process: the only honest way to show what a crash leaves behind."""

from __future__ import annotations

import os
import signal
from typing import Final

__all__ = ["VARIABLE", "reach"]

VARIABLE: Final = "HEADWATER_KILL_AT"


def reach(point: str) -> None:
    """Kill this process with SIGKILL when the environment variable HEADWATER_KILL_AT names ``point``; otherwise do nothing.

    Points are ``<step>/before-commit/<wave>`` and ``<step>/after-commit/<wave>`` in the driver, waves from 1.
    """
    if os.environ.get(VARIABLE) == point:
        os.kill(os.getpid(), signal.SIGKILL)
