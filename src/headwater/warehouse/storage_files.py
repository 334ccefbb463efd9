"""Files of an object store as pyarrow sees them: every request is tried again where that helps, and its errors are told apart.

pyarrow makes the requests. This layer stands before it, so that what reads through it, Parquet's reader among it, gets either the bytes, whole
and of the length that was asked for, or an error of ``errors.py``: never an OSError that could be taken for damage. A store has no folders:
none are made, and no markers of any. A file is written under its own name in one request, or in parts that appear together.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

import pyarrow as pa
from pyarrow import fs as pafs

from headwater.errors import StorageError, StoreAbsentError, StoreDeniedError, StoreTransientError
from headwater.warehouse.storage_errors import retried
from headwater.warehouse.storage_spool import ONE_REQUEST_BYTES, Spool

__all__ = ["StoreHandler"]

_Result = TypeVar("_Result")

_WHOLE_BYTES: Final = 1 << 20
"""A file of at most so many bytes is read whole, in one request, wherever it is read."""
_AHEAD_BYTES: Final = 4 << 20
_PIECE_BYTES: Final = 16 << 20
_AT_ONCE: Final = 8


class StoreHandler(pafs.FileSystemHandler):  # type: ignore[misc] # pyarrow has no types
    """A store's file system before pyarrow's own.

    Args:
        scheme: of its URIs, for messages.
        again: makes this handler anew in another process; it holds no secrets.
        reading: pyarrow's file system, which tries nothing twice.
        writing: the same, which tries each part of a long file several times.
        delete: deletes one object, of bucket and key, without making a marker; None leaves that to pyarrow.
        retry_s: for how long a request is tried again, seconds.
    """

    def __init__(
        self,
        scheme: str,
        again: Callable[[], StoreHandler],
        reading: pafs.FileSystem,
        writing: pafs.FileSystem,
        delete: Callable[[str], None] | None,
        retry_s: float,
    ) -> None:
        self._scheme = scheme
        self._again = again
        self._systems = (reading, writing, delete)
        self._process = os.getpid()
        self._retry_s = retry_s
        self._buckets: set[str] = set()

    def _own(self) -> tuple[pafs.FileSystem, pafs.FileSystem, Callable[[str], None] | None]:
        """Return what makes the requests: after a fork anew, since threads and connections of the other process are dead or not ours."""
        if self._process != os.getpid():
            self._systems = self._again()._systems
            self._process = os.getpid()
        return self._systems

    @property
    def _reading(self) -> pafs.FileSystem:
        return self._own()[0]

    @property
    def _writing(self) -> pafs.FileSystem:
        return self._own()[1]

    @property
    def _delete(self) -> Callable[[str], None] | None:
        return self._own()[2]

    def __reduce__(self) -> tuple[Callable[[], StoreHandler], tuple[()]]:
        """Made anew where it is unpickled, from the settings there."""
        return self._again, ()

    def __eq__(self, other: object) -> bool:
        """Return whether both are the same store, asked in the same way."""
        return isinstance(other, StoreHandler) and other._reading is self._reading

    def __hash__(self) -> int:
        """Return the store's hash."""
        return id(self._reading)

    def _do(self, verb: str, path: str, request: Callable[[], _Result]) -> _Result:
        return retried(request, f"{verb} {self._scheme}://{path}", self._retry_s)

    def check_bucket(self, path: str) -> None:
        """Tell a bucket that is not there from a key that is not; it is asked for once."""
        bucket = path.partition("/")[0]
        if bucket in self._buckets or not bucket:
            return
        try:
            found = self._do("look up", bucket, lambda: self._reading.get_file_info(bucket))
        except StoreDeniedError:
            return  # who may read keys need not be allowed to ask for their bucket
        if found.type == pafs.FileType.NotFound:
            raise StoreAbsentError(
                f"expected a bucket {self._scheme}://{bucket}, found none; check its name and the endpoint, or make the bucket first"
            )
        self._buckets.add(bucket)

    # What pyarrow asks of a file system.

    def get_type_name(self) -> str:
        """Return the name of the kind of store."""
        return str(self._reading.type_name)

    def normalize_path(self, path: str) -> str:
        """Return the path as the store's file system takes it."""
        return str(self._reading.normalize_path(path))

    def get_file_info(self, paths: Sequence[str]) -> list[pafs.FileInfo]:
        """Return what is at some paths, several asked for at once."""

        def ask(path: str) -> pafs.FileInfo:
            return self._do("look up", path, lambda: self._reading.get_file_info(path))

        if len(paths) > 1:
            with ThreadPoolExecutor(min(4 * _AT_ONCE, len(paths))) as pool:
                found = list(pool.map(ask, paths))
        else:
            found = [ask(path) for path in paths]
        for info in found:
            if info.type == pafs.FileType.NotFound:
                self.check_bucket(info.path)
        return found

    def get_file_info_selector(self, selector: pafs.FileSelector) -> list[pafs.FileInfo]:
        """Return what is below a path."""
        found = self._do("list", selector.base_dir, lambda: self._reading.get_file_info(selector))
        if not found:
            self.check_bucket(selector.base_dir)
        return list(found)

    def create_dir(self, path: str, recursive: bool) -> None:
        """Do nothing: a store has no folders."""

    def delete_file(self, path: str) -> None:
        """Delete one object; one that is not there is fine."""
        delete = self._delete or self._reading.delete_file
        self._do("delete", path, lambda: delete(path))

    def delete_dir(self, path: str) -> None:
        """Delete every object below a path."""
        self.delete_dir_contents(path, missing_dir_ok=False)
        if self._delete is not None:
            self.delete_file(path + "/")  # the marker that another program may have made
        else:
            self._do("delete", path, lambda: self._reading.delete_dir(path))

    def delete_dir_contents(self, path: str, missing_dir_ok: bool = False) -> None:
        """Delete every object below a path, and no other."""
        selector = pafs.FileSelector(path, recursive=True, allow_not_found=True)
        found = self.get_file_info_selector(selector)
        if not found and not missing_dir_ok and self.get_file_info([path])[0].type == pafs.FileType.NotFound:
            raise FileNotFoundError(path)
        names = [info.path if info.type == pafs.FileType.File else f"{info.path}/" for info in found]
        if self._delete is None:
            names = [name for name in names if not name.endswith("/")]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(self.delete_file, names))

    def delete_root_dir_contents(self) -> None:
        """Refuse."""
        raise StorageError("expected a folder of a bucket to delete, found the root of a store")

    def move(self, src: str, dest: str) -> None:
        """Copy an object to another name, and delete it under the old one."""
        self.copy_file(src, dest)
        self.delete_file(src)

    def copy_file(self, src: str, dest: str) -> None:
        """Copy an object within the store."""
        self._do("copy", src, lambda: self._reading.copy_file(src, dest))

    def open_input_file(self, path: str) -> pa.PythonFile:
        """Open an object to be read at any place."""
        return pa.PythonFile(self._open(path, 0), mode="r")

    def open_input_stream(self, path: str) -> pa.PythonFile:
        """Open an object to be read from its beginning to its end, some megabytes a request."""
        return pa.PythonFile(self._open(path, _AHEAD_BYTES), mode="r")

    def _open(self, path: str, ahead: int) -> _StoredFile:
        try:
            return _StoredFile(
                lambda: self._do("open", path, lambda: self._reading.open_input_file(path)),
                f"{self._scheme}://{path}",
                ahead,
                self._retry_s,
            )
        except FileNotFoundError:
            self.check_bucket(path)
            raise

    def open_output_stream(self, path: str, metadata: object) -> pa.PythonFile:  # noqa: ARG002 - pyarrow's signature
        """Open an object to be written; it appears when it is closed."""
        return pa.PythonFile(_Upload(self, path), mode="w")

    def open_append_stream(self, path: str, metadata: object) -> pa.PythonFile:
        """Refuse: an object is written once."""
        raise NotImplementedError("an object of a store cannot be added to")

    def put(self, path: str, spool: Spool) -> None:
        """Write what a spool holds as the object at ``path``: in one request, or in parts that appear together at the end."""
        system = self._reading if spool.size < ONE_REQUEST_BYTES else self._writing

        def write() -> None:
            with spool.bytes() as data:
                # Left to itself, pyarrow packs once more what gets a name that ends with .gz.
                stream = system.open_output_stream(path, compression=None)
                # One call: whatever interrupts Python comes before it or after it, so a part of a file never gets the name of the whole.
                if len(data):
                    stream.write(data)
                stream.close()

        self._do("write", path, write)


