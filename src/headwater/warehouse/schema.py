"""The schema of the wide table: every column family, every column, its type, meaning and unit, in one place.

A family is a partition of the one Delta table; the table's schema is the union of all families. A name means one thing and has one
type wherever it appears, without regard to case, since Delta and DuckDB compare names that way.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import pyarrow as pa

from headwater.filters.signals.columns import DESCRIPTIONS, SIGNALS
from headwater.warehouse.index_columns import BAND_INDEX, HASH_INDEX, HOST_INDEX, URI_INDEX
from headwater.warehouse.placement_columns import PLACEMENTS
from headwater.warehouse.takedown_columns import TAKEDOWNS
from headwater.warehouse.web_columns import BLOCKLISTS, CAPTURES, HTML, RECAPTURES, TEXTS

__all__ = [
    "ALIGNED",
    "FAMILIES",
    "FORMAT",
    "OWN_SCORE",
    "READABLE",
    "Family",
    "arrow_schema",
    "table_schema",
]

FORMAT: Final = 2
"""Version of the lake's format, stored in the footer of every file that is written and in the table's description.

1: the first. 2: family ``stages`` has the cell and a code of the reason in columns of their own; before, ``reason`` was a sentence.
"""
READABLE: Final = (1, 2)
"""Formats that a file may have: what is not in ``Family.since`` is the same in all of them, so that a new format rewrites no text."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Family:
    """One column family.

    Attributes:
        name: value of the partition column ``family``.
        meaning: one sentence for the documentation.
        fields: name → (type, meaning and unit), in stored order, without ``sample_id`` and ``run_id``.
        by_sample: whether rows carry a ``sample_id``.
        aligned: whether a fragment's rows are exactly its content rows in the same order (otherwise sparse).
        by_build: whether ``batch`` holds the name of a build, or of a vocabulary, instead of a batch of ingest.
        by_operator: whether a fragment (of placements a shard) may have a live file of each of several operators.
        may_lack: whether fragments of earlier releases have no file of it; its columns are null of them.
        since: column → the format that gave it its present meaning, where that is not the first; no reader takes it from an older file.
    """

    name: str
    meaning: str
    fields: dict[str, tuple[pa.DataType, str]]
    by_sample: bool = True
    aligned: bool = False
    by_build: bool = False
    by_operator: bool = False
    may_lack: bool = False
    since: Mapping[str, int] = field(default_factory=dict)


_STRING = pa.string()
_I32 = pa.int32()
_I64 = pa.int64()
_HASH = pa.binary()
_TIME = pa.timestamp("us", tz="UTC")
_SAMPLE_ID = (_I64, "address of the sample: fragment << 24 | row")
_RUN_ID = (_STRING, "the run that wrote the row; see family runs")
OWN_SCORE: Final = (_I32, "a team's own score, 0 to 65535")
"""Type and meaning of every column that a recipe's ``[[scores]]`` adds to family ``scores``."""
_COUNTS = pa.map_(_STRING, _I64)
_REFUSALS = pa.list_(pa.struct([("stage", _STRING), ("reason", _STRING), ("domain", _STRING)]))

