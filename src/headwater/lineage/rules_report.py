"""What each rule removes of each language, counted from the verdicts: whether a list or a limit takes most of one."""

from __future__ import annotations

from typing import Final

import duckdb

from headwater.lineage.questions import rows
from headwater.plain import Row

__all__ = ["MOST", "heavy_rules", "rules_report"]

MOST: Final = 0.5
"""Share of a language from which on a rule is told to take most of it."""
_LEAST: Final = 20
"""Samples of a language below which a share says nothing."""
_COUNTED: Final = """
WITH decided AS (SELECT coalesce(language, 'und') AS language, reasons, first_reason FROM verdicts JOIN language USING (sample_id)),
totals AS (SELECT language, count(*) AS of_language FROM decided GROUP BY language),
found AS (SELECT language, unnest(reasons) AS reason, first_reason FROM decided)
SELECT reason, language, count(*) AS samples, count(*) FILTER (first_reason = reason) AS first, of_language,
    round(count(*) / of_language, 4) AS share
FROM found JOIN totals USING (language) WHERE $reason IS NULL OR reason = $reason
GROUP BY reason, language, of_language ORDER BY reason, share DESC, language
"""


def rules_report(connection: duckdb.DuckDBPyConnection, reason: str | None = None) -> list[Row]:
    """Return a row a reason and language: samples that carry it, those of which it is the first, the language's samples, and the share.

    A duplicate's reason is among them. Cost: one pass over the reasons and languages of all samples.

    Args:
        reason: only this one.
    """
    return rows(connection, _COUNTED, {"reason": reason})


def heavy_rules(found: list[Row]) -> list[Row]:
    """Return the rows whose reason takes ``MOST`` of a language or more, of languages with enough samples to say so."""
    return [row for row in found if row["share"] >= MOST and row["of_language"] >= _LEAST]
