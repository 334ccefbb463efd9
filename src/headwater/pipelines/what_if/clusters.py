"""Clusters of duplicates that a change of the rules reaches: who would win them, without comparing texts again.

Who is a duplicate of whom was decided by signatures among the samples that passed. A change is followed through what was recorded:

1. A kept sample that still passes stays.
2. A duplicate stays one while the sample that it names stays. Of the duplicates of a sample that goes, the best that passes takes its place.
3. A sample that passes now and did not before is a duplicate where its cluster keeps another; else the best of them stays.

The best is what ``decide`` would take first: by quality, length, content hash, origin, address. Two samples of a cluster are taken for
duplicates of each other where nothing is recorded; ``decide`` compares them and may keep both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headwater.arrays import Bools, Int64s
from headwater.hashes import halves_of_hashes

__all__ = ["Members", "elect_members", "order_members"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Members:
    """Samples of clusters, best first within each cluster.

    Attributes:
        cluster: number of the cluster, ascending, int64 [n].
        ids: sample ids, int64 [n].
        kept: as recorded, bool [n].
        duplicate: rejected as a duplicate and by no rule, as recorded, bool [n].
        winner: row of the sample that a duplicate names, -1 where there is none: then it stays a duplicate, int64 [n].
    """

    cluster: Int64s
    ids: Int64s
    kept: Bools
    duplicate: Bools
    winner: Int64s


def order_members(table: pa.Table) -> tuple[Members, Int64s]:
    """Return the members of clusters in order, and the rows of ``table`` in that order.

    Args:
        table: sample_id, cluster_id, quality, text_bytes, content_hash, origin, kept, duplicate, duplicate_of.
    """
    table = table.combine_chunks()
    ids = table["sample_id"].to_numpy()
    clusters = halves_of_hashes(table["cluster_id"])
    content = halves_of_hashes(table["content_hash"])
    quality = pc.fill_null(table["quality"], 0).to_numpy().astype(np.int64)
    size = table["text_bytes"].to_numpy()
    origin = table["origin"].to_numpy()
    order = np.lexsort((ids, origin, content[:, 1], content[:, 0], -size, -quality, clusters[:, 1], clusters[:, 0]))
    sorted_clusters = clusters[order]
    first = np.ones(len(order), bool)
    first[1:] = (sorted_clusters[1:] != sorted_clusters[:-1]).any(axis=1)
    named = pc.fill_null(table["duplicate_of"], -1).to_numpy()[order]
    by_id = np.argsort(ids[order])
    at = np.minimum(np.searchsorted(ids[order][by_id], named), max(0, len(order) - 1))
    winner = by_id[at] if len(order) else at
    winner = np.where(ids[order][winner] == named, winner, -1) if len(order) else winner
    members = Members(
        cluster=np.cumsum(first) - 1,
        ids=ids[order],
        kept=table["kept"].to_numpy()[order],
        duplicate=table["duplicate"].to_numpy()[order],
        winner=winner,
    )
    return members, order


def elect_members(members: Members, passes: Bools) -> Bools:
    """Return who would be kept, bool [n], if those passed the rules.

    >>> members = Members(
    ...     cluster=np.array([0, 0, 0]), ids=np.array([7, 8, 9]), kept=np.array([True, False, False]),
    ...     duplicate=np.array([False, True, False]), winner=np.array([-1, 0, -1]),
    ... )
    >>> elect_members(members, np.array([True, True, True])).tolist()
    [True, False, False]
    >>> elect_members(members, np.array([False, True, True])).tolist()
    [False, True, False]
    >>> elect_members(members, np.array([False, False, True])).tolist()
    [False, False, True]
    """
    stays = members.kept & passes
    if len(stays) == 0:
        return stays
    elected = stays.copy()
    holds = (members.winner < 0) | stays[members.winner]
    orphans = np.flatnonzero(members.duplicate & passes & ~holds)
    elected[orphans[np.unique(members.winner[orphans], return_index=True)[1]]] = True
    has_one = np.zeros(int(members.cluster[-1]) + 1, bool)
    has_one[members.cluster[elected]] = True
    fresh = np.flatnonzero(~members.kept & ~members.duplicate & passes & ~has_one[members.cluster])
    elected[fresh[np.unique(members.cluster[fresh], return_index=True)[1]]] = True
    return elected
