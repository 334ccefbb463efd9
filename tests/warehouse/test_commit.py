"""Commits: all of a wave or nothing, one of two rivals, and no reservation twice."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest
from deltalake.exceptions import CommitFailedError
from family_rows import write

from headwater.errors import ConflictError, CorruptLakeError, StorageError, UsageError
from headwater.warehouse.commit import commit, create_lake, reserve_fragments
from headwater.warehouse.snapshot import Snapshot, open_snapshot


class _Unreliable:
    """A table whose commits end in an error, before or after they happened."""

    def __init__(self, delta: Any, error: Exception, *, committed: bool) -> None:
        self._delta, self._error, self._committed = delta, error, committed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._delta, name)

    def create_write_transaction(self, *args: Any, **settings: Any) -> None:
        if self._committed:
            self._delta.create_write_transaction(*args, **settings)
        raise self._error


@pytest.fixture
def lake(lake_folder: Path) -> str:
    """A lake with two fragments of content, and language of the first."""
    snapshot = create_lake(str(lake_folder))
    entries = [
        write(snapshot.uri, family, [number]) for family, number in (("content", 1), ("content", 2), ("language", 1))
    ]
    commit(snapshot, adds=entries, wave=("first", 1), lake=str(lake_folder))
    return str(lake_folder)


def _unchanged(lake: str, before: Snapshot) -> None:
    after = open_snapshot(lake)
    assert after.version == before.version
    assert after.files.equals(before.files)


def test_a_lake_is_made_once(lake: str) -> None:
    """A second init is a wrong call and leaves the lake as it is."""
    before = open_snapshot(lake)
    with pytest.raises(UsageError, match="found one"):
        create_lake(lake)
    _unchanged(lake, before)


@pytest.mark.parametrize("place", ["/proc/lake", "{tmp}/file/lake"])
def test_a_place_that_cannot_be_written_is_a_storage_error(place: str, tmp_path: Path) -> None:
    """Neither a file system without room for folders nor a file in the way is reported as a crash."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="cannot make a lake"):
        create_lake(place.format(tmp=tmp_path))


def test_a_wave_is_one_version(lake: str) -> None:
    """Adds and removes of a wave appear together in the version after its snapshot."""
    before = open_snapshot(lake)
    (old,) = before.paths("language")
    new = write(before.uri, "language", [1, 2], first=100)
    after = commit(before, adds=[new], removes=[old], wave=("second", 1), lake=lake)
    assert after.version == before.version + 1
    assert after.paths("language") == [new.path]
    assert after.covered("language").tolist() == [1, 2]
    assert after.transaction("second") == 1
    assert open_snapshot(lake, before.version).paths("language") == [old]


def test_of_two_writers_one_wins(lake: str) -> None:
    """Two waves planned from one snapshot: the first is committed, the second is a conflict and leaves no trace."""
    one, two = open_snapshot(lake), open_snapshot(lake)
    after = commit(one, adds=[write(one.uri, "scores", [1])], wave=("one", 1), lake=lake)
    with pytest.raises(ConflictError, match=f"planned from version {two.version}, found {after.version}"):
        commit(two, adds=[write(two.uri, "scores", [2])], wave=("two", 1), lake=lake)
    _unchanged(lake, after)
    assert after.transaction("two") is None
    again = commit(after, adds=[write(one.uri, "scores", [2])], wave=("two", 1), lake=lake)
    assert again.covered("scores").tolist() == [1, 2]


def test_of_many_writers_exactly_one_wins(lake: str) -> None:
    """The same family of the same fragment from one snapshot by four threads at once: one file lives."""

    def attempt(number: int) -> bool:
        snapshot = open_snapshot(lake, base.version)
        entry = write(snapshot.uri, "tokens", [1], first=number)
        try:
            commit(snapshot, adds=[entry], wave=(f"writer-{number}", 1), lake=lake)
        except ConflictError:
            return False
        return True

    base = open_snapshot(lake)
    with ThreadPoolExecutor(4) as pool:
        won = list(pool.map(attempt, range(4)))
    assert sum(won) == 1
    after = open_snapshot(lake)
    assert after.version == base.version + 1
    assert len(after.paths("tokens")) == 1


def test_a_wave_is_committed_once(lake: str) -> None:
    """A wave that the table holds, or one before it, is refused from a fresh snapshot too."""
    snapshot = commit(open_snapshot(lake), adds=[], wave=("run", 2), lake=lake)
    for number in (1, 2):
        with pytest.raises(ConflictError, match=f"wave {number} of run"):
            commit(snapshot, adds=[], wave=("run", number), lake=lake)
    _unchanged(lake, snapshot)
    assert commit(snapshot, adds=[], wave=("run", 3), lake=lake).version == snapshot.version + 1


def test_files_that_are_not_as_described_are_refused(lake: str) -> None:
    """A file that is gone, or whose size differs by a byte, never gets into the log."""
    before = open_snapshot(lake)
    gone = write(before.uri, "scores", [1])
    (Path(before.uri) / gone.path).unlink()
    longer = write(before.uri, "tokens", [1])
    for entry, found in ((gone, "found no file"), (dataclasses.replace(longer, size=longer.size + 1), "bytes in")):
        with pytest.raises(CorruptLakeError, match=found):
            commit(before, adds=[write(before.uri, "signals", [1]), entry], wave=("bad", 1), lake=lake)
    _unchanged(lake, before)


