"""Everything that README.md and docs/*.md show is run as printed.

Fences marked ```console hold commands after ``$ ``, each with the output it prints, or none where that is not the point; ``...`` stands
for any text, as in doctest. Fences marked ```python are programs of their own. ```console no-run is for what a test cannot do (clone,
start another test run). A document's fences run in order in one folder, in which the repository's folders are found by name as in a
clone, and with .venv/bin on the PATH.
"""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from conftest import REPOSITORY

_FENCE = re.compile(r"^```(console|python)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_TIMEOUT_S = 600


@dataclass(frozen=True, kw_only=True, slots=True)
class _Fence:
    language: str
    text: str
    line: int


def _fences(text: str, *, runnable: bool = True) -> list[_Fence]:
    """Return the fences that are run, or those marked ``no-run``, with the line each starts on."""
    return [
        _Fence(language=found[1], text=found[3], line=text.count("\n", 0, found.start()) + 1)
        for found in _FENCE.finditer(text)
        if ("no-run" not in found[2]) == runnable
    ]


def _commands(console: str) -> list[tuple[str, str]]:
    r"""Return (command, printed output) pairs of a console fence; ``> `` or a final backslash continues a command.

    >>> _commands("$ echo a \\\n  b\na b\n$ true\n")
    [('echo a \\\n  b', 'a b\n'), ('true', '')]
    """
    pairs: list[tuple[str, str]] = []
    for line in console.splitlines():
        if line.startswith("$ "):
            pairs.append((line[2:], ""))
        elif not pairs:
            raise ValueError(f"expected a console fence to start with '$ ', found {line!r}")
        elif not pairs[-1][1] and (line.startswith("> ") or pairs[-1][0].endswith("\\")):
            pairs[-1] = (f"{pairs[-1][0]}\n{line.removeprefix('> ')}", "")
        else:
            pairs[-1] = (pairs[-1][0], f"{pairs[-1][1]}{line}\n")
    return pairs


def _run(command: list[str], folder: Path, where: str) -> str:
    """Return what a program printed to standard output; it must exit with 0."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"PATH": path, "COLUMNS": "120"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, f"{where}: exit code {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def _documents() -> list[Path]:
    """Return README.md and the pages of docs/ that show something to run."""
    pages = [page for page in sorted((REPOSITORY / "docs").glob("*.md")) if _fences(page.read_text("utf-8"))]
    return [REPOSITORY / "README.md", *pages]


@pytest.fixture
def clone_folder(tmp_path: Path) -> Path:
    """A scratch folder in which the repository's folders are found by name, as in a clone."""
    for folder in REPOSITORY.iterdir():
        if folder.is_dir() and (
            folder.name == ".venv" or not folder.name.startswith((".", "build", "dist", "demo-lake"))
        ):
            (tmp_path / folder.name).symlink_to(folder)
    return tmp_path


@pytest.mark.spark
@pytest.mark.parametrize("document", _documents(), ids=lambda page: page.name)
def test_document_runs_as_printed(document: Path, clone_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Every command and program of a document exits with 0 and prints what the document says."""
    fences = _fences(document.read_text("utf-8"))
    assert fences
    program = tmp_path_factory.mktemp("programs") / "example.py"
    for fence in fences:
        where = f"{document.name}:{fence.line}"
        if fence.language == "python":
            program.write_text(fence.text, "utf-8")
            _run([sys.executable, str(program)], clone_folder, where)
            continue
        for command, printed in _commands(fence.text):
            output = _run(["bash", "-c", command], clone_folder, f"{where}: {command}")
            flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
            agree = not printed or doctest.OutputChecker().check_output(printed, output, flags)
            assert agree, f"{where}: {command}\nexpected\n{printed}\nfound\n{output}"


def test_readme_names_make_targets_that_exist() -> None:
    """The commands that the README gives without running them here are targets of the Makefile, `demo` and `test` among them."""
    text = (REPOSITORY / "README.md").read_text("utf-8")
    shown = {
        found
        for fence in _fences(text, runnable=False)
        for found in re.findall(r"^\$ make (\w+)", fence.text, re.MULTILINE)
    }
    targets = set(re.findall(r"^(\w+):", (REPOSITORY / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert {"demo", "test"} <= shown <= targets
