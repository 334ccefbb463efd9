"""The model that tells noise from text: one JSON file, ``data/noise.json``; docs/cards/line-noise.md says what it was made of.

    {"format": 1, "bias": 0.2, "trees": [[["size", -1, 40, 1, 2], [-0.1], [0.3]], …], "card": {…}}

A tree is a list of nodes, the first its root. A node is either [value], what the tree adds to the log odds of text, or [number,
line, at, low, high]: the way is node ``low`` where the number of `features` so named, of the line so many after the judged one, is
at most ``at``, else node ``high``. Both come after the node itself, so that every way ends. The SHA-256 of the file's bytes
is the model's identity, which the fingerprints of signals and spans hold.
"""

from __future__ import annotations

import functools
import hashlib
import math
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

import numpy as np

from headwater.errors import BadInputError, one_line
from headwater.filters.noise.features import FEATURES, N_FEATURES
from headwater.filters.noise.judge import NEIGHBOURS, Trees
from headwater.untrusted import parse_json

__all__ = ["DEEPEST_TREE", "NoiseModel", "load_noise_model", "parse_noise_model"]

_FORMAT: Final = 1
DEEPEST_TREE: Final = 8
_MOST_NODES: Final = 65_536
_LARGEST: Final = 1e6
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
    bias = _number(content["bias"], "bias")
    trees = content["trees"]
    if not isinstance(trees, list) or not all(isinstance(tree, list) and tree for tree in trees):
        raise ValueError("trees: expected a list of lists of nodes")
    n_nodes = sum(map(len, trees))
    if n_nodes > _MOST_NODES:
        raise ValueError(f"trees: expected at most {_MOST_NODES:,} nodes, found {n_nodes:,}")
    places, cuts, lows, values, roots, depths = [], [], [], [], [], []
    for number, tree in enumerate(trees):
        roots.append(len(places))
        order, depth = _order_nodes(tree, f"tree {number}")
        depths.append(depth)
        place_of = {node: roots[-1] + at for at, node in enumerate(order)}
        for node in order:
            fields = tree[node]
            if len(fields) == 1:
                places.append(0)
                cuts.append(np.iinfo(np.int32).max)
                lows.append(place_of[node])
                values.append(float(fields[0]))
            else:
                places.append(FEATURES.index(fields[0]) + N_FEATURES * fields[1])
                cuts.append(fields[2])
                lows.append(place_of[fields[3]])
                values.append(0.0)
    return Trees(
        places=np.array(places, np.int32),
        cuts=np.array(cuts, np.int32),
        lows=np.array(lows, np.int32),
        values=np.array(values, np.float64),
        roots=np.array(roots, np.int32),
        depths=np.array(depths, np.int32),
        bias=np.array([bias]),
    )


def _order_nodes(tree: list[Any], where: str) -> tuple[list[int], int]:  # Any: see _make_trees
    """Return a tree's nodes, level by level, so that a node's two followers stand beside each other, and its depth."""
    order, level, depth = [0], [0], 0
    _check_node(tree, 0, where)
    while True:
        below = [follower for node in level if len(tree[node]) > 1 for follower in tree[node][3:]]
        if not below:
            break
        depth += 1
        if depth > DEEPEST_TREE:
            raise ValueError(f"{where}: expected at most {DEEPEST_TREE} levels, found more")
        for node in below:
            _check_node(tree, node, where)
        order += below
        level = below
    if sorted(order) != list(range(len(tree))):
        raise ValueError(f"{where}: expected each of its {len(tree)} nodes to follow one other")
    return order, depth


def _check_node(tree: list[Any], node: int, where: str) -> None:  # Any: see _make_trees
    where, fields = f"{where}, node {node}", tree[node]
    if not isinstance(fields, list) or len(fields) not in (1, 5):
        raise ValueError(f"{where}: expected [value] or [number, line, at, low, high]")
    if len(fields) == 1:
        _number(fields[0], where)
        return
    name, *whole = fields
    if name not in FEATURES or not all(type(value) is int for value in whole):
        raise ValueError(f"{where}: expected a number of a line and four whole numbers")
    line, at, low, high = whole
    if abs(line) > NEIGHBOURS or (line and name in _ALONE) or abs(at) > _LARGEST:
        raise ValueError(f"{where}: expected a line from -{NEIGHBOURS} to {NEIGHBOURS}, 0 for {' and '.join(_ALONE)}")
    if not (node < low < len(tree) and node < high < len(tree) and low != high):
        raise ValueError(f"{where}: expected two later nodes of {len(tree)}")


def _number(value: object, where: str) -> float:
    if type(value) not in (int, float) or not math.isfinite(value) or abs(value) > _LARGEST:  # type: ignore[arg-type, operator]
        raise ValueError(f"{where}: expected a finite number")
    return float(value)  # type: ignore[arg-type]
