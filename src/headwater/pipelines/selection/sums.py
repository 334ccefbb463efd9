"""Sums over one fragment's samples: what is available by cell, what lies behind a prefix of the key, what was chosen.

Tasks return these instead of rows: a selection's driver sees some hundred sums a pass, whatever the size of the lake.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from headwater.hashes import GOLDEN_GAMMA, origins_of_bytes
from headwater.pipelines.recipe.stages import Stage
from headwater.pipelines.selection.candidates import (
    Candidates,
    Cuts,
    copies,
    full_sequences,
    key_bytes,
    open_to,
    stage_tokens,
)
from headwater.pipelines.selection.quotas import Cell, planned_cell
from headwater.pipelines.selection.search import Bins, Group, Waiting, sum_bins

__all__ = ["CellSums", "ChosenSums", "bin_sums", "cell_sums", "chosen_hosts", "chosen_sums"]

_Ints = npt.NDArray[np.int64]
_Decided = Sequence[tuple[Stage, Cuts]]


@dataclass(kw_only=True, slots=True)
class CellSums:
    """What is available for a stage.

    Attributes:
        everything: tokens of all candidates, beginnings and ends of text included.
        open: cell of the lake → tokens, documents, long documents, their tokens, the sequences that they fill; of what the stage may choose.
    """

    everything: int = 0
    open: dict[Cell, _Ints] = field(default_factory=dict)

    def merge(self, other: CellSums) -> CellSums:
        """Add another's sums."""
        self.everything += other.everything
        for cell, sums in other.open.items():
            mine = self.open.get(cell)
            self.open[cell] = sums if mine is None else mine + sums
        return self


def cell_sums(stage: Stage, earlier: _Decided, found: Candidates) -> CellSums:
    """Return what a fragment has for a stage, by cell."""
    tokens = stage_tokens(found, stage)
    sequences = full_sequences(found, stage)
    free = open_to(found, stage, earlier)
    long = free & (sequences > 0)
    n = len(found.cells)
    columns = [
        _by(found.cell[free], tokens[free], n),
        np.bincount(found.cell[free], minlength=n),
        np.bincount(found.cell[long], minlength=n),
        _by(found.cell[long], tokens[long], n),
        _by(found.cell[long], sequences[long], n),
    ]
    sums = np.stack(columns, axis=1).astype(np.int64)
    return CellSums(everything=int(tokens.sum()), open=dict(zip(found.cells, sums, strict=True)))


def _by(index: _Ints, weights: _Ints, n: int) -> _Ints:
    """Return sums by index; of doubles, which are exact up to 2^53, and a fragment has at most 2^44 tokens."""
    return np.bincount(index, weights, minlength=n).astype(np.int64)


def bin_sums(
    stage: Stage,
    earlier: _Decided,
    long_cuts: Mapping[Cell, bytes] | None,
    waiting: Mapping[Cell, Waiting],
    found: Candidates,
) -> Bins:
    """Return what a fragment adds to a round of the search for the cuts of a stage.

    Args:
        long_cuts: None to look at the samples that fill a sequence only; else cell of the plan → the cut that these already have: what lies
            before it is passed over.
        waiting: cell of the plan → what the round asks.
    """
    if not found.cells:
        return Bins()
    planned = [planned_cell(cell, stage) for cell in found.cells]
    free = open_to(found, stage, earlier) & np.array([cell in waiting for cell in planned])[found.cell]
    sequences = full_sequences(found, stage)
    if long_cuts is None:
        free &= sequences > 0
    at = np.flatnonzero(free)
    keys = key_bytes(found, stage.order_by)[at]
    if long_cuts:
        lasts = np.array([long_cuts.get(cell, b"") for cell in planned], dtype=f"S{keys.shape[1]}")
        some = np.array([cell in long_cuts for cell in planned])
        of = found.cell[at]
        taken = some[of] & (sequences[at] > 0) & (keys.view(lasts.dtype).reshape(-1) <= lasts[of])
        at, keys = at[~taken], keys[~taken]
    sums = np.stack([stage_tokens(found, stage)[at], sequences[at]], axis=1)
    number = {cell: position for position, cell in enumerate(dict.fromkeys(planned))}
    belongs = np.array([number[cell] for cell in planned])[found.cell[at]]
    order = np.argsort(belongs, kind="stable")
    bounds = np.searchsorted(belongs[order], np.arange(len(number) + 1))
    groups: dict[Cell, Group] = {}
    for cell, position in number.items():
        rows = order[bounds[position] : bounds[position + 1]]
        if len(rows):
            groups[cell] = Group(keys=keys[rows], sums=sums[rows])
    return sum_bins(groups, waiting)


