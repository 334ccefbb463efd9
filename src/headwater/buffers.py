"""The bytes and offsets of an Arrow column of text or bytes, as NumPy arrays that kernels walk.

One form whatever the column is: offsets are int64 and writable, the bytes are read only, so that a kernel is compiled once. Nothing is
copied but the offsets, unless a column has several chunks or a null that hides bytes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headwater.errors import UsageError

__all__ = ["byte_buffers", "text_buffers"]

_NO_BYTES = np.frombuffer(b"", np.uint8)


def text_buffers(texts: pa.Array | pa.ChunkedArray) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Return the UTF-8 bytes (uint8) and the offsets (int64, n + 1) of `texts`; a null counts as empty text.

    Raises:
        UsageError: the array is neither string nor large_string.

    >>> data, offsets = text_buffers(pa.array(["ab", None, "c"]))
    >>> offsets.tolist()
    [0, 2, 2, 3]
    """
    if not (pa.types.is_string(texts.type) or pa.types.is_large_string(texts.type)):
        raise UsageError(f"expected an array of string or large_string, found {texts.type}: cast the text column")
    return byte_buffers(texts)


def byte_buffers(values: pa.Array | pa.ChunkedArray) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    r"""Return the bytes (uint8) and the offsets (int64, n + 1) of text or binary `values`; a null counts as empty.

    Row i is data[offsets[i] : offsets[i + 1]]. The first offset of a slice is not 0: the bytes before it are there too.

    Raises:
        UsageError: the array is neither text nor binary of any width.

    >>> data, offsets = byte_buffers(pa.array([b"xy", b"\x00", b"zzz"])[1:])
    >>> data[offsets[0] : offsets[1]].tolist(), offsets.tolist()
    ([0], [2, 3, 6])
    """
    is_wide = pa.types.is_large_string(values.type) or pa.types.is_large_binary(values.type)
    if not (is_wide or pa.types.is_string(values.type) or pa.types.is_binary(values.type)):
        raise UsageError(f"expected an array of text or binary, found {values.type}: cast the column")
    if isinstance(values, pa.ChunkedArray):
        if values.num_chunks != 1 and not is_wide:  # together they may exceed 2 GiB
            values = values.cast(pa.large_string() if pa.types.is_string(values.type) else pa.large_binary())
            is_wide = True
        values = values.chunk(0) if values.num_chunks == 1 else values.combine_chunks()
    _, offset_buffer, data_buffer = values.buffers()
    if len(values) == 0 or offset_buffer is None:
        return _NO_BYTES, np.zeros(len(values) + 1, np.int64)
    kind = np.int64 if is_wide else np.int32
    offsets = np.frombuffer(offset_buffer, kind)[values.offset : values.offset + len(values) + 1].astype(np.int64)
    if values.null_count and np.diff(offsets)[values.is_null().to_numpy(zero_copy_only=False)].any():
        is_text = pa.types.is_string(values.type) or pa.types.is_large_string(values.type)
        return byte_buffers(values.fill_null("" if is_text else b""))
    data = _NO_BYTES if data_buffer is None else np.frombuffer(data_buffer, np.uint8)
    data.flags.writeable = False  # of what Arrow computed it may be written to, of what it read it may not
    return data, offsets
