"""What a build's first tasks do: tokenize the chosen samples of a fragment and say to which shard each copy goes.

Position of a copy: a 64-bit hash of (seed, content_hash, origin), moved by copy/copies of the whole range, so copies are spread over the
stage. Shard, which is the packing bucket: the position's first bits. Nothing depends on addresses, so the same documents give the same bytes.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headwater.errors import CorruptLakeError
from headwater.filters.spans.find import SPAN_COLUMNS, without_spans
from headwater.hashes import items_of_hashes
from headwater.lineage.buckets import bucket_of, copy_positions, positions
from headwater.lineage.vocabularies import find_vocabulary
from headwater.pipelines.builds.chunks import TokenRows, to_chunks
from headwater.pipelines.recipe.job import Recipe
from headwater.pipelines.spark.parcels import contents
from headwater.tokenize.encode.encoder import encode
from headwater.warehouse.parquet import FragmentFiles, read_aligned, read_sparse, slice_by_bytes

__all__ = ["BuildJob", "chosen_rows", "encode_rows", "fragment_chunks"]


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildJob:
    """What every task of a build knows.

    Attributes:
        placements: whether placements are written; a repair leaves them as they are.
        slots: stage and shard of each partition of the shuffle: the shards that are missing.
        shards: stage → how many shards it has, a power of two.
    """

    lake: str
    table: str
    folder: str
    build: str
    run_id: str
    recipe: Recipe
    shards: Mapping[str, int]
    slots: tuple[tuple[str, int], ...]
    placements: bool = True


def chosen_rows(where: FragmentFiles, table_uri: str) -> pa.Table:
    """Return sample_id, stage and copies of the samples of a fragment that some stage took."""
    rows = read_sparse(table_uri, where, "stages", ["stage", "copies"])
    return rows.filter(pc.is_valid(rows["stage"]))


def _token_rows(job: BuildJob, where: FragmentFiles) -> Iterator[pa.RecordBatch]:
    """Yield the chunks of one fragment's chosen samples that belong to missing shards."""
    chosen = chosen_rows(where, job.table)
    if chosen.num_rows == 0:
        return
    spans = read_sparse(job.table, where, "spans", SPAN_COLUMNS)
    columns = {"content": ["text", "text_bytes", "content_hash", "origin"], "tokens": ["n_tokens"]}
    wanted = pc.unique(chosen["sample_id"])
    for rows in read_aligned(job.table, where, columns):
        for batch in slice_by_bytes(rows.filter(pc.is_in(rows["sample_id"], wanted))):
            yield from encode_rows(job, batch, spans, chosen)


def encode_rows(job: BuildJob, table: pa.Table, spans: pa.Table, chosen: pa.Table) -> Iterator[pa.RecordBatch]:
    """Yield the chunks of some samples: every copy that goes to one of the job's slots; a sample without one is not encoded.

    Args:
        job: the build.
        table: sample_id (ascending), text, content_hash, origin and n_tokens.
        spans: what is left out of the texts.
        chosen: sample_id, stage and copies.

    Raises:
        CorruptLakeError: a sample does not give as many tokens as were counted.
    """
    placed = _place_copies(job, table, chosen)
    if len(placed.row) == 0:
        return
    needed, place = np.unique(placed.row, return_inverse=True)
    table = table if len(needed) == table.num_rows else table.take(pa.array(needed))
    vocabulary = find_vocabulary(job.lake, job.recipe.vocabulary.name)
    tokens, offsets = encode(without_spans(table, spans, job.recipe.spans.policy), vocabulary)
    ids, counted, found = table["sample_id"].to_numpy(), table["n_tokens"].to_numpy(), np.diff(offsets)
    if not np.array_equal(found, counted):
        row = int(np.flatnonzero(found != counted)[0])
        raise CorruptLakeError(
            f"sample {int(ids[row])}: expected {int(counted[row])} tokens, found {int(found[row])}; annotate again"
        )
    rows = TokenRows(
        position=placed.position,
        content_hash=items_of_hashes(table["content_hash"])[place],
        origin=table["origin"].to_numpy().astype(np.int64)[place],
        copy=placed.copy,
        sample_id=ids[place],
        begin=offsets[:-1].astype(np.int64)[place],
        n_tokens=found.astype(np.int64)[place],
        tokens=tokens,
    )
    yield from to_chunks(placed.slot, rows)


class _Placed(NamedTuple):
    """Copies that go to slots: row of the table, slot, copy and position of each."""

    row: npt.NDArray[np.int64]
    slot: npt.NDArray[np.int64]
    copy: npt.NDArray[np.int32]
    position: npt.NDArray[np.uint64]


def _place_copies(job: BuildJob, table: pa.Table, chosen: pa.Table) -> _Placed:
    ids = table["sample_id"].combine_chunks()
    origin = table["origin"].to_numpy().astype(np.int64)
    base = positions(job.recipe.build.seed, table["content_hash"].combine_chunks(), origin)
    mine = chosen.filter(pc.is_in(chosen["sample_id"], ids))
    row = np.searchsorted(ids.to_numpy(), mine["sample_id"].to_numpy())
    copies = mine["copies"].to_numpy().astype(np.int64)
    names = mine["stage"].to_numpy(zero_copy_only=False)
    parts = [_Placed(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0, np.uint64))]
    for stage, shards in job.shards.items():
        at = np.flatnonzero(names == stage)
        again = np.repeat(at, copies[at])
        copy = np.arange(len(again)) - np.repeat(np.cumsum(copies[at]) - copies[at], copies[at])
        position = copy_positions(base[row[again]], copies[again], copy)
        slot = _slots_of(job.slots, stage, shards)[bucket_of(position, shards)]
        keep = slot >= 0
        parts.append(_Placed(row[again][keep], slot[keep], copy[keep].astype(np.int32), position[keep]))
    return _Placed(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


@functools.lru_cache(maxsize=64)
def _slots_of(slots: tuple[tuple[str, int], ...], stage: str, shards: int) -> npt.NDArray[np.int64]:
    """Return the slot of each shard of a stage, -1 where the job does not write it."""
    numbers = np.full(shards, -1, np.int64)
    for slot, (name, shard) in enumerate(slots):
        if name == stage:
            numbers[shard] = slot
    return numbers


def fragment_chunks(job: BuildJob, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield the chunks of the fragments named in ``batches``; runs in a Spark task."""
    for where in contents(batches):
        yield from _token_rows(job, where)
