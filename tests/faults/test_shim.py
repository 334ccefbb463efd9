"""The tools of the trials do what they say: faults come to pass where they are laid, and what is left behind is seen."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from lakes import stray_files, temporary_files
from shim import CAN_REFUSE

HERE = Path(__file__).parent
WRITE = """
from headwater.warehouse.filesystem import write_file
def attempt(name):
    try:
        write_file(root, name, b"0123456789", root=root)
        return "written"
    except Exception as error:
        return type(error).__name__ + (" 28" if "28" in str(error) else "")
"""


def said_by(program: str, folder: Path) -> list[str]:
    """Return the lines that a program of its own prints; it finds ``root`` and ``Shim``, ``Fault`` and ``refuse_writes``."""
    head = f"import sys\nroot = {str(folder)!r}\nfrom shim import Fault, Shim, refuse_writes\n"
    paths = os.pathsep.join([str(HERE), str(HERE.parents[1] / "src"), str(HERE.parent / "support")])
    done = subprocess.run(
        [sys.executable, "-c", head + WRITE + program],
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout.splitlines()


@pytest.mark.parametrize(("operation", "number"), [("create", 2), ("open", 2), ("write", 2), ("sync", 3), ("move", 2)])
def test_one_operation_fails(tmp_path: Path, operation: str, number: int) -> None:
    """An operation of the second file fails, those of the first and the third do not, and no temporary file stays; the folder is synced too."""
    fault = f"Fault(action='error', operation={operation!r}, number={number}, code='ENOSPC')"
    program = f"Shim(root, lambda fault={fault}: fault).install()\n"
    assert said_by(program + "print(attempt('a'), attempt('b'), attempt('c'), sep='\\n')", tmp_path) == [
        "written",
        "StorageError 28",
        "written",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "c"]


def test_a_lasting_fault_lasts(tmp_path: Path) -> None:
    """From its number on every operation fails, a write half done among them."""
    program = "Shim(root, lambda fault=Fault(action='torn', operation='write', number=2, code='ENOSPC', lasting=True): fault).install()\n"
    assert said_by(program + "print(attempt('a'), attempt('b'), attempt('c'), sep='\\n')", tmp_path) == [
        "written",
        "StorageError 28",
        "StorageError 28",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a"]


def test_the_clock_jumps(tmp_path: Path) -> None:
    """Both clocks of Python that tell the date are off by what the fault says, and dates are still dates."""
    program = """
import datetime, time
before = time.time()
Shim(root, lambda fault=Fault(action="clock", number=1, seconds=86400.0): fault).install()
attempt("a")
now = datetime.datetime.now(datetime.UTC)
print(86300 < time.time() - before < 86500, 86300 < now.timestamp() - before < 86500, isinstance(now, datetime.datetime))
"""
    assert said_by(program, tmp_path) == ["True True True"]


@pytest.mark.skipif(not CAN_REFUSE, reason="only Linux on x86-64 and aarch64 can be told to refuse calls")
def test_the_kernel_refuses_native_code_too(tmp_path: Path) -> None:
    """After it Python, Arrow and delta-rs can read and cannot create, rename or sync."""
    program = """
import errno
import pyarrow as pa, pyarrow.parquet as pq
from headwater.errors import HeadwaterError
from headwater.warehouse.commit import create_lake, reserve_fragments
from headwater.warehouse.snapshot import open_snapshot
create_lake(root + "/lake")
table = pa.table({"a": [1]})
refuse_writes(errno.ENOSPC)
print(attempt("a"))
try:
    pq.write_table(table, root + "/b.parquet")
except OSError as error:
    print(error.errno)
try:
    reserve_fragments(root + "/lake", 1)
except HeadwaterError as error:
    print(type(error).__name__, "os error 28" in str(error))
print(open_snapshot(root + "/lake").version)
"""
    assert said_by(program, tmp_path) == ["StorageError 28", "28", "StorageError True", "0"]


def test_what_is_left_is_seen(tmp_path: Path) -> None:
    """A data file that the log never named, and a temporary file anywhere, are strays; what it names is none."""
    log = tmp_path / "samples" / "_delta_log"
    log.mkdir(parents=True)
    (log / f"{0:020d}.json").write_text(
        json.dumps({"add": {"path": "family=runs/batch=runs/named.parquet"}}) + "\n", "utf-8"
    )
    for name in (
        "samples/family=runs/batch=runs/named.parquet",
        "samples/family=runs/batch=runs/other.parquet",
        "builds/b/s/.x.tmp",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert stray_files(tmp_path) == ["builds/b/s/.x.tmp", "samples/family=runs/batch=runs/other.parquet"]
    assert temporary_files(tmp_path) == ["builds/b/s/.x.tmp"]
