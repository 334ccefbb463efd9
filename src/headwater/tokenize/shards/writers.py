"""Which files a shard has in each format, and what writes them; what reads its tokens back from any of them.

All formats of a shard hold the same sequences in the same order, so one set of placements describes them all.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import BinaryIO, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headwater.errors import CorruptLakeError
from headwater.tokenize.shards import dolma_sidecar, megatron, npy, token_parquet
from headwater.tokenize.shards.boundaries import write_boundaries
from headwater.tokenize.shards.files import WrittenFile

__all__ = ["SUFFIXES", "read_shard_tokens", "shard_writers", "token_suffix"]

"""What `[build] formats` may name."""

SUFFIXES: Final = (".bin", ".npy", ".dolma.npy", ".tokens.parquet")
"""How the files that hold a shard's tokens end, the cheapest to read first."""

_NPY_HEADER_BYTES: Final = 128


def shard_writers(
    sequences: npt.NDArray[np.uint32], boundaries: pa.Table, formats: Collection[str]
) -> dict[str, Callable[[BinaryIO], WrittenFile]]:
    """Return what writes each file of a shard, by the end of its name; the sidecar is always among them.

    Args:
        sequences: uint32 [n_sequences, context].
        boundaries: the sidecar, with the columns of `boundaries.SCHEMA`.
        formats: of `names.FORMATS`.
    """
    count, context = sequences.shape
    files: dict[str, Callable[[BinaryIO], WrittenFile]] = {}
    if "megatron" in formats:
        files[".bin"] = partial(megatron.write_tokens, sequences=sequences)
        files[".idx"] = partial(megatron.write_index, n_sequences=count, context=context)
    if "npy" in formats:
        files[".npy"] = partial(npy.write_tokens, sequences=sequences)
        files[".csv.gz"] = partial(dolma_sidecar.write_rows, boundaries=boundaries)
    if "dolma" in formats:
        files[".dolma.npy"] = partial(dolma_sidecar.write_tokens, sequences=sequences)
        files[".dolma.csv.gz"] = partial(dolma_sidecar.write_rows, boundaries=boundaries)
    if "parquet" in formats:
        files[".tokens.parquet"] = partial(token_parquet.write_sequences, sequences=sequences, boundaries=boundaries)
    files[".boundaries.parquet"] = partial(write_boundaries, table=boundaries)
    return files


def read_shard_tokens(suffix: str, data: bytes, context: int, where: str) -> npt.NDArray[np.uint32]:
    """Return the sequences of a shard from one of its files, uint32 [n_sequences, context].

    Args:
        suffix: of `SUFFIXES`.
        data: the whole file.
        context: tokens a sequence.
        where: the file's name, for messages.

    Raises:
        CorruptLakeError: the file is cut off.
    """
    if suffix == ".tokens.parquet":
        return token_parquet.read_tokens(io.BytesIO(data), context)
    begin = _NPY_HEADER_BYTES if suffix == ".npy" else 0
    if len(data) < begin or (len(data) - begin) % (4 * context):
        raise CorruptLakeError(f"expected whole sequences of {context} tokens in {where}, found {len(data)} bytes")
    return np.frombuffer(data, dtype="<u4", offset=begin).reshape(-1, context)


def token_suffix(names: Sequence[str]) -> str | None:
    """Return the suffix of the cheapest file of tokens among a shard's files, None where there is none.

    >>> token_suffix(["shard-00000.dolma.npy", "shard-00000.dolma.csv.gz"])
    '.dolma.npy'
    """
    ends = {name[name.index(".") :] for name in names}
    return next((suffix for suffix in SUFFIXES if suffix in ends), None)
