"""Pools and stages of a recipe: what a lake is parted into, and what each stage of training takes of it; checked as ``sections`` are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

from headwater.errors import RecipeError, one_line
from headwater.filters.language.names import check_tag
from headwater.filters.rules.predicates import nearest
from headwater.filters.scores.names import SCORES
from headwater.pipelines.recipe.bounds import BUCKETS, LARGEST
from headwater.pipelines.recipe.checks import (
    check_domain,
    check_flag,
    check_name,
    check_number,
    check_one_of,
    check_table,
    check_text,
    check_texts,
    check_whole,
)
from headwater.pipelines.recipe.shares import read_quota
from headwater.tokenize.names import STRATEGIES

__all__ = ["HOST_COLUMNS", "REST", "SELECTION_COLUMNS", "Pool", "Stage"]

HOST_COLUMNS: Final = ("host", "registered_domain")
"""Columns that are made of a sample's URL where a recipe reads them, so that lakes of before family ``captures`` have them too."""
SELECTION_COLUMNS: Final[dict[str, str]] = {
    **dict.fromkeys(["domain", "language", "source", *HOST_COLUMNS], "VARCHAR"),
    **dict.fromkeys(SCORES, "INTEGER"),
    "n_tokens": "BIGINT",
    **dict.fromkeys(["contamination_overlap", "contamination_answered"], "FLOAT"),
}
"""Columns that ``where`` of a pool or a stage may read → DuckDB type, besides a recipe's own scores; scores are 0 to 65535, overlaps 0 to 1."""

