"""``headwater log`` and ``headwater retain``: against the log's entries and the files on disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from small_lake import SmallLake

from headwater.cli.root import cli
from headwater.errors import CorruptLakeError, UsageError
from headwater.lineage.history import commits
from headwater.lineage.past_runs import read_runs
from headwater.lineage.retained import retained
from headwater.warehouse.maintain import maintain
from headwater.warehouse.snapshot import open_snapshot

pytestmark = pytest.mark.spark


def test_commits_add_up_to_the_newest_version(finished_lake: SmallLake) -> None:
    """What was added less what was removed are the live files, of each family; every run that ended has its commits."""
    lake = str(finished_lake.folder)
    snapshot = open_snapshot(lake)
    found = list(commits(lake))
    assert [each["version"] for each in found] == list(range(snapshot.version, -1, -1))
    for family in set(snapshot.files["family"].to_pylist()):
        added = sum(each["added"].get(family, {"files": 0})["files"] for each in found)
        removed = sum(each["removed"].get(family, {"files": 0})["files"] for each in found)
        assert added - removed == snapshot.live(family).num_rows
    assert {run.run_id for run in read_runs(snapshot)} == {each["run"] for each in found} - {None}
    assert found[-1]["kind"] == "new lake"
    some = found[0]["run"]
    assert [each["version"] for each in commits(lake, run=some)] == [
        each["version"] for each in found if each["run"] == some
    ]
    assert len(list(commits(lake, limit=3))) == 3


def test_log_on_the_command_line(finished_lake: SmallLake) -> None:
    """Text and JSON show the same versions; a number below one is refused."""
    lake = str(finished_lake.folder)
    told = json.loads(CliRunner().invoke(cli, ["log", lake, "--limit", "4", "--output", "json"]).stdout)
    shown = CliRunner().invoke(cli, ["log", lake, "--limit", "4"]).stdout
    assert len(told["commits"]) == 4
    assert all(str(each["version"]) in shown for each in told["commits"])
    assert CliRunner().invoke(cli, ["log", lake, "--limit", "0"]).exit_code == 2


def test_a_damaged_entry_is_named(copied_lake: SmallLake) -> None:
    """An entry that holds no JSON."""
    entry = copied_lake.folder / "samples" / "_delta_log" / f"{2:020d}.json"
    entry.write_bytes(entry.read_bytes()[:-40])
    with pytest.raises(CorruptLakeError, match=entry.name):
        list(commits(str(copied_lake.folder)))


def test_what_is_kept_is_every_file_once(copied_lake: SmallLake) -> None:
    """Files and bytes add up to the folder's; replaced files have a date, and go when maintain comes after it."""
    lake = copied_lake.folder
    (lake / "samples" / "notes.txt").write_text("not Headwater's", "utf-8")
    found = retained(str(lake))
    on_disk = [path for path in lake.rglob("*") if path.is_file()]
    assert sum(each["files"] for each in found["kept"]) == len(on_disk)
    assert found["n_bytes"] == sum(path.stat().st_size for path in on_disk)
    by_what = {each["what"]: each for each in found["kept"] if each["what"] != "earlier versions"}
    assert by_what["table"]["files"] == open_snapshot(str(lake)).files.num_rows
    assert by_what["left behind"]["files"] == 1
    earlier = [each for each in found["kept"] if each["what"] == "earlier versions"]
    replaced = [each for each in earlier if each["until"] is not None]
    assert replaced
    maintain(str(lake), retention_hours=0)
    # Files that maintain put together are still those of the version that the build stands on.
    after = [each for each in retained(str(lake))["kept"] if each["what"] == "earlier versions"]
    assert [(each["why"], each["until"]) for each in after] == [(f"needed by build {copied_lake.build}", None)]


def test_retain_on_the_command_line(finished_lake: SmallLake) -> None:
    """One row a reason; hours that are none are refused."""
    lake = str(finished_lake.folder)
    told = json.loads(CliRunner().invoke(cli, ["retain", lake, "--output", "json"]).stdout)
    shown = CliRunner().invoke(cli, ["retain", lake]).stdout
    assert all(each["why"].split(",")[0] in shown for each in told["kept"])
    with pytest.raises(UsageError, match="retention-hours"):
        retained(lake, retention_hours=float("nan"))


def test_a_lake_that_is_none(tmp_path: Path) -> None:
    """Neither makes a folder."""
    for ask in (retained, lambda lake: list(commits(lake))):
        with pytest.raises(UsageError, match="found none"):
            ask(str(tmp_path / "none"))
    assert list(tmp_path.iterdir()) == []
