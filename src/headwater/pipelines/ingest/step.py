"""Ingest: raw files to families ``files``, ``content``, ``uri_index`` and ``quarantine``.

Two passes over a wave of files. The first takes each file's SHA-256, so that a file that the lake has, under whatever name, is left alone; the
second reads records and writes content, and finds out whether the file changed meanwhile. A file is committed whole: its row in ``files``,
its samples and its refused records in one commit. What was refused of a file that the lake has may be taken later; see ``again``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

from headwater.filters.html.page import extractor_operator
from headwater.lineage.runs import Run, Unit, begin_run, commit_wave, finish_run
from headwater.lineage.takedowns import taken_down
from headwater.pipelines.ingest.again import again_unit, find_again, plan_again
from headwater.pipelines.ingest.decompress import Limits
from headwater.pipelines.ingest.file_kinds import FileInfo, inspect_file
from headwater.pipelines.ingest.inputs import InputFile, list_inputs
from headwater.pipelines.ingest.known import KnownFile, KnownFiles
from headwater.pipelines.ingest.left_out import RULES, LeftOut
from headwater.pipelines.ingest.task import VERSION, concerns_all_files, why_unread
from headwater.pipelines.ingest.units import (
    EXPANSION,
    PASSED_OVER,
    Done,
    Reader,
    files_table,
    new_files_unit,
    plan,
    write_files,
)
from headwater.pipelines.ingest.web.settings import WebSettings, web_settings
from headwater.pipelines.recipe.bounds import FRAGMENT_BYTES
from headwater.pipelines.recipe.checks import check_whole
from headwater.pipelines.recipe.extraction import text_operator
from headwater.pipelines.recipe.job import Recipe
from headwater.pipelines.spark.progress import Progress
from headwater.pipelines.spark.sessions import parallelism, run_tasks
from headwater.plain import JsonObject
from headwater.warehouse.fragments import FileEntry, batch_name
from headwater.warehouse.snapshot import Snapshot, open_snapshot
from headwater.warehouse.table_format import declare_columns

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["IngestReport", "ingest", "ingest_counts", "ingest_warnings"]

_MAX_FRAGMENT_BYTES: Final = 512 << 20
_MIN_FRAGMENT_BYTES: Final = 24 << 20
_WAVE_FILES: Final = 2048


@dataclass(frozen=True, kw_only=True, slots=True)
class IngestReport:
    """What one ingest did.

    Attributes:
        files: files that the lake did not have.
        known_files: files that it had, those that were read again included.
        read_again: files that it had and of which refused records were judged anew.
        records: records that came in.
        quarantined: records and files that were refused.
        passed_over: kind → records of web archives that hold no page that was asked for.
        reasons: reason → how many of them.
        released: refusals that no longer hold.
        unreadable: (uri, reason) of files that could not be read, or changed while they were; nothing of them is in the lake.
        left_out: (rule, how many, the first of them) of what a search of folders left out; see ``headwater.pipelines.ingest.left_out``.
    """

    files: int = 0
    known_files: int = 0
    read_again: int = 0
    records: int = 0
    quarantined: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    passed_over: dict[str, int] = field(default_factory=dict)
    released: int = 0
    text_bytes: int = 0
    unreadable: tuple[tuple[str, str], ...] = ()
    left_out: tuple[tuple[str, int, str], ...] = ()

    @property
    def did_something(self) -> bool:
        """Whether anything came in, was judged anew, or could not be read."""
        return bool(self.files or self.read_again or self.unreadable)


def ingest_counts(report: IngestReport) -> JsonObject:
    """Return the report as the counts of a step: none where there was nothing to do."""
    return dataclasses.asdict(report) if report.did_something else {}


def ingest_warnings(report: IngestReport, inputs: Sequence[str]) -> list[str]:
    """Return a line for each thing about the inputs that their owner may not have meant."""
    warnings = [
        f"left out {count} {'name' if count == 1 else 'names'}, such as {example}: {RULES[rule]}"
        for rule, count, example in report.left_out
    ]
    if not (report.files or report.known_files or report.unreadable):
        warnings.append(
            f"expected files of JSON Lines, Parquet, text or the web, found no file at all in {', '.join(inputs)}; check the path"
        )
    return warnings


def _inspect(limits: Limits, file: InputFile) -> FileInfo | str:
    """Return what a file is, or why it could not be read."""
    try:
        return inspect_file(file.uri, file.size, limits)
    except Exception as error:  # one file, whatever is wrong with it, stops no other: ``why_unread`` tells what it was
        if concerns_all_files(error):
            raise
        return why_unread(error)


def ingest(
    spark: SparkSession,
    lake: str,
    recipe: Recipe,
    inputs: Sequence[str],
    batch: str | None = None,
    fragment_bytes: int | None = None,
    *,
    retry_quarantined: bool = False,
) -> IngestReport:
    """Add the files at ``inputs`` that the lake does not have yet, and return what was done.

    Args:
        inputs: files, folders or globs, local or URIs.
        batch: name of the partition; by default the start of the run.
        fragment_bytes: text bytes a fragment; by default 512 MB, less for inputs that would otherwise keep cores idle.
        retry_quarantined: read every file again of which something was refused, not only those of which more can be taken now.

    Raises:
        UsageError: an input does not exist, or the lake does not; the batch's name cannot stand in a path, or ``fragment_bytes`` is out of
            bounds. Nothing was written.
        StorageError: the lake cannot be written.
    """
    if batch is not None:
        batch_name(batch)
    if fragment_bytes is not None:
        check_whole("fragment_bytes", fragment_bytes, *FRAGMENT_BYTES)
    left_out = LeftOut()
    found = list_inputs(inputs, lake, left_out)
    snapshot = declare_columns(open_snapshot(lake), ())
    limits = Limits(
        max_record_bytes=recipe.ingest.max_record_bytes,
        max_expansion_ratio=recipe.ingest.max_expansion_ratio,
        max_nesting=recipe.ingest.max_nesting,
    )
    literals = recipe.literals
    said = {name: literals[name] for name in ("extract", "extractors") if name in literals}
    extractors = [text_operator(each) for each in recipe.extractors]
    run = begin_run(
        lake,
        "ingest",
        {"ingest": literals.get("ingest", {})} | said,
        {"ingest": VERSION, "extractor": extractor_operator(recipe.extractors[0]), "extractors": extractors},
        snapshot.version,
    )
    unread: dict[str, str] = {}
    known = 0
    with Progress("ingest") as progress:
        slots = parallelism(spark)
        step = _Ingest(
            spark=spark,
            run=run,
            batch=batch or f"{run.started:%Y%m%dT%H%M%S}",
            limits=limits,
            web=web_settings(recipe),
            fragment_bytes=fragment_bytes,
            progress=progress,
            unread=unread,
            retry=retry_quarantined,
            extractors=extractors,
        )
        for wave in _waves(found, 8 * slots * _MAX_FRAGMENT_BYTES, max(_WAVE_FILES, 8 * slots)):
            snapshot, held = step.add_wave(snapshot, wave)
            known += held
    finish_run(run, snapshot)
    done = run.counts
    return IngestReport(
        files=done.get("files", 0),
        known_files=known,
        read_again=done.get("read_again", 0),
        records=done.get("records", 0),
        quarantined=done.get("quarantined", 0),
        reasons=_counts(done, "reason:"),
        passed_over=_counts(done, PASSED_OVER),
        released=done.get("released", 0),
        text_bytes=done.get("text_bytes", 0),
        unreadable=tuple(unread.items()),
        left_out=tuple((rule, count, left_out.examples[rule]) for rule, count in sorted(left_out.counts.items())),
    )


def _counts(counts: Mapping[str, int], prefix: str) -> dict[str, int]:
    return {name.removeprefix(prefix): count for name, count in sorted(counts.items()) if name.startswith(prefix)}


_Files = list[tuple[str, FileInfo]]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Ingest:
    """One ingest: adds the files of a wave to the lake."""

    spark: SparkSession
    run: Run
    batch: str
    limits: Limits
    web: WebSettings
    fragment_bytes: int | None
    progress: Progress
    unread: dict[str, str]
    retry: bool
    extractors: Sequence[str]
    known: KnownFiles = field(default_factory=KnownFiles)

    def add_wave(self, snapshot: Snapshot, wave: Sequence[InputFile]) -> tuple[Snapshot, int]:
        """Add the files of a wave that the lake lacks, and return the snapshot after that and how many files it had."""
        infos = run_tasks(self.spark, partial(_inspect, self.limits), wave, tasks=8 * parallelism(self.spark))
        readable: _Files = []
        for file, info in zip(wave, infos, strict=True):
            if isinstance(info, FileInfo):
                readable.append((file.uri, info))
            else:
                self.unread[file.uri] = info
        files = _one_of_each(readable)
        snapshot, known = self._read_again(snapshot, files)
        new = [(uri, info) for uri, info in files if info.sha256 not in known]
        n_known = len(readable) - len(new)
        while new:
            reader = self._reader(snapshot, new)
            parts = plan([(uri, info, None) for uri, info in new], reader.fragment_bytes)
            # A text that was taken down since it was read may be among those that were written.
            taken = snapshot.paths("takedowns")
            lost: set[str] = set()
            for done in reader.read([(self.batch, unit) for unit in parts]):
                snapshot, dropped = self._commit(snapshot, taken, done)
                lost |= {sha256 for unit in dropped for sha256 in unit.tags}
            if not lost:
                break
            held = self.known.find(snapshot, lost)
            n_known += len(held)
            new = [(uri, info) for uri, info in new if info.sha256 in lost and info.sha256 not in held]
        return snapshot, n_known

    def _commit(self, snapshot: Snapshot, taken: list[str], done: Sequence[Done]) -> tuple[Snapshot, list[Unit]]:
        """Commit files that were read, their rows of family ``files`` in one file; return the snapshot after that and the units that were dropped."""
        made = [new_files_unit(self.run.run_id, each) for each in done]
        rows = {sha256: row for _, described in made for sha256, row in described.items()}
        tags = set(rows)

        def write(units: Sequence[Unit]) -> list[FileEntry]:
            table = files_table([rows[sha256] for unit in units for sha256 in sorted(unit.tags)])
            return [write_files(snapshot.uri, self.batch, table)]

        def holds(now: Snapshot, unit: Unit) -> bool:
            """Return whether no file of a unit was ingested by another driver meanwhile, and nothing was taken down."""
            return now.paths("takedowns") == taken and unit.tags.isdisjoint(self.known.find(now, tags))

        return commit_wave(self.run, snapshot, [unit for unit, _ in made], valid=holds, together=write)

    def _read_again(self, snapshot: Snapshot, files: _Files) -> tuple[Snapshot, dict[str, KnownFile]]:
        """Read those files again of which more may be taken than the lake has; return the snapshot after that, and which files it had before."""
        while True:
            known = self.known.find(snapshot, {info.sha256 for _, info in files})
            held = [(uri, info) for uri, info in files if info.sha256 in known]
            again = find_again(snapshot, known, held, self.limits, extractors=self.extractors, retry=self.retry)
            if not again:
                return snapshot, known
            reader = self._reader(snapshot, again)
            planned = plan_again(self.spark, snapshot, known, again)
            batches = sorted({known[info.sha256].batch for _, info, _ in planned})
            parts = [
                (batch, unit)
                for batch in batches
                for unit in plan(
                    [each for each in planned if known[each[1].sha256].batch == batch], reader.fragment_bytes
                )
            ]
            done = [each for part in reader.read(parts) for each in part]
            unit = again_unit(snapshot, self.run, done, known, only_changes=self.retry) if done else None
            if unit is None:
                return snapshot, known
            holds = partial(_nothing_taken, snapshot.paths("takedowns"))
            snapshot, dropped = commit_wave(self.run, snapshot, [unit], valid=holds)
            if not dropped:
                return snapshot, known

    def _reader(self, snapshot: Snapshot, files: _Files) -> Reader:
        return Reader(
            spark=self.spark,
            run=self.run,
            limits=self.limits,
            web=self.web,
            fragment_bytes=self.fragment_bytes or _fragment_bytes(files, parallelism(self.spark)),
            progress=self.progress,
            table=snapshot.uri,
            unread=self.unread,
            taken=taken_down(snapshot),
        )


def _one_of_each(files: _Files) -> _Files:
    """Return each file once, under the first of its names by which it is of a known format."""
    found: dict[str, tuple[str, FileInfo]] = {}
    for uri, info in files:
        held = found.get(info.sha256)
        if held is None or (held[1].format == "unknown" and info.format != "unknown"):
            found[info.sha256] = (uri, info)
    return list(found.values())


def _waves(files: Iterator[InputFile], max_bytes: int, max_files: int) -> Iterator[list[InputFile]]:
    """Yield files in groups of which all are known by their SHA-256 before any is read: enough for all tasks that run at once."""
    wave: list[InputFile] = []
    size = 0
    for file in files:
        if wave and (len(wave) >= max_files or size + file.size > max_bytes):
            yield wave
            wave, size = [], 0
        wave.append(file)
        size += file.size
    if wave:
        yield wave


def _nothing_taken(taken: list[str], snapshot: Snapshot, _: Unit) -> bool:
    """Return whether nothing was taken down since files were read."""
    return snapshot.paths("takedowns") == taken


def _fragment_bytes(files: Sequence[tuple[str, FileInfo]], cores: int) -> int:
    expected = sum(info.size * EXPANSION[info.compression] for _, info in files)
    return int(min(_MAX_FRAGMENT_BYTES, max(_MIN_FRAGMENT_BYTES, expected / (4 * cores))))
