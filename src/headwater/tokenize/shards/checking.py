"""Whether the files of a stage are those that its manifest says."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

from headwater.errors import raise_of_file_system
from headwater.tokenize.shards.files import Digest, hash_stream
from headwater.tokenize.shards.manifest import Manifest

__all__ = ["check_files"]


def check_files(
    manifest: Manifest, open_file: Callable[[str], BinaryIO], suffixes: tuple[str, ...] = ("",)
) -> dict[str, str]:
    """Return what is wrong with each damaged file, by name; empty when all files are as they were written.

    Args:
        manifest: of the stage.
        open_file: opens a file by name; one that is not there counts as missing.
        suffixes: only files whose names end in one of them.

    Raises:
        StorageError: the file system or the store failed to give a file's bytes: nothing is known of it.
    """
    damaged: dict[str, str] = {}
    for file in (file for shard in manifest.shards for file in shard.files if file.name.endswith(suffixes)):
        try:
            with open_file(file.name) as stream:
                found = hash_stream(stream)
        except OSError as error:
            raise_of_file_system(error, file.name)
            damaged[file.name] = "missing"
            continue
        if found.n_bytes != file.n_bytes:
            damaged[file.name] = f"expected {file.n_bytes} bytes, found {found.n_bytes}"
        elif found != Digest(n_bytes=file.n_bytes, sha256=file.sha256):
            damaged[file.name] = f"expected SHA-256 {file.sha256}, found {found.sha256}"
    return damaged
