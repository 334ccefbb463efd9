"""Checkpoints that commits leave: every so many versions, recorded, never a reason to fail; what a killed writer leaves is no damage."""

from __future__ import annotations

import hashlib
from pathlib import Path

import duckdb
import pytest
from deltalake import DeltaTable
from family_rows import write

from headwater.errors import CorruptLakeError
from headwater.lineage.builds import LakeView
from headwater.lineage.checks.log import log_entries
from headwater.warehouse import commit as commits
from headwater.warehouse import log as log_module
from headwater.warehouse import log_repair
from headwater.warehouse.commit import commit, create_lake, reserve_fragments
from headwater.warehouse.filesystem import write_file
from headwater.warehouse.log import CHECKPOINT_RECORD, LAST_CHECKPOINT, entry_name, read_record, record_checkpoints
from headwater.warehouse.maintain import maintain
from headwater.warehouse.snapshot import Snapshot, open_snapshot


def _grow(lake: Path, count: int) -> Snapshot:
    snapshot = create_lake(str(lake))
    for number in range(1, count + 1):
        entry = write(snapshot.uri, "content", [number])
        snapshot = commit(snapshot, adds=[entry], wave=("grow", number), lake=str(lake))
    return snapshot


def _log(lake: Path) -> Path:
    return lake / "samples" / "_delta_log"


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _faults(snapshot: Snapshot) -> list[str]:
    with duckdb.connect() as connection:
        return log_entries(LakeView(lake=snapshot.lake, snapshot=snapshot, connection=connection, build=None))[1]


def test_commits_leave_checkpoints(lake_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every so many versions one, recorded and sound, whatever kind of commit is due; the newest is what the lake opens from."""
    monkeypatch.setattr(commits, "CHECKPOINT_EVERY", 3)
    snapshot = _grow(lake_folder, 4)
    reserve_fragments(str(lake_folder), 5)
    reserve_fragments(str(lake_folder), 5)
    names = sorted(place.name for place in _log(lake_folder).glob("*.checkpoint.parquet"))
    assert names == [f"{version:020d}.checkpoint.parquet" for version in (3, 6)]
    files = (read_record(snapshot.uri, CHECKPOINT_RECORD) or {})["files"]
    assert files == {name: _sha256(_log(lake_folder) / name) for name in [*names, LAST_CHECKPOINT]}
    for version in range(6):
        (_log(lake_folder) / entry_name(version)).rename(lake_folder / str(version))
    assert DeltaTable(snapshot.uri).version() == 6  # the entries before a checkpoint are not needed to open
    for version in range(6):
        (lake_folder / str(version)).rename(_log(lake_folder) / entry_name(version))
    again = open_snapshot(str(lake_folder))
    assert (again.version, again.transaction("fragments")) == (6, 10)
    assert _faults(again) == []


@pytest.mark.parametrize("kind", ["folder", "record"])
def test_a_checkpoint_that_cannot_be_written_costs_no_commit(
    kind: str, lake_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit stands, the next ones too; what is wrong is told by maintain."""
    monkeypatch.setattr(commits, "CHECKPOINT_EVERY", 2)
    snapshot = _grow(lake_folder, 1)
    place = _log(lake_folder) / (f"{2:020d}.checkpoint.parquet" if kind == "folder" else CHECKPOINT_RECORD)
    if kind == "folder":
        place.mkdir()
    else:
        place.write_bytes(b"{")
    for number in (8, 9):
        added = [write(snapshot.uri, "content", [number])]
        snapshot = commit(snapshot.newest(), adds=added, wave=(f"more-{number}", 1), lake=snapshot.lake)
    assert open_snapshot(str(lake_folder)).version == 3
    with pytest.raises(CorruptLakeError, match="--repair-log"):
        maintain(str(lake_folder))


@pytest.mark.parametrize("first", [True, False])
def test_a_writer_killed_before_the_record_of_its_checkpoint(
    first: bool, lake_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it leaves is no damage: the checkpoint is held against the entries, and recorded with the next one. A changed one is damage."""
    monkeypatch.setattr(commits, "CHECKPOINT_EVERY", 2)
    snapshot = _grow(lake_folder, 1 if first else 3)

    def killed(uri: str, version: int = -1) -> None:
        if version >= 0:
            raise OSError("killed here")
        record_checkpoints(uri)

    with monkeypatch.context() as patch:
        patch.setattr(log_repair, "record_checkpoints", killed)
        snapshot = commit(
            snapshot.newest(), adds=[write(snapshot.uri, "content", [9])], wave=("more", 1), lake=snapshot.lake
        )
    newest = _log(lake_folder) / f"{snapshot.version:020d}.checkpoint.parquet"
    assert newest.name not in (read_record(snapshot.uri, CHECKPOINT_RECORD) or {})["files"]
    assert _faults(snapshot) == []
    if not first:
        older = _log(lake_folder) / f"{2:020d}.checkpoint.parquet"
        sound = older.read_bytes()
        older.write_bytes(sound[:-1])
        assert [fault.split()[0] for fault in _faults(snapshot)] == [older.name]
        older.write_bytes(sound)
    for number in (10, 11):
        added = [write(snapshot.uri, "content", [number])]
        snapshot = commit(snapshot.newest(), adds=added, wave=(f"later-{number}", 1), lake=snapshot.lake)
    files = (read_record(snapshot.uri, CHECKPOINT_RECORD) or {})["files"]
    assert newest.name in files
    assert len(files) == (3 if first else 4)
    assert _faults(snapshot) == []


def test_two_writers_of_the_record_of_checkpoints(lake_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that wrote its record over another's, made from what was there before, looks again: in the end all that is there is recorded."""
    snapshot = _grow(lake_folder, 2)
    snapshot.delta.create_checkpoint()
    plain = write_file
    later: list[Snapshot] = []

    def interrupted(*args: object, **kwargs: object) -> None:
        if not later:  # another writer makes a checkpoint, and its record, between this one's look and its writing
            later.append(
                commit(
                    snapshot.newest(), adds=[write(snapshot.uri, "content", [9])], wave=("more", 1), lake=snapshot.lake
                )
            )
            later[0].delta.create_checkpoint()
        plain(*args, **kwargs)  # type: ignore[arg-type]  # as they came

    monkeypatch.setattr(log_module, "write_file", interrupted)
    record_checkpoints(snapshot.uri, snapshot.version)
    files = (read_record(snapshot.uri, CHECKPOINT_RECORD) or {})["files"]
    assert len(files) == 3
    assert _faults(later[0]) == []
