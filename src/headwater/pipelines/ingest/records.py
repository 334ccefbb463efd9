"""Records of an input file as columns, batch by batch, with the refused ones beside them.

JSON Lines: a record a line; its number is the 0-based number of the line, blank lines included, so that ``sed -n`` finds it. A byte
order mark before the first line and a carriage return before a line feed are no part of a record. Parquet: a record a row. Text: the
whole file is one record; its text is the file's without a byte order mark. Text is never edited otherwise. Web archives and HTML files: see
``headwater.pipelines.ingest.web``.

Order and batches depend on the file and the limits alone.
"""

from __future__ import annotations

import codecs
import hashlib
from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headwater.buffers import text_buffers
from headwater.errors import BadInputError
from headwater.pipelines.ingest.chunks import Chunk, file_sha256
from headwater.pipelines.ingest.decompress import BLOCK_BYTES, Limits, unpacked_blocks
from headwater.pipelines.ingest.fields import FieldPlacer, PlacedFields, note_replaced
from headwater.pipelines.ingest.file_kinds import ARCHIVES, FileInfo
from headwater.pipelines.ingest.json_lines import (
    Mended,
    is_too_deep,
    mend_object,
    number_lines,
    parse_exactly,
    parse_object,
    surrogate_fault,
)
from headwater.pipelines.ingest.opening import file_state, open_file
from headwater.pipelines.ingest.parquet_rows import parquet_batches
from headwater.pipelines.ingest.record_columns import RecordColumns
from headwater.pipelines.ingest.refusals import WHOLE_FILE, Refusal, fault
from headwater.pipelines.ingest.web.read import read_html, read_warc
from headwater.pipelines.ingest.web.settings import WebSettings

__all__ = ["Record", "parse_line", "read_records"]

_CHARACTER_FAULTS: Final = ("invalid_utf8", "lone_surrogate")


class Record(NamedTuple):
    """A record that can be used.

    Attributes:
        record_no: 0-based number in its file.
        text: neither empty nor blank; may still hold NUL.
        placed: its source, uri, collected_at, license and meta.
    """

    record_no: int
    text: str
    placed: PlacedFields


