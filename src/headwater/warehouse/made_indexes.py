"""The indexes that ``maintain`` makes of other families: ``hash_index`` of the texts' hashes, ``band_index`` of the bands of signatures.

They cost the job nothing, and lakes of earlier releases get them. A file has the operator's digits of the files that it was made from: where a
fragment's texts were extracted anew, or its signatures made anew, its index is none any more, until ``maintain`` makes another. Small fragments
have none: to read their hashes takes no longer than to look into one more file.

A file is sorted as a whole, in row groups that each hold a range of keys, so that one text reads one row group a file and key, and a batch of many
texts, whose keys are sorted, reads each row group once.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headwater.arrays import Int32s, Int64s
from headwater.errors import ConflictError
from headwater.hashes import bytes_of_hashes
from headwater.warehouse.commit import commit
from headwater.warehouse.fragments import FRAGMENTS_PER_FILE, FileEntry, expand_masks, fragment_mask
from headwater.warehouse.index_files import MOST_INDEX_ROWS, in_ranges
from headwater.warehouse.parquet import read_aligned, write_family
from headwater.warehouse.snapshot import Snapshot, open_snapshot
from headwater.warehouse.table_format import declare_columns

__all__ = ["LEAST_ROWS", "MADE", "Made", "band_keys", "hash_keys", "indexed_fragments", "make_indexes"]

LEAST_ROWS: Final = 1 << 14
"""Samples of a fragment from which on it is indexed."""
_TRIES: Final = 100


def hash_keys(hashes: pa.Array | pa.ChunkedArray) -> Int64s:
    """Return int64 [n]: the first 8 bytes of each hash.

    >>> hash_keys(pa.array([bytes([255] * 8 + [0] * 8), bytes([0] * 7 + [3] * 9)])).tolist()
    [-1, 3]
    """
    return bytes_of_hashes(hashes)[:, :8].copy().view(">i8").ravel().astype(np.int64)


def band_keys(bands: Int64s) -> Int32s:
    """Return int32 [n]: the upper half of each hash of a band; of a hundred million samples, some five share it with another band by chance.

    >>> band_keys(np.array([-1, 5 << 32])).tolist()
    [-1, 5]
    """
    return (bands >> 32).astype(np.int32)


def _hash_rows(table: pa.Table) -> tuple[pa.Array, pa.Array]:
    rows = pa.array(np.flatnonzero(table["text_bytes"].to_numpy() > 0))  # what was taken down has no text
    if not len(rows):
        return rows, pa.array([], pa.int64())
    return rows, pa.array(hash_keys(table["content_hash"].take(rows)))


def _band_rows(table: pa.Table) -> tuple[pa.Array, pa.Array]:
    bands = table["bands"].combine_chunks()
    return pc.list_parent_indices(bands), pa.array(band_keys(pc.list_flatten(bands).to_numpy()))


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """An index that is made of an aligned family.

    Attributes:
        family: of it; its own column is the first of those that it is sorted by.
        source: the family that it is made of, and the columns of that which are read.
        rows: of these columns, the numbers of the rows that have entries and the entries' keys.
        entries: of a sample, at most.
    """

    family: str
    key: str
    source: str
    columns: Sequence[str]
    rows: Callable[[pa.Table], tuple[pa.Array, pa.Array]]
    entries: int


MADE: Final = (
    Made(
        family="hash_index",
        key="hash_key",
        source="content",
        columns=("content_hash", "text_bytes"),
        rows=_hash_rows,
        entries=1,
    ),
    Made(family="band_index", key="band_key", source="minhash", columns=("bands",), rows=_band_rows, entries=14),
)


def indexed_fragments(snapshot: Snapshot, family: str) -> Int64s:
    """Return the fragments whose rows are in an index as they are now, ascending.

    Args:
        family: of ``MADE``.
    """
    (made,) = (each for each in MADE if each.family == family)
    there = _operators(snapshot, made.source)
    index = _operators(snapshot, family)
    return np.array(sorted(number for number, operator in index.items() if there.get(number) == operator), np.int64)


def _operators(snapshot: Snapshot, family: str) -> dict[int, str]:
    """Return fragment → the operator's digits of the file of a family that covers it."""
    files = snapshot.live(family)
    numbers, rows = expand_masks(files["base"].to_numpy(), files["mask"].to_numpy())
    operators = files["operator"].to_pylist()
    return {number: operators[row] for number, row in zip(numbers.tolist(), rows.tolist(), strict=True)}


