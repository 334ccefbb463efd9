"""litdata's chunks of tokens, written without the library, for `StreamingDataset(..., item_loader=TokensLoader(block_size=context))`.

A chunk is little-endian: uint32 number of items; uint32 offset of each item and one more for the end; the items' tokens as
int32. An item is one sequence. Read by litdata 0.2.76 (`litdata/streaming/writer.py`, `item_loader.py`): `TokensLoader`
takes the number of tokens in a chunk from the index's ``dim``; where that is null no sequence can be read.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.errors import UsageError

__all__ = ["LitdataChunk", "chunk_file_name", "litdata_chunk", "litdata_index"]

_INT32: Final = "no_header_tensor:16"
"""How litdata names a tensor of one dimension and int32 without a header of its own."""
_ONE_LEAF: Final = '[1, {"type": null, "context": null, "children_spec": []}]'
_LARGEST: Final = (1 << 32) - 1


@dataclass(frozen=True, kw_only=True, slots=True)
class LitdataChunk:
    """What the index says of a chunk.

    Attributes:
        name: file name.
        samples: sequences.
        n_bytes: size.
        sha256: of the file; the index does not hold it, our own manifest does.
    """

    name: str
    samples: int
    n_bytes: int
    sha256: str


def chunk_file_name(number: int) -> str:
    """Return the name of a chunk's file: written by rank 0, chunk `number`.

    >>> chunk_file_name(12)
    'chunk-0-12.bin'
    """
    return f"chunk-0-{number}.bin"


def litdata_chunk(sequences: npt.NDArray[np.uint32], *, number: int) -> tuple[bytes, LitdataChunk]:
    """Return the bytes of a chunk and what the index says of it.

    Args:
        sequences: uint32 [n_sequences, context].
        number: of the chunk.

    Raises:
        UsageError: more than 4 GiB.

    >>> data, chunk = litdata_chunk(np.array([[7, 8]], dtype=np.uint32), number=0)
    >>> np.frombuffer(data, "<u4").tolist()
    [1, 12, 20, 7, 8]
    """
    count, context = sequences.shape
    offsets = 4 + 4 * (count + 1) + 4 * context * np.arange(count + 1)
    if offsets[-1] > _LARGEST:
        raise UsageError(f"litdata: expected at most 4 GiB a chunk, found {offsets[-1]} bytes; make chunks smaller")
    data = b"".join([struct.pack("<I", count), offsets.astype("<u4").tobytes(), sequences.astype("<u4").tobytes()])
    digest = hashlib.sha256(data).hexdigest()
    return data, LitdataChunk(name=chunk_file_name(number), samples=count, n_bytes=len(data), sha256=digest)


def litdata_index(chunks: Sequence[LitdataChunk], *, context: int, chunk_bytes: int) -> bytes:
    """Return `index.json`.

    litdata keeps what it downloaded under the index's ``updated_at``, so that is made from the chunks' hashes instead of
    the time: other tokens never come from an old cache, and the same tokens give the same bytes.
    """
    state = hashlib.sha256("".join(chunk.sha256 for chunk in chunks).encode()).hexdigest()
    index = {
        "chunks": [
            {
                "chunk_bytes": chunk.n_bytes,
                "chunk_size": chunk.samples,
                "dim": chunk.samples * context,
                "filename": chunk.name,
            }
            for chunk in chunks
        ],
        "config": {
            "chunk_bytes": chunk_bytes,
            "chunk_size": None,
            "compression": None,
            "data_format": [_INT32],
            "data_spec": _ONE_LEAF,
            "encryption": None,
            "item_loader": "TokensLoader",
        },
        "updated_at": str(int(state[:12], 16)),
    }
    return json.dumps(index, sort_keys=True).encode()
