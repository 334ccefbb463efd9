"""Recaptures: of several captures of one URL, which one is the newest.

A capture is a sample with a URL; captures whose normalised URLs are equal are of one page. The one collected last is the newest, at the same time
(as for all whose date cannot be read, which are the oldest) the one with the smaller content hash, then the smaller origin: so the mark is
the same for any order of ingest and any batches. Whether it passes the rules has no say: the newest state of a page is what its
publisher stands by, and an older one does not come back for it.

Cost: one shuffle of 48 bytes a URL, summed up before it where captures lie together, so that a URL with a million of them is no load of one task.
URLs are read and normalised anew (3 µs each), not taken from family ``captures``: so the marks are those of this release's normal form.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headwater.filters.urls.columns import capture_columns
from headwater.filters.urls.dates import capture_times
from headwater.lineage.runs import Run
from headwater.pipelines.deduplicate.wave import commit_whole
from headwater.pipelines.recipe.operators import Resolved
from headwater.pipelines.spark.aligned import fragment_rows, plan_targets, write_aligned
from headwater.pipelines.spark.sessions import parallelism
from headwater.warehouse.columns import find_rows, nullable_rows, with_run
from headwater.warehouse.fragments import ROW_BITS
from headwater.warehouse.parquet import FragmentFiles
from headwater.warehouse.snapshot import Snapshot
from headwater.warehouse.table_format import declare_columns

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

__all__ = ["mark_recaptures"]

_CAPTURE: Final = "sample_id long, url_key long, at long, content_hash binary, origin long"
_CONTENT: Final = ("uri", "collected_at", "content_hash", "origin")


def mark_recaptures(spark: SparkSession, job: Resolved, run: Run, snapshot: Snapshot) -> Snapshot:
    """Fill family ``recaptures`` where it lacks, mark anew what a newer capture makes older, and return the snapshot after it."""
    own = job.operator("recaptures")
    snapshot = declare_columns(snapshot, job.recipe.own_scores)
    while len(fresh := snapshot.missing("recaptures", own)):
        older = _older_captures(spark, snapshot).persist()
        again = fresh
        if len(fresh) < len(snapshot.covered("content")):
            again = np.union1d(fresh, _changed(spark, snapshot, older, fresh))
        targets = plan_targets(snapshot, "recaptures", again, ["content"], parallelism(spark))
        fill = partial(_fill, run.run_id)
        read = {"content": ["uri"]}
        units = write_aligned(spark, older, targets, snapshot.uri, "recaptures", own, read, fill)
        older.unpersist()
        # The run counts the fragments that get clusters.
        units = [
            replace(unit, counts={name: n for name, n in unit.counts.items() if name != "fragments"}) for unit in units
        ]
        snapshot, _ = commit_whole(run, snapshot, units, partial(_unchanged, _read_paths(snapshot)))
    return snapshot


def _older_captures(spark: SparkSession, snapshot: Snapshot) -> DataFrame:
    """Return sample_id and newest_capture of every capture that is not the newest of its URL."""
    from pyspark.sql import functions as sf

    located = snapshot.locate(snapshot.covered("content"), [])
    captures = fragment_rows(spark, located, snapshot.uri, {"content": _CONTENT}, _CAPTURE, _captures)
    place = sf.struct(-sf.col("at"), "content_hash", "origin", "sample_id")
    newest = captures.groupBy("url_key").agg(sf.min(place).alias("newest"), sf.count("*").alias("n")).where("n > 1")
    both = captures.select("sample_id", "url_key").join(newest, "url_key")
    return both.select("sample_id", sf.col("newest.sample_id").alias("newest_capture")).where(
        "sample_id != newest_capture"
    )


def _captures(_: FragmentFiles, table: pa.Table) -> pa.Table:
    """Return the captures of a fragment; a time that is not known counts as the earliest that can be negated."""
    keys = capture_columns(table["uri"])["url_key"]
    at = np.maximum(capture_times(table["collected_at"].to_pylist()), np.iinfo(np.int64).min + 1)
    found = table.select(["sample_id", "content_hash", "origin"])
    found = found.add_column(1, "url_key", keys).add_column(2, "at", pa.array(at))
    return found.filter(pc.is_valid(keys))


def _changed(
    spark: SparkSession, snapshot: Snapshot, older: DataFrame, fresh: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Return the fragments marked before whose samples have another newest capture now."""
    from pyspark.sql import functions as sf

    marked = np.setdiff1d(snapshot.covered("recaptures"), fresh)
    located = snapshot.locate(marked, ["recaptures"])
    schema = "sample_id long, before long"
    before = fragment_rows(spark, located, snapshot.uri, {"recaptures": ["newest_capture"]}, schema, _marked)
    fragment = sf.shiftright("sample_id", ROW_BITS)
    there = spark.createDataFrame([(number,) for number in marked.tolist()], "fragment long")
    now = older.withColumn("fragment", fragment).join(sf.broadcast(there), "fragment", "left_semi")
    both = before.join(now, "sample_id", "full_outer").where(~sf.col("before").eqNullSafe(sf.col("newest_capture")))
    found = both.select(fragment.alias("changed")).distinct().collect()
    return np.array(sorted(row.changed for row in found), dtype=np.int64)


def _marked(_: FragmentFiles, table: pa.Table) -> pa.Table:
    return table.filter(pc.is_valid(table["newest_capture"])).rename_columns(["sample_id", "before"])


def _fill(run_id: str, _: FragmentFiles, zipped: pa.Table, older: pa.Table) -> tuple[pa.Table, dict[str, int]]:
    """Return the rows of family ``recaptures`` of one fragment."""
    index = find_rows(zipped["sample_id"].to_numpy(), older["sample_id"].to_numpy())
    table = pa.table(
        {
            "sample_id": zipped["sample_id"],
            "older_capture": pa.array((index >= 0).astype(np.int32)),
            "newest_capture": older["newest_capture"].combine_chunks().take(nullable_rows(index)),
        }
    )
    return with_run(table, run_id), {"older_captures": int((index >= 0).sum())}


def _read_paths(snapshot: Snapshot) -> tuple[list[str], list[str]]:
    """Return the files that the marks are made from, and those that they are in."""
    return snapshot.paths("content"), snapshot.paths("recaptures")


def _unchanged(read: tuple[list[str], list[str]], now: Snapshot) -> bool:
    return _read_paths(now) == read
