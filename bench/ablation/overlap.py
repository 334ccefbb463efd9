"""Near-duplicates between pool and reference texts, taken out on the side where they are the smaller loss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from bench.ablation.documents import Document
from headwater.filters.duplicates.normalize import normalize
from headwater.filters.duplicates.shingles import shingle_hashes

__all__ = ["keep_apart"]

_Hashes = npt.NDArray[np.uint32]
_BATCH = 2048


def keep_apart(
    pool: Sequence[Document], references: dict[str, list[Document]], *, most: float
) -> tuple[list[Document], dict[str, list[Document]]]:
    """Return pool and reference texts without near-duplicates across.

    Of each document the distinct shingles (five consecutive words, normalised) are compared with all those of the other side. A document of
    the pool with a share of more than `most` found in the reference texts goes; then a reference document with such a share found in what
    is left of the pool goes: quotations in long documents are met so. Chance meetings of 32-bit hashes are below 1 % at the sizes here.
    """
    shingles = {name: _shingles(documents) for name, documents in references.items()}
    known = _union([hashes for found in shingles.values() for hashes in found])
    of_pool = _shingles(pool)
    kept = [place for place, hashes in enumerate(of_pool) if _share(hashes, known) <= most]
    left = _union([of_pool[place] for place in kept])
    apart = {
        name: [
            document for document, hashes in zip(documents, shingles[name], strict=True) if _share(hashes, left) <= most
        ]
        for name, documents in references.items()
    }
    return [pool[place] for place in kept], apart


def _shingles(documents: Sequence[Document]) -> list[_Hashes]:
    found: list[_Hashes] = []
    for begin in range(0, len(documents), _BATCH):
        texts = pa.array([document.text for document in documents[begin : begin + _BATCH]], pa.large_string())
        found += [np.unique(hashes) for hashes in shingle_hashes(normalize(texts))]
    return found


def _union(parts: Sequence[_Hashes]) -> _Hashes:
    return np.unique(np.concatenate([np.zeros(0, np.uint32), *parts]))


def _share(hashes: _Hashes, known: _Hashes) -> float:
    if not hashes.size or not known.size:
        return 0.0
    places = np.minimum(np.searchsorted(known, hashes), known.size - 1)
    return float(np.mean(known[places] == hashes))
