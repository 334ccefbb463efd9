"""A fastText model as its kernels walk it: flat arrays, and a table that finds a word by its hash."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["FILTER_SHIFT", "LISTED", "KernelModel", "NgramRule", "Scratch"]

FILTER_SHIFT: Final = 47
"""Bits of a fraction that ``KernelModel.sieve`` does not look at: it has 2**17."""

LISTED: Final = 64
"""Tokens that are listed before the first of them is looked up, while the cache lines that they need are under way."""


class NgramRule(NamedTuple):
    """Which n-grams are taken and how a hash becomes a bucket.

    Attributes:
        bucket: number of n-gram buckets.
        factor: ``ceil(2**64 / bucket)`` modulo 2**64.
        min_ngram: shortest character n-gram.
        max_ngram: longest, 0 for none.
        word_ngrams: longest word n-gram, 1 for none.
    """

    bucket: int
    factor: np.uint64
    min_ngram: int
    max_ngram: int
    word_ngrams: int


class KernelModel(NamedTuple):
    """A model as the kernels walk it; a tuple, since Numba takes one as an argument.

    Attributes:
        rows: input vectors, float32 (n, columns rounded up to a multiple of 8).
        output: float32 (labels, columns) for hierarchical softmax: one vector an inner node; for any other loss (columns, labels).
        output_norms: float32 (labels,): what a product with a vector of ``output`` is multiplied with.
        children: int32 (2 * labels - 1, 2); leaves come first, the root last, -1 for no child. (0, 2) without hierarchical softmax.
        loss: the loss, as ``headwater.filters.fasttext.model`` numbers them.
        dim: columns that mean something.
        ngrams: which n-grams are taken.
        is_pruned: whether only some buckets have a row. If not, row ``n_words + bucket`` is a bucket's, and ``buckets`` is empty.
        buckets: uint64 (2 * ceil(bucket / 64),), for each 64 buckets a number with a set bit for each that has a row, and the row of the
            first set bit; the rows of all are in order of bucket.
        sieve: uint64 (2048,): a set bit for each value of the upper bits of a fraction (see ``headwater.filters.fasttext.ngrams``) that
            a bucket with a row could have.
        slots: int32, an open-addressing table of the ids of words and labels by FNV-1a hash, -1 for empty; a power of two long.
        word_sieve: uint64 (1024,), a set bit for each value of the upper bits of the hash of a key that a word or label could have.
        n_words: words in the vocabulary; the ids of labels follow.
        word_bytes: the vocabulary and the labels, concatenated.
        word_begins: int64 (words + labels + 1,): where each begins in it.
        subwords: int32: the rows of each word of the vocabulary, its own first, concatenated.
        subword_begins: int64 (words + 1,): where those of each word begin.
        end_row: row of ``</s>``, -1 if the vocabulary lacks it.
        prefix: bytes of ``__label__``.
    """

    rows: npt.NDArray[np.float32]
    output: npt.NDArray[np.float32]
    output_norms: npt.NDArray[np.float32]
    children: npt.NDArray[np.int32]
    loss: int
    dim: int
    ngrams: NgramRule
    is_pruned: bool
    buckets: npt.NDArray[np.uint64]
    sieve: npt.NDArray[np.uint64]
    slots: npt.NDArray[np.int32]
    word_sieve: npt.NDArray[np.uint64]
    n_words: int
    word_bytes: npt.NDArray[np.uint8]
    word_begins: npt.NDArray[np.int64]
    subwords: npt.NDArray[np.int32]
    subword_begins: npt.NDArray[np.int64]
    end_row: int
    prefix: npt.NDArray[np.uint8]


class Scratch(NamedTuple):
    """What the kernels write to while they work; holds nothing between calls that a result depends on.

    Attributes:
        word: uint8, 256 longer than the longest text, for a token between ``<`` and ``>``.
        found: int32, rows that are not yet added.
        hashes: int32, the hash of each token of a text; empty if the model has no word n-grams.
        tokens: int64 (3 * LISTED,): begin, length and hash of the key of the tokens that come next.
        token_keys: uint64 (4 * LISTED,): the bytes of each that has at most 31, then zeros.
        tail: uint8 (32,), for a token near the end of all texts.
        kept: uint64 (8 * a power of two,), one cache line for each token whose rows are kept: its key, zeros for none, and ``kept_rows``.
        kept_rows: int32, the same memory: of the 16 numbers of each token the last eight are up to seven rows and their number. Where they
            are more, the first is where in ``pool`` they begin.
        pool: int32, rows of those tokens. Its last place is how many are taken.
        begins: int32, where the characters of a part of a token begin.
        lane_hashes: uint32, the hashes of its n-grams.
        fractions: uint64, those that may have a row.
    """

    word: npt.NDArray[np.uint8]
    found: npt.NDArray[np.int32]
    hashes: npt.NDArray[np.int32]
    tokens: npt.NDArray[np.int64]
    token_keys: npt.NDArray[np.uint64]
    tail: npt.NDArray[np.uint8]
    kept: npt.NDArray[np.uint64]
    kept_rows: npt.NDArray[np.int32]
    pool: npt.NDArray[np.int32]
    begins: npt.NDArray[np.int32]
    lane_hashes: npt.NDArray[np.uint32]
    fractions: npt.NDArray[np.uint64]
