"""Export: a finished build's sequences in another format, without tokenizing again.

Shards are read one after the other, held against the manifest's hashes, and written in the same order: the same selection, sequence by
sequence. Memory: one shard of the build, its sidecar and one chunk. A killed export goes on after the last file that it
recorded and ends with the same bytes.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import fs as pafs

from headwater.errors import CorruptLakeError, UsageError
from headwater.lineage.builds import builds_uri, read_stage_manifest, shard_name
from headwater.pipelines.builds.files import write_shard_file
from headwater.pipelines.spark.progress import Progress
from headwater.plain import JsonObject
from headwater.tokenize.names import EXPORT_FORMATS
from headwater.tokenize.shards.boundaries import SCHEMA, write_boundaries
from headwater.tokenize.shards.files import write_buffers
from headwater.tokenize.shards.litdata import LitdataChunk, litdata_chunk, litdata_index
from headwater.tokenize.shards.manifest import Manifest, Shard, write_manifest
from headwater.tokenize.shards.mds import MdsShard, mds_index, mds_shard
from headwater.tokenize.shards.tokens import token_suffix, tokens_in
from headwater.tokenize.shards.writers import shard_writers
from headwater.warehouse.filesystem import delete_file, exists, filesystem_of, join, parent, read_bytes, write_file
from headwater.warehouse.lake_folders import refuse_lakes
from headwater.warehouse.real_files import refuse_links

__all__ = ["CHUNK_BYTES", "export", "stages_of"]

CHUNK_BYTES: Final = 64 << 20
"""Bytes of tokens in a file of ``mds`` or ``litdata``, at most, unless one sequence has more."""

_FORMAT: Final = 1
_TOKEN_BYTES: Final = 4
_MANIFEST: Final = "export.json"
_PLAN: Final = "export-plan.json"
_UNFINISHED: Final = re.compile(r"\.[0-9a-f]{16}\.tmp")
"""How ``write_hashed`` names a file until it is whole."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Piece:
    """Sequences ``first`` to ``last`` (excluded) of a shard of the build: what one file of the export holds."""

    number: int
    shard: int
    first: int
    last: int


@dataclass(frozen=True, kw_only=True, slots=True)
class _Held:
    """A shard of the build in memory."""

    number: int
    sequences: npt.NDArray[np.uint32]
    boundaries: pa.Table


def export(
    lake: str, build: str, out: str, *, kind: str, stages: Sequence[str], chunk_bytes: int = CHUNK_BYTES
) -> list[JsonObject]:
    """Write stages of a build below the folder or URI ``out``, each in a folder of its name; return what ``export.json`` says of each.

    Args:
        kind: of ``EXPORT_FORMATS``.
        chunk_bytes: of tokens in a file of ``mds`` or ``litdata``; the other formats have a file a shard, as a build writes them.

    Raises:
        UsageError: no such stage, or the folder holds something else, or lies in a folder of a lake's own.
        CorruptLakeError: a shard differs from its manifest.
    """
    if kind not in EXPORT_FORMATS:
        raise UsageError(f"export: expected one of {', '.join(EXPORT_FORMATS)}, found {kind!r}")
    if chunk_bytes < 1:
        raise UsageError(f"export: expected at least one byte a chunk, found {chunk_bytes}")
    for stage in stages:
        filesystem, path = filesystem_of(join(out, stage))
        refuse_lakes(filesystem, path, filesystem_of(lake)[1])
    return [_export_stage(lake, build, stage, join(out, stage), kind, chunk_bytes) for stage in stages]


def stages_of(lake: str, build: str) -> list[str]:
    """Return the finished stages of a build, by name.

    Raises:
        UsageError: there is no such build, or none of its stages is finished.
    """
    filesystem, path = filesystem_of(builds_uri(lake, build))
    there = filesystem.get_file_info(pafs.FileSelector(path, allow_not_found=True))
    names = sorted(
        info.base_name for info in there if exists(filesystem, join(path, info.base_name, "manifest.json")) is not None
    )
    if not names:
        raise UsageError(
            f"expected a finished build {build!r} with shards, found none at {path}; headwater runs {lake} lists what was run, "
            f"and headwater verify {lake} --build {build} names stages for which nothing was chosen"
        )
    return names


