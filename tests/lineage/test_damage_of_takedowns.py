"""Verify finds what was planted in what takedowns, revisions, roots, indices and its own record left: in the bytes, and in what they say."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from damage import take_down

from headwater.errors import CorruptLakeError
from headwater.lineage.builds import LakeView
from headwater.lineage.checks.builds import build_records, build_roots
from headwater.lineage.checks.found import Found
from headwater.lineage.checks.indexes import indexes
from headwater.lineage.checks.lake import verify
from headwater.lineage.checks.scope import RECORD, read_verified, record_verified
from headwater.lineage.checks.takedowns import takedowns
from headwater.lineage.questions import rows
from headwater.lineage.runs import Unit, begin_run, commit_wave
from headwater.lineage.views import connect
from headwater.pipelines.takedown.asked import Asked
from headwater.pipelines.takedown.step import takedown
from headwater.reader.verify import verify_copy
from headwater.tokenize.shards.manifest import read_manifest, root_of
from headwater.tokenize.shards.roots import build_root
from headwater.warehouse.parquet import read_file, write_family
from headwater.warehouse.snapshot import open_snapshot

if TYPE_CHECKING:
    from small_lake import SmallLake

pytestmark = pytest.mark.spark  # the lake is made by Spark, once

Change = Callable[[pa.Table], pa.Table]


@pytest.fixture(scope="module")
def taken_once(finished_lake: SmallLake, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small lake after a takedown of a placed sample and one of a refused record, verified; its build as it was lies beside it."""
    lake = tmp_path_factory.mktemp("taken") / "lake"
    shutil.copytree(finished_lake.folder, lake)
    shutil.copytree(lake / "builds" / finished_lake.build, lake.parent / "build-before")
    take_down(lake)
    with connect(str(lake)) as connection:
        refused = rows(connection, "SELECT file_uri, record_no FROM quarantine JOIN files USING (file_id) LIMIT 1")[0]
    asked = Asked(who="w", why="y", records=[(refused["file_uri"], refused["record_no"])], after_days=0.0)
    takedown(str(lake), asked)
    record_verified(open_snapshot(str(lake)))
    assert _failed(lake) == {}
    return lake


@pytest.fixture
def lake(taken_once: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    shutil.copytree(taken_once, tmp_path / "lake")
    return tmp_path / "lake"


def _failed(lake: Path) -> dict[str, str]:
    return {check.name: check.detail for check in verify(str(lake)) if not check.passed}


def _said(lake: Path, check: Callable[[LakeView], Found]) -> str:
    """Return what one check says, which is quicker than all of them; a record that cannot be read is an error that verify tells."""
    snapshot = open_snapshot(str(lake))
    with connect(str(lake), snapshot.version) as connection:
        try:
            _, faults = check(LakeView(lake=str(lake), snapshot=snapshot, connection=connection, build=None))
        except CorruptLakeError as error:
            return str(error)
    return "; ".join(faults)


def _records(lake: Path) -> list[Path]:
    """Return the records of the two takedowns: of a sample, and of a refused record alone."""
    found = sorted((lake / "takedowns").glob("*.json"))
    return sorted(found, key=lambda path: not json.loads(path.read_bytes())["samples"])


@pytest.mark.parametrize("number", [0, 1])
def test_a_removed_record_of_a_takedown(number: int, lake: Path) -> None:
    """Whether it left rows of family takedowns or only its run, a takedown whose record is gone is named."""
    path = _records(lake)[number]
    path.unlink()
    assert f"takedown {path.stem} was made and has no record" in _said(lake, takedowns)


def test_two_records_that_changed_places(lake: Path) -> None:
    """A record under the name of another one is none, though its bytes are whole."""
    one, other = _records(lake)
    data = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(data)
    assert "expected the record of a takedown" in _said(lake, takedowns)


@pytest.mark.parametrize("ending", ["txt", "html"])
def test_a_report_that_says_something_else(ending: str, lake: Path) -> None:
    """A sentence more in a report that was filed is found by the hash in the record."""
    path = _records(lake)[0].with_suffix(f".{ending}")
    path.write_text(path.read_text() + "and nothing else was asked\n")
    assert path.name in _said(lake, takedowns)


def _stage(lake: Path) -> Path:
    """Return the folder of a stage that was revised."""
    (found, *_) = (
        path.parent for path in sorted(lake.glob("builds/*/*/manifest.json")) if b'"revision": 1' in path.read_bytes()
    )
    return found


def test_a_wrong_root(lake: Path) -> None:
    """A manifest with another root than its shards', and one with a root that fits shards that were exchanged, though root.json fits both."""
    stage = _stage(lake)
    place = stage / "manifest.json"
    manifest = read_manifest(place.read_bytes())
    assert manifest.root == root_of(manifest.shards)
    place.write_bytes(place.read_bytes().replace(str(manifest.root).encode(), b"0" * 64))
    told = {path.parent.name: _sha256(path) for path in stage.parent.glob("*/manifest.json")}
    (stage.parent / "root.json").write_bytes(build_root(told))
    assert verify_copy(str(stage.parent)).damaged
    assert f"expected root {manifest.root}" in _said(lake, build_roots)
    assert "manifest.json: has not the SHA-256 that its build recorded" in _said(lake, build_records)


def test_a_root_of_other_manifests(lake: Path) -> None:
    """root.json with another stage's hash, as it is after a stage was put back, is found without reading a shard."""
    root = _stage(lake).parent / "root.json"
    told = json.loads(root.read_bytes())
    root.write_bytes(root.read_bytes().replace(str(told["root"]).encode(), b"f" * 64))
    assert "root.json: is not the root of the manifests" in _said(lake, build_roots)
    assert verify_copy(str(root.parent)).damaged


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_build_put_back_as_it_was(lake: Path, taken_once: Path) -> None:
    """A copy of the build from before the takedown, whole in itself, is not the one that its newest revision recorded: what went would be back."""
    folder = _stage(lake).parent
    shutil.rmtree(folder)
    shutil.copytree(taken_once.parent / "build-before", folder)
    assert not verify_copy(str(folder)).damaged
    failed = _failed(lake)
    assert {"build_records", "build_roots"} <= set(failed)
    assert "has not the SHA-256 that its build recorded" in failed["build_records"]


def test_a_swapped_revision(lake: Path, taken_once: Path) -> None:
    """One stage's manifest and shards of before the revision beside the others of after it."""
    stage = _stage(lake)
    shutil.rmtree(stage)
    shutil.copytree(taken_once.parent / "build-before" / stage.name, stage)
    failed = _failed(lake)
    assert "build_records" in failed
    assert stage.name in failed["build_records"]
    assert verify_copy(str(stage.parent)).damaged


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'"revision": 1', b'"revision": 2'),
        (b'"format": 3', b'"format": 2'),
        (b'"replaces": "', b'"replaces": "0'),
        (b'"revisions": [', b'"revisionz": ['),
    ],
)
def test_a_manifest_of_format_3_that_says_something_else(before: bytes, after: bytes, lake: Path) -> None:
    """Every field of a revision in a manifest is held by the hash that the revision recorded."""
    place = _stage(lake) / "manifest.json"
    assert before in place.read_bytes()
    place.write_bytes(place.read_bytes().replace(before, after, 1))
    assert "manifest.json: has not the SHA-256 that its build recorded" in _said(lake, build_records)


