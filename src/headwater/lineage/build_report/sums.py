"""What a stage chose of what was there, summed in one pass: by cell, by score and by what became of a sample.

DuckDB sums; what comes back are some thousand cells and at most 65,536 scores, whatever the size of the lake.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import duckdb

from headwater.lineage.build_report.asked import StageAsked
from headwater.lineage.build_report.candidates import candidates_sql, parameters_of
from headwater.lineage.questions import rows
from headwater.plain import Row

__all__ = ["CellSums", "ScoreSums", "StageSums", "group_of", "stage_sums"]

_CELL: Final = "pool, language, domain, copies, for_length"
_MEASURES: Final = """
  count(*)::BIGINT AS documents, coalesce(sum(tokens), 0)::BIGINT AS tokens, coalesce(sum(tokens * copies), 0)::BIGINT AS placed,
  count(*) FILTER (copies > 0) AS chosen, min(score) AS lowest, max(score) AS highest,
  count(*) FILTER (copies > 0 AND 65535 - (stored_rank >> 47) <> score) AS changed
"""
_FATES: Final = ("chosen", "beyond_cut", "taken_before", "where_not_met", "no_tokens")


@dataclass(kw_only=True, slots=True)
class CellSums:
    """A cell of a stage: what was there and what was chosen; tokens count beginning and end of text, and of what was chosen the copies.

    Attributes:
        pool: name, as language and domain; domain is the quota's group, or * where no quota tells domains apart.
        domains: of the lake, which the cell holds.
        most: copies of the samples that have most of them, those chosen for their length aside.
        cut: the lowest score of these; None where nothing was chosen by score, or every sample has as many copies.
    """

    pool: str
    language: str
    domain: str
    domains: tuple[str, ...] = ()
    documents_there: int = 0
    tokens_there: int = 0
    documents: int = 0
    tokens: int = 0
    most: int = 0
    cut: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreSums:
    """The samples of one score: all that were there, and those chosen."""

    score: int
    documents_there: int
    documents: int


@dataclass(frozen=True, kw_only=True, slots=True)
class StageSums:
    """All sums of a stage.

    Attributes:
        fates: what became of kept samples → documents and tokens; see ``candidates``.
        domains: (domain, language) → documents and tokens chosen, tokens there.
        scores: ascending.
        copies: of the chosen samples, summed.
        changed: chosen samples whose score is another now.
    """

    fates: Mapping[str, Row]
    cells: Sequence[CellSums]
    domains: Mapping[str, Row]
    scores: Sequence[ScoreSums]
    copies: int
    changed: int


def stage_sums(
    connection: duckdb.DuckDBPyConnection, build: str, stage: StageAsked, columns: Mapping[str, str]
) -> StageSums:
    """Return what a stage of a build chose and could have chosen."""
    found = rows(
        connection,
        f"{candidates_sql(stage, columns)} SELECT fate, {_CELL}, score, grouping(fate, pool, score) AS which, {_MEASURES} FROM candidates "
        f"GROUP BY GROUPING SETS ((fate), (open, {_CELL}), (open, score, copies > 0)) HAVING which = 3 OR open ORDER BY ALL",
        parameters_of(build, stage),
    )
    by_fate = {str(row["fate"]): row for row in found if row["which"] == 3}
    by_cell = [row for row in found if row["which"] == 5]
    fates = {
        fate: {name: int(by_fate.get(fate, {}).get(name, 0)) for name in ("documents", "tokens")} for fate in _FATES
    }
    scores: dict[int, list[int]] = {}
    for row in found:
        if row["which"] == 6:
            held = scores.setdefault(int(row["score"]), [0, 0])
            held[0] += row["documents"]
            held[1] += row["chosen"]
    return StageSums(
        fates=fates,
        cells=_cells(by_cell, stage),
        domains=_domains(by_cell),
        scores=[
            ScoreSums(score=score, documents_there=there, documents=chosen)
            for score, (there, chosen) in sorted(scores.items())
        ],
        copies=sum(row["copies"] * row["documents"] for row in by_cell),
        changed=int(by_fate.get("chosen", {}).get("changed", 0)),
    )


def _cells(found: Sequence[Row], stage: StageAsked) -> list[CellSums]:
    """Return the cells by pool, language and domain, those with most copies first settled: their lowest score is the cut."""
    cells: dict[tuple[str, str, str], CellSums] = {}
    members: dict[tuple[str, str, str], list[Row]] = {}
    for row in found:
        pool = str(row["pool"])
        name = (pool, str(row["language"]), group_of(str(row["domain"]), stage.domains.get(pool, {})))
        cell = cells.setdefault(name, CellSums(pool=name[0], language=name[1], domain=name[2]))
        cell.documents_there += row["documents"]
        cell.tokens_there += row["tokens"]
        cell.documents += row["chosen"]
        cell.tokens += row["placed"]
        members.setdefault(name, []).append(row)
    for name, cell in cells.items():
        cell.domains = tuple(sorted({str(row["domain"]) for row in members[name]}))
        ranked = [row for row in members[name] if not row["for_length"]]
        cell.most = max((row["copies"] for row in ranked), default=0)
        if cell.most and any(row["copies"] < cell.most for row in ranked):
            cell.cut = min(row["lowest"] for row in ranked if row["copies"] == cell.most)
    return [cells[name] for name in sorted(cells)]


def group_of(name: str, quota: Mapping[str, float]) -> str:
    """Return the key of a quota that a language or domain belongs to; * for the rest, and where there is no quota."""
    return next((group for group in quota if name in group.split("+")), "*")


def _domains(found: Sequence[Row]) -> dict[str, Row]:
    domains: dict[str, Row] = {}
    for row in found:
        held = domains.setdefault(str(row["domain"]), {"documents": 0, "tokens": 0, "tokens_there": 0})
        held["documents"] += row["chosen"]
        held["tokens"] += row["placed"]
        held["tokens_there"] += row["tokens"]
    return dict(sorted(domains.items()))
