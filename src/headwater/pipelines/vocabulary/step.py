"""Train a vocabulary on a lake, or extend one: choose, count, learn, store, and record which samples trained it.

Choosing and counting are Spark's; learning is one process's, the driver's, from counted pieces. The result goes to
``<lake>/vocabularies/<name>.json.xz``, then one commit adds family ``vocabularies`` and the run's row.
"""

from __future__ import annotations

import contextlib
import pickle
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from headwater.errors import UsageError
from headwater.fingerprint import fingerprint
from headwater.lineage.runs import begin_run, past_run
from headwater.lineage.vocabularies import (
    check_vocabulary_name,
    find_vocabulary,
    store_vocabulary,
    vocabularies_uri,
)
from headwater.pipelines.recipe.vocabulary import VocabularyRecipe
from headwater.pipelines.spark.progress import Progress
from headwater.pipelines.spark.sessions import parallelism, run_tasks
from headwater.pipelines.vocabulary.counts import (
    BINS,
    OTHERS,
    Counted,
    CountJob,
    CountTarget,
    count_target,
    known_target,
    merge_bin,
    read_bin,
)
from headwater.pipelines.vocabulary.record import record_samples
from headwater.pipelines.vocabulary.sample import Sample, choose_sample, chosen_ids, locate_samples, plan_sample
from headwater.pipelines.vocabulary.targets import TextCell
from headwater.tokenize.encode.grammar import encoding_pattern
from headwater.tokenize.forms.load import Vocabulary, extend_vocabulary, vocabulary_from_merges, write_vocabulary
from headwater.tokenize.train import bpe as bpe_training
from headwater.warehouse.filesystem import filesystem_of, join
from headwater.warehouse.fragments import FRAGMENTS_PER_FILE
from headwater.warehouse.parquet import FragmentFiles
from headwater.warehouse.snapshot import Snapshot, open_snapshot

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["TrainedVocabulary", "train_vocabulary"]

VERSION: Final = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainedVocabulary:
    """The result of a training.

    Attributes:
        cells: a row a language and domain: bytes there, asked, got, documents.
        pieces: different pieces of text that were counted.
        least_count: pieces that occur less often were left out, so that the driver holds at most ``max_pieces``.
        left_out: how many pieces that were.
        refused: rule → pairs that it refused.
        known: nothing was done since an earlier run had trained on the same samples.
    """

    name: str
    fingerprint: str
    n_ids: int
    base: str | None = None
    documents: int = 0
    text_bytes: int = 0
    cells: Sequence[Mapping[str, Any]] = ()
    pieces: int = 0
    least_count: int = 1
    left_out: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)
    known: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class _Pruned:
    """What was left out of the counts; as in ``TrainedVocabulary``."""

    pieces: int
    least_count: int
    left_out: int


