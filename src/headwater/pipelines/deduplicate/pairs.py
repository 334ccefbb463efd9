"""Verified pairs: who shares a band, and whose signatures agree.

A *node* is a normalised text. Four kinds of task, three exchanges between them:

1. the bands of each fragment's texts, sent by band: 32 bytes a band, 448 a text that has bands;
2. bands that several nodes share, one of them new: each member's address is sent to the task that reads its fragment. Most bands are their
   text's own and go no further; buckets with the same members as another count once;
3. the signatures of those members only, read from their fragments, sent by bucket: 489 bytes a node and bucket;
4. a bucket is solved whole in one task, all its pairs compared: `connect_bucket`.

A bucket must fit a worker. Clusters of an earlier run take part as one: their name stands for all their nodes.
"""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headwater.filters.duplicates.agreement import signature_matrix
from headwater.filters.duplicates.minhash import N_PERMUTATIONS
from headwater.filters.duplicates.pairs import connect_bucket
from headwater.hashes import Halves, halves_of_hashes, splitmix64
from headwater.pipelines.deduplicate.components import EDGE
from headwater.pipelines.spark.blocks import (
    FLUSH_BYTES,
    Block,
    Records,
    exchange,
    gather,
    partitions_of,
    route,
    run_begins,
    run_bounds,
)
from headwater.warehouse.fragments import ROW_BITS
from headwater.warehouse.parquet import FragmentFiles, read_aligned

if TYPE_CHECKING:
    from pyspark import RDD, SparkContext

__all__ = ["FragmentSource", "verified_pairs"]

FragmentSource = tuple[FragmentFiles, bool]
"""A fragment, and whether no earlier run has clustered it."""

_TASKS_PER_SLOT: Final = 4
_BANDS: Final = 14
_NEW: Final = np.uint64(1 << 63)
"""Set in the address of a new text, so that of a node's addresses an old one is the smallest: it knows the node's cluster."""
_BANDED: Final = np.dtype([("band", "<u8"), ("hi", "<u8"), ("lo", "<u8"), ("address", "<u8")])
_WANTED: Final = np.dtype([("address", "<u8"), ("bucket", "<u8", (2,))])
_SIGNED: Final = np.dtype(
    [
        ("bucket", "<u8", (2,)),
        ("node", "<u8", (2,)),
        ("name", "<u8", (2,)),
        ("new", "?"),
        ("signature", "<u4", (N_PERMUTATIONS,)),
    ]
)


