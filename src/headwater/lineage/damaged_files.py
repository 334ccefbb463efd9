"""What is told where DuckDB, or Arrow, cannot read a file of the lake."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Final

from headwater.errors import CorruptLakeError, raise_of_file_system
from headwater.untrusted import UNREADABLE
from headwater.warehouse.storage_errors import raise_of_store

__all__ = ["arrow_damage_told", "damage_told"]

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
        raise_of_store(error)
        raise CorruptLakeError(_TOLD) from error


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
