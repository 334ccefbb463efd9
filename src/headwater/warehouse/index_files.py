"""Index files: those of many fragments put together as one, sorted as a whole, in row groups that each hold a range of hashes.

Ingest writes an index file a fragment, and to find a hash each of them has to be read. Of merged files a lookup reads one row group each, which the
bounds in its footer name: the files of a hundred million samples are a dozen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import pyarrow as pa

from headwater.warehouse.parquet import read_file

__all__ = ["GROUP_ROWS", "INDEXES", "MOST_INDEX_ROWS", "in_ranges", "merged_index"]

INDEXES: Final = {
    "band_index": ("band_key", "sample_id"),
    "hash_index": ("hash_key", "sample_id"),
    "host_index": ("domain_hash", "host_hash", "sample_id"),
    "uri_index": ("uri_hash", "sample_id"),
}
"""Family → the columns by which its files are sorted."""
MOST_INDEX_ROWS: Final = 1 << 23
"""Most rows of a merged file, all in memory while it is sorted: some hundred megabytes."""
GROUP_ROWS: Final = 1 << 16
"""Rows of a row group of a merged file."""


def merged_index(table_uri: str, family: str, paths: Sequence[str]) -> Iterator[pa.Table]:
    """Yield the rows of some files of an index, sorted, a row group of a merged file at a time; none at all is one empty row group."""
    parts = []
    for path in paths:
        for table in read_file(table_uri, path):
            at = table.schema.get_field_index("run_id")
            # A run's name is in every row: as a dictionary it takes four bytes.
            parts.append(table.set_column(at, "run_id", table["run_id"].dictionary_encode()))
    yield from in_ranges(family, pa.concat_tables(parts).unify_dictionaries())


def in_ranges(family: str, rows: pa.Table) -> Iterator[pa.Table]:
    """Yield the rows of an index, sorted, a row group of a file at a time; none at all is one empty row group."""
    whole = rows.sort_by([(name, "ascending") for name in INDEXES[family]])
    for begin in range(0, max(1, whole.num_rows), GROUP_ROWS):
        yield whole.slice(begin, GROUP_ROWS)
