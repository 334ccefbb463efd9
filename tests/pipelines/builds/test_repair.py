"""Repair: whatever happens to a shard's files, they come back byte for byte, and nothing else is touched."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from small_lake import BUILD, SmallLake, small_recipe

from headwater.cli.root import cli
from headwater.errors import CorruptLakeError, UsageError
from headwater.lineage.build_records import provenance_bytes, settle_provenance
from headwater.lineage.checks.lake import verify
from headwater.lineage.funnel import list_runs
from headwater.lineage.views import connect
from headwater.pipelines.builds import repair as module
from headwater.pipelines.builds.repair import find_damage, repair
from headwater.pipelines.recipe.operators import resolve
from headwater.warehouse.faults import VARIABLE
from headwater.warehouse.snapshot import open_snapshot

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark

_Damage = Callable[[Path], object]


def _truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _state(folder: Path) -> dict[str, tuple[str, int]]:
    """Return SHA-256 and time of change of every file below a folder."""
    return {
        str(path.relative_to(folder)): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _failed(lake: str) -> list[str]:
    return [check.name for check in verify(lake) if not check.passed]


def _mend(spark: SparkSession, lake: SmallLake) -> dict[str, int]:
    recipe = small_recipe()
    return repair(spark, resolve(recipe, str(lake.folder)), find_damage(str(lake.folder), recipe, BUILD))


def _check_mended(lake: SmallLake, before: dict[str, tuple[str, int]], damaged: set[str]) -> None:
    """All bytes are as before, and only the damaged files were written."""
    after = _state(lake.folder / "builds")
    assert {name: sha256 for name, (sha256, _) in after.items()} == {
        name: sha256 for name, (sha256, _) in before.items()
    }
    assert {name for name in after if after[name] != before[name]} == {f"{BUILD}/{name}" for name in damaged}
    assert not _failed(str(lake.folder))


@pytest.fixture
def build_folder(copied_lake: SmallLake) -> Path:
    """The copied lake's build."""
    return copied_lake.folder / "builds" / BUILD


def _shards(folder: Path, stage: str) -> list[str]:
    return sorted(path.stem for path in (folder / stage).glob("shard-*.json"))


def test_each_format_and_each_damage(spark: SparkSession, copied_lake: SmallLake, build_folder: Path) -> None:
    """Truncated, flipped, emptied and missing files of every kind, in several shards and both stages at once; `verify` finds them."""
    assert find_damage(str(copied_lake.folder), small_recipe(), BUILD).files == {}
    before = _state(copied_lake.folder / "builds")
    table = open_snapshot(str(copied_lake.folder))
    first, second = _shards(build_folder, "knowledge")[:2]
    third = _shards(build_folder, "mid-training")[0]
    damages: dict[str, _Damage] = {
        f"knowledge/{first}.bin": _truncate,
        f"knowledge/{first}.idx": _flip,
        f"knowledge/{second}.boundaries.parquet": _flip,
        f"mid-training/{third}.npy": Path.unlink,
        f"mid-training/{third}.boundaries.parquet": _empty,
    }
    for name, damage in damages.items():
        damage(build_folder / name)
    assert "shard_files" in _failed(str(copied_lake.folder))
    found = find_damage(str(copied_lake.folder), small_recipe(), BUILD)
    assert set(found.files) == set(damages)
    assert found.files[f"mid-training/{third}.npy"] == "missing"
    assert _mend(spark, copied_lake) == {"shards": 3, "files": 5, "records": 0}
    _check_mended(copied_lake, before, set(damages))
    after = open_snapshot(str(copied_lake.folder))
    for family in ("placements", "stages"):
        assert after.paths(family) == table.paths(family)
    with connect(str(copied_lake.folder)) as connection:
        (row,) = [row for row in list_runs(connection) if row["step"] == "repair"]
    assert row["ended"] is not None
    assert row["counts"] == {"shards": 3, "files": 5, "records": 0}
    assert _mend(spark, copied_lake) == {}
    assert open_snapshot(str(copied_lake.folder)).version == after.version


