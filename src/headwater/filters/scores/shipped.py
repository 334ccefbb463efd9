"""The score models that come with the package, by the column that each fills.

Until a trained model of a column lies in ``data/scores``, the formulas of ``formulas`` stand in for it, as a model of kind ``formula``, which no
file has.
"""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Final

from headwater.filters.scores import formulas
from headwater.filters.scores.model import ScoreModel, parse_model, read_model_file
from headwater.filters.scores.names import DOMAIN, SCORES
from headwater.filters.scores.words import WordModel, load_words

__all__ = ["FORMULA", "SHIPPED", "Scorer", "load_scorer", "make_scorer", "shipped_scorer"]

FORMULA: Final = "formula"
SHIPPED: Final = (*SCORES, DOMAIN)
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

    @property
    def is_formula(self) -> bool:
        """Whether formulas stand in for a model that does not ship yet."""
        return self.model.kind == FORMULA


@functools.cache
def shipped_scorer(name: str) -> Scorer:
    """Return a shipped model, of ``SHIPPED``."""
    path = _FOLDER / f"{name}.json"
    if path.is_file():
        model, data, words = read_model_file(path)
        return make_scorer(model, data, words, str(path), keep=False)
    identity = hashlib.sha256(f"formula {formulas.VERSION} {name}".encode()).hexdigest()
    classes = ("score",) if name in SCORES else ("code", "math")
    return Scorer(model=ScoreModel(name=name, kind=FORMULA, classes=classes, inputs=(), biases=(), sha256=identity))


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
