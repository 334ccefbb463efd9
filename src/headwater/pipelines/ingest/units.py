"""Units of ingest: files that are read by one task or several and committed together or not at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from headwater.fingerprint import fingerprint
from headwater.lineage.runs import Run, Unit
from headwater.lineage.takedowns import TakenDown
from headwater.pipelines.ingest.decompress import Limits
from headwater.pipelines.ingest.file_kinds import WEB, FileInfo
from headwater.pipelines.ingest.task import VERSION, Again, FilePart, IngestResult, IngestTask, write_task
from headwater.pipelines.ingest.web.settings import WebSettings
from headwater.pipelines.spark.arrivals import Pace, arrivals
from headwater.pipelines.spark.progress import Progress
from headwater.plain import Row
from headwater.warehouse.commit import reserve_fragments
from headwater.warehouse.faults import INGEST
from headwater.warehouse.fragments import FileEntry
from headwater.warehouse.parquet import write_family
from headwater.warehouse.schema import arrow_schema

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = [
    "EXPANSION",
    "PASSED_OVER",
    "Done",
    "Reader",
    "add_counts",
    "files_table",
    "new_files_unit",
    "plan",
    "write_files",
]

EXPANSION: Final = {"": 1.0, "gz": 4.0, "zst": 4.0, "bz2": 5.0, "xz": 5.0}
"""Usual ratio of text to compressed bytes, only to guess how many fragments a file needs; a wrong guess costs a second try."""

PASSED_OVER: Final = "passed_over:"
"""What names the counts of a run of records of web archives that were passed over, before the kind."""
_TEXT_SHARE: Final = 0.15
"""About how much of a web archive's bytes is text of its pages."""

Parts = tuple[FilePart, ...]


@dataclass(kw_only=True, slots=True)
class Done:
    """What the tasks of a unit wrote, each with the parts that it read."""

    batch: str
    results: list[tuple[Parts, IngestResult]] = field(default_factory=list)


def plan(files: Sequence[tuple[str, FileInfo, Again | None]], fragment_bytes: int) -> list[list[Parts]]:
    """Group chunks of files into units of tasks.

    Returns:
        Units; each a list of tasks, each the parts that one task reads in order. Small files share a task; a large one has several tasks in
        a unit of its own, so that it is still committed whole. Pages of the web share no task with others: what made the text of a
        fragment is one thing.
    """
    pages = [each for each in files if each[1].format in WEB]
    others = [each for each in files if each[1].format not in WEB]
    return [*_plan(others, fragment_bytes), *_plan(pages, fragment_bytes)]


