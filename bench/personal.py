"""Print how fast personal data and secrets are found on a core, as JSON: on ordinary text, and on texts made to be expensive.

    python -m bench.personal [--megabytes N] [--repetitions N]

Megabytes of UTF-8 text a second of processor time, the best of the repetitions in this process. ``candidates`` is the compiled pass alone,
``personal`` all that looks for personal data, ``with_secrets`` both. Languages are those of the documents' folders; the worst texts are one document
each, in German.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from bench.alternate import significant
from bench.documents import CORPUS, Document, draw, text_array
from bench.figures import Figures
from headwater.buffers import text_buffers
from headwater.filters.personal.find import find_candidates, find_personal

__all__ = ["WORST", "speeds"]

WORST = {
    "digits": "1",
    "eleven digits": "12345678911 ",
    "sixteen digits": "4111 1111 1111 1112 ",
    "phone numbers": "phone 030 901820 ",
    "addresses": "a@b.co ",
    "at signs": "@",
    "colons": ":",
    "groups of hex": "2a00:",
    "octets": "93.184.216.34 ",
    "accounts": "DE12 3456 ",
}
_WORST_BYTES = 1_000_000


def speeds(documents: Sequence[Document], repetitions: int) -> Figures:
    """Return megabytes a second of each part on the documents, and of all on each of the worst texts."""
    texts = text_array(documents)
    languages = pa.array([document.folder if len(document.folder) == 2 else "en" for document in documents])
    n_bytes = sum(document.n_bytes for document in documents)
    parts: dict[str, Callable[[], object]] = {
        "candidates": lambda: find_candidates(texts, languages),
        "personal": lambda: find_personal(texts, languages, secrets=False),
        "with_secrets": lambda: find_personal(texts, languages),
    }
    find_personal(texts[:1], languages[:1])  # compile
    figures: Figures = {name: _best(part, n_bytes, repetitions) for name, part in parts.items()}
    figures["least_of_worst"], figures["worst"] = _worst(repetitions)
    data, _ = text_buffers(texts)
    begun = time.process_time()
    np.count_nonzero(data == ord("@"))
    figures["one_comparison_a_byte"] = significant(n_bytes / 1e6 / max(time.process_time() - begun, 1e-9))
    return figures


def _worst(repetitions: int) -> tuple[float, Figures]:
    found = {
        name: _best(
            partial(find_personal, pa.array([unit * (_WORST_BYTES // len(unit))]), ["de"]),
            _WORST_BYTES,
            min(repetitions, 2),
        )
        for name, unit in WORST.items()
    }
    return min(found.values()), found


def _best(part: Callable[[], object], n_bytes: int, repetitions: int) -> float:
    least = float("inf")
    for _ in range(repetitions):
        begun = time.process_time()
        part()
        least = min(least, time.process_time() - begun)
    return significant(n_bytes / 1e6 / max(least, 1e-9))


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=float, default=24)
    parser.add_argument("--repetitions", type=int, default=3)
    options = parser.parse_args()
    corpus = Path(os.environ.get("HEADWATER_CORPUS", CORPUS))
    sample = draw(corpus, int(options.megabytes * 1e6))
    print(json.dumps({"documents": sample.source, **speeds(sample.documents, options.repetitions)}, indent=1))


if __name__ == "__main__":
    main()
