"""Rules that hold for the repository as a whole."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

from conftest import REPOSITORY

_GENERATED = {".git", ".venv", ".setup", "build", "dist", "demo-lake", "__pycache__"}
_MAX_MODULE_LINES = 400
_THIS = "tests/test_repository.py"

# Assembled from parts: the patterns stand in this file, which is searched too.
_MACHINE_PATHS = re.compile(r"(?<![\w.$-])/(?:" + "|".join(["work", "root", "farm", "home", "Users", "tmp"]) + r")/")
_REGISTRY_HOSTS = re.compile(
    r"\b(?:"
    + "|".join(["py" + "pi", "python" + "hosted", "npm" + "js", "deb.deb" + "ian"])
    + r")\.org\b|\bmaven\.org\b"
)
_HOMEBREW = "/".join(["", "home", "linuxbrew", ""])
_RULES = r"[\w-]+(?:,\s*[\w-]+)*"
_IGNORE = re.compile(
    rf"#\s*(?:noqa:\s*(?P<noqa>{_RULES})|type:\s*ignore\[(?P<type>{_RULES})\]|noqa|type:\s*ignore)(?P<reason>.*)$"
)


def _tracked() -> list[Path]:
    """Return the files of the repository: what git tracks, or without git all but what is generated."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if listed.returncode == 0:
        return [REPOSITORY / name for name in listed.stdout.split("\0") if name and (REPOSITORY / name).is_file()]
    files = (path for path in REPOSITORY.rglob("*") if path.is_file())
    return [
        path
        for path in files
        if not _GENERATED & set(path.relative_to(REPOSITORY).parts) and "egg-info" not in str(path)
    ]


def _texts(*suffixes: str) -> list[tuple[str, str]]:
    """Return (name in the repository, text) of its text files, or of those with one of the suffixes."""
    texts = []
    for path in _tracked():
        if suffixes and path.suffix not in suffixes:
            continue
        raw = path.read_bytes()
        if b"\0" not in raw[:8192]:
            texts.append((str(path.relative_to(REPOSITORY)), raw.decode("utf-8", "replace")))
    return texts


def _project() -> dict[str, Any]:
    return tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))


def _pins(name: str) -> dict[str, str]:
    """Return package → version of a lock file, every line of which must be an exact pin."""
    lines = (REPOSITORY / name).read_text("utf-8").splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


@pytest.mark.parametrize("pattern", [_MACHINE_PATHS, _REGISTRY_HOSTS], ids=["machine paths", "registry hosts"])
def test_names_no_machine(pattern: re.Pattern[str]) -> None:
    """No file holds a path of one machine or the host of a package registry: a clone works anywhere."""
    found = [
        f"{name}:{number}: {line.strip()[:100]}"
        for name, text in _texts()
        if not name.startswith("src/headwater/demo/") or not name.endswith(".jsonl")
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line.replace(_HOMEBREW, ""))
    ]
    assert not found, "\n".join(found)


def test_modules_are_short() -> None:
    """No module is longer than 400 lines: a longer one does a second thing."""
    counts = {name: text.count("\n") for name, text in _texts(".py") if name.startswith(("src/", "jobs/"))}
    assert counts
    assert not {name: lines for name, lines in counts.items() if lines > _MAX_MODULE_LINES}


def test_nothing_shadows_the_standard_library_tokenize() -> None:
    """No script, test or folder of tests is named tokenize: its folder would come first on sys.path."""
    outside = [
        path.relative_to(REPOSITORY) for path in _tracked() if REPOSITORY / "src" / "headwater" not in path.parents
    ]
    assert not [name for name in outside if {"tokenize", "tokenize.py"} & set(name.parts)]


def test_every_ignore_has_a_reason() -> None:
    """A switched-off check names its rule and says why, on its own line, in code and in pyproject.toml."""
    bare = []
    for name, text in _texts(".py"):
        for number, line in enumerate(text.splitlines(), 1):
            found = None if name == _THIS else _IGNORE.search(line)
            if found and not ((found["noqa"] or found["type"]) and re.search(r"\w{2,}", found["reason"])):
                bare.append(f"{name}:{number}: {line.strip()}")
    lines = (REPOSITORY / "pyproject.toml").read_text("utf-8").splitlines()
    rules = [line for line in lines if re.match(r'    "[A-Z]+\d+",', line)]
    assert rules
    bare += [line for line in rules if not re.search(r"# \w.{8,}", line)]
    assert not bare, "\n".join(bare)


def test_dependencies_are_locked() -> None:
    """Every direct dependency of pyproject.toml stands in a lock file with the same exact version."""
    locked = _pins("requirements.txt") | _pins("requirements-nodeps.txt")
    direct = dict(pin.split("==") for pin in _project()["project"]["dependencies"])
    assert direct
    assert {name: locked.get(name) for name in direct} == direct


def test_lock_files_agree() -> None:
    """No package stands in two lock files: the later one would win unseen."""
    names = [name for lock in sorted(REPOSITORY.glob("requirements*.txt")) for name in _pins(lock.name)]
    assert names
    assert len(names) == len(set(names))


