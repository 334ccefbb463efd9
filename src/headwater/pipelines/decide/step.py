"""Decide: rules over signals, then in each cluster the winner among the samples that pass them (design, sections 5 and 6).

Every rule is evaluated for every sample and the verdict keeps all reasons. In a cluster the samples that pass compete by quality, length, content
hash and origin; one that is similar enough to an earlier winner names it and goes, one that is not stays: it was in the cluster only
through others. Counts reconcile: in = kept + each first reason, or nothing is committed.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headwater.errors import UsageError
from headwater.filters.rules.rule_set import RuleSet, evaluate
from headwater.lineage.runs import Unit, begin_run, commit_wave, finish_run
from headwater.lineage.takedowns import NEAR_COLUMNS, TakenDown, taken_down
from headwater.pipelines.decide.contamination_columns import CONTAMINATION_COLUMNS, add_contamination
from headwater.pipelines.decide.election import LOSER, find_losers
from headwater.pipelines.decide.verdicts import reconcile, verdict_rows, with_taken_down
from headwater.pipelines.recipe.operators import Resolved
from headwater.pipelines.spark.aligned import fragment_rows, plan_targets, write_aligned
from headwater.pipelines.spark.blocks import partitions_of
from headwater.pipelines.spark.progress import Progress
from headwater.pipelines.spark.sessions import parallelism
from headwater.warehouse.columns import family_columns, with_run
from headwater.warehouse.fragments import ROW_BITS
from headwater.warehouse.parquet import FragmentFiles
from headwater.warehouse.snapshot import Snapshot, open_snapshot

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

__all__ = ["decide", "election_partitions"]

_CANDIDATE_BYTES: Final = 560
_MOST_PARTITIONS: Final = 20_000
"""Of an election, however many samples: rows are sorted where they arrive, by Spark, which spills, and are read a batch at a time."""
_CANDIDATE: Final = (
    "sample_id long, cluster_id binary, quality int, text_bytes long, content_hash binary, origin long, "
    "signature binary, n_shingles int, normalized_hash binary"
)


def _rule_columns(rules: RuleSet, taken: TakenDown | None) -> dict[str, list[str]]:
    columns = family_columns((name for name in rules.columns if name not in CONTAMINATION_COLUMNS), rules.own_scores)
    if taken is not None:
        columns["minhash"] = list(dict.fromkeys([*columns.get("minhash", []), *NEAR_COLUMNS]))
    return columns


def _candidates(
    rules: RuleSet,
    table_uri: str,
    looked_for: bool,
    taken: TakenDown | None,
    min_agreement: int,
    where: FragmentFiles,
    table: pa.Table,
) -> pa.Table | None:
    """Return the samples of a fragment that are in a cluster, pass the rules and were not taken down, nor nearly the same text."""
    table = add_contamination(table_uri, looked_for, where, table)
    table = table.filter(pc.is_valid(table["cluster_id"]))
    if taken is not None:
        table = table.filter(pa.array(~taken.texts().known_rows(table, min_agreement)))
    if table.num_rows == 0:
        return None
    table = table.filter(pc.is_null(evaluate(table, rules)["first_reason"]))
    names = [part.split()[0] for part in _CANDIDATE.split(", ")]
    return table.select(names)


def _losers(
    spark: SparkSession,
    snapshot: Snapshot,
    fragments: npt.NDArray[np.int64],
    job: Resolved,
    rules: RuleSet,
) -> DataFrame:
    """Return the duplicates among the clusters that touch ``fragments``."""
    from pyspark.sql import functions as sf

    schema = "sample_id long, cluster_id binary"
    read = {"duplicates": ["cluster_id"]}
    covered = snapshot.covered("duplicates")
    here = fragment_rows(spark, snapshot.locate(fragments, ["duplicates"]), snapshot.uri, read, schema, _clustered)
    affected = fragments
    if len(fragments) < len(covered):
        there = fragment_rows(spark, snapshot.locate(covered, ["duplicates"]), snapshot.uri, read, schema, _clustered)
        clusters = here.select("cluster_id").distinct()
        found = (
            there.join(clusters, "cluster_id", "left_semi")
            .select(sf.shiftright("sample_id", ROW_BITS).alias("fragment"))
            .distinct()
        )
        affected = np.union1d(fragments, np.array([row.fragment for row in found.collect()], dtype=np.int64))
    unready = np.setdiff1d(affected, _ready(snapshot, job))
    if len(unready):
        raise UsageError(
            f"expected fragment {int(unready[0])}, which shares clusters with samples to decide, to be annotated and deduplicated by this recipe; "
            "found it is not: run annotate and deduplicate first"
        )
    taken = taken_down(snapshot)
    columns = _rule_columns(rules, taken)
    for family, names in (
        ("content", ["content_hash", "origin", "text_bytes"]),
        ("scores", ["quality"]),
        ("minhash", ["signature", "n_shingles", "normalized_hash"]),
        ("duplicates", ["cluster_id"]),
    ):
        columns[family] = list(dict.fromkeys([*columns.get(family, []), *names]))
    located = snapshot.locate(affected, job.decided_from)
    find = partial(_candidates, rules, snapshot.uri, bool(job.sets), taken, job.min_agreement)
    rows = fragment_rows(spark, located, snapshot.uri, columns, _CANDIDATE, find)
    order: list[str | Column] = [
        "cluster_id",
        sf.desc("quality"),
        sf.desc("text_bytes"),
        "content_hash",
        "origin",
        "sample_id",
    ]
    texts = int(pc.sum(snapshot.live("duplicates")["rows"]).as_py() or 0)
    parts = election_partitions(texts, parallelism(spark))
    ordered = rows.repartition(parts, "cluster_id").sortWithinPartitions(order)
    return ordered.mapInArrow(partial(find_losers, job.min_agreement), LOSER)


def election_partitions(texts: int, slots: int) -> int:
    """Return into how many partitions the samples of an election go, of ``texts`` samples at most: some 128 MB each, until they are too many."""
    return min(_MOST_PARTITIONS, partitions_of(texts * _CANDIDATE_BYTES, 2 * slots))


def _clustered(where: FragmentFiles, table: pa.Table) -> pa.Table:
    return table.filter(pc.is_valid(table["cluster_id"])).select(["sample_id", "cluster_id"])


def _fill(
    run_id: str,
    rules: RuleSet,
    table_uri: str,
    looked_for: bool,
    taken: TakenDown | None,
    min_agreement: int,
    where: FragmentFiles,
    zipped: pa.Table,
    losers: pa.Table,
) -> tuple[pa.Table, dict[str, int]]:
    """Return the verdicts of one fragment and its counts: samples, kept, first reasons, and per source what was lost."""
    zipped = add_contamination(table_uri, looked_for, where, zipped)
    evaluated = evaluate(zipped, rules)
    if taken is not None:
        evaluated = with_taken_down(evaluated, taken.texts().known_rows(zipped, min_agreement))
    table, counts = verdict_rows(zipped, evaluated, losers, rules.fingerprint)
    return with_run(table, run_id), counts


def decide(spark: SparkSession, job: Resolved) -> dict[str, int]:
    """Give every sample that lacks one a verdict by these rules, and return the counts of what was done.

    Raises:
        ReconciliationError: a fault of Headwater; nothing of the wave was committed.
        UsageError: a cluster reaches into fragments that are not annotated and deduplicated by this recipe.
    """
    rules = job.recipe.rule_set
    own = job.operator("verdicts")
    snapshot = open_snapshot(job.lake)
    settings = {"verdicts": job.operators["verdicts"]}
    run = begin_run(job.lake, "decide", job.recipe.literals, settings, snapshot.version)
    with Progress("decide", spark.sparkContext) as progress:
        while len(fresh := _undecided(snapshot, job)):
            targets = plan_targets(snapshot, "verdicts", fresh, job.decided_from, parallelism(spark))
            fragments = np.array(sorted(w.fragment for target in targets for w in target.fragments), dtype=np.int64)
            taken = taken_down(snapshot)
            columns = _rule_columns(rules, taken)
            columns["content"] = list(dict.fromkeys([*columns.get("content", []), "source"]))
            losers = _losers(spark, snapshot, fragments, job, rules)
            fill = partial(_fill, run.run_id, rules, snapshot.uri, bool(job.sets), taken, job.min_agreement)
            units = write_aligned(spark, losers, targets, snapshot.uri, "verdicts", own, columns, fill)
            for unit in units:
                reconcile(dict(unit.counts))
            read = _read_paths(snapshot, job)
            snapshot, _ = commit_wave(run, snapshot, units, valid=partial(_unchanged, read, job))
            progress.add(rows=sum(int(unit.counts["samples"]) for unit in units))
    finish_run(run, snapshot)
    return {name: int(value) for name, value in run.counts.items()}


def _read_paths(snapshot: Snapshot, job: Resolved) -> list[list[str]]:
    """Return the files that verdicts are made from and that other steps may replace."""
    return [snapshot.paths(family) for family in (*job.decided_from, "takedowns")]


def _unchanged(read: list[list[str]], job: Resolved, now: Snapshot, _: Unit) -> bool:
    return _read_paths(now, job) == read


def _undecided(snapshot: Snapshot, job: Resolved) -> npt.NDArray[np.int64]:
    """Return the fragments that have all that a verdict reads, by these settings, and no verdict."""
    return np.intersect1d(snapshot.missing("verdicts", job.operator("verdicts")), _ready(snapshot, job))


def _ready(snapshot: Snapshot, job: Resolved) -> npt.NDArray[np.int64]:
    """Return the fragments that have all that a verdict reads, by these settings."""
    ready = snapshot.covered("content")
    for family in job.decided_from:
        ready = np.intersect1d(ready, snapshot.covered(family, job.operator(family)))
    return ready
