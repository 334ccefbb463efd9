"""NumPy's own array file, version 1.0: uint32 [n_sequences, context], for `np.load(path, mmap_mode="r")`.

Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
"""

from __future__ import annotations

import io
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from headwater.errors import UsageError
from headwater.tokenize.shards.files import write_buffers

__all__ = ["write_tokens"]


def write_tokens(stream: BinaryIO, sequences: npt.NDArray[np.uint32]) -> None:
    """Write the array; its header of ``tokens.NPY_HEADER_BYTES`` is the same for every version of NumPy that writes 1.0.

    Args:
        stream: binary stream.
        sequences: uint32 [n_sequences, context].

    Raises:
        UsageError: another type or shape.
    """
    if sequences.dtype != np.dtype("<u4") or sequences.ndim != 2:
        raise UsageError(f"npy: expected uint32 in two dimensions, found {sequences.dtype} in {sequences.ndim}")
    header = io.BytesIO()
    description = {"descr": "<u4", "fortran_order": False, "shape": sequences.shape}
    np.lib.format.write_array_header_1_0(header, description)
    write_buffers(stream, [header.getvalue(), np.ascontiguousarray(sequences)])
