"""The log as files: each entry names the one before, records say what is newest, and damage is told in one line with the way on."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from deltalake import DeltaTable
from family_rows import write

from headwater.errors import CorruptLakeError, StorageError, UsageError
from headwater.warehouse import log
from headwater.warehouse.commit import commit, create_lake
from headwater.warehouse.log import (
    CHECKPOINT_RECORD,
    HEAD_RECORD,
    LAST_CHECKPOINT,
    PREVIOUS,
    entry_name,
    find_fault,
    read_entry,
    read_record,
)
from headwater.warehouse.log_repair import repair_log
from headwater.warehouse.maintain import maintain
from headwater.warehouse.snapshot import Snapshot, open_snapshot


def _grow(lake: Path, count: int) -> Snapshot:
    snapshot = create_lake(str(lake))
    for number in range(1, count + 1):
        entry = write(snapshot.uri, "content", [number])
        snapshot = commit(snapshot, adds=[entry], wave=("grow", number), lake=str(lake))
    return snapshot


def _log(lake: Path) -> Path:
    return lake / "samples" / "_delta_log"


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_each_entry_names_the_one_before(lake_folder: Path) -> None:
    """By the SHA-256 of its bytes; the record beside the log names the newest, and other readers pass over both."""
    snapshot = _grow(lake_folder, 3)
    for version in (1, 2, 3):
        actions = dict(read_entry((_log(lake_folder) / entry_name(version)).read_bytes()))
        assert actions["commitInfo"][PREVIOUS] == _sha256(_log(lake_folder) / entry_name(version - 1))
    head = read_record(snapshot.uri, HEAD_RECORD)
    assert head == {"format": 1, "version": 3, "sha256": _sha256(_log(lake_folder) / entry_name(3))}
    assert DeltaTable(snapshot.uri).version() == 3


def test_a_record_that_cannot_be_written_stops_no_commit(lake_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commit has happened: the record stays one behind, and the next commit brings it up to date."""
    snapshot = _grow(lake_folder, 1)

    def full(*_: object, **__: object) -> None:
        raise StorageError("no space")

    with monkeypatch.context() as patch:
        patch.setattr(log, "write_file", full)
        snapshot = commit(snapshot, adds=[write(snapshot.uri, "content", [2])], wave=("a", 1), lake=snapshot.lake)
    assert (snapshot.version, (read_record(snapshot.uri, HEAD_RECORD) or {})["version"]) == (2, 1)
    snapshot = commit(snapshot, adds=[write(snapshot.uri, "content", [3])], wave=("b", 1), lake=snapshot.lake)
    assert (read_record(snapshot.uri, HEAD_RECORD) or {})["version"] == 3


_INFO = b'{"commitInfo":{}}\n'


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", "an empty file"),
        (b"\0\0\0", "no JSON in line 1"),
        (b"\xef\xbb\xbf" + _INFO, "no JSON in line 1"),
        (_INFO.decode().encode("utf-16"), "no JSON in line 1"),
        (_INFO + b"\xef\xbb\xbf" + b'{"add":{"path":"x"}}', "no JSON in line 2"),
        (_INFO + b'{"add":', "no JSON in line 2"),
        (b"[" * 100_000, "no JSON in line 1"),
        (b"[]\n", "no action of Delta's in line 1"),
        (_INFO + b'{"adde":{"path":"x"}}', "no action of Delta's in line 2"),
        (_INFO + b'{"add":[]}', "no action of Delta's in line 2"),
        (_INFO + b'{"add":{"path":7}}', "an action add twice, or one without path"),
        (_INFO + b'{"add":{"path":"x"}}\n{"add":{"path":"x"}}', "an action add twice, or one without path"),
        (_INFO + b'{"txn":{"appId":"x"}}\n{"txn":{"appId":"x"}}', "an action txn twice, or one without appId"),
        (_INFO + _INFO, "not one commitInfo"),
        (b'{"txn":{"appId":"x"}}', "not one commitInfo"),
    ],
)
def test_an_entry_that_no_release_writes(data: bytes, found: str, lake_folder: Path) -> None:
    """It is told by what was found, never by its content, with the way on; only the newest can be set aside."""
    snapshot = _grow(lake_folder, 2)
    with pytest.raises(ValueError, match=f"^{found}$"):
        read_entry(data)
    (_log(lake_folder) / entry_name(2)).write_bytes(data)
    fault = find_fault(snapshot.uri) or ""
    assert (
        f"{entry_name(2)}, found {found}; restore it from a copy of the lake; without one, headwater maintain" in fault
    )
    assert repair_log(str(lake_folder)).version == 1
    (_log(lake_folder) / entry_name(0)).write_bytes(data)
    with pytest.raises(CorruptLakeError, match=f"{entry_name(0)}, found {found}; restore it from a copy of the lake$"):
        repair_log(str(lake_folder))


