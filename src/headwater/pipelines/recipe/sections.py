"""The sections of a recipe: one frozen dataclass a table, checked where it is made.

A section checks itself; what needs two sections (a share of a pool, a stage to repeat from) is checked in ``job``. Every message starts
with the key, and ``job.read_section`` puts the table before it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

from headwater.errors import RecipeError, one_line
from headwater.filters.duplicates.number_settings import (
    DEFAULT_NUMBERS,
    DENSE_TEXTS,
    FOLD,
    KEEP,
    NUMBER_TEXTS,
    with_new_names,
)
from headwater.filters.language.names import DEFAULT_MODEL, MODELS, check_tag
from headwater.filters.rules.predicates import nearest
from headwater.filters.rules.rule import LimitSetting
from headwater.filters.rules.rule_set import RuleSet, load_rules
from headwater.filters.scores.names import SCORES
from headwater.filters.spans.operators import OPERATORS
from headwater.pipelines.recipe.bounds import BUCKETS, EXPANSION_RATIO, NESTING, RECORD_BYTES
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
from headwater.tokenize.names import DEFAULT_VOCABULARY, FORMATS, STRATEGIES

__all__ = [
    "REST",
    "SELECTION_COLUMNS",
    "BuildSettings",
    "ContaminationSettings",
    "DeduplicateSettings",
    "IngestSettings",
    "LanguageSettings",
    "Pool",
    "RuleSettings",
    "SpanSettings",
    "Stage",
    "VocabularySettings",
]

SELECTION_COLUMNS: Final[dict[str, str]] = {
    **dict.fromkeys(["domain", "language", "source"], "VARCHAR"),
    **dict.fromkeys(SCORES, "INTEGER"),
    "n_tokens": "BIGINT",
    **dict.fromkeys(["contamination_overlap", "contamination_answered"], "FLOAT"),
}
"""Columns that ``where`` of a pool or a stage may read → DuckDB type, besides a recipe's own scores; scores are 0 to 65535, overlaps 0 to 1."""

REST: Final = "*"
"""Stands in a table of shares for all that it does not name."""
_SET: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")
"""What ``headwater benchmarks add`` may name a set."""
_PERCENT: Final = re.compile(r"\s*([0-9]{1,18}(?:\.[0-9]{1,18})?)\s*%\s*")
"""Of bounded length: Python refuses to read or write integers of thousands of digits."""
_LARGEST: Final = 2**63 - 1


@dataclass(frozen=True, kw_only=True, slots=True)
class IngestSettings:
    """What ingest refuses; a record beyond a limit becomes a row of ``quarantine``.

    Attributes:
        max_record_bytes: longest record, bytes after decompression.
        max_expansion_ratio: most bytes after decompression per byte of a compressed file.
        max_nesting: deepest JSON, levels.
    """

    max_record_bytes: int = 16_777_216
    max_expansion_ratio: int = 200
    max_nesting: int = 64

    def __post_init__(self) -> None:
        check_whole("max_record_bytes", self.max_record_bytes, *RECORD_BYTES)
        check_whole("max_expansion_ratio", self.max_expansion_ratio, *EXPANSION_RATIO)
        check_whole("max_nesting", self.max_nesting, *NESTING)


@dataclass(frozen=True, kw_only=True, slots=True)
class LanguageSettings:
    """How the language of a document is identified.

    Attributes:
        model: the classifier that reads whole documents, of ``headwater.filters.language.names.MODELS``; Headwater's own model reads those
            that it leaves open.
    """

    model: str = DEFAULT_MODEL

    def __post_init__(self) -> None:
        check_one_of("model", self.model, list(MODELS))


@dataclass(frozen=True, kw_only=True, slots=True)
class SpanSettings:
    """Which operators mark bytes that a build leaves out or masks; none by default."""

    operators: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if check_texts("operators", self.operators):
            for name in self.operators:
                check_one_of("operators", name, list(OPERATORS))


@dataclass(frozen=True, kw_only=True, slots=True)
class ContaminationSettings:
    """Which evaluation sets are looked for in the texts; see ``headwater.filters.contamination.find``.

    Attributes:
        sets: names of sets of the lake, or ``*`` for all that it has; none by default, and then nothing is looked for.
        ngram_words: words of an n-gram.
        least_overlap: least share of a question or answer that is recorded.
        answer_words: how far from a question its short answers are looked for, words.
    """

    sets: tuple[str, ...] = ()
    ngram_words: int = 13
    least_overlap: float = 0.1
    answer_words: int = 100

    def __post_init__(self) -> None:
        check_texts("sets", self.sets)
        for name in self.sets:
            if name != "*" and not _SET.fullmatch(name):
                raise RecipeError(
                    f"sets: expected '*' or the name of an evaluation set, of a-z, 0-9, _, . and -, found {name!r}"
                )
        check_whole("ngram_words", self.ngram_words, 5, 64)
        check_number(self, "least_overlap", 0.01, 1.0)
        check_whole("answer_words", self.answer_words, 1, 10_000)


