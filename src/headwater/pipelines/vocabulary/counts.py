"""Count the pieces of a training's sample: in tasks that read their fragments, to files of a temporary folder, merged by a hash of the piece.

A counting task holds at most ``_HELD_PIECES`` different pieces: what is more goes to a part file of ``BINS`` row groups, one a bin of the
pieces' hash, and a merging task adds up one bin of all parts. Counts do not depend on how the work was cut, so neither does what is pruned:
pieces are left out only after all were added up, the rarest first, those of equal counts together.

A target's file ``<key>.samples.parquet`` is written when its parts are: a training that was killed goes on with the targets without one.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from headwater.errors import CorruptLakeError, raise_of_file_system
from headwater.filters.spans.find import SPAN_COLUMNS, apply_spans, without_spans
from headwater.filters.urls.hosts import hosts
from headwater.fingerprint import fingerprint
from headwater.tokenize.forms.load import Vocabulary
from headwater.tokenize.train.piece_counts import SCHEMA, bin_pieces, count_pieces, merge_counts
from headwater.tokenize.train.segmentation import library_pieces
from headwater.warehouse.faults import VOCABULARY_COUNTS, reach_in_task
from headwater.warehouse.filesystem import HashedFile, exists, filesystem_of, join
from headwater.warehouse.fragments import rows_of
from headwater.warehouse.parquet import FragmentFiles, read_aligned, read_sparse, slice_by_bytes

__all__ = [
    "BINS",
    "OTHERS",
    "CountJob",
    "CountTarget",
    "Counted",
    "count_target",
    "known_target",
    "merge_bin",
    "read_bin",
]

BINS: Final = 32
OTHERS: Final = "*"
"""Stands for every language without a weight of its own: their pieces are counted together."""
_HELD_PIECES: Final = 1_000_000
_MOST_COUNT: Final = 1 << 20
_MARK: Final = b"headwater.counted"
_COLUMNS: Final = {
    "content": ["text", "text_bytes", "content_hash", "source", "uri"],
    "language": ["language"],
    "scores": ["domain"],
}


@dataclass(frozen=True, kw_only=True, slots=True)
class CountJob:
    """What every task of a count knows.

    Attributes:
        folder: where part files go; a folder of this training alone.
        max_document_bytes: most bytes taken of one document.
        languages: those whose pieces are counted apart.
        base: the vocabulary that is extended, whose pre-tokenizer cuts the text; None for Headwater's own.
    """

    table: str
    folder: str
    max_document_bytes: int
    languages: frozenset[str]
    base: Vocabulary | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CountTarget:
    """Neighbouring fragments that are counted together."""

    fragments: tuple[FragmentFiles, ...]

    @property
    def key(self) -> str:
        """Name of the target's files: its fragments, in a folder that is already of one state of the lake."""
        return fingerprint([where.fragment for where in self.fragments])


@dataclass(frozen=True, kw_only=True, slots=True)
class Counted:
    """What a counting task says.

    Attributes:
        samples: file name of the samples and the bytes taken of each.
        parts: file names of part files.
        cells: "language/domain" → documents and bytes.
    """

    samples: str
    parts: Sequence[str]
    cells: dict[str, list[int]] = field(default_factory=dict)


def known_target(folder: str, target: CountTarget) -> Counted | None:
    """Return what an earlier try of the same training counted of a target, or None."""
    filesystem, path = filesystem_of(join(folder, f"{target.key}.samples.parquet"))
    if exists(filesystem, path) is None:
        return None
    with filesystem.open_input_file(path) as file:
        stored = pq.read_schema(file).metadata
    return Counted(**json.loads(stored[_MARK]))


def count_target(job: CountJob, target: CountTarget, ids: npt.NDArray[np.int64]) -> Counted:
    """Count the pieces of some samples of a target and write them down; runs in a Spark task.

    Args:
        ids: sample_id, ascending.
    """
    cutter = None if job.base is None else library_pieces(job.base)
    held: list[pa.Table] = []
    samples: list[pa.Table] = []
    parts: list[str] = []
    for where in target.fragments:
        begin, end = rows_of(where.fragment, ids)
        if begin == end:
            continue
        for batch in _texts(job, where, pa.array(ids[begin:end])):
            samples.append(batch.select(["sample_id", "sampled_bytes", "cell"]))
            held.append(_count(job, batch, cutter))
            if sum(table.num_rows for table in held) > _HELD_PIECES:
                held = [merge_counts(held)]
                if held[0].num_rows > _HELD_PIECES // 2:
                    parts.append(_write_part(job.folder, target.key, len(parts), held.pop()))
    if held:
        parts.append(_write_part(job.folder, target.key, len(parts), merge_counts(held)))
    reach_in_task(VOCABULARY_COUNTS)
    return _write_samples(job.folder, target.key, samples, parts)


def _texts(job: CountJob, where: FragmentFiles, ids: pa.Array) -> Iterator[pa.Table]:
    """Yield the chosen samples of a fragment: text as it is counted, content_hash, stratum, origin of boilerplate, cell."""
    spans = read_sparse(job.table, where, "spans", SPAN_COLUMNS) if "spans" in where.files else None
    for rows in read_aligned(job.table, where, _COLUMNS):
        chosen = rows.filter(pc.is_in(rows["sample_id"], ids))
        for batch in slice_by_bytes(chosen):
            texts = batch["text"].combine_chunks() if spans is None else without_spans(batch, spans)
            texts = cut_texts(texts, job.max_document_bytes)
            language = pc.coalesce(batch["language"], "und")
            named = pc.is_in(language, pa.array(sorted(job.languages), pa.string()))
            yield pa.table(
                {
                    "sample_id": batch["sample_id"],
                    "sampled_bytes": pc.binary_length(texts).cast(pa.int64()),
                    "cell": pc.binary_join_element_wise(language, pc.coalesce(batch["domain"], ""), "/"),
                    "text": texts,
                    "content_hash": batch["content_hash"],
                    "source": hosts(batch["uri"], batch["source"]),
                    "stratum": pc.if_else(named, language, OTHERS),
                }
            )


