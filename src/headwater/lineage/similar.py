"""Near-duplicates of a text in a lake: those that share a band with it, told by how far their signatures agree.

Bands are looked for in family ``band_index``, which ``headwater maintain`` makes of large fragments: one row group a file and band is read. Of
fragments without it all bands are read, 112 bytes a sample, by as many threads as there are cores. Signatures are read of those that share a band
only. Texts of fewer than 20 shingles have no bands: they are near-duplicates where their normalised text is equal.
"""

from __future__ import annotations

import heapq
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headwater.errors import UsageError
from headwater.extras import needing_extras
from headwater.lineage.index_rows import index_groups, index_rows
from headwater.lineage.past_runs import newest_ended
from headwater.plain import JsonObject, ValuesByName
from headwater.warehouse.fragments import ROW_BITS
from headwater.warehouse.index_files import GROUP_ROWS
from headwater.warehouse.made_indexes import band_keys, indexed_fragments
from headwater.warehouse.parquet import FragmentFiles, read_aligned
from headwater.warehouse.snapshot import Snapshot

if TYPE_CHECKING:
    from datasketch import MinHash

    from headwater.lineage.lookup import Lookup

__all__ = ["LEAST", "Sketch", "minhash_of", "similar_to", "sketch_of", "sketch_of_sample", "sketch_of_text"]

LEAST: Final = 0.75
"""Share of equal signature values from which two samples count as near-duplicates."""
_VALUES: Final = 112
_SEED: Final = 1
_BAND_BYTES: Final = 112
_HASH_BYTES: Final = 16
_ENTRY_BYTES: Final = 4
"""Of a key in the index; samples are read where it is wanted."""
_AT_ONCE: Final = 4096
_Words = npt.NDArray[np.uint32]


@dataclass(frozen=True, kw_only=True, slots=True)
class Sketch:
    """What near comparison knows of a text.

    Attributes:
        bands: 14 hashes; none of a text of fewer than 20 shingles.
        signature: uint32 [112]; empty without shingles.
        normalized_hash: of the normalised text; empty where that is.
        sample: whose it is; None for a text from elsewhere.
    """

    bands: tuple[int, ...]
    signature: _Words
    normalized_hash: bytes
    sample: int | None = None


def sketch_of(lookup: Lookup, sample: int | None, text: str | None) -> Sketch:
    """Return the sketch of the one of a sample and a text that is given.

    Raises:
        UsageError: not exactly one is, or as ``sketch_of_sample`` and ``sketch_of_text`` say.
    """
    if sample is not None and text is None:
        return sketch_of_sample(lookup, sample)
    if text is not None and sample is None:
        return sketch_of_text(lookup, text)
    raise UsageError(f"expected one of a sample and a text, found {'none' if text is None else 'both'}")


def sketch_of_sample(lookup: Lookup, sample: int) -> Sketch:
    """Return the stored sketch of a sample.

    Raises:
        UsageError: no such sample, or it has not been annotated.
    """
    row = lookup.row("minhash", sample, ["bands", "signature", "normalized_hash"], raw=True)
    if row is None:
        there = lookup.row("content", sample, ["sample_id"]) is not None
        found = "one that has not been annotated; run annotate" if there else "none"
        raise UsageError(f"expected an annotated sample {sample}, found {found}")
    return _sketch(row, sample)


def sketch_of_text(lookup: Lookup, text: str) -> Sketch:
    """Return the sketch of a text, made as the newest annotation of the lake made those of its samples.

    Raises:
        UsageError: nothing of the lake has been annotated.
    """
    run = newest_ended([run for run in lookup.runs() if run.step == "annotate" and "minhash" in run.operators])
    if run is None:
        raise UsageError("expected an annotated lake, found no run of annotate; run headwater annotate LAKE RECIPE")
    # Kernels load a compiler, which a sample's own sketch does not need.
    from headwater.filters.duplicates.minhash import measure_minhash
    from headwater.filters.duplicates.number_settings import with_new_names
    from headwater.filters.signals.kinds import kinds
    from headwater.filters.signals.measure import measure_signals

    texts = pa.array([text], pa.large_string())
    numbers = {name: str(value) for name, value in with_new_names(run.operators["minhash"]["numbers"]).items()}
    of_text = kinds(measure_signals(texts, pa.array(["und"])))
    return _sketch(measure_minhash(texts, of_text, numbers).to_pylist()[0], None)