def test_wheel_holds_the_package(tmp_path: Path) -> None:
    """The built wheel has every file of src/headwater, data too, the entry point and the licence."""
    source = tmp_path / "source"
    files = [path.relative_to(REPOSITORY) for path in _tracked()]
    package = [str(name.relative_to("src")) for name in files if name.parts[:2] == ("src", "headwater")]
    for name in files:
        if name.parts[0] == "src" or len(name.parts) == 1:
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(REPOSITORY / name, source / name)
    build = ["pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp_path), str(source)]
    subprocess.run([sys.executable, "-m", *build], check=True, capture_output=True)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        names = wheel.namelist()
        entry_points = next(wheel.read(name).decode() for name in names if name.endswith("/entry_points.txt"))
    assert package
    assert not set(package) - set(names)
    assert "headwater = headwater.cli.root:main" in entry_points
    assert any(name.endswith("LICENSE") for name in names)


@pytest.mark.parametrize("check", ["ruff check --no-cache", "ruff format --check", "mypy", "lint-imports"])
def test_checks_pass(check: str) -> None:
    """The commands of `make check` find nothing."""
    program, *arguments = check.split()
    folders = (
        []
        if program == "lint-imports"
        else [name for name in ("src", "jobs", "bench", "tests") if (REPOSITORY / name).is_dir()]
    )
    command = [str(Path(sys.executable).parent / program), *arguments, *folders]
    environment = os.environ | {"RUFF_OUTPUT_FORMAT": "concise"}
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


def _setup_dry_run(tmp_path: Path, programs: dict[str, str], **environment: str) -> str:
    """Return what scripts/setup.sh says it would do in a copy of the repository where only the given programs exist."""
    folder, path = tmp_path / "clone", tmp_path / "bin"
    folder.mkdir()
    path.mkdir()
    for name in ["scripts", *(lock.name for lock in REPOSITORY.glob("requirements*.txt")), "pyproject.toml"]:
        (shutil.copytree if (REPOSITORY / name).is_dir() else shutil.copyfile)(REPOSITORY / name, folder / name)
    for name in ["awk", "cat", "cksum", "dirname", "env", "id", "mkdir", "sh", "rm"]:
        (path / name).symlink_to(str(shutil.which(name)))
    for name, script in programs.items():
        (path / name).write_text(f"#!/bin/sh\n{script}\n")
        (path / name).chmod(0o755)
    base = Path(getattr(sys, "_base_executable", sys.executable))
    (path / "python3.11").symlink_to(base)
    environment = {"PATH": str(path), "HEADWATER_DRY_RUN": "1", "HEADWATER_JVM_FOLDERS": "", **environment}
    done = subprocess.run(
        ["sh", "scripts/setup.sh", "run"], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    return f"{done.stderr}exit code {done.returncode}"


def test_setup_installs_java_by_apt(tmp_path: Path) -> None:
    """Without Java, where there is apt-get, the setup would install Debian's headless Java 17."""
    said = _setup_dry_run(tmp_path, {"apt-get": "exit 0"})
    assert "apt-get -qq install -y --no-install-recommends openjdk-17-jre-headless" in said
    assert said.endswith("exit code 0")


def test_setup_installs_java_by_brew(tmp_path: Path) -> None:
    """Without Java, where there is brew, the setup would install its Java 17."""
    said = _setup_dry_run(tmp_path, {"brew": "exit 0"})
    assert "brew install openjdk@17" in said
    assert said.endswith("exit code 0")


def test_setup_uses_a_recent_java(tmp_path: Path) -> None:
    """A Java of version 17 or later that is already there is used."""
    java = "printf '    java.home = /java\\n    java.specification.version = 21\\n' >&2"
    assert _setup_dry_run(tmp_path, {"apt-get": "exit 0", "java": java}) == "exit code 0"


def test_setup_passes_over_an_old_java(tmp_path: Path) -> None:
    """Java 8, which calls itself 1.8, does not count."""
    java = "printf '    java.home = /java\\n    java.specification.version = 1.8\\n' >&2"
    assert "install" in _setup_dry_run(tmp_path, {"apt-get": "exit 0", "java": java})


def test_setup_without_an_installer_says_what_to_do(tmp_path: Path) -> None:
    """Without Java, apt-get and brew, the setup fails and says what it expected and what to do."""
    said = _setup_dry_run(tmp_path, {})
    assert "expected Java 17 or 21, found none" in said
    assert said.endswith("exit code 1")


def test_setup_without_root_or_sudo_says_what_to_do() -> None:
    """The system is changed only as root or by sudo; without either the message names the command."""
    script = (REPOSITORY / "scripts" / "setup.sh").read_text("utf-8")
    assert 'sudo "$@"' in script
    assert "expected to be root or to have sudo" in script


def test_ci_runs_what_the_readme_names() -> None:
    """.ci/run is executable and calls `make test`, nothing else."""
    run = REPOSITORY / ".ci" / "run"
    assert os.access(run, os.X_OK)
    commands = [line for line in run.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    assert len(commands) == 1
    assert commands[0].endswith("exec make test")
