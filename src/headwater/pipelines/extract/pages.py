"""Pages of a fragment read again: from family ``html`` where they are stored, else from the files that they came from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headwater.errors import CorruptLakeError
from headwater.filters.html.page import PageInput
from headwater.warehouse.parquet import FragmentFiles, read_file

__all__ = ["ArchivedPages", "Pages", "StoredPages", "open_pages", "page_batches"]

_BATCH_BYTES = 16 << 20
_BATCH_PAGES = 256


class Pages(Protocol):
    """Where pages are read again."""

    def take(self, rows: pa.Table) -> Iterator[PageInput]:
        """Yield the pages of some samples, which come after those of any earlier call."""


def open_pages(table_uri: str, where: FragmentFiles, files: Sequence[str]) -> Pages:
    """Return where the pages of a fragment are read again.

    Args:
        files: files of family ``files`` that say where the pages' files are.
    """
    stored = where.files.get("html")
    return StoredPages(table_uri, stored[0]) if stored is not None else ArchivedPages(table_uri, files)


class ArchivedPages:
    """Pages taken again from the files that they came from.

    Attributes:
        reading: the file that is read.

    Args:
        table_uri: the Delta table's folder.
        paths: files of family ``files`` that say where these files are.
    """

    def __init__(self, table_uri: str, paths: Sequence[str]) -> None:
        self._table, self._paths = table_uri, paths
        self.reading = ""

    def take(self, rows: pa.Table) -> Iterator[PageInput]:
        """Yield the pages of some samples; raises as ``read_raw``."""
        raise NotImplementedError


class StoredPages:
    """Pages of one fragment in family ``html``, taken in order of their samples.

    Args:
        table_uri: the Delta table's folder.
        path: the fragment's file of family ``html``.
    """

    def __init__(self, table_uri: str, path: str) -> None:
        self._path = path
        self._groups = read_file(table_uri, path)
        self._held: pa.Table | None = None

    def take(self, rows: pa.Table) -> Iterator[PageInput]:
        """Yield the pages of some samples, which come after those of any earlier call.

        Args:
            rows: ``sample_id`` and ``uri``, ascending.

        Raises:
            CorruptLakeError: the file lacks one of them.
        """
        ids, urls = rows["sample_id"].to_numpy(), rows["uri"].to_pylist()
        begin = 0
        while begin < len(ids):
            table = self._group(int(ids[begin]))
            end = int(np.searchsorted(ids, table["sample_id"][-1].as_py(), side="right"))
            at = pc.index_in(pa.array(ids[begin:end]), value_set=table["sample_id"].combine_chunks())
            if at.null_count:
                raise CorruptLakeError(
                    f"expected the page of sample {ids[begin]} in {self._path}, found none; run verify"
                )
            for url, row in zip(urls[begin:end], at.to_pylist(), strict=True):
                headers = table["http_headers"][row].as_py()
                yield PageInput(
                    body=table["html"][row].as_py(),
                    http_charset=table["http_charset"][row].as_py(),
                    headers={} if headers is None else _headers(headers),
                    url=url,
                )
            begin = end

    def _group(self, sample: int) -> pa.Table:
        """Return the row group that a sample is in, if any."""
        while self._held is None or not self._held.num_rows or self._held["sample_id"][-1].as_py() < sample:
            self._held = next(self._groups, None)
            if self._held is None:
                raise CorruptLakeError(f"expected the page of sample {sample} in {self._path}, found none; run verify")
        return self._held


def _headers(stored: str) -> Mapping[str, str]:
    found: dict[str, str] = json.loads(stored)
    return found


def page_batches(pages: Iterator[PageInput]) -> Iterator[list[PageInput]]:
    """Yield pages in lists of bounded size, a page at least."""
    held: list[PageInput] = []
    size = 0
    for page in pages:
        if held and (size + len(page.body) > _BATCH_BYTES or len(held) >= _BATCH_PAGES):
            yield held
            held, size = [], 0
        held.append(page)
        size += len(page.body)
    if held:
        yield held
