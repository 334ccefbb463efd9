"""How much personal data and how many secrets a lake holds, counted from family ``spans``; never a value, nor the text around it."""

from __future__ import annotations

from typing import Final

import duckdb

from headwater.errors import UsageError
from headwater.filters.personal.types import CONFIDENCES, PERSONAL, PERSONAL_TYPES, SECRET, SECRET_TYPES
from headwater.lineage.past_runs import read_runs
from headwater.lineage.questions import rows
from headwater.plain import JsonObject

__all__ = ["personal_report"]

_FOUND: Final = f"""
SELECT s.sample_id, split_part(s.operator, ':', 2) AS type, coalesce(s.variant, '') AS variant, s.confidence,
    s.span_end - s.span_begin AS bytes, coalesce(l.language, 'und') AS language, coalesce(c.source, '') AS source, coalesce(v.kept, FALSE) AS kept
FROM spans s JOIN content c USING (sample_id) LEFT JOIN language l USING (sample_id) LEFT JOIN verdicts v USING (sample_id)
WHERE starts_with(s.operator, '{PERSONAL}') OR starts_with(s.operator, '{SECRET}')
"""
_TYPES: Final = (*PERSONAL_TYPES, *SECRET_TYPES)
_COUNTS: Final = (
    "count(*) AS spans, count(DISTINCT sample_id) AS samples, count(DISTINCT sample_id) FILTER (kept) AS kept"
)
_THERE: Final = {
    "language": "SELECT coalesce(language, 'und') AS language, count(*) AS samples "
    "FROM content LEFT JOIN language USING (sample_id) GROUP BY ALL",
    "source": "SELECT coalesce(source, '') AS source, count(*) AS samples FROM content GROUP BY ALL",
}
_SHARE: Final = "round(found.samples / there.samples, 6) AS share"


def personal_report(connection: duckdb.DuckDBPyConnection, type_: str | None = None) -> JsonObject:
    """Return counts of what was found, by type, form, language and source.

    A lake whose recipes do not ask for personal data has none of it in family ``spans``: ``looked`` is False then, and nothing is known.

    Args:
        type_: only this type, as ``email``.

    Returns:
        ``looked``; ``samples``: of the lake; ``types`` [type, spans, samples, kept, share, bytes, high, medium, low]; ``variants`` [type,
        variant, spans, samples, kept]; ``languages`` [language, type, spans, samples, kept, share]; ``sources`` [source, type, spans,
        samples, kept, share]. ``samples``: those that hold one; ``kept``: those of them whose verdict keeps them; ``share``: of the
        samples of the lake, language or source. The most spans first, ties by name.

    Raises:
        UsageError: no such type.
    """
    if type_ is not None and type_ not in _TYPES:
        raise UsageError(f"expected a type among {', '.join(_TYPES)}, found {type_!r}")
    rows(
        connection,
        f"CREATE OR REPLACE TEMP TABLE personal AS SELECT * FROM ({_FOUND}) WHERE ?1 IS NULL OR type = ?1",
        [type_],
    )
    total = rows(connection, "SELECT count(*) AS samples FROM content")[0]["samples"]
    sure = ", ".join(f"count(*) FILTER (confidence = '{name}') AS {name}" for name in CONFIDENCES)
    types = rows(
        connection,
        f"SELECT type, {_COUNTS}, round(count(DISTINCT sample_id) / greatest(?, 1), 6) AS share, sum(bytes)::BIGINT AS bytes, {sure} "
        "FROM personal GROUP BY ALL ORDER BY spans DESC, type",
        [total],
    )
    answer = {
        "looked": bool(types) or _was_asked(connection),
        "samples": total,
        "types": types,
        "variants": rows(
            connection,
            f"SELECT type, variant, {_COUNTS} FROM personal WHERE variant <> '' GROUP BY ALL ORDER BY spans DESC, type, variant",
        ),
    }
    for name, there in _THERE.items():
        answer[f"{name}s"] = rows(
            connection,
            f"SELECT {name}, type, spans, found.samples AS samples, kept, {_SHARE} "
            f"FROM (SELECT {name}, type, {_COUNTS} FROM personal GROUP BY ALL) found JOIN ({there}) there USING ({name}) "
            f"ORDER BY spans DESC, {name}, type",
        )
    return answer


def _was_asked(connection: duckdb.DuckDBPyConnection) -> bool:
    """Return whether the newest run of annotate looked for personal data or secrets, by the operators that it recorded."""
    newest = read_runs(connection, "annotate")[-1:]
    return any(name in run.operators.get("spans", {}) for run in newest for name in ("personal", "secrets"))