def test_the_only_entry_is_never_set_aside(lake_folder: Path) -> None:
    """Without its first entry there is no lake; a folder without any is no lake either."""
    create_lake(str(lake_folder))
    (_log(lake_folder) / entry_name(0)).write_bytes(b"")
    with pytest.raises(CorruptLakeError, match="found an empty file"):
        repair_log(str(lake_folder))
    assert (_log(lake_folder) / entry_name(0)).exists()
    with pytest.raises(UsageError, match="expected a lake"):
        repair_log(str(lake_folder / "nowhere"))


@pytest.mark.parametrize("name", [LAST_CHECKPOINT, HEAD_RECORD, CHECKPOINT_RECORD, "checkpoint"])
@pytest.mark.parametrize("data", [None, b"", b"\0" * 50, b'{"format":1}', b'{"version":99,"size":1}'])
def test_what_lies_beside_the_entries(name: str, data: bytes | None, lake_folder: Path) -> None:
    """Whatever happens to a checkpoint or a record, the lake opens with the same files, and repair makes it writable."""
    snapshot = _grow(lake_folder, 2)
    maintain(str(lake_folder))
    snapshot = commit(
        snapshot.newest(), adds=[write(snapshot.uri, "content", [9])], wave=("more", 1), lake=snapshot.lake
    )
    (checkpoint,) = _log(lake_folder).glob("*.checkpoint.parquet")
    place = checkpoint if name == "checkpoint" else _log(lake_folder) / name
    place.unlink()
    if data is not None:
        place.write_bytes(data)
    assert open_snapshot(str(lake_folder)).files.sort_by("path").equals(snapshot.files.sort_by("path"))
    assert repair_log(str(lake_folder)).version == snapshot.version
    again = open_snapshot(str(lake_folder))
    assert again.log_uri == again.uri
    assert read_record(again.uri, HEAD_RECORD) is not None
    files = (read_record(again.uri, CHECKPOINT_RECORD) or {})["files"]
    assert {each: _sha256(_log(lake_folder) / each) for each in files} == files
    assert (
        commit(again, adds=[write(again.uri, "content", [10])], wave=("last", 1), lake=again.lake).version
        == again.version + 1
    )


def test_a_lake_read_without_its_checkpoint_is_not_written_to(lake_folder: Path) -> None:
    """Neither a commit nor a checkpoint: both would land in the folder through which the log is read."""
    _grow(lake_folder, 2)
    maintain(str(lake_folder))
    (checkpoint,) = _log(lake_folder).glob("*.checkpoint.parquet")
    checkpoint.write_bytes(b"")
    snapshot = open_snapshot(str(lake_folder))
    with pytest.raises(CorruptLakeError, match="maintain .* --repair-log"):
        commit(snapshot, adds=[write(snapshot.uri, "content", [9])], wave=("more", 1), lake=snapshot.lake)
    with pytest.raises(CorruptLakeError, match="maintain .* --repair-log"):
        maintain(str(lake_folder))


def test_a_version_that_there_is_not(lake_folder: Path) -> None:
    """Versions are told by their numbers, also where the log is damaged."""
    _grow(lake_folder, 2)
    for version in (3, 99, -1):
        with pytest.raises(UsageError, match=f"expected version {version} of the lake at .*, found versions 0 to 2"):
            open_snapshot(str(lake_folder), version)