def test_a_removed_file_must_be_live(lake: str) -> None:
    """Neither a path that never was nor one removed before can be removed."""
    start = open_snapshot(lake)
    (old,) = start.paths("language")
    after = commit(start, adds=[], removes=[old], wave=("drop", 1), lake=lake)
    for path in (old, "family=language/batch=b/never.parquet"):
        with pytest.raises(CorruptLakeError, match="to be live"):
            commit(after, adds=[], removes=[path], wave=("drop", 2), lake=lake)
    _unchanged(lake, after)


@pytest.mark.parametrize(
    ("family", "batches", "operators"),
    [
        ("language", "bb", "aa"),
        ("language", "bc", "ab"),
        ("spans", "bb", "ab"),
        ("uri_index", "bb", "aa"),
        ("stages", "bb", "ab"),
        ("placements", "bb", "aa"),
    ],
)
def test_a_fragment_has_one_live_file_of_a_family(family: str, batches: str, operators: str, lake: str) -> None:
    """A second file over a covered fragment is refused, against the table and within a wave, whoever wrote it."""
    before = open_snapshot(lake)
    entries = [
        write(before.uri, family, fragments, batch=batch, operator=operator * 32, first=number)
        for number, (fragments, batch, operator) in enumerate(zip([[3, 5], [5, 6]], batches, operators, strict=True))
    ]
    with pytest.raises(ConflictError, match=f"fragment 5 would have two live files of family {family}"):
        commit(before, adds=entries, wave=("both", 1), lake=lake)
    _unchanged(lake, before)
    after = commit(before, adds=entries[:1], wave=("one", 1), lake=lake)
    with pytest.raises(ConflictError, match="fragment 5"):
        commit(after, adds=entries[1:], wave=("other", 1), lake=lake)
    _unchanged(lake, after)
    replaced = commit(after, adds=entries[1:], removes=[entries[0].path], wave=("other", 1), lake=lake)
    assert [number for number in replaced.covered(family).tolist() if number > 1] == [5, 6]


@pytest.mark.parametrize(
    ("family", "batches", "operators"), [("stages", "bc", "aa"), ("placements", "bc", "aa"), ("placements", "bb", "ab")]
)
def test_builds_and_stages_do_not_meet(family: str, batches: str, operators: str, lake: str) -> None:
    """Another build covers the same fragments; another stage of a build has the same shard numbers."""
    before = open_snapshot(lake)
    entries = [
        write(before.uri, family, [1], batch=batch, operator=operator * 32)
        for batch, operator in zip(batches, operators, strict=True)
    ]
    assert len(commit(before, adds=entries, wave=("both", 1), lake=lake).paths(family)) == 2


@pytest.mark.parametrize("error", [OSError("connection reset"), CommitFailedError("no answer")])
def test_a_lost_answer_is_recognised_as_done(error: Exception, lake: str) -> None:
    """An error after the commit happened is no failure and no rival: the table itself says that the wave is in it."""
    before = open_snapshot(lake)
    entry = write(before.uri, "scores", [1])
    unreliable = dataclasses.replace(before, delta=cast(Any, _Unreliable(before.delta, error, committed=True)))
    after = commit(unreliable, adds=[entry], wave=("run", 1), lake=lake)
    assert after.version == before.version + 1
    assert after.paths("scores") == [entry.path]


def test_a_refused_write_is_a_storage_error(lake: str) -> None:
    """When the log did not move, the file system refused: the message says to free space, and nothing changed."""
    before = open_snapshot(lake)
    unreliable = dataclasses.replace(
        before, delta=cast(Any, _Unreliable(before.delta, OSError("disk full"), committed=False))
    )
    with pytest.raises(StorageError, match="disk full; free space"):
        commit(unreliable, adds=[write(before.uri, "scores", [1])], wave=("run", 1), lake=lake)
    _unchanged(lake, before)


def test_reserved_ranges_are_disjoint(lake: str) -> None:
    """Eight writers at once get ranges of their own, within what the table says is taken."""
    wanted = [5, 1, 7, 2, 3, 8, 4, 6]
    with ThreadPoolExecutor(8) as pool:
        first = list(pool.map(lambda count: reserve_fragments(lake, count), wanted))
    taken = [number for begin, count in zip(first, wanted, strict=True) for number in range(begin, begin + count)]
    assert len(set(taken)) == sum(wanted)
    assert open_snapshot(lake).transaction("fragments") == sum(wanted)
    assert open_snapshot(lake).files.num_rows == 3


def test_a_reservation_whose_answer_is_lost_leaves_a_gap(lake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A range that may have been taken is given up, never handed out twice."""
    real = open_snapshot
    lost = iter([True, False])

    def flaky(place: str) -> Snapshot:
        snapshot = real(place)
        if next(lost, False):
            return dataclasses.replace(
                snapshot, delta=cast(Any, _Unreliable(snapshot.delta, OSError("reset"), committed=True))
            )
        return snapshot

    monkeypatch.setattr("headwater.warehouse.commit.open_snapshot", flaky)
    assert reserve_fragments(lake, 4) == 4
    assert reserve_fragments(lake, 1) == 8
