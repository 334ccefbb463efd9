"""The index from hosts and registered domains to samples, by which a takedown or a question finds them without reading a URL."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headwater.hashes import short_hashes

__all__ = ["host_index"]


def host_index(captures: pa.Table) -> pa.Table:
    """Return the rows of family ``host_index``: one for each sample with a host, sorted by domain, host and sample.

    Sorted so, its hashes lie in long runs: a few bytes a sample on disk.

    Args:
        captures: sample_id, host, registered_domain and run_id.
    """
    named = captures.filter(pc.is_valid(captures["host"])).combine_chunks()
    table = pa.table(
        {
            "sample_id": named["sample_id"],
            "domain_hash": _hashes(named["registered_domain"]),
            "host_hash": _hashes(named["host"]),
            "run_id": named["run_id"],
        }
    )
    return table.sort_by([("domain_hash", "ascending"), ("host_hash", "ascending"), ("sample_id", "ascending")])


def _hashes(names: pa.ChunkedArray) -> pa.Array:
    """Return int64 [n]: ``short_hashes`` of each name, none of them null."""
    encoded = pa.chunked_array(names).combine_chunks().dictionary_encode() if names.num_chunks else None
    if encoded is None:
        return pa.array(np.empty(0, np.int64))
    return pa.array(short_hashes(encoded.dictionary.to_pylist())[encoded.indices.to_numpy()])
