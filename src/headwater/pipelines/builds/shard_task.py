"""A shard: its token rows packed into sequences, its files written, its placements described."""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from headwater.hashes import hashes_of_items
from headwater.lineage.builds import shard_name, stage_operator
from headwater.lineage.runs import Unit
from headwater.lineage.vocabularies import find_vocabulary
from headwater.pipelines.builds.chunks import TokenRows, from_chunks
from headwater.pipelines.builds.encode_task import BuildJob
from headwater.pipelines.builds.files import write_shard_file
from headwater.pipelines.recipe.stages import Stage
from headwater.pipelines.spark.blocks import run_bounds
from headwater.tokenize.pack.strategies import Packed, pack
from headwater.tokenize.shards.boundaries import boundaries_table
from headwater.tokenize.shards.manifest import Shard, write_shard
from headwater.tokenize.shards.writers import shard_writers
from headwater.warehouse.columns import repeat_text
from headwater.warehouse.faults import PLACEMENTS, reach_in_task
from headwater.warehouse.filesystem import join, write_file
from headwater.warehouse.parquet import write_family
from headwater.warehouse.schema import arrow_schema

__all__ = ["empty_shard", "write_shards"]


def write_shards(
    job: BuildJob, batches: Iterator[pa.RecordBatch], *, ordered: bool = False
) -> Iterator[pa.RecordBatch]:
    """Yield the commit unit of every shard of a partition; its chunks arrive in any order.

    Args:
        ordered: all chunks of a shard come together, so that one shard at a time is held.
    """
    held: dict[int, list[pa.RecordBatch]] = {}
    for batch in batches:
        slots = batch.column("slot").to_numpy()
        bounds = run_bounds(slots).tolist()
        for begin, end in itertools.pairwise(bounds):
            slot = int(slots[begin])
            if ordered and held and slot not in held:
                ((last, chunks),) = held.items()
                held = {}
                yield _write_shard(job, last, from_chunks(chunks))
            held.setdefault(slot, []).append(batch.slice(begin, end - begin))
    for slot in sorted(held):
        yield _write_shard(job, slot, from_chunks(held.pop(slot)))


def _write_shard(job: BuildJob, slot: int, rows: TokenRows) -> pa.RecordBatch:
    name, number = job.slots[slot]
    stage = next(stage for stage in job.recipe.stages if stage.name == name)
    vocabulary = find_vocabulary(job.lake, job.recipe.vocabulary.name)
    packed = pack(
        rows.tokens,
        np.append(rows.begin, len(rows.tokens)),
        np.ascontiguousarray(rows.content_hash.view("<i8").reshape(-1, 2)[:, 0]),
        context=stage.context,
        strategy=stage.packing,
        beginning_of_text=vocabulary.beginning_of_text if stage.beginning_of_text else None,
        end_of_text=vocabulary.end_of_text if stage.end_of_text else None,
        padding=vocabulary.padding,
        seed=job.recipe.build.seed,
        bucket=number,
    )
    boundaries = boundaries_table(
        packed, hashes_of_items(rows.content_hash), pa.array(rows.origin), pa.array(rows.copy)
    )
    shard = _write_files(job.lake, join(job.folder, name), number, packed, boundaries, job.recipe.build.formats)
    adds = []
    if job.placements:
        placements = _placements(job, stage, number, packed, rows)
        adds.append(write_family(job.table, "placements", job.build, number, 1, stage_operator(name), [placements]))
    counts = {
        f"shards:{name}": 1,
        f"tokens:{name}": shard.tokens,
        f"sequences:{name}": shard.sequences,
        f"padding:{name}": shard.padding,
        f"cut_documents:{name}": shard.cut_documents,
        f"full_sequences:{name}": shard.full_sequences,
    }
    reach_in_task(PLACEMENTS)
    return pa.record_batch(
        {
            "unit": pa.array(
                [pickle.dumps(Unit(adds=adds, counts=counts, tags=frozenset([f"{name}/{number}"])))], pa.binary()
            )
        }
    )


def empty_shard(job: BuildJob, stage: str, number: int) -> Unit:
    """Return the commit unit of a shard to which no document fell: placements without rows, so that it counts as done."""
    rows = arrow_schema("placements").empty_table()
    return Unit(adds=[write_family(job.table, "placements", job.build, number, 1, stage_operator(stage), [rows])])


def _write_files(
    lake: str, folder: str, number: int, packed: Packed, boundaries: pa.Table, formats: Sequence[str]
) -> Shard:
    stem = shard_name(number)
    files = []
    for suffix, write in shard_writers(packed.sequences, boundaries, formats).items():
        files.append(write_shard_file(folder, stem + suffix, write, root=lake))
    shard = Shard(
        number=number,
        sequences=len(packed.sequences),
        tokens=packed.n_tokens,
        padding=packed.n_padding,
        documents=packed.n_documents,
        longest_document=packed.longest,
        cut_documents=packed.n_cut_documents,
        cut_tokens=packed.n_cut_tokens,
        full_sequences=packed.n_full_sequences,
        files=tuple(files),
    )
    write_file(folder, f"{stem}.json", write_shard(shard), root=lake)
    return shard


def _placements(job: BuildJob, stage: Stage, number: int, packed: Packed, rows: TokenRows) -> pa.Table:
    n = len(packed.document)
    begin = packed.sequence * stage.context + packed.begin
    return pa.table(
        {
            "sample_id": pa.array(rows.sample_id[packed.document]),
            "build": repeat_text(job.build, n),
            "stage": repeat_text(stage.name, n),
            "shard": pa.array(np.full(n, number, np.int32)),
            "sequence": pa.array(packed.sequence),
            "token_begin": pa.array(begin),
            "token_end": pa.array(begin + packed.length),
            "sample_token_begin": pa.array(packed.document_begin),
            "copy": pa.array(rows.copy[packed.document]),
            "run_id": repeat_text(job.run_id, n),
        }
    )
