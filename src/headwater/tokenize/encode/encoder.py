"""Text to token ids and back.

A vocabulary with Headwater's own pre-tokenizer is encoded by the kernels of `merging.py`, any other by the library
`tokenizers` on one thread; the ids are the same where both apply. Text that spells a special token is ordinary text, and
`decode` gives every byte back.
"""

from __future__ import annotations

import functools
import os
import warnings
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headwater.buffers import text_buffers
from headwater.errors import BadInputError, MissingPackageError
from headwater.tokenize.encode.grammar import character_classes, encoding_pattern
from headwater.tokenize.encode.merging import encode_documents, fill_tokens
from headwater.tokenize.encode.tables import EMPTY, FILTER_BITS, MergeTables, TokenTables, fill_pairs
from headwater.tokenize.vocabulary.content import Vocabulary
from headwater.tokenize.vocabulary.tokenizer_json import write_tokenizer_json

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["decode", "encode", "encode_with_library", "encodes_to_itself", "has_kernel"]

_BATCH_DOCUMENTS: Final = 256


def encode(
    texts: pa.Array | pa.ChunkedArray, vocabulary: Vocabulary
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
    """Return the ids of all texts, one after the other, and where each begins.

    Args:
        texts: string or large_string, n texts without nulls.
        vocabulary: from `load_vocabulary`.

    Returns:
        ids uint32 [total], and offsets int64 [n + 1]: text i is `ids[offsets[i]:offsets[i + 1]]`; no end of text is
        added.

    Raises:
        UsageError: another type than string.
        BadInputError: a null.

    >>> from headwater.tokenize.forms.load import load_vocabulary
    >>> vocabulary = load_vocabulary("headwater-156k")
    >>> ids, offsets = encode(pa.array(["one two", ""]), vocabulary)
    >>> offsets.tolist(), decode(ids[:1], vocabulary), decode(ids, vocabulary)
    ([0, 2, 2], b'one', b'one two')
    """
    flat, offsets = _buffers(texts)
    if not has_kernel(vocabulary):
        _warn_slow(vocabulary)
        return encode_with_library(texts, vocabulary)
    out = np.empty(int(offsets[-1] - offsets[0]), dtype=np.uint32)
    out_offsets = np.empty(len(offsets), dtype=np.int64)
    encode_documents(flat, offsets, character_classes(), *_tables(vocabulary), out, out_offsets)
    return out[: out_offsets[-1]], out_offsets  # pages that were not written take no memory


def encode_with_library(
    texts: pa.Array | pa.ChunkedArray, vocabulary: Vocabulary
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
    """Return the same as `encode`, from the library `tokenizers`; works for every vocabulary, at some 3 MB/s."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # a Spark worker has one core
    tokenizer = _library(vocabulary)
    parts: list[npt.NDArray[np.uint32]] = []
    lengths: list[int] = []
    for begin in range(0, len(texts), _BATCH_DOCUMENTS):
        batch = texts.slice(begin, _BATCH_DOCUMENTS).to_pylist()
        for encoding in tokenizer.encode_batch_fast(batch, add_special_tokens=False):
            parts.append(np.array(encoding.ids, dtype=np.uint32))
            lengths.append(len(parts[-1]))
    flat = np.concatenate(parts) if parts else np.empty(0, dtype=np.uint32)
    return flat, np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(lengths, dtype=np.int64)])


def decode(ids: npt.NDArray[np.uint32], vocabulary: Vocabulary) -> bytes:
    """Return the bytes that the ids stand for; special ids stand for none.

    Raises:
        BadInputError: an id is not below the vocabulary's model size.
    """
    ids = np.asarray(ids)
    if ids.size and int(ids.max()) >= vocabulary.model_size:
        raise BadInputError(f"decode: expected ids below {vocabulary.model_size}, found {int(ids.max())}")
    begins = vocabulary.token_offsets[ids]
    lengths = vocabulary.token_offsets[ids.astype(np.int64) + 1] - begins
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if ids.size else 0
    # Byte k of the result lies at begin + (k - start of its token in the result).
    at = np.arange(total, dtype=np.int64) + np.repeat(begins - (ends - lengths), lengths)
    return bytes(vocabulary.token_bytes[at])


def has_kernel(vocabulary: Vocabulary) -> bool:
    """Return whether the kernels encode this vocabulary: its pre-tokenizer is Headwater's and its ids fit their tables."""
    small = max(vocabulary.n_ids, len(vocabulary.merges)) < 1 << 20
    return small and not vocabulary.ignore_merges and vocabulary.pattern == encoding_pattern()


def encodes_to_itself(vocabulary: Vocabulary) -> npt.NDArray[np.bool_]:
    """Return for each id below the model size whether the bytes of its token, merged alone, give it: bool [model_size].

    Special and unused ids do not. A token that does not can stand in no text.
    """
    if max(vocabulary.n_ids, len(vocabulary.merges)) >= 1 << 20:
        raise BadInputError(f"vocabulary {vocabulary.name}: expected fewer than {1 << 20} ids, found more")
    tokens, _ = _tables(vocabulary)
    found = np.zeros(vocabulary.model_size, dtype=np.bool_)
    found[(tokens.short[tokens.short[:, 1] != EMPTY, 1] & np.uint64((1 << 20) - 1)).astype(np.int64)] = True
    found[tokens.long[tokens.long >= 0]] = True
    return found


@functools.lru_cache(maxsize=16)
def _warn_slow(vocabulary: Vocabulary) -> None:
    """Warn once of each vocabulary; the cache is what makes it once."""
    warnings.warn(
        f"vocabulary {vocabulary.name}: its pre-tokenizer is not Headwater's, which the fast encoder is made for, so the library "
        "`tokenizers` encodes it: the same ids, at a tenth of the speed or less",
        stacklevel=3,
    )


def _buffers(texts: pa.Array | pa.ChunkedArray) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    if texts.null_count:
        raise BadInputError(f"encode: expected no nulls, found {texts.null_count}")
    return text_buffers(texts)


@functools.lru_cache(maxsize=4)
def _tables(vocabulary: Vocabulary) -> tuple[TokenTables, MergeTables]:
    """Return the kernels' tables: some 25 MB for 156,892 ids, built in 0.1 s."""
    merges = MergeTables(
        made=np.ascontiguousarray(vocabulary.merges[:, 2]),
        byte_ids=vocabulary.byte_ids,
        pairs=np.full(_table_size(len(vocabulary.merges)), EMPTY, dtype=np.uint64),
        filled=np.zeros((1 << FILTER_BITS) // 64, dtype=np.uint64),
        byte_pairs=np.empty(1 << 16, dtype=np.int64),
    )
    fill_pairs(vocabulary.merges, merges)
    tokens = TokenTables(
        text=vocabulary.token_bytes,
        offsets=vocabulary.token_offsets,
        short=np.full((_table_size(vocabulary.n_ids), 2), EMPTY, dtype=np.uint64),
        long=np.full(_table_size(vocabulary.n_ids // 4), -1, dtype=np.int32),
    )
    fill_tokens(tokens, merges)
    return tokens, merges


@functools.lru_cache(maxsize=4)
def _library(vocabulary: Vocabulary) -> Tokenizer:
    try:
        from tokenizers import Tokenizer  # here, since the kernels do without it
    except ImportError as error:
        raise MissingPackageError(
            f"vocabulary {vocabulary.name}: its pre-tokenizer is not Headwater's, so the package `tokenizers` is needed; "
            "it was not found: pip install 'headwater[tokenizers]'"
        ) from error

    tokenizer = Tokenizer.from_str(write_tokenizer_json(vocabulary, specials=False))
    tokenizer.encode_special_tokens = True
    return tokenizer


def _table_size(n: int) -> int:
    """Return a power of two that leaves at least half of an open-addressing table empty."""
    return 1 << (2 * n).bit_length()
