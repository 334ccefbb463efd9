"""A takedown of a web page: the page as it was served and what extractors made of it go too, and no later extraction brings them back."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from family_rows import make_rows
from web_lake import FakeReader, page, web_lake, web_recipe

from headwater.errors import CorruptLakeError
from headwater.lineage.builds import LakeView
from headwater.lineage.checks.lake import verify
from headwater.lineage.checks.takedowns import takedowns
from headwater.lineage.runs import Unit, begin_run, commit_wave
from headwater.lineage.views import connect
from headwater.pipelines.extract import task
from headwater.pipelines.extract.step import Tasks, extract_with
from headwater.pipelines.recipe.extractors import Extractor
from headwater.pipelines.takedown.asked import Asked
from headwater.pipelines.takedown.step import takedown
from headwater.warehouse.fragments import fragment_mask, sample_ids
from headwater.warehouse.parquet import read_file, write_family
from headwater.warehouse.schema import FAMILIES
from headwater.warehouse.snapshot import open_snapshot

_PAGES: list[list[bytes | None]] = [
    [page("one", "one and more"), None, page("two", "two with rows", rows=3)],
    [page("three", "three"), page("four", "four and more")],
    [page("five", "five")],
]
_BOTH = '[[extractors]]\nname = "main"\n[[extractors]]\nname = "whole"\nmethod = "full"\n'
_OTHER = '[[extractors]]\nname = "whole"\nmethod = "full"\n'
_OF_TEXTS = ("language", "signals", "scores", "minhash", "tokens", "blocklists", "spans", "contamination")
"""Families of which the test makes one file for all fragments."""
Rows = dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module", autouse=True)
def _fake_reader() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(task, "shared_reader", FakeReader)
        yield


@pytest.fixture(scope="module")
def lake_once(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Three fragments of pages, read by two extractors, with measures of their texts in files of all fragments."""
    made = web_lake(tmp_path_factory.mktemp("web"), _PAGES, Extractor(name="main"))
    extract_with(Tasks(None), made, web_recipe(_BOTH))
    snapshot = open_snapshot(made)
    fragments = snapshot.covered("content").tolist()
    base, mask = fragment_mask(fragments)
    rows = {
        family: [make_rows(family, each, len(_PAGES[at])) for at, each in enumerate(fragments)] for family in _OF_TEXTS
    }
    adds = [write_family(snapshot.uri, family, "web", base, mask, "ab" * 16, rows[family]) for family in _OF_TEXTS]
    commit_wave(begin_run(made, "annotate", {}, {}, 0), snapshot, [Unit(adds=adds)])
    return made


@pytest.fixture
def lake(lake_once: str, tmp_path: Path) -> str:
    """A copy that a test may change."""
    shutil.copytree(lake_once, tmp_path / "lake")
    return str(tmp_path / "lake")


@pytest.fixture(scope="module")
def taken_once(lake_once: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The same lake with its first sample taken down."""
    lake = str(tmp_path_factory.mktemp("taken") / "lake")
    shutil.copytree(lake_once, lake)
    _take(lake, int(sample_ids(open_snapshot(lake).covered("content")[0], 0, 1)[0]))
    return lake


def _rows(lake: str) -> Rows:
    """Return the rows of every family by sample."""
    snapshot = open_snapshot(lake)
    return {
        name: [
            row for path in snapshot.paths(name) for table in read_file(snapshot.uri, path) for row in table.to_pylist()
        ]
        for name, family in FAMILIES.items()
        if family.by_sample and name != "takedowns"
    }


def _take(lake: str, sample: int) -> None:
    takedown(lake, Asked(who="w", why="y", named={"sample": sample}, after_days=0))


def test_only_the_sample_changes(lake: str) -> None:
    """Rows of all others are the same, value for value; files that do not hold the sample are the same files."""
    before, files = _rows(lake), set(open_snapshot(lake).files["path"].to_pylist())
    sample = int(sample_ids(open_snapshot(lake).covered("content")[1], 1, 2)[0])
    _take(lake, sample)
    after = _rows(lake)
    for name, rows in before.items():
        rest = [row for row in rows if row["sample_id"] != sample]
        assert [row for row in after[name] if row["sample_id"] != sample] == rest, name
        gone = len(rows) - len(rest)
        assert len(after[name]) == len(rows) - (0 if FAMILIES[name].aligned else gone), name
    now = open_snapshot(lake)
    kept = files & set(now.files["path"].to_pylist())
    fragment = sample >> 24
    for row in now.files.to_pylist():
        if FAMILIES[row["family"]].by_sample and row["path"] not in kept:
            assert row["mask"] >> (fragment - row["base"]) & 1, row["path"]


@pytest.mark.parametrize("more", [_BOTH, _OTHER])
def test_no_extraction_brings_a_page_back(more: str, lake: str) -> None:
    """Neither the same extractors nor another one, over the pages that are stored, gives the sample a text again."""
    sample = int(sample_ids(open_snapshot(lake).covered("content")[0], 2, 3)[0])
    _take(lake, sample)
    after = _rows(lake)
    assert [
        family
        for family in ("html", "texts", "uri_index", "spans")
        if any(row["sample_id"] == sample for row in after[family])
    ] == []
    extract_with(Tasks(None), lake, web_recipe(more))
    (row,) = [row for row in _rows(lake)["content"] if row["sample_id"] == sample]
    assert (row["text"], row["uri"], row["meta"]) == ("", None, None)
    (capture,) = [row for row in _rows(lake)["captures"] if row["sample_id"] == sample]
    assert {value for name, value in capture.items() if name not in ("sample_id", "run_id")} == {None}


@pytest.mark.parametrize(
    ("pattern", "damage"),
    [
        ("key", lambda data: data[::-1]),
        ("key", None),
        ("*.json", lambda data: data.replace(b'"named": 1', b'"named": 2')),
        ("*.json", None),
        ("*.txt", lambda data: data + b"and nothing else was asked\n"),
        ("*.html", None),
    ],
)
def test_damage_is_found(
    pattern: str, damage: Callable[[bytes], bytes] | None, taken_once: str, tmp_path: Path
) -> None:
    """A key that is another one, a changed or lost record, a report that says something else or is gone: each is named by the check."""
    lake = tmp_path / "lake"
    shutil.copytree(taken_once, lake)
    (path,) = (lake / "takedowns").glob(pattern)
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(damage(path.read_bytes()))
    try:
        found = _faults(str(lake))
    except CorruptLakeError as error:
        found = [str(error)]
    assert found


def _faults(lake: str) -> list[str]:
    snapshot = open_snapshot(lake)
    with connect(lake, snapshot.version) as connection:
        return takedowns(LakeView(lake=lake, snapshot=snapshot, connection=connection, build=None))[1]


def test_the_lake_is_whole(lake_once: str, taken_once: str) -> None:
    """What verify finds before and after is the same, which is what the test left out itself; the check of takedowns finds nothing."""
    before = {check.name for check in verify(lake_once) if not check.passed}
    assert {check.name for check in verify(taken_once) if not check.passed} == before
    assert "takedowns" not in before
