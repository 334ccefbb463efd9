"""How a lake is known by its folder, whatever else lies there: for input, which is never of a lake, and for output, which is never put into one."""

from __future__ import annotations

import os
from typing import Final

from pyarrow import fs as pafs

from headwater.errors import UsageError
from headwater.warehouse.filesystem import is_local, join

__all__ = ["looks_like_lake", "refuse_lakes"]

_TABLE: Final = "samples"
_LOG: Final = "_delta_log"
_FAMILIES: Final = ("family=files", "family=runs")
_MARK: Final = b"headwater lake format"
_HEAD_BYTES: Final = 1 << 20
_LAKE_FOLDERS: Final = ("samples", "builds", "vocabularies", "benchmarks", "models", "takedowns")


def looks_like_lake(filesystem: pafs.FileSystem, folder: str) -> bool:
    """Return whether a folder is a lake: it has the log of a table ``samples``, and families of Headwater's or their description in the log.

    Other programs have Delta tables that are called samples.
    """
    log = join(folder, _TABLE, _LOG)
    if not _is_folder(filesystem, log):
        return False
    families = any(_is_folder(filesystem, join(folder, _TABLE, family)) for family in _FAMILIES)
    return families or _is_described(filesystem, log)


def _is_folder(filesystem: pafs.FileSystem, path: str) -> bool:
    if is_local(filesystem):
        return os.path.isdir(path)  # noqa: PTH112 - a path that may be no UTF-8
    return bool(filesystem.get_file_info(path).type == pafs.FileType.Directory)


def _is_described(filesystem: pafs.FileSystem, log: str) -> bool:
    try:
        log.encode()
    except UnicodeEncodeError:
        return False  # delta-rs makes no table under such a path
    entries = sorted(entry.path for entry in filesystem.get_file_info(pafs.FileSelector(log)))
    for path in entries:
        if path.endswith(".json"):
            with filesystem.open_input_stream(path, compression=None) as stream:
                return _MARK in bytes(stream.read(_HEAD_BYTES))
    return False


def refuse_lakes(filesystem: pafs.FileSystem, path: str, lake: str | None = None) -> None:
    """Do nothing where ``path`` lies in none of the folders in which a lake keeps its own.

    Links are followed: neither the path as it is named nor the place where it leads may lie there.

    Args:
        path: where something that is no part of a lake is to be written.
        lake: path of the lake at hand, if there is one; another is known by its log alone: a damaged lake is one too, and so may be whatever
            another program keeps there.

    Raises:
        UsageError: it lies there, in this lake or another one.
    """
    local = is_local(filesystem)
    places = {os.path.normpath(path), os.path.realpath(path)} if local else {path.rstrip("/")}
    own = {f"{lake}/{name}" for name in _LAKE_FOLDERS if lake is not None}
    own |= {os.path.realpath(place) for place in own} if local else set()
    for place in sorted(places):
        parts = place.split("/")
        for end in range(len(parts), 0, -1):
            folder, above = "/".join(parts[:end]), "/".join(parts[: end - 1])
            log = join(above, _TABLE, _LOG)
            if folder in own or (parts[end - 1] in _LAKE_FOLDERS and _is_folder(filesystem, log)):
                raise UsageError(
                    f"expected a place outside of a lake's own folders, found {path} in {folder}, where a lake keeps its own; "
                    "name another folder"
                )
