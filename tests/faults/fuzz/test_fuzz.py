"""Hostile files for every parser, for some seconds each: refused in a line that names them, within a second and a gigabyte."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from .mutations import mutate_bytes
from .targets import TARGETS
from .trials import Target, try_target

pytestmark = pytest.mark.slow

_SECONDS = 20
_FAULTS = Path(__file__).parents[1]


def test_hostile_files_are_refused_at_once(tmp_path: Path) -> None:
    """No parser lets anything through but its own errors; each was tried on all files made by hand, and on some that were changed.

    In a process of its own: libraries with threads, which other tests have used, do not live through a fork.
    """
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([*sys.path, str(_FAULTS)])}
    done = subprocess.run(
        [sys.executable, "-m", "fuzz", "--seconds", str(_SECONDS), "--found", str(tmp_path / "found")],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        env=environment,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    counts = dict(re.findall(r"^(.{20}) +(\d+) cases", done.stdout, re.MULTILINE))
    assert {name.strip() for name in counts} == {target.name for target in TARGETS}
    assert all(int(count) > 20 for count in counts.values()), done.stdout


def _escaping(path: Path) -> None:
    if b"deep" in path.read_bytes():
        raise RecursionError


def _slow(path: Path) -> None:
    if b"slow" in path.read_bytes():
        sum(range(200_000_000))


def _large(path: Path) -> None:
    if b"large" in path.read_bytes():
        bytearray(2 << 30)


def _crashing(path: Path) -> None:
    if b"crash" in path.read_bytes():
        os.abort()


def _silent(path: Path) -> None:
    if b"silent" in path.read_bytes():
        raise ValueError("something is wrong\nin two lines")


@pytest.mark.parametrize(
    ("parse", "word", "fault"),
    [
        (_escaping, b"deep", "RecursionError: "),
        (_slow, b"slow", "s of processor time"),
        (_large, b"large", "more memory than allowed"),
        (_crashing, b"crash", "the process ended with -6"),
        (_silent, b"silent", "a message that is no short line"),
    ],
)
def test_the_harness_finds_what_it_looks_for(parse: object, word: bytes, fault: str, tmp_path: Path) -> None:
    """A parser that lets an error through, takes long, takes much, crashes or tells it badly is found out, with the file."""
    target = Target(
        name="made up",
        seeds=lambda _: [b"sound"],
        mutate=mutate_bytes,
        parse=parse,  # type: ignore[arg-type]  # one of the functions above
        hostile=lambda: [word],
        allowed=(ValueError,),
    )
    tried = try_target(target, 0, tmp_path, 0, more=1)
    (found,) = tried.findings
    assert fault in found.fault
    assert (found.case, found.data) == (0, word)
    assert tried.cases == 3


def test_the_same_seed_gives_the_same_files(tmp_path: Path) -> None:
    """Every case is made from the seed and its number."""
    seen: list[list[bytes]] = []
    for run in range(2):
        made = tmp_path / str(run)

        def keep(path: Path, made: Path = made) -> None:
            with (made / "seen").open("ab") as file:
                file.write(path.read_bytes() + b"\n")

        target = Target(name="kept", seeds=lambda _: [b"a sound file"], mutate=mutate_bytes, parse=keep)
        try_target(target, 5, made, 0, more=49)
        seen.append((made / "seen").read_bytes().splitlines())
    assert seen[0] == seen[1]
    assert len(set(seen[0])) > 30
