"""Compile every kernel once, so that no Spark worker spends its first seconds on it.

    python -m headwater.pipelines.annotate.compile_kernels

Setup calls this; on a cluster, call it where the package is installed, or point NUMBA_CACHE_DIR at a folder that workers share.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from headwater.filters.duplicates import minhash
from headwater.filters.duplicates.pairs import components, connect_bucket, elect, signature_matrix
from headwater.filters.language import identify as language
from headwater.filters.scores import formulas as scores
from headwater.filters.signals import measure as signals
from headwater.filters.spans import find as spans
from headwater.tokenize.encode.encoder import decode, encode
from headwater.tokenize.forms.load import load_vocabulary
from headwater.tokenize.names import STRATEGIES
from headwater.tokenize.pack.strategies import pack

__all__ = ["compile_kernels"]

_TEXT = (
    "Water flows from the spring to the sea. It carves stone, carries sand and feeds fields.\n"
    "1. First we measure the depth: 3 metres. 2. Then, because the river is wide, we count its arms.\n"
    "Write to source@example.org; this site uses cookies.\n水は泉から海へ流れる。\nنهر\n"
)


def compile_kernels() -> None:
    """Run each kernel on a few lines of text; Numba keeps what it compiles beside the package."""
    for kind in (pa.string(), pa.large_string()):
        texts = pa.array([_TEXT, _TEXT * 3, ""], kind)
        languages = language.identify(texts, language.load_model())["language"]
        scores.score(signals.measure_signals(texts, languages), languages)
        found = spans.find_spans(texts, sorted(spans.OPERATORS))
        columns = [found[name] for name in ("row", "span_begin", "span_end", "action")]
        cleaned = spans.apply_spans(texts, *columns)
        measured = minhash.measure_minhash(texts)
        vocabulary = load_vocabulary()
        tokens, offsets = encode(cleaned, vocabulary)
        decode(tokens[:8], vocabulary)
    signatures = signature_matrix(measured["signature"])
    rows = np.array([0, len(signatures)], dtype=np.int64)
    connect_bucket(signatures, np.full(len(signatures), -1, dtype=np.int64), rows)
    components(np.array([1], dtype=np.int64), np.array([0], dtype=np.int64), 2)
    keys = np.zeros((len(signatures), 2), dtype=np.uint64)
    elect(signatures, rows, keys, keys, np.zeros(len(signatures), dtype=bool))
    for strategy in STRATEGIES:
        pack(
            tokens,
            offsets,
            np.arange(len(offsets) - 1, dtype=np.int64),
            context=64,
            strategy=strategy,
            end_of_text=vocabulary.end_of_text,
            padding=vocabulary.padding,
            seed=0,
            bucket=0,
        )


if __name__ == "__main__":
    compile_kernels()
