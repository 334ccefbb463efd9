"""The least that reading text takes: decode UTF-8 and count words."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numba import njit

from headwater.arrays import Int64s, UInt8s
from headwater.buffers import text_buffers

__all__ = ["count_words"]


def count_words(texts: pa.Array) -> list[int]:
    r"""Return the number of runs between white space (code points, as ``str.split`` has them but for U+001C to U+001F) in each text.

    >>> count_words(pa.array(["one two", "", " drei\u3000vier\n"]))
    [2, 0, 2]
    """
    data, offsets = text_buffers(texts)
    counts = np.zeros(len(offsets) - 1, np.int64)
    _count(data, offsets, counts)
    return counts.tolist()


@njit(cache=True, nogil=True)
def _count(data: UInt8s, offsets: Int64s, counts: Int64s) -> None:
    for row in range(counts.size):
        i = offsets[row]
        end = offsets[row + 1]
        words = 0
        inside = False
        while i < end:
            byte = np.uint32(data[i])
            if byte < 0x80:
                point = byte
                i += 1
            elif byte < 0xE0:
                point = (byte & np.uint32(0x1F)) << np.uint32(6) | np.uint32(data[i + 1]) & np.uint32(0x3F)
                i += 2
            elif byte < 0xF0:
                point = (byte & np.uint32(0x0F)) << np.uint32(12) | (
                    np.uint32(data[i + 1]) & np.uint32(0x3F)
                ) << np.uint32(6)
                point |= np.uint32(data[i + 2]) & np.uint32(0x3F)
                i += 3
            else:
                point = (byte & np.uint32(0x07)) << np.uint32(18) | (
                    np.uint32(data[i + 1]) & np.uint32(0x3F)
                ) << np.uint32(12)
                point |= (np.uint32(data[i + 2]) & np.uint32(0x3F)) << np.uint32(6) | np.uint32(
                    data[i + 3]
                ) & np.uint32(0x3F)
                i += 4
            is_space = point == 32 or 9 <= point <= 13
            if 0x80 <= point <= 0x3000:
                is_space = (
                    point in (0x85, 0xA0, 0x1680, 0x202F, 0x205F, 0x3000)
                    or 0x2000 <= point <= 0x200A
                    or 0x2028 <= point <= 0x2029
                )
            if not is_space and not inside:
                words += 1
            inside = not is_space
        counts[row] = words
