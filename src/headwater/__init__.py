"""Headwater: from a lake of raw documents to token shards, with the lineage of every token."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from headwater.extras import needing_extras
from headwater.installed import keep_kernels, unpack
from headwater.version import __version__

if TYPE_CHECKING:
    from headwater.lake import Lake

__all__ = ["Lake", "__version__"]

if not Path(__path__[0]).is_dir():  # an archive
    __path__[:] = [str(unpack(Path(__path__[0]).parent) / "headwater")]
keep_kernels(Path(__path__[0]))


def __getattr__(name: str) -> type[Lake]:
    """Return ``Lake`` when it is first asked for: importing the package alone loads neither Arrow nor Spark.

    Raises:
        MissingPackageError: the extra ``lake`` is not installed.
    """
    if name == "Lake":
        with needing_extras():
            return importlib.import_module("headwater.lake").Lake
    raise AttributeError(f"module 'headwater' has no attribute {name!r}")
