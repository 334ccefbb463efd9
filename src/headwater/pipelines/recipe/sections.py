"""The sections of a recipe: one frozen dataclass a table, checked where it is made.

A section checks itself; what needs two sections (a share of a pool, a stage to repeat from) is checked in ``job``. Every message starts
with the key, and ``job.read_section`` puts the table before it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from headwater.errors import RecipeError
from headwater.filters.duplicates.number_settings import (
    DEFAULT_NUMBERS,
    DENSE_TEXTS,
    FOLD,
    KEEP,
    NUMBER_TEXTS,
    with_new_names,
)
from headwater.filters.language.names import DEFAULT_MODEL, MODELS
from headwater.filters.personal.types import ACTIONS, PERSONAL_TYPES, SECRET_TYPES
from headwater.filters.rules.rule import LimitSetting
from headwater.filters.rules.rule_set import RuleSet, load_rules
from headwater.filters.spans.operators import OPERATORS
from headwater.filters.spans.policy import policy_of
from headwater.pipelines.recipe.bounds import EXPANSION_RATIO, HTTP_STATUS, LARGEST, NESTING, RECORD_BYTES
from headwater.pipelines.recipe.checks import (
    check_flag,
    check_number,
    check_one_of,
    check_table,
    check_text,
    check_texts,
    check_whole,
)
from headwater.tokenize.names import DEFAULT_VOCABULARY, FORMATS

__all__ = [
    "BuildSettings",
    "ContaminationSettings",
    "DeduplicateSettings",
    "IngestSettings",
    "LanguageSettings",
    "RuleSettings",
    "SpanSettings",
    "VocabularySettings",
]

OLDER_CAPTURE: Final = {
    "name": "older_capture",
    "passes": "older_capture = 0",
    "source": "the recipe's newest_capture",
    "description": "a newer capture of the same URL is in the lake",
}
"""The rule of ``newest_capture``."""
_SET: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")
"""What ``headwater benchmarks add`` may name a set."""
_KIND: Final = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}")
"""A kind of media, RFC 6838 section 4.2."""


@dataclass(frozen=True, kw_only=True, slots=True)
class IngestSettings:
    """What ingest refuses; a record beyond a limit becomes a row of ``quarantine``.

    Attributes:
        max_record_bytes: longest record, bytes after decompression.
        max_expansion_ratio: most bytes after decompression per byte of a compressed file.
        max_nesting: deepest JSON, levels.
        web_statuses: HTTP statuses of responses whose pages are taken from web archives; others are counted.
        web_kinds: kinds of media of pages that are taken from web archives, in small letters; others are counted.
        web_metadata: whether the title and description of each page of a WAT file become a sample.
    """

    max_record_bytes: int = 16_777_216
    max_expansion_ratio: int = 200
    max_nesting: int = 64
    web_statuses: tuple[int, ...] = (200,)
    web_kinds: tuple[str, ...] = ("text/html", "application/xhtml+xml", "text/plain")
    web_metadata: bool = False

    def __post_init__(self) -> None:
        check_whole("max_record_bytes", self.max_record_bytes, *RECORD_BYTES)
        check_whole("max_expansion_ratio", self.max_expansion_ratio, *EXPANSION_RATIO)
        check_whole("max_nesting", self.max_nesting, *NESTING)
        self._check_web()

    def _check_web(self) -> None:
        check_flag("web_metadata", self.web_metadata)
        statuses: object = self.web_statuses
        if not isinstance(statuses, tuple) or not statuses:
            raise RecipeError(f"web_statuses: expected a list of HTTP statuses, found {self.web_statuses!r}")
        for status in self.web_statuses:
            check_whole("web_statuses", status, *HTTP_STATUS)
        if len(set(self.web_statuses)) != len(self.web_statuses):
            raise RecipeError(f"web_statuses: expected no status twice, found {list(self.web_statuses)!r}")
        if not check_texts("web_kinds", self.web_kinds):
            raise RecipeError("web_kinds: expected at least one kind of media, such as text/html")
        for kind in self.web_kinds:
            if not _KIND.fullmatch(kind):
                raise RecipeError(
                    f"web_kinds: expected a kind of media in small letters, such as text/html, found {kind!r}"
                )


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
    """Which bytes a build leaves out or masks; none by default.

    Attributes:
        operators: what marks them, of ``headwater.filters.spans.operators``.
        personal: type of personal data → ``keep``, ``mask`` or ``drop``; None: none is looked for. A table looks for all types; those
            that it does not name have their default action.
        secrets: the same of secrets.
    """

    operators: tuple[str, ...] = ()
    personal: Mapping[str, str] | None = None
    secrets: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        if check_texts("operators", self.operators):
            for name in self.operators:
                check_one_of("operators", name, list(OPERATORS))
        for key, types in (("personal", PERSONAL_TYPES), ("secrets", SECRET_TYPES)):
            table = getattr(self, key)
            if table is not None:
                for name, action in check_table(key, table).items():
                    check_one_of(key, name, list(types))
                    check_one_of(f"{key}.{name}", action, ACTIONS)
                object.__setattr__(self, key, {**types, **table})

    @property
    def policy(self) -> dict[str, str]:
        """Operator of spans whose action the recipe gives → the action; empty where neither personal data nor secrets are looked for."""
        if self.personal is None and self.secrets is None:
            return {}
        return policy_of({"personal": self.personal, "secrets": self.secrets})


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
        newest_capture: whether of several captures of one URL only the newest passes; see ``headwater.pipelines.deduplicate.recaptures``.
        own: rules of the recipe's own, which come after the sets': tables of name, passes, limits, description and exempt_domains.
    """

    sets: tuple[str, ...] = ("default",)
    limits: Mapping[str, LimitSetting] = field(default_factory=dict)
    exempt: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    newest_capture: bool = False
    own: tuple[Mapping[str, object], ...] = ()

    def __post_init__(self) -> None:
        check_texts("sets", self.sets)
        check_table("limits", self.limits)
        check_table("exempt", self.exempt)
        check_flag("newest_capture", self.newest_capture)
        if not isinstance(self.own, tuple):
            raise RecipeError(f"own: expected tables [[rules.own]], found {self.own!r}")
        if not self.own:
            self.load()

    def load(self, own_scores: Sequence[str] = (), listed: Sequence[Mapping[str, object]] = ()) -> RuleSet:
        """Return the rules with these limits.

        Args:
            own_scores: a team's own scores, which rules of the recipe's own may read.
            listed: the rules of block lists.
        """
        first = [*([OLDER_CAPTURE] if self.newest_capture else []), *listed]
        return load_rules(self.sets, self.limits, self.exempt, self.own, own_scores, first)


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
        check_whole("seed", self.seed, 0, LARGEST)
        check_whole("shard_tokens", self.shard_tokens, 2, 2**40)
        if not check_texts("formats", self.formats):
            raise RecipeError(f"formats: expected at least one of {', '.join(FORMATS)}")
        for name in self.formats:
            check_one_of("formats", name, FORMATS)
