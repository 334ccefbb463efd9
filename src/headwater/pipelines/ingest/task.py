"""What an ingest task does: read records of its files, write the content of its fragments, the URL index and the refused records."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headwater.buffers import text_buffers
from headwater.errors import BadInputError, HeadwaterError, StorageError, StoreError, one_line
from headwater.filters.urls.columns import capture_columns
from headwater.hashes import content_hashes, origins, short_hashes
from headwater.lineage.takedowns import TakenDown
from headwater.pipelines.ingest.decompress import Limits
from headwater.pipelines.ingest.file_kinds import WEB, FileInfo
from headwater.pipelines.ingest.host_index import host_index
from headwater.pipelines.ingest.ranges import Ranges
from headwater.pipelines.ingest.record_columns import RecordColumns
from headwater.pipelines.ingest.records import read_records
from headwater.pipelines.ingest.refusals import TAKEN_DOWN, WHOLE_FILE, Refusal
from headwater.pipelines.ingest.web.pages import CAPTURE_FIELDS
from headwater.pipelines.ingest.web.settings import WebSettings
from headwater.pipelines.recipe.extraction import INGEST_VERSION, content_operator
from headwater.pipelines.spark.watch import beat
from headwater.warehouse.columns import repeat_text
from headwater.warehouse.fragments import ROWS_PER_FRAGMENT, FileEntry, sample_ids
from headwater.warehouse.parquet import FamilyWriter, slice_by_bytes, write_family
from headwater.warehouse.schema import arrow_schema

__all__ = [
    "VERSION",
    "Again",
    "FilePart",
    "IngestResult",
    "IngestTask",
    "concerns_all_files",
    "file_number",
    "why_unread",
    "write_task",
]

VERSION: Final = INGEST_VERSION
_NO_END: Final = 1 << 62
_LONGEST_CAUSE: Final = 600


@dataclass(frozen=True, kw_only=True, slots=True)
class Again:
    """What is to be taken of a file that is read again.

    Attributes:
        numbers: records that count; None for all.
        among: whether ``numbers`` are those to take, or those that the lake has.
        was_cut: whether the earlier reading ended at a fault of the file.
    """

    numbers: Ranges | None
    among: bool
    was_cut: bool

    def wanted(self, record_no: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Return which of some records are to be taken."""
        if self.numbers is None:
            return np.ones(len(record_no), np.bool_)
        return self.numbers.hold(record_no) == self.among


@dataclass(frozen=True, kw_only=True, slots=True)
class FilePart:
    """One chunk of an input file; a chunk of -1 stands for a file without records.

    Attributes:
        again: None for a file that the lake does not have.
    """

    uri: str
    info: FileInfo
    chunk: int
    again: Again | None = None

    @property
    def file_id(self) -> int:
        """Number of the file; see ``file_number``."""
        return file_number(self.info.sha256)


@dataclass(frozen=True, kw_only=True, slots=True)
class IngestTask:
    """The parts that one task reads in order, and the fragments from ``first`` on that it may fill; ``taken``: texts that are refused."""

    table: str
    run_id: str
    batch: str
    first: int
    fragments: int
    fragment_bytes: int
    parts: tuple[FilePart, ...]
    limits: Limits
    web: WebSettings = field(default_factory=WebSettings)
    taken: TakenDown | None = None

    @property
    def operator(self) -> str:
        """Fingerprint under which the task's files of ``content`` and ``captures`` are stored: those of pages name the extractor."""
        return content_operator(self.web.extractor if any(part.info.format in WEB for part in self.parts) else None)

    def moved(self, first: int) -> IngestTask:
        """Return the task with other fragments."""
        return dataclasses.replace(self, first=first)


@dataclass(kw_only=True, slots=True)
class IngestResult:
    """What one task wrote.

    Attributes:
        counts: file_id → [records, refused records].
        passed_over: file_id → kind → records of a web archive that hold no page that was asked for.
        reasons: reason → refusals, of all files together.
        reached: file_id → (first record, last record) of each of its chunks that was read again: what was judged anew.
        unread: (file, reason) of files that could not be read, or changed while they were; nothing is committed, and the task runs again
            without them.
        overflow: the fragments did not suffice; nothing of it is committed, and the task runs again with more of them.
    """

    entries: list[FileEntry] = field(default_factory=list)
    counts: dict[int, list[int]] = field(default_factory=dict)
    passed_over: dict[int, dict[str, int]] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    reached: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    unread: list[tuple[str, str]] = field(default_factory=list)
    licenses: dict[int, str | None] = field(default_factory=dict)
    rows: int = 0
    text_bytes: int = 0
    overflow: bool = False


def file_number(sha256: str) -> int:
    """Return ``file_id``: the first 8 bytes of the SHA-256 as a signed big-endian integer."""
    return int.from_bytes(bytes.fromhex(sha256[:16]), "big", signed=True)