_FAMILIES = [
    Family(
        name="files",
        meaning="What was read: one row an input file.",
        by_sample=False,
        fields={
            "file_id": (_I64, "first 8 bytes of the file's SHA-256, as a signed big-endian integer"),
            "file_uri": (_STRING, "where the file was read"),
            "sha256": (_STRING, "SHA-256 of the file as stored (compressed), hexadecimal"),
            "file_bytes": (_I64, "size as stored, bytes"),
            "records": (_I64, "samples taken from it"),
            "quarantined": (_I64, "records refused, each with a row in family quarantine"),
            "format": (_STRING, "jsonl, parquet, text, html, warc or wet, with the compression: jsonl.gz"),
            "license": (_STRING, "as declared for the source; null when unknown"),
            "passed_over": (
                _COUNTS,
                "of a web archive: kind to number of the records that hold no page that was asked for (request, revisit_identical, "
                "status_404, media_image); null of every other file",
            ),
        },
    ),
    Family(
        name="quarantine",
        meaning="Records and files that could not be used: one row each, never their text.",
        by_sample=False,
        fields={
            "file_id": (_I64, "the file; see family files"),
            "record_no": (_I64, "0-based number of the record in its file; -1 for the file as a whole"),
            "quarantine_reason": (_STRING, "machine-readable reason, for example invalid_utf8"),
        },
    ),
    Family(
        name="content",
        meaning="The text and where it came from; written once.",
        aligned=True,
        fields={
            "file_id": (_I64, "the file; see family files"),
            "record_no": (_I64, "0-based number of the record in its file"),
            "source": (_STRING, "the data set, as the record or the recipe names it"),
            "uri": (_STRING, "the document's URL or id as given; null when none was given"),
            "collected_at": (_STRING, "date as given by the record"),
            "content_hash": (_HASH, "BLAKE2b-128 of the text's UTF-8 bytes"),
            "origin": (
                _I64,
                "64-bit hash of (source, uri), or of (file SHA-256, record_no) where there is no uri: breaks ties of order",
            ),
            "text": (_STRING, "the document, valid UTF-8, never edited"),
            "text_bytes": (_I64, "length of the text, UTF-8 bytes"),
            "meta": (_STRING, "the record's other fields as canonical JSON; null when none"),
        },
    ),
    Family(
        name="uri_index",
        meaning="URL to sample, sorted by hash within a file.",
        fields=URI_INDEX,
    ),
    Family(
        name="host_index",
        meaning="Host and registered domain to sample, sorted by them within a file; sparse: samples with a host.",
        fields=HOST_INDEX,
    ),
    Family(
        name="hash_index",
        meaning="Text to sample, sorted by the beginning of content_hash within a file; made by maintain, for large fragments.",
        fields=HASH_INDEX,
    ),
    Family(
        name="band_index",
        meaning="Band of a signature to sample, sorted by the band within a file; made by maintain, for large fragments.",
        fields=BAND_INDEX,
    ),
    Family(
        name="captures",
        meaning="What is known of a document as a page of the web: where it was captured, how it was served, what was made its text.",
        aligned=True,
        may_lack=True,
        fields=CAPTURES,
    ),
    Family(
        name="html",
        meaning="Pages as they were served; sparse; only where the recipe stores them.",
        fields=HTML,
    ),
    Family(
        name="texts",
        meaning="What each extractor makes of a page; sparse; only for recipes with several extractors.",
        by_operator=True,
        fields=TEXTS,
    ),
    Family(
        name="language",
        meaning="Language identification.",
        aligned=True,
        fields={
            "language": (_STRING, "BCP 47 tag; mul for a mixed document, und when undetermined"),
            "language_score": (pa.float32(), "confidence of language, 0 to 1; of mul, that the document is mixed"),
            "lid_label": (_STRING, "label of fastText's lid.176"),
            "lid_score": (pa.float32(), "probability that fastText gives lid_label"),
            "script": (_STRING, "dominant script, ISO 15924"),
            "language_shares": (
                pa.map_(_STRING, pa.float32()),
                "of a mixed document: language to its share of the letters that were read; null of every other",
            ),
        },
    ),
    Family(
        name="signals",
        meaning="One column a published measure, prefixed by its source.",
        aligned=True,
        fields={name: (kind, DESCRIPTIONS[name]) for name, kind in SIGNALS.items()},
    ),
    Family(
        name="scores",
        meaning="What score models say, 0 to 65535 for 0 to 1; a team's own scores are columns of int32 besides.",
        aligned=True,
        fields={
            "quality": (_I32, "overall quality of the text, 0 to 65535"),
            "knowledge_density": (_I32, "share of informative content, 0 to 65535"),
            "reasoning_density": (_I32, "share of reasoning steps, 0 to 65535"),
            "chain_of_thought": (_I32, "likeness to a worked chain of thought, 0 to 65535"),
            "domain": (
                _STRING,
                "code, math, the genre (informational, encyclopedia, reference, narrative, book, opinion, how-to, discussion, selling, lyrical, "
                "spoken, machine-made), or general where it cannot be told",
            ),
        },
    ),
    Family(
        name="minhash",
        meaning="Near-duplicate signatures.",
        aligned=True,
        fields={
            "bands": (pa.list_(_I64), "14 band hashes of 8 rows; empty under 20 shingles"),
            "signature": (_HASH, "112 MinHash values, uint32 little-endian; empty without shingles"),
            "n_shingles": (_I32, "distinct shingles"),
            "normalized_hash": (_HASH, "BLAKE2b-128 of the normalised text with its numbers; empty when that is empty"),
        },
    ),
    Family(
        name="recaptures",
        meaning="Which samples are older captures of a URL; only for recipes with newest_capture.",
        aligned=True,
        fields=RECAPTURES,
    ),
    Family(
        name="blocklists",
        meaning="What of block lists a sample is or has; only for recipes that name block lists.",
        aligned=True,
        fields=BLOCKLISTS,
    ),
    Family(
        name="spans",
        meaning="Byte ranges that a build leaves out, masks or, of personal data, keeps, as its recipe says; sparse.",
        fields={
            "operator": (_STRING, "what found the span"),
            "span_begin": (_I64, "first byte of the span in the text"),
            "span_end": (_I64, "first byte after the span"),
            "action": (_STRING, "drop or mask; null of personal data and secrets, whose action is the recipe's"),
            "variant": (
                _STRING,
                "which form personal data or a secret has: the country's id, the vendor's key; null of others",
            ),
            "confidence": (_STRING, "how sure personal data or a secret is: high, medium or low; null of others"),
        },
    ),
    Family(
        name="contamination",
        meaning="Evaluation items found in samples; sparse; not there for recipes that name no evaluation set.",
        fields={
            "benchmark": (_STRING, "evaluation set"),
            "item": (_STRING, "item of the evaluation set: its id, or its number"),
            "part": (_STRING, "question or answer"),
            "overlap": (
                pa.float32(),
                "share of the part's n-grams found, rare ones weighing more, 0 to 1; of a question of fewer than n words, its words over n",
            ),
            "ngrams": (_I32, "different n-grams found"),
            "span_begin": (_I64, "first byte of what was found in the text"),
            "span_end": (_I64, "first byte after it"),
        },
    ),
    Family(
        name="tokens",
        meaning="Token counts of the text minus its spans.",
        aligned=True,
        fields={
            "vocabulary": (_STRING, "fingerprint of the vocabulary"),
            "n_tokens": (_I64, "tokens of the text minus its spans, without end of text"),
        },
    ),
    Family(
        name="duplicates",
        meaning="Clusters of exact and near duplicates; decided by text alone.",
        aligned=True,
        fields={
            "cluster_id": (_HASH, "smallest text key of the cluster; null when unique"),
            "cluster_size": (_I64, "samples in the cluster"),
            "kind": (_STRING, "exact when another sample has the same content_hash, else near; null when unique"),
        },
    ),
    Family(
        name="verdicts",
        meaning="Kept or not, with every reason.",
        aligned=True,
        fields={
            "kept": (pa.bool_(), "passes every rule and is no duplicate of a kept sample"),
            "reasons": (pa.list_(_STRING), "every rule that fired, in the rule set's order"),
            "first_reason": (_STRING, "the first of them; null when kept"),
            "rule_set": (_STRING, "fingerprint of the rules"),
            "duplicate_of": (_I64, "sample_id of the winner that this sample repeats"),
            "similarity": (pa.float32(), "share of equal signature values with the winner, 0 to 1"),
            "contamination_overlap": (
                pa.float32(),
                "largest overlap with an evaluation question; 0 when none was found or looked for",
            ),
            "contamination_answered": (pa.float32(), "the same of questions whose answer is there too"),
        },
    ),
    Family(
        name="stages",
        meaning="Selection of one build: one row a kept sample, chosen or not.",
        by_build=True,
        fields={
            "build": (_STRING, "name of the build"),
            "stage": (_STRING, "stage that chose it; null when none did"),
            "pool": (_STRING, "pool of the cell in which it competed; null when no stage's where let it compete"),
            "cell_language": (_STRING, "language of that cell"),
            "cell_domain": (
                _STRING,
                "domain of that cell, or the group of domains that a quota of the stage names; * where no quota tells it apart",
            ),
            "copies": (_I32, "times it is placed; 0 when not chosen"),
            "rank": (_I64, "order of choice within its cell, ascending: inverted score, then hash"),
            "reason": (
                _STRING,
                "why it is in: within_cut, for_full_sequences (its score alone would not have brought it in) or, of a proxy, within_share; "
                "why it is out: beyond_cut or beyond_share (of the first stage for which it competed, as the cell is), where_not_met "
                "(of every stage) or no_tokens",
            ),
            "refusals": (
                _REFUSALS,
                "of a sample that no stage chose: each stage in the order of choosing, its reason (beyond_cut, where_not_met or, of a "
                "proxy, beyond_share) and the domain of its cell; null otherwise",
            ),
        },
        since=dict.fromkeys(("pool", "cell_language", "cell_domain", "reason", "refusals"), 2),
    ),
    Family(
        name="placements",
        meaning="Where every copy of every chosen sample lies: one row a contiguous run of tokens.",
        by_build=True,
        by_operator=True,
        fields=PLACEMENTS,
    ),
    Family(
        name="vocabularies",
        meaning="Which samples trained a vocabulary of the lake: one row a sample; sparse.",
        by_build=True,
        fields={
            "vocabulary": (_STRING, "fingerprint of the vocabulary"),
            "sampled_bytes": (_I64, "bytes of the text that were taken, from its beginning, spans left out"),
        },
    ),
    Family(
        name="takedowns",
        meaning="What was taken down: one row a sample, with keyed hashes by which the same text is known again and nothing of it; sparse.",
        by_operator=True,
        fields=TAKEDOWNS,
    ),
    Family(
        name="runs",
        meaning="What was run: one row a step.",
        by_sample=False,
        fields={
            "step": (
                _STRING,
                "ingest, extract, annotate, deduplicate, decide, select, build, revise, repair, takedown, vocab-train, vocab-extend or upgrade",
            ),
            "recipe": (_STRING, "the recipe's literals as canonical JSON"),
            "code_version": (_STRING, "version of Headwater"),
            "operators": (_STRING, "versions, settings and model hashes as canonical JSON"),
            "input_version": (_I64, "table version that was read"),
            "started": (_TIME, "start"),
            "ended": (_TIME, "end; null while running or when it was killed"),
            "counts": (_STRING, "what was counted, as canonical JSON"),
        },
    ),
]

