"""The record of runs: a wave keeps what still holds, drops the rest, and its row says what is committed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from headwater.errors import ConflictError
from headwater.lineage.past_runs import (
    base_of,
    ended_builds,
    newest_selection,
    past_counts,
    past_recipe,
    past_run,
    read_runs,
    runs_of,
)
from headwater.lineage.runs import Run, Unit, begin_run, commit_wave, finish_run
from headwater.lineage.views import connect
from headwater.warehouse.commit import commit, create_lake
from headwater.warehouse.fragments import FileEntry, fragment_mask, sample_ids
from headwater.warehouse.parquet import read_file, write_family
from headwater.warehouse.snapshot import Snapshot, open_snapshot


def _file(
    uri: str, family: str, fragments: list[int], *, batch: str = "b", operator: str = "a" * 32, tag: str = ""
) -> FileEntry:
    base, mask = fragment_mask(fragments)
    columns: dict[str, Any] = {
        "uri_index": {"uri_hash": pa.array([1], pa.int64())},
        "tokens": {"vocabulary": [tag], "n_tokens": pa.array([1], pa.int64())},
        "spans": {
            "operator": [tag],
            "span_begin": pa.array([0], pa.int64()),
            "span_end": pa.array([1], pa.int64()),
            "action": ["drop"],
            "variant": pa.array([None], pa.string()),
            "confidence": pa.array([None], pa.string()),
        },
    }[family]
    groups = [
        pa.table({"sample_id": pa.array(sample_ids(number, 0, 1)), **columns, "run_id": [tag]}) for number in fragments
    ]
    return write_family(uri, family, batch, base, mask, operator, groups)


@pytest.fixture
def lake(lake_folder: Path) -> str:
    """An empty lake."""
    create_lake(str(lake_folder))
    return str(lake_folder)


def _begin(lake: str, **operators: Any) -> tuple[Run, Snapshot]:
    snapshot = open_snapshot(lake)
    return begin_run(
        lake, "annotate", {"name": "r"}, operators or {"tokens": {"version": 1}}, snapshot.version
    ), snapshot


def _rows(snapshot: Snapshot) -> list[dict[str, Any]]:
    return [
        row for path in snapshot.paths("runs") for table in read_file(snapshot.uri, path) for row in table.to_pylist()
    ]


def test_a_run_has_one_row_that_grows(lake: str) -> None:
    """Each wave replaces the run's row; counts add up; only the end makes it ended."""
    run, snapshot = _begin(lake)
    for number in (1, 2):
        unit = Unit(adds=[_file(snapshot.uri, "tokens", [number])], counts={"samples": 5, "bytes": number})
        snapshot, dropped = commit_wave(run, snapshot, [unit])
        assert dropped == []
        (row,) = _rows(snapshot)
        assert (row["run_id"], row["step"], row["ended"]) == (run.run_id, "annotate", None)
        assert json.loads(row["counts"]) == {"samples": 5 * number, "bytes": sum(range(number + 1))}
    (row,) = _rows(finish_run(run, snapshot))
    assert row["ended"] >= row["started"]
    assert json.loads(row["counts"]) == {"samples": 10, "bytes": 3}
    assert (run.waves, run.counts) == (3, {"samples": 10, "bytes": 3})


def test_a_run_that_did_nothing_leaves_no_row(lake: str) -> None:
    """Nothing to do, nothing stored: the version stays."""
    run, snapshot = _begin(lake)
    assert finish_run(run, snapshot).version == snapshot.version
    assert _rows(open_snapshot(lake)) == []


def test_a_wave_without_counts_keeps_the_row(lake: str) -> None:
    """Units that count nothing (the empty shards of a build) are committed; the run still has one row, and later waves go on."""
    run, snapshot = _begin(lake)
    for number in (1, 2, 3):
        snapshot, _ = commit_wave(run, snapshot, [Unit(adds=[_file(snapshot.uri, "tokens", [number])])])
        assert len(_rows(snapshot)) == 1
    assert snapshot.covered("tokens").tolist() == [1, 2, 3]
    assert len(_rows(finish_run(run, snapshot))) == 1


