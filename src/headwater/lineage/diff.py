"""What differs between two builds, two versions of the table, or what two recipes' rules would keep: sample by sample, with the cause.

    diff("lake", build_side("lake", "first"), build_side("lake", "second"))

Fragments are read side by side, narrow families only, one after the other: what is held follows a fragment, the number of outcomes and the
examples, not the lake.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from headwater.arrays import Int64s
from headwater.errors import UsageError
from headwater.filters.urls.hosts import without_credentials
from headwater.lineage.diff_causes import Cause, causes_of
from headwater.lineage.diff_sides import Names, Rows, Side, read_rows
from headwater.plain import JsonObject
from headwater.warehouse.fragments import first_id
from headwater.warehouse.parquet import FragmentFiles, read_content_row
from headwater.warehouse.snapshot import Snapshot

__all__ = ["diff"]


@dataclass(slots=True)
class _Sums:
    """What is counted over all fragments; keys are numbers of ``Names``."""

    samples: int = 0
    cells: dict[tuple[int, int], list[int]] = field(default_factory=dict)
    causes: dict[Cause, list[int]] = field(default_factory=dict)
    stages: dict[tuple[int, int], list[int]] = field(default_factory=dict)
    examples: dict[tuple[int, int], list[JsonObject]] = field(default_factory=dict)
    winners: int = 0


def diff(a: Side, b: Side, *, examples: int = 3) -> JsonObject:
    """Return how the outcomes of samples differ between two sides of one lake; ``docs/how-to/diff.md`` has the answer's shape.

    Args:
        examples: how many samples of each cell are named, the first by id.

    Raises:
        UsageError: the sides are of two lakes.
    """
    if a.snapshot.uri != b.snapshot.uri:
        raise UsageError(f"expected two sides of one lake, found {a.snapshot.lake} and {b.snapshot.lake}")
    names, sums = Names(), _Sums()
    by_stage = a.build is not None and b.build is not None
    selected = a.selections(), b.selections()
    for left, right in _paired(a, b):
        fragment = (left or right).fragment  # type: ignore[union-attr] # one of them is there
        n = max(_rows_of(side.snapshot, where) for side, where in ((a, left), (b, right)) if where is not None)
        rows = [
            read_rows(side, where, chosen.get(fragment), n, names, by_stage=by_stage)
            for side, where, chosen in zip((a, b), (left, right), selected, strict=True)
        ]
        _count(sums, (a, b), rows[0], rows[1], names, fragment, examples)
    return _answer(a, b, names, sums, by_stage=by_stage)


def _paired(a: Side, b: Side) -> Iterator[tuple[FragmentFiles | None, FragmentFiles | None]]:
    """Yield the fragments of both sides, ascending; None where a side lacks one."""
    lefts, rights = a.located(), b.located()
    left, right = next(lefts, None), next(rights, None)
    while left is not None or right is not None:
        if right is None or (left is not None and left.fragment < right.fragment):
            yield left, None
            left = next(lefts, None)
        elif left is None or right.fragment < left.fragment:
            yield None, right
            right = next(rights, None)
        else:
            yield left, right
            left, right = next(lefts, None), next(rights, None)
