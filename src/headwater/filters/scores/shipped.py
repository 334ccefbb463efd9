"""The score models that come with the package, by the column that each fills, and those of files, ready to score."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Final

from headwater.filters.scores.model import ScoreModel
from headwater.filters.scores.model_file import parse_model, read_model_file
from headwater.filters.scores.names import SCORE_COLUMNS
from headwater.filters.scores.words import WordModel, load_words

__all__ = ["SHIPPED", "Scorer", "load_scorer", "make_scorer", "shipped_scorer"]

SHIPPED: Final = SCORE_COLUMNS
"""Names of the shipped models; each is that of the column that it fills."""
_FOLDER: Final = Path(str(files("headwater.filters"))) / "data" / "scores"


@dataclass(frozen=True, kw_only=True, slots=True)
class Scorer:
    """A model, ready to score.

    Attributes:
        words: its fastText model; None for a model that reads no text.
        data: bytes of its file, and ``words_data`` those of the fastText model, as they are stored in a lake; None of what ships.
    """

    model: ScoreModel
    words: WordModel | None = None
    data: bytes | None = field(default=None, repr=False)
    words_data: bytes | None = field(default=None, repr=False)


@functools.cache
def shipped_scorer(name: str) -> Scorer:
    """Return a shipped model, of ``SHIPPED``."""
    path = _FOLDER / f"{name}.json"
    model, data, words = read_model_file(path)
    return make_scorer(model, data, words, str(path), keep=False)


def load_scorer(path: str | Path) -> Scorer:
    """Return the model in a file, with the fastText model beside it.

    Raises:
        BadInputError: a file cannot be read, or is no such model.
    """
    model, data, words = read_model_file(Path(path))
    return make_scorer(model, data, words, str(path))


def make_scorer(model: ScoreModel | None, data: bytes, words: bytes | None, where: str, *, keep: bool = True) -> Scorer:
    """Return a model from the bytes of its files; errors as for ``load_scorer``.

    Args:
        model: what ``data`` holds, where that is known.
        keep: whether the bytes stay, for a lake to store.
    """
    model = model or parse_model(data, where)
    ready = None
    if model.words is not None and words is not None:
        ready = load_words(model.words, words, str(Path(where).parent / model.words.file))
    return Scorer(model=model, words=ready, data=data if keep else None, words_data=words if keep else None)
