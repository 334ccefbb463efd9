"""delta-rs's tables, opened with the settings of their store, and the errors of delta-rs that are the store's."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

from headwater.errors import StorageError
from headwater.warehouse.storage import RETRY_S, delta_options, kind_of_store, seconds, settings_of
from headwater.warehouse.storage_errors import retried, store_error

__all__ = ["is_of_library", "open_delta", "telling_store_errors"]


def open_delta(uri: str, version: int | None = None) -> DeltaTable:
    """Return a table of delta-rs's, of a version or the newest.

    Raises:
        StorageError: the store refused, cannot be reached, or failed at every try; everything else that delta-rs raises stays as it is.
    """
    options = delta_options(uri)
    if not options:
        return DeltaTable(uri, version=version)

    from headwater.warehouse.storage_systems import (
        reach_store,
    )  # with what makes requests, which a folder has no need of

    reach_store(uri)

    def ask() -> DeltaTable:
        with telling_store_errors(uri, "open the table"):
            return DeltaTable(uri, version=version, storage_options=options)

    # delta-rs tries its requests again itself, but not where an answer is cut in its middle.
    return retried(
        ask, f"open the table {uri}", seconds(settings_of(kind_of_store(uri) or ""), "retry_timeout", RETRY_S)
    )


@contextlib.contextmanager
def telling_store_errors(uri: str, doing: str) -> Iterator[None]:
    """Let what is raised within be an error of the store where it is one; of a folder of this machine nothing changes.

    Args:
        doing: what is tried with the table, for instance ``open the table``.

    Raises:
        StorageError: the store refused, cannot be reached, or failed at every try.
    """
    try:
        yield
    except TableNotFoundError:
        raise
    except BaseException as error:
        found = (
            store_error(error, f"{doing} {uri}") if kind_of_store(uri) is not None and is_of_library(error) else None
        )
        if found is None or found is error:
            raise
        raise found from error


def is_of_library(error: BaseException) -> bool:
    """Return whether delta-rs may have raised an error: a panic of it is no Exception; anything else that is none is for whoever waits for it."""
    return (isinstance(error, Exception) and not isinstance(error, StorageError)) or type(
        error
    ).__name__ == "PanicException"
