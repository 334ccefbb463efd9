"""Bytes of an input file, unpacked as a stream in bounded memory: plain, gzip, zstd, bzip2 and xz.

Concatenated members (``cat a.gz b.gz``, pbzip2, pigz, multi-frame zstd) are one stream, as for the command-line tools. What a hostile
file can cost is bounded: a block is at most 1 MiB, a zstd window 128 MiB (the library's own default), an xz decoder 256 MiB, and the
output at most ``Limits.max_expansion_ratio`` times the bytes read so far.

A truncated file gives every byte that can be unpacked before the fault. In a corrupt one the bytes of the decoder's last step (up to
1 MiB) are lost with it, since they cannot be told from damaged ones. zstd frames often carry no checksum: damage inside one may pass
here as other text, and only a second copy of the file could tell.
"""

from __future__ import annotations

import bz2
import contextlib
import lzma
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

import pyarrow as pa

from headwater.errors import StorageError
from headwater.pipelines.ingest.opening import open_stream
from headwater.pipelines.ingest.refusals import fault
from headwater.pipelines.recipe.bounds import EXPANSION_RATIO, NESTING, RECORD_BYTES, Bounds
from headwater.pipelines.recipe.checks import check_whole

__all__ = ["BLOCK_BYTES", "COMPRESSIONS", "Limits", "unpacked_blocks"]

BLOCK_BYTES: Final = 1 << 20
COMPRESSIONS: Final = {"bz2": "bz2", "gz": "gzip", "xz": "xz", "zst": "zstd"}
"""Compression as ``FileInfo`` names it → the codec."""

