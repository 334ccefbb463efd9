"""Processor time and memory of this process and all that it started, from Linux's /proc; elsewhere of this process alone."""

from __future__ import annotations

import os
import time
from pathlib import Path

__all__ = ["peak_megabytes", "tree_cpu_seconds"]

_PROC = Path("/proc")


def tree_cpu_seconds() -> float:
    """Return user and system seconds of this process and its descendants, ended ones that were waited for included."""
    found = [_stat(process) for process in _descendants(os.getpid())]
    ticks = sum(sum(map(int, fields[11:15])) for fields in found if fields)
    return ticks / os.sysconf("SC_CLK_TCK") if ticks else time.process_time()


def peak_megabytes() -> dict[str, float]:
    """Return the largest resident size so far of the driver, the JVM and any one other descendant (a Python worker)."""
    peaks: dict[str, float] = {}
    for process in _descendants(os.getpid()):
        fields = _stat(process)
        try:
            status = (_PROC / str(process) / "status").read_text()
        except OSError:
            continue
        peak = next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM")), 0.0)
        name = _name(process)
        role = "driver" if process == os.getpid() else "jvm" if name == "java" else "python_worker"
        if fields:
            peaks[role] = max(peaks.get(role, 0.0), round(peak, 1))
    return peaks


def _name(process: int) -> str:
    try:
        return (_PROC / str(process) / "comm").read_text().strip()
    except OSError:
        return ""


def _stat(process: int) -> list[str]:
    """Return the fields after the command's name (proc(5): field 3 is the first)."""
    try:
        return (_PROC / str(process) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _descendants(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    if not _PROC.is_dir():
        return []
    for entry in _PROC.iterdir():
        if entry.name.isdecimal() and (fields := _stat(int(entry.name))):
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [root]
    for process in found:
        found.extend(children.get(process, []))
    return found
