"""What the recipe of a past selection asked of each stage, read from the literals that its run recorded.

A lake may come from a stranger and its runs from an earlier release: a key that the recipe of an earlier release has not is its default, every
condition is checked as a recipe's is before a query may hold it, and everything else reaches DuckDB as a parameter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from headwater.errors import CorruptLakeError, RecipeError
from headwater.filters.rules.predicates import check_predicate, opened_once
from headwater.lineage.past_runs import PastRun
from headwater.plain import ValuesByName

__all__ = ["StageAsked", "stages_asked"]

Quotas = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, kw_only=True, slots=True)
class StageAsked:
    """A stage of a past selection.

    Attributes:
        choose: when it chose, 1 first.
        before: the stages that chose before it and whose samples it may not have.
        special_tokens: tokens that a document takes besides its own.
        budget: share of what the lake had; None where ``budget_tokens`` says it.
        shares: pool → share of the budget.
        languages: pool → language, several joined by +, or * for the rest → share of the pool.
        domains: the same for domains.
        where: checked SQL over the columns that recipes select by.
        pool: the same: an expression that gives the name of a sample's pool.
    """

    name: str
    order_by: str
    context: int
    choose: int
    before: tuple[str, ...]
    special_tokens: int
    budget: Fraction | None
    budget_tokens: int
    full_sequences: bool
    shares: Mapping[str, float]
    languages: Quotas
    domains: Quotas
    where: str
    pool: str


def stages_asked(run: PastRun, columns: Mapping[str, str]) -> list[StageAsked]:
    """Return the stages of a selection in the order of training.

    Args:
        columns: name → DuckDB type of the columns that a condition may read.

    Raises:
        CorruptLakeError: the run records a recipe that is none.
    """
    try:
        stages = [(number, stage) for number, stage in enumerate(run.recipe["stages"], start=1)]
        pool = _pool_sql(run.recipe["pools"], columns)
        return [_asked(stage, number, [each for _, each in stages], pool, columns) for number, stage in stages]
    except (AttributeError, KeyError, RecipeError, TypeError, ValueError) as error:
        raise CorruptLakeError(
            f"expected the recipe of the selection in run {run.run_id}, found one that this release does not read ({error}); "
            "headwater runs LAKE --run ID --output json shows it"
        ) from error


def _asked(
    stage: ValuesByName, number: int, stages: Sequence[ValuesByName], pool: str, columns: Mapping[str, str]
) -> StageAsked:
    budget, order_by = stage.get("budget"), str(stage["order_by"])
    if columns.get(order_by) != "INTEGER":
        raise ValueError(f"order_by: {order_by!r} is no score")
    where = str(stage.get("where", "TRUE"))
    check_predicate(where, columns, f"stages ({stage['name']}): where")
    choose = int(stage.get("choose", number))
    earlier = {str(each["name"]) for at, each in enumerate(stages, start=1) if int(each.get("choose", at)) < choose}
    return StageAsked(
        name=str(stage["name"]),
        order_by=order_by,
        context=int(stage["context"]),
        choose=choose,
        before=tuple(sorted(earlier - set(stage.get("repeat_from", ())))),
        special_tokens=int(stage.get("beginning_of_text", False)) + int(stage.get("end_of_text", True)),
        budget=None if budget is None else Fraction(str(budget).rstrip(" %")) / 100,
        budget_tokens=int(stage.get("budget_tokens") or 0),
        full_sequences=stage.get("full_sequences") is not None,
        shares={str(name): float(share) for name, share in stage.get("shares", {}).items()},
        languages=_quotas(stage.get("languages", {})),
        domains=_quotas(stage.get("domains", {})),
        where=where,
        pool=pool,
    )


def _quotas(quotas: ValuesByName) -> dict[str, dict[str, float]]:
    return {
        str(pool): {str(name): float(share) for name, share in shares.items()}
        for pool, shares in quotas.items()
        if shares
    }


def _pool_sql(pools: Sequence[ValuesByName], columns: Mapping[str, str]) -> str:
    """Return the expression of a sample's pool: the first whose condition holds."""
    cases = []
    with opened_once() as connection:
        for pool in pools:
            check_predicate(str(pool["where"]), columns, f"pools ({pool['name']}): where", connection)
            name = str(pool["name"]).replace("'", "''")
            cases.append(f"WHEN ({pool['where']}) THEN '{name}'")
    return f"CASE {' '.join(cases)} END"