class _StoredFile(io.RawIOBase):
    """An object open for reading."""

    def __init__(self, reopen: Callable[[], pa.NativeFile], name: str, ahead: int, retry_s: float) -> None:
        self._reopen = reopen
        self._opened = reopen()
        self._process = os.getpid()
        self._name = name
        self._size = int(self._opened.size())
        self._ahead = ahead
        self._retry_s = retry_s
        self._place = 0
        self._held = b""
        self._held_at = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def size(self) -> int:
        """Return the length of the object, bytes."""
        return self._size

    def tell(self) -> int:
        """Return where the next read begins."""
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to where the next read is to begin, and return that."""
        self._place = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}[whence]
        return self._place

    def read(self, size: int | None = -1) -> bytes:
        """Return up to ``size`` bytes: fewer only at the end of the object."""
        left = max(0, self._size - self._place)
        wanted = left if size is None or size < 0 else min(size, left)
        if not wanted:
            return b""
        at = self._place - self._held_at
        if not 0 <= at <= at + wanted <= len(self._held):
            begin, length = self._place, max(wanted, min(self._ahead, left))
            if self._size <= _WHOLE_BYTES:
                begin, length = 0, self._size
            data = self._fetch(begin, length)
            if self._size > _WHOLE_BYTES and not self._ahead:
                self._place += wanted
                return data
            self._held, self._held_at = data, begin
            at = self._place - begin
        self._place += wanted
        return self._held[at : at + wanted]

    def _fetch(self, begin: int, length: int) -> bytes:
        if length <= _PIECE_BYTES + (_PIECE_BYTES >> 1):
            return self._fetch_one(begin, length)
        cuts = range(begin, begin + length, _PIECE_BYTES)
        with ThreadPoolExecutor(min(_AT_ONCE, len(cuts))) as pool:
            return b"".join(pool.map(lambda cut: self._fetch_one(cut, min(_PIECE_BYTES, begin + length - cut)), cuts))

    def _fetch_one(self, begin: int, length: int) -> bytes:
        if self._process != os.getpid():  # after a fork, as in StoreHandler
            self._opened, self._process = self._reopen(), os.getpid()

        def ask() -> bytes:
            data: bytes = self._opened.read_at(length, begin)
            if len(data) != length:
                raise StoreTransientError(
                    f"cannot read {self._name}: expected {length} bytes from {begin}, found {len(data)}; run the same command again"
                )
            return data

        return retried(ask, f"read {self._name}", self._retry_s)

    def close(self) -> None:
        """Let go of the object."""
        if not self.closed:
            self._held = b""
            self._opened.close()
        super().close()


class _Upload(io.RawIOBase):
    """An object open for writing."""

    def __init__(self, handler: StoreHandler, path: str) -> None:
        self._handler, self._path, self._spool = handler, path, Spool()

    def writable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the number of bytes written."""
        return self._spool.size

    def write(self, data: Any) -> int:  # Any: whatever has a buffer
        """Add bytes."""
        return self._spool.write(memoryview(data))

    def close(self) -> None:
        """Write the object, and let go of it."""
        if self.closed:
            return
        super().close()
        try:
            self._handler.put(self._path, self._spool)
        finally:
            self._spool.close()
