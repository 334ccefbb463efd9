"""Labelled texts that stand more than once: a copy counts once, and a text with two labels not at all.

A copy under another source or language would stand on both sides of what is held out, and a model that learns it by heart would look good.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Distinct", "find_distinct"]


class Distinct(NamedTuple):
    """Which documents count.

    Attributes:
        kept: their numbers, in order: the first of each text that always has the same label.
        copies: documents left out because they repeat a text that is kept.
        contradictions: documents left out because their text stands with different labels.
    """

    kept: list[int]
    copies: int
    contradictions: int


def find_distinct(texts: Sequence[str], labels: Sequence[float] | Sequence[str]) -> Distinct:
    """Return which of labelled documents count.

    >>> find_distinct(["a", "b", "a", "c", "c"], [1.0, 0.0, 1.0, 0.0, 1.0])
    Distinct(kept=[0, 1], copies=1, contradictions=2)
    """
    first: dict[str, int] = {}
    torn: set[str] = set()
    for number, (text, label) in enumerate(zip(texts, labels, strict=True)):
        if labels[first.setdefault(text, number)] != label:
            torn.add(text)
    contradictions = sum(text in torn for text in texts) if torn else 0
    kept = [number for text, number in first.items() if text not in torn]
    return Distinct(kept, len(texts) - len(kept) - contradictions, contradictions)
