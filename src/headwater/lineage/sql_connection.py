"""A connection for users' SQL: each statement is checked before it runs, and stopped at a limit of time or memory.

The limits are for mistakes as much as for malice: a cross join of ``samples`` with itself is one line.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

import duckdb

from headwater.errors import LimitError, UsageError, one_line
from headwater.lineage.sql_check import check_parameters, check_statement
from headwater.lineage.sql_errors import REFUSED, show_refusals, told
from headwater.lineage.sql_watch import Watch
from headwater.plain import JsonObject

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = ["LakeConnection", "Limits", "Result", "parse_size"]

_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?) *([kKMGT])(i?)B")
_UNITS: Final = {"k": 1, "m": 2, "g": 3, "t": 4}
_CHUNK: Final = 1024
_MOST_MEMORY: Final = 1 << 50
_MOST_DIGITS: Final = 30
_VALUE_BYTES: Final = 64
"""What a Python object takes, about."""

_Answer = TypeVar("_Answer")
_Parameters = Sequence[object] | Mapping[str, object] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What a query may use.

    Attributes:
        memory_bytes: of DuckDB, and of an answer held whole; by default half of the machine's memory.
        threads: at once; by default one a core.
        timeout_s: of one query; None is no limit.
    """

    memory_bytes: int | None = None
    threads: int | None = None
    timeout_s: float | None = None

    def __post_init__(self) -> None:
        """Refuse what is no limit."""
        memory, threads, seconds = self.memory_bytes, self.threads, self.timeout_s
        if memory is not None and not (_is_number(memory, int) and 1 << 20 <= memory <= _MOST_MEMORY):
            raise UsageError(f"expected 1 MiB to 1 PiB of memory for a query, found {_shown(memory)} bytes")
        if threads is not None and not (_is_number(threads, int) and 1 <= threads <= 1024):
            raise UsageError(f"expected 1 to 1024 threads for a query, found {_shown(threads)}")
        if seconds is not None and not (_is_number(seconds, int | float) and 0 < seconds <= threading.TIMEOUT_MAX):
            raise UsageError(
                f"expected a time limit of more than 0 and at most {threading.TIMEOUT_MAX:.0f} seconds, found {_shown(seconds)}"
            )

    @property
    def memory(self) -> int:
        """The limit of memory in bytes."""
        return self.memory_bytes or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


def parse_size(given: object) -> int:
    """Return a size given with its unit, in bytes.

    >>> parse_size("4GB"), parse_size("1.5 MiB")
    (4000000000, 1572864)
    """
    found = _SIZE.fullmatch(given.strip()) if isinstance(given, str) else None
    if found is None:
        raise UsageError(f"expected a size of memory such as 4GB or 512MiB, found {_shown(given)}")
    # More digits than any size has: no number of Python's is made of them.
    number = float(found[1]) if len(found[1]) <= _MOST_DIGITS else float(_MOST_MEMORY)
    return int(number * (1024 if found[3] else 1000) ** _UNITS[found[2].lower()])


def _is_number(value: object, kind: type | UnionType) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _shown(value: object) -> str:
    """Return a value of the caller's on one line of bounded length."""
    return one_line(ascii(value) if isinstance(value, str) else str(value), 80)


