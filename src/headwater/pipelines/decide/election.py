"""The election in a cluster: among samples that pass the rules, those that are like a better one lose to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import pyarrow as pa

from headwater.filters.duplicates.agreement import signature_matrix
from headwater.filters.duplicates.pairs import elect_winners
from headwater.hashes import halves_of_hashes
from headwater.pipelines.spark.blocks import run_bounds

__all__ = ["LOSER", "find_losers"]

LOSER: Final = "sample_id long, duplicate_of long, similarity float, same_text boolean"
"""Spark's schema of a sample that lost."""
_SHORT_SHINGLES: Final = 20


def find_losers(min_agreement: int, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield the samples that are duplicates of a better one, with the winner that each names; runs in a Spark task.

    Of a cluster that is cut between batches only its winners are held.

    Args:
        min_agreement: equal values of two signatures that make a duplicate.
        batches: candidates by cluster, best first: sample_id, cluster_id, content_hash, signature, n_shingles and normalized_hash.
    """
    leaders: pa.Table | None = None
    for batch in batches:
        table = pa.Table.from_batches([batch])
        held = 0 if leaders is None else leaders.num_rows
        table = table if leaders is None else pa.concat_tables([leaders, table])
        if table.num_rows == 0:
            continue
        table = table.combine_chunks()
        cluster = table["cluster_id"].combine_chunks().dictionary_encode().indices.to_numpy()
        offsets = run_bounds(cluster)
        signatures = signature_matrix(table["signature"])
        content = halves_of_hashes(table["content_hash"])
        normalized = halves_of_hashes(table["normalized_hash"], missing_as_zeros=True)
        short = table["n_shingles"].to_numpy() < _SHORT_SHINGLES
        winner, similarity = elect_winners(signatures, offsets, content, normalized, short, min_agreement)
        lost = np.flatnonzero(winner >= 0)
        lost = lost[lost >= held]
        ids = table["sample_id"].to_numpy()
        same = (content[lost] == content[winner[lost]]).all(axis=1)
        yield pa.record_batch(
            {
                "sample_id": pa.array(ids[lost]),
                "duplicate_of": pa.array(ids[winner[lost]]),
                "similarity": pa.array(similarity[lost], pa.float32()),
                "same_text": pa.array(same),
            }
        )
        last = np.arange(offsets[-2], offsets[-1])
        leaders = table.take(pa.array(last[winner[last] < 0]))
