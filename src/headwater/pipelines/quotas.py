"""Quota arithmetic: how many tokens a stage takes from each cell.

Pure, exact, the same whatever the order of its input. The order is quotas, caps, budget: shares of the budget are asked
of the cells, what a cell cannot give is short, and only the cells that the recipe names take it over. All arithmetic is
in integers and fractions; what does not divide goes to the largest remainders, ties to the smaller name.

A *cell* is a pool, a language and a domain. Languages are always apart: the rest (``*``) and a group (``en+zh``) are
shared out in proportion to what is there. Domains are apart only as far as a quota names them; otherwise a cell has the
domain ``*`` and its samples compete by rank alone. What is there is counted in tokens with the stage's beginning and end of text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final, NamedTuple

from headwater.errors import RecipeError, UsageError
from headwater.pipelines.recipe_sections import Stage, exact

__all__ = ["Cell", "Plan", "PlannedCell", "apportion", "solve", "stage_budget"]

_REST: Final = "*"


class Cell(NamedTuple):
    """Where a sample stands; ``*`` for what no quota tells apart."""

    pool: str
    language: str
    domain: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedCell:
    """One cell of a plan; all numbers are tokens.

    Attributes:
        available: what is there, each sample once.
        asked: the quota's share of the budget.
        given: of these, what the cell can give with its copies.
        received: what it gives besides, in place of cells that are short.
    """

    cell: Cell
    available: int
    asked: int
    given: int
    received: int = 0

    @property
    def target(self) -> int:
        """Tokens to choose."""
        return self.given + self.received

    @property
    def shortfall(self) -> int:
        """Tokens of its own share that it cannot give."""
        return self.asked - self.given


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What a stage takes.

    Attributes:
        stage: name of the stage.
        budget_tokens: what it asked for.
        cells: sorted by cell; a quota that nothing can meet has a cell of its own with nothing available.
        cell_of: cell of the lake → cell of the plan that its samples belong to.
        unplaced: tokens that no cell could give.
    """

    stage: str
    budget_tokens: int
    cells: tuple[PlannedCell, ...]
    cell_of: Mapping[Cell, Cell]
    unplaced: int

    @property
    def targets(self) -> dict[Cell, int]:
        """Cell of the plan → tokens to choose, for the cells that give any."""
        return {planned.cell: planned.target for planned in self.cells if planned.target}

    @property
    def shortfalls(self) -> dict[Cell, int]:
        """Cell of the plan → tokens of its own share that it cannot give, for the cells that are short."""
        return {planned.cell: planned.shortfall for planned in self.cells if planned.shortfall}


def stage_budget(stage: Stage, tokens: int) -> int:
    """Return the stage's budget in tokens.

    Args:
        stage: with a budget in tokens, which is returned, or in percent.
        tokens: what is there before any stage has chosen: all kept samples, each with the stage's beginning and end of text.
    """
    share = stage.budget_share
    return stage.budget_tokens or 0 if share is None else int(share * tokens)


def apportion(total: int, weights: Mapping[Cell, int | Fraction]) -> dict[Cell, int]:
    """Return ``total`` shared out in proportion to ``weights``, as whole numbers.

    By largest remainder, ties to the smaller cell; no part exceeds its exact share by one or more. Where no weight is
    positive, nothing is shared out.

    >>> a, b, c = (Cell("general", language, "*") for language in ("en", "fr", "zh"))
    >>> list(apportion(10, {a: 1, b: 1, c: 1}).values())
    [4, 3, 3]
    """
    whole = sum(weights.values())
    if whole <= 0:
        return {}
    ideal = {cell: Fraction(total) * weights[cell] / whole for cell in sorted(weights)}
    parts = {cell: int(share) for cell, share in ideal.items()}
    by_remainder = sorted(ideal, key=lambda cell: (parts[cell] - ideal[cell], cell))
    for cell in by_remainder[: total - sum(parts.values())]:
        parts[cell] += 1
    return parts