def _export_stage(lake: str, build: str, stage: str, folder: str, kind: str, chunk_bytes: int) -> JsonObject:
    manifest = read_stage_manifest(lake, build, stage)
    plan: JsonObject = {
        "format": _FORMAT,
        "kind": kind,
        "build": build,
        "stage": stage,
        "chunk_bytes": chunk_bytes if kind in ("mds", "litdata") else None,
        "context": manifest.context,
        "sequences": manifest.sequences,
        "tokens": manifest.tokens,
        "padding": manifest.padding,
        "padding_id": manifest.padding_id,
        "end_of_text_id": manifest.end_of_text_id,
        "vocabulary": manifest.vocabulary,
        "manifest_sha256": hashlib.sha256(write_manifest(manifest)).hexdigest(),
    }
    filesystem, path = filesystem_of(folder)
    refuse_links(filesystem, filesystem_of(_out(folder))[1], path)
    pieces = list(_pieces(manifest, plan["chunk_bytes"]))
    records = [join(path, f"export-{piece.number:05d}.json") for piece in pieces]
    if _begun(filesystem, path, plan):
        found: JsonObject = json.loads(read_bytes(filesystem, join(path, _MANIFEST)))
    else:
        _write_json(folder, _PLAN, plan)
        held: _Held | None = None
        done: list[JsonObject] = []
        with Progress(f"export {stage}", parts=(len(pieces), "file")) as progress:
            for piece, record in zip(pieces, records, strict=True):
                if exists(filesystem, record) is None:
                    if held is None or held.number != piece.shard:
                        held = None  # before the next one is read
                        held = _read_shard(lake, build, stage, manifest, piece.shard)
                    _write_json(folder, record.rsplit("/", 1)[-1], _write_piece(folder, kind, piece, held, chunk_bytes))
                done.append(json.loads(read_bytes(filesystem, record)))
                progress.add(
                    parts=1,
                    rows=piece.last - piece.first,
                    size=_TOKEN_BYTES * manifest.context * (piece.last - piece.first),
                )
        files = [file | {"piece": entry["piece"]} for entry in done for file in entry["files"]]
        files += _write_index(folder, kind, done, manifest.context, chunk_bytes)
        found = plan | {"files": files}
        _write_json(folder, _MANIFEST, found)
    for left in (*records, join(path, _PLAN), *_unfinished(filesystem, path)):
        if exists(filesystem, left) is not None:
            delete_file(filesystem, left)
    return found


def _unfinished(filesystem: pafs.FileSystem, path: str) -> list[str]:
    """Return the files that a killed process was writing; they never got the name of a file of the export."""
    there = filesystem.get_file_info(pafs.FileSelector(path, allow_not_found=True))
    return [info.path for info in there if _UNFINISHED.fullmatch(info.base_name)]


def _begun(filesystem: pafs.FileSystem, path: str, plan: JsonObject) -> bool:
    """Return whether this export is finished; an error when the folder holds anything but this export, or its beginning."""
    finished = exists(filesystem, join(path, _MANIFEST)) is not None
    place = join(path, _MANIFEST if finished else _PLAN)
    if exists(filesystem, place) is None:
        there = filesystem.get_file_info(pafs.FileSelector(path, allow_not_found=True))
        if len(there) > len(_unfinished(filesystem, path)):
            raise UsageError(f"export: expected an empty folder at {path}, found {len(there)} files; name another")
        return False
    before = json.loads(read_bytes(filesystem, place))
    different = sorted(name for name in plan if before.get(name) != plan[name])
    if different:
        raise UsageError(
            f"export: expected this export or none at {path}, found one with another {', '.join(different)}; name another folder"
        )
    return finished


