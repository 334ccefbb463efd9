"""From text to the sum of the rows that fastText adds up for it, compiled, over UTF-8 bytes.

What fastText does, and so does this:

- A text is one line: tokens between white space (space, tab, line feed, vertical tab, form feed, carriage return, NUL), then
  ``</s>``. A token ``</s>`` inside the text ends the line there. A token that is a label of the model, or that is unknown and begins
  with ``__label__``, counts for nothing.
- A token adds its row if it is in the vocabulary, and the rows of its character n-grams, taken over ``<token>`` from each character
  on, shortest first; single ``<`` and ``>`` are left out. An n-gram's bucket is the FNV-1a hash of its bytes *as signed chars*,
  modulo the number of buckets; a bucket that quantisation pruned adds nothing.
- After all tokens and ``</s>`` come the word n-grams, from each token on, shortest first: with h the token's hash as a signed 32-bit
  number, widened to 64 bits, each further token makes h * 116049371 + its hash, modulo 2**64, and the bucket is h modulo the number of
  buckets. ``</s>`` is one of the tokens.
- The sum is made in that order, in float32.

Cost: time grows with the bytes times the longest character n-gram. Rows are found some 2,000 at a time and then added, so memory does
not grow with the text, but for 4 bytes a token where a model has word n-grams.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from headwater.filters.fasttext.layout import LISTED, KernelModel, Scratch
from headwater.filters.fasttext.ngrams import FNV_BASIS, add_subwords, append_row, fnv_step
from headwater.filters.fasttext.sum_rows import add_rows
from headwater.filters.fasttext.vectors import PIECE, copy_8, copy_piece, fetch_line, find_white, is_key, make_key
from headwater.filters.text.compile import kernel

__all__ = ["END_HASH", "add_word_ngrams", "index_words", "sum_tokens"]

_WORD_FACTOR = 116049371
END_HASH = 3617362777 - (1 << 32)
"""The hash of ``</s>`` as a signed number, as word n-grams take it."""

_IN_LINE = 7  # rows of a kept token that stand beside its key
_FLUSH = 2048  # rows found before they are added
# Odd numbers with bits everywhere, that a product of a key and its place among the kept ones look unrelated.
_MIX_0, _MIX_1, _MIX_2, _MIX_3 = 0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93

_Bytes = npt.NDArray[np.uint8]
_Ints = npt.NDArray[np.int32]
_Longs = npt.NDArray[np.int64]
_Floats = npt.NDArray[np.float32]


@njit(cache=True, nogil=True, forceinline=True)
def _find_word(
    word: _Bytes, length: int, hash_: np.uint64, slots: _Ints, word_bytes: _Bytes, word_begins: _Longs
) -> int:
    """The id of ``word[1 : 1 + length]`` in the vocabulary, or -1."""
    slot = np.int64(hash_) & (len(slots) - 1)
    while slots[slot] >= 0:
        entry = slots[slot]
        begin = word_begins[entry]
        if word_begins[entry + 1] - begin == length:
            same = 0
            while same < length and word_bytes[begin + same] == word[same + 1]:
                same += 1
            if same == length:
                return int(entry)
        slot = (slot + 1) & (len(slots) - 1)
    return -1


@njit(cache=True, nogil=True, forceinline=True)
def _is_prefixed(word: _Bytes, length: int, prefix: _Bytes) -> bool:
    if length < len(prefix):
        return False
    for i in range(len(prefix)):
        if word[i + 1] != prefix[i]:
            return False
    return True


@njit(cache=True, nogil=True, forceinline=True)
def _keep(scratch: Scratch, line: int, key: int, begin: int, end: int) -> None:
    """Keeps ``found[begin:end]``, the rows of a token with the key at ``key``, for its next occurrence."""
    kept, kept_rows, pool, found, keys = (
        scratch.kept,
        scratch.kept_rows,
        scratch.pool,
        scratch.found,
        scratch.token_keys,
    )
    n_rows = end - begin
    for i in range(4):
        kept[line + i] = keys[key + i]
    kept_rows[2 * line + 15] = n_rows
    if n_rows <= _IN_LINE:
        for i in range(n_rows):
            kept_rows[2 * line + 8 + i] = found[begin + i]
        return
    place = pool[-1]
    if place + n_rows >= len(pool):
        kept[:] = np.uint64(0)  # also this token
        place = 0
    kept_rows[2 * line + 8] = place
    for i in range(n_rows):
        pool[place + i] = found[begin + i]
    pool[-1] = place + n_rows


@njit(cache=True, nogil=True, forceinline=True)
def _hash_token(word: _Bytes, length: int) -> np.uint64:
    hash_ = np.uint64(FNV_BASIS)
    for i in range(1, length + 1):
        hash_ = fnv_step(hash_, word[np.uint64(i)])
    return hash_


@njit(cache=True, nogil=True, forceinline=True)
def _add_token(
    length: int, mixed: np.uint64, model: KernelModel, scratch: Scratch, n_found: int, sums: _Floats
) -> tuple[int, int]:
    """Appends the rows of a token to ``found``, which is added to ``sums`` whenever it is full.

    Returns:
        How many rows were added to ``sums``, -1 for a token that counts for nothing; and the new length of ``found``.
    """
    word, found, rows = scratch.word, scratch.found, model.rows
    known = -1
    bit = mixed >> np.uint64(48)
    if length >= PIECE or (model.word_sieve[bit >> np.uint64(6)] >> (bit & np.uint64(63))) & np.uint64(1):
        hash_ = _hash_token(word, length)
        known = _find_word(word, length, hash_, model.slots, model.word_bytes, model.word_begins)
    if known >= model.n_words or (known < 0 and _is_prefixed(word, length, model.prefix)):
        return -1, n_found
    n_rows = 0
    if known >= 0:
        subwords, subword_begins = model.subwords, model.subword_begins
        for i in range(subword_begins[known], subword_begins[known + 1]):
            if n_found == len(found):
                add_rows(rows, found, n_found, sums)
                n_rows, n_found = n_rows + n_found, 0
            found[n_found] = subwords[i]
            n_found += 1
        return n_rows, n_found
    word[length + 1] = 62  # >
    place = 0
    while place < length + 2:
        if n_found > len(found) // 2:
            add_rows(rows, found, n_found, sums)
            n_rows, n_found = n_rows + n_found, 0
        place, n_found = add_subwords(scratch.word, length + 2, place, model, scratch, found, n_found)
    return n_rows, n_found


@njit(cache=True, nogil=True, forceinline=True)
def _find_end(data: _Bytes, at: int, end: int) -> int:
    """Where the token ends that ``data[at:end]`` begins with."""
    while at < end and at + PIECE <= len(data):
        piece = find_white(data, at)
        at += piece
        if piece < PIECE:
            break
    else:
        while at < end and not (data[at] <= 32 and (data[at] == 32 or 9 <= data[at] <= 13 or data[at] == 0)):
            at += 1
    return at if at < end else end


@njit(cache=True, nogil=True, forceinline=True)
def _copy_token(data: _Bytes, at: int, length: int, word: _Bytes) -> None:
    """Copies a token to where ``word`` has its second byte; the bytes after it are overwritten."""
    for i in range(0, length, PIECE):
        if at + i + PIECE <= len(data):
            copy_piece(data, at + i, word, i + 1)
        else:
            for j in range(i, length):
                word[j + 1] = data[at + j]


@njit(cache=True, nogil=True, forceinline=True)
def _mix(keys: npt.NDArray[np.uint64], at: np.uint64) -> np.uint64:
    """A hash of ``keys[at : at + 4]`` that is good in its upper bits."""
    mixed = keys[at] * np.uint64(_MIX_0) + keys[at + np.uint64(1)] * np.uint64(_MIX_1)
    return mixed + keys[at + np.uint64(2)] * np.uint64(_MIX_2) + keys[at + np.uint64(3)] * np.uint64(_MIX_3)


@kernel
def _list_tokens(data: _Bytes, at: int, end: int, scratch: Scratch) -> tuple[int, int]:
    """Fills ``tokens`` and ``token_keys`` with the next tokens of ``data[at:end]``, and asks for the lines where rows may be kept.

    Returns:
        How many, and where to go on.
    """
    tokens, keys, kept, tail = scratch.tokens, scratch.token_keys, scratch.kept, scratch.tail
    mask = np.uint64(len(kept) - 1) & np.uint64(0xFFFFFFF8)
    n = 0
    while n < LISTED and at < end:
        key = np.uint64(4 * n)
        if at + PIECE <= len(data):
            length = find_white(data, at)
            length = length if length < end - at else end - at
            make_key(data, at, length, keys, key)
        else:
            length = _find_end(data, at, end) - at
            tail[:] = np.uint8(0)
            for i in range(length):
                tail[i] = data[at + i]
            make_key(tail, 0, length, keys, key)
        mixed = _mix(keys, key)
        fetch_line(kept, np.int64((mixed >> np.uint64(32)) & mask))
        if length == PIECE:
            length = _find_end(data, at + PIECE, end) - at
        place = np.uint64(3 * n)
        tokens[place], tokens[place + np.uint64(1)], tokens[place + np.uint64(2)] = at, length, np.int64(mixed)
        n += 1 if length > 0 else 0
        at += length + 1
    return n, at


@kernel
def sum_tokens(
    data: _Bytes, windows: _Longs, model: KernelModel, scratch: Scratch, sums: _Floats
) -> tuple[int, int, int]:
    """Adds the rows of one text's tokens to ``sums``, without ``</s>`` and without word n-grams.

    Args:
        data: UTF-8 bytes of all texts.
        windows: begin and end of its three windows.
        model: the model.
        scratch: its ``hashes`` are filled with the hash of each token that is no label, if the model has word n-grams.
        sums: float32 (columns,).

    Returns:
        How many rows were added, how many tokens there are, how many hashes.
    """
    # Taken out of the tuples once: each access counts a reference.
    rows, found, hashes, word = model.rows, scratch.found, scratch.hashes, scratch.word
    kept, kept_rows, pool, keys, tokens = (
        scratch.kept,
        scratch.kept_rows,
        scratch.pool,
        scratch.token_keys,
        scratch.tokens,
    )
    mask = np.uint64(len(kept) - 1) & np.uint64(0xFFFFFFF8)
    n_rows = n_found = n_tokens = n_hashes = 0
    ended = False
    for window in range(0, 6, 2):
        at, end = windows[window], windows[window + 1]
        while at < end and not ended:
            n_listed, at = _list_tokens(data, at, end, scratch)
            for i in range(n_listed):
                n_tokens += 1
                begin, length, mixed = tokens[3 * i], tokens[3 * i + 1], np.uint64(tokens[3 * i + 2])
                line = np.int64((mixed >> np.uint64(32)) & mask)
                if n_found > _FLUSH:
                    add_rows(rows, found, n_found, sums)
                    n_rows, n_found = n_rows + n_found, 0
                if length < PIECE and is_key(kept, line, keys, 4 * i):
                    n_known = int(np.int64(kept_rows[np.uint64(2 * line + 15)]))
                    if n_known <= _IN_LINE:
                        copy_8(kept_rows, 2 * line + 8, found, n_found)
                    else:
                        pooled = np.int64(kept_rows[np.uint64(2 * line + 8)])
                        for j in range(0, n_known, 8):
                            copy_8(pool, pooled + j, found, n_found + j)
                    n_found += n_known
                else:
                    _copy_token(data, begin, length, word)
                    if length == 4 and word[1] == 60 and word[2] == 47 and word[3] == 115 and word[4] == 62:  # </s>
                        ended = True
                        break
                    before = n_found
                    n_added, n_found = _add_token(length, mixed, model, scratch, n_found, sums)
                    if n_added < 0:
                        continue
                    n_rows += n_added
                    if length < PIECE and n_added == 0:
                        _keep(scratch, line, 4 * i, before, n_found)
                if len(hashes) > 0:
                    _copy_token(data, begin, length, word)
                    hashes[n_hashes] = np.int32(np.uint32(_hash_token(word, length)))
                    n_hashes += 1
    add_rows(rows, found, n_found, sums)
    return n_rows + n_found, n_tokens, n_hashes


@kernel
def add_word_ngrams(model: KernelModel, found: _Ints, hashes: _Ints, n_hashes: int, sums: _Floats) -> int:
    """Adds the rows of the word n-grams of ``hashes[:n_hashes]`` to ``sums``; returns how many. ``found`` is scratch."""
    rule, is_pruned, buckets, rows = model.ngrams, model.is_pruned, model.buckets, model.rows
    if rule.bucket == 0:
        return 0
    n_found = n_rows = 0
    for i in range(n_hashes):
        if n_found + rule.word_ngrams > len(found):
            add_rows(rows, found, n_found, sums)
            n_rows, n_found = n_rows + n_found, 0
        hash_ = np.uint64(np.int64(hashes[i]))
        for j in range(i + 1, min(n_hashes, i + rule.word_ngrams)):
            hash_ = hash_ * np.uint64(_WORD_FACTOR) + np.uint64(np.int64(hashes[j]))
            bucket = hash_ % np.uint64(rule.bucket)
            n_found = append_row(bucket, is_pruned, model.n_words, buckets, found, n_found)
    add_rows(rows, found, n_found, sums)
    return n_rows + n_found


@kernel
def index_words(model: KernelModel, scratch: Scratch, subwords: _Ints) -> int:
    """Fills ``model.slots``, ``model.word_sieve``, ``model.subword_begins`` and ``subwords``; returns the number of rows in ``subwords``."""
    n_subwords = 0
    token = scratch.word
    for word in range(len(model.word_begins) - 1):
        begin = model.word_begins[word]
        length = model.word_begins[word + 1] - begin
        for i in range(length):
            token[i + 1] = model.word_bytes[begin + i]
        make_key(token, 1, length if length < PIECE else 0, scratch.token_keys, 0)
        bit = _mix(scratch.token_keys, np.uint64(0)) >> np.uint64(48)
        model.word_sieve[bit >> np.uint64(6)] |= np.uint64(1) << (bit & np.uint64(63))
        slot = np.int64(_hash_token(token, length)) & (len(model.slots) - 1)
        while model.slots[slot] >= 0:
            slot = (slot + 1) & (len(model.slots) - 1)
        model.slots[slot] = word
        if word >= model.n_words:
            continue
        subwords[n_subwords] = word
        n_subwords += 1
        if word != model.end_row:
            token[length + 1] = 62
            place = 0
            while place < length + 2:
                place, n_subwords = add_subwords(scratch.word, length + 2, place, model, scratch, subwords, n_subwords)
        model.subword_begins[word + 1] = n_subwords
    return n_subwords
