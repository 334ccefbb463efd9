"""What an ingest task does when reading one of its files goes wrong in a way that nobody foresaw."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from headwater.errors import MissingDependencyError, ReconciliationError
from headwater.pipelines.ingest import step, task
from headwater.pipelines.ingest.chunks import Chunk
from headwater.pipelines.ingest.decompress import Limits
from headwater.pipelines.ingest.file_kinds import FileInfo, inspect_file
from headwater.pipelines.ingest.inputs import InputFile
from headwater.pipelines.ingest.record_columns import RecordColumns
from headwater.pipelines.ingest.records import read_records
from headwater.pipelines.ingest.task import FilePart, IngestTask, why_unread, write_task
from headwater.pipelines.ingest.web.settings import WebSettings

_TEXT = "text of the web"


def _part(path: Path) -> FilePart:
    path.write_text(f'{{"text": "{path.stem}"}}\n')
    return FilePart(uri=str(path), info=inspect_file(str(path), path.stat().st_size, Limits()), chunk=0)


def _task(table: Path, *parts: FilePart) -> IngestTask:
    return IngestTask(
        table=str(table),
        run_id="run",
        batch="b",
        first=0,
        fragments=1,
        fragment_bytes=1 << 20,
        parts=parts,
        limits=Limits(),
    )


@pytest.mark.parametrize("kind", [KeyError, RecursionError, MemoryError, AttributeError])
def test_an_unforeseen_fault_costs_its_own_file_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    """It is told by its kind and place, never by its message; the files before and behind it are read."""

    def reading(uri: str, info: FileInfo, chunk: Chunk, limits: Limits, web: WebSettings) -> Iterator[RecordColumns]:
        if "bad" in uri:
            raise kind(_TEXT)
        yield from read_records(uri, info, chunk, limits, web)

    parts = [_part(tmp_path / f"{name}.jsonl") for name in ("one", "bad", "two")]
    monkeypatch.setattr(task, "read_records", reading)
    result = write_task(_task(tmp_path / "table", *parts))
    ((uri, reason),) = result.unread
    assert uri == str(tmp_path / "bad.jsonl")
    assert reason.startswith(f"{kind.__name__} at test_task.py:")
    assert "report it" in reason
    assert _TEXT not in reason
    assert [result.counts[part.file_id] for part in parts] == [[1, 0], [0, 0], [1, 0]]


@pytest.mark.parametrize("kind", [ImportError, MissingDependencyError, ReconciliationError])
def test_what_concerns_every_file_ends_the_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    """A package that is missing, or a fault that Headwater itself told of, is not laid at a file's door, by neither reading."""

    def reading(*_: object) -> Iterator[RecordColumns]:
        raise kind("told as it is")

    part = _part(tmp_path / "one.jsonl")
    monkeypatch.setattr(task, "read_records", reading)
    monkeypatch.setattr(step, "inspect_file", reading)
    with pytest.raises(kind, match="told as it is"):
        write_task(_task(tmp_path / "table", part))
    with pytest.raises(kind, match="told as it is"):
        step._inspect(Limits(), InputFile(uri=part.uri, size=1))


def test_an_unforeseen_fault_of_the_columns_costs_its_own_file_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is made of a file's records belongs to its reading."""
    making = task._samples

    def failing(columns: RecordColumns, part: FilePart, run_id: str) -> pa.Table:
        if "bad" in part.uri:
            raise TypeError(_TEXT)
        return making(columns, part, run_id)

    parts = [_part(tmp_path / f"{name}.jsonl") for name in ("one", "bad", "two")]
    monkeypatch.setattr(task, "_samples", failing)
    result = write_task(_task(tmp_path / "table", *parts))
    assert [(uri, reason[:9]) for uri, reason in result.unread] == [(str(tmp_path / "bad.jsonl"), "TypeError")]
    assert result.rows == 2


def test_an_unforeseen_fault_of_the_inspection_costs_its_own_file_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first reading answers with the reason, as for a file that is gone."""

    def inspecting(uri: str, size: int, limits: Limits) -> FileInfo:
        raise LookupError(_TEXT)

    monkeypatch.setattr(step, "inspect_file", inspecting)
    found = step._inspect(Limits(), InputFile(uri=str(tmp_path / "a.jsonl"), size=1))
    assert isinstance(found, str)
    assert found.startswith("LookupError at test_task.py:")
    assert _TEXT not in found


def test_what_the_system_says_stays_as_it_is() -> None:
    """A fault of the storage is no fault of Headwater."""
    assert why_unread(FileNotFoundError(2, "x")) == "No such file or directory"
