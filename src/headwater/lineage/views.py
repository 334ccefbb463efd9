"""DuckDB over a lake: one view a family, and ``samples``, the wide row.

The connection reads the files of one pinned version of the table (``view_sources``) and no other: not a folder, not a store, no extension.
Two ways lead to it. ``connect`` is for Headwater's own questions, whose statements are its own; DuckDB's file system is then bound to the
table's data files, but could write them. ``connect_for_users`` is for SQL that someone else wrote: each statement is checked before it runs.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from collections.abc import Callable

import duckdb

from headwater.lineage.samples_view import SamplesView
from headwater.lineage.sql_connection import LakeConnection, Limits
from headwater.lineage.view_sources import family_view, quoted
from headwater.warehouse.filesystem import filesystem_of, is_local
from headwater.warehouse.schema import FAMILIES
from headwater.warehouse.snapshot import Snapshot, open_snapshot

__all__ = ["connect", "connect_for_users"]


def connect(lake: str, version: int | None = None, limits: Limits | None = None) -> duckdb.DuckDBPyConnection:
    """Return an in-memory connection with the views of one version of the lake, for statements of Headwater's own.

    It can open the table's data files and no other; what does not fit into memory goes to a folder of its own, which goes with it.

    Args:
        limits: of memory and threads; by default those of DuckDB.

    Raises:
        UsageError: no lake at that place or no such version.
    """
    return _connect(open_snapshot(lake, version), limits)[0]


def _connect(snapshot: Snapshot, limits: Limits | None) -> tuple[duckdb.DuckDBPyConnection, SamplesView]:
    filesystem, path = filesystem_of(snapshot.uri)
    connection = duckdb.connect(
        config={
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            # Of the database, not of a session: cursors have it too.
            "python_enable_replacements": "false",
        }
    )
    _spill_to_own_folder(connection)
    place = os.path.realpath(path) if is_local(filesystem) else None
    opened = [path for family in FAMILIES for path in family_view(connection, snapshot, family, place)]
    samples = SamplesView(snapshot, place)
    connection.execute(f"CREATE VIEW samples AS {samples.whole()}")
    # DuckDB's bar of a query of more than two seconds would stand among the answer on standard output.
    connection.execute("SET enable_progress_bar = false")
    connection.execute(f"SET threads = {(limits and limits.threads) or os.cpu_count() or 1}")
    if limits is not None:
        connection.execute(f"SET memory_limit = '{limits.memory}B'")
    connection.execute(f"SET allowed_paths = [{', '.join(map(quoted, opened))}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection, samples


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
    connection, samples = _connect(open_snapshot(lake, version), limits)
    if end_process is None:
        return LakeConnection(connection, limits, queries=samples.queries)
    row = connection.execute("SELECT current_setting('temp_directory')").fetchone()
    folder = str(row[0]) if row else ""

    def give_up(reason: BaseException) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        end_process(reason)

    return LakeConnection(connection, limits, give_up, samples.queries)


def _spill_to_own_folder(connection: duckdb.DuckDBPyConnection) -> None:
    """Give the connection a fresh folder, closed to others, for at most half of the space that is free; by default it would be ``.tmp`` here."""
    folder = tempfile.mkdtemp(prefix="headwater-sql-")
    weakref.finalize(connection, shutil.rmtree, folder, ignore_errors=True)
    connection.execute(f"SET temp_directory = {quoted(folder)}")
    connection.execute(f"SET max_temp_directory_size = '{shutil.disk_usage(folder).free // 2}B'")