class _Batch:
    """Collects records until they are turned into columns."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._clear()

    def _clear(self) -> None:
        self.record_no: list[int] = []
        self.texts: list[str] = []
        self.placed: list[PlacedFields] = []
        self.refused: list[Refusal] = []
        self.size = 0

    def has_room(self, size: int) -> bool:
        """Return whether a record of ``size`` bytes may be added; an empty batch takes any."""
        n = len(self.texts) + len(self.refused)
        return n == 0 or (n < self._limits.batch_records and self.size + size <= self._limits.batch_bytes)

    def add(self, record: Record, size: int) -> None:
        """Add a record that took ``size`` bytes of its file."""
        self.record_no.append(record.record_no)
        self.texts.append(record.text)
        self.placed.append(record.placed)
        self.size += size

    def refuse(self, record_no: int, reason: str) -> None:
        """Add a refusal."""
        self.refused.append(Refusal(record_no=record_no, reason=reason))

    def take(self) -> RecordColumns:
        """Return the columns of what was collected and begin anew."""
        record_no = np.array(self.record_no, dtype=np.int64)
        columns = _columns(record_no, self.placed, pa.array(self.texts, pa.string()), self.refused)
        self._clear()
        return columns


def _columns(
    record_no: npt.NDArray[np.int64], placed: list[PlacedFields], text: pa.StringArray, refused: list[Refusal]
) -> RecordColumns:
    nul = _rows_with_nul(text)
    if nul.size:
        refused = sorted(
            [*refused, *(Refusal(record_no=int(record_no[row]), reason="nul_byte") for row in nul)],
            key=lambda refusal: (refusal.record_no == WHOLE_FILE, refusal.record_no),
        )
        kept = np.setdiff1d(np.arange(len(text)), nul)
        record_no, text = record_no[kept], text.take(pa.array(kept))
        placed = [placed[row] for row in kept]
    source, uri, collected_at, declared, meta = zip(*placed, strict=True) if placed else ((),) * 5
    return RecordColumns(
        record_no=record_no,
        source=pa.array(source, pa.string()),
        uri=pa.array(uri, pa.string()),
        collected_at=pa.array(collected_at, pa.string()),
        license=pa.array(declared, pa.string()),
        meta=pa.array(meta, pa.string()),
        text=text,
        refused=tuple(refused),
    )


def _rows_with_nul(text: pa.StringArray) -> npt.NDArray[np.int64]:
    data, offsets = text_buffers(text)
    found = np.flatnonzero(data[offsets[0] : offsets[-1]] == 0) + offsets[0]
    rows = np.searchsorted(offsets, found, side="right") - 1
    return np.unique(rows).astype(np.int64)


def read_records(
    uri: str, info: FileInfo, chunk: Chunk, limits: Limits, web: WebSettings | None = None
) -> Iterator[RecordColumns]:
    """Yield the records of one chunk of a file, and its refused records, in file order.

    Args:
        uri: the file.
        info: what ``inspect_file`` found.
        chunk: one of ``info.chunks``.
        limits: bounds on a record, a file and a batch.
        web: what of the web is taken; what a recipe takes that says nothing of it, by default.

    Yields:
        Batches of at most ``limits.batch_bytes`` and ``limits.batch_records``; none is empty of both records and refusals. A fault of
        the file (truncated, corrupt, of no known format) is the last batch's last refusal, numbered -1.

    Raises:
        OSError: the file is gone or the store failed.
        BadInputError: ``file_changed``: what was read is not what was inspected, so nothing that was yielded may be used.
    """
    placer = FieldPlacer(limits.max_nesting)
    batch = _Batch(limits)
    touched: set[int] = set()
    try:
        if info.format == "unknown":
            raise fault("wrong_format", uri)
        _check_size(uri, info)
        if info.format == "parquet":
            yield from _read_parquet(uri, info, chunk, limits, placer, touched)
        elif info.format == "text":
            _read_text(uri, info, limits, placer, batch)
        elif info.format == "html":
            yield from read_html(uri, info, limits, web or WebSettings())
        elif info.format in ARCHIVES:
            yield from read_warc(uri, info, chunk, limits, web or WebSettings())
        else:
            yield from _read_json_lines(uri, info, chunk, limits, placer, batch)
    except BadInputError as error:
        if error.reason == "file_changed":
            raise
        batch.refuse(WHOLE_FILE, error.reason)
    if batch.texts or batch.refused:
        yield batch.take()
    if info.format != "unknown":
        _check_unchanged(uri, info, touched)


def _check_size(uri: str, info: FileInfo) -> None:
    if file_state(uri)[0] != info.size:
        raise fault("file_changed", uri)


def _check_unchanged(uri: str, info: FileInfo, touched: set[int]) -> None:
    """Read once more what the first reading could not hash: it leaps, or stops at a fault."""
    _check_size(uri, info)
    if info.format in ARCHIVES or (info.format == "jsonl" and not info.compression):
        return  # hashed as it was read
    whole = info.blocks.agree(uri, touched) if info.blocks is not None else file_sha256(uri) == info.sha256
    if not whole:
        raise fault("file_changed", uri)


def _chunk_blocks(uri: str, info: FileInfo, chunk: Chunk) -> Iterator[bytes]:
    digest = hashlib.sha256()
    with open_file(uri) as stream:
        stream.seek(chunk.begin)
        left = chunk.end - chunk.begin
        while left > 0:
            block = bytes(stream.read(min(left, BLOCK_BYTES)))
            if not block:
                raise fault("file_changed", uri)
            left -= len(block)
            digest.update(block)
            yield block
    if digest.hexdigest() != (chunk.digest or info.sha256):
        raise fault("file_changed", uri)


def _read_json_lines(
    uri: str, info: FileInfo, chunk: Chunk, limits: Limits, placer: FieldPlacer, batch: _Batch
) -> Iterator[RecordColumns]:
    blocks = unpacked_blocks(uri, info.compression, limits) if info.compression else _chunk_blocks(uri, info, chunk)
    for number, line in number_lines(blocks, limits.max_record_bytes, chunk.first_record):
        size = 0 if line is None else len(line)
        if not batch.has_room(size):
            yield batch.take()
        if line is None:
            batch.refuse(number, "record_too_large")
            continue
        found = parse_line(number, line, placer, limits.max_nesting)
        if isinstance(found, Refusal):
            batch.refused.append(found)
        else:
            batch.add(found, size)


def parse_line(number: int, line: bytes, placer: FieldPlacer, max_nesting: int) -> Record | Refusal:
    """Return the record of a line of JSON Lines, or the reason for which it is refused."""
    found = parse_object(line, max_nesting)
    if isinstance(found, str):
        mended = mend_object(line, max_nesting) if found in _CHARACTER_FAULTS else None
        return Refusal(number, found) if mended is None else _mended_record(number, mended, placer)
    name = placer.text_name(found)
    if name is None:
        return Refusal(number, "too_deep" if is_too_deep(line, max_nesting) else "no_text_field")
    text = found.pop(name)
    if type(text) is not str:
        return Refusal(number, "text_not_string")
    if not text or text.isspace():
        return Refusal(number, "empty_text")

    def exactly() -> dict[str, object]:
        record = parse_exactly(line)
        del record[name]
        return record

    placed = placer.place(found, exactly)
    return Refusal(number, "too_deep") if placed is None else Record(number, text, placed)


def _mended_record(number: int, mended: Mended, placer: FieldPlacer) -> Record | Refusal:
    """Return the record of a line of which some field holds what no UTF-8 can: refused only where that is the text."""
    name = placer.text_name(mended.fields)
    if name is None:
        return Refusal(number, "no_text_field")
    text = mended.fields.pop(name)
    if type(text) is not str:
        return Refusal(number, "text_not_string")
    fault_of_text = surrogate_fault(text)
    if fault_of_text is not None:
        return Refusal(number, fault_of_text)
    if not text or text.isspace():
        return Refusal(number, "empty_text")
    fields, faults = mended.replace()
    placed = placer.place(note_replaced(fields, faults))
    return Refusal(number, "too_deep") if placed is None else Record(number, text, placed)


def _read_parquet(
    uri: str, info: FileInfo, chunk: Chunk, limits: Limits, placer: FieldPlacer, touched: set[int]
) -> Iterator[RecordColumns]:
    for rows in parquet_batches(uri, chunk, limits, info.blocks, touched):
        refused = [Refusal(*refused) for refused in rows.refused]
        placed: list[PlacedFields] = []
        kept: list[int] = []
        for row, record in enumerate(rows.others):
            values = placer.place(record)
            if values is None:
                refused.append(Refusal(record_no=int(rows.record_no[row]), reason="too_deep"))
            else:
                kept.append(row)
                placed.append(values)
        record_no, text = rows.record_no, rows.text
        if len(kept) < len(text):
            record_no, text = record_no[kept], text.take(pa.array(kept, pa.int64()))
        refused.sort(key=lambda refusal: refusal.record_no)
        yield _columns(record_no, placed, text, refused)


def _read_text(uri: str, info: FileInfo, limits: Limits, placer: FieldPlacer, batch: _Batch) -> None:
    data = bytearray()
    for block in unpacked_blocks(uri, info.compression, limits):
        data += block
        if len(data) > limits.max_record_bytes:
            batch.refuse(0, "record_too_large")
            return
    try:
        text = data.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError:
        batch.refuse(0, "invalid_utf8")
        return
    placed = placer.place({})
    if not text or text.isspace() or placed is None:
        batch.refuse(0, "empty_text")
        return
    batch.add(Record(0, text, placed), len(data))
