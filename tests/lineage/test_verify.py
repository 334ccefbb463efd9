"""Verify finds each planted fault by the check that promises it, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from headwater.errors import UsageError
from headwater.lineage.checks.lake import verify
from headwater.warehouse.commit import commit
from headwater.warehouse.parquet import read_file, write_family
from headwater.warehouse.snapshot import open_snapshot

if TYPE_CHECKING:
    from small_lake import SmallLake

pytestmark = pytest.mark.spark  # the lake is made by Spark, once


def _failed(lake: Path) -> set[str]:
    return {check.name for check in verify(str(lake)) if not check.passed}


def _flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def _path(lake: Path, family: str) -> Path:
    return lake / "samples" / open_snapshot(str(lake)).paths(family)[0]


def _rewrite(lake: Path, family: str, change: Callable[[pa.Table], pa.Table | None], files: int = 1) -> None:
    """Commit changed row groups of a family's first files in place of them, as a faulty program would; None drops the file."""
    snapshot = open_snapshot(str(lake))
    adds, removes = [], []
    for row in snapshot.live(family).slice(0, files).to_pylist():
        groups = [change(table) for table in read_file(snapshot.uri, row["path"])]
        if None in groups:
            removes.append(row["path"])
            continue
        entry = write_family(snapshot.uri, family, row["batch"], row["base"], row["mask"], row["operator"], groups)
        if entry.path != row["path"]:
            adds.append(entry)
            removes.append(row["path"])
    assert removes
    commit(snapshot, adds=adds, removes=removes, wave=("fault", 1), lake=str(lake))


def _set(name: str, change: Callable[[list], list]) -> Callable[[pa.Table], pa.Table]:  # type: ignore[type-arg]  # values of any column
    def changed(table: pa.Table) -> pa.Table:
        at = table.column_names.index(name)
        return table.set_column(at, name, pa.array(change(table[name].to_pylist()), table.schema.field(name).type))

    return changed


def _first(value: Callable[[object], object]) -> Callable[[list], list]:  # type: ignore[type-arg]  # values of any column
    return lambda values: [value(values[0]), *values[1:]] if values else values


def test_a_finished_lake_passes_every_check(finished_lake: SmallLake) -> None:
    """Every check passes, and each has something to check but for what other tests make: texts of several extractors, block lists and the like."""
    checks = verify(str(finished_lake.folder))
    assert [(check.name, check.detail) for check in checks if not check.passed] == []
    assert [check.name for check in checks if not check.count] == [
        *("texts_chosen", "takedowns", "block_lists"),
        "verified_record",
    ]
    assert [
        check.name for check in verify(str(finished_lake.folder), build=finished_lake.build) if not check.passed
    ] == []


def test_no_lake_is_a_usage_error(tmp_path: Path) -> None:
    """Verify does not call an empty folder a sound lake."""
    with pytest.raises(UsageError, match="headwater init"):
        verify(str(tmp_path))


def test_a_flipped_bit_of_a_footer(copied_lake: SmallLake) -> None:
    """A bit that no reader uses is found by the file's hash alone, and the file is named."""
    path = _path(copied_lake.folder, "uri_index")
    data = path.read_bytes()
    _flip(path, data.index(b"parquet-cpp-arrow"))
    failed = [check for check in verify(str(copied_lake.folder)) if not check.passed]
    assert [check.name for check in failed] == ["file_hashes"]
    assert path.name in failed[0].detail


def test_a_flipped_bit_of_a_text(copied_lake: SmallLake) -> None:
    """A flipped bit in the pages of content is found by the hash of the file and by every check that reads its texts."""
    import pyarrow.parquet as pq

    path = _path(copied_lake.folder, "content")
    column = pq.ParquetFile(path).metadata.row_group(0).column(pq.ParquetFile(path).schema_arrow.names.index("text"))
    _flip(path, column.data_page_offset + column.total_compressed_size - 1)
    failed = _failed(copied_lake.folder)
    assert {"file_hashes", "content_hashes"} <= failed
    assert failed <= {"file_hashes", "content_hashes", "texts_decode", "families_aligned"}


