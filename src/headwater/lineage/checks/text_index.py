"""Verify, the part about the index of texts: it has every text of the fragments that it covers, and no other."""

from __future__ import annotations

import numpy as np
import pyarrow.compute as pc

from headwater.arrays import Int64s
from headwater.warehouse.fragments import ROW_BITS, expand_masks
from headwater.warehouse.parquet import read_file
from headwater.warehouse.snapshot import Snapshot
from headwater.warehouse.text_index import hash_keys, indexed_fragments

__all__ = ["text_index_faults"]


def text_index_faults(snapshot: Snapshot, fragments: Int64s) -> list[str]:
    """Return what is wrong with the index of texts of some fragments, those that have none left out."""
    wanted = np.intersect1d(fragments, indexed_fragments(snapshot))
    index, content = snapshot.live("hash_index"), snapshot.live("content")
    paths = dict(zip(content["base"].to_pylist(), content["path"].to_pylist(), strict=True))
    faults = []
    numbers, files = expand_masks(index["base"].to_numpy(), index["mask"].to_numpy())
    for file, path in enumerate(index["path"].to_pylist()):
        mine = np.intersect1d(numbers[files == file], wanted)
        if len(mine) == 0:
            continue
        parts = [
            np.stack([table["sample_id"].to_numpy(), table["hash_key"].to_numpy()])
            for table in read_file(snapshot.uri, path, ["sample_id", "hash_key"])
        ]
        found = np.concatenate(parts, axis=1)
        if np.any(np.diff(found[1]) < 0):
            faults.append(f"{path}: expected hashes in ascending order, found others")
        for fragment in mine.tolist():
            held = found[:, found[0] >> ROW_BITS == fragment]
            expected = _rows(snapshot, paths[fragment])
            if not np.array_equal(held[:, np.argsort(held[0])], expected):
                faults.append(
                    f"{path}: expected the texts of fragment {fragment}, found others; restore it from a copy"
                )
    return faults


def _rows(snapshot: Snapshot, path: str) -> Int64s:
    """Return sample_id and hash_key of every text of a content file, int64 [2, n]."""
    parts = [np.empty((2, 0), np.int64)]
    for table in read_file(snapshot.uri, path, ["sample_id", "content_hash", "text_bytes"]):
        there = table.filter(pc.greater(table["text_bytes"], 0))
        if there.num_rows:
            parts.append(np.stack([there["sample_id"].to_numpy(), hash_keys(there["content_hash"])]))
    return np.concatenate(parts, axis=1)
