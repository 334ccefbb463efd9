"""Train a vocabulary on a lake, or extend one: choose, count, learn, store, and record which samples trained it.

Choosing and counting are Spark's; learning is one process's, the driver's, from counted pieces. The result goes to
``<lake>/vocabularies/<name>.json.xz``, then one commit adds family ``vocabularies`` and the run's row.
"""

from __future__ import annotations

import contextlib
import pickle
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from headwater.errors import UsageError
from headwater.fingerprint import fingerprint, fingerprint_of_rows
from headwater.lineage.past_runs import past_run
from headwater.lineage.runs import begin_run
from headwater.lineage.vocabularies import (
    check_vocabulary_name,
    find_vocabulary,
    store_vocabulary,
    vocabularies_uri,
)
from headwater.pipelines.recipe.vocabulary import VocabularyRecipe
from headwater.pipelines.spark.aligned import group_neighbours
from headwater.pipelines.spark.progress import Progress
from headwater.pipelines.spark.sessions import parallelism
from headwater.pipelines.vocabulary.counts import (
    OTHERS,
    Counted,
    CountJob,
    CountTarget,
    count_target,
    known_target,
)
from headwater.pipelines.vocabulary.learn import Pruned, learn, merge
from headwater.pipelines.vocabulary.record import record_samples
from headwater.pipelines.vocabulary.sample import Sample, choose_sample, chosen_ids, locate_samples, plan_sample
from headwater.pipelines.vocabulary.targets import TextCell
from headwater.plain import Row, ValuesByName
from headwater.tokenize.forms.load import Vocabulary, write_vocabulary
from headwater.warehouse.filesystem import filesystem_of, join
from headwater.warehouse.fragments import FRAGMENTS_PER_FILE, ROW_BITS
from headwater.warehouse.parquet import FragmentFiles
from headwater.warehouse.real_files import refuse_links
from headwater.warehouse.snapshot import Snapshot, open_snapshot

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["TrainedVocabulary", "train_vocabulary"]

VERSION: Final = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainedVocabulary:
    """The result of a training.

    Attributes:
        cells: a row for each language and domain: bytes available, asked for and taken, and documents.
        pieces: different pieces of text that were counted.
        least_count: pieces that occur less often were left out, so that the driver holds at most ``max_pieces``.
        left_out: how many pieces were left out.
        refused: rule → number of pairs that it refused.
        known: an earlier run had trained on the same samples, so nothing was done.
    """

    name: str
    fingerprint: str
    n_ids: int
    base: str | None = None
    documents: int = 0
    text_bytes: int = 0
    cells: Sequence[ValuesByName] = ()
    pieces: int = 0
    least_count: int = 1
    left_out: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)
    known: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class _Plan:
    """What a training is, known before anything is counted.

    Attributes:
        base: the vocabulary that is extended, and ``base_name``, how the user named it; None for a training from bytes.
        sample: which samples may train; its cuts come with counting.
        settings: what the run's row says of the training besides its recipe.
        state: fingerprint of recipe, settings and the files that are read: a training of the same state is the same training.
    """

    lake: str
    recipe: VocabularyRecipe
    name: str
    base_name: str | None
    base: Vocabulary | None
    snapshot: Snapshot
    sample: Sample
    located: Sequence[FragmentFiles]
    settings: Mapping[str, object]
    state: str

    @property
    def step(self) -> str:
        """What the run's row calls it."""
        return "vocab-train" if self.base is None else "vocab-extend"

    @property
    def folder(self) -> str:
        """Where counts lie until the vocabulary is stored; a training that was killed finds them there."""
        return join(vocabularies_uri(self.lake), f".counts-{self.state}")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Sampled:
    """The sample: bytes by cell that are there and that were asked for, and what was counted of each target that has samples."""

    there: Mapping[TextCell, int]
    asked: Mapping[TextCell, int]
    targets: Sequence[CountTarget]
    counted: Mapping[int, Counted]


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
    plan = _plan(lake, recipe, name, base)
    known = _find_known(plan)
    if known is not None:
        return known
    with Progress(plan.step, spark.sparkContext):
        sampled = _sample(spark, plan)
        counts, pruned = merge(spark, plan.folder, sampled.counted, recipe)
    made, refused = learn(counts, recipe, name, plan.base)
    store_vocabulary(lake, name, write_vocabulary(made))
    result = _result(plan, sampled, pruned, made, refused)
    _record(spark, plan, sampled, result)
    _delete_folder(plan.folder)
    return result


