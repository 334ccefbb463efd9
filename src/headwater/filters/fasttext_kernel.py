"""fastText's prediction of the best label, compiled, over UTF-8 bytes; the same label and probability as the ``fasttext`` package.

What fastText does, and so does this:

- A text is one line: tokens between white space (space, tab, line feed, vertical tab, form feed, carriage return, NUL), then
  ``</s>``. A token ``</s>`` inside the text ends the line there. A token that begins with ``__label__`` counts for nothing.
- A token adds its row if it is in the vocabulary, and the rows of its character n-grams, taken over ``<token>`` from each character
  on, shortest first; single ``<`` and ``>`` are left out. An n-gram's bucket is the FNV-1a hash of its bytes *as signed chars*,
  modulo the number of buckets; a bucket that quantisation pruned adds nothing.
- The text's vector is the sum of the rows in that order, in float32, times float32(1 / number of rows).
- The label is the best leaf of a tree: ``headwater.filters.fasttext_tree``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from headwater.filters.fasttext_model import FastTextModel
from headwater.filters.fasttext_tree import compute_exp, find_best_leaf

__all__ = ["KernelModel", "predict", "prepare"]

_FNV_BASIS = 2166136261
_FNV_PRIME = 16777619
_BLOCK = 8  # columns summed at once; rows are padded to a multiple of it

_Bytes = npt.NDArray[np.uint8]
_Ints = npt.NDArray[np.int32]
_Longs = npt.NDArray[np.int64]
_Floats = npt.NDArray[np.float32]


class NgramRule(NamedTuple):
    """Which n-grams are taken and how a hash becomes a bucket.

    Attributes:
        bucket: number of n-gram buckets.
        reciprocal: ``ceil(2 ** shift / bucket)``, at most 2**32.
        shift: ``31 + bits of bucket``.
        min_ngram: shortest character n-gram.
        max_ngram: longest.
    """

    bucket: int
    reciprocal: int
    shift: int
    min_ngram: int
    max_ngram: int


class KernelModel(NamedTuple):
    """A model as the kernel walks it; a tuple, since Numba takes one as an argument.

    Attributes:
        rows: input vectors, float32 (n, columns rounded up to a multiple of 8).
        output: float32 (labels, columns): one vector an inner node.
        children: int32 (2 * labels - 1, 2); leaves come first, the root last, -1 for no child.
        dim: columns that mean something.
        ngrams: which n-grams are taken.
        bucket_bits: uint64 (ceil(bucket / 64),), a set bit for a bucket that has a row: 250 KB, so that the cache holds it.
        bucket_rows: int32 (bucket,): row of each bucket.
        slots: int32, an open-addressing table of word ids by FNV-1a hash, -1 for empty; a power of two long.
        word_bytes: the vocabulary, concatenated.
        word_begins: int64 (words + 1,): where each word begins in it.
        subwords: int32: the rows of each word of the vocabulary, its own first, concatenated.
        subword_begins: int64 (words + 1,): where those of each word begin.
        end_row: row of ``</s>``, -1 if the vocabulary lacks it.
        prefix: bytes of ``__label__``.
    """

    rows: _Floats
    output: _Floats
    children: _Ints
    dim: int
    ngrams: NgramRule
    bucket_bits: npt.NDArray[np.uint64]
    bucket_rows: _Ints
    slots: _Ints
    word_bytes: _Bytes
    word_begins: _Longs
    subwords: _Ints
    subword_begins: _Longs
    end_row: int
    prefix: _Bytes


@njit(cache=True, nogil=True, forceinline=True)
def _step(hash_: np.uint64, byte: int) -> np.uint64:
    """FNV-1a over a signed char: a byte of 128 or more is widened with ones."""
    signed = np.uint64(byte) | (np.uint64(0xFFFFFF00) if byte >= 128 else np.uint64(0))
    return ((np.uint64(hash_) ^ signed) * np.uint64(_FNV_PRIME)) & np.uint64(0xFFFFFFFF)


@njit(cache=True, nogil=True, forceinline=True)
def _add_ngram(hash_: np.uint64, rule: NgramRule, bits: npt.NDArray[np.uint64], found: _Ints, n_found: int) -> int:
    """Appends the bucket of an n-gram with this hash to ``found``, if it has a row; returns the new length."""
    # hash % bucket by multiplication; the reciprocal is rounded up, so the quotient is right or one too high.
    quotient = (hash_ * np.uint64(rule.reciprocal)) >> np.uint64(rule.shift)
    remainder = np.int64(hash_) - np.int64(quotient) * rule.bucket
    remainder += rule.bucket if remainder < 0 else 0
    # Written always and counted only for a set bit: half of the n-grams have none, which no branch predictor learns.
    found[n_found] = remainder
    return n_found + int(
        (bits[np.uint64(remainder) >> np.uint64(6)] >> (np.uint64(remainder) & np.uint64(63))) & np.uint64(1)
    )


@njit(cache=True, nogil=True)
def _add_subwords(
    word: _Bytes,
    length: int,
    rule: NgramRule,
    bits: npt.NDArray[np.uint64],
    bucket_rows: _Ints,
    found: _Ints,
    n_found: int,
) -> int:
    """Appends the rows of the n-grams of ``word[:length]``, which includes ``<`` and ``>``; returns the new length of ``found``.

    ``word[length]`` is overwritten.
    """
    if rule.bucket == 0:
        return n_found
    n_before = n_found
    word[length] = 0  # ends the last character
    for begin in range(length):
        if (word[begin] & 0xC0) == 0x80:
            continue
        hash_ = np.uint64(_FNV_BASIS)
        end = begin
        for n in range(1, rule.max_ngram + 1):
            hash_ = _step(hash_, word[end])
            end += 1
            while (word[end] & 0xC0) == 0x80:
                hash_ = _step(hash_, word[end])
                end += 1
            if n >= rule.min_ngram and not (n == 1 and (begin == 0 or end == length)):
                n_found = _add_ngram(hash_, rule, bits, found, n_found)
            if end == length:
                break
    for i in range(n_before, n_found):
        found[i] = bucket_rows[found[i]]
    return n_found


@njit(cache=True, nogil=True, forceinline=True)
def _find_word(
    token: _Bytes, length: int, hash_: np.uint64, slots: _Ints, word_bytes: _Bytes, word_begins: _Longs
) -> int:
    """The id of ``token[:length]`` in the vocabulary, or -1."""
    slot = np.int64(hash_) & (len(slots) - 1)
    while slots[slot] >= 0:
        word = slots[slot]
        begin = word_begins[word]
        if word_begins[word + 1] - begin == length:
            same = 0
            while same < length and word_bytes[begin + same] == token[same]:
                same += 1
            if same == length:
                return int(word)
        slot = (slot + 1) & (len(slots) - 1)
    return -1


@njit(cache=True, nogil=True, forceinline=True)
def _is_prefixed(token: _Bytes, length: int, prefix: _Bytes) -> bool:
    if length < len(prefix):
        return False
    for i in range(len(prefix)):
        if token[i] != prefix[i]:
            return False
    return True


@njit(cache=True, nogil=True)
def _sum_rows(rows: _Floats, found: _Ints, n_found: int, hidden: _Floats) -> None:
    """Writes the mean of ``rows[found[:n_found]]`` to ``hidden``; eight columns at a time stay in registers."""
    scale = np.float32(1.0 / n_found)
    zero = np.float32(0.0)
    for column in range(0, rows.shape[1], _BLOCK):
        a, b, c, d, e, f, g, h = zero, zero, zero, zero, zero, zero, zero, zero
        for i in range(n_found):
            row = found[i]
            a += rows[row, column]
            b += rows[row, column + 1]
            c += rows[row, column + 2]
            d += rows[row, column + 3]
            e += rows[row, column + 4]
            f += rows[row, column + 5]
            g += rows[row, column + 6]
            h += rows[row, column + 7]
        hidden[column] = a * scale
        hidden[column + 1] = b * scale
        hidden[column + 2] = c * scale
        hidden[column + 3] = d * scale
        hidden[column + 4] = e * scale
        hidden[column + 5] = f * scale
        hidden[column + 6] = g * scale
        hidden[column + 7] = h * scale


@njit(cache=True, nogil=True)
def _fill_found(data: _Bytes, windows: _Longs, model: KernelModel, word: _Bytes, found: _Ints) -> tuple[int, int]:
    """Writes the rows of one document to ``found``; returns how many rows and how many tokens.

    ``word`` is scratch that begins with ``<``.
    """
    # Taken out of the tuple once: each access counts a reference.
    rule, bits, bucket_rows = model.ngrams, model.bucket_bits, model.bucket_rows
    slots, word_bytes, word_begins = model.slots, model.word_bytes, model.word_begins
    subwords, subword_begins, prefix = model.subwords, model.subword_begins, model.prefix
    token = word[1:]
    n_found = 0
    n_tokens = 0
    ended = False
    for window in range(0, 6, 2):
        at, end = windows[window], windows[window + 1]
        while at < end and not ended:
            length = 0
            hash_ = np.uint64(_FNV_BASIS)
            while at < end:
                byte = data[at]
                at += 1
                if byte <= 32 and (byte == 32 or (9 <= byte <= 13) or byte == 0):
                    break
                token[length] = byte
                length += 1
                hash_ = _step(hash_, byte)
            if length == 0:
                continue
            n_tokens += 1
            if length == 4 and token[0] == 60 and token[1] == 47 and token[2] == 115 and token[3] == 62:  # </s>
                ended = True
                break
            known = _find_word(token, length, hash_, slots, word_bytes, word_begins)
            if known >= 0:
                for i in range(subword_begins[known], subword_begins[known + 1]):
                    found[n_found] = subwords[i]
                    n_found += 1
            elif not _is_prefixed(token, length, prefix):
                token[length] = 62  # >
                n_found = _add_subwords(word, length + 2, rule, bits, bucket_rows, found, n_found)
    if model.end_row >= 0:
        found[n_found] = model.end_row
        n_found += 1
    return n_found, n_tokens


@njit(cache=True, nogil=True)
def _predict(
    data: _Bytes,
    windows: _Longs,
    model: KernelModel,
    word: _Bytes,
    found: _Ints,
    labels: _Ints,
    probabilities: _Floats,
) -> None:
    word[0] = 60  # <
    hidden = np.empty(model.rows.shape[1], dtype=np.float32)
    nodes = np.empty(len(model.children) + 2, dtype=np.int64)
    scores = np.empty(len(model.children) + 2, dtype=np.float32)
    for document in range(len(windows)):
        n_found, n_tokens = _fill_found(data, windows[document], model, word, found)
        if n_found == 0 or n_tokens == 0:
            labels[document], probabilities[document] = -1, np.float32(0.0)
            continue
        _sum_rows(model.rows, found, n_found, hidden)
        best, score = find_best_leaf(hidden, model.dim, model.output, model.children, nodes, scores)
        labels[document], probabilities[document] = best, np.float32(compute_exp(np.float64(score)))


def prepare(model: FastTextModel) -> KernelModel:
    """The arrays that the kernel walks."""
    bits = np.zeros(-(-model.bucket // 64) * 8 or 8, dtype=np.uint8)
    packed = np.packbits(model.bucket_rows >= 0, bitorder="little")
    bits[: len(packed)] = packed
    begins = np.zeros(len(model.words) + 1, dtype=np.int64)
    np.cumsum([len(word) for word in model.words], out=begins[1:])
    shift = 31 + model.bucket.bit_length() if model.bucket else 0
    arrays = KernelModel(
        rows=model.rows,
        output=model.output,
        children=model.children,
        dim=model.dim,
        ngrams=NgramRule(
            bucket=model.bucket,
            reciprocal=-(-(1 << shift) // model.bucket) if model.bucket else 0,
            shift=shift,
            min_ngram=model.min_ngram,
            max_ngram=model.max_ngram,
        ),
        bucket_bits=bits.view(np.uint64),
        bucket_rows=model.bucket_rows,
        slots=np.full(1 << (4 * len(model.words) + 1).bit_length(), -1, dtype=np.int32),
        word_bytes=np.frombuffer(b"".join(model.words) or b"\0", dtype=np.uint8),
        word_begins=begins,
        subwords=np.zeros(0, dtype=np.int32),
        subword_begins=np.zeros(len(model.words) + 1, dtype=np.int64),
        end_row=model.words.index(b"</s>") if b"</s>" in model.words else -1,
        prefix=np.frombuffer(model.prefix, dtype=np.uint8),
    )
    longest = max((len(word) for word in model.words), default=0)
    subwords = np.empty(len(model.words) + (int(begins[-1]) + 2 * len(model.words)) * max(model.max_ngram, 1), np.int32)
    n_subwords = _index_words(arrays, np.empty(longest + 3, np.uint8), subwords)
    return arrays._replace(subwords=subwords[:n_subwords].copy())


@njit(cache=True, nogil=True)
def _index_words(model: KernelModel, scratch: _Bytes, subwords: _Ints) -> int:
    """Fills ``model.slots``, ``model.subword_begins`` and ``subwords``; returns the number of rows in ``subwords``."""
    n_subwords = 0
    scratch[0] = 60
    for word in range(len(model.word_begins) - 1):
        begin = model.word_begins[word]
        length = model.word_begins[word + 1] - begin
        hash_ = np.uint64(_FNV_BASIS)
        for i in range(length):
            byte = model.word_bytes[begin + i]
            scratch[i + 1] = byte
            hash_ = _step(hash_, byte)
        slot = np.int64(hash_) & (len(model.slots) - 1)
        while model.slots[slot] >= 0:
            slot = (slot + 1) & (len(model.slots) - 1)
        model.slots[slot] = word
        subwords[n_subwords] = word
        n_subwords += 1
        if word != model.end_row:
            scratch[length + 1] = 62
            n_subwords = _add_subwords(
                scratch, length + 2, model.ngrams, model.bucket_bits, model.bucket_rows, subwords, n_subwords
            )
        model.subword_begins[word + 1] = n_subwords
    return n_subwords


def predict(data: _Bytes, windows: _Longs, model: KernelModel) -> tuple[_Ints, _Floats]:
    """The best label of each document and its probability, by fastText's ``predict`` with k = 1.

    Args:
        data: UTF-8 bytes of all documents.
        windows: (n, 6), as ``find_windows`` returns them: each document is its windows, joined by a space.
        model: from ``prepare``.

    Returns:
        int32 (n,), the place of the label in the model, -1 for a document of white space alone; float32 (n,), the probability, which may
        exceed 1 by some 1e-5 as fastText's does.
    """
    labels = np.empty(len(windows), dtype=np.int32)
    probabilities = np.empty(len(windows), dtype=np.float32)
    longest = int((windows[:, 1::2] - windows[:, ::2]).sum(axis=1).max(initial=0))
    word = np.empty(longest + 3, dtype=np.uint8)
    # In B bytes and 3 windows are at most B / 2 + 3 tokens, each with "<", ">" and a row of its own besides max_ngram rows a character.
    found = np.empty((2 * longest + 10) * (model.ngrams.max_ngram + 1), dtype=np.int32)
    _predict(data, windows, model, word, found, labels, probabilities)
    return labels, probabilities