def test_fields_of_json_that_are_no_record(lake_folder: Path) -> None:
    """A record of another shape is damage, told with the command that writes it anew."""
    snapshot = _grow(lake_folder, 1)
    records: list[object] = [{"format": 2}, {"format": 1, "version": "1", "sha256": ""}, {"format": 1, "files": []}, []]
    for record in records:
        (_log(lake_folder) / HEAD_RECORD).write_text(json.dumps(record))
        with pytest.raises(CorruptLakeError, match="headwater maintain .* --repair-log"):
            read_record(snapshot.uri, HEAD_RECORD)


@pytest.mark.parametrize("kind", ["mark", "another field"])
@pytest.mark.parametrize("checkpoint", [True, False])
def test_an_older_entry_is_named(kind: str, checkpoint: bool, lake_folder: Path) -> None:
    """A byte order mark, and a field that is of another type than Delta's: the entry is named, never a checkpoint, nor the repair."""
    _grow(lake_folder, 4)
    place = _log(lake_folder) / entry_name(2)
    data = place.read_bytes()
    place.write_bytes(
        b"\xef\xbb\xbf" + data if kind == "mark" else data.replace(b'"dataChange":true', b'"dataChange":7')
    )
    assert place.read_bytes() != data
    tries: list[Callable[[str], object]] = [repair_log] if checkpoint else [repair_log, open_snapshot]
    if checkpoint:
        (_log(lake_folder) / LAST_CHECKPOINT).mkdir()
    for tried in tries:
        with pytest.raises(
            CorruptLakeError, match=rf"{entry_name(2)}\b.*; restore it from a copy of the lake$"
        ) as caught:
            tried(str(lake_folder))
        assert "--repair-log" not in str(caught.value)
    place.write_bytes(data)
    assert repair_log(str(lake_folder)).version == 4


@pytest.mark.parametrize("name", [LAST_CHECKPOINT, HEAD_RECORD, CHECKPOINT_RECORD, f"{3:020d}.checkpoint.parquet"])
@pytest.mark.parametrize("kind", ["folder", "full folder", "link"])
def test_no_file_beside_the_entries(name: str, kind: str, lake_folder: Path) -> None:
    """A folder or a dangling link in the place of a checkpoint or record: told in one line, set aside by repair, the lake whole again."""
    snapshot = _grow(lake_folder, 3)
    place = _log(lake_folder) / name
    place.unlink(missing_ok=True)
    if kind == "link":
        place.symlink_to(lake_folder / "nowhere")
    else:
        place.mkdir()
    if kind == "full folder":
        (place / "mine").write_bytes(b"mine")
    with pytest.raises(
        CorruptLakeError, match=rf"{name}, found a folder or a link to none; set it aside: .*--repair-log$"
    ):
        maintain(str(lake_folder))
    report = repair_log(str(lake_folder))
    assert report.version == snapshot.version
    aside = [_log(lake_folder) / each for each in report.set_aside if name.removeprefix("_") in each]
    assert [each.is_symlink() if kind == "link" else each.is_dir() for each in aside] == [True]
    assert maintain(str(lake_folder)).version == snapshot.version


def test_a_log_that_is_a_file(lake_folder: Path) -> None:
    """One line says what was expected and what to do, of the log's folder and of the table's."""
    _grow(lake_folder, 1)
    for place in (_log(lake_folder), _log(lake_folder).parent):
        shutil.rmtree(place)
        place.write_bytes(b"mine")
        for tried in (open_snapshot, repair_log, maintain):
            with pytest.raises(
                CorruptLakeError,
                match="expected the folder of the table's log at .*, found a file at .*; restore the lake's folder samples",
            ):
                tried(str(lake_folder))


def test_what_a_library_says_is_one_line() -> None:
    """Colours and lists of causes are for a screen."""
    assert (
        log.plain_message(OSError("\x1b[31mKernel error\x1b[0m\n  \u21b3 \x1b[1;33mno space"))
        == "Kernel error \u21b3 no space"
    )
