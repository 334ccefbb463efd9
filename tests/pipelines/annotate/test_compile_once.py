"""Kernels are compiled by one process of a machine, and once."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from headwater.pipelines.annotate import compile_once as once


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[int]:
    """The calls that compile, each of which takes a while, with a folder of kernels that nobody has used."""
    calls: list[int] = []

    def compile_slowly(processes: int) -> None:
        threading.Event().wait(0.2)
        calls.append(processes)

    monkeypatch.setattr(once, "compile_kernels", compile_slowly)
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "kernels"))
    return calls


def test_one_compiles_and_the_others_wait(compiled: list[int]) -> None:
    """Of several at once one compiles, and none returns before it is done; later ones find the mark."""
    done: list[tuple[bool, int]] = []
    threads = [threading.Thread(target=lambda: done.append((once.compile_once(), len(compiled)))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == [(False, 1)] * 3 + [(True, 1)]
    assert not once.compile_once()
    assert len(compiled) == 1
    assert compiled[0] >= 1


def test_another_processor_compiles_its_own(compiled: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """The mark names what the kernels were compiled for: machines of two kinds may share the folder."""
    assert once.compile_once()
    monkeypatch.setenv("NUMBA_CPU_NAME", "another")
    assert once.compile_once()
    monkeypatch.delenv("NUMBA_CPU_NAME")
    assert not once.compile_once()


def test_one_that_failed_leaves_no_mark(compiled: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """The next process tries again."""

    def fail(processes: int) -> None:
        raise ValueError("no such instruction")

    with monkeypatch.context() as broken:
        broken.setattr(once, "compile_kernels", fail)
        with pytest.raises(ValueError, match="no such instruction"):
            once.compile_once()
    assert once.compile_once()


def test_where_nothing_can_be_kept_nothing_is_compiled(
    compiled: list[int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each process then compiles what it needs."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file"))
    assert not once.compile_once()
    assert not compiled
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
