"""How many shards a change of the selection touches, when documents lie in shards by hash.

    python -m bench.rewritten_shards

Documents with hashes of their own go to packing buckets as a build sends them; of these some are moved, chosen by another hash. Prints one JSON
object: for each number of documents a shard and each share moved, the share of shards that hold a moved document, and the documents written again
over the documents moved. A shard is packed as a whole, so that ratio is what a revision or a new build pays.
"""

from __future__ import annotations

import argparse
import json
from hashlib import blake2b
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headwater.lineage.buckets import bucket_of, positions

_DOCUMENTS: Final = 1 << 21
_A_SHARD: Final = (16, 128, 1024, 65_536)
_MOVED: Final = (1e-6, 1e-4, 1e-2)


def touched(bucket: npt.NDArray[np.int64], moved: npt.NDArray[np.bool_], shards: int) -> tuple[float, float]:
    """Return the share of shards that hold a moved document, and documents written again over documents moved.

    >>> touched(np.array([0, 0, 0, 1]), np.array([True, False, False, False]), 2)
    (0.5, 3.0)
    """
    hit = np.bincount(bucket[moved], minlength=shards) > 0
    written = np.bincount(bucket, minlength=shards)[hit].sum()
    return float(hit.mean()), float(written / max(1, int(moved.sum())))


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=_DOCUMENTS, help="a power of two")
    arguments = parser.parse_args()
    n = arguments.documents
    hashes = [blake2b(str(document).encode(), digest_size=16).digest() for document in range(n)]
    position = positions(0, pa.array(hashes, pa.binary(16)), np.arange(n, dtype=np.int64))
    draw = np.random.default_rng(0).random(n)
    rows = []
    for a_shard in _A_SHARD:
        shards = n // a_shard
        bucket = bucket_of(position, shards)
        for share in _MOVED:
            hit, ratio = touched(bucket, draw < share, shards)
            rows.append(
                {
                    "documents_a_shard": a_shard,
                    "moved": share,
                    "shards_touched": round(hit, 4),
                    "written_over_moved": round(ratio, 1),
                }
            )
    print(json.dumps({"documents": n, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
