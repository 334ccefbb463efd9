"""A changed definition of a signal is filled in on a lake that is there, and nothing else is written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from conftest import REPOSITORY
from headwater.filters.signals import measure as signals
from headwater.pipelines.annotate.step import annotate
from headwater.pipelines.ingest.step import ingest
from headwater.pipelines.recipe.job import load_recipe, parse_recipe
from headwater.pipelines.recipe.operators import ANNOTATED, resolve
from headwater.warehouse.commit import create_lake
from headwater.warehouse.snapshot import open_snapshot

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark


@pytest.mark.parametrize(
    ("numbers", "following"), [("keep", {"signals", "scores"}), ({}, {"signals", "scores", "minhash"})]
)
def test_a_changed_signal_writes_its_family_and_what_reads_it(
    spark: SparkSession,
    lake_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    numbers: object,
    following: set[str],
) -> None:
    """Content and language keep their files, signals and scores get new ones, MinHash where domains decide about numbers; then nothing is left."""
    source = tmp_path / "in.jsonl"
    source.write_text(
        "".join(json.dumps({"id": str(n), "text": f"Sentence {n} of many. " * 20}) + "\n" for n in range(50))
    )
    raw = load_recipe(REPOSITORY / "recipes" / "demo.toml").literals
    raw["deduplicate"]["numbers"] = numbers
    lake, recipe = str(lake_folder), parse_recipe(raw)
    create_lake(lake)
    ingest(spark, lake, recipe, [str(source)])
    annotate(spark, resolve(recipe, lake))
    before = open_snapshot(lake)
    monkeypatch.setattr(signals, "VERSION", signals.VERSION + 1)
    counts = annotate(spark, resolve(recipe, lake))
    after = open_snapshot(lake)
    for family in ("content", "uri_index", *ANNOTATED):
        assert after.paths(family) or not before.paths(family)
        assert (after.paths(family) == before.paths(family)) == (family not in following), family
    assert {name.removesuffix("_bytes") for name in counts if name.endswith("_bytes")} == {*following, "text"}
    assert annotate(spark, resolve(recipe, lake)).get("fragments", 0) == 0
