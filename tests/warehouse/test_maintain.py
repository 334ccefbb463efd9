"""Maintenance changes files, never what a reader sees, and deletes only what nobody can need."""

from __future__ import annotations

import datetime
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from family_rows import OPERATOR, make_rows, write

from headwater.errors import CorruptLakeError
from headwater.fingerprint import canonical_json
from headwater.warehouse import index_files
from headwater.warehouse import maintain as maintain_module
from headwater.warehouse.commit import commit, create_lake
from headwater.warehouse.fragments import FileEntry, sample_ids
from headwater.warehouse.maintain import compact, maintain
from headwater.warehouse.parquet import FragmentFiles, read_aligned, read_file, read_sparse, write_family
from headwater.warehouse.row_reader import RowReader
from headwater.warehouse.schema import arrow_schema
from headwater.warehouse.snapshot import Snapshot, open_snapshot

FRAGMENTS = [1, 2, 4, 7, 60, 64, 65, 130]
"""60 fits with 1 in one file of 64, 64 too; 65 is one too far."""


@pytest.fixture
def lake(lake_folder: Path) -> str:
    """Eight fragments with a small file each of an aligned and of a sparse family, two of them by another operator."""
    snapshot = create_lake(str(lake_folder))
    entries = [write(snapshot.uri, "content", [number], number % 5) for number in FRAGMENTS]
    entries += [
        write(
            snapshot.uri,
            "language",
            [number],
            number % 5,
            operator="b" * 32 if number == 130 else OPERATOR,
            first=number,
        )
        for number in FRAGMENTS
        if number not in (2, 7)
    ]
    entries += [write(snapshot.uri, "language", [2, 7], [2, 2], first=2)]
    entries += [write(snapshot.uri, "spans", [number], number % 2, first=number) for number in FRAGMENTS]
    entries += [write(snapshot.uri, "files", [0], 2, batch=batch, first=at) for at, batch in enumerate(("b", "b", "c"))]
    commit(snapshot, adds=entries, wave=("first", 1), lake=str(lake_folder))
    return str(lake_folder)


def _all_rows(snapshot: Snapshot) -> dict[str, pa.Table]:
    fragments = snapshot.covered("content")
    found: dict[str, list[pa.Table]] = {"language": [], "spans": [], "content": []}
    for where in snapshot.locate(fragments, ["language", "spans"]):
        found["language"] += read_aligned(snapshot.uri, where, {"language": ["language", "lid_label", "run_id"]})
        found["spans"].append(read_sparse(snapshot.uri, where, "spans", ["span_begin"]))
        found["content"] += read_aligned(snapshot.uri, where, {"content": ["text"], "language": ["script"]})
    tables = {name: pa.concat_tables(parts) for name, parts in found.items()}
    files = [table for path in snapshot.paths("files") for table in read_file(snapshot.uri, path)]
    return tables | {"files": pa.concat_tables(files).sort_by("file_id")}


def _entries_on_disk(lake: str) -> set[str]:
    root = Path(lake) / "samples"
    return {str(path.relative_to(root)) for path in root.rglob("*.parquet") if "_delta_log" not in path.parts}


def _age(path: Path, hours: float) -> None:
    moment = datetime.datetime.now(datetime.UTC).timestamp() - hours * 3600
    os.utime(path, (moment, moment))


def test_compaction_keeps_every_row_in_its_place(lake: str) -> None:
    """Small files become files of up to 64 fragments; each fragment's rows, their order and their zip stay the same."""
    before = open_snapshot(lake)
    rows = _all_rows(before)
    replaced = compact(lake)
    after = open_snapshot(lake)
    assert {name: table.equals(rows[name]) for name, table in _all_rows(after).items()} == dict.fromkeys(rows, True)
    assert after.covered("language").tolist() == after.covered("spans").tolist() == FRAGMENTS
    assert after.covered("language", "b" * 32).tolist() == [130]
    assert [len(after.paths(family)) for family in ("content", "language", "spans", "files")] == [8, 3, 3, 2]
    assert replaced == before.files.num_rows - after.files.num_rows + 3
    (wide,) = [row for row in after.live("spans").to_pylist() if row["base"] == 1]
    assert wide["mask"] == sum(1 << (number - 1) for number in (1, 2, 4, 7, 60, 64))


