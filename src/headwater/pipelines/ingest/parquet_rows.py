"""Rows of a Parquet file in bounded batches: the text as an Arrow column, the other columns as Python records.

Pages are checked against their checksums where the writer stored any. The text may be a string or binary column, dictionary-encoded or
not; its UTF-8 is verified, since Parquet writers do not. Where a file has several columns under known names of the text, a row's text is
the first of them that is not null. Loses: in ``meta``, timestamps keep microseconds, binary values that are no UTF-8 become hexadecimal,
NaN and infinities null, decimals strings; what Python cannot hold becomes text (see ``plain_values``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from headwater.pipelines.ingest.chunks import Blocks, Chunk, TouchedFile
from headwater.pipelines.ingest.decompress import Limits
from headwater.pipelines.ingest.fields import FIELD_NAMES, find_names, note_replaced
from headwater.pipelines.ingest.json_lines import Replaced
from headwater.pipelines.ingest.opening import open_file, raise_unread
from headwater.pipelines.ingest.plain_values import plain_rows
from headwater.pipelines.ingest.refusals import fault

__all__ = ["ParquetRows", "parquet_batches"]

_READ_BYTES: Final = 1 << 20
_INT96_ROWS: Final = 1 << 16
_MOST_MS: Final = (2**63 - 1) // 1000
_FAULTS: Final = (pa.ArrowException, OSError, ValueError, LookupError, OverflowError)
"""What pyarrow raises for a damaged file (among others UnicodeDecodeError, for names of columns that are no UTF-8)."""


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


def parquet_batches(
    uri: str, chunk: Chunk, limits: Limits, blocks: Blocks | None = None, touched: set[int] | None = None
) -> Iterator[ParquetRows]:
    """Yield the rows of row groups ``chunk.begin`` to ``chunk.end`` of the file ``uri``.

    Args:
        blocks: which bytes of the file are a block.
        touched: gets the numbers of the blocks that are read.

    Raises:
        BadInputError: ``corrupt_parquet``, ``no_text_column`` or ``text_not_string``, after the batches before the fault.
        OSError: the file cannot be opened.
    """
    with open_file(uri) as opened:
        stream = opened if blocks is None or touched is None else TouchedFile(opened, blocks.block_bytes, touched)
        try:
            wanted = range(chunk.begin, chunk.end)
            file = _open(stream, "ms" if _has_far_int96(stream, wanted, uri) else "us")
            schema = file.schema_arrow
            groups = _there(file, wanted)
            rows = _rows_in_batch(file.metadata, groups, limits)
            all_names = schema.names
        except _FAULTS as error:
            raise_unread(error, uri)
            raise fault("corrupt_parquet", uri) from None
        if chunk.end == 0 and file.metadata.num_row_groups:
            raise fault("file_changed", uri)  # its footer was not to be read before: no row of it may be passed over
        names = _text_names(schema, all_names, uri)
        number = chunk.first_record
        for batch in _batches(file, groups, rows, uri):
            for part in _parts(batch, names, limits):
                yield _read_part(part, names, number, limits)
                number += part.num_rows


def _open(stream: BinaryIO | TouchedFile, int96_unit: str) -> pq.ParquetFile:
    # A buffered stream reads a column chunk page by page instead of whole. INT96 counts nanoseconds, of which 64 bits hold no more than the
    # years 1677 to 2262; what lies beyond would come back as another date. With a binary type given, a dictionary of strings is read as
    # strings: pyarrow refuses a dictionary in which one is no UTF-8.
    return pq.ParquetFile(
        stream,
        page_checksum_verification=True,
        pre_buffer=False,
        buffer_size=_READ_BYTES,
        coerce_int96_timestamp_unit=int96_unit,
        binary_type=pa.large_binary(),
    )


def _there(file: pq.ParquetFile, groups: Sequence[int]) -> list[int]:
    return [group for group in groups if group < file.metadata.num_row_groups]


def _has_far_int96(stream: BinaryIO | TouchedFile, groups: Sequence[int], uri: str) -> bool:
    """Return whether some row groups have an INT96 beyond what microseconds hold, 292,277 years: milliseconds hold all of them."""
    file = _open(stream, "ms")
    schema = file.schema
    described = [schema.column(number) for number in range(len(schema))]
    names = [column.path.split(".")[0] for column in described if column.physical_type == "INT96"]
    if not names:
        return False
    try:
        batches = file.iter_batches(_INT96_ROWS, row_groups=_there(file, groups), columns=names, use_threads=False)
        return any(_is_far(column) for batch in batches for column in batch.columns)
    except _FAULTS as error:
        raise_unread(error, uri)
        return False  # the reading of all columns reports it


def _is_far(array: pa.Array) -> bool:
    kind = array.type
    if pa.types.is_timestamp(kind):
        extremes = pc.min_max(array.view(pa.int64())).as_py().values()
        return kind.unit == "ms" and any(value is not None and abs(value) > _MOST_MS for value in extremes)
    if pa.types.is_struct(kind):
        return any(_is_far(array.field(number)) for number in range(kind.num_fields))
    if pa.types.is_map(kind):
        return _is_far(array.keys) or _is_far(array.items)
    return pa.types.is_nested(kind) and _is_far(array.values)


def _text_names(schema: pa.Schema, all_names: list[str], uri: str) -> list[str]:
    """Return the columns that may hold a row's text, best first; where the best name has several columns, which is meant cannot be told."""
    kinds: dict[str, list[pa.DataType]] = {}
    for number, name in enumerate(all_names):
        kinds.setdefault(name, []).append(schema.field(number).type)  # by its number: a name may stand for several
    known = find_names(all_names, FIELD_NAMES["text"])
    names = [name for name in known if not all(pa.types.is_null(kind) for kind in kinds[name])]
    if not names:
        raise fault("text_not_string" if known else "no_text_column", uri)
    if len(kinds[names[0]]) > 1:
        raise fault("no_text_column", uri)
    if not _is_text(kinds[names[0]][0]):
        raise fault("text_not_string", uri)
    return [name for name in names if len(kinds[name]) == 1 and _is_text(kinds[name][0])]


