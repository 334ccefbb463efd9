"""Writing buffers to any binary stream, and the size and SHA-256 of what one holds."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

__all__ = ["Digest", "hash_stream", "write_buffers"]

_CHUNK_BYTES: Final = 8 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Digest:
    """What a file holds.

    Attributes:
        n_bytes: size of the file.
        sha256: 64 hexadecimal digits.
    """

    n_bytes: int
    sha256: str


def write_buffers(stream: BinaryIO, buffers: Iterable[Any]) -> None:  # Any: NumPy types buffers from Python 3.12
    """Write contiguous buffers one after the other without copying them.

    Args:
        stream: anything with `write(bytes-like)`; it is neither flushed nor closed.
        buffers: `bytes` or C-contiguous arrays; before Python 3.12 what has a buffer has no type.
    """
    for buffer in buffers:
        if not memoryview(buffer).nbytes:
            continue  # an empty array of two dimensions cannot be cast
        view = memoryview(buffer).cast("B")
        for begin in range(0, len(view), _CHUNK_BYTES):
            stream.write(view[begin : begin + _CHUNK_BYTES])


def hash_stream(stream: BinaryIO) -> Digest:
    """Return size and hash of what a stream holds from where it stands, reading 8 MB at a time."""
    digest = hashlib.sha256()
    n_bytes = 0
    while chunk := stream.read(_CHUNK_BYTES):
        digest.update(chunk)
        n_bytes += len(chunk)
    return Digest(n_bytes=n_bytes, sha256=digest.hexdigest())