def test_compaction_ends(lake: str) -> None:
    """A compacted lake has nothing left to compact, and its version stays."""
    compact(lake)
    version = open_snapshot(lake).version
    assert compact(lake) == 0
    assert open_snapshot(lake).version == version


def test_content_and_placements_are_left_alone(lake: str) -> None:
    """Content is one file a fragment by design, placements one file a shard."""
    snapshot = open_snapshot(lake)
    shards = [write(snapshot.uri, "placements", [number], batch="build") for number in (0, 1)]
    snapshot = commit(snapshot, adds=shards, wave=("build", 1), lake=lake)
    kept = snapshot.paths("content") + snapshot.paths("placements")
    compact(lake)
    after = open_snapshot(lake)
    assert after.paths("content") + after.paths("placements") == kept


def _index(uri: str, fragment: int, hashes: list[int]) -> FileEntry:
    """Write an index file of a fragment, sorted by hash, a sample for each hash."""
    rows = pa.table(
        {
            "sample_id": pa.array(sample_ids(fragment, 0, len(hashes))),
            "uri_hash": pa.array(hashes, pa.int64()),
            "run_id": pa.array([f"run {fragment}"] * len(hashes), pa.string()),
        }
    )
    return write_family(uri, "uri_index", "b", fragment, 1, OPERATOR, [rows.sort_by("uri_hash")])