def _pieces(manifest: Manifest, chunk_bytes: int | None) -> Iterator[_Piece]:
    number = 0
    for shard in manifest.shards:
        step = shard.sequences if chunk_bytes is None else max(1, chunk_bytes // (_TOKEN_BYTES * manifest.context))
        for first in range(0, shard.sequences, max(step, 1)):
            yield _Piece(number=number, shard=shard.number, first=first, last=min(first + step, shard.sequences))
            number += 1


def _read_shard(lake: str, build: str, stage: str, manifest: Manifest, number: int) -> _Held:
    shard = next(shard for shard in manifest.shards if shard.number == number)
    folder = builds_uri(lake, build, stage)
    suffix = token_suffix([file.name for file in shard.files])
    if suffix is None:
        raise CorruptLakeError(
            f"expected a file of tokens for {shard_name(number)} in {folder}, found none; run verify"
        )
    sidecar = pq.read_table(io.BytesIO(_checked(folder, shard, ".boundaries.parquet")), page_checksum_verification=True)
    boundaries = pa.Table.from_arrays(sidecar.columns, schema=SCHEMA).combine_chunks()
    data = _checked(folder, shard, suffix)
    tokens = tokens_in(data, shard_name(number) + suffix)
    if tokens.n_tokens != shard.sequences * manifest.context:
        raise CorruptLakeError(
            f"expected {shard.sequences} sequences of {manifest.context} tokens in {shard_name(number)} of {folder}, found {tokens.n_tokens} tokens"
        )
    sequences = tokens.read(0, tokens.n_tokens).reshape(shard.sequences, manifest.context)
    return _Held(number=number, sequences=sequences, boundaries=boundaries)


def _checked(folder: str, shard: Shard, suffix: str) -> bytes:
    """Return the bytes of a file of a shard, which agree with the manifest's hash."""
    filesystem, path = filesystem_of(folder)
    file = next(file for file in shard.files if file.name == shard_name(shard.number) + suffix)
    place = join(path, file.name)
    if exists(filesystem, place) is None:
        raise CorruptLakeError(f"expected {place}, found no such file; run verify, then build --repair")
    data = read_bytes(filesystem, place)
    if hashlib.sha256(data).hexdigest() != file.sha256:
        raise CorruptLakeError(
            f"expected the SHA-256 of the manifest in {place}, found another; run verify, then build --repair"
        )
    return data


def _write_piece(folder: str, kind: str, piece: _Piece, held: _Held, chunk_bytes: int) -> JsonObject:
    """Write the files of a piece; return its record."""
    sequences = held.sequences[piece.first : piece.last]
    begin, end = np.searchsorted(held.boundaries["sequence"].to_numpy(), [piece.first, piece.last])
    runs = held.boundaries.slice(int(begin), int(end - begin))
    described: JsonObject | None = None
    writers: dict[str, Callable[[BinaryIO], None]]
    if kind == "mds":
        data, entry = mds_shard(
            sequences, runs, number=piece.number, shard=piece.shard, first=piece.first, size_limit=chunk_bytes
        )
        writers, described = {entry.name: partial(write_buffers, buffers=[data])}, dataclasses.asdict(entry)
    elif kind == "litdata":
        data, chunk = litdata_chunk(sequences, number=piece.number)
        sidecar = chunk.name.removesuffix(".bin") + ".boundaries.parquet"
        table = _renumbered(runs, piece.first, sequences.shape[1])
        writers = {chunk.name: partial(write_buffers, buffers=[data]), sidecar: partial(write_boundaries, table=table)}
        described = dataclasses.asdict(chunk)
    else:
        named = shard_writers(sequences, held.boundaries, [kind]).items()
        writers = {shard_name(piece.shard) + suffix: write for suffix, write in named}
    files = [
        dataclasses.asdict(write_shard_file(folder, name, write, root=_out(folder))) for name, write in writers.items()
    ]
    return {"piece": dataclasses.asdict(piece), "described": described, "files": files}


def _renumbered(runs: pa.Table, first: int, context: int) -> pa.Table:
    """Return a sidecar that counts sequences and tokens from the chunk's first."""
    moved = {"sequence": first, "token_begin": first * context, "token_end": first * context}
    columns = [pc.subtract(runs[name], moved[name]) if name in moved else runs[name] for name in SCHEMA.names]
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def _write_index(
    folder: str, kind: str, done: Sequence[JsonObject], context: int, chunk_bytes: int
) -> list[JsonObject]:
    if kind == "mds":
        data = mds_index([MdsShard(**entry["described"]) for entry in done], context=context, size_limit=chunk_bytes)
    elif kind == "litdata":
        data = litdata_index(
            [LitdataChunk(**entry["described"]) for entry in done], context=context, chunk_bytes=chunk_bytes
        )
    else:
        return []
    return [
        dataclasses.asdict(
            write_shard_file(folder, "index.json", partial(write_buffers, buffers=[data]), root=_out(folder))
        )
    ]


def _write_json(folder: str, name: str, content: JsonObject) -> None:
    write_file(folder, name, json.dumps(content, sort_keys=True, indent=1).encode() + b"\n", root=_out(folder))


def _out(folder: str) -> str:
    """Return the folder that the user named, of that of a stage."""
    return parent(folder)
