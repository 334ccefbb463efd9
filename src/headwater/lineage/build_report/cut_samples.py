"""The samples nearest to the cuts of a stage: those that it took last, and those that it would have taken next.

A cell has a cut of its own. The nearest sample of every cell comes before the second nearest of any, and of those the cells with most tokens come
first: so a few samples show as many cells as they can. Only the nearest of each cell leave DuckDB.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import duckdb

from headwater.lineage.build_report.asked import StageAsked
from headwater.lineage.build_report.candidates import RANK, candidates_sql, parameters_of
from headwater.lineage.build_report.sums import CellSums
from headwater.lineage.questions import rows
from headwater.plain import Row

__all__ = ["MOST_SAMPLES", "samples_at_cut"]

MOST_SAMPLES: Final = 1000
"""Most that may be asked for on each side."""
_CHARACTERS: Final = 200
_SHOWN: Final = "domain := domain, score := score, tokens := tokens, copies := copies"


def samples_at_cut(
    connection: duckdb.DuckDBPyConnection,
    build: str,
    stage: StageAsked,
    columns: Mapping[str, str],
    cells: Sequence[CellSums],
    limit: int,
    text: bool,
) -> dict[str, list[Row]]:
    """Return the last samples that were taken and the first that were not, each in the order of their rank.

    Args:
        cells: of the stage; one without a cut has no samples here.
        limit: most samples a side; of a stage that takes samples more than once, taken means once more than those on the other side.
        text: with the first 200 characters of each text.

    Returns:
        ``taken`` and ``left``: sample_id, source, uri, pool, language, domain, score, tokens, copies, rank, and text where it is asked for.
    """
    cut = sorted(
        (cell for cell in cells if cell.cut is not None),
        key=lambda cell: (-cell.tokens, cell.pool, cell.language, cell.domain),
    )
    if not cut or not limit:
        return {"taken": [], "left": []}
    flat = [(number, cell, domain) for number, cell in enumerate(cut) for domain in cell.domains]
    listed = {
        "cells": [number for number, _, _ in flat],
        "pools": [cell.pool for _, cell, _ in flat],
        "languages": [cell.language for _, cell, _ in flat],
        "domains": [domain for _, _, domain in flat],
        "most": [cell.most for _, cell, _ in flat],
    }
    packed = f'struct_pack("rank" := {RANK}, sample_id := sample_id, {_SHOWN})'
    found = rows(
        connection,
        f"{candidates_sql(stage, columns)}, cuts AS (SELECT unnest($cells) AS cell, unnest($pools) AS pool, unnest($languages) AS language, "
        "unnest($domains) AS domain, unnest($most) AS most) "
        f"SELECT cell, max({packed}, {limit:d}) FILTER (copies = most) AS taken, min({packed}, {limit:d}) FILTER (copies < most) AS left "
        "FROM candidates JOIN cuts USING (pool, language, domain) WHERE open AND NOT for_length GROUP BY cell ORDER BY cell",
        parameters_of(build, stage) | listed,
    )
    return {
        side: [
            _told(connection, row, text) for row in _nearest([(cut[row["cell"]], row[side]) for row in found], limit)
        ]
        for side in ("taken", "left")
    }


def _nearest(by_cell: Sequence[tuple[CellSums, Sequence[Row] | None]], limit: int) -> list[Row]:
    """Return the nearest samples of all cells, by rank; ``by_cell`` has those of each, the nearest first."""
    placed = [
        (place, number, {"pool": cell.pool, "language": cell.language} | sample)
        for number, (cell, samples) in enumerate(by_cell)
        for place, sample in enumerate(samples or [])
    ]
    placed.sort(key=lambda each: each[:2])
    return sorted((sample for _, _, sample in placed[:limit]), key=lambda row: (row["rank"], row["sample_id"]))


def _told(connection: duckdb.DuckDBPyConnection, sample: Row, text: bool) -> Row:
    """Return a sample with where it came from; one look-up each, which reads one file and row group."""
    wanted = "source, uri" + (f", left(text, {_CHARACTERS}) AS text" if text else "")
    found = rows(connection, f"SELECT {wanted} FROM content WHERE sample_id = ?", [sample["sample_id"]])
    return {"sample_id": sample["sample_id"]} | sample | (found[0] if found else {"source": None, "uri": None})
