"""A file of a shard or of an export: written whole or not at all, with what a manifest says of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO, Final, cast

from headwater.errors import CorruptLakeError
from headwater.tokenize.shards.manifest import ShardFile
from headwater.warehouse.filesystem import HashingSink, filesystem_of, join, write_hashed

__all__ = ["put_back", "write_shard_file"]

_COPIED_BYTES: Final = 8 << 20


def write_shard_file(folder: str, name: str, write: Callable[[BinaryIO], None], *, root: str) -> ShardFile:
    """Write a file below a folder and return its name, size and SHA-256.

    Args:
        root: the lake or the export, out of which no link may lead.
        write: writes the content into a binary stream, which it neither flushes nor closes.

    Raises:
        UsageError: a symbolic link leads out of ``root``.
        StorageError: no space, no permission, or the store refused.
    """

    def fill(sink: HashingSink) -> None:
        write(cast(BinaryIO, sink))

    _, sha256, n_bytes = write_hashed(folder, fill, lambda _: name, root=root)
    return ShardFile(name=name, n_bytes=n_bytes, sha256=sha256)


def put_back(source: str, target: str, file: ShardFile, root: str) -> None:
    """Put a file in the place of its damaged form, whole or not at all.

    Raises:
        CorruptLakeError: the file has changed since it was built again.
    """
    filesystem, path = filesystem_of(source)

    def fill(sink: HashingSink) -> None:
        with filesystem.open_input_stream(join(path, file.name), compression=None) as stream:
            while block := stream.read(_COPIED_BYTES):
                sink.write(block)

    def name(sha256: str) -> str:
        if sha256 != file.sha256:
            raise CorruptLakeError(
                f"{join(path, file.name)}: expected SHA-256 {file.sha256}, found {sha256}; check the disk"
            )
        return file.name

    write_hashed(target, fill, name, root=root)