def _plan(files: Sequence[tuple[str, FileInfo, Again | None]], fragment_bytes: int) -> list[list[Parts]]:
    units: list[list[Parts]] = []
    shared: list[FilePart] = []
    shared_bytes = 0.0
    for uri, info, again in files:
        expected = _expected(info)
        # A file without a chunk has no records, and still gets its row in family files.
        parts = [FilePart(uri=uri, info=info, chunk=chunk, again=again) for chunk in range(len(info.chunks))] or [
            FilePart(uri=uri, info=info, chunk=-1, again=again)
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Reader:
    """Runs the tasks of units.

    Attributes:
        unread: gets (file, reason) of each file that could not be read, or changed while it was.
    """

    spark: SparkSession
    run: Run
    limits: Limits
    fragment_bytes: int
    progress: Progress
    table: str
    unread: dict[str, str]
    web: WebSettings = field(default_factory=WebSettings)
    taken: TakenDown | None = None
    pace: Pace = field(default_factory=Pace)

    def read(self, units: Sequence[tuple[str, list[Parts]]]) -> Iterator[list[Done]]:
        """Run every task of some units, each of a batch, again where its fragments did not suffice or a file could not be read.

        Yields:
            What units wrote that are whole, in their order, whenever a commit is due; never one of which no file could be read.
        """
        waiting = dict(enumerate(units))
        factors = [1] * len(units)
        while waiting:
            tasks: list[IngestTask] = []
            owners: list[int] = []
            for number, (batch, tasks_of_unit) in waiting.items():
                for parts in tasks_of_unit:
                    tasks.append(self._task(batch, parts, factors[number]))
                    owners.append(number)
            first = reserve_fragments(self.run.lake, sum(task.fragments for task in tasks))
            for at, task in enumerate(tasks):
                tasks[at] = task.moved(first)
                first += task.fragments
            came: dict[int, dict[int, IngestResult]] = {}
            lacking = Counter(owners)
            for results in arrivals(self.spark, write_task, tasks, self.pace, self.progress, _size, point=INGEST):
                for at, result in results:
                    came.setdefault(owners[at], {})[at] = result
                lacking.subtract(owners[at] for at, _ in results)
                ended = sorted(number for number in came if not lacking[number])
                whole = [self._judge(number, came.pop(number), waiting, factors) for number in ended]
                if done := [each for each in whole if each is not None]:
                    yield done

    def _judge(
        self,
        number: int,
        results: Mapping[int, IngestResult],
        waiting: dict[int, tuple[str, list[Parts]]],
        factors: list[int],
    ) -> Done | None:
        """Return what a unit wrote, of which all tasks have ended, and take it from those that wait; None where it has to run again, or never."""
        batch, tasks_of_unit = waiting[number]
        mine = [results[at] for at in sorted(results)]
        unread = dict(pair for result in mine for pair in result.unread)
        self.unread.update(unread)
        if unread:
            rest = [tuple(part for part in parts if part.uri not in unread) for parts in tasks_of_unit]
            waiting[number] = (batch, [parts for parts in rest if parts])
            if not waiting[number][1]:
                del waiting[number]
            return None
        if any(result.overflow for result in mine):
            factors[number] *= 4
            return None
        del waiting[number]
        return Done(batch=batch, results=list(zip(tasks_of_unit, mine, strict=True)))

    def _task(self, batch: str, parts: Parts, factor: int) -> IngestTask:
        expected = sum(_expected(p.info) / max(1, len(p.info.chunks)) for p in parts)
        return IngestTask(
            table=self.table,
            run_id=self.run.run_id,
            batch=batch,
            first=0,
            fragments=factor * max(1, round(expected / self.fragment_bytes)),
            fragment_bytes=self.fragment_bytes,
            parts=parts,
            limits=self.limits,
            web=self.web,
            taken=self.taken,
        )


def _expected(info: FileInfo) -> float:
    """Return about how many bytes of text a file holds."""
    return info.size * EXPANSION[info.compression] * (_TEXT_SHARE if info.format in ("warc", "html") else 1.0)


def _size(result: IngestResult) -> tuple[int, int]:
    return result.rows, result.text_bytes


def new_files_unit(run_id: str, done: Done) -> tuple[Unit, dict[str, Row]]:
    """Return the commit unit of files that the lake does not have, and SHA-256 → row of family ``files``.

    The unit has what was written of them. Their rows are for whoever commits it: one file for all units of a commit.
    """
    rows: dict[int, Row] = {}
    reasons: dict[str, int] = {}
    for parts, result in done.results:
        for part in parts:
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
                    "format": info.kind,
                    "license": result.licenses.get(part.file_id),
                    "passed_over": {} if info.format in WEB else None,
                    "run_id": run_id,
                },
            )
            if row["passed_over"] is not None:
                add_counts(row["passed_over"], result.passed_over.pop(part.file_id, {}))
            records, quarantined = result.counts.pop(part.file_id, (0, 0))
            row["records"] += records
            row["quarantined"] += quarantined
        for reason, count in result.reasons.items():
            reasons[f"reason:{reason}"] = reasons.get(f"reason:{reason}", 0) + count
    passed_over: dict[str, int] = {}
    for row in rows.values():
        add_counts(passed_over, {f"{PASSED_OVER}{kind}": count for kind, count in (row["passed_over"] or {}).items()})
    entries = [entry for _, result in done.results for entry in result.entries]
    counts = {
        "files": len(rows),
        "records": sum(row["records"] for row in rows.values()),
        "quarantined": sum(row["quarantined"] for row in rows.values()),
        "text_bytes": sum(result.text_bytes for _, result in done.results),
    }
    described = {row["sha256"]: row for row in rows.values()}
    return Unit(adds=entries, counts=counts | reasons | passed_over, tags=frozenset(described)), described


def add_counts(to: dict[str, int], counts: Mapping[str, int]) -> None:
    """Add counts by name to others."""
    for name, count in counts.items():
        to[name] = to.get(name, 0) + count


def files_table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:  # Any: values of a row, by column
    """Return rows of family ``files``, their maps as dictionaries, or as pairs as Arrow gives them."""
    plain = [
        {**row, "passed_over": None if (found := row.get("passed_over")) is None else sorted(dict(found).items())}
        for row in rows
    ]
    return pa.Table.from_pylist(plain, schema=arrow_schema("files"))


def write_files(table: str, batch: str, rows: pa.Table) -> FileEntry:
    """Write rows of family ``files``."""
    return write_family(table, "files", batch, 0, 0, fingerprint(["files", VERSION]), [rows])
