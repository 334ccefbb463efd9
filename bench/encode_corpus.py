"""Compare the encoder with the library `tokenizers` on every document of a folder, and decode every document.

Run it as `python -m bench.encode_corpus FOLDER [--vocabulary NAME_OR_PATH]`, FOLDER holding `<source>/<language>.jsonl.zst`. One
core each; prints a JSON object and exits with 1 where a document differs or does not come back.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from headwater.tokenize.encode.encoder import decode, encode, encode_with_library, has_kernel
from headwater.tokenize.forms.load import load_vocabulary

BATCH_BYTES = 8 << 20


def batches(path: Path) -> list[list[str]]:
    """Return the texts of a file in batches of some `BATCH_BYTES`."""
    with pa.input_stream(str(path), compression="zstd") as stream:
        texts = [json.loads(line)["text"] for line in stream.read().splitlines()]
    made: list[list[str]] = [[]]
    size = 0
    for text in texts:
        made[-1].append(text)
        size += len(text)
        if size > BATCH_BYTES:
            made.append([])
            size = 0
    return made


def main() -> None:
    """Encode both ways, decode, compare, time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--vocabulary", default="headwater-156k")
    arguments = parser.parse_args()
    vocabulary = load_vocabulary(arguments.vocabulary)
    warm = pa.array(["compile first"], pa.large_string())
    encode(warm, vocabulary)
    encode_with_library(warm, vocabulary)
    n_documents = n_bytes = n_tokens = n_different = n_lost = 0
    own_s = library_s = 0.0
    for path in sorted(arguments.folder.glob("*/*.jsonl.zst")):
        for texts in batches(path):
            array = pa.array(texts, pa.large_string())
            started = time.process_time()
            ids, offsets = encode(array, vocabulary)
            between = time.process_time()
            expected, expected_offsets = encode_with_library(array, vocabulary)
            library_s += time.process_time() - between
            own_s += between - started
            for i, text in enumerate(texts):
                own = ids[offsets[i] : offsets[i + 1]]
                n_different += not np.array_equal(own, expected[expected_offsets[i] : expected_offsets[i + 1]])
                data = text.encode()
                n_lost += decode(own, vocabulary) != data
                n_bytes += len(data)
            n_documents += len(texts)
            n_tokens += len(ids)
    print(
        json.dumps(
            {
                "vocabulary": vocabulary.fingerprint,
                "kernel": has_kernel(vocabulary),
                "documents": n_documents,
                "bytes": n_bytes,
                "tokens": n_tokens,
                "documents_with_other_ids": n_different,
                "documents_not_given_back": n_lost,
                "mb_per_s": round(n_bytes / 1e6 / own_s, 1),
                "tokenizers_mb_per_s": round(n_bytes / 1e6 / library_s, 2),
                "ratio": round(library_s / own_s, 1),
            },
            indent=1,
        )
    )
    if n_different or n_lost:
        sys.exit(1)


if __name__ == "__main__":
    main()