def _plan(lake: str, recipe: VocabularyRecipe, name: str, base: str | None) -> _Plan:
    """Return what will be done, or raise for what cannot be."""
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
    return _Plan(
        lake=lake,
        recipe=recipe,
        name=name,
        base_name=base,
        base=extended,
        snapshot=snapshot,
        sample=sample,
        located=located,
        settings=settings,
        state=fingerprint(settings | {"recipe": recipe.fingerprint, "rows": _state(located)}),
    )


def _find_known(plan: _Plan) -> TrainedVocabulary | None:
    """Return what an earlier run of the same training made, or None.

    Raises:
        UsageError: another training has given the name.
    """
    earlier = past_run(plan.snapshot, plan.step, plan.state)
    if earlier is not None:
        return TrainedVocabulary(
            name=plan.name,
            fingerprint=earlier["fingerprint"],
            n_ids=earlier["n_ids"],
            base=plan.base_name,
            known=True,
        )
    if len(plan.snapshot.live("vocabularies", batch=plan.name)):
        raise UsageError(
            f"expected no vocabulary named {plan.name}, or one of this recipe and these samples, found another; choose another name with "
            "--name"
        )
    return None


def _sample(spark: SparkSession, plan: _Plan) -> _Sampled:
    """Choose the sample and count its pieces."""
    sample, there, asked = choose_sample(spark, plan.snapshot, plan.located, plan.sample)
    job = CountJob(
        table=plan.snapshot.uri,
        folder=plan.folder,
        max_document_bytes=plan.recipe.sample.max_document_bytes,
        languages=frozenset(plan.recipe.training.weights) - {OTHERS},
        base=plan.base,
    )
    targets = _targets(plan.located, parallelism(spark))
    counted = _count(spark, plan.snapshot, plan.located, sample, job, targets)
    return _Sampled(there=there, asked=asked, targets=targets, counted=counted)


def _result(
    plan: _Plan, sampled: _Sampled, pruned: Pruned, made: Vocabulary, refused: Mapping[str, int]
) -> TrainedVocabulary:
    cells = _cells(sampled.there, sampled.asked, sampled.counted)
    return TrainedVocabulary(
        name=plan.name,
        fingerprint=made.fingerprint,
        n_ids=made.n_ids,
        base=plan.base_name,
        documents=sum(row["documents"] for row in cells),
        text_bytes=sum(row["got"] for row in cells),
        cells=cells,
        refused=refused,
        pieces=pruned.pieces,
        least_count=pruned.least_count,
        left_out=pruned.left_out,
    )


def _record(spark: SparkSession, plan: _Plan, sampled: _Sampled, result: TrainedVocabulary) -> None:
    """Commit which samples trained the vocabulary, with the run's row."""
    made = {"state": plan.state, "fingerprint": result.fingerprint, "n_ids": result.n_ids}
    run = begin_run(
        plan.lake, plan.step, plan.recipe.literals, {"vocabularies": {**plan.settings, **made}}, plan.snapshot.version
    )
    run.counts.update(_run_counts(result))
    record_samples(
        spark, run, plan.snapshot, plan.folder, sampled.targets, sampled.counted, plan.name, result.fingerprint
    )


def _state(located: Sequence[FragmentFiles]) -> str:
    return fingerprint_of_rows([where.fragment, sorted(path for path, _ in where.files.values())] for where in located)


def _targets(located: Sequence[FragmentFiles], slots: int) -> list[CountTarget]:
    """Return neighbours that one task counts: within one file of family ``vocabularies``, and enough tasks for every core."""
    per_task = max(1, min(FRAGMENTS_PER_FILE, len(located) // (4 * slots)))
    return [CountTarget(fragments=tuple(group)) for group in group_neighbours(located, per_task, kind=lambda _: None)]


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
    chosen = chosen_ids(spark, snapshot, located, sample).withColumn("fragment", sf.shiftright("sample_id", ROW_BITS))
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


def _cells(there: Mapping[TextCell, int], asked: Mapping[TextCell, int], counted: Mapping[int, Counted]) -> list[Row]:
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
    refuse_links(filesystem, filesystem_of(folder.rsplit("/", 2)[0])[1], path)
    with contextlib.suppress(OSError):
        filesystem.delete_dir(path)
