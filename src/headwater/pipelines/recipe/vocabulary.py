"""A recipe of a vocabulary: which part of a lake trains it, and what its tokens must meet.

A TOML file of its own, with one table for the sample and one for the training; its literals are its identity, as a job recipe's are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from headwater.errors import RecipeError, one_line
from headwater.filters.language.names import check_tag
from headwater.filters.rules.predicates import check_predicate
from headwater.fingerprint import fingerprint
from headwater.pipelines.recipe.checks import (
    check_domain,
    check_format,
    check_name,
    check_number,
    check_table,
    check_text,
    check_whole,
)
from headwater.pipelines.recipe.job import check_keys, plain_literals, read_section, read_toml
from headwater.pipelines.recipe.shares import check_total, read_shares, sum_exactly
from headwater.pipelines.recipe.stages import HOST_COLUMNS, REST, SELECTION_COLUMNS
from headwater.plain import JsonObject, ValuesByName
from headwater.tokenize.names import MAX_DOCUMENTS, MAX_SOURCES, WEIGHT_UNIT

__all__ = [
    "FORMAT",
    "SAMPLE_COLUMNS",
    "SampleSettings",
    "VocabularyRecipe",
    "VocabularyTraining",
    "load_vocabulary_recipe",
    "parse_vocabulary_recipe",
]

FORMAT: Final = 1
"""Version of the recipe file; readers accept exactly this one."""
SAMPLE_COLUMNS: Final[dict[str, str]] = {
    **{name: kind for name, kind in SELECTION_COLUMNS.items() if name not in HOST_COLUMNS},
    "kept": "BOOLEAN",
}
"""Columns that ``where`` may read → DuckDB type."""
_MAX_WEIGHT: Final = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleSettings:
    """Which documents train, and how much of each.

    Attributes:
        text_bytes: UTF-8 bytes of text in all.
        temperature: T: a language's share is proportional to its bytes to the power 1/T; 1 takes languages as they are there, a large T evenly.
        languages: language → its share of all bytes, instead of the share by temperature; the others divide the rest.
        domains: domain, or * for all others → share of every language's bytes; they sum to 1. Without it domains are taken as they are there.
        max_document_bytes: most bytes taken of one document, from its beginning.
        where: SQL over ``SAMPLE_COLUMNS``; None takes what was kept where the lake has verdicts, and everything where it has none.
        seed: of the choice among the documents of a language and domain.
    """

    text_bytes: int = 400_000_000
    temperature: float = 3.0
    languages: Mapping[str, float] = field(default_factory=dict)
    domains: Mapping[str, float] = field(default_factory=dict)
    max_document_bytes: int = 65_536
    where: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        check_whole("text_bytes", self.text_bytes, 1, 2**40)
        check_number(self, "temperature", 1, 1000)
        for key in ("languages", "domains"):
            object.__setattr__(self, key, read_shares(key, getattr(self, key)))
        if REST in self.languages:
            raise RecipeError("languages: expected names of languages, found '*': the others are chosen by temperature")
        for language in self.languages:
            check_tag(language, "languages")
        for domain in self.domains:
            if domain != REST:
                check_domain("domains", domain)
        if (total := sum_exactly(self.languages.values())) > 1:
            raise RecipeError(f"languages: expected shares of at most 1 in sum, found {float(total):g}")
        if self.domains:
            check_total("domains", self.domains.values())
        check_whole("max_document_bytes", self.max_document_bytes, 16, 2**24)
        check_whole("seed", self.seed, 0, 2**63 - 1)
        if self.where is not None:
            check_text("where", self.where)
            check_predicate(self.where, SAMPLE_COLUMNS, "where")


@dataclass(frozen=True, kw_only=True, slots=True)
class VocabularyTraining:
    """What is learned from the sample.

    Attributes:
        n_ids: ordinary ids of the vocabulary, the bytes and a base's among them.
        min_sources: how many sources a token must occur in, at least.
        min_documents: how many documents a token must occur in, at least.
        max_characters: longest token.
        max_pieces: most different pieces of text that the driver holds; of more, the rarest are left out.
        weights: language, or * for all others → how much its text counts; 1 where nothing is said. The share of a language in the sample
            says how much of it is read, its weight how much of the vocabulary it is worth.
    """

    n_ids: int = 156_892
    min_sources: int = 3
    min_documents: int = 50
    max_characters: int = 16
    max_pieces: int = 16_000_000
    weights: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_whole("n_ids", self.n_ids, 257, 2**24)
        check_whole("min_sources", self.min_sources, 1, MAX_SOURCES)
        check_whole("min_documents", self.min_documents, 1, MAX_DOCUMENTS)
        check_whole("max_characters", self.max_characters, 2, 64)
        check_whole("max_pieces", self.max_pieces, 1000, 2**31 - 1)
        weights: dict[str, float] = {}
        for name, weight in check_table("weights", self.weights).items():
            if (
                isinstance(weight, bool)
                or not isinstance(weight, int | float)
                or not 1 / WEIGHT_UNIT <= weight <= _MAX_WEIGHT
            ):
                raise RecipeError(
                    f"weights: expected a number from 1/{WEIGHT_UNIT}, the step that weights are rounded to, to {_MAX_WEIGHT} for {name!r}, "
                    f"found {weight!r}"
                )
            if name != REST:
                check_tag(name, "weights")
            weights[name] = float(weight)
        object.__setattr__(self, "weights", weights)


@dataclass(frozen=True, kw_only=True, slots=True)
class VocabularyRecipe:
    """How a vocabulary is trained from a lake, or extended.

    Attributes:
        name: what the recipe is called; the vocabulary has a name of its own.
    """

    name: str
    sample: SampleSettings = field(default_factory=SampleSettings)
    training: VocabularyTraining = field(default_factory=VocabularyTraining)
    format: int = FORMAT

    def __post_init__(self) -> None:
        check_format(self.format, FORMAT)
        check_name("name", self.name)

    @property
    def literals(self) -> JsonObject:
        """Every setting, defaults written out, in the shape of the file: ``parse_vocabulary_recipe`` gives the same recipe back."""
        literals: JsonObject = plain_literals(self)
        return literals

    @property
    def fingerprint(self) -> str:
        """32 hexadecimal digits: ``fingerprint`` of ``literals``."""
        return fingerprint(self.literals)


def load_vocabulary_recipe(path: str | Path) -> VocabularyRecipe:
    """Return the recipe in the TOML file ``path``.

    Raises:
        RecipeError: the file cannot be read or is no TOML; an unknown key or column (the nearest known one is named); a value out of range.
    """
    raw = read_toml(path)
    try:
        return parse_vocabulary_recipe(raw)
    except RecipeError as error:
        raise RecipeError(one_line(f"{path}: {error}")) from None


def parse_vocabulary_recipe(raw: ValuesByName) -> VocabularyRecipe:
    """Return the recipe of a parsed file or of ``VocabularyRecipe.literals``.

    Raises:
        RecipeError: as ``load_vocabulary_recipe``.
    """
    check_keys(VocabularyRecipe, raw, "vocabulary recipe")
    sections: dict[str, Any] = {}  # Any: each section is of its own class
    for name, kind in (("sample", SampleSettings), ("training", VocabularyTraining)):
        if name in raw:
            sections[name] = read_section(kind, raw[name], name)
    return VocabularyRecipe(format=raw["format"], name=raw["name"], **sections)
