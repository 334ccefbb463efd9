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
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

import duckdb

from headwater.errors import CorruptLakeError, LimitError, UsageError
from headwater.lineage.sql_check import check_statement

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = ["LakeConnection", "Limits", "Result", "parse_size"]

_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?) *([kKMGT])(i?)B")
_UNITS: Final = {"k": 1, "m": 2, "g": 3, "t": 4}
_CHUNK: Final = 1024
_VALUE_BYTES: Final = 64
"""What a Python object takes, about."""

_PATIENCE_S: Final = 0.1
"""Between two interrupts: one that comes before DuckDB has begun is forgotten."""

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
        if self.memory_bytes is not None and self.memory_bytes < 1 << 20:
            raise UsageError(f"expected at least 1 MiB of memory for a query, found {self.memory_bytes} bytes")
        if self.threads is not None and not 1 <= self.threads <= 1024:
            raise UsageError(f"expected 1 to 1024 threads for a query, found {self.threads}")
        if self.timeout_s is not None and not 0 < self.timeout_s <= threading.TIMEOUT_MAX:
            raise UsageError(
                f"expected a time limit of more than 0 and at most {threading.TIMEOUT_MAX:.0f} seconds, found {self.timeout_s}"
            )

    @property
    def memory(self) -> int:
        """The limit of memory in bytes."""
        return self.memory_bytes or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


def parse_size(given: str) -> int:
    """Return a size given with its unit, in bytes.

    >>> parse_size("4GB"), parse_size("1.5 MiB")
    (4000000000, 1572864)
    """
    found = _SIZE.fullmatch(given.strip())
    if found is None:
        raise UsageError(f"expected a size of memory such as 4GB or 512MiB, found {given!r}")
    return int(float(found[1]) * (1024 if found[3] else 1000) ** _UNITS[found[2].lower()])


class Result:
    """The rows of one query; each can be taken once.

    Args:
        cursor: that has run the query.
        limits: which fetching is held to as well, since DuckDB may still be computing.
    """

    def __init__(self, cursor: duckdb.DuckDBPyConnection, limits: Limits) -> None:
        self._cursor = cursor
        self._limits = limits

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
        return _within(self._cursor, self._limits, self._cursor.fetchone)

    def fetchmany(self, size: int = 1) -> list[tuple[Any, ...]]:  # Any: as in fetchone
        """Return the next rows, at most ``size``."""
        return _within(self._cursor, self._limits, lambda: self._cursor.fetchmany(size))

    def fetchall(self) -> list[tuple[Any, ...]]:  # Any: as in fetchone
        """Return all further rows.

        Raises:
            LimitError: they take more memory than the query may use.
        """
        return _within(self._cursor, self._limits, self._all)

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
        return _within(self._cursor, self._limits, self._cursor.to_arrow_table)

    def df(self) -> pd.DataFrame:
        """Return all further rows as a DataFrame of pandas."""
        return _within(self._cursor, self._limits, self._cursor.df)


def _weight(value: object) -> int:
    if isinstance(value, str | bytes | bytearray):
        return sys.getsizeof(value)
    if isinstance(value, list | tuple):
        return _VALUE_BYTES + sum(map(_weight, value))
    if isinstance(value, dict):
        return _VALUE_BYTES + sum(_weight(key) + _weight(item) for key, item in value.items())
    return _VALUE_BYTES


class LakeConnection:
    """SQL over the views of a lake that can only read; ``with`` closes it.

    Args:
        connection: with the views; nothing else may use it.
        limits: of each query.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, limits: Limits) -> None:
        self._connection = connection
        self._limits = limits

    def execute(self, statement: str, parameters: _Parameters = None) -> Result:
        """Run one query over the views and return its rows.

        Args:
            parameters: of the statement's ``?``, or by the names after its ``$``.

        Raises:
            UsageError: it is no query over the views, or DuckDB refused it.
            LimitError: it took longer, or more memory, than it may.
        """
        check_statement(self._connection, statement)
        cursor = self._connection.cursor()
        _within(cursor, self._limits, lambda: cursor.execute(statement, parameters))
        return Result(cursor, self._limits)

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


def _within(connection: duckdb.DuckDBPyConnection, limits: Limits, call: Callable[[], _Answer]) -> _Answer:
    """Return what a call on the connection gives; it is interrupted when its time is up, by Ctrl-C or by a signal that ends the process.

    The call runs in a thread of its own, since Python cannot handle a signal while DuckDB computes in its main thread.

    Raises:
        UsageError: DuckDB refused the query; its message names the place.
        LimitError: time or memory ended.
        CorruptLakeError: a file that it reads is gone or cannot be opened.
    """
    answers: list[_Answer] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            answers.append(call())
        except BaseException as error:
            errors.append(error)
        finally:
            done.set()

    # Waited for in place of the thread: a join that a signal interrupts takes the thread for ended.
    done = threading.Event()
    worker = threading.Thread(target=work, name="query")
    worker.start()
    over = False
    try:
        over = not done.wait(limits.timeout_s)
    finally:
        while not done.is_set():
            connection.interrupt()
            done.wait(_PATIENCE_S)
        worker.join()
    if over:
        raise LimitError(
            f"the query was stopped after {limits.timeout_s:g} s; ask for less, or allow more with --timeout (timeout_s)"
        )
    for error in errors:
        raise _told(error, limits) from error
    return answers[0]


def _told(error: BaseException, limits: Limits) -> BaseException:
    """Return a refusal of DuckDB as an error of Headwater, any other error as it is."""
    if isinstance(error, duckdb.OutOfMemoryException):
        return LimitError(
            f"the query took more than {limits.memory:,} bytes of memory, or of space for temporary files; ask for less, or allow more "
            "with --memory (memory)"
        )
    if isinstance(error, duckdb.IOException):
        return CorruptLakeError(
            "expected files of the lake that can be read, found one damaged or gone; headwater verify LAKE names it and what to do"
        )
    if isinstance(error, duckdb.Error):
        return UsageError(f"the query cannot be answered; DuckDB says: {error}")
    return error
