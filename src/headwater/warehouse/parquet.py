"""Parquet files of the lake: written with page checksums, read with them checked, rows of several families zipped by position."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from headwater.errors import CorruptLakeError, StorageError, UsageError
from headwater.plain import Row
from headwater.warehouse.file_schema import STATISTICS, dictionary_columns, file_schema
from headwater.warehouse.filesystem import HashedFile, file_sha256, filesystem_of, join, parent
from headwater.warehouse.fragments import FileEntry, file_name, operator_digits, sample_ids
from headwater.warehouse.open_files import open_file
from headwater.warehouse.row_groups import (
    family_of,
    format_of,
    own_scores_of,
    read_columns,
    read_group,
)
from headwater.warehouse.schema import FAMILIES, arrow_schema

__all__ = [
    "BATCH_BYTES",
    "FamilyWriter",
    "FragmentFiles",
    "check_file",
    "file_format",
    "file_own_scores",
    "read_aligned",
    "read_as_written",
    "read_content_row",
    "read_file",
    "read_sparse",
    "slice_by_bytes",
    "write_family",
]

_DELTAS: Final = ("sample_id", "band_key")
"""Columns of which a number is mostly near the one before."""
BATCH_BYTES: Final = 16 << 20
"""Text of a batch and of a row group of content, bytes; a longer text has a batch to itself."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FragmentFiles:
    """Where the families of one fragment lie: all that a task needs, a few hundred bytes.

    Attributes:
        files: family → (path relative to the table, row group of the fragment, rows are checked against it).
    """

    fragment: int
    batch: str
    files: Mapping[str, tuple[str, int]] = field(default_factory=dict)

    def paths(self, families: Iterable[str]) -> list[str]:
        """Return the live files that hold some families of the fragment; a family that does not cover it has none."""
        return [self.files[family][0] for family in families if family in self.files]


class FamilyWriter:
    """One file of a family, written a row group at a time: several can be open at once, and none holds more than a row group.

    Used as a context manager; leaving it without ``finish`` removes what was written.

    Args:
        table_uri: the Delta table's folder.
        base: first fragment that the file covers.
        mask: its other fragments; see ``fragments``.
        operator: fingerprint of what computes the rows.
        own: a team's own scores, columns of family ``scores`` besides its own.
    """

    def __init__(
        self, table_uri: str, family: str, batch: str, base: int, mask: int, operator: str, own: Sequence[str] = ()
    ) -> None:
        self._family, self._batch, self._base, self._mask, self._operator = family, batch, base, mask, operator
        self._folder = f"family={family}/batch={batch}"
        self._schema = file_schema(family, own)
        self._names = set(self._schema.names)
        self._rows = 0
        self._bounds: list[int] = []
        self._file = HashedFile(join(table_uri, self._folder), root=parent(table_uri))
        try:
            self._writer = self._open_writer()
        except BaseException:
            self._file.discard()
            raise

    def _open_writer(self) -> pq.ParquetWriter:
        return pq.ParquetWriter(
            self._file.sink,
            self._schema,
            compression="zstd",
            compression_level=3,
            write_page_checksum=True,
            use_dictionary=dictionary_columns(self._schema),
            write_statistics=[name for name in STATISTICS if name in self._names],
            column_encoding={name: "DELTA_BINARY_PACKED" for name in _DELTAS if name in self._names} or None,
        )

    def write(self, rows: pa.Table) -> None:
        """Write a row group, an empty one too; columns may stand in any order.

        Raises:
            StorageError: the file system refused.
        """
        table = rows.select(self._schema.names).cast(self._schema)
        try:
            self._writer.write_table(table, row_group_size=max(1, table.num_rows))
        except OSError as error:
            raise StorageError(
                f"cannot write {self._folder}: {error}; free space, then run the same command again"
            ) from error
        self._rows += table.num_rows
        if table.num_rows and "sample_id" in self._names:
            bounds = pc.min_max(table["sample_id"])
            self._bounds += [bounds["min"].as_py(), bounds["max"].as_py()]

    def finish(self) -> FileEntry:
        """Close the file, give it its name and return its description.

        Raises:
            StorageError: the file system refused.
        """
        try:
            self._writer.close()
        except OSError as error:
            raise StorageError(
                f"cannot write {self._folder}: {error}; free space, then run the same command again"
            ) from error
        sink = self._file.sink
        name = file_name(self._base, self._mask, self._operator, sink.sha256)
        self._file.publish(name)
        return FileEntry(
            path=f"{self._folder}/{name}",
            family=self._family,
            batch=self._batch,
            base=self._base,
            mask=self._mask,
            operator=operator_digits(self._operator),
            sha256=sink.sha256,
            size=sink.size,
            rows=self._rows,
            min_id=min(self._bounds, default=None),
            max_id=max(self._bounds, default=None),
        )

    def __enter__(self) -> Self:
        """Return the writer."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove what was written unless it was finished."""
        # An open writer would try to end its file when it is collected, long after the file is gone.
        with contextlib.suppress(OSError, ValueError, StorageError):
            self._writer.close()
        self._writer.is_open = False
        self._file.discard()


