"""``verify --share`` and ``--incremental``: what is read again, that damage within it is found, and what is recorded."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from small_lake import SmallLake

from headwater.cli.root import cli
from headwater.errors import CorruptLakeError, UsageError
from headwater.lineage.checks.lake import verify
from headwater.lineage.checks.pieces import FilePiece, Piece, TextPiece, in_turn
from headwater.lineage.checks.scope import RECORD, Scope, read_verified, record_verified
from headwater.warehouse.maintain import maintain
from headwater.warehouse.snapshot import open_snapshot

pytestmark = pytest.mark.spark


def _read(lake: str, scope: Scope) -> set[str]:
    """Return the names of what a scope reads, after all of it has passed."""
    seen: set[str] = set()

    def each(pieces: Iterable[Piece]) -> Iterator[tuple[int, list[str]]]:
        held = list(pieces)
        for piece in held:
            if isinstance(piece, FilePiece):
                seen.add(piece.path)
            elif isinstance(piece, TextPiece):
                seen.add(f"text of {piece.where.fragment}")
            else:
                seen.add(f"{piece.build}/{piece.stage}/{piece.manifest.shards[0].number}")
        yield from in_turn(held)

    assert [check.name for check in verify(lake, each=each, scope=scope) if not check.passed] == []
    return seen


def _call(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["verify", *map(str, arguments)])


def test_a_share_is_a_part_of_a_greater_one(finished_lake: SmallLake) -> None:
    """Shares grow into each other; the whole is every live file, every text, every shard; counts are those of what was read."""
    lake = str(finished_lake.folder)
    whole, half, tenth = (_read(lake, Scope(share=share)) for share in (1.0, 0.5, 0.1))
    files = set(open_snapshot(lake).files["path"].to_pylist())
    assert files <= whole
    assert tenth < half < whole
    assert 0.25 < len(half) / len(whole) < 0.75
    checks = {check.name: check for check in verify(lake, scope=Scope(share=0.5))}
    assert checks["file_hashes"].count == len(half & files)
    every = {check.name: check for check in verify(lake)}
    assert checks["texts_decode"].count <= every["texts_decode"].count
    assert checks["ids_unique"].count == every["ids_unique"].count


def test_damage_is_found_where_it_is_read(copied_lake: SmallLake) -> None:
    """A file of a share is told from one that is not; a share that has it names it."""
    lake = copied_lake.folder
    snapshot = open_snapshot(str(lake))
    read = _read(str(lake), Scope(share=0.5))
    inside = next(
        path for path in snapshot.paths("signals") + snapshot.paths("minhash") + snapshot.paths("files") if path in read
    )
    place = lake / "samples" / inside
    data = bytearray(place.read_bytes())
    data[len(data) // 2] ^= 1
    place.write_bytes(data)
    (hashes,) = (check for check in verify(str(lake), scope=Scope(share=0.5)) if check.name == "file_hashes")
    assert not hashes.passed
    assert place.name in hashes.detail


@pytest.mark.parametrize("share", [0, -1, 1.5, float("nan")])
def test_shares_that_are_none(share: float) -> None:
    """Above 0 and at most 1."""
    with pytest.raises(UsageError, match="--share"):
        Scope(share=share)


def test_incremental_reads_what_came_since(copied_lake: SmallLake) -> None:
    """First everything; then nothing; after maintenance the files that it wrote; what is damaged records nothing."""
    lake = str(copied_lake.folder)
    first = json.loads(_call(lake, "--incremental", "--output", "json").stdout)
    assert (first["passed"], first["since"]) == (True, None)
    known = read_verified(lake)
    assert known is not None
    assert known.version == open_snapshot(lake).version
    assert _read(lake, Scope(since=known)) == set()
    maintain(lake)
    new = set(open_snapshot(lake).files["path"].to_pylist()) - known.paths
    assert new
    assert _read(lake, Scope(since=known)) == new
    place = copied_lake.folder / "samples" / sorted(new)[0]
    place.write_bytes(place.read_bytes()[:-1])
    failed = _call(lake, "--incremental")
    assert failed.exit_code == 1
    assert f"read: what came since version {known.version}" in failed.stdout
    assert read_verified(lake) == known


def test_shards_are_read_again_when_their_manifest_is_another(copied_lake: SmallLake) -> None:
    """Only those of the stage whose manifest changed."""
    lake = str(copied_lake.folder)
    record_verified(open_snapshot(lake))
    place = Path(lake) / RECORD
    record = json.loads(place.read_text("utf-8"))
    record["manifests"][f"{copied_lake.build}/knowledge"] = "0" * 64
    place.write_text(json.dumps(record), "utf-8")
    with pytest.raises(CorruptLakeError, match="delete it"):
        read_verified(lake)
    del record["digest"]  # as an earlier release wrote it
    place.write_text(json.dumps(record | {"format": 1}), "utf-8")
    read = _read(lake, Scope(since=read_verified(lake)))
    assert read
    assert {name.rpartition("/")[0] for name in read} == {f"{copied_lake.build}/knowledge"}


@pytest.mark.parametrize(
    "damage",
    ["", "[]", '{"format": 2}', '{"format": 1, "version": "x", "manifests": {}}', '{"format": 1, "version": 0}'],
)
def test_a_damaged_record_is_told(damage: str, copied_lake: SmallLake) -> None:
    """In one line that says what to do; a version that is gone is no record."""
    lake = str(copied_lake.folder)
    (copied_lake.folder / RECORD).write_text(damage, "utf-8")
    with pytest.raises(CorruptLakeError, match="delete it"):
        read_verified(lake)
    (copied_lake.folder / RECORD).write_text('{"format": 1, "version": 99999, "manifests": {}}', "utf-8")
    assert read_verified(lake) is None


def test_options_that_do_not_go_together(finished_lake: SmallLake) -> None:
    """Both exit with 2 and write nothing."""
    lake = finished_lake.folder
    for arguments in (["--incremental", "--share", "0.5"], ["--incremental", "--build", finished_lake.build]):
        done = _call(lake, *arguments)
        assert (done.exit_code, done.stdout) == (2, "")
    assert not (lake / RECORD).exists()