def test_a_deleted_file(copied_lake: SmallLake) -> None:
    """A family file that is gone is named by the hashes' check; checks that need it fail, the others go on."""
    path = _path(copied_lake.folder, "minhash")
    path.unlink()
    checks = {check.name: check for check in verify(str(copied_lake.folder))}
    assert path.name in checks["file_hashes"].detail
    assert path.name in checks["families_aligned"].detail
    failed = {name for name, check in checks.items() if not check.passed}
    assert {"content_hashes", "shard_files", "texts_decode", "placed_as_planned"}.isdisjoint(failed)


@pytest.mark.parametrize("suffix", ["bin", "idx", "npy", "boundaries.parquet"])
def test_a_changed_byte_of_a_shard(suffix: str, copied_lake: SmallLake) -> None:
    """One bit of any file of a shard; tokens are found by their decoded text too."""
    (path,) = (copied_lake.folder / "builds" / copied_lake.build / "knowledge").glob(f"shard-00000.{suffix}")
    _flip(path, 200 if suffix in {"bin", "npy"} else 30)
    failed = {check.name: check.detail for check in verify(str(copied_lake.folder)) if not check.passed}
    assert set(failed) == ({"shard_files", "texts_decode"} if suffix == "bin" else {"shard_files"})
    assert path.name in failed["shard_files"]


def test_a_deleted_shard(copied_lake: SmallLake) -> None:
    """A missing file of a shard is named."""
    (copied_lake.folder / "builds" / copied_lake.build / "knowledge" / "shard-00000.idx").unlink()
    failed = {check.name: check.detail for check in verify(str(copied_lake.folder)) if not check.passed}
    assert set(failed) == {"shard_files"}
    assert "shard-00000.idx: missing" in failed["shard_files"]


def test_a_manifest_that_forgets_a_shard(copied_lake: SmallLake) -> None:
    """A shard with placements must be in its stage's manifest."""
    path = copied_lake.folder / "builds" / copied_lake.build / "knowledge" / "manifest.json"
    manifest = json.loads(path.read_text())
    assert len(manifest["shards"]) > 1
    del manifest["shards"][0]
    path.write_text(json.dumps(manifest))
    assert _failed(copied_lake.folder) == {"build_records", "build_roots", "placed_as_planned"}


