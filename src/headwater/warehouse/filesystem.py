"""The one layer through which every path goes: a local folder, or an object store by its URI.

``pyarrow.fs`` knows local paths, ``s3://``, ``gs://``, ``abfs://`` and ``hdfs://``. A reader never sees half a file: in a folder one is
written under a hidden temporary name, synced and renamed when whole; to an object store it is sent whole, under its own name (``storage_files``).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final
from urllib.parse import unquote, urlsplit

import pyarrow as pa
from pyarrow import fs as pafs

from headwater.errors import StorageError, UsageError
from headwater.warehouse.real_files import refuse_links
from headwater.warehouse.storage import kind_of_store, settings_of

if TYPE_CHECKING:
    from headwater.warehouse.storage_files import StoreHandler
    from headwater.warehouse.storage_spool import Spool

__all__ = [
    "HashedFile",
    "HashingSink",
    "delete_file",
    "discard_unfinished",
    "exists",
    "file_sha256",
    "filesystem_of",
    "is_local",
    "join",
    "lake_place",
    "parent",
    "read_bytes",
    "stream_sha256",
    "write_file",
    "write_hashed",
]

_BLOCK = 4 << 20
_SECRET: Final = re.compile(
    r"^[^/]*://[^/?#]*:[^/?#]*@|[?&][^=&]*(?:secret|key|token|password|signature)[^=&]*=|[?&](?:sig|sas)=",
    re.IGNORECASE,
)
"""A password before a host, or a setting that is one, in the URI of a store."""
_DECODED: Final = {"%": "a percent sign", "\\": "a backslash"}
"""What delta-rs and DuckDB read as an escape or a separator in a path: they would come to another folder than the one named."""


def lake_place(given: str | Path) -> str:
    """Return where a lake is: an absolute path, or the URI of an object store; what later commands and tasks open, wherever they run.

    >>> lake_place("/data/my-lake/")
    '/data/my-lake'
    >>> lake_place("file:///data/my%20lake")
    '/data/my lake'

    Raises:
        UsageError: the place is empty, or the libraries that read the table would decode its name to another one.
    """
    text = os.fspath(given)
    if not text.strip():
        raise UsageError(
            f"expected the folder or URI of a lake, found {'an empty text' if not text else 'only spaces'}; is a variable not set?"
        )
    if text.startswith("file:"):
        parts = urlsplit(text)
        if parts.netloc not in ("", "localhost") or parts.query or parts.fragment or not parts.path.startswith("/"):
            raise UsageError(f"expected file:///FOLDER for a lake on this machine, found {text!r}")
        text = unquote(parts.path)
    elif "://" in text:
        if "@" in urlsplit(text).netloc:
            raise UsageError(
                "expected the URI of a lake without a user or key in it; give those in the store's own variables or files"
            )
        _check_name(text, text, {**_DECODED, "?": "a question mark", "#": "a hash sign", " ": "a space"})
        return text.rstrip("/")
    _check_name(text, text, {})
    # A way that leads up is followed now: the folder that it begins in may be gone later.
    place = os.path.realpath(text) if ".." in Path(text).parts else str(Path(text).absolute())
    # Links are followed first: the libraries open the folder by its real name.
    _check_name(os.path.realpath(place), text, _DECODED)
    return place


def _check_name(name: str, given: str, refused: dict[str, str]) -> None:
    for letter in name:
        kind = unicodedata.category(letter)
        found = refused.get(letter) or {"Cc": "a control character", "Cs": "bytes that are no UTF-8"}.get(kind)
        if found:
            beneath = f", whose real name is {name!r}" if name != given else ""
            raise UsageError(
                f"expected a lake whose path the libraries beneath can open, found {found} in {given!r}{beneath}; choose or rename the folder"
            )


def filesystem_of(uri: str) -> tuple[pafs.FileSystem, str]:
    """Return the file system of ``uri`` and the path in it; a plain path is local and made absolute.

    Raises:
        UsageError: nothing is named; as a path that would be the current folder. Or a secret is, which would be stored and shown.
        MissingDependencyError: pyarrow was built without this kind of store.
        StorageError: the scheme is unknown or the store cannot be reached.
    """
    if not uri:
        raise UsageError("expected a path or a URI, found an empty text; is a variable not set?")
    if "://" not in uri:
        return pafs.LocalFileSystem(), str(Path(uri).absolute())
    shown = _without_user(uri)
    if _SECRET.search(uri):
        raise UsageError(
            f"expected a URI without a password or key in it, found one in {shown}; give those in the store's own variables or files"
        )
    if kind_of_store(uri) is not None:
        from headwater.warehouse.storage_systems import (
            store_of,
        )  # with what makes requests, which a folder has no need of

        return store_of(uri, shown)
    try:
        filesystem, path = pafs.FileSystem.from_uri(uri)
    except (pa.ArrowInvalid, OSError) as error:
        raise StorageError(
            f"cannot open {shown}: {str(error).replace(uri, shown)}; expected a local path or a URI such as s3://bucket/folder"
        ) from error
    return filesystem, path


def _without_user(uri: str) -> str:
    """Return a URI as messages show it.

    >>> _without_user("s3://key:secret@bucket/folder?region=eu&secret_key=secret")
    's3://bucket/folder'
    """
    scheme, _, rest = uri.partition("://")
    place = re.split(r"[/?#]", rest, maxsplit=1)[0]
    return f"{scheme}://{place.rpartition('@')[2]}{re.split(r'[?#]', rest[len(place) :], maxsplit=1)[0]}"


def is_local(filesystem: pafs.FileSystem) -> bool:
    """Return whether files of ``filesystem`` can be synced and memory-mapped."""
    return isinstance(filesystem, pafs.LocalFileSystem)


def join(*parts: str) -> str:
    """Return the parts joined by single slashes; works for paths and URIs alike."""
    return "/".join([parts[0].rstrip("/"), *(part.strip("/") for part in parts[1:])])


def parent(path: str) -> str:
    """Return the folder that ``path``, which does not end with a slash, lies in; works for paths and URIs alike: of a table it is the lake.

    >>> parent("/data/lake/samples"), parent("s3://bucket/lake/samples")
    ('/data/lake', 's3://bucket/lake')
    """
    return path.rpartition("/")[0]


def exists(filesystem: pafs.FileSystem, path: str) -> int | None:
    """Return the size of the file at ``path`` in bytes, or None where there is none."""
    info = filesystem.get_file_info(path)
    return int(info.size) if info.type == pafs.FileType.File else None


def read_bytes(filesystem: pafs.FileSystem, path: str) -> bytes:
    """Return a small file whole."""
    with filesystem.open_input_stream(path, compression=None) as stream:
        return bytes(stream.read())


def delete_file(filesystem: pafs.FileSystem, path: str) -> None:
    """Delete a file; one that is already gone is fine."""
    with contextlib.suppress(FileNotFoundError):
        filesystem.delete_file(path)


def file_sha256(filesystem: pafs.FileSystem, path: str) -> str:
    """Return the SHA-256 of a file, hexadecimal, reading it in blocks of 4 MiB."""
    with filesystem.open_input_stream(path, compression=None) as stream:
        return stream_sha256(stream)


def stream_sha256(stream: BinaryIO) -> str:
    """Return the SHA-256 of what is left of a stream, hexadecimal, reading it in blocks of 4 MiB."""
    digest = hashlib.sha256()
    while block := stream.read(_BLOCK):
        digest.update(block)
    return digest.hexdigest()


class HashingSink:
    """A binary file open for writing that knows the SHA-256 and the size of what went through it."""

    def __init__(self, stream: BinaryIO | Spool) -> None:
        self._stream = stream
        self._digest = hashlib.sha256()
        self.size = 0
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Write bytes or anything with a buffer; return the number of bytes."""
        view = memoryview(data).cast("B")
        self._digest.update(view)
        self._stream.write(view)
        self.size += len(view)
        return len(view)

    def tell(self) -> int:
        """Return the number of bytes written."""
        return self.size

    def flush(self) -> None:
        """Hand what is buffered to the operating system."""
        self._stream.flush()

    def writable(self) -> bool:
        """Return True: pyarrow asks."""
        return True

    def close(self) -> None:
        """Do nothing but note it: the stream beneath is closed by its owner."""
        self.closed = True

    @property
    def sha256(self) -> str:
        """SHA-256 so far, hexadecimal."""
        return self._digest.hexdigest()


