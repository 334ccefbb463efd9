"""The report of a build: for each stage what was chosen, from where, at which cut, in which language and domain, and samples at the cut.

Counted from narrow families as they were when the build was made, so the report of a finished build stays the same whatever the lake gets later.
No text is read unless the first characters of the samples at the cut are asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

import duckdb

from headwater.errors import UsageError
from headwater.lineage.build_report.asked import StageAsked, stages_asked
from headwater.lineage.build_report.candidates import selection_columns
from headwater.lineage.build_report.cut_samples import MOST_SAMPLES, samples_at_cut
from headwater.lineage.build_report.places import largest_hosts, largest_sources
from headwater.lineage.build_report.scores import score_distribution
from headwater.lineage.build_report.sums import stage_sums
from headwater.lineage.build_report.tables import (
    cell_rows,
    domain_rows,
    language_rows,
    pool_rows,
    quota_rows,
    share_of,
    with_shares,
)
from headwater.lineage.past_runs import PastRun, read_runs, require_build
from headwater.lineage.questions import rows
from headwater.lineage.revisions import build_version
from headwater.lineage.views import connect
from headwater.plain import JsonObject, Row, ValuesByName
from headwater.warehouse.snapshot import Snapshot, open_snapshot

__all__ = ["build_report"]


def build_report(
    lake: str, build: str | None = None, *, stage: str | None = None, samples: int = 20, text: bool = False
) -> JsonObject:
    """Return what each stage of a build chose.

    Args:
        build: by default the newest selection.
        stage: only this one.
        samples: at the cut on each side, at most 1000.
        text: with the first 200 characters of these.

    Returns:
        What ``docs/how-to/build-report.md`` lists.

    Raises:
        UsageError: there is no such lake, build or stage, or its selection has not ended.
    """
    if not 0 <= samples <= MOST_SAMPLES:
        raise UsageError(f"samples: expected 0 to {MOST_SAMPLES}, found {samples}")
    newest = open_snapshot(lake)
    run = _selection(newest, lake, build, stage)
    name = str(run.build)
    record = _record(run)
    # The version that a build was made from is kept, and has its stages with the scores and verdicts of then.
    made_from = build_version(newest, name)
    version = newest.version if made_from is None else made_from
    with connect(lake, version) as connection:
        columns = selection_columns(connection)
        asked = stages_asked(run, columns)
        scale = Fraction(str(record["scale"])) if "scale" in record else None
        return {
            "build": name,
            "recipe": run.recipe.get("name"),
            "version": version,
            "base": record.get("base"),
            "scale": record.get("scale"),
            **_verdicts(connection),
            "stages": [
                _stage(connection, name, each, columns, scale, samples, text)
                for each in asked
                if stage in (None, each.name)
            ],
        }


def _selection(newest: Snapshot, lake: str, build: str | None, stage: str | None) -> PastRun:
    """Return the newest ended selection of a build; of all builds where none is named, proxies aside."""
    require_build(newest, build, stage)
    ended = [run for run in read_runs(newest, "select") if run.ended is not None and run.build is not None]
    wanted = [run for run in ended if run.build == build or (build is None and "base" not in _record(run))]
    if wanted:
        if build is None and stage is not None:
            require_build(newest, wanted[-1].build, stage)
        return wanted[-1]
    what = "a build" if build is None else f"an ended selection of build {build}"
    raise UsageError(f"expected {what} in {lake}, found none; headwater select LAKE RECIPE makes one")


def _record(run: PastRun) -> ValuesByName:
    return run.record("build", str(run.build)) or {}


def _verdicts(connection: duckdb.DuckDBPyConnection) -> JsonObject:
    """Return how many samples there are, how many are kept, and what refused the others: rules and duplicates."""
    found = rows(
        connection,
        "SELECT kept, first_reason AS reason, duplicate_of IS NOT NULL AS duplicate, count(*) AS documents, "
        "coalesce(sum(n_tokens), 0)::BIGINT AS tokens FROM verdicts LEFT JOIN tokens USING (sample_id) GROUP BY ALL ORDER BY ALL",
    )
    total = sum(row["documents"] for row in found)

    def summed(chosen: Sequence[Row]) -> Row:
        documents = sum(row["documents"] for row in chosen)
        return {
            "documents": documents,
            "tokens": sum(row["tokens"] for row in chosen),
            "share": share_of(documents, total),
        }

    refused = [row for row in found if not row["kept"]]
    reasons: dict[str, list[Row]] = {}
    for row in refused:
        reasons.setdefault(str(row["reason"]), []).append(row)
    by_reason = [{"reason": reason} | summed(each) for reason, each in reasons.items()]
    return {
        "samples": total,
        "kept": summed([row for row in found if row["kept"]]),
        "duplicates": summed([row for row in refused if row["duplicate"]]),
        "rules": summed([row for row in refused if not row["duplicate"]]),
        "refused": sorted(by_reason, key=lambda row: (-row["documents"], row["reason"])),
    }


def _stage(
    connection: duckdb.DuckDBPyConnection,
    build: str,
    asked: StageAsked,
    columns: Mapping[str, str],
    scale: Fraction | None,
    samples: int,
    text: bool,
) -> JsonObject:
    sums = stage_sums(connection, build, asked, columns)
    if scale is not None:  # a proxy takes a share of its base by hash: it has no cut of its own
        for cell in sums.cells:
            cell.cut = None
    everything = sum(row["tokens"] for fate, row in sums.fates.items() if fate != "no_tokens")
    budget = asked.budget_tokens if asked.budget is None else int(asked.budget * everything)
    budget = int(budget * (scale or 1))
    tokens = sum(cell.tokens for cell in sums.cells)
    there = {
        "documents": sum(cell.documents_there for cell in sums.cells),
        "tokens": sum(cell.tokens_there for cell in sums.cells),
    }
    return {
        "stage": asked.name,
        "order_by": asked.order_by,
        "context": asked.context,
        "choose": asked.choose,
        "asked": budget,
        "tokens": tokens,
        "documents": sum(cell.documents for cell in sums.cells),
        "copies": sums.copies,
        "there": there,
        "share_of_there": share_of(tokens, there["tokens"]),
        "not_chosen": {name: row for name, row in sums.fates.items() if name != "chosen"},
        "scores_changed": 0 if scale is not None else sums.changed,
        "pools": pool_rows(asked, sums.cells, budget, tokens),
        "quotas": quota_rows(asked, sums.cells),
        "cells": cell_rows(sums.cells, tokens),
        "languages": language_rows(sums.cells, tokens),
        "domains": domain_rows(sums.domains, tokens),
        "sources": with_shares(largest_sources(connection, build, asked), tokens),
        "hosts": with_shares(largest_hosts(connection, build, asked), tokens),
        "scores": score_distribution(sums.scores),
        "at_cut": samples_at_cut(connection, build, asked, columns, sums.cells, samples, text),
    }