def test_units_that_no_longer_hold_are_dropped(lake: str) -> None:
    """A rival wrote a fragment meanwhile: its unit is dropped and not counted, the others are committed with the row."""
    run, snapshot = _begin(lake)
    rival = _file(snapshot.uri, "tokens", [2], tag="rival")
    commit(snapshot, adds=[rival], wave=("rival", 1), lake=lake)
    units = [
        Unit(adds=[_file(snapshot.uri, "tokens", [n])], counts={"samples": 10**n}, tags=frozenset({str(n)}))
        for n in (1, 2, 3)
    ]
    after, dropped = commit_wave(run, snapshot, units)
    assert [set(unit.tags) for unit in dropped] == [{"2"}]
    assert rival.path in after.paths("tokens")
    assert after.covered("tokens").tolist() == [1, 2, 3]
    (row,) = _rows(after)
    assert json.loads(row["counts"]) == {"samples": 10**1 + 10**3}


def test_a_wave_of_which_nothing_holds_is_no_commit(lake: str) -> None:
    """All units dropped: no row, no version of its own, and the newest snapshot to plan from."""
    run, snapshot = _begin(lake)
    rival = commit(snapshot, adds=[_file(snapshot.uri, "tokens", [1], tag="rival")], wave=("rival", 1), lake=lake)
    unit = Unit(adds=[_file(snapshot.uri, "tokens", [1])], counts={"samples": 1})
    after, dropped = commit_wave(run, snapshot, [unit])
    assert dropped == [unit]
    assert after.version == rival.version
    assert (run.waves, run.counts, _rows(after)) == (0, {}, [])


def test_a_replaced_file_that_is_gone_drops_the_unit(lake: str) -> None:
    """A unit replaces what it was planned over, or nothing."""
    first = open_snapshot(lake)
    old = _file(first.uri, "tokens", [1, 2], tag="old")
    planned = commit(first, adds=[old], wave=("old", 1), lake=lake)
    compacted = _file(first.uri, "tokens", [1, 2, 3], tag="new")
    commit(planned, adds=[compacted], removes=[old.path], wave=("new", 1), lake=lake)
    run, _ = _begin(lake)
    unit = Unit(adds=[_file(first.uri, "tokens", [1, 2], tag="mine")], removes=[old.path])
    after, dropped = commit_wave(run, planned, [unit])
    assert dropped == [unit]
    assert after.paths("tokens") == [compacted.path]


def test_replacing_covers_what_was_covered(lake: str) -> None:
    """A unit may cover again just what it frees; a fragment of another file is not free."""
    first = open_snapshot(lake)
    entries = [_file(first.uri, "tokens", [1, 2]), _file(first.uri, "tokens", [3])]
    snapshot = commit(first, adds=entries, wave=("old", 1), lake=lake)
    run, _ = _begin(lake)
    good = Unit(adds=[_file(first.uri, "tokens", [1, 2], tag="x")], removes=[entries[0].path])
    bad = Unit(adds=[_file(first.uri, "tokens", [2, 3], tag="y")], removes=[entries[0].path])
    after, dropped = commit_wave(run, snapshot, [good, bad])
    assert dropped == [bad]
    assert after.covered("tokens").tolist() == [1, 2, 3]


def test_of_twins_in_one_wave_one_is_committed(lake: str) -> None:
    """Two units over one fragment, as a speculative twin would make: the first holds, the second is dropped."""
    run, snapshot = _begin(lake)
    twins = [
        Unit(
            adds=[_file(snapshot.uri, "spans", [1], tag=tag), _file(snapshot.uri, "tokens", [1], tag=tag)],
            counts={"n": 1},
        )
        for tag in "xy"
    ]
    after, dropped = commit_wave(run, snapshot, twins)
    assert dropped == twins[1:]
    assert run.counts == {"n": 1}
    assert after.paths("tokens") == [twins[0].adds[1].path]


def test_a_further_condition_is_judged_against_what_is_there(lake: str) -> None:
    """`valid` sees the snapshot that the commit is planned from, the newer one after a conflict too."""
    run, snapshot = _begin(lake)
    commit(snapshot, adds=[_file(snapshot.uri, "spans", [9])], wave=("rival", 1), lake=lake)
    seen: list[int] = []

    def valid(now: Snapshot, unit: Unit) -> bool:
        seen.append(now.version)
        return len(now.covered("spans")) == 0

    unit = Unit(adds=[_file(snapshot.uri, "tokens", [1])])
    _, dropped = commit_wave(run, snapshot, [unit], valid=valid)
    assert dropped == [unit]
    assert seen == [snapshot.version, snapshot.version + 1]


