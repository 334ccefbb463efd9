"""Questions people ask of a lake: why is a sample in or out, where did it go, what was run.

Each answer is plain data that can be printed as JSON. Values reach DuckDB as parameters, never as text of a query. Text of documents is not
part of an answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Final

import duckdb

from headwater.errors import UsageError
from headwater.filters.urls.hosts import without_credentials
from headwater.hashes import short_hashes
from headwater.lineage.damaged_files import damage_told
from headwater.lineage.host_questions import samples_of_domain, samples_of_host
from headwater.lineage.past_runs import PastRun, read_runs, require_build
from headwater.lineage.reasons import reason_sentence
from headwater.lineage.sql_connection import LakeConnection
from headwater.plain import JsonObject, Row, ValuesByName
from headwater.warehouse.schema import ALIGNED, FAMILIES

__all__ = ["placements_of", "query", "rows", "samples_at", "samples_named", "why"]

_HIDDEN: Final = {"text", "html", "signature", "bands", "normalized_hash"}
_MOST_SAMPLES: Final = 1000
_SPARSE: Final = ("texts", "spans", "contamination", "stages", "placements", "vocabularies")


def rows(
    connection: duckdb.DuckDBPyConnection,
    statement: str,
    parameters: Sequence[object] | Mapping[str, object] = (),
) -> list[Row]:
    """Return the rows of a query as dictionaries; bytes become hexadecimal, times ISO 8601.

    Args:
        parameters: of the statement's ``?``, or by the names after its ``$``.

    Raises:
        CorruptLakeError: a file that it reads is damaged or gone.
    """
    with damage_told():
        found = connection.execute(statement, parameters)
        return _as_rows([column[0] for column in found.description or []], found.fetchall())


def _as_rows(columns: Sequence[str], values: Sequence[Sequence[object]]) -> list[Row]:
    """Return rows by name; the second column of a name is called ``name_1``, as DuckDB would in a subquery.

    >>> _as_rows(["n", "n", "n_1"], [(1, 2, 3)])
    [{'n': 1, 'n_1': 2, 'n_1_1': 3}]
    """
    names: dict[str, None] = {}
    for column in columns:
        name, number = column, 0
        while name in names:
            number += 1
            name = f"{column}_{number}"
        names[name] = None
    return [{name: _plain(value) for name, value in zip(names, row, strict=True)} for row in values]


def _plain(value: object) -> object:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def query(connection: LakeConnection, statement: str) -> list[Row]:
    """Return the rows of a user's query as dictionaries, like ``rows``.

    Raises:
        UsageError: it is no query over the views, or DuckDB refused it; the message names the place.
        LimitError: it took more time or memory than it may.
    """
    found = connection.execute(statement)
    return _as_rows(found.columns, found.fetchall())


def samples_named(
    connection: duckdb.DuckDBPyConnection,
    *,
    sample: int | None = None,
    uri: str | None = None,
    host: str | None = None,
    domain: str | None = None,
    source: str | None = None,
    file: str | None = None,
    limit: int = _MOST_SAMPLES,
) -> list[int]:
    """Return the ids of the samples that are named in exactly one way, ascending, at most ``limit`` of them.

    Args:
        sample: its id.
        uri: the document's URL or id as given; the user and password in a URL do not matter.
        host: host part of the URL; case, credentials, port, a dot at the end and the form of letters beyond ASCII do not matter.
        domain: registered domain: every host below it counts.
        source: the data set.
        file: the input file's URI, or the beginning of its SHA-256.

    Raises:
        UsageError: nothing or more than one thing is named, or nothing is found.
    """
    named = {
        name: value
        for name, value in (
            ("sample", sample),
            ("uri", uri),
            ("host", host),
            ("domain", domain),
            ("source", source),
            ("file", file),
        )
        if value is not None
    }
    if len(named) != 1:
        raise UsageError(f"expected one of --sample, --uri, --host, --domain, --source and --file, found {len(named)}")
    ((kind, value),) = named.items()
    if value == "":
        raise UsageError(f"expected a value of --{kind}, found an empty text; is a variable not set?")
    if kind == "uri":
        found = samples_at(connection, str(value))
    elif kind == "host":
        found = samples_of_host(connection, str(value), limit)
    elif kind == "domain":
        found = samples_of_domain(connection, str(value), limit)
    else:
        where, parameters = _condition(kind, value)
        statement = f"SELECT sample_id FROM content WHERE {where} ORDER BY 1 LIMIT ?"
        found = [int(row["sample_id"]) for row in rows(connection, statement, [*parameters, limit])]
    if not found:
        raise UsageError(
            f"expected a sample with --{kind} {without_credentials(str(value))}, found none in this lake; "
            "headwater sql LAKE 'SELECT … FROM content' shows what it holds"
        )
    return sorted(found)[:limit]


def samples_at(connection: duckdb.DuckDBPyConnection, given: str) -> list[int]:
    """Return the samples with a URI: those of the index with its hash, each looked at, since hashes of two URIs may be equal.

    Lakes of earlier releases hold URLs with their credentials, hashed with them, which may be asked for with or without.

    Args:
        given: the URI as it was asked for.
    """
    uri = without_credentials(given)  # as the views show it
    numbers = short_hashes(list(dict.fromkeys((uri, given)))).tolist()
    listed = rows(
        connection, "SELECT DISTINCT sample_id FROM uri_index WHERE uri_hash IN (SELECT unnest(?))", [numbers]
    )
    statement = "SELECT sample_id FROM content WHERE sample_id = ? AND uri = ?"  # one file and row group for each id
    found = [row for each in listed for row in rows(connection, statement, [each["sample_id"], uri])]
    found = found or rows(connection, "SELECT sample_id FROM content WHERE uri = ?", [uri])
    return [int(row["sample_id"]) for row in found]


def _condition(kind: str, value: str | int) -> tuple[str, list[object]]:
    """Return the condition of family ``content`` that names samples in one way, and its parameters."""
    if kind == "sample":
        return "sample_id = ?", [value]
    if kind == "source":
        return "source = ?", [value]
    return "file_id IN (SELECT file_id FROM files WHERE file_uri = ? OR starts_with(sha256, ?))", [value, value]


def why(connection: duckdb.DuckDBPyConnection, sample: int, lake: str | None = None) -> JsonObject:
    """Return the whole story of one sample: file and record, measures, verdict with the rules that fired, stages, places, vocabularies, runs.

    Args:
        lake: where the models of its scores are; without it nothing is said of what moved them.

    Raises:
        UsageError: no such sample.
    """
    story: JsonObject = {"sample_id": sample}
    used: set[str] = set()
    written_by: dict[str, str] = {}
    for family in ALIGNED:
        names = [name for name in _columns_of(connection, family) if name not in _HIDDEN]
        listed = ", ".join(f'"{name}"' for name in names)
        found = rows(connection, f"SELECT {listed}, run_id, batch FROM {family} WHERE sample_id = ?", [sample])
        if family == "content" and not found:
            raise UsageError(f"expected a sample {sample}, found none in this version of the lake")
        if found:
            written_by[family] = found[0].pop("run_id")
            used.add(written_by[family])
            batch = found[0].pop("batch")
            story[family] = found[0] | ({"batch": batch} if family == "content" else {})
    story["file"] = _file(connection, story["content"]["file_id"], used)
    for family in _SPARSE:
        listed = ", ".join(f'"{name}"' for name in FAMILIES[family].fields if name not in _HIDDEN)
        if family == "vocabularies":
            listed = f"batch AS name, {listed}"
        found = rows(connection, f"SELECT {listed}, run_id FROM {family} WHERE sample_id = ? ORDER BY ALL", [sample])
        used |= {row["run_id"] for row in found}
        story[family] = found
    made_by = [run for run in read_runs(connection) if run.run_id in used]
    story["runs"] = [run.plain() for run in made_by]
    if lake is not None and "scores" in story:
        from headwater.lineage.score_reasons import moved_by  # heads load a compiler, which no other question needs

        scored = next((run for run in made_by if run.run_id == written_by["scores"]), None)
        language = story.get("language", {}).get("language")
        text = partial(_text, connection, sample)
        story["scores_moved"] = moved_by(lake, scored, story["scores"], story.get("signals", {}), language, text)
    scales = {run.run_id: _scaled(run) for run in made_by}
    for row in story["stages"]:
        row["sentence"] = reason_sentence(row, scales.get(row["run_id"]))
    for family in _SPARSE:
        for row in story[family]:
            del row["run_id"]
    if "verdicts" in story:
        story["verdicts"]["rules_fired"] = _rules_fired(story, made_by)
    return story


def _columns_of(connection: duckdb.DuckDBPyConnection, family: str) -> list[str]:
    """Return a family's columns but its ids; of scores, a team's own too."""
    if family != "scores":
        return list(FAMILIES[family].fields)
    with damage_told():
        described = connection.execute("SELECT * EXCLUDE (sample_id, run_id, batch) FROM scores LIMIT 0").description
    return [str(column[0]) for column in described or []]


def _text(connection: duckdb.DuckDBPyConnection, sample: int) -> str | None:
    found = rows(connection, "SELECT text FROM content WHERE sample_id = ?", [sample])
    return None if not found else str(found[0]["text"])


def _scaled(run: PastRun) -> tuple[str, str] | None:
    """Return scale and base of a run that chose a proxy; None of any other."""
    record = run.operators.get("stages", {}) if run.step == "select" else {}
    return (record["scale"], record["base"]) if "base" in record else None


def _file(connection: duckdb.DuckDBPyConnection, file_id: int, used: set[str]) -> Row:
    found = rows(
        connection,
        "SELECT file_uri, sha256, file_bytes, format, license, run_id FROM files WHERE file_id = ?",
        [file_id],
    )
    used |= {row.pop("run_id") for row in found}
    return found[0] if found else {}


def _rules_fired(story: ValuesByName, made_by: Sequence[PastRun]) -> list[JsonObject]:
    """Return for each reason the rule's predicate, its limits and the values that it read, from the record of the run that decided."""
    rules: dict[str, ValuesByName] = {}
    for run in made_by:
        if run.step == "decide":
            rules |= {rule["name"]: rule for rule in run.operators["verdicts"]["rules"]["rules"]}
    values = {name: value for family in ALIGNED for name, value in story.get(family, {}).items()}
    fired = []
    for reason in story["verdicts"]["reasons"] or []:
        entry: JsonObject = {"reason": reason}
        if reason in rules:
            rule = rules[reason]
            entry |= {
                "passes_when": rule["passes"],
                "limits": rule["limits"],
                "values": _values_read(rule["passes"], values),
            }
        elif reason.startswith("missing:"):
            entry["values"] = {reason.removeprefix("missing:"): None}
        else:
            entry |= {"winner": story["verdicts"]["duplicate_of"], "similarity": story["verdicts"]["similarity"]}
        fired.append(entry)
    return fired


