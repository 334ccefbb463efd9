"""Tells Malay from Indonesian by their words: a sum of weights, where a fastText model takes a mean.

Most words are the same in both languages, so one ``kewangan`` or ``karena`` in a long sentence has to decide, and in a mean of two
hundred n-grams it does not. ``data/malay.npy`` has a weight for each word by its hash, positive for Malay, from a logistic regression over
the words of a sentence (``bench/train_relatives.py``). A word is a run of ASCII letters, its case left out; words with the same hash
share a weight.
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["BITS", "MOST", "UNIT", "bucket_of", "read_weights", "weigh_words"]

BITS: Final = 18
"""There are ``2**BITS`` weights."""

UNIT: Final = 1.0 / 24.0
"""What a weight of one stands for, in logits."""

MOST: Final = 5.0
"""The sum is cut off here, so that a long text does not overrule every other sign."""

_FNV_BASIS: Final = np.uint32(2166136261)
_FNV_PRIME: Final = np.uint32(16777619)
_MIXER: Final = np.uint32(0x85EBCA6B)

_Bytes = npt.NDArray[np.uint8]
_Weights = npt.NDArray[np.int8]
_Longs = npt.NDArray[np.int64]


def read_weights() -> tuple[str, _Weights]:
    """The SHA-256 of the file, and the weights: int8 (2**BITS,), the files of this package being what they are."""
    data = (Path(__file__).parents[1] / "data" / "malay.npy").read_bytes()
    return hashlib.sha256(data).hexdigest(), np.load(io.BytesIO(data), allow_pickle=False)


@njit(cache=True, nogil=True)
def bucket_of(value: np.uint32) -> int:
    """The place of the weight of a word with this FNV-1a hash, whose bits are mixed once more."""
    value = np.uint32((value ^ (value >> np.uint32(15))) * _MIXER)
    return int(value >> np.uint32(32 - BITS))


@njit(cache=True, nogil=True)
def _weigh(data: _Bytes, segments: _Longs, owners: _Longs, weights: _Weights, sums: _Longs) -> None:
    for segment in range(len(segments)):
        total = 0
        for piece in range(0, segments.shape[1], 2):
            value = _FNV_BASIS
            in_word = False
            for place in range(segments[segment, piece], segments[segment, piece + 1]):
                lower = data[place] | np.uint8(32)
                if np.uint8(97) <= lower <= np.uint8(122):
                    value = np.uint32((value ^ np.uint32(lower)) * _FNV_PRIME)
                    in_word = True
                elif in_word:
                    total += weights[bucket_of(value)]
                    value = _FNV_BASIS
                    in_word = False
            if in_word:
                total += weights[bucket_of(value)]
        sums[owners[segment]] += total


def weigh_words(
    data: _Bytes, segments: _Longs, owners: _Longs, n_documents: int, weights: _Weights
) -> npt.NDArray[np.float32]:
    """How much more the words of each document are Malay than Indonesian.

    Args:
        data: UTF-8 bytes of all documents.
        segments: int64 (n, 6): each is at most three pieces, begin and end.
        owners: int64 (n,): the document of each, below ``n_documents``.
        n_documents: how many there are.
        weights: from ``read_weights``.

    Returns:
        float32 (n_documents,): logits, at most ``MOST`` either way.
    """
    sums = np.zeros(n_documents, dtype=np.int64)
    _weigh(data, segments, owners, weights, sums)
    return np.clip(sums * UNIT, -MOST, MOST).astype(np.float32)
