"""Score models of a recipe: a changed one fills its family alone, and a team's own score is a column like any other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from score_models import genre_model, length_model, tree_model, write_model

from headwater.errors import UsageError
from headwater.lake import Lake
from headwater.lineage.checks.lake import verify
from headwater.lineage.lookup import open_lookup
from headwater.lineage.questions import rows
from headwater.lineage.score_models import lake_models
from headwater.lineage.story import why
from headwater.lineage.views import connect
from headwater.pipelines.annotate.step import annotate
from headwater.pipelines.ingest.step import ingest
from headwater.pipelines.recipe.job import Recipe, parse_recipe
from headwater.pipelines.recipe.operators import ANNOTATED, resolve
from headwater.pipelines.run import run
from headwater.pipelines.what_if.answer import what_if
from headwater.pipelines.what_if.changes import Changes
from headwater.warehouse.commit import create_lake
from headwater.warehouse.maintain import compact
from headwater.warehouse.snapshot import open_snapshot

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark


def _recipe(scores: list[dict[str, str]], **own: Any) -> Recipe:
    stage = {
        "name": "only",
        "context": 64,
        "budget": "50 %",
        "order_by": "quality",
        "shares": {"best": 0.5, "rest": 0.5},
        "shortfall_to": ["rest/*"],
    }
    pools = [{"name": "best", "where": own.pop("pool", "quality > 9")}, {"name": "rest", "where": "TRUE"}]
    return parse_recipe(
        {
            "format": 1,
            "name": "own",
            "deduplicate": {"min_similarity": 1.0, "numbers": "keep"},
            "scores": scores,
            "rules": {"sets": [], **own.pop("rules", {})},
            "pools": pools,
            "stages": [stage | own],
            "build": {"shard_tokens": 1024},
        }
    )


def _ingest(spark: SparkSession, lake: str, recipe: Recipe, folder: Path) -> None:
    source = folder / "in.jsonl"
    texts = [
        f"The constitution of state number {n} establishes fundamental principles. " * (n % 7 + 1) for n in range(30)
    ]
    source.write_text("".join(json.dumps({"id": str(n), "text": text}) + "\n" for n, text in enumerate(texts)))
    create_lake(lake)
    ingest(spark, lake, recipe, [str(source)])


def test_a_changed_model_writes_scores_alone(spark: SparkSession, lake_folder: Path, tmp_path: Path) -> None:
    """Another model for a score gives family scores new files and every other family none; the same model again gives nothing."""
    lake = str(lake_folder)
    shipped = _recipe([])
    _ingest(spark, lake, shipped, tmp_path)
    annotate(spark, resolve(shipped, lake))
    before = open_snapshot(lake)
    path = write_model(tmp_path, length_model("knowledge_density"))
    changed = _recipe([{"name": "knowledge_density", "model": str(path)}])
    counts = annotate(spark, resolve(changed, lake))
    after = open_snapshot(lake)
    for family in ("content", *ANNOTATED):
        assert (after.paths(family) == before.paths(family)) == (family != "scores"), family
    assert {name for name in counts if name.endswith("_bytes")} == {"scores_bytes", "text_bytes"}
    assert annotate(spark, resolve(changed, lake)).get("fragments", 0) == 0
    by_name = _recipe(
        [{"name": "knowledge_density", "model": "knowledge_density", "sha256": lake_models(lake)[0].sha256}]
    )
    path.unlink()
    assert annotate(spark, resolve(by_name, lake)).get("fragments", 0) == 0  # the lake has the model, by its SHA-256
    verdicts = {resolve(recipe, lake).operator("verdicts") for recipe in (shipped, by_name)}
    assert len(verdicts) == 2


def test_a_score_of_a_team_is_a_column(spark: SparkSession, lake_folder: Path, tmp_path: Path) -> None:
    """It orders, makes a pool, rejects by a rule, answers what-if, SQL and DataFrames, is explained, and survives compaction."""
    lake = str(lake_folder)
    own, domain = write_model(tmp_path, length_model("legal")), write_model(tmp_path, genre_model())
    scores = [{"name": "legal", "model": str(own)}, {"name": "domain", "model": str(domain)}]
    rule = {"name": "legal_enough", "passes": "legal >= {limit}", "limits": {"limit": 40000}}
    recipe = _recipe(scores, pool="legal >= 50000", order_by="legal", rules={"own": [rule]}, where="legal IS NOT NULL")
    assert parse_recipe(recipe.literals) == recipe
    _ingest(spark, lake, recipe, tmp_path)
    report = run(spark, lake, recipe)
    snapshot = open_snapshot(lake)
    assert snapshot.own_scores == ("legal",)
    with connect(lake) as connection:
        found = rows(connection, "SELECT sample_id, legal, domain, kept, reasons FROM samples ORDER BY 1")
        assert {row["domain"] for row in found} == {"encyclopedia"}
        assert {row["kept"] for row in found if row["legal"] < 40000} == {False}
        assert all(row["reasons"] == ["legal_enough"] for row in found if row["legal"] < 40000)
        assert any(row["kept"] for row in found)
        pools = rows(
            connection,
            "SELECT pool, min(legal) AS low, max(legal) AS high FROM stages JOIN scores USING (sample_id) GROUP BY 1 ORDER BY 1",
        )
        assert [row["pool"] for row in pools] == ["best", "rest"]
        assert pools[0]["low"] >= 50000 > pools[1]["high"]
        story = why(open_lookup(lake), found[-1]["sample_id"])
    moved = story["scores_moved"]["legal"]
    assert {each["input"] for each in moved["moved"]} == {"words", "long words"}
    assert moved["score"] == round(found[-1]["legal"] / 65535, 4)
    assert story["scores"]["legal"] == found[-1]["legal"]
    assert [each["input"] for each in story["scores_moved"]["domain"]["moved"]] == ["long words"]
    assert story["scores_moved"]["quality"]["moved"]
    answer = what_if(lake, recipe, Changes(limits=(("legal_enough", 0),)))
    assert answer["kept"]["documents"]["gained"] == sum(row["reasons"] == ["legal_enough"] for row in found)
    frame = Lake(lake).dataframe(spark, ["legal", "quality"])
    assert sorted(row.legal for row in frame.collect()) == sorted(row["legal"] for row in found)
    compact(lake)
    with connect(lake) as connection:
        again = rows(connection, "SELECT sample_id, legal, domain, kept, reasons FROM samples ORDER BY 1")
    assert again == found
    assert [check for check in verify(lake) if not check.passed] == []
    assert report.build
    # Without the score the rows have null, and the column stays.
    annotate(spark, resolve(_recipe([]), lake))
    with connect(lake) as connection:
        assert rows(connection, "SELECT DISTINCT legal FROM scores") == [{"legal": None}]


def test_models_that_do_not_fit(lake_folder: Path, tmp_path: Path) -> None:
    """A pin that the model has not, a model of classes for a score, and a name that nothing has are one line each."""
    lake = str(lake_folder)
    create_lake(lake)
    path = str(write_model(tmp_path, tree_model("legal")))
    with pytest.raises(UsageError, match="expected SHA-256 0000"):
        resolve(_recipe([{"name": "legal", "model": path, "sha256": "0" * 64}]), lake)
    with pytest.raises(UsageError, match="domain: expected a model of classes, found legal"):
        resolve(_recipe([{"name": "domain", "model": path}]), lake)
    with pytest.raises(UsageError, match="did you mean 'quality'"):
        resolve(_recipe([{"name": "legal", "model": "qualiti"}]), lake)
