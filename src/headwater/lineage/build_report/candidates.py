"""The kept samples of a build as one stage saw them, as SQL over narrow families.

A sample is *there* for a stage when the stage's ``where`` holds, it has tokens, and no stage that chose before took it. What the stage chose is
in family ``stages``; what it could have chosen is not, and is found by evaluating the recipe's conditions again.
"""

from __future__ import annotations

from collections.abc import Mapping

import duckdb

from headwater.lineage.build_report.asked import StageAsked
from headwater.lineage.damaged_files import damage_told
from headwater.plain import JsonObject

__all__ = ["RANK", "candidates_sql", "parameters_of", "selection_columns"]

RANK = (
    "(65535 - score)::BIGINT * 140737488355328 + (('0x' || left(hex(content_hash), 12))::UBIGINT // 2)::BIGINT"  # 2^47
)
"""Of a row of candidates: its ``stages.rank`` by this stage, the first 63 bits of inverted score and content hash."""
_OTHERS = {"language": "VARCHAR", "source": "VARCHAR", "n_tokens": "BIGINT"}
_HOSTS = ("host", "registered_domain")
_OVERLAPS = ("contamination_overlap", "contamination_answered")


def selection_columns(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Return the columns that conditions of pools and stages may read → DuckDB type; a team's own scores among them."""
    with damage_told():
        described = connection.execute("DESCRIBE SELECT * EXCLUDE (sample_id, run_id, batch) FROM scores").fetchall()
    return (
        {str(row[0]): str(row[1]) for row in described}
        | _OTHERS
        | dict.fromkeys(_HOSTS, "VARCHAR")
        | dict.fromkeys(_OVERLAPS, "FLOAT")
    )


def candidates_sql(stage: StageAsked, columns: Mapping[str, str]) -> str:
    """Return the beginning of a query, up to the table ``candidates`` with a row a kept sample of the build.

    Its columns: sample_id, source, uri, content_hash, pool, language, domain, score, tokens (beginning and end of text counted), copies (0 where the
    stage did not choose it), stored_rank, for_length (chosen only since it fills a sequence), fate, and whether it is there: ``open``.

    Args:
        columns: those of ``selection_columns``.
    """
    scores = [name for name in columns if name not in (*_OTHERS, *_HOSTS, *_OVERLAPS)]
    listed = ", ".join(f"s.{_quoted(name)}" for name in scores)
    by_url = [name for name in _HOSTS if name in f"{stage.pool} {stage.where}"]
    hosts = "".join(f", h.{name}" for name in by_url)
    join = " LEFT JOIN captures h USING (sample_id)" if by_url else ""
    # What was chosen for its length has a score below the cut; where all is taken once and more, every long document may be that.
    long = "placed_for_length OR (copies > 1 AND n_tokens + {0} >= {1})" if stage.full_sequences else "FALSE"
    return f"""
WITH placed AS (
  SELECT sample_id, coalesce(max(copies) FILTER (stage = $stage), 0) AS copies, min("rank") FILTER (stage = $stage) AS stored_rank,
    coalesce(bool_or(reason = 'for_full_sequences') FILTER (stage = $stage), FALSE) AS placed_for_length,
    coalesce(bool_or(list_contains($before, stage)), FALSE) AS taken
  FROM stages WHERE build = $build GROUP BY sample_id
), facts AS (
  SELECT p.*, l.language, {listed}, t.n_tokens, v.contamination_overlap, v.contamination_answered, c.source, c.uri, c.content_hash{hosts}
  FROM placed p LEFT JOIN language l USING (sample_id) LEFT JOIN scores s USING (sample_id) LEFT JOIN tokens t USING (sample_id)
  LEFT JOIN verdicts v USING (sample_id) LEFT JOIN content c USING (sample_id){join}
), judged AS (
  SELECT sample_id, source, uri, content_hash, {stage.pool} AS pool, coalesce(language, 'und') AS language, coalesce(domain, '') AS domain,
    coalesce({_quoted(stage.order_by)}, 0) AS score, n_tokens + {stage.special_tokens} AS tokens, copies, stored_rank,
    {long.format(stage.special_tokens, stage.context)} AS for_length, taken, ({stage.where}) IS TRUE AS meets, coalesce(n_tokens, 0) > 0 AS bears
  FROM facts
), candidates AS (
  SELECT * EXCLUDE (taken, meets, bears), CASE WHEN copies > 0 THEN 'chosen' WHEN NOT bears THEN 'no_tokens' WHEN NOT meets THEN 'where_not_met'
    WHEN taken THEN 'taken_before' ELSE 'beyond_cut' END AS fate, fate IN ('chosen', 'beyond_cut') AS open
  FROM judged
)"""


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def parameters_of(build: str, stage: StageAsked) -> JsonObject:
    """Return the values of the query's parameters."""
    return {"build": build, "stage": stage.name, "before": list(stage.before)}
