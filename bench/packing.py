"""What each packing strategy costs on the natural lengths of a folder of documents.

    python -m bench.packing --input ../shared/corpus

Every different text is encoded once and has its end of text; nothing else is filtered. Positions, buckets and packing are those of a
build. Prints one JSON object: for each context and strategy the shares of padding, of cut documents and of the tokens in them, how many
documents a sequence holds, how much the work of attention within documents differs between sequences, and the time of packing.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa

from bench.figures import Figures
from headwater.lineage.buckets import bucket_of, positions
from headwater.tokenize.encode.encoder import encode
from headwater.tokenize.forms.load import Vocabulary, load_vocabulary
from headwater.tokenize.names import STRATEGIES
from headwater.tokenize.pack.strategies import Packed, pack

_BATCH_BYTES: Final = 16 << 20
_CONTEXTS: Final = (4096, 32_768)


@dataclass(frozen=True, kw_only=True, slots=True)
class Documents:
    """Different texts.

    Attributes:
        lengths: int64 [n], tokens of each without its end of text.
        hashes: binary(16) [n], BLAKE2b-128 of each text.
    """

    lengths: npt.NDArray[np.int64]
    hashes: pa.Array


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--input", type=Path, required=True, help="folder of .jsonl and .jsonl.zst files with a field text"
    )
    parser.add_argument("--vocabulary", default="headwater-156k")
    parser.add_argument("--bucket-tokens", type=int, default=2_000_000, help="least tokens of a bucket")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    vocabulary = load_vocabulary(arguments.vocabulary)
    documents = read_documents(arguments.input, vocabulary)
    print(json.dumps(measure(documents, vocabulary, arguments.bucket_tokens, arguments.seed), indent=1))


def read_documents(folder: Path, vocabulary: Vocabulary) -> Documents:
    """Return token counts and hashes of the different texts in a folder."""
    seen: dict[bytes, None] = {}  # ordered, unlike a set
    lengths: list[npt.NDArray[np.int64]] = []
    for texts in _batches(folder, seen):
        _, offsets = encode(pa.array(texts, pa.large_string()), vocabulary)
        lengths.append(np.diff(offsets).astype(np.int64))
    return Documents(lengths=np.concatenate(lengths), hashes=pa.array(list(seen), pa.binary()))


def _batches(folder: Path, seen: dict[bytes, None]) -> Iterator[list[str]]:
    """Yield new texts, some 16 MB at a time, and note their hashes."""
    texts: list[str] = []
    size = 0
    for path in sorted([*folder.rglob("*.jsonl"), *folder.rglob("*.jsonl.zst")]):
        with pa.input_stream(str(path), compression="detect" if path.suffix == ".zst" else None) as stream:
            lines = stream.read().splitlines()
        for line in lines:
            text = orjson.loads(line).get("text")
            if not isinstance(text, str) or not text:
                continue
            raw = text.encode()
            key = hashlib.blake2b(raw, digest_size=16).digest()
            if key in seen:
                continue
            seen[key] = None
            texts.append(text)
            size += len(raw)
            if size >= _BATCH_BYTES:
                yield texts
                texts, size = [], 0
    if texts:
        yield texts


def measure(documents: Documents, vocabulary: Vocabulary, bucket_tokens: int, seed: int) -> Figures:
    """Return the report."""
    total = int(documents.lengths.sum()) + len(documents.lengths)
    buckets = 1 << max(0, (total // bucket_tokens).bit_length() - 1)
    position = positions(seed, documents.hashes, np.zeros(len(documents.lengths), np.int64))
    order = np.argsort(position, kind="stable")
    bucket = bucket_of(position[order], buckets)
    lengths = documents.lengths[order]
    ends = np.searchsorted(bucket, np.arange(buckets + 1))
    report: Figures = {
        "documents": len(lengths),
        "tokens": total,
        "buckets": buckets,
        "longest": int(lengths.max()) + 1,
    }
    for context in _CONTEXTS:
        report[f"longer_than_{context}"] = int((lengths + 1 > context).sum())
        for strategy in STRATEGIES:
            pack_lengths(lengths[:10], vocabulary, context, strategy, seed, 0)  # compile
            begin = time.perf_counter()
            packed = [
                pack_lengths(lengths[ends[number] : ends[number + 1]], vocabulary, context, strategy, seed, number)
                for number in range(buckets)
            ]
            seconds = time.perf_counter() - begin
            report[f"{strategy} {context}"] = figures(packed, total, len(lengths), seconds)
    return report


def pack_lengths(
    lengths: npt.NDArray[np.int64], vocabulary: Vocabulary, context: int, strategy: str, seed: int, bucket: int
) -> Packed:
    """Return documents of these lengths packed; their tokens are zeros."""
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return pack(
        np.zeros(int(offsets[-1]), np.uint32),
        offsets,
        np.arange(len(lengths), dtype=np.int64),
        context=context,
        strategy=strategy,
        end_of_text=vocabulary.end_of_text,
        padding=vocabulary.padding,
        seed=seed,
        bucket=bucket,
    )


def figures(packed: list[Packed], tokens: int, documents: int, seconds: float) -> dict[str, float]:
    """Return the cost of packing a stage of these buckets."""
    sequences = sum(len(one.sequences) for one in packed)
    held = np.concatenate([np.bincount(one.sequence, minlength=len(one.sequences)) for one in packed])
    work = np.concatenate(
        [
            np.bincount(one.sequence, weights=one.length.astype(float) ** 2, minlength=len(one.sequences))
            for one in packed
        ]
    )
    return {
        "padding_percent": round(
            100 * sum(one.n_padding for one in packed) / (sequences * packed[0].sequences.shape[1]), 3
        ),
        "cut_documents_percent": round(100 * sum(one.n_cut_documents for one in packed) / documents, 3),
        "cut_tokens_percent": round(100 * sum(one.n_cut_tokens for one in packed) / tokens, 2),
        "sequences": sequences,
        "full_sequences": sum(one.n_full_sequences for one in packed),
        "documents_a_sequence": round(float(held.mean()), 1),
        "most_documents_a_sequence": int(held.max()),
        "attention_spread": round(float(work.std() / work.mean()), 2),
        "seconds_a_million_tokens": round(seconds * 1e6 / tokens, 4),
    }


if __name__ == "__main__":
    main()
