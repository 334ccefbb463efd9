"""An export holds the build's sequences in order, ends with the same bytes however it was stopped, and mixes with nothing."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from small_build import BUILD, CONTEXT, STAGE, write_build

from headwater.cli.root import cli
from headwater.errors import CorruptLakeError, UsageError
from headwater.pipelines.builds import files
from headwater.pipelines.builds.export import export
from headwater.tokenize.names import EXPORT_FORMATS, FORMATS
from headwater.tokenize.shards.tokens import SUFFIXES, tokens_in
from headwater.warehouse import filesystem

SMALL = 4 * CONTEXT * 5


def run(lake: Path, out: Path, kind: str) -> dict[str, Any]:
    """Export the only stage with files of five sequences."""
    (found,) = export(str(lake), BUILD, str(out), kind=kind, stages=[STAGE], chunk_bytes=SMALL)
    return found


def hashes(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file below a folder."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


def tokens_of(folder: Path, kind: str) -> np.ndarray[Any, np.dtype[np.uint32]]:
    """Return all tokens of an export, read with NumPy alone."""
    files = json.loads((folder / "export.json").read_text())["files"]
    parts = []
    for file in files:
        data = (folder / file["name"]).read_bytes()
        suffix = file["name"][file["name"].index(".") :]
        if kind == "litdata" and file["name"].endswith(".bin"):
            count = int(np.frombuffer(data, "<u4", 1)[0])
            parts.append(np.frombuffer(data, "<u4", offset=4 * (count + 2)).reshape(count, CONTEXT))
        elif kind == "mds" and file["name"].endswith(".mds"):
            offsets = np.frombuffer(data, "<u4", int(np.frombuffer(data, "<u4", 1)[0]) + 1, 4)
            # The last column is the tokens: it ends where the sample does.
            parts += [np.frombuffer(data[end - 4 * CONTEXT : end], "<u4")[None] for end in offsets[1:].tolist()]
        elif kind in FORMATS and suffix in SUFFIXES:
            tokens = tokens_in(data, file["name"])
            parts.append(tokens.read(0, tokens.n_tokens).reshape(-1, CONTEXT))
    return np.concatenate(parts)


@pytest.mark.parametrize("kind", EXPORT_FORMATS)
@pytest.mark.parametrize("source", FORMATS)
def test_every_format_is_made_from_every_format(tmp_path: Path, source: str, kind: str) -> None:
    """Whichever format a build has, each export holds all its sequences in the same order, and names size and hash of each file."""
    sequences, _ = write_build(tmp_path, [source])
    found = run(tmp_path, tmp_path / "out", kind)
    folder = tmp_path / "out" / STAGE
    assert np.array_equal(tokens_of(folder, kind), sequences)
    assert found == json.loads((folder / "export.json").read_text())
    listed = {file["name"]: file["sha256"] for file in found["files"]}
    assert hashes(folder).items() - {("export.json", hashes(folder)["export.json"])} == listed.items()
    assert (found["build"], found["stage"], found["sequences"]) == (BUILD, STAGE, len(sequences))


@pytest.mark.parametrize("kind", ["mds", "litdata", "parquet"])
def test_a_stopped_export_ends_with_the_same_bytes(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped before any of its files is written, the same command goes on and leaves exactly the files of an undisturbed one."""
    write_build(tmp_path, ["megatron"])
    run(tmp_path, tmp_path / "whole", kind)
    expected = hashes(tmp_path / "whole")
    real, left, stops = filesystem.write_hashed, 0, 0

    def failing(folder: str, fill: Any, name: Any, *, root: str) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            # What a killed process leaves of the file that it was writing.
            Path(folder).mkdir(parents=True, exist_ok=True)
            (Path(folder) / f".{stops:016x}.tmp").write_bytes(b"half")
            raise KeyboardInterrupt
        return real(folder, fill, name, root=root)

    for module in (filesystem, files):
        monkeypatch.setattr(module, "write_hashed", failing)
    for steps in (0, 1, 2, 3, 5, 1, 1, 4, 1000):
        left = steps
        try:
            run(tmp_path, tmp_path / "out", kind)
        except KeyboardInterrupt:
            stops += 1
    assert stops > 3
    assert hashes(tmp_path / "out") == expected


def test_a_finished_export_is_not_written_again(tmp_path: Path) -> None:
    """The same command on a finished export changes no file."""
    write_build(tmp_path, ["megatron"])
    first = run(tmp_path, tmp_path / "out", "mds")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")}
    assert run(tmp_path, tmp_path / "out", "mds") == first
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")} == before


@pytest.mark.parametrize("finished", [True, False])
def test_no_export_through_a_link(finished: bool, tmp_path: Path) -> None:
    """The folder of a stage that leads elsewhere is refused, and files there that look like those of a killed export stay."""
    write_build(tmp_path, ["megatron"])
    outside = tmp_path / "outside"
    if finished:
        run(tmp_path, tmp_path / "first", "mds")
        (tmp_path / "first" / STAGE).rename(outside)
    else:
        outside.mkdir()
    (outside / ".0123456789abcdef.tmp").write_bytes(b"mine")
    before = hashes(outside)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / STAGE).symlink_to(outside, target_is_directory=True)
    with pytest.raises(UsageError, match="found a symbolic link"):
        run(tmp_path, tmp_path / "out", "mds")
    assert hashes(outside) == before


