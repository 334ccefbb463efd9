"""Revise: only the shards that hold what goes change, they are what a build made anew would give, and a kill anywhere ends whole or not at all."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pytest
from small_lake import BUILD, SmallLake, small_recipe

from headwater.errors import CorruptLakeError, UsageError
from headwater.lineage.build_report.answer import build_report
from headwater.lineage.builds import builds_uri, read_stage_manifest
from headwater.lineage.checks.lake import verify
from headwater.lineage.funnel import funnel
from headwater.lineage.views import connect
from headwater.pipelines.builds import settle as settling
from headwater.pipelines.builds.encode_task import BuildJob, fragment_chunks
from headwater.pipelines.builds.repair import find_damage, repair
from headwater.pipelines.builds.revise import revise
from headwater.pipelines.builds.settle import settle
from headwater.pipelines.builds.shard_task import write_shards
from headwater.pipelines.recipe.operators import resolve
from headwater.reader import Reader, open_stage
from headwater.reader.verify import verify_copy
from headwater.tokenize.shards.manifest import Manifest
from headwater.warehouse.faults import VARIABLE
from headwater.warehouse.maintain import maintain, pinned_files
from headwater.warehouse.parquet import read_file
from headwater.warehouse.snapshot import open_snapshot

pytestmark = pytest.mark.spark

STAGES = ("knowledge", "mid-training")
_BUSY = [("knowledge", 2), ("mid-training", 1)]
"""A shard of each stage with several documents."""
_Place = tuple[str, int]


def _files(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file below a folder."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def _failed(lake: str) -> list[str]:
    return [f"{check.name}: {check.detail}" for check in verify(lake) if not check.passed]


def _pinned(lake: str) -> list[int]:
    """Return the versions of which every file is kept for a build."""
    pinned = pinned_files(open_snapshot(lake))
    return [
        version for version, files in pinned.items() if files.num_rows == open_snapshot(lake, version).files.num_rows
    ]


def _rows(lake: str, family: str, columns: list[str]) -> list[tuple[object, ...]]:
    snapshot = open_snapshot(lake)
    found = [table for path in snapshot.paths(family) for table in read_file(snapshot.uri, path, columns)]
    return sorted((tuple(row.values()) for table in found for row in table.to_pylist()), key=str)


def _shards_of(lake: str) -> dict[int, set[_Place]]:
    """Return sample → the shards in which it is."""
    found: dict[int, set[_Place]] = {}
    for sample, stage, shard in _rows(lake, "placements", ["sample_id", "stage", "shard"]):
        found.setdefault(int(str(sample)), set()).add((str(stage), int(str(shard))))
    return found


def _manifests(lake: str) -> dict[str, Manifest]:
    return {stage: read_stage_manifest(lake, BUILD, stage) for stage in STAGES}


def _built_anew(lake: str, folder: Path) -> dict[str, str]:
    """Encode and pack every shard of the build from the texts of the lake, as a build does, and return the hashes of its files."""
    snapshot = open_snapshot(lake)
    shards = {stage: manifest.buckets for stage, manifest in _manifests(lake).items()}
    job = BuildJob(
        lake=lake,
        table=snapshot.uri,
        folder=str(folder),
        build=BUILD,
        run_id="anew",
        recipe=small_recipe(),
        shards=shards,
        slots=tuple((stage, number) for stage, n in shards.items() for number in range(n)),
        placements=False,
    )
    located = snapshot.locate(snapshot.covered("stages", batch=BUILD), ["stages", "spans", "tokens"], batch=BUILD)
    items = pa.record_batch({"item": pa.array([pickle.dumps((where,)) for where in located], pa.binary())})
    # Below the lake's folder, since nothing is written elsewhere.
    for _ in write_shards(job, fragment_chunks(job, iter([items]))):
        pass
    return _files(folder)


def _check_like_anew(lake: SmallLake) -> None:
    """Every shard of the build has the bytes that a build of the same rows gives."""
    folder = lake.folder / "anew"
    anew = _built_anew(str(lake.folder), folder)
    shutil.rmtree(folder)
    there = {name: sha256 for name, sha256 in _files(lake.folder / "builds" / BUILD).items() if "/shard-" in name}
    assert there == anew


def _check_rest(before: Mapping[str, str], after: Mapping[str, str], touched: set[_Place]) -> None:
    """Only files of the touched shards changed, and what describes their stages and the build."""
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    stems = {f"{stage}/shard-{number:05d}" for stage, number in touched}
    records = {f"{stage}/{name}" for stage, _ in touched for name in ("manifest.json", "provenance.json")}
    assert {name.partition(".")[0] for name in changed - records - {"root.json"}} == stems
    assert records <= changed


def _loser(lake: str) -> tuple[int, int]:
    """Return a sample that was chosen, and one that is not kept and has tokens: it may take its place."""
    snapshot = open_snapshot(lake)
    kept = [sample for sample, kept in _rows(lake, "verdicts", ["sample_id", "kept"]) if not kept]
    tokens = {sample: n for sample, n in _rows(lake, "tokens", ["sample_id", "n_tokens"])}  # noqa: C416 - rows have no known length
    chosen = sorted(_shards_of(lake))
    assert snapshot.version
    return chosen[0], next(int(str(sample)) for sample in kept if int(str(tokens[sample])) > 20)


def test_one_sample_goes(copied_lake: SmallLake) -> None:
    """Its shards are packed again as a build would, every other byte stays, and everything that reads the build goes on working."""
    lake, folder = str(copied_lake.folder), copied_lake.folder / "builds" / BUILD
    where = _shards_of(lake)
    samples = [next(sample for sample, shards in sorted(where.items()) if place in shards) for place in _BUSY]
    touched = set(_BUSY)
    before, manifests, pinned = _files(folder), _manifests(lake), _pinned(lake)
    hashes = {stage: before[f"{stage}/manifest.json"] for stage in STAGES}
    done = revise(None, lake, BUILD, gone=samples, cause="test")
    assert {(stage, shard) for stage, told in done.stages.items() for shard in told.shards} == touched
    assert (done.gone, done.came, done.not_come, done.known) == (2, 0, (), False)
    after = _files(folder)
    _check_rest(before, after, touched)
    _check_like_anew(copied_lake)
    assert _failed(lake) == []
    assert not set(samples) & set(_shards_of(lake))
    assert not set(samples) & {row[0] for row in _rows(lake, "stages", ["sample_id"])}
    for stage, told in done.stages.items():
        now = _manifests(lake)[stage]
        assert (now.revision, now.replaces) == (told.revision, told.replaces) == (1, hashes[stage])
        assert now.shards_since(hashes[stage]) == told.shards
        assert now.revisions[0].sequences == manifests[stage].sequences
        assert manifests[stage].tokens - now.tokens == told.tokens > 0
    assert _pinned(lake) == [done.version] != pinned
    assert not (folder / ".revise").exists()
    assert build_report(lake, BUILD)["version"] == done.version
    with connect(lake) as connection:
        written = {row["stage"]: row["tokens"] for row in funnel(connection, BUILD)["written"]}
    assert written == {stage: manifest.tokens for stage, manifest in _manifests(lake).items()}
    again = revise(None, lake, BUILD, gone=samples, cause="test")
    assert (again.known, again.stages, again.run_id) == (True, done.stages, done.run_id)
    assert _files(folder) == after


def test_another_takes_its_place(copied_lake: SmallLake) -> None:
    """A sample that comes has the stage and the copies of the one that went, and lies where its own hash says."""
    lake, folder = str(copied_lake.folder), copied_lake.folder / "builds" / BUILD
    gone, come = _loser(lake)
    rows = [row[1:] for row in _rows(lake, "stages", ["sample_id", "stage", "copies"]) if row[0] == gone]
    touched, before = _shards_of(lake)[gone], _files(folder)
    done = revise(None, lake, BUILD, gone=[gone], come={gone: come}, cause="test")
    assert (done.gone, done.came) == (1, 1)
    assert [row[1:] for row in _rows(lake, "stages", ["sample_id", "stage", "copies"]) if row[0] == come] == rows
    _check_rest(before, _files(folder), touched | _shards_of(lake)[come])
    _check_like_anew(copied_lake)
    assert _failed(lake) == []


def test_twice_and_all_of_a_shard(copied_lake: SmallLake) -> None:
    """A second revision names the first manifest too; a shard from which everything goes has no files, and no entry in the manifest."""
    lake, folder = str(copied_lake.folder), copied_lake.folder / "builds" / BUILD
    hashes = [_files(folder)["knowledge/manifest.json"]]
    for number in (0, 1):
        of_shard = sorted(sample for sample, shards in _shards_of(lake).items() if ("knowledge", number) in shards)
        assert of_shard
        revise(None, lake, BUILD, gone=of_shard, cause=f"test {number}")
        hashes.append(_files(folder)["knowledge/manifest.json"])
        assert not list((folder / "knowledge").glob(f"shard-{number:05d}*"))
    manifest = _manifests(lake)["knowledge"]
    assert (manifest.revision, manifest.replaces) == (2, hashes[1])
    assert [each.replaces for each in manifest.revisions] == hashes[:2]
    assert set(manifest.shards_since(hashes[0]) or ()) >= {0, 1}
    assert manifest.shards_since("0" * 64) is None
    assert [shard.number for shard in manifest.shards] == [n for n in range(manifest.buckets) if n > 1]
    _check_like_anew(copied_lake)
    assert _failed(lake) == []


def test_no_text_is_kept_for_it(copied_lake: SmallLake) -> None:
    """A build that holds none of the samples moves to the newest version too, and no file of an earlier one is left for it."""
    lake = str(copied_lake.folder)
    before = _files(copied_lake.folder / "builds" / BUILD)
    done = revise(None, lake, BUILD, gone=[], cause="test")
    assert (done.gone, done.stages) == (0, {})
    after = _files(copied_lake.folder / "builds" / BUILD)
    assert before == after
    assert _pinned(lake) == [done.version]
    maintain(lake, retention_hours=0)
    assert _failed(lake) == []


def test_repair_of_a_revised_build(copied_lake: SmallLake) -> None:
    """What describes a revised build is written again as it was, its revisions too."""
    lake, folder = str(copied_lake.folder), copied_lake.folder / "builds" / BUILD
    sample = sorted(_shards_of(lake))[0]
    revise(None, lake, BUILD, gone=[sample], cause="test")
    before, recipe = _files(folder), small_recipe()
    assert find_damage(lake, recipe, BUILD).files == {}
    for name in ("root.json", "knowledge/manifest.json", "knowledge/provenance.json"):
        (folder / name).unlink()
    assert {check.split(":")[0] for check in _failed(lake)} >= {"build_records", "build_roots"}
    assert repair(None, resolve(recipe, lake), find_damage(lake, recipe, BUILD))["records"] == 3
    assert _files(folder) == before


def test_damage_is_not_packed_again(copied_lake: SmallLake) -> None:
    """A shard whose bytes are not those of the manifest is an error that says so, and nothing is changed."""
    lake, folder = str(copied_lake.folder), copied_lake.folder / "builds" / BUILD
    sample, touched = sorted(_shards_of(lake).items())[0]
    stage, number = sorted(touched)[0]
    place = folder / stage / f"shard-{number:05d}.bin"
    data = bytearray(place.read_bytes())
    data[len(data) // 2] ^= 1
    place.write_bytes(data)
    before, version = _files(folder), open_snapshot(lake).version
    with pytest.raises(CorruptLakeError, match="--repair"):
        revise(None, lake, BUILD, gone=[sample], cause="test")
    assert (_files(folder), open_snapshot(lake).version) == (before, version)
    with pytest.raises(UsageError, match="finished build"):
        revise(None, lake, "other", gone=[sample], cause="test")


_PROGRAM = """
import sys
from headwater.pipelines.builds.revise import revise
from small_lake import BUILD
revise(None, sys.argv[1], BUILD, gone=[int(sys.argv[2])], come={int(sys.argv[2]): int(sys.argv[3])}, cause="test")
"""


def _kill(lake: str, point: str, gone: int, come: int) -> None:
    folder = str(Path(__file__).resolve().parents[2] / "support")
    path = os.pathsep.join([folder, os.environ.get("PYTHONPATH", "")])
    killed = subprocess.run(
        [sys.executable, "-c", _PROGRAM, lake, str(gone), str(come)],
        env=os.environ | {VARIABLE: point, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-2000:]


@pytest.fixture(scope="module")
def revised_lake(finished_lake: SmallLake, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Hashes of the build's shards, manifests and root after a revision that nothing disturbed."""
    folder = tmp_path_factory.mktemp("revised") / "lake"
    shutil.copytree(finished_lake.folder, folder)
    gone, come = _loser(str(folder))
    revise(None, str(folder), BUILD, gone=[gone], come={gone: come}, cause="test")
    found = _files(folder / "builds" / BUILD)
    shutil.rmtree(folder)
    return {name: sha256 for name, sha256 in found.items() if not name.endswith("provenance.json")}


