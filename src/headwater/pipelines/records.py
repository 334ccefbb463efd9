"""Records of an input file as columns, batch by batch, with the refused ones beside them.

JSON Lines: a record a line; its number is the 0-based number of the line, blank lines included, so that ``sed -n`` finds it. A byte
order mark before the first line and a carriage return before a line feed are no part of a record. Parquet: a record a row. Text: the
whole file is one record; its text is the file's without a byte order mark. Text is never edited otherwise.

Order and batches depend on the file and the limits alone.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa

from headwater.errors import BadInputError
from headwater.pipelines.decompress import BLOCK_BYTES, Limits, unpacked_blocks
from headwater.pipelines.fields import FieldPlacer
from headwater.pipelines.formats import Chunk, FileInfo, inspect_file
from headwater.pipelines.json_lines import explain_line, is_too_deep, whole_lines
from headwater.pipelines.parquet_rows import parquet_batches
from headwater.pipelines.refusals import WHOLE_FILE, Refusal, fault
from headwater.pipelines.text_field import cut_texts
from headwater.warehouse.filesystem import resolve

__all__ = ["FileInfo", "Limits", "RecordColumns", "Refusal", "inspect_file", "read_records"]

_Placed = tuple[str | None, str | None, str | None, str | None, str | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordColumns:
    """One batch of records, in file order.

    Attributes:
        record_no: int64[n], ascending.
        source, uri, collected_at, license, meta: string[n]; null where nothing is known; ``meta`` is canonical JSON.
        text: string[n], valid UTF-8 without NUL, neither null nor empty.
        refused: records of the same stretch of the file that could not be used, ascending; the file itself (-1) comes last.
    """

    record_no: npt.NDArray[np.int64]
    source: pa.StringArray
    uri: pa.StringArray
    collected_at: pa.StringArray
    license: pa.StringArray
    meta: pa.StringArray
    text: pa.StringArray
    refused: tuple[Refusal, ...]


class _Batch:
    """Collects records until they are turned into columns."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._clear()

    def _clear(self) -> None:
        self.record_no: list[int] = []
        self.texts: list[bytes] = []
        self.placed: list[_Placed] = []
        self.refused: list[Refusal] = []
        self.size = 0

    def has_room(self, size: int) -> bool:
        """Return whether a record of ``size`` bytes may be added; an empty batch takes any."""
        n = len(self.texts) + len(self.refused)
        return n == 0 or (n < self._limits.batch_records and self.size + size <= self._limits.batch_bytes)

    def refuse(self, record_no: int, reason: str) -> None:
        """Add a refusal."""
        self.refused.append(Refusal(record_no=record_no, reason=reason))

    def add(self, record_no: int, text: bytes, record: dict[str, Any], placer: FieldPlacer, size: int) -> None:
        """Add a record whose text, valid UTF-8, was taken out, or refuse it."""
        if _is_blank(text):
            self.refuse(record_no, "empty_text")
            return
        placed = placer.place(record)
        if placed is None:
            self.refuse(record_no, "too_deep")
            return
        self.record_no.append(record_no)
        self.texts.append(text)
        self.placed.append(placed)
        self.size += size

    def take(self) -> RecordColumns:
        """Return the columns of what was collected and begin anew."""
        record_no = np.array(self.record_no, dtype=np.int64)
        offsets = np.zeros(len(self.texts) + 1, dtype=np.int32)
        np.cumsum(np.fromiter(map(len, self.texts), dtype=np.int32, count=len(self.texts)), out=offsets[1:])
        data = [None, pa.py_buffer(offsets), pa.py_buffer(b"".join(self.texts))]
        text = pa.Array.from_buffers(pa.string(), len(self.texts), data)
        columns = _columns(record_no, self.placed, text, self.refused)
        self._clear()
        return columns


def _is_blank(text: bytes) -> bool:
    if text and 0x20 < text[0] < 0x80:
        return False
    # The first characters tell nearly always; a long text is decoded only if they are blank.
    return not text or (text[:64].decode(errors="ignore").isspace() and text.decode().isspace())