@dataclass(frozen=True, kw_only=True, slots=True)
class DeduplicateSettings:
    """When two samples are near-duplicates.

    Attributes:
        min_similarity: least share of equal signature values, of a pair and of a loser with its winner.
        alarm_source_loss: share of a source's samples whose removal raises the alarm.
        numbers: ``keep`` or ``fold`` for each of ``number_settings.NUMBER_TEXTS``: what near comparison does with digits. In a recipe one word may
            stand for all of them, and ``default`` for those that a table does not name.
    """

    min_similarity: float = 0.75
    alarm_source_loss: float = 0.5
    numbers: Mapping[str, str] = field(default_factory=lambda: dict(DEFAULT_NUMBERS))

    def __post_init__(self) -> None:
        check_number(self, "min_similarity", 0.0, 1.0)
        check_number(self, "alarm_source_loss", 0.0, 1.0)
        object.__setattr__(self, "numbers", self._all_numbers())

    @property
    def numbers_by_kind(self) -> bool:
        """Whether a text's kind has a say in what near comparison does with its digits."""
        return len({value for name, value in self.numbers.items() if name != DENSE_TEXTS}) > 1

    def _all_numbers(self) -> dict[str, str]:
        """Return the setting of each kind of text, so that a setting left out and the same spelled out are one identity."""
        table: object = self.numbers
        if isinstance(table, str):
            check_one_of("numbers", table, (KEEP, FOLD))
            return dict.fromkeys(NUMBER_TEXTS, table)
        if not isinstance(table, Mapping):
            raise RecipeError(f"numbers: expected keep, fold or a table of them by kind of text, found {table!r}")
        table = with_new_names(table)
        for name, value in table.items():
            check_one_of("numbers", name, (*NUMBER_TEXTS, "default"))
            check_one_of(f"numbers.{name}", value, (KEEP, FOLD))
        default = table.get("default")
        return {name: str(table.get(name, default or DEFAULT_NUMBERS[name])) for name in NUMBER_TEXTS}


@dataclass(frozen=True, kw_only=True, slots=True)
class VocabularySettings:
    """Which vocabulary cuts text into tokens."""

    name: str = DEFAULT_VOCABULARY

    def __post_init__(self) -> None:
        check_text("name", self.name)


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleSettings:
    """Which rules decide; see ``headwater.filters.rules.rule_set.load_rules``.

    Attributes:
        sets: rule sets, in the order of their reasons.
        limits: rule → a number for every language, or a table of languages and ``default`` that changes only these.
        exempt: rule → domains that it does not apply to, instead of its own.
        own: rules of the recipe's own, which come after the sets': tables of name, passes, limits, description and exempt_domains.
    """

    sets: tuple[str, ...] = ("default",)
    limits: Mapping[str, LimitSetting] = field(default_factory=dict)
    exempt: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    own: tuple[Mapping[str, object], ...] = ()

    def __post_init__(self) -> None:
        check_texts("sets", self.sets)
        check_table("limits", self.limits)
        check_table("exempt", self.exempt)
        if not isinstance(self.own, tuple):
            raise RecipeError(f"own: expected tables [[rules.own]], found {self.own!r}")
        if not self.own:
            self.load()

    def load(self, own_scores: Sequence[str] = ()) -> RuleSet:
        """Return the rules with these limits.

        Args:
            own_scores: a team's own scores, which rules of the recipe's own may read.
        """
        return load_rules(self.sets, self.limits, self.exempt, self.own, own_scores)


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
            check_whole("budget_tokens", self.budget_tokens, 1, _LARGEST)
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


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildSettings:
    """How shards are written.

    Attributes:
        seed: of the order of sequences.
        shard_tokens: about the most tokens of a shard: a stage has as many shards as the smallest power of two that keeps to it, and samples
            are spread over them by hash.
        formats: of ``headwater.tokenize.names.FORMATS``; all hold the same sequences in the same order.
    """

    seed: int = 0
    shard_tokens: int = 67_108_864
    formats: tuple[str, ...] = ("megatron", "npy")

    def __post_init__(self) -> None:
        check_whole("seed", self.seed, 0, _LARGEST)
        check_whole("shard_tokens", self.shard_tokens, 2, 2**40)
        if not check_texts("formats", self.formats):
            raise RecipeError(f"formats: expected at least one of {', '.join(FORMATS)}")
        for name in self.formats:
            check_one_of("formats", name, FORMATS)