@pytest.mark.parametrize("damage", [_truncate, _flip, _empty, Path.unlink], ids=lambda damage: damage.__name__)
def test_manifest_and_records(copied_lake: SmallLake, build_folder: Path, damage: _Damage) -> None:
    """A damaged manifest comes from the records, a damaged record from the manifest, without Spark."""
    before = _state(copied_lake.folder / "builds")
    names = {"knowledge/manifest.json", f"mid-training/{_shards(build_folder, 'mid-training')[0]}.json"}
    for name in names:
        damage(build_folder / name)
    assert "shard_files" in _failed(str(copied_lake.folder))
    recipe = small_recipe()
    damaged = find_damage(str(copied_lake.folder), recipe, BUILD)
    assert set(damaged.files) == names
    assert repair(None, resolve(recipe, str(copied_lake.folder)), damaged)["records"] == 2
    _check_mended(copied_lake, before, names)


def test_record_of_the_driver_that_ended_last(copied_lake: SmallLake, build_folder: Path) -> None:
    """Two drivers made the build, and the one that ended first wrote its record of origins last: the record in the lake's row counts."""
    lake, file = str(copied_lake.folder), build_folder / "knowledge" / "provenance.json"
    before = file.read_bytes()
    ours = json.loads(before) | {"runs": {"select": [], "build": ["another"]}}
    file.write_bytes(provenance_bytes(ours))
    assert _failed(lake) == ["build_records"]
    settle_provenance(lake, BUILD, {"knowledge": ours})
    assert file.read_bytes() == before
    assert _failed(lake) == []


@pytest.mark.parametrize("damage", [_truncate, _flip, _empty, Path.unlink], ids=lambda damage: damage.__name__)
def test_records_of_origins(copied_lake: SmallLake, build_folder: Path, damage: _Damage) -> None:
    """A damaged `provenance.json` comes back byte for byte from the row of the build, without Spark."""
    before = _state(copied_lake.folder / "builds")
    damage(build_folder / "knowledge" / "provenance.json")
    assert _failed(str(copied_lake.folder)) == ["build_records"]
    recipe = small_recipe()
    damaged = find_damage(str(copied_lake.folder), recipe, BUILD)
    assert damaged.files == {"knowledge/provenance.json": "record"}
    assert repair(None, resolve(recipe, str(copied_lake.folder)), damaged)["records"] == 1
    _check_mended(copied_lake, before, {"knowledge/provenance.json"})
    assert _failed(str(copied_lake.folder)) == []


@pytest.mark.parametrize("link", [".repair", "knowledge"])
def test_no_repair_through_a_link(link: str, copied_lake: SmallLake, build_folder: Path, tmp_path: Path) -> None:
    """A folder of a build that leads elsewhere is refused: nothing there is deleted or replaced."""
    outside = tmp_path / "outside"
    if link == "knowledge":
        (build_folder / link).rename(outside)
    else:
        outside.mkdir()
        (outside / "mine").write_text("mine")
    (build_folder / link).symlink_to(outside, target_is_directory=True)
    _truncate(build_folder / "knowledge" / "manifest.json")
    before = _state(outside)
    recipe = small_recipe()
    damaged = find_damage(str(copied_lake.folder), recipe, BUILD)
    with pytest.raises(UsageError, match="found a symbolic link"):
        repair(None, resolve(recipe, str(copied_lake.folder)), damaged)
    assert _state(outside) == before


