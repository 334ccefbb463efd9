"""Reads a fastText model file from front to back, never past its end, and unpacks the matrices in it.

A dense matrix is ``rows int64, columns int64, float32…``. A quantised one is ``has_norm bool, rows int64, columns int64, size int32,
codes uint8…, product quantiser [, norm codes uint8…, product quantiser]``: row i is the concatenation of the centroids that its codes
name, times its norm. A product quantiser is ``dim nsubq dsub lastdsub: int32`` and ``dim * 256`` float32.

A matrix is read some rows at a time straight to where the kernel reads it: a dense model of 800 MB takes 800 MB of memory and 1 MB to read it.
"""

from __future__ import annotations

import hashlib
import struct
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

__all__ = ["ModelFile"]

_CHUNK_BYTES = 1 << 20
_ROW_ALIGNMENT = 8
_LARGEST = 1e6  # of a trained vector; keeps every sum and product of the kernel finite
_LARGEST_PART = 16  # columns of a part; fastText's default is 2. A byte of codes unpacks to four bytes a column
_LARGEST_UNPACKED = 1 << 28  # bytes that any file may unpack to
_MOST_UNPACKED_TIMES = 32  # what a larger file may unpack to, in its own size
_Floats = npt.NDArray[np.float32]


class ModelFile:
    """Reads values, names and matrices in turn; whatever does not fit the file is a ValueError.

    Args:
        stream: the open file, at its beginning.
        size: bytes in it.

    Attributes:
        size: the same.
    """

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream = stream
        self.size = size
        self._unread = size  # not yet handed out
        self._buffer = b""
        self._at = 0
        self._digest = hashlib.sha256()

    def values(self, layout: str) -> tuple[int, ...]:
        """The next values, by a layout of `struct`, little-endian and unpadded."""
        size = struct.calcsize("<" + layout)
        return struct.unpack("<" + layout, self._take(size))

    def array(self, dtype: str, count: int) -> npt.NDArray[np.generic]:
        """The next ``count`` numbers."""
        if count < 0:
            raise ValueError(f"a count of {count}")
        return np.frombuffer(self._take(count * np.dtype(dtype).itemsize), dtype=dtype)

    def name(self) -> bytes:
        """The bytes up to the next NUL, which is read and left out."""
        end = self._buffer.find(b"\0", self._at)
        while end < 0:
            held = len(self._buffer) - self._at
            if held >= self._unread:
                raise ValueError("a name without end")
            self._fill(min(2 * held + 1, self._unread))
            end = self._buffer.find(b"\0", self._at)
        name = self._take(end - self._at)
        self._take(1)
        return name

    def matrix(self, *, quantised: bool, columns: int) -> tuple[_Floats, _Floats]:
        """The next matrix, its columns padded with zeros to a multiple of 8, and the norm of each row (1 if it has none).

        The rows are not yet multiplied with their norms.
        """
        if quantised:
            matrix, norms = self._quantised_matrix(columns)
        else:
            n_rows, n_columns = self.values("2q")
            if n_columns != columns or not 0 <= n_rows <= self._unread // (4 * columns):
                raise ValueError(f"a matrix of {n_rows} rows and {n_columns} columns instead of {columns}")
            matrix, norms = _make_matrix(n_rows, columns), np.ones(n_rows, dtype=np.float32)
            step = _CHUNK_BYTES // (4 * columns) + 1
            for begin in range(0, n_rows, step):
                n_read = min(step, n_rows - begin)
                rows = self.array("<f4", n_read * columns).reshape(n_read, columns)
                _check_finite(rows)
                matrix[begin : begin + n_read, :columns] = rows
        return matrix, norms

    def finish(self) -> str:
        """The SHA-256 of the file, hexadecimal; a file that goes on is a ValueError."""
        if self._unread:
            raise ValueError(f"{self._unread} bytes after the end")
        return self._digest.hexdigest()

    def _quantised_matrix(self, columns: int) -> tuple[_Floats, _Floats]:
        has_norm, n_rows, n_columns, n_codes = self.values("?2qi")
        if n_columns != columns or not 0 <= n_rows <= n_codes:
            raise ValueError(f"a matrix of {n_rows} rows, {n_codes} codes and {n_columns} columns instead of {columns}")
        matrix = self._centroids(self.array("u1", n_codes), n_rows, columns)
        norms = np.ones(n_rows, dtype=np.float32)
        if has_norm:
            norms = self._centroids(self.array("u1", n_rows), n_rows, 1)[:, 0].copy()
        return matrix, norms

    def _centroids(self, codes: npt.NDArray[np.generic], n_rows: int, columns: int) -> _Floats:
        """The rows that ``codes`` (n_rows * nsubq) name in the product quantiser that comes next."""
        dim, n_parts, part_dim, last_dim = self.values("4i")
        if (
            dim != columns
            or n_parts < 1
            or not 1 <= part_dim <= _LARGEST_PART
            or (n_parts - 1) * part_dim + last_dim != dim
            or not 1 <= last_dim <= part_dim
            or len(codes) != n_rows * n_parts
        ):
            raise ValueError(f"a product quantiser of {n_parts} parts and {len(codes)} codes for {n_rows} rows")
        unpacked = 4 * n_rows * (columns + _ROW_ALIGNMENT - 1)
        if unpacked > max(_LARGEST_UNPACKED, _MOST_UNPACKED_TIMES * self.size):
            raise ValueError(f"a matrix of {unpacked:,} bytes from codes in a file of {self.size:,}")
        centroids = self.array("<f4", dim * 256)
        _check_finite(centroids)
        by_part = codes.reshape(n_rows, n_parts)
        matrix = _make_matrix(n_rows, columns)
        for part in range(n_parts):
            width = part_dim if part < n_parts - 1 else last_dim
            begin = part * part_dim
            table = centroids[256 * begin : 256 * (begin + width)].reshape(256, width)
            step = _CHUNK_BYTES // (4 * width) + 1
            for row in range(0, n_rows, step):  # without a second matrix
                matrix[row : row + step, begin : begin + width] = table[by_part[row : row + step, part]]
        return matrix

    def _take(self, size: int) -> bytes:
        if size > self._unread:
            raise ValueError(f"{size} bytes wanted at byte {self.size - self._unread} of {self.size}")
        self._fill(size)
        self._at += size
        self._unread -= size
        return self._buffer[self._at - size : self._at]

    def _fill(self, wanted: int) -> None:
        """Makes at least ``wanted`` bytes ready in the buffer."""
        missing = wanted - (len(self._buffer) - self._at)
        if missing <= 0:
            return
        read = self._stream.read(max(missing, _CHUNK_BYTES))
        if len(read) < missing:
            raise ValueError("a file that became shorter")
        self._digest.update(read)
        self._buffer = self._buffer[self._at :] + read
        self._at = 0


def _make_matrix(n_rows: int, columns: int) -> _Floats:
    return np.zeros((n_rows, -(-columns // _ROW_ALIGNMENT) * _ROW_ALIGNMENT), dtype=np.float32)


def _check_finite(numbers: npt.NDArray[np.generic]) -> None:
    if not (np.abs(numbers) <= _LARGEST).all():
        raise ValueError("a number in a matrix that is not finite or absurdly large")
