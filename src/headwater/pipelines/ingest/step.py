"""Ingest: raw files to families ``files``, ``content``, ``uri_index`` and ``quarantine``.

Two passes over a wave of files. The first takes each file's SHA-256, so that a file that the lake has, under whatever name, is left alone; the
second reads records and writes content. A file is committed whole: its row in ``files``, its samples and its refused records in one commit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from headwater.errors import BadInputError, HeadwaterError
from headwater.fingerprint import fingerprint
from headwater.lineage.runs import Run, Unit, begin_run, commit_wave, finish_run
from headwater.pipelines.ingest.decompress import Limits
from headwater.pipelines.ingest.file_kinds import FileInfo, inspect_file
from headwater.pipelines.ingest.inputs import InputFile, list_inputs
from headwater.pipelines.ingest.task import VERSION, FilePart, IngestResult, IngestTask, write_task
from headwater.pipelines.recipe.bounds import FRAGMENT_BYTES
from headwater.pipelines.recipe.checks import check_whole
from headwater.pipelines.recipe.job import Recipe
from headwater.pipelines.spark.progress import Progress
from headwater.pipelines.spark.sessions import parallelism, run_tasks
from headwater.warehouse.commit import reserve_fragments
from headwater.warehouse.faults import INGEST
from headwater.warehouse.fragments import batch_name
from headwater.warehouse.parquet import read_file, write_family
from headwater.warehouse.schema import arrow_schema
from headwater.warehouse.snapshot import Snapshot, open_snapshot

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["IngestReport", "ingest"]

_MAX_FRAGMENT_BYTES: Final = 512 << 20
_MIN_FRAGMENT_BYTES: Final = 24 << 20
_WAVE_FILES: Final = 2048
_EXPANSION: Final = {"": 1.0, "gz": 4.0, "zst": 4.0, "bz2": 5.0, "xz": 5.0}
"""Usual ratio of text to compressed bytes, only to guess how many fragments a file needs; a wrong guess costs a second try."""


@dataclass(frozen=True, kw_only=True, slots=True)
class IngestReport:
    """What one ingest did.

    Attributes:
        unreadable: (uri, reason) of files that could not be opened; nothing of them is in the lake.
    """

    files: int = 0
    known_files: int = 0
    records: int = 0
    quarantined: int = 0
    text_bytes: int = 0
    unreadable: tuple[tuple[str, str], ...] = ()


def _inspect(limits: Limits, file: InputFile) -> FileInfo | tuple[str, str]:
    try:
        return inspect_file(file.uri, file.size, limits)
    except (HeadwaterError, OSError) as error:
        reason = error.reason if isinstance(error, BadInputError) else type(error).__name__
        return file.uri, reason


def _known(snapshot: Snapshot, sha256: set[str]) -> set[str]:
    """Return which of some SHA-256 the lake holds; one file of family ``files`` in memory at a time."""
    found: set[str] = set()
    for path in snapshot.paths("files"):
        for table in read_file(snapshot.uri, path, ["sha256"]):
            found |= sha256.intersection(table["sha256"].to_pylist())
    return found


def _plan(files: Sequence[tuple[str, FileInfo]], fragment_bytes: int) -> list[list[tuple[FilePart, ...]]]:
    """Group chunks of files into units of tasks.

    Returns:
        Units; each a list of tasks, each the parts that one task reads in order. Small files share a task; a large one has several tasks in
        a unit of its own, so that it is still committed whole.
    """
    units: list[list[tuple[FilePart, ...]]] = []
    shared: list[FilePart] = []
    shared_bytes = 0.0
    for uri, info in files:
        expected = info.size * _EXPANSION[info.compression]
        # A file without a chunk has no records, and still gets its row in family files.
        parts = [FilePart(uri=uri, info=info, chunk=chunk) for chunk in range(len(info.chunks))] or [
            FilePart(uri=uri, info=info, chunk=-1)
        ]
        if len(parts) > 1 and expected > fragment_bytes:
            per_task = max(1, int(len(parts) * fragment_bytes // expected))
            units.append([tuple(parts[at : at + per_task]) for at in range(0, len(parts), per_task)])
            continue
        if shared and shared_bytes + expected > fragment_bytes:
            units.append([tuple(shared)])
            shared, shared_bytes = [], 0.0
        shared += parts
        shared_bytes += expected
    if shared:
        units.append([tuple(shared)])
    return units


def _run_units(
    spark: SparkSession,
    run: Run,
    batch: str,
    units: list[list[tuple[FilePart, ...]]],
    limits: Limits,
    fragment_bytes: int,
    progress: Progress,
    table: str,
) -> list[Unit]:
    """Run every task of some units, again with more fragment numbers where they did not suffice, and return what to commit."""
    factors = [1] * len(units)
    done: dict[int, Unit] = {}
    while len(done) < len(units):
        waiting = [number for number in range(len(units)) if number not in done]
        tasks: list[IngestTask] = []
        owners: list[int] = []
        needs: list[int] = []
        for number in waiting:
            for parts in units[number]:
                expected = sum(p.info.size / max(1, len(p.info.chunks)) * _EXPANSION[p.info.compression] for p in parts)
                needs.append(factors[number] * max(1, round(expected / fragment_bytes)))
                owners.append(number)
        first = reserve_fragments(run.lake, sum(needs))
        for parts, need in zip((parts for number in waiting for parts in units[number]), needs, strict=True):
            tasks.append(
                IngestTask(
                    table=table,
                    run_id=run.run_id,
                    batch=batch,
                    first=first,
                    fragments=need,
                    fragment_bytes=fragment_bytes,
                    parts=parts,
                    limits=limits,
                )
            )
            first += need
        results = run_tasks(spark, write_task, tasks, progress, _size, point=INGEST)
        for number in waiting:
            mine = [
                (task, result) for task, result, owner in zip(tasks, results, owners, strict=True) if owner == number
            ]
            if any(result.overflow for _, result in mine):
                factors[number] *= 4
            else:
                done[number] = _unit(table, batch, run.run_id, mine)
    return [done[number] for number in range(len(units))]


def _size(result: IngestResult) -> tuple[int, int]:
    return result.rows, result.text_bytes


def _unit(table: str, batch: str, run_id: str, results: Sequence[tuple[IngestTask, IngestResult]]) -> Unit:
    """Return the commit unit of some tasks: their files and the rows of family ``files``."""
    rows: dict[int, dict[str, object]] = {}
    for task, result in results:
        for part in task.parts:
            info = part.info
            row = rows.setdefault(
                part.file_id,
                {
                    "file_id": part.file_id,
                    "file_uri": part.uri,
                    "sha256": info.sha256,
                    "file_bytes": info.size,
                    "records": 0,
                    "quarantined": 0,
                    "format": info.format + (f".{info.compression}" if info.compression else ""),
                    "license": result.licenses.get(part.file_id),
                    "run_id": run_id,
                },
            )
            records, quarantined = result.counts.pop(part.file_id, (0, 0))
            row["records"] = int(str(row["records"])) + records
            row["quarantined"] = int(str(row["quarantined"])) + quarantined
    files = pa.Table.from_pylist(list(rows.values()), schema=arrow_schema("files"))
    entries = [entry for _, result in results for entry in result.entries]
    entries.append(write_family(table, "files", batch, 0, 0, fingerprint(["files", VERSION]), [files]))
    counts = {
        "files": len(rows),
        "records": sum(files["records"].to_pylist()),
        "quarantined": sum(files["quarantined"].to_pylist()),
        "text_bytes": sum(result.text_bytes for _, result in results),
    }
    return Unit(adds=entries, counts=counts, tags=frozenset(files["sha256"].to_pylist()))


def ingest(
    spark: SparkSession,
    lake: str,
    recipe: Recipe,
    inputs: Sequence[str],
    batch: str | None = None,
    fragment_bytes: int | None = None,
) -> IngestReport:
    """Add the files at ``inputs`` that the lake does not have yet, and return what was done.

    Args:
        inputs: files, folders or globs, local or URIs.
        batch: name of the partition; by default the start of the run.
        fragment_bytes: text bytes a fragment; by default 512 MB, less for inputs that would otherwise keep cores idle.

    Raises:
        UsageError: an input does not exist, or the lake does not; the batch's name cannot stand in a path, or ``fragment_bytes`` is out of
            bounds. Nothing was written.
        StorageError: the lake cannot be written.
    """
    if batch is not None:
        batch_name(batch)
    if fragment_bytes is not None:
        check_whole("fragment_bytes", fragment_bytes, *FRAGMENT_BYTES)
    found = list_inputs(inputs)
    snapshot = open_snapshot(lake)
    limits = Limits(
        max_record_bytes=recipe.ingest.max_record_bytes,
        max_expansion_ratio=recipe.ingest.max_expansion_ratio,
        max_nesting=recipe.ingest.max_nesting,
    )
    run = begin_run(
        lake, "ingest", {"ingest": recipe.literals.get("ingest", {})}, {"ingest": VERSION}, snapshot.version
    )
    batch = batch or f"{run.started:%Y%m%dT%H%M%S}"
    known_files = 0
    unreadable: list[tuple[str, str]] = []
    with Progress("ingest") as progress:
        for wave in _waves(found, 8 * parallelism(spark) * _MAX_FRAGMENT_BYTES):
            infos = run_tasks(spark, partial(_inspect, limits), wave, tasks=8 * parallelism(spark))
            readable = [(file.uri, info) for file, info in zip(wave, infos, strict=True) if isinstance(info, FileInfo)]
            unreadable += [info for info in infos if not isinstance(info, FileInfo)]
            unique = dict(reversed([(info.sha256, (uri, info)) for uri, info in readable]))
            held = _known(snapshot, set(unique))
            files = [unique[sha256] for sha256 in reversed(unique) if sha256 not in held]
            known_files += len(readable) - len(files)
            while files:
                size = fragment_bytes or _fragment_bytes(files, parallelism(spark))
                units = _run_units(spark, run, batch, _plan(files, size), limits, size, progress, snapshot.uri)
                snapshot, dropped = commit_wave(run, snapshot, units, valid=_unknown)
                lost = {sha256 for unit in dropped for sha256 in unit.tags}
                held = _known(snapshot, lost)
                known_files += len(held)
                files = [(uri, info) for uri, info in files if info.sha256 in lost - held]
    finish_run(run, snapshot)
    done = run.counts
    return IngestReport(
        files=done.get("files", 0),
        known_files=known_files,
        records=done.get("records", 0),
        quarantined=done.get("quarantined", 0),
        text_bytes=done.get("text_bytes", 0),
        unreadable=tuple(unreadable),
    )


def _waves(files: Iterator[InputFile], max_bytes: int) -> Iterator[list[InputFile]]:
    """Yield files in groups that one commit can hold and one crash may cost."""
    wave: list[InputFile] = []
    size = 0
    for file in files:
        if wave and (len(wave) >= _WAVE_FILES or size + file.size > max_bytes):
            yield wave
            wave, size = [], 0
        wave.append(file)
        size += file.size
    if wave:
        yield wave


def _unknown(snapshot: Snapshot, unit: Unit) -> bool:
    """Return whether no file of a unit was ingested by another driver meanwhile."""
    return not _known(snapshot, set(unit.tags))


def _fragment_bytes(files: Sequence[tuple[str, FileInfo]], cores: int) -> int:
    expected = sum(info.size * _EXPANSION[info.compression] for _, info in files)
    return int(min(_MAX_FRAGMENT_BYTES, max(_MIN_FRAGMENT_BYTES, expected / (4 * cores))))
