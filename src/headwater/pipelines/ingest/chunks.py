"""Where a large input file can be split among tasks, and how each task knows that what it read is what was hashed.

The SHA-256 by which a file is known is taken when it is inspected. Its records are read later, some of them by other tasks, and in between
the file may have been written to: so whoever reads a chunk hashes the bytes of that chunk again, in the same pass where they come in order
(JSON Lines), else right after it.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from headwater.pipelines.ingest.decompress import BLOCK_BYTES, Limits
from headwater.pipelines.ingest.opening import open_file

__all__ = ["Chunk", "LineSplitter", "RowGroupChunks", "hash_range", "row_group_chunks"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Chunk:
    """The part of a file that one task reads.

    Attributes:
        begin: first byte of a plain JSON Lines file, or first row group of a Parquet file; else 0.
        end: first byte or row group after it; the stored size of a file that is not split.
        first_record: number of its first record in the file.
        stored: (first byte, first byte after) of the ranges that are read for a chunk of a file that is split; none of a whole file.
        digest: SHA-256 of these bytes, hexadecimal; empty for a whole file, which has its own.
    """

    begin: int
    end: int
    first_record: int
    stored: tuple[tuple[int, int], ...] = field(default=(), compare=False)
    digest: str = field(default="", compare=False)


class LineSplitter:
    """Finds chunks of about ``split_bytes`` that end at line ends, and the number of each one's first line."""

    def __init__(self, split_bytes: int) -> None:
        self._split_bytes = split_bytes
        self._chunks: list[Chunk] = []
        self._begin = self._first_line = 0
        self._position = self._lines = 0
        self._digest = hashlib.sha256()

    def add(self, block: bytes) -> None:
        """Go on with the next block of the file."""
        view = memoryview(block)
        counted = 0
        while True:
            # The chunk ends after the first newline at or beyond its target size.
            wanted = max(self._begin + self._split_bytes - 1 - self._position, counted)
            newline = block.find(b"\n", wanted) if wanted < len(block) else -1
            if newline < 0:
                break
            self._lines += block.count(b"\n", counted, newline + 1)
            self._digest.update(view[counted : newline + 1])
            counted = newline + 1
            self._end_chunk(self._position + counted)
        self._lines += block.count(b"\n", counted)
        self._digest.update(view[counted:])
        self._position += len(block)

    def _end_chunk(self, end: int) -> None:
        self._chunks.append(
            Chunk(
                begin=self._begin,
                end=end,
                first_record=self._first_line,
                stored=((self._begin, end),),
                digest=self._digest.hexdigest(),
            )
        )
        self._begin, self._first_line = end, self._lines
        self._digest = hashlib.sha256()

    def finish(self) -> tuple[Chunk, ...]:
        """Return the chunks, in order, together the whole file."""
        if self._position > self._begin:
            self._end_chunk(self._position)
        return tuple(self._chunks)


_ONE_CHUNK: Final = (Chunk(begin=0, end=0, first_record=0),)


class RowGroupChunks:
    """The chunks of a Parquet file, each a run of row groups, and the hashes of the bytes where these lie.

    The end of the file, from the last chunk's end on, holds the footer; every chunk's hash covers it.

    Args:
        chunks: without hashes; ``stored`` is the one range of each, ascending and without gaps from 0 on.
    """

    def __init__(self, chunks: Sequence[Chunk]) -> None:
        self._chunks = chunks
        self._digests = [hashlib.sha256() for _ in chunks]
        self._position = 0
        self._at = 0

    def add(self, block: bytes) -> None:
        """Go on with the next block of the file."""
        if len(self._chunks) < 2:
            return
        view = memoryview(block)
        while view:
            if self._at == len(self._chunks):
                for digest in self._digests:
                    digest.update(view)
                self._position += len(view)
                return
            part = view[: self._chunks[self._at].stored[0][1] - self._position]
            self._digests[self._at].update(part)
            self._position += len(part)
            view = view[len(part) :]
            if self._position == self._chunks[self._at].stored[0][1]:
                self._at += 1

    def finish(self) -> tuple[Chunk, ...]:
        """Return the chunks, in order, together the whole file."""
        if len(self._chunks) < 2:
            return tuple(dataclasses.replace(chunk, stored=()) for chunk in self._chunks)
        last = self._chunks[-1].stored[0][1]
        return tuple(
            dataclasses.replace(chunk, stored=(*chunk.stored, (last, self._position)), digest=digest.hexdigest())
            for chunk, digest in zip(self._chunks, self._digests, strict=True)
        )


def row_group_chunks(uri: str, limits: Limits) -> RowGroupChunks:
    """Return the chunks of a Parquet file; one that cannot be read has one chunk, whose reading reports the fault.

    Raises:
        OSError: the file cannot be opened.
    """
    with open_file(uri) as stream:
        try:
            metadata: pq.FileMetaData = pq.read_metadata(stream)
            chunks = list(_described_chunks(metadata, limits))
        except (pa.ArrowException, OSError, ValueError):
            return RowGroupChunks(_ONE_CHUNK)
    bounds = [chunk.stored[0] for chunk in chunks]
    in_order = all(left[1] <= right[0] for left, right in pairwise(bounds)) and all(a <= b for a, b in bounds)
    if not chunks or not in_order:
        # Row groups that overlap, or lie in another order than they are numbered: no writer does so, and a whole file has its own hash.
        return RowGroupChunks((Chunk(begin=0, end=metadata.num_row_groups, first_record=0),))
    ends = [right[0] for right in bounds[1:]] + [bounds[-1][1]]
    begins = [0, *ends[:-1]]
    return RowGroupChunks(
        [
            dataclasses.replace(chunk, stored=((begin, end),))
            for chunk, begin, end in zip(chunks, begins, ends, strict=True)
        ]
    )


def _described_chunks(metadata: pq.FileMetaData, limits: Limits) -> Iterator[Chunk]:
    """Yield runs of row groups of about ``split_bytes``, each with the range in which the footer says that its columns lie."""
    begin = first_row = rows = group_bytes = 0
    first_byte, last_byte = None, 0
    for group in range(metadata.num_row_groups):
        described = metadata.row_group(group)
        rows += described.num_rows
        group_bytes += described.total_byte_size
        for number in range(described.num_columns):
            column = described.column(number)
            at = column.data_page_offset
            if column.has_dictionary_page and column.dictionary_page_offset:
                at = min(at, column.dictionary_page_offset)
            first_byte = at if first_byte is None else min(first_byte, at)
            last_byte = max(last_byte, at + column.total_compressed_size)
        if group_bytes >= limits.split_bytes or group == metadata.num_row_groups - 1:
            yield Chunk(begin=begin, end=group + 1, first_record=first_row, stored=((first_byte or 0, last_byte),))
            begin, first_row, group_bytes = group + 1, rows, 0
            first_byte, last_byte = None, 0


def hash_range(uri: str, ranges: Sequence[tuple[int, int]]) -> str:
    """Return the SHA-256 of some ranges of a file, one after the other, hexadecimal; none stands for the whole file.

    Raises:
        OSError: the file cannot be opened or read.
    """
    digest = hashlib.sha256()
    with open_file(uri) as stream:
        for begin, end in ranges or ((0, 1 << 62),):
            stream.seek(begin)
            left = end - begin
            while left > 0 and (block := stream.read(min(left, BLOCK_BYTES))):
                digest.update(block)
                left -= len(block)
    return digest.hexdigest()
