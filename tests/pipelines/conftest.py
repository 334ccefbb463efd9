"""One small lake for tests that look at a finished one: made once a session, copied by those that change it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from small_lake import BUILD, SmallLake, small_recipe

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

DEMO = Path(__file__).resolve().parents[2] / "src" / "headwater" / "demo"


def _lines(name: str, begin: int, end: int) -> str:
    return "".join(line + "\n" for line in (DEMO / name).read_text("utf-8").split("\n")[begin:end] if line)


@pytest.fixture(scope="session")
def finished_lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> SmallLake:
    """The small lake; tests only read it."""
    from headwater.pipelines.ingest import ingest
    from headwater.pipelines.run import run
    from headwater.warehouse.commit import create_lake

    folder = tmp_path_factory.mktemp("finished")
    inputs = folder / "input"
    inputs.mkdir()
    first = [("web/en.jsonl", 0, 8), ("reasoning/code.jsonl", 0, 4), ("noise/duplicates.jsonl", 0, 6)]
    (inputs / "first.jsonl").write_text("".join(_lines(*part) for part in first), "utf-8")
    (inputs / "bad.jsonl").write_text('{"text": 7}\n' + _lines("web/de.jsonl", 0, 3), "utf-8")
    second = [("reasoning/math.jsonl", 0, 4), ("web/en.jsonl", 0, 2), ("noise/duplicates.jsonl", 6, 9)]
    mail = '{"text": "' + "A letter about rivers and hills. " * 30 + 'Write to a@example.org for more."}\n'
    (inputs / "second.jsonl").write_text("".join(_lines(*part) for part in second) + mail, "utf-8")
    lake, recipe = str(folder / "lake"), small_recipe()
    create_lake(lake)
    ingest(spark, lake, recipe, [str(inputs / name) for name in ("first.jsonl", "bad.jsonl")], "one", 8000)
    run(spark, lake, recipe, [str(inputs / "second.jsonl")], batch="two", name=BUILD)
    return SmallLake(folder=folder / "lake")


@pytest.fixture
def copied_lake(finished_lake: SmallLake, tmp_path: Path) -> SmallLake:
    """A copy of the small lake that a test may damage."""
    shutil.copytree(finished_lake.folder, tmp_path / "lake")
    return SmallLake(folder=tmp_path / "lake")
