from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from headwater.errors import StorageError, UsageError
from headwater.pipelines.ingest.decompress import Limits
from headwater.pipelines.ingest.file_kinds import inspect_file
from headwater.pipelines.ingest.inputs import check_inputs, list_inputs
from headwater.pipelines.ingest.left_out import LeftOut

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


def test_temporary_names_are_left_out_unless_meant(tmp_path: Path) -> None:
    """What an editor or a download leaves is no input, and is told; a glob that asks for such names, or the name itself, gets them."""
    names = ["a.jsonl", "a.jsonl~", "b.tmp", "c.crc", "d.jsonl.PART", "#e.jsonl#", "f._COPYING_", "g.jsonl.swp"]
    for name in names:
        (tmp_path / name).touch()
    (tmp_path / "corpus.part").mkdir()
    (tmp_path / "corpus.part" / "h.jsonl").touch()
    left_out = LeftOut()
    found = [Path(file.uri).name for file in list_inputs([str(tmp_path)], None, left_out)]
    assert found == ["a.jsonl", "h.jsonl"]
    assert left_out.counts == {"temporary": 7}
    assert left_out.examples == {"temporary": f"{tmp_path}/#e.jsonl#"}
    for pattern, expected in {"*.tmp": ["b.tmp"], "a.*": ["a.jsonl"], "*~": ["a.jsonl~"], "c.crc": ["c.crc"]}.items():
        assert [Path(file.uri).name for file in list_inputs([f"{tmp_path}/{pattern}"])] == expected


def test_what_is_left_out_is_counted_by_rule(tmp_path: Path) -> None:
    """A hidden folder counts once, whatever it holds; a pipe is neither file nor folder."""
    for name in (".git/config", ".git/HEAD", "_SUCCESS", "a.jsonl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    os.mkfifo(os.fsencode(tmp_path) + b"/pipe\xff")
    left_out = LeftOut()
    assert len(list(list_inputs([str(tmp_path)], None, left_out))) == 1
    assert left_out.counts == {"hidden": 2, "special": 1}
    assert left_out.examples["special"] == f"file://{tmp_path}/pipe%FF", "whatever its name, it can be shown"


def test_what_lies_below_a_lake_is_no_input(tmp_path: Path) -> None:
    """A lake is known by its table, by whatever link one comes to it; another program's Delta table called samples is no lake."""
    for folder in (
        "in/lake/samples/_delta_log",
        "in/lake/builds/b",
        "other/samples/_delta_log",
        "old/samples/_delta_log",
    ):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "in" / "lake" / "samples" / "_delta_log" / f"{0:020d}.json").write_text(
        '{"metaData": {"description": "headwater lake format 2"}}'
    )
    (tmp_path / "old" / "samples" / "family=files").mkdir()
    for name in ("in/raw.jsonl", "in/lake/builds/b/shard.parquet", "other/samples/part.parquet", "old/notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "in" / "shards").symlink_to(tmp_path / "in" / "lake" / "builds")
    (tmp_path / "in" / "shard.parquet").symlink_to(tmp_path / "in" / "lake" / "builds" / "b" / "shard.parquet")
    (tmp_path / "in" / "other").symlink_to(tmp_path / "other")
    left_out = LeftOut()
    found = [str(Path(file.uri).relative_to(tmp_path)) for file in list_inputs([f"{tmp_path}/in"], None, left_out)]
    assert found == ["in/other/samples/part.parquet", "in/raw.jsonl"]
    assert left_out.counts == {"hidden": 1, "lake": 3}, "the log of the other table is hidden"
    for path in ("in/lake", "in/lake/builds/b/shard.parquet", "in/shards/b", "in/lake/builds/*", "old"):
        with pytest.raises(UsageError, match="below the lake"):
            list_inputs([f"{tmp_path}/{path}"])
    with pytest.raises(UsageError, match="below the lake"):
        list_inputs([f"{tmp_path}/other"], lake=f"{tmp_path}/other")


def test_a_lake_that_is_not_there_yet_is_none(tmp_path: Path) -> None:
    """Inputs that lie where the lake is to be made are refused before it is."""
    (tmp_path / "raw").mkdir()
    check_inputs([str(tmp_path / "raw")], str(tmp_path / "lake"))
    with pytest.raises(UsageError, match="below the lake"):
        check_inputs([str(tmp_path / "raw")], str(tmp_path))


def test_empty_path_is_an_error() -> None:
    """An unset variable must not read the current folder."""
    with pytest.raises(UsageError, match="found an empty one"):
        list_inputs([""])


def test_link_to_nothing_is_an_input_that_cannot_be_read(tmp_path: Path) -> None:
    """It is listed, so that whoever reads it says so; nothing is passed over in silence."""
    (tmp_path / "gone.jsonl").symlink_to(tmp_path / "nowhere")
    (file,) = list_inputs([str(tmp_path)])
    assert (Path(file.uri).name, file.size) == ("gone.jsonl", 0)
    with pytest.raises(StorageError):
        inspect_file(file.uri, file.size, Limits())


@pytest.mark.parametrize("below", [b"caf\xe9.jsonl", b"d\xff/x.jsonl", b"50%.jsonl", "\u00fc.jsonl".encode()])
def test_any_name_is_listed_and_read(tmp_path: Path, below: bytes) -> None:
    """Bytes that are no UTF-8 in a name of file or folder are percent-encoded in its URI; other names are plain paths."""
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + below))
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b'{"text": "a"}\n')
    for given in (str(tmp_path), str(path), f"{tmp_path}/**"):
        (file,) = list_inputs([given])
        assert file.uri.encode()
        assert inspect_file(file.uri, file.size, Limits()).size == 14
        assert [found.uri for found in list_inputs([file.uri])] == [file.uri]
