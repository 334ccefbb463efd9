"""What tasks do for shards that are packed again: the documents that stay come out of the old shard, new ones out of the lake.

A document lies whole in its shard, so its tokens need no text and no encoder to be packed again: they are what the build encoded, whatever happened
to the table since. They go through the same ordering and packing as in a build, so a shard comes out as a build of the same documents makes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from headwater.errors import CorruptLakeError, one_line, raise_of_file_system
from headwater.filters.spans.find import SPAN_COLUMNS
from headwater.hashes import items_of_hashes
from headwater.lineage.buckets import copy_positions, positions
from headwater.pipelines.builds.chunks import TokenRows, to_chunks
from headwater.pipelines.builds.encode_task import BuildJob, encode_rows
from headwater.pipelines.spark.parcels import contents
from headwater.tokenize.pack.placing import copy_tokens
from headwater.tokenize.shards.manifest import Shard
from headwater.tokenize.shards.tokens import open_tokens, suffix_of, token_suffix
from headwater.untrusted import UNREADABLE
from headwater.warehouse.filesystem import file_sha256, filesystem_of, join
from headwater.warehouse.parquet import FragmentFiles, read_aligned, read_file, read_sparse, slice_by_bytes

__all__ = ["NewDocuments", "OldShard", "kept_rows", "revised_chunks"]

_SIDECAR = ".boundaries.parquet"
_PLACED = ["sample_id", "token_begin", "token_end", "sample_token_begin", "copy"]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class OldShard:
    """A shard that is packed again without some of its documents.

    Attributes:
        slot: which of the job's slots it is.
        folder: of its files.
        shard: what the manifest says of it.
        placements: path of its placements in the table.
        gone: sample_ids that go, int64, ascending.
        repeated: sample_ids of which the stage has more than one copy, int64, ascending.
        copies: how many, int64.
    """

    slot: int
    folder: str
    shard: Shard
    placements: str
    gone: npt.NDArray[np.int64]
    repeated: npt.NDArray[np.int64]
    copies: npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class NewDocuments:
    """Samples of a fragment that come into shards.

    Attributes:
        chosen: sample_id, stage and copies.
    """

    where: FragmentFiles
    chosen: pa.Table


def revised_chunks(job: BuildJob, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield the chunks of the old shards and new documents named in ``batches``; runs in a Spark task."""
    for part in contents(batches):
        if isinstance(part, OldShard):
            rows = kept_rows(job, part)
            yield from to_chunks(np.full(len(rows), part.slot, np.int64), rows)
        else:
            yield from _new_rows(job, part)


def _new_rows(job: BuildJob, new: NewDocuments) -> Iterator[pa.RecordBatch]:
    spans = read_sparse(job.table, new.where, "spans", SPAN_COLUMNS)
    columns = {"content": ["text", "text_bytes", "content_hash", "origin"], "tokens": ["n_tokens"]}
    wanted = np.unique(new.chosen["sample_id"].to_numpy())
    for rows in read_aligned(job.table, new.where, columns):
        mine = rows.filter(pa.array(np.isin(rows["sample_id"].to_numpy(), wanted)))
        for batch in slice_by_bytes(mine):
            yield from encode_rows(job, batch, spans, new.chosen)


