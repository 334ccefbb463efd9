"""Rules that hold for the repository as a whole."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from repository_files import REPOSITORY, tracked_files

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


def _texts(*suffixes: str) -> list[tuple[str, str]]:
    """Return (name in the repository, text) of its text files, or of those with one of the suffixes."""
    texts = []
    for path in tracked_files():
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
        path.relative_to(REPOSITORY) for path in tracked_files() if REPOSITORY / "src" / "headwater" not in path.parents
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


def test_locks_are_in_the_declared_ranges() -> None:
    """Every package that pyproject.toml requires, extras too, is pinned by a lock file to a version in its range, none of them to one version."""
    locks = [*REPOSITORY.glob("requirements*.txt"), REPOSITORY / "tests" / "interop" / "requirements-loaders.txt"]
    locked: dict[str, str] = {}
    for lock in locks:
        locked |= _pins(str(lock.relative_to(REPOSITORY)))
    project = _project()["project"]
    extras = project["optional-dependencies"]
    required = [Requirement(line) for lines in [project["dependencies"], *extras.values()] for line in lines]
    outside = [
        f"{requirement}: locked {locked.get(requirement.name)}"
        for requirement in required
        if requirement.name != "headwater"
        and (requirement.name not in locked or not requirement.specifier.contains(locked[requirement.name]))
    ]
    assert {requirement.name for requirement in required} > {"headwater", "numpy", "pyspark"}
    assert not outside
    assert not [str(requirement) for requirement in required if "==" in str(requirement)]


def test_lock_files_agree() -> None:
    """No package stands in two lock files: the later one would win unseen."""
    names = [name for lock in sorted(REPOSITORY.glob("requirements*.txt")) for name in _pins(lock.name)]
    assert names
    assert len(names) == len(set(names))


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


def planned(goal: str) -> list[str]:
    """Return the lines that `make` would run for a goal."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(
        ["make", "-n", goal], cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


@pytest.mark.parametrize("goal", ["test", "test-all"])
def test_make_test_checks_first_and_ends_with_pytest(goal: str) -> None:
    """It runs the checks of `make check`, then pytest and nothing after it, so that its last line is pytest's; types are a test that pytest runs."""
    lines = planned(goal)
    checks = ["ruff check", "ruff format --check", "lint-imports"]
    places = [next(number for number, line in enumerate(lines) if check in line) for check in checks]
    tests = [number for number, line in enumerate(lines) if "-m pytest" in line]
    assert tests == [len(lines) - 1]
    assert max(places) < tests[0]
    assert lines[-1].endswith("-m pytest -n 2 --dist loadgroup")
    assert (REPOSITORY / "tests" / "test_mypy.py").is_file()


@pytest.mark.parametrize("goal", ["types", "check"])
def test_types_are_checked_in_every_folder(goal: str) -> None:
    """mypy reads each folder that ruff reads."""
    lines = planned(goal)
    (types,) = [line for line in lines if "/mypy " in line]
    (lint,) = [line for line in planned("lint") if "ruff check" in line]
    assert types.split()[1:] == [word for word in lint.split()[2:] if not word.startswith("-")]


def test_contributing_names_what_is_there() -> None:
    """Every module and file that CONTRIBUTING.md names exists, in the repository, the package or a folder of these."""
    text = (REPOSITORY / "CONTRIBUTING.md").read_text("utf-8")
    named = set(re.findall(r"`[^`]*?([\w./-]*\w\.(?:py|toml|txt|sh))`", text))
    held = [str(path.relative_to(REPOSITORY)) for path in tracked_files()]
    missing = [
        name for name in named if "NAME" not in name and not any(f"/{path}".endswith(f"/{name}") for path in held)
    ]
    assert len(named) > 20
    assert not missing
