"""Where a lake may be: every place that is accepted is the one that all libraries come to, and the others are refused before anything is made."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from text_lake import Document, make_text_lake

from headwater import Lake
from headwater.errors import UsageError
from headwater.lineage.checks.lake import verify
from headwater.warehouse.commit import create_lake
from headwater.warehouse.filesystem import filesystem_of, lake_place
from headwater.warehouse.maintain import maintain
from headwater.warehouse.snapshot import open_snapshot

LEGAL = [
    "crawl 2024",
    "it's",
    'a "b"',
    "ha#sh",
    "qu?ry",
    "st*r[x]{a,b}",
    "a:b=c&d;$HOME",
    "~",
    "-dash",
    " lead and trail ",
    "...",
    ".hidden",
    "`b`|<>^",
    unicodedata.normalize("NFC", "café"),
    unicodedata.normalize("NFD", "café"),
    "日本",
    "x" * 255,
]
DECODED = ["a%20b", "crawl%202024", "a%", "%", "%00", "%zz", "é%C3%A9", "a%2520b", "back\\slash"]
CONTROLS = ["new\nline", "tab\tx", "\x01", "del\x7f", "c1\x85", "zero\0byte", "no\udcffutf8"]


@pytest.mark.parametrize("name", LEGAL, ids=range(len(LEGAL)))
def test_a_legal_name_works_for_every_library(name: str, tmp_path: Path) -> None:
    """delta-rs commits, pyarrow writes and DuckDB reads in the folder that was named, and nothing comes to lie beside it."""
    lake = tmp_path / name
    make_text_lake(lake, [[Document("first", "u")]])
    assert [path.name for path in tmp_path.iterdir()] == [name]
    with Lake(lake).duckdb() as connection:
        assert connection.execute("SELECT text FROM samples").fetchall() == [("first",)]
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", DECODED + CONTROLS, ids=range(len(DECODED + CONTROLS)))
def test_other_names_are_refused_at_once(name: str, tmp_path: Path) -> None:
    """In one line, before anything is made, by what makes a lake and by what opens one."""
    place = f"{tmp_path}/{name}"
    for use in (create_lake, open_snapshot, Lake, maintain, verify):
        with pytest.raises(
            UsageError, match="^expected a lake whose path the libraries beneath can open, found .+$"
        ) as told:
            use(place)
        assert "\n" not in str(told.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["crawl%202024/lake", "link", "lake"])
def test_no_name_leads_to_the_lake_beside(name: str, tmp_path: Path) -> None:
    """A folder above, a link, or one in place of the table's folder: what libraries would decode is refused, the neighbour is as it was."""
    make_text_lake(tmp_path / "crawl 2024" / "lake", [[Document("first", "u")]])
    (tmp_path / "crawl%202024" / "lake" / "samples").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "crawl%202024" / "lake")
    (tmp_path / "lake").mkdir()
    (tmp_path / "lake" / "samples").symlink_to(tmp_path / "crawl%202024" / "lake" / "samples")
    for use in (create_lake, open_snapshot):
        with pytest.raises(UsageError, match="found a percent sign"):
            use(str(tmp_path / name))
    assert list((tmp_path / "crawl%202024" / "lake" / "samples").iterdir()) == []
    assert open_snapshot(str(tmp_path / "crawl 2024" / "lake")).version == 1


@pytest.mark.parametrize("empty", ["", " ", "\n"])
def test_an_empty_place_is_refused(empty: str) -> None:
    """An unset variable makes no lake at the root; a path that is empty names no folder."""
    with pytest.raises(UsageError, match="is a variable not set"):
        create_lake(empty)
    with pytest.raises(UsageError, match="is a variable not set"):
        filesystem_of("")


def test_a_file_uri_is_decoded_once(tmp_path: Path) -> None:
    """As a URI says; what a path of it would then hold is judged like a path."""
    assert lake_place(f"file://{tmp_path}/a%20b/") == f"{tmp_path}/a b"
    assert lake_place(f"file://localhost{tmp_path}/a") == f"{tmp_path}/a"
    for wrong in (f"file://{tmp_path}/a%2520b", "file://host/a", "file:a", "file:///a?b"):
        with pytest.raises(UsageError):
            lake_place(wrong)


@pytest.mark.parametrize(
    "uri", ["s3://b/a%20b", "s3://b/a b", "s3://b/a?b", "s3://b/a#b", "s3://b/a\\b", "gs://b/a\nb"]
)
def test_a_uri_with_letters_that_libraries_read_differently_is_refused(uri: str) -> None:
    """Escapes, spaces, queries and fragments of an object store's URI."""
    with pytest.raises(UsageError, match="^expected a lake whose path"):
        lake_place(uri)


def test_a_uri_with_credentials_is_refused_without_showing_them() -> None:
    """They would come into every message and log."""
    with pytest.raises(UsageError) as told:
        lake_place("s3://key:secret@bucket/lake")
    assert "secret" not in str(told.value)
    assert lake_place("s3://bucket/lake/") == "s3://bucket/lake"


def test_a_relative_lake_stays_where_it_was_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change of the working folder between calls changes nothing, and nothing comes to lie in the new one."""
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    monkeypatch.chdir(tmp_path / "one")
    assert lake_place("../two/lake") == str(tmp_path / "two" / "lake")
    lake = Lake.create("lake")
    snapshot = make_text_lake(Path("other"), [[Document("first", "u")]])
    other = Lake("other")
    monkeypatch.chdir(tmp_path / "two")
    assert lake.path == str(tmp_path / "one" / "lake")
    assert snapshot.newest().lake == other.path == str(tmp_path / "one" / "other")
    assert lake.snapshot().version == 0
    with other.duckdb() as connection:
        assert connection.execute("SELECT text FROM samples").fetchall() == [("first",)]
    assert list((tmp_path / "two").iterdir()) == []
