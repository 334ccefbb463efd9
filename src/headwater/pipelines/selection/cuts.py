"""The cuts of one stage: its plan, and where in each cell, in the order of the key, the target is crossed.

Driver code over sums: what the stage may choose from, the plan of its quotas, then two searches: among the long samples where the stage asks for full
sequences, and among all that these left. A cell's tokens stay those of its quota, exact to one document.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from headwater.pipelines.recipe.sections import Stage
from headwater.pipelines.selection.candidates import KEY_BYTES, Candidates, Cut, Cuts
from headwater.pipelines.selection.quotas import (
    Cell,
    LongPlan,
    LongSamples,
    Plan,
    ask_full_sequences,
    solve,
    stage_budget,
)
from headwater.pipelines.selection.search import Bins, Search, Waiting, find
from headwater.pipelines.selection.sums import CellSums, bin_sums, cell_sums
from headwater.pipelines.spark.held_rows import Parts

__all__ = ["Chosen", "choose"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Chosen:
    """What was decided for a stage.

    Attributes:
        long: what it asks of long samples; None where it does not.
        long_there: cell of the plan → the long samples that it may choose.
        cuts: cell of the plan → its cut.
    """

    stage: Stage
    plan: Plan
    long: LongPlan | None
    long_there: Mapping[Cell, LongSamples]
    cuts: Mapping[Cell, Cut]

    @property
    def by_cell(self) -> Cuts:
        """The cuts by cell of the lake; a cell that had nothing left is in no plan, and its samples still get a reason."""
        plan = self.plan
        found = {cell: self.cuts[target] for cell, target in plan.cell_of.items() if target in self.cuts}
        return Cuts(stage=self.stage.name, cuts=found, planned=dict(plan.cell_of))


def choose(parts: Parts[Candidates], stage: Stage, decided: Sequence[tuple[Stage, Cuts]]) -> Chosen:
    """Return the plan of a stage and its cuts: samples in order of their keys, stopping at the first that crosses the target."""
    there = parts.fold(partial(cell_sums, stage, tuple(decided)), CellSums.merge, CellSums())
    available = {cell: int(sums[0]) for cell, sums in there.open.items()}
    plan = solve(available, stage, stage_budget(stage, there.everything))
    documents: dict[Cell, int] = {}
    long_there: dict[Cell, LongSamples] = {}
    for cell, sums in there.open.items():
        target = plan.cell_of[cell]
        documents[target] = documents.get(target, 0) + int(sums[1])
        held = long_there.get(target, LongSamples())
        long_there[target] = LongSamples(
            documents=held.documents + int(sums[2]),
            tokens=held.tokens + int(sums[3]),
            sequences=held.sequences + int(sums[4]),
        )
    full = {
        planned.cell: min(planned.target // planned.available, stage.max_copies)
        for planned in plan.cells
        if planned.target
    }
    rest = {
        planned.cell: planned.target - full[planned.cell] * planned.available
        for planned in plan.cells
        if planned.target and full[planned.cell] < stage.max_copies
    }
    rest = {cell: tokens for cell, tokens in rest.items() if tokens > 0}
    long = None if stage.full_sequences is None else ask_full_sequences(plan, stage, long_there)

    def search(searches: dict[Cell, Search], long_cuts: Mapping[Cell, bytes] | None) -> None:
        def fold(waiting: Mapping[Cell, Waiting]) -> Bins:
            measure = partial(bin_sums, stage, tuple(decided), long_cuts, waiting)
            return parts.fold(measure, Bins.merge, Bins())

        find(searches, KEY_BYTES, fold)

    long_searches: dict[Cell, Search] = {}
    for cell, asked in long.cells.items() if long is not None else ():
        there_long = long_there[cell]
        wanted = asked - full[cell] * there_long.sequences
        if cell in rest and wanted > 0:
            long_searches[cell] = Search(tokens=rest[cell], sequences=wanted, samples=there_long.documents)
    search(long_searches, None)
    searches = {}
    for cell, tokens in rest.items():
        left = tokens - (long_searches[cell].taken if cell in long_searches else 0)
        if left > 0:
            searches[cell] = Search(tokens=left, samples=documents[cell])
    search(searches, {cell: found.last for cell, found in long_searches.items() if found.last is not None})
    cuts = {
        cell: Cut(
            full=number,
            last=searches[cell].last if cell in searches else None,
            last_long=long_searches[cell].last if cell in long_searches else None,
        )
        for cell, number in full.items()
    }
    return Chosen(stage=stage, plan=plan, long=long, long_there=long_there, cuts=cuts)
