"""Writing bytes to any binary stream while their SHA-256 is taken, and checking them later."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

__all__ = ["HashingStream", "WrittenFile", "hash_stream", "write_buffers"]

_CHUNK_BYTES: Final = 8 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class WrittenFile:
    """What a writer wrote.

    Attributes:
        n_bytes: size of the file.
        sha256: 64 hexadecimal digits.
    """

    n_bytes: int
    sha256: str


class HashingStream:
    """A binary stream whose bytes are counted and hashed on their way to another; what Arrow's writers need of a file."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._digest = hashlib.sha256()
        self._size = 0
        self.closed = False

    def write(self, data: Any) -> int:
        """Write bytes or anything with a buffer; return the number of bytes."""
        view = memoryview(data).cast("B")
        self._stream.write(view)
        self._digest.update(view)
        self._size += len(view)
        return len(view)

    def tell(self) -> int:
        """Return the number of bytes written."""
        return self._size

    def flush(self) -> None:
        """Do nothing: the stream beneath belongs to its owner."""

    def writable(self) -> bool:
        """Return True: pyarrow asks."""
        return True

    def close(self) -> None:
        """Refuse more writing; the stream beneath stays open."""
        self.closed = True

    def written(self) -> WrittenFile:
        """Return size and hash so far."""
        return WrittenFile(n_bytes=self._size, sha256=self._digest.hexdigest())


def write_buffers(stream: BinaryIO, buffers: Iterable[Any]) -> WrittenFile:
    """Write contiguous buffers one after the other without copying them; return size and hash of all.

    Args:
        stream: anything with `write(bytes-like)`; it is neither flushed nor closed.
        buffers: `bytes` or C-contiguous arrays.
    """
    digest = hashlib.sha256()
    n_bytes = 0
    for buffer in buffers:
        if not memoryview(buffer).nbytes:
            continue  # an empty array of two dimensions cannot be cast
        view = memoryview(buffer).cast("B")
        for begin in range(0, len(view), _CHUNK_BYTES):
            chunk = view[begin : begin + _CHUNK_BYTES]
            stream.write(chunk)
            digest.update(chunk)
        n_bytes += len(view)
    return WrittenFile(n_bytes=n_bytes, sha256=digest.hexdigest())


def hash_stream(stream: BinaryIO) -> WrittenFile:
    """Return size and hash of what a stream holds from where it stands, reading 8 MB at a time."""
    digest = hashlib.sha256()
    n_bytes = 0
    while chunk := stream.read(_CHUNK_BYTES):
        digest.update(chunk)
        n_bytes += len(chunk)
    return WrittenFile(n_bytes=n_bytes, sha256=digest.hexdigest())
