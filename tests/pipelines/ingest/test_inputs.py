from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from headwater.errors import UsageError
from headwater.pipelines.ingest.inputs import list_inputs

Lister = Callable[..., list[str]]


@pytest.fixture
def listed(tmp_path: Path) -> Lister:
    """Make a tree of small files and return a function that lists inputs relative to it."""
    for name in ["b.txt", "a/2.jsonl", "a/10.jsonl", "a/deep/en/x.jsonl.gz", "c/y.jsonl.gz", "c/[1].txt", "a/_SUCCESS"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    for name in [".hidden", "_temporary/part.jsonl", ".git/config", "a/.part.crc"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("no input")

    def names(*paths: str) -> list[str]:
        files = list(list_inputs([f"{tmp_path}/{path}" if path else str(tmp_path) for path in paths]))
        assert all(file.size == Path(file.uri).stat().st_size for file in files)
        return [str(Path(file.uri).relative_to(tmp_path)) for file in files]

    return names


def test_folder_is_searched_to_any_depth_sorted_and_without_hidden_names(listed: Lister) -> None:
    """A folder gives every file below it by name within each folder; names that begin with . or _ are left out."""
    everything = ["a/10.jsonl", "a/2.jsonl", "a/deep/en/x.jsonl.gz", "b.txt", "c/[1].txt", "c/y.jsonl.gz"]
    assert listed("") == everything
    assert listed("a/", "b.txt") == [*everything[:3], "b.txt"]


@pytest.mark.parametrize(
    "pattern,expected",
    [
        ("*.txt", ["b.txt"]),
        ("*/*.jsonl", ["a/10.jsonl", "a/2.jsonl"]),
        ("?/[0-9].jsonl", ["a/2.jsonl"]),
        ("**/*.gz", ["a/deep/en/x.jsonl.gz", "c/y.jsonl.gz"]),
        ("**/*.txt", ["b.txt", "c/[1].txt"]),
        ("a/**/x.*", ["a/deep/en/x.jsonl.gz"]),
        ("**/en/*", ["a/deep/en/x.jsonl.gz"]),
        ("a/**", ["a/10.jsonl", "a/2.jsonl", "a/deep/en/x.jsonl.gz"]),
        ("a/de*", ["a/deep/en/x.jsonl.gz"]),
        ("c/[1].txt", ["c/[1].txt"]),
        ("a/_*", ["a/_SUCCESS"]),
    ],
)
def test_globs(listed: Lister, pattern: str, expected: list[str]) -> None:
    """Stars and brackets match within a name, ** any folders, a matched folder counts with its files, an existing name is itself."""
    assert listed(pattern) == expected


def test_hidden_file_that_is_named_outright_is_listed(listed: Lister) -> None:
    """Leaving out hidden names is for searches; a path given in full is meant."""
    assert listed("_temporary/part.jsonl") == ["_temporary/part.jsonl"]


@pytest.mark.parametrize("missing", ["nowhere", "nowhere/*.jsonl", "*.parquet", "**/*.zst"])
def test_unknown_path_is_a_usage_error_that_names_it(listed: Lister, missing: str) -> None:
    """A path or glob that names nothing is an error, not an empty input."""
    with pytest.raises(UsageError, match="nowhere|parquet|zst"):
        listed(missing)


def test_empty_folder_gives_nothing(tmp_path: Path) -> None:
    """A folder without files is there, so it is no error."""
    assert list(list_inputs([str(tmp_path)])) == []


def test_listing_is_a_stream(listed: Lister, tmp_path: Path) -> None:
    """The first file comes before the second path's folder is listed."""
    stream = list_inputs([str(tmp_path), str(tmp_path / "nothing*")])
    assert next(stream).uri == str(tmp_path / "a" / "10.jsonl")
    with pytest.raises(UsageError, match=r"no input matches .*nothing\*"):
        list(stream)


def test_a_path_that_is_nowhere_is_told_before_the_first_file(listed: Lister, tmp_path: Path) -> None:
    """Every path is looked up before a file is given out: a wrong one at the end must not cost a half-done ingest."""
    with pytest.raises(UsageError, match="no input at nowhere-at-all"):
        list_inputs([str(tmp_path), "nowhere-at-all"])


def test_link_back_to_a_folder_above_ends(listed: Lister, tmp_path: Path) -> None:
    """A symbolic link to a folder that is being walked is not followed."""
    (tmp_path / "a" / "loop").symlink_to(tmp_path, target_is_directory=True)
    assert len(listed("")) == 6


def test_file_uri_and_relative_path(listed: Lister, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file:// URI and a relative path give the same absolute path."""
    monkeypatch.chdir(tmp_path)
    assert [file.uri for file in list_inputs([f"file://{tmp_path}/b.txt", "b.txt", "*.txt"])] == [
        f"{tmp_path}/b.txt"
    ] * 3
