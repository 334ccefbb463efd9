"""Near-duplicates of some samples: members of the same clusters whose signatures agree with one of them on a share or more.

Clusters are those of family ``duplicates``; of their members alone signatures are read. Each is compared with the samples that were asked about,
not with what was found: a chain of likenesses ends after its first link.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headwater.arrays import Bools, Float64s, Int64s
from headwater.errors import CorruptLakeError, UsageError
from headwater.lineage.damaged_files import arrow_damage_told
from headwater.lineage.sample_sets import SampleSet
from headwater.warehouse.fragments import ROW_BITS
from headwater.warehouse.open_files import open_file
from headwater.warehouse.parquet import read_aligned
from headwater.warehouse.snapshot import Snapshot

__all__ = ["given_pairs", "near_duplicates"]

_VALUES: Final = 112
_ROWS: Final = 1 << 15
"""Signatures read at once: 15 MB."""
_PAIRS: Final = 1 << 16
"""Pairs compared at once: 60 MB."""


def near_duplicates(snapshot: Snapshot, samples: SampleSet, at_least: float) -> tuple[Int64s, Float64s]:
    """Return the other samples that carry the same content, by id, and for each the largest similarity to one of ``samples``.

    Args:
        at_least: share of equal signature values from which on two samples count; 1 for equal normalised texts too.

    Raises:
        UsageError: no share above 0.
    """
    if not 0 < at_least <= 1:
        raise UsageError(f"expected a similarity above 0 and at most 1, found {at_least:g}; --near 0.9 is usual")
    members, cluster = _members(snapshot, samples)
    given = samples.contains(members)
    if given.all():
        return np.empty(0, np.int64), np.empty(0, np.float64)
    signatures, texts = _signatures(snapshot, members)
    best = np.zeros(len(members))
    for left, right in given_pairs(cluster, given):
        agreed = (signatures[left] == signatures[right]).sum(axis=1) / _VALUES
        agreed[(signatures[left] == 0xFFFFFFFF).all(axis=1)] = 0.0
        agreed[texts[left] == texts[right]] = 1.0
        np.maximum.at(best, right, agreed)
    found = ~given & (best >= at_least)
    return members[found], best[found]


def _members(snapshot: Snapshot, samples: SampleSet) -> tuple[Int64s, Int64s]:
    """Return the members of the clusters that have one of some samples, and the number of each one's cluster; ids ascend."""
    covered = snapshot.covered("duplicates")
    known: set[bytes] = set()
    for fragment, column in _clusters(snapshot, np.intersect1d(samples.fragments, covered)):
        mine = samples.ids[samples.within(fragment)] - (fragment << ROW_BITS)
        known.update(column.take(pa.array(mine)).drop_null().to_pylist())
    wanted = pa.array(sorted(known), pa.binary())
    ids, numbers = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for fragment, column in _clusters(snapshot, covered if known else covered[:0]):
        number = pc.index_in(column, value_set=wanted, skip_nulls=True)
        rows = np.flatnonzero(number.is_valid().to_numpy(zero_copy_only=False))
        ids.append((fragment << ROW_BITS) + rows)
        numbers.append(number.drop_null().to_numpy().astype(np.int64))
    return np.concatenate(ids), np.concatenate(numbers)


def _clusters(snapshot: Snapshot, fragments: Int64s) -> Iterator[tuple[int, pa.Array]]:
    for where in snapshot.locate(fragments, ["duplicates"]):
        for table in read_aligned(snapshot.uri, where, {"duplicates": ["cluster_id"]}):
            yield where.fragment, table["cluster_id"].combine_chunks()


def _signatures(snapshot: Snapshot, members: Int64s) -> tuple[np.ndarray[tuple[int, int], np.dtype[np.uint32]], Int64s]:
    """Return the signatures of some samples, uint32 [n, 112], and a number each that is the same for equal normalised texts."""
    matrix = np.full((len(members), _VALUES), 0xFFFFFFFF, np.uint32)
    texts: list[bytes] = []
    for where in snapshot.locate(np.unique(members >> ROW_BITS), ["minhash"]):
        if "minhash" not in where.files:
            raise CorruptLakeError(
                f"expected signatures of fragment {where.fragment}, whose samples are in clusters, found none; run verify"
            )
        for ids, table in _batches(snapshot.uri, *where.files["minhash"]):
            begin, end = np.searchsorted(members, [ids[0], ids[-1] + 1]).tolist()
            found = table.take(pa.array(members[begin:end] - ids[0]))
            for row, value in enumerate(found["signature"].to_pylist(), start=begin):
                if value:
                    matrix[row] = np.frombuffer(value, "<u4")
            texts += found["normalized_hash"].to_pylist()
    # An empty text is like no other: it gets a number of its own.
    numbers = {text: number for number, text in enumerate(dict.fromkeys(texts))}
    same = [numbers[text] if text else -1 - row for row, text in enumerate(texts)]
    return matrix, np.array(same, np.int64)


def _batches(table_uri: str, path: str, group: int) -> Iterator[tuple[Int64s, pa.Table]]:
    """Yield ids, signatures and hashes of normalised texts of a fragment, some rows at a time: a fragment's signatures are half a gigabyte."""
    columns = ["sample_id", "signature", "normalized_hash"]
    with arrow_damage_told():
        for batch in open_file(table_uri, path).iter_batches(_ROWS, row_groups=[group], columns=columns):
            yield batch.column("sample_id").to_numpy(), pa.table(batch)


def given_pairs(cluster: Int64s, given: Bools, most: int = _PAIRS) -> Iterator[tuple[Int64s, Int64s]]:
    """Yield all pairs of a given member and another one of its cluster, at most ``most`` at once.

    >>> [[part.tolist() for part in pair] for pair in given_pairs(np.array([0, 1, 0, 0]), np.array([True, False, False, False]))]
    [[[0, 0], [2, 3]]]
    """
    others = np.flatnonzero(~given)
    others = others[np.argsort(cluster[others], kind="stable")]
    keys = cluster[others]
    mine = np.flatnonzero(given)
    begin, end = np.searchsorted(keys, cluster[mine]), np.searchsorted(keys, cluster[mine], side="right")
    ends = np.cumsum(end - begin)
    total = int(ends[-1]) if len(ends) else 0
    for first in range(0, total, most):
        pairs = np.arange(first, min(first + most, total))
        which = np.searchsorted(ends, pairs, side="right")
        within = pairs - (ends[which] - (end - begin)[which])
        yield mine[which], others[begin[which] + within]
