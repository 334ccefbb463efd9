"""The bytes and offsets of an Arrow string array, as NumPy arrays that kernels walk; copies no text."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headwater.errors import UsageError

__all__ = ["text_buffers"]


def text_buffers(texts: pa.Array | pa.ChunkedArray) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Return the UTF-8 bytes (uint8) and the offsets (int64, n + 1) of `texts`; a null counts as empty text.

    Raises:
        UsageError: the array is neither string nor large_string.

    >>> data, offsets = text_buffers(pa.array(["ab", None, "c"]))
    >>> offsets.tolist()
    [0, 2, 2, 3]
    """
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
    if not (pa.types.is_string(texts.type) or pa.types.is_large_string(texts.type)):
        raise UsageError(f"expected an array of string or large_string, found {texts.type}: cast the text column")
    if texts.null_count:
        texts = texts.fill_null("")
    width = np.int64 if pa.types.is_large_string(texts.type) else np.int32
    _, offset_buffer, data_buffer = texts.buffers()
    if len(texts) == 0 or offset_buffer is None:
        return np.zeros(0, np.uint8), np.zeros(len(texts) + 1, np.int64)
    offsets = np.frombuffer(offset_buffer, dtype=width)[texts.offset : texts.offset + len(texts) + 1].astype(np.int64)
    data = np.frombuffer(data_buffer, dtype=np.uint8) if data_buffer is not None else np.zeros(0, np.uint8)
    return data, offsets
