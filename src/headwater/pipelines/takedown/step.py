"""Takedown: samples go from the table, from builds and from what earlier versions left, one part after the other, each whole or not at all.

What is asked for is written down first (``warehouse.takedown_records``). Then, in this order: one commit takes it out of every family; each build
that held a sample is revised; files of earlier versions are deleted, at once or when they are due; the report is written. A takedown that was killed
goes on with the part that it was at: by the same command, or by its id. Two takedowns at once each plan again from what the other has committed.
"""

from __future__ import annotations

import dataclasses
import datetime
import secrets
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np

from headwater.errors import UsageError
from headwater.lineage.checks.absent import search_lake
from headwater.lineage.checks.needles import make_needles
from headwater.lineage.impact import impact
from headwater.lineage.keyed_hashes import key_id, make_key
from headwater.lineage.past_runs import ended_builds
from headwater.lineage.runs import begin_run, finish_run
from headwater.lineage.takedown_report import report_hashes, write_report
from headwater.lineage.takedowns import taken_samples
from headwater.lineage.training_order import TrainingOrder
from headwater.pipelines.takedown.asked import Asked, choose, request_of
from headwater.pipelines.takedown.builds import builds_with, places_of, revise_builds
from headwater.pipelines.takedown.removal import planned_bytes, remove_samples
from headwater.plain import JsonObject
from headwater.version import __version__
from headwater.warehouse.faults import reach
from headwater.warehouse.snapshot import Snapshot, open_snapshot
from headwater.warehouse.table_format import declare_columns
from headwater.warehouse.takedown_files import delete_replaced, replaced_files
from headwater.warehouse.takedown_records import Record, read_record, read_records, write_record

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["VERSION", "plan_takedown", "prove", "resume", "takedown"]

VERSION: Final = 1
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def takedown(lake: str, asked: Asked, *, spark: SparkSession | None = None) -> Record:
    """Take down what is asked for and return the record of it, which stands in the lake beside the report.

    A takedown of the same that was killed goes on instead of a new one.

    Args:
        spark: runs the work; None: this process does.

    Raises:
        UsageError: nothing is named or found.
        ConflictError: other writers were faster throughout; the same command goes on.
        CorruptLakeError: a file cannot be read as it was committed.
        StorageError: the file system refused.
    """
    if not asked.who.strip() or not asked.why.strip():
        raise UsageError(
            "expected who asks for the takedown and why, found an empty text: --who and --why stand in its report"
        )
    if not 0 <= asked.after_days <= 36_500:
        raise UsageError(f"--after-days: expected a number from 0 to 36,500, found {asked.after_days:g}")
    snapshot = declare_columns(open_snapshot(lake), ())
    key = make_key(lake)
    request = request_of(key, asked)
    for record in read_records(lake):
        if record.request == request and not record.reached("ended") and not _waits(record):
            return _go_on(lake, record, spark)
    chosen = choose(snapshot, asked)
    known = set(ended_builds(snapshot))
    if asked.builds is not None and (strange := sorted(set(asked.builds) - known)):
        listed = ", ".join(sorted(known)) or "none"
        raise UsageError(f"--build: expected finished builds of this lake, found {strange[0]!r}; it has {listed}")
    now = datetime.datetime.now(datetime.UTC)
    record = Record(
        takedown=f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(4)}",
        who=asked.who,
        why=asked.why,
        asked_at=now.isoformat(),
        request=request,
        named=len(chosen.found.named),
        exact=len(chosen.found.exact),
        near=len(chosen.found.near),
        samples=chosen.found.all.tolist(),
        records=[list(each) for each in chosen.refused],
        near_from=asked.near,
        build_names=None if asked.builds is None else sorted(asked.builds),
        key_id=key_id(key),
        code_version=__version__,
        due=(now + datetime.timedelta(days=asked.after_days)).isoformat(),
        training=None if asked.order is None else dataclasses.asdict(asked.order),
    )
    write_record(lake, record)
    reach("takedown/planned")
    return _go_on(lake, record, spark)


def resume(lake: str, takedown_id: str, *, spark: SparkSession | None = None) -> Record:
    """Go on with a takedown, and return its record; one that has ended has its report written anew.

    Raises:
        UsageError: the lake has none of that id.
    """
    declare_columns(open_snapshot(lake), ())
    return _go_on(lake, read_record(lake, takedown_id), spark)


