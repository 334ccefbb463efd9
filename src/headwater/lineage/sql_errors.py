"""What DuckDB says of a user's query, as one line without a value of the lake in it.

DuckDB's messages about values quote them (``Could not convert string '…'``), and a value may be a document's text. Only what it says of the
query alone is shown: what it says before a row is read.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, TypeVar

import duckdb

from headwater.errors import HeadwaterError, LimitError, UsageError, one_line
from headwater.lineage.damaged_files import reading_error
from headwater.lineage.sql_check import without_explain
from headwater.lineage.view_datasets import cause_of

__all__ = ["REFUSED", "show_refusals", "told"]

REFUSED: Final = (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException, duckdb.SyntaxException)
"""What DuckDB raises of a query that it does not run."""
_OF_A_FILE: Final = re.compile(r"Invalid Input Error: [^'\"]*\bfile ['\"].*\.parquet\b", re.IGNORECASE | re.DOTALL)
_KIND: Final = re.compile(r"[A-Z][A-Za-z ]* Error(?=:)")
_PLACE: Final = re.compile(r"\n\nLINE \d+: .*", re.DOTALL)
"""The query once more, with a mark below it."""
_NO_MEMORY: Final = ("std::bad_alloc", "std::length_error")

_Answer = TypeVar("_Answer")


@contextlib.contextmanager
def show_refusals(
    cursor: duckdb.DuckDBPyConnection, statement: str, parameters: Sequence[object] | Mapping[str, object] | None
) -> Iterator[None]:
    """Raise UsageError with DuckDB's own message where it refuses the query without running it."""
    try:
        yield
    except REFUSED:
        try:
            cursor.execute(f"EXPLAIN {without_explain(statement)}", parameters)
        except REFUSED as error:
            said = one_line(_PLACE.sub("", str(error)))
            raise UsageError(f"the query cannot be answered; DuckDB says: {said}") from error
        raise


def told(call: Callable[[], _Answer], memory: int) -> _Answer:
    """Return what a call of DuckDB gives; its refusals become errors of Headwater.

    Args:
        memory: that it may take, in bytes.

    Raises:
        UsageError: a value was none for what the query does with it; the message holds no value.
        LimitError: memory ended.
        CorruptLakeError: a file that it reads is gone or damaged.
    """
    try:
        return call()
    except (duckdb.OutOfMemoryException, MemoryError) as error:
        raise _no_memory(memory) from error
    except UnicodeDecodeError as error:  # of a message that DuckDB cut within a character
        raise _no_answer("an error of a value") from error
    except duckdb.InterruptException:
        raise  # asked for by the one who waits
    except duckdb.Error as error:
        raise _meaning(error, memory) from error


def _meaning(error: duckdb.Error, memory: int) -> HeadwaterError:
    said = str(error)
    if type(error) is duckdb.Error and said.startswith(_NO_MEMORY):
        return _no_memory(memory)
    # Errors without a kind are those of the reader of Parquet; what is forbidden is a file that is gone, since DuckDB would look for its name.
    damaged = (
        isinstance(error, duckdb.IOException | duckdb.PermissionException | duckdb.SerializationException)
        or type(error) is duckdb.Error
    )
    if damaged or _OF_A_FILE.match(said) or cause_of(error) is not None:
        return reading_error(error)
    kind = _KIND.match(said)
    return _no_answer(kind[0] if kind else "an error without a name")


def _no_memory(memory: int) -> LimitError:
    return LimitError(
        f"the query took more than {memory:,} bytes of memory, or of space for temporary files; ask for less, or allow more with --memory "
        "(memory)"
    )


def _no_answer(kind: str) -> UsageError:
    return UsageError(
        f"the query cannot be answered; DuckDB says: {kind}, of a value that is not shown, since it may be text of a document; leave such "
        "values out with TRY_CAST, TRY(…) or WHERE"
    )
