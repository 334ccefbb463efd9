"""Which files a shard has in each format, and what writes them.

All formats of a shard hold the same sequences in the same order, so one set of placements describes them all.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headwater.tokenize.shards import dolma_sidecar, megatron, npy, token_parquet
from headwater.tokenize.shards.boundaries import write_boundaries

__all__ = ["shard_writers"]


def shard_writers(
    sequences: npt.NDArray[np.uint32], boundaries: pa.Table, formats: Collection[str]
) -> dict[str, Callable[[BinaryIO], None]]:
    """Return what writes each file of a shard, by the end of its name; the sidecar is always among them.

    Args:
        sequences: uint32 [n_sequences, context].
        boundaries: the sidecar, with the columns of `boundaries.SCHEMA`.
        formats: of `names.FORMATS`.
    """
    count, context = sequences.shape
    files: dict[str, Callable[[BinaryIO], None]] = {}
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
