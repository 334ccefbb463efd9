"""Which columns the columns of each family come from, and which families each step reads.

What an operator reads whatever its recipe says stands in ``SOURCES``; what rules, stages and score models read is taken from the run's own
record, so that the lineage of a column is that of the recipe that ran.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from headwater.errors import HeadwaterError
from headwater.filters.signals.columns import SIGNALS
from headwater.filters.signals.kinds import KIND_SIGNALS
from headwater.lineage.score_models import scorer_of
from headwater.plain import ValuesByName
from headwater.warehouse.schema import ALIGNED, FAMILIES

__all__ = ["SOURCES", "STEPS", "Column", "Step", "sources_of"]

IDENTITY: Final = "IDENTITY"
TRANSFORMATION: Final = "TRANSFORMATION"
CONDITIONAL: Final = "CONDITIONAL"
"""Of an indirect dependency: the value decides what happens, and is not in the result."""


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Column:
    """A column that another one comes from.

    Attributes:
        subtype: of OpenLineage's transformations; CONDITIONAL is indirect, the others direct.
    """

    family: str
    name: str
    subtype: str = TRANSFORMATION


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """What a step is to those who read its events.

    Attributes:
        says: one sentence.
        reads: families, of which a lake may lack some.
    """

    says: str
    reads: tuple[str, ...]


_KEEP: Final = ("content", "language", "signals", "scores", "tokens", "verdicts", "captures")
STEPS: Final[Mapping[str, Step]] = {
    "run": Step(says="All steps of a recipe, each doing what the lake lacks.", reads=()),
    "ingest": Step(says="Takes documents from files that the lake does not have.", reads=()),
    "extract": Step(
        says="Makes the texts of web pages with the recipe's extractors.", reads=("content", "captures", "html")
    ),
    "annotate": Step(
        says="Measures every document: language, signals, scores, MinHash, spans, tokens.",
        reads=("content", "captures", "language", "signals", "spans"),
    ),
    "deduplicate": Step(
        says="Clusters exact and near duplicates over verified pairs.", reads=("content", "minhash", "captures")
    ),
    "decide": Step(
        says="Keeps or rejects each document by rules, and all but one of a cluster.",
        reads=(
            "content",
            "language",
            "signals",
            "scores",
            "minhash",
            "tokens",
            "duplicates",
            "contamination",
            "recaptures",
            "blocklists",
        ),
    ),
    "select": Step(says="Chooses documents for each stage within quotas and budgets.", reads=_KEEP),
    "build": Step(
        says="Writes the chosen documents' tokens as shards.", reads=("content", "spans", "tokens", "stages")
    ),
    "repair": Step(
        says="Writes damaged shards of a build again.", reads=("content", "spans", "tokens", "stages", "placements")
    ),
    "revise": Step(
        says="Writes the shards of a build again whose documents changed.",
        reads=("content", "spans", "tokens", "stages", "placements"),
    ),
    "vocab-train": Step(says="Trains a vocabulary on a sample of the lake.", reads=(*_KEEP, "spans")),
    "vocab-extend": Step(says="Extends a vocabulary on a sample of the lake.", reads=(*_KEEP, "spans")),
    "takedown": Step(
        says="Takes documents out of every family, and elects new winners of their clusters.",
        reads=("content", "minhash", "duplicates", "verdicts", "stages", "placements"),
    ),
    "upgrade": Step(says="Brings a lake of an earlier release to today's format.", reads=()),
}
"""Step → what it is; of one that is not listed, nothing is known to be read."""

_TEXT: Final = Column(family="content", name="text")
_LANGUAGE: Final = Column(family="language", name="language", subtype=CONDITIONAL)
_URI: Final = Column(family="content", name="uri")
_TIES: Final = tuple(Column(family="content", name=name, subtype=CONDITIONAL) for name in ("content_hash", "origin"))
SOURCES: Final[Mapping[str, Mapping[str, tuple[Column, ...]]]] = {
    "content": dict.fromkeys(("content_hash", "text_bytes"), (_TEXT,))
    | {"origin": (_URI, Column(family="content", name="source"))},
    "uri_index": {"uri_hash": (_URI,)},
    "host_index": {
        "domain_hash": (Column(family="captures", name="registered_domain"),),
        "host_hash": (Column(family="captures", name="host"),),
    },
    "hash_index": {"hash_key": (_TEXT,)},
    "band_index": {"band_key": (_TEXT,)},
    "language": {"*": (_TEXT,)},
    "signals": {"*": (_TEXT,)},
    "scores": {"*": ()},
    "minhash": {"*": (_TEXT,)},
    "spans": {"*": (_TEXT,)},
    "contamination": {"*": (_TEXT,)},
    "blocklists": {"*": (_TEXT, _URI)},
    "tokens": {
        "n_tokens": (
            _TEXT,
            *(Column(family="spans", name=name) for name in ("span_begin", "span_end", "operator", "action")),
        )
    },
    "captures": dict.fromkeys(("host", "registered_domain", "url_key"), (_URI,)),
    "recaptures": {"*": (_URI, Column(family="content", name="collected_at"), *_TIES)},
    "duplicates": {
        "*": (
            Column(family="content", name="content_hash"),
            *(Column(family="minhash", name=name) for name in ("bands", "signature", "normalized_hash")),
        )
    },
    "verdicts": {
        "duplicate_of": (
            Column(family="duplicates", name="cluster_id"),
            Column(family="scores", name="quality", subtype=CONDITIONAL),
            Column(family="content", name="text_bytes", subtype=CONDITIONAL),
            Column(family="content", name="content_hash", subtype=CONDITIONAL),
        ),
        "similarity": (Column(family="minhash", name="signature"), Column(family="duplicates", name="cluster_id")),
        **{
            name: (
                Column(family="contamination", name="overlap"),
                Column(family="contamination", name="part", subtype=CONDITIONAL),
            )
            for name in ("contamination_overlap", "contamination_answered")
        },
    },
    "stages": {
        "*": (
            Column(family="verdicts", name="kept", subtype=CONDITIONAL),
            Column(family="tokens", name="n_tokens", subtype=CONDITIONAL),
            Column(family="content", name="content_hash", subtype=CONDITIONAL),
        ),
        "cell_language": (Column(family="language", name="language", subtype=IDENTITY),),
        "cell_domain": (Column(family="scores", name="domain"),),
    },
    "placements": {
        **{
            name: (
                Column(family="tokens", name="n_tokens"),
                Column(family="content", name="content_hash", subtype=CONDITIONAL),
                Column(family="content", name="origin", subtype=CONDITIONAL),
            )
            for name in ("shard", "sequence", "token_begin", "token_end", "sample_token_begin")
        },
        **{name: (Column(family="stages", name=name, subtype=IDENTITY),) for name in ("build", "stage")},
        "copy": (Column(family="stages", name="copies"),),
    },
    "vocabularies": {"sampled_bytes": (_TEXT,)},
}
"""Family → column → columns that it comes from; ``*``: every other column of the family."""
_GENERATED: Final = ("run_id", "rule_set", "vocabulary")
_DECIDED: Final = ("kept", "reasons", "first_reason")


def sources_of(
    lake: str, family: str, columns: Iterable[str], operators: ValuesByName, recipe: ValuesByName
) -> Iterator[tuple[str, list[Column]]]:
    """Yield each column of a family that comes from other columns, with these, sorted.

    Args:
        operators: of the run that wrote it.
        recipe: of the same run.
    """
    known = SOURCES.get(family, {})
    read = _read_by_recipe(lake, family, operators, recipe)
    for column in columns:
        if column == "sample_id":
            own = [] if family == "content" else [Column(family="content", name="sample_id", subtype=IDENTITY)]
        elif column in _GENERATED:
            own = []
        else:
            own = [*known.get(column, known.get("*", ())), *read.get(column, read.get("*", ()))]
        if own:
            yield column, sorted(set(own))


def _read_by_recipe(lake: str, family: str, operators: ValuesByName, recipe: ValuesByName) -> dict[str, list[Column]]:
    """Return column (``*`` for every one) → the columns that this run's recipe made it read."""
    if family == "verdicts":
        rules = operators.get("verdicts", {}).get("rules", {}).get("rules", ())
        named = [column for rule in rules for column in _named(str(rule["passes"]))]
        return {
            name: [*named, Column(family="duplicates", name="cluster_id", subtype=CONDITIONAL)] for name in _DECIDED
        }
    if family == "stages":
        asked = [str(each.get(key, "")) for each in recipe.get("stages", ()) for key in ("order_by", "where")]
        where = [str(pool.get("where", "")) for pool in recipe.get("pools", ())]
        return {
            "*": [column for text in [*asked, *where] for column in _named(text)],
            "pool": [column for text in where for column in _named(text)],
        }
    # An annotated family's operator records those of the families that it reads.
    known = operators.get(family)
    record: ValuesByName = known if isinstance(known, Mapping) else {}
    beside = [_LANGUAGE] if "language" in record else []
    if family == "scores":
        by_model = _read_by_models(lake, record.get("models", {}))
        return {name: [*found, *beside] for name, found in by_model.items()}
    if family == "minhash" and "signals" in record:
        beside += [Column(family="signals", name=name, subtype=CONDITIONAL) for name in KIND_SIGNALS]
    return {"*": beside}


def _read_by_models(lake: str, models: ValuesByName) -> dict[str, list[Column]]:
    """Return score → the signals, and the text, that its model reads."""
    from headwater.filters.scores.score import reads_text, signals_read

    found: dict[str, list[Column]] = {}
    for column, sha256 in models.items():
        try:
            model = {column: scorer_of(lake, str(sha256))}
        except HeadwaterError:  # of an earlier release: its signals are not known here
            found[column] = [_TEXT]
            continue
        found[column] = [Column(family="signals", name=name) for name in signals_read(model)]
        found[column] += [_TEXT] if reads_text(model) else []
    return found


def _named(predicate: str) -> list[Column]:
    """Return the columns of families that an expression names, each of the first family that has it."""
    found = []
    for name in dict.fromkeys(re.findall(r"[a-z_][a-z0-9_]*", re.sub("'[^']*'", "", predicate))):
        family = (
            "signals" if name in SIGNALS else next((each for each in ALIGNED if name in FAMILIES[each].fields), None)
        )
        if family is not None:
            found.append(Column(family=family, name=name, subtype=CONDITIONAL))
    return found
