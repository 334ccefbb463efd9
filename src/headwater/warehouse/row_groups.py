"""Row groups of a file: whether this release reads the format it was written in, and the columns that are wanted from it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from headwater.errors import CorruptLakeError, LakeFormatError, one_line, raise_of_file_system
from headwater.untrusted import UNREADABLE
from headwater.warehouse.schema import FAMILIES, OWN_SCORE, READABLE, arrow_schema

__all__ = [
    "FORMAT_KEY",
    "OWN_KEY",
    "check_meaning",
    "family_of",
    "format_of",
    "own_scores_of",
    "read_columns",
    "read_group",
    "read_groups",
    "refuse_other_meaning",
]

FORMAT_KEY: Final = b"headwater.format"
OWN_KEY: Final = b"headwater.scores"
"""Under it a file of family ``scores`` names the columns of a team's own that it has, with commas."""


def family_of(path: str) -> str:
    """Return the family of a file, from its path relative to the table.

    >>> family_of("family=content/batch=one/x.parquet")
    'content'
    """
    return path.partition("/")[0].removeprefix("family=")


def format_of(file: pq.ParquetFile, path: str) -> int:
    """Return the format in which a file was written.

    Raises:
        CorruptLakeError: one that this release does not read, or none: the lake as a whole has a format that it reads.
    """
    found = (file.schema_arrow.metadata or {}).get(FORMAT_KEY, b"")
    for version in READABLE:
        if found == str(version).encode():
            return version
    raise CorruptLakeError(
        f"expected lake format {' or '.join(map(str, READABLE))} in {path}, found {found.decode(errors='replace')!r}; "
        "use the release of Headwater that wrote it"
    )


def own_scores_of(file: pq.ParquetFile) -> tuple[str, ...]:
    """Return the columns of a team's own that a file of family ``scores`` says it has."""
    listed = (file.schema_arrow.metadata or {}).get(OWN_KEY, b"")
    return tuple(name for name in listed.decode(errors="replace").split(",") if name)


def read_columns(file: pq.ParquetFile, path: str, group: int, columns: Sequence[str]) -> pa.Table:
    """Return columns of a row group; one that its family got within a format, after the file was written, is null.

    Raises:
        LakeFormatError: a column has another meaning in the file's format, or is not in it.
        CorruptLakeError: the bytes cannot be read.
    """
    check_meaning(file, path, columns)
    return read_group(file, path, group, columns)


def check_meaning(file: pq.ParquetFile, path: str, columns: Sequence[str]) -> None:
    """Refuse columns that have another meaning in a file's format than today.

    Raises:
        LakeFormatError: one of them has, or is not in it.
    """
    refuse_other_meaning(format_of(file, path), path, columns)


def refuse_other_meaning(version: int, path: str, columns: Sequence[str]) -> None:
    """Do the same for a file whose format is known.

    Raises:
        LakeFormatError: one of the columns has another meaning in it, or is not in it.
    """
    since = FAMILIES[family_of(path)].since
    for name in columns:
        if since.get(name, version) > version:
            raise LakeFormatError(
                f"expected {name} as format {since[name]} has it in {path}, found a file of format {version}; "
                "bring the lake up to date with headwater upgrade"
            )


def read_group(file: pq.ParquetFile, path: str, group: int, columns: Sequence[str]) -> pa.Table:
    """Return the same whatever the file's format.

    Raises:
        CorruptLakeError: the bytes cannot be read.
    """
    return _read(file, path, [group], columns)


def read_groups(file: pq.ParquetFile, path: str, groups: Sequence[int], columns: Sequence[str]) -> pa.Table:
    """Return columns of some row groups, one after the other, by one thread; otherwise as ``read_columns``.

    Raises:
        LakeFormatError, CorruptLakeError: as there.
    """
    check_meaning(file, path, columns)
    return _read(file, path, groups, columns, threads=False)


def _read(
    file: pq.ParquetFile, path: str, groups: Sequence[int], columns: Sequence[str], *, threads: bool = True
) -> pa.Table:
    there = set(file.schema_arrow.names)
    try:
        table = file.read_row_groups(groups, columns=[name for name in columns if name in there], use_threads=threads)
    except UNREADABLE as error:
        raise_of_file_system(error, path)
        detail = one_line(re.sub(r"'.*'", "", str(error)))
        named = f"row group {groups[0]}" if len(groups) == 1 else f"row groups {groups[0]} to {groups[-1]}"
        raise CorruptLakeError(f"cannot read {named} of {path}: {detail}; run verify, then restore the file") from error
    schema = arrow_schema(family_of(path), own_scores_of(file))
    for found in table.schema:
        kind = found.type.value_type if pa.types.is_dictionary(found.type) else found.type
        wanted = schema.field(found.name).type if found.name in schema.names else kind
        if kind != wanted and not pa.types.is_nested(kind):
            raise CorruptLakeError(
                f"expected {found.name} as {wanted} in {path}, found {kind}; run verify, then restore the file"
            )
    strange = there.difference(schema.names)
    for name in columns:
        if name not in there:
            if strange:  # a name that a flipped bit made, as likely as not of this column
                raise CorruptLakeError(
                    f"expected a column {name} in {path}, found one of an unknown name; run verify, then restore the file"
                )
            kind = schema.field(name).type if name in schema.names else OWN_SCORE[0]  # scored by a recipe without it
            table = table.append_column(name, pa.nulls(table.num_rows, kind))
    return table
