"""DuckDB over a lake: one view a family, and ``samples``, the wide row.

The connection reads one pinned version of the table through DuckDB's delta extension, which skips files by the statistics on ``sample_id``.
Once it is open it can reach nothing outside the lake: text of the web is in it, and whoever writes the queries is trusted with the lake only.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Container
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa

from headwater.errors import MissingDependencyError, UsageError
from headwater.warehouse.filesystem import filesystem_of, is_local
from headwater.warehouse.schema import ALIGNED, FAMILIES, arrow_schema
from headwater.warehouse.snapshot import open_snapshot

__all__ = ["connect", "view_statements"]

_EXTENSION: Final = "duckdb_extension_delta"
_SQL_TYPES: Final = {
    pa.string(): "VARCHAR",
    pa.binary(): "BLOB",
    pa.bool_(): "BOOLEAN",
    pa.int32(): "INTEGER",
    pa.int64(): "BIGINT",
    pa.float32(): "FLOAT",
    pa.timestamp("us", tz="UTC"): "TIMESTAMP WITH TIME ZONE",
}


def _extension_path() -> str:
    found = importlib.util.find_spec(_EXTENSION)
    path = (
        None
        if found is None or found.origin is None
        else Path(found.origin).parent / "extensions" / f"v{duckdb.__version__}"
    )
    file = None if path is None else path / "delta.duckdb_extension"
    if file is None or not file.is_file():
        raise MissingDependencyError(
            f"expected DuckDB's delta extension for version {duckdb.__version__}, found none; install duckdb-extension-delta=={duckdb.__version__}"
        )
    return str(file)


def view_statements(columns: Container[str]) -> list[str]:
    """Return the SQL that makes the views over the attached table ``lake``.

    Args:
        columns: of the table; in a version from before an upgrade it may lack some, which are null then.
    """
    statements = []
    for name in FAMILIES:
        listed = ", ".join(
            f'"{field.name}"' if field.name in columns else f'NULL::{_duckdb_type(field.type)} AS "{field.name}"'
            for field in arrow_schema(name)
        )
        statements.append(f"CREATE VIEW {name} AS SELECT {listed}, batch FROM lake WHERE family = '{name}'")
    wide = [f"content.{column}" for column in FAMILIES["content"].fields]
    joins = ""
    for name in ALIGNED:
        if name != "content":
            wide += [f'{name}."{column}"' for column in FAMILIES[name].fields]
            joins += f" LEFT JOIN {name} USING (sample_id)"
    statements.append(f"CREATE VIEW samples AS SELECT sample_id, content.batch, {', '.join(wide)} FROM content{joins}")
    return statements


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


def connect(lake: str, version: int | None = None) -> duckdb.DuckDBPyConnection:
    """Return an in-memory connection with the views of one version of the lake; it can read the lake's files and nothing else.

    Raises:
        UsageError: no lake at that place or no such version.
        MissingDependencyError: the delta extension is not installed for this version of DuckDB.
    """
    snapshot = open_snapshot(lake, version)
    filesystem, path = filesystem_of(snapshot.uri)
    place = path if is_local(filesystem) else snapshot.uri
    if "'" in place:
        raise UsageError(f"expected a lake's path without quotes, found {place!r}; move or link the lake")
    connection = duckdb.connect(config={"autoinstall_known_extensions": False, "autoload_known_extensions": False})
    connection.execute(f"LOAD '{_extension_path()}'")
    # Where a checkpoint is damaged the log is read through another folder; the files that it leads to lie in the lake all the same.
    log = place if snapshot.log_uri == snapshot.uri else snapshot.log_uri
    connection.execute(f"ATTACH '{log}' AS lake (TYPE delta, PIN_SNAPSHOT, VERSION {snapshot.version})")
    for statement in view_statements(snapshot.columns):
        connection.execute(statement)
    connection.execute("SET python_enable_replacements = false")
    # DuckDB's bar of a query of more than two seconds would stand among the answer on standard output.
    connection.execute("SET enable_progress_bar = false")
    connection.execute(f"SET threads = {os.cpu_count() or 1}")
    if is_local(filesystem):
        connection.execute(f"SET allowed_directories = ['{place}']")
        connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection
