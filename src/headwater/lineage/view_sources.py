"""What the views read: exactly the live files of one version of a family, without DuckDB's own ways to a store.

Files on this machine are read by DuckDB's reader of Parquet, from a list of their names. Those of a store reach it through pyarrow, by the one
layer that knows stores, with page checksums verified; so do local ones that a list cannot name (``view_datasets``).
"""

from __future__ import annotations

from collections.abc import Container
from typing import Final

import duckdb
import pyarrow as pa

from headwater.filters.urls.hosts import CREDENTIALS
from headwater.lineage.view_datasets import family_dataset
from headwater.warehouse.schema import arrow_schema
from headwater.warehouse.snapshot import Snapshot

__all__ = ["family_view", "files_query", "quoted"]

_URLS: Final = ("uri", "file_uri")
_BATCH: Final = "regexp_extract(filename, '/batch=([^/]+)/[^/]+$', 1)"
"""Of the name alone, so DuckDB leaves out the files of other batches before it opens one."""
_SQL_TYPES: Final = {
    pa.string(): "VARCHAR",
    pa.binary(): "BLOB",
    pa.bool_(): "BOOLEAN",
    pa.int32(): "INTEGER",
    pa.int64(): "BIGINT",
    pa.float32(): "FLOAT",
    pa.timestamp("us", tz="UTC"): "TIMESTAMP WITH TIME ZONE",
}


def family_view(connection: duckdb.DuckDBPyConnection, snapshot: Snapshot, family: str, place: str | None) -> list[str]:
    """Make the view of a family, and return the files that DuckDB opens itself for it: it must be allowed to.

    Args:
        place: the table's folder on this machine, by its real name; None where it lies in a store.
    """
    files = snapshot.live(family)
    if place is not None or files.num_rows == 0:
        try:
            connection.execute(f"CREATE VIEW {family} AS {files_query(snapshot, family, files, place or '')}")
        except duckdb.IOException:  # a file is gone: whoever reads it is told, and nobody else
            pass
        else:
            return _paths(files, place or "")
    schema = _schema(snapshot, family)
    dataset = family_dataset(snapshot, schema, files)
    connection.from_arrow(dataset).project(_shown(schema, snapshot.columns)).create_view(family)
    return []


def files_query(snapshot: Snapshot, family: str, files: pa.Table, place: str) -> str:
    """Return the query of a family's columns over some of its files.

    Args:
        files: rows of ``snapshot.files``.
        place: the table's folder on this machine, by its real name.
    """
    schema = _schema(snapshot, family)
    if files.num_rows == 0:
        nothing = ", ".join(f'NULL::{_duckdb_type(field.type)} AS "{field.name}"' for field in schema)
        return f"SELECT {nothing}, NULL::VARCHAR AS batch WHERE false"
    names = ", ".join(map(quoted, _paths(files, place)))
    # A schema of ours: a file that lacks a column has nulls, and none is opened to find out.
    columns = ", ".join(
        f"{quoted(field.name)}: {{name: {quoted(field.name)}, type: {quoted(_duckdb_type(field.type))}, default_value: NULL}}"
        for field in schema
    )
    return (
        f"SELECT {_shown(schema, snapshot.columns)} FROM (SELECT * EXCLUDE (filename), {_BATCH} AS batch "
        f"FROM read_parquet([{names}], filename=true, schema=MAP {{{columns}}}))"
    )


def _schema(snapshot: Snapshot, family: str) -> pa.Schema:
    return arrow_schema(family, snapshot.own_scores if family == "scores" else ())


def _paths(files: pa.Table, place: str) -> list[str]:
    return [f"{place}/{path}" for path in files["path"].to_pylist()]


def _shown(schema: pa.Schema, there: Container[str]) -> str:
    """Return the columns of a family, and ``batch``, as views show them.

    Args:
        there: columns of the table; in a version from before an upgrade it may lack some, which are null then.
    """
    shown = [
        _column(field.name) if field.name in there else f'NULL::{_duckdb_type(field.type)} AS "{field.name}"'
        for field in schema
    ]
    return ", ".join([*shown, "batch"])


def _column(name: str) -> str:
    """Return a column as the views show it: URLs without the credentials that lakes of earlier releases, and inputs, may hold."""
    if name not in _URLS:
        return f'"{name}"'
    return f'CASE WHEN contains("{name}", \'@\') THEN regexp_replace("{name}", {quoted(CREDENTIALS)}, \'\\1\') ELSE "{name}" END AS "{name}"'


def _duckdb_type(kind: pa.DataType) -> str:
    """Return how DuckDB writes a type.

    >>> _duckdb_type(pa.list_(pa.struct([("n", pa.int64())])))
    'STRUCT("n" BIGINT)[]'
    """
    if pa.types.is_list(kind):
        return f"{_duckdb_type(kind.value_type)}[]"
    if pa.types.is_struct(kind):
        parts = ", ".join(f'"{part.name}" {_duckdb_type(part.type)}' for part in kind)
        return f"STRUCT({parts})"
    if pa.types.is_map(kind):
        return f"MAP({_duckdb_type(kind.key_type)}, {_duckdb_type(kind.item_type)})"
    return _SQL_TYPES[kind]


def quoted(text: str) -> str:
    """Return a string of SQL.

    >>> quoted("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"
