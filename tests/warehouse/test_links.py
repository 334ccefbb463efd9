"""Nothing is written or deleted through a symbolic link, and what is not Headwater's is left alone."""

from __future__ import annotations

import datetime
import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner
from family_rows import write

from headwater.cli.root import cli
from headwater.errors import UsageError
from headwater.lineage.evaluation_sets import store_set
from headwater.lineage.vocabularies import store_vocabulary
from headwater.warehouse.commit import commit, create_lake, reserve_fragments
from headwater.warehouse.filesystem import write_file
from headwater.warehouse.log_repair import repair_log, write_checkpoint
from headwater.warehouse.maintain import MOST_HOURS, maintain
from headwater.warehouse.snapshot import Snapshot, open_snapshot


def _age(path: Path, hours: float = 1000) -> None:
    moment = datetime.datetime.now(datetime.UTC).timestamp() - hours * 3600
    os.utime(path, (moment, moment), follow_symlinks=False)


@pytest.fixture
def lake(lake_folder: Path) -> Snapshot:
    """A lake with one fragment."""
    snapshot = create_lake(str(lake_folder))
    return commit(snapshot, adds=[write(snapshot.uri, "content", [1])], wave=("first", 1), lake=str(lake_folder))


def _outside(tmp_path: Path) -> Path:
    """Return a folder outside the lake with files that are named as Headwater's own."""
    outside = tmp_path / "outside"
    (outside / "batch=b").mkdir(parents=True)
    for name in (".0123456789abcdef.tmp", f"{'0' * 10}-{'0' * 16}-{'a' * 16}-{'b' * 64}.parquet", "notes.txt"):
        for folder in (outside, outside / "batch=b"):
            (folder / name).write_bytes(b"mine")
            _age(folder / name)
    return outside


@pytest.mark.parametrize(
    "link",
    [
        "samples/link",
        "samples/family=scores",
        "samples/family=content/batch=x",
        "samples/_delta_log/link",
        "builds",
        "builds/x",
        "builds/x/stage",
        "vocabularies",
        "vocabularies/.counts-0123abcd",
        "benchmarks",
    ],
)
def test_maintain_follows_no_link(link: str, lake: Snapshot, tmp_path: Path) -> None:
    """Files behind a link stay, whatever they are called and however old they are; a link in a folder of the lake's is named."""
    outside = _outside(tmp_path)
    kept = sorted(outside.rglob("*"))
    place = Path(lake.lake, link)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(outside, target_is_directory=True)
    report = maintain(lake.lake, retention_hours=0, orphan_hours=0)
    assert (report.deleted, sorted(outside.rglob("*"))) == (0, kept)
    assert place.is_symlink()
    assert report.strangers == (link,)


def test_maintain_refuses_a_table_behind_a_link(lake: Snapshot, tmp_path: Path) -> None:
    """A table's folder that is itself a link is refused before anything is changed."""
    place = Path(lake.uri)
    place.rename(tmp_path / "elsewhere")
    place.symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    before = sorted((tmp_path / "elsewhere").rglob("*"))
    with pytest.raises(UsageError, match="found a symbolic link"):
        maintain(lake.lake)
    assert sorted((tmp_path / "elsewhere").rglob("*")) == before


def test_a_lake_may_be_reached_through_a_link(lake: Snapshot, tmp_path: Path) -> None:
    """The folder that the user names is theirs to choose, links in it included."""
    link = tmp_path / "link"
    link.symlink_to(lake.lake, target_is_directory=True)
    snapshot = open_snapshot(str(link))
    commit(snapshot, adds=[write(snapshot.uri, "content", [2])], wave=("second", 1), lake=str(link))
    assert maintain(str(link)).strangers == ()


@pytest.mark.parametrize("dry_run", [True, False])
def test_maintain_refuses_a_log_behind_a_link(dry_run: bool, lake: Snapshot, tmp_path: Path) -> None:
    """A log that is a link is refused, in a dry run too, and no checkpoint arrives where it leads; nor does another writer write one."""
    place = Path(lake.uri, "_delta_log")
    place.rename(tmp_path / "elsewhere")
    place.symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    before = sorted((tmp_path / "elsewhere").rglob("*"))
    for tried in (
        lambda: maintain(lake.lake, dry_run=dry_run),
        lambda: write_checkpoint(lake),
        lambda: repair_log(lake.lake),
        lambda: reserve_fragments(lake.lake, 1),
    ):
        with pytest.raises(UsageError, match="found a symbolic link"):
            tried()
    assert sorted((tmp_path / "elsewhere").rglob("*")) == before


