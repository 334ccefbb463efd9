"""Kernels compiled once a machine before Spark's workers are forked, where nobody has compiled them with the package's installation.

Cold, the kernels of a job cost a minute of a processor, and each worker of a machine would compile them for itself at the same time. So the first
process that finds no mark in the folder of compiled kernels takes a lock there and compiles all, and the others wait for it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from pathlib import Path
from typing import Final

from headwater.pipelines.annotate.compile_kernels import compile_kernels

__all__ = ["compile_once", "kernel_folder"]

_PACKAGE: Final = Path(__file__).parents[2]
_PROCESSES: Final = 4
"""How many compile at once at most: the parts are uneven, and the longest takes a third of the whole."""


def kernel_folder() -> Path:
    """Return the folder that holds the mark: the one that Numba was told to use, or the package's own."""
    return Path(os.environ.get("NUMBA_CACHE_DIR") or _PACKAGE / "__pycache__")


def compile_once() -> bool:
    """Return whether this call compiled; it waits for another process of this machine that does so.

    Where the folder cannot be written nothing is done: whoever needs a kernel compiles it.
    """
    with contextlib.suppress(OSError):
        folder = kernel_folder()
        folder.mkdir(parents=True, exist_ok=True)
        mark = folder / f"headwater-kernels-{_digest()}"
        if mark.exists():
            return False
        with (folder / "headwater-kernels.lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if mark.exists():
                return False
            compile_kernels(min(_PROCESSES, len(os.sched_getaffinity(0))))
            mark.touch()
            return True
    return False


def _digest() -> str:
    """Return what tells one set of compiled kernels from another: versions, processor, and the package's modules by size and time."""
    import llvmlite.binding
    import numba

    modules = sorted((str(file.relative_to(_PACKAGE)), *_size_and_time(file)) for file in _PACKAGE.rglob("*.py"))
    features = sorted(llvmlite.binding.get_host_cpu_features().items())
    cpu = (os.environ.get("NUMBA_CPU_NAME"), llvmlite.binding.get_host_cpu_name(), features)
    return hashlib.sha256(repr((numba.__version__, cpu, modules)).encode()).hexdigest()[:24]


def _size_and_time(file: Path) -> tuple[int, int]:
    found = file.stat()
    return found.st_size, found.st_mtime_ns
