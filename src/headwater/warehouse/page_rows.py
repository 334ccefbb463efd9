"""One row of a row group, from the one page of each column that holds it: a hundred columns of a fragment are some megabytes instead of a hundred.

pyarrow reads whole column chunks. Here the pages that hold a row are taken out of a file as they stand, headers, checksums and dictionaries with
them, and put together as a small Parquet file in memory, which pyarrow then reads: no value is decoded here, and checksums are verified as ever.
Only columns without repetition are read so, since only their pages say how many rows they have.

Format: github.com/apache/parquet-format, PageHeader and FileMetaData in Thrift's compact protocol.
"""

from __future__ import annotations

import functools
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

__all__ = ["PHYSICAL", "Chunk", "find_page", "read_pages"]

PHYSICAL: Final = {"BOOLEAN": 0, "INT32": 1, "INT64": 2, "FLOAT": 4, "BYTE_ARRAY": 6}
"""Parquet's numbers of the types that can be read so."""
_CODECS: Final = {"UNCOMPRESSED": 0, "SNAPPY": 1, "ZSTD": 6}
_NUMBERS: Final = {"INT32": ("<i4", 4), "INT64": ("<i8", 8), "FLOAT": ("<f4", 4)}
"""Numbers that a page holds as they are in memory: NumPy's name of them, and bytes."""
_PLAIN_TYPES: Final = {
    "BOOLEAN": pa.bool_(),
    "INT32": pa.int32(),
    "INT64": pa.int64(),
    "FLOAT": pa.float32(),
    "BYTE_ARRAY": pa.binary(),
}
_PLAIN: Final = 0
_MAGIC: Final = b"PAR1"
_DATA_PAGE: Final = 0
_DICTIONARY_PAGE: Final = 2
_DATA_PAGE_V2: Final = 3
_HEAD_BYTES: Final = 160
"""What is read of a page to see its header; one with longer statistics is read again, longer."""
_MOST_HEAD_BYTES: Final = 1 << 16
_I32, _I64, _BINARY, _LIST, _STRUCT = 5, 6, 8, 9, 12


