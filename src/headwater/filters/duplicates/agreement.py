"""How far two signatures agree, and which pairs of rows need comparing at all.

Signatures are rows of a uint32 [n, 112] matrix; a row with all bits set is the empty signature and matches nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import njit

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
    "signature_agreement",
    "signature_agreements",
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
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    column = column.cast(pa.large_binary())
    _, offsets_buffer, data = column.buffers()
    offsets = (
        np.frombuffer(offsets_buffer, np.int64)[column.offset : column.offset + len(column) + 1]
        if len(column)
        else np.zeros(1, np.int64)
    )
    sizes = np.diff(offsets)
    full = sizes == 4 * N_PERMUTATIONS
    if np.any(sizes[~full]):
        raise UsageError(
            f"expected signatures of {4 * N_PERMUTATIONS} bytes or none, found one of {int(sizes[~full].max())} bytes in column "
            "`signature`; it was written by another version: annotate again"
        )
    if column.null_count:
        full &= column.is_valid().to_numpy(zero_copy_only=False)
    matrix = np.full((len(column), N_PERMUTATIONS), _EMPTY, np.uint32)
    if full.any():
        flat = np.frombuffer(data, "<u4", count=offsets[-1] // 4)
        matrix[full] = flat.reshape(-1, N_PERMUTATIONS)[offsets[:-1][full] // (4 * N_PERMUTATIONS)]
    return matrix


def signature_agreement(a: Signatures, b: Signatures) -> float:
    """The share of equal values of two signatures, an estimate of the Jaccard similarity; 0.0 if one is empty.

    >>> import numpy as np
    >>> signature_agreement(np.arange(112, dtype=np.uint32), np.arange(112, dtype=np.uint32) // 2 * 2)
    0.5
    """
    return float(signature_agreements(np.stack([a, b]), np.array([0]), np.array([1]))[0])


def signature_agreements(signatures: Signatures, left: Ints, right: Ints) -> npt.NDArray[np.float32]:
    """float32 [pairs]: the agreement of each pair of rows (left[k], right[k])."""
    check_rows(left, len(signatures))
    check_rows(right, len(signatures))
    return np.asarray(_agreements(np.ascontiguousarray(signatures), left, right))


def check_rows(rows: Ints, n: int) -> None:
    """Raises UsageError unless all of `rows` are from 0 to n − 1: a kernel would read beside its arrays."""
    if len(rows) and (rows.min() < 0 or rows.max() >= n):
        raise UsageError(f"expected row numbers from 0 to {n - 1}, found {int(rows.min())} to {int(rows.max())}")


@njit(cache=True, nogil=True)
def equal_values(signatures: Any, i: Any, j: Any) -> Any:
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
    return np.int64(count)


@njit(cache=True, nogil=True)
def _agreements(signatures: Any, left: Any, right: Any) -> Any:
    result = np.empty(left.size, np.float32)
    for k in range(left.size):
        result[k] = np.float32(equal_values(signatures, left[k], right[k]) / N_PERMUTATIONS)
    return result


@njit(cache=True, nogil=True)
def chunks(signatures: Any, begin: Any, end: Any, min_agreement: Any) -> tuple[Any, Any]:
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
def chunk_key(signature: Any, columns: Any, bounds: Any, chunk: Any) -> Any:
    """64 bits of one chunk of a signature; equal chunks have equal keys."""
    value = finish64(np.uint64(chunk + 1))
    for k in range(bounds[chunk], bounds[chunk + 1]):
        value = finish64(value ^ np.uint64(signature[columns[k]]))
    return value
