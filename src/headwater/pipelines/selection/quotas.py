"""Quota arithmetic: how many tokens a stage takes from each cell.

Pure, exact, the same whatever the order of its input. The order is quotas, caps, budget: shares of the budget are asked
of the cells, what a cell cannot give is short, and only the cells that the recipe names take it over. All arithmetic is
in integers and fractions; what does not divide goes to the largest remainders, ties to the smaller name.

A *cell* is a pool, a language and a domain. Languages are always apart: the rest (``*``) and a group (``en+zh``) are
shared out in proportion to what is available. Domains are apart only as far as a quota names them; otherwise a cell has the
domain ``*`` and its samples compete by rank alone. What is available is counted in tokens with the stage's beginning and end of text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final, NamedTuple

from headwater.errors import RecipeError, UsageError
from headwater.pipelines.recipe.shares import exact
from headwater.pipelines.recipe.stages import Stage

__all__ = [
    "Cell",
    "LongPlan",
    "LongSamples",
    "Plan",
    "PlannedCell",
    "apportion",
    "ask_full_sequences",
    "planned_cell",
    "solve",
    "stage_budget",
]

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
        available: what is available, each sample once.
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
        tokens: what is available before any stage has chosen: all kept samples, each with the stage's beginning and end of text.
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
    cell_of = {cell: planned_cell(cell, stage) for cell in sorted(available)}
    there: dict[Cell, int] = {}
    for cell, planned in cell_of.items():
        there[planned] = there.get(planned, 0) + available[cell]
    asked = _ask(there, stage, budget_tokens)
    cells = {}
    for cell in sorted({*there, *asked}):
        tokens, wanted = there.get(cell, 0), asked.get(cell, 0)
        given = min(wanted, tokens * stage.max_copies)
        cells[cell] = PlannedCell(cell=cell, available=tokens, asked=wanted, given=given)
    slack = {cell: planned.available * stage.max_copies - planned.given for cell, planned in cells.items()}
    short = budget_tokens - sum(planned.given for planned in cells.values())
    received, unplaced = _redistribute(slack, stage, short)
    cells = {cell: replace(planned, received=received.get(cell, 0)) for cell, planned in cells.items()}
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


def planned_cell(cell: Cell, stage: Stage) -> Cell:
    """Return the cell of the plan that a cell of the lake belongs to: the domain's group in place of its domain."""
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


def _redistribute(slack: Mapping[Cell, int], stage: Stage, short: int) -> tuple[dict[Cell, int], int]:
    """Let the cells that ``shortfall_to`` names take over what is short, the first entry first.

    An entry with several cells is shared out in proportion to what each still has.

    Args:
        slack: what each cell can still give.
        short: tokens, or whatever the slack counts.

    Returns:
        Cell → what it takes over, and what is left.
    """
    received: dict[Cell, int] = {}
    for entry in stage.shortfall_to:
        matches = _matcher(entry)
        rest = {cell: left - received.get(cell, 0) for cell, left in slack.items() if matches(cell)}
        for cell, number in apportion(min(short, sum(rest.values())), rest).items():
            received[cell] = received.get(cell, 0) + number
            short -= number
    return received, short


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


@dataclass(frozen=True, kw_only=True, slots=True)
class LongSamples:
    """The samples of a cell that are at least as long as the context: how many, their tokens, the sequences that they fill."""

    documents: int = 0
    tokens: int = 0
    sequences: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class LongPlan:
    """What a stage asks of long samples.

    Attributes:
        asked: sequences that one sample each should fill.
        cells: cell of the plan → the sequences that it should have.
        unplaced: sequences that no cell can have.
    """

    asked: int
    cells: Mapping[Cell, int]
    unplaced: int


_MORE_SEQUENCES: Final = Fraction(33, 32)
"""Sequences for each that the targets fill: padding and the documents that cross a target make more of them."""


def ask_full_sequences(plan: Plan, stage: Stage, there: Mapping[Cell, LongSamples]) -> LongPlan:
    """Return how many full sequences each cell of a plan should have; its tokens stay what they are.

    Asked in proportion to the cells' tokens. A cell has at most the sequences that its long samples fill within its tokens (where not all
    of them fit, by their mean); what is short goes to the cells of ``shortfall_to``, as tokens do.

    Args:
        stage: with ``full_sequences``.
        there: cell of the plan → its long samples.

    Raises:
        RecipeError: ``on_shortfall = "error"`` and sequences that no cell can have.
    """
    targets = plan.targets
    sequences = -(-sum(targets.values()) * _MORE_SEQUENCES // stage.context)
    asked = int(-(-exact(stage.full_sequences or 0.0) * sequences // 1))
    room = {}
    for planned in plan.cells:
        if planned.cell not in targets:
            continue
        long = there.get(planned.cell, LongSamples())
        rounds = min(planned.target // planned.available, stage.max_copies) if planned.available else 0
        rest = planned.target - rounds * planned.available
        once = long.sequences if long.tokens <= rest else rest * long.sequences // long.tokens
        room[planned.cell] = rounds * long.sequences + (once if rounds < stage.max_copies else 0)
    cells = {cell: min(number, room[cell]) for cell, number in apportion(asked, targets).items()}
    slack = {cell: number - cells.get(cell, 0) for cell, number in room.items()}
    received, unplaced = _redistribute(slack, stage, asked - sum(cells.values()))
    if unplaced and stage.on_shortfall == "error":
        raise RecipeError(
            f"stages ({stage.name}): full_sequences: expected samples for {asked} sequences of {stage.context} tokens, {unplaced} of them are "
            'not there; lower full_sequences or set on_shortfall = "report"'
        )
    return LongPlan(
        asked=asked,
        cells={cell: number for cell in room if (number := cells.get(cell, 0) + received.get(cell, 0))},
        unplaced=unplaced,
    )
