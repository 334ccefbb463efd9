"""The model that tells noise from text: one JSON file, ``data/noise.json``; docs/cards/line-noise.md says what it was made of.

    {"format": 1, "bias": 201534, "trees": [{"ask": [["size", -1, 40], …], "values": [-10025, …]}, …], "card": {…}}

A tree asks seven questions [number, line, at]: whether the number of `features` so named, of the line so many after the judged one,
is at most ``at``. Question k is followed by question 2 k + 1 where it is, else by 2 k + 2; the last four lead to the eight
values, what the tree adds to the log odds of text, in millionths. The SHA-256 of the file's bytes is the model's
identity, which the fingerprints of signals and spans hold.
"""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

import numpy as np

from headwater.errors import BadInputError, one_line
from headwater.filters.noise.features import FEATURES
from headwater.filters.noise.judge import NEIGHBOURS, QUESTIONS, Trees, place_of
from headwater.untrusted import parse_json

__all__ = ["NoiseModel", "load_noise_model", "parse_noise_model"]

_FORMAT: Final = 1
_MOST_TREES: Final = 2_000
_LARGEST: Final = 1_000_000
"""Of a value, so that no sum leaves 32 bits, and of what a number is compared with."""
_ALONE: Final = ("previous_sound", "next_sound")
"""Numbers that are known of the judged line only."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NoiseModel:
    """A model, checked.

    Attributes:
        trees: for kernels.
        sha256: of the file.
    """

    trees: Trees
    sha256: str


@functools.cache
def load_noise_model() -> NoiseModel:
    """Return the shipped model.

    Raises:
        BadInputError: its file is damaged.
    """
    return parse_noise_model((files("headwater.filters") / "data" / "noise.json").read_bytes(), "noise.json")


def parse_noise_model(data: bytes, name: str) -> NoiseModel:
    """Return the model of a file's bytes; ``name`` is for messages.

    Raises:
        BadInputError: no JSON, or not of the form above.
    """
    try:
        content = parse_json(data)
        trees = _make_trees(content)
    except ValueError as error:
        raise BadInputError(one_line(f"{name}: {error}; install the package anew"), "bad_noise_model") from None
    return NoiseModel(trees=trees, sha256=hashlib.sha256(data).hexdigest())


def _make_trees(content: Any) -> Trees:  # Any: whatever the file holds
    if not isinstance(content, dict) or set(content) != {"format", "bias", "trees", "card"}:
        raise ValueError("expected an object of format, bias, trees and card")
    if content["format"] != _FORMAT:
        raise ValueError(f"format: expected {_FORMAT}, found {content['format']!r}")
    trees = content["trees"]
    if not isinstance(trees, list) or len(trees) > _MOST_TREES:
        raise ValueError(f"trees: expected a list of at most {_MOST_TREES:,}")
    for number, tree in enumerate(trees):
        _check_tree(tree, f"tree {number}")
    shape = (len(trees), QUESTIONS)
    places = [[place_of(FEATURES.index(name), line) for name, line, _ in tree["ask"]] for tree in trees]
    cuts = [[at for _, _, at in tree["ask"]] for tree in trees]
    values = [tree["values"] for tree in trees]
    return Trees(
        places=np.array(places, np.int32).reshape(shape),
        cuts=np.array(cuts, np.int32).reshape(shape),
        values=np.array(values, np.int32).reshape(len(trees), QUESTIONS + 1),
        bias=np.array([_whole(content["bias"], "bias")], np.int32),
    )


def _check_tree(tree: Any, where: str) -> None:  # Any: see _make_trees
    if not isinstance(tree, dict) or set(tree) != {"ask", "values"}:
        raise ValueError(f"{where}: expected an object of ask and values")
    ask, values = tree["ask"], tree["values"]
    if not (
        isinstance(ask, list) and len(ask) == QUESTIONS and isinstance(values, list) and len(values) == QUESTIONS + 1
    ):
        raise ValueError(f"{where}: expected {QUESTIONS} questions and {QUESTIONS + 1} values")
    for value in values:
        _whole(value, f"{where}, values")
    for number, question in enumerate(ask):
        at = f"{where}, question {number}"
        if not isinstance(question, list) or len(question) != 3 or question[0] not in FEATURES:
            raise ValueError(f"{at}: expected [number of a line, line, at]")
        name, line, cut = question
        _whole(cut, at)
        if abs(_whole(line, at)) > NEIGHBOURS or (line and name in _ALONE):
            raise ValueError(f"{at}: expected a line from -{NEIGHBOURS} to {NEIGHBOURS}, 0 for {' and '.join(_ALONE)}")


def _whole(value: object, where: str) -> int:
    if type(value) is not int or abs(value) > _LARGEST:
        raise ValueError(f"{where}: expected a whole number of at most {_LARGEST:,}")
    return value