@dataclass(frozen=True, kw_only=True, slots=True)
class Chunk:
    """A column of a row group: its name and where it lies.

    Attributes:
        kind: one of ``PHYSICAL``.
        optional: whether values may be null.
        begin: of its first page in the file, bytes.
        end: first byte after it.
    """

    name: str
    kind: str
    codec: str
    optional: bool
    begin: int
    end: int

    @classmethod
    def of(cls, shape: pq.ColumnSchema, part: pq.ColumnChunkMetaData) -> Chunk | None:
        """Return a column of a row group, or None where it is of a kind that cannot be read so."""
        if shape.max_repetition_level or shape.max_definition_level > 1 or part.physical_type not in PHYSICAL:
            return None
        if part.compression not in _CODECS:
            return None
        begin = part.data_page_offset
        if part.dictionary_page_offset is not None:
            begin = min(begin, part.dictionary_page_offset)
        return cls(
            name=shape.path,
            kind=part.physical_type,
            codec=part.compression,
            optional=bool(shape.max_definition_level),
            begin=begin,
            end=begin + part.total_compressed_size,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """The page of a column that holds a row, with the dictionary that it needs.

    Attributes:
        data: of the page, header and body.
        first: the page's first row in the row group.
        rows: how many it has.
        header: by the numbers of its fields.
        header_bytes: its length.
    """

    chunk: Chunk
    dictionary: bytes
    data: bytes
    first: int
    rows: int
    header: dict[int, object]
    header_bytes: int


def find_page(file: pa.NativeFile, chunk: Chunk, row: int) -> Page | None:
    """Return the page of a column that holds a row of its row group; None where its pages are of a kind that this does not know.

    Raises:
        ValueError: these are no pages, or none of them has the row.
    """
    at, first, dictionary = chunk.begin, 0, b""
    while at < chunk.end:
        header, size = _header(file, at, chunk.end)
        body = _whole(header, 3)
        after = at + size + body
        if body < 0 or after > chunk.end:
            raise ValueError("a page that is longer than its column")
        kind = _whole(header, 1)
        if kind == _DICTIONARY_PAGE:
            dictionary = _bytes(file, at, after)
        elif kind == _DATA_PAGE:
            rows = _whole(_part(header, 5), 1)
            if rows < 0:
                raise ValueError("a page of fewer than no rows")
            if row < first + rows:
                return Page(
                    chunk=chunk,
                    dictionary=dictionary,
                    data=_bytes(file, at, after),
                    first=first,
                    rows=rows,
                    header=header,
                    header_bytes=size,
                )
            first += rows
        elif kind == _DATA_PAGE_V2:
            return None
        else:  # a reader may pass over what it does not know: rows would be missing unseen
            raise ValueError("a page of an unknown kind")
        at = after
    raise ValueError("pages of fewer rows than their row group")


def read_pages(pages: Sequence[Page], row: int) -> dict[str, pa.Array]:
    """Return column → its value in a row of the row group, an array of one, in the plain type that it is stored in.

    Raises:
        pyarrow.ArrowException, OSError: a page is damaged.
    """
    found: dict[str, pa.Array] = {}
    shapes: dict[tuple[int, int], list[Page]] = {}
    for page in pages:
        plain = _plain_value(page, row)
        if plain is not None:
            found[page.chunk.name] = plain
        else:
            shapes.setdefault((page.first, page.rows), []).append(page)
    for (first, _), alike in shapes.items():
        reader = pq.ParquetFile(pa.BufferReader(_small_file(alike)), page_checksum_verification=True, pre_buffer=False)
        table = reader.read_row_group(0, use_threads=False)
        for page in alike:
            found[page.chunk.name] = table[page.chunk.name].slice(row - first, 1).combine_chunks()
    return found


def _plain_value(page: Page, row: int) -> pa.Array | None:
    """Return the value of a row, an array of one, from a page of numbers that are all there and stand one after the other, or of nulls alone.

    Of any other page None.

    Raises:
        pyarrow.ArrowException, OSError, ValueError: the page is damaged.
    """
    kind, width = _NUMBERS.get(page.chunk.kind, ("", 0))
    there = _levels(page.rows, 1) if page.chunk.optional else b""
    nothing = _levels(page.rows, 0)
    crc, size = page.header.get(4), page.header.get(2)
    plain = width > 0 and not page.dictionary and _part(page.header, 5).get(2) == _PLAIN
    as_numbers = plain and size == len(there) + page.rows * width
    as_nulls = page.chunk.optional and size in (
        len(nothing),
        len(nothing) + 1,
    )  # of a dictionary's numbers how wide they are
    if not isinstance(crc, int) or page.chunk.codec != "ZSTD" or not (as_numbers or as_nulls):
        return None
    body = page.data[page.header_bytes :]
    if zlib.crc32(body) != crc & 0xFFFFFFFF:
        raise ValueError("a page of another checksum than its header says")
    values = pa.decompress(body, decompressed_size=size, codec="zstd")
    begins = values[: len(nothing)].to_pybytes()
    if as_nulls and begins == nothing:
        return pa.nulls(1, _PLAIN_TYPES[page.chunk.kind])
    if not as_numbers or begins[: len(there)] != there:
        return None
    return pa.array(np.frombuffer(values, kind, 1, len(there) + (row - page.first) * width))


@functools.lru_cache(maxsize=256)
def _levels(rows: int, level: int) -> bytes:
    r"""Return the definition levels of so many values that are all there, or of nulls alone: a length, and one run of the level.

    >>> _levels(300, 1)
    b'\x03\x00\x00\x00\xd8\x04\x01'
    """
    run = _varint(rows << 1) + bytes([level])
    return len(run).to_bytes(4, "little") + run


def _bytes(file: pa.NativeFile, begin: int, end: int) -> bytes:
    data: bytes = file.read_at(end - begin, begin)
    if len(data) != end - begin:
        raise ValueError("a file that ends within a page")
    return data


def _header(file: pa.NativeFile, at: int, end: int) -> tuple[dict[int, object], int]:
    """Return what the header of a page says, by the numbers of its fields, and how many bytes it has."""
    length = _HEAD_BYTES
    while True:
        data: bytes = file.read_at(min(length, end - at), at)
        try:
            return _read_struct(data, 0)
        except IndexError:
            if length >= min(end - at, _MOST_HEAD_BYTES):
                raise ValueError("a page without an end of its header") from None
            length *= 8


def _whole(header: dict[int, object], field: int) -> int:
    found = header.get(field)
    if not isinstance(found, int):
        raise ValueError(f"a page header without its field {field}")
    return found


def _part(header: dict[int, object], field: int) -> dict[int, object]:
    found = header.get(field)
    if not isinstance(found, dict):
        raise ValueError(f"a page header without its part {field}")
    return found


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("a number of more than 64 bits")


def _read_struct(data: bytes, at: int) -> tuple[dict[int, object], int]:
    """Return the fields of a struct: whole numbers and structs; others are passed over. An end too early is an IndexError."""
    found: dict[int, object] = {}
    field = 0
    while True:
        head = data[at]
        at += 1
        if head == 0:
            return found, at
        kind, delta = head & 15, head >> 4
        if delta == 0:
            raise ValueError("a field of a page header that is far from the one before")
        field += delta
        if kind in (4, _I32, _I64):
            value, at = _read_varint(data, at)
            found[field] = (value >> 1) ^ -(value & 1)
        elif kind in (1, 2):
            found[field] = kind == 1
        elif kind == _BINARY:
            length, at = _read_varint(data, at)
            at += length
            if length:
                data[at - 1]  # an end too early is told at once
        elif kind == _STRUCT:
            found[field], at = _read_struct(data, at)
        else:
            raise ValueError(f"a field of kind {kind} in a page header")


def _varint(value: int) -> bytes:
    r"""Return a number from 0 in groups of seven bits.

    >>> _varint(300)
    b'\xac\x02'
    """
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _field(delta: int, kind: int, data: bytes) -> bytes:
    return bytes([delta << 4 | kind]) + data


def _number(delta: int, kind: int, value: int) -> bytes:
    return _field(delta, kind, _varint(value << 1))


def _text(value: str) -> bytes:
    data = value.encode()
    return _varint(len(data)) + data


def _list(kind: int, items: Sequence[bytes]) -> bytes:
    head = bytes([len(items) << 4 | kind]) if len(items) < 15 else bytes([0xF0 | kind]) + _varint(len(items))
    return head + b"".join(items)


def _small_file(pages: Sequence[Page]) -> bytes:
    """Return a Parquet file of one row group with one page a column, of pages that have the same rows."""
    rows = pages[0].rows
    body = [_MAGIC]
    at = len(_MAGIC)
    schema = [_field(4, _BINARY, _text("schema")) + _number(1, _I32, len(pages)) + b"\0"]
    chunks = []
    for page in pages:
        chunk = page.chunk
        schema.append(
            _number(1, _I32, PHYSICAL[chunk.kind])
            + _number(2, _I32, int(chunk.optional))
            + _field(1, _BINARY, _text(chunk.name))
            + b"\0"
        )
        size = len(page.dictionary) + len(page.data)
        about = (
            _number(1, _I32, PHYSICAL[chunk.kind])
            + _field(1, _LIST, _list(_I32, [_varint(0)]))
            + _field(1, _LIST, _list(_BINARY, [_text(chunk.name)]))
            + _number(1, _I32, _CODECS[chunk.codec])
            + _number(1, _I64, rows)
            + _number(1, _I64, size)
            + _number(1, _I64, size)
            + _number(2, _I64, at + len(page.dictionary))
            + (_number(2, _I64, at) if page.dictionary else b"")
            + b"\0"
        )
        chunks.append(_number(2, _I64, at) + _field(1, _STRUCT, about) + b"\0")
        body += [page.dictionary, page.data]
        at += size
    group = _field(1, _LIST, _list(_STRUCT, chunks)) + _number(1, _I64, at) + _number(1, _I64, rows) + b"\0"
    footer = (
        _number(1, _I32, 1)
        + _field(1, _LIST, _list(_STRUCT, schema))
        + _number(1, _I64, rows)
        + _field(1, _LIST, _list(_STRUCT, [group]))
        + b"\0"
    )
    return b"".join([*body, footer, len(footer).to_bytes(4, "little"), _MAGIC])
