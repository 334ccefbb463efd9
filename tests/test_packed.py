"""Executors that have no Headwater of their own: it comes by ``--archives`` with a packed environment, or by ``--py-files`` with the wheel.

In ``make test-all`` only: packing takes minutes, and so does compiling every kernel anew.
"""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from main_job import shard_hashes
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from repository_files import tracked_files
from spark_cluster import SparkCluster

from conftest import REPOSITORY, DemoLake
from headwater.warehouse.commit import create_lake

pytestmark = [
    pytest.mark.spark,
    pytest.mark.slow,
    pytest.mark.skipif("HEADWATER_ALL" not in os.environ, reason="takes some ten minutes: make test-all"),
]

_PACKAGE: Final = REPOSITORY / "src" / "headwater"
_TIMEOUT_S: Final = 900
_OUTSIDE: Final = {"PYTHONPATH": "", "PYTHONHOME": "", "VIRTUAL_ENV": "", "PYTHONNOUSERSITE": "1"}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkCluster]:
    """Two workers of one core each, with nothing of the checkout on their path."""
    with SparkCluster(tmp_path_factory.mktemp("cluster"), workers=2, cores=1, environment=_OUTSIDE) as started:
        yield started


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of what the repository holds."""
    folder = tmp_path_factory.mktemp("wheel")
    for path in tracked_files():
        name = path.relative_to(REPOSITORY)
        if name.parts[0] == "src" or len(name.parts) == 1:
            (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, folder / "source" / name)
    _pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(folder / "source"))
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def archive(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel, all that it requires and the compiled kernels, packed by venv-pack; Spark's own jars are the executors'."""
    folder = tmp_path_factory.mktemp("packed")
    environment = folder / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    (packages,) = environment.glob("lib/python*/site-packages")
    for package in _needed():
        for name in {file.parts[0] for file in package.files or []} - {"..", "__pycache__"}:
            place = Path(str(package.locate_file(name))).resolve()
            leave = shutil.ignore_patterns("jars") if name == "pyspark" else None
            if place.is_dir():
                shutil.copytree(place, packages / name, ignore=leave, dirs_exist_ok=True)
            else:
                shutil.copy2(place, packages / name)
    _pip("--python", str(environment / "bin" / "python"), "install", "--no-deps", "--no-index", str(wheel))
    for kernel in _PACKAGE.rglob("__pycache__/*.nb?"):
        (packages / "headwater" / kernel.relative_to(_PACKAGE)).parent.mkdir(exist_ok=True)
        shutil.copyfile(kernel, packages / "headwater" / kernel.relative_to(_PACKAGE))
    packed = folder / "environment.tar.gz"
    command = ["venv_pack", "--prefix", str(environment), "--output", str(packed), "--compress-level", "1"]
    subprocess.run([sys.executable, "-m", *command], check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(environment)  # no executor can come to it by its first name
    return packed


@pytest.fixture
def bare_python(tmp_path: Path) -> Path:
    """A Python with the packages of the checkout's environment, but without Headwater, which lies there as an editable installation."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True)
    (packages,) = (tmp_path / "bare").glob("lib/python*/site-packages")
    (packages / "below.pth").write_text(f"{importlib.metadata.distribution('numpy').locate_file('')}\n", "utf-8")
    python = tmp_path / "bare" / "bin" / "python"
    found = subprocess.run(
        [str(python), "-c", "import pyspark, headwater"], capture_output=True, text=True, check=False, env=_outside()
    )
    assert "No module named 'headwater'" in found.stderr
    return python


def test_every_script_with_a_packed_environment(
    cluster: SparkCluster, archive: Path, demo_lake: DemoLake, tmp_path: Path
) -> None:
    """``--archives environment.tar.gz#environment``: each script of jobs/ in its turn; the shards are those of a local run."""
    lake = tmp_path / "lake"
    create_lake(str(lake))
    inputs = [word for folder in demo_lake.inputs for word in ("--input", folder)]
    steps = ["ingest", "extract", "annotate", "deduplicate", "decide", "select", "build", "run"]
    assert sorted(f"{step}_job.py" for step in steps) == sorted(path.name for path in REPOSITORY.glob("jobs/*.py"))
    for step in steps:
        done = cluster.submit(
            REPOSITORY / "jobs" / f"{step}_job.py",
            lake,
            "demo",
            *(inputs if step == "ingest" else []),
            options=["--name", step, "--archives", f"{archive}#environment"],
            environment={"PYSPARK_PYTHON": "./environment/bin/python", "PYSPARK_DRIVER_PYTHON": sys.executable},
            timeout_s=_TIMEOUT_S,
        )
        assert done.returncode == 0, f"{step}: {done.stderr[-4000:]}"
        assert cluster.applications()[step]["state"] == "FINISHED"
    assert "nothing new" in done.stdout
    assert shard_hashes(lake, demo_lake.build) == shard_hashes(demo_lake.folder, demo_lake.build)


def test_wheel_by_py_files(
    cluster: SparkCluster, wheel: Path, bare_python: Path, demo_lake: DemoLake, tmp_path: Path
) -> None:
    """``--py-files`` with the wheel: driver and workers unpack it once a machine and compile there; the shards are those of a local run."""
    inputs = [word for folder in demo_lake.inputs for word in ("--input", folder)]
    home = tmp_path / "home"
    home.mkdir()
    done = cluster.submit(
        REPOSITORY / "jobs" / "run_job.py",
        tmp_path / "lake",
        "demo",
        *inputs,
        options=["--name", "wheel", "--py-files", str(wheel)],
        environment=_OUTSIDE | {"PYSPARK_PYTHON": str(bare_python), "HOME": str(home)},
        timeout_s=_TIMEOUT_S,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert shard_hashes(tmp_path / "lake", demo_lake.build) == shard_hashes(demo_lake.folder, demo_lake.build)
    for place in (home, *(cluster.folder / f"worker-{number}" / "home" for number in range(2))):
        (unpacked,) = (place / ".cache" / "headwater").glob("package-*")
        assert list(unpacked.rglob("*.nbc"))


def _outside() -> dict[str, str]:
    return {name: value for name, value in (os.environ | _OUTSIDE).items() if value}


def _pip(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--quiet", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]


def _needed() -> list[importlib.metadata.Distribution]:
    """Return the installed packages that headwater[spark] requires, and what those require."""
    todo = [Requirement("headwater[spark]")]
    found: dict[str, importlib.metadata.Distribution] = {}
    seen = set()
    while todo:
        requirement = todo.pop()
        if (key := str(requirement)) in seen:
            continue
        seen.add(key)
        name = canonicalize_name(requirement.name)
        try:
            package = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # a package of which only one file is read is installed without what it requires
        if name != "headwater":
            found[name] = package
        for inner in map(Requirement, package.requires or []):
            extras = requirement.extras or {""}
            if inner.marker is None or any(inner.marker.evaluate({"extra": extra}) for extra in extras):
                todo.append(inner)
    return list(found.values())
