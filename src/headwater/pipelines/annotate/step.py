"""Annotate: every operator that reads text, in one pass over it, each family to its own file.

What is missing is computed from the table: a fragment without a family, or with one by another operator fingerprint, is annotated again for
that family only. A fingerprint covers an operator's version, settings and models and those of the operators that it reads, so a
changed setting reaches exactly what depends on it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from headwater.errors import UsageError
from headwater.filters.blocklists.match import find_listed
from headwater.filters.contamination import find as contamination
from headwater.filters.duplicates import minhash
from headwater.filters.language import identify as language
from headwater.filters.scores import score as scores
from headwater.filters.scores.shipped import Scorer
from headwater.filters.signals import measure as signals
from headwater.filters.signals.kinds import KIND_SIGNALS, kinds
from headwater.filters.spans.find import SPAN_COLUMNS, without_spans
from headwater.filters.spans.stored import stored_spans
from headwater.lineage.blocklists import store_blocklists
from headwater.lineage.evaluation_sets import StoredSet, load_index
from headwater.lineage.runs import Run, Unit, begin_run, commit_wave, finish_run
from headwater.lineage.score_models import scorer_of, store_models
from headwater.lineage.vocabularies import find_vocabulary
from headwater.pipelines.annotate.ready_lists import list_of
from headwater.pipelines.recipe.blocklists import BlockListSettings
from headwater.pipelines.recipe.operators import Resolved
from headwater.pipelines.recipe.sections import ContaminationSettings, SpanSettings
from headwater.pipelines.spark.aligned import group_neighbours
from headwater.pipelines.spark.arrivals import Pace, arrivals
from headwater.pipelines.spark.progress import Progress
from headwater.pipelines.spark.sessions import parallelism
from headwater.pipelines.spark.watch import beat
from headwater.tokenize.encode.encoder import encode
from headwater.warehouse.columns import repeat_text, with_run
from headwater.warehouse.faults import ANNOTATE
from headwater.warehouse.fragments import FRAGMENTS_PER_FILE, FileEntry, fragment_mask
from headwater.warehouse.parquet import FamilyWriter, FragmentFiles, read_aligned, read_sparse, slice_by_bytes
from headwater.warehouse.schema import FAMILIES, arrow_schema
from headwater.warehouse.snapshot import Snapshot, open_snapshot
from headwater.warehouse.table_format import declare_columns

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["annotate", "measure_texts"]

_TASK_BYTES: Final = 16 << 30
"""About how much text a task reads at most, some twenty minutes of work: what is lost when it, or the driver, dies."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Task:
    lake: str
    table: str
    run_id: str
    families: Mapping[str, str]
    reads: Mapping[str, tuple[str, ...]]
    fragments: tuple[FragmentFiles, ...]
    language_model: str
    spans: SpanSettings
    vocabulary: str
    numbers: Mapping[str, str]
    models: Mapping[str, str]
    contamination: ContaminationSettings
    sets: tuple[StoredSet, ...]
    blocklists: tuple[BlockListSettings, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Result:
    entries: list[FileEntry]
    rows: int
    text_bytes: int


def annotate(spark: SparkSession, job: Resolved, families: Sequence[str] | None = None) -> dict[str, int]:
    """Fill every annotated family of every fragment that lacks it, and return the counts of what was done.

    Args:
        families: only these, and those that they read; by default all that the recipe asks for.

    Raises:
        CorruptLakeError: content cannot be read as it was committed.
        UsageError: a family that no annotation of this recipe fills.
    """
    snapshot = open_snapshot(job.lake)
    wanted = _with_what_they_read(job, families)
    settings = {family: job.operators[family] for family in job.annotated}
    snapshot = declare_columns(snapshot, job.recipe.own_scores)
    if "scores" in wanted:
        store_models(job.lake, job.scorers)
    listed = store_blocklists(job.lake, job.recipe.blocklists) if "blocklists" in wanted else {}
    run = begin_run(job.lake, "annotate", job.recipe.literals, settings, snapshot.version)
    run.counts |= listed
    slots, pace = parallelism(spark), Pace()
    with Progress("annotate", total_bytes=_text_bytes(snapshot, _missing(snapshot, wanted))) as progress:
        while True:
            tasks = _plan(snapshot, run, job, wanted, slots)
            if not tasks:
                break
            for done in arrivals(spark, _annotate, tasks, pace, progress, _size, point=ANNOTATE):
                units = [_unit(snapshot, tasks[number], result) for number, result in done]
                snapshot, _ = commit_wave(run, snapshot, units, valid=_texts_stand)
    finish_run(run, snapshot)
    return dict(run.counts)


def _with_what_they_read(job: Resolved, families: Sequence[str] | None) -> dict[str, str]:
    """Return the fingerprints of ``families`` and of all that they read, directly or through another."""
    wanted = job.fingerprints
    if families is None:
        return wanted
    if unknown := [family for family in families if family not in wanted]:
        raise UsageError(f"annotate: expected families among {', '.join(wanted)}, found {', '.join(unknown)}")
    chosen = set(families)
    while found := {other for family in chosen for other in job.reads.get(family, ())} - chosen:
        chosen |= found
    return {family: operator for family, operator in wanted.items() if family in chosen}


def _text_bytes(snapshot: Snapshot, fragments: Collection[int]) -> int:
    """Return about how many bytes of text some fragments hold."""
    content = snapshot.live("content")
    chosen = np.isin(content["base"].to_numpy(), np.fromiter(fragments, np.int64, len(fragments)))
    # A compressed byte is about three of text: the bar is only a forecast, and so is how long a task takes.
    return int(3 * content["size"].to_numpy()[chosen].sum())


def _missing(snapshot: Snapshot, wanted: Mapping[str, str]) -> dict[int, tuple[str, ...]]:
    """Return the families that each fragment lacks, fragments ascending."""
    lacking: dict[int, list[str]] = {}
    for family, operator in wanted.items():
        for fragment in snapshot.missing(family, operator).tolist():
            lacking.setdefault(fragment, []).append(family)
    return {fragment: tuple(lacking[fragment]) for fragment in sorted(lacking)}


def _plan(
    snapshot: Snapshot,
    run: Run,
    job: Resolved,
    wanted: Mapping[str, str],
    slots: int,
) -> list[_Task]:
    """Return the tasks of everything missing: neighbours that lack the same families and replace the same files share a task."""
    missing = _missing(snapshot, wanted)
    most = _TASK_BYTES * len(missing) // max(1, _text_bytes(snapshot, missing))
    per_task = max(1, min(FRAGMENTS_PER_FILE, len(missing) // (8 * slots), most))
    located = snapshot.locate(np.fromiter(missing, np.int64, len(missing)), tuple(wanted))
    groups = group_neighbours(
        located,
        per_task,
        kind=lambda where: (where.batch, missing[where.fragment]),
        replaced=lambda where: where.paths(missing[where.fragment]),
    )
    return [
        _task(
            job,
            table=snapshot.uri,
            run_id=run.run_id,
            families={family: wanted[family] for family in missing[members[0].fragment]},
            fragments=tuple(members),
        )
        for members in groups
    ]


def _task(
    job: Resolved, *, table: str, run_id: str, families: Mapping[str, str], fragments: tuple[FragmentFiles, ...]
) -> _Task:
    return _Task(
        lake=job.lake,
        table=table,
        run_id=run_id,
        families=families,
        reads=job.reads,
        fragments=fragments,
        language_model=job.recipe.language.model,
        spans=job.recipe.spans,
        vocabulary=job.recipe.vocabulary.name,
        numbers=job.recipe.deduplicate.numbers,
        models={column: scorer.model.sha256 for column, scorer in job.scorers.items()},
        contamination=job.recipe.contamination,
        sets=job.sets,
        blocklists=job.recipe.blocklists,
    )


def measure_texts(job: Resolved, texts: pa.Table) -> pa.Table:
    """Return what annotate would measure of texts that need not be of the lake: language, signals, scores, tokens and hits of block lists.

    Args:
        texts: ``sample_id`` (ascending), ``text`` and ``text_bytes``; ``uri`` for block lists of domains and URLs.
    """
    listed = ["blocklists"] if job.recipe.blocklists else []
    families = ("language", "signals", "scores", "spans", "tokens", *listed)
    task = _task(job, table="", run_id="", families=dict.fromkeys(families, ""), fragments=())
    found = dict(_measure(task, _Inputs(rows=texts, spans=arrow_schema("spans").empty_table())))
    for family in families:
        for name in found[family].column_names if family != "spans" else ():
            if name not in texts.column_names:
                texts = texts.append_column(name, found[family][name])
    return texts


def _unit(snapshot: Snapshot, task: _Task, result: _Result) -> Unit:
    removes = {path for where in task.fragments for path in where.paths(task.families)}
    counts = {"fragments": len(task.fragments), "samples": result.rows, "text_bytes": result.text_bytes}
    counts |= {f"{entry.family}_bytes": entry.size for entry in result.entries}
    return Unit(adds=result.entries, removes=sorted(removes), counts=counts, tags=frozenset(_texts_of(task)))


def _texts_of(task: _Task) -> list[str]:
    return [path for where in task.fragments for path in where.paths(["content"])]


def _texts_stand(now: Snapshot, unit: Unit) -> bool:
    """Return whether the texts that were read are still those of the table: step extract may have put others in their place."""
    return now.holds(unit.tags)


def _size(result: _Result) -> tuple[int, int]:
    return result.rows, result.text_bytes


def _annotate(task: _Task) -> _Result:
    """Read the task's fragments once and write a file for each family, a fragment in memory at a time; runs in a Spark task."""
    base, mask = fragment_mask(where.fragment for where in task.fragments)
    batch = task.fragments[0].batch
    rows = text_bytes = 0
    own = tuple(name for name in task.models if name not in FAMILIES["scores"].fields)
    with contextlib.ExitStack() as stack:
        writers = {
            family: stack.enter_context(
                FamilyWriter(task.table, family, batch, base, mask, operator, own if family == "scores" else ())
            )
            for family, operator in task.families.items()
        }
        for where in task.fragments:
            parts: dict[str, list[pa.Table]] = {family: [] for family in task.families}
            for inputs in _inputs(task, where):
                beat()
                rows += inputs.rows.num_rows
                text_bytes += int(inputs.rows["text_bytes"].to_numpy().sum())
                for family, found in _measure(task, inputs):
                    parts[family].append(with_run(found, task.run_id))
            for family, writer in writers.items():
                empty = arrow_schema(family, own if family == "scores" else ()).empty_table()
                writer.write(pa.concat_tables(parts[family]) if parts[family] else empty)
        return _Result(entries=[writer.finish() for writer in writers.values()], rows=rows, text_bytes=text_bytes)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Inputs:
    """A batch of a fragment: content with stored columns beside it, and its stored spans where they are read."""

    rows: pa.Table
    spans: pa.Table


def _scorers(task: _Task) -> dict[str, Scorer]:
    """Return the models of family ``scores``, by column."""
    return {column: scorer_of(task.lake, sha256) for column, sha256 in task.models.items()}


def _read(task: _Task) -> set[str]:
    """Return the families that the task's operators read, made in the same pass or before."""
    return {other for family in task.families for other in task.reads.get(family, ())}


def _inputs(task: _Task, where: FragmentFiles) -> Iterator[_Inputs]:
    """Yield a fragment in batches: text only where an operator reads it, and what operators read that is stored already."""
    columns: dict[str, Sequence[str]] = {"content": ["text_bytes"]}
    of_words = any(each.kind == "words" for each in task.blocklists)
    without_text = {"scores"} if of_words else {"scores", "blocklists"}
    if set(task.families) - without_text or ("scores" in task.families and scores.reads_text(_scorers(task))):
        columns["content"] = ["text", "text_bytes"]
    if "blocklists" in task.families and any(each.kind != "words" for each in task.blocklists):
        columns["content"] = ["uri", *columns["content"]]
    stored = _read(task) - set(task.families)
    if "language" in stored:
        columns["language"] = ["language"]
    if "signals" in stored:
        read = KIND_SIGNALS if "minhash" in task.families else ()
        columns["signals"] = list(
            dict.fromkeys([*read, *(scores.signals_read(_scorers(task)) if "scores" in task.families else ())])
        )
    spans_there = arrow_schema("spans").empty_table()
    if "spans" in stored:
        spans_there = read_sparse(task.table, where, "spans", SPAN_COLUMNS)
    for table in read_aligned(task.table, where, columns):
        for rows in slice_by_bytes(table):
            yield _Inputs(rows=rows, spans=spans_there)


def _measure(task: _Task, inputs: _Inputs) -> Iterator[tuple[str, pa.Table]]:
    """Yield (family, rows) for the families of the task."""
    table, ids = inputs.rows, inputs.rows["sample_id"]
    found: dict[str, pa.Table] = {}

    def keep(family: str, measured: pa.RecordBatch) -> None:
        rows = pa.Table.from_batches([measured])
        named = ids.take(rows["row"]) if "row" in rows.column_names else ids  # a sparse family names the rows it has
        found[family] = rows.select([name for name in rows.column_names if name != "row"]).add_column(
            0, "sample_id", named
        )

    texts = table["text"].combine_chunks() if "text" in table.column_names else None
    if "language" in task.families:
        keep("language", language.identify(texts, language.load_model(task.language_model)))
    languages = found.get("language", table)["language"].combine_chunks() if "language" in _read(task) else None
    if "signals" in task.families:
        keep("signals", signals.measure_signals(texts, languages))
    if "scores" in task.families:
        measured, models = found.get("signals", table), _scorers(task)
        read = pa.record_batch({name: measured[name].combine_chunks() for name in scores.signals_read(models)})
        keep("scores", scores.score(read, languages, models, texts))
    if "minhash" in task.families:
        texts_are = kinds(found.get("signals", table)) if task.reads["minhash"] else None
        keep("minhash", minhash.measure_minhash(texts, texts_are, task.numbers))
    if "spans" in task.families:
        looked_for = {"personal": task.spans.personal is not None, "secrets": task.spans.secrets is not None}
        keep("spans", stored_spans(texts, task.spans.operators, languages, **looked_for))
    if "tokens" in task.families:
        vocabulary = find_vocabulary(task.lake, task.vocabulary)
        counts = np.diff(
            encode(without_spans(table, found.get("spans", inputs.spans), task.spans.policy), vocabulary)[1]
        )
        names = repeat_text(vocabulary.fingerprint, len(counts))
        keep("tokens", pa.record_batch({"vocabulary": names, "n_tokens": pa.array(counts)}))
    if "contamination" in task.families:
        settings = task.contamination
        index = load_index(task.sets, settings.ngram_words)
        keep(
            "contamination",
            contamination.find_contamination(texts, index, settings.least_overlap, settings.answer_words),
        )
    if "blocklists" in task.families:
        lists = {each.name: list_of(task.lake, each.sha256, each.kind) for each in task.blocklists}
        uris = table["uri"] if "uri" in table.column_names else None
        keep("blocklists", find_listed(lists, uris, texts, table.num_rows))
    yield from found.items()
