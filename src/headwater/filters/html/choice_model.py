"""The model that chooses blocks: one file of arrays, `data/html/main_text.npz`; docs/cards/main-text.md says what it was made of.

An archive of NumPy arrays, without pickles: weights of the words of attributes and of pages' tokens, and four sets of boosted trees
(`boosted.Trees`): the kind of the page (a tree for each kind in turn), the first and the second answer on each block.
The SHA-256 of the file's bytes is part of the extractor's identity.
"""

from __future__ import annotations

import functools
import hashlib
import io
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.errors import BadInputError
from headwater.filters.html.boosted import Trees
from headwater.filters.html.features import WordWeights
from headwater.filters.html.page_kind import PAGE_KINDS, TokenWeights

__all__ = ["ChoiceModel", "load_choice_model", "parse_choice_model"]

_FORMAT: Final = 1
_TREES: Final = ("roots", "feature", "threshold", "low", "high", "value")
_TYPES: Final = (np.int64, np.int16, np.float32, np.int32, np.int32, np.float64)


@dataclass(frozen=True, kw_only=True, slots=True)
class ChoiceModel:
    """A model, checked.

    Attributes:
        words: weights of the words of attributes.
        tokens: weights of pages' tokens.
        kinds: trees of each kind.
        first: trees of the first answer.
        second: trees of the second.
        sha256: of the file.
    """

    words: WordWeights
    tokens: TokenWeights
    kinds: tuple[Trees, ...]
    first: Trees
    second: Trees
    sha256: str


@functools.cache
def load_choice_model() -> ChoiceModel:
    """Return the shipped model.

    Raises:
        BadInputError: its file is damaged.
    """
    return parse_choice_model(
        (files("headwater.filters") / "data" / "html" / "main_text.npz").read_bytes(), "main_text.npz"
    )


def parse_choice_model(data: bytes, name: str) -> ChoiceModel:
    """Return the model of a file's bytes; `name` is for messages.

    Raises:
        BadInputError: they are no such model.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            if int(arrays["format"]) != _FORMAT:
                raise BadInputError(f"{name}: expected format {_FORMAT}, found {int(arrays['format'])}")
            return ChoiceModel(
                words=WordWeights(hashes=arrays["word_hashes"], weights=arrays["word_weights"].astype(np.float32)),
                tokens=TokenWeights(hashes=arrays["token_hashes"], weights=arrays["token_weights"].astype(np.float32)),
                kinds=tuple(_trees(dict(arrays), f"kind{number}") for number in range(len(PAGE_KINDS))),
                first=_trees(dict(arrays), "first"),
                second=_trees(dict(arrays), "second"),
                sha256=hashlib.sha256(data).hexdigest(),
            )
    except (KeyError, ValueError, OSError, EOFError) as error:
        raise BadInputError(f"{name}: expected a model that chooses blocks, found {type(error).__name__}") from error


def _trees(arrays: dict[str, npt.NDArray[np.generic]], name: str) -> Trees:
    """Return the trees of a name; every way of theirs leads on or to a leaf.

    Raises:
        ValueError: one does not.
    """
    roots, feature, threshold, low, high, value = (
        arrays[f"{name}_{part}"].astype(kind) for part, kind in zip(_TREES, _TYPES, strict=True)
    )
    nodes = np.arange(len(feature))
    for way in (low, high):
        if len(way) != len(nodes) or bool(((way >= 0) & (way <= nodes)).any()) or bool((way >= len(nodes)).any()):
            raise ValueError("a way leads back")
        if bool((way < 0).any()) and int(~way.min()) >= len(value):
            raise ValueError("no such leaf")
    return Trees(roots=roots, feature=feature, threshold=threshold, low=low, high=high, value=value)
