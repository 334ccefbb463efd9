"""One small lake for tests that look at a finished one: made once a session, copied by those that change it."""

from __future__ import annotations

import shutil
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from headwater.pipelines.recipe.job import Recipe, parse_recipe

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

BUILD = "small"
EVALUATION = """{"id": "hills", "question": "A letter about rivers and hills. A letter about rivers and hills. A letter?", "answer": "mountains"}
{"id": "nowhere", "question": "No document of this lake holds a question with these words in this order.", "answer": "7"}
"""
"""An evaluation set of two items; the first one's question stands in the letter of the second batch."""
_RECIPE = """
format = 1
name = "small"
[spans]
operators = ["emails", "policy_lines"]
[contamination]
sets = ["*"]
[rules]
sets = ["default"]
[[pools]]
name = "reasoning"
where = "domain IN ('code', 'math')"
[[pools]]
name = "general"
where = "TRUE"
[[stages]]
name = "knowledge"
choose = 2
budget = "60 %"
context = 256
order_by = "knowledge_density"
shares = { general = 0.6, reasoning = 0.4 }
shortfall_to = ["general/*", "reasoning/*"]
[[stages]]
name = "mid-training"
choose = 1
budget = "30 %"
context = 1024
order_by = "chain_of_thought"
shares = { general = 0.5, reasoning = 0.5 }
packing = "best_fit"
max_copies = 3
shortfall_to = ["reasoning/*"]
[build]
shard_tokens = 1024
"""


def small_recipe() -> Recipe:
    """Return a recipe with two stages of short sequences and small shards, for some thirty documents."""
    return parse_recipe(tomllib.loads(_RECIPE))


@dataclass(frozen=True, kw_only=True, slots=True)
class SmallLake:
    """A finished lake: two batches, several fragments, duplicates, refused records, an evaluation set, a score model, one build."""

    folder: Path
    build: str = BUILD

    @property
    def events(self) -> Path:
        """The OpenLineage events of the runs that made the lake; beside it, and not beside a copy."""
        return self.folder.parent / "events.jsonl"


DEMO = Path(__file__).resolve().parents[2] / "src" / "headwater" / "demo"


def _lines(name: str, begin: int, end: int) -> str:
    return "".join(line + "\n" for line in (DEMO / name).read_text("utf-8").split("\n")[begin:end] if line)


@pytest.fixture(scope="session")
def finished_lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> SmallLake:
    """The small lake; tests only read it."""
    from score_models import length_model, write_model

    from headwater.filters.scores.shipped import load_scorer
    from headwater.lineage.run_events import events_to
    from headwater.lineage.score_models import store_scorer
    from headwater.pipelines.ingest.evaluation_items import add_benchmarks
    from headwater.pipelines.ingest.step import ingest
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
    (folder / "planted.jsonl").write_text(EVALUATION, "utf-8")
    add_benchmarks(lake, [str(folder / "planted.jsonl")])
    store_scorer(lake, load_scorer(write_model(folder, length_model("legal"))))
    with events_to(str(folder / "events.jsonl")):
        ingest(spark, lake, recipe, [str(inputs / name) for name in ("first.jsonl", "bad.jsonl")], "one", 8000)
        run(spark, lake, recipe, [str(inputs / "second.jsonl")], batch="two", name=BUILD)
    return SmallLake(folder=folder / "lake")


@pytest.fixture
def copied_lake(finished_lake: SmallLake, tmp_path: Path) -> SmallLake:
    """A copy of the small lake that a test may damage."""
    shutil.copytree(finished_lake.folder, tmp_path / "lake")
    return SmallLake(folder=tmp_path / "lake")
