"""What an input file is, found from its bytes first and its name second, its SHA-256, and where it can be split.

Names lie: ``data.jsonl.gz`` that a download tool unpacked already, JSON Lines called ``.txt``, gzip without an extension. Magic numbers
decide compression and Parquet; a beginning like ``{"name":`` decides JSON Lines. The name decides only between what bytes cannot tell
apart: whether other text is one document (``.txt``, ``.text``, ``.md``, ``.markdown``, ``.rst``), a page of the web (``.html``, ``.htm``,
``.xhtml``), a JSON Lines file that begins with a bad line (``.jsonl``, ``.ndjson``, ``.json``) or a web archive that begins with a broken record
(``.warc``, ``.wet``, ``.wat``). Whatever is left (CSV, images, archives of files, UTF-16, a JSON array) is ``unknown``.
"""

from __future__ import annotations

import codecs
import contextlib
import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Final

import orjson

from headwater.errors import BadInputError, StorageError
from headwater.pipelines.ingest.chunks import (
    BlockHasher,
    Blocks,
    Chunk,
    ChunkHasher,
    LineSplitter,
    row_group_chunks,
)
from headwater.pipelines.ingest.decompress import BLOCK_BYTES, COMPRESSIONS, Limits, unpacked_blocks
from headwater.pipelines.ingest.opening import file_state, name_of, open_stream
from headwater.pipelines.ingest.refusals import fault
from headwater.pipelines.ingest.web.members import Members
from headwater.pipelines.ingest.web.split import archive_chunks
from headwater.pipelines.ingest.web.stored import Stored

__all__ = ["ARCHIVES", "HEAD_BYTES", "WEB", "FileInfo", "detect_compression", "detect_format", "inspect_file"]

HEAD_BYTES: Final = 64 << 10
"""How much of a file's unpacked beginning decides its format."""

ARCHIVES: Final = ("warc", "wat", "wet")
"""Formats of web archives: what their first records are tells which; they are read alike."""
WEB: Final = (*ARCHIVES, "html")
"""Formats of the web."""

_MAGIC = re.compile(
    rb"(?P<gz>\x1f\x8b)|(?P<zst>\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18)|(?P<bz2>BZh[1-9])|(?P<xz>\xfd7zXZ\x00)"
)
_JSON_OBJECT = re.compile(rb"[ \t\r\n]*\{[ \t\r\n]*(?:\}|\"[^\"\\]*+(?:\\.[^\"\\]*+)*+\"[ \t\r\n]*:)", re.DOTALL)
_JSON_LINE = re.compile(rb"^[ \t\r]*\{[ \t\r]*\"", re.MULTILINE)
_PAGE = re.compile(
    rb"\s*+(?:<\?xml[^>]*>\s*+)?+(?><!--.*?-->\s*+)*+<(?:!doctype\s+html\b|html[\s>])", re.IGNORECASE | re.DOTALL
)
_MARKUP = re.compile(rb"\s*<[a-zA-Z!?]")
_ARCHIVE = re.compile(rb"[\r\n]*WARC/[01]\.")
_RECORD_TYPE = re.compile(rb"^WARC-Type:[ \t]*(\w+)", re.MULTILINE | re.IGNORECASE)
_ARCHIVE_NAMES = {f".{name}" for name in ARCHIVES}
_PAGE_NAMES = {".htm", ".html", ".xht", ".xhtml"}
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_DICTIONARY = b"\x5d\x2a\x4d\x18"
_JSONL_NAMES = {".json", ".jsonl", ".ndjson"}
_TEXT_NAMES = {".markdown", ".md", ".rst", ".text", ".txt"}
_COMPRESSED_NAMES = {".bz2", ".gz", ".xz", ".zst", ".zstd"}


@dataclass(frozen=True, kw_only=True, slots=True)
class FileInfo:
    """An input file as one streaming read found it.

    Attributes:
        sha256: of the stored (compressed) bytes, hexadecimal.
        size: stored bytes.
        format: ``jsonl``, ``parquet``, ``text``, one of ``WEB`` or ``unknown``; reading an unknown file gives one refusal, ``wrong_format``.
        compression: ``''``, ``gz``, ``zst``, ``bz2`` or ``xz``.
        chunks: in order, together the whole file; none for an empty JSON Lines file.
        blocks: hashes of the blocks of a Parquet file that is split.
    """

    sha256: str
    size: int
    format: str
    compression: str
    chunks: tuple[Chunk, ...]
    blocks: Blocks | None = field(default=None, compare=False)

    @property
    def kind(self) -> str:
        """Format and compression, as family ``files`` has them: ``jsonl.gz``."""
        return self.format + (f".{self.compression}" if self.compression else "")


def detect_compression(head: bytes) -> str:
    """Return the compression that the first bytes of a file show, ``''`` for none.

    >>> detect_compression(bytes.fromhex("1f8b08")), detect_compression(b'{"text":')
    ('gz', '')
    """
    match = _MAGIC.match(head)
    return match.lastgroup or "" if match else ""


