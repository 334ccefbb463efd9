"""The stage for which a sample is eligible: by the recipe's pools, predicates and quotas, before any budget."""

from __future__ import annotations

import re
from collections.abc import Mapping

from headwater.pipelines.recipe.job import Recipe
from headwater.pipelines.recipe.stages import Stage

__all__ = ["eligible_sql", "selection_columns"]

_REST = "*"


def selection_columns(recipe: Recipe) -> list[str]:
    """Return the columns that pools, stages and quotas read."""
    words = set(re.findall(r"[a-z_][a-z0-9_]*", eligible_sql(recipe)))
    return [name for name in recipe.selection_columns if name in words]


def eligible_sql(recipe: Recipe) -> str:
    """Return an SQL expression over the recipe's selection columns: the first stage, in the order of choosing, that may take a sample; else NULL.

    A stage may take what its ``where`` passes in a pool, language and domain of which it takes a share. Shortfalls move tokens among
    the cells of a stage and open no other.
    """
    cases = "".join(
        f" WHEN ({stage.where}) AND ({_cells(stage, recipe)}) THEN '{stage.name}'" for stage in recipe.choosing_order
    )
    return f"(CASE WHEN n_tokens > 0 THEN CASE{cases} END END)"


def _cells(stage: Stage, recipe: Recipe) -> str:
    pools = []
    for pool, share in stage.shares.items():
        if share > 0:
            language = _named("coalesce(language, 'und')", stage.languages.get(pool, {}))
            domain = _named("coalesce(domain, '')", stage.domains.get(pool, {}))
            pools.append(f"({recipe.pool_sql} = '{pool}'{language}{domain})")
    return " OR ".join(pools)


def _named(column: str, quota: Mapping[str, float]) -> str:
    """Return the condition that a quota gives a share to the value of a column; without a quota, everything has one."""
    if not quota:
        return ""
    named = {name: share for group, share in quota.items() if group != _REST for name in group.split("+")}
    some = [name for name, share in named.items() if share > 0]
    none = [name for name, share in named.items() if share == 0]
    if quota.get(_REST, 0.0) > 0:
        return f" AND {column} NOT IN ({_listed(none)})" if none else ""
    return f" AND {column} IN ({_listed(some)})"


def _listed(names: list[str]) -> str:
    return ", ".join("'" + name.replace("'", "''") + "'" for name in names)
