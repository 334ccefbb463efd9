"""What the steps across samples commit: everything of a wave, or nothing of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from headwater.lineage.runs import Run, Unit, commit_wave
from headwater.warehouse.fragments import FileEntry, fragments_of
from headwater.warehouse.snapshot import Snapshot

__all__ = ["commit_whole"]


def commit_whole(
    run: Run, snapshot: Snapshot, units: Sequence[Unit], unchanged: Callable[[Snapshot], bool]
) -> tuple[Snapshot, Unit | None]:
    """Commit everything of a wave, with the verdicts that go; return the snapshot after it and what was committed, None for nothing.

    Another driver may give verdicts while a wave is worked on, by what the wave replaces: those go as well.

    Args:
        unchanged: whether all that was read still holds; where it does not, nothing is committed.
    """

    def holds(now: Snapshot, unit: Unit) -> bool:
        return unchanged(now) and _verdicts(now, unit.adds) <= set(unit.removes)

    while unchanged(snapshot):
        unit = _whole(snapshot, units)
        snapshot, dropped = commit_wave(run, snapshot, [unit], valid=holds)
        if not dropped:
            return snapshot, unit
    return snapshot, None


def _verdicts(snapshot: Snapshot, adds: Sequence[FileEntry]) -> set[str]:
    """Return the live files of verdicts that cover fragments of new files."""
    covered = np.array(sorted({f for add in adds for f in fragments_of(add.base, add.mask)}), dtype=np.int64)
    located = snapshot.locate(covered, ["verdicts"])
    return {where.files["verdicts"][0] for where in located if "verdicts" in where.files}


def _whole(snapshot: Snapshot, units: Sequence[Unit]) -> Unit:
    """Return one unit of everything: clusters that grow by a batch, and marks of captures that a newer one has, are right together or not at all.

    Verdicts of the fragments that are written again were made from what is replaced, so they go in the same commit.
    """
    counts: dict[str, int] = {}
    for unit in units:
        for name, value in unit.counts.items():
            counts[name] = counts.get(name, 0) + value
    adds = [add for unit in units for add in unit.adds]
    replaced = [path for unit in units for path in unit.removes]
    return Unit(adds=adds, removes=sorted({*replaced, *_verdicts(snapshot, adds)}), counts=counts)
