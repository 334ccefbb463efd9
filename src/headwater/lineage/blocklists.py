"""Block lists of a lake: files kept under the SHA-256 of their content, so that verdicts can be made again when the first file is gone.

A lake keeps them as ``<lake>/blocklists/<sha256>.txt``; a file is written once and never changed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

from pyarrow import fs as pafs

from headwater.errors import CorruptLakeError, UsageError, one_line
from headwater.filters.blocklists.read import MOST_BYTES, Entries, read_entries
from headwater.untrusted import read_bounded
from headwater.warehouse.filesystem import exists, filesystem_of, join, read_bytes, write_file

__all__ = [
    "NamedList",
    "blocklists_uri",
    "check_blocklists",
    "file_digest",
    "has_list",
    "list_faults",
    "read_list",
    "store_blocklists",
]

_STORED: Final = re.compile(r"([0-9a-f]{64})\.txt")


class NamedList(Protocol):
    """A block list as a recipe names it."""

    @property
    def name(self) -> str:
        """What the recipe calls it."""

    @property
    def kind(self) -> str:
        """Domains, urls or words."""

    @property
    def sha256(self) -> str:
        """Of the file's content, hexadecimal."""

    @property
    def file(self) -> str | None:
        """Where the file is; it need not be there once the lake has it."""


def blocklists_uri(lake: str) -> str:
    """Return the folder of a lake's block lists."""
    return join(lake, "blocklists")


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a block list's file.

    Raises:
        UsageError: it cannot be read, or is too large.
    """
    return hashlib.sha256(_read_file(path)).hexdigest()


def check_blocklists(lake: str, lists: Sequence[NamedList]) -> None:
    """Check that each block list is in the lake or in its file.

    Raises:
        UsageError: one is in neither, or its file has other content.
    """
    for each in lists:
        if not has_list(lake, each.sha256):
            _given(lake, each)


def store_blocklists(lake: str, lists: Sequence[NamedList]) -> dict[str, int]:
    """Store the block lists of a recipe in a lake, so that tasks and later runs find them there.

    Returns:
        What is counted of those that the lake did not have: entries, and lines that cannot be used.

    Raises:
        UsageError: as for ``check_blocklists``.
    """
    counts = {}
    for each in lists:
        if not has_list(lake, each.sha256):
            data = _given(lake, each)
            found = read_entries(data, each.kind)
            counts[f"blocklist_{each.name}_entries"] = len(found.entries)
            counts[f"blocklist_{each.name}_unusable"] = found.unusable
            write_file(blocklists_uri(lake), f"{each.sha256}.txt", data, root=lake)
    return counts


def has_list(lake: str, sha256: str) -> bool:
    """Return whether a lake has the block list of a SHA-256."""
    return exists(*filesystem_of(join(blocklists_uri(lake), f"{sha256}.txt"))) is not None


def _given(lake: str, each: NamedList) -> bytes:
    """Return the bytes of a list that the lake does not have."""
    if each.file is None:
        raise UsageError(
            f"block list {each.name}: expected SHA-256 {each.sha256} in {blocklists_uri(lake)}, found none; give its file in the recipe"
        )
    data = _read_file(Path(each.file))
    found = hashlib.sha256(data).hexdigest()
    if found != each.sha256:
        raise UsageError(
            f"block list {each.name}: expected SHA-256 {each.sha256}, as the recipe pins it, found {found} in {one_line(each.file, 200)}; "
            "give the file that the recipe means, or pin the other"
        )
    entries = read_entries(data, each.kind)
    if entries.unusable > len(entries.entries):
        raise UsageError(
            f"block list {each.name}: expected {each.kind}, found {entries.unusable:,} lines that are none and {len(entries.entries):,} that are; "
            f"the first is line {entries.first_unusable}. Give a list of {each.kind}, or the kind that it has"
        )
    return data


def _read_file(path: Path) -> bytes:
    try:
        return read_bounded(path, MOST_BYTES)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise UsageError(
            f"block list {one_line(str(path), 200)}: expected a file of at most {MOST_BYTES:,} bytes, found {one_line(why, 200)}"
        ) from None


def read_list(lake: str, sha256: str, kind: str) -> Entries:
    """Return the entries of a lake's block list.

    Raises:
        CorruptLakeError: the file is gone or damaged.
    """
    filesystem, path = filesystem_of(join(blocklists_uri(lake), f"{sha256}.txt"))
    try:
        data = read_bytes(filesystem, path)
    except FileNotFoundError:
        data = None
    if data is None or hashlib.sha256(data).hexdigest() != sha256:
        raise CorruptLakeError(
            f"expected a block list with SHA-256 {sha256} in {path}, found {'none' if data is None else 'damage'}; "
            "restore it from a copy, or delete it and give its file again"
        )
    return read_entries(data, kind)


def list_faults(lake: str) -> tuple[int, list[str]]:
    """Return how many block lists a lake has, and what is wrong with their files."""
    filesystem, path = filesystem_of(blocklists_uri(lake))
    entries = filesystem.get_file_info(pafs.FileSelector(path, allow_not_found=True))
    stored = sorted(found[1] for entry in entries if (found := _STORED.fullmatch(entry.base_name)))
    return len(stored), [
        f"block list {sha256} is damaged; restore it from a copy, or delete it and give its file again"
        for sha256 in stored
        if hashlib.sha256(read_bytes(filesystem, join(path, f"{sha256}.txt"))).hexdigest() != sha256
    ]
