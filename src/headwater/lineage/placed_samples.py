"""Where some samples lie in a stage of a build: one pass over its placements, a shard at a time.

Of each shard the ids are read first, and the rest only where one of them is wanted. What is held follows the samples that were found: 16 bytes
a sample and stage, and 8 a sequence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import numpy as np
import pyarrow as pa

from headwater.arrays import Int64s
from headwater.lineage.builds import builds_uri, stage_operator
from headwater.lineage.sample_sets import SampleSet, in_threads
from headwater.tokenize.shards.manifest import Manifest, Shard, read_manifest
from headwater.warehouse.filesystem import exists, filesystem_of, join, read_bytes
from headwater.warehouse.parquet import read_file
from headwater.warehouse.snapshot import Snapshot

__all__ = [
    "PLACED",
    "PlacedSamples",
    "PlacedShard",
    "first_sequences",
    "placed_samples",
    "shard_rows",
    "stage_manifest",
]

PLACED: Final = ("sequence", "token_begin", "token_end", "copy")
"""Columns of placements that say where in a shard a run of tokens lies."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PlacedShard:
    """What of a shard is some samples'.

    Attributes:
        number: of the shard.
        samples: how many have tokens in it.
        sequences: of the shard that hold some, ascending.
        tokens: theirs, beginnings and ends of text included.
    """

    number: int
    samples: int
    sequences: Int64s
    tokens: int


@dataclass(frozen=True, kw_only=True, slots=True)
class PlacedSamples:
    """What of a stage is some samples'.

    Attributes:
        manifest: of the stage; None where it is not finished, or its folder is gone.
        tokens: by sample, in the order of the set: of all its copies.
        copies: by sample.
        shards: those that hold any, by number.
    """

    build: str
    stage: str
    manifest: Manifest | None
    tokens: Int64s
    copies: Int64s
    shards: list[PlacedShard] = field(default_factory=list)

    def stage_sequences(self, shards: Sequence[Shard]) -> Int64s:
        """Return the touched sequences by their numbers in the stage, ascending."""
        first = first_sequences(shards)
        parts = [first[shard.number] + shard.sequences for shard in self.shards]
        return np.concatenate(parts) if parts else np.empty(0, np.int64)


def first_sequences(shards: Sequence[Shard]) -> dict[int, int]:
    """Return number of each shard → number in the stage of its first sequence."""
    begins = np.cumsum([0, *(shard.sequences for shard in shards)]).tolist()
    return dict(zip([shard.number for shard in shards], begins, strict=False))


def stage_manifest(lake: str, build: str, stage: str) -> Manifest | None:
    """Return the manifest of a stage, or None where it has none yet, or no longer."""
    filesystem, path = filesystem_of(builds_uri(lake, build, stage))
    place = join(path, "manifest.json")
    return None if exists(filesystem, place) is None else read_manifest(read_bytes(filesystem, place), place)


def placed_samples(snapshot: Snapshot, build: str, stage: str, samples: SampleSet) -> PlacedSamples:
    """Return what of a stage of a build is some samples'."""
    found = PlacedSamples(
        build=build,
        stage=stage,
        manifest=stage_manifest(snapshot.lake, build, stage),
        tokens=np.zeros(len(samples), np.int64),
        copies=np.zeros(len(samples), np.int64),
    )
    for number, rows, places in shard_rows(snapshot, build, stage, samples):
        columns = {name: rows[name].to_numpy() for name in PLACED}
        tokens = columns["token_end"] - columns["token_begin"]
        np.add.at(found.tokens, places, tokens)
        # All pieces of a copy are in one shard, since a shard is packed by itself.
        most = int(columns["copy"].max()) + 1
        np.add.at(found.copies, np.unique(places * most + columns["copy"]) // most, 1)
        shard = PlacedShard(
            number=number,
            samples=len(np.unique(places)),
            sequences=np.unique(columns["sequence"]),
            tokens=int(tokens.sum()),
        )
        found.shards.append(shard)
    found.shards.sort(key=lambda shard: shard.number)
    return found


def shard_rows(
    snapshot: Snapshot, build: str, stage: str, samples: SampleSet
) -> Iterator[tuple[int, pa.Table, Int64s]]:
    """Yield of each shard of a stage that holds some samples its number, their rows of ``PLACED``, and each row's place in the set."""
    files = snapshot.live("placements", operator=stage_operator(stage), batch=build)
    if len(samples) == 0:
        return
    # Bounds of a file without rows are null.
    low, high = (files[name].fill_null(-1).to_numpy() for name in ("min_id", "max_id"))
    files = files.filter(pa.array((low <= int(samples.ids[-1])) & (high >= int(samples.ids[0]))))
    places = zip(files["base"].to_pylist(), files["path"].to_pylist(), strict=True)
    for found in in_threads(partial(_rows, snapshot.uri, samples), places):
        if found is not None:
            yield found


def _rows(table_uri: str, samples: SampleSet, file: tuple[int, str]) -> tuple[int, pa.Table, Int64s] | None:
    shard, path = file
    ids = pa.concat_tables(read_file(table_uri, path, ["sample_id"]))
    rows, places = samples.find(ids["sample_id"].to_numpy())
    if len(rows) == 0:
        return None
    table = pa.concat_tables(read_file(table_uri, path, PLACED))
    return shard, table.take(pa.array(rows)).combine_chunks(), places
