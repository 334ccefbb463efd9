"""What a selection says of itself: per cell what was available, asked for and taken, and per stage the full sequences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from heapq import nlargest
from typing import Final

from headwater.pipelines.recipe.stages import Stage
from headwater.pipelines.selection.candidates import Candidates, Cuts
from headwater.pipelines.selection.cuts import Chosen
from headwater.pipelines.selection.quotas import Cell
from headwater.pipelines.selection.sums import ChosenSums, chosen_hosts
from headwater.pipelines.spark.held_rows import Parts

__all__ = ["CellReport", "LongReport", "Selection", "report", "top_hosts"]

_TOP_HOSTS: Final = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class CellReport:
    """What one cell of one stage gave; token numbers count the stage's beginning and end of text for each document and copy.

    Attributes:
        cut: the score at which the cell's choice ends; None where all of it was taken.
        epochs: tokens got for each token there.
        top_hosts: share of what was got that comes from the ten largest hosts (sources, for documents without a URL).
        full_sequences: sequences that one document fills.
    """

    stage: str
    cell: str
    available: int
    asked: int
    got: int
    documents: int
    cut: int | None
    epochs: float
    top_hosts: float
    full_sequences: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class LongReport:
    """What a stage that asks for full sequences found; documents are those at least as long as its context.

    Attributes:
        asked: sequences that one document should fill.
        documents: how many such documents the stage may choose from.
        there: the sequences that they fill, once each.
        got: such sequences in what was chosen, copies included.
    """

    stage: str
    context: int
    asked: int
    documents: int
    there: int
    got: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """The result of a selection.

    Attributes:
        build: its name: the recipe's name and a digest of the recipe and of what was chosen.
        unplaced: stage → tokens of its budget that no cell could give.
        full_sequences: of the stages that ask for them.
        known: nothing was done since an earlier run had chosen from the same rows.
    """

    build: str
    cells: Sequence[CellReport] = ()
    unplaced: Mapping[str, int] = field(default_factory=dict)
    full_sequences: Sequence[LongReport] = ()
    known: bool = False


def top_hosts(parts: Parts[Candidates], decided: Sequence[tuple[Stage, Cuts]]) -> dict[tuple[str, Cell], int]:
    """Return (stage, cell) → tokens of its ten largest hosts."""
    measure = partial(chosen_hosts, tuple(decided))
    largest: dict[tuple[str, Cell], list[int]] = {}
    for (stage, cell, _), tokens in parts.sum_by_key(measure, _largest):
        largest.setdefault((stage, cell), []).append(tokens)
    return {key: sum(nlargest(_TOP_HOSTS, tokens)) for key, tokens in largest.items()}


def _largest(
    sums: Iterable[tuple[tuple[str, Cell, str], int]],
) -> Iterator[tuple[tuple[str, Cell, str], int]]:
    """Yield the ten largest hosts of each stage and cell: what the others have of them lies elsewhere or is less."""
    largest: dict[tuple[str, Cell], list[tuple[int, str]]] = {}
    for (stage, cell, host), tokens in sums:
        held = largest.setdefault((stage, cell), [])
        held.append((tokens, host))
        if len(held) > 100 * _TOP_HOSTS:
            held[:] = nlargest(_TOP_HOSTS, held)
    for (stage, cell), held in largest.items():
        yield from (((stage, cell, host), tokens) for tokens, host in nlargest(_TOP_HOSTS, held))


def report(
    name: str, chosen: Sequence[Chosen], sums: ChosenSums, top_hosts: Mapping[tuple[str, Cell], int]
) -> Selection:
    """Return what is said of a selection; ``top_hosts`` as the function of that name gives it."""
    reports = []
    full = []
    for one in chosen:
        stage = one.stage.name
        got_full = 0
        for planned in one.plan.cells:
            tokens, documents, sequences, _ = sums.cells.get((stage, planned.cell), (0, 0, 0, 0))
            last = one.cuts[planned.cell].last if planned.cell in one.cuts else None
            got_full += sequences
            reports.append(
                CellReport(
                    stage=stage,
                    cell="/".join(planned.cell),
                    available=planned.available,
                    asked=planned.asked + planned.received,
                    got=tokens,
                    documents=documents,
                    cut=None if last is None else 65535 - int.from_bytes(last[:2], "big"),
                    epochs=tokens / planned.available if planned.available else 0.0,
                    top_hosts=top_hosts[stage, planned.cell] / tokens if tokens else 0.0,
                    full_sequences=sequences,
                )
            )
        if one.long is not None:
            there = one.long_there.values()
            full.append(
                LongReport(
                    stage=stage,
                    context=one.stage.context,
                    asked=one.long.asked,
                    documents=sum(long.documents for long in there),
                    there=sum(long.sequences for long in there),
                    got=got_full,
                )
            )
    unplaced = {one.plan.stage: one.plan.unplaced for one in chosen}
    return Selection(build=name, cells=reports, unplaced=unplaced, full_sequences=full)
