"""In which shard of a stage a copy of a sample lies: it follows from its content and the build's seed, and needs not be stored to be found."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headwater.hashes import bytes_of_hashes, mix_hashes

__all__ = ["bucket_of", "copy_positions", "positions"]


def positions(seed: int, content_hash: pa.Array, origin: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
    """Return uint64 [n]: SplitMix64's finaliser over seed, content hash and origin; the last ties fall by these themselves."""
    return mix_hashes("order", seed, bytes_of_hashes(content_hash), origin)


def bucket_of(position: npt.NDArray[np.uint64], shards: int) -> npt.NDArray[np.int64]:
    """Return the first bits of each position, as a number below ``shards``, a power of two up to 2^32."""
    return ((position >> np.uint64(32)) >> np.uint64(33 - shards.bit_length())).astype(np.int64)


def copy_positions(
    position: npt.NDArray[np.uint64], copies: npt.NDArray[np.int64], copy: npt.NDArray[np.int64]
) -> npt.NDArray[np.uint64]:
    """Return uint64 [n]: where a copy of a sample lies, moved by copy / copies of the whole range; the shard is its ``bucket_of``."""
    with np.errstate(over="ignore"):
        return position + (np.uint64(2**64 - 1) // copies.astype(np.uint64)) * copy.astype(np.uint64)
