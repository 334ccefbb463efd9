"""Where a large input file can be split among tasks, and how each task knows that what it read is what was hashed.

The SHA-256 by which a file is known is taken when it is inspected. Its records are read later, some of them by other tasks, and in between
the file may have been written to: so whoever reads a chunk hashes again what it reads, in the same pass where the bytes come in order (JSON
Lines), else right after it: the whole file, or of a Parquet file that is split the blocks that were read.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, Final

import pyarrow as pa
import pyarrow.parquet as pq

from headwater.pipelines.ingest.decompress import BLOCK_BYTES, Limits
from headwater.pipelines.ingest.opening import open_file, open_stream, raise_unread
from headwater.warehouse.filesystem import stream_sha256

__all__ = [
    "BlockHasher",
    "Blocks",
    "Chunk",
    "ChunkHasher",
    "LineSplitter",
    "TouchedFile",
    "file_sha256",
    "row_group_chunks",
]

_BLOCK_BYTES: Final = 8 << 20
_MOST_BLOCKS: Final = 1024
_DIGEST_BYTES: Final = 16


def _block_digest() -> hashlib.blake2b:
    return hashlib.blake2b(digest_size=_DIGEST_BYTES)


@dataclass(frozen=True, kw_only=True, slots=True)
class Chunk:
    """The part of a file that one task reads.

    Attributes:
        begin: first byte of a plain JSON Lines file or a web archive, or first row group of a Parquet file; else 0.
        end: first byte or row group after it; the stored size of a file that is not split.
        first_record: number of its first record in the file.
        digest: SHA-256 of the bytes of a chunk of a JSON Lines file or a web archive that is split, hexadecimal; else empty.
        place: of a web archive, where ``begin`` is in the file unpacked.
    """

    begin: int
    end: int
    first_record: int
    digest: str = field(default="", compare=False)
    place: int = 0


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


class ChunkHasher:
    """Hashes chunks that were found before, as the bytes of their file come in order."""

    def __init__(self, chunks: Sequence[Chunk]) -> None:
        self._chunks = list(chunks)
        self._done: list[Chunk] = []
        self._digest = hashlib.sha256()
        self._position = 0

    def add(self, block: bytes) -> None:
        """Go on with the next block of the file."""
        view = memoryview(block)
        while len(self._done) < len(self._chunks) and view:
            chunk = self._chunks[len(self._done)]
            part = view[: chunk.end - self._position]
            self._digest.update(part)
            self._position += len(part)
            view = view[len(part) :]
            if self._position == chunk.end:
                self._done.append(dataclasses.replace(chunk, digest=self._digest.hexdigest()))
                self._digest = hashlib.sha256()

    def finish(self) -> tuple[Chunk, ...]:
        """Return the chunks with their digests; of a file that was cut meanwhile fewer."""
        return tuple(self._done)


class BlockHasher:
    """Hashes a file block by block, a thousand blocks at most, so that any part of it can be hashed again and compared.

    Args:
        size: of the file, bytes.
    """

    def __init__(self, size: int) -> None:
        self.block_bytes = max(_BLOCK_BYTES, -(-size // _MOST_BLOCKS))
        self._digests: list[bytes] = []
        self._digest = _block_digest()
        self._left = self.block_bytes

    def add(self, data: bytes) -> None:
        """Go on with the next bytes of the file."""
        view = memoryview(data)
        while view:
            part = view[: self._left]
            self._digest.update(part)
            self._left -= len(part)
            view = view[len(part) :]
            if not self._left:
                self._end_block()

    def _end_block(self) -> None:
        self._digests.append(self._digest.digest())
        self._digest = _block_digest()
        self._left = self.block_bytes

    def finish(self) -> Blocks:
        """Return the hashes of all blocks."""
        if self._left < self.block_bytes:
            self._end_block()
        return Blocks(block_bytes=self.block_bytes, digests=b"".join(self._digests))


@dataclass(frozen=True, kw_only=True, slots=True)
class Blocks:
    """Hashes of the blocks of a file.

    Attributes:
        digests: 16 bytes a block, in order.
    """

    block_bytes: int
    digests: bytes

    def agree(self, uri: str, touched: set[int]) -> bool:
        """Return whether some blocks of the file are as they were.

        Raises:
            OSError: the file cannot be opened or read.
        """
        with open_file(uri) as stream:
            for block in sorted(touched):
                digest = _block_digest()
                stream.seek(block * self.block_bytes)
                left = self.block_bytes
                while left and (data := stream.read(min(left, BLOCK_BYTES))):
                    digest.update(data)
                    left -= len(data)
                if digest.digest() != self.digests[block * _DIGEST_BYTES : (block + 1) * _DIGEST_BYTES]:
                    return False
        return True


class TouchedFile(io.RawIOBase):
    """A file that notes which of its blocks were read."""

    def __init__(self, stream: BinaryIO, block_bytes: int, touched: set[int]) -> None:
        self._stream = stream
        self._block_bytes = block_bytes
        self._touched = touched

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return where the next read begins."""
        return self._stream.tell()

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move to where the next read is to begin, and return that."""
        self._stream.seek(offset, whence)
        return self._stream.tell()

    def read(self, size: int = -1) -> bytes:
        """Return up to ``size`` bytes."""
        begin = self._stream.tell()
        data = bytes(self._stream.read() if size < 0 else self._stream.read(size))
        if data:
            self._touched.update(range(begin // self._block_bytes, (begin + len(data) - 1) // self._block_bytes + 1))
        return data


def row_group_chunks(uri: str, limits: Limits) -> tuple[Chunk, ...]:
    """Return the chunks of a Parquet file; one that cannot be read has one chunk, whose reading reports the fault.

    Raises:
        OSError: the file cannot be opened.
    """
    one = (Chunk(begin=0, end=0, first_record=0),)
    with open_file(uri) as stream:
        try:
            metadata: pq.FileMetaData = pq.read_metadata(stream)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise_unread(error, uri)
            return one
    chunks = []
    begin = first_row = rows = group_bytes = 0
    for group in range(metadata.num_row_groups):
        # Not of its columns: pyarrow ends the process where the description of one is damaged.
        described = metadata.row_group(group)
        rows += described.num_rows
        group_bytes += described.total_byte_size
        if group_bytes >= limits.split_bytes or group == metadata.num_row_groups - 1:
            chunks.append(Chunk(begin=begin, end=group + 1, first_record=first_row))
            begin, first_row, group_bytes = group + 1, rows, 0
    return tuple(chunks) or one


def file_sha256(uri: str) -> str:
    """Return the SHA-256 of a file, hexadecimal.

    Raises:
        OSError: the file cannot be opened or read.
    """
    with open_stream(uri) as stream:
        return stream_sha256(stream)
