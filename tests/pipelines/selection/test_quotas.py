"""Quota arithmetic: exact, capped, the same in any order, and an error or a report where it cannot be met."""

from __future__ import annotations

import random
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.errors import RecipeError, UsageError
from headwater.pipelines.recipe.stages import Stage
from headwater.pipelines.selection.quotas import Cell, Plan, apportion, solve, stage_budget

_LAKE = {
    Cell("general", "en", "general"): 600,
    Cell("general", "en", "lyrical"): 100,
    Cell("general", "zh", "general"): 200,
    Cell("general", "fr", "general"): 75,
    Cell("general", "de", "general"): 25,
    Cell("reasoning", "en", "code"): 300,
    Cell("reasoning", "en", "math"): 100,
    Cell("reasoning", "fr", "math"): 100,
}


def _stage(**settings: Any) -> Stage:
    plain: dict[str, Any] = {"name": "knowledge", "context": 4096, "order_by": "quality", "budget_tokens": 1000}
    plain["shares"] = {"general": 0.6, "reasoning": 0.4}
    return Stage(**plain | settings)


def _targets(plan: Plan) -> dict[str, int]:
    return {"/".join(cell): tokens for cell, tokens in plan.targets.items()}


def test_without_quotas_languages_are_taken_in_proportion() -> None:
    """A pool's share is divided among its languages by what is there; its domains compete by rank."""
    plan = solve(_LAKE, _stage(), 1000)
    assert _targets(plan) == {
        "general/de/*": 15,
        "general/en/*": 420,
        "general/fr/*": 45,
        "general/zh/*": 120,
        "reasoning/en/*": 320,
        "reasoning/fr/*": 80,
    }
    assert plan.unplaced == 0
    assert plan.shortfalls == {}
    assert plan.cell_of[Cell("general", "en", "lyrical")] == Cell("general", "en", "*")


def test_language_quota_with_a_group_and_a_rest() -> None:
    """A group shares its quota by what is there, and so does the rest."""
    quota = {"general": {"en+zh": 0.5, "*": 0.5}}
    plan = solve(_LAKE, _stage(shares={"general": 1.0}, languages=quota), 100)
    assert _targets(plan) == {"general/de/*": 13, "general/en/*": 39, "general/fr/*": 37, "general/zh/*": 11}
    assert sum(plan.targets.values()) == 100


def test_language_quota_for_all_pools() -> None:
    """A quota that names no pool holds for each pool of the stage."""
    plan = solve(_LAKE, _stage(languages={"en": 0.9, "*": 0.1}), 100)
    assert _targets(plan) == {
        "general/de/*": 1,
        "general/en/*": 54,
        "general/fr/*": 1,
        "general/zh/*": 4,
        "reasoning/en/*": 36,
        "reasoning/fr/*": 4,
    }


def test_domain_quota() -> None:
    """A domain that a quota names is a cell of its own; the others are one cell."""
    plan = solve(_LAKE, _stage(domains={"general": {"lyrical": 0.1, "*": 0.9}}), 100)
    assert _targets(plan) == {
        "general/de/*": 2,
        "general/en/*": 36,
        "general/en/lyrical": 6,
        "general/fr/*": 4,
        "general/zh/*": 12,
        "reasoning/en/*": 32,
        "reasoning/fr/*": 8,
    }
    assert plan.cell_of[Cell("general", "en", "lyrical")] == Cell("general", "en", "lyrical")
    assert plan.cell_of[Cell("general", "en", "general")] == Cell("general", "en", "*")


def test_languages_outside_a_quota_without_a_rest() -> None:
    """Where a quota has no rest, what it does not name is not asked."""
    plan = solve(_LAKE, _stage(shares={"general": 1.0}, languages={"fr": 0.5, "de": 0.5}), 40)
    assert _targets(plan) == {"general/de/*": 20, "general/fr/*": 20}


