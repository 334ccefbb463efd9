"""The rows of family ``stages`` of a selection: one for each sample and stage that took it, or one that says why none did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headwater.lineage.reasons import BEYOND_CUT, FOR_FULL_SEQUENCES, NO_TOKENS, WHERE_NOT_MET, WITHIN_CUT
from headwater.pipelines.recipe.stages import Stage
from headwater.pipelines.selection.candidates import Candidates, Cut, Cuts, copies, key_bytes, open_to
from headwater.pipelines.selection.quotas import Cell
from headwater.warehouse.fragments import sample_ids
from headwater.warehouse.schema import FAMILIES

__all__ = ["assign", "key_rank", "stage_table"]

_TOLD: Final = ("pool", "cell_language", "cell_domain", "reason", "refusals")
"""What is the same for all samples of a cell that fare alike."""
_KINDS: Final = {name: kind for name, (kind, _) in FAMILIES["stages"].fields.items()}
_Ints = npt.NDArray[np.int64]
_Flags = npt.NDArray[np.bool_]
_Octets = npt.NDArray[np.uint8]
_Decided = Sequence[tuple[Stage, Cuts]]


def assign(found: Candidates, decided: _Decided) -> pa.Table:
    """Return the rows of family ``stages`` of a fragment's kept samples, by sample_id and the order of choosing.

    Without the columns ``build`` and ``run_id``.
    """
    pieces: list[pa.Table] = []
    n = len(found.cell)
    out = np.ones(n, dtype=bool)
    # Which stages' where held, a bit each: with the cell it gives the reasons.
    met = np.zeros(n, dtype=np.int64)
    for position, (stage, cuts) in enumerate(decided):
        number = copies(found, stage, cuts) * open_to(found, stage, decided[:position])
        at = np.flatnonzero(number)
        cells = [cuts.planned.get(cell, cell) for cell in found.cells]
        told = [_told(cell, reason) for reason in (WITHIN_CUT, FOR_FULL_SEQUENCES) for cell in cells]
        which = found.cell[at] + len(cells) * _for_length(found, stage, cuts)[at]
        ids = _ids(found, found.row[at])
        pieces.append(stage_table(ids, [stage.name] * len(told), told, which, number[at], _rank(found, stage, at)))
        out &= number == 0
        met = met * 2 + found.eligible[stage.name] if n else met
    at = np.flatnonzero(out)
    n_cells = max(1, len(found.cells))
    codes, which = np.unique(met[at] * n_cells + found.cell[at], return_inverse=True)
    told = [_refused(found.cells[code % n_cells], code // n_cells, decided) for code in codes.tolist()]
    rank = _rank(found, decided[-1][0], at)
    pieces.append(_left_out(_ids(found, found.row[at]), told, which.reshape(-1), rank))
    # A kept sample of which spans left nothing is no candidate, and still gets a reason.
    bare = np.zeros(len(found.bare), np.int64)
    pieces.append(_left_out(_ids(found, found.bare), [_told(None, NO_TOKENS)], bare, bare))
    rows = pa.concat_tables(pieces)
    return rows.take(pa.array(np.argsort(rows["sample_id"].to_numpy(), kind="stable"))).combine_chunks()


def stage_table(
    ids: _Ints,
    stages: Sequence[str | None],
    told: Sequence[Mapping[str, object]],
    which: _Ints,
    number: _Ints,
    rank: _Ints,
) -> pa.Table:
    """Return rows of family ``stages`` without ``build`` and ``run_id``.

    Args:
        ids: sample_id of each row, int64 [n].
        stages: the stage of each of ``told``; None for none.
        told: what rows have in common: cell, reason and refusals.
        which: which of ``told`` each row has, int64 [n].
        number: copies, int64 [n].
        rank: int64 [n].
    """
    at = pa.array(which)
    common = {name: pa.array([each[name] for each in told], _KINDS[name]).take(at) for name in _TOLD}
    return pa.table(
        {
            "sample_id": pa.array(ids),
            "stage": pa.array(stages, pa.string()).take(at),
            **common,
            "copies": pa.array(number.astype(np.int32)),
            "rank": pa.array(rank),
        }
    )


def key_rank(keys: _Octets) -> _Ints:
    """Return the first 63 bits of keys, uint8 [n, 8 or more], int64 [n]."""
    if len(keys) == 0:
        return np.empty(0, np.int64)
    head = np.ascontiguousarray(keys[:, :8]).view(">u8").reshape(-1)
    ranks: _Ints = (head >> np.uint64(1)).astype(np.int64)
    return ranks


def _rank(found: Candidates, stage: Stage, at: _Ints) -> _Ints:
    return key_rank(key_bytes(found, stage.order_by)[at])


def _ids(found: Candidates, row: npt.NDArray[np.int32]) -> _Ints:
    return sample_ids(found.fragment, 0, int(row.max()) + 1 if len(row) else 0)[row]


def _left_out(ids: _Ints, told: Sequence[Mapping[str, object]], which: _Ints, rank: _Ints) -> pa.Table:
    return stage_table(ids, [None] * len(told), told, which, np.zeros(len(ids), np.int64), rank)


def _for_length(found: Candidates, stage: Stage, cuts: Cuts) -> _Flags:
    """Return which samples, of those that the stage takes, it takes only because they fill a sequence."""
    if not any(cut.last_long for cut in cuts.cuts.values()):
        return np.zeros(len(found.cell), bool)
    by_rank = {cell: Cut(full=cut.full, last=cut.last) for cell, cut in cuts.cuts.items()}
    flags: _Flags = copies(found, stage, replace(cuts, cuts=by_rank)) == 0
    return flags


def _told(cell: Cell | None, reason: str, refusals: Sequence[Mapping[str, object]] | None = None) -> dict[str, object]:
    pool, language, domain = cell or (None, None, None)
    return {
        "pool": pool,
        "cell_language": language,
        "cell_domain": domain,
        "reason": reason,
        "refusals": refusals,
    }


def _refused(cell: Cell, met: int, decided: _Decided) -> dict[str, object]:
    """Return why no stage took the samples of a cell; the last stage's ``where`` held where the lowest bit of ``met`` is set."""
    refusals: list[dict[str, object]] = []
    first: Cell | None = None
    for position, (stage, cuts) in enumerate(decided):
        if met >> (len(decided) - 1 - position) & 1:
            planned = cuts.planned.get(cell, cell)
            first = first or planned
            refusals.append({"stage": stage.name, "reason": BEYOND_CUT, "domain": planned.domain})
        else:
            refusals.append({"stage": stage.name, "reason": WHERE_NOT_MET, "domain": None})
    return _told(first, BEYOND_CUT if first else WHERE_NOT_MET, refusals)