def _batches(file: pq.ParquetFile, groups: list[int], rows: int, uri: str) -> Iterator[pa.RecordBatch]:
    given = 0
    try:
        for batch in file.iter_batches(batch_size=rows, row_groups=groups, use_threads=False):
            given += batch.num_rows
            yield batch
        return
    except _FAULTS as error:
        raise_unread(error, uri)
    # The fault took rows of whole row groups with it, if they shared its batch: read on from there, a row group at a time.
    try:
        for group in groups:
            for batch in file.iter_batches(batch_size=rows, row_groups=[group], use_threads=False):
                known = min(given, batch.num_rows)
                given -= known
                if known < batch.num_rows:
                    yield batch.slice(known)
    except _FAULTS as error:
        raise_unread(error, uri)
        raise fault("corrupt_parquet", uri) from None


def _rows_in_batch(metadata: pq.FileMetaData, groups: list[int], limits: Limits) -> int:
    described = [metadata.row_group(group) for group in groups]
    widest = max((group.total_byte_size / group.num_rows for group in described if group.num_rows), default=1.0)
    return max(1, min(limits.batch_records, int(limits.batch_bytes / max(widest, 1.0))))


def _is_text(kind: pa.DataType) -> bool:
    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
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


def _parts(batch: pa.RecordBatch, names: list[str], limits: Limits) -> Iterator[pa.RecordBatch]:
    # Rows differ in length: halve what turned out to hold too much text.
    if batch.num_rows > 1 and sum(batch.column(name).nbytes for name in names) > limits.batch_bytes:
        half = batch.num_rows // 2
        yield from _parts(batch.slice(0, half), names, limits)
        yield from _parts(batch.slice(half), names, limits)
    else:
        yield batch


def _raw_text(batch: pa.RecordBatch, name: str) -> pa.LargeBinaryArray:
    raw = batch.column(name)
    if isinstance(raw.type, pa.BaseExtensionType):
        raw = raw.storage
    if pa.types.is_dictionary(raw.type):
        raw = raw.dictionary_decode()
    return raw.cast(pa.large_binary())


def _read_part(batch: pa.RecordBatch, names: list[str], number: int, limits: Limits) -> ParquetRows:
    candidates = [_raw_text(batch, name) for name in names]
    raw = candidates[0] if len(names) == 1 else pc.coalesce(*candidates)
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
    rest = batch.drop_columns(names[:1])
    records, broken = plain_rows(rest, limits.max_nesting)
    if reasons:
        # Not of the batch: pyarrow takes no rows of some types (binary_view among them).
        text, records = text.take(pa.array(kept, pa.int64())), [records[row] for row in kept]
    _leave_out_text(records, kept, names, candidates)
    record_no = np.array(kept, dtype=np.int64) + number
    refused = [(row + number, reason) for row, reason in reasons.items()]
    if broken:
        records = [note_replaced(record, _faults(record, broken)) for record in records]
    return ParquetRows(record_no=record_no, text=text, others=records, refused=refused)


def _leave_out_text(
    records: list[dict[str, object]], kept: list[int], names: list[str], candidates: list[pa.LargeBinaryArray]
) -> None:
    """Take the text out of the records whose text is not in the first column."""
    for place, name in enumerate(names[1:], 1):
        earlier = [column.is_null().to_numpy(zero_copy_only=False) for column in candidates[:place]]
        used = np.logical_and.reduce(earlier) & candidates[place].is_valid().to_numpy(zero_copy_only=False)
        for record, row in zip(records, kept, strict=True):
            if used[row]:
                del record[name]
                record[names[0]] = None


def _faults(record: dict[str, object], columns: Sequence[str]) -> dict[str, str]:
    return {name: "invalid_utf8" for name in columns if _is_replaced(record.get(name))}


def _is_replaced(value: object) -> bool:
    if isinstance(value, list):
        return any(_is_replaced(item) for item in value)
    if isinstance(value, dict):
        return any(_is_replaced(item) for item in value.values())
    return type(value) is Replaced


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