@pytest.mark.parametrize(
    "name",
    [
        "notes/README.md",
        "README.md",
        "family=content/batch=b/notes.parquet",
        "family=content/batch=b/deeper/.0123456789abcdef.tmp",
        "family=content/.0123456789abcdef.tmp",
        "family=of_mine/batch=b/.0123456789abcdef.tmp",
        "family=content/batch=b/.mine.tmp",
        "_delta_log/mine.tmp",
        "_delta_log/notes.txt",
        "_delta_log/deeper/00000000000000000009.json",
        "_delta_log/_headwater_other",
        "family=content/batch=b/two\nlines",
    ],
)
def test_maintain_leaves_what_is_not_its_own(name: str, lake: Snapshot) -> None:
    """Only names of its own grammar, at their depth, are deleted; others are listed, in a dry run too."""
    place = Path(lake.uri, name)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(b"mine")
    _age(place)
    for dry_run in (True, False):
        report = maintain(lake.lake, retention_hours=0, orphan_hours=0, dry_run=dry_run)
        assert report.strangers == (f"samples/{name}",)
        assert place.read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("name", "goes"),
    [
        ("builds/x/stage/.0123456789abcdef.tmp", True),
        ("builds/x/.repair/stage/.0123456789abcdef.tmp", True),
        ("builds/x/stage/.mine.tmp", False),
        ("builds/.cache/mine.tmp", False),
        ("vocabularies/.counts-0123abcd/part.parquet", True),
        ("vocabularies/.0123456789abcdef.tmp", True),
        ("vocabularies/.mine/part.parquet", False),
        ("benchmarks/.0123456789abcdef.tmp", True),
        ("benchmarks/mine.tmp", False),
        ("samples/_delta_log/.0123456789abcdef.tmp", True),
        ("samples/_delta_log/mine.tmp", False),
    ],
)
def test_what_a_killed_step_left_beside_the_table(name: str, goes: bool, lake: Snapshot) -> None:
    """Of files beside the table's only those go that a killed build, training or commit left."""
    place = Path(lake.lake, name)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(b"tokens")
    _age(place)
    assert maintain(lake.lake, orphan_hours=24).deleted == int(goes)
    assert place.exists() is not goes


@pytest.mark.parametrize(
    "folder", ["samples", "samples/_delta_log", "samples/family=content", "samples/family=content/batch=b"]
)
def test_no_commit_through_a_link(folder: str, lake: Snapshot, tmp_path: Path) -> None:
    """Neither a data file nor a log entry is written where a link leads."""
    place = Path(lake.lake, folder)
    place.rename(tmp_path / "elsewhere")
    place.symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    before = sorted((tmp_path / "elsewhere").rglob("*"))
    with pytest.raises(UsageError, match="found a symbolic link"):
        commit(lake, adds=[write(lake.uri, "content", [2], batch="b")], wave=("second", 1), lake=lake.lake)
    assert sorted((tmp_path / "elsewhere").rglob("*")) == before


def test_no_other_write_through_a_link(lake: Snapshot, tmp_path: Path) -> None:
    """Builds, vocabularies, evaluation sets: a folder of the lake that leads elsewhere is refused, and nothing arrives there."""
    outside = tmp_path / "outside"
    outside.mkdir()
    for name in ("builds", "vocabularies", "benchmarks"):
        Path(lake.lake, name).symlink_to(outside, target_is_directory=True)
    writes = (
        lambda: write_file(f"{lake.lake}/builds/x/stage", "manifest.json", b"{}", root=lake.lake),
        lambda: store_vocabulary(lake.lake, "tiny", b""),
        lambda: store_set(lake.lake, "set", []),
    )
    for tried in writes:
        with pytest.raises(UsageError, match="found a symbolic link"):
            tried()
    assert list(outside.iterdir()) == []


def test_a_path_beside_its_root_is_refused(tmp_path: Path) -> None:
    """A name with dots does not lead out of the folder that was named."""
    with pytest.raises(UsageError, match="expected a path below"):
        write_file(f"{tmp_path}/lake/../other", "name", b"", root=f"{tmp_path}/lake")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("hours", [float("nan"), float("inf"), -1.0, -0.001, 1e308, MOST_HOURS + 1.0])
@pytest.mark.parametrize("name", ["retention_hours", "orphan_hours"])
def test_hours_that_are_no_time(name: str, hours: float, lake: Snapshot) -> None:
    """Hours out of range are told in one line before anything is compacted."""
    with pytest.raises(UsageError, match=rf"--{name.partition('_')[0]}-hours: expected a number from 0 to 1,000,000"):
        maintain(lake.lake, **{name: hours})  # type: ignore[arg-type]  # one of two arguments of the same type
    assert open_snapshot(lake.lake).version == lake.version


