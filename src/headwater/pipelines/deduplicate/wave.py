"""What the steps across samples commit: everything of a wave, or nothing of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from headwater.lineage.runs import Unit
from headwater.warehouse.fragments import fragments_of
from headwater.warehouse.snapshot import Snapshot

__all__ = ["whole"]


def whole(snapshot: Snapshot, units: Sequence[Unit]) -> Unit:
    """Return one unit of everything: clusters that grow by a batch, and marks of captures that a newer one has, are right together or not at all.

    Verdicts of the fragments that are written again were made from what is replaced, so they go in the same commit.
    """
    counts: dict[str, int] = {}
    for unit in units:
        for name, value in unit.counts.items():
            counts[name] = counts.get(name, 0) + value
    adds = [add for unit in units for add in unit.adds]
    replaced = [path for unit in units for path in unit.removes]
    covered = np.array(sorted({f for add in adds for f in fragments_of(add.base, add.mask)}), dtype=np.int64)
    located = snapshot.locate(covered, ["verdicts"])
    verdicts = {where.files["verdicts"][0] for where in located if "verdicts" in where.files}
    return Unit(adds=adds, removes=sorted({*replaced, *verdicts}), counts=counts)
