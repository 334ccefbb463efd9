"""Two builds, recipes or versions compared: which of them a name means, and what of a recipe counts."""

from __future__ import annotations

from typing import Final

from headwater.errors import UsageError
from headwater.lineage.diff import diff
from headwater.lineage.diff_sides import Side, build_side, version_side
from headwater.lineage.past_runs import read_runs
from headwater.lineage.rule_outcomes import RuleOutcomes
from headwater.pipelines.recipe.job import Recipe
from headwater.pipelines.recipe.shipped import find_recipe
from headwater.plain import JsonObject
from headwater.warehouse.snapshot import Snapshot, open_snapshot

__all__ = ["RECORDED", "compare"]

RECORDED: Final = "recorded"
"""Stands for the verdicts as they are."""


def compare(
    lake: str,
    a: str | Recipe | None = None,
    b: str | Recipe | None = None,
    *,
    versions: tuple[int, int] | None = None,
    examples: int = 3,
) -> JsonObject:
    """Return what differs between two sides of a lake, as ``diff`` does.

    Args:
        a: name of a build, ``recorded``, the name or file of a recipe, or a recipe.
        b: the same.
        versions: of the table, in place of ``a`` and ``b``.
        examples: how many samples of each change are named.

    Raises:
        UsageError: no such build, recipe or version, or neither two sides nor versions.
    """
    if versions is not None:
        return diff(version_side(lake, versions[0]), version_side(lake, versions[1]), examples=examples)
    if a is None or b is None:
        raise UsageError("expected two builds, recipes or versions to compare, found fewer")
    snapshot = open_snapshot(lake)
    builds = {run.build for run in read_runs(snapshot) if run.build is not None}
    return diff(_side(snapshot, builds, a), _side(snapshot, builds, b), examples=examples)


def _side(snapshot: Snapshot, builds: set[str], given: str | Recipe) -> Side:
    if isinstance(given, str) and given in builds:
        return build_side(snapshot.lake, given)
    if given == RECORDED:
        return version_side(snapshot.lake, snapshot.version, name=RECORDED)
    try:
        recipe = find_recipe(given) if isinstance(given, str) else given
    except UsageError as error:
        if isinstance(given, str) and not given.endswith(".toml"):
            raise UsageError(
                f"expected a build of this lake, a recipe or {RECORDED!r}, found {given!r}; "
                f"builds: {', '.join(sorted(builds)) or 'none'}"
            ) from error
        raise
    rules = RuleOutcomes(snapshot, recipe.rule_set)
    return version_side(snapshot.lake, snapshot.version, rules, given if isinstance(given, str) else recipe.name)
