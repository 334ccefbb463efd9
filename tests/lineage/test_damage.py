"""Verify finds seeded damage to every kind of file of a finished lake, and says in one line what to do; see ``damage``."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import damage
import pyarrow as pa
import pytest

from headwater.errors import CorruptLakeError, UsageError
from headwater.lineage.checks.lake import verify
from headwater.lineage.lookup import open_lookup
from headwater.lineage.past_runs import read_runs
from headwater.lineage.questions import rows
from headwater.lineage.runs import Unit, begin_run, commit_wave
from headwater.lineage.story import why
from headwater.lineage.views import connect
from headwater.warehouse.log import entry_name
from headwater.warehouse.log_repair import repair_log
from headwater.warehouse.maintain import maintain
from headwater.warehouse.parquet import read_file, write_family
from headwater.warehouse.snapshot import open_snapshot

if TYPE_CHECKING:
    from small_lake import SmallLake

pytestmark = pytest.mark.spark  # the lake is made by Spark, once

TRIALS = 34
"""Two of each kind of file; ``python tests/support/damage.py LAKE`` makes as many as one likes."""


@pytest.fixture(scope="module")
def aged_lake(finished_lake: SmallLake, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small lake with vocabularies, a checkpoint and a commit after it; trials only copy it."""
    lake = tmp_path_factory.mktemp("aged") / "lake"
    shutil.copytree(finished_lake.folder, lake)
    damage.prepare(lake)
    return lake


