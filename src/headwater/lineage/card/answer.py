"""The answer from which every form of a card is laid out: facts of one build, at the version of the table that it was made from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import duckdb

from headwater.errors import UsageError
from headwater.fingerprint import fingerprint
from headwater.lineage.build_report.asked import StageAsked, stages_asked
from headwater.lineage.build_report.candidates import selection_columns
from headwater.lineage.builds import build_policy, read_stage_manifest
from headwater.lineage.card import sums
from headwater.lineage.card.summary import public_summary
from headwater.lineage.contamination_report import contamination_report
from headwater.lineage.funnel import funnel
from headwater.lineage.past_runs import PastRun, newest_ended, read_runs, require_build, runs_of
from headwater.lineage.personal_report import personal_report
from headwater.lineage.questions import rows
from headwater.lineage.revisions import build_version
from headwater.lineage.views import connect
from headwater.plain import JsonObject, Row
from headwater.tokenize.shards.manifest import Manifest
from headwater.version import __version__
from headwater.warehouse.schema import FAMILIES
from headwater.warehouse.snapshot import Snapshot, open_snapshot

__all__ = ["FORMAT", "data_card"]

FORMAT: Final = 1
"""Version of the answer."""
_LARGEST: Final = 50
"""Hosts that are listed."""


def data_card(lake: str, build: str | None = None) -> JsonObject:
    """Return what a build holds, where that comes from, what was left out and why; ``docs/how-to/standards.md`` has the answer's shape.

    Args:
        build: by default the one that was built last.

    Raises:
        UsageError: no such lake or build, or it is not finished.
        CorruptLakeError: a manifest cannot be read.
    """
    newest = open_snapshot(lake)
    require_build(newest, build)
    name = build if build is not None else _newest_build(newest, lake)
    selected, built = newest_ended(runs_of(newest, "select", name)), newest_ended(runs_of(newest, "build", name))
    if selected is None or built is None:
        raise UsageError(
            f"expected a finished build {name}, found one that is selected only; headwater build LAKE RECIPE goes on"
        )
    version = build_version(newest, name)
    snapshot = open_snapshot(lake, version)
    with connect(lake, version) as connection:
        asked = stages_asked(selected, selection_columns(connection))
        captured = snapshot.live("captures").num_rows > 0
        sums.gather(connection, name, {each.name: each.special_tokens for each in asked}, captured=captured)
        card = {
            "format": FORMAT,
            "build": name,
            "recipe": {"name": selected.recipe.get("name"), "fingerprint": fingerprint(selected.recipe)},
            "table_version": version,
            "made": _made(newest, name, snapshot),
            "totals": sums.totals(connection),
            "stages": [_stage(lake, name, each) for each in asked],
            "stage_languages": sums.stage_languages(connection),
            "sources": sums.sources(connection),
            "kinds": sums.by(connection, "kind"),
            "licenses": sums.by(connection, "license"),
            "page_licenses": sums.page_licenses(connection),
            "languages": sums.by(connection, "language"),
            "domains": sums.by(connection, "domain"),
            "hosts": sums.by(connection, "host", _LARGEST),
            "collected": sums.collected(connection),
            **_left_out(connection, name, snapshot),
            "personal": _personal(connection, newest, name),
            "contamination": _contamination(connection, snapshot),
        }
        n_domains = sums.count_domains(connection)
        largest = sums.domains_by_size(connection, -(-n_domains // 10))
    card["takedowns"] = _takedowns(lake, newest)
    card["registered_domains"] = {"domains": n_domains, "largest_tenth": largest}
    card["public_summary"] = public_summary(card)
    return card


def _newest_build(newest: Snapshot, lake: str) -> str:
    found = newest_ended(read_runs(newest, "build"))
    if found is None or found.build is None:
        raise UsageError(f"expected a build in {lake}, found none; headwater run LAKE RECIPE makes one")
    return found.build


def _made(newest: Snapshot, build: str, snapshot: Snapshot) -> JsonObject:
    """Return when and by which releases, vocabulary, rules and models the build was made."""
    runs = [
        run
        for run in read_runs(newest)
        if run.build == build or (run.build is None and run.input_version < snapshot.version)
    ]
    annotated, decided = (newest_ended([run for run in runs if run.step == step]) for step in ("annotate", "decide"))
    built = newest_ended(runs_of(newest, "build", build))
    shards = {} if built is None else built.record("build", build) or {}
    operators = {} if annotated is None else annotated.operators
    return {
        "ended": None if built is None or built.ended is None else built.ended.isoformat(),
        "code_versions": sorted({run.code_version for run in runs}),
        "card_by": __version__,
        "vocabulary": shards.get("vocabulary"),
        "rule_set": None if decided is None else fingerprint(decided.operators.get("verdicts", {}).get("rules", {})),
        "score_models": dict(operators.get("scores", {}).get("models", {})),
        "language_model": operators.get("language", {}).get("model"),
        "runs": [run.run_id for run in runs],
    }


def _stage(lake: str, build: str, asked: StageAsked) -> JsonObject:
    """Return a stage as its manifest has it; one to which no document fell has none, and no shards."""
    said = {"stage": asked.name, "context": asked.context, "order_by": asked.order_by}
    try:
        manifest = read_stage_manifest(lake, build, asked.name)
    except UsageError:
        return said | dict.fromkeys(("sequences", "tokens", "padding", "documents", "shards"), 0) | {"formats": []}
    return said | {
        "sequences": manifest.sequences,
        "tokens": manifest.tokens,
        "padding": manifest.padding,
        "documents": manifest.documents,
        "shards": len(manifest.shards),
        "formats": _suffixes(manifest),
        "packing": manifest.packing,
        "vocabulary": manifest.vocabulary_name,
        "bytes": sum(file.n_bytes for shard in manifest.shards for file in shard.files),
    }


def _suffixes(manifest: Manifest) -> list[str]:
    return sorted({file.name.partition(".")[2] for shard in manifest.shards for file in shard.files})


def _left_out(connection: duckdb.DuckDBPyConnection, build: str, snapshot: Snapshot) -> JsonObject:
    """Return what came in and what was left out: refused records, rules with their limits, duplicates, the samples of no stage."""
    counted = funnel(connection)
    reasons = sums.reasons(connection)
    fates = rows(
        connection,
        "SELECT reason, count(*) AS documents FROM stages WHERE build = ? AND stage IS NULL GROUP BY ALL ORDER BY documents DESC, reason",
        [build],
    )
    return {
        "came_in": {name: counted[name] for name in ("files", "bytes", "records", "quarantined", "passed_over")},
        "judged": {"samples": counted["samples"], "kept": counted["kept"], "first_reasons": counted["rejected"]},
        "filters": _filters(newest_ended(read_runs(snapshot, "decide")), reasons),
        "duplicates": sums.clusters(connection),
        "not_chosen": fates,
    }


def _filters(decided: PastRun | None, reasons: Sequence[Row]) -> list[Row]:
    """Return each rule with what a sample must pass, its limits and how many it refused; then the reasons that are no rule's."""
    counts = {row["reason"]: {name: row[name] for name in ("samples", "first")} for row in reasons}
    rules = [] if decided is None else decided.operators.get("verdicts", {}).get("rules", {}).get("rules", [])
    found = []
    for rule in rules:
        row = counts.pop(rule["name"], {"samples": 0, "first": 0})
        said = {"reason": rule["name"], "passes_when": rule["passes"], "limits": rule["limits"]}
        found.append(said | {"samples": row["samples"], "first": row["first"]})
    others = [{"reason": name, "passes_when": None, "limits": None} | row for name, row in counts.items()]
    return [*found, *others]


