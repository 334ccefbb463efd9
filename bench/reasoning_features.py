"""What the models of reasoning read, and pages that are translations of one another.

Every input says which way it may move a score: what is more of reasoning never lowers it, what is more of something else never raises it. So a
model learns how much each counts, not which source of text has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from bench.reasoning_samples import Sample, read_texts
from headwater.filters.language.identify import identify, load_model
from headwater.filters.signals.measure import measure_signals

__all__ = [
    "FEATURES",
    "LANGUAGES",
    "Feature",
    "as_written",
    "language_shifts",
    "measure",
    "parallel_pages",
    "transformed",
    "written_in",
]

Values = npt.NDArray[np.float64]
Feature = tuple[str, str | None, str, int, bool]
"""Signal, what it is divided by, transform, way (1, -1, 0 for either), whether languages differ in it by their words."""

LANGUAGES: Final = (
    "ar", "bn", "cs", "da", "de", "el", "en", "es", "fa", "fi", "fr", "he", "hi", "hu", "id", "it", "ja", "ko", "nl", "no", "pl", "pt", "ro",
    "ru", "sv", "th", "tr", "uk", "vi", "zh",
)  # fmt: skip
_PARALLEL: Final = ("course-azd", "course-edgeai", "opensource-guide", "gnome-help")


def _cues(way: int, *categories: str) -> tuple[Feature, ...]:
    return tuple((f"hw_cue_{each}_per_kword", None, "sqrt", way, True) for each in categories)


FEATURES: Final[tuple[Feature, ...]] = (
    *_cues(1, "inference", "contrast", "sequence", "condition", "conclusion", "calculation", "explanation", "we"),
    ("hw_connectives_per_kword", None, "sqrt", 1, True),
    ("hw_equations", "gopher_words", "sqrt", 1, False),
    ("hw_carried_numbers_per_kword", None, "sqrt", 1, False),
    ("hw_math_symbols_per_kb", None, "log1p", 1, False),
    ("fineweb_punct_lines_fraction", None, "none", 1, False),
    ("gopher_alpha_words_fraction", None, "none", 0, False),
    ("hw_numbers_per_kword", None, "sqrt", -1, False),
    ("hw_code_fraction", None, "sqrt", -1, False),
    ("hw_colons_per_kword", None, "sqrt", -1, True),
    ("hw_brackets_per_kword", None, "sqrt", -1, True),
    ("hw_names_per_kword", None, "sqrt", -1, True),
    ("hw_question_marks", "gopher_words", "sqrt", -1, False),
    *_cues(-1, "imperative"),
    ("hw_common_words_fraction", None, "none", 1, True),
)


def measure(samples: Sequence[Sample], batch: int = 2000) -> dict[str, Values]:
    """Return the signals of the samples, name → float64 [n]."""
    tables = []
    for first in range(0, len(samples), batch):
        part = samples[first : first + batch]
        languages = pa.array([each.language for each in part])
        tables.append(pa.Table.from_batches([measure_signals(pa.array([each.text for each in part]), languages)]))
    table = pa.concat_tables(tables)
    return {name: table[name].to_numpy().astype(np.float64) for name in table.column_names}


def transformed(signals: dict[str, Values], features: Sequence[Feature] = FEATURES) -> Values:
    """Return float64 [n, features]: each signal divided and transformed as the model's file says, neither centred nor scaled."""
    columns = []
    for signal, per, transform, _, _ in features:
        x = signals[signal] if per is None else signals[signal] / np.maximum(signals[per], 1.0)
        if transform == "sqrt":
            x = np.sqrt(np.maximum(x, 0.0))
        elif transform == "log1p":
            x = np.log1p(np.maximum(x, 0.0))
        columns.append(x)
    return np.array(columns).T


def written_in(samples: Sequence[Sample]) -> list[str]:
    """Return the language of each sample as a lake would have it: help and manuals fall back to English here and there."""
    texts = pa.array([each.text for each in samples])
    return list(identify(texts, load_model())["language"].to_pylist())


def as_written(samples: Sequence[Sample]) -> list[Sample]:
    """Return the samples with prose under the language that it is written in, where that is one of the 30."""
    return [
        replace(each, language=language) if each.group == "prose" and language in LANGUAGES else each
        for each, language in zip(samples, written_in(samples), strict=True)
    ]


def parallel_pages(corpus: Path) -> list[Sample]:
    """Return pages with the same number (their id) in several languages, English among them, as far as they are written in them."""
    found: list[Sample] = []
    for source in _PARALLEL:
        english = read_texts(corpus / source / "en.jsonl.zst")
        if source == "opensource-guide":
            english = english[1:]  # one more page than in the others, before them
        for language in LANGUAGES:
            pages = english if language == "en" else read_texts(corpus / source / f"{language}.jsonl.zst")
            found.extend(
                Sample(id=f"{source}/{number}", language=language, source=source, group="parallel", text=page)
                for number, (page, original) in enumerate(zip(pages, english, strict=False))
                if language == "en" or page != original
            )
    languages = written_in(found)
    return [page for page, language in zip(found, languages, strict=True) if page.language in ("en", language)]


def language_shifts(
    pages: Sequence[Sample], values: Values, features: Sequence[Feature] = FEATURES
) -> dict[str, Values]:
    """Return language → how much more of each feature its pages have than the same pages in English; 0 where words do not matter."""
    languages = np.array([page.language for page in pages])
    english = {page.id: at for at, page in enumerate(pages) if page.language == "en"}
    originals = np.array([english[page.id] for page in pages])
    by_words = np.array([each[4] for each in features], np.float64)
    return {
        language: (values[languages == language] - values[originals[languages == language]]).mean(axis=0) * by_words
        for language in sorted(set(languages.tolist()) - {"en"})
    }
