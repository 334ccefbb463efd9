"""Pieces as a vocabulary cuts them: where the extension of a vocabulary starts."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headwater.errors import BadInputError
from headwater.extras import needing_extras
from headwater.tokenize.encode.encoder import encode, has_kernel
from headwater.tokenize.vocabulary.content import Vocabulary, byte_letters
from headwater.tokenize.vocabulary.tokenizer_json import write_tokenizer_json

__all__ = ["library_pieces", "segment"]


def library_pieces(vocabulary: Vocabulary) -> Callable[[str], Iterable[bytes]] | None:
    """Return what cuts text as the vocabulary does, for `count_pieces`; None where Headwater's own kernel does."""
    if has_kernel(vocabulary):
        return None
    with needing_extras():
        from tokenizers import Tokenizer  # here, since the kernels do without it

    pre_tokenizer = Tokenizer.from_str(write_tokenizer_json(vocabulary)).pre_tokenizer
    to_byte = {letter: byte for byte, letter in enumerate(byte_letters())}

    def cut(text: str) -> Iterable[bytes]:
        return [bytes(map(to_byte.__getitem__, piece)) for piece, _ in pre_tokenizer.pre_tokenize_str(text)]

    return cut


def segment(pieces: pa.ChunkedArray, vocabulary: Vocabulary) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """Return the ids of all pieces, one after the other, and where each begins: int32 [total], int64 [n + 1].

    Raises:
        BadInputError: the ids of a piece do not spell it.
    """
    if has_kernel(vocabulary):
        ids, offsets = encode(pieces.cast(pa.large_string()), vocabulary)
        return ids.astype(np.int32), offsets
    with needing_extras():
        from tokenizers import Tokenizer  # here, since the kernels do without it

    model = Tokenizer.from_str(write_tokenizer_json(vocabulary)).model
    letters = byte_letters()
    found: list[int] = []
    bounds = [0]
    for piece in pieces.to_pylist():
        found += [token.id for token in model.tokenize("".join(letters[byte] for byte in piece))]
        bounds.append(len(found))
    symbols, offsets = np.array(found, dtype=np.int32), np.array(bounds, dtype=np.int64)
    n_bytes = int(np.diff(vocabulary.token_offsets)[symbols].sum())
    expected = sum(len(piece.as_py()) for piece in pieces)
    if n_bytes != expected:
        raise BadInputError(f"extend {vocabulary.name}: expected ids that spell {expected} bytes, found {n_bytes}")
    return symbols, offsets
