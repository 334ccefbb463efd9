"""Nothing chosen is a legitimate result: it is told with its reason, checks pass, and a lake without samples is told what it lacks."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import small_lake

from headwater.errors import UsageError
from headwater.lineage.checks.lake import verify
from headwater.lineage.empty_stages import empty_stages
from headwater.lineage.views import connect
from headwater.pipelines.builds.export import stages_of
from headwater.pipelines.recipe.job import Recipe, parse_recipe
from headwater.pipelines.run import run

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.spark, pytest.mark.slow]

_SHIPPED = small_lake._lines("web/en.jsonl", 0, 6) + small_lake._lines("reasoning/code.jsonl", 0, 3)


def _recipe(change: str = "", put: str = "") -> Recipe:
    text = small_lake._RECIPE.replace('[contamination]\nsets = ["*"]\n', "")
    assert change in text
    return parse_recipe(tomllib.loads(text.replace(change, put, 1) if change else text))


def _lake(spark: SparkSession, folder: Path, lines: str, recipe: Recipe) -> str:
    records = folder / "records.jsonl"
    records.write_text(lines, "utf-8")
    run(spark, str(folder / "lake"), recipe, [str(records)], name="b")
    return str(folder / "lake")


def _notes(lake: str, build: str | None) -> str:
    checks = verify(lake, build)
    assert [(check.name, check.detail) for check in checks if not check.passed] == []
    return next(check.detail for check in checks if check.name == "builds_finished")


def test_all_rejected(spark: SparkSession, tmp_path: Path) -> None:
    """A build of nothing ends, again too, and says that no sample was kept."""
    recipe = _recipe()
    lake = _lake(spark, tmp_path, '{"text": "too short"}\n{"text": "too short too"}\n', recipe)
    assert run(spark, lake, recipe, name="b").nothing_new
    for build in (None, "b"):
        assert _notes(lake, build).startswith("b/knowledge is empty: none of 2 samples was kept; headwater sql")
    with connect(lake) as connection:
        assert list(empty_stages(connection, "b")) == ["knowledge", "mid-training"]
        assert empty_stages(connection, "other") == {}
    with pytest.raises(UsageError, match="verify .* --build b names stages for which nothing was chosen"):
        stages_of(lake, "b")


@pytest.mark.parametrize(
    ("change", "put", "why"),
    [
        (
            'name = "mid-training"',
            'name = "mid-training"\nwhere = "quality > 99999999"',
            "none of 9 kept samples meets its where",
        ),
        ('budget = "30 %"', 'budget = "0.0001 %"', "its budget came to less than one of them"),
    ],
)
def test_one_empty_stage(change: str, put: str, why: str, spark: SparkSession, tmp_path: Path) -> None:
    """A stage that nothing meets, or whose budget is nothing, has no shards; the other one is whole."""
    lake = _lake(spark, tmp_path, _SHIPPED, _recipe(change, put))
    note = _notes(lake, "b")
    assert "b/mid-training is empty: " in note
    assert why in note
    assert "knowledge" not in note
    assert stages_of(lake, "b") == ["knowledge"]


@pytest.mark.parametrize("texts", [None, [], [""]])
def test_a_lake_without_samples(texts: list[str] | None, spark: SparkSession, tmp_path: Path) -> None:
    """The message names what is missing and the command that brings it, not the command that was run."""
    records = tmp_path / "records.jsonl"
    records.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts or []))
    inputs = [] if texts is None else [str(records)]
    with pytest.raises(UsageError, match=r"expected samples in .*, found none: .* headwater ingest .* adds some"):
        run(spark, str(tmp_path / "lake"), _recipe(), inputs)
    assert [check.name for check in verify(str(tmp_path / "lake")) if not check.passed] == []
