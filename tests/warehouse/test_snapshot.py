"""Snapshots: which files are live, which fragments they cover, what is missing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from deltalake import DeltaTable, write_deltalake
from deltalake.transaction import AddAction
from family_rows import CANARY, OPERATOR, write

from headwater.errors import CorruptLakeError, UsageError
from headwater.warehouse.commit import commit, create_lake
from headwater.warehouse.parquet import read_aligned
from headwater.warehouse.schema import FAMILIES
from headwater.warehouse.snapshot import Snapshot, open_snapshot

OTHER = "fedcba9876543210" * 2


def _add(lake: Path, *files: tuple[str, list[int]], operator: str = OPERATOR, batch: str = "b") -> Snapshot:
    snapshot = open_snapshot(str(lake))
    entries = [write(snapshot.uri, family, fragments, batch=batch, operator=operator) for family, fragments in files]
    return commit(snapshot, adds=entries, wave=(f"test-{snapshot.version}", 1), lake=str(lake))


def _array(*numbers: int) -> np.ndarray:
    return np.array(numbers, dtype=np.int64)


def test_a_new_lake_is_empty_and_portable(lake_folder: Path) -> None:
    """Version 0, no files; reader version 1, writer version 2, no table feature, statistics on sample_id only."""
    snapshot = create_lake(str(lake_folder))
    assert snapshot.version == 0
    assert snapshot.files.num_rows == 0
    assert snapshot.paths("content") == []
    assert len(snapshot.covered("content")) == 0
    protocol = snapshot.delta.protocol()
    assert (protocol.min_reader_version, protocol.min_writer_version) == (1, 2)
    assert not protocol.reader_features
    assert not protocol.writer_features
    assert snapshot.delta.metadata().partition_columns == ["family", "batch"]
    configuration = snapshot.delta.metadata().configuration
    assert configuration["delta.dataSkippingStatsColumns"] == "sample_id"
    assert configuration["delta.enableExpiredLogCleanup"] == "false"
    assert not any("deletionVectors" in key or "columnMapping" in key for key in configuration)


def test_fragments_in_several_files_with_holes(lake_folder: Path) -> None:
    """Covered, missing and locate agree where files interleave and leave holes; a row group is counted within its file."""
    create_lake(str(lake_folder))
    snapshot = _add(
        lake_folder,
        *(("content", [number]) for number in (1, 2, 3, 5, 70, 200)),
        ("language", [1, 3, 5]),
        ("language", [2]),
        ("language", [70]),
    )
    assert snapshot.covered("content").tolist() == [1, 2, 3, 5, 70, 200]
    assert snapshot.covered("language").tolist() == [1, 2, 3, 5, 70]
    assert snapshot.missing("language", "0123456789abcdef" * 2).tolist() == [200]
    assert snapshot.missing("language", OTHER).tolist() == [1, 2, 3, 5, 70, 200]
    located = {where.fragment: where for where in snapshot.locate(_array(1, 2, 3, 5, 70, 200), ["language"])}
    assert {number: where.files["language"][1] for number, where in located.items() if number != 200} == {
        1: 0,
        2: 0,
        3: 1,
        5: 2,
        70: 0,
    }
    assert set(located[200].files) == {"content"}
    for number, where in located.items():
        if number != 200:
            (rows,) = read_aligned(snapshot.uri, where, {"language": ["language"]})
            assert rows["sample_id"][0].as_py() == number << 24


def test_locate_a_fragment_that_is_not_there(lake_folder: Path) -> None:
    """A fragment without content is a wrong call; holes between files are not filled by their neighbours."""
    create_lake(str(lake_folder))
    snapshot = _add(lake_folder, ("content", [1]), ("content", [3]))
    assert list(snapshot.locate(_array(), ["language"])) == []
    for number in (0, 2, 4):
        with pytest.raises(UsageError, match=f"none with number {number}"):
            list(snapshot.locate(_array(number), []))


def test_a_build_has_stages_of_its_own(lake_folder: Path) -> None:
    """Stages are looked up within a build; another build covers the same fragments."""
    create_lake(str(lake_folder))
    _add(lake_folder, ("content", [1]), ("content", [2]))
    _add(lake_folder, ("stages", [1, 2]), batch="first")
    snapshot = _add(lake_folder, ("stages", [2]), batch="second")
    assert snapshot.covered("stages", batch="first").tolist() == [1, 2]
    assert snapshot.covered("stages", batch="second").tolist() == [2]
    found = list(snapshot.locate(_array(1, 2), ["stages"], batch="second"))
    assert ["stages" in where.files for where in found] == [False, True]
    assert "batch=second" in found[1].files["stages"][0]


def test_versions_are_pinned(lake_folder: Path) -> None:
    """An older version is read as it was; one that never was is a wrong call."""
    create_lake(str(lake_folder))
    _add(lake_folder, ("content", [1]))
    newest = _add(lake_folder, ("content", [2]))
    assert open_snapshot(str(lake_folder), 0).files.num_rows == 0
    assert open_snapshot(str(lake_folder), newest.version - 1).covered("content").tolist() == [1]
    with pytest.raises(UsageError, match=f"version {newest.version + 1} of the lake"):
        open_snapshot(str(lake_folder), newest.version + 1)


def test_no_lake_is_a_usage_error_that_says_how_to_make_one(tmp_path: Path) -> None:
    """A place without a table names the command."""
    with pytest.raises(UsageError, match="headwater init"):
        open_snapshot(str(tmp_path / "nowhere"))


def test_another_table_is_no_lake(tmp_path: Path) -> None:
    """A Delta table that Headwater did not make, or of another format, is refused by its description."""
    import pyarrow as pa

    write_deltalake(str(tmp_path / "lake" / "samples"), pa.table({"x": [1]}))
    with pytest.raises(CorruptLakeError, match="headwater lake format 2"):
        open_snapshot(str(tmp_path / "lake"))


def test_a_foreign_file_in_the_log_is_refused(lake_folder: Path) -> None:
    """A file that another program added has no fragments: the lake is not read past it."""
    snapshot = create_lake(str(lake_folder))
    foreign = AddAction(
        path="family=language/batch=b/part-0.parquet",
        size=1,
        partition_values={"family": "language", "batch": "b"},
        modification_time=0,
        data_change=True,
        stats="{}",
    )
    snapshot.delta.create_write_transaction(
        [foreign], mode="append", schema=snapshot.delta.schema(), partition_by=["family", "batch"]
    )
    with pytest.raises(CorruptLakeError, match="part-0.parquet"):
        open_snapshot(str(lake_folder))


def _newest_entry(lake: Path) -> Path:
    return max((lake / "samples" / "_delta_log").glob("*.json"))


@pytest.mark.parametrize("keep", [0, 1, 0.5, -1])
def test_a_torn_log_entry_is_named(keep: float, lake_folder: Path) -> None:
    """The newest entry cut anywhere, or to nothing, as a power loss leaves it, is an error and never a table without that commit."""
    create_lake(str(lake_folder))
    _add(lake_folder, ("content", [1]))
    entry = _newest_entry(lake_folder)
    data = entry.read_bytes().rstrip(b"\n")
    entry.write_bytes(data[: int(keep * len(data)) if keep == 0.5 else int(keep)])
    with pytest.raises(CorruptLakeError, match="restore"):
        open_snapshot(str(lake_folder))


def test_no_text_in_the_log_or_a_checkpoint(lake_folder: Path) -> None:
    """Whatever the families hold, log and checkpoint say only paths, sizes, counts and the range of sample_id."""
    create_lake(str(lake_folder))
    snapshot = _add(lake_folder, *((family, [1]) for family in FAMILIES))
    snapshot.delta.create_checkpoint()
    log = lake_folder / "samples" / "_delta_log"
    files = [path for path in log.iterdir() if path.is_file()]
    assert any(path.name.endswith(".checkpoint.parquet") for path in files)
    assert not [path for path in files if CANARY.encode() in path.read_bytes()]
    adds = [json.loads(line)["add"] for line in _newest_entry(lake_folder).read_text().splitlines() if '"add"' in line]
    assert len(adds) == len(FAMILIES)
    for add in adds:
        statistics = json.loads(add["stats"])
        columns = {name for part in statistics.values() if isinstance(part, dict) for name in part}
        assert columns == ({"sample_id"} if FAMILIES[add["partitionValues"]["family"]].by_sample else set())
        assert "deletionVector" not in add
    assert DeltaTable(snapshot.uri).version() == snapshot.version


def test_files_are_an_arrow_table_whatever_their_number(lake_folder: Path) -> None:
    """Every live file is one row with what its name and its add action say."""
    create_lake(str(lake_folder))
    snapshot = _add(lake_folder, ("content", [7]), ("language", [7, 9]), ("runs", [0]))
    by_family = {row["family"]: row for row in snapshot.files.to_pylist()}
    assert (by_family["language"]["base"], by_family["language"]["mask"]) == (7, 0b101)
    assert (by_family["content"]["min_id"], by_family["content"]["max_id"]) == (7 << 24, (7 << 24) + 2)
    assert by_family["runs"]["min_id"] is None
    for row in by_family.values():
        assert row["size"] == (lake_folder / "samples" / row["path"]).stat().st_size
        assert row["rows"] == (6 if row["family"] == "language" else 3)
        assert row["sha256"] in row["path"]
