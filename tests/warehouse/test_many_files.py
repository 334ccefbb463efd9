"""Many requests at once: answers in order, no more at once than said, no more waiting than are taken, an error at its place."""

from __future__ import annotations

import itertools
import threading
import time
from pathlib import Path

import pytest
from pyarrow import fs as pafs

from headwater.warehouse.many_files import AT_ONCE, for_each, read_present, sizes_of

_LOCAL = pafs.LocalFileSystem()
_ELSEWHERE = pafs.SubTreeFileSystem("/", pafs.LocalFileSystem())
"""What is no local file system is taken for a store."""


@pytest.mark.parametrize("filesystem", [_LOCAL, _ELSEWHERE])
def test_sizes_and_contents(filesystem: pafs.FileSystem, tmp_path: Path) -> None:
    """Of each file in order, None where there is none or a folder; the same on a disk and on a store."""
    paths = [str(tmp_path / str(number)) for number in range(3 * AT_ONCE)]
    for number, path in enumerate(paths):
        if number % 5:
            Path(path).write_bytes(b"x" * number)
    (tmp_path / "0").mkdir()
    sizes = [number if number % 5 else None for number in range(len(paths))]
    assert list(sizes_of(filesystem, paths)) == sizes
    there = [path for path in paths if path != paths[0]]
    assert list(read_present(filesystem, there)) == [None if n is None else b"x" * n for n in sizes[1:]]
    assert list(sizes_of(filesystem, [])) == []


def test_as_many_at_once_as_said() -> None:
    """Requests wait together, never more than the bound, and the answers come in the order of the questions."""
    running, most, lock = 0, 0, threading.Lock()

    def ask(item: int) -> int:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.02 if item % 2 else 0.001)
        with lock:
            running -= 1
        return item * item

    assert list(for_each(_ELSEWHERE, ask, range(200))) == [item * item for item in range(200)]
    assert 2 <= most <= AT_ONCE


def test_no_more_than_are_taken() -> None:
    """Whoever takes three answers has asked for a bounded number of others: memory does not grow with the questions."""
    asked: list[int] = []

    def ask(item: int) -> int:
        asked.append(item)
        return item

    found = for_each(_ELSEWHERE, ask, range(100_000))
    assert list(itertools.islice(found, 3)) == [0, 1, 2]
    found.close()  # type: ignore[attr-defined]  # a generator
    assert len(asked) <= AT_ONCE + 3


@pytest.mark.parametrize("filesystem", [_LOCAL, _ELSEWHERE])
def test_an_error_comes_at_its_place(filesystem: pafs.FileSystem) -> None:
    """What was asked before it is answered, nothing after it is."""

    def ask(item: int) -> int:
        if item == 5:
            raise OSError("no answer to 5")
        return item

    answers = for_each(filesystem, ask, range(50))
    assert list(itertools.islice(answers, 5)) == [0, 1, 2, 3, 4]
    with pytest.raises(OSError, match="no answer to 5"):
        next(answers)