def verified_pairs(
    context: SparkContext, table_uri: str, sources: Sequence[FragmentSource], texts: int, min_agreement: int
) -> RDD[bytes]:
    """Return blocks of ``EDGE`` rows: pairs that the new texts bring, as names of the components that they join.

    The name of a new node is itself; of an old one its cluster, or itself while it was alone.

    Args:
        sources: every fragment with signatures, ascending.
        texts: how many they hold.
        min_agreement: equal signature values that make a pair. All 112 make none: that is said of equal nodes alone, as in an election.
    """
    if min_agreement == N_PERMUTATIONS:
        return context.parallelize([])
    slots = int(context.defaultParallelism)
    by_band = partitions_of(texts * _BANDS * _BANDED.itemsize, slots)
    by_bucket = partitions_of(2 * texts * _SIGNED.itemsize, slots)
    tasks = max(1, min(len(sources), _TASKS_PER_SLOT * slots))
    starts = np.array(
        [sources[len(sources) * task // tasks][0].fragment for task in range(tasks)] if sources else [0], np.int64
    )
    banded = context.parallelize(sources, tasks).mapPartitions(partial(_band_rows, table_uri, by_band))
    wanted = exchange(banded, by_band).mapPartitions(partial(_shared, starts))
    owners = np.searchsorted(starts, [source[0].fragment for source in sources], side="right") - 1
    bounds = run_bounds(owners).tolist()
    readers = [
        (int(owners[begin]), (1, pickle.dumps(list(sources[begin:end])))) for begin, end in itertools.pairwise(bounds)
    ]
    asked = wanted.union(context.parallelize(readers, max(1, len(readers) // 1024)))
    signed = exchange(asked, tasks).mapPartitions(partial(_signatures, table_uri, by_bucket))
    return exchange(signed, by_bucket).mapPartitions(partial(_connect, min_agreement))


def _band_rows(table_uri: str, partitions: int, sources: Iterator[FragmentSource]) -> Iterator[tuple[int, Block]]:
    """Yield (band, node, address) of the fragments' texts, of copies within a fragment one."""
    for where, new in sources:
        table = pa.concat_tables(list(read_aligned(table_uri, where, {"minhash": ["normalized_hash", "bands"]})))
        bands = table["bands"].combine_chunks()
        lengths = pc.list_value_length(bands).to_numpy(zero_copy_only=False)
        flat = bands.flatten().to_numpy().view(np.uint64)
        has = np.flatnonzero(lengths)
        nodes = halves_of_hashes(table["normalized_hash"].combine_chunks().take(pa.array(has)))
        order = np.lexsort((has, nodes[:, 1], nodes[:, 0]))
        first = order[run_begins(nodes[order, 0], nodes[order, 1])]
        chosen = np.zeros(len(has), dtype=bool)
        chosen[first] = True
        row = np.repeat(np.arange(len(has)), lengths[has])
        keep = chosen[row]
        row = row[keep]
        rows = np.empty(len(row), _BANDED)
        rows["band"] = flat[keep]
        rows["hi"], rows["lo"] = nodes[row, 0], nodes[row, 1]
        rows["address"] = table["sample_id"].to_numpy()[has].astype(np.uint64)[row] | (_NEW if new else np.uint64(0))
        yield from route(0, rows, splitmix64(rows["band"]) % np.uint64(partitions))


def _shared(starts: npt.NDArray[np.int64], blocks: Iterator[tuple[int, Block]]) -> Iterator[tuple[int, Block]]:
    """Yield the members of bands that two nodes or more share, a new one among them, each to the task that reads its fragment."""
    (rows,) = gather(blocks, _BANDED)
    order = np.argsort(rows["band"])
    band = rows["band"][order]
    alike = band[1:] == band[:-1]
    twice = np.concatenate([alike, [False]]) | np.concatenate([[False], alike]) if len(band) else alike
    rows = rows[order[twice]]
    rows = rows[np.lexsort((rows["address"], rows["lo"], rows["hi"], rows["band"]))]
    rows = rows[
        run_begins(rows["band"], rows["hi"], rows["lo"])
    ]  # of a node's copies the first: an old one, where there is one
    begins = run_begins(rows["band"])
    if len(begins) == 0:
        return
    sizes = np.diff(np.append(begins, len(rows)))
    new = np.maximum.reduceat(rows["address"] >> np.uint64(63), begins) > 0
    # The bucket's name: 128 bits of the set of its members, so that buckets with the same members have one name.
    lanes = [splitmix64(rows["hi"] ^ splitmix64(rows["lo"] + np.uint64(lane))) for lane in (1, 2)]
    names = np.stack([np.add.reduceat(lane, begins) for lane in lanes], axis=1)
    by_name = np.lexsort((names[:, 1], names[:, 0]))
    distinct = np.zeros(len(begins), dtype=bool)
    distinct[by_name[run_begins(names[by_name, 0], names[by_name, 1])]] = True
    good = (sizes > 1) & new & distinct
    kept = np.repeat(good, sizes)
    wanted = np.empty(int(kept.sum()), _WANTED)
    wanted["address"] = rows["address"][kept] & ~_NEW
    wanted["bucket"] = np.repeat(names[good], sizes[good], axis=0)
    fragment = (wanted["address"] >> np.uint64(ROW_BITS)).astype(np.int64)
    yield from route(0, wanted, np.searchsorted(starts, fragment, side="right") - 1)


def _signatures(table_uri: str, partitions: int, blocks: Iterator[tuple[int, Block]]) -> Iterator[tuple[int, Block]]:
    """Yield the wanted rows with node, name and signature, each to its bucket's task."""
    held = list(blocks)
    sources: list[FragmentSource] = []
    for _, (kind, data) in held:
        if kind == 1:
            sources += pickle.loads(data)  # noqa: S301 - written by this job's driver
    (wanted,) = gather((block for block in held if block[1][0] == 0), _WANTED)
    # The same set of members may have been found by several tasks.
    order = np.lexsort((wanted["bucket"][:, 1], wanted["bucket"][:, 0], wanted["address"]))
    wanted = wanted[order]
    wanted = wanted[run_begins(wanted["address"], wanted["bucket"][:, 0], wanted["bucket"][:, 1])]
    fragments = (wanted["address"] >> np.uint64(ROW_BITS)).astype(np.int64)
    for where, new in sorted(sources, key=_fragment):
        begin, end = np.searchsorted(fragments, [where.fragment, where.fragment + 1]).tolist()
        if begin == end:
            continue
        columns = {"minhash": ["normalized_hash", "signature"]} | ({} if new else {"duplicates": ["cluster_id"]})
        mine = wanted[begin:end]
        numbers, at = np.unique(
            (mine["address"] & np.uint64((1 << ROW_BITS) - 1)).astype(np.int64), return_inverse=True
        )
        table = pa.concat_tables(list(read_aligned(table_uri, where, columns))).take(pa.array(numbers))
        nodes = halves_of_hashes(table["normalized_hash"])
        names = nodes if new else halves_of_hashes(pc.coalesce(table["cluster_id"], table["normalized_hash"]))
        signatures = signature_matrix(table["signature"])
        piece = FLUSH_BYTES // _SIGNED.itemsize
        for first in range(0, len(mine), piece):
            row = at[first : first + piece]
            signed = np.empty(len(row), _SIGNED)
            signed["bucket"] = mine["bucket"][first : first + piece]
            signed["node"], signed["name"], signed["new"] = nodes[row], names[row], new
            signed["signature"] = signatures[row]
            yield from route(0, signed, signed["bucket"][:, 0] % np.uint64(partitions))


def _fragment(source: FragmentSource) -> int:
    return source[0].fragment


def _connect(min_agreement: int, blocks: Iterator[tuple[int, Block]]) -> Iterator[bytes]:
    """Yield the edges of the verified pairs of whole buckets; one block at most."""
    (rows,) = gather(blocks, _SIGNED)
    bucket, node = rows["bucket"], rows["node"]
    order = np.lexsort((node[:, 1], node[:, 0], bucket[:, 1], bucket[:, 0]))
    rows = rows[order]
    offsets = np.append(run_begins(rows["bucket"][:, 0], rows["bucket"][:, 1]), len(rows)).astype(np.int64)
    if len(rows) == 0:
        return
    names = rows["name"]
    a, b = connect_bucket(rows["signature"], _known(names, rows["new"]), offsets, min_agreement)
    edges = np.empty(len(a), EDGE)
    edges["a"], edges["b"] = names[a], names[b]
    edges = _distinct(edges)
    if len(edges):
        yield edges.tobytes()


def _known(names: Halves, new: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Return a number for each row's component of an earlier run, -1 for a new row."""
    known = np.full(len(names), -1, dtype=np.int64)
    old = np.flatnonzero(~new)
    order = np.lexsort((names[old, 1], names[old, 0]))
    begins = run_begins(names[old][order, 0], names[old][order, 1])
    known[old[order]] = np.repeat(np.arange(len(begins)), np.diff(np.append(begins, len(old))))
    return known


def _distinct(edges: Records) -> Records:
    a, b = edges["a"], edges["b"]
    order = np.lexsort((b[:, 1], b[:, 0], a[:, 1], a[:, 0]))
    edges = edges[order]
    a, b = edges["a"], edges["b"]
    edges = edges[run_begins(a[:, 0], a[:, 1], b[:, 0], b[:, 1])]
    return edges[(edges["a"] != edges["b"]).any(axis=1)]
