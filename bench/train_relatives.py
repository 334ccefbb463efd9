"""Train what tells languages written alike from each other: ``relatives.ftz`` and ``malay.npy`` in ``src/headwater/filters/data``.

    python -m bench.train_relatives PACKAGES UDHR WORK

``bench.train_language`` collects and cleans the sentences. ``relatives.ftz`` is a fastText model of ``RELATIVES`` alone, the same number
of lines for each label and more for the pairs that are hardest. ``malay.npy`` are the weights of a logistic regression over the words of
Malay and Indonesian sentences, as many of one as of the other from each source, so that no subject tells the two apart. WORK takes
the training lines.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
from pathlib import Path

import fasttext
import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from bench.near_words import MALAY_OF
from bench.train_language import WORD_LISTS, draw_lines, draw_words, gather
from headwater.buffers import text_buffers
from headwater.filters.language import malay

RELATIVES = (
    "no nn da sv", "id ms", "cs sk", "es pt gl ca ast an oc", "nl af fy nds", "ru uk be bg mk sr", "hi mr ne mai", "fa ur ar", "en pcm sco",
    "tr az", "fi et",
)  # fmt: skip
LINES = 24_000
HARD = {"id": 4, "ms": 4, "no": 3, "da": 3}
"""Languages with twice as many lines, and how often as many lines of words drawn by frequency."""
WORD_LINES = 3_000
CUTOFF = 80_000

MOST_OF_SOURCE = 3_000
_MOST_OF_PACKAGE = 4_000
_MOST_OF_PAGES = 1_500
_PAIR_WORD_LINES = 10_000
_PAIRS_REPEATED = 6
_EPOCHS, _RATE, _CONSTANT_RATE, _DECAY = 5, 0.1, 0.01, 1e-4

_Sentences = dict[str, dict[str, list[str]]]


def compose(sentences: _Sentences) -> list[str]:
    """The lines of the fastText model, shuffled."""
    draw = random.Random(5)
    lines = []
    labels = [label for group in RELATIVES for label in group.split()]
    for label in labels:
        most = LINES * (2 if label in HARD else 1)
        lines += [f"__label__{label} {line}" for line in draw_lines(label, sentences[label], most, draw, least=LINES)]
    for code, label in WORD_LISTS.items():
        if label in labels:
            drawn = draw_words(code, label, WORD_LINES * HARD.get(label, 1), draw)
            lines += [f"__label__{label} {line}" for line in drawn]
    draw.shuffle(lines)
    return lines


def compose_pair(sentences: _Sentences) -> list[tuple[int, str]]:
    """Malay (1) and Indonesian (0) sentences, shuffled."""
    draw = random.Random(1)
    lines: list[tuple[int, str]] = []
    indonesian, malay_sources = sentences["id"], sentences["ms"]

    def take(is_malay: int, texts: list[str], most: int) -> None:
        lines.extend((is_malay, text) for text in (texts if len(texts) <= most else draw.sample(texts, most)))

    for source, texts in malay_sources.items():
        made_of = source.removeprefix("id of ")
        other = indonesian.get(made_of, [])
        most = min(
            len(texts), MOST_OF_SOURCE if made_of != source else min(len(other), _MOST_OF_PACKAGE) or _MOST_OF_PACKAGE
        )
        take(1, texts, most)
        take(0, other, most)
    for source, texts in indonesian.items():
        if source.startswith("course-"):  # the neighbours are pages of these courses
            take(0, texts, _MOST_OF_PAGES)
        if source in {"web 0", "web 1"}:
            take(0, texts, len(texts))
    for is_malay, tag in enumerate(("id", "ms")):
        lines += [(is_malay, line) for line in draw_words(tag, tag, _PAIR_WORD_LINES, draw)]
    lines += _PAIRS_REPEATED * [(is_malay, word) for pair in MALAY_OF.items() for is_malay, word in enumerate(pair)]
    draw.shuffle(lines)
    return lines


@numba.njit
def _buckets(data: npt.NDArray[np.uint8], begin: int, end: int, found: npt.NDArray[np.int64]) -> int:
    """The hash of each word, as ``malay`` has it."""
    n, value, in_word = 0, np.uint32(2166136261), False
    for place in range(begin, end + 1):
        lower = data[place] | np.uint8(32) if place < end else np.uint8(0)
        if np.uint8(97) <= lower <= np.uint8(122):
            value = np.uint32((value ^ np.uint32(lower)) * np.uint32(16777619))
            in_word = True
        elif in_word:
            found[n] = malay.bucket_of(value)
            n, value, in_word = n + 1, np.uint32(2166136261), False
    return n


@numba.njit
def _fit(
    data: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64], is_malay: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Logistic regression by AdaGrad, one text after the other; the constant is left out of what is returned."""
    constant = 0.0
    weights = np.zeros(1 << malay.BITS)
    squares = np.full(1 << malay.BITS, 1e-3)
    found = np.empty(len(data), np.int64)
    for _ in range(_EPOCHS):
        for text in range(len(is_malay)):
            words = np.unique(found[: _buckets(data, offsets[text], offsets[text + 1], found)])
            error = 1.0 / (1.0 + np.exp(-constant - weights[words].sum())) - is_malay[text]
            constant -= _CONSTANT_RATE * error
            for word in words:
                gradient = error + _DECAY * weights[word]
                squares[word] += gradient * gradient
                weights[word] -= _RATE * gradient / np.sqrt(squares[word])
    return weights


def fit_words(lines: list[tuple[int, str]]) -> npt.NDArray[np.int8]:
    """The weights as ``malay`` reads them."""
    data, offsets = text_buffers(pa.array([text for _, text in lines], pa.large_string()))
    weights = _fit(data, offsets.astype(np.int64), np.array([is_malay for is_malay, _ in lines], np.float64))
    return np.clip(np.rint(weights / malay.UNIT), -127, 127).astype(np.int8)


def main() -> None:
    """Collect, clean, draw, train, quantise; print what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packages", type=Path)
    parser.add_argument("udhr", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--data", type=Path, default=Path("src/headwater/filters/data"))
    arguments = parser.parse_args()
    sentences = gather(arguments.packages, arguments.udhr)
    train(sentences, arguments.work / "relatives.txt", arguments.data)


def train(sentences: _Sentences, lines_file: Path, folder: Path) -> None:
    """Write both files into ``folder``."""
    lines = compose(sentences)
    lines_file.write_text("\n".join(lines) + "\n", "utf-8")
    model = fasttext.train_supervised(
        input=str(lines_file), dim=16, minn=1, maxn=5, bucket=1 << 18, minCount=6, epoch=10, lr=1.0, loss="softmax", thread=1, verbose=0
    )  # fmt: skip
    model.quantize(input=str(lines_file), cutoff=CUTOFF, qnorm=True, dsub=2, retrain=False, thread=1)
    model.save_model(str(folder / "relatives.ftz"))
    pair = compose_pair(sentences)
    np.save(folder / "malay.npy", fit_words(pair))
    report = {"lines": len(lines), "Malay and Indonesian sentences": len(pair)} | {
        file: {"bytes": len(data := (folder / file).read_bytes()), "sha256": hashlib.sha256(data).hexdigest()}
        for file in ("relatives.ftz", "malay.npy")
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