@dataclass(kw_only=True, slots=True)
class ChosenSums:
    """What was chosen: (stage, cell of the plan) → tokens, documents, full sequences, and a sum of hashes that no order changes."""

    cells: dict[tuple[str, Cell], list[int]] = field(default_factory=dict)

    def merge(self, other: ChosenSums) -> ChosenSums:
        """Add another's sums."""
        for cell, sums in other.cells.items():
            mine = self.cells.get(cell)
            self.cells[cell] = sums if mine is None else [a + b for a, b in zip(mine, sums, strict=True)]
        return self


_MIX: Final = np.uint64(0xBF58476D1CE4E5B9)


def chosen_sums(decided: _Decided, found: Candidates) -> ChosenSums:
    """Return what is chosen of a fragment, by stage and cell."""
    sums = ChosenSums()
    halves = found.identity[:, :16].copy().view("<u8").reshape(-1, 2)
    origin = origins_of_bytes(found.identity[:, 16:]).view(np.uint64)
    for position, (stage, cuts) in enumerate(decided):
        number, at = _chosen(found, decided, position)
        with np.errstate(over="ignore"):
            mixed = (halves[at, 0] ^ (halves[at, 1] * GOLDEN_GAMMA) ^ origin[at]) * _MIX
            mixed = (mixed ^ (mixed >> np.uint64(31))) * (number[at].astype(np.uint64) + np.uint64(2 * position + 1))
        columns: list[_Ints] = [
            stage_tokens(found, stage)[at] * number[at],
            np.ones(len(at), np.int64),
            full_sequences(found, stage)[at] * number[at],
            (mixed >> np.uint64(32)).astype(np.int64),
        ]
        n = len(found.cells)
        # Each hash has 32 bits and a fragment at most 2^20 samples: the sums of doubles are exact here too.
        by_cell = np.stack([_by(found.cell[at], column, n) for column in columns], axis=1)
        for cell, row in zip(found.cells, by_cell.tolist(), strict=True):
            if row[1]:
                key = (stage.name, cuts.planned[cell])
                sums.merge(ChosenSums(cells={key: row}))
    return sums


def _chosen(found: Candidates, decided: _Decided, position: int) -> tuple[_Ints, _Ints]:
    """Return how many copies of each sample a stage takes, and of which samples it takes any."""
    stage, cuts = decided[position]
    number = copies(found, stage, cuts) * open_to(found, stage, decided[:position])
    return number, np.flatnonzero(number)


def chosen_hosts(decided: _Decided, found: Candidates) -> dict[tuple[str, Cell, str], int]:
    """Return the tokens chosen of a fragment by stage, cell of the plan and host."""
    sums: dict[tuple[str, Cell, str], int] = {}
    n = max(1, len(found.hosts))
    for position, (stage, cuts) in enumerate(decided):
        number, at = _chosen(found, decided, position)
        code, inverse = np.unique(found.cell[at] * n + found.host[at], return_inverse=True)
        tokens = _by(inverse.reshape(-1), stage_tokens(found, stage)[at] * number[at], len(code))
        for each, total in zip(code.tolist(), tokens.tolist(), strict=True):
            key = (stage.name, cuts.planned[found.cells[each // n]], found.hosts[each % n])
            sums[key] = sums.get(key, 0) + total
    return sums