def _sketch(row: ValuesByName, sample: int | None) -> Sketch:
    return Sketch(
        bands=tuple(row["bands"]),
        signature=np.frombuffer(row["signature"], "<u4"),
        normalized_hash=bytes(row["normalized_hash"]),
        sample=sample,
    )


def similar_to(lookup: Lookup, sketch: Sketch, least: float = LEAST, limit: int | None = None) -> JsonObject:
    """Return the near-duplicates of a text, the most similar first, then by sample_id.

    Args:
        least: share of equal signature values, 0 to 1. Of pairs that agree on 0.75, bands find 77 of 100; on 0.8, 92; on 0.9, 999 of 1000.
        limit: the first so many; None for all.

    Returns:
        ``similar``: ``sample_id``, ``similarity``, ``source``, ``uri``, ``kept``, ``first_reason``; ``found``, how many there are; ``read``, the
        ``samples`` and ``bytes`` that were looked at.

    Raises:
        UsageError: a share that is none.
    """
    if not 0 <= least <= 1:
        raise UsageError(f"expected a similarity from 0 to 1, found {least}")
    kept: list[tuple[float, int]] = []  # a heap: the least similar first
    found = read = read_bytes = 0
    for samples, size, ids in _sharing(lookup, sketch):
        read += samples
        read_bytes += size
        for begin in range(0, len(ids), _AT_ONCE):
            part = ids[begin : begin + _AT_ONCE]
            part, agreement = _agreement(lookup, sketch, part)
            near = agreement >= least
            found += int(near.sum())
            for similarity, sample in zip(agreement[near].tolist(), part[near].tolist(), strict=True):
                heapq.heappush(kept, (similarity, -sample))
                if limit is not None and len(kept) > limit:
                    heapq.heappop(kept)
    order = sorted(kept, key=lambda each: (-each[0], -each[1]))
    return {
        "similar": [_told(lookup, -negative, similarity) for similarity, negative in order],
        "found": found,
        "read": {"samples": read, "bytes": read_bytes},
    }


def _told(lookup: Lookup, sample: int, similarity: float) -> JsonObject:
    content = lookup.row("content", sample, ["source", "uri"]) or {}
    verdict = lookup.row("verdicts", sample, ["kept", "first_reason"]) or {"kept": None, "first_reason": None}
    return {"sample_id": sample, "similarity": round(similarity, 4), **content, **verdict}