def _handler(filesystem: pafs.FileSystem) -> StoreHandler | None:
    """Return what stands before an object store, or None for a file system that has folders and renames."""
    if not isinstance(filesystem, pafs.PyFileSystem):
        return None
    from headwater.warehouse.storage_files import StoreHandler

    found = filesystem.handler
    return found if isinstance(found, StoreHandler) else None


_unfinished: dict[str, pafs.FileSystem] = {}
"""Temporary files of this process that have neither got their names nor been removed."""


def discard_unfinished() -> None:
    """Remove what this process has begun to write and not ended: a signal may come between a file's opening and whoever would close it."""
    for path, filesystem in list(_unfinished.items()):
        with contextlib.suppress(OSError):
            delete_file(filesystem, path)
        _unfinished.pop(path, None)


class HashedFile:
    """A file that is being written below a folder under a temporary name; it appears whole, under its own name, or not at all.

    Args:
        uri: the folder; made when missing.
        root: the folder that the user named, a lake as a rule: what lies between it and ``uri`` may be no link.

    Raises:
        UsageError: a symbolic link leads out of ``root``.
        StorageError: no space, no permission, or the store refused; every method may raise it.
    """

    def __init__(self, uri: str, root: str) -> None:
        self._uri = uri
        self._filesystem, self._folder = filesystem_of(uri)
        self._store = _handler(self._filesystem)
        refuse_links(self._filesystem, filesystem_of(root)[1], self._folder)
        self._temporary = join(self._folder, f".{secrets.token_hex(8)}.tmp")
        self._spool: Spool | None = None
        self._stream: BinaryIO | None = None
        if self._store is not None:
            from headwater.warehouse.storage_spool import Spool

            self._spool = Spool(settings_of(kind_of_store(uri) or "").get("storage_scratch"))
            self.sink = HashingSink(self._spool)
            return
        _unfinished[self._temporary] = self._filesystem
        with self._storage():
            self._filesystem.create_dir(self._folder, recursive=True)
            if is_local(self._filesystem):
                self._stream = Path(self._temporary).open("wb", buffering=1 << 20)  # noqa: SIM115 - closed by publish or discard
            else:
                self._stream = self._filesystem.open_output_stream(self._temporary, compression=None)
        self.sink = HashingSink(self._stream)

    @contextlib.contextmanager
    def _storage(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StorageError(
                f"cannot write below {self._uri}: {error}; free space or grant permission, then run the same command again"
            ) from error

    def publish(self, name: str) -> None:
        """Sync the file and give it its name."""
        if self._store is not None and self._spool is not None:
            self._store.put(join(self._folder, name), self._spool)
            self._spool.close()
        if self._stream is None:
            return
        local = is_local(self._filesystem)
        with self._storage():
            if local:
                self._stream.flush()
                os.fsync(self._stream.fileno())
            self._stream.close()
            self._filesystem.move(self._temporary, join(self._folder, name))
            _unfinished.pop(self._temporary, None)
            if local:
                _sync_folder(self._folder)

    def discard(self) -> None:
        """Remove what was written; an error that led here stays the one that is raised."""
        with contextlib.suppress(OSError):
            if self._spool is not None:
                self._spool.close()
        if self._store is not None:
            return
        with contextlib.suppress(OSError):
            if self._stream is not None:
                self._stream.close()
        with contextlib.suppress(OSError):
            delete_file(self._filesystem, self._temporary)
        _unfinished.pop(self._temporary, None)


def write_hashed(
    uri: str, fill: Callable[[HashingSink], None], name: Callable[[str], str], *, root: str
) -> tuple[str, str, int]:
    """Write one file below the folder ``uri``, whole or not at all.

    Args:
        uri: the folder; made when missing.
        fill: writes the content into the sink.
        name: gives the file's name from the SHA-256 of its content.
        root: as of ``HashedFile``.

    Returns:
        The name, the SHA-256 and the size in bytes.

    Raises:
        UsageError: a symbolic link leads out of ``root``.
        StorageError: no space, no permission, or the store refused.
    """
    file = HashedFile(uri, root)
    try:
        fill(file.sink)
        final = name(file.sink.sha256)
        file.publish(final)
    except OSError as error:
        file.discard()
        raise StorageError(
            f"cannot write below {uri}: {error}; free space or grant permission, then run the same command again"
        ) from error
    except BaseException:
        file.discard()
        raise
    return final, file.sink.sha256, file.sink.size


def write_file(uri: str, name: str, data: bytes, *, root: str) -> None:
    """Write one file of a given name below the folder ``uri``, whole or not at all; errors as for ``write_hashed``."""

    def fill(sink: HashingSink) -> None:
        sink.write(data)

    write_hashed(uri, fill, lambda _: name, root=root)


def _sync_folder(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