def test_exports_do_not_mix(tmp_path: Path) -> None:
    """A folder that holds another export, or anything else, is refused and left alone."""
    write_build(tmp_path, ["megatron"])
    run(tmp_path, tmp_path / "out", "mds")
    with pytest.raises(UsageError, match="another kind; name another folder"):
        run(tmp_path, tmp_path / "out", "litdata")
    (tmp_path / "other" / STAGE).mkdir(parents=True)
    (tmp_path / "other" / STAGE / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="expected an empty folder"):
        run(tmp_path, tmp_path / "other", "mds")
    assert list(hashes(tmp_path / "other")) == ["notes.txt"]


@pytest.mark.parametrize("name", ["shard-00001.bin", "shard-00001.boundaries.parquet"])
@pytest.mark.parametrize("damage", ["flip", "cut", "gone"])
def test_a_damaged_shard_is_not_exported(tmp_path: Path, name: str, damage: str) -> None:
    """A shard whose bytes are not those of the manifest is an error that names the file; nothing of it is written."""
    write_build(tmp_path, ["megatron"])
    path = tmp_path / "builds" / BUILD / STAGE / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data if damage == "flip" else data[: len(data) // 2])
    if damage == "gone":
        path.unlink()
    with pytest.raises(CorruptLakeError, match=name):
        run(tmp_path, tmp_path / "out", "litdata")
    assert "export.json" not in hashes(tmp_path / "out")


def test_chunks_of_litdata_have_their_runs_beside_them(tmp_path: Path) -> None:
    """Each chunk's sidecar counts sequences and tokens from that chunk, and no run is lost."""
    sequences, runs = write_build(tmp_path, ["megatron"])
    run(tmp_path, tmp_path / "out", "litdata")
    folder = tmp_path / "out" / STAGE
    place, found = 0, 0
    for number in range(len(list(folder.glob("chunk-*.bin")))):
        count = int(np.frombuffer((folder / f"chunk-0-{number}.bin").read_bytes(), "<u4", 1)[0])
        table = pq.read_table(folder / f"chunk-0-{number}.boundaries.parquet")
        assert set(table["sequence"].to_pylist()) == set(range(count))
        part = runs.slice(found, len(table))
        assert (part["token_begin"].to_numpy() - place * CONTEXT == table["token_begin"].to_numpy()).all()
        assert part["content_hash"].to_pylist() == table["content_hash"].to_pylist()
        place, found = place + count, found + len(table)
    assert (place, found) == (len(sequences), len(runs))


def test_the_command_exports_all_stages_or_the_one_named(tmp_path: Path) -> None:
    """`headwater export` tells what it wrote; an unknown stage or build ends with 2 and names it."""
    write_build(tmp_path, ["npy"])
    arguments = ["export", str(tmp_path), BUILD, str(tmp_path / "out"), "--format", "mds", "--output", "json"]
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 0
    answer = json.loads(done.stdout)
    assert [stage["stage"] for stage in answer["stages"]] == [STAGE]
    assert CliRunner().invoke(cli, [*arguments, "--stage", "nowhere"]).exit_code == 2
    missing = CliRunner().invoke(cli, ["export", str(tmp_path), "none", str(tmp_path / "out"), "--format", "mds"])
    assert missing.exit_code == 2
    assert "expected a finished build 'none'" in missing.stderr


@pytest.mark.parametrize("kind", ["own", "other", "linked", "dots"])
@pytest.mark.parametrize("folder", ["samples/x", "samples", "builds/x", "vocabularies/deep/er", "benchmarks"])
def test_no_export_inside_a_lake(folder: str, kind: str, tmp_path: Path) -> None:
    """In no folder in which this lake or another one keeps its own, by whatever way it is named; nothing is written there."""
    lake, other = tmp_path / "lake", tmp_path / "other"
    lake.mkdir()
    write_build(lake, ["npy"])
    for each in (lake, other):
        (each / "samples" / "_delta_log").mkdir(parents=True)
    inside = other / folder
    inside.mkdir(parents=True, exist_ok=True)
    (tmp_path / "link").symlink_to(inside, target_is_directory=True)
    (tmp_path / "store").mkdir()
    out = {
        "own": lake / folder,
        "other": inside,
        "linked": tmp_path / "link" / "y",
        "dots": tmp_path / "store" / ".." / "other" / folder,
    }[kind]
    before = sorted(tmp_path.rglob("*"))
    arguments = ["export", str(lake), BUILD, str(out), "--format", "parquet"]
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 2
    assert "expected a place outside of a lake's own folders" in done.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_no_export_where_a_link_in_the_lake_leads(tmp_path: Path) -> None:
    """A folder of the lake's that leads elsewhere is the lake's by either name, and a stage may not be one of its folders."""
    write_build(tmp_path / "lake", ["npy"])
    (tmp_path / "store").mkdir()
    (tmp_path / "lake" / "vocabularies").symlink_to(tmp_path / "store", target_is_directory=True)
    for out in (tmp_path / "lake" / "vocabularies" / "x", tmp_path / "store" / "x"):
        with pytest.raises(UsageError, match="expected a place outside of a lake's own folders"):
            run(tmp_path / "lake", out, "npy")
    with pytest.raises(UsageError, match="expected a place outside of a lake's own folders"):
        export(str(tmp_path / "lake"), BUILD, str(tmp_path / "lake"), kind="npy", stages=["samples"])
    assert list((tmp_path / "store").iterdir()) == []


def test_an_export_may_have_the_name_of_a_lakes_folder(tmp_path: Path) -> None:
    """A folder called samples or builds that is no lake's is a folder like any other."""
    write_build(tmp_path / "lake", ["npy"])
    for name in ("samples", "builds"):
        assert (run(tmp_path / "lake", tmp_path / "elsewhere" / name, "npy"))["stage"] == STAGE
