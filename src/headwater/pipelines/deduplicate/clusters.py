"""Clusters: which texts belong together, how many samples they have, and which cluster each text of a fragment is in.

Four kinds of task, three exchanges between them (one less while no earlier run has clustered anything):

1. each fragment's texts with what is stored of them, copies within a fragment counted and sent once: 75 bytes a text, by node;
2. nodes: copies, and the component of a new node;
3. the component of a node that had a cluster, by that cluster's name;
4. components: their samples are counted, and those of two or more answered: a row for each text and fragment.

A fragment's task finds its samples' clusters by their content hashes. Texts of one cluster must fit a worker.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headwater.hashes import Halves, find_hashes, halves_of_hashes
from headwater.pipelines.deduplicate.components import ROOT
from headwater.pipelines.deduplicate.pairs import FragmentSource
from headwater.pipelines.spark.blocks import (
    Block,
    Records,
    exchange,
    gather,
    partitions_of,
    route,
    run_begins,
)
from headwater.warehouse.parquet import read_aligned

if TYPE_CHECKING:
    from pyspark import RDD, SparkContext

__all__ = ["CLUSTER_ANSWER", "KINDS", "changed_fragments", "cluster_texts"]

KINDS: Final = ("", "near", "exact")
_NO_TEXT: Final = blake2b(b"", digest_size=16).digest()
"""The content hash of what was taken down: it is no copy of anything."""
_STORED: Final = [("cluster", "<u8", (2,)), ("size", "<i8"), ("kind", "u1")]
_TEXT: Final = np.dtype(
    [("node", "<u8", (2,)), ("content", "<u8", (2,)), ("fragment", "<i8"), ("copies", "<i8"), ("old", "?"), *_STORED]
)
"""A text of a fragment; copies: its samples there; the rest what is stored of it, zeros where it has no cluster."""
_MEMBER: Final = np.dtype([("component", "<u8", (2,)), ("settled", "?"), ("now", "u1"), *_TEXT.descr])
"""A text that may have a cluster; now: its kind; settled: the component's name is its root's."""
CLUSTER_ANSWER: Final = np.dtype([("content", "<u8", (2,)), ("fragment", "<i8"), ("changed", "?"), *_STORED])
"""The cluster of a text of a fragment; changed: another is stored, or none, for samples of an earlier run."""


def cluster_texts(
    context: SparkContext, table_uri: str, sources: Sequence[FragmentSource], texts: int, roots: RDD[bytes]
) -> RDD[bytes]:
    """Return blocks of ``CLUSTER_ANSWER`` rows: one for each text that is in a cluster of two samples or more, and fragment.

    Args:
        sources: every fragment with signatures, ascending.
        texts: how many they hold.
        roots: blocks of ``ROOT`` rows: the components of the verified pairs; read twice.
    """
    slots = int(context.defaultParallelism)
    partitions = partitions_of(texts * _TEXT.itemsize, slots)
    tasks = max(1, min(len(sources), 4 * slots))
    read = context.parallelize(sources, tasks).mapPartitions(partial(_texts, table_uri, partitions))
    named = roots.mapPartitions(partial(_by_name, partitions))
    members = exchange(read.union(named), partitions).mapPartitions(partial(_nodes, partitions))
    if not all(new for _, new in sources):
        members = exchange(members.union(named), partitions).mapPartitions(partial(_settle, partitions))
    return exchange(members, partitions).mapPartitions(_answers)


def changed_fragments(answers: RDD[bytes]) -> npt.NDArray[np.int64]:
    """Return the fragments of earlier runs whose stored clusters are no longer right, ascending."""
    found = answers.map(_changed).collect()
    return np.unique(np.concatenate([np.empty(0, np.int64), *found]))


def _changed(block: bytes) -> npt.NDArray[np.int64]:
    answers = np.frombuffer(block, CLUSTER_ANSWER)
    fragments: npt.NDArray[np.int64] = np.unique(answers["fragment"][answers["changed"]])
    return fragments


def _texts(table_uri: str, partitions: int, sources: Iterator[FragmentSource]) -> Iterator[tuple[int, Block]]:
    for where, new in sources:
        columns = {"content": ["content_hash"], "minhash": ["normalized_hash"]}
        if not new:
            columns["duplicates"] = ["cluster_id", "cluster_size", "kind"]
        table = pa.concat_tables(list(read_aligned(table_uri, where, columns)))
        table = table.filter(pc.not_equal(table["content_hash"], _NO_TEXT))
        normalized = table["normalized_hash"].combine_chunks()
        hashes = table["content_hash"].combine_chunks()
        content = halves_of_hashes(hashes)
        order = np.lexsort((content[:, 1], content[:, 0]))
        begins = run_begins(content[order, 0], content[order, 1])
        first = order[begins]
        rows = np.zeros(len(first), _TEXT)
        rows["node"] = halves_of_hashes(pc.if_else(pc.greater(pc.binary_length(normalized), 0), normalized, hashes))[
            first
        ]
        rows["content"] = content[first]
        rows["fragment"] = where.fragment
        rows["copies"] = np.diff(np.append(begins, len(order)))
        if not new:
            _add_stored(rows, table.take(pa.array(first)))
        yield from route(0, rows, _part(rows["node"], partitions))


def _add_stored(rows: Records, table: pa.Table) -> None:
    """Fill in what is stored of an earlier run's texts; samples of one text have one cluster."""
    rows["old"] = True
    cluster = table["cluster_id"].combine_chunks()
    has = np.flatnonzero(cluster.is_valid().to_numpy(zero_copy_only=False))
    rows["cluster"][has] = halves_of_hashes(cluster.take(pa.array(has)))
    rows["size"] = np.where(np.isin(np.arange(len(rows)), has), table["cluster_size"].to_numpy(), 0)
    kinds = pc.fill_null(pc.index_in(table["kind"].combine_chunks(), value_set=pa.array(KINDS)), 0)
    rows["kind"] = kinds.to_numpy(zero_copy_only=False)


