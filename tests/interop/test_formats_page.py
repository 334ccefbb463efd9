"""The pages' programs for the libraries that load shards run as printed, on a build in every format and its exports."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from loader_python import run_with_loaders
from small_build import BUILD, STAGE, write_build

from headwater.pipelines.builds.export import export
from headwater.tokenize.names import FORMATS
from pages import PAGES, fences, name_of

pytestmark = pytest.mark.interop

RUNNER = Path(__file__).parent / "loaders" / "run_page.py"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a build in all formats and its exports, under the names that the page uses."""
    write_build(tmp_path / "lake", FORMATS)
    export(str(tmp_path / "lake"), BUILD, str(tmp_path / "out"), kind="mds", stages=[STAGE])
    export(str(tmp_path / "lake"), BUILD, str(tmp_path / "lit"), kind="litdata", stages=[STAGE])
    (tmp_path / "lake" / "builds" / BUILD).rename(tmp_path / "lake" / "builds" / "demo")
    monkeypatch.chdir(tmp_path)
    return tmp_path


_FOUND = [(page, mark) for page in PAGES for mark in ("loaders", "mds") if fences(page, "python", mark)]


@pytest.mark.parametrize(("page", "environment"), _FOUND, ids=[f"{name_of(page)}-{mark}" for page, mark in _FOUND])
def test_programs_run_as_printed(folder: Path, page: Path, environment: str) -> None:
    """Each program asserts that the library found the build's own sequences."""
    programs = [fence.text for fence in fences(page, "python", environment)]
    (folder / "programs.json").write_text(json.dumps(programs))
    assert run_with_loaders(RUNNER, str(folder / "programs.json"), environment=environment) == len(programs)


def test_pages_show_how_every_library_loads_shards() -> None:
    """The page of the formats has programs for both environments, that of trainers for the first."""
    assert {(name_of(page), mark) for page, mark in _FOUND} >= {
        ("docs/reference/shards.md", "loaders"),
        ("docs/reference/shards.md", "mds"),
        ("docs/how-to/trainers.md", "loaders"),
    }
