"""What docs/security.md promises of the code as a whole: no pickle of a stranger, no guessable names, permissions by the umask."""

from __future__ import annotations

import ast
import os
import stat
from pathlib import Path

import pytest

from conftest import REPOSITORY
from headwater.lineage.runs import Unit, begin_run, commit_wave, finish_run
from headwater.warehouse.commit import create_lake
from headwater.warehouse.filesystem import write_file
from headwater.warehouse.maintain import maintain
from headwater.warehouse.parquet import write_family
from headwater.warehouse.schema import arrow_schema
from headwater.warehouse.snapshot import open_snapshot

SOURCES = sorted((REPOSITORY / "src").rglob("*.py"))
UNPICKLED_BY_TASKS = {
    "headwater/pipelines/builds/revise.py",
    "headwater/pipelines/verification/by_spark.py",
    "headwater/pipelines/builds/step.py",
    "headwater/pipelines/deduplicate/pairs.py",
    "headwater/pipelines/spark/aligned.py",
    "headwater/pipelines/spark/parcels.py",
    "headwater/pipelines/vocabulary/step.py",
}
"""Modules that unpickle what a task of the same job pickled: it went through Spark's shuffle, and through no file of a lake."""
RUNS_CODE = {
    "eval",
    "exec",
    "compile",
    "dill.load",
    "dill.loads",
    "joblib.load",
    "marshal.load",
    "marshal.loads",
    "pickle.load",
    "pickle.loads",
    "pickle.Unpickler",
    "shelve.open",
    "torch.load",
    "yaml.load",
}
GUESSABLE = {"tempfile.mktemp", "tempfile.gettempdir", "tempfile.gettempprefix", "os.tempnam", "os.tmpnam"}
LOOKED_AT = {"installed.py": {"tempfile.gettempdir"}}
"""A folder that processes of one user share is named by the user; it is taken only where it is that user's own: tests/test_installed.py."""


def calls(path: Path) -> list[tuple[str, ast.Call]]:
    """Return the calls of a module, each with the name that it is called by."""
    tree = ast.parse(path.read_text("utf-8"))
    return [(ast.unparse(node.func), node) for node in ast.walk(tree) if isinstance(node, ast.Call)]


def test_nothing_stored_is_unpickled_or_run() -> None:
    """Only results of the same job's tasks are unpickled; nothing evaluates text, and NumPy is never allowed to unpickle."""
    found = set()
    for path in SOURCES:
        for name, call in calls(path):
            allows = any(word.arg == "allow_pickle" and ast.unparse(word.value) != "False" for word in call.keywords)
            if name in RUNS_CODE or allows:
                found.add(str(path.relative_to(REPOSITORY / "src")))
    assert found == UNPICKLED_BY_TASKS


def test_no_guessable_temporary_names() -> None:
    """No module names a world-writable folder or asks for a name without making the file; temporary files are made, unguessable and private."""
    for path in SOURCES:
        text = path.read_text("utf-8")
        assert GUESSABLE.intersection(name for name, _ in calls(path)) <= LOOKED_AT.get(path.name, set()), path
        words = [node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant)]
        shared = [word for word in words if isinstance(word, str) and word.startswith(("/tmp", "/var/tmp", "/dev/shm"))]  # noqa: S108 - what is looked for
        assert not shared, path


@pytest.mark.parametrize("mask", [0o022, 0o027, 0o077, 0o002])
def test_permissions_follow_the_umask(tmp_path: Path, mask: int) -> None:
    """A lake's folders and files, the log's and the checkpoint's too, have the permissions that the umask leaves, no more and no fewer."""
    before = os.umask(mask)
    try:
        lake = str(tmp_path / "lake")
        snapshot = create_lake(lake)
        run = begin_run(lake, "test", {}, {}, snapshot.version)
        empty = arrow_schema("files").empty_table()
        entry = write_family(snapshot.uri, "files", "one", 0, 0, "0" * 32, [empty])
        snapshot, _ = commit_wave(run, snapshot, [Unit(adds=[entry])])
        finish_run(run, snapshot)
        write_file(f"{lake}/builds/one/stage", "manifest.json", b"{}", root=lake)
        maintain(lake)
    finally:
        os.umask(before)
    assert open_snapshot(lake).files.num_rows == 2
    wrong = []
    for path in [tmp_path / "lake", *(tmp_path / "lake").rglob("*")]:
        wanted = (0o777 if path.is_dir() else 0o666) & ~mask
        if stat.S_IMODE(path.stat().st_mode) != wanted:
            wrong.append(f"{path.name}: {stat.S_IMODE(path.stat().st_mode):o}, expected {wanted:o}")
    assert wrong == []
