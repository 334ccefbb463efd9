"""Stages of a build for which nothing was chosen, and why: they have no shards, no folder and no manifest, and are no fault."""

from __future__ import annotations

import json
from typing import Final

import duckdb

from headwater.lineage.past_runs import past_recipe
from headwater.lineage.questions import rows

__all__ = ["empty_stages"]

_REFUSED: Final = """
SELECT r.reason AS reason, count(*) AS n
FROM (SELECT unnest(refusals) AS r FROM stages WHERE build = ?) WHERE r.stage = ? GROUP BY 1
"""


def empty_stages(connection: duckdb.DuckDBPyConnection, build: str) -> dict[str, str]:
    """Return each stage of a build's recipe that got no document → why; empty where all have some, or the build was not selected."""
    recipe = past_recipe(connection, "select", build)
    if recipe is None:
        return {}
    found = rows(connection, "SELECT DISTINCT stage FROM stages WHERE build = ? AND stage IS NOT NULL", [build])
    filled = {str(row["stage"]) for row in found}
    names = [str(stage["name"]) for stage in json.loads(recipe)["stages"]]
    return {name: _why(connection, build, name) for name in names if name not in filled}


def _why(connection: duckdb.DuckDBPyConnection, build: str, stage: str) -> str:
    samples = rows(connection, "SELECT count(*) AS n FROM verdicts")[0]["n"]
    kept = rows(connection, "SELECT count(*) AS n FROM stages WHERE build = ?", [build])[0]["n"]
    if not kept:
        return f"none of {samples} samples was kept; headwater sql LAKE 'SELECT first_reason, count(*) FROM verdicts GROUP BY 1' says why"
    refused = {str(row["reason"]): int(row["n"]) for row in rows(connection, _REFUSED, [build, stage])}
    beyond = refused.get("beyond_cut", 0) + refused.get("beyond_share", 0)
    if beyond:
        return f"{beyond} of {kept} kept samples competed for it, and its budget came to less than one of them"
    if refused:
        return f"none of {kept} kept samples meets its where and a pool's, or earlier stages took those that do"
    return f"earlier stages took all of {kept} kept samples"
