"""How far two signatures agree, and which pairs of rows need comparing at all.

Signatures are rows of a uint32 [n, 112] matrix; a row with all bits set is the empty signature and matches nothing.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import njit

from headwater.buffers import byte_buffers
from headwater.errors import UsageError
from headwater.filters.duplicates.minhash import N_PERMUTATIONS
from headwater.filters.duplicates.shingles import finish64

__all__ = [
    "MIN_AGREEMENT",
    "Ints",
    "Signatures",
    "check_rows",
    "chunk_key",
    "chunks",
    "equal_values",
    "signature_matrix",
]

MIN_AGREEMENT = 84
"""Equal signature values, of 112, that make a pair near-duplicates: 0.75."""

Ints = npt.NDArray[np.int64]
Signatures = npt.NDArray[np.uint32]

_EMPTY = np.uint32(0xFFFFFFFF)


def signature_matrix(column: pa.Array | pa.ChunkedArray) -> Signatures:
    """uint32 [n, 112] of a column of signatures (binary); null or empty bytes become the empty signature.

    Raises:
        UsageError: a value is neither empty nor 448 bytes.
    """
    data, offsets = byte_buffers(column)
    sizes = np.diff(offsets)
    full = sizes == 4 * N_PERMUTATIONS
    if np.any(sizes[~full]):
        raise UsageError(
            f"expected signatures of {4 * N_PERMUTATIONS} bytes or none, found one of {int(sizes[~full].max())} bytes in column "
            "`signature`; it was written by another version: annotate again"
        )
    matrix = np.full((len(column), N_PERMUTATIONS), _EMPTY, np.uint32)
    if full.any():
        values = data[offsets[0] : offsets[-1]].view("<u4")  # without the empty ones, one signature after the other
        matrix[full] = values.reshape(-1, N_PERMUTATIONS)
    return matrix


def check_rows(rows: Ints, n: int) -> None:
    """Raises UsageError unless all of `rows` are from 0 to n − 1: a kernel would read outside its arrays."""
    if len(rows) and (rows.min() < 0 or rows.max() >= n):
        raise UsageError(f"expected row numbers from 0 to {n - 1}, found {int(rows.min())} to {int(rows.max())}")


@njit(cache=True, nogil=True)
def equal_values(signatures: Signatures, i: int, j: int) -> int:
    """Equal values of two rows; 0 if one is empty. Counted in 32 bits so that the compiler compares eight or more at once."""
    left = signatures[i]
    right = signatures[j]
    count = np.uint32(0)
    ones = np.uint32(0)
    for k in range(N_PERMUTATIONS):
        count = np.uint32(count + np.uint32(left[k] == right[k]))
    if count == N_PERMUTATIONS:
        for k in range(N_PERMUTATIONS):
            ones = np.uint32(ones + np.uint32(left[k] == _EMPTY))
        if ones == N_PERMUTATIONS:
            return 0
    return int(np.int64(count))


@njit(cache=True, nogil=True)
def chunks(signatures: Signatures, begin: int, end: int, min_agreement: int) -> tuple[Ints, Ints]:
    """The columns on which the rows differ, and the bounds of one more chunk of them than a pair may differ in.

    Columns on which all agree help nobody and are left out. With fewer columns than chunks some chunks are empty, which all rows share: correct,
    if slow, and only possible where all rows are duplicates of each other.
    """
    columns = np.empty(N_PERMUTATIONS, np.int64)
    n_columns = 0
    for column in range(N_PERMUTATIONS):
        for row in range(begin + 1, end):
            if signatures[row, column] != signatures[begin, column]:
                columns[n_columns] = column
                n_columns += 1
                break
    n_chunks = N_PERMUTATIONS - min_agreement + 1
    bounds = np.arange(n_chunks + 1) * n_columns // n_chunks
    return columns[:n_columns], bounds


@njit(cache=True, nogil=True)
def chunk_key(signature: Signatures, columns: Ints, bounds: Ints, chunk: int) -> np.uint64:
    """64 bits of one chunk of a signature; equal chunks have equal keys."""
    value = finish64(np.uint64(chunk + 1))
    for k in range(bounds[chunk], bounds[chunk + 1]):
        value = finish64(value ^ np.uint64(signature[columns[k]]))
    return value
