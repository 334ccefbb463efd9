"""Token rows on their way through Spark's shuffle: a row of Spark is a *chunk*, the documents of one batch of text that go to one shard.

Each column of a chunk holds the bytes of a NumPy array over its documents. So Spark moves a few large values instead of a row a
document, and sorts nothing: the documents of a shard are sorted here, once, when all are there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headwater.pipelines.spark.blocks import run_bounds
from headwater.tokenize.pack.placing import copy_tokens

__all__ = ["SHUFFLE_ROW", "TokenRows", "from_chunks", "to_chunks"]

_COLUMNS: Final[dict[str, str]] = {
    "position": "<u8",
    "content_hash": "V16",
    "origin": "<i8",
    "copy": "<i4",
    "sample_id": "<i8",
    "n_tokens": "<i8",
}
SHUFFLE_ROW: Final = "slot int, " + ", ".join(f"{name} binary" for name in [*_COLUMNS, "tokens"])
"""Spark's schema of a chunk."""
_CHUNK_TOKENS: Final = 8 << 20
"""Most tokens of the chunks that leave a task at once, one document at least: copies may be many."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TokenRows:
    """Documents with their tokens.

    Attributes:
        position: uint64 [n].
        content_hash: V16 [n], 16 bytes each.
        origin: int64 [n].
        copy: int32 [n], 0-based copy of the sample.
        sample_id: int64 [n].
        begin: int64 [n], first token of each in `tokens`.
        n_tokens: int64 [n].
        tokens: uint32, of all documents; those of copies may be shared.
    """

    position: npt.NDArray[np.uint64]
    content_hash: npt.NDArray[np.void]
    origin: npt.NDArray[np.int64]
    copy: npt.NDArray[np.int32]
    sample_id: npt.NDArray[np.int64]
    begin: npt.NDArray[np.int64]
    n_tokens: npt.NDArray[np.int64]
    tokens: npt.NDArray[np.uint32]

    def __len__(self) -> int:
        """Return the number of documents."""
        return len(self.position)


def to_chunks(slot: npt.NDArray[np.int64], rows: TokenRows) -> Iterator[pa.RecordBatch]:
    """Yield the chunks of documents, one a slot, by ascending slot; in a slot documents keep their order.

    Args:
        slot: int64 [n], where each document goes.
        rows: n documents.
    """
    order = np.argsort(slot, kind="stable")
    ends = np.cumsum(rows.n_tokens[order])
    begin = 0
    while begin < len(order):
        limit = (ends[begin - 1] if begin else 0) + _CHUNK_TOKENS
        end = max(begin + 1, int(np.searchsorted(ends, limit, side="right")))
        yield _chunks(slot, rows, order[begin:end])
        begin = end


def _chunks(slot: npt.NDArray[np.int64], rows: TokenRows, chosen: npt.NDArray[np.int64]) -> pa.RecordBatch:
    slots = slot[chosen]
    bounds = run_bounds(slots)
    columns: dict[str, pa.Array] = {"slot": pa.array(slots[bounds[:-1]].astype(np.int32))}
    for name, kind in _COLUMNS.items():
        values = np.ascontiguousarray(getattr(rows, name)[chosen].astype(kind, copy=False))
        columns[name] = _binary(values, bounds)
    lengths = rows.n_tokens[chosen]
    ends = np.concatenate([[0], np.cumsum(lengths)])
    tokens = np.empty(int(ends[-1]), np.dtype("<u4"))
    copy_tokens(rows.tokens, rows.begin[chosen], lengths, ends[:-1], tokens)
    columns["tokens"] = _binary(tokens, ends[bounds])
    return pa.record_batch(columns)


def _binary(values: npt.NDArray[np.generic], bounds: npt.NDArray[np.int64]) -> pa.BinaryArray:
    """Return the bytes of `values` from each bound to the next, without copying them."""
    offsets = pa.py_buffer((bounds * values.itemsize).astype(np.int32))
    data = pa.py_buffer(values.view(np.uint8))
    return pa.BinaryArray.from_buffers(pa.binary(), len(bounds) - 1, [None, offsets, data])


def from_chunks(chunks: Sequence[pa.RecordBatch]) -> TokenRows:
    """Return the documents of one slot in their final order: by position, then content hash, origin and copy.

    Args:
        chunks: batches of chunks of that slot alone.

    Their tokens lie one after the other in that order. Memory: the tokens once more.
    """
    parts = {name: [_values(batch.column(name), kind) for batch in chunks] for name, kind in _COLUMNS.items()}
    found = {name: np.concatenate([np.empty(0, _COLUMNS[name]), *arrays]) for name, arrays in parts.items()}
    halves = found["content_hash"].view(">u8").reshape(-1, 2)
    order = np.lexsort((found["copy"], found["origin"], halves[:, 1], halves[:, 0], found["position"]))
    rows = {name: column[order] for name, column in found.items()}
    begin = np.cumsum(rows["n_tokens"]) - rows["n_tokens"]
    target = np.empty_like(begin)
    target[order] = begin
    tokens = np.empty(int(rows["n_tokens"].sum()), np.uint32)
    at = 0
    for batch, lengths in zip(chunks, parts["n_tokens"], strict=True):
        source = np.cumsum(lengths) - lengths
        copy_tokens(_values(batch.column("tokens"), "<u4"), source, lengths, target[at : at + len(lengths)], tokens)
        at += len(lengths)
    return TokenRows(**rows, begin=begin, tokens=tokens)


def _values(column: pa.BinaryArray, kind: str) -> npt.NDArray[Any]:  # Any: of the kind
    """Return the values of all rows of a column of chunks, one row after the other, without copying them."""
    _, offsets, data = column.buffers()
    if len(column) == 0 or data is None:  # of empty values there may be no buffer
        return np.empty(0, kind)
    ends = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
    return np.frombuffer(data, np.uint8)[ends[0] : ends[-1]].view(kind)
