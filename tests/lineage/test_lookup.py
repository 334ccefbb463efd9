"""Lookups read the exact files that hold a sample: what they give is what the views show."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
from small_lake import BUILD

from headwater.errors import CorruptLakeError, UsageError
from headwater.lineage.lookup import Lookup, open_lookup
from headwater.lineage.past_runs import read_runs
from headwater.lineage.placed_rows import placement_at
from headwater.lineage.questions import rows
from headwater.lineage.views import connect
from headwater.plain import Row
from headwater.warehouse.commit import commit
from headwater.warehouse.parquet import FamilyWriter
from headwater.warehouse.schema import ALIGNED, FAMILIES
from headwater.warehouse.snapshot import open_snapshot

if TYPE_CHECKING:
    import duckdb
    from small_lake import SmallLake

pytestmark = pytest.mark.spark  # the lake is made by Spark, once

SPARSE = [name for name, family in FAMILIES.items() if family.by_sample and not family.aligned]


@pytest.fixture(scope="module")
def views(finished_lake: SmallLake) -> Iterator[duckdb.DuckDBPyConnection]:
    """The views of the small lake."""
    with connect(str(finished_lake.folder)) as connection:
        yield connection


@pytest.fixture(scope="module")
def lookup(finished_lake: SmallLake) -> Lookup:
    """Its lookup."""
    return open_lookup(str(finished_lake.folder))


def _samples(views: duckdb.DuckDBPyConnection) -> list[int]:
    return [row["sample_id"] for row in rows(views, "SELECT sample_id FROM content ORDER BY 1")]


def _by_sample(found: list[Row]) -> dict[int, list[Row]]:
    sorted_by: dict[int, list[Row]] = {}
    for row in found:
        sorted_by.setdefault(row["sample_id"], []).append(row)
    return sorted_by


@pytest.mark.parametrize("family", ALIGNED)
def test_a_row_is_that_of_the_view(lookup: Lookup, views: duckdb.DuckDBPyConnection, family: str) -> None:
    """Every sample of every aligned family, one by one and many at once in any order, text by text the same."""
    wanted = {row["sample_id"]: row for row in rows(views, f"SELECT * FROM {family}")}
    samples = _samples(views)
    assert [repr(lookup.row(family, sample)) for sample in samples] == [repr(wanted.get(each)) for each in samples]
    names = [name for name in lookup.columns(family) if name not in ("sample_id", "batch")][:3]
    order = [*samples[::-1], samples[0], 5, -1]
    table = lookup.table(family, np.array(order), [*names, "batch"])
    for sample, row in zip(order, table.to_pylist(maps_as_pydicts="lossy"), strict=True):
        expected = wanted.get(sample, {})
        for name, value in row.items():
            found = value.hex() if isinstance(value, bytes) else value
            assert repr(found) == repr(expected.get(name))


@pytest.mark.parametrize("family", SPARSE)
def test_rows_are_those_of_the_view(lookup: Lookup, views: duckdb.DuckDBPyConnection, family: str) -> None:
    """Every row of every other family: of each sample in the order of its values, of all samples at once, of one build."""
    wanted = rows(views, f"SELECT * FROM {family} ORDER BY ALL")
    by_sample, samples = _by_sample(wanted), _samples(views)
    for sample in samples:
        assert repr(lookup.rows(family, [sample])) == repr(by_sample.get(sample, []))
    assert sorted(map(repr, lookup.rows(family, [*samples, 7]))) == sorted(map(repr, wanted))
    if FAMILIES[family].by_build:
        of_build = [row for row in wanted if row["batch"] == BUILD]
        assert sorted(map(repr, lookup.rows(family, samples, build=BUILD))) == sorted(map(repr, of_build))
        assert lookup.rows(family, samples, build="another") == []


def _of_captures(views: duckdb.DuckDBPyConnection, column: str, value: str) -> list[int]:
    """Return the samples with a host or registered domain, by family captures, which the index was made from."""
    return [
        row["sample_id"]
        for row in rows(views, f"SELECT sample_id FROM captures WHERE {column} = ? ORDER BY 1", [value])
    ]


def test_samples_are_found_by_url_host_text_and_file(lookup: Lookup, views: duckdb.DuckDBPyConnection) -> None:
    """What an index or a scan finds is what SQL finds; what is not there is nowhere."""
    for row in rows(views, "SELECT uri, list(sample_id ORDER BY sample_id) AS samples FROM content GROUP BY 1"):
        if row["uri"] is not None:
            assert lookup.samples_at(row["uri"]) == row["samples"]
    assert lookup.samples_at("https://example.org/nowhere") == []
    assert lookup.samples_at("no url") == []
    for row in rows(views, "SELECT DISTINCT host, registered_domain FROM captures WHERE host IS NOT NULL"):
        found = np.concatenate(list(lookup.samples_of_host(row["host"])))
        assert found.tolist() == _of_captures(views, "host", row["host"])
        found = np.concatenate(list(lookup.samples_of_domain(row["registered_domain"])))
        assert found.tolist() == _of_captures(views, "registered_domain", row["registered_domain"])
    statement = "SELECT content_hash, list(sample_id ORDER BY sample_id) AS samples FROM content GROUP BY 1"
    for row in rows(views, statement):
        assert lookup.samples_of_hash(bytes.fromhex(row["content_hash"])) == row["samples"]
    for row in rows(views, "SELECT * FROM files"):
        assert repr(lookup.file(row["file_id"])) == repr(row)
    assert lookup.file(7) == {}
    with pytest.raises(UsageError, match="expected a host"):
        lookup.samples_of_host("//")


def test_runs_are_those_of_the_views(lookup: Lookup, views: duckdb.DuckDBPyConnection) -> None:
    """All, or those of some ids."""
    every = read_runs(views)
    assert lookup.runs() == every
    assert lookup.runs({every[1].run_id}) == [every[1]]


def test_a_placement_is_read_from_its_own_shard(
    lookup: Lookup, views: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shard of every copy follows from its content: no other file of the stage is opened."""
    wanted = rows(views, "SELECT sample_id, list(DISTINCT stage || shard) AS shards FROM placements GROUP BY 1")
    assert len(wanted) > 10
    opened: list[int] = []
    read = lookup.rows_in

    def rows_in(family: str, file: int, *arguments: object, **named: object) -> Iterator[pa.Table]:
        if family == "placements":
            opened.append(file)
        return read(family, file, *arguments, **named)  # type: ignore[arg-type]  # passed on as they come

    monkeypatch.setattr(lookup, "rows_in", rows_in)
    for row in wanted:
        opened.clear()
        lookup.rows("placements", [row["sample_id"]])
        assert len(opened) == len(row["shards"])


