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

from headwater.pipelines.annotate.compile_kernels import KERNELS, compile_kernels

__all__ = ["compile_once", "kernel_folder"]

_PACKAGE: Final = Path(__file__).parents[2]


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
            compile_kernels(min(len(KERNELS), os.cpu_count() or 1))
            mark.touch()
            return True
    return False


def _digest() -> str:
    """Return what tells one set of compiled kernels from another: version of Numba, processor, and the text of the package's modules."""
    import llvmlite.binding
    import numba

    features = sorted(llvmlite.binding.get_host_cpu_features().items())
    made_for = (numba.__version__, os.environ.get("NUMBA_CPU_NAME"), llvmlite.binding.get_host_cpu_name(), features)
    digest = hashlib.sha256(repr(made_for).encode())
    for file in sorted(_PACKAGE.rglob("*.py")):
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:24]
