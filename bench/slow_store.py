"""A store that answers each request after some milliseconds, simulated at the layer through which Headwater opens every file.

What lies in it are files of a local folder. Requests are counted: a look at a file, its opening, a read, a write. What delta-rs asks of the log goes
past this layer, and is neither slow nor counted.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from typing import Any, BinaryIO

import pyarrow as pa
from pyarrow import fs as pafs

__all__ = ["SlowStore", "mount"]


class _File:
    """A file of which each read is a request."""

    def __init__(self, file: BinaryIO, store: SlowStore) -> None:
        self._file, self._store = file, store
        self.closed = False

    def read(self, size: int = -1) -> bytes:
        self._store.ask("read")
        return bytes(self._file.read() if size < 0 else self._file.read(size))

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def size(self) -> int:
        return int(self._file.size())  # type: ignore[attr-defined]  # of pyarrow's file

    def flush(self) -> None:
        pass

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        self.closed = True
        self._file.close()


class SlowStore(pafs.FileSystemHandler):  # type: ignore[misc]  # pyarrow has no types
    """The store; ``asked``: kind → how many requests."""

    def __init__(self, request_s: float) -> None:
        self.local = pafs.LocalFileSystem()
        self.request_s = request_s
        self.asked: Counter[str] = Counter()
        self._lock = threading.Lock()

    def ask(self, kind: str) -> None:
        """Wait as long as an answer takes."""
        with self._lock:
            self.asked[kind] += 1
        time.sleep(self.request_s)

    def get_type_name(self) -> str:
        """Return what pyarrow calls it."""
        return "slow"

    def normalize_path(self, path: str) -> str:
        """Return the path as it is."""
        return path

    def get_file_info(self, paths: list[str]) -> list[pafs.FileInfo]:
        """Look at each file: a request each."""
        for _ in paths:
            self.ask("look")
        return list(self.local.get_file_info(paths))

    def get_file_info_selector(self, selector: pafs.FileSelector) -> list[pafs.FileInfo]:
        """List a folder: a request a thousand files."""
        found = list(self.local.get_file_info(selector))
        for _ in range(1 + len(found) // 1000):
            self.ask("list")
        return found

    def open_input_stream(self, path: str) -> pa.NativeFile:
        """Open a file for one reading of it."""
        self.ask("open")
        return pa.PythonFile(self.local.open_input_stream(path, compression=None), mode="r")

    def open_input_file(self, path: str) -> pa.NativeFile:
        """Open a file of which each read is a request."""
        self.ask("open")
        return pa.PythonFile(_File(self.local.open_input_file(path), self), mode="r")

    def open_output_stream(self, path: str, metadata: Any) -> pa.NativeFile:  # noqa: ARG002 - pyarrow gives it; Any: not looked at
        """Open a file for writing: one request."""
        self.ask("write")
        return self.local.open_output_stream(path)

    def open_append_stream(self, path: str, metadata: Any) -> pa.NativeFile:  # Any: as above
        """Stores append to nothing."""
        raise NotImplementedError(path)

    def create_dir(self, path: str, recursive: bool) -> None:
        """Make a folder, which in a store costs nothing."""
        self.local.create_dir(path, recursive=recursive)

    def delete_dir(self, path: str) -> None:
        """Delete a folder with what is in it."""
        self.ask("delete")
        self.local.delete_dir(path)

    def delete_dir_contents(self, path: str, missing_dir_ok: bool = False) -> None:
        """Not asked for."""
        raise NotImplementedError(path)

    def delete_root_dir_contents(self) -> None:
        """Not asked for."""
        raise NotImplementedError

    def delete_file(self, path: str) -> None:
        """Delete a file."""
        self.ask("delete")
        self.local.delete_file(path)

    def move(self, source: str, target: str) -> None:
        """Rename a file."""
        self.ask("move")
        self.local.move(source, target)

    def copy_file(self, source: str, target: str) -> None:
        """Copy a file."""
        self.ask("copy")
        self.local.copy_file(source, target)


def mount(request_ms: float) -> SlowStore:
    """Let every module of Headwater that was imported open its files in a slow store, and return the store."""
    store = SlowStore(request_ms / 1000)
    filesystem = pafs.PyFileSystem(store)

    def filesystem_of(uri: str) -> tuple[pafs.FileSystem, str]:
        return filesystem, uri

    for name, module in list(sys.modules.items()):
        if name.startswith("headwater.") and hasattr(module, "filesystem_of"):
            module.filesystem_of = filesystem_of  # type: ignore[attr-defined]  # there, as asked above
    return store
