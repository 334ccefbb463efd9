"""Build: the chosen samples' tokens, shuffled, packed to each stage's context, in shards, with a placement for every run of tokens.

Tasks read the chosen texts, leave out their spans, tokenize, and hand narrow token rows to Spark's shuffle; the other side gets a shard's rows in the
order of their positions, packs them, writes the shard's files and describes its placements. A shard and its placements are committed together;
a build that was killed goes on with the shards that are missing.

Position of a copy: a 64-bit hash of (seed, content_hash, origin), moved by copy/copies of the whole range, so copies are spread over the
stage. Shard: the position's share of the range. Nothing depends on addresses, so the same documents give the same bytes.
"""

from __future__ import annotations

import dataclasses
import json
import pickle
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headwater.errors import CorruptLakeError, UsageError
from headwater.filters.spans import apply_spans
from headwater.lineage.fingerprint import fingerprint
from headwater.lineage.runs import Unit, begin_run, commit_wave, finish_run, past_run
from headwater.pipelines.narrow import fragment_rows, split_runs
from headwater.pipelines.progress import Progress
from headwater.pipelines.recipe import Recipe
from headwater.pipelines.recipe_sections import Stage
from headwater.pipelines.spark import parallelism
from headwater.tokenize import megatron, npy
from headwater.tokenize.boundaries import boundaries_table, write_boundaries
from headwater.tokenize.encoder import encode
from headwater.tokenize.manifest import Shard, ShardFile, make_manifest, write_manifest
from headwater.tokenize.packing import Packed, pack
from headwater.tokenize.vocabulary import Vocabulary, load_vocabulary
from headwater.warehouse.filesystem import HashingSink, exists, join, read_bytes, resolve, write_hashed
from headwater.warehouse.parquet import FragmentFiles, read_aligned, read_sparse, write_family
from headwater.warehouse.schema import arrow_schema
from headwater.warehouse.snapshot import Snapshot, open_snapshot

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["build", "builds_uri", "shard_name"]

VERSION: Final = 1
_TOKEN_ROW: Final = (
    "slot int, position long, content_hash binary, origin long, copy int, sample_id long, tokens binary"
)
_BATCH_BYTES: Final = 16 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class _Job:
    """What every task of a build knows.

    Attributes:
        slots: stage and shard of each partition of the shuffle: the shards that are missing.
        shards: stage → how many shards it has.
        vocabularies: name of the vocabulary, loaded once a worker.
    """

    table: str
    folder: str
    build: str
    run_id: str
    recipe: Recipe
    shards: Mapping[str, int]
    slots: Sequence[tuple[str, int]]


def builds_uri(lake: str, build: str, stage: str = "") -> str:
    """Return the folder of a build, or of one of its stages."""
    return join(lake, "builds", build, stage) if stage else join(lake, "builds", build)


def shard_name(number: int) -> str:
    """Return the stem of a shard's file names.

    >>> shard_name(7)
    'shard-00007'
    """
    return f"shard-{number:05d}"


def stage_operator(stage: str) -> str:
    """Return what names a stage in the file names of its placements."""
    return fingerprint({"placements": VERSION, "stage": stage})