def write_family(
    table_uri: str,
    family: str,
    batch: str,
    base: int,
    mask: int,
    operator: str,
    row_groups: Iterable[pa.Table],
    own: Sequence[str] = (),
) -> FileEntry:
    """Write one file of ``family`` and return its description; arguments as for ``FamilyWriter``.

    Raises:
        StorageError: the file system refused.
    """
    with FamilyWriter(table_uri, family, batch, base, mask, operator, own) as writer:
        for group in row_groups:
            writer.write(group)
        return writer.finish()


def file_format(table_uri: str, path: str) -> int:
    """Return the format in which a file was written.

    Raises:
        CorruptLakeError: one that this release does not read.
    """
    return format_of(open_file(table_uri, path), path)


def file_own_scores(table_uri: str, path: str) -> tuple[str, ...]:
    """Return the columns of a team's own that a file of family ``scores`` has."""
    return own_scores_of(open_file(table_uri, path))


def read_file(table_uri: str, path: str, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """Yield the row groups of one file, with the columns named or all that the family has."""
    file = open_file(table_uri, path)
    names = list(columns) if columns is not None else arrow_schema(family_of(path), own_scores_of(file)).names
    for group in range(file.num_row_groups):
        yield read_columns(file, path, group, names)


def read_as_written(table_uri: str, path: str) -> Iterator[pa.Table]:
    """Yield the row groups of one file with the columns that it has, in the meaning of the format that it was written in."""
    file = open_file(table_uri, path)
    for group in range(file.num_row_groups):
        yield read_group(file, path, group, file.schema_arrow.names)


def read_aligned(
    table_uri: str,
    where: FragmentFiles,
    columns: Mapping[str, Sequence[str]],
    dictionaries: Sequence[str] = (),
) -> Iterator[pa.Table]:
    """Yield the rows of one fragment with columns of several aligned families side by side, ``sample_id`` first.

    With columns of ``content`` there is one table a row group of its file (some 32 MB of text), otherwise one for the fragment. The ids of
    every file are checked against the fragment's, so rows of two files stand side by side only where both are the same samples. A family that
    fragments of earlier releases may lack is null of them.

    Args:
        columns: family → names.
        dictionaries: columns of few distinct strings that stay dictionaries; of a list, ``reasons.list.element``.

    Raises:
        CorruptLakeError: row counts or ids of the families differ, or a family lacks the fragment; the message names the file.
    """
    lacking = {family: names for family, names in columns.items() if _is_lacking(family, where)}
    if lacking:
        others = {family: names for family, names in columns.items() if family not in lacking}
        for rows in read_aligned(table_uri, where, others or {"content": []}, dictionaries):
            yield _with_nulls(rows, lacking)
        return
    narrow: pa.Table | None = None
    first = ""
    for family, names in columns.items():
        if family == "content":
            continue
        path, group = _place(where, family)
        found = read_columns(
            open_file(table_uri, path, _among(dictionaries, names)), path, group, ["sample_id", *names]
        )
        _check_ids(found, where.fragment, 0, path)
        if narrow is None:
            narrow, first = found, path
            continue
        if found.num_rows != narrow.num_rows:
            raise _out_of_step(where.fragment, narrow.num_rows, first, found.num_rows, path)
        narrow = _beside(narrow, found)
    if "content" not in columns:
        if narrow is not None:
            yield narrow
        return
    path, _ = _place(where, "content")
    file = open_file(table_uri, path, _among(dictionaries, columns["content"]))
    if narrow is not None and file.metadata.num_rows != narrow.num_rows:
        raise _out_of_step(where.fragment, file.metadata.num_rows, path, narrow.num_rows, first)
    begin = 0
    for group in range(file.num_row_groups):
        table = read_columns(file, path, group, ["sample_id", *columns["content"]])
        _check_ids(table, where.fragment, begin, path)
        if narrow is not None:
            part = narrow.slice(begin, table.num_rows)
            if part.num_rows != table.num_rows:
                raise _out_of_step(where.fragment, begin + table.num_rows, path, narrow.num_rows, first)
            table = _beside(table, part)
        begin += table.num_rows
        yield table


def _is_lacking(family: str, where: FragmentFiles) -> bool:
    return family not in where.files and FAMILIES[family].may_lack


def _with_nulls(rows: pa.Table, lacking: Mapping[str, Sequence[str]]) -> pa.Table:
    for family, names in lacking.items():
        schema = arrow_schema(family)
        for name in names:
            rows = rows.append_column(schema.field(name), pa.nulls(rows.num_rows, schema.field(name).type))
    return rows


def _among(dictionaries: Sequence[str], names: Sequence[str]) -> list[str]:
    """Return the dictionaries that are of some columns: pyarrow knows no others of a file."""
    return [name for name in dictionaries if name.partition(".")[0] in names]


def _place(where: FragmentFiles, family: str) -> tuple[str, int]:
    """Return file and row group of a family's rows of a fragment."""
    try:
        return where.files[family]
    except KeyError:
        raise CorruptLakeError(
            f"expected family {family} to have rows of fragment {where.fragment}, found no live file with them; run the step of this family again"
        ) from None


def _beside(left: pa.Table, right: pa.Table) -> pa.Table:
    for name in right.column_names:
        if name != "sample_id":
            left = left.append_column(right.schema.field(name), right[name])
    return left


def _check_ids(found: pa.Table, fragment: int, begin: int, path: str) -> None:
    expected = sample_ids(fragment, begin, begin + found.num_rows)
    if not np.array_equal(found["sample_id"].to_numpy(), expected):
        raise CorruptLakeError(
            f"expected the samples of fragment {fragment} in order in {path}, found others; run verify, then restore the file"
        )


def _out_of_step(fragment: int, rows: int, path: str, other_rows: int, other: str) -> CorruptLakeError:
    return CorruptLakeError(
        f"families of fragment {fragment} are out of step: expected {rows} rows as in {path}, found {other_rows} in {other}; "
        "run verify, then run the step of this family again"
    )


def read_sparse(
    table_uri: str, where: FragmentFiles, family: str, columns: Sequence[str], dictionaries: Sequence[str] = ()
) -> pa.Table:
    """Return a sparse family's rows of one fragment, sorted by ``sample_id``; empty where there are none."""
    path, group = _place(where, family)
    return read_columns(open_file(table_uri, path, dictionaries), path, group, ["sample_id", *columns])


def read_content_row(table_uri: str, where: FragmentFiles, row: int, columns: Sequence[str]) -> Row:
    """Return columns of one row of a fragment's content; only the row group that holds it is read.

    Raises:
        UsageError: the fragment has no such row.
    """
    path, _ = _place(where, "content")
    file = open_file(table_uri, path)
    begin = 0
    for group in range(file.num_row_groups):
        end = begin + file.metadata.row_group(group).num_rows
        if row < end:
            found: Row = read_columns(file, path, group, columns).slice(row - begin, 1).to_pylist()[0]
            return found
        begin = end
    raise UsageError(f"expected row {row} in fragment {where.fragment}, found {begin} rows")


def check_file(table_uri: str, path: str, sha256: str) -> str | None:
    """Return what is wrong with a file's bytes, or None: its SHA-256 must be the one of its name."""
    filesystem, root = filesystem_of(table_uri)
    try:
        found = file_sha256(filesystem, join(root, path))
    except FileNotFoundError:
        return f"{path} is missing"
    return None if found == sha256 else f"{path}: expected SHA-256 {sha256}, found {found}"


def slice_by_bytes(table: pa.Table) -> Iterator[pa.Table]:
    """Yield a table in pieces of at most ``BATCH_BYTES`` by its column ``text_bytes``, a row at least; nothing of an empty one."""
    ends = np.cumsum(table["text_bytes"].to_numpy())
    begin = 0
    while begin < table.num_rows:
        limit = (ends[begin - 1] if begin else 0) + BATCH_BYTES
        end = max(begin + 1, int(np.searchsorted(ends, limit, side="right")))
        yield table.slice(begin, end - begin)
        begin = end
