"""Deduplicate: clusters of exact and near duplicates, decided by text alone (design, section 6).

A *node* is a normalised text. Nodes that share a band are compared by their signatures; a pair counts when they agree on
``min_similarity`` or more; clusters are the connected components over those pairs. Since every pair of a bucket counts, not only pairs with
some representative, the clusters do not depend on order or on how documents came in batches: a later batch compares its new nodes with all
nodes of its buckets, takes over the clusters it finds and joins them.

Cost: bands are exchanged once (448 bytes a document that has them), signatures only of nodes that share a bucket; see ``buckets`` and
``clusters``. A bucket is solved in one task with union-find; one whose members are all unlike costs the square of its size.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headwater.hashes import find_hashes, halves_of_hashes, hashes_of_halves
from headwater.lineage.runs import begin_run, finish_run
from headwater.pipelines.deduplicate.clusters import CLUSTER_ANSWER, KINDS, changed_fragments, cluster_texts
from headwater.pipelines.deduplicate.components import connected_components
from headwater.pipelines.deduplicate.pairs import verified_pairs
from headwater.pipelines.deduplicate.recaptures import mark_recaptures
from headwater.pipelines.deduplicate.scratch import Scratch
from headwater.pipelines.deduplicate.wave import commit_whole
from headwater.pipelines.recipe.operators import Resolved
from headwater.pipelines.spark.aligned import plan_targets, write_blocks
from headwater.pipelines.spark.blocks import Records
from headwater.pipelines.spark.progress import Progress
from headwater.pipelines.spark.sessions import parallelism
from headwater.warehouse.columns import nullable_rows, with_run
from headwater.warehouse.parquet import FragmentFiles
from headwater.warehouse.snapshot import Snapshot, open_snapshot

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["deduplicate"]


def _fill(run_id: str, where: FragmentFiles, zipped: pa.Table, answers: Records) -> tuple[pa.Table, dict[str, int]]:
    """Return the aligned rows of family ``duplicates``; samples whose text has no answer are unique."""
    n = zipped.num_rows
    at = find_hashes(halves_of_hashes(zipped["content_hash"]), answers["content"])
    take = nullable_rows(at)
    table = pa.table(
        {
            "sample_id": zipped["sample_id"],
            "cluster_id": hashes_of_halves(answers["cluster"]).cast(pa.binary()).take(take),
            "cluster_size": pc.fill_null(pa.array(answers["size"]).take(take), 1),
            "kind": pa.array(KINDS, pa.string()).take(pa.array(answers["kind"])).take(take),
        }
    )
    return with_run(table, run_id), {"samples": n, "clustered": n - take.null_count}


def deduplicate(spark: SparkSession, job: Resolved) -> dict[str, int]:
    """Cluster what no earlier run has clustered, mark older captures where the recipe asks for it, and return the counts of what was done."""
    from pyspark import StorageLevel

    own, signed = job.operator("duplicates"), job.operator("minhash")
    snapshot = open_snapshot(job.lake)
    settings = {family: job.operators[family] for family in job.across_samples}
    run = begin_run(job.lake, "deduplicate", job.recipe.literals, settings, snapshot.version)
    context = spark.sparkContext
    with Progress("deduplicate", context) as progress:
        if "recaptures" in job.across_samples:
            snapshot = mark_recaptures(spark, job, run, snapshot)
        while len(fresh := _unclustered(snapshot, own, signed)):
            ready = snapshot.covered("minhash", signed)
            located = snapshot.locate(ready, ["minhash", "duplicates"])
            sources = [(where, bool(new)) for where, new in zip(located, np.isin(ready, fresh), strict=True)]
            texts = int(pc.sum(snapshot.live("minhash", signed)["rows"]).as_py())
            with Scratch(job.lake, run.run_id) as scratch:
                edges = verified_pairs(context, snapshot.uri, sources, texts, job.min_agreement)
                edges.persist(StorageLevel.DISK_ONLY)
                roots = connected_components(spark, edges, scratch)
                roots.persist(StorageLevel.DISK_ONLY)
                answers = cluster_texts(context, snapshot.uri, sources, texts, roots)
                touched = np.empty(0, dtype=np.int64)
                if len(fresh) < len(ready):
                    answers.persist(StorageLevel.DISK_ONLY)
                    touched = changed_fragments(answers)
                targets = plan_targets(
                    snapshot, "duplicates", np.union1d(fresh, touched), ["minhash"], parallelism(spark)
                )
                units = write_blocks(
                    context,
                    answers,
                    CLUSTER_ANSWER,
                    targets,
                    snapshot.uri,
                    "duplicates",
                    own,
                    {"content": ["content_hash"]},
                    partial(_fill, run.run_id),
                )
                for cached in (edges, roots, answers):
                    cached.unpersist()
            snapshot, _ = commit_whole(run, snapshot, units, partial(_unchanged, _read_paths(snapshot)))
            progress.add(rows=sum(int(each.counts["samples"]) for each in units))
    finish_run(run, snapshot)
    return dict(run.counts)


def _unclustered(snapshot: Snapshot, own: str, signed: str) -> npt.NDArray[np.int64]:
    """Return the fragments that have signatures and no clusters by these settings."""
    return np.intersect1d(snapshot.missing("duplicates", own), snapshot.covered("minhash", signed))


def _read_paths(snapshot: Snapshot) -> tuple[list[str], list[str]]:
    """Return the files that a clustering reads and replaces."""
    return snapshot.paths("duplicates"), snapshot.paths("minhash")


def _unchanged(read: tuple[list[str], list[str]], now: Snapshot) -> bool:
    """Return whether the clusters and signatures that were read are still those of the table."""
    return _read_paths(now) == read