@pytest.mark.parametrize("hours", [0.0, float(MOST_HOURS)])
def test_hours_at_the_bounds(hours: float, lake: Snapshot) -> None:
    """Both ends of the range can be reckoned with."""
    assert maintain(lake.lake, retention_hours=hours, orphan_hours=hours).deleted == 0


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize(
    "folder",
    ["samples/family=content/batch=b", "samples/_delta_log", "samples", "builds/x/stage", "vocabularies", "benchmarks"],
)
def test_a_folder_named_like_a_temporary_file(folder: str, full: bool, lake: Snapshot) -> None:
    """It is no file that a killed step left: it stays, and is named once."""
    place = Path(lake.lake, folder, ".0123456789abcdef.tmp")
    place.mkdir(parents=True)
    if full:
        (place / "mine").write_bytes(b"mine")
    report = maintain(lake.lake, retention_hours=0, orphan_hours=0)
    assert (report.deleted, report.strangers) == (0, (f"{folder}/.0123456789abcdef.tmp",))
    assert place.is_dir()


@pytest.mark.parametrize("ahead", [24, 24 * 365 * 100])
@pytest.mark.parametrize(
    "name",
    [
        "samples/family=content/batch=b/.0123456789abcdef.tmp",
        "samples/_delta_log/.0123456789abcdef.tmp",
        "builds/x/stage/.0123456789abcdef.tmp",
        "vocabularies/.0123456789abcdef.tmp",
        "benchmarks/.0123456789abcdef.tmp",
    ],
)
def test_a_temporary_file_dated_in_the_future(name: str, ahead: float, lake: Snapshot) -> None:
    """How old it is cannot be told: it stays, and is named, in a dry run too; dated right it goes."""
    place = Path(lake.lake, name)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(b"tokens")
    _age(place, -ahead)
    for dry_run in (True, False):
        report = maintain(lake.lake, orphan_hours=0, dry_run=dry_run)
        assert (report.deleted, report.strangers, report.dated_ahead) == (0, (), (name,))
    _age(place)
    report = maintain(lake.lake, orphan_hours=0)
    assert (report.deleted, report.dated_ahead) == (1, ())


def test_what_the_log_holds_is_no_stranger(lake: Snapshot) -> None:
    """Entries, checkpoints, records, what repair set aside: all of it is Headwater's."""
    maintain(lake.lake)
    repair_log(lake.lake)
    assert len(list(Path(lake.uri, "_delta_log").iterdir())) >= 8
    assert maintain(lake.lake).strangers == ()


@pytest.mark.parametrize("name", ["two\nlines", "a\ttab", "\x1b[2J", os.fsdecode(b"no \xff UTF-8")])
@pytest.mark.parametrize("ahead", [True, False])
def test_a_name_is_shown_on_one_line(name: str, ahead: bool, lake: Snapshot) -> None:
    """Whatever a name holds, the list has a line for it, and JSON can be read."""
    place = Path(lake.uri, name)
    place.write_bytes(b"mine")
    told = [line for line in _told(lake) if "left alone" in line]
    shown = "".join("\ufffd" if each in "\n\t\x1b\udcff" else each for each in name)
    assert told == [f"not Headwater's, left alone: samples/{shown}"]
    if ahead:
        half = Path(lake.uri, "_delta_log", ".0123456789abcdef.tmp")
        half.write_bytes(b"half")
        _age(half, -48)
        assert _told(lake)[-1] == f"dated in the future, left alone: samples/_delta_log/{half.name}"
    done = CliRunner().invoke(cli, ["maintain", lake.lake, "--output", "json"])
    assert json.loads(done.stdout_bytes)["strangers"]


def _told(lake: Snapshot) -> list[str]:
    done = CliRunner().invoke(cli, ["maintain", lake.lake])
    assert done.exit_code == 0
    return done.stdout.splitlines()


@pytest.mark.parametrize("folder", ["samples/x", "builds", "vocabularies"])
def test_nothing_else_is_put_into_a_lake(folder: str, lake: Snapshot) -> None:
    """A vocabulary's export and a plot go elsewhere, as an export of a build does."""
    before = sorted(Path(lake.lake).rglob("*"))
    place = f"{lake.lake}/{folder}"
    sweep = ["--sweep", "gopher.min_words=10:30:10", "--plot", f"{place}/words.svg"]
    for arguments in (["vocab", "export", "headwater-156k", place], ["what-if", lake.lake, "demo", *sweep]):
        done = CliRunner().invoke(cli, arguments)
        assert (done.exit_code, "expected a place outside of a lake's own folders" in done.stderr) == (2, True)
    assert sorted(Path(lake.lake).rglob("*")) == before
