"""The package as an archive, and in a folder that cannot be written."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import pytest

from conftest import REPOSITORY
from headwater.installed import private_folder, unpack

_PACKAGE = REPOSITORY / "src" / "headwater"
_TIMEOUT_S = 300
_NOBODY = 65534
_AS_ANY_USER = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
"""Root to whom a folder that cannot be written is one."""
_USE = """
import os, sys
import pyarrow as pa
import headwater
from headwater.filters.duplicates.minhash import measure_minhash

measure_minhash(pa.array(["one two three four five six seven"]))
print(headwater.__path__[0])
print(os.environ.get("NUMBA_CACHE_DIR", ""))
"""


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder for temporary files beside a home in which nothing can be made."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return tmp_path / "temporary"


def test_the_users_cache_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is made, closed to others."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert private_folder() == tmp_path / "cache" / "headwater"
    assert (tmp_path / "cache" / "headwater").stat().st_mode & 0o777 == 0o700


def test_without_a_home_it_is_among_temporary_files(nowhere: Path) -> None:
    """Its name is the user's, so that the next process finds it."""
    assert private_folder() == private_folder() == nowhere / f"headwater-{os.getuid()}"


@pytest.mark.parametrize("kind", ["others write there", "a link", "a file", "another's"])
def test_a_folder_that_others_can_write_is_not_taken(nowhere: Path, kind: str) -> None:
    """What lies there is run: whoever made it first would run code as this user."""
    expected = nowhere / f"headwater-{os.getuid()}"
    if kind == "a file":
        expected.touch()
    elif kind == "a link":
        (nowhere / "elsewhere").mkdir()
        expected.symlink_to(nowhere / "elsewhere")
    else:
        expected.mkdir()
        if kind == "others write there":
            expected.chmod(0o777)
        elif os.getuid() == 0:
            os.chown(expected, _NOBODY, _NOBODY)
        else:
            pytest.skip("only root can give a folder away")
    found = private_folder()
    assert found.parent == nowhere
    assert found.name.startswith("headwater-")
    assert found != expected
    assert found.stat().st_mode & 0o777 == 0o700


def test_an_archive_is_unpacked_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By what it holds: another archive of the same name goes elsewhere; nothing but the package is taken out of it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    archive = tmp_path / "headwater.zip"

    def pack(text: str) -> None:
        with zipfile.ZipFile(archive, "w") as opened:
            opened.writestr("headwater/__init__.py", text)
            opened.writestr("other/__init__.py", "")

    pack("a = 1")
    first = unpack(archive)
    assert [str(path.relative_to(first)) for path in sorted(first.rglob("*"))] == ["headwater", "headwater/__init__.py"]
    (first / "headwater" / "mark").touch()
    assert unpack(archive) == first
    assert (first / "headwater" / "mark").exists()
    pack("a = 2")
    second = unpack(archive)
    assert second != first
    assert (second / "headwater" / "__init__.py").read_text() == "a = 2"
    assert len(list((tmp_path / "cache" / "headwater").iterdir())) == 2


@pytest.mark.slow
@pytest.mark.parametrize("home", [True, False])
def test_a_package_that_cannot_be_written_brings_its_kernels(tmp_path: Path, home: bool) -> None:
    """Kernels that lie compiled beside the modules are used and none is compiled; where there is no home either, too."""
    shutil.copytree(_PACKAGE, tmp_path / "read-only" / "headwater")
    subprocess.run(["chmod", "-R", "a-w,a+rX", str(tmp_path / "read-only")], check=True)
    places = {"HOME": tmp_path / "home", "TMPDIR": tmp_path / "temporary"}
    for place in places.values():
        place.mkdir()
    if not home:
        (tmp_path / "home").rmdir()
        (tmp_path / "home").touch()
    environment = os.environ | {name: str(place) for name, place in places.items()}
    environment |= {"PYTHONPATH": str(tmp_path / "read-only"), "PYTHONDONTWRITEBYTECODE": "1"}
    for name in ("XDG_CACHE_HOME", "NUMBA_CACHE_DIR"):
        environment.pop(name, None)
    environment["PYTHONSAFEPATH"] = "1"
    done = subprocess.run(
        [*(_AS_ANY_USER if os.getuid() == 0 else []), sys.executable, "-c", _USE],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    package, cache = done.stdout.split()
    assert package == str(tmp_path / "read-only" / "headwater")
    expected = tmp_path / "home" / ".cache" / "headwater" if home else tmp_path / "temporary"
    assert Path(cache).is_relative_to(expected)
    kernels = [file for file in Path(cache).rglob("*") if file.suffix in {".nbi", ".nbc"}]
    assert kernels
    assert all(file.is_symlink() for file in kernels), [file.name for file in kernels if not file.is_symlink()]
    subprocess.run(["chmod", "-R", "u+w", str(tmp_path)], check=True)


@pytest.mark.slow
def test_a_wheel_on_the_path_is_a_package(tmp_path: Path) -> None:
    """Imported out of an archive, whatever its ending, the package finds its models and keeps its kernels."""
    archive = tmp_path / "headwater-1.whl"
    with zipfile.ZipFile(archive, "w") as opened:
        for file in sorted(_PACKAGE.rglob("*")):
            if file.is_file() and "demo" not in file.parts:
                opened.write(file, str(file.relative_to(_PACKAGE.parent)))
    done = subprocess.run(
        [sys.executable, "-c", _USE],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(archive), "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert Path(done.stdout.split()[0]).is_relative_to(tmp_path / "cache" / "headwater")
