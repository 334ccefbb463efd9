"""A file of a shard or of an export: written whole or not at all, with what a manifest says of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO, cast

from headwater.tokenize.shards.manifest import ShardFile
from headwater.warehouse.filesystem import HashingSink, write_hashed

__all__ = ["write_shard_file"]


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
