"""Input files by name: their URI, the beginning of their SHA-256, or their licence."""

from __future__ import annotations

from collections.abc import Iterator

from headwater.filters.urls.hosts import without_credentials
from headwater.plain import Row
from headwater.warehouse.parquet import read_file
from headwater.warehouse.snapshot import Snapshot

__all__ = ["UNKNOWN", "files_licensed", "files_named"]

UNKNOWN = "unknown"
"""How a licence is called that nobody declared."""


def files_named(snapshot: Snapshot, name: str) -> list[Row]:
    """Return the rows of family files with a URI, or whose SHA-256 begins so."""
    return [
        row
        for row in _files(snapshot)
        if name in (row["file_uri"], without_credentials(row["file_uri"] or ""))
        or row["sha256"].startswith(name.lower())
    ]


def files_licensed(snapshot: Snapshot, licence: str) -> list[Row]:
    """Return the rows of family files with a licence; ``unknown`` are those without one."""
    return [row for row in _files(snapshot) if (row["license"] or UNKNOWN) == licence]


def _files(snapshot: Snapshot) -> Iterator[Row]:
    for path in snapshot.paths("files"):
        for table in read_file(snapshot.uri, path):
            yield from table.to_pylist()