def test_index_files_become_one_by_ranges_of_hashes(lake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every row stays, sorted by hash over all fragments; a row group holds a range, which its bounds tell; too many rows are two files."""
    monkeypatch.setattr(index_files, "GROUP_ROWS", 3)
    snapshot = open_snapshot(lake)
    hashes = {1: [5, -3, 9], 2: [], 4: [7, -8], 7: [5, 0]}
    entries = [_index(snapshot.uri, fragment, numbers) for fragment, numbers in hashes.items()]
    before = commit(snapshot, adds=entries, wave=("index", 1), lake=lake)
    rows = pa.concat_tables([table for path in before.paths("uri_index") for table in read_file(before.uri, path)])
    compact(lake)
    after = open_snapshot(lake)
    (path,) = after.paths("uri_index")
    groups = list(read_file(after.uri, path))
    assert [table["uri_hash"].to_pylist() for table in groups] == [[-8, -3, 0], [5, 5, 7], [9]]
    assert pa.concat_tables(groups).equals(rows.sort_by([("uri_hash", "ascending"), ("sample_id", "ascending")]))
    assert after.covered("uri_index").tolist() == [1, 2, 4, 7]
    assert RowReader(after.uri).between(path, "uri_hash", 6, 8) == [1]
    assert compact(lake) == 0
    more = [_index(after.uri, fragment, [fragment] * 3) for fragment in (60, 64)]
    commit(after, adds=more, wave=("index", 2), lake=lake)
    monkeypatch.setattr(maintain_module, "MOST_INDEX_ROWS", 10)
    compact(lake)
    assert [row["rows"] for row in open_snapshot(lake).live("uri_index").to_pylist()] == [10, 3]


def test_a_damaged_file_stops_compaction(lake: str) -> None:
    """Damaged bytes, in a footer too, are not written again under a hash of their own: the file stays live."""
    before = open_snapshot(lake)
    path = Path(before.uri) / before.paths("language")[0]
    data = bytearray(path.read_bytes())
    data[-30] ^= 1
    path.write_bytes(data)
    with pytest.raises(CorruptLakeError, match="expected SHA-256"):
        maintain(lake)
    assert open_snapshot(lake).paths("language") == before.paths("language")


def test_a_dry_run_changes_nothing(lake: str) -> None:
    """Counts are those of the real thing; files, log and version stay."""
    root = Path(lake) / "samples"
    orphan = root / "family=spans" / "batch=b" / ".0123456789abcdef.tmp"
    orphan.write_bytes(b"text of a killed task")
    _age(orphan, 25)
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*") if path.is_file()}
    report = maintain(lake, dry_run=True)
    assert (report.deleted, report.orphans, report.deleted_bytes) == (1, 1, 21)
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*") if path.is_file()} == before


def test_a_checkpoint_opens_the_lake(lake: str) -> None:
    """After maintenance the lake opens from the checkpoint with the same files, older log entries gone or not."""
    report = maintain(lake)
    files = open_snapshot(lake).files.sort_by("path")
    log = Path(lake) / "samples" / "_delta_log"
    assert (log / f"{report.version:020d}.checkpoint.parquet").is_file()
    for entry in log.glob("*.json"):
        if int(entry.stem) < report.version:
            entry.unlink()
    after = open_snapshot(lake)
    assert after.version == report.version
    assert after.files.sort_by("path").equals(files)
    assert after.transaction("first") == 1


@pytest.mark.parametrize(("hours", "goes"), [(23.9, False), (24.1, True)])
def test_orphans_go_when_they_are_old_enough(hours: float, goes: bool, lake: str) -> None:
    """A file that no version names may belong to a running task until it is older than the limit."""
    snapshot = open_snapshot(lake)
    orphan = Path(snapshot.uri) / write(snapshot.uri, "scores", [1], first=9).path
    half = orphan.parent / ".0123456789abcdef.tmp"
    half.write_bytes(b"half")
    for path in (orphan, half):
        _age(path, hours)
    live = _entries_on_disk(lake) - {str(orphan.relative_to(snapshot.uri))}
    report = maintain(lake, orphan_hours=24)
    assert report.orphans == (2 if goes else 0)
    assert orphan.exists() is half.exists() is (not goes)
    assert live <= _entries_on_disk(lake)


def test_replaced_files_go_after_their_retention(lake: str) -> None:
    """A replaced file stays for readers of the version before, however old the file itself is, until its removal is old enough."""
    before = set(open_snapshot(lake).files["path"].to_pylist())
    for path in before:
        _age(Path(lake) / "samples" / path, 1000)
    report = maintain(lake, retention_hours=1)
    assert report.deleted == 0
    assert before <= _entries_on_disk(lake)
    report = maintain(lake, retention_hours=0)
    live = set(open_snapshot(lake).files["path"].to_pylist())
    assert report.deleted == len(before - live)
    assert report.orphans == 0
    assert _entries_on_disk(lake) == live


def test_versions_of_builds_stay_readable(lake: str) -> None:
    """Files of the version that a build was made from are kept whatever the retention."""
    snapshot = open_snapshot(lake)
    rows = _all_rows(snapshot)
    run = make_rows("runs", 0, 1).to_pylist()[0] | {
        "step": "build",
        "input_version": snapshot.version,
        "operators": canonical_json({"shards": {"build": "x"}}),
    }
    table = pa.Table.from_pylist([run], schema=arrow_schema("runs"))
    entry = write_family(snapshot.uri, "runs", "runs", 0, 0, OPERATOR, [table])
    commit(snapshot, adds=[entry], wave=("build", 1), lake=lake)
    report = maintain(lake, retention_hours=0, orphan_hours=0)
    assert report.compacted > 0
    assert report.deleted == 0
    pinned = _all_rows(open_snapshot(lake, snapshot.version))
    assert {name: table.equals(rows[name]) for name, table in pinned.items()} == dict.fromkeys(rows, True)


def test_a_fragment_of_a_compacted_file_is_one_row_group(lake: str) -> None:
    """The row group of a fragment is its place among the bits of the mask, empty fragments counted."""
    compact(lake)
    snapshot = open_snapshot(lake)
    for where in snapshot.locate(np.array(FRAGMENTS), ["spans"]):
        assert isinstance(where, FragmentFiles)
        path, group = where.files["spans"]
        found = list(read_file(snapshot.uri, path))[group]
        expected = make_rows("spans", where.fragment, where.fragment % 2, first=where.fragment)
        assert found.equals(expected.cast(found.schema))


@pytest.mark.parametrize(("hours", "goes"), [(23.9, False), (24.1, True)])
def test_what_a_killed_build_left_goes_too(hours: float, goes: bool, lake: str) -> None:
    """A temporary file beside shards holds tokens: it goes when it is old enough; shards never do."""
    folder = Path(lake) / "builds" / "first" / "knowledge"
    folder.mkdir(parents=True)
    shard, half = folder / "shard-00000.bin", folder / ".0123456789abcdef.tmp"
    for path in (shard, half):
        path.write_bytes(b"tokens")
        _age(path, hours)
    assert maintain(lake, orphan_hours=24).orphans == int(goes)
    assert (shard.exists(), half.exists()) == (True, not goes)
