"""MosaicML's MDS, version 2, written without the library: shards, and the `index.json` that names them with their hashes.

A shard is little-endian: uint32 number of samples; uint32 offset of each sample in the file and one more for the end; the
columns' description as JSON with sorted keys; the samples. A sample is the uint32 size of each column of variable size, then
the columns' values, columns in the order of their names. An array of variable length is a byte (dimensions << 2 | log2 of
the bytes of a length), the length, the values; it cannot be empty. Read by mosaicml-streaming 0.13
(`streaming/base/format/mds/writer.py`, `encodings.py`).
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
import pyarrow as pa

from headwater.errors import UsageError
from headwater.plain import JsonObject
from headwater.tokenize.shards.xxh64 import xxh64

__all__ = ["MdsShard", "mds_index", "mds_shard", "shard_file_name"]

_HASHES: Final = ("sha1", "xxh64")
_LARGEST: Final = (1 << 32) - 1

_COLUMNS: Final = {
    "content_hash": ("bytes", None),
    "copy": ("ndarray:int32", None),
    "origin": ("ndarray:int64", None),
    "run_begin": ("ndarray:int32", None),
    "run_end": ("ndarray:int32", None),
    "sample_token_begin": ("ndarray:int64", None),
    "sequence": ("int64", 8),
    "shard": ("int32", 4),
}
"""Encoding and fixed size of each column but the tokens: the sequence's place in the build, and a value for each run inside it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MdsShard:
    """What the index says of a shard.

    Attributes:
        name: file name.
        samples: sequences.
        n_bytes: size.
        hashes: name of the hash → hexadecimal digits.
    """

    name: str
    samples: int
    n_bytes: int
    hashes: dict[str, str]


def shard_file_name(number: int) -> str:
    """Return the name of a shard's file.

    >>> shard_file_name(7)
    'shard.00007.mds'
    """
    return f"shard.{number:05d}.mds"


def _description(context: int, size_limit: int) -> JsonObject:
    columns = dict(sorted((_COLUMNS | {"tokens": (f"ndarray:int32:{context}", 4 * context)}).items()))
    return {
        "column_encodings": [encoding for encoding, _ in columns.values()],
        "column_names": list(columns),
        "column_sizes": [size for _, size in columns.values()],
        "compression": None,
        "format": "mds",
        "hashes": list(_HASHES),
        "size_limit": size_limit,
        "version": 2,
    }


def _array(values: npt.NDArray[np.generic]) -> bytes:
    """Return an array of one dimension and at least one value as MDS encodes it where its length varies."""
    width = 0 if len(values) < 1 << 8 else 1 if len(values) < 1 << 16 else 2
    return bytes([1 << 2 | width]) + len(values).to_bytes(1 << width, "little") + values.tobytes()


def mds_shard(
    sequences: npt.NDArray[np.uint32], boundaries: pa.Table, *, number: int, shard: int, first: int, size_limit: int
) -> tuple[bytes, MdsShard]:
    """Return the bytes of an MDS shard and what the index says of it.

    Args:
        sequences: uint32 [n_sequences, context]; tokens are written as int32, which every version of torch has.
        boundaries: of these sequences, with the columns of `boundaries.SCHEMA`; `sequence` counts from `first`.
        number: of the MDS shard.
        shard: of the build's shard that the sequences come from.
        first: number of the first sequence in the build's shard.
        size_limit: what the index states; nothing is cut here.

    Raises:
        UsageError: a sequence without a document, which MDS could not hold, or more than 4 GiB.
    """
    count, context = sequences.shape
    bounds = np.searchsorted(boundaries["sequence"].to_numpy(), np.arange(first, first + count + 1))
    if (np.diff(bounds) == 0).any():
        raise UsageError("mds: expected a document in every sequence, found one that is padding alone")
    start = boundaries["sequence"].to_numpy() * context
    columns: dict[str, npt.NDArray[np.signedinteger]] = {
        "run_begin": (boundaries["token_begin"].to_numpy() - start).astype("<i4"),
        "run_end": (boundaries["token_end"].to_numpy() - start).astype("<i4"),
        "copy": boundaries["copy"].to_numpy().astype("<i4"),
        "origin": boundaries["origin"].to_numpy().astype("<i8"),
        "sample_token_begin": boundaries["sample_token_begin"].to_numpy().astype("<i8"),
    }
    content = boundaries["content_hash"].to_pylist()
    description = _description(context, size_limit)
    names = [
        name for name, size in zip(description["column_names"], description["column_sizes"], strict=True) if not size
    ]
    samples: list[bytes] = []
    for row, (begin, end) in enumerate(zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)):
        values = {name: _array(array[begin:end]) for name, array in columns.items()}
        values["content_hash"] = b"".join(content[begin:end])
        head = struct.pack(f"<{len(names)}I", *(len(values[name]) for name in names))
        # Columns in the order of their names: those of variable size up to `sample_token_begin`, then the place, then the tokens.
        place = struct.pack("<qi", first + row, shard)
        samples.append(head + b"".join(values[name] for name in names) + place + sequences[row].tobytes())
    text = json.dumps(description, sort_keys=True).encode()
    offsets = np.cumsum([4 + 4 * (count + 1) + len(text), *map(len, samples)])
    if offsets[-1] > _LARGEST:
        raise UsageError(f"mds: expected at most 4 GiB a shard, found {offsets[-1]} bytes; make chunks smaller")
    data = b"".join([struct.pack("<I", count), offsets.astype("<u4").tobytes(), text, *samples])
    # SHA-1 is what the index of this format wants; nothing is signed with it.
    hashes = {"sha1": hashlib.sha1(data, usedforsecurity=False).hexdigest(), "xxh64": xxh64(data)}
    return data, MdsShard(name=shard_file_name(number), samples=count, n_bytes=len(data), hashes=hashes)


def mds_index(shards: Sequence[MdsShard], *, context: int, size_limit: int) -> bytes:
    """Return `index.json`: version 2, and each shard's columns, samples, size and hashes."""
    described = [
        _description(context, size_limit)
        | {
            "raw_data": {"basename": shard.name, "bytes": shard.n_bytes, "hashes": shard.hashes},
            "samples": shard.samples,
            "zip_data": None,
        }
        for shard in shards
    ]
    return json.dumps({"shards": described, "version": 2}, sort_keys=True).encode()
