"""The bytes of a file as it is stored: read ahead, given back, and hashed once as they come."""

from __future__ import annotations

import hashlib
from types import TracebackType
from typing import Final, Self

from headwater.errors import StorageError
from headwater.pipelines.ingest.opening import open_file

__all__ = ["Stored"]

_AHEAD: Final = 1 << 20
_NEVER: Final = 1 << 62


class Stored:
    """Bytes ``begin`` to ``end`` of a file, with a position that can be moved back; used as a context manager.

    Attributes:
        position: of the next byte, from the beginning of the file.
        failed: what the file system or the store raised instead of bytes: a decoder that reads through this may make another error of it.

    Args:
        uri: the file.
        begin: first byte.
        end: first byte after; None for the file's end.
        hashing: whether the bytes are hashed.

    Raises:
        OSError: the file cannot be opened or read.
    """

    def __init__(self, uri: str, begin: int = 0, end: int | None = None, *, hashing: bool = True) -> None:
        self._stream = open_file(uri)
        self._stream.seek(begin)
        self._end = end
        self._buffer = b""
        self._at = 0
        self._read_to = begin
        self._hashed_to = begin if hashing else _NEVER
        self._digest = hashlib.sha256()
        self.failed: OSError | StorageError | None = None

    @property
    def position(self) -> int:
        """Place of the next byte in the file."""
        return self._read_to - len(self._buffer) + self._at

    def window(self, size: int) -> memoryview:
        """Return the next bytes without taking them: at least ``size`` of them, fewer only before the end."""
        while len(self._buffer) - self._at < size:
            data = self._read(max(_AHEAD, size))
            if not data:
                break
            self._buffer = self._buffer[self._at :] + data
            self._at = 0
        return memoryview(self._buffer)[self._at :]

    def advance(self, size: int) -> None:
        """Take ``size`` bytes of the window."""
        self._at += size

    def seek(self, position: int) -> None:
        """Go to another place; what was read before is not hashed again."""
        first = self._read_to - len(self._buffer)
        if first <= position <= self._read_to:
            self._at = position - first
            return
        if position > self._read_to:
            self._buffer, self._at = b"", 0
            while self._read_to < position and self._read(min(_AHEAD, position - self._read_to)):
                pass
            return
        self._stream.seek(position)
        self._buffer, self._at, self._read_to = b"", 0, position

    def find(self, pattern: bytes) -> bool:
        """Go to where ``pattern`` comes next, or to the end, and return whether it came."""
        while True:
            window = self.window(_AHEAD)
            found = self._buffer.find(pattern, self._at)
            if found >= 0:
                self._at = found
                return True
            if len(window) < _AHEAD:
                self._at = len(self._buffer)
                return False
            self._at = max(self._at, len(self._buffer) - len(pattern) + 1)

    def finish(self) -> str:
        """Read what is left, and return the SHA-256 of all bytes, hexadecimal."""
        if self._read_to < self._hashed_to:
            self._stream.seek(self._hashed_to)
            self._read_to = self._hashed_to
        self._buffer, self._at = b"", 0
        while self._read(_AHEAD):
            pass
        return self._digest.hexdigest()

    def _read(self, size: int) -> bytes:
        wanted = size if self._end is None else min(size, self._end - self._read_to)
        try:
            data = bytes(self._stream.read(wanted)) if wanted > 0 else b""
        except (OSError, StorageError) as error:
            self.failed = error
            raise
        end = self._read_to + len(data)
        if end > self._hashed_to:
            self._digest.update(memoryview(data)[self._hashed_to - self._read_to :])
            self._hashed_to = end
        self._read_to = end
        return data

    def __enter__(self) -> Self:
        """Return the bytes."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self._stream.close()
