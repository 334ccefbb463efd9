"""What is held out: whole languages, and whole sources, never documents alone.

A document of a source that training saw is too easy: its neighbours, its layout and its author were there. So a model is judged by what neither its
language nor its source had a part in, each in a turn of its own. No text stands on both sides: ``copies`` leaves each one place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.errors import UsageError
from headwater.pipelines.scoring.examples import Examples

__all__ = ["Folds", "halves", "plan_folds"]

_MOST: Final = 8
"""Most folds of one kind: of more languages or sources, several share a fold."""
_LEAST: Final = 20
"""Fewest documents that a fold must leave to each label."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Folds:
    """One way to hold documents out.

    Attributes:
        name: ``language`` or ``source``.
        fold: number of each document's fold, int64 [n].
        groups: names that each fold holds.
    """

    name: str
    fold: npt.NDArray[np.int64]
    groups: tuple[tuple[str, ...], ...]


def plan_folds(examples: Examples) -> list[Folds]:
    """Return the ways to hold documents out that the examples allow, languages first.

    Raises:
        UsageError: they allow none; the message says what is missing.
    """
    found = []
    lacking = []
    for name, groups in (("language", examples.languages), ("source", examples.sources)):
        folds = _folds(name, groups)
        reason = _why_not(folds, examples)
        if reason is None:
            found.append(folds)
        else:
            lacking.append(f"by {name}: {reason}")
    if not found:
        raise UsageError(
            f"expected examples of which whole languages or sources can be held out, found none ({'; '.join(lacking)}); add documents of other "
            "languages or sources with both labels, or say --no-held-out, which the card will tell"
        )
    return found


def _folds(name: str, groups: npt.NDArray[np.str_]) -> Folds:
    """Return folds of whole groups: the largest first, each to the fold that has the fewest documents."""
    names, counts = np.unique(groups, return_counts=True)
    order = sorted(range(len(names)), key=lambda at: (-counts[at], names[at]))
    n = min(_MOST, len(names))
    sizes, members = [0] * n, [list[str]() for _ in range(n)]
    for at in order:
        fold = min(range(n), key=lambda number: (sizes[number], number))
        sizes[fold] += int(counts[at])
        members[fold].append(str(names[at]))
    number = {group: fold for fold, mine in enumerate(members) for group in mine}
    of_documents = np.array([number[group] for group in groups.tolist()], np.int64)
    return Folds(name=name, fold=of_documents, groups=tuple(tuple(sorted(mine)) for mine in members))


def _why_not(folds: Folds, examples: Examples) -> str | None:
    """Return why folds cannot judge: there is one, or some leave training without enough of a label."""
    if len(folds.groups) < 2:
        return f"only {folds.groups[0][0]!r}"
    labels = examples.positive.astype(np.int64) if examples.is_score else examples.targets.astype(np.int64)
    for fold, groups in enumerate(folds.groups):
        rest = labels[folds.fold != fold]
        for label in np.unique(labels).tolist():
            if int((rest == label).sum()) < _LEAST:
                shown = ("0" if label == 0 else "1") if examples.is_score else examples.classes[label]
                return f"without {', '.join(groups)} fewer than {_LEAST} documents of label {shown} are left"
    return None


def halves(groups: Sequence[str], seed: int) -> npt.NDArray[np.bool_]:
    """Return which documents are in the second of two halves of whole groups, [n]; of one group, of documents.

    >>> halves(["a", "b", "a", "b"], 0).tolist() in ([True, False, True, False], [False, True, False, True])
    True
    """
    names = sorted(set(groups))
    if len(names) < 2:
        return np.arange(len(groups)) % 2 == 1
    ordered = sorted(names, key=lambda name: blake2b(f"{seed} {name}".encode(), digest_size=8).digest())
    second = set(ordered[: len(names) // 2])
    return np.array([group in second for group in groups])
