"""A shard as Parquet: a row is a sequence, with its tokens and the documents inside it.

Tokens are `list<int32>`: DuckDB, Spark, pyarrow and `datasets` read it as a list of integers, where a list of unsigned or of
fixed length is one of them's exception. No id of a vocabulary reaches 2^31.
"""

from __future__ import annotations

from typing import BinaryIO, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from headwater.errors import UsageError

__all__ = ["SCHEMA", "write_sequences"]

_ROW_GROUP_TOKENS: Final = 1 << 22
"""Tokens of a row group, about: what a reader that streams holds, 16 MB."""

_FIELDS: Final[dict[str, tuple[pa.DataType, str]]] = {
    "sequence": (pa.int64(), "0-based number of the sequence in the shard"),
    "tokens": (
        pa.list_(pa.field("element", pa.int32(), nullable=False)),
        "the sequence's token ids, as many as the context",
    ),
    "run_begin": (
        pa.list_(pa.field("element", pa.int32(), nullable=False)),
        "first token of each run in the sequence, in order",
    ),
    "run_end": (
        pa.list_(pa.field("element", pa.int32(), nullable=False)),
        "first token after each run; what no run covers is padding",
    ),
    "sample_token_begin": (
        pa.list_(pa.field("element", pa.int64(), nullable=False)),
        "first token of each run within its document's own tokens, numbered from 0; -1 is its beginning of text",
    ),
    "content_hash": (pa.list_(pa.field("element", pa.binary(), nullable=False)), "BLAKE2b-128 of each run's sample"),
    "origin": (
        pa.list_(pa.field("element", pa.int64(), nullable=False)),
        "64-bit hash of where each run's record came from",
    ),
    "copy": (pa.list_(pa.field("element", pa.int32(), nullable=False)), "0-based copy of each run's sample"),
}

SCHEMA: Final = pa.schema(
    [pa.field(name, kind, nullable=False, metadata={"meaning": meaning}) for name, (kind, meaning) in _FIELDS.items()],
    metadata={"headwater.format": "1"},
)


def write_sequences(stream: BinaryIO, sequences: npt.NDArray[np.uint32], boundaries: pa.Table) -> None:
    """Write a row a sequence with fixed settings: zstd level 3, row groups of about 4M tokens, page checksums.

    Args:
        stream: binary stream.
        sequences: uint32 [n_sequences, context].
        boundaries: of the shard, with the columns of `boundaries.SCHEMA`, in the order of tokens.

    Raises:
        UsageError: sequences of another type or shape.
    """
    if sequences.dtype != np.dtype("<u4") or sequences.ndim != 2:
        raise UsageError(f"parquet: expected uint32 in two dimensions, found {sequences.dtype} in {sequences.ndim}")
    count, context = sequences.shape
    step = max(1, _ROW_GROUP_TOKENS // max(context, 1))
    bounds = np.searchsorted(boundaries["sequence"].to_numpy(), np.arange(count + 1))
    writer = pq.ParquetWriter(
        stream,
        SCHEMA,
        version="2.6",
        compression="zstd",
        compression_level=3,
        use_dictionary=["copy.list.element"],
        write_page_checksum=True,
        write_statistics=["sequence"],
        store_schema=False,
    )
    with writer:
        for first in range(0, count, step):
            last = min(count, first + step)
            writer.write_table(_rows(sequences, boundaries, bounds, first, last), row_group_size=step)


def _rows(
    sequences: npt.NDArray[np.uint32], boundaries: pa.Table, bounds: npt.NDArray[np.int64], first: int, last: int
) -> pa.Table:
    context = sequences.shape[1]
    runs = boundaries.slice(int(bounds[first]), int(bounds[last] - bounds[first])).combine_chunks()
    offsets = (bounds[first : last + 1] - bounds[first]).astype(np.int32)
    start = runs["sequence"].to_numpy() * context
    columns = {
        "tokens": (np.arange(last - first + 1) * context, sequences[first:last].reshape(-1).view(np.int32)),
        "run_begin": (offsets, (runs["token_begin"].to_numpy() - start).astype(np.int32)),
        "run_end": (offsets, (runs["token_end"].to_numpy() - start).astype(np.int32)),
    } | {name: (offsets, runs[name]) for name in ("sample_token_begin", "content_hash", "origin", "copy")}
    arrays = [pa.array(np.arange(first, last))]
    for name in SCHEMA.names[1:]:
        begin, values = columns[name]
        kind = SCHEMA.field(name).type
        flat = pa.array(values) if isinstance(values, np.ndarray) else pa.chunked_array(values).combine_chunks()
        if isinstance(flat, pa.ChunkedArray):
            flat = pa.concat_arrays(flat.chunks)
        arrays.append(pa.ListArray.from_arrays(pa.array(begin, pa.int32()), flat.cast(kind.value_type), type=kind))
    return pa.Table.from_arrays(arrays, schema=SCHEMA)
