"""Steps over text commit what has come in while they work: what was committed before the driver ends stays, and is not done again."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from small_lake import small_recipe

from headwater.pipelines.annotate import step as annotate_step
from headwater.pipelines.ingest import step as ingest_step
from headwater.pipelines.recipe.operators import resolve
from headwater.pipelines.spark import arrivals
from headwater.warehouse.commit import create_lake
from headwater.warehouse.parquet import read_file
from headwater.warehouse.snapshot import Snapshot, open_snapshot

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark

_FILES = 8


class _DriverEnds(Exception):  # noqa: N818 - no error, but what ends a driver
    pass


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a commit be due whenever there is something to commit."""
    monkeypatch.setattr(arrivals.Pace, "seconds_left", lambda _: 0.0)
    monkeypatch.setattr(arrivals, "_LEAST_WAIT_S", 0.01)


def _end_after(monkeypatch: pytest.MonkeyPatch, module: ModuleType, commits: int) -> None:
    """Let the driver end after so many commits of a step."""
    plain = module.commit_wave
    left = [commits]

    def commit_wave(*given: Any, **named: Any) -> Any:  # Any: as of the function that this stands for
        if not left[0]:
            raise _DriverEnds
        left[0] -= 1
        return plain(*given, **named)

    monkeypatch.setattr(module, "commit_wave", commit_wave)


def _write_inputs(folder: Path) -> str:
    folder.mkdir()
    for number in range(_FILES):
        texts = [f"Letter {number} of {line}: the river went past the hills and the mill. " * 9 for line in range(20)]
        lines = [json.dumps({"id": f"{number}-{line}", "text": text}) for line, text in enumerate(texts)]
        (folder / f"{number}.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    return str(folder)


def _described(snapshot: Snapshot) -> list[str]:
    tables = [pa.concat_tables(read_file(snapshot.uri, path, ["file_uri"])) for path in snapshot.paths("files")]
    return sorted(Path(uri).name for table in tables for uri in table["file_uri"].to_pylist())


@pytest.mark.usefixtures("at_once")
def test_what_was_committed_stays(
    spark: SparkSession, lake_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ingest, then annotate, end after their second commit: the next call does the rest, and nothing is there twice or missing."""
    lake, recipe = str(lake_folder), small_recipe()
    folder = _write_inputs(tmp_path / "in")
    create_lake(lake)

    def take() -> ingest_step.IngestReport:
        return ingest_step.ingest(spark, lake, recipe, [folder], fragment_bytes=20_000)

    with monkeypatch.context() as patch:
        _end_after(patch, ingest_step, 2)
        with pytest.raises(_DriverEnds):
            take()
    first = open_snapshot(lake)
    assert len(first.paths("files")) == 2
    done = _described(first)
    assert 2 <= len(done) < _FILES
    again = take()
    snapshot = open_snapshot(lake)
    assert (again.known_files, again.files) == (len(done), _FILES - len(done))
    assert _described(snapshot) == [f"{number}.jsonl" for number in range(_FILES)]
    assert sum(snapshot.live("content")["rows"].to_pylist()) == 20 * _FILES

    job = resolve(recipe, lake)
    total = len(snapshot.covered("content"))
    with monkeypatch.context() as patch:
        _end_after(patch, annotate_step, 2)
        with pytest.raises(_DriverEnds):
            annotate_step.annotate(spark, job)
    covered = len(open_snapshot(lake).covered("signals", job.operator("signals")))
    assert 2 <= covered < total
    assert annotate_step.annotate(spark, job)["fragments"] == total - covered
    for family, operator in job.fingerprints.items():
        assert len(open_snapshot(lake).covered(family, operator)) == total


def test_a_small_lake_has_a_commit_a_step(spark: SparkSession, lake_folder: Path, tmp_path: Path) -> None:
    """Work of less than a minute is one commit for what was read and one for the end of the run, besides the reserved fragments."""
    lake, recipe = str(lake_folder), small_recipe()
    create_lake(lake)
    before = open_snapshot(lake).version
    ingest_step.ingest(spark, lake, recipe, [_write_inputs(tmp_path / "in")], fragment_bytes=20_000)
    between = open_snapshot(lake)
    assert between.version - before == 3
    assert len(between.paths("files")) == 1
    annotate_step.annotate(spark, resolve(recipe, lake))
    assert open_snapshot(lake).version - between.version == 2