FAMILIES: Final[dict[str, Family]] = {family.name: family for family in _FAMILIES}
ALIGNED: Final = tuple(family.name for family in _FAMILIES if family.aligned)


def arrow_schema(family: str, own: Sequence[str] = ()) -> pa.Schema:
    """Return the stored columns of ``family``: ``sample_id`` first where it has one, ``run_id`` last.

    Args:
        own: names of a team's own scores, which family ``scores`` has besides.
    """
    return _arrow_schema(family, tuple(own))


@functools.lru_cache(maxsize=256)
def _arrow_schema(family: str, own: tuple[str, ...]) -> pa.Schema:
    described = FAMILIES[family]
    fields = dict(described.fields) | dict.fromkeys(own, OWN_SCORE)
    columns = {"sample_id": _SAMPLE_ID} if described.by_sample else {}
    columns |= fields | {"run_id": _RUN_ID}
    return pa.schema([pa.field(name, kind, metadata={"meaning": meaning}) for name, (kind, meaning) in columns.items()])


def table_schema() -> pa.Schema:
    """Return the schema of the Delta table: the union of all families and the two partition columns."""
    columns: dict[str, pa.DataType] = {"family": _STRING, "batch": _STRING}
    for family in FAMILIES:
        for column in arrow_schema(family):
            known = columns.setdefault(column.name, column.type)
            if known != column.type:
                raise AssertionError(f"column {column.name} has two types: {known} and {column.type} in {family}")
    return pa.schema([pa.field(name, kind) for name, kind in columns.items()])
