"""Verify, the part about indexes that are made of other families: each has every entry of the fragments that it covers, and no other."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from headwater.arrays import Int64s
from headwater.warehouse.fragments import ROW_BITS, expand_masks
from headwater.warehouse.made_indexes import MADE, Made, indexed_fragments
from headwater.warehouse.parquet import read_aligned, read_file
from headwater.warehouse.snapshot import Snapshot

__all__ = ["made_index_faults"]


def made_index_faults(snapshot: Snapshot, fragments: Int64s) -> list[str]:
    """Return what is wrong with the indexes of some fragments, those that have none left out."""
    return [fault for made in MADE for fault in _faults(snapshot, made, fragments)]


def _faults(snapshot: Snapshot, made: Made, fragments: Int64s) -> list[str]:
    wanted = np.intersect1d(fragments, indexed_fragments(snapshot, made.family))
    index = snapshot.live(made.family)
    numbers, files = expand_masks(index["base"].to_numpy(), index["mask"].to_numpy())
    faults = []
    for file, path in enumerate(index["path"].to_pylist()):
        mine = np.intersect1d(numbers[files == file], wanted)
        if len(mine) == 0:
            continue
        tables = list(read_file(snapshot.uri, path, ["sample_id", made.key]))
        found = np.concatenate([_pairs(table["sample_id"], table[made.key]) for table in tables], axis=1)
        if np.any(np.diff(found[1]) < 0):
            faults.append(f"{path}: expected {made.key} in ascending order, found others")
        for fragment in mine.tolist():
            held = found[:, found[0] >> ROW_BITS == fragment]
            if not np.array_equal(_in_order(held), _in_order(_entries(snapshot, made, fragment))):
                faults.append(f"{path}: expected the entries of fragment {fragment} of {made.source}, found others")
    return faults


def _pairs(ids: pa.ChunkedArray | pa.Array, keys: pa.ChunkedArray | pa.Array) -> Int64s:
    return np.stack([ids.to_numpy(), keys.to_numpy().astype(np.int64)])


def _in_order(pairs: Int64s) -> Int64s:
    return pairs[:, np.lexsort((pairs[1], pairs[0]))]


def _entries(snapshot: Snapshot, made: Made, fragment: int) -> Int64s:
    """Return sample and key of every entry that a fragment must have, int64 [2, n]."""
    parts = [np.empty((2, 0), np.int64)]
    for where in snapshot.locate(np.array([fragment]), [made.source]):
        for table in read_aligned(snapshot.uri, where, {made.source: list(made.columns)}):
            rows, keys = made.rows(table)
            parts.append(_pairs(table["sample_id"].take(rows), keys))
    return np.concatenate(parts, axis=1)
