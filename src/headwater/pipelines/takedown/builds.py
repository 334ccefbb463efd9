"""Builds that hold what is taken down: where it lies in them, and their revision."""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Collection
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headwater.lineage.builds import builds_uri
from headwater.lineage.past_runs import ended_builds
from headwater.lineage.placed_samples import placed_samples
from headwater.lineage.questions import rows
from headwater.lineage.sample_sets import SampleSet
from headwater.lineage.training_order import TrainingOrder, ranges_of
from headwater.lineage.views import connect
from headwater.pipelines.builds.revise import revise
from headwater.plain import JsonObject
from headwater.reader import open_stage
from headwater.warehouse.faults import reach
from headwater.warehouse.filesystem import delete_file, filesystem_of, join
from headwater.warehouse.fragments import ROW_BITS, expand_masks
from headwater.warehouse.parquet import read_file
from headwater.warehouse.real_files import walk_files
from headwater.warehouse.snapshot import Snapshot
from headwater.warehouse.takedown_records import Record, write_record

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["builds_with", "places_of", "revise_builds"]

_SHARD_FILE: Final = re.compile(r"[^/]+/(shard-[0-9]{5,}\..+|manifest\.json|provenance\.json)")
_UNREVISED: Final = (
    "it was to stay as it is: its shards and the versions of files that it was made from still hold the samples"
)


def builds_with(snapshot: Snapshot, samples: npt.NDArray[np.int64]) -> dict[str, list[int]]:
    """Return build → the samples of some that have rows in its selection, of which those that it places are a part, by the build's name."""
    files = snapshot.live("stages")
    numbers, at_rows = expand_masks(files["base"].to_numpy(), files["mask"].to_numpy())
    found: dict[str, list[int]] = {}
    for at in np.unique(at_rows[np.isin(numbers, samples >> ROW_BITS)]).tolist():
        path, build = files["path"][at].as_py(), files["batch"][at].as_py()
        for table in read_file(snapshot.uri, path, ["sample_id"]):
            ids = table["sample_id"].to_numpy()
            found.setdefault(build, []).extend(ids[np.isin(ids, samples)].tolist())
    return {build: sorted(ids) for build, ids in sorted(found.items()) if ids}


def places_of(
    snapshot: Snapshot,
    samples: npt.NDArray[np.int64],
    builds: Collection[str],
    order: TrainingOrder | None = None,
) -> list[JsonObject]:
    """Return where samples lie in builds: for each build and stage how many of them, their copies, tokens, sequences and shards.

    Of a stage that is finished also ``of_sequences``, how many it has, ``ranges`` of theirs by their numbers in the stage, and, where it is
    known how training took them, ``steps``. A revision takes what these follow from away.
    """
    if not builds:
        return []
    statement = (
        "SELECT build, stage, count(DISTINCT sample_id) AS samples, count(DISTINCT (sample_id, copy)) AS copies, "
        "sum(token_end - token_begin)::BIGINT AS tokens, count(DISTINCT (shard, sequence)) AS sequences, list_sort(list(DISTINCT shard)) AS shards "
        "FROM placements SEMI JOIN going USING (sample_id) GROUP BY ALL ORDER BY ALL"
    )
    with connect(snapshot.lake, snapshot.version) as connection:
        connection.register("going", pa.table({"sample_id": samples}))
        found = rows(connection, statement)
    going = SampleSet([samples])
    return [row | _sequences(snapshot, going, row["build"], row["stage"], order) for row in found]


def _sequences(snapshot: Snapshot, going: SampleSet, build: str, stage: str, order: TrainingOrder | None) -> JsonObject:
    """Return which sequences of a stage hold some of the samples, and in which training steps they are; nothing of an unfinished stage."""
    placed = placed_samples(snapshot, build, stage, going)
    if placed.manifest is None:
        return {}
    numbers = placed.stage_sequences(placed.manifest.shards)
    told: JsonObject = {"of_sequences": placed.manifest.sequences, **ranges_of(numbers)}
    if order is not None:
        told["steps"] = order.touched(open_stage(builds_uri(snapshot.lake, build, stage)), numbers)
    return told


def revise_builds(snapshot: Snapshot, record: Record, spark: SparkSession | None) -> None:
    """Revise every build that has ended, and note in the record what was done and what was not.

    One that holds none of the samples keeps every byte, and stands on the newest version from then on. What was revised before a kill is not
    revised again.
    """
    lake = snapshot.lake
    holding = builds_with(snapshot, np.array(record.samples, np.int64))
    ended = ended_builds(snapshot)
    winners = {pair[0]: pair[1] for pair in record.new_winners}
    for build in record.restarted:
        if build not in ended:
            _drop_shards(lake, build, snapshot, datetime.datetime.fromisoformat(str(record.removed_at)))
    for build in ended:
        if build in record.settled:
            continue
        if build in holding and record.build_names is not None and build not in record.build_names:
            record.unrevised[build] = _UNREVISED
            continue
        reach(f"takedown/before-revise/{build}")
        done = revise(spark, lake, build, gone=record.samples, come=winners, cause=f"takedown:{record.takedown}")
        if done.stages:
            told = {stage: dataclasses.asdict(each) for stage, each in done.stages.items()}
            record.revised[build] = {"version": done.version, "stages": told, "came": done.came}
        record.settled.append(build)
        write_record(lake, record)
        reach(f"takedown/after-revise/{build}")


def _drop_shards(lake: str, build: str, snapshot: Snapshot, before: datetime.datetime) -> None:
    """Delete the shards of a build that has not ended and has no placements: it was begun before a takedown, and is built anew.

    Only what was written before the takedown's commit: what a build that runs writes since has nothing of what went.
    """
    if len(snapshot.live("placements", batch=build)):
        return
    filesystem, folder = filesystem_of(builds_uri(lake, build))
    for file in walk_files(filesystem, folder):
        if file.regular and file.written < before and _SHARD_FILE.fullmatch(file.path):
            delete_file(filesystem, join(folder, file.path))
