"""The story of a sample as steps in order: what each operator saw, what it asked, what came out, and by which run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from headwater.filters.scores.names import MOST_SCORE
from headwater.lineage.fates import fate_words
from headwater.lineage.past_runs import PastRun
from headwater.plain import JsonObject, Row, ValuesByName

__all__ = ["steps"]

_MEASURED: Final = (("gopher_words", "words"), ("hw_chars", "characters"), ("c4_sentences", "sentences"))


def steps(story: ValuesByName, runs: Mapping[str, PastRun], written_by: Mapping[str, str]) -> list[JsonObject]:
    """Return the steps of a story: ``step``, ``operator``, ``version``, ``run_id``, ``value``, ``limit``, ``outcome``, ``sentence``.

    Args:
        story: with ``run_id`` in the rows of families of several rows a sample.
        runs: by id.
        written_by: family with one row a sample → the run that wrote it.
    """
    told = _Told(runs, written_by)
    return [
        step
        for part in (
            _read(story, told),
            _measured(story, told),
            _duplicates(story, told),
            _judged(story, told),
            _stages(story, told),
            _places(story, told),
        )
        for step in part
    ]


class _Told:
    """Makes steps: knows which run wrote what, and the operators' versions.

    Args:
        runs: by id.
        written_by: family → run.
    """

    def __init__(self, runs: Mapping[str, PastRun], written_by: Mapping[str, str]) -> None:
        self._runs = runs
        self._written_by = written_by

    def record(self, operator: str, family: str) -> ValuesByName:
        """Return what the run that wrote a family recorded of an operator."""
        run = self._runs.get(self._written_by.get(family, ""))
        record = {} if run is None else run.operators.get(operator, {})
        return record if isinstance(record, Mapping) else {"version": record}

    def step(
        self,
        name: str,
        outcome: str,
        sentence: str,
        *,
        operator: str,
        family: str,
        value: object = None,
        limit: object = None,
        run_id: str | None = None,
    ) -> JsonObject:
        """Return one step; by default of the run that wrote the family."""
        written = run_id or self._written_by.get(family)
        run = self._runs.get(written or "")
        record = {} if run is None else run.operators.get(operator, {})
        version = record.get("version") if isinstance(record, Mapping) else record
        return {
            "step": name,
            "operator": operator,
            "version": None if version is None else version,
            "run_id": written,
            "value": value,
            "limit": limit,
            "outcome": outcome,
            "sentence": sentence,
        }


def _read(story: ValuesByName, told: _Told) -> Iterator[JsonObject]:
    file, content, capture = story["file"], story["content"], story.get("captures", {})
    licence = f"licence {file.get('license') or 'not declared'}"
    sentence = f"record {content['record_no']} of {file.get('file_uri')}, {file.get('format')}, {licence}"
    place = {"file_uri": file.get("file_uri"), "record_no": content["record_no"]}
    yield told.step("read", "read", sentence, operator="ingest", family="content", value=place)
    refused = f"not refused; of its file {file.get('records', 0):,} records were taken, {file.get('quarantined', 0):,} refused"
    yield told.step("quarantine", "passed", refused, operator="ingest", family="content")
    for row in story.get("takedowns", ()):
        yield told.step(
            "takedown",
            "taken down",
            _taken(row),
            operator="takedown",
            family="takedowns",
            value=row,
            run_id=row["run_id"],
        )
    size = f"{content['text_bytes'] or 0:,} bytes"
    if capture.get("extractor") is None:
        yield told.step(
            "text",
            "given",
            f"{size}, as the record gives it",
            operator="ingest",
            family="content",
            value=content["text_bytes"],
        )
        return
    blocks = f"{capture['blocks_kept'] or 0:,} blocks kept, {capture['blocks_left_out'] or 0:,} left out"
    page = f"extracted by {capture['extractor']} from a page of {capture['html_bytes'] or 0:,} bytes; {blocks}"
    yield told.step(
        "text", "extracted", f"{size}, {page}", operator="extractor", family="captures", value=content["text_bytes"]
    )


def _taken(row: Row) -> str:
    by = f" at the request of {row['asked_by']}" if row.get("asked_by") else ""
    reason = f": {row['asked_why']}" if row.get("asked_why") else ""
    return f"taken down {row.get('taken_at') or ''}{by}{reason}".strip()


def _measured(story: ValuesByName, told: _Told) -> Iterator[JsonObject]:
    if "language" in story:
        row = story["language"]
        by_fasttext = f"fastText says {row['lid_label']} {row['lid_score'] or 0:.3f}"
        sentence = f"{row['language']} {row['language_score'] or 0:.3f}, script {row['script']}; {by_fasttext}"
        value = {"language": row["language"], "language_score": row["language_score"]}
        yield told.step("language", str(row["language"]), sentence, operator="language", family="language", value=value)
    if "signals" in story:
        row = story["signals"]
        measured = {name: row.get(name) for name, _ in _MEASURED}
        sentence = ", ".join(f"{row[name]:,} {noun}" for name, noun in _MEASURED if row.get(name) is not None)
        zeros = sum(value == 0 for value in row.values())
        sentence = f"{sentence}; {zeros} of {len(row)} signals are 0"
        yield told.step("signals", "measured", sentence, operator="signals", family="signals", value=measured)
    if "scores" in story:
        row = story["scores"]
        shares = {
            name: round(value / MOST_SCORE, 4) if isinstance(value, int) else value for name, value in row.items()
        }
        sentence = ", ".join(f"{name} {_shown(value)}" for name, value in shares.items() if value is not None)
        yield told.step("scores", "measured", sentence, operator="scores", family="scores", value=shares)
    if story["spans"]:
        counted = Counter(str(row["operator"]) for row in story["spans"])
        sentence = ", ".join(f"{name} {number}" for name, number in sorted(counted.items()))
        yield told.step(
            "spans",
            "found",
            sentence,
            operator="spans",
            family="spans",
            value=dict(counted),
            run_id=story["spans"][0]["run_id"],
        )
    for row in story["contamination"]:
        sentence = f"{row['benchmark']}, item {row['item']}: {row['overlap']:.3f} of its {row['part']} found"
        yield told.step(
            "contamination",
            "found",
            sentence,
            operator="contamination",
            family="contamination",
            value=row["overlap"],
            run_id=row["run_id"],
        )


def _shown(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _duplicates(story: ValuesByName, told: _Told) -> Iterator[JsonObject]:
    if "duplicates" not in story:
        return
    row, verdict = story["duplicates"], story.get("verdicts", {})
    least = told.record("duplicates", "duplicates").get("min_similarity")
    value: JsonObject = {"cluster_id": row["cluster_id"], "cluster_size": row["cluster_size"], "kind": row["kind"]}
    if row["cluster_id"] is None:
        yield told.step(
            "duplicates",
            "unique",
            "no other sample has this text or nearly",
            operator="duplicates",
            family="duplicates",
        )
        return
    sentence = f"{row['kind']}, one of {row['cluster_size']:,} samples in cluster {row['cluster_id']}"
    outcome = "clustered"
    if verdict.get("duplicate_of") is not None:
        similarity = verdict["similarity"] or 0.0
        value |= {"winner": verdict["duplicate_of"], "similarity": similarity}
        over = "" if least is None else f" by {similarity - least:.3f}: {similarity:.3f} >= {least:.3f}"
        sentence += f"; repeats sample {verdict['duplicate_of']}{over}. The winner: {fate_words(story['winner'])}"
        outcome = "repeats another"
    elif verdict.get("kept"):
        sentence += "; the winner"
        outcome = "won"
    yield told.step(
        "duplicates", outcome, sentence, operator="duplicates", family="duplicates", value=value, limit=least
    )


def _judged(story: ValuesByName, told: _Told) -> Iterator[JsonObject]:
    if "verdicts" not in story:
        return
    verdict = story["verdicts"]
    for entry in verdict["rules"]:
        words = f" {entry['words']}" if "words" in entry else ""
        sentence = f"{entry['rule']} {_OUTCOMES[entry['outcome']]}{words} ({entry['passes_when']})"
        yield told.step(
            "rule",
            entry["outcome"],
            sentence,
            operator="verdicts",
            family="verdicts",
            value=entry["values"],
            limit=entry["limits"],
        )
    others = ", ".join(verdict["reasons"] or [])
    sentence = (
        "kept"
        if verdict["kept"]
        else f"rejected: {verdict['first_reason']}" + (f" (all: {others})" if "," in others else "")
    )
    yield told.step(
        "verdict", "kept" if verdict["kept"] else "rejected", sentence, operator="verdicts", family="verdicts"
    )


_OUTCOMES: Final = {
    "passed": "passed",
    "failed": "failed",
    "exempt": "does not apply to this domain",
    "missing": "could not be asked: a signal is missing",
}


def _stages(story: ValuesByName, told: _Told) -> Iterator[JsonObject]:
    for row in story["stages"]:
        far = "".join(f"; {each['words']}" for each in row["distances"])
        copies = f", {row['copies']} copies" if row["copies"] > 1 else ""
        yield told.step(
            "stage",
            str(row["stage"] or "none"),
            f"{row['build']}: {row['sentence']}{copies}{far}",
            operator="stages",
            family="stages",
            value=[each["score"] for each in row["distances"]] or None,
            limit=[each["cut"] for each in row["distances"]] or None,
            run_id=row["run_id"],
        )


def _places(story: ValuesByName, told: _Told) -> Iterator[JsonObject]:
    by_stage: dict[tuple[str, str], list[Row]] = {}
    for row in story["placements"]:
        by_stage.setdefault((str(row["build"]), str(row["stage"])), []).append(row)
    for (build, stage), places in by_stage.items():
        yield told.step(
            "place",
            "placed",
            f"{build}: {stage} {_listed(places)}",
            operator="shards",
            family="placements",
            value=len(places),
            run_id=places[0]["run_id"],
        )


def _listed(places: Sequence[Row]) -> str:
    """Return places by copy: shard, sequences and tokens."""
    copies: dict[int, list[Row]] = {}
    for place in places:
        copies.setdefault(int(place["copy"]), []).append(place)
    told = []
    for copy, runs in sorted(copies.items()):
        tokens = sum(run["token_end"] - run["token_begin"] for run in runs)
        sequences = sorted({run["sequence"] for run in runs})
        where = f"sequence {sequences[0]}" if len(sequences) == 1 else f"{len(sequences)} sequences from {sequences[0]}"
        begin = f"shard {runs[0]['shard']}, {where}, {tokens:,} tokens from token {runs[0]['token_begin']}"
        told.append(begin if len(copies) == 1 else f"copy {copy}: {begin}")
    return "; ".join(told)
