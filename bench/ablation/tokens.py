"""Token ids of documents: the shipped vocabulary cut off after its first merges, so that a small model can afford its embedding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from bench.ablation.documents import Document
from headwater.tokenize.encode.encoder import encode
from headwater.tokenize.forms.load import load_vocabulary, vocabulary_from_merges
from headwater.tokenize.vocabulary.content import Vocabulary

__all__ = ["Ids", "encode_documents", "small_vocabulary"]

Ids = npt.NDArray[np.uint16]
_BYTES: Final = 256
_BATCH: Final = 2048


def small_vocabulary(n_ids: int) -> Vocabulary:
    """Return the first `n_ids` ids of headwater-156k: every byte, then the merges that it learned first (from 30 languages)."""
    full = load_vocabulary("headwater-156k")
    return vocabulary_from_merges(
        name=f"headwater-156k, the first {n_ids}",
        pattern=full.pattern,
        alphabet=np.argsort(full.byte_ids).tolist(),
        pairs=np.ascontiguousarray(full.merges[: n_ids - _BYTES, :2]),
    )


def encode_documents(documents: Sequence[Document], vocabulary: Vocabulary) -> list[Ids]:
    """Return the ids of each document, uint16, without an end."""
    found: list[Ids] = []
    for begin in range(0, len(documents), _BATCH):
        texts = pa.array([document.text for document in documents[begin : begin + _BATCH]], pa.large_string())
        ids, offsets = encode(texts, vocabulary)
        found += np.split(ids.astype(np.uint16), offsets[1:-1])
    return found