def test_a_hundred_lost_races_are_told(lake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else always being faster ends in an error that says to run the command again."""

    def lose(*_: object, **__: object) -> Snapshot:
        raise ConflictError("lost")

    monkeypatch.setattr("headwater.lineage.runs.commit", lose)
    monkeypatch.setattr("headwater.lineage.runs._TRIES", 3)
    run, snapshot = _begin(lake)
    with pytest.raises(ConflictError, match="3 commits of annotate lost"):
        commit_wave(run, snapshot, [Unit(adds=[_file(snapshot.uri, "tokens", [1])])])


def test_a_past_run_is_the_newest_ended_one(lake: str) -> None:
    """Found by step and state; neither one that was killed, nor another step's, nor another state's."""
    assert past_run(open_snapshot(lake), "annotate", "s1") is None
    for build, ended in (("first", True), ("second", True), ("killed", False)):
        run, snapshot = _begin(lake, stages={"state": "s1", "build": build})
        snapshot, _ = commit_wave(run, snapshot, [])
        if ended:
            finish_run(run, snapshot)
    snapshot = open_snapshot(lake)
    assert past_run(snapshot, "annotate", "s1") == {"state": "s1", "build": "second"}
    assert past_run(snapshot, "annotate", "s2") is None
    assert past_run(snapshot, "select", "s1") is None
    assert past_recipe(snapshot, "annotate", "first") == '{"name":"r"}'
    assert past_recipe(snapshot, "annotate", "killed") is None


def test_questions_read_records_and_never_text(lake: str) -> None:
    """A build is a record's value: neither a longer name, nor the name elsewhere in a record, nor another key is taken for it."""
    records = {"a": {"build": "a"}, "b": {"build": "ab"}, "c": {"note": '"build":"a"'}, "d": {"other": "a"}}
    ids = {}
    for name, record in records.items():
        run, snapshot = _begin(lake, stages=record)
        snapshot, _ = commit_wave(run, snapshot, [])
        finish_run(run, snapshot)
        ids[name] = run.run_id
    snapshot = open_snapshot(lake)
    with connect(lake) as connection:
        for source in (snapshot, connection):
            assert [run.run_id for run in runs_of(source, "annotate", "a")] == [ids["a"]]
            assert [run.build for run in read_runs(source)] == ["a", "ab", None, None]
            assert [run.plain(whole=True)["operators"]["stages"] for run in read_runs(source)] == list(records.values())
            assert read_runs(source, "select") == []
    assert runs_of(snapshot, "select", "a") == []


def test_the_newest_selection_is_ended_whole_and_of_the_recipe(lake: str) -> None:
    """Not a proxy, not one that was killed, not one by another recipe; a proxy knows its base."""
    snapshot = open_snapshot(lake)
    for build, recipe, extra, ended in (
        ("old", "r", {}, True),
        ("new", "r", {}, True),
        ("proxy", "r", {"base": "new"}, True),
        ("other", "s", {}, True),
        ("killed", "r", {}, False),
    ):
        run = begin_run(lake, "select", {"name": recipe}, {"stages": {"build": build, **extra}}, snapshot.version)
        snapshot, _ = commit_wave(run, snapshot, [Unit(adds=[], counts={"tokens": len(build)})])
        if ended:
            snapshot = finish_run(run, snapshot)
    assert newest_selection(snapshot, {"name": "r"}) == "new"
    assert newest_selection(snapshot, {"name": "t"}) is None
    assert (base_of(snapshot, "proxy"), base_of(snapshot, "new"), base_of(snapshot, "none")) == ("new", None, None)
    assert past_counts(snapshot, "select", "other") == {"tokens": 5}
    assert past_counts(snapshot, "select", "killed") is None
    assert ended_builds(snapshot) == []


def test_a_step_of_the_whole_lake_has_no_build(tmp_path: Path) -> None:
    """Ingest's operator is a bare version and no record: its run is of no build and over no state."""
    snapshot = create_lake(str(tmp_path))
    commit_wave(begin_run(str(tmp_path), "ingest", {}, {"ingest": 1}, snapshot.version), snapshot, [])
    now = open_snapshot(str(tmp_path))
    (run,) = read_runs(now)
    assert run.build is None
    assert run.record("build", "b") is None
    assert past_run(now, "ingest", "s") is None
    assert runs_of(now, "ingest", "b") == []
