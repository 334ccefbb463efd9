"""Labelled text: from files of JSON Lines or a query on a lake, with the language and the signals of each document.

A record has ``text`` and ``label``: true or false, a number (graded, from the least to the most), or the name of a class. It may have ``language``
(a tag; identified where it is missing), ``source`` (by default the file's name) and ``id`` (by default the file's name and the line).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headwater.errors import BadInputError, UsageError, one_line
from headwater.filters.language.identify import identify, load_model
from headwater.filters.language.names import TAGS, nearest_tag
from headwater.filters.signals.columns import SIGNALS
from headwater.filters.signals.kinds import column_values
from headwater.filters.signals.measure import measure_signals
from headwater.pipelines.ingest.decompress import Limits
from headwater.pipelines.ingest.json_lines import read_objects
from headwater.pipelines.recipe.bounds import EXPANSION_RATIO, RECORD_BYTES
from headwater.pipelines.scoring.copies import find_distinct

__all__ = ["SCORE", "Examples", "Labelled", "measure_examples", "read_labelled"]

SCORE: Final = ("score",)
"""The classes of a model of one score."""
_LIMITS: Final = Limits(max_record_bytes=RECORD_BYTES.most, max_expansion_ratio=EXPANSION_RATIO.most)
_MOST: Final = 1_000_000
_BATCH: Final = 2_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Labelled:
    """Labelled documents as they were read; lists of one length.

    Attributes:
        labels: all numbers or all names.
        languages: None where it is to be identified.
        inputs: SHA-256 of each file, or a query's words, by name: what a card says of the data.
    """

    texts: list[str] = field(repr=False)
    labels: list[float] | list[str]
    languages: list[str | None]
    sources: list[str]
    ids: list[str]
    inputs: dict[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Examples:
    """Labelled documents, measured.

    Attributes:
        classes: ``SCORE``, or the names of classes, sorted.
        targets: of a score, 0 to 1, float64 [n]; of classes, the number of each document's, as float64.
        languages: string [n].
        sources: string [n].
        signals: name → float64 [n].
        copies: documents that were left out as exact copies of others.
        contradictions: documents that were left out because their text stands with different labels.
    """

    classes: tuple[str, ...]
    targets: npt.NDArray[np.float64]
    texts: pa.LargeStringArray = field(repr=False)
    languages: npt.NDArray[np.str_]
    sources: npt.NDArray[np.str_]
    ids: Sequence[str]
    signals: dict[str, npt.NDArray[np.float64]] = field(repr=False)
    inputs: dict[str, str]
    copies: int = 0
    contradictions: int = 0

    @property
    def is_score(self) -> bool:
        """Whether the labels are numbers."""
        return self.classes == SCORE

    @property
    def positive(self) -> npt.NDArray[np.bool_]:
        """Of a score: which documents count as having it, [n]."""
        return self.targets >= 0.5

    @property
    def words(self) -> npt.NDArray[np.float64]:
        """Words of each document, float64 [n]."""
        return self.signals["gopher_words"]


def read_labelled(paths: Sequence[Path], language_field: str = "language") -> Labelled:
    """Return the labelled documents of files of JSON Lines, plain or compressed, in their order.

    Raises:
        BadInputError: a line that is no such record, labels of two kinds, no record or more than a million.
    """
    texts: list[str] = []
    labels: list[float | str] = []
    languages: list[str | None] = []
    sources: list[str] = []
    ids: list[str] = []
    for path in paths:
        for number, record in _records(path):
            where = f"{path}, line {number + 1}"
            text, label = record.get("text"), _label(record, where)
            if not isinstance(text, str):
                raise BadInputError(f"{where}: expected a text under 'text', found none")
            if labels and isinstance(labels[0], str) != isinstance(label, str):
                raise BadInputError(f"{where}: expected labels of one kind, found numbers and names")
            texts.append(text)
            labels.append(label)
            languages.append(_language(record.get(language_field), where, language_field))
            sources.append(_text_or_none(record.get("source"), where, "source") or path.name.partition(".")[0])
            ids.append(_identity(record.get("id"), path, number))
            if len(texts) > _MOST:
                raise BadInputError(f"{path}: expected at most {_MOST:,} records in all, found more; take a sample")
    if not texts:
        raise BadInputError(f"{paths[0] if paths else 'no file'}: expected labelled records as JSON Lines, found none")
    inputs = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
    return Labelled(
        texts=texts,
        labels=labels,  # type: ignore[arg-type] # the loop holds them to one kind
        languages=languages,
        sources=sources,
        ids=ids,
        inputs=inputs,
    )


def _records(path: Path) -> Iterator[tuple[int, dict[str, object]]]:
    for number, record in read_objects(str(path), _LIMITS):
        if isinstance(record, str):
            raise BadInputError(
                f"{path}, line {number + 1}: expected a JSON object with text and label, found {record}"
            )
        yield number, record


def _label(record: dict[str, object], where: str) -> float | str:
    value = record.get("label")
    if isinstance(value, bool | int | float) and math.isfinite(value):
        return float(value)
    if isinstance(value, str) and value:
        return value
    missing = "null or NaN" if "label" in record else "none"  # the reader of lines makes null of NaN
    shown = missing if value is None else one_line(repr(value), 60)
    raise BadInputError(f"{where}: expected a number or the name of a class under 'label', found {shown}")


def _language(value: object, where: str, key: str) -> str | None:
    tag = _text_or_none(value, where, key)
    if tag is None or tag in TAGS:
        return tag
    near = nearest_tag(tag[:100])
    raise BadInputError(
        f"{where}: expected under {key!r} a tag that a document of a lake can have, found {one_line(repr(tag), 60)}; "
        + (f"did you mean {near!r}?" if near else "leave the field out, and the language is identified")
    )


def _text_or_none(value: object, where: str, key: str) -> str | None:
    if value is None or isinstance(value, str):
        return value or None
    raise BadInputError(f"{where}: expected a text under {key!r}, found {one_line(repr(value), 60)}")


def _identity(value: object, path: Path, number: int) -> str:
    return str(value) if isinstance(value, str | int) and value != "" else f"{path.name}:{number + 1}"


def measure_examples(labelled: Labelled) -> Examples:
    """Return labelled documents with languages identified and signals measured: of exact copies the first, of texts with different labels none.

    Raises:
        UsageError: labels that are all alike, or no document that has one label.
    """
    distinct = find_distinct(labelled.texts, labelled.labels)
    if not distinct.kept:
        raise UsageError(
            "expected texts with one label each, found every text with different labels; say which label holds"
        )
    labelled = _chosen(labelled, distinct.kept)
    texts = pa.array(labelled.texts, pa.large_string())
    languages: list[str] = []
    columns: dict[str, list[npt.NDArray[np.float64]]] = {name: [] for name in SIGNALS}
    for begin in range(0, len(texts), _BATCH):
        part = texts.slice(begin, _BATCH)
        found = _with_languages(part, labelled.languages[begin : begin + _BATCH])
        measured = measure_signals(part, pa.array(found, pa.string()))
        for name in SIGNALS:
            columns[name].append(column_values(measured[name]))
        languages += found
    classes, targets = _targets(labelled.labels)
    return Examples(
        classes=classes,
        targets=targets,
        texts=texts,
        languages=np.array(languages, np.str_),
        sources=np.array(labelled.sources, np.str_),
        ids=labelled.ids,
        signals={name: np.concatenate(parts) for name, parts in columns.items()},
        inputs=labelled.inputs,
        copies=distinct.copies,
        contradictions=distinct.contradictions,
    )


def _chosen(labelled: Labelled, kept: Sequence[int]) -> Labelled:
    return Labelled(
        texts=[labelled.texts[at] for at in kept],
        labels=[labelled.labels[at] for at in kept],  # type: ignore[arg-type] # of one kind, as they were read
        languages=[labelled.languages[at] for at in kept],
        sources=[labelled.sources[at] for at in kept],
        ids=[labelled.ids[at] for at in kept],
        inputs=labelled.inputs,
    )


def _with_languages(texts: pa.Array, given: Sequence[str | None]) -> list[str]:
    languages = list(given)
    if missing := [at for at, language in enumerate(given) if language is None]:
        found = identify(texts.take(pa.array(missing)), load_model())["language"].to_pylist()
        for at, language in zip(missing, found, strict=True):
            languages[at] = language
    return [str(language) for language in languages]


def _targets(labels: list[float] | list[str]) -> tuple[tuple[str, ...], npt.NDArray[np.float64]]:
    """Return the classes, and each label as a number: grades from 0 to 1, or the number of its class."""
    kinds = sorted(set(labels))  # type: ignore[type-var] # of one kind, as they were read
    if len(kinds) < 2:
        raise UsageError(f"expected documents of at least two labels, found only {one_line(repr(kinds[0]), 60)}")
    if isinstance(kinds[0], str):
        number = {name: at for at, name in enumerate(kinds)}
        return tuple(str(name) for name in kinds), np.array([number[label] for label in labels], np.float64)
    grades = np.array(labels, np.float64)
    return SCORE, (grades - grades.min()) / (grades.max() - grades.min())