def test_shortfall_is_reported() -> None:
    """A cell gives what it has, the plan says what is missing, and nothing goes elsewhere unasked."""
    plan = solve(_LAKE, _stage(shares={"general": 1.0}, languages={"fr": 0.5, "en": 0.5}), 400)
    assert _targets(plan) == {"general/en/*": 200, "general/fr/*": 75}
    assert plan.shortfalls == {Cell("general", "fr", "*"): 125}
    assert plan.unplaced == 125


def test_shortfall_goes_to_the_cells_named_in_their_order() -> None:
    """The first cell named takes what it has left, then the next."""
    stage = _stage(
        shares={"general": 1.0, "reasoning": 0.0},
        languages={"general": {"fr": 0.5, "en": 0.5}},
        shortfall_to=("general/de", "reasoning/fr", "general/*"),
    )
    plan = solve(_LAKE, stage, 600)
    assert plan.shortfalls == {Cell("general", "fr", "*"): 225}
    assert _targets(plan) == {
        "general/de/*": 25,
        "general/en/*": 367,
        "general/fr/*": 75,
        "general/zh/*": 33,
        "reasoning/fr/*": 100,
    }
    assert [planned.received for planned in plan.cells if planned.cell.language == "en"] == [67, 0]
    assert plan.unplaced == 0


def test_copies_raise_what_a_cell_can_give() -> None:
    """A cell gives at most its tokens times max_copies."""
    quota = {"fr": 0.5, "en": 0.5}
    plan = solve(_LAKE, _stage(shares={"general": 1.0}, languages=quota, max_copies=2), 400)
    assert _targets(plan) == {"general/en/*": 200, "general/fr/*": 150}
    assert plan.unplaced == 50


def test_quota_for_what_is_not_there() -> None:
    """A language, pool or domain that the lake lacks is a shortfall with a cell that shows it."""
    plan = solve(_LAKE, _stage(languages={"general": {"ja+ko": 0.5, "*": 0.5}}), 100)
    assert plan.shortfalls == {Cell("general", "ja+ko", "*"): 30}
    plan = solve(_LAKE, _stage(shares={"general": 0.5, "rare": 0.5}), 100)
    assert plan.shortfalls == {Cell("rare", "*", "*"): 50}
    plan = solve(_LAKE, _stage(domains={"general": {"code": 0.5, "*": 0.5}}), 100)
    assert plan.shortfalls == {Cell("general", "*", "code"): 30}
    assert solve({}, _stage(), 100).unplaced == 100


def test_budget_larger_than_the_lake() -> None:
    """All of the lake is taken and the rest is reported."""
    plan = solve(_LAKE, _stage(shortfall_to=("general/*", "reasoning/*")), 10_000)
    assert sum(plan.targets.values()) == sum(_LAKE.values()) == 1500
    assert plan.unplaced == 8500


def test_shortfall_may_be_an_error() -> None:
    """on_shortfall = "error" refuses a plan with tokens that no cell can give, and only such a plan."""
    short = {"shares": {"general": 1.0}, "languages": {"fr": 0.5, "en": 0.5}, "on_shortfall": "error"}
    with pytest.raises(RecipeError, match=r"400 tokens, 125 of them are not there \(short: general/fr/\* 125\)"):
        solve(_LAKE, _stage(**short), 400)
    assert solve(_LAKE, _stage(**short, shortfall_to=("general/zh",)), 400).unplaced == 0


def test_negative_numbers_are_an_error() -> None:
    """Tokens are counted from 0."""
    with pytest.raises(UsageError):
        solve(_LAKE, _stage(), -1)
    with pytest.raises(UsageError):
        solve({Cell("general", "en", "general"): -1}, _stage(), 1)


def test_stage_budget() -> None:
    """A percentage is of what is there, rounded down, in exact arithmetic; tokens are tokens."""
    assert stage_budget(_stage(budget_tokens=None, budget="46 %"), 1000) == 460
    assert stage_budget(_stage(budget_tokens=None, budget="3.45%"), 40 * 10**12 + 1) == 1_380_000_000_000
    assert stage_budget(_stage(budget_tokens=None, budget="29 %"), 100) == 29
    assert stage_budget(_stage(budget_tokens=10**13), 5) == 10**13


