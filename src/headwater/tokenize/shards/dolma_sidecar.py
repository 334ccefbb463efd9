r"""The tokens and the rows that Dolma's tokenizer writes and OLMo-core reads: a bare array, and a `.csv.gz` beside it.

The array has no header: little-endian uint32 from the first byte, though its name ends in ``.npy`` (OLMo-core,
`src/olmo_core/data/utils.py`, `load_array_slice`). NumPy's own file begins with 128 bytes of header, which such a reader
would take for 32 tokens; so the two have different names here.

The rows are CSV without a head, as the `csv` module writes it (``\r\n`` at the end of a row), in the order of
`python/dolma/tokenizer/memmap_writer.py`: start, end, id, src, loc. `start` and `end` are 0-based places in the array, the
end excluded; `loc` is 1-based. OLMo-core reads the first two.
"""

from __future__ import annotations

from typing import BinaryIO, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headwater.errors import UsageError
from headwater.tokenize.shards.files import write_buffers

__all__ = ["csv_rows", "write_rows", "write_tokens"]

_COMPRESSION_LEVEL: Final = 6


def write_tokens(stream: BinaryIO, sequences: npt.NDArray[np.uint32]) -> None:
    """Write the bare array of uint32 [n_sequences, context].

    Raises:
        UsageError: another type.
    """
    if sequences.dtype != np.dtype("<u4"):
        raise UsageError(f"dolma: expected sequences of uint32, found {sequences.dtype}")
    write_buffers(stream, [np.ascontiguousarray(sequences)])


def csv_rows(boundaries: pa.Table) -> bytes:
    r"""Return a row for each run of tokens, in their order; padding has none.

    `id` is the content hash and `src` the origin of the record, both hexadecimal as in the lake: together they name the
    record whatever the order of ingest. `loc` is the run's place in the document's own tokens: 1 where it begins.

    Args:
        boundaries: of the shard, with the columns of `boundaries.SCHEMA`.

    >>> row = {"token_begin": [0], "token_end": [7], "sample_token_begin": [0], "content_hash": [b"\x01" * 16], "origin": [-1]}
    >>> csv_rows(pa.table(row)).decode().split(",")[:3]
    ['0', '7', '01010101010101010101010101010101']
    >>> csv_rows(pa.table(row)).decode().split(",")[3:]
    ['ffffffffffffffff', '1\r\n']
    """
    names = ["token_begin", "token_end", "content_hash", "origin", "sample_token_begin"]
    columns = [boundaries[name].to_pylist() for name in names]
    lines = [
        # A run that starts with the beginning of text stands at -1.
        f"{begin},{end},{content_hash.hex()},{origin & 0xFFFFFFFFFFFFFFFF:016x},{max(at, 0) + 1}\r\n"
        for begin, end, content_hash, origin, at in zip(*columns, strict=True)
    ]
    return "".join(lines).encode("ascii")


def write_rows(stream: BinaryIO, boundaries: pa.Table) -> None:
    """Write the `.csv.gz`: one gzip member without name or time.

    Arrow's copy of zlib compresses, not the system's: its version is pinned, so the bytes are the same everywhere.
    """
    codec = pa.Codec("gzip", compression_level=_COMPRESSION_LEVEL)
    write_buffers(stream, [codec.compress(csv_rows(boundaries), asbytes=True)])
