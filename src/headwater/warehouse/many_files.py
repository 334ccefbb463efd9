"""Many small requests to a store, some at once: a store answers each in tens of milliseconds, however many are asked for.

On a local file system they are made one after the other: threads would cost more than they save.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from typing import Final, TypeVar

from pyarrow import fs as pafs

from headwater.warehouse.filesystem import exists, is_local, read_bytes

__all__ = ["AT_ONCE", "for_each", "read_present", "sizes_of"]

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

AT_ONCE: Final = 24
"""Requests that wait for an answer at once; Arrow's client of S3 keeps 25 connections."""


def for_each(
    filesystem: pafs.FileSystem, function: Callable[[_Item], _Result], items: Sequence[_Item]
) -> Iterator[_Result]:
    """Yield what a function of requests returns for each item, in order; an error of one is raised at its place.

    At most ``AT_ONCE`` results are waited for and not taken, so that memory does not grow with the number of items.
    """
    if is_local(filesystem) or len(items) < 2:
        yield from map(function, items)
        return
    rest = iter(items)
    with ThreadPoolExecutor(min(AT_ONCE, len(items)), "headwater-requests") as pool:
        waiting = deque(pool.submit(function, item) for item in islice(rest, AT_ONCE))
        try:
            while waiting:
                result = waiting.popleft().result()
                waiting.extend(pool.submit(function, item) for item in islice(rest, 1))
                yield result
        finally:
            for request in waiting:
                request.cancel()


def sizes_of(filesystem: pafs.FileSystem, paths: Sequence[str]) -> Iterator[int | None]:
    """Yield the size of each file in bytes, None where there is none."""
    return for_each(filesystem, partial(exists, filesystem), paths)


def read_present(filesystem: pafs.FileSystem, paths: Sequence[str]) -> Iterator[bytes | None]:
    """Yield the content of each small file, None where there is none."""
    return for_each(filesystem, partial(_read, filesystem), paths)


def _read(filesystem: pafs.FileSystem, path: str) -> bytes | None:
    try:
        return read_bytes(filesystem, path)
    except FileNotFoundError:
        return None