def test_largest_remainder() -> None:
    """What does not divide goes to the largest remainders, ties to the smaller name."""
    a, b, c = (Cell("pool", language, "*") for language in "abc")
    assert apportion(10, {c: 1, b: 1, a: 1}) == {a: 4, b: 3, c: 3}
    assert apportion(10, {a: 1, b: 3, c: 3}) == {a: 2, b: 4, c: 4}
    assert apportion(11, {a: 1, b: 3, c: 3}) == {a: 1, b: 5, c: 5}
    assert apportion(5, {a: 0, b: 0}) == {}
    assert apportion(0, {a: 1, b: 0}) == {a: 0, b: 0}


_CELLS = st.builds(
    Cell,
    st.sampled_from(["general", "reasoning"]),
    st.sampled_from(["en", "fr", "de", "ja", "zh", "ko"]),
    st.sampled_from(["code", "math"]),
)


@st.composite
def _quotas(draw: st.DrawFn, names: list[str]) -> dict[str, float]:
    """Draw shares with at most three decimals that sum to exactly 1."""
    cuts = sorted(draw(st.lists(st.integers(0, 1000), min_size=len(names) - 1, max_size=len(names) - 1)))
    parts = [end - begin for begin, end in zip([0, *cuts], [*cuts, 1000], strict=True)]
    return {name: part / 1000 for name, part in zip(names, parts, strict=True)}


@st.composite
def _stages(draw: st.DrawFn) -> Stage:
    languages: dict[str, Any] = draw(st.just({}) | _quotas(["en", "fr+de", "ja", "*"]))
    domains: dict[str, Any] = draw(st.just({}) | _quotas(["code", "*"]).map(lambda quota: {"general": quota}))
    cells = st.sampled_from(["general/*", "reasoning/*", "general/en", "reasoning/fr"])
    return _stage(
        shares=draw(_quotas(["general", "reasoning"])),
        languages=languages,
        domains=domains,
        max_copies=draw(st.integers(1, 4)),
        shortfall_to=tuple(draw(st.lists(cells, unique=True))),
    )


@given(st.dictionaries(_CELLS, st.integers(0, 10**6)), _stages(), st.integers(0, 10**7), st.randoms())
def test_what_holds_for_every_plan(lake: dict[Cell, int], stage: Stage, budget: int, shuffled: random.Random) -> None:
    """Targets and unplaced tokens sum to the budget, no cell exceeds its cap, nothing is left where shortfall may go."""
    plan = solve(lake, stage, budget)
    assert sum(planned.asked for planned in plan.cells) == budget
    assert sum(plan.targets.values()) + plan.unplaced == budget
    assert plan.unplaced >= 0
    assert sum(planned.available for planned in plan.cells) == sum(lake.values())
    for planned in plan.cells:
        assert 0 <= planned.given <= planned.asked
        assert planned.received >= 0
        assert planned.target <= planned.available * stage.max_copies
        if plan.unplaced and f"{planned.cell.pool}/*" in stage.shortfall_to:
            assert planned.target == planned.available * stage.max_copies
        if not stage.shortfall_to:
            assert planned.received == 0
    items = list(lake.items())
    shuffled.shuffle(items)
    again = solve(dict(items), stage, budget)
    assert again == plan
    assert list(again.targets) == list(plan.targets)


@given(st.integers(0, 10**15), st.dictionaries(_CELLS, st.integers(0, 10**15), min_size=1))
def test_what_holds_for_apportion(total: int, weights: dict[Cell, int]) -> None:
    """The parts sum to the total and each is less than one away from its exact share."""
    parts = apportion(total, weights)
    if not any(weights.values()):
        assert parts == {}
        return
    assert sum(parts.values()) == total
    for cell, part in parts.items():
        assert abs(Fraction(total * weights[cell], sum(weights.values())) - part) < 1
