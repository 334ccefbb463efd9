"""Columns of few distinct names as numbers, the same over many fragments."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from headwater.arrays import Int64s

__all__ = ["UNDETERMINED", "code_names"]

UNDETERMINED: Final = "und"
"""Language of samples that have none yet."""


def code_names(column: pa.ChunkedArray, names: dict[str, int], missing: str = UNDETERMINED) -> Int64s:
    """Return the number of each value, int64; a value not seen before gets the next one.

    Args:
        names: value → number; it grows.
        missing: stands for null.

    >>> names = {"en": 0}
    >>> code_names(pa.chunked_array([["de", "en", None]]), names).tolist(), names
    ([1, 0, 2], {'en': 0, 'de': 1, 'und': 2})
    """
    encoded = column.unify_dictionaries() if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    array = encoded.combine_chunks()
    indices = array.indices.fill_null(len(array.dictionary)).to_numpy()
    listed = array.dictionary.to_pylist()
    # What a dictionary names and no row has, gets no number.
    used = np.bincount(indices, minlength=len(listed) + 1) > 0
    numbers = [
        names.setdefault(missing if name is None else name, len(names)) if there else 0
        for name, there in zip([*listed, None], used.tolist(), strict=True)
    ]
    coded: Int64s = np.array(numbers, np.int64)[indices]
    return coded
