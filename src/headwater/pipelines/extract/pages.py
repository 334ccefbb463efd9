"""Pages of a fragment read again: from family ``html`` where they are stored, else from the files that they came from."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headwater.errors import BadInputError, CorruptLakeError, StorageError
from headwater.filters.html.page import PageInput
from headwater.pipelines.ingest.decompress import Limits
from headwater.pipelines.ingest.web.raw import RawRequest, read_raw
from headwater.pipelines.recipe.bounds import EXPANSION_RATIO, NESTING, RECORD_BYTES
from headwater.warehouse.parquet import FragmentFiles, read_aligned, read_file

__all__ = ["PLACES", "ArchivedPages", "Pages", "StoredPages", "open_pages", "page_batches"]

PLACES: Final[dict[str, list[str]]] = {
    "content": ["file_id", "uri"],
    "captures": ["extractor", "warc_offset", "warc_offset_in"],
}
"""Columns that lead to a page as it was served."""
_BATCH_BYTES: Final = 16 << 20
_BATCH_PAGES: Final = 256
# What ingest has taken is not refused here, whatever limits it went by.
_LIMITS: Final = Limits(
    max_record_bytes=RECORD_BYTES.most, max_expansion_ratio=EXPANSION_RATIO.most, max_nesting=NESTING.most
)


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
    return StoredPages(table_uri, stored[0]) if stored is not None else ArchivedPages(table_uri, where, files)


class ArchivedPages:
    """Pages of one fragment, taken again from the files that they came from, in order of their samples: a file is read once.

    Attributes:
        reading: the file that is read.

    Args:
        table_uri: the Delta table's folder.
        where: the fragment's files.
        paths: files of family ``files`` that say where the pages' files are.
    """

    def __init__(self, table_uri: str, where: FragmentFiles, paths: Sequence[str]) -> None:
        self._table, self._where, self._paths = table_uri, where, paths
        self._pages = self._read()
        self.reading = ""

    def take(self, rows: pa.Table) -> Iterator[PageInput]:
        """Yield the pages of some samples, which come after those of any earlier call.

        Raises:
            BadInputError: their file cannot be read, or is another one than ingest read; the message names it.
        """
        try:
            for sample in rows["sample_id"].to_pylist():
                number, page = next(self._pages)
                if number != sample:
                    raise CorruptLakeError(f"expected the page of sample {sample}, found that of {number}; run verify")
                yield page
        except StorageError as error:
            raise BadInputError(str(error), "page_unreadable") from error

    def _read(self) -> Iterator[tuple[int, PageInput]]:
        """Yield the fragment's pages, those of a file one after the other."""
        places = pa.concat_tables(read_aligned(self._table, self._where, PLACES))
        places = places.filter(pc.is_valid(places["extractor"]))
        ids = places["sample_id"].to_pylist()
        file_ids = places["file_id"].to_numpy()
        listed = zip(*(places[name].to_pylist() for name in ("warc_offset", "warc_offset_in", "uri")), strict=True)
        requests = [RawRequest(*each) for each in listed]
        files = self._files(np.unique(file_ids).tolist())
        begins = np.flatnonzero(np.append(True, file_ids[1:] != file_ids[:-1])) if len(file_ids) else file_ids
        for begin, end in itertools.pairwise([*begins.tolist(), len(ids)]):
            self.reading, sha256 = files[int(file_ids[begin])]
            yield from zip(ids[begin:end], read_raw(self.reading, sha256, requests[begin:end], _LIMITS), strict=True)

    def _files(self, wanted: list[int]) -> dict[int, tuple[str, str]]:
        """Return file_id → where the file was read, and its SHA-256."""
        found: dict[int, tuple[str, str]] = {}
        for path in self._paths:
            for table in read_file(self._table, path, ["file_id", "file_uri", "sha256"]):
                rows = table.filter(pc.is_in(table["file_id"], value_set=pa.array(wanted, pa.int64())))
                found |= {row["file_id"]: (row["file_uri"], row["sha256"]) for row in rows.to_pylist()}
        if lacking := [number for number in wanted if number not in found]:
            raise CorruptLakeError(f"expected a row of file {lacking[0]} in family files, found none; run verify")
        return found


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
