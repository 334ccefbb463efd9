"""What is told where DuckDB, or Arrow, cannot read a file of the lake."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Final

from headwater.errors import CorruptLakeError, HeadwaterError, raise_of_file_system
from headwater.untrusted import UNREADABLE

__all__ = ["arrow_damage_told", "damage_told", "reading_error"]

_WAY_ON: Final = "headwater verify"
_TOLD: Final = "expected files of the lake that can be read, found one damaged or gone; headwater verify LAKE names it and what to do"


@contextlib.contextmanager
def damage_told() -> Iterator[None]:
    """Around statements of Headwater's own: what is left when they are right is what they read.

    Raises:
        CorruptLakeError: a file that they read is damaged or gone, or a value in it cannot be what was stored.
        StoreError: the store did not give what they read.
    """
    import duckdb  # which rows that pyarrow reads do not need

    try:
        yield
    except (
        duckdb.BinderException,
        duckdb.CatalogException,
        duckdb.InterruptException,
        duckdb.OutOfMemoryException,
        duckdb.ParserException,
    ):
        raise  # for other reasons than the bytes that it reads
    except (duckdb.Error, ValueError) as error:
        raise reading_error(error) from error


def reading_error(error: BaseException) -> HeadwaterError:
    """Return what is told of an error of DuckDB that reading the lake's files ended with.

    Raises:
        StorageError: the operating system failed to give the bytes.
    """
    # Only there, since DuckDB's own reader does not pass on what pyarrow, or a store, said.
    from headwater.lineage.view_datasets import cause_of

    cause = cause_of(error)
    if cause is not None:
        raise_of_file_system(cause, "a file of the lake")
    return cause if isinstance(cause, HeadwaterError) else CorruptLakeError(_TOLD)


@contextlib.contextmanager
def arrow_damage_told() -> Iterator[None]:
    """Around reading of rows by pyarrow: a footer's flipped bit may pass its checks and show in what is made of the values.

    Raises:
        CorruptLakeError: a file that is read is damaged or gone, or a value in it cannot be what was stored.
    """
    try:
        yield
    except CorruptLakeError as error:
        if _WAY_ON in str(error):
            raise
        raise CorruptLakeError(f"{error}; {_WAY_ON} LAKE names what else is damaged") from error
    except UNREADABLE as error:
        raise_of_file_system(error, "a file of the lake")
        raise CorruptLakeError(_TOLD) from error
