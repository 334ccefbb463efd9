"""The programs of docs/reference/shards.md load a build and its exports as they are printed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from loader_python import run_with_loaders
from small_build import BUILD, STAGE, write_build

from conftest import REPOSITORY
from headwater.pipelines.builds.export import export
from headwater.tokenize.names import FORMATS

pytestmark = pytest.mark.interop

PAGE = REPOSITORY / "docs" / "reference" / "shards.md"
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


@pytest.mark.parametrize(("environment", "count"), [("loaders", 5), ("mds", 1)])
def test_programs_run_as_printed(folder: Path, environment: str, count: int) -> None:
    """Each program asserts that the library found the build's own sequences."""
    programs = re.findall(r"```py\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    chosen = [text for text in programs if ("from streaming import" in text) == (environment == "mds")]
    (folder / "programs.json").write_text(json.dumps(chosen))
    assert run_with_loaders(RUNNER, str(folder / "programs.json"), environment=environment) == count
