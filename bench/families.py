"""The operator behind each annotated family, called in this process as the annotate step calls it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache

import pyarrow as pa

from bench.documents import CORPUS, REPOSITORY, Document, text_array
from headwater.filters.contamination import find as contamination
from headwater.filters.contamination.index import ContaminationIndex, ItemSet, build_index
from headwater.filters.contamination.items import ItemFields
from headwater.filters.duplicates import minhash
from headwater.filters.language import identify as language
from headwater.filters.scores import score as scores
from headwater.filters.signals import measure as signals
from headwater.filters.spans import find as spans
from headwater.pipelines.ingest.evaluation_items import read_items
from headwater.pipelines.recipe.job import load_recipe
from headwater.pipelines.recipe.operators import ANNOTATED
from headwater.tokenize.encode.encoder import encode
from headwater.tokenize.forms.load import load_vocabulary
from headwater.warehouse.parquet import BATCH_BYTES

__all__ = ["APART", "FAMILIES", "RECIPE", "Batch", "batches", "measure", "prepare", "unmeasured"]

RECIPE = REPOSITORY / "recipes" / "ling-flash-2.toml"
APART = "tokens"
"""Counted in the same pass, and apart in every figure: its speed depends on the vocabulary."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """A batch of texts, and what operators read beside the text.

    Attributes:
        languages: column `language` of the texts.
        signals: family `signals` of the texts.
    """

    texts: pa.LargeStringArray
    languages: pa.Array
    signals: pa.RecordBatch


@cache
def _span_operators() -> tuple[str, ...]:
    """The recipe's, as `bench.spark_side` runs it."""
    return tuple(load_recipe(RECIPE).spans.operators)


@cache
def _index() -> ContaminationIndex:
    """Of the evaluation sets that lie beside the corpus; of none where there are none."""
    files = sorted((CORPUS.parent / "benchmarks").glob("*.jsonl*"))
    sets = [ItemSet(name=file.name.split(".")[0], items=read_items(str(file), ItemFields())) for file in files]
    return build_index(sets, 13)


FAMILIES: dict[str, Callable[[Batch], object]] = {
    "language": lambda batch: language.identify(batch.texts, language.load_model()),
    "signals": lambda batch: signals.measure_signals(batch.texts, batch.languages),
    "scores": lambda batch: scores.score(batch.signals, batch.languages, texts=batch.texts),
    "minhash": lambda batch: minhash.measure_minhash(batch.texts),
    "spans": lambda batch: spans.find_spans(batch.texts, _span_operators()),
    "contamination": lambda batch: contamination.find_contamination(batch.texts, _index()),
    APART: lambda batch: encode(batch.texts, load_vocabulary()),
}
"""What computes the rows of each family; `unmeasured` says which families of the step are not here."""


def unmeasured() -> list[str]:
    """Return the families that the annotate step fills and that are not in `FAMILIES`."""
    return [family for family in (*ANNOTATED, "contamination") if family not in FAMILIES]


def prepare(documents: list[Document]) -> list[Batch]:
    """Return the documents in the step's batches, with what one family reads of another measured beforehand."""
    model = language.load_model()
    found = []
    for texts in batches(documents):
        languages = language.identify(texts, model)["language"]
        found.append(Batch(texts=texts, languages=languages, signals=signals.measure_signals(texts, languages)))
    return found


def measure(prepared: list[Batch], families: Iterable[str]) -> None:
    """Compute the rows of `families` and forget them."""
    wanted = [FAMILIES[family] for family in families]
    for batch in prepared:
        for work in wanted:
            work(batch)


def batches(documents: list[Document], batch_bytes: int = BATCH_BYTES) -> list[pa.LargeStringArray]:
    """Return the texts in batches of about `batch_bytes`, as the pipeline hands them to operators."""
    found: list[list[Document]] = [[]]
    n_bytes = 0
    for document in documents:
        if n_bytes + document.n_bytes > batch_bytes and found[-1]:
            found.append([])
            n_bytes = 0
        found[-1].append(document)
        n_bytes += document.n_bytes
    return [text_array(members) for members in found]