@pytest.fixture
def copied(aged_lake: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    shutil.copytree(aged_lake, tmp_path / "lake")
    return tmp_path / "lake"


def _failed(lake: Path, build: str | None = None) -> dict[str, str]:
    return {check.name: check.detail for check in verify(str(lake), build) if not check.passed}


def _log(lake: Path, name: str) -> Path:
    return lake / "samples" / "_delta_log" / name


def _newest(lake: Path) -> int:
    return open_snapshot(str(lake)).version


def _checkpoint(lake: Path) -> Path:
    (found,) = (lake / "samples" / "_delta_log").glob("*.checkpoint.parquet")
    return found


def test_the_lake_is_whole(aged_lake: Path) -> None:
    """Nothing is found where nothing was damaged, and there are files of every kind."""
    assert _failed(aged_lake) == {}
    assert set(damage.targets(aged_lake)) == {
        "build root",
        "checkpoint",
        "evaluation set",
        "last checkpoint",
        "log entry",
        "log record",
        "manifest",
        "provenance",
        "score model",
        "shard file",
        "shard record",
        "table file",
        "takedown key",
        "takedown record",
        "takedown report",
        "verified record",
        "vocabulary",
    }


@pytest.mark.slow
@pytest.mark.parametrize("number", range(TRIALS))
def test_seeded_damage(number: int, aged_lake: Path) -> None:
    """No damage to anything that the lake needs is missed, no library's message is told raw, and the log can be mended."""
    *_, (path, kind, seed) = damage.damages_of(aged_lake, 10, number + 1)
    done = damage.trial(aged_lake, path, kind, seed)
    assert (done.missed, done.faults) == (False, []), done


@pytest.mark.parametrize("family", ["content", "runs", "scores"])
def test_questions_of_damaged_files(family: str, copied: Path) -> None:
    """A question that reads damaged files says so in one line, whichever of its statements meets it."""
    for path in open_snapshot(str(copied)).paths(family):
        place = copied / "samples" / path
        whole = place.read_bytes()
        place.unlink()  # the copy may share it with the lake
        place.write_bytes(whole[:-4])
    with pytest.raises(CorruptLakeError, match="headwater verify"), connect(str(copied)) as connection:
        why(open_lookup(str(copied)), rows(connection, "SELECT min(sample_id) AS first FROM language")[0]["first"])


def test_runs_that_are_no_json(copied: Path) -> None:
    """A value of family runs that cannot be what was stored is told as damage."""
    with connect(str(copied)) as connection:
        source = _Spoilt(connection)
        with pytest.raises(CorruptLakeError, match="headwater verify"):
            read_runs(source)  # type: ignore[arg-type]  # only what it reads of a connection


class _Spoilt:
    """A connection whose answers have a character too many."""

    def __init__(self, connection: object) -> None:
        self._connection = connection

    def execute(self, statement: str) -> _Spoilt:
        self._rows = self._connection.execute(statement).fetchall()  # type: ignore[attr-defined]  # a connection of DuckDB
        return self

    def fetchall(self) -> list[tuple[object, ...]]:
        return [tuple(value + "}" if isinstance(value, str) else value for value in row) for row in self._rows]


def _raise_minimum(add: dict) -> None:  # type: ignore[type-arg]  # an action of Delta's
    told = json.loads(add["stats"])
    told["minValues"]["sample_id"] += 5
    add["stats"] = json.dumps(told)


def _more_rows(add: dict) -> None:  # type: ignore[type-arg]  # an action of Delta's
    add["stats"] = json.dumps(json.loads(add["stats"]) | {"numRecords": 7_000})


@pytest.mark.parametrize("change", [_raise_minimum, _more_rows, lambda add: add.update(size=add["size"] + 1)])
def test_statistics_in_the_log(change: Callable[[dict], None], finished_lake: SmallLake, tmp_path: Path) -> None:  # type: ignore[type-arg]  # an action of Delta's
    """A sample cannot vanish behind a changed statistic: the file's footer says otherwise, and so does the next entry's hash."""
    lake = tmp_path / "lake"
    shutil.copytree(finished_lake.folder, lake)
    newest = open_snapshot(str(lake))
    base = newest.paths("content")[-1]
    version = next(v for v in range(newest.version + 1) if base in _log(lake, entry_name(v)).read_text())
    place = _log(lake, entry_name(version))
    actions = [json.loads(line) for line in place.read_text().splitlines()]
    place.write_text("\n".join(json.dumps(action) for action in actions))  # the same, written otherwise
    assert set(_failed(lake)) == {"log_entries"}
    change(next(action["add"] for action in actions if action.get("add", {}).get("path") == base))
    place.write_text("\n".join(json.dumps(action) for action in actions))
    failed = _failed(lake)
    assert {"log_entries", "log_statistics"} <= set(failed)
    assert Path(base).name in failed["log_statistics"]


def test_a_doubled_entry(copied: Path) -> None:
    """The newest entry once more, under the next number, does not follow itself."""
    newest = _newest(copied)
    shutil.copy(_log(copied, entry_name(newest)), _log(copied, entry_name(newest + 1)))
    failed = _failed(copied)
    assert f"{entry_name(newest + 1)} does not follow {entry_name(newest)}" in failed["log_entries"]


def test_entries_that_are_gone(copied: Path) -> None:
    """An entry before the checkpoint, which no reader misses, and the newest ones, without which the lake opens as it once was."""
    newest = _newest(copied)
    _log(copied, entry_name(3)).unlink()
    assert entry_name(3) in _failed(copied)["log_entries"]
    _log(copied, entry_name(newest)).unlink()
    assert (
        f"the log ended with {entry_name(newest)} and now ends with {entry_name(newest - 1)}"
        in _failed(copied)["log_entries"]
    )


@pytest.mark.parametrize("left", [0, 10, 2000])
def test_a_damaged_checkpoint(left: int, copied: Path) -> None:
    """The lake is read from its log, verify names the way on, no commit is made before, and afterwards all is well."""
    before = open_snapshot(str(copied))
    place = _checkpoint(copied)
    place.write_bytes(place.read_bytes()[:left])
    after = open_snapshot(str(copied))
    assert after.files.sort_by("path").equals(before.files.sort_by("path"))
    with connect(str(copied)) as connection:
        assert connection.execute("SELECT count(*) FROM samples").fetchone() == (31,)
    assert set(_failed(copied)) == {"log_entries"}
    assert "--repair-log" in _failed(copied)["log_entries"]
    with pytest.raises(CorruptLakeError, match="headwater maintain .* --repair-log"):
        maintain(str(copied))
    report = repair_log(str(copied))
    assert report.version == before.version
    assert len(report.set_aside) == 2
    assert _failed(copied) == {}
    assert maintain(str(copied)).version >= before.version


def test_a_newest_entry_that_cannot_be_read(copied: Path) -> None:
    """After a crash of the machine: the entry is named, and repair sets it aside, so that the step can be run again."""
    newest = _newest(copied)
    _log(copied, entry_name(newest)).write_bytes(b'{"commitInfo": {')
    with pytest.raises(
        CorruptLakeError, match=f"{entry_name(newest)}, found no JSON in line 1; restore it .*--repair-log"
    ):
        open_snapshot(str(copied))
    report = repair_log(str(copied))
    assert report.version == newest - 1
    assert any(entry_name(newest) in name for name in report.set_aside)
    assert set(_failed(copied)) <= {
        "vocabularies"
    }  # the row of the training went with the entry, and its vocabulary is whole
    assert repair_log(str(copied)).version == newest - 1


def test_an_older_entry_that_cannot_be_read(copied: Path) -> None:
    """Repair makes nothing up: without the entry there is no log to write a checkpoint from, and nothing is changed."""
    _log(copied, entry_name(3)).write_bytes(b"\0" * 100)
    files = sorted((copied / "samples" / "_delta_log").iterdir())
    with pytest.raises(
        CorruptLakeError, match=f"{entry_name(3)}, found no JSON in line 1; restore it from a copy of the lake$"
    ):
        repair_log(str(copied))
    assert sorted((copied / "samples" / "_delta_log").iterdir()) == files


@pytest.mark.parametrize("name", ["manifest.json", "provenance.json"])
@pytest.mark.parametrize("gone", [True, False])
def test_records_of_a_build(name: str, gone: bool, copied_lake: SmallLake) -> None:
    """A word that says the same as before to every reader but is another word, and a file that is gone, of either record."""
    place = copied_lake.folder / "builds" / copied_lake.build / "knowledge" / name
    if gone:
        place.unlink()
    else:
        place.write_text(place.read_text().replace('"stage": "knowledge"', '"stage": "knowledgf"'))
    failed = _failed(copied_lake.folder)
    assert f"{copied_lake.build}/knowledge/{name}" in failed["build_records"]
    assert "--repair" in failed["build_records"]
    assert set(failed) <= {
        "build_records",
        "build_roots",
        "shard_files",
        "placed_as_planned",
        "texts_decode",
        "vocabularies",
    }
    assert name == "manifest.json" or set(failed) == {"build_records"}


def _begin_build(lake: Path, name: str) -> None:
    """Commit placements of a build that has no shards, manifest or end, as a killed build leaves them."""
    snapshot = open_snapshot(str(lake))
    row = snapshot.live("placements").to_pylist()[0]
    (table,) = read_file(snapshot.uri, row["path"])
    renamed = table.set_column(table.column_names.index("build"), "build", pa.array([name] * table.num_rows))
    entry = write_family(snapshot.uri, "placements", name, row["base"], row["mask"], row["operator"], [renamed])
    run = begin_run(str(lake), "build", {}, {"shards": {"build": name, "state": name}}, snapshot.version)
    commit_wave(run, snapshot, [Unit(adds=[entry])])


def test_an_interrupted_build_hides_nothing(copied_lake: SmallLake) -> None:
    """Placements of a build that did not end are no fault of the lake's, and a damaged shard of another build is found all the same."""
    lake = copied_lake.folder
    _begin_build(lake, "other")
    checks = {check.name: check for check in verify(str(lake))}
    assert [name for name, check in checks.items() if not check.passed] == []
    assert checks["builds_finished"].detail == "build other is not finished: run the same command again"
    assert checks["shard_files"].count > 0
    assert "build other is not finished" in _failed(lake, build="other")["builds_finished"]
    (lake / "builds" / copied_lake.build / "knowledge" / "shard-00000.idx").unlink()
    assert set(_failed(lake)) == {"shard_files"}


def test_an_unknown_build_is_a_usage_error(copied: Path) -> None:
    """A mistyped build is told before anything is checked, with the names that there are."""
    with pytest.raises(UsageError, match="found none named 'smal'; did you mean 'small'"):
        verify(str(copied), build="smal")


def test_a_vocabulary_in_the_place_of_another(copied: Path) -> None:
    """Two whole vocabularies that changed places, and one that is gone, are found by what their trainings recorded."""
    first, second = (copied / "vocabularies" / f"{name}.json.xz" for name in ("first", "second"))
    data = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(data)
    assert set(_failed(copied)) == {"vocabularies"}
    first.unlink()
    assert "vocabulary first is gone" in _failed(copied)["vocabularies"]


def test_swapped_files_of_a_sparse_family(finished_lake: SmallLake) -> None:
    """Names end in the hash of the bytes: two files that can change places unseen have the same bytes, so nothing changed."""
    files = open_snapshot(str(finished_lake.folder)).files
    for family in ("contamination", "quarantine", "spans"):
        mine = files.filter([name == family for name in files["family"].to_pylist()])
        by_hash: dict[str, set[bytes]] = {}
        for path, sha256 in zip(mine["path"].to_pylist(), mine["sha256"].to_pylist(), strict=True):
            by_hash.setdefault(sha256, set()).add((finished_lake.folder / "samples" / path).read_bytes())
        assert all(len(contents) == 1 for contents in by_hash.values())


@pytest.fixture(scope="module")
def every_check(finished_lake: SmallLake) -> set[str]:
    """The names of the checks on a sound lake, of which at least those of its table, shards and hosts."""
    names = {check.name for check in verify(str(finished_lake.folder))}
    assert len(names) > 15
    return names


@pytest.mark.parametrize("family", ["stages", "runs", "verdicts", "placements"])
def test_a_cut_table_file_ends_no_other_check(family: str, copied: Path, every_check: set[str]) -> None:
    """Every check gives its answer, though most of them need the file; a question ends in one line that names verify."""
    snapshot = open_snapshot(str(copied))
    place = copied / "samples" / snapshot.paths(family)[0]
    place.write_bytes(place.read_bytes()[:-1])
    if family == "runs":
        with pytest.raises(CorruptLakeError, match=place.name):
            maintain(str(copied))
    checks = {check.name: check for check in verify(str(copied))}
    assert set(checks) == every_check
    assert place.name in checks["file_hashes"].detail
    assert checks["log_entries"].passed
    with connect(str(copied)) as connection, pytest.raises(CorruptLakeError, match="headwater verify LAKE names it"):
        rows(connection, f"SELECT run_id FROM {family}")


@pytest.mark.parametrize("kind", ["junk", "another version", "folder"])
def test_a_last_checkpoint_without_any(kind: str, finished_lake: SmallLake, tmp_path: Path) -> None:
    """A lake that never had a checkpoint has nothing that names one, file or folder; repair makes it whole."""
    lake = tmp_path / "lake"
    shutil.copytree(finished_lake.folder, lake)
    assert not list((lake / "samples" / "_delta_log").glob("*checkpoint*"))
    place = _log(lake, "_last_checkpoint")
    if kind == "folder":
        place.mkdir()
    else:
        place.write_text("junk" if kind == "junk" else json.dumps({"version": 2, "size": 1}))
    failed = _failed(lake)
    assert set(failed) == {"log_entries"}
    assert "_last_checkpoint" in failed["log_entries"]
    assert "--repair-log" in failed["log_entries"]
    repair_log(str(lake))
    assert _failed(lake) == {}
