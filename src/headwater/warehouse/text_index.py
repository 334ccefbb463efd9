"""The index of texts: family ``hash_index``, which ``maintain`` makes from the hashes that content has.

It costs ingest nothing, and lakes of earlier releases get it. A file of it has the operator's digits of the content that it was made from: where a
fragment's content was extracted anew, its index is none any more, until ``maintain`` makes another. Small fragments have none: to read
their hashes takes no longer than to look into one more file.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headwater.arrays import Int64s
from headwater.errors import ConflictError
from headwater.hashes import bytes_of_hashes
from headwater.warehouse.commit import commit
from headwater.warehouse.fragments import FRAGMENTS_PER_FILE, FileEntry, expand_masks
from headwater.warehouse.index_files import MOST_INDEX_ROWS, in_ranges
from headwater.warehouse.parquet import read_file, write_family
from headwater.warehouse.snapshot import Snapshot, open_snapshot
from headwater.warehouse.table_format import declare_columns

__all__ = ["LEAST_ROWS", "hash_keys", "index_texts", "indexed_fragments"]

LEAST_ROWS: Final = 1 << 14
"""Samples of a fragment from which on it is indexed."""
_TRIES: Final = 100


def hash_keys(hashes: pa.Array | pa.ChunkedArray) -> Int64s:
    """Return int64 [n]: the first 8 bytes of each hash.

    >>> hash_keys(pa.array([bytes([255] * 8 + [0] * 8), bytes([0] * 7 + [3] * 9)])).tolist()
    [-1, 3]
    """
    return bytes_of_hashes(hashes)[:, :8].copy().view(">i8").ravel().astype(np.int64)


def indexed_fragments(snapshot: Snapshot) -> Int64s:
    """Return the fragments whose texts are in the index as they are now, ascending."""
    content = snapshot.live("content")
    index = snapshot.live("hash_index")
    numbers, rows = expand_masks(index["base"].to_numpy(), index["mask"].to_numpy())
    there = dict(zip(content["base"].to_pylist(), content["operator"].to_pylist(), strict=True))
    operators = index["operator"].to_pylist()
    made_of = zip(numbers.tolist(), rows.tolist(), strict=True)
    return np.array(sorted(number for number, row in made_of if there.get(number) == operators[row]), np.int64)


def index_texts(lake: str) -> int:
    """Index the texts of every large fragment that is not indexed, and return how many fragments were.

    Raises:
        ConflictError: writers were faster throughout.
        CorruptLakeError: a file cannot be read.
        StorageError: the file system refused a write.
    """
    made: set[int] = set()
    for _ in range(_TRIES):
        snapshot = declare_columns(open_snapshot(lake), ())
        groups = _groups(snapshot)
        if not groups:
            return len(made)
        now = {number for group in groups for number in group["base"].to_pylist()}
        adds = [_written(snapshot, group) for group in groups]
        with contextlib.suppress(ConflictError):
            wave = (f"index-{secrets.token_hex(8)}", 1)
            commit(snapshot, adds=adds, removes=_stale(snapshot, now), wave=wave, lake=lake)
            made |= now
    raise ConflictError(f"{_TRIES} tries to index texts lost against other writers; run the same command again")


def _groups(snapshot: Snapshot) -> list[pa.Table]:
    """Return sets of content files, of one batch and operator each, whose texts fit one index file; fragments ascend."""
    content = snapshot.live("content").sort_by("base")
    done = pa.array(indexed_fragments(snapshot))
    large = pc.greater_equal(content["rows"], LEAST_ROWS)
    content = content.filter(pc.and_(large, pc.invert(pc.is_in(content["base"], done))))
    found = []
    for key in sorted(set(zip(content["batch"].to_pylist(), content["operator"].to_pylist(), strict=True))):
        mine = content.filter(pc.and_(pc.equal(content["batch"], key[0]), pc.equal(content["operator"], key[1])))
        base, ends = mine["base"].to_numpy(), np.cumsum(mine["rows"].to_numpy())
        begin = 0
        while begin < mine.num_rows:
            before = int(ends[begin - 1]) if begin else 0
            fits = (base < base[begin] + FRAGMENTS_PER_FILE) & (ends <= before + MOST_INDEX_ROWS)
            end = max(begin + 1, int(np.flatnonzero(fits)[-1]) + 1 if fits.any() else 0)
            found.append(mine.slice(begin, end - begin))
            begin = end
    return found


def _written(snapshot: Snapshot, content: pa.Table) -> FileEntry:
    """Write the index of some content files of one batch and operator, and return its description."""
    base = content["base"].to_pylist()
    mask = sum(1 << (number - base[0]) for number in base)
    batch, operator = content["batch"][0].as_py(), content["operator"][0].as_py()
    rows = pa.concat_tables(_rows(snapshot, content)).unify_dictionaries()
    return write_family(snapshot.uri, "hash_index", batch, base[0], mask, operator, in_ranges("hash_index", rows))


def _stale(snapshot: Snapshot, fragments: set[int]) -> list[str]:
    """Return the live index files that cover some fragments, made from texts that they no longer have.

    Whatever else such a file covers is indexed by the next commit.
    """
    index = snapshot.live("hash_index")
    numbers, rows = expand_masks(index["base"].to_numpy(), index["mask"].to_numpy())
    paths = index["path"].to_pylist()
    return sorted(
        {paths[row] for number, row in zip(numbers.tolist(), rows.tolist(), strict=True) if number in fragments}
    )


def _rows(snapshot: Snapshot, content: pa.Table) -> Iterator[pa.Table]:
    """Yield the rows of the index of some content files; a sample that was taken down has no text."""
    for path in content["path"].to_pylist():
        for table in read_file(snapshot.uri, path, ["sample_id", "content_hash", "text_bytes", "run_id"]):
            there = table.filter(pc.greater(table["text_bytes"], 0))
            keys = pa.array(hash_keys(there["content_hash"])) if there.num_rows else pa.array([], pa.int64())
            run = there["run_id"].dictionary_encode()
            yield pa.table({"sample_id": there["sample_id"], "hash_key": keys, "run_id": run})
