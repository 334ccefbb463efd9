"""Revise: only the shards that hold what goes change, they are what a build made anew would give, and a kill anywhere ends whole or not at all."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from small_lake import BUILD, SmallLake

from headwater.lineage.checks.lake import verify
from headwater.pipelines.builds.revise import revise
from headwater.warehouse.parquet import read_file
from headwater.warehouse.snapshot import open_snapshot

if TYPE_CHECKING:
    pass

pytestmark = pytest.mark.spark


def _files(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file below a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _failed(lake: str) -> list[str]:
    return [f"{check.name}: {check.detail}" for check in verify(lake) if not check.passed]


def _rows(lake: str, family: str) -> list[dict[str, object]]:
    snapshot = open_snapshot(lake)
    return [
        row for path in snapshot.paths(family) for table in read_file(snapshot.uri, path) for row in table.to_pylist()
    ]


def test_one_sample(copied_lake: SmallLake) -> None:
    lake = str(copied_lake.folder)
    placed = _rows(lake, "placements")
    sample = next(int(row["sample_id"]) for row in placed if row["stage"] == "mid-training")
    touched = {(row["stage"], row["shard"]) for row in placed if row["sample_id"] == sample}
    before = _files(copied_lake.folder / "builds")
    done = revise(None, lake, BUILD, gone=[sample], cause="test")
    print(done)
    assert {(stage, shard) for stage, told in done.stages.items() for shard in told.shards} == touched
    assert _failed(lake) == []
    after = _files(copied_lake.folder / "builds")
    print({name for name in before.keys() | after.keys() if before.get(name) != after.get(name)})
