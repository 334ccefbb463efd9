"""A takedown of a web page: the page as it was served and what extractors made of it go too, and no later extraction brings them back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from family_rows import make_rows
from web_lake import FakeReader, page, web_lake, web_recipe

from headwater.lineage.checks.lake import verify
from headwater.lineage.runs import Unit, begin_run, commit_wave
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


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Three fragments of pages, read by two extractors, with measures of their texts in files of all fragments."""
    monkeypatch.setattr(task, "shared_reader", FakeReader)
    made = web_lake(tmp_path, _PAGES, Extractor(name="main"))
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


def test_the_lake_is_whole(lake: str) -> None:
    """What verify finds before and after is the same: nothing that the test did not leave out itself."""
    before = {check.name for check in verify(lake) if not check.passed}
    _take(lake, int(sample_ids(open_snapshot(lake).covered("content")[0], 0, 1)[0]))
    assert {check.name for check in verify(lake) if not check.passed} == before