def kept_rows(job: BuildJob, old: OldShard) -> TokenRows:
    """Return the documents of a shard that stay, with their own tokens, beginnings and ends of text taken off.

    Raises:
        CorruptLakeError: a file of the shard is not what the manifest says, or its runs do not make up whole documents.
    """
    name, _ = job.slots[old.slot]
    stage = next(stage for stage in job.recipe.stages if stage.name == name)
    tokens, sidecar = _read_shard(old)
    placed = pa.concat_tables(read_file(job.table, old.placements, _PLACED))
    begin, end = (placed[name].to_numpy() for name in ("token_begin", "token_end"))
    if not (np.array_equal(begin, sidecar["token_begin"]) and np.array_equal(end, sidecar["token_end"])):
        raise CorruptLakeError(
            f"{join(old.folder, f'shard-{old.shard.number:05d}')}: expected the runs of its placements in its sidecar, found others; run verify"
        )
    ids, copy, first = (placed[name].to_numpy() for name in ("sample_id", "copy", "sample_token_begin"))
    order = np.lexsort((first, copy, ids))
    order = order[~np.isin(ids[order], old.gone)]
    begins, ends = (sidecar[name].to_numpy(zero_copy_only=False)[order] for name in ("begins", "ends"))
    opens = np.flatnonzero(_changes(ids[order], copy[order]))
    _check_whole(old, first[order], (end - begin)[order], begins, ends, opens)
    # A run's own tokens: without the beginning and the end of text that the stage put around the document.
    source = begin[order] + (begins & stage.beginning_of_text)
    length = end[order] - (ends & stage.end_of_text) - source
    target = np.cumsum(length) - length
    own = np.empty(int(length.sum()), np.uint32)
    copy_tokens(tokens, source, length, target, own)
    at = order[opens]
    content_hash, origin = sidecar["content_hash"].combine_chunks().take(pa.array(at)), sidecar["origin"].to_numpy()[at]
    copies = _copies(old, ids[at])
    if len(at) and (copy[at] >= copies).any():
        raise CorruptLakeError(
            f"{join(old.folder, f'shard-{old.shard.number:05d}')}: expected copies as family stages has them, found more; run verify"
        )
    n_tokens = np.add.reduceat(length, opens) if len(opens) else np.empty(0, np.int64)
    return TokenRows(
        position=copy_positions(positions(job.recipe.build.seed, content_hash, origin), copies, copy[at]),
        content_hash=items_of_hashes(content_hash),
        origin=origin,
        copy=copy[at].astype(np.int32),
        sample_id=ids[at],
        begin=target[opens],
        n_tokens=n_tokens,
        tokens=own,
    )


def _read_shard(old: OldShard) -> tuple[npt.NDArray[np.uint32], pa.Table]:
    """Return the tokens and the sidecar of a shard, of files that have the SHA-256 of the manifest."""
    filesystem, path = filesystem_of(old.folder)
    by_suffix = {suffix_of(file.name): file for file in old.shard.files}
    suffix = token_suffix(list(by_suffix))
    if suffix is None or _SIDECAR not in by_suffix:
        raise CorruptLakeError(f"expected tokens and a sidecar of shard {old.shard.number} in {path}, found none")
    for file in (by_suffix[suffix], by_suffix[_SIDECAR]):
        place = join(path, file.name)
        try:
            found = file_sha256(filesystem, place)
        except FileNotFoundError:
            found = "no file"
        if found != file.sha256:
            raise CorruptLakeError(
                f"{place}: expected SHA-256 {file.sha256}, found {found}; first run: headwater build LAKE RECIPE --repair"
            )
    opened = open_tokens(filesystem, join(path, by_suffix[suffix].name))
    place = join(path, by_suffix[_SIDECAR].name)
    try:
        with filesystem.open_input_file(place) as stream:
            sidecar = pq.ParquetFile(stream).read()
    except UNREADABLE as error:
        raise_of_file_system(error, place)
        raise CorruptLakeError(
            one_line(f"{place}: expected a sidecar of boundaries: {error}; build --repair")
        ) from error
    return opened.read(0, opened.n_tokens), sidecar


def _changes(ids: npt.NDArray[np.int64], copy: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
    """Return where another document begins, of runs in the order of their documents."""
    if len(ids) == 0:
        return np.empty(0, bool)
    return np.concatenate([[True], (np.diff(ids) != 0) | (np.diff(copy) != 0)])


def _check_whole(
    old: OldShard,
    first: npt.NDArray[np.int64],
    length: npt.NDArray[np.int64],
    begins: npt.NDArray[np.bool_],
    ends: npt.NDArray[np.bool_],
    opens: npt.NDArray[np.int64],
) -> None:
    """Refuse runs that do not make up whole documents, each run where the one before it ends."""
    opening = np.zeros(len(first), bool)
    opening[opens] = True
    closing = np.roll(opening, -1)
    follows = opening.copy()
    follows[1:] |= first[1:] == first[:-1] + length[:-1]
    if not (np.array_equal(begins, opening) and np.array_equal(ends, closing) and follows.all()):
        raise CorruptLakeError(
            f"{join(old.folder, f'shard-{old.shard.number:05d}')}: expected whole documents in its runs, found others; run verify"
        )


def _copies(old: OldShard, ids: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    if len(old.repeated) == 0:
        return np.ones(len(ids), np.int64)
    at = np.minimum(np.searchsorted(old.repeated, ids), len(old.repeated) - 1)
    return np.where(old.repeated[at] == ids, old.copies[at], 1)