def _values_read(predicate: str, values: ValuesByName) -> Row:
    return {name: values[name] for name in dict.fromkeys(re.findall(r"[a-z_][a-z0-9_]*", predicate)) if name in values}


def placements_of(
    connection: duckdb.DuckDBPyConnection, samples: Iterable[int], build: str | None = None, stage: str | None = None
) -> list[JsonObject]:
    """Return what became of some samples: their verdict and, for each copy, every run of tokens in every shard.

    Args:
        build: only places in this build.
        stage: only places in this stage.

    Raises:
        UsageError: no such sample, build or stage.
    """
    require_build(connection, build, stage)
    answer = []
    for sample in samples:
        found = rows(
            connection,
            "SELECT c.sample_id, c.source, c.uri, v.kept, v.first_reason, v.duplicate_of FROM content c "
            "LEFT JOIN verdicts v USING (sample_id) WHERE c.sample_id = ?",
            [sample],
        )
        if not found:
            raise UsageError(f"expected a sample {sample}, found none in this version of the lake")
        row = found[0]
        row["placements"] = rows(
            connection,
            "SELECT build, stage, shard, sequence, token_begin, token_end, sample_token_begin, copy FROM placements "
            "WHERE sample_id = ? AND build = coalesce(?, build) AND stage = coalesce(?, stage) ORDER BY ALL",
            [sample, build, stage],
        )
        answer.append(row)
    return answer
