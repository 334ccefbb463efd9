r"""Megatron's indexed dataset: `.bin` with the tokens, `.idx` with where each sequence lies.

One document of the index is one packed sequence, so that a trainer's shuffle moves sequences and never cuts them anew.
The boundaries of the documents inside are the ends of text and the sidecar of `boundaries.py`.

`.idx`, little-endian (`megatron/core/datasets/indexed_dataset.py`, version 1): the nine bytes ``MMIDIDX\0\0``; uint64
version 1; uint8 type code (4 is int32); uint64 number of sequences; uint64 length of the last list; int32 length of each
sequence in tokens; int64 first byte of each in the `.bin`; int64 first sequence of each document, then the number of
sequences.
"""

from __future__ import annotations

import struct
from typing import BinaryIO, Final

import numpy as np
import numpy.typing as npt

from headwater.errors import UsageError
from headwater.tokenize.shards.files import write_buffers

__all__ = ["write_index", "write_tokens"]

_MAGIC: Final = b"MMIDIDX\x00\x00"
_VERSION: Final = 1
_INT32_CODE: Final = 4
_TOKEN_BYTES: Final = 4


def write_tokens(stream: BinaryIO, sequences: npt.NDArray[np.uint32]) -> None:
    """Write the `.bin`: the tokens as little-endian int32.

    Args:
        stream: binary stream.
        sequences: uint32 [n_sequences, context], ids below 2^31.

    Raises:
        UsageError: another type.
    """
    if sequences.dtype != np.dtype("<u4"):
        raise UsageError(f"megatron: expected sequences of uint32, found {sequences.dtype}")
    # The same bits: no id of a vocabulary reaches 2^31.
    write_buffers(stream, [np.ascontiguousarray(sequences)])


def write_index(stream: BinaryIO, n_sequences: int, context: int) -> None:
    """Write the `.idx` of `n_sequences` sequences of `context` tokens; 20 bytes a sequence."""
    write_buffers(
        stream,
        [
            _MAGIC + struct.pack("<QBQQ", _VERSION, _INT32_CODE, n_sequences, n_sequences + 1),
            np.full(n_sequences, context, dtype="<i4"),
            np.arange(n_sequences, dtype="<i8") * (context * _TOKEN_BYTES),
            np.arange(n_sequences + 1, dtype="<i8"),
        ],
    )
