"""A finished build made by hand: two shards of one stage, from real packing and the real writers, without Spark or a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headwater.pipelines.builds.files import write_shard_file
from headwater.tokenize.forms.load import load_vocabulary
from headwater.tokenize.pack.strategies import pack
from headwater.tokenize.shards.boundaries import boundaries_table
from headwater.tokenize.shards.manifest import Shard, make_manifest, write_manifest
from headwater.tokenize.shards.writers import shard_writers

__all__ = ["BUILD", "CONTEXT", "STAGE", "write_build"]

BUILD = "made"
STAGE = "knowledge"
CONTEXT = 32


def write_build(lake: Path, formats: Sequence[str]) -> tuple[npt.NDArray[np.uint32], pa.Table]:
    """Write the build into a lake's folder; return all its sequences in order, and their runs, numbered through.

    The documents have 0 to 89 tokens over the whole vocabulary, ids above 65,535 among them.
    """
    vocabulary = load_vocabulary()
    folder = lake / "builds" / BUILD / STAGE
    folder.mkdir(parents=True)
    draw = np.random.default_rng(7)
    shards: list[Shard] = []
    sequences: list[npt.NDArray[np.uint32]] = []
    runs: list[pa.Table] = []
    for number in range(2):
        lengths = np.arange(30 + 15 * number) * 2
        tokens = draw.integers(0, vocabulary.n_ids, int(lengths.sum()), dtype=np.uint32)
        packed = pack(
            tokens,
            np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            np.arange(len(lengths), dtype=np.int64),
            context=CONTEXT,
            strategy="best_fit",
            end_of_text=vocabulary.end_of_text,
            padding=vocabulary.padding,
            seed=1,
            bucket=number,
        )
        hashes = pa.array([bytes([number, place]) * 8 for place in range(len(lengths))], pa.binary(16))
        origins = pa.array(draw.integers(-(2**62), 2**62, len(lengths)), pa.int64())
        boundaries = boundaries_table(packed, hashes, origins, pa.array([0] * len(lengths), pa.int32()))
        files = []
        for suffix, write in shard_writers(packed.sequences, boundaries, formats).items():
            name = f"shard-{number:05d}{suffix}"
            files.append(write_shard_file(str(folder), name, write, root=str(folder)))
        shards.append(
            Shard(
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
        )
        place = sum(len(earlier) for earlier in sequences)
        moved = boundaries.to_pandas()
        moved["sequence"] += place
        moved[["token_begin", "token_end"]] += place * CONTEXT
        moved["shard"] = number
        sequences.append(packed.sequences)
        runs.append(pa.Table.from_pandas(moved, preserve_index=False))
    manifest = make_manifest(
        stage=STAGE,
        context=CONTEXT,
        vocabulary=vocabulary,
        packing="best_fit",
        beginning_of_text=False,
        end_of_text=True,
        seed=1,
        buckets=2,
        recipe="0" * 32,
        shards=shards,
    )
    (folder / "manifest.json").write_bytes(write_manifest(manifest))
    return np.concatenate(sequences), pa.concat_tables(runs)
