"""Files that the lake has and that are worth reading again, because what was refused of them may be taken now.

What was read of a file depends on its bytes, on its kind (which its name may decide), and on what read it: the version of ingest and the
limits of the recipe. A file of which nothing was refused is never read again. Of any other, a plain ingest reads again

- one that was read by another version of ingest,
- one whose refusals come from a limit that is higher now (``record_too_large``, ``expansion_ratio``, ``too_deep``),
- one of pages of which an extractor found no text, or could not read one, where the recipe has another extractor now,
- one of which no record is in the lake, and which is of another kind now: a text that was called ``.log``.

With ``retry`` it reads every file of which something was refused. Records that are in stay as they are: a record is known by its file and
its number, so it comes in exactly once. Refusals that hold are written anew, by the run that judged them; the others are gone from family
``quarantine``, while earlier versions of the table keep them. The rows of the file stay in its batch.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headwater.fingerprint import fingerprint
from headwater.lineage.runs import Run, Unit
from headwater.pipelines.ingest.decompress import Limits
from headwater.pipelines.ingest.file_kinds import WEB, FileInfo
from headwater.pipelines.ingest.known import KnownFile
from headwater.pipelines.ingest.ranges import Ranges
from headwater.pipelines.ingest.refusals import TAKEN_DOWN, WHOLE_FILE
from headwater.pipelines.ingest.task import VERSION, Again, file_number
from headwater.pipelines.ingest.units import Done, add_counts, files_table, write_files
from headwater.pipelines.ingest.web.page_frames import PAGE_FAILED, PAGE_TOO_LARGE, PAGE_TOO_SLOW
from headwater.pipelines.recipe.job import read_section
from headwater.pipelines.recipe.sections import IngestSettings
from headwater.pipelines.spark.sessions import run_tasks
from headwater.warehouse.fragments import FileEntry, parse_name
from headwater.warehouse.parquet import read_file, write_family
from headwater.warehouse.snapshot import Snapshot

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["again_unit", "find_again", "plan_again"]

_OF_EXTRACTORS: Final = frozenset(["no_text", "nul_byte", PAGE_FAILED, PAGE_TOO_LARGE, PAGE_TOO_SLOW])
"""Reasons that another extractor may not have."""
_LIMIT_OF: Final = {
    "record_too_large": "max_record_bytes",
    "expansion_ratio": "max_expansion_ratio",
    "too_deep": "max_nesting",
}
"""Reason → the limit that it comes from."""
_NONE: Final = np.empty(0, np.int64)


def find_again(
    snapshot: Snapshot,
    known: dict[str, KnownFile],
    files: Sequence[tuple[str, FileInfo]],
    limits: Limits,
    *,
    extractors: Collection[str],
    retry: bool,
) -> list[tuple[str, FileInfo]]:
    """Return which of some files, all of them known, are to be read again.

    Args:
        extractors: operators of those that read pages now.
    """
    held = {info.sha256: known[info.sha256] for _, info in files if known[info.sha256].quarantined}
    if not held or retry:
        return [(uri, info) for uri, info in files if info.sha256 in held]
    read_by = _settings_of_runs(snapshot, {file.run_id for file in held.values()})
    reasons = _reasons(snapshot, held)
    return [
        (uri, info)
        for uri, info in files
        if info.sha256 in held
        and _may_be_taken(
            held[info.sha256], info, reasons.get(file_number(info.sha256), set()), read_by, limits, extractors
        )
    ]


class _ReadBy(NamedTuple):
    """What a run of ingest read by: its version, its limits, and the operators of its extractors."""

    version: int = 0
    settings: IngestSettings = IngestSettings()
    extractors: frozenset[str] = frozenset()


def _may_be_taken(
    file: KnownFile,
    info: FileInfo,
    reasons: set[str],
    read_by: dict[str, _ReadBy],
    limits: Limits,
    extractors: Collection[str],
) -> bool:
    if file.records == 0 and info.kind != file.kind and info.format != "unknown":
        return True
    read = read_by.get(file.run_id, _ReadBy())
    may = {reason for reason, name in _LIMIT_OF.items() if getattr(limits, name) > getattr(read.settings, name)}
    if info.format in WEB and set(extractors) - read.extractors:
        may |= _OF_EXTRACTORS
    return read.version != VERSION or bool(reasons & may)


def _settings_of_runs(snapshot: Snapshot, run_ids: set[str]) -> dict[str, _ReadBy]:
    """Return what some runs of ingest read by."""
    found = {}
    for path in snapshot.paths("runs"):
        for table in read_file(snapshot.uri, path, ["run_id", "recipe", "operators"]):
            for row in table.to_pylist():
                if row["run_id"] in run_ids:
                    settings = read_section(IngestSettings, json.loads(row["recipe"])["ingest"], "ingest")
                    operators = json.loads(row["operators"])
                    extractors = frozenset(operators.get("extractors", ()))
                    found[row["run_id"]] = _ReadBy(int(operators["ingest"]), settings, extractors)
    return found


def _refusals(snapshot: Snapshot, known: dict[str, KnownFile], columns: Sequence[str]) -> list[tuple[str, pa.Table]]:
    """Return the files of family ``quarantine`` that have rows of some files, with these rows."""
    file_ids = pa.array([file.file_id for file in known.values()], pa.int64())
    found = []
    for batch in sorted({file.batch for file in known.values()}):
        for path in snapshot.paths("quarantine", batch):
            for table in read_file(snapshot.uri, path, columns):
                rows = table.filter(pc.is_in(table["file_id"], file_ids))
                if rows.num_rows:
                    found.append((path, rows))
    return found


def _reasons(snapshot: Snapshot, known: dict[str, KnownFile]) -> dict[int, set[str]]:
    """Return file_id → the reasons of its refusals."""
    found: dict[int, set[str]] = {}
    for _, rows in _refusals(snapshot, known, ["file_id", "quarantine_reason"]):
        for row in rows.group_by(["file_id", "quarantine_reason"]).aggregate([]).to_pylist():
            found.setdefault(row["file_id"], set()).add(row["quarantine_reason"])
    return found


def plan_again(
    spark: SparkSession, snapshot: Snapshot, known: dict[str, KnownFile], files: Sequence[tuple[str, FileInfo]]
) -> list[tuple[str, FileInfo, Again]]:
    """Return the files with what is to be taken of each: never a record that was taken down."""
    numbers: dict[int, list[npt.NDArray[np.int64]]] = {}
    taken: dict[int, list[npt.NDArray[np.int64]]] = {}
    read = ["file_id", "record_no", "quarantine_reason"]
    for _, rows in _refusals(snapshot, {i.sha256: known[i.sha256] for _, i in files}, read):
        gone = pc.equal(rows["quarantine_reason"], TAKEN_DOWN)
        for table, found in ((rows.filter(pc.invert(gone)), numbers), (rows.filter(gone), taken)):
            for file_id in pc.unique(table["file_id"]).to_pylist():
                mine = table.filter(pc.equal(table["file_id"], file_id))["record_no"].to_numpy()
                found.setdefault(file_id, []).append(mine)
    refused = {file_id: np.concatenate(parts) for file_id, parts in numbers.items()}
    cut = {file_id for file_id, found in refused.items() if (found == WHOLE_FILE).any()}
    partly = [file for file in known.values() if file.file_id in cut and file.records]
    held = _records_in(spark, snapshot, partly)
    planned = []
    for uri, info in files:
        file = known[info.sha256]
        gone = [Ranges.of(each) for each in taken.get(file.file_id, ())]
        if not file.records:
            again = Again(numbers=Ranges.union(gone) if gone else None, among=False, was_cut=True)
        elif file.file_id in cut:
            again = Again(numbers=Ranges.union([held[file.file_id], *gone]), among=False, was_cut=True)
        else:
            again = Again(numbers=Ranges.of(refused.get(file.file_id, _NONE)), among=True, was_cut=False)
        planned.append((uri, info, again))
    return planned


def _records_in(spark: SparkSession, snapshot: Snapshot, files: Sequence[KnownFile]) -> dict[int, Ranges]:
    """Return the numbers of the records of some files that the lake has, from the content of their batches."""
    file_ids = [file.file_id for file in files]
    paths = [path for batch in sorted({file.batch for file in files}) for path in snapshot.paths("content", batch)]
    found: dict[int, list[Ranges]] = {file_id: [] for file_id in file_ids}
    for numbers in run_tasks(spark, partial(_numbers_in, snapshot.uri, file_ids), paths):
        for file_id, ranges in numbers.items():
            found[file_id].append(ranges)
    return {file_id: Ranges.union(parts) for file_id, parts in found.items()}


def _numbers_in(table_uri: str, file_ids: Sequence[int], path: str) -> dict[int, Ranges]:
    found: dict[int, list[npt.NDArray[np.int64]]] = {}
    for table in read_file(table_uri, path, ["file_id", "record_no"]):
        ids, numbers = table["file_id"].to_numpy(), table["record_no"].to_numpy()
        for file_id in np.intersect1d(ids, np.array(file_ids, np.int64)).tolist():
            found.setdefault(file_id, []).append(numbers[ids == file_id])
    return {file_id: Ranges.of(np.concatenate(parts)) for file_id, parts in found.items()}


@dataclass(kw_only=True, slots=True)
class _Read:
    """What the second reading of a file gave."""

    uri: str
    info: FileInfo
    records: int = 0
    refused: int = 0
    license: str | None = None
    passed_over: dict[str, int] = field(default_factory=dict)


def again_unit(
    snapshot: Snapshot, run: Run, done: Sequence[Done], known: dict[str, KnownFile], *, only_changes: bool
) -> Unit | None:
    """Return the commit unit of files that were read again: it replaces the files of ``files`` and ``quarantine`` that hold their rows.

    Args:
        only_changes: return None if the second reading took and refused as many records as the first. Otherwise the unit is committed all the
            same, so that the lake knows by what the files were read last.
    """
    read: dict[int, _Read] = {}
    reached: dict[int, list[tuple[int, int]]] = {}
    entries: list[FileEntry] = []
    text_bytes = 0
    for parts, result in (pair for each in done for pair in each.results):
        entries += result.entries
        text_bytes += result.text_bytes
        for file_id, ranges in result.reached.items():
            reached.setdefault(file_id, []).extend(ranges)
        for part in parts:
            file = read.setdefault(part.file_id, _Read(uri=part.uri, info=part.info))
            records, refused = result.counts.pop(part.file_id, (0, 0))
            file.records += records
            file.refused += refused
            file.license = file.license or result.licenses.get(part.file_id)
            add_counts(file.passed_over, result.passed_over.pop(part.file_id, {}))
    mine = {sha256: file for sha256, file in known.items() if file.file_id in read}
    removes = []
    for path in sorted({path for path, _ in _refusals(snapshot, mine, ["file_id"])}):
        rows = pa.concat_tables(read_file(snapshot.uri, path))
        rest = rows.filter(pa.array(_not_judged(rows, reached, read)))
        if rest.num_rows == rows.num_rows:
            continue
        removes.append(path)
        if rest.num_rows:
            batch, operator = parse_name(path).batch, fingerprint(["content", VERSION])
            entries.append(write_family(snapshot.uri, "quarantine", batch, 0, 0, operator, [rest]))
    is_changed = not only_changes
    for path in sorted({file.path for file in mine.values()}):
        rows = pa.concat_tables(read_file(snapshot.uri, path))
        updated = []
        for row in rows.to_pylist():
            mended = read.get(row["file_id"])
            updated.append(row if mended is None else _updated(row, mended, run.run_id))
            is_changed = is_changed or any(
                row[name] != updated[-1][name] for name in ("records", "quarantined", "format")
            )
        removes.append(path)
        entries.append(write_files(snapshot.uri, parse_name(path).batch, files_table(updated)))
    released = sum(file.quarantined for file in mine.values()) - sum(file.refused for file in read.values())
    counts = {
        "read_again": len(read),
        "records": sum(file.records for file in read.values()),
        "released": max(0, released),
        "quarantined": max(0, -released),
        "text_bytes": text_bytes,
    }
    return Unit(adds=entries, removes=removes, counts=counts) if is_changed else None


def _not_judged(rows: pa.Table, reached: dict[int, list[tuple[int, int]]], read: dict[int, _Read]) -> list[bool]:
    """Return which rows of family ``quarantine`` stand as they are: of other files, taken down, or not reached."""
    stands = []
    named = (rows[name].to_pylist() for name in ("file_id", "record_no", "quarantine_reason"))
    for file_id, number, reason in zip(*named, strict=True):
        file = read.get(file_id)
        held = (
            file is None
            or reason == TAKEN_DOWN
            or not (number == WHOLE_FILE or any(first <= number <= last for first, last in reached.get(file_id, ())))
        )
        if held and file is not None:
            file.refused += 1
        stands.append(held)
    return stands


def _updated(row: dict[str, Any], file: _Read, run_id: str) -> dict[str, Any]:  # Any: values of a row, by column
    passed_over = dict(row.get("passed_over") or {})
    add_counts(passed_over, file.passed_over)
    return row | {
        "passed_over": passed_over if file.info.format in WEB else None,
        "file_uri": file.uri,
        "records": row["records"] + file.records,
        "quarantined": file.refused,
        "format": file.info.kind,
        "license": row["license"] or file.license,
        "run_id": run_id,
    }
