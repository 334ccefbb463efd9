"""Which files the lake has, by their SHA-256: what family ``files`` says, each of its files read once however often it is asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from headwater.warehouse.filesystem import filesystem_of
from headwater.warehouse.fragments import parse_name
from headwater.warehouse.many_files import for_each
from headwater.warehouse.parquet import read_file
from headwater.warehouse.snapshot import Snapshot

__all__ = ["KnownFile", "KnownFiles"]

_COLUMNS: Final = ("file_id", "sha256", "format", "records", "quarantined", "run_id")


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownFile:
    """A file that the lake has: what its row in family ``files`` says, and where that row is."""

    file_id: int
    kind: str
    records: int
    quarantined: int
    run_id: str
    path: str

    @property
    def batch(self) -> str:
        """Batch of the file's rows."""
        return parse_name(self.path).batch


@dataclass(kw_only=True, slots=True)
class KnownFiles:
    """What family ``files`` says, for as long as a step runs: the table's files never change, so only those that are new are read.

    Attributes:
        rows: path of a live file → its rows. Memory: some 100 bytes an input file.
        seen: the version that was asked of last, what was asked, and the answer.
    """

    rows: dict[str, pa.Table] = field(default_factory=dict)
    seen: tuple[int, frozenset[str], dict[str, KnownFile]] | None = None

    def find(self, snapshot: Snapshot, sha256: set[str]) -> dict[str, KnownFile]:
        """Return which of some SHA-256 the lake holds."""
        asked = frozenset(sha256)
        if self.seen is None or self.seen[:2] != (snapshot.version, asked):
            self.seen = (snapshot.version, asked, self._find(snapshot, asked) if asked else {})
        return self.seen[2]

    def _find(self, snapshot: Snapshot, sha256: frozenset[str]) -> dict[str, KnownFile]:
        paths = snapshot.paths("files")
        new = [path for path in paths if path not in self.rows]
        came = for_each(filesystem_of(snapshot.uri)[0], partial(_rows, snapshot.uri), new)
        held = self.rows | dict(zip(new, came, strict=True))
        self.rows = {path: held[path] for path in paths}
        wanted = pa.array(sorted(sha256), pa.string())
        found: dict[str, KnownFile] = {}
        for path, table in self.rows.items():
            for row in table.filter(pc.is_in(table["sha256"], wanted)).to_pylist():
                digest, kind = row.pop("sha256"), row.pop("format")
                found[digest] = KnownFile(kind=kind, path=path, **row)
        return found


def _rows(table_uri: str, path: str) -> pa.Table:
    return pa.concat_tables(read_file(table_uri, path, _COLUMNS))