def train_vocabulary(
    spark: SparkSession, lake: str, recipe: VocabularyRecipe, name: str, base: str | None = None
) -> TrainedVocabulary:
    """Train a vocabulary on samples of the lake, store it under ``name`` and return what was done.

    The same recipe on the same documents gives the same vocabulary, whatever their batches and order and the number of cores.

    Args:
        base: name or file of the vocabulary to extend; None to train from bytes.

    Raises:
        UsageError: another vocabulary has the name; samples that were not annotated or decided; fewer sources or documents than a token
            must stand in; a base that has as many ids as asked for.
        CorruptLakeError: something cannot be read as it was written.
    """
    check_vocabulary_name(name)
    extended = None if base is None else find_vocabulary(lake, base)
    if extended is not None and extended.next_id >= recipe.training.n_ids:
        raise UsageError(
            f"[training] n_ids: expected more than the {extended.next_id} that {base} uses, found {recipe.training.n_ids}"
        )
    snapshot = open_snapshot(lake)
    sample = plan_sample(snapshot, recipe.sample)
    located = locate_samples(snapshot, sample)
    settings = {
        "version": VERSION,
        "vocabulary": name,
        "base": None if extended is None else extended.fingerprint,
        "where": sample.where,
    }
    state = fingerprint(settings | {"recipe": recipe.fingerprint, "rows": _state(located)})
    step = "vocab-train" if extended is None else "vocab-extend"
    earlier = past_run(snapshot, step, state)
    if earlier is not None:
        return TrainedVocabulary(
            name=name, fingerprint=earlier["fingerprint"], n_ids=earlier["n_ids"], base=base, known=True
        )
    if len(snapshot.live("vocabularies", batch=name)):
        raise UsageError(
            f"expected no vocabulary named {name}, or one of this recipe and these samples, found another; choose another name with --name"
        )
    folder = join(vocabularies_uri(lake), f".counts-{state}")
    with Progress(step, spark.sparkContext):
        sample, there, asked = choose_sample(spark, snapshot, located, sample)
        job = CountJob(
            table=snapshot.uri,
            folder=folder,
            max_document_bytes=recipe.sample.max_document_bytes,
            languages=frozenset(recipe.training.weights) - {OTHERS},
            base=extended,
        )
        targets = _targets(located, parallelism(spark))
        counted = _count(spark, snapshot, located, sample, job, targets)
        counts, pruned = _merge(spark, folder, counted, recipe)
    cells = _cells(there, asked, counted)
    made, refused = _learn(counts, recipe, name, extended)
    del counts
    store_vocabulary(lake, name, write_vocabulary(made))
    result = TrainedVocabulary(
        name=name,
        fingerprint=made.fingerprint,
        n_ids=made.n_ids,
        base=base,
        documents=sum(row["documents"] for row in cells),
        text_bytes=sum(row["got"] for row in cells),
        cells=cells,
        refused=refused,
        pieces=pruned.pieces,
        least_count=pruned.least_count,
        left_out=pruned.left_out,
    )
    operator = settings | {"state": state, "fingerprint": made.fingerprint, "n_ids": made.n_ids}
    run = begin_run(lake, step, recipe.literals, {"vocabularies": operator}, snapshot.version)
    run.counts.update(_run_counts(result))
    record_samples(spark, run, snapshot, folder, targets, counted, name, made.fingerprint)
    _delete_folder(folder)
    return result


def _state(located: Sequence[FragmentFiles]) -> str:
    return fingerprint([[where.fragment, sorted(path for path, _ in where.files.values())] for where in located])


