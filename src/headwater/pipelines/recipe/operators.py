"""What identifies every step of a job: a recipe on a lake, with the evaluation sets and the vocabulary that it names there.

A fingerprint covers an operator's version, settings and models and those of the operators that it reads, so a changed setting reaches exactly
what depends on it. Steps ask ``Resolved`` and never each other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from headwater.filters.blocklists import match as blocklists
from headwater.filters.contamination import find as contamination
from headwater.filters.duplicates import minhash
from headwater.filters.duplicates.tables import UNICODE_VERSION
from headwater.filters.language import identify as language
from headwater.filters.language import shipped_models
from headwater.filters.noise.model import load_noise_model
from headwater.filters.personal import find as personal
from headwater.filters.scores import score as scores
from headwater.filters.scores.names import SCORE_COLUMNS
from headwater.filters.scores.shipped import Scorer, shipped_scorer
from headwater.filters.signals import measure as signals
from headwater.filters.spans import find as spans
from headwater.filters.urls.normalize import VERSION as URLS_VERSION
from headwater.fingerprint import fingerprint
from headwater.lineage.blocklists import check_blocklists
from headwater.lineage.evaluation_sets import StoredSet, chosen_sets
from headwater.lineage.score_models import find_scorer
from headwater.lineage.vocabularies import find_vocabulary
from headwater.pipelines.recipe.job import Recipe
from headwater.pipelines.recipe.sections import SpanSettings
from headwater.plain import JsonObject
from headwater.tokenize.forms.load import Vocabulary

__all__ = ["ANNOTATED", "READS", "Resolved", "resolve"]

ANNOTATED: Final = ("language", "signals", "scores", "minhash", "spans", "tokens")
"""Families that every recipe fills; ``contamination`` comes to them where it names evaluation sets."""
READS: Final[Mapping[str, tuple[str, ...]]] = {
    "signals": ("language",),
    "scores": ("signals", "language"),
    "minhash": ("signals",),
    "tokens": ("spans",),
}
"""Annotated family → those that its operator reads; ``minhash`` reads none where numbers are the same to every kind of text,
``spans`` reads ``language`` where personal data are looked for."""

DEDUPLICATE_VERSION: Final = 2
DECIDE_VERSION: Final = 3
RECAPTURES_VERSION: Final = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Resolved:
    """A recipe on a lake: what its steps need to know, found once.

    Attributes:
        lake: path or URI.
        sets: the evaluation sets that the recipe names.
        scorers: column of family ``scores`` → the model that fills it, those of every lake first.
        operators: family → version, settings and model of the operator behind it, those it reads included: the annotated families,
            ``duplicates`` and ``verdicts``.
        reads: annotated family → those that its operator reads under this recipe.
    """

    lake: str
    recipe: Recipe
    sets: tuple[StoredSet, ...]
    vocabulary: Vocabulary
    scorers: Mapping[str, Scorer]
    operators: Mapping[str, JsonObject]
    reads: Mapping[str, tuple[str, ...]]

    @property
    def annotated(self) -> tuple[str, ...]:
        """Families that annotate fills."""
        own = ["contamination"] if self.sets else []
        return (*ANNOTATED, *own, *(["blocklists"] if self.recipe.blocklists else []))

    @property
    def across_samples(self) -> tuple[str, ...]:
        """Families that deduplicate fills."""
        return ("duplicates", "recaptures") if self.recipe.rules.newest_capture else ("duplicates",)

    @property
    def decided_from(self) -> tuple[str, ...]:
        """Families that verdicts are made from."""
        looked_for = ("contamination",) if self.sets else ()
        return (
            "language",
            "signals",
            "scores",
            "minhash",
            "tokens",
            "duplicates",
            *looked_for,
            *self.recipe.rule_families,
        )

    @property
    def min_agreement(self) -> int:
        """How many of a signature's values must be equal for ``min_similarity``."""
        return math.ceil(Fraction(repr(self.recipe.deduplicate.min_similarity)) * minhash.N_PERMUTATIONS)

    @property
    def fingerprints(self) -> dict[str, str]:
        """Annotated family → the fingerprint under which its files are stored."""
        return {family: self.operator(family) for family in self.annotated}

    def operator(self, family: str) -> str:
        """Return the fingerprint under which the files of a family are stored."""
        return fingerprint({family: self.operators[family]})


