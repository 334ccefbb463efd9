"""How much of the evaluation sets a lake contains, counted from family ``contamination``; never any text."""

from __future__ import annotations

from typing import Final

import duckdb

from headwater.lineage.questions import rows
from headwater.plain import Row

__all__ = ["contamination_report"]

_FOUND: Final = """
SELECT f.sample_id, f.benchmark, f.item, f.question, f.answer, f.span_begin, f.span_end, c.source, c.uri, v.kept
FROM (
    SELECT sample_id, benchmark, item,
        max(overlap) FILTER (part = 'question') AS question, max(overlap) FILTER (part = 'answer') AS answer,
        min(span_begin) AS span_begin, max(span_end) AS span_end
    FROM contamination WHERE (? IS NULL OR benchmark = ?) GROUP BY ALL
) f JOIN content c USING (sample_id) LEFT JOIN verdicts v USING (sample_id)
"""


def contamination_report(
    connection: duckdb.DuckDBPyConnection, benchmark: str | None = None, limit: int = 20
) -> dict[str, list[Row]]:
    """Return what was found by benchmark, by benchmark and source, and the worst matches.

    Args:
        benchmark: only this set.
        limit: most samples listed, the worst first.

    Returns:
        ``benchmarks`` [benchmark, items_found, answers_found, samples, kept], ``sources`` [benchmark, source, items_found, samples, kept, worst],
        ``worst`` [benchmark, item, sample_id, source, uri, question, answer, span_begin, span_end, kept], the largest overlaps first.
    """
    rows(connection, f"CREATE OR REPLACE TEMP TABLE found AS {_FOUND}", [benchmark, benchmark])
    counts = (
        "count(DISTINCT item) FILTER (question IS NOT NULL) AS items_found, "
        "count(DISTINCT item) FILTER (answer IS NOT NULL) AS answers_found, "
        "count(DISTINCT sample_id) AS samples, count(DISTINCT sample_id) FILTER (kept) AS kept"
    )
    worst = "round(max(coalesce(question, 0)), 4) AS worst"
    return {
        "benchmarks": rows(
            connection, f"SELECT benchmark, {counts}, {worst} FROM found GROUP BY ALL ORDER BY benchmark"
        ),
        "sources": rows(
            connection,
            f"SELECT benchmark, source, {counts}, {worst} FROM found GROUP BY ALL ORDER BY benchmark, samples DESC, source",
        ),
        "worst": rows(
            connection,
            "SELECT benchmark, item, sample_id, source, uri, round(question, 4) AS question, round(answer, 4) AS answer, "
            "span_begin, span_end, kept FROM found "
            "ORDER BY coalesce(question, 0) DESC, answer DESC NULLS LAST, benchmark, item, sample_id LIMIT ?",
            [limit],
        ),
    }
