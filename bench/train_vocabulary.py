"""Train the vocabulary that the package ships, from a folder of JSON Lines (`<source>/<language>.jsonl.zst`).

    pip install wordfreq==3.1.1 && pip install --no-deps pythainlp==5.4.0
    python -m bench.train_vocabulary FOLDER src/headwater/tokenize/data/headwater-156k.json.xz [--base BASE] [--scratch SCRATCH]

First a base of 128,000 ids, in which English and code have the most text; then its extension to 156,892, in which the other
languages have it: each language's weight is one by the tokens it has under the base, then corrected so that all gain alike.
Deterministic; prints what the rules refused, the gains on the training text, memory and time as JSON. `--base` writes the base,
`--scratch` a vocabulary of 156,892 ids trained in one go on the same text with the base's weights, for the card.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa

from bench.vocabulary_sample import count_folder, count_words, weigh_strata
from headwater.tokenize.encode.grammar import encoding_pattern
from headwater.tokenize.forms.load import Vocabulary, extend_vocabulary, vocabulary_from_merges, write_vocabulary
from headwater.tokenize.train.bpe import extend, train
from headwater.tokenize.train.segmentation import segment

BASE_IDS = 128_000
N_IDS = 156_892
BASE_BOOST = {"en": 24.0, "code": 6.0, "vi": 0.6, "th": 0.5, "he": 0.8, "zh": 0.6, "ar": 0.7, "hi": 0.8}
SATED = {"en": 0.02, "code": 0.02}
"""What the extension gives the languages that the base serves."""
ROUNDS = 3
STEP = 0.6


def count_tokens(vocabulary: Vocabulary, counts: pa.Table, weights: dict[str, float]) -> dict[str, float]:
    """Return the weighted tokens of each language."""
    _, offsets = segment(counts["piece"], vocabulary)
    strata = counts["language"].combine_chunks().dictionary_encode()
    tokens = np.diff(offsets) * counts["count"].to_numpy()
    sums = np.bincount(strata.indices.to_numpy(), weights=tokens.astype(np.float64))
    found: Counter[str] = Counter()
    for stratum, n in zip(strata.dictionary.to_pylist(), sums.tolist(), strict=True):
        found[stratum.split("|")[0]] += n * weights[stratum]
    return dict(found)


def extend_evenly(
    counts: pa.Table, base: Vocabulary, weights: dict[str, float], report: dict[str, object]
) -> Vocabulary:
    """Return the extension in which the language that gains least gains most, of `ROUNDS` tries."""
    before = count_tokens(base, counts, weights)
    need = {language: SATED.get(language, 1.0) for language in before}
    best, best_gain = base, -1.0
    for _ in range(ROUNDS):
        tried = {key: weights[key] * need[key.split("|")[0]] / before[key.split("|")[0]] for key in weights}
        scale = float(np.median(sorted(tried.values())))
        refused: dict[str, int] = {}
        tried = {key: value / scale for key, value in tried.items()}
        pairs = extend(counts, base, n_ids=N_IDS, weights=tried, refused=refused)
        extended = extend_vocabulary(base, pairs, name="headwater-156k")
        after = count_tokens(extended, counts, weights)
        gains = {key: 1 - after[key] / before[key] for key in sorted(before)}
        asked = {key: gain for key, gain in gains.items() if key not in SATED}
        middle = float(np.median(list(asked.values())))
        low = float(np.mean(sorted(asked.values())[:8]))
        print(json.dumps({key: round(100 * gain, 2) for key, gain in gains.items()}), flush=True)
        if low > best_gain:
            best, best_gain = extended, low
            report |= {
                "extension refused": refused,
                "fewer tokens": {key: round(gain, 4) for key, gain in gains.items()},
            }
        for key, gain in asked.items():
            need[key] *= float(np.clip((middle / max(gain, 0.001)) ** STEP, 0.5, 2.0))
    return best


def main() -> None:
    """Train, write, and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--base", type=Path)
    parser.add_argument("--scratch", type=Path)
    arguments = parser.parse_args()
    started = time.monotonic()
    sizes: dict[str, int] = {}
    counts = pa.concat_tables([count_folder(arguments.folder, sizes), count_words()])
    weights = weigh_strata(counts, BASE_BOOST)
    refused: dict[str, int] = {}
    pairs = train(counts, n_ids=BASE_IDS, weights=weights, refused=refused)
    base = _make(pairs, "headwater-128k")
    report: dict[str, object] = {"sample bytes": sum(sizes.values()), "pieces": len(counts), "base refused": refused}
    if arguments.base:
        arguments.base.write_bytes(write_vocabulary(base))
    extended = extend_evenly(counts, base, weights, report)
    arguments.output.write_bytes(write_vocabulary(extended))
    report |= {
        "ids": extended.n_ids,
        "fingerprint": extended.fingerprint,
        "seconds": round(time.monotonic() - started),
        "peak bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "output bytes": arguments.output.stat().st_size,
    }
    print(json.dumps(report), flush=True)
    if arguments.scratch:
        even = weigh_strata(counts, {})
        scratch = _make(train(counts, n_ids=N_IDS, weights=even), "scratch-156k")
        arguments.scratch.write_bytes(write_vocabulary(scratch))


def _make(pairs: np.ndarray, name: str) -> Vocabulary:
    return vocabulary_from_merges(name=name, pattern=encoding_pattern(), alphabet=range(256), pairs=pairs)


if __name__ == "__main__":
    main()
