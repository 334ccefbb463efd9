"""Print bytes a token of the shipped vocabulary for each language, and the encoder's speed, as in docs/vocabulary.md.

Run it as `python bench/vocabulary_card.py FOLDER`, FOLDER holding `<source>/<language>.jsonl.zst`.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from pathlib import Path

import pyarrow as pa

from headwater.tokenize.encoder import encode
from headwater.tokenize.vocabulary import load_vocabulary


def main() -> None:
    """Encode every document of the folder and print one row a language."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    vocabulary = load_vocabulary()
    encode(pa.array(["compile first"]), vocabulary)
    n_bytes: dict[str, int] = defaultdict(int)
    n_tokens: dict[str, int] = defaultdict(int)
    seconds = 0.0
    for path in sorted(parser.parse_args().folder.glob("*/*.jsonl.zst")):
        with pa.input_stream(str(path), compression="zstd") as stream:
            texts = [json.loads(line)["text"] for line in stream.read().splitlines()]
        array = pa.array(texts, pa.large_string())
        started = time.process_time()
        ids, _ = encode(array, vocabulary)
        seconds += time.process_time() - started
        language = path.name.removesuffix(".jsonl.zst")
        n_bytes[language] += sum(len(text.encode()) for text in texts)
        n_tokens[language] += len(ids)
    print("| language | MB | bytes a token |\n|---|---|---|")
    for language in sorted(n_bytes):
        print(f"| {language} | {n_bytes[language] / 1e6:.1f} | {n_bytes[language] / n_tokens[language]:.2f} |")
    ratios = [n_bytes[language] / n_tokens[language] for language in n_bytes if language != "code"]
    print(f"| mean of the languages | | {sum(ratios) / len(ratios):.2f} |")
    total = sum(n_bytes.values())
    print(f"\n{total / 1e6:.0f} MB in {seconds:.1f} s of one core: {total / 1e6 / seconds:.1f} MB/s")


if __name__ == "__main__":
    main()