@pytest.mark.parametrize(
    "point",
    [
        "before-commit/1",
        "after-commit/1",
        "after-replace/1",
        "after-replace/4",
        "before-manifest/knowledge",
        "after-manifest/knowledge",
        "before-commit/2",
        "after-commit/2",
    ],
)
def test_killed(copied_lake: SmallLake, revised_lake: dict[str, str], point: str) -> None:
    """Killed anywhere, the same call ends the work with the same bytes; what a reader opens meanwhile is whole or refused."""
    lake, folder = str(copied_lake.folder), copied_lake.folder / "builds" / BUILD
    gone, come = _loser(lake)
    before = _files(folder)
    _kill(lake, f"revise/{point}", gone, come)
    for stage in STAGES:
        if (folder / stage / "manifest.json").exists():
            assert len(open_stage(folder / stage, verify=True))
            assert not [name for name in verify_copy(str(folder)).damaged if name.startswith(f"{stage}/shard")]
            continue
        with pytest.raises(UsageError, match="a revision is being put in place"):
            open_stage(folder / stage)
        assert f"{stage}/manifest.json" in verify_copy(str(folder)).damaged
    if point == "before-commit/1":
        assert {name: sha for name, sha in _files(folder).items() if ".revise" not in name} == before
        assert _failed(lake) == []
    elif point != "after-commit/2":
        assert "builds_finished" in {check.split(":")[0] for check in _failed(lake)}
        with pytest.raises(UsageError, match="revision in place"):
            find_damage(lake, small_recipe(), BUILD)
    done = revise(None, lake, BUILD, gone=[gone], come={gone: come}, cause="test")
    assert done.known == (point != "before-commit/1")
    assert (done.gone, done.came) == (1, 1)
    after = _files(folder)
    assert {name: sha for name, sha in after.items() if not name.endswith("provenance.json")} == revised_lake
    assert _failed(lake) == []


