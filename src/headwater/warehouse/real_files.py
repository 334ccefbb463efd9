"""Files that lie in a lake's own folders: never through a symbolic link, which may lead anywhere.

The folder that a user names may be reached through links, and may be one; what lies below it may not. Stores have no links.
"""

from __future__ import annotations

import datetime
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pyarrow import fs as pafs

from headwater.errors import UsageError

__all__ = ["TEMPORARY_PATTERN", "RealFile", "refuse_links", "walk_files"]

TEMPORARY_PATTERN: Final = r"\.[0-9a-f]{16}\.tmp"
"""Names of files that are being written, or that whoever wrote them was killed over."""
_TEMPORARY: Final = re.compile(TEMPORARY_PATTERN)


@dataclass(frozen=True, kw_only=True, slots=True)
class RealFile:
    """Something below a folder that is no folder itself, or has the name of a file that is being written.

    Attributes:
        path: relative to the folder, with slashes.
        regular: False for a link, a socket, a device, a folder: nothing that Headwater made.
        size: bytes.
        written: when it was last written.
    """

    path: str
    regular: bool
    size: int
    written: datetime.datetime


def refuse_links(filesystem: pafs.FileSystem, root: str, path: str) -> None:
    """Do nothing where every part of ``path`` below ``root`` is real or not there yet.

    Raises:
        UsageError: a part is a symbolic link, or ``path`` is not below ``root``.
    """
    if not isinstance(filesystem, pafs.LocalFileSystem):
        return
    parts = Path(os.path.normpath(path)).parts
    top = Path(os.path.normpath(root)).parts
    if parts[: len(top)] != top:
        raise UsageError(f"expected a path below {root}, found {path}; nothing is written or deleted elsewhere")
    place = Path(*top)
    for part in parts[len(top) :]:
        place = place / part
        if place.is_symlink():
            raise UsageError(
                f"expected a folder or file of its own at {place}, found a symbolic link; nothing is written or deleted through links: "
                "put what it leads to in its place, or name that folder itself"
            )


def walk_files(filesystem: pafs.FileSystem, root: str) -> Iterator[RealFile]:
    """Yield what lies below a folder, in order of the paths, without following a link; nothing where there is no folder.

    A folder that is named like a temporary file is yielded too, and not entered. Where ``root`` is itself no folder, it is yielded with an
    empty path.
    """
    if isinstance(filesystem, pafs.LocalFileSystem):
        place = Path(root)
        if place.is_symlink() or (place.exists() and not place.is_dir()):
            found = place.lstat()
            yield RealFile(path="", regular=False, size=found.st_size, written=_moment(found.st_mtime))
        else:
            yield from _walk_local(place, "")
        return
    found = filesystem.get_file_info(pafs.FileSelector(root, recursive=True, allow_not_found=True))
    for info in sorted(found, key=lambda info: info.path):
        if info.type != pafs.FileType.Directory:
            moment = info.mtime if info.mtime.tzinfo else info.mtime.replace(tzinfo=datetime.UTC)
            regular = info.type == pafs.FileType.File
            path = info.path[len(root) :].lstrip("/")
            yield RealFile(path=path, regular=regular, size=int(info.size or 0), written=moment)


def _walk_local(folder: Path, prefix: str) -> Iterator[RealFile]:
    try:
        with os.scandir(folder) as scanned:
            entries = sorted(scanned, key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        path = prefix + entry.name
        is_folder = entry.is_dir(follow_symlinks=False)
        if is_folder and not _TEMPORARY.fullmatch(entry.name):
            yield from _walk_local(Path(entry.path), path + "/")
            continue
        try:
            found = entry.stat(follow_symlinks=False)
        except FileNotFoundError:  # a running step has just given it its name
            continue
        yield RealFile(
            path=path,
            regular=stat.S_ISREG(found.st_mode),
            size=found.st_size,
            written=_moment(found.st_mtime),
        )


def _moment(seconds: float) -> datetime.datetime:
    """Return a file's time; one beyond the calendar, which any program can set, is the calendar's end."""
    try:
        return datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    except (ValueError, OverflowError, OSError):
        year = datetime.MAXYEAR if seconds > 0 else datetime.MINYEAR
        return datetime.datetime(year, 1, 2, tzinfo=datetime.UTC)