REST: Final = "*"
"""Stands in a table of shares for all that it does not name."""
_PERCENT: Final = re.compile(r"\s*([0-9]{1,18}(?:\.[0-9]{1,18})?)\s*%\s*")
"""Of bounded length: Python refuses to read or write integers of thousands of digits."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pool:
    """A part of the lake: the kept samples for which ``where`` is true and no earlier pool's is."""

    name: str
    where: str

    def __post_init__(self) -> None:
        check_name("name", self.name)
        check_text("where", self.where)


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """One stage of training: what it takes from the pools.

    Attributes:
        name: the stage's folder in a build.
        context: length of a sequence, tokens.
        order_by: score by which samples are chosen, highest first.
        shares: pool → share of the budget; they sum to 1.
        budget: percent of what the lake has, "46 %"; see ``quotas.stage_budget``. Exactly one of it and ``budget_tokens``.
        budget_tokens: the same in tokens, beginnings and ends of text included.
        choose: when the stage chooses, 1 first; the order of the stages in the recipe is that of training.
        where: SQL that a sample must pass besides.
        languages: pool → language, several joined by +, or * for the rest → share of the pool; they sum to 1.
        domains: pool → the same for domains, as a share of every language of the pool.
        max_copies: most copies of one sample.
        packing: how documents fill sequences; see ``headwater.tokenize.pack.strategies``.
        beginning_of_text: whether each document begins with the vocabulary's beginning of text.
        end_of_text: whether each document ends in the vocabulary's end of text.
        buckets: packing buckets, which are its shards, a power of two; None: the smallest that keeps to ``shard_tokens``.
        full_sequences: share of the stage's sequences that one document should fill, which is at least as long as the context or cut to it;
            not with ``concatenate``, which cuts documents anywhere. None asks for nothing.
        shortfall_to: cells, "pool/language" or "pool/*", that take over what others cannot give, in this order.
        on_shortfall: what becomes of tokens that no cell can give.
        repeat_from: stages, chosen earlier, whose samples this one may choose again.
    """

    name: str
    context: int
    order_by: str
    shares: Mapping[str, float]
    budget: str | None = None
    budget_tokens: int | None = None
    choose: int = 1
    where: str = "TRUE"
    languages: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    domains: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    max_copies: int = 1
    packing: str = "concatenate"
    beginning_of_text: bool = False
    end_of_text: bool = True
    buckets: int | None = None
    full_sequences: float | None = None
    shortfall_to: tuple[str, ...] = ()
    on_shortfall: str = "report"
    repeat_from: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_name("name", self.name)
        check_whole("context", self.context, 2, 2**24)
        check_text("order_by", self.order_by)  # which scores there are, the whole recipe knows
        self._check_budget()
        check_whole("choose", self.choose, 1, 1000)
        check_text("where", self.where)
        object.__setattr__(self, "shares", read_quota("shares", self.shares))
        for key in ("languages", "domains"):
            object.__setattr__(self, key, self._quotas(key, getattr(self, key)))
        check_whole("max_copies", self.max_copies, 1, 1000)
        check_one_of("packing", self.packing, STRATEGIES)
        check_flag("beginning_of_text", self.beginning_of_text)
        check_flag("end_of_text", self.end_of_text)
        if self.buckets is not None:
            check_whole("buckets", self.buckets, *BUCKETS)
            if self.buckets & (self.buckets - 1):
                raise RecipeError(f"buckets: expected a power of two, found {self.buckets}")
        if self.full_sequences is not None:
            check_number(self, "full_sequences", 0.0, 1.0)
            if self.packing == "concatenate":
                raise RecipeError(
                    'full_sequences: expected packing = "best_fit", which gives a long document sequences of its own, '
                    'found "concatenate", which cuts documents wherever a sequence ends'
                )
        check_one_of("on_shortfall", self.on_shortfall, ["report", "error"])
        check_texts("repeat_from", self.repeat_from)
        check_texts("shortfall_to", self.shortfall_to)
        for cell in self.shortfall_to:
            if not all(cell.partition("/")):
                raise RecipeError(f"shortfall_to: expected cells such as 'general/en' or 'general/*', found {cell!r}")
            if (language := cell.partition("/")[2]) != REST:
                check_tag(language, "shortfall_to")

    @property
    def special_tokens(self) -> int:
        """Tokens that a document takes besides its own: beginning and end of text, as far as the stage has them."""
        return int(self.beginning_of_text) + int(self.end_of_text)

    @property
    def budget_share(self) -> Fraction | None:
        """``budget`` as a fraction; None where the budget is in tokens."""
        return None if self.budget is None else Fraction(self.budget.rstrip(" %")) / 100

    def _check_budget(self) -> None:
        if (self.budget is None) == (self.budget_tokens is None):
            raise RecipeError('budget: expected one of budget = "40 %" and budget_tokens, found both or neither')
        if self.budget_tokens is not None:
            check_whole("budget_tokens", self.budget_tokens, 1, LARGEST)
            return
        match = _PERCENT.fullmatch(self.budget) if isinstance(self.budget, str) else None
        if match is None or Fraction(match[1]) == 0:
            raise RecipeError(
                f'budget: expected a percentage above 0 such as "40 %", found {one_line(repr(self.budget), 60)}'
            )
        object.__setattr__(self, "budget", f"{match[1]} %")

    def _quotas(self, key: str, quotas: object) -> dict[str, dict[str, float]]:
        """Return pool → quota; a quota that is not given by pool holds for every pool of the stage."""
        table = check_table(key, quotas)
        nested = [isinstance(value, Mapping) for value in table.values()]
        if not any(nested):
            quota = self._quota_of(key, key, table) if table else {}
            return {pool: dict(quota) for pool in self.shares} if quota else {}
        if not all(nested):
            raise RecipeError(f"{key}: expected shares for all pools or one table of shares a pool, found a mixture")
        for pool in table:
            if pool not in self.shares:
                raise RecipeError(f"{key}: no share for the pool {pool!r}; {nearest(pool, self.shares)}")
        return {pool: self._quota_of(key, f"{key}.{pool}", quota) for pool, quota in table.items()}

    def _quota_of(self, kind: str, key: str, quota: object) -> dict[str, float]:
        """Return a quota whose members are languages or domains that a document can have."""
        shares = read_quota(key, quota)
        for name in [member for group in shares if group != REST for member in group.split("+")]:
            if kind == "languages":
                check_tag(name, key)
            else:
                check_domain(key, name)
        return shares
