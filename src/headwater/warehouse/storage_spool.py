"""Where a file for an object store waits until it is whole: its name may come from its content, and half a file must never have it."""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Final

from headwater.errors import StorageError

__all__ = ["ONE_REQUEST_BYTES", "Spool"]

ONE_REQUEST_BYTES: Final = 10 << 20
"""A file of fewer bytes is written in one request; pyarrow cuts a longer one into parts of this length."""


class Spool:
    """A file that is being written for a store: in memory while it fits into one request, then in the folder for temporary files.

    The file has no name there, so nothing is left of it whatever ends the process.

    Args:
        folder: for temporary files; None is that of the system.

    Raises:
        StorageError: no room there; every method may raise it.
    """

    def __init__(self, folder: str | None = None) -> None:
        self._folder = folder
        self._memory = bytearray()
        self._file: IO[bytes] | None = None
        self.size = 0

    @contextmanager
    def _scratch(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StorageError(
                f"cannot write to the folder for temporary files {self._folder or 'that TMPDIR names'}: {error.strerror or error}; free space "
                "there, or name another in TMPDIR, then run the same command again"
            ) from error

    def write(self, data: bytes | memoryview) -> int:
        """Add bytes."""
        view = memoryview(data).cast("B")
        if self._file is None and len(self._memory) + len(view) < ONE_REQUEST_BYTES:
            self._memory += view
        else:
            with self._scratch():
                if self._file is None:
                    self._file = tempfile.TemporaryFile(dir=self._folder, prefix="headwater-")  # noqa: SIM115 - closed by close
                    self._file.write(self._memory)
                    self._memory = bytearray()
                self._file.write(view)
        self.size += len(view)
        return len(view)

    def flush(self) -> None:
        """Do nothing: what is written is read back here."""

    @contextmanager
    def bytes(self) -> Iterator[bytes | mmap.mmap]:
        """Give all that was written."""
        if self._file is None:
            yield bytes(self._memory)
            return
        with self._scratch():
            self._file.flush()
            mapped = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        try:
            yield mapped
        finally:
            mapped.close()

    def close(self) -> None:
        """Let go of it."""
        self._memory = bytearray()
        if self._file is not None:
            self._file.close()