_FAULTS: list[tuple[str, str, Callable[[pa.Table], pa.Table | None], set[str]]] = [
    (
        "a placed copy is gone",
        "placements",
        lambda table: table.filter(pc.not_equal(table["sample_id"], table["sample_id"][0])),
        {"placed_as_planned"},
    ),
    (
        "a placement is twice",
        "placements",
        lambda table: pa.concat_tables([table, table.slice(0, 1)]),
        {"placed_as_planned", "texts_decode"},
    ),
    (
        "a placement one token late",
        "placements",
        lambda table: _set("token_end", _first(lambda end: end + 1))(  # type: ignore[operator]  # values of any column
            _set("token_begin", _first(lambda begin: begin + 1))(table)  # type: ignore[operator]  # values of any column
        ),
        {"texts_decode"},
    ),
    ("all placements of a shard are gone", "placements", lambda _: None, {"placed_as_planned"}),
    (
        "a choice that was not placed",
        "stages",
        _set("copies", lambda values: [value + (value > 0) for value in values]),
        {"placed_as_planned"},
    ),
    ("a choice is gone", "stages", lambda table: table.filter(pc.is_null(table["stage"])), {"placed_as_planned"}),
    (
        "a stage row of no sample",
        "stages",
        lambda table: pa.Table.from_pylist(
            [*table.to_pylist(), table.to_pylist()[0] | {"sample_id": 77 << 24, "stage": "knowledge", "copies": 1}],
            table.schema,
        ),
        {"families_aligned", "placed_as_planned"},
    ),
    (
        "another text",
        "content",
        _set("text", lambda texts: [text[:-1] + ("y" if text[-1] == "x" else "x") for text in texts]),
        {"content_hashes", "texts_decode"},
    ),
    ("another length", "content", _set("text_bytes", _first(lambda size: size + 1)), {"content_hashes"}),  # type: ignore[operator]  # values of any column
    (
        "an id twice",
        "content",
        _set("sample_id", lambda ids: [ids[0], ids[0], *ids[2:]]),
        {"ids_unique", "families_aligned", "content_hashes", "indexes", "texts_decode"},
    ),
    (
        "rows out of order",
        "language",
        lambda table: table.take(list(range(table.num_rows))[::-1]),
        {"families_aligned"},
    ),
    ("a row is gone", "scores", lambda table: table.slice(1), {"families_aligned"}),
    ("a file's count is wrong", "files", _set("records", _first(lambda n: n + 1)), {"counts_reconcile"}),  # type: ignore[operator]  # values of any column
    ("a file's row is gone", "files", lambda table: table.slice(1), {"counts_reconcile"}),
    ("a refused record is gone", "quarantine", lambda table: table.slice(1), {"counts_reconcile"}),
    ("a verdict without its reason", "verdicts", _set("kept", lambda kept: [True] * len(kept)), {"counts_reconcile"}),
    ("an unknown run", "tokens", _set("run_id", lambda names: ["nobody"] * len(names)), {"runs_known"}),
    (
        "spans that the build did not see",
        "spans",
        lambda table: table.slice(0, 0),
        {"texts_decode"},
    ),
    (
        "a winner of another cluster",
        "duplicates",
        _set("cluster_id", lambda clusters: [None if c is None else bytes([n] * 16) for n, c in enumerate(clusters)]),
        {"winners_kept"},
    ),
]


@pytest.mark.parametrize(
    ("family", "change", "checks"), [fault[1:] for fault in _FAULTS], ids=[fault[0] for fault in _FAULTS]
)
def test_a_changed_file(
    family: str, change: Callable[[pa.Table], pa.Table | None], checks: set[str], copied_lake: SmallLake
) -> None:
    """Rows that were changed and committed with a right hash are found by what they promise, and by no other check."""
    _rewrite(copied_lake.folder, family, change, files=99 if family in {"spans", "verdicts", "duplicates"} else 1)
    failed = _failed(copied_lake.folder)
    if checks == {"winners_kept"} or family == "verdicts":
        assert checks <= failed <= checks | {"winners_kept"}
    else:
        assert failed == checks


def test_a_build_whose_placements_are_all_gone(copied_lake: SmallLake) -> None:
    """A build that ended is still checked when the lake holds no placement of it any more."""
    _rewrite(copied_lake.folder, "placements", lambda _: None, files=99)
    assert _failed(copied_lake.folder) == {"placed_as_planned"}


def test_two_live_files_of_a_fragment(copied_lake: SmallLake, monkeypatch: pytest.MonkeyPatch) -> None:
    """What commits refuse is found when it is in the log all the same."""
    monkeypatch.setattr("headwater.warehouse.commit._check_coverage", lambda *_: None)
    snapshot = open_snapshot(str(copied_lake.folder))
    row = snapshot.live("language").to_pylist()[0]
    (group, *rest) = (
        _set("lid_score", lambda v: [0.5] * len(v))(table) for table in read_file(snapshot.uri, row["path"])
    )
    entry = write_family(
        snapshot.uri, "language", row["batch"], row["base"], row["mask"], row["operator"], [group, *rest]
    )
    commit(snapshot, adds=[entry], wave=("fault", 1), lake=str(copied_lake.folder))
    assert "one_live_file" in _failed(copied_lake.folder)
