"""Signatures on documents of every file of the corpus, by `make test-all` on all of them, against datasketch, from the same shingles."""

from __future__ import annotations

from pathlib import Path

import datasketch
import numpy as np
import pyarrow as pa
import pytest
from real_text import distinct_texts

from headwater.filters.duplicates.minhash import N_PERMUTATIONS, measure_minhash
from headwater.filters.duplicates.normalize import normalize
from headwater.filters.duplicates.number_settings import NUMBER_TEXTS
from headwater.filters.duplicates.shingles import shingle_hashes

pytestmark = pytest.mark.slow


def differing(texts: list[str]) -> list[int]:
    """Return the rows whose signature is not datasketch's."""
    batch = pa.array(texts, pa.large_string())
    found = measure_minhash(batch, None, dict.fromkeys(NUMBER_TEXTS, "keep"))["signature"].to_pylist()
    permutations = None
    rows = []
    for row, hashes in enumerate(shingle_hashes(normalize(batch))):
        oracle = datasketch.MinHash(
            num_perm=N_PERMUTATIONS, seed=1, scheme="affine32", hashfunc=int, permutations=permutations
        )
        permutations = oracle.permutations  # drawn once: they are the same for every document
        oracle.update_batch(np.unique(hashes).tolist())
        expected = oracle.hashvalues.astype("<u4").tobytes() if hashes.size else b""
        if found[row] != expected:
            rows.append(row)
    return rows


def test_every_signature_of_the_corpus_equals_datasketch(real_text_files: list[Path]) -> None:
    """No document of any source and language has another signature; texts that occur twice are computed once."""
    for name, texts in distinct_texts(real_text_files):
        assert differing(texts) == [], name
