"""Files of the table as DuckDB reads them through pyarrow: from any file system that Headwater reads, page checksums verified.

DuckDB hands down the columns and conditions of a query; files whose batch or range of samples a condition leaves out are not opened. Memory
is bounded by what is read ahead, since DuckDB's own limit does not count it.
"""

from __future__ import annotations

import contextlib
import re
import secrets
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads

from headwater.warehouse.filesystem import filesystem_of, is_local, join
from headwater.warehouse.snapshot import Snapshot

__all__ = ["cause_of", "family_dataset"]

_BATCH_ROWS: Final = 8192
_BATCHES_AHEAD: Final = 4
_FILES_AHEAD: Final = 4
_STORE_BLOCK: Final = 4 << 20
"""Bytes of one request to a store; of a file on this machine a sixteenth is asked for at once."""

_failures: OrderedDict[str, BaseException] = OrderedDict()
"""Mark in a message → what reading ended with: DuckDB passes on a text alone, which does not tell a store from a damaged file."""
_MOST_FAILURES: Final = 64
_MARK: Final = re.compile(r"headwater-failure-[0-9a-f]{16}")


def cause_of(error: BaseException) -> BaseException | None:
    """Return the error with which reading a data set ended, of an error of DuckDB that came of it."""
    found = _MARK.search(str(error))
    return None if found is None else _failures.get(found[0])


class _Dataset(pads.FileSystemDataset):  # type: ignore[misc]  # pyarrow.dataset has no types
    """A data set whose scans read little ahead and in the thread that asks, since files are read by Python; they keep what they end with."""

    def scanner(self, **options: Any) -> _Scan:  # Any: DuckDB's choice of columns, filter and size of a batch
        """Return a scan; DuckDB calls this."""
        ahead = {
            "use_threads": False,
            "batch_size": _BATCH_ROWS,
            "batch_readahead": _BATCHES_AHEAD,
            "fragment_readahead": _FILES_AHEAD,
        }
        return _Scan(super().scanner(**options | ahead))


class _Scan:
    """A scan of a data set; DuckDB calls its methods."""

    def __init__(self, scanner: pads.Scanner) -> None:
        self._scanner = scanner

    @property
    def projected_schema(self) -> pa.Schema:
        """Columns of the scan."""
        return self._scanner.projected_schema

    def to_reader(self) -> pa.RecordBatchReader:
        """Return its rows."""
        with _kept():
            reader = self._scanner.to_reader()
        return pa.RecordBatchReader.from_batches(reader.schema, _batches(reader))


def _batches(reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    with _kept():
        yield from reader


@contextlib.contextmanager
def _kept() -> Iterator[None]:
    """Keep an error, and raise one with its mark in its place.

    Raises:
        OSError: something went wrong.
    """
    try:
        yield
    except Exception as error:
        mark = f"headwater-failure-{secrets.token_hex(8)}"
        _failures[mark] = error
        while len(_failures) > _MOST_FAILURES:
            _failures.popitem(last=False)
        raise OSError(mark) from error


def family_dataset(snapshot: Snapshot, schema: pa.Schema, files: pa.Table) -> pads.Dataset:
    """Return some files of a family as one data set with the columns of ``schema`` and ``batch``; nothing is opened yet.

    Args:
        schema: of today; what a file lacks is null.
        files: rows of ``snapshot.files``.
    """
    filesystem, root = filesystem_of(snapshot.uri)
    form = pads.ParquetFileFormat(
        default_fragment_scan_options=pads.ParquetFragmentScanOptions(
            page_checksum_verification=True,
            pre_buffer=False,
            use_buffered_stream=True,
            buffer_size=_STORE_BLOCK >> 4 if is_local(filesystem) else _STORE_BLOCK,
        )
    )
    bounded = "sample_id" in schema.names
    fragments = []
    for path, size, batch, low, high in zip(
        *(files[name].to_pylist() for name in ("path", "size", "batch", "min_id", "max_id")), strict=True
    ):
        known = pc.field("batch") == batch
        if bounded and low is not None and high is not None:
            known = known & (pc.field("sample_id") >= low) & (pc.field("sample_id") <= high)
        fragments.append(form.make_fragment(join(root, path), filesystem, known, file_size=size))
    columns = pa.schema([*(field.remove_metadata() for field in schema), pa.field("batch", pa.string())])
    return _Dataset(fragments, columns, form, filesystem)