def _agreement(
    lookup: Lookup, sketch: Sketch, ids: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Return which of some samples share a band, and the share of their signature values that are equal, float64 [n].

    The index has half of a band's hash, so that a sample may stand there by chance: a band is shared where its values are equal. Where the hash
    of a text without bands was looked for, the share is 1.
    """
    if not sketch.bands:
        return ids, np.ones(len(ids))
    stored = lookup.table("minhash", ids, ["signature"])["signature"].to_pylist()
    matrix = np.frombuffer(b"".join(stored), "<u4").reshape(len(ids), _VALUES)
    equal = matrix == sketch.signature
    shared = equal.reshape(len(ids), len(sketch.bands), -1).all(axis=2).any(axis=1)
    return ids[shared], equal[shared].sum(axis=1) / _VALUES


def _sharing(lookup: Lookup, sketch: Sketch) -> Iterator[tuple[int, int, npt.NDArray[np.int64]]]:
    """Yield how many samples were looked among, bytes that were read for that, and the ids of those that may share a band with a text.

    Of a text without bands, the ids of those with its hash.
    """
    snapshot = lookup.snapshot
    if not sketch.bands and not sketch.normalized_hash:
        return  # an empty text is like no other
    covered = snapshot.covered("minhash")
    if not sketch.bands:
        yield from _scanned(snapshot, covered, sketch, "normalized_hash", _is_hash(sketch.normalized_hash))
        return
    indexed = np.intersect1d(covered, indexed_fragments(snapshot, "band_index"))
    if len(indexed):
        yield _indexed(lookup, sketch, indexed)
    yield from _scanned(snapshot, np.setdiff1d(covered, indexed), sketch, "bands", _shares_band(sketch.bands))


def _indexed(
    lookup: Lookup, sketch: Sketch, fragments: npt.NDArray[np.int64]
) -> tuple[int, int, npt.NDArray[np.int64]]:
    """Return the same of the fragments that have an index."""
    keys = np.unique(band_keys(np.array(sketch.bands, np.int64))).astype(np.int64)
    groups = index_groups(lookup, "band_index", "band_key", keys)
    size = sum(len(each) for _, each in groups) * GROUP_ROWS * _ENTRY_BYTES
    tables = list(index_rows(lookup, "band_index", "band_key", keys, ["sample_id"]))
    ids = np.unique(np.concatenate([np.empty(0, np.int64), *(table["sample_id"].to_numpy() for table in tables)]))
    content = lookup.snapshot.live("content")
    rows = pc.sum(content.filter(pc.is_in(content["base"], pa.array(fragments)))["rows"]).as_py()
    return _without((int(rows), size, ids[np.isin(ids >> ROW_BITS, fragments)]), sketch.sample)


def _scanned(
    snapshot: Snapshot,
    fragments: npt.NDArray[np.int64],
    sketch: Sketch,
    column: str,
    among: Callable[[pa.Array], npt.NDArray[np.int64]],
) -> Iterator[tuple[int, int, npt.NDArray[np.int64]]]:
    """Yield the same by fragment, of all samples of some."""
    width = _BAND_BYTES if column == "bands" else _HASH_BYTES

    def look(where: FragmentFiles) -> tuple[int, int, npt.NDArray[np.int64]]:
        tables = list(read_aligned(snapshot.uri, where, {"minhash": [column]}))
        ids = [table["sample_id"].to_numpy()[among(table[column].combine_chunks())] for table in tables]
        rows = sum(table.num_rows for table in tables)
        return rows, rows * width, np.concatenate([np.empty(0, np.int64), *ids])

    threads = os.cpu_count() or 1
    with ThreadPoolExecutor(threads) as pool:
        waiting = []
        for where in snapshot.locate(fragments, ["minhash"]):
            waiting.append(pool.submit(look, where))
            if len(waiting) >= 2 * threads:
                yield _without(waiting.pop(0).result(), sketch.sample)
        for each in waiting:
            yield _without(each.result(), sketch.sample)


def _without(
    found: tuple[int, int, npt.NDArray[np.int64]], sample: int | None
) -> tuple[int, int, npt.NDArray[np.int64]]:
    return found if sample is None else (*found[:2], found[2][found[2] != sample])


def _shares_band(bands: Sequence[int]) -> Callable[[pa.Array], npt.NDArray[np.int64]]:
    wanted = pa.array(bands, pa.int64())

    def rows(column: pa.Array) -> npt.NDArray[np.int64]:
        hits = pc.is_in(pc.list_flatten(column), value_set=wanted)
        if not pc.any(hits, min_count=0).as_py():
            return np.empty(0, np.int64)
        return np.unique(pc.list_parent_indices(column).filter(hits).to_numpy())

    return rows


def _is_hash(normalized: bytes) -> Callable[[pa.Array], npt.NDArray[np.int64]]:
    value = pa.scalar(normalized, pa.binary())
    return lambda column: np.flatnonzero(pc.equal(column, value).to_numpy(zero_copy_only=False))


def minhash_of(sketch: Sketch) -> MinHash:
    """Return a sketch as a ``datasketch.MinHash``, of 112 permutations in the scheme affine32: its values are the stored bits.

    Raises:
        MissingPackageError: datasketch is not installed.
    """
    with needing_extras():
        from datasketch import MinHash
    values = None if len(sketch.signature) == 0 else sketch.signature.copy()
    return MinHash(num_perm=_VALUES, seed=_SEED, scheme="affine32", hashvalues=values)
