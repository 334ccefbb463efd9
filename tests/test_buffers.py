"""The bytes and offsets of Arrow columns: every type, slices, chunks, nulls, and one form for kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from headwater.buffers import byte_buffers, text_buffers
from headwater.errors import UsageError

TEXTS = ["é", "", "abc", None, "東京", "\0"]
KINDS = [pa.string(), pa.large_string(), pa.binary(), pa.large_binary()]


def values_of(column: pa.Array | pa.ChunkedArray) -> list[bytes]:
    """What the buffers say that each row holds."""
    data, offsets = byte_buffers(column)
    return [data[begin:end].tobytes() for begin, end in zip(offsets[:-1], offsets[1:], strict=True)]


def expected(column: pa.Array | pa.ChunkedArray) -> list[bytes]:
    """What each row holds, as Arrow's own conversion has it; nulls are empty."""
    return [value.encode() if isinstance(value, str) else value or b"" for value in column.to_pylist()]


def array_of(kind: pa.DataType, texts: list[str | None] = TEXTS) -> pa.Array:
    """The texts as an array of a kind."""
    return pa.array([None if text is None else text.encode() for text in texts], pa.binary()).cast(kind)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_rows_are_those_of_the_column(kind: pa.DataType) -> None:
    """Whole, sliced, in chunks, all null and empty: the rows are the column's."""
    column = array_of(kind)
    chunks = pa.chunked_array([column[:2], column[2:2], column[3:]])
    for each in (column, column[1:5], column[4:], column[:0], chunks, chunks.slice(1, 3), pa.nulls(3, kind)):
        assert values_of(each) == expected(each)
    assert values_of(pa.chunked_array([], kind)) == []
    assert values_of(pa.chunked_array([column])) == expected(column)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_one_form_for_kernels(kind: pa.DataType) -> None:
    """Offsets are int64 and writable, bytes read only, whatever the column: a kernel is compiled for one form."""
    for column in (array_of(kind), array_of(kind)[:0], pa.nulls(2, kind), array_of(kind, ["", ""])):
        data, offsets = byte_buffers(column)
        assert (data.dtype, data.flags.writeable, data.flags.c_contiguous) == (np.dtype(np.uint8), False, True)
        assert (offsets.dtype, offsets.flags.writeable, len(offsets)) == (np.dtype(np.int64), True, len(column) + 1)


def test_a_null_that_hides_bytes_is_empty() -> None:
    """Arrow lets a null's slot span bytes; they belong to no row."""
    whole = pa.array(["ab", "secret", "c"])
    hidden = pa.Array.from_buffers(pa.string(), 3, [pa.py_buffer(bytes([0b101])), *whole.buffers()[1:]])
    assert hidden.to_pylist() == ["ab", None, "c"]
    assert values_of(hidden) == [b"ab", b"", b"c"]


@pytest.mark.parametrize(
    "read, column", [(text_buffers, pa.array([b"x"])), (text_buffers, pa.array([1])), (byte_buffers, pa.array([1]))]
)
def test_other_types_are_refused(read: Any, column: pa.Array) -> None:
    """Text is string or large_string; bytes are these or binary."""
    with pytest.raises(UsageError, match=f"found {column.type}"):
        read(column)
