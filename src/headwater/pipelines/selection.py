"""Which samples a stage takes, as a pure function of narrow columns and of one cut a cell.

A sample's *key* is 26 bytes: inverted score (2), content_hash (16), origin (8), compared as bytes, smallest first. A cell takes every sample ``full``
times and those up to its cut once more. So a selection is a few hundred cuts, whatever the size of the lake, and any task can apply
them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headwater.filters.predicates import connect
from headwater.pipelines.quotas import Cell
from headwater.pipelines.recipe import Recipe
from headwater.pipelines.recipe_sections import SELECTION_COLUMNS, Stage

__all__ = ["KEY_BYTES", "Candidates", "Cut", "Cuts", "assign", "candidates", "copies", "open_to"]

KEY_BYTES: Final = 26
_Bytes = npt.NDArray[np.bytes_]
_Ints = npt.NDArray[np.int64]
_Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, slots=True)
class Cut:
    """What a cell takes: every sample ``full`` times, and once more those whose key is at most ``last``; None takes none more."""

    full: int = 0
    last: bytes | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Cuts:
    """The cuts of one stage: cell of the lake → its cut, and the cell of the plan for the reason."""

    stage: str
    cuts: Mapping[Cell, Cut] = field(default_factory=dict)
    planned: Mapping[Cell, Cell] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidates:
    """The kept samples of a fragment that have tokens.

    Attributes:
        cells: the distinct cells among them.
        cell: index into ``cells`` of each sample, int64 [n].
        tokens: the sample's own tokens, int64 [n]; a stage adds its ``special_tokens``.
        keys: order_by column → keys, bytes of 26, [n].
        eligible: stage → whether its ``where`` holds, [n].
        table: the rows as read.
    """

    cells: Sequence[Cell]
    cell: _Ints
    tokens: _Ints
    keys: Mapping[str, _Bytes]
    eligible: Mapping[str, _Flags]
    table: pa.Table


def candidates(table: pa.Table, recipe: Recipe) -> Candidates:
    """Return the samples among which stages choose.

    Args:
        table: a fragment's rows with kept, content_hash, origin and the columns that recipes may select by; ``n_tokens`` without end of text.
    """
    kept = table.filter(pa.compute.and_kleene(table["kept"], pa.compute.greater(table["n_tokens"], 0)))
    n = kept.num_rows
    if n == 0:
        return Candidates(
            cells=(), cell=np.empty(0, np.int64), tokens=np.empty(0, np.int64), keys={}, eligible={}, table=kept
        )
    wanted = [
        f"({recipe.pool_sql}) AS pool_",
        "coalesce(language, 'und') AS language_",
        "coalesce(domain, '') AS domain_",
    ]
    wanted += [f"({stage.where}) IS TRUE AS eligible_{number}" for number, stage in enumerate(recipe.stages)]
    with connect() as connection:
        connection.register("samples", kept.select(list(SELECTION_COLUMNS)))
        found = connection.execute(f"SELECT {', '.join(wanted)} FROM samples").to_arrow_table()
    names = [found[name].combine_chunks().dictionary_encode() for name in ("pool_", "language_", "domain_")]
    codes = np.stack([name.indices.to_numpy().astype(np.int64) for name in names], axis=1)
    distinct, cell = np.unique(codes, axis=0, return_inverse=True)
    cells = [Cell(*(names[part].dictionary[int(code)].as_py() for part, code in enumerate(row))) for row in distinct]
    return Candidates(
        cells=cells,
        cell=cell.reshape(-1).astype(np.int64),
        tokens=kept["n_tokens"].to_numpy().astype(np.int64),
        keys={name: _keys(kept, name) for name in dict.fromkeys(stage.order_by for stage in recipe.stages)},
        eligible={
            stage.name: found[f"eligible_{number}"].to_numpy(zero_copy_only=False)
            for number, stage in enumerate(recipe.stages)
        },
        table=kept,
    )


def _keys(table: pa.Table, score: str) -> _Bytes:
    n = table.num_rows
    key = np.empty((n, KEY_BYTES), dtype=np.uint8)
    inverted = (65535 - table[score].fill_null(0).to_numpy().astype(np.int64)).astype(">u2")
    key[:, :2] = inverted.view(np.uint8).reshape(n, 2)
    key[:, 2:18] = np.frombuffer(b"".join(table["content_hash"].to_pylist()), np.uint8).reshape(n, 16)
    # Flipping the sign bit makes signed integers compare as bytes.
    origin = table["origin"].to_numpy().astype(np.int64).view(np.uint64) ^ np.uint64(1 << 63)
    key[:, 18:] = origin.astype(">u8").view(np.uint8).reshape(n, 8)
    return key.view(f"S{KEY_BYTES}").reshape(n)


def copies(found: Candidates, stage: Stage, cuts: Cuts) -> _Ints:
    """Return how many copies of each sample ``stage`` takes, before it is looked at whether the sample is open to it."""
    chosen = [cuts.cuts.get(cell, Cut()) for cell in found.cells]
    full = np.array([cut.full for cut in chosen], dtype=np.int64)
    last = np.array([cut.last or b"" for cut in chosen], dtype=f"S{KEY_BYTES}")
    some = np.array([cut.last is not None for cut in chosen], dtype=bool)
    if len(found.cell) == 0:
        return np.empty(0, np.int64)
    return full[found.cell] + (some[found.cell] & (found.keys[stage.order_by] <= last[found.cell]))


def open_to(found: Candidates, stage: Stage, earlier: Sequence[tuple[Stage, Cuts]]) -> _Flags:
    """Return which samples ``stage`` may choose: its ``where`` holds and no earlier stage, unless named to repeat, took them."""
    if len(found.cell) == 0:
        return np.empty(0, bool)
    taken: dict[str, _Flags] = {}

    def free(each: Stage) -> _Flags:
        flags = found.eligible[each.name].copy()
        for name, by_stage in taken.items():
            if name not in each.repeat_from:
                flags &= ~by_stage
        return flags

    for other, cuts in earlier:
        taken[other.name] = (copies(found, other, cuts) > 0) & free(other)
    return free(stage)


def assign(found: Candidates, decided: Sequence[tuple[Stage, Cuts]]) -> dict[str, pa.Array]:
    """Return the rows of family ``stages``: one a sample and stage that took it, or one with the reasons why none did.

    Returns:
        Arrow arrays row (index into ``found.table``), stage, copies, rank, reason; sorted by row, then order of choosing.
    """
    rows: list[_Ints] = []
    stages: list[str | None] = []
    numbers: list[_Ints] = []
    ranks: list[_Ints] = []
    reasons: list[str] = []
    n = len(found.cell)
    out = np.ones(n, dtype=bool)
    why = np.zeros(n, dtype=np.int64)
    texts: dict[int, str] = {0: ""}

    def extend(chosen: _Flags, addition: Sequence[str]) -> None:
        """Add to the reason of some samples; reasons are numbered, so that this costs one step a distinct reason."""
        for state in np.unique(why[chosen]).tolist():
            for cell in np.unique(found.cell[chosen & (why == state)]).tolist():
                text = f"{texts[state]}; {addition[cell]}" if texts[state] else addition[cell]
                texts[len(texts)] = text
                why[chosen & (why == state) & (found.cell == cell)] = len(texts) - 1

    for position, (stage, cuts) in enumerate(decided):
        free = open_to(found, stage, decided[:position])
        number = copies(found, stage, cuts) * free
        taken = number > 0
        label = ["/".join(cuts.planned.get(cell, cell)) for cell in found.cells]
        at = np.flatnonzero(taken)
        rows.append(at)
        stages += [stage.name] * len(at)
        numbers.append(number[at])
        ranks.append(_rank(found.keys[stage.order_by][at]) if n else at)
        reasons += [f"in {stage.name}: within the cut of {label[cell]}" for cell in found.cell[at].tolist()]
        out &= ~taken
        if n:
            extend(out & ~found.eligible[stage.name], [f"{stage.name}: does not meet where"] * len(label))
            extend(out & found.eligible[stage.name], [f"{stage.name}: after the cut of {name}" for name in label])
    at = np.flatnonzero(out)
    rows.append(at)
    stages += [None] * len(at)
    numbers.append(np.zeros(len(at), np.int64))
    ranks.append(_rank(found.keys[decided[-1][0].order_by][at]) if n else at)
    reasons += [f"out: {texts[state]}" for state in why[at].tolist()]
    row = np.concatenate(rows)
    order = np.argsort(row, kind="stable")
    return {
        "row": pa.array(row[order]),
        "stage": pa.array(stages, pa.string()).take(pa.array(order)),
        "copies": pa.array(np.concatenate(numbers)[order].astype(np.int32)),
        "rank": pa.array(np.concatenate(ranks)[order]),
        "reason": pa.array(reasons, pa.string()).take(pa.array(order)),
    }


def _rank(keys: _Bytes) -> _Ints:
    """Return the first 63 bits of keys."""
    matrix = np.frombuffer(keys.tobytes(), np.uint8).reshape(len(keys), KEY_BYTES)[:, :8]
    return (np.ascontiguousarray(matrix).view(">u8").reshape(-1) >> np.uint64(1)).astype(np.int64)
