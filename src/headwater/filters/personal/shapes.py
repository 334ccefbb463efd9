"""Shapes of numbers as one trie: ``d`` a digit of any script, ``L`` a capital letter, and the separators that may stand between.

A space stands for every kind of space, a hyphen for every dash. The kernel walks the trie from the beginning of a number and keeps the longest
shape that ends where the number does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["EVERY_LANGUAGE", "SYMBOLS", "Rule", "ShapeTrie", "make_trie"]

SYMBOLS: Final = "dL -./()+"
"""Their places are the numbers that the kernel knows them by."""
EVERY_LANGUAGE: Final = (1 << 64) - 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """When a number of a shape is looked at more closely.

    Attributes:
        kind: what it may be.
        shape: of ``SYMBOLS``.
        languages: bits of the languages in which the shape alone suffices.
        topics: bits of the topics (``words``) of which one, before it, suffices in every language.
        home: bits of the languages in which also one of ``home_topics`` does.
        home_topics: bits of topics.
    """

    kind: str
    shape: str
    languages: int
    topics: int
    home: int = 0
    home_topics: int = 0


class ShapeTrie(NamedTuple):
    """What the kernel walks.

    Attributes:
        next: int16 [states, symbols]; 0 where nothing goes on.
        languages: uint64 [states], the union over the rules that end there.
        topics: uint64 [states], the same.
        ends: bool [states], whether a rule ends there.
    """

    next: npt.NDArray[np.int16]
    languages: npt.NDArray[np.uint64]
    topics: npt.NDArray[np.uint64]
    ends: npt.NDArray[np.bool_]


def make_trie(rules: Iterable[Rule]) -> tuple[ShapeTrie, Mapping[int, list[Rule]]]:
    """Return the trie and state → the rules that end there.

    >>> trie, ends = make_trie([Rule(kind="a", shape="d-d", languages=1, topics=2)])
    >>> trie.next[:, :4].tolist(), [rule.kind for rule in ends[3]]
    ([[1, 0, 0, 0], [0, 0, 0, 2], [3, 0, 0, 0], [0, 0, 0, 0]], ['a'])
    """
    steps: list[list[int]] = [[0] * len(SYMBOLS)]
    ends: dict[int, list[Rule]] = {}
    for rule in rules:
        state = 0
        for symbol in map(SYMBOLS.index, rule.shape):
            if not steps[state][symbol]:
                steps[state][symbol] = len(steps)
                steps.append([0] * len(SYMBOLS))
            state = steps[state][symbol]
        ends.setdefault(state, []).append(rule)
    languages, topics = np.zeros(len(steps), np.uint64), np.zeros(len(steps), np.uint64)
    for state, here in ends.items():
        for rule in here:
            languages[state] |= np.uint64(rule.languages)
            topics[state] |= np.uint64(rule.topics | rule.home_topics)
    is_end = np.zeros(len(steps), np.bool_)
    is_end[list(ends)] = True
    return ShapeTrie(np.array(steps, np.int16), languages, topics, is_end), ends
