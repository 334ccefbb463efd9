"""A log without its checkpoints: how a lake is read whose checkpoint is damaged.

A folder for this process alone holds links to the entries of the log and to the families' folders, and nothing else. What only asks can read
through it; nothing is ever written through it.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import tempfile
from pathlib import Path

from pyarrow import fs as pafs

from headwater.warehouse.filesystem import filesystem_of
from headwater.warehouse.log import LAST_CHECKPOINT, LOG, checkpoint_names, entry_name, entry_numbers, find_fault

__all__ = ["without_checkpoints"]


def without_checkpoints(uri: str) -> str | None:
    """Return a folder with the same table as its entries alone make it, or None where that cannot be had.

    It needs a lake on a local file system, a checkpoint to do without, and every entry from the first.
    """
    filesystem, path = filesystem_of(uri)
    if (
        not isinstance(filesystem, pafs.LocalFileSystem)
        or not _has_checkpoint(uri, path)
        or find_fault(uri) is not None
    ):
        return None
    return _linked(path, entry_numbers(uri)[-1])


def _has_checkpoint(uri: str, path: str) -> bool:
    return bool(checkpoint_names(uri)) or os.path.lexists(Path(path, LOG, LAST_CHECKPOINT))


@functools.lru_cache(maxsize=64)
def _linked(path: str, newest: int) -> str:
    folder = Path(tempfile.mkdtemp(prefix="headwater-log-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / LOG).mkdir()
    for version in range(newest + 1):
        (folder / LOG / entry_name(version)).symlink_to(Path(path, LOG, entry_name(version)))
    for family in Path(path).glob("family=*"):
        (folder / family.name).symlink_to(family, target_is_directory=True)
    return str(folder)
