"""From the counts of all tasks to a vocabulary: bins added up on Spark, the rarest pieces left out, merges learned by the driver."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from headwater.errors import UsageError
from headwater.pipelines.recipe.vocabulary import VocabularyRecipe
from headwater.pipelines.spark.sessions import run_tasks
from headwater.pipelines.vocabulary.counts import BINS, Counted, merge_bin, read_bin
from headwater.tokenize.encode.grammar import encoding_pattern
from headwater.tokenize.forms.load import Vocabulary, extend_vocabulary, vocabulary_from_merges
from headwater.tokenize.train import bpe

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["Pruned", "learn", "merge"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Pruned:
    """What was left out of the counts.

    Attributes:
        pieces: different pieces before.
        least_count: pieces that occur less often were left out; 1 leaves out nothing.
        left_out: how many pieces were left out.
    """

    pieces: int
    least_count: int
    left_out: int


def merge(
    spark: SparkSession, folder: str, counted: Mapping[int, Counted], recipe: VocabularyRecipe
) -> tuple[pa.Table, Pruned]:
    """Add up what the tasks counted and return the counts of all pieces but the rarest, and what was left out.

    Raises:
        UsageError: the sample has fewer sources or documents than a token must stand in.
    """
    parts = [name for number in sorted(counted) for name in counted[number].parts]
    merged = run_tasks(spark, partial(merge_bin, folder, parts), range(BINS))
    sources = {source for _, _, some in merged for source in some}
    documents = sum(n for each in counted.values() for n, _ in each.cells.values())
    for key, least, found in (
        ("min_sources", recipe.training.min_sources, len(sources)),
        ("min_documents", recipe.training.min_documents, documents),
    ):
        if found < least:
            raise UsageError(
                f"[training] {key}: expected at most the {found} that the sample has, found {least}: no token could occur in as many; lower it"
            )
    pieces: dict[int, int] = {}
    for _, histogram, _ in merged:
        for count, n in histogram.items():
            pieces[count] = pieces.get(count, 0) + n
    least_count, left_out = _prune(pieces, recipe.training.max_pieces)
    tables = []
    for name, _, _ in merged:
        table = read_bin(folder, name, 0)
        tables.append(table if least_count == 1 else table.filter(pc.greater_equal(table["count"], least_count)))
    total = sum(pieces.values())
    return pa.concat_tables(tables), Pruned(pieces=total, least_count=least_count, left_out=left_out)


def _prune(pieces: Mapping[int, int], most: int) -> tuple[int, int]:
    """Return the least count at which at most ``most`` pieces are left, and how many are left out.

    >>> _prune({1: 700, 2: 200, 9: 100}, 300)
    (2, 700)
    """
    total, least = sum(pieces.values()), 1
    left_out = 0
    for count in sorted(pieces):
        if total - left_out <= most:
            break
        left_out += pieces[count]
        least = count + 1
    return least, left_out


def learn(
    counts: pa.Table, recipe: VocabularyRecipe, name: str, base: Vocabulary | None
) -> tuple[Vocabulary, dict[str, int]]:
    """Return the vocabulary that the counts give under ``name``, new or an extension of ``base``, and how many pairs each rule refused."""
    training = recipe.training
    settings = bpe.TokenRules(
        min_sources=training.min_sources,
        min_documents=training.min_documents,
        max_characters=training.max_characters,
    )
    refused: dict[str, int] = {}
    weights = dict(training.weights)
    if base is not None:
        pairs = bpe.extend(counts, base, n_ids=training.n_ids, settings=settings, weights=weights, refused=refused)
        return extend_vocabulary(base, pairs, name=name), refused
    pairs = bpe.train(counts, n_ids=training.n_ids, settings=settings, weights=weights, refused=refused)
    pattern, alphabet = encoding_pattern(), range(256)
    made = vocabulary_from_merges(name=name, pattern=pattern, alphabet=alphabet, pairs=pairs, base_ids=None)
    return made, refused
