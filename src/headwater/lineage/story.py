"""Why: the whole story of one sample, from file and record to the places in shards, as plain data that can be printed as JSON.

Text of documents is not part of it. Rows come from the exact files that hold them, see ``lookup``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from headwater.errors import UsageError
from headwater.lineage.fates import fate_of
from headwater.lineage.near_misses import nearest_rules, rule_outcomes
from headwater.lineage.past_runs import PastRun, newest_ended
from headwater.lineage.reasons import reason_sentence
from headwater.lineage.stage_cuts import cuts_of, stage_distances
from headwater.lineage.story_steps import steps
from headwater.plain import JsonObject, Row, ValuesByName
from headwater.warehouse.schema import ALIGNED, FAMILIES

if TYPE_CHECKING:
    from headwater.lineage.lookup import Lookup

__all__ = ["why"]

_HIDDEN: Final = frozenset(["sample_id", "text", "html", "signature", "bands", "normalized_hash"])
_SPARSE: Final = ("texts", "spans", "contamination", "stages", "placements", "vocabularies", "takedowns")


def why(lookup: Lookup, sample: int) -> JsonObject:
    """Return the whole story of a sample.

    Returns:
        A key a family with its row or rows (what is not there yet is not made up), ``file``, ``scores_moved``, ``winner`` (of a duplicate: what
        became of it), ``runs`` and ``steps``: the same in order, each with ``step``, ``operator``, ``version``, ``run_id``, ``value``, ``limit``,
        ``outcome`` and a ``sentence``. ``near_misses`` has the sentences that say how far it was from another verdict or stage.

    Raises:
        UsageError: no such sample.
    """
    story: JsonObject = {"sample_id": sample}
    written_by: dict[str, str] = {}
    for family in ALIGNED:
        row = lookup.row(family, sample, [name for name in lookup.columns(family) if name not in _HIDDEN])
        if row is None:
            if family == "content":
                raise UsageError(f"expected a sample {sample}, found none in this version of the lake")
            continue
        written_by[family] = str(row.pop("run_id"))
        batch = row.pop("batch")
        story[family] = row | ({"batch": batch} if family == "content" else {})
    file = lookup.file(story["content"]["file_id"])
    used = {*written_by.values(), *([str(file["run_id"])] if file else [])}
    story["file"] = {name: file[name] for name in _FILE if name in file}
    by_family: dict[str, list[Row]] = {family: _rows(lookup, family, sample) for family in _SPARSE}
    used |= {str(row["run_id"]) for rows in by_family.values() for row in rows}
    made_by = lookup.runs(used)
    runs = {run.run_id: run for run in made_by}
    story |= by_family
    story["runs"] = [run.plain() for run in made_by]
    _explain_scores(lookup, story, runs.get(written_by.get("scores", "")))
    _explain_stages(lookup, story, runs)
    if "verdicts" in story:
        _explain_verdict(lookup, story, runs.get(written_by["verdicts"]))
    story["steps"] = steps(story, runs, written_by)
    story["near_misses"] = _near_misses(story)
    for rows in by_family.values():
        for row in rows:
            row.pop("run_id")
    return story


_FILE: Final = ("file_uri", "sha256", "file_bytes", "format", "license", "records", "quarantined")


def _rows(lookup: Lookup, family: str, sample: int) -> list[Row]:
    names = [name for name in FAMILIES[family].fields if name not in _HIDDEN and not name.endswith(("_mac", "_macs"))]
    if family != "vocabularies":
        return lookup.rows(family, [sample], [*names, "run_id"])
    found = lookup.rows(family, [sample], ["batch", *names, "run_id"])
    return [{"name": row.pop("batch")} | row for row in found]


def _explain_scores(lookup: Lookup, story: JsonObject, run: PastRun | None) -> None:
    """Add what moved each score most."""
    if not any(value is not None for value in story.get("scores", {}).values()):
        return
    from headwater.lineage.score_reasons import moved_by  # heads load a compiler, which no other question needs

    language = story.get("language", {}).get("language")
    text = partial(_text, lookup, int(story["sample_id"]))
    story["scores_moved"] = moved_by(lookup.lake, run, story["scores"], story.get("signals", {}), language, text)


def _text(lookup: Lookup, sample: int) -> str | None:
    row = lookup.row("content", sample, ["text"])
    return None if row is None else row["text"]


def _explain_stages(lookup: Lookup, story: JsonObject, runs: Mapping[str, PastRun]) -> None:
    """Add to each row of family stages its sentence, and how far the sample was from the cut."""
    for row in story["stages"]:
        run = runs.get(row["run_id"])
        row["sentence"] = reason_sentence(row, _scaled(run))
        chosen_by = run if run is not None and "cuts" in run.counts else _selection(lookup, str(row["build"]))
        cuts = cuts_of(lookup.snapshot, str(row["build"]), chosen_by)
        row["distances"] = stage_distances(row, story.get("scores", {}), chosen_by, cuts)


def _scaled(run: PastRun | None) -> tuple[str, str] | None:
    """Return scale and base of a run that chose a proxy; None of any other."""
    record = run.operators.get("stages", {}) if run is not None and run.step == "select" else {}
    return (record["scale"], record["base"]) if "base" in record else None


def _selection(lookup: Lookup, build: str) -> PastRun | None:
    """Return the newest ended selection of a build."""
    runs = [run for run in lookup.runs() if run.step == "select" and run.record("build", build) is not None]
    return newest_ended(runs)


def _explain_verdict(lookup: Lookup, story: JsonObject, run: PastRun | None) -> None:
    """Add to the verdict every rule with what came out, those that fired, and what became of the winner."""
    verdict = story["verdicts"]
    record = {} if run is None else run.operators.get("verdicts", {})
    rules: Sequence[ValuesByName] = record.get("rules", {}).get("rules", []) if isinstance(record, Mapping) else []
    values = {name: value for family in ALIGNED for name, value in story.get(family, {}).items()}
    verdict["rules"] = rule_outcomes(rules, values, verdict["reasons"] or [])
    by_name = {entry["rule"]: entry for entry in verdict["rules"]}
    verdict["rules_fired"] = [_fired(reason, by_name, verdict) for reason in verdict["reasons"] or []]
    if verdict["duplicate_of"] is not None:
        story["winner"] = fate_of(lookup, int(verdict["duplicate_of"]))


def _fired(reason: str, rules: Mapping[str, JsonObject], verdict: ValuesByName) -> JsonObject:
    """Return a reason with the rule's predicate, its limits and the values that it read, or with the winner."""
    entry: JsonObject = {"reason": reason}
    if reason in rules:
        told = rules[reason]
        return entry | {name: told[name] for name in ("passes_when", "limits", "values", "words") if name in told}
    if reason.startswith("missing:"):
        return entry | {"values": {reason.removeprefix("missing:"): None}}
    if verdict["duplicate_of"] is not None:
        return entry | {"winner": verdict["duplicate_of"], "similarity": verdict["similarity"]}
    return entry


def _near_misses(story: ValuesByName) -> list[str]:
    """Return in words how far a sample was from another verdict: of a rejected one each rule that failed, of a kept one the closest rule."""
    told: list[str] = []
    verdict = story.get("verdicts")
    if verdict is not None:
        failed = [each for each in verdict["rules"] if each["outcome"] == "failed" and "words" in each]
        told += [f"rejected by {each['rule']} {each['words']}" for each in failed]
        if verdict["kept"]:
            told += [
                f"closest rule: {each['rule']} passed {each['words']}" for each in nearest_rules(verdict["rules"], 1)
            ]
    for row in story["stages"]:
        told += [f"{row['build']}: {each['words']}" for each in row["distances"]]
    return told
