"""What a build's tasks do: tokenize the chosen samples of a fragment, and turn the token rows of a shard into its files.

Position of a copy: a 64-bit hash of (seed, content_hash, origin), moved by copy/copies of the whole range, so copies are spread over the
stage. Shard, which is the packing bucket: the position's first bits. Nothing depends on addresses, so the same documents give the same bytes.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headwater.errors import CorruptLakeError
from headwater.pipelines.recipe import Recipe
from headwater.pipelines.text_batches import SPAN_COLUMNS, slice_by_bytes, without_spans
from headwater.tokenize.encoder import encode
from headwater.tokenize.vocabulary import Vocabulary, load_vocabulary
from headwater.warehouse.parquet import FragmentFiles, read_aligned, read_sparse

__all__ = ["SHUFFLE_ROW", "BuildJob", "bucket_of", "chosen_rows", "positions", "read_tokens"]

SHUFFLE_ROW: Final = (
    "slot int, position long, content_hash binary, origin long, copy int, sample_id long, tokens binary"
)
"""Spark's schema of a row of tokens; position is the unsigned position with its sign bit flipped, so that it sorts as signed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildJob:
    """What every task of a build knows.

    Attributes:
        placements: whether placements are written; a repair leaves them as they are.
        slots: stage and shard of each partition of the shuffle: the shards that are missing.
        shards: stage → how many shards it has, a power of two.
    """

    table: str
    folder: str
    build: str
    run_id: str
    recipe: Recipe
    shards: Mapping[str, int]
    slots: Sequence[tuple[str, int]]
    placements: bool = True


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


def bucket_of(position: npt.NDArray[np.uint64], shards: int) -> npt.NDArray[np.int64]:
    """Return the first bits of each position, as a number below ``shards``, a power of two up to 2^32."""
    return ((position >> np.uint64(32)) >> np.uint64(33 - shards.bit_length())).astype(np.int64)


def chosen_rows(where: FragmentFiles, table_uri: str) -> pa.Table:
    """Return sample_id, stage and copies of the samples of a fragment that some stage took."""
    rows = read_sparse(table_uri, where, "stages", ["stage", "copies"])
    return rows.filter(pc.is_valid(rows["stage"]))


def _token_rows(job: BuildJob, where: FragmentFiles) -> Iterator[pa.Table]:
    """Yield the token rows of one fragment's chosen samples that belong to missing shards."""
    chosen = chosen_rows(where, job.table)
    if chosen.num_rows == 0:
        return
    vocabulary = load_vocabulary(job.recipe.vocabulary.name)
    spans = read_sparse(job.table, where, "spans", SPAN_COLUMNS)
    columns = {"content": ["text", "text_bytes", "content_hash", "origin"], "tokens": ["n_tokens"]}
    wanted = pc.unique(chosen["sample_id"])
    for rows in read_aligned(job.table, where, columns):
        group = rows.filter(pc.is_in(rows["sample_id"], wanted))
        for batch in slice_by_bytes(group):
            yield from _encode_rows(job, vocabulary, batch, spans, chosen)


def _encode_rows(
    job: BuildJob, vocabulary: Vocabulary, table: pa.Table, spans: pa.Table, chosen: pa.Table
) -> Iterator[pa.Table]:
    ids = table["sample_id"].to_numpy()
    flat, offsets = encode(without_spans(table, spans), vocabulary)
    counted = table["n_tokens"].to_numpy()
    if not np.array_equal(np.diff(offsets), counted):
        row = int(np.flatnonzero(np.diff(offsets) != counted)[0])
        raise CorruptLakeError(
            f"sample {int(ids[row])}: expected {int(counted[row])} tokens, found {int(offsets[row + 1] - offsets[row])}; annotate again"
        )
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
        shard = bucket_of(position, shards)
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


def read_tokens(job: BuildJob, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield the token rows of the fragments named in ``batches``; runs in a Spark task."""
    for batch in batches:
        for item in batch.column(0):
            where: FragmentFiles = pickle.loads(item.as_buffer())  # noqa: S301 - written by this driver a moment ago
            for table in _token_rows(job, where):
                yield from table.combine_chunks().to_batches(max_chunksize=4096)
