"""Train the vocabulary that the package ships, from a folder of JSON Lines (`<source>/<language>.jsonl.zst`).

Run it as `RAYON_NUM_THREADS=2 python bench/train_vocabulary.py FOLDER src/headwater/tokenize/data/headwater-156k.json.xz`.

Deterministic: exact duplicates are dropped, the documents of each language are taken in the order of the BLAKE2b hash of
their text up to a cap, and the trainer breaks ties by id.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from headwater.tokenize.grammar import encoding_pattern, training_pattern
from headwater.tokenize.tokenizer_json import read_tokenizer_json
from headwater.tokenize.vocabulary import write_vocabulary

N_IDS = 156_892
CAP_BYTES = {"en": 32_000_000, "zh": 20_000_000}
OTHER_CAP_BYTES = 12_000_000
DOCUMENT_CHARACTERS = 200_000
CHUNK_CHARACTERS = 20_000


def read_documents(folder: Path) -> dict[str, dict[bytes, str]]:
    """Return text by hash by language; a text found under two languages stays with the first file by name."""
    seen: set[bytes] = set()
    documents: dict[str, dict[bytes, str]] = {}
    for path in sorted(folder.glob("*/*.jsonl.zst")):
        with pa.input_stream(str(path), compression="zstd") as stream:
            lines = stream.read().splitlines()
        texts = documents.setdefault(path.name.removesuffix(".jsonl.zst"), {})
        for line in lines:
            text = json.loads(line)["text"]
            key = hashlib.blake2b(text.encode(), digest_size=16).digest()
            if key not in seen:
                seen.add(key)
                texts[key] = text
    return documents


def sample_text(documents: dict[str, dict[bytes, str]], sizes: dict[str, int]) -> Iterator[str]:
    """Yield the sample in chunks, language by language, and count the bytes of each language into `sizes`.

    The head of a long document is taken, up to `DOCUMENT_CHARACTERS`, in chunks that end with a line, so that one book
    does not hold up a thread.
    """
    for language in sorted(documents):
        texts, taken = documents[language], 0
        for key in sorted(texts):
            if taken >= CAP_BYTES.get(language, OTHER_CAP_BYTES):
                break
            text = texts[key][:DOCUMENT_CHARACTERS]
            taken += len(text.encode())
            begin = 0
            while begin < len(text):
                end = text.rfind("\n", begin, begin + CHUNK_CHARACTERS) + 1 or begin + CHUNK_CHARACTERS
                yield text[begin:end]
                begin = end
        sizes[language] = taken


def train(documents: dict[str, dict[bytes, str]], sizes: dict[str, int]) -> dict[str, Any]:
    """Return the trained `tokenizer.json` as a dictionary, its pre-tokenizer replaced by the one for encoding."""
    tokenizer = Tokenizer(models.BPE())
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    split = pre_tokenizers.Split(Regex(training_pattern()), "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, byte_level])
    trainer = trainers.BpeTrainer(
        vocab_size=N_IDS, min_frequency=2, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(sample_text(documents, sizes), trainer)
    split = pre_tokenizers.Split(Regex(encoding_pattern()), "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, byte_level])
    tokenizer.decoder = decoders.ByteLevel()
    result: dict[str, object] = json.loads(tokenizer.to_str())
    return result


def main() -> None:
    """Train, write, and report sizes and cost as one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()
    started = time.monotonic()
    sizes: dict[str, int] = {}
    trained = train(read_documents(arguments.folder), sizes)
    if len(trained["model"]["vocab"]) != N_IDS:
        sys.exit(f"expected {N_IDS} ids, trained {len(trained['model']['vocab'])}: the text is too small")
    arguments.output.write_bytes(write_vocabulary(read_tokenizer_json("headwater-156k", json.dumps(trained))))
    report = {
        "sample_bytes": sum(sizes.values()),
        "sample_bytes_by_language": sizes,
        "seconds": round(time.monotonic() - started),
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "output_bytes": arguments.output.stat().st_size,
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