def test_what_lies_in_the_folder_of_repairs(copied_lake: SmallLake, build_folder: Path, tmp_path: Path) -> None:
    """The folder that a killed repair left is cleared; a link in it goes, what it leads to stays."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "mine").write_text("mine")
    (build_folder / ".repair" / "knowledge").mkdir(parents=True)
    (build_folder / ".repair" / "link").symlink_to(outside, target_is_directory=True)
    _truncate(build_folder / "knowledge" / "manifest.json")
    recipe = small_recipe()
    damaged = find_damage(str(copied_lake.folder), recipe, BUILD)
    assert repair(None, resolve(recipe, str(copied_lake.folder)), damaged)["records"] == 1
    assert not (build_folder / ".repair").exists()
    assert (outside / "mine").read_text() == "mine"


def test_two_that_disagree(spark: SparkSession, copied_lake: SmallLake, build_folder: Path) -> None:
    """Where manifest and record differ and the file fits neither, or both, the shard built again says which is right."""
    before = _state(copied_lake.folder / "builds")
    first, second = _shards(build_folder, "knowledge")[:2]
    record = build_folder / "knowledge" / f"{first}.json"
    fields = json.loads(record.read_bytes())
    digest = fields["files"][0]["sha256"]
    record.write_bytes(record.read_bytes().replace(digest.encode(), digest[::-1].encode()))
    _truncate(build_folder / "knowledge" / fields["files"][0]["name"])
    other = build_folder / "knowledge" / f"{second}.json"
    padding = json.loads(other.read_bytes())["padding"]
    other.write_bytes(other.read_bytes().replace(b'"padding": %d' % padding, b'"padding": %d' % (padding + 1)))
    assert "shard_files" in _failed(str(copied_lake.folder))
    _mend(spark, copied_lake)
    written = {f"{first}.json", f"{second}.json", "manifest.json", fields["files"][0]["name"]}
    _check_mended(copied_lake, before, {f"knowledge/{name}" for name in written})


def test_a_manifest_that_lies(copied_lake: SmallLake, build_folder: Path) -> None:
    """A flipped digit of a hash in the manifest is outvoted by the record and the file."""
    before = _state(copied_lake.folder / "builds")
    manifest = build_folder / "knowledge" / "manifest.json"
    digest = json.loads(manifest.read_bytes())["shards"][1]["files"][0]["sha256"]
    manifest.write_bytes(manifest.read_bytes().replace(digest.encode(), digest[::-1].encode()))
    recipe = small_recipe()
    damage = find_damage(str(copied_lake.folder), recipe, BUILD)
    assert set(damage.files) == {"knowledge/manifest.json"}
    repair(None, resolve(recipe, str(copied_lake.folder)), damage)
    _check_mended(copied_lake, before, {"knowledge/manifest.json"})


def test_other_bytes_are_not_put_back(spark: SparkSession, copied_lake: SmallLake, build_folder: Path) -> None:
    """Where the shard comes out different the error names it, the damaged file and the new one are left, and other shards are mended."""
    first, second = _shards(build_folder, "knowledge")[:2]
    folder = build_folder / "knowledge"
    whole = (folder / f"{second}.bin").read_bytes()
    _truncate(folder / f"{first}.bin")
    _flip(folder / f"{second}.bin")
    damaged = (folder / f"{first}.bin").read_bytes()
    for name in ("manifest.json", f"{first}.json"):  # both say that the shard was another
        digest = next(
            file["sha256"]
            for file in json.loads((folder / f"{first}.json").read_bytes())["files"]
            if file["name"].endswith(".bin")
        )
        text = (folder / name).read_bytes()
        if name == "manifest.json":
            (folder / name).write_bytes(text.replace(digest.encode(), digest[::-1].encode()))
    (folder / f"{first}.json").write_bytes(
        (folder / f"{first}.json").read_bytes().replace(digest.encode(), digest[::-1].encode())
    )
    with pytest.raises(CorruptLakeError, match=rf"knowledge/{first}\.bin, built again"):
        _mend(spark, copied_lake)
    assert (folder / f"{first}.bin").read_bytes() == damaged
    assert (build_folder / ".repair" / "knowledge" / f"{first}.bin").stat().st_size == len(damaged) + 1
    assert (folder / f"{second}.bin").read_bytes() == whole


def test_nothing_to_compare_with(copied_lake: SmallLake, build_folder: Path) -> None:
    """With both manifest and record gone there is nothing to hold a shard against: an error, before anything is written."""
    first = _shards(build_folder, "knowledge")[0]
    (build_folder / "knowledge" / "manifest.json").unlink()
    (build_folder / "knowledge" / f"{first}.json").unlink()
    before = _state(copied_lake.folder)
    with pytest.raises(CorruptLakeError, match=f"manifest.json or {first}.json"):
        find_damage(str(copied_lake.folder), small_recipe(), BUILD)
    assert _state(copied_lake.folder) == before


def test_only_finished_builds(copied_lake: SmallLake) -> None:
    """A build that is not there is an error that says what to run."""
    with pytest.raises(UsageError, match="finished build named other"):
        find_damage(str(copied_lake.folder), small_recipe(), "other")


_PROGRAM = """
import sys
import main_job
from headwater.pipelines.builds.repair import find_damage, repair
from headwater.pipelines.recipe.operators import resolve
from headwater.pipelines.spark.sessions import session
from small_lake import BUILD, small_recipe
recipe = small_recipe()
repair(session("local[1]", main_job.FAST_SPARK), resolve(recipe, sys.argv[1]), find_damage(sys.argv[1], recipe, BUILD))
"""


@pytest.mark.parametrize("point", ["repair/before-replace/1", "repair/after-replace/1"])
def test_killed_in_the_middle(
    spark: SparkSession, copied_lake: SmallLake, build_folder: Path, point: str, tmp_path: Path
) -> None:
    """Killed before and between the files it puts back, each file is whole in its old or new form, and the next repair ends the work."""
    before = _state(copied_lake.folder / "builds")
    first, second = _shards(build_folder, "knowledge")[:2]
    names = {f"knowledge/{first}.bin", f"knowledge/{second}.npy"}
    broken = {}
    for name in names:
        _flip(build_folder / name)
        broken[name] = (build_folder / name).read_bytes()
    folder = str(Path(__file__).resolve().parents[2] / "support")
    environment = os.environ | {
        VARIABLE: point,
        "PYTHONPATH": os.pathsep.join([folder, os.environ.get("PYTHONPATH", "")]),
    }
    killed = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(copied_lake.folder)], env=environment, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-2000:]
    put_back = [name for name in names if (build_folder / name).read_bytes() != broken[name]]
    assert len(put_back) == (0 if "before" in point else 1)
    assert _mend(spark, copied_lake)["files"] == len(names) - len(put_back)
    _check_mended(copied_lake, before, names)


def test_command(
    spark: SparkSession, copied_lake: SmallLake, build_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`headwater build --repair` names what it found and counts what it did; with nothing damaged it starts no Spark."""
    from click.testing import CliRunner

    from headwater.pipelines.recipe.shipped import find_recipe

    assert spark.version
    monkeypatch.setattr(
        "headwater.pipelines.recipe.shipped.find_recipe",
        lambda given: small_recipe() if given == "small" else find_recipe(given),
    )
    first = _shards(build_folder, "knowledge")[0]
    _truncate(build_folder / "knowledge" / f"{first}.bin")
    command = ["build", str(copied_lake.folder), "small", "--repair", "--output", "json"]
    done = CliRunner().invoke(cli, command)
    assert done.exit_code == 0, done.output
    answer = json.loads(done.stdout)
    assert list(answer["damaged"]) == [f"knowledge/{first}.bin"]
    assert answer["counts"] == {"shards": 1, "files": 1, "records": 0}
    monkeypatch.setattr(module, "build_again", None)
    again = CliRunner().invoke(cli, command)
    assert again.exit_code == 0, again.output
    assert json.loads(again.stdout)["counts"] == {}
