"""Checking a copy with its manifests alone: any byte that differs is found and named, and nothing of a lake is needed."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from stage_folder import write_folder

from headwater.errors import UsageError
from headwater.reader.__main__ import main
from headwater.reader.verify import verify_copy
from headwater.tokenize.shards.roots import build_root


@pytest.fixture
def build(tmp_path: Path) -> Path:
    """A build of two stages, copied to another folder."""
    here = tmp_path / "build"
    for name, counts in (("first", (3, 2)), ("second", (4,))):
        write_folder(here / name, counts)
    manifests = {
        name: hashlib.sha256((here / name / "manifest.json").read_bytes()).hexdigest() for name in ("first", "second")
    }
    (here / "root.json").write_bytes(build_root(manifests))
    shutil.copytree(here, tmp_path / "copy")
    shutil.rmtree(here)
    return tmp_path / "copy"


def _flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place % len(data)] ^= 1
    path.write_bytes(data)


def test_a_whole_copy(build: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A copy that is whole has the root of the build, and each stage its own; the command says so and ends with 0."""
    found = verify_copy(str(build))
    assert found.damaged == {}
    assert found.root == json.loads((build / "root.json").read_bytes())["root"]
    assert found.stages == {
        name: json.loads((build / name / "manifest.json").read_bytes())["root"] for name in ("first", "second")
    }
    assert found.files == sum(1 for path in build.rglob("shard-*") if path.suffix in {".bin", ".npy", ".parquet"})
    assert main(["verify", str(build)]) == 0
    assert capsys.readouterr().out.endswith(f"whole\nroot {found.root}\n")
    stage = verify_copy(str(build / "first"))
    assert (stage.damaged, stage.root) == ({}, found.stages["first"])


def test_one_flipped_bit(build: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One flipped bit of any file of a build is found, whichever bit it is, and its file is named; the command ends with 1."""
    for path in sorted(path for path in build.rglob("*") if path.is_file()):
        name = str(path.relative_to(build))
        whole = path.read_bytes()
        for place in (0, len(whole) // 2, len(whole) - 1):
            _flip(path, place)
            assert name in verify_copy(str(build)).damaged
            path.write_bytes(whole)
    _flip(build / "first" / "shard-00000.bin", 77)
    assert main(["verify", str(build), "--output", "json"]) == 1
    assert list(json.loads(capsys.readouterr().out)["damaged"]) == ["first/shard-00000.bin"]


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (lambda build: (build / "second" / "shard-00000.npy").unlink(), "second/shard-00000.npy"),
        (lambda build: shutil.rmtree(build / "second"), "second/manifest.json"),
        (lambda build: (build / "first").rename(build / "third"), "first/manifest.json"),
        (lambda build: (build / "second" / "manifest.json").rename(build / "second" / "revising.json"), "second/manifest.json"),
        (lambda build: (build / "root.json").write_text("{}"), "root.json"),
    ],
)  # fmt: skip
def test_what_is_missing(build: Path, damage: Callable[[Path], object], named: str) -> None:
    """A file, a manifest or a whole stage that is missing is named, and so is a root that is none."""
    damage(build)
    assert named in verify_copy(str(build)).damaged


def test_a_manifest_made_to_fit(build: Path) -> None:
    """A file that was changed together with its stage's manifest and root still shows, by the root of the build."""
    place = build / "first" / "shard-00000.bin"
    _flip(place, 3)
    manifest = build / "first" / "manifest.json"
    content = json.loads(manifest.read_bytes())
    file = next(file for file in content["shards"][0]["files"] if file["name"] == place.name)
    file["sha256"] = hashlib.sha256(place.read_bytes()).hexdigest()
    manifest.write_bytes(json.dumps(content, sort_keys=True, indent=1).encode() + b"\n")
    assert set(verify_copy(str(build)).damaged) == {"first/manifest.json"}
    assert set(verify_copy(str(build / "first")).damaged) == {"manifest.json"}  # its own root differs


def test_a_copy_of_one_format(build: Path) -> None:
    """Of a copy without the other formats only the files asked for are read."""
    for path in build.rglob("*.bin"):
        path.unlink()
    assert len(verify_copy(str(build)).damaged) == 3
    assert verify_copy(str(build), [".npy", ".boundaries.parquet"]).damaged == {}


def test_an_earlier_release(build: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A build without a root, or a stage of format 2, is checked file by file, and the answer says that there is no root."""
    (build / "root.json").unlink()
    for name in ("first", "second"):
        content = json.loads((build / name / "manifest.json").read_bytes())
        for field in ("root", "revision", "replaces", "revisions"):
            del content[field]
        (build / name / "manifest.json").write_text(json.dumps(content | {"format": 2}))
    assert main(["verify", str(build)]) == 0
    assert "root none" in capsys.readouterr().out
    _flip(build / "first" / "shard-00001.npy", 200)
    assert set(verify_copy(str(build)).damaged) == {"first/shard-00001.npy"}


def test_no_copy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder that is neither a stage's nor a build's is a wrong argument."""
    with pytest.raises(UsageError, match="found neither"):
        verify_copy(str(tmp_path))
    assert main(["verify", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("Error: expected the folder of a stage")


def test_without_a_lake(build: Path) -> None:
    """The command needs neither Spark, Delta, DuckDB nor a compiler."""
    program = (
        "import sys; from headwater.reader.__main__ import main; code = main(['verify', sys.argv[1]]); "
        "assert not {'pyspark', 'deltalake', 'duckdb', 'numba'} & set(sys.modules); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(build)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