def prove(lake: str, takedown_id: str, lines: Iterable[str]) -> Record:
    """Search the lake for some strings or hexadecimal hashes, put what was found into the takedown's record and report, and return the record.

    Raises:
        UsageError: the lake has no such takedown, or a line is none.
    """
    record = read_record(lake, takedown_id)
    found = search_lake(open_snapshot(lake), make_needles(lines))
    record.proof = found.plain() | {"at": datetime.datetime.now(datetime.UTC).isoformat()}
    if record.reached("ended"):
        record.report = report_hashes(record)
    write_record(lake, record)
    write_report(lake, record)
    return record


def _waits(record: Record) -> bool:
    """Return whether nothing of a takedown is left but files that are not due yet."""
    return record.reached("revised") and not record.is_due(datetime.datetime.now(datetime.UTC))


def _go_on(lake: str, record: Record, spark: SparkSession | None) -> Record:
    """Do the parts of a takedown that are not done."""
    snapshot = open_snapshot(lake)
    if not record.reached("removed"):
        if not _is_removed(snapshot, record):  # else killed between the commit and the note of it
            snapshot = _remove(snapshot, record, spark)
        record.state = "removed"
        write_record(lake, record)
        reach("takedown/removed")
    if not record.reached("revised"):
        revise_builds(open_snapshot(lake), record, spark)
        record.state = "revised"
        write_record(lake, record)
        reach("takedown/revised")
    if not record.reached("deleted") and record.is_due(datetime.datetime.now(datetime.UTC)):
        delete_replaced(lake, record)
        record.state = "deleted"
        write_record(lake, record)
        reach("takedown/deleted")
    write_report(lake, record)
    if record.reached("deleted"):  # of one that had ended the report may say the same in other words now
        record.state, record.report = "ended", report_hashes(record)
        write_record(lake, record)
    return record


def _is_removed(snapshot: Snapshot, record: Record) -> bool:
    """Return whether the commit of a takedown is in the table: all of it is, or nothing."""
    if record.run_id is None:
        return False
    return snapshot.transaction(record.run_id) is not None


def _remove(snapshot: Snapshot, record: Record, spark: SparkSession | None) -> Snapshot:
    settings = {"takedown": {"version": VERSION, "id": record.takedown, "near_from": record.near_from}}
    run = begin_run(snapshot.lake, "takedown", {}, settings, snapshot.version)
    record.run_id = run.run_id
    samples = np.array(record.samples, np.int64)
    holding = set(builds_with(snapshot, samples))
    order = None if record.training is None else TrainingOrder(**record.training)
    record.places = places_of(snapshot, samples, holding, order)
    record.restarted = sorted(holding - set(ended_builds(snapshot)))
    write_record(snapshot.lake, record)
    after = remove_samples(snapshot, record, run, lambda function, items: _run(spark, function, items))
    return finish_run(run, after)


def _run(spark: SparkSession | None, function: Callable[[_Item], _Result], items: Sequence[_Item]) -> list[_Result]:
    if spark is None:
        return [function(item) for item in items]
    from headwater.pipelines.spark.sessions import run_tasks

    return run_tasks(spark, function, items)


def plan_takedown(lake: str, asked: Asked) -> JsonObject:
    """Return what a takedown would do, as plain data, and under ``impact`` what all that goes reaches; nothing is written.

    ``impact`` has the shape of ``headwater impact``; it is None where only refused records were named.

    Raises:
        UsageError: nothing is named or found.
    """
    snapshot = open_snapshot(lake)
    chosen = choose(snapshot, asked)
    samples = chosen.found.all
    held = Record(takedown="", who="", why="", asked_at="", request="", samples=samples.tolist())
    held.removed_at = datetime.datetime.now(datetime.UTC).isoformat()
    older, _ = replaced_files(snapshot, held)
    return {
        "samples": {"named": len(chosen.found.named), "exact": len(chosen.found.exact), "near": len(chosen.found.near)},
        "refused_records": len(chosen.refused),
        "rewrite": planned_bytes(snapshot, samples),
        "older_files": {"files": len(older), "bytes": sum(file.size for file in older)},
        "builds": places_of(snapshot, samples, builds_with(snapshot, samples)),
        "taken_down_before": len(taken_samples(snapshot)),
        "delete_after_days": asked.after_days,
        "impact": impact(lake, [samples], version=snapshot.version, order=asked.order) if len(samples) else None,
    }
