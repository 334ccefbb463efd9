"""Small score models for tests, and a recipe that names them."""

from __future__ import annotations

from pathlib import Path

from headwater.filters.scores.model import Input, ScoreModel
from headwater.filters.scores.model_file import model_bytes
from headwater.filters.scores.trees import Node

__all__ = ["genre_model", "length_model", "tree_model", "write_model"]


def length_model(name: str, bias: float = 0.0) -> ScoreModel:
    """Return a linear score: more and longer words score higher."""
    inputs = (
        Input(signal="gopher_words", transform="log1p", center=4.0, scale=1.5),
        Input(signal="hw_long_words_fraction", center=0.2, scale=0.1),
        Input(signal="hw_equations", per="gopher_words", times=100.0, transform="sqrt"),
    )
    return ScoreModel(
        name=name,
        kind="linear",
        classes=("score",),
        inputs=inputs,
        weights=((1.0, 0.5, -0.25),),
        biases=(bias,),
        calibration={"*": (1.0, 0.0), "de": (2.0, 0.5)},
        card={"about": "more and longer words"},
    )


def tree_model(name: str) -> ScoreModel:
    """Return a score of one tree that asks for length first, then for long words."""
    tree = (
        Node(0, 0.0, 1, 2, 0.25),
        Node(-1, 0.0, 0, 0, -1.0),
        Node(1, 0.5, 3, 4, 1.5),
        Node(-1, 0.0, 0, 0, 1.0),
        Node(-1, 0.0, 0, 0, 2.0),
    )
    inputs = (Input(signal="gopher_words", center=50.0, scale=50.0), Input(signal="hw_long_words_fraction", scale=0.2))
    return ScoreModel(
        name=name,
        kind="trees",
        classes=("score",),
        inputs=inputs,
        trees=((tree, tree),),
        biases=(0.5,),
        calibration={"*": (1.0, 0.0)},
    )


def genre_model() -> ScoreModel:
    """Return classes: many long words are informational, an encyclopedia where there are very many; few are narrative."""
    return ScoreModel(
        name="domain",
        kind="linear",
        classes=("informational", "narrative", "encyclopedia"),
        inputs=(Input(signal="hw_long_words_fraction", center=0.2, scale=0.1),),
        weights=((1.0,), (-1.0,), (1.5,)),
        biases=(0.0, 0.0, -1.0),
        parents={"encyclopedia": ("informational", 0.5)},
        languages=("de", "en"),
        least_words=5,
    )


def write_model(folder: Path, model: ScoreModel) -> Path:
    """Write a model's file and return its path."""
    path = folder / f"{model.name}.json"
    path.write_bytes(model_bytes(model))
    return path