def _part(names: Halves, partitions: int) -> npt.NDArray[np.uint64]:
    """Return the partition of each name; names are hashes, so their first bits are as good as any."""
    return (names[:, 0] >> np.uint64(32)) % np.uint64(partitions)


def _by_name(partitions: int, blocks: Iterator[bytes]) -> Iterator[tuple[int, Block]]:
    for block in blocks:
        roots = np.frombuffer(block, ROOT)
        yield from route(1, roots, _part(roots["name"], partitions))


def _totals(counts: npt.NDArray[np.int64], begins: npt.NDArray[np.int64], n: int) -> npt.NDArray[np.int64]:
    """Return for each of n rows the sum of counts over its run."""
    return np.repeat(np.add.reduceat(counts, begins), np.diff(np.append(begins, n)))


def _nodes(partitions: int, blocks: Iterator[tuple[int, Block]]) -> Iterator[tuple[int, Block]]:
    """Yield the texts that may have a cluster, to the task of their component, or of the cluster that they had."""
    rows, roots = gather(blocks, _TEXT, ROOT)
    node, content = rows["node"], rows["content"]
    rows = rows[np.lexsort((content[:, 1], content[:, 0], node[:, 1], node[:, 0]))]
    n = len(rows)
    if n == 0:
        return
    node, content = rows["node"], rows["content"]
    of_node = run_begins(node[:, 0], node[:, 1])
    of_text = run_begins(node[:, 0], node[:, 1], content[:, 0], content[:, 1])
    # The cluster that a node had: that of any of its samples that was there, and there is only one.
    had = _stored_cluster(rows, of_node)
    at = find_hashes(node, roots["name"])
    members = np.zeros(n, _MEMBER)
    for name in _TEXT.names or ():
        members[name] = rows[name]
    members["now"] = np.where(_totals(rows["copies"], of_text, n) > 1, 2, 1)
    clustered = (had[:, 0] | had[:, 1]) != 0
    members["settled"] = ~clustered
    members["component"] = np.where(clustered[:, None], had, node)
    rooted = ~clustered & (at >= 0)
    members["component"][rooted] = roots["root"][at[rooted]]
    members = members[clustered | rooted | (_totals(rows["copies"], of_node, n) > 1)]
    yield from route(0, members, _part(members["component"], partitions))


def _stored_cluster(rows: Records, of_node: npt.NDArray[np.int64]) -> Halves:
    """Return for each row the stored cluster of its node, zeros where it had none."""
    n = len(rows)
    labelled = rows["cluster"].any(axis=1)
    place = np.where(labelled, np.arange(n), -1)
    last = np.repeat(np.maximum.reduceat(place, of_node), np.diff(np.append(of_node, n)))
    had = np.zeros((n, 2), np.uint64)
    had[last >= 0] = rows["cluster"][last[last >= 0]]
    return had


def _settle(partitions: int, blocks: Iterator[tuple[int, Block]]) -> Iterator[tuple[int, Block]]:
    """Yield all members, those that had a cluster under the root of what that cluster is part of now."""
    found, roots = gather(blocks, _MEMBER, ROOT)
    members = found.copy()
    at = find_hashes(members["component"], roots["name"])
    moved = ~members["settled"] & (at >= 0)
    members["component"][moved] = roots["root"][at[moved]]
    yield from route(0, members, _part(members["component"], partitions))


def _answers(blocks: Iterable[tuple[int, Block]]) -> Iterator[bytes]:
    (members,) = gather(blocks, _MEMBER)
    component = members["component"]
    members = members[np.lexsort((component[:, 1], component[:, 0]))]
    if len(members) == 0:
        return
    component = members["component"]
    size = _totals(members["copies"], run_begins(component[:, 0], component[:, 1]), len(members))
    answers = np.empty(len(members), CLUSTER_ANSWER)
    answers["content"], answers["fragment"] = members["content"], members["fragment"]
    answers["cluster"], answers["size"], answers["kind"] = component, size, members["now"]
    same: npt.NDArray[np.bool_] = (members["cluster"] == component).all(axis=1)
    same &= (members["size"] == size) & (members["kind"] == members["now"])
    answers["changed"] = members["old"] & ~same
    answers = answers[size > 1]
    if len(answers):
        yield answers.tobytes()