def _samples(columns: RecordColumns, part: FilePart, run_id: str) -> pa.Table:
    """Return the rows of families ``content``, ``captures`` and ``html`` side by side, without ``sample_id``."""
    n = len(columns.record_no)
    text = columns.text.cast(pa.large_string())
    captures = columns.captures
    if captures is None:
        captures = pa.table({each.name: pa.nulls(n, each.type) for each in CAPTURE_FIELDS})
    by_url = capture_columns(columns.uri)
    return pa.table(
        {
            "file_id": pa.array(np.full(n, part.file_id, np.int64)),
            "record_no": pa.array(columns.record_no, pa.int64()),
            "source": columns.source,
            "uri": columns.uri,
            "collected_at": columns.collected_at,
            "content_hash": content_hashes(text),
            "origin": pa.array(origins(columns.source, columns.uri, part.info.sha256, columns.record_no)),
            "text": text,
            "text_bytes": pa.array(np.diff(text_buffers(text)[1])),
            "meta": columns.meta,
            **{name: by_url[name] for name in by_url.column_names},
            **{name: captures[name] for name in captures.column_names},
            "run_id": repeat_text(run_id, n),
        }
    )


def _records(task: IngestTask, result: IngestResult, refused: list[tuple[int, int, str]]) -> Iterator[pa.Table]:
    for part in task.parts:
        result.counts.setdefault(part.file_id, [0, 0])
        if part.chunk < 0 or any(part.uri == uri for uri, _ in result.unread):
            continue
        for found in _read_part(task, part, result):
            beat()
            columns = found if task.taken is None else _without_taken(found, task.taken)
            _count(part, columns.refused, result, refused)
            result.counts[part.file_id][0] += len(columns.record_no)
            passed_over = result.passed_over.setdefault(part.file_id, {}) if columns.passed_over else {}
            for _, kind in columns.passed_over:
                passed_over[kind] = passed_over.get(kind, 0) + 1
            if len(columns.record_no):
                known = columns.license.drop_null()
                result.licenses.setdefault(part.file_id, known[0].as_py() if len(known) else None)
                try:
                    table = _samples(columns, part, task.run_id)
                except Exception as error:  # as in _read_part
                    result.unread.append((part.uri, why_unread(error)))
                    break
                result.rows += table.num_rows
                result.text_bytes += int(table["text_bytes"].to_numpy().sum())
                yield from slice_by_bytes(table)


def _without_taken(columns: RecordColumns, taken: TakenDown) -> RecordColumns:
    """Return a batch in which the texts that were taken down are refused."""
    known = taken.texts().known_texts(content_hashes(columns.text.cast(pa.large_string())))
    return columns.refusing(np.flatnonzero(known), TAKEN_DOWN) if known.any() else columns


def _count(part: FilePart, found: Sequence[Refusal], result: IngestResult, refused: list[tuple[int, int, str]]) -> None:
    refused.extend((part.file_id, number, reason) for number, reason in found)
    result.counts[part.file_id][1] += len(found)
    for _, reason in found:
        result.reasons[reason] = result.reasons.get(reason, 0) + 1


def _read_part(task: IngestTask, part: FilePart, result: IngestResult) -> Iterator[RecordColumns]:
    """Yield what is to be taken of a part; what cannot be read, or changes while it is, is noted and ends it."""
    chunk = part.info.chunks[part.chunk]
    batches = read_records(part.uri, part.info, chunk, task.limits, task.web)
    last, cut = chunk.first_record - 1, False
    while True:
        try:
            columns = next(batches, None)
        except Exception as error:
            # Whatever else it is, the other files are none the worse: this one is told as an error of the run, by ``why_unread``.
            if concerns_all_files(error):
                raise
            result.unread.append((part.uri, why_unread(error)))
            return
        if columns is None:
            break
        numbers = [*columns.record_no[-1:].tolist(), *(number for number, _ in columns.passed_over[-1:])]
        last = max([last, *numbers, *(refusal.record_no for refusal in columns.refused)])
        cut = cut or any(refusal.record_no == WHOLE_FILE for refusal in columns.refused)
        yield columns if part.again is None else _take_again(columns, part.again)
    if part.again is not None:
        following = part.info.chunks[part.chunk + 1 :]
        end = following[0].first_record - 1 if following else _NO_END
        result.reached.setdefault(part.file_id, []).append((chunk.first_record, last if cut else end))


def _take_again(columns: RecordColumns, again: Again) -> RecordColumns:
    """Return the records of a batch that are to be taken, and the refusals of those that are not in the lake."""
    wanted = again.wanted(columns.record_no)
    numbers = np.array([refusal.record_no for refusal in columns.refused], np.int64)
    # A reading by lower limits may stop before the end; what lies behind it was read before.
    judged = np.where(numbers == WHOLE_FILE, again.was_cut, again.wanted(numbers))
    passed = np.array([number for number, _ in columns.passed_over], np.int64)
    return columns.take(
        np.flatnonzero(wanted),
        tuple(itertools.compress(columns.refused, judged.tolist())),
        tuple(itertools.compress(columns.passed_over, again.wanted(passed).tolist())),
    )


