"""The rows beside an `.npy` lead from a place in the array back to the sample in the lake."""

from __future__ import annotations

import csv
import gzip

import numpy as np
import pytest
from small_lake import SmallLake

from headwater.lineage.builds import read_stage_manifest, shard_name
from headwater.lineage.views import connect

pytestmark = [pytest.mark.interop, pytest.mark.spark]


def test_rows_of_a_build_are_its_placements(finished_lake: SmallLake) -> None:
    """Every row's id is the content hash of the sample that `placements` has at these tokens of the shard, and none is left out."""
    lake, build = str(finished_lake.folder), finished_lake.build
    with connect(lake) as connection:
        placed = connection.execute(
            "SELECT stage, shard, token_begin, token_end, hex(content_hash), sample_token_begin FROM placements "
            "JOIN content USING (sample_id) WHERE build = ? ORDER BY ALL",
            [build],
        ).fetchall()
    found = []
    for stage in sorted({row[0] for row in placed}):
        for shard in read_stage_manifest(lake, build, stage).shards:
            path = finished_lake.folder / "builds" / build / stage / f"{shard_name(shard.number)}.csv.gz"
            with gzip.open(path, "rt", newline="") as file:
                rows = list(csv.reader(file))
            found += [
                (stage, shard.number, int(begin), int(end), name.upper(), int(place) - 1)
                for begin, end, name, _, place in rows
            ]
            tokens = np.load(path.with_name(f"{shard_name(shard.number)}.npy"))
            assert sum(int(row[1]) - int(row[0]) for row in rows) == shard.tokens <= tokens.size
    assert placed
    assert sorted(found) == placed
