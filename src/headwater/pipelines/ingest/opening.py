"""Input files opened for reading, whatever the bytes of their names.

A local file whose name is no UTF-8 goes by its ``file://`` URI, percent-encoded: a path that can be stored, shown and opened again.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote, unquote_to_bytes, urlsplit

from pyarrow import fs as pafs

from headwater.errors import StorageError, raise_of_file_system
from headwater.warehouse.filesystem import filesystem_of

__all__ = ["file_state", "local_path", "name_of", "open_file", "open_stream", "raise_unread", "uri_of_path"]


def uri_of_path(path: str) -> str:
    r"""Return what a local file goes by: its path, or its URI if the path is no UTF-8 (Python holds such bytes as surrogates).

    >>> uri_of_path("/raw/caf\udce9.txt")
    'file:///raw/caf%E9.txt'
    """
    try:
        path.encode()
    except UnicodeEncodeError:
        return "file://" + quote(os.fsencode(path), safe="/")
    return path


def local_path(uri: str) -> str | None:
    """Return the path that a ``file://`` URI names, None for anything else."""
    return os.fsdecode(unquote_to_bytes(urlsplit(uri).path)) if uri.startswith("file://") else None


def name_of(uri: str) -> str:
    """Return the last part of a path or URI."""
    return uri.rsplit("/", 1)[-1]


def open_stream(uri: str) -> BinaryIO:
    """Open a file to be read from its beginning to its end.

    Raises:
        OSError: it cannot be opened.
    """
    path = local_path(uri)
    if path is not None:
        return Path(path).open("rb")
    filesystem, stored = filesystem_of(uri)
    stream: BinaryIO = filesystem.open_input_stream(stored, compression=None)
    return stream


def open_file(uri: str) -> BinaryIO:
    """Open a file to be read at any place; errors as for ``open_stream``."""
    path = local_path(uri)
    if path is not None:
        return Path(path).open("rb")
    filesystem, stored = filesystem_of(uri)
    file: BinaryIO = filesystem.open_input_file(stored)
    return file


def raise_unread(error: BaseException, uri: str) -> None:
    """Do nothing where an error is a complaint about the bytes of a file; one of whatever should have given them says nothing of the file.

    Raises:
        StorageError: the file system or the store failed to give them.
    """
    if isinstance(error, StorageError):
        raise error
    raise_of_file_system(error, uri)


def file_state(uri: str) -> tuple[int, int]:
    """Return a file's size in bytes and the time of its last change in nanoseconds: what differs after it was written to.

    Raises:
        OSError: it is not there, or cannot be looked up.
    """
    path = local_path(uri)
    if path is not None:
        found = Path(path).stat()
        return found.st_size, found.st_mtime_ns
    filesystem, stored = filesystem_of(uri)
    info = filesystem.get_file_info(stored)
    if info.type != pafs.FileType.File:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), uri)
    return int(info.size), int(info.mtime_ns or 0)