def test_a_token_has_its_placement(lookup: Lookup, views: duckdb.DuckDBPyConnection) -> None:
    """Of the first and the last token of every run; the first token after the last run, and a shard that is not there, have none."""
    for row in rows(views, "SELECT * EXCLUDE (batch) FROM placements"):
        place = (row["build"], row["stage"], row["shard"])
        assert placement_at(lookup, *place, row["token_begin"]) == row
        assert placement_at(lookup, *place, row["token_end"] - 1) == row
    for row in rows(views, "SELECT build, stage, shard, max(token_end) AS after FROM placements GROUP BY ALL"):
        assert placement_at(lookup, row["build"], row["stage"], row["shard"], row["after"]) is None
        assert placement_at(lookup, row["build"], row["stage"], 1000, 0) is None


def test_placements_are_found_where_the_text_is_another_one(copied_lake: SmallLake) -> None:
    """Where a sample's content no longer says where its copies lie, all shards of the stage are looked through."""
    lake = str(copied_lake.folder)
    before = open_lookup(lake)
    snapshot = open_snapshot(lake)
    path = snapshot.paths("content")[0]
    file = snapshot.live("content").slice(0, 1).to_pylist()[0]
    samples = before.reader.read(path, 0, ["sample_id"])["sample_id"].to_pylist()
    wanted = before.rows("placements", samples)
    assert wanted
    with FamilyWriter(snapshot.uri, "content", file["batch"], file["base"], file["mask"], "f" * 32) as writer:
        for group in range(before.reader.groups(path)):
            table = before.reader.read(path, group, [name for name in before.columns("content") if name != "batch"])
            other = pa.array([bytes([255 - byte for byte in value]) for value in table["content_hash"].to_pylist()])
            at = table.schema.get_field_index("content_hash")
            writer.write(table.set_column(at, "content_hash", other))
        entry = writer.finish()
    commit(snapshot, adds=[entry], removes=[path], wave=("test", 1), lake=lake)
    after = open_lookup(lake)
    assert after is not before
    assert after.rows("placements", samples) == wanted


def test_the_newest_version_is_kept_while_it_stands(copied_lake: SmallLake) -> None:
    """The same object until something is committed; a lake made anew at the place is seen as well."""
    lake = str(copied_lake.folder)
    first = open_lookup(lake)
    assert open_lookup(lake) is first
    assert open_lookup(lake, 1) is open_lookup(lake, 1)
    assert open_lookup(lake, 1).snapshot.version == 1
    commit(first.snapshot, adds=[], wave=("test", 1), lake=lake)
    second = open_lookup(lake)
    assert second.snapshot.version == first.snapshot.version + 1
    with pytest.raises(UsageError):
        open_lookup(lake, 1000)
    shutil.rmtree(lake)
    with pytest.raises(UsageError):
        open_lookup(lake)


def _damage(path: Path, how: str) -> None:
    data = path.read_bytes()
    if how == "gone":
        path.unlink()
    elif how == "cut":
        path.write_bytes(data[: len(data) // 2])
    else:
        path.write_bytes(b"PAR1" + bytes(len(data) - 8) + b"PAR1")


@pytest.mark.parametrize("how", ["gone", "cut", "zeros"])
@pytest.mark.parametrize("family", ["content", "signals", "stages", "placements", "uri_index", "files"])
def test_a_damaged_file_is_told_in_one_line(copied_lake: SmallLake, family: str, how: str) -> None:
    """As an error of the lake's, whatever pyarrow makes of the bytes."""
    lake = str(copied_lake.folder)
    lookup = open_lookup(lake)
    content = lookup.reader.read(lookup.snapshot.paths("content")[0], 0, ["sample_id", "uri", "file_id"]).to_pylist()
    samples = [row["sample_id"] for row in content]
    asked: dict[str, Callable[[Lookup], object]] = {
        "content": lambda lookup: lookup.row("content", samples[0]),
        "signals": lambda lookup: lookup.row("signals", samples[0]),
        "stages": lambda lookup: lookup.rows("stages", samples),
        "placements": lambda lookup: lookup.rows("placements", samples),
        "uri_index": lambda lookup: lookup.samples_at(content[0]["uri"]),
        "files": lambda lookup: lookup.file(content[0]["file_id"]),
    }
    for path in (copied_lake.folder / "samples" / f"family={family}").rglob("*.parquet"):
        _damage(path, how)
    fresh = Lookup(lookup.snapshot)
    with pytest.raises(CorruptLakeError) as told:
        asked[family](fresh)
    assert "\n" not in str(told.value)
