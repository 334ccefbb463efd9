"""The sidecar of a shard, `<shard>.boundaries.parquet`: which document every run of tokens comes from.

It holds nothing that depends on the order of ingest or on the time, so the same documents give the same bytes (with the same
version of pyarrow, whose name stands in every Parquet file).
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, BinaryIO, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from headwater.errors import UsageError
from headwater.tokenize.shards.files import write_buffers

if TYPE_CHECKING:
    from headwater.tokenize.pack.strategies import (
        Packed,  # packing compiles; who only names formats need not wait for it
    )

__all__ = ["SCHEMA", "boundaries_table", "write_boundaries"]

_FIELDS: Final[dict[str, tuple[pa.DataType, str]]] = {
    "sequence": (pa.int64(), "0-based number of the sequence in the shard"),
    "token_begin": (pa.int64(), "first token of the run in the shard"),
    "token_end": (pa.int64(), "first token after it, a beginning or end of text included"),
    "sample_token_begin": (
        pa.int64(),
        "first token within the document's own tokens, numbered from 0; -1 is its beginning of text",
    ),
    "content_hash": (pa.binary(16), "BLAKE2b-128 of the sample's text"),
    "origin": (pa.int64(), "64-bit hash of where the record came from, as in the lake"),
    "copy": (pa.int32(), "0-based copy of the sample"),
    "begins": (pa.bool_(), "the document begins where the run does, with a beginning of text where the stage has them"),
    "ends": (pa.bool_(), "the document ends where the run does, with an end of text where the stage has them"),
}

SCHEMA: Final = pa.schema(
    [pa.field(name, kind, nullable=False, metadata={"meaning": meaning}) for name, (kind, meaning) in _FIELDS.items()],
    metadata={"headwater.format": "2"},
)
"""Runs in the order of their tokens; tokens that no run covers are padding."""


def boundaries_table(
    packed: Packed,
    content_hash: pa.Array,
    origin: pa.Array,
    copy: pa.Array,
    *,
    first: int = 0,
    last: int | None = None,
) -> pa.Table:
    """Return the sidecar of the sequences `first` to `last` (excluded; None: to the end), numbered from 0.

    Args:
        packed: from `packing.pack`.
        content_hash: binary(16) or binary [n_documents].
        origin: int64 [n_documents].
        copy: int32 [n_documents].
        first: first sequence of the shard.
        last: sequence after its last.
    """
    context = packed.sequences.shape[1]
    last = len(packed.sequences) if last is None else last
    begin, end = np.searchsorted(packed.sequence, [first, last])
    sequence = packed.sequence[begin:end] - first
    token_begin = sequence * context + packed.begin[begin:end]
    document = pa.array(packed.document[begin:end])
    columns = [
        pa.array(sequence),
        pa.array(token_begin),
        pa.array(token_begin + packed.length[begin:end]),
        pa.array(packed.document_begin[begin:end]),
        content_hash.take(document).cast(pa.binary(16)),
        origin.take(document).cast(pa.int64()),
        copy.take(document).cast(pa.int32()),
        pa.array(packed.begins[begin:end]),
        pa.array(packed.ends[begin:end]),
    ]
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def write_boundaries(stream: BinaryIO, table: pa.Table) -> None:
    """Write the sidecar with fixed settings: zstd level 3, row groups of 2^18 rows, page checksums.

    Raises:
        UsageError: the table has another schema than `SCHEMA`.
    """
    if not table.schema.equals(SCHEMA, check_metadata=True):
        raise UsageError(f"boundaries: expected the columns {SCHEMA.names} of SCHEMA, found {table.schema.names}")
    buffer = io.BytesIO()  # about 30 bytes a run, so a shard's sidecar fits in memory
    pq.write_table(
        table.combine_chunks(),
        buffer,
        version="2.6",
        compression="zstd",
        compression_level=3,
        row_group_size=1 << 18,
        use_dictionary=["copy"],
        write_page_checksum=True,
        store_schema=False,
    )
    write_buffers(stream, [buffer.getvalue()])
