"""What verify reads most of, in pieces that one process takes one after the other, or Spark's tasks take side by side.

A piece is a live file, a fragment's texts or a shard; its check needs nothing but where it lies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from hashlib import blake2b
from typing import BinaryIO, Final, TypeAlias, cast

from pyarrow import fs as pafs

from headwater.lineage.builds import builds_uri, shard_name
from headwater.lineage.checks.found import Found
from headwater.tokenize.shards.checking import check_files
from headwater.tokenize.shards.manifest import Manifest, write_shard
from headwater.warehouse.filesystem import exists, filesystem_of, join, read_bytes
from headwater.warehouse.parquet import FragmentFiles, check_file, read_aligned
from headwater.warehouse.snapshot import Snapshot

__all__ = [
    "Each",
    "FilePiece",
    "Piece",
    "ShardPiece",
    "TextPiece",
    "check_piece",
    "file_pieces",
    "in_turn",
    "shard_pieces",
    "summed",
    "text_pieces",
]

_TEXT: Final = ("text", "content_hash", "text_bytes")


@dataclass(frozen=True, kw_only=True, slots=True)
class FilePiece:
    """A live file, whose bytes must have the SHA-256 of its name."""

    table_uri: str
    path: str
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class TextPiece:
    """A fragment, whose texts must have their hashes and lengths."""

    table_uri: str
    where: FragmentFiles


@dataclass(frozen=True, kw_only=True, slots=True)
class ShardPiece:
    """A shard, whose files must be those of the manifest.

    Attributes:
        manifest: of its stage, with this shard alone.
    """

    lake: str
    build: str
    stage: str
    manifest: Manifest


Piece: TypeAlias = FilePiece | TextPiece | ShardPiece
Each: TypeAlias = Callable[[Iterable[Piece]], Iterable[Found]]
"""What checks pieces: here and one after the other, or elsewhere; answers in their order."""


def in_turn(pieces: Iterable[Piece]) -> Iterator[Found]:
    """Yield what each piece's check returns."""
    return map(check_piece, pieces)


def summed(found: Iterable[Found]) -> Found:
    """Return the sum of what pieces returned.

    >>> summed([(1, []), (2, ["a"])])
    (3, ['a'])
    """
    count = 0
    faults: list[str] = []
    for n, some in found:
        count += n
        faults += some
    return count, faults


def file_pieces(snapshot: Snapshot) -> Iterator[FilePiece]:
    """Yield every live file."""
    for path, sha256 in zip(*(snapshot.files[name].to_pylist() for name in ("path", "sha256")), strict=True):
        yield FilePiece(table_uri=snapshot.uri, path=path, sha256=sha256)


def text_pieces(snapshot: Snapshot) -> Iterator[TextPiece]:
    """Yield every fragment."""
    for where in snapshot.locate(snapshot.covered("content"), []):
        yield TextPiece(table_uri=snapshot.uri, where=where)


def shard_pieces(lake: str, manifests: dict[tuple[str, str], Manifest]) -> Iterator[ShardPiece]:
    """Yield every shard of some stages."""
    for (build, stage), manifest in manifests.items():
        for shard in manifest.shards:
            yield ShardPiece(lake=lake, build=build, stage=stage, manifest=replace(manifest, shards=(shard,)))


def check_piece(piece: Piece) -> Found:
    """Return on how many things a piece was tried, files or samples, and what is wrong with it.

    Raises:
        CorruptLakeError: a fragment cannot be read.
    """
    if isinstance(piece, FilePiece):
        fault = check_file(piece.table_uri, piece.path, piece.sha256)
        return 1, [] if fault is None else [fault]
    return _texts(piece) if isinstance(piece, TextPiece) else _shard(piece)


def _texts(piece: TextPiece) -> Found:
    faults, count = [], 0
    for table in read_aligned(piece.table_uri, piece.where, {"content": _TEXT}):
        columns = (table[name].to_pylist() for name in ("sample_id", *_TEXT))
        for sample, text, digest, size in zip(*columns, strict=True):
            data = text.encode()
            count += 1
            if blake2b(data, digest_size=16).digest() != digest or len(data) != size:
                faults.append(f"sample {sample}: its text is not the one that was hashed at ingest")
    return count, faults


def _shard(piece: ShardPiece) -> Found:
    (shard,) = piece.manifest.shards
    filesystem, path = filesystem_of(builds_uri(piece.lake, piece.build, piece.stage))
    damaged = check_files(piece.manifest, partial(_open_beside, filesystem, path))
    faults = [f"{piece.build}/{piece.stage}/{name}: {fault}" for name, fault in damaged.items()]
    record = f"{shard_name(shard.number)}.json"
    size = exists(filesystem, join(path, record))
    if size is None or read_bytes(filesystem, join(path, record)) != write_shard(shard):
        told = "missing" if size is None else "differs from the manifest"
        faults.append(f"{piece.build}/{piece.stage}/{record}: {told}")
    return len(shard.files), faults


def _open_beside(filesystem: pafs.FileSystem, folder: str, name: str) -> BinaryIO:
    # Without a word on compression a .gz would be read unpacked.
    return cast("BinaryIO", filesystem.open_input_stream(join(folder, name), compression=None))