def _personal(connection: duckdb.DuckDBPyConnection, newest: Snapshot, build: str) -> JsonObject:
    found = personal_report(connection)
    policy = build_policy(newest, build)
    return {
        "looked_for": found["looked"],
        "policy": dict(policy) if found["looked"] else {},
        "found": [{name: row[name] for name in ("type", "spans", "samples", "kept")} for row in found["types"]],
    }


def _contamination(connection: duckdb.DuckDBPyConnection, snapshot: Snapshot) -> JsonObject:
    annotated = newest_ended(read_runs(snapshot, "annotate"))
    operator = {} if annotated is None else annotated.operators.get("contamination", {})
    return {
        "looked_for": sorted(operator.get("sets", {})),
        "ngram_words": operator.get("ngram_words"),
        "found": contamination_report(connection, limit=0)["benchmarks"],
    }


def _takedowns(lake: str, newest: Snapshot) -> list[Row]:
    """Return when something was taken down and how many samples went, as the newest version records it; never who asked."""
    if "takedowns" not in FAMILIES or newest.live("takedowns").num_rows == 0:
        return []
    with connect(lake, newest.version) as connection:
        return rows(
            connection,
            "SELECT takedown, min(taken_at)::VARCHAR AS taken_at, count(DISTINCT sample_id) AS samples FROM takedowns "
            "GROUP BY ALL ORDER BY taken_at, takedown",
        )