def make_indexes(lake: str) -> int:
    """Index every large fragment that lacks one of the indexes, and return how many fragments were, each index counted.

    Raises:
        ConflictError: writers were faster throughout.
        CorruptLakeError: a file cannot be read.
        StorageError: the file system refused a write.
    """
    return sum(_make(lake, made) for made in MADE)


def _make(lake: str, made: Made) -> int:
    indexed: set[int] = set()
    for _ in range(_TRIES):
        snapshot = open_snapshot(lake)
        groups = _groups(snapshot, made)
        if not groups:
            return len(indexed)
        declared = declare_columns(snapshot, ())
        if declared.version != snapshot.version:
            continue  # planned from what the table holds now
        now = {number for group in groups for number in group.fragments}
        adds = [_written(snapshot, made, group) for group in groups]
        with contextlib.suppress(ConflictError):
            wave = (f"index-{secrets.token_hex(8)}", 1)
            commit(snapshot, adds=adds, removes=_stale(snapshot, made, now), wave=wave, lake=lake)
            indexed |= now
    raise ConflictError(f"{_TRIES} tries to index {made.source} lost against other writers; run the same command again")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Group:
    """Fragments that fit one file of an index, ascending, of one batch and operator."""

    batch: str
    operator: str
    fragments: list[int]


def _groups(snapshot: Snapshot, made: Made) -> list[_Group]:
    content = snapshot.live("content").sort_by("base")
    operators = _operators(snapshot, made.source)
    done = set(indexed_fragments(snapshot, made.family).tolist())
    found: list[_Group] = []
    open_: dict[tuple[str, str], tuple[_Group, int]] = {}
    for row in content.select(["base", "batch", "rows"]).to_pylist():
        fragment, rows = row["base"], row["rows"] * made.entries
        if row["rows"] < LEAST_ROWS or fragment in done or fragment not in operators:
            continue
        key = (row["batch"], operators[fragment])
        group, held = open_.get(key, (None, 0))
        if group is None or fragment >= group.fragments[0] + FRAGMENTS_PER_FILE or held + rows > MOST_INDEX_ROWS:
            group, held = _Group(batch=key[0], operator=key[1], fragments=[]), 0
            found.append(group)
        group.fragments.append(fragment)
        open_[key] = (group, held + rows)
    return found


def _written(snapshot: Snapshot, made: Made, group: _Group) -> FileEntry:
    """Write the index of some fragments, and return its description."""
    base, mask = fragment_mask(group.fragments)
    rows = pa.concat_tables(_rows(snapshot, made, np.array(group.fragments, np.int64))).unify_dictionaries()
    ranges = in_ranges(made.family, rows)
    return write_family(snapshot.uri, made.family, group.batch, base, mask, group.operator, ranges)


def _stale(snapshot: Snapshot, made: Made, fragments: set[int]) -> list[str]:
    """Return the live files of an index that cover some fragments, made from rows that these no longer have.

    Whatever else such a file covers is indexed by the next commit.
    """
    index = snapshot.live(made.family)
    numbers, rows = expand_masks(index["base"].to_numpy(), index["mask"].to_numpy())
    paths = index["path"].to_pylist()
    of_files = zip(numbers.tolist(), rows.tolist(), strict=True)
    return sorted({paths[row] for number, row in of_files if number in fragments})


def _rows(snapshot: Snapshot, made: Made, fragments: Int64s) -> Iterator[pa.Table]:
    """Yield the entries of some fragments."""
    columns = {made.source: [*made.columns, "run_id"]}
    for where in snapshot.locate(fragments, [made.source]):
        for table in read_aligned(snapshot.uri, where, columns):
            rows, keys = made.rows(table)
            run = table["run_id"].combine_chunks().dictionary_encode()
            yield pa.table({"sample_id": table["sample_id"].take(rows), made.key: keys, "run_id": run.take(rows)})