def _columns(
    record_no: npt.NDArray[np.int64], placed: list[_Placed], text: pa.StringArray, refused: list[Refusal]
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
    _, offsets_buffer, data = text.buffers()
    if len(text) == 0 or data is None:
        return np.empty(0, dtype=np.int64)
    offsets = np.frombuffer(offsets_buffer, dtype=np.int32)[text.offset : text.offset + len(text) + 1]
    found = np.flatnonzero(np.frombuffer(data, dtype=np.uint8)[offsets[0] : offsets[-1]] == 0) + offsets[0]
    rows = np.searchsorted(offsets, found, side="right") - 1
    return np.unique(rows).astype(np.int64)


def read_records(
    uri: str, info: FileInfo, chunk: Chunk, limits: Limits, default_source: str | None
) -> Iterator[RecordColumns]:
    """Yield the records of one chunk of a file, and its refused records, in file order.

    Args:
        uri: the file.
        info: what ``inspect_file`` found.
        chunk: one of ``info.chunks``.
        limits: bounds on a record, a file and a batch.
        default_source: the source of records that name none.

    Yields:
        Batches of at most ``limits.batch_bytes`` and ``limits.batch_records``; none is empty of both records and refusals. A fault of
        the file (truncated, corrupt, changed, of no known format) is the last batch's last refusal, numbered -1.

    Raises:
        OSError: the file is gone or the store failed.
    """
    placer = FieldPlacer(default_source, limits.max_nesting)
    batch = _Batch(limits)
    try:
        if info.format == "unknown":
            raise fault("wrong_format", uri)
        _check_size(uri, info)
        if info.format == "parquet":
            yield from _read_parquet(uri, chunk, limits, placer)
        elif info.format == "text":
            _read_text(uri, info, limits, placer, batch)
        else:
            yield from _read_json_lines(uri, info, chunk, limits, placer, batch)
    except BadInputError as error:
        batch.refuse(WHOLE_FILE, error.reason)
    if batch.texts or batch.refused:
        yield batch.take()


def _check_size(uri: str, info: FileInfo) -> None:
    filesystem, path = resolve(uri)
    if filesystem.get_file_info(path).size != info.size:
        raise fault("file_changed", uri)


def _chunk_blocks(uri: str, chunk: Chunk) -> Iterator[bytes]:
    filesystem, path = resolve(uri)
    with filesystem.open_input_file(path) as stream:
        stream.seek(chunk.begin)
        left = chunk.end - chunk.begin
        while left > 0:
            block = stream.read(min(left, BLOCK_BYTES))
            if not block:
                raise fault("file_changed", uri)
            left -= len(block)
            yield block


def _read_json_lines(
    uri: str, info: FileInfo, chunk: Chunk, limits: Limits, placer: FieldPlacer, batch: _Batch
) -> Iterator[RecordColumns]:
    blocks = unpacked_blocks(uri, info.compression, limits) if info.compression else _chunk_blocks(uri, chunk)
    number = chunk.first_record
    usual_name = "text"
    for data in whole_lines(blocks, limits.max_record_bytes):
        if data is None:
            if not batch.has_room(0):
                yield batch.take()
            batch.refuse(number, "record_too_large")
            number += 1
            continue
        begins, ends = _line_bounds(data, skip_mark=number == 0)
        cuts, texts = cut_texts(data, begins, ends, usual_name.encode())
        if not _is_utf8(data):
            cuts[0] = -1
        unescaped = texts.tobytes()
        for begin, end, cut_begin, cut_end, text_begin, text_end in zip(
            begins.tolist(), ends.tolist(), *cuts.tolist(), strict=True
        ):
            size = end - begin
            if size == 0 or (cut_begin < 0 and data[begin:end].isspace()):
                number += 1
                continue
            if not batch.has_room(size):
                yield batch.take()
            if size > limits.max_record_bytes:
                batch.refuse(number, "record_too_large")
                number += 1
                continue
            text = record = None
            if cut_begin >= 0:
                text = unescaped[text_begin:text_end]
                record = _parse_rest(data[begin:cut_begin] + data[cut_end:end], usual_name, placer)
            if record is None:
                try:
                    usual_name, text, record = _parse_line(data[begin:end], limits, placer)
                except ValueError as error:
                    batch.refuse(number, error.args[0])
                    number += 1
                    continue
            batch.add(number, text or b"", record, placer, size)
            number += 1


def _line_bounds(data: bytes, *, skip_mark: bool) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    line_feeds = np.flatnonzero(np.frombuffer(data, dtype=np.uint8) == 0x0A)
    begins = np.concatenate([np.zeros(1, dtype=np.int64), line_feeds + 1])
    if skip_mark and data.startswith(codecs.BOM_UTF8):
        begins[0] = len(codecs.BOM_UTF8)
    return begins, np.append(line_feeds, len(data))


def _is_utf8(data: bytes) -> bool:
    # Verified within the quotes of JSON, so that no character can be completed by the next text's first bytes.
    whole = pa.Array.from_buffers(
        pa.large_string(), 1, [None, pa.py_buffer(np.array([0, len(data)])), pa.py_buffer(data)]
    )
    try:
        whole.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _parse_rest(line: bytes, name: str, placer: FieldPlacer) -> dict[str, Any] | None:
    """Return the record without its text, which was cut out of the field ``name``; None if that may be wrong."""
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if type(record) is not dict or placer.text_name(tuple(record)) != name or record.pop(name) != "":
        return None
    return record


def _parse_line(line: bytes, limits: Limits, placer: FieldPlacer) -> tuple[str, bytes, dict[str, Any]]:
    """Return the name of the text's field, the text and the rest of a line's record; raise ValueError with the reason to refuse it."""
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        record = explain_line(line, limits.max_nesting)
    name = placer.text_name(tuple(record)) if type(record) is dict else None
    if name is None:
        if is_too_deep(line, limits.max_nesting):
            raise ValueError("too_deep")
        raise ValueError("no_text_field" if type(record) is dict else "not_an_object")
    text = record.pop(name)
    if type(text) is not str:
        raise ValueError("text_not_string")
    return name, text.encode(), record


def _read_parquet(uri: str, chunk: Chunk, limits: Limits, placer: FieldPlacer) -> Iterator[RecordColumns]:
    for rows in parquet_batches(uri, chunk, limits):
        refused = [Refusal(*refused) for refused in rows.refused]
        placed: list[_Placed] = []
        kept: list[int] = []
        for row, record in enumerate(rows.others):
            values = place_row(placer, record)
            if isinstance(values, str):
                refused.append(Refusal(record_no=int(rows.record_no[row]), reason=values))
            else:
                kept.append(row)
                placed.append(values)
        record_no, text = rows.record_no, rows.text
        if len(kept) < len(text):
            record_no, text = record_no[kept], text.take(pa.array(kept, pa.int64()))
        refused.sort(key=lambda refusal: refusal.record_no)
        yield _columns(record_no, placed, text, refused)


def place_row(placer: FieldPlacer, record: dict[str, Any]) -> _Placed | str:
    """Return the placed fields of a Parquet row, or the reason for which it is refused."""
    try:
        placed = placer.place(record)
    except TypeError:
        return "invalid_utf8"  # a string that came out of the column with bytes that are none
    return "too_deep" if placed is None else placed


def _read_text(uri: str, info: FileInfo, limits: Limits, placer: FieldPlacer, batch: _Batch) -> None:
    data = bytearray()
    for block in unpacked_blocks(uri, info.compression, limits):
        data += block
        if len(data) > limits.max_record_bytes:
            batch.refuse(0, "record_too_large")
            return
    text = bytes(data.removeprefix(codecs.BOM_UTF8))
    if _is_utf8(text):
        batch.add(0, text, {}, placer, len(text))
    else:
        batch.refuse(0, "invalid_utf8")