def test_two_at_once(copied_lake: SmallLake, monkeypatch: pytest.MonkeyPatch) -> None:
    """A revision that another one overtakes plans again from what that left; both samples are gone and the manifest counts both."""
    lake = str(copied_lake.folder)
    first, second = sorted(sample for sample, shards in _shards_of(lake).items() if len(shards) == 1)[:2]
    from headwater.lineage import runs
    from headwater.pipelines.builds import revise as module

    overtaken: list[bool] = []

    def overtake(*given: object, **named: object) -> object:
        if not overtaken:
            overtaken.append(True)
            revise(None, lake, BUILD, gone=[second], cause="the other")
        return runs.begin_run(*given, **named)  # type: ignore[arg-type]  # handed on as they came

    monkeypatch.setattr(module, "begin_run", overtake)
    revise(None, lake, BUILD, gone=[first], cause="the one")
    assert overtaken
    assert not {first, second} & set(_shards_of(lake))
    assert sum(manifest.revision for manifest in _manifests(lake).values()) >= 2
    _check_like_anew(copied_lake)
    assert _failed(lake) == []


def test_files_made_ready_that_are_gone(copied_lake: SmallLake) -> None:
    """Where what was made ready is lost after the commit there is nothing to put in place: an error that says so, each time."""
    lake, folder = str(copied_lake.folder), copied_lake.folder / "builds" / BUILD
    gone, come = _loser(lake)
    _kill(lake, "revise/after-replace/1", gone, come)
    (ready,) = (path for path in (folder / ".revise").iterdir() if path.is_dir())
    file = sorted(path for path in ready.rglob("shard-*") if path.is_file())[-1]
    file.unlink()
    with pytest.raises(CorruptLakeError, match="restore it from a copy"):
        settle(lake, BUILD)
    assert settling.STAGED == ".revise"
    assert builds_uri(lake, BUILD).endswith(BUILD)


def test_a_reader_beside_it(copied_lake: SmallLake) -> None:
    """A stage that is open goes on with what it holds and refuses a file put in place since; a state goes on only where the revision is accepted."""
    lake, folder = str(copied_lake.folder), copied_lake.folder / "builds" / BUILD / "knowledge"
    stage = open_stage(folder)
    reader = Reader(stage, batch_size=1, shuffle=False)
    next(reader)
    state = reader.state()
    sample = next(sample for sample, shards in sorted(_shards_of(lake).items()) if ("knowledge", 1) in shards)
    revise(None, lake, BUILD, gone=[sample], cause="test")
    assert json.loads((folder / "manifest.json").read_bytes())["revision"] == 1
    with pytest.raises(CorruptLakeError, match="it was revised since"):
        list(itertools.islice(reader, len(stage)))
    with pytest.raises(UsageError, match="revision 1 of stage knowledge, found one of revision 0"):
        Reader(open_stage(folder), batch_size=1, shuffle=False, state=state)
    going_on = Reader(open_stage(folder), batch_size=1, shuffle=False, state=state, accept_revision=True)
    assert next(going_on).position == 1