def _targets(located: Sequence[FragmentFiles], slots: int) -> list[CountTarget]:
    """Return neighbours that one task counts: within one file of family ``vocabularies``, and enough tasks for every core."""
    per_task = max(1, min(FRAGMENTS_PER_FILE, len(located) // (4 * slots)))
    groups: list[list[FragmentFiles]] = []
    for where in located:
        near = bool(groups) and where.fragment - groups[-1][0].fragment < FRAGMENTS_PER_FILE
        if near and len(groups[-1]) < per_task:
            groups[-1].append(where)
        else:
            groups.append([where])
    return [CountTarget(fragments=tuple(group)) for group in groups]


def _count(
    spark: SparkSession,
    snapshot: Snapshot,
    located: Sequence[FragmentFiles],
    sample: Sample,
    job: CountJob,
    targets: Sequence[CountTarget],
) -> dict[int, Counted]:
    """Return what was counted of each target, those of an earlier try among them; a target without a chosen sample has none."""
    from pyspark.sql import functions as sf

    found = {number: known_target(job.folder, target) for number, target in enumerate(targets)}
    done = {number: counted for number, counted in found.items() if counted is not None}
    todo = [target for number, target in enumerate(targets) if number not in done]
    numbers = [number for number in range(len(targets)) if number not in done]
    if not todo:
        return done
    owners = [(where.fragment, slot) for slot, target in enumerate(todo) for where in target.fragments]
    owner = sf.broadcast(spark.createDataFrame(owners, "fragment long, slot int"))
    chosen = chosen_ids(spark, snapshot, located, sample).withColumn("fragment", sf.shiftright("sample_id", 24))
    placed = (
        chosen.join(owner, "fragment")
        .select("slot", "sample_id")
        .repartitionById(len(todo), "slot")
        .sortWithinPartitions("sample_id")
    )
    shared = spark.sparkContext.broadcast((job, todo))  # a base is some megabytes: sent once, not with every task

    def count(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        rows = pa.Table.from_batches(list(batches), pa.schema([("slot", pa.int32()), ("sample_id", pa.int64())]))
        if rows.num_rows:
            slot = rows["slot"][0].as_py()
            known, waiting = shared.value
            result = count_target(known, waiting[slot], rows["sample_id"].to_numpy())
            yield pa.record_batch({"slot": pa.array([slot], pa.int32()), "counted": pa.array([pickle.dumps(result)])})

    for row in placed.mapInArrow(count, "slot int, counted binary").collect():
        done[numbers[row.slot]] = pickle.loads(row.counted)  # noqa: S301 - written by this job's own tasks
    return done


def _merge(
    spark: SparkSession, folder: str, counted: Mapping[int, Counted], recipe: VocabularyRecipe
) -> tuple[pa.Table, _Pruned]:
    """Return the counts of all pieces but the rarest, and what was left out."""
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
                f"[training] {key}: expected at most the {found} that the sample has, found {least}: no token could stand in so many; lower it"
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
    return pa.concat_tables(tables), _Pruned(pieces=total, least_count=least_count, left_out=left_out)


def _prune(pieces: Mapping[int, int], most: int) -> tuple[int, int]:
    """Return the least count at which at most so many pieces are left, and how many are left out.

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


def _learn(
    counts: pa.Table, recipe: VocabularyRecipe, name: str, base: Vocabulary | None
) -> tuple[Vocabulary, dict[str, int]]:
    training = recipe.training
    settings = bpe_training.TokenRules(
        min_sources=training.min_sources,
        min_documents=training.min_documents,
        max_characters=training.max_characters,
    )
    refused: dict[str, int] = {}
    weights = dict(training.weights)
    if base is not None:
        pairs = bpe_training.extend(
            counts, base, n_ids=training.n_ids, settings=settings, weights=weights, refused=refused
        )
        return extend_vocabulary(base, pairs, name=name), refused
    pairs = bpe_training.train(counts, n_ids=training.n_ids, settings=settings, weights=weights, refused=refused)
    pattern, alphabet = encoding_pattern(), range(256)
    made = vocabulary_from_merges(name=name, pattern=pattern, alphabet=alphabet, pairs=pairs, base_ids=None)
    return made, refused


def _cells(
    there: Mapping[TextCell, int], asked: Mapping[TextCell, int], counted: Mapping[int, Counted]
) -> list[dict[str, Any]]:
    got: dict[str, list[int]] = {}
    for each in counted.values():
        for name, (documents, size) in each.cells.items():
            sums = got.setdefault(name, [0, 0])
            sums[0] += documents
            sums[1] += size
    rows = []
    for cell in sorted(there):
        documents, size = got.get("/".join(cell), [0, 0])
        row = {"language": cell.language, "domain": cell.domain, "available": there[cell]}
        rows.append(row | {"asked": asked[cell], "got": size, "documents": documents})
    return rows


def _run_counts(result: TrainedVocabulary) -> dict[str, int]:
    counts = {name: getattr(result, name) for name in ("documents", "text_bytes", "pieces", "least_count", "left_out")}
    for row in result.cells:
        for name in ("asked", "got"):
            counts[f"{name}:{row['language']}/{row['domain']}"] = row[name]
    return counts | {"n_ids": result.n_ids} | {f"refused:{rule}": n for rule, n in result.refused.items()}


def _delete_folder(folder: str) -> None:
    """Delete what was counted; what is left is deleted by maintenance."""
    filesystem, path = filesystem_of(folder)
    with contextlib.suppress(OSError):
        filesystem.delete_dir(path)