@pytest.mark.parametrize("change", [{"version": 1}, {"manifests": {}}, {"format": 7}, {"digest": ""}])
def test_a_record_of_what_was_verified_that_was_changed(change: dict[str, object], lake: Path) -> None:
    """It decides what is not read again, so each of its values is held; without the file nothing is left out, and nothing is wrong."""
    place = lake / RECORD
    place.write_text(json.dumps(json.loads(place.read_bytes()) | change))
    with pytest.raises(CorruptLakeError, match="delete it, and everything is verified again"):
        read_verified(str(lake))
    if "version" in change:  # once for all: verify asks that too
        assert set(_failed(lake)) == {"verified_record"}
        place.unlink()
        assert _failed(lake) == {}


def _rewrite(lake: Path, family: str, change: Change) -> None:
    """Replace the files of a family by such as hold changed rows, named by the hash of their bytes as every file is."""
    snapshot = open_snapshot(str(lake))
    adds, removes = [], []
    for row in snapshot.live(family).to_pylist():
        table = pa.concat_tables(read_file(snapshot.uri, row["path"]))
        changed = change(table)
        if not changed.equals(table):
            adds.append(
                write_family(
                    snapshot.uri,
                    family,
                    row["batch"],
                    row["base"],
                    row["mask"],
                    row["operator"],
                    [changed.cast(table.schema)],
                )
            )
            removes.append(row["path"])
    assert adds
    run = begin_run(str(lake), "maintain", {}, {}, snapshot.version)
    commit_wave(run, snapshot, [Unit(adds=adds, removes=removes)], final=True)


def _with(table: pa.Table, column: str, values: list[object]) -> pa.Table:
    at = table.schema.get_field_index(column)
    return table.set_column(at, table.schema.field(at), pa.array(values, table.schema.field(at).type))


def _another(column: str) -> Change:
    return lambda table: _with(table, column, [value + 1 for value in table[column].to_pylist()])


def _one_less(table: pa.Table) -> pa.Table:
    return table.slice(1)


def _one_twice(table: pa.Table) -> pa.Table:
    return pa.concat_tables([table.slice(0, 1), table])


@pytest.mark.parametrize(
    ("family", "change", "said"),
    [
        ("uri_index", _one_less, "uri_index: sample"),
        ("uri_index", _one_twice, "has two entries"),
        ("uri_index", _another("uri_hash"), "stands under another hash"),
        ("host_index", _one_less, "has no entry"),
        ("host_index", _another("host_hash"), "stands under another hash"),
        ("host_index", _another("domain_hash"), "stands under another hash"),
    ],
)
def test_an_index_that_is_wrong(family: str, change: Change, said: str, lake: Path) -> None:
    """An entry that is missing, doubled or under another hash is found by the column that it is of, though the file is whole."""
    _rewrite(lake, family, change)
    assert said in _said(lake, indexes)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("text_mac", None),
        ("text_mac", b"short"),
        ("signature_macs", b"1234"),
        ("band_macs", [1]),
        ("normalized_mac", b"x"),
    ],
)
def test_keyed_hashes_that_are_none(column: str, value: object, lake: Path) -> None:
    """A keyed hash that is lost or cut would let the same text in again: the sample is named."""
    _rewrite(lake, "takedowns", lambda table: _with(table, column, [value] * table.num_rows))
    assert "no keyed hashes by which its text is known again" in _said(lake, takedowns)


def test_a_tombstone_that_got_its_text_back(lake: Path) -> None:
    """A sample that was taken down and has a URL again is named, as is one without a text that was not taken down."""

    def with_uri(table: pa.Table) -> pa.Table:
        uris = [
            uri if size else "https://back.example/"
            for uri, size in zip(*(table[n].to_pylist() for n in ("uri", "text_bytes")), strict=True)
        ]
        return _with(table, "uri", uris)

    _rewrite(lake, "content", with_uri)
    assert "was taken down and is not gone" in _said(lake, takedowns)