def solve(available: Mapping[Cell, int], stage: Stage, budget_tokens: int) -> Plan:
    """Return how many tokens the stage takes from each cell.

    Args:
        available: tokens that the stage may choose from, by pool, language and domain: without what earlier stages
            took.
        stage: its quotas were checked when it was made; its pools are known to its recipe.
        budget_tokens: see ``stage_budget``; more than is there is a shortfall, not an error.

    Raises:
        UsageError: a negative number.
        RecipeError: ``on_shortfall = "error"`` and tokens of the budget that no cell can give.
    """
    if budget_tokens < 0 or any(tokens < 0 for tokens in available.values()):
        raise UsageError("quotas: expected numbers of tokens that are not negative")
    cell_of = {cell: _planned_cell(cell, stage) for cell in sorted(available)}
    there: dict[Cell, int] = {}
    for cell, planned in cell_of.items():
        there[planned] = there.get(planned, 0) + available[cell]
    asked = _ask(there, stage, budget_tokens)
    cells = {}
    for cell in sorted({*there, *asked}):
        tokens, wanted = there.get(cell, 0), asked.get(cell, 0)
        given = min(wanted, tokens * stage.max_copies)
        cells[cell] = PlannedCell(cell=cell, available=tokens, asked=wanted, given=given)
    unplaced = _redistribute(cells, stage, budget_tokens - sum(planned.given for planned in cells.values()))
    plan = Plan(
        stage=stage.name,
        budget_tokens=budget_tokens,
        cells=tuple(cells[cell] for cell in sorted(cells)),
        cell_of=cell_of,
        unplaced=unplaced,
    )
    if unplaced and stage.on_shortfall == "error":
        raise RecipeError(_shortfall_message(plan))
    return plan


def _planned_cell(cell: Cell, stage: Stage) -> Cell:
    """Return the cell with the domain's group in place of its domain."""
    return cell._replace(domain=_group(cell.domain, stage.domains.get(cell.pool, {})))


def _group(name: str, quota: Mapping[str, float]) -> str:
    """Return the key of ``quota`` that ``name`` belongs to."""
    return next((group for group in quota if name in group.split("+")), _REST)


def _ask(there: Mapping[Cell, int], stage: Stage, budget_tokens: int) -> dict[Cell, int]:
    """Return the tokens asked of each cell; they sum to the budget.

    Shares multiply: pool, language group, domain group. They are rounded once, over all groups of the stage, and then
    within a group.
    """
    shares: dict[Cell, Fraction] = {}
    for pool, share in stage.shares.items():
        for language, of_pool in (stage.languages.get(pool) or {_REST: 1.0}).items():
            for domain, of_language in (stage.domains.get(pool) or {_REST: 1.0}).items():
                shares[Cell(pool, language, domain)] = exact(share) * exact(of_pool) * exact(of_language)
    members: dict[Cell, dict[Cell, int]] = {group: {} for group in shares}
    for cell, tokens in there.items():
        group = cell._replace(language=_group(cell.language, stage.languages.get(cell.pool, {})))
        if group in members:
            members[group][cell] = tokens
    asked: dict[Cell, int] = {}
    for group, tokens in apportion(budget_tokens, shares).items():
        asked |= apportion(tokens, members[group]) or ({group: tokens} if tokens else {})
    return asked


def _redistribute(cells: dict[Cell, PlannedCell], stage: Stage, short: int) -> int:
    """Let the cells that ``shortfall_to`` names take over ``short`` tokens, the first entry first; return what is left.

    An entry with several cells is shared out in proportion to what each still has.
    """
    for entry in stage.shortfall_to:
        matches = _matcher(entry)
        slack = {
            cell: planned.available * stage.max_copies - planned.target
            for cell, planned in cells.items()
            if matches(cell)
        }
        for cell, tokens in apportion(min(short, sum(slack.values())), slack).items():
            cells[cell] = replace(cells[cell], received=cells[cell].received + tokens)
            short -= tokens
    return short


def _matcher(entry: str) -> Callable[[Cell], bool]:
    pool, _, languages = entry.partition("/")
    listed = languages.split("+")
    return lambda cell: cell.pool == pool and (_REST in listed or cell.language in listed)


def _shortfall_message(plan: Plan) -> str:
    short = sorted(plan.shortfalls.items(), key=lambda item: (-item[1], item[0]))
    listed = ", ".join(f"{'/'.join(cell)} {tokens}" for cell, tokens in short[:5])
    return (
        f"stages ({plan.stage}): expected to find {plan.budget_tokens} tokens, {plan.unplaced} of them are not there "
        f"(short: {listed}); lower the budget or these shares, name other cells in shortfall_to, raise max_copies, "
        'or set on_shortfall = "report"'
    )
