"""Print what near-duplicate search removes of each source of the corpus as numbers are folded, kept, or kept by the default, as JSON.

    python -m bench.number_duplicates [CORPUS] [--source NAME]… [--most N]

Each source is a lake of its own: clusters over verified pairs and an election in each, as the steps ``deduplicate`` and ``decide`` have them,
without rules and spans. ``copies`` are documents whose text is another's byte for byte: they go whatever is chosen. The other columns count
what goes beside them. ``dense`` and ``kept domains`` are shares of the distinct texts: a third of the shingles hold a number; the domain is
math or code. At most N documents of a source are read, every k-th of each file.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from bench.documents import CORPUS
from bench.figures import Figures
from bench.language_text import read_documents
from headwater.filters.duplicates.agreement import signature_matrix
from headwater.filters.duplicates.minhash import MIN_SHINGLES, measure_minhash
from headwater.filters.duplicates.normalize import normalize_bytes
from headwater.filters.duplicates.number_settings import DEFAULT_NUMBERS, FOLD, KEEP, NUMBER_TEXTS
from headwater.filters.duplicates.numbers import find_numbers
from headwater.filters.duplicates.pairs import components, connect_bucket, elect_winners
from headwater.filters.duplicates.shingles import unit_kinds
from headwater.filters.language import identify as language
from headwater.filters.scores import score as scores
from headwater.filters.signals import measure as signals
from headwater.hashes import content_hashes, halves_of_hashes

__all__ = ["CHOICES", "removed"]

CHOICES: dict[str, Mapping[str, str]] = {
    "fold": dict.fromkeys(NUMBER_TEXTS, FOLD),
    "keep": dict.fromkeys(NUMBER_TEXTS, KEEP),
    "by kind": DEFAULT_NUMBERS | {"dense": FOLD},
    "default": DEFAULT_NUMBERS,
}
_BATCH = 2_000

_Ints = npt.NDArray[np.int64]
_MOST_SIGNATURES = 1 << 18
"""Rows of signatures held at once while buckets are compared: 117 MB."""


def removed(
    texts: pa.LargeStringArray, measured: pa.RecordBatch, numbers: Mapping[str, str], min_agreement: int = 84
) -> int:
    """Return how many of the texts, all different, lose an election to another.

    Args:
        measured: family ``scores`` of the texts.
        numbers: as in a recipe, whole.
        min_agreement: equal values, of 112, that make a pair.
    """
    kinds = pc.if_else(pc.is_in(measured["domain"], pa.array(["math", "code"])), measured["domain"], "prose")
    minhash = measure_minhash(texts, kinds, numbers)
    content = halves_of_hashes(content_hashes(texts))
    normalized = halves_of_hashes(minhash["normalized_hash"], missing_as_zeros=True)
    node = np.where((normalized != 0).any(axis=1, keepdims=True), normalized, content)
    cluster = _clusters(minhash, node, min_agreement)
    quality = measured["quality"].fill_null(0).to_numpy()
    size = np.array([len(text.as_py().encode()) for text in texts])
    order = np.lexsort((content[:, 1], content[:, 0], -size, -quality, cluster))
    offsets = np.append(np.flatnonzero(np.diff(cluster[order], prepend=-1)), len(order)).astype(np.int64)
    winner, _ = elect_winners(
        signature_matrix(minhash["signature"])[order],
        offsets,
        content[order],
        normalized[order],
        minhash["n_shingles"].to_numpy()[order] < MIN_SHINGLES,
        min_agreement,
    )
    return int((winner >= 0).sum())


def _clusters(minhash: pa.RecordBatch, node: npt.NDArray[np.uint64], min_agreement: int) -> _Ints:
    """Return the cluster of each text: texts of one node, and nodes whose texts share a band and agree."""
    _, first, place = np.unique(node, axis=0, return_index=True, return_inverse=True)
    bands = minhash["bands"].take(pa.array(first))
    owners = np.repeat(np.arange(len(first)), np.diff(bands.offsets.to_numpy()))
    keys = bands.flatten().to_numpy()
    order = np.argsort(keys, kind="stable")
    begins = np.append(np.flatnonzero(np.diff(keys[order], prepend=-1)) if len(keys) else [], len(keys)).astype(int)
    buckets = [owners[order[a:b]] for a, b in zip(begins[:-1], begins[1:], strict=True) if b - a > 1]
    edges: list[tuple[_Ints, _Ints]] = [(np.empty(0, np.int64), np.empty(0, np.int64))]
    signatures = signature_matrix(minhash["signature"])
    while buckets and min_agreement < signatures.shape[1]:
        held: list[_Ints] = []
        while buckets and sum(map(len, held)) < _MOST_SIGNATURES:
            held.append(buckets.pop())
        rows = np.concatenate(held)
        offsets = np.append(0, np.cumsum([len(bucket) for bucket in held])).astype(np.int64)
        a, b = connect_bucket(signatures[first[rows]], np.full(len(rows), -1, np.int64), offsets, min_agreement)
        edges.append((rows[a], rows[b]))
    roots = components(np.concatenate([a for a, _ in edges]), np.concatenate([b for _, b in edges]), len(first))
    return roots[place.reshape(-1)]


def measure_source(files: list[Path], most: int) -> Figures:
    """Return the row of one source."""
    found = [read_documents(path) for path in files]
    step = -(-sum(map(len, found)) // most)
    texts = [text for documents in found for text in documents[::step]]
    distinct = list(dict.fromkeys(texts))
    array = pa.array(distinct, pa.large_string())
    parts = [_score(array.slice(begin, _BATCH)) for begin in range(0, len(array), _BATCH)]
    measured = pa.Table.from_batches(parts).combine_chunks().to_batches()[0]
    dense = find_numbers(*normalize_bytes(array), unit_kinds())[1]
    kept = np.isin(np.array(measured["domain"].fill_null("general").to_pylist()), ["math", "code"])
    row: Figures = {
        "documents": len(texts),
        "copies": len(texts) - len(distinct),
        "kept domains": round(float(kept.mean()), 3),
        "dense": round(float(dense.mean()), 3),
    }
    return row | {name: removed(array, measured, numbers) for name, numbers in CHOICES.items()}


def _score(texts: pa.LargeStringArray) -> pa.RecordBatch:
    languages = language.identify(texts, language.load_model())["language"]
    return scores.score(signals.measure_signals(texts, languages), languages, texts=texts)


def main() -> None:
    """Print a row for each source."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path, nargs="?", default=CORPUS)
    parser.add_argument("--source", action="append")
    parser.add_argument("--most", type=int, default=200_000)
    arguments = parser.parse_args()
    sources: dict[str, list[Path]] = {}
    for path in sorted(arguments.corpus.glob("*/*.jsonl.zst")):
        if not arguments.source or path.parent.name in arguments.source:
            sources.setdefault(path.parent.name, []).append(path)
    print(json.dumps({name: measure_source(files, arguments.most) for name, files in sources.items()}, indent=1))


if __name__ == "__main__":
    main()
