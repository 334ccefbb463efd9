"""What an input file is, found from its bytes first and its name second, its SHA-256, and where it can be split.

Names lie: ``data.jsonl.gz`` that a download tool unpacked already, JSON Lines called ``.txt``, gzip without an extension. Magic numbers
decide compression and Parquet; a beginning like ``{"name":`` decides JSON Lines. The name decides only between what bytes cannot tell
apart: whether other text is one document (``.txt``, ``.text``, ``.md``, ``.markdown``, ``.rst``) or a JSON Lines file that begins with
a bad line (``.jsonl``, ``.ndjson``, ``.json``). Whatever is left (CSV, HTML, images, archives, UTF-16, a JSON array) is ``unknown``.
"""

from __future__ import annotations

import codecs
import contextlib
import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from headwater.errors import BadInputError, StorageError
from headwater.pipelines.ingest.decompress import BLOCK_BYTES, COMPRESSIONS, Limits, unpacked_blocks
from headwater.warehouse.filesystem import filesystem_of

__all__ = ["HEAD_BYTES", "Chunk", "FileInfo", "detect_compression", "detect_format", "inspect_file"]

HEAD_BYTES: Final = 64 << 10
"""How much of a file's unpacked beginning decides its format."""

_MAGIC = re.compile(
    rb"(?P<gz>\x1f\x8b)|(?P<zst>\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18)|(?P<bz2>BZh[1-9])|(?P<xz>\xfd7zXZ\x00)"
)
_JSON_OBJECT = re.compile(rb"[ \t\r\n]*\{[ \t\r\n]*(?:\}|\"[^\"\\]*+(?:\\.[^\"\\]*+)*+\"[ \t\r\n]*:)", re.DOTALL)
_JSON_LINE = re.compile(rb"^[ \t\r]*\{[ \t\r]*\"", re.MULTILINE)
_JSONL_NAMES = {".json", ".jsonl", ".ndjson"}
_TEXT_NAMES = {".markdown", ".md", ".rst", ".text", ".txt"}
_COMPRESSED_NAMES = {".bz2", ".gz", ".xz", ".zst", ".zstd"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Chunk:
    """The part of a file that one task reads.

    Attributes:
        begin: first byte of a plain JSON Lines file, or first row group of a Parquet file; else 0.
        end: first byte or row group after it; the stored size of a file that is not split.
        first_record: number of its first record in the file.
    """

    begin: int
    end: int
    first_record: int


@dataclass(frozen=True, kw_only=True, slots=True)
class FileInfo:
    """An input file as one streaming read found it.

    Attributes:
        sha256: of the stored (compressed) bytes, hexadecimal.
        size: stored bytes.
        format: ``jsonl``, ``parquet``, ``text`` or ``unknown``; reading an unknown file gives one refusal, ``wrong_format``.
        compression: ``''``, ``gz``, ``zst``, ``bz2`` or ``xz``.
        chunks: in order, together the whole file; none for an empty JSON Lines file.
    """

    sha256: str
    size: int
    format: str
    compression: str
    chunks: tuple[Chunk, ...]


def detect_compression(head: bytes) -> str:
    """Return the compression that the first bytes of a file show, ``''`` for none.

    >>> detect_compression(bytes.fromhex("1f8b08")), detect_compression(b'{"text":')
    ('gz', '')
    """
    match = _MAGIC.match(head)
    return match.lastgroup or "" if match else ""


def detect_format(head: bytes, name: str) -> str:
    """Return ``jsonl``, ``parquet``, ``text`` or ``unknown``.

    Args:
        head: the first 64 KiB of the file after unpacking, or all of a shorter one.
        name: the file's name; a compression's extension at its end is passed over.

    >>> detect_format(b'{"text": "one line"}', "data.txt"), detect_format(b"a,b", "data.csv")
    ('jsonl', 'unknown')
    """
    suffix = _inner_suffix(name)
    if head.startswith(b"PAR1"):
        return "parquet"
    head = head.removeprefix(codecs.BOM_UTF8)
    if _JSON_OBJECT.match(head):
        if suffix not in _TEXT_NAMES:
            return "jsonl"
        return "jsonl" if _first_line_is_object(head) else "text"
    if suffix in _TEXT_NAMES:
        return "text"
    if not head and suffix != ".parquet":
        return "jsonl"
    # A JSON array, whose every line would otherwise be refused one by one.
    array = suffix == ".json" and head.lstrip().startswith(b"[")
    return "jsonl" if suffix in _JSONL_NAMES and not array and not _is_binary(head) else "unknown"


def _inner_suffix(name: str) -> str:
    path = PurePosixPath(name.lower())
    return PurePosixPath(path.stem).suffix if path.suffix in _COMPRESSED_NAMES else path.suffix


def _first_line_is_object(head: bytes) -> bool:
    line, newline, _ = head.lstrip().partition(b"\n")
    if not newline and len(head) >= HEAD_BYTES:
        return True  # the line goes on beyond what was read, and no prose begins like an object
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return True


def _is_binary(head: bytes) -> bool:
    # A few bad lines do not make a JSON Lines file binary.
    if _JSON_LINE.search(head):
        return False
    if b"\0" in head:
        return True
    try:
        # A character may be cut at the end of the head: an incremental decoder waits for its rest.
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return True
    return False


def inspect_file(uri: str, size: int, limits: Limits) -> FileInfo:
    """Return what the file ``uri`` is, reading it once in blocks of 1 MiB.

    Args:
        uri: the file.
        size: stored bytes, from the listing; decides whether the file is split.
        limits: ``split_bytes`` is the size of a chunk; the ratio holds for the unpacked head.

    Raises:
        StorageError: the file cannot be opened or read.
    """
    name = PurePosixPath(uri).name
    digest = hashlib.sha256()
    read = 0
    try:
        blocks = _stored_blocks(uri)
        first = next(blocks, b"")
        compression = detect_compression(first)
        head = _unpacked_head(uri, compression, limits) if compression else first[:HEAD_BYTES]
        found = detect_format(head, name)
        if compression and found == "parquet":
            found = "unknown"  # Parquet is read from its end and cannot be inside a stream
        split = found == "jsonl" and compression == "" and size > limits.split_bytes
        splitter = _LineSplitter(limits.split_bytes)
        for block in _chain(first, blocks):
            digest.update(block)
            read += len(block)
            if split:
                splitter.add(block)
        if found == "parquet":
            chunks = _row_group_chunks(uri, limits)
        elif split:
            chunks = splitter.finish()
        elif found == "jsonl" and read == 0 and not _named_compression(name):
            chunks = ()
        else:
            chunks = (Chunk(begin=0, end=read, first_record=0),)
    except OSError as error:
        raise StorageError(
            f"cannot read the input file {uri}: {error}; check that it is there and may be read"
        ) from error
    if read == 0:
        compression = _named_compression(name)
    return FileInfo(sha256=digest.hexdigest(), size=read, format=found, compression=compression, chunks=chunks)


def _named_compression(name: str) -> str:
    # Nothing at all where packed data were expected: read as such, so that it is refused as truncated.
    suffix = PurePosixPath(name.lower()).suffix.removeprefix(".")
    return "zst" if suffix == "zstd" else suffix if suffix in COMPRESSIONS else ""


def _chain(first: bytes, rest: Iterable[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from rest


def _stored_blocks(uri: str) -> Iterator[bytes]:
    filesystem, path = filesystem_of(uri)
    with filesystem.open_input_stream(path, compression=None) as stream:
        while block := stream.read(BLOCK_BYTES):
            yield block


def _unpacked_head(uri: str, compression: str, limits: Limits) -> bytes:
    head = b""
    # A fault is met again, and reported, when the records are read.
    with contextlib.suppress(BadInputError):
        for block in unpacked_blocks(uri, compression, limits):
            head += block[:HEAD_BYTES]
            if len(head) >= HEAD_BYTES:
                break
    return head[:HEAD_BYTES]


class _LineSplitter:
    """Finds chunks of about ``split_bytes`` that end at line ends, and the number of each one's first line."""

    def __init__(self, split_bytes: int) -> None:
        self._split_bytes = split_bytes
        self._chunks: list[Chunk] = []
        self._begin = self._first_line = 0
        self._position = self._lines = 0

    def add(self, block: bytes) -> None:
        counted = 0
        while True:
            # The chunk ends after the first newline at or beyond its target size.
            wanted = max(self._begin + self._split_bytes - 1 - self._position, counted)
            newline = block.find(b"\n", wanted) if wanted < len(block) else -1
            if newline < 0:
                break
            self._lines += block.count(b"\n", counted, newline + 1)
            counted = newline + 1
            end = self._position + counted
            self._chunks.append(Chunk(begin=self._begin, end=end, first_record=self._first_line))
            self._begin, self._first_line = end, self._lines
        self._lines += block.count(b"\n", counted)
        self._position += len(block)

    def finish(self) -> tuple[Chunk, ...]:
        if self._position > self._begin:
            self._chunks.append(Chunk(begin=self._begin, end=self._position, first_record=self._first_line))
        return tuple(self._chunks)


def _row_group_chunks(uri: str, limits: Limits) -> tuple[Chunk, ...]:
    filesystem, path = filesystem_of(uri)
    try:
        with filesystem.open_input_file(path) as stream:
            metadata: pq.FileMetaData = pq.read_metadata(stream)
    except (pa.ArrowException, OSError):
        # One chunk whose reading reports the fault.
        return (Chunk(begin=0, end=0, first_record=0),)
    chunks = []
    begin = first_row = rows = group_bytes = 0
    for group in range(metadata.num_row_groups):
        described = metadata.row_group(group)
        rows += described.num_rows
        group_bytes += described.total_byte_size
        if group_bytes >= limits.split_bytes or group == metadata.num_row_groups - 1:
            chunks.append(Chunk(begin=begin, end=group + 1, first_record=first_row))
            begin, first_row, group_bytes = group + 1, rows, 0
    return tuple(chunks) or (Chunk(begin=0, end=0, first_record=0),)