def cut_texts(texts: pa.Array, most_bytes: int) -> pa.Array:
    """Return the first bytes of each text, at most ``most_bytes``, ending at the end of a character.

    >>> cut_texts(pa.array(["aé", "ab"]), 2).to_pylist()
    ['a', 'ab']
    """
    lengths = pc.binary_length(texts).to_numpy().astype(np.int64)
    rows = np.flatnonzero(lengths > most_bytes)
    ends = np.empty(len(rows), dtype=np.int64)
    for place, row in enumerate(rows.tolist()):
        data = texts[row].as_buffer()
        end = most_bytes
        while data[end] & 0xC0 == 0x80:
            end -= 1
        ends[place] = end
    return apply_spans(texts, rows, ends, lengths[rows], ["drop"] * len(rows))


def _count(job: CountJob, batch: pa.Table, cutter: Callable[[str], Iterable[bytes]] | None) -> pa.Table:
    return count_pieces(batch["text"], batch["content_hash"], batch["source"], batch["stratum"], cutter)


def _write_part(folder: str, key: str, number: int, counts: pa.Table) -> str:
    """Write counts as a row group a bin and return the file's name; a task that is tried again writes a file of its own."""
    bins = bin_pieces(counts["piece"], BINS)
    order = np.argsort(bins, kind="stable")
    bounds = np.searchsorted(bins[order], np.arange(BINS + 1)).tolist()
    name = f"{key}-{number}-{secrets.token_hex(8)}.parquet"

    def groups() -> Iterator[pa.Table]:
        for begin, end in zip(bounds[:-1], bounds[1:], strict=True):
            yield counts.take(pa.array(order[begin:end]))

    _write(folder, name, SCHEMA, groups())
    return name


def _write(folder: str, name: str, schema: pa.Schema, groups: Iterable[pa.Table]) -> None:
    file = HashedFile(folder, folder.rsplit("/", 2)[0])
    try:
        with pq.ParquetWriter(file.sink, schema, compression="zstd", write_page_checksum=True) as writer:
            for group in groups:
                writer.write_table(group.cast(schema), row_group_size=max(1, group.num_rows))
        file.publish(name)
    except BaseException:
        file.discard()
        raise


def _write_samples(folder: str, key: str, samples: Sequence[pa.Table], parts: Sequence[str]) -> Counted:
    empty = pa.table(
        {
            "sample_id": pa.array([], pa.int64()),
            "sampled_bytes": pa.array([], pa.int64()),
            "cell": pa.array([], pa.string()),
        }
    )
    table = pa.concat_tables([empty, *samples])
    sums = table.group_by("cell").aggregate([("sampled_bytes", "count"), ("sampled_bytes", "sum")]).sort_by("cell")
    rows = zip(*(sums[name].to_pylist() for name in ("cell", "sampled_bytes_count", "sampled_bytes_sum")), strict=True)
    counted = Counted(
        samples=f"{key}.samples.parquet", parts=list(parts), cells={cell: [n, size] for cell, n, size in rows}
    )
    mark = json.dumps({"samples": counted.samples, "parts": counted.parts, "cells": counted.cells})
    schema = table.schema.remove_metadata().with_metadata({_MARK: mark.encode()})
    _write(folder, counted.samples, schema, [table])
    return counted


def read_bin(folder: str, name: str, number: int) -> pa.Table:
    """Return one bin of a file of counts.

    Raises:
        CorruptLakeError: it cannot be read.
    """
    filesystem, path = filesystem_of(join(folder, name))
    try:
        with filesystem.open_input_file(path) as file:
            return pq.ParquetFile(file, page_checksum_verification=True).read_row_group(number).cast(SCHEMA)
    except (OSError, pa.ArrowException) as error:
        raise_of_file_system(error, path)
        raise CorruptLakeError(f"cannot read {path}: {error}; delete its folder, then train again") from error


def merge_bin(folder: str, parts: Sequence[str], number: int) -> tuple[str, dict[int, int], list[int]]:
    """Add up one bin of all parts, write it down, and return its file, count → how many pieces, and some sources; runs in a Spark task.

    Memory: the bin's distinct pieces, and as many again or a million more while they are added up.
    """
    added = SCHEMA.empty_table()
    waiting: list[pa.Table] = []
    for name in parts:
        waiting.append(read_bin(folder, name, number))
        if sum(table.num_rows for table in waiting) > max(_HELD_PIECES, added.num_rows):
            added, waiting = merge_counts([added, *waiting]), []
    counts = merge_counts([added, *waiting])
    name = f"merged-{number}-{secrets.token_hex(8)}.parquet"
    _write(folder, name, SCHEMA, [counts])
    values, pieces = np.unique(np.minimum(counts["count"].to_numpy(), _MOST_COUNT), return_counts=True)
    sources = np.unique(pc.list_flatten(counts["sources"]).to_numpy())[:8]
    return name, dict(zip(values.tolist(), pieces.tolist(), strict=True)), sources.tolist()
