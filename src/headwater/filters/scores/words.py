"""The words of a text as one input of a score model: the log odds that a fastText model gives a label.

The fastText kernel reads the first ``bytes`` bytes of a text, cut at a character, as the package ``fasttext`` reads a line with its line feeds turned
to spaces. The log odds are ``ln p - ln (1 - p)`` with p cut to [1e-5, 1 - 1e-5], which are what fastText's own precision is worth.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headwater.buffers import text_buffers
from headwater.errors import BadInputError
from headwater.filters.fasttext.layout import KernelModel
from headwater.filters.fasttext.model import read_model_stream
from headwater.filters.fasttext.predict import predict_all, prepare
from headwater.filters.scores.model import Words
from headwater.filters.text.compile import kernel
from headwater.filters.text.exact_math import compute_log

__all__ = ["WordModel", "load_words", "word_odds"]

_LEAST: Final = 1e-5
_PREFIX: Final = "__label__"


@dataclass(frozen=True, kw_only=True, slots=True)
class WordModel:
    """A fastText model, ready for the kernel.

    Attributes:
        label: number of the label whose odds are the input.
    """

    words: Words
    kernel: KernelModel = field(repr=False)
    label: int


def load_words(words: Words, data: bytes, where: str) -> WordModel:
    """Return the fastText model of a score model.

    Args:
        data: its file.
        where: the file, named in messages.

    Raises:
        BadInputError: it has another SHA-256, is no such model, or lacks the label.
    """
    if (found := hashlib.sha256(data).hexdigest()) != words.sha256:
        raise BadInputError(
            f"{where}: expected SHA-256 {words.sha256}, which the score model names, found {found}; restore the file",
            "bad_model",
        )
    model = read_model_stream(io.BytesIO(data), len(data), where)
    label = words.label.removeprefix(_PREFIX)
    if label not in model.labels:
        raise BadInputError(
            f"{where}: expected the label {label!r}, found {len(model.labels)} others; train the model again",
            "bad_model",
        )
    return WordModel(words=words, kernel=prepare(model), label=model.labels.index(label))


def word_odds(texts: pa.Array | pa.ChunkedArray, model: WordModel) -> npt.NDArray[np.float64]:
    """Return the log odds of the label for each text, float64 [n]; NaN for a text without a word that the model knows."""
    data, offsets = text_buffers(texts)
    windows = np.zeros((len(texts), 6), np.int64)
    windows[:, 0] = offsets[:-1]
    windows[:, 1] = _cut(data, offsets, model.words.bytes)
    windows[:, 2:] = windows[:, 1:2]
    shares = predict_all(data, windows, model.kernel)
    found = shares[:, model.label].astype(np.float64)
    nothing = ~(shares > 0.0).any(axis=1)
    _log_odds(found)
    found[nothing] = np.nan
    return found


def _cut(data: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64], most: int) -> npt.NDArray[np.int64]:
    """Return where each text's first ``most`` bytes end, moved back to the beginning of a character."""
    ends = np.minimum(offsets[1:], offsets[:-1] + most)
    for _ in range(3):
        inside = np.flatnonzero(ends < offsets[1:])
        follows = inside[(data[ends[inside]] & 0xC0) == 0x80]
        ends[follows] -= 1
    return ends


@kernel
def _log_odds(values: npt.NDArray[np.float64]) -> None:
    for at in range(values.size):
        p = min(max(values[at], _LEAST), 1.0 - _LEAST)
        values[at] = compute_log(p) - compute_log(1.0 - p)