def resolve(recipe: Recipe, lake: str) -> Resolved:
    """Return a recipe with what it names in a lake.

    Raises:
        RecipeError: it names an evaluation set that the lake does not have.
        UsageError: a block list is neither in the lake nor in its file.
        UsageError: a vocabulary or a score model that is neither shipped, nor the lake's, nor a file; a model that cannot fill its column.
        BadInputError: the file of one of them cannot be used.
    """
    sets = chosen_sets(lake, recipe.contamination.sets)
    check_blocklists(lake, recipe.blocklists)
    vocabulary = find_vocabulary(lake, recipe.vocabulary.name)
    reads = {
        **READS,
        "minhash": READS["minhash"] if recipe.deduplicate.numbers_by_kind else (),
        "spans": ("language",) if recipe.spans.personal is not None else (),
    }
    scorers = _scorers(recipe, lake)
    annotated = _annotate_operators(recipe, sets, vocabulary, scorers, reads)
    duplicates = {
        "version": DEDUPLICATE_VERSION,
        "min_similarity": recipe.deduplicate.min_similarity,
        "minhash": annotated["minhash"],
    }
    verdicts = {
        "version": DECIDE_VERSION,
        "rules": recipe.rule_set.literals,
        "annotate": annotated,
        "duplicates": duplicates,
    }
    operators = {**annotated, "duplicates": duplicates, "verdicts": verdicts}
    if recipe.rules.newest_capture:
        operators["recaptures"] = {"version": RECAPTURES_VERSION, "urls": URLS_VERSION}
        verdicts["recaptures"] = operators["recaptures"]
    return Resolved(
        lake=lake,
        recipe=recipe,
        sets=sets,
        vocabulary=vocabulary,
        scorers=scorers,
        operators=operators,
        reads=reads,
    )


def _scorers(recipe: Recipe, lake: str) -> dict[str, Scorer]:
    """Return column → its model: those that every lake has, then a team's own by name."""
    named = {each.name: find_scorer(lake, each.model, each.sha256) for each in recipe.scores}
    for column, scorer in named.items():
        scores.check_model(column, scorer)
    found = {name: named.get(name) or shipped_scorer(name) for name in SCORE_COLUMNS}
    return found | {name: named[name] for name in recipe.own_scores}


def _found_in_spans(settings: SpanSettings) -> JsonObject:
    """Return the versions of what looks for personal data and secrets; which of them are masked is family ``tokens``' business."""
    found: JsonObject = {}
    if settings.personal is not None:
        found["personal"] = {"version": personal.VERSION, **personal.REGISTRIES}
    if settings.secrets is not None:
        found["secrets"] = personal.VERSION
    return found


def _annotate_operators(
    recipe: Recipe,
    sets: tuple[StoredSet, ...],
    vocabulary: Vocabulary,
    scorers: Mapping[str, Scorer],
    reads: Mapping[str, tuple[str, ...]],
) -> dict[str, JsonObject]:
    language_sha256, own_sha256, relatives_sha256 = shipped_models.model_digests(recipe.language.model)
    noise = load_noise_model().sha256
    own: dict[str, JsonObject] = {
        "language": {
            "version": language.VERSION,
            "model": language_sha256,
            "own_model": own_sha256,
            "relatives": relatives_sha256,
        },
        "signals": {"version": signals.VERSION, "noise": noise},
        "scores": {
            "version": scores.VERSION,
            "models": {column: scorer.model.sha256 for column, scorer in scorers.items()},
        },
        "minhash": {
            "version": minhash.VERSION,
            "unicode": UNICODE_VERSION,
            "numbers": dict(recipe.deduplicate.numbers),
        },
        "spans": {
            "version": {name: spans.OPERATORS[name] for name in recipe.spans.operators},
            **({"noise": noise} if "noise_lines" in recipe.spans.operators else {}),
            **_found_in_spans(recipe.spans),
        },
        "tokens": {
            "vocabulary": vocabulary.fingerprint,
            **({"policy": recipe.spans.policy} if recipe.spans.policy else {}),
        },
    }
    for family in ANNOTATED:
        for other in reads.get(family, ()):
            own[family][other] = own[other]
    if recipe.blocklists:
        lists = {each.name: [each.kind, each.sha256] for each in recipe.blocklists}
        own["blocklists"] = {"version": blocklists.VERSION, "urls": URLS_VERSION, "lists": lists}
    if sets:
        settings = {
            name: getattr(recipe.contamination, name) for name in ("ngram_words", "least_overlap", "answer_words")
        }
        content = {stored.name: stored.sha256 for stored in sets}
        own["contamination"] = {"version": contamination.VERSION, "sets": content, **settings}
    return own
