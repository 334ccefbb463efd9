"""Everything that README.md and the pages of docs/ show is run as printed.

Fences marked ```console hold commands after ``$ ``, each with the output it prints, or none where that is not the point; ``...`` stands
for any text, as in doctest. Fences marked ```python are programs of their own. ``pages.MARKS`` says in which folder each kind runs. A
document's fences run in order in one folder, in which the repository's folders are found by name as in a clone, and with .venv/bin on the
PATH.
"""

from __future__ import annotations

import contextlib
import doctest
import fcntl
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import REPOSITORY, DemoLake
from headwater.cli.rendering import format_table
from headwater.lineage.questions import query
from headwater.lineage.views import connect_for_users
from pages import PAGES, Fence, fences, name_of

_TIMEOUT_S = 600


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


def _agree(printed: str, output: str) -> bool:
    return doctest.OutputChecker().check_output(printed, output, doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)


def _check(fence: Fence, folder: Path, programs: Path) -> None:
    """Run one fence in a folder; what it prints must be what the page says."""
    if fence.language == "python":
        program = programs / "example.py"
        program.write_text(fence.text, "utf-8")
        _run([sys.executable, str(program)], folder, fence.where)
        return
    for command, printed in _commands(fence.text):
        output = _run(["bash", "-c", command], folder, f"{fence.where}: {command}")
        agree = not printed or _agree(printed, output)
        assert agree, f"{fence.where}: {command}\nexpected\n{printed}\nfound\n{output}"


def _runnable(page: Path, mark: str) -> list[Fence]:
    return [fence for fence in fences(page, mark=mark) if fence.language in {"console", "python"}]


def _pages_with(mark: str) -> list[Path]:
    return [page for page in PAGES if _runnable(page, mark)]


@pytest.fixture
def clone_folder(tmp_path: Path) -> Path:
    """A scratch folder in which the repository's folders are found by name, as in a clone."""
    for folder in REPOSITORY.iterdir():
        if folder.is_dir() and (
            folder.name == ".venv" or not folder.name.startswith((".", "build", "dist", "demo-lake"))
        ):
            (tmp_path / folder.name).symlink_to(folder)
    return tmp_path


@pytest.fixture
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the programs of a page are written."""
    return tmp_path_factory.mktemp("programs")


@pytest.mark.spark
@pytest.mark.parametrize("page", _pages_with(""), ids=name_of)
def test_page_runs_as_printed(page: Path, clone_folder: Path, programs: Path) -> None:
    """Every command and program of a page exits with 0 and prints what the page says."""
    for fence in _runnable(page, ""):
        _check(fence, clone_folder, programs)


@pytest.mark.spark
@pytest.mark.slow
@pytest.mark.parametrize("page", _pages_with("cluster"), ids=name_of)
def test_cluster_runs_as_printed(page: Path, clone_folder: Path, programs: Path, spark_port: None) -> None:
    """The commands that start a master and workers and submit jobs to them do what the page says."""
    try:
        for fence in _runnable(page, "cluster"):
            _check(fence, clone_folder, programs)
    finally:
        for file in clone_folder.glob("*.pid"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(file.read_text()), signal.SIGKILL)


@pytest.fixture
def spark_port() -> Iterator[None]:
    """Wait for other runs of the tests on this machine that use Spark's own port; whoever else uses it must stop."""
    with Path(tempfile.gettempdir(), "headwater-tests-7077.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(("127.0.0.1", 7077))
        yield


@pytest.mark.spark
@pytest.mark.parametrize("page", _pages_with("demo-lake"), ids=name_of)
def test_questions_of_the_demo_print_what_the_page_says(
    page: Path, demo_lake: DemoLake, clone_folder: Path, programs: Path
) -> None:
    """What a page asks the lake that ``make demo`` leaves is answered as printed."""
    (clone_folder / "demo-lake").symlink_to(demo_lake.folder)
    for fence in _runnable(page, "demo-lake"):
        _check(fence, clone_folder, programs)


@pytest.mark.spark
@pytest.mark.parametrize("page", _pages_with("demo-lake-copy"), ids=name_of)
def test_page_that_changes_the_demo_prints_what_it_says(
    page: Path, demo_lake: DemoLake, clone_folder: Path, programs: Path
) -> None:
    """Commands that write to the demo's lake do what the page says, to a copy of it."""
    shutil.copytree(demo_lake.folder, clone_folder / "demo-lake")
    for fence in _runnable(page, "demo-lake-copy"):
        _check(fence, clone_folder, programs)


@pytest.mark.spark
def test_queries_have_the_answers_that_pages_show(demo_lake: DemoLake) -> None:
    """Each query of a page that is asked of the demo's lake is followed by what it answers; all over one connection."""
    asked = 0
    with connect_for_users(str(demo_lake.folder)) as connection:
        for page in PAGES:
            marked = [
                fence
                for fence in fences(page)
                if (fence.language, fence.mark) in {("sql", "demo-lake"), ("text", "answer")}
            ]
            assert [fence.language for fence in marked] == ["sql", "text"] * (len(marked) // 2), name_of(page)
            for fence, answer in zip(marked[::2], marked[1::2], strict=True):
                found = format_table(query(connection, fence.text))
                assert _agree(answer.text, found), f"{fence.where}: expected\n{answer.text}\nfound\n{found}"
                asked += 1
    assert asked >= 20


@pytest.mark.spark
def test_demo_prints_what_the_pages_show(demo_lake: DemoLake) -> None:
    """What a page shows of the demo is what it prints, in that order."""
    shown = [fence for page in PAGES for fence in fences(page, "text", "demo-output")]
    assert shown
    for fence in shown:
        assert _agree(f"...\n{fence.text}...\n", demo_lake.printed), fence.where


def test_readme_names_make_targets_that_exist() -> None:
    """The commands that the README gives without running them here are targets of the Makefile, `demo` and `test` among them."""
    shown = {
        found
        for fence in fences(REPOSITORY / "README.md", "console")
        for found in re.findall(r"^\$ make (\w+)", fence.text, re.MULTILINE)
    }
    targets = set(re.findall(r"^([\w-]+):", (REPOSITORY / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert {"demo", "test"} <= shown <= targets
