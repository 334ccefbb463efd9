"""The cuts of one stage: its plan, and where in each cell, in the order of the key, the target is crossed.

Driver code over sums: what the stage may choose from, the plan of its quotas, then two searches: among the long samples where the stage asks for full
sequences, and among all that these left. A cell's tokens stay those of its quota, exact to one document.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from headwater.pipelines.recipe.stages import Stage
from headwater.pipelines.selection.candidates import KEY_BYTES, Candidates, Cut, Cuts
from headwater.pipelines.selection.quotas import (
    Cell,
    LongPlan,
    LongSamples,
    Plan,
    PlannedCell,
    ask_full_sequences,
    solve,
    stage_budget,
)
from headwater.pipelines.selection.search import Bins, Search, Waiting, find_cuts
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


@dataclass(frozen=True, kw_only=True, slots=True)
class CellPlan:
    """A cell of the plan before its cuts are looked for.

    Attributes:
        documents: that the stage may choose.
        long: those of them that fill a sequence.
        full: times that every document is taken.
        rest: tokens to take besides, once more in the order of the key; 0 for none.
        sequences: full sequences that long documents have to give within ``rest``; 0 for none.
    """

    documents: int
    long: LongSamples
    full: int
    rest: int
    sequences: int


def choose(parts: Parts[Candidates], stage: Stage, decided: Sequence[tuple[Stage, Cuts]]) -> Chosen:
    """Return the plan of a stage and its cuts: samples in order of their keys, stopping at the first that crosses the target."""
    there = parts.fold(partial(cell_sums, stage, tuple(decided)), CellSums.merge, CellSums())
    available = {cell: int(sums[0]) for cell, sums in there.open.items()}
    plan = solve(available, stage, stage_budget(stage, there.everything))
    documents, long_there = _by_planned_cell(there, plan)
    long = None if stage.full_sequences is None else ask_full_sequences(plan, stage, long_there)
    asked = {} if long is None else long.cells
    cells = {
        planned.cell: _cell_plan(
            planned, stage, documents[planned.cell], long_there[planned.cell], asked.get(planned.cell, 0)
        )
        for planned in plan.cells
        if planned.target
    }
    search = partial(_search, parts, stage, tuple(decided))
    long_searches = search(
        None,
        {
            cell: Search(tokens=each.rest, sequences=each.sequences, samples=each.long.documents)
            for cell, each in cells.items()
            if each.rest and each.sequences
        },
    )
    taken = {cell: found.taken for cell, found in long_searches.items()}
    searches = search(
        {cell: found.last for cell, found in long_searches.items() if found.last is not None},
        {
            cell: Search(tokens=each.rest - taken.get(cell, 0), samples=each.documents)
            for cell, each in cells.items()
            if each.rest > taken.get(cell, 0)
        },
    )
    cuts = {
        cell: Cut(
            full=each.full,
            last=searches[cell].last if cell in searches else None,
            last_long=long_searches[cell].last if cell in long_searches else None,
        )
        for cell, each in cells.items()
    }
    return Chosen(stage=stage, plan=plan, long=long, long_there=long_there, cuts=cuts)


def _by_planned_cell(there: CellSums, plan: Plan) -> tuple[dict[Cell, int], dict[Cell, LongSamples]]:
    """Return, by cell of the plan, the documents that the stage may choose and the long ones among them."""
    documents: dict[Cell, int] = {}
    long: dict[Cell, LongSamples] = {}
    for cell, sums in there.open.items():
        target = plan.cell_of[cell]
        documents[target] = documents.get(target, 0) + int(sums[1])
        held = long.get(target, LongSamples())
        long[target] = LongSamples(
            documents=held.documents + int(sums[2]),
            tokens=held.tokens + int(sums[3]),
            sequences=held.sequences + int(sums[4]),
        )
    return documents, long


def _cell_plan(planned: PlannedCell, stage: Stage, documents: int, long: LongSamples, asked: int) -> CellPlan:
    """Return a cell's whole rounds and what is then left to take; ``asked``: full sequences, those of whole rounds among them."""
    full = min(planned.target // planned.available, stage.max_copies)
    rest = planned.target - full * planned.available if full < stage.max_copies else 0
    return CellPlan(
        documents=documents, long=long, full=full, rest=rest, sequences=max(0, asked - full * long.sequences)
    )


def _search(
    parts: Parts[Candidates],
    stage: Stage,
    decided: Sequence[tuple[Stage, Cuts]],
    long_cuts: Mapping[Cell, bytes] | None,
    searches: Mapping[Cell, Search],
) -> Mapping[Cell, Search]:
    """Bring the searches of a stage to their ends and return them; ``long_cuts`` as ``bin_sums`` takes them."""

    def fold(waiting: Mapping[Cell, Waiting]) -> Bins:
        return parts.fold(partial(bin_sums, stage, decided, long_cuts, waiting), Bins.merge, Bins())

    find_cuts(searches, KEY_BYTES, fold)
    return searches
