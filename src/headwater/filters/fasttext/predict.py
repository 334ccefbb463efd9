"""fastText's prediction, compiled, over UTF-8 bytes; the same labels and probabilities as the ``fasttext`` package.

A text's vector is the sum of the rows of its words and n-grams (``headwater.filters.fasttext.rows``), in float32, times float32(1 /
number of rows); the probabilities come from it (``headwater.filters.fasttext.output``).

A caller that wants the distribution of the parts of a text and of the whole calls ``sum_segments`` once, adds up the sums and counts of
the parts and calls ``distribution`` for both: nothing is hashed twice.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt
from numba import njit

from headwater.filters.fasttext.layout import FILTER_SHIFT, LISTED, KernelModel, NgramRule, Scratch
from headwater.filters.fasttext.model import HIERARCHICAL_SOFTMAX, FastTextModel
from headwater.filters.fasttext.ngrams import CHUNK, STEPS
from headwater.filters.fasttext.output import fill_probabilities, find_best
from headwater.filters.fasttext.rows import END_HASH, add_word_ngrams, index_words, sum_tokens
from headwater.filters.fasttext.sum_rows import add_rows
from headwater.filters.fasttext.vectors import PIECE

__all__ = ["KernelModel", "distribution", "predict", "predict_all", "prepare", "sum_segments"]

_FOUND = 1 << 13  # room for rows found before they are added: 32 KB, more than two chunks of n-grams
_MAX_KEPT_BITS = 17  # 2**17 tokens whose rows are kept: 8 MB
_BEYOND = 256  # bytes of room beyond a token, which vectors read

_Bytes = npt.NDArray[np.uint8]
_Ints = npt.NDArray[np.int32]
_Longs = npt.NDArray[np.int64]
_Item = TypeVar("_Item", bound=np.generic)
_Floats = npt.NDArray[np.float32]


def prepare(model: FastTextModel) -> KernelModel:
    """The arrays that the kernels walk; the matrix of input vectors is shared, not copied."""
    is_pruned = len(model.bucket_rows) > 0
    n_words = len(model.words)
    entries = model.words + model.label_tokens
    begins = np.zeros(len(entries) + 1, dtype=np.int64)
    np.cumsum([len(entry) for entry in entries], out=begins[1:])
    is_tree = model.loss == HIERARCHICAL_SOFTMAX
    arrays = KernelModel(
        rows=_align_rows(model) if is_pruned else model.rows,
        output=model.output if is_tree else np.ascontiguousarray(model.output.T),
        output_norms=model.output_norms,
        children=model.children,
        loss=model.loss,
        dim=model.dim,
        ngrams=NgramRule(
            bucket=model.bucket,
            factor=np.uint64(_factor(model.bucket)),
            min_ngram=model.min_ngram,
            max_ngram=model.max_ngram,
            word_ngrams=model.word_ngrams,
        ),
        is_pruned=is_pruned,
        buckets=_rank_buckets(model.bucket_rows >= 0, n_words),
        sieve=_make_sieve(model.bucket_rows >= 0, _factor(model.bucket)),
        slots=np.full(1 << (4 * len(entries) + 1).bit_length(), -1, dtype=np.int32),
        word_sieve=np.zeros(1024, dtype=np.uint64),
        n_words=n_words,
        word_bytes=np.frombuffer(b"".join(entries) or b"\0", dtype=np.uint8),
        word_begins=begins,
        subwords=np.zeros(0, dtype=np.int32),
        subword_begins=np.zeros(len(model.words) + 1, dtype=np.int64),
        end_row=model.words.index(b"</s>") if b"</s>" in model.words else -1,
        prefix=np.frombuffer(model.prefix, dtype=np.uint8),
    )
    longest = max((len(entry) for entry in entries), default=0)
    n_characters = int(begins[n_words]) + 2 * n_words
    subwords = np.empty(n_words + n_characters * model.max_ngram + model.max_ngram + 1, dtype=np.int32)
    n_subwords = index_words(arrays, _make_scratch(np.array([[0, longest, 0, 0, 0, 0]]), arrays), subwords)
    return arrays._replace(subwords=subwords[:n_subwords].copy())


def _factor(bucket: int) -> int:
    """``ceil(2**64 / bucket)`` modulo 2**64; 0 for no buckets."""
    return -(-(1 << 64) // bucket) & ((1 << 64) - 1) if bucket else 0


def _align(n: int, dtype: type[_Item]) -> npt.NDArray[_Item]:
    """Zeros (n,) that begin where a cache line begins."""
    size = np.dtype(dtype).itemsize
    memory = np.zeros(n * size + 64, dtype=np.uint8)
    begin = -memory.ctypes.data % 64
    return memory[begin : begin + n * size].view(dtype)


def _align_rows(model: FastTextModel) -> _Floats:
    """The rows of the words, then those of the buckets in order of bucket; each begins a cache line if it has 16 columns."""
    n_words = len(model.words)
    chosen = model.bucket_rows[model.bucket_rows >= 0]
    rows: _Floats = _align((n_words + len(chosen)) * model.rows.shape[1], np.float32).reshape(-1, model.rows.shape[1])
    rows[:n_words], rows[n_words:] = model.rows[:n_words], model.rows[chosen]
    return rows


def _rank_buckets(has_row: npt.NDArray[np.bool_], first_row: int) -> npt.NDArray[np.uint64]:
    """``KernelModel.buckets``."""
    packed = np.packbits(has_row, bitorder="little")
    bits = np.zeros(-(-len(has_row) // 64) * 8, dtype=np.uint8)
    bits[: len(packed)] = packed
    buckets = np.empty((len(bits) // 8, 2), dtype=np.uint64)
    buckets[:, 0] = bits.view(np.uint64)
    counts = np.bitwise_count(buckets[:, 0]).astype(np.uint64)
    buckets[:, 1] = np.cumsum(counts, dtype=np.uint64) - counts + np.uint64(first_row)
    return buckets.reshape(-1)


def _make_sieve(has_row: npt.NDArray[np.bool_], factor: int) -> npt.NDArray[np.uint64]:
    """``KernelModel.sieve``; all bits are set if no bucket was pruned."""
    n_bits = 1 << (64 - FILTER_SHIFT)
    if len(has_row) == 0:
        return np.full(n_bits // 64, np.uint64((1 << 64) - 1))
    passes = np.zeros(n_bits, dtype=np.bool_)
    # A hash below 2**32 leaves bucket * factor and at most 2**32 more: hash // buckets times what the factor was rounded up by.
    lowest = np.flatnonzero(has_row).astype(np.uint64) * np.uint64(factor)
    for highest in (lowest, lowest + np.uint64(1 << 32)):
        passes[highest >> np.uint64(FILTER_SHIFT)] = True
    return np.packbits(passes, bitorder="little").view(np.uint64)


@njit(cache=True, nogil=True)
def _predict(
    data: _Bytes,
    windows: _Longs,
    model: KernelModel,
    scratch: Scratch,
    labels: _Ints,
    probabilities: _Floats,
    distributions: _Floats,
) -> None:
    """Fills ``labels`` and ``probabilities`` with the best, or ``distributions`` with all if it has rows."""
    found, hashes = scratch.found, scratch.hashes
    hidden = np.empty(model.rows.shape[1], dtype=np.float32)
    n_scratch = max(len(model.children), len(model.output_norms)) + 2
    nodes = np.empty(n_scratch, dtype=np.int64)
    scores = np.empty(n_scratch, dtype=np.float32)
    for document in range(len(windows)):
        hidden[:] = np.float32(0.0)
        n_rows, n_tokens, n_hashes = sum_tokens(data, windows[document], model, scratch, hidden)
        if model.end_row >= 0:
            found[0] = model.end_row
            add_rows(model.rows, found, 1, hidden)
            n_rows += 1
        if len(hashes) > 0:
            hashes[n_hashes] = END_HASH
            n_rows += add_word_ngrams(model, found, hashes, n_hashes + 1, hidden)
        if n_rows == 0 or n_tokens == 0:
            if len(distributions) > 0:
                distributions[document, :] = np.float32(0.0)
            else:
                labels[document], probabilities[document] = -1, np.float32(0.0)
            continue
        scale = np.float32(1.0 / n_rows)
        for column in range(len(hidden)):
            hidden[column] *= scale
        if len(distributions) > 0:
            fill_probabilities(hidden, model, nodes, scores, distributions[document])
        else:
            labels[document], probabilities[document] = find_best(hidden, model, nodes, scores)


@njit(cache=True, nogil=True)
def _sum_segments(
    data: _Bytes, windows: _Longs, model: KernelModel, scratch: Scratch, sums: _Floats, counts: _Longs
) -> None:
    found, hashes = scratch.found, scratch.hashes
    for segment in range(len(windows)):
        n_rows, _, n_hashes = sum_tokens(data, windows[segment], model, scratch, sums[segment])
        counts[segment] = n_rows + add_word_ngrams(model, found, hashes, n_hashes, sums[segment])


@njit(cache=True, nogil=True)
def _fill_distributions(sums: _Floats, counts: _Longs, model: KernelModel, distributions: _Floats) -> None:
    hidden = np.empty(model.rows.shape[1], dtype=np.float32)
    n_scratch = max(len(model.children), len(model.output_norms)) + 2
    nodes = np.empty(n_scratch, dtype=np.int64)
    scores = np.empty(n_scratch, dtype=np.float32)
    for row in range(len(sums)):
        if counts[row] == 0:
            distributions[row, :] = np.float32(0.0)
            continue
        has_end = model.end_row >= 0
        scale = np.float32(1.0 / (counts[row] + (1 if has_end else 0)))
        for column in range(len(hidden)):
            value = sums[row, column]
            if has_end:
                value += model.rows[model.end_row, column]
            hidden[column] = value * scale
        fill_probabilities(hidden, model, nodes, scores, distributions[row])


def _make_scratch(windows: _Longs, model: KernelModel) -> Scratch:
    """Room for the longest token and, where the model has word n-grams, for the hashes of the tokens of the longest text."""
    sizes = (windows[:, 1::2] - windows[:, ::2]).sum(axis=1)
    longest, total = int(sizes.max(initial=0)), int(sizes.sum())
    n_hashes = (
        longest // 2 + 4 if model.ngrams.word_ngrams > 1 else 0
    )  # at most (bytes + 3) / 2 tokens in three windows, and </s>
    n_kept = 1 << min(max((total // 32).bit_length(), 4), _MAX_KEPT_BITS)
    kept = _align(8 * n_kept, np.uint64)
    scratch = Scratch(
        word=np.empty(longest + _BEYOND, dtype=np.uint8),
        found=np.empty(_FOUND, dtype=np.int32),
        hashes=np.empty(n_hashes, dtype=np.int32),
        tokens=np.empty(3 * LISTED, dtype=np.int64),
        token_keys=_align(4 * LISTED, np.uint64),
        tail=np.zeros(PIECE, dtype=np.uint8),
        kept=kept,
        kept_rows=kept.view(np.int32),
        pool=np.zeros(n_kept * 4 + 2048, dtype=np.int32),
        begins=np.empty(CHUNK + STEPS + 64, dtype=np.int32),
        lane_hashes=_align(STEPS * CHUNK, np.uint32),
        fractions=np.empty(CHUNK * model.ngrams.max_ngram + 1, dtype=np.uint64),
    )
    scratch.word[0] = ord("<")
    return scratch


def predict(data: _Bytes, windows: _Longs, model: KernelModel) -> tuple[_Ints, _Floats]:
    """The best label of each document and its probability, by fastText's ``predict`` with k = 1.

    Args:
        data: UTF-8 bytes of all documents.
        windows: (n, 6), as ``find_windows`` returns them: each document is its windows, joined by a space.
        model: from ``prepare``.

    Returns:
        int32 (n,), the place of the label in the model, -1 for a document of white space alone or without any row; float32 (n,), the
        probability, which may exceed 1 by some 1e-5 as fastText's does.
    """
    labels = np.empty(len(windows), dtype=np.int32)
    probabilities = np.empty(len(windows), dtype=np.float32)
    scratch = _make_scratch(windows, model)
    _predict(data, windows, model, scratch, labels, probabilities, np.empty((0, 0), dtype=np.float32))
    return labels, probabilities


def predict_all(data: _Bytes, windows: _Longs, model: KernelModel) -> _Floats:
    """The probability of every label for each document, by fastText's ``predict`` with k = all labels.

    Args:
        data: UTF-8 bytes of all documents.
        windows: (n, 6), as for ``predict``.
        model: from ``prepare``.

    Returns:
        float32 (n, labels). 0 for a label that fastText does not list: with hierarchical softmax, one below 1e-5. A row of zeros for
        a document of white space alone or without any row. Rows add up to 1 + 1e-5 a label with softmax, and to anything with one against all and
        negative sampling.
    """
    distributions = np.empty((len(windows), len(model.output_norms)), dtype=np.float32)
    scratch = _make_scratch(windows, model)
    none = np.empty(0, dtype=np.float32)
    _predict(data, windows, model, scratch, np.empty(0, dtype=np.int32), none, distributions)
    return distributions


def sum_segments(data: _Bytes, windows: _Longs, model: KernelModel) -> tuple[_Floats, _Longs]:
    """The sum of the rows of each segment's tokens and word n-grams, and how many they are; ``</s>`` is not among them.

    Sums and counts of several segments may be added up: for ``distribution`` they then are one text. It lacks only the word n-grams that
    cross from one segment to the next, and those with ``</s>``.

    Args:
        data: UTF-8 bytes of all segments.
        windows: (n, 6), as for ``predict``: a segment that is one piece has it in the first two columns, and begin = end in the others.
        model: from ``prepare``.

    Returns:
        float32 (n, columns of ``model.rows``); int64 (n,).
    """
    sums = np.zeros((len(windows), model.rows.shape[1]), dtype=np.float32)
    counts = np.zeros(len(windows), dtype=np.int64)
    scratch = _make_scratch(windows, model)
    _sum_segments(data, windows, model, scratch, sums, counts)
    return sums, counts


def distribution(sums: _Floats, counts: _Longs, model: KernelModel) -> _Floats:
    """The probability of every label for each row of sums, each taken for a whole text: the row of ``</s>`` is added.

    Args:
        sums: float32 (n, columns of ``model.rows``), from ``sum_segments``, rows of it or sums of them.
        counts: int64 (n,), added up likewise.
        model: from ``prepare``.

    Returns:
        float32 (n, labels), as of ``predict_all``: equal to it bit for bit for one segment and a model without word n-grams. A row of zeros
        where the count is 0, also for a text of which the model knows no part.
    """
    distributions = np.empty((len(sums), len(model.output_norms)), dtype=np.float32)
    _fill_distributions(sums, counts, model, distributions)
    return distributions