_RATIO_GRACE_BYTES = 1 << 20
_XZ_MEMORY_BYTES = 256 << 20
_MEMBER_INPUT_BYTES = 64 << 10
_STORED_BYTES = 1 << 20
_BOUNDS: Final = {
    "max_record_bytes": RECORD_BYTES,
    "max_expansion_ratio": EXPANSION_RATIO,
    "max_nesting": NESTING,
    "split_bytes": Bounds(1, 1 << 62),
    "batch_bytes": RECORD_BYTES,
    "batch_records": Bounds(1, 1 << 30),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What one input record and file may cost; a limit out of ``headwater.pipelines.recipe.bounds`` raises RecipeError.

    Attributes:
        max_record_bytes: longest JSON line, Parquet text or text file, bytes after unpacking.
        max_expansion_ratio: unpacked bytes a byte read, checked once 1 MiB has come out. Text packs 3 to 10 times, logs and tables
            up to 100; gzip can reach 1032 and zstd more, so a file of one repeated record may be refused although it is honest:
            raise the limit for such a source. Records before the limit are kept.
        max_nesting: deepest nesting of arrays and objects in a record; the record itself is 1.
        split_bytes: a plain JSON Lines or Parquet file larger than this is split among tasks in chunks of about this size.
        batch_bytes: most bytes of records in one batch; a record that is longer alone makes a batch of its own.
        batch_records: most records in one batch, refused ones included.
    """

    max_record_bytes: int = 16 << 20
    max_expansion_ratio: int = 200
    max_nesting: int = 64
    split_bytes: int = 64 << 20
    batch_bytes: int = 16 << 20
    batch_records: int = 16384

    def __post_init__(self) -> None:
        for name, bounds in _BOUNDS.items():
            check_whole(name, getattr(self, name), *bounds)


class _ByteStream(Protocol):
    def read(self, size: int) -> bytes: ...


class _Decoder(Protocol):
    def decompress(self, data: bytes, max_length: int) -> bytes: ...

    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...


def _xz_decoder() -> _Decoder:
    return lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=_XZ_MEMORY_BYTES)


class _MemberStream:
    """Reads concatenated bzip2 or xz streams; pyarrow has no xz, and its bzip2 fails on an empty member."""

    def __init__(self, raw: _ByteStream, make_decoder: Callable[[], _Decoder], padding: bytes) -> None:
        self._raw = raw
        self._make_decoder = make_decoder
        self._padding = padding
        self._decoder: _Decoder | None = None
        self._pending = b""

    def read(self, size: int) -> bytes:
        """Return up to ``size`` unpacked bytes, empty at the end."""
        pieces: list[bytes] = []
        while size > 0:
            decoder = self._decoder or self._next_decoder()
            if decoder is None:
                break
            data, self._pending = self._pending, b""
            if not data and decoder.needs_input:
                data = self._raw.read(_MEMBER_INPUT_BYTES)
                if not data:
                    raise EOFError
            piece = decoder.decompress(data, size)
            pieces.append(piece)
            size -= len(piece)
            if decoder.eof:
                self._pending = decoder.unused_data
                self._decoder = None
        return b"".join(pieces)

    def _next_decoder(self) -> _Decoder | None:
        while True:
            self._pending = (self._pending or self._raw.read(_MEMBER_INPUT_BYTES)).lstrip(self._padding)
            if self._pending:
                self._decoder = self._make_decoder()
                return self._decoder
            self._pending = self._raw.read(_MEMBER_INPUT_BYTES)
            if not self._pending:
                return None


class _CountedReader:
    """Passes reads on, counts their bytes and remembers whether the store failed; pyarrow's buffered streams cannot tell."""

    closed = False

    def __init__(self, raw: _ByteStream) -> None:
        self._raw = raw
        self.count = 0
        self.failed = False

    def read(self, size: int) -> bytes:
        """Return up to ``size`` stored bytes."""
        try:
            data: bytes = self._raw.read(size)
        except (OSError, StorageError):
            self.failed = True
            raise
        self.count += len(data)
        return data

    def readable(self) -> bool:
        """Return True: pyarrow asks."""
        return True

    def close(self) -> None:
        """Refuse more reading; the stream beneath is closed by its owner."""
        self.closed = True


@contextlib.contextmanager
def _open_unpacked(uri: str, compression: str) -> Iterator[tuple[_ByteStream, _CountedReader]]:
    with open_stream(uri) as raw:
        counted = _CountedReader(raw)
        if compression == "bz2":
            yield _MemberStream(counted, bz2.BZ2Decompressor, b""), counted
        elif compression == "xz":
            # Zero bytes may pad the end of a stream (the xz file format, section 2.2).
            yield _MemberStream(counted, _xz_decoder, b"\0"), counted
        else:
            with pa.CompressedInputStream(counted, COMPRESSIONS[compression]) as stream:
                yield stream, counted


def unpacked_blocks(uri: str, compression: str, limits: Limits) -> Iterator[bytes]:
    """Yield the unpacked bytes of the file ``uri`` in order, in blocks of at most 1 MiB.

    Args:
        uri: the file.
        compression: ``''``, ``gz``, ``zst``, ``bz2`` or ``xz``, as its content shows.
        limits: only ``max_expansion_ratio`` is used.

    Raises:
        BadInputError: ``truncated_compression``, ``corrupt_compression`` or ``expansion_ratio``, after the bytes before the fault.
        OSError: the file cannot be opened, or a plain one not be read.
    """
    if compression == "":
        with open_stream(uri) as stream:
            while block := stream.read(BLOCK_BYTES):
                yield block
        return
    given = 0
    reason = "corrupt_compression"
    # A decoder that meets a fault drops what the same call had unpacked: read again up to there, in ever smaller steps.
    for step in (BLOCK_BYTES, 4096, 1):
        with _open_unpacked(uri, compression) as (stream, raw):
            _skip(stream, given)
            while True:
                try:
                    block = stream.read(step)
                except (OSError, EOFError, lzma.LZMAError, pa.ArrowException, StorageError) as error:
                    truncated = isinstance(error, EOFError) or "Truncated" in str(error)
                    if raw.failed:
                        raise
                    reason = "truncated_compression" if truncated else "corrupt_compression"
                    break
                if not block:
                    if given == 0 and raw.count == 0:
                        raise fault("truncated_compression", uri)
                    return
                given += len(block)
                if given > _RATIO_GRACE_BYTES and given > limits.max_expansion_ratio * max(raw.count, 1):
                    raise fault("expansion_ratio", uri)
                yield block
    raise fault(reason, uri)


def _skip(stream: _ByteStream, size: int) -> None:
    while size > 0:
        size -= len(stream.read(min(size, BLOCK_BYTES)))
