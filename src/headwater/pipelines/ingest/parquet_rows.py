"""Rows of a Parquet file in bounded batches: the text as an Arrow column, the other columns as Python records.

Pages are checked against their checksums where the writer stored any. The text may be a string or binary column, dictionary-encoded or
not; its UTF-8 is verified, since Parquet writers do not. Loses: in ``meta``, timestamps keep microseconds, binary values that are no
UTF-8 become hexadecimal, NaN and infinities null, decimals strings.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from headwater.pipelines.ingest.decompress import Limits
from headwater.pipelines.ingest.fields import FIELD_NAMES, find_name
from headwater.pipelines.ingest.file_kinds import Chunk
from headwater.pipelines.ingest.refusals import fault
from headwater.warehouse.filesystem import filesystem_of

__all__ = ["ParquetRows", "parquet_batches"]

_READ_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class ParquetRows:
    """A batch of rows; ``record_no``, ``text`` and ``others`` are of the same rows, ``refused`` of the others.

    Attributes:
        record_no: int64[n], numbers of the rows in their file, ascending.
        text: string[n], valid UTF-8, neither null nor blank.
        others: the other columns, a dict a row.
        refused: (number of the row, reason).
    """

    record_no: npt.NDArray[np.int64]
    text: pa.StringArray
    others: list[dict[str, object]]
    refused: list[tuple[int, str]]


def parquet_batches(uri: str, chunk: Chunk, limits: Limits) -> Iterator[ParquetRows]:
    """Yield the rows of row groups ``chunk.begin`` to ``chunk.end`` of the file ``uri``.

    Raises:
        BadInputError: ``corrupt_parquet``, ``no_text_column`` or ``text_not_string``, after the batches before the fault.
        OSError: the file cannot be opened.
    """
    filesystem, path = filesystem_of(uri)
    with filesystem.open_input_file(path) as stream:
        try:
            # A buffered stream reads a column chunk page by page instead of whole.
            file = pq.ParquetFile(stream, page_checksum_verification=True, pre_buffer=False, buffer_size=_READ_BYTES)
            schema = file.schema_arrow
            groups = list(range(chunk.begin, min(chunk.end, file.metadata.num_row_groups)))
            rows = _rows_in_batch(file.metadata, groups, limits)
        except (pa.ArrowException, OSError):
            raise fault("corrupt_parquet", uri) from None
        name = find_name(schema.names, FIELD_NAMES["text"])
        if name is None or schema.names.count(name) > 1:
            raise fault("no_text_column", uri)
        if not _is_text(schema.field(name).type):
            raise fault("text_not_string", uri)
        others = pa.schema([field.with_type(_plain_type(field.type)) for field in schema if field.name != name])
        number = chunk.first_record
        for batch in _batches(file, groups, rows, uri):
            for part in _parts(batch, name, limits):
                yield _read_part(part, name, others, number, limits)
                number += part.num_rows


def _batches(file: pq.ParquetFile, groups: list[int], rows: int, uri: str) -> Iterator[pa.RecordBatch]:
    given = 0
    try:
        for batch in file.iter_batches(batch_size=rows, row_groups=groups, use_threads=False):
            given += batch.num_rows
            yield batch
        return
    except (pa.ArrowException, OSError):
        pass
    # The fault took rows of whole row groups with it, if they shared its batch: read on from there, a row group at a time.
    try:
        for group in groups:
            for batch in file.iter_batches(batch_size=rows, row_groups=[group], use_threads=False):
                known = min(given, batch.num_rows)
                given -= known
                if known < batch.num_rows:
                    yield batch.slice(known)
    except (pa.ArrowException, OSError):
        raise fault("corrupt_parquet", uri) from None


def _rows_in_batch(metadata: pq.FileMetaData, groups: list[int], limits: Limits) -> int:
    described = [metadata.row_group(group) for group in groups]
    widest = max((group.total_byte_size / group.num_rows for group in described if group.num_rows), default=1.0)
    return max(1, min(limits.batch_records, int(limits.batch_bytes / max(widest, 1.0))))


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return any(
        test(kind)
        for test in (
            pa.types.is_string,
            pa.types.is_large_string,
            pa.types.is_string_view,
            pa.types.is_binary,
            pa.types.is_large_binary,
            pa.types.is_binary_view,
        )
    )


def _plain_type(kind: pa.DataType) -> pa.DataType:
    # Python has no nanoseconds; everything else converts as it is.
    if pa.types.is_timestamp(kind) and kind.unit == "ns":
        return pa.timestamp("us", kind.tz)
    if pa.types.is_time64(kind) and kind.unit == "ns":
        return pa.time64("us")
    if pa.types.is_duration(kind) and kind.unit == "ns":
        return pa.duration("us")
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_plain_type(field.type)) for field in kind])
    if pa.types.is_list(kind):
        return pa.list_(_plain_type(kind.value_type))
    if pa.types.is_large_list(kind):
        return pa.large_list(_plain_type(kind.value_type))
    return kind


def _parts(batch: pa.RecordBatch, name: str, limits: Limits) -> Iterator[pa.RecordBatch]:
    # Rows differ in length: halve what turned out to hold too much text.
    if batch.num_rows > 1 and batch.column(name).nbytes > limits.batch_bytes:
        half = batch.num_rows // 2
        yield from _parts(batch.slice(0, half), name, limits)
        yield from _parts(batch.slice(half), name, limits)
    else:
        yield batch


def _read_part(batch: pa.RecordBatch, name: str, others: pa.Schema, number: int, limits: Limits) -> ParquetRows:
    raw = batch.column(name)
    if pa.types.is_dictionary(raw.type):
        raw = raw.dictionary_decode()
    raw = raw.cast(pa.large_binary())
    reasons: dict[int, str] = {}
    for row in np.flatnonzero(raw.is_null().to_numpy(zero_copy_only=False)):
        reasons[int(row)] = "text_not_string"
    lengths = pc.fill_null(pc.binary_length(raw), 1)
    for row in np.flatnonzero(lengths.to_numpy() > limits.max_record_bytes):
        reasons[int(row)] = "record_too_large"
    text = _valid_text(raw, reasons)
    blank = pc.or_kleene(pc.equal(pc.binary_length(text), 0), pc.utf8_is_space(text))
    for row in np.flatnonzero(pc.fill_null(blank, False).to_numpy(zero_copy_only=False)):
        reasons.setdefault(int(row), "empty_text")
    kept = [row for row in range(len(text)) if row not in reasons]
    rest = batch.drop_columns([name])
    if reasons:
        text, rest = text.take(pa.array(kept, pa.int64())), rest.take(pa.array(kept, pa.int64()))
    records, broken = _records(rest, others)
    record_no = np.array(kept, dtype=np.int64) + number
    refused = [(row + number, reason) for row, reason in reasons.items()]
    if broken:
        refused += [(int(record_no[row]), "invalid_utf8") for row in broken]
        whole = np.setdiff1d(np.arange(len(kept)), broken)
        record_no, text = record_no[whole], text.take(pa.array(whole))
        records = [records[row] for row in whole]
    return ParquetRows(record_no=record_no, text=text, others=records, refused=refused)


def _valid_text(raw: pa.LargeBinaryArray, reasons: dict[int, str]) -> pa.StringArray:
    skip = set(reasons)
    if any(reason == "record_too_large" for reason in reasons.values()):
        raw = pc.if_else(
            pa.array([row not in skip for row in range(len(raw))]), raw, pa.scalar(None, pa.large_binary())
        )
    try:
        return raw.cast(pa.string())
    except pa.ArrowInvalid:
        texts: list[str | None] = []
        for row, value in enumerate(raw.to_pylist()):
            try:
                texts.append(None if value is None else value.decode())
            except UnicodeDecodeError:
                texts.append(None)
                reasons.setdefault(row, "invalid_utf8")
        return pa.array(texts, pa.string())


def _records(rest: pa.RecordBatch, others: pa.Schema) -> tuple[list[dict[str, object]], list[int]]:
    """Return a dict a row, and the rows whose strings are no UTF-8 (their dict is empty)."""
    if rest.num_columns == 0:
        return [{} for _ in range(rest.num_rows)], []
    if rest.schema != others:
        columns = [column.cast(field.type, safe=False) for column, field in zip(rest.columns, others, strict=True)]
        rest = pa.RecordBatch.from_arrays(columns, schema=others)
    try:
        return rest.to_pylist(), []
    except UnicodeDecodeError:
        records: list[dict[str, object]] = []
        broken = []
        for row in range(rest.num_rows):
            try:
                records += rest.slice(row, 1).to_pylist()
            except UnicodeDecodeError:
                records.append({})
                broken.append(row)
        return records, broken