def concerns_all_files(error: Exception) -> bool:
    """Return whether an exception is of the machine or of Headwater's own making, such as a package that is missing, and no file's."""
    if isinstance(error, HeadwaterError):
        return not isinstance(error, BadInputError | StorageError)
    return isinstance(error, ImportError)


def why_unread(error: Exception) -> str:
    """Return in a few words why a file could not be read: what the operating system says, where it says it.

    An exception that no input should cause is a fault of Headwater or of a library: its kind and place are told, never its message, which may
    hold text of the file.
    """
    if isinstance(error, BadInputError):
        return error.reason
    if not isinstance(error, HeadwaterError | OSError):
        last = traceback.extract_tb(error.__traceback__)[-1:]
        place = "".join(f" at {PurePath(frame.filename).name}:{frame.lineno}" for frame in last)
        return (
            f"{type(error).__name__}{place}, which no file should cause; a fault of Headwater: report it with the file"
        )
    if isinstance(error, StoreError):
        return one_line(str(error), _LONGEST_CAUSE)
    cause = error.__cause__ if isinstance(error, StorageError) and error.__cause__ is not None else error
    number = getattr(cause, "errno", None)
    return os.strerror(number) if number else type(cause).__name__


def write_task(task: IngestTask) -> IngestResult:
    """Read the task's files and write its fragments; runs in a Spark task."""
    result = IngestResult()
    refused: list[tuple[int, int, str]] = []
    pieces = _records(task, result, refused)
    operator = content_operator(None)
    for number, fragment in enumerate(range(task.first, task.first + task.fragments)):
        last = number == task.fragments - 1
        head = next(pieces, None)
        if head is None:
            break
        rows = _numbered(itertools.chain([head], pieces), fragment, None if last else task.fragment_bytes)
        entries = _write_fragment(task, fragment, rows, operator)
        result.entries += entries
        if entries[0].rows > ROWS_PER_FRAGMENT:
            result.overflow = True
    if refused:
        result.entries.append(
            write_family(task.table, "quarantine", task.batch, 0, 0, operator, [_quarantine(refused, task.run_id)])
        )
    return result


def _write_fragment(task: IngestTask, fragment: int, rows: Iterator[pa.Table], operator: str) -> list[FileEntry]:
    """Write the content of one fragment and what goes with it; content comes first."""
    captures: list[pa.Table] = []
    index: list[pa.Table] = []
    with contextlib.ExitStack() as stack:
        writer = stack.enter_context(FamilyWriter(task.table, "content", task.batch, fragment, 1, task.operator))
        html: FamilyWriter | None = None
        for group in rows:
            writer.write(group)
            captures.append(group.select(arrow_schema("captures").names))
            index.append(_uri_index(group))
            pages = group.filter(group["html"].is_valid())
            if pages.num_rows and html is None:
                html = stack.enter_context(FamilyWriter(task.table, "html", task.batch, fragment, 1, operator))
            if html is not None and pages.num_rows:
                html.write(pages)
        entries = [writer.finish()]
        if html is not None:
            entries.append(html.finish())
    families = {
        "captures": (pa.concat_tables(captures), task.operator),
        "host_index": (host_index(pa.concat_tables(captures)), operator),
        "uri_index": (_sorted(pa.concat_tables(index), "uri_hash"), operator),
    }
    for family, (table, made_by) in families.items():
        entries.append(write_family(task.table, family, task.batch, fragment, 1, made_by, [table]))
    return entries


def _numbered(pieces: Iterator[pa.Table], fragment: int, limit: int | None) -> Iterator[pa.Table]:
    """Yield row groups with their addresses until the fragment is full."""
    rows = size = 0
    for piece in pieces:
        ids = sample_ids(fragment, rows, rows + piece.num_rows)
        rows += piece.num_rows
        size += int(piece["text_bytes"].to_numpy().sum())
        yield piece.append_column("sample_id", pa.array(ids))
        if limit is not None and (size >= limit or rows >= ROWS_PER_FRAGMENT // 2):
            return


def _uri_index(rows: pa.Table) -> pa.Table:
    """Return (sample_id, uri_hash) of the rows that have a URL."""
    named = rows.filter(rows["uri"].is_valid())
    return pa.table(
        {
            "sample_id": named["sample_id"],
            "uri_hash": pa.array(short_hashes(named["uri"].to_pylist())),
            "run_id": named["run_id"],
        }
    )


def _sorted(index: pa.Table, column: str) -> pa.Table:
    return index.sort_by([(column, "ascending"), ("sample_id", "ascending")])


def _quarantine(refused: list[tuple[int, int, str]], run_id: str) -> pa.Table:
    file_id, record_no, reason = zip(*refused, strict=True)
    columns = {
        "file_id": file_id,
        "record_no": record_no,
        "quarantine_reason": reason,
        "run_id": [run_id] * len(refused),
    }
    return pa.table(columns, schema=arrow_schema("quarantine"))