class Result:
    """The rows of one query; each can be taken once.

    Args:
        cursor: that has run the query.
        limits: which fetching is held to as well, since DuckDB may still be computing.
        watch: over what is called.
    """

    def __init__(self, cursor: duckdb.DuckDBPyConnection, limits: Limits, watch: Watch) -> None:
        self._cursor = cursor
        self._limits = limits
        self._watch = watch

    @property
    def description(self) -> list[tuple[Any, ...]]:  # Any: the seven parts of a column in Python's database API
        """Names and types of the columns, as Python's database API has them."""
        return list(self._cursor.description or [])

    @property
    def columns(self) -> list[str]:
        """Names of the columns; two may be equal."""
        return [str(column[0]) for column in self.description]

    def fetchone(self) -> tuple[Any, ...] | None:  # Any: a row has the types of the query
        """Return the next row, or None."""
        return self._within(self._cursor.fetchone)

    def fetchmany(self, size: int = 1) -> list[tuple[Any, ...]]:  # Any: as in fetchone
        """Return the next rows, at most ``size``."""
        return self._within(lambda: self._cursor.fetchmany(size))

    def fetchall(self) -> list[tuple[Any, ...]]:  # Any: as in fetchone
        """Return all further rows.

        Raises:
            LimitError: they take more memory than the query may use.
        """
        return self._within(self._all)

    def _within(self, call: Callable[[], _Answer]) -> _Answer:
        return self._watch.over(self._cursor, lambda: told(call, self._limits.memory))

    def _all(self) -> list[tuple[Any, ...]]:  # Any: as in fetchone
        found: list[tuple[Any, ...]] = []  # Any: as in fetchone
        held = 0
        while rows := self._cursor.fetchmany(_CHUNK):
            held += sum(_weight(value) for row in rows for value in row)
            if held > self._limits.memory:
                raise LimitError(
                    f"the answer of the query takes more than {self._limits.memory:,} bytes; ask for fewer rows or columns, or allow more "
                    "with --memory (memory)"
                )
            found += rows
        return found

    def arrow(self) -> pa.Table:
        """Return all further rows as an Arrow table."""
        return self._within(self._cursor.to_arrow_table)

    def df(self) -> pd.DataFrame:
        """Return all further rows as a DataFrame of pandas."""
        return self._within(self._cursor.df)


def _weight(value: object) -> int:
    if isinstance(value, str | bytes | bytearray):
        return sys.getsizeof(value)
    if isinstance(value, list | tuple):
        return _VALUE_BYTES + sum(map(_weight, value))
    if isinstance(value, dict):
        return _VALUE_BYTES + sum(_weight(key) + _weight(item) for key, item in value.items())
    return _VALUE_BYTES


def _replaced(cursor: duckdb.DuckDBPyConnection, queries: Mapping[str, str]) -> bool:
    """Put queries in the place of views, for a cursor alone; return whether it could be done."""
    try:
        for view, query in queries.items():
            cursor.execute(f"CREATE TEMPORARY VIEW {view} AS {query}")
    except duckdb.IOException:  # a file is gone: the views themselves tell whoever reads it
        _restored(cursor, queries)
        return False
    return True


def _restored(cursor: duckdb.DuckDBPyConnection, queries: Mapping[str, str]) -> None:
    for view in queries:
        cursor.execute(f"DROP VIEW IF EXISTS temp.{view}")


class LakeConnection:
    """SQL over the views of a lake that can only read; ``with`` closes it.

    Args:
        connection: with the views; nothing else may use it.
        limits: of each query.
        give_up: what to do when a query that must end does not; it does not return. By default it is waited for.
        queries: gives, of a statement's syntax tree, view → query that may stand in its place for that statement; none by default.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        limits: Limits,
        give_up: Callable[[BaseException], None] | None = None,
        queries: Callable[[JsonObject], Mapping[str, str]] | None = None,
    ) -> None:
        self._connection = connection
        self._queries = queries
        self._limits = limits
        self._watch = Watch(limits.timeout_s, limits.memory, give_up)

    def execute(self, statement: str, parameters: _Parameters = None) -> Result:
        """Run one query over the views and return its rows.

        Args:
            parameters: of the statement's ``?``, or by the names after its ``$``.

        Raises:
            UsageError: it is no query over the views, or DuckDB refused it.
            LimitError: it took longer, or more memory, than it may.
            CorruptLakeError: a file that it reads is gone or damaged.
        """
        tree = check_statement(self._connection, statement)
        check_parameters(parameters)
        queries = {} if self._queries is None else self._queries(tree)
        cursor = self._connection.cursor()

        def run() -> None:
            if queries and _replaced(cursor, queries):
                try:
                    cursor.execute(statement, parameters)
                except REFUSED:  # told of the views themselves
                    _restored(cursor, queries)
                else:
                    return
            with show_refusals(cursor, statement, parameters):
                cursor.execute(statement, parameters)

        self._watch.over(cursor, lambda: told(run, self._limits.memory))
        return Result(cursor, self._limits, self._watch)

    def sql(self, statement: str, parameters: _Parameters = None) -> Result:
        """Do as ``execute``: the name that DuckDB has for it."""
        return self.execute(statement, parameters)

    def close(self) -> None:
        """Close the connection; results taken from it can no longer be read."""
        self._connection.close()

    def __enter__(self) -> Self:
        """Return the connection itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()
