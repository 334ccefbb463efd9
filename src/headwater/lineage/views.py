"""DuckDB over a lake: one view a family, and ``samples``, the wide row.

The connection reads one pinned version of the table through DuckDB's delta extension, which skips files by the statistics on ``sample_id``.
Two ways lead to it. ``connect`` is for Headwater's own questions, whose statements are its own; DuckDB's file system is then bound to the
table's data files, but could write them. ``connect_for_users`` is for SQL that someone else wrote: each statement is checked before it runs.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import tempfile
import weakref
from collections.abc import Callable, Container, Sequence
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa

from headwater.errors import MissingDependencyError
from headwater.filters.urls.hosts import CREDENTIALS
from headwater.lineage.sql_connection import LakeConnection, Limits
from headwater.warehouse.filesystem import filesystem_of, is_local
from headwater.warehouse.schema import ALIGNED, FAMILIES, arrow_schema
from headwater.warehouse.snapshot import open_snapshot

__all__ = ["connect", "connect_for_users", "view_statements"]

_EXTENSION: Final = "duckdb_extension_delta"
_URLS: Final = ("uri", "file_uri")
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


def view_statements(columns: Container[str], own: Sequence[str] = ()) -> list[str]:
    """Return the SQL that makes the views over the attached table ``lake``.

    Args:
        columns: of the table; in a version from before an upgrade it may lack some, which are null then.
        own: those among them that are a team's own scores.
    """
    statements = []
    for name in FAMILIES:
        listed = ", ".join(
            _column(field.name) if field.name in columns else f'NULL::{_duckdb_type(field.type)} AS "{field.name}"'
            for field in arrow_schema(name, own if name == "scores" else ())
        )
        statements.append(f"CREATE VIEW {name} AS SELECT {listed}, batch FROM lake WHERE family = '{name}'")
    wide = [f"content.{column}" for column in FAMILIES["content"].fields]
    joins = ""
    for name in ALIGNED:
        if name != "content":
            wide += [f'{name}."{column}"' for column in (*FAMILIES[name].fields, *(own if name == "scores" else ()))]
            joins += f" LEFT JOIN {name} USING (sample_id)"
    statements.append(f"CREATE VIEW samples AS SELECT sample_id, content.batch, {', '.join(wide)} FROM content{joins}")
    return statements


def _column(name: str) -> str:
    """Return a column as the views show it: URLs without the credentials that lakes of earlier releases, and inputs, may hold."""
    if name not in _URLS:
        return f'"{name}"'
    return f'CASE WHEN contains("{name}", \'@\') THEN regexp_replace("{name}", {_quoted(CREDENTIALS)}, \'\\1\') ELSE "{name}" END AS "{name}"'


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


def connect(lake: str, version: int | None = None, limits: Limits | None = None) -> duckdb.DuckDBPyConnection:
    """Return an in-memory connection with the views of one version of the lake, for statements of Headwater's own.

    It can open the table's data files and no other; what does not fit into memory goes to a folder of its own, which goes with it.

    Args:
        limits: of memory and threads; by default those of DuckDB.

    Raises:
        UsageError: no lake at that place or no such version.
        MissingDependencyError: the delta extension is not installed for this version of DuckDB.
    """
    snapshot = open_snapshot(lake, version)
    filesystem, path = filesystem_of(snapshot.uri)
    local = is_local(filesystem)
    place = os.path.realpath(path) if local else snapshot.uri
    connection = duckdb.connect(
        config={
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            # Of the database, not of a session: cursors have it too.
            "python_enable_replacements": "false",
        }
    )
    _spill_to_own_folder(connection)
    connection.execute(f"LOAD {_quoted(_extension_path())}")
    # Where a checkpoint is damaged the log is read through another folder; the files that it leads to lie in the lake all the same.
    log = place if snapshot.log_uri == snapshot.uri else snapshot.log_uri
    connection.execute(f"ATTACH {_quoted(log)} AS lake (TYPE delta, PIN_SNAPSHOT, VERSION {snapshot.version})")
    for statement in view_statements(snapshot.columns, snapshot.own_scores):
        connection.execute(statement)
    # DuckDB's bar of a query of more than two seconds would stand among the answer on standard output.
    connection.execute("SET enable_progress_bar = false")
    connection.execute(f"SET threads = {(limits and limits.threads) or os.cpu_count() or 1}")
    if limits is not None:
        connection.execute(f"SET memory_limit = '{limits.memory}B'")
    if local:
        folders = ", ".join(_quoted(f"{place}/family={family}") for family in FAMILIES)
        connection.execute(f"SET allowed_directories = [{folders}]")
        connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def connect_for_users(
    lake: str,
    version: int | None = None,
    limits: Limits | None = None,
    end_process: Callable[[BaseException], None] | None = None,
) -> LakeConnection:
    """Return a connection for SQL that someone else wrote: it reads the views, within limits, and nothing else; errors as for ``connect``.

    Args:
        end_process: does so, with the reason, when a query that must end does not; by default it is waited for.
    """
    limits = limits or Limits()
    connection = connect(lake, version, limits)
    if end_process is None:
        return LakeConnection(connection, limits)
    row = connection.execute("SELECT current_setting('temp_directory')").fetchone()
    folder = str(row[0]) if row else ""

    def give_up(reason: BaseException) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        end_process(reason)

    return LakeConnection(connection, limits, give_up)


def _quoted(text: str) -> str:
    """Return a string of SQL.

    >>> _quoted("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"


def _spill_to_own_folder(connection: duckdb.DuckDBPyConnection) -> None:
    """Give the connection a fresh folder, closed to others, for at most half of the space that is free; by default it would be ``.tmp`` here."""
    folder = tempfile.mkdtemp(prefix="headwater-sql-")
    weakref.finalize(connection, shutil.rmtree, folder, ignore_errors=True)
    connection.execute(f"SET temp_directory = {_quoted(folder)}")
    connection.execute(f"SET max_temp_directory_size = '{shutil.disk_usage(folder).free // 2}B'")