def detect_format(head: bytes, name: str) -> str:
    """Return ``jsonl``, ``parquet``, ``text``, ``warc``, ``wat``, ``wet``, ``html`` or ``unknown``.

    Args:
        head: the first 64 KiB of the file after unpacking, or all of a shorter one.
        name: the file's name; a compression's extension at its end is passed over.

    >>> detect_format(b'{"text": "one line"}', "data.txt"), detect_format(b"a,b", "data.csv")
    ('jsonl', 'unknown')
    """
    suffix = _inner_suffix(name)
    if head.startswith(b"PAR1"):
        return "parquet"
    if _ARCHIVE.match(head):
        return _kind_of_archive(head)
    if suffix in _ARCHIVE_NAMES and not _JSON_OBJECT.match(head):
        return suffix[1:]
    if suffix in _PAGE_NAMES and head.startswith(_UTF16_MARKS):
        return "html"
    head = head.removeprefix(codecs.BOM_UTF8)
    if _JSON_OBJECT.match(head):
        if suffix not in _TEXT_NAMES:
            return "jsonl"
        return "jsonl" if _first_line_is_object(head) else "text"
    if suffix in _TEXT_NAMES:
        return "text"
    if not head and suffix != ".parquet":
        return "jsonl"
    if suffix not in _JSONL_NAMES and (_PAGE.match(head) or (suffix in _PAGE_NAMES and _is_page(head))):
        return "html"
    # A JSON array, whose every line would otherwise be refused one by one.
    array = suffix == ".json" and head.lstrip().startswith(b"[")
    return "jsonl" if suffix in _JSONL_NAMES and not array and not _is_binary(head) else "unknown"


def _kind_of_archive(head: bytes) -> str:
    types = {found.lower() for found in _RECORD_TYPE.findall(head)}
    if types & {b"response", b"request", b"resource", b"revisit"}:
        return "warc"
    return "wet" if b"conversion" in types else "wat" if b"metadata" in types else "warc"


def _is_page(head: bytes) -> bool:
    return _MARKUP.match(head) is not None or not _is_binary(head)


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
        BadInputError: ``file_changed``, while it was read.
    """
    name = name_of(uri)
    digest = hashlib.sha256()
    read = 0
    try:
        before = file_state(uri)
        blocks = _stored_blocks(uri)
        first = next(blocks, b"")
        compression = detect_compression(first)
        head = _unpacked_head(uri, compression, limits, first) if compression else first[:HEAD_BYTES]
        found = detect_format(head, name)
        if compression and found == "parquet":
            found = "unknown"  # Parquet is read from its end and cannot be inside a stream
        parts = (
            archive_chunks(uri, size, compression, limits) if found in ARCHIVES and size > limits.split_bytes else ()
        )
        archive = ChunkHasher(parts if len(parts) > 1 else ())
        split = found == "jsonl" and compression == "" and size > limits.split_bytes
        splitter = LineSplitter(limits.split_bytes)
        groups = row_group_chunks(uri, limits) if found == "parquet" else ()
        hasher = BlockHasher(size) if len(groups) > 1 else None
        for block in _chain(first, blocks):
            digest.update(block)
            read += len(block)
            archive.add(block)
            if split:
                splitter.add(block)
            if hasher is not None:
                hasher.add(block)
        if found == "parquet":
            chunks = groups
        elif len(parts) > 1:
            chunks = archive.finish()
        elif split:
            chunks = splitter.finish()
        elif found in {"jsonl", *ARCHIVES} and read == 0 and not _named_compression(name):
            chunks = ()
        else:
            chunks = (Chunk(begin=0, end=read, first_record=0),)
        if file_state(uri) != before:
            raise fault("file_changed", uri)
    except OSError as error:
        raise StorageError(
            f"cannot read the input file {uri}: {error}; check that it is there and may be read"
        ) from error
    if read == 0:
        compression = _named_compression(name)
    return FileInfo(
        sha256=digest.hexdigest(),
        size=read,
        format=found,
        compression=compression,
        chunks=chunks,
        blocks=None if hasher is None else hasher.finish(),
    )


def _named_compression(name: str) -> str:
    # Nothing at all where packed data were expected: read as such, so that it is refused as truncated.
    suffix = PurePosixPath(name.lower()).suffix.removeprefix(".")
    return "zst" if suffix == "zstd" else suffix if suffix in COMPRESSIONS else ""


def _chain(first: bytes, rest: Iterable[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from rest


def _stored_blocks(uri: str) -> Iterator[bytes]:
    with open_stream(uri) as stream:
        while block := stream.read(BLOCK_BYTES):
            yield block


def _unpacked_head(uri: str, compression: str, limits: Limits, first: bytes) -> bytes:
    if first.startswith(_DICTIONARY):
        return _archive_head(uri, compression, limits)
    head = b""
    # A fault is met again, and reported, when the records are read.
    with contextlib.suppress(BadInputError):
        for block in unpacked_blocks(uri, compression, limits):
            head += block[:HEAD_BYTES]
            if len(head) >= HEAD_BYTES:
                break
    return head[:HEAD_BYTES]


def _archive_head(uri: str, compression: str, limits: Limits) -> bytes:
    """Return the head of a zstd archive whose frames need the dictionary at its beginning."""
    head = b""
    with Stored(uri, hashing=False) as stored:
        for piece in Members(stored, uri, compression, limits).pieces(0):
            head += piece.data
            if piece.fault is not None or len(head) >= HEAD_BYTES:
                break
    return head[:HEAD_BYTES]
