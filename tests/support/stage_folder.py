"""A stage's folder for tests of readers, written file by file from plain lists, with what must be read from it."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from headwater.tokenize.shards.boundaries import SCHEMA
from headwater.tokenize.shards.manifest import FORMAT, Manifest, Shard, ShardFile, root_of, write_manifest

END = 99
"""End of text and padding, as in the vocabularies that ship."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Folder:
    """What was written.

    Attributes:
        tokens: uint32 [sequences, context], of all shards.
        runs: per sequence: (begin, end, number of the document, first of its tokens, whether it ends).
    """

    path: Path
    tokens: npt.NDArray[np.uint32]
    runs: list[list[tuple[int, int, int, int, bool]]]


def document_hash(document: int) -> bytes:
    """Return the content hash of a document of the tests."""
    return hashlib.blake2b(str(document).encode(), digest_size=16).digest()


def write_folder(
    path: Path,
    counts: Sequence[int],
    *,
    context: int = 32,
    suffixes: Sequence[str] = (".bin", ".npy"),
    seed: int = 1,
    longest: int = 15,
) -> Folder:
    """Write shards of so many sequences each, full of short documents, some cut, with padding in some sequences."""
    path.mkdir(parents=True)
    draw = np.random.default_rng(seed)
    shards, all_tokens, all_runs, document = [], [], [], 0
    for number, count in enumerate(counts):
        tokens = np.full((count, context), END, dtype=np.uint32)
        runs: list[list[tuple[int, int, int, int, bool]]] = []
        done = 0  # tokens of the open document that earlier sequences hold
        for row in range(count):
            at, mine = 0, []
            padded = row % 3 == 2
            while at < context - (7 if padded else 0):
                length = int(draw.integers(1, longest + 1))
                end = min(at + length, context)
                ends = end < context or bool(draw.integers(2)) or padded
                tokens[row, at:end] = draw.integers(0, END, end - at)
                if ends:
                    tokens[row, end - 1] = END
                mine.append((at, end, document, done, ends))
                done = 0 if ends else done + end - at
                document += ends
                at = end
            runs.append(mine)
        document += done > 0
        shards.append(_shard(path, number, tokens, runs, suffixes))
        all_tokens.append(tokens)
        all_runs += runs
    known: dict[str, Any] = {
        "format": FORMAT,
        "stage": path.name,
        "context": context,
        "sequences": sum(counts),
        "end_of_text_id": END,
        "padding_id": END,
        "shards": tuple(shards),
        "root": root_of(shards),
        "replaces": None,
        "revisions": (),
    }
    nothing: dict[str, Any] = {"str": "", "bool": False}
    manifest = Manifest(
        **{field.name: known.get(field.name, nothing.get(str(field.type), 0)) for field in dataclasses.fields(Manifest)}
    )
    (path / "manifest.json").write_bytes(write_manifest(manifest))
    return Folder(path=path, tokens=np.concatenate(all_tokens), runs=all_runs)


def _shard(
    path: Path,
    number: int,
    tokens: npt.NDArray[np.uint32],
    runs: list[list[tuple[int, int, int, int, bool]]],
    suffixes: Sequence[str],
) -> Shard:
    stem, context = f"shard-{number:05d}", tokens.shape[1]
    flat = [(row, *run) for row, mine in enumerate(runs) for run in mine]
    values: dict[str, list[Any]] = {
        "sequence": [row for row, *_ in flat],
        "token_begin": [row * context + begin for row, begin, *_ in flat],
        "token_end": [row * context + end for row, _, end, *_ in flat],
        "sample_token_begin": [first for *_, first, _ in flat],
        "content_hash": [document_hash(document) for _, _, _, document, _, _ in flat],
        "origin": [1000 + document for _, _, _, document, _, _ in flat],
        "copy": [document % 2 for _, _, _, document, _, _ in flat],
        "begins": [first == 0 for *_, first, _ in flat],
        "ends": [ends for *_, ends in flat],
    }
    columns = [pa.array(values[field.name], field.type) for field in SCHEMA]
    pq.write_table(
        pa.Table.from_arrays(columns, schema=SCHEMA), path / f"{stem}.boundaries.parquet", store_schema=False
    )
    if ".bin" in suffixes:
        (path / f"{stem}.bin").write_bytes(tokens.tobytes())
    if ".npy" in suffixes:
        np.save(path / f"{stem}.npy", tokens)
    if ".dolma.npy" in suffixes:
        (path / f"{stem}.dolma.npy").write_bytes(tokens.tobytes())
    if ".tokens.parquet" in suffixes:
        table = pa.table(
            {
                "sequence": np.arange(count := len(tokens)),
                "run_begin": [[1]] * count,
                "tokens": list(tokens.astype(np.int32)),
            }
        )
        pq.write_table(table, path / f"{stem}.tokens.parquet", row_group_size=3)
    files = []
    for suffix in (*suffixes, ".boundaries.parquet"):
        data = (path / f"{stem}{suffix}").read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        files.append(ShardFile(name=f"{stem}{suffix}", n_bytes=len(data), sha256=digest))
    known: dict[str, Any] = {"number": number, "sequences": len(tokens), "files": tuple(files)}
    return Shard(**{field.name: known.get(field.name, 0) for field in dataclasses.fields(Shard)})