def positions(seed: int, content_hash: pa.Array, origin: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
    """Return uint64 [n]: SplitMix64's finaliser over seed, content hash and origin; the last ties fall by these themselves."""
    start = int.from_bytes(blake2b(f"headwater order {seed}".encode(), digest_size=8).digest(), "little")
    halves = np.frombuffer(b"".join(content_hash.to_pylist()), dtype="<u8").reshape(-1, 2)
    mixed = np.full(len(halves), start, dtype=np.uint64)
    with np.errstate(over="ignore"):
        for part in (halves[:, 0], halves[:, 1], origin.view(np.uint64)):
            mixed = (mixed ^ part) + np.uint64(0x9E3779B97F4A7C15)
            mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            mixed ^= mixed >> np.uint64(31)
    return mixed


def _shard_of(position: npt.NDArray[np.uint64], shards: int) -> npt.NDArray[np.int64]:
    """Return which of ``shards`` equal parts of the 64-bit range each position is in."""
    return (((position >> np.uint64(32)) * np.uint64(shards)) >> np.uint64(32)).astype(np.int64)


def _chosen(where: FragmentFiles, table_uri: str) -> pa.Table:
    rows = read_sparse(table_uri, where, "stages", ["stage", "copies"])
    return rows.filter(pc.is_valid(rows["stage"]))


def _token_rows(job: _Job, where: FragmentFiles) -> Iterator[pa.Table]:
    """Yield the token rows of one fragment's chosen samples that belong to missing shards."""
    chosen = _chosen(where, job.table)
    if chosen.num_rows == 0:
        return
    vocabulary = load_vocabulary(job.recipe.vocabulary.name)
    spans = read_sparse(job.table, where, "spans", ["span_begin", "span_end", "action"])
    columns = {"content": ["text", "text_bytes", "content_hash", "origin"], "tokens": ["n_tokens"]}
    wanted = pc.unique(chosen["sample_id"])
    for group in read_aligned(job.table, where, columns):
        group = group.filter(pc.is_in(group["sample_id"], wanted))
        ends = np.cumsum(group["text_bytes"].to_numpy())
        begin = 0
        while begin < group.num_rows:
            limit = (ends[begin - 1] if begin else 0) + _BATCH_BYTES
            end = max(begin + 1, int(np.searchsorted(ends, limit, side="right")))
            yield from _encode_rows(job, vocabulary, group.slice(begin, end - begin), spans, chosen)
            begin = end


def _encode_rows(job: _Job, vocabulary: Vocabulary, table: pa.Table, spans: pa.Table, chosen: pa.Table) -> Iterator[pa.Table]:
    ids = table["sample_id"].to_numpy()
    mine = spans.filter(pc.is_in(spans["sample_id"], table["sample_id"].combine_chunks()))
    rows = pa.array(np.searchsorted(ids, mine["sample_id"].to_numpy()).astype(np.int32))
    columns = [mine[name].combine_chunks() for name in ("span_begin", "span_end", "action")]
    texts = apply_spans(table["text"].combine_chunks(), rows, *columns)
    flat, offsets = encode(texts, vocabulary)
    counted = table["n_tokens"].to_numpy()
    if not np.array_equal(np.diff(offsets), counted):
        row = int(np.flatnonzero(np.diff(offsets) != counted)[0])
        raise CorruptLakeError(f"sample {int(ids[row])}: expected {int(counted[row])} tokens, found {int(offsets[row + 1] - offsets[row])}; annotate again")
    content = table["content_hash"].combine_chunks()
    origin = table["origin"].to_numpy().astype(np.int64)
    base = positions(job.recipe.build.seed, content, origin)
    slot_of = {slot: number for number, slot in enumerate(job.slots)}
    mine = chosen.filter(pc.is_in(chosen["sample_id"], table["sample_id"].combine_chunks()))
    row = np.searchsorted(ids, mine["sample_id"].to_numpy())
    copies = mine["copies"].to_numpy().astype(np.int64)
    names = np.array(mine["stage"].to_pylist(), dtype=object)
    for stage, shards in job.shards.items():
        at = np.flatnonzero(names == stage)
        if len(at) == 0:
            continue
        again = np.repeat(at, copies[at])
        copy = np.arange(len(again)) - np.repeat(np.cumsum(copies[at]) - copies[at], copies[at])
        with np.errstate(over="ignore"):
            step = (np.uint64(2**64 - 1) // copies[again].astype(np.uint64)) * copy.astype(np.uint64)
            position = base[row[again]] + step
        shard = _shard_of(position, shards)
        slot = np.array([slot_of.get((stage, number), -1) for number in range(shards)], dtype=np.int32)[shard]
        keep = slot >= 0
        source = row[again][keep]
        if len(source) == 0:
            continue
        tokens = [flat[offsets[number] : offsets[number + 1]].tobytes() for number in source.tolist()]
        yield pa.table(
            {
                "slot": pa.array(slot[keep]),
                "position": pa.array((position[keep] ^ np.uint64(1 << 63)).view(np.int64)),
                "content_hash": content.take(pa.array(source)),
                "origin": pa.array(origin[source]),
                "copy": pa.array(copy[keep].astype(np.int32)),
                "sample_id": pa.array(ids[source]),
                "tokens": pa.array(tokens, pa.binary()),
            }
        )


def _read_tokens(job: _Job, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        for item in batch.column(0):
            where: FragmentFiles = pickle.loads(item.as_buffer())  # noqa: S301 - written by this driver a moment ago
            for table in _token_rows(job, where):
                yield from table.combine_chunks().to_batches(max_chunksize=4096)


def _write_shards(job: _Job, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield the commit unit of every shard of a partition; rows arrive by slot and position."""
    held: list[pa.Table] = []
    current: int | None = None
    for batch in batches:
        table = pa.Table.from_batches([batch])
        slots = table["slot"].to_numpy()
        bounds = split_runs(slots)
        for begin, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
            if current is not None and int(slots[begin]) != current:
                yield _write_shard(job, current, pa.concat_tables(held))
                held = []
            current = int(slots[begin])
            held.append(table.slice(begin, end - begin))
    if current is not None:
        yield _write_shard(job, current, pa.concat_tables(held))


def _write_shard(job: _Job, slot: int, rows: pa.Table) -> pa.RecordBatch:
    name, number = job.slots[slot]
    stage = next(stage for stage in job.recipe.stages if stage.name == name)
    vocabulary = load_vocabulary(job.recipe.vocabulary.name)
    offsets, flat = _flatten(rows["tokens"])
    content = rows["content_hash"].combine_chunks()
    groups = np.frombuffer(b"".join(value[:8] for value in content.to_pylist()), dtype="<i8")
    packed = pack(
        flat,
        offsets,
        groups,
        context=stage.context,
        strategy=stage.packing,
        end_of_text=vocabulary.end_of_text,
        padding=vocabulary.padding,
        seed=job.recipe.build.seed,
        bucket=number,
    )
    del flat
    boundaries = boundaries_table(packed, content, rows["origin"].combine_chunks(), rows["copy"].combine_chunks())
    shard = _write_files(join(job.folder, name), number, packed, boundaries, job.recipe.build.formats)
    placements = _placements(job, stage, number, packed, rows)
    entry = write_family(job.table, "placements", job.build, number, 1, stage_operator(name), [placements])
    counts = {
        f"shards:{name}": 1,
        f"tokens:{name}": shard.tokens,
        f"sequences:{name}": shard.sequences,
        f"padding:{name}": shard.padding,
        f"cut_documents:{name}": shard.cut_documents,
    }
    return pa.record_batch({"unit": pa.array([pickle.dumps(Unit(adds=[entry], counts=counts, tag=(name, number)))], pa.binary())})


def _empty(job: _Job, stage: str, number: int) -> Unit:
    rows = arrow_schema("placements").empty_table()
    return Unit(adds=[write_family(job.table, "placements", job.build, number, 1, stage_operator(stage), [rows])])


def _flatten(tokens: pa.ChunkedArray) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint32]]:
    """Return offsets and ids of a column of little-endian uint32 token bytes."""
    lengths = pc.binary_length(tokens).to_numpy().astype(np.int64) // 4
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    flat = np.empty(int(offsets[-1]), dtype=np.uint32)
    at = 0
    for chunk in tokens.chunks:
        begin, end = np.frombuffer(chunk.buffers()[1], np.int32)[[chunk.offset, chunk.offset + len(chunk)]].tolist()
        part = np.frombuffer(chunk.buffers()[2] or b"", dtype=np.uint8)[begin:end].view(np.uint8)
        flat[at : at + len(part) // 4] = np.frombuffer(part.tobytes(), dtype="<u4")
        at += len(part) // 4
    return offsets, flat


def _write_files(folder: str, number: int, packed: Packed, boundaries: pa.Table, formats: Sequence[str]) -> Shard:
    stem = shard_name(number)
    n_sequences, context = packed.sequences.shape
    writers: dict[str, Any] = {}
    if "megatron" in formats:
        writers["bin"] = lambda sink: megatron.write_tokens(sink, packed.sequences)
        writers["idx"] = lambda sink: megatron.write_index(sink, n_sequences, context)
    if "npy" in formats:
        writers["npy"] = lambda sink: npy.write_tokens(sink, packed.sequences)
    writers["boundaries.parquet"] = lambda sink: write_boundaries(sink, boundaries)
    files = []
    for suffix, write in writers.items():
        name, sha256, size = write_hashed(folder, write, lambda _, suffix=suffix: f"{stem}.{suffix}")  # type: ignore[misc]
        files.append(ShardFile(name=name, n_bytes=size, sha256=sha256))
    shard = Shard(
        number=number,
        sequences=n_sequences,
        tokens=packed.n_tokens,
        padding=packed.n_padding,
        cut_documents=packed.n_cut_documents,
        files=tuple(files),
    )
    record = json.dumps(dataclasses.asdict(shard), sort_keys=True).encode()

    def fill(sink: HashingSink) -> None:
        sink.write(record)

    write_hashed(folder, fill, lambda _: f"{stem}.json")
    return shard


def _placements(job: _Job, stage: Stage, number: int, packed: Packed, rows: pa.Table) -> pa.Table:
    document = pa.array(packed.document)
    n = len(document)
    begin = packed.sequence * stage.context + packed.begin
    return pa.table(
        {
            "sample_id": rows["sample_id"].combine_chunks().take(document),
            "build": pa.array([job.build] * n, pa.string()),
            "stage": pa.array([stage.name] * n, pa.string()),
            "shard": pa.array(np.full(n, number, np.int32)),
            "sequence": pa.array(packed.sequence),
            "token_begin": pa.array(begin),
            "token_end": pa.array(begin + packed.length),
            "sample_token_begin": pa.array(packed.document_begin),
            "copy": rows["copy"].combine_chunks().take(document),
            "run_id": pa.array([job.run_id] * n, pa.string()),
        }
    )


def _stage_tokens(build: str, where: FragmentFiles, table: pa.Table) -> pa.Table | None:
    chosen = _chosen(where, build)
    if chosen.num_rows == 0:
        return None
    at = np.searchsorted(table["sample_id"].to_numpy(), chosen["sample_id"].to_numpy())
    tokens = (table["n_tokens"].to_numpy()[at] + 1) * chosen["copies"].to_numpy()
    sums = pa.table({"stage": chosen["stage"], "tokens": pa.array(tokens)}).group_by("stage").aggregate([("tokens", "sum")])
    return pa.table({"stage": sums["stage"], "tokens": sums["tokens_sum"]})


def _shard_counts(spark: SparkSession, snapshot: Snapshot, located: Sequence[FragmentFiles], recipe: Recipe) -> dict[str, int]:
    """Return how many shards each stage has: its tokens over ``shard_tokens``, rounded up."""
    from pyspark.sql import functions as sf

    read = partial(_stage_tokens, snapshot.uri)
    rows = fragment_rows(spark, located, snapshot.uri, {"tokens": ["n_tokens"]}, "stage string, tokens long", read)
    totals = {row.stage: row.tokens for row in rows.groupBy("stage").agg(sf.sum("tokens").alias("tokens")).collect()}
    return {stage.name: -(-totals[stage.name] // recipe.build.shard_tokens) for stage in recipe.stages if stage.name in totals}


def build(spark: SparkSession, lake: str, recipe: Recipe, name: str) -> dict[str, int]:
    """Write every shard of a build that is missing, its placements, and a manifest a stage; return the counts of what was done.

    Raises:
        UsageError: no selection of that name.
        CorruptLakeError: a sample does not give the tokens that were counted.
    """
    snapshot = open_snapshot(lake)
    fragments = snapshot.covered("stages", batch=name)
    if len(fragments) == 0:
        raise UsageError(f"expected a selection named {name}, found none; run select first")
    state = fingerprint({"build": name, "recipe": recipe.fingerprint, "version": VERSION})
    if past_run(snapshot, "build", state) is not None:
        return {}
    located = list(snapshot.locate(fragments, ["stages", "spans", "tokens"], batch=name))
    shards = _shard_counts(spark, snapshot, located, recipe)
    vocabulary = load_vocabulary(recipe.vocabulary.name)
    settings = {"version": VERSION, "state": state, "build": name, "vocabulary": vocabulary.fingerprint}
    run = begin_run(lake, "build", recipe.literals, {"shards": settings}, snapshot.version)
    with Progress("build") as progress:
        while missing := _missing(snapshot, name, shards):
            job = _Job(
                table=snapshot.uri,
                folder=builds_uri(lake, name),
                build=name,
                run_id=run.run_id,
                recipe=recipe,
                shards=shards,
                slots=tuple(missing),
            )
            written: set[tuple[str, int]] = set()
            for units in _run(spark, job, located, progress):
                snapshot, _ = commit_wave(run, snapshot, units)
                written |= {shard for unit in units for shard in [unit.tag] if isinstance(shard, tuple)}
            # A shard to which no document fell still gets its (empty) placements, so that it counts as done.
            empty = [_empty(job, stage, number) for stage, number in missing if (stage, number) not in written]
            if empty:
                snapshot, _ = commit_wave(run, snapshot, empty)
    _write_manifests(lake, recipe, name, shards, vocabulary)
    if not run.waves:
        snapshot, _ = commit_wave(run, snapshot, [])
    finish_run(run, snapshot)
    return dict(run.counts)


def _missing(snapshot: Snapshot, name: str, shards: Mapping[str, int]) -> list[tuple[str, int]]:
    """Return (stage, shard) of the shards without placements."""
    missing: list[tuple[str, int]] = []
    for stage, number in shards.items():
        there = set(snapshot.covered("placements", operator=stage_operator(stage), batch=name).tolist())
        missing += [(stage, shard) for shard in range(number) if shard not in there]
    return missing


def _run(spark: SparkSession, job: _Job, located: Sequence[FragmentFiles], progress: Progress) -> Iterator[list[Unit]]:
    """Yield the units of a few shards at a time: the shuffle runs once, and later waves find its files."""
    items = [(pickle.dumps(where),) for where in located]
    context = spark.sparkContext
    slots = parallelism(spark)
    work = spark.createDataFrame(context.parallelize(items, max(1, min(len(items), 8 * slots))), "item binary")
    rows = work.mapInArrow(partial(_read_tokens, job), _TOKEN_ROW)
    placed = rows.repartitionById(len(job.slots), "slot").sortWithinPartitions("slot", "position", "content_hash", "origin", "copy")
    written = placed.mapInArrow(partial(_write_shards, job), "unit binary").rdd
    partitions = written.getNumPartitions()
    for begin in range(0, partitions, 4 * slots):
        chosen = range(begin, min(partitions, begin + 4 * slots))
        found = context.runJob(written, lambda part: [row.unit for row in part], list(chosen))
        yield [pickle.loads(unit) for unit in found]  # noqa: S301 - written by this job's own tasks


def _write_manifests(lake: str, recipe: Recipe, name: str, shards: Mapping[str, int], vocabulary: Vocabulary) -> None:
    """Write each stage's manifest from the records beside its shards."""
    for stage in recipe.stages:
        if stage.name not in shards:
            continue
        folder = builds_uri(lake, name, stage.name)
        filesystem, path = resolve(folder)
        found = []
        for number in range(shards[stage.name]):
            record = join(path, f"{shard_name(number)}.json")
            if exists(filesystem, record) is None:
                continue  # a shard to which no document fell
            fields = json.loads(read_bytes(filesystem, record))
            found.append(Shard(**{**fields, "files": tuple(ShardFile(**file) for file in fields["files"])}))
        manifest = make_manifest(
            stage=stage.name,
            context=stage.context,
            vocabulary=vocabulary,
            packing=stage.packing,
            seed=recipe.build.seed,
            buckets=shards[stage.name],
            shards=found,
        )
        data = write_manifest(manifest)

        def fill(sink: HashingSink, data: bytes = data) -> None:
            sink.write(data)

        write_hashed(folder, fill, lambda _: "manifest.json")
