"""Parquet files of the lake: written with page checksums, read with them checked, rows of several families zipped by position."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from headwater.errors import CorruptLakeError
from headwater.warehouse.filesystem import HashingSink, file_sha256, join, resolve, write_hashed
from headwater.warehouse.fragments import FileEntry, file_name, sample_ids
from headwater.warehouse.schema import FAMILIES, FORMAT, arrow_schema

__all__ = ["FragmentFiles", "check_file", "family_columns", "read_aligned", "read_file", "read_sparse", "write_family"]

_FORMAT_KEY = b"headwater.format"
_NO_DICTIONARY = {
    "text",
    "content_hash",
    "normalized_hash",
    "signature",
    "bands",
    "uri_hash",
    "sample_id",
    "origin",
    "record_no",
}
_STATISTICS = ["sample_id", "uri_hash", "token_begin", "shard", "record_no"]


@dataclass(frozen=True, kw_only=True, slots=True)
class FragmentFiles:
    """Where the families of one fragment lie: all that a task needs, a few hundred bytes.

    Attributes:
        files: family → (path relative to the table, row group of the fragment, rows are checked against it).
    """

    fragment: int
    batch: str
    files: Mapping[str, tuple[str, int]] = field(default_factory=dict)


def _file_schema(family: str) -> pa.Schema:
    metadata = {_FORMAT_KEY: str(FORMAT).encode(), b"headwater.family": family.encode()}
    plain = [pa.field(column.name, column.type) for column in arrow_schema(family)]
    return pa.schema(plain, metadata=metadata)


def write_family(
    table_uri: str, family: str, batch: str, base: int, mask: int, operator: str, row_groups: Iterable[pa.Table]
) -> FileEntry:
    """Write one file of ``family`` and return its description.

    Args:
        table_uri: the Delta table's folder.
        row_groups: tables with the family's columns in any order; each becomes a row group, an empty one too.

    Raises:
        StorageError: the file system refused.
    """
    schema = _file_schema(family)
    names = set(schema.names)
    rows = 0
    ids: list[int] = []

    def fill(sink: HashingSink) -> None:
        nonlocal rows
        with pq.ParquetWriter(
            sink,
            schema,
            compression="zstd",
            compression_level=3,
            write_page_checksum=True,
            use_dictionary=[name for name in schema.names if name not in _NO_DICTIONARY],
            write_statistics=[name for name in _STATISTICS if name in names],
            column_encoding={"sample_id": "DELTA_BINARY_PACKED"} if "sample_id" in names else None,
        ) as writer:
            for group in row_groups:
                table = group.select(schema.names).cast(schema)
                writer.write_table(table, row_group_size=max(1, table.num_rows))
                rows += table.num_rows
                if table.num_rows and "sample_id" in names:
                    bounds = pc.min_max(table["sample_id"])
                    ids.extend((bounds["min"].as_py(), bounds["max"].as_py()))

    folder = f"family={family}/batch={batch}"
    name, sha256, size = write_hashed(
        join(table_uri, folder), fill, lambda digest: file_name(base, mask, operator, digest)
    )
    return FileEntry(
        path=f"{folder}/{name}",
        family=family,
        batch=batch,
        base=base,
        mask=mask,
        operator=f"{operator[:16]:0<16}",
        sha256=sha256,
        size=size,
        rows=rows,
        min_id=min(ids, default=None),
        max_id=max(ids, default=None),
    )


def _open(table_uri: str, path: str) -> pq.ParquetFile:
    filesystem, root = resolve(table_uri)
    try:
        file = pq.ParquetFile(
            filesystem.open_input_file(join(root, path)),
            page_checksum_verification=True,
            pre_buffer=False,
            buffer_size=1 << 20,
        )
    except FileNotFoundError as error:
        raise CorruptLakeError(f"the log names {path}, which is gone; restore it or run the step again") from error
    except (pa.ArrowInvalid, OSError) as error:
        raise CorruptLakeError(f"cannot read {path}: {error}; restore it from a copy or run the step again") from error
    found = (file.schema_arrow.metadata or {}).get(_FORMAT_KEY)
    if found != str(FORMAT).encode():
        raise CorruptLakeError(
            f"expected lake format {FORMAT} in {path}, found {found!r}; use the release of Headwater that wrote it"
        )
    return file


def _columns(file: pq.ParquetFile, path: str, group: int, columns: Sequence[str]) -> pa.Table:
    try:
        return file.read_row_group(group, columns=list(columns))
    except (pa.ArrowInvalid, OSError) as error:
        detail = re.sub(r"'.*'", "", str(error))
        raise CorruptLakeError(
            f"cannot read row group {group} of {path}: {detail}; run verify, then restore the file"
        ) from error


def read_file(table_uri: str, path: str, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """Yield the row groups of one file."""
    file = _open(table_uri, path)
    names = list(columns) if columns is not None else file.schema_arrow.names
    for group in range(file.num_row_groups):
        yield _columns(file, path, group, names)


def _check_ids(found: pa.Table, expected: pa.ChunkedArray, path: str) -> pa.Table:
    if found.num_rows != len(expected) or not found["sample_id"].equals(expected):
        raise CorruptLakeError(
            f"family rows are out of step: expected {len(expected)} sample ids from {expected[0] if len(expected) else 'none'}, "
            f"found {found.num_rows} others in {path}; run verify, then run the step of this family again"
        )
    return found.drop_columns(["sample_id"])


def read_aligned(table_uri: str, where: FragmentFiles, columns: Mapping[str, Sequence[str]]) -> Iterator[pa.Table]:
    """Yield the rows of one fragment with columns of several aligned families side by side, ``sample_id`` first.

    With columns of ``content`` there is one table a row group of its file (some 32 MB of text), otherwise one for the fragment.

    Raises:
        CorruptLakeError: row counts or ids of the families differ; the message names the file.
    """
    narrow: pa.Table | None = None
    for family, names in columns.items():
        if family == "content":
            continue
        path, group = where.files[family]
        found = _columns(_open(table_uri, path), path, group, ["sample_id", *names])
        if narrow is None:
            _check_fragment(found, where.fragment, path)
            narrow = found
        else:
            for column in (rest := _check_ids(found, narrow["sample_id"], path)).column_names:
                narrow = narrow.append_column(rest.schema.field(column), rest[column])
    if "content" not in columns:
        if narrow is not None:
            yield narrow
        return
    path, _ = where.files["content"]
    file = _open(table_uri, path)
    begin = 0
    for group in range(file.num_row_groups):
        table = _columns(file, path, group, ["sample_id", *columns["content"]])
        if narrow is not None:
            part = narrow.slice(begin, table.num_rows)
            rest = _check_ids(part, table["sample_id"], path)
            for column in rest.column_names:
                table = table.append_column(rest.schema.field(column), rest[column])
        begin += table.num_rows
        yield table
    if narrow is not None and begin != narrow.num_rows:
        raise CorruptLakeError(
            f"expected {narrow.num_rows} rows in {path}, found {begin}; run verify, then restore the file"
        )


def _check_fragment(found: pa.Table, fragment: int, path: str) -> None:
    expected = sample_ids(fragment, 0, found.num_rows)
    if not np.array_equal(found["sample_id"].to_numpy(), expected):
        raise CorruptLakeError(
            f"expected the samples of fragment {fragment} in order in {path}, found others; run verify"
        )


def read_sparse(table_uri: str, where: FragmentFiles, family: str, columns: Sequence[str]) -> pa.Table:
    """Return a sparse family's rows of one fragment, sorted by ``sample_id``; empty where there are none."""
    path, group = where.files[family]
    return _columns(_open(table_uri, path), path, group, ["sample_id", *columns])


def check_file(table_uri: str, path: str, sha256: str) -> str | None:
    """Return what is wrong with a file's bytes, or None: its SHA-256 must be the one of its name."""
    filesystem, root = resolve(table_uri)
    try:
        found = file_sha256(filesystem, join(root, path))
    except FileNotFoundError:
        return f"{path} is missing"
    return None if found == sha256 else f"{path}: expected SHA-256 {sha256}, found {found}"


def family_columns(columns: Iterable[str]) -> dict[str, list[str]]:
    """Return which family each column comes from: family → names; unknown names are left out."""
    chosen: dict[str, list[str]] = {}
    for name in columns:
        for family in FAMILIES.values():
            if name in family.fields:
                chosen.setdefault(family.name, []).append(name)
                break
    return chosen
