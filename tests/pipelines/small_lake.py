"""The recipe and the description of the small lake that tests of finished lakes share."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from headwater.pipelines.recipe import Recipe, parse_recipe

BUILD = "small"
_RECIPE = """
format = 1
name = "small"
[spans]
operators = ["emails", "policy_lines"]
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
    """A finished lake: two batches, several fragments, duplicates, refused records, one build."""

    folder: Path
    build: str = BUILD
