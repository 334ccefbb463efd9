"""The funnel: what came in, what each step let through, and where it went, counted from the families themselves."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

import duckdb

from headwater.lineage.operators import digits_of
from headwater.lineage.past_runs import read_runs, runs_of
from headwater.lineage.questions import rows
from headwater.lineage.revisions import STEP
from headwater.plain import JsonObject, Row

__all__ = ["funnel", "funnel_by_language", "list_runs", "refused_files"]


def funnel(connection: duckdb.DuckDBPyConnection, build: str | None = None, stages: Sequence[str] = ()) -> JsonObject:
    """Return counts of files, records, refusals, verdicts and, for a build, of what was chosen and written.

    Counts come from narrow columns, in time that grows with the number of samples.

    Args:
        stages: names in the order of training; others follow by name.

    Returns:
        ``files``, ``bytes``, ``records``, ``quarantined`` [reason, records], ``passed_over`` [kind, records] of web archives, ``samples``, ``kept``,
        ``rejected`` [reason, samples], ``chosen`` [stage, pool, documents, copies, tokens], ``written`` [stage, shards, sequences, tokens, padding].
    """
    totals = rows(
        connection,
        "SELECT count(*)::BIGINT AS files, coalesce(sum(file_bytes), 0)::BIGINT AS bytes, coalesce(sum(records), 0)::BIGINT AS records FROM files",
    )[0]
    refused = rows(
        connection,
        "SELECT quarantine_reason AS reason, count(*) AS records FROM quarantine GROUP BY ALL ORDER BY records DESC, reason",
    )
    passed_over = rows(
        connection,
        "SELECT e.key AS kind, sum(e.value)::BIGINT AS records FROM (SELECT unnest(map_entries(passed_over)) AS e FROM files) "
        "GROUP BY ALL ORDER BY records DESC, kind",
    )
    verdicts = rows(connection, "SELECT count(*) AS samples, count(*) FILTER (kept) AS kept FROM verdicts")[0]
    rejected = rows(
        connection,
        "SELECT first_reason AS reason, count(*) AS samples FROM verdicts WHERE NOT kept GROUP BY ALL ORDER BY samples DESC, reason",
    )
    answer = totals | {"quarantined": refused, "passed_over": passed_over} | verdicts | {"rejected": rejected}
    if build is not None:
        place = {stage: number for number, stage in enumerate(stages)}
        chosen, written = _chosen(connection, build), _written(connection, build)
        for found in (chosen, written):
            found.sort(key=lambda row: place.get(row["stage"], len(place)))
        answer |= {"build": build, "chosen": chosen, "written": written}
    return answer


def _special_tokens(connection: duckdb.DuckDBPyConnection, build: str) -> str:
    """Return an SQL expression of column ``stage``: tokens that a document takes besides its own, by the recipe that chose the build."""
    found = runs_of(connection, "select", build)
    stages = found[-1].recipe["stages"] if found else []
    # The names of stages are checked when a recipe is read, and stand in SQL without quoting.
    special = {
        stage["name"]: int(stage.get("beginning_of_text", False)) + int(stage.get("end_of_text", True))
        for stage in stages
    }
    cases = "".join(f" WHEN '{name}' THEN {number}" for name, number in special.items())
    return f"CASE stage{cases} ELSE 1 END" if cases else "1"


def _chosen(connection: duckdb.DuckDBPyConnection, build: str) -> list[Row]:
    """Return what a build chose by stage and pool; tokens count beginning and end of text of each document and copy."""
    return rows(
        connection,
        "SELECT stage, pool, count(*) AS documents, sum(copies)::BIGINT AS copies, "
        f"sum(copies * (n_tokens + {_special_tokens(connection, build)}))::BIGINT AS tokens FROM stages JOIN tokens USING (sample_id) "
        "WHERE build = ? AND stage IS NOT NULL GROUP BY ALL ORDER BY stage, pool",
        [build],
    )


def _written(connection: duckdb.DuckDBPyConnection, build: str) -> list[Row]:
    """Return shards, sequences, tokens and padding by stage: what the runs of a build and of its revisions counted, one that was killed included."""
    stages: dict[str, dict[str, int]] = {}
    for run in [*runs_of(connection, "build", build), *runs_of(connection, STEP, build)]:
        for name, value in run.counts.items():
            kind, _, stage = name.partition(":")
            if kind in {"shards", "sequences", "tokens", "padding"}:
                counts = stages.setdefault(stage, {"shards": 0, "sequences": 0, "tokens": 0, "padding": 0})
                counts[kind] += value
    return [{"stage": stage} | counts for stage, counts in sorted(stages.items())]


def funnel_by_language(connection: duckdb.DuckDBPyConnection, build: str) -> list[Row]:
    """Return a row a language: samples, those refused by rules and as duplicates, those kept, and what a build chose.

    Returns:
        ``language``, ``samples``, ``rules``, ``duplicates``, ``kept``, ``chosen`` [stage, pool, documents, tokens]; most samples first.
    """
    found = rows(
        connection,
        "SELECT language, count(*) AS samples, count(*) FILTER (NOT kept AND duplicate_of IS NULL) AS rules, "
        "count(*) FILTER (NOT kept AND duplicate_of IS NOT NULL) AS duplicates, count(*) FILTER (kept) AS kept "
        "FROM verdicts JOIN language USING (sample_id) GROUP BY ALL ORDER BY samples DESC, language",
    )
    chosen = rows(
        connection,
        "SELECT language, stage, pool, count(*) AS documents, "
        f"sum(copies * (n_tokens + {_special_tokens(connection, build)}))::BIGINT AS tokens FROM stages JOIN language USING (sample_id) "
        "JOIN tokens USING (sample_id) WHERE build = ? AND stage IS NOT NULL GROUP BY ALL ORDER BY ALL",
        [build],
    )
    for row in found:
        row["chosen"] = [item for item in chosen if item["language"] == row["language"]]
    return found


def refused_files(
    connection: duckdb.DuckDBPyConnection, since: datetime.datetime, limit: int = 100
) -> list[dict[str, str]]:
    """Return the files that ingests begun at ``since`` or later could not use to their end: uri and reason, at most ``limit``."""
    return rows(
        connection,
        "SELECT file_uri AS uri, quarantine_reason AS reason FROM quarantine q JOIN files USING (file_id) WHERE record_no = -1 "
        "AND q.run_id IN (SELECT run_id FROM runs WHERE step = 'ingest' AND started >= ?) ORDER BY ALL LIMIT ?",
        [since, limit],
    )


def list_runs(connection: duckdb.DuckDBPyConnection) -> list[Row]:
    """Return the runs, oldest first, with recipe, operators, their digits and counts as objects."""
    return [run.plain(whole=True) | {"operator_digits": digits_of(run)} for run in read_runs(connection)]
