"""Verify: the promises of a lake, checked against its bytes.

Everything is read again: nothing that a step reported is taken for granted. A check that fails names the first places; a check whose reading
fails is a failed check, not an end of the others.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from typing import Any, Final

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import fs as pafs

from headwater.errors import CorruptLakeError, HeadwaterError, UsageError
from headwater.filters.spans import apply_spans
from headwater.lineage.questions import rows
from headwater.lineage.views import connect
from headwater.pipelines.shards import builds_uri
from headwater.pipelines.trace import read_stage_manifest, read_tokens
from headwater.tokenize.encoder import decode
from headwater.tokenize.manifest import check_files
from headwater.tokenize.vocabulary import Vocabulary, load_vocabulary
from headwater.warehouse.filesystem import join, resolve
from headwater.warehouse.parquet import FragmentFiles, check_file, read_aligned, read_sparse
from headwater.warehouse.schema import ALIGNED, FAMILIES
from headwater.warehouse.snapshot import Snapshot, open_snapshot

__all__ = ["Check", "verify"]

_SHOWN: Final = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One promise: whether it holds, on how many things it was tried, and what was found where it does not."""

    name: str
    passed: bool
    detail: str
    count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class _Lake:
    lake: str
    snapshot: Snapshot
    connection: duckdb.DuckDBPyConnection
    build: str | None

    def located(self) -> Iterator[FragmentFiles]:
        return self.snapshot.locate(self.snapshot.covered("content"), ALIGNED)


_Found = tuple[int, list[str]]


def verify(lake: str, build: str | None = None, version: int | None = None) -> list[Check]:
    """Return the result of every check; files and texts are read once each, a fragment in memory at a time.

    Args:
        build: check only the shards of this build; by default of all.
    """
    snapshot = open_snapshot(lake, version)
    with connect(lake, snapshot.version) as connection:
        context = _Lake(lake=lake, snapshot=snapshot, connection=connection, build=build)
        return [_checked(name, check, context) for name, check in _CHECKS.items()]


def _checked(name: str, check: Callable[[_Lake], _Found], lake: _Lake) -> Check:
    try:
        count, faults = check(lake)
    except (HeadwaterError, duckdb.Error, OSError, pa.ArrowException) as error:
        return Check(name=name, passed=False, detail=str(error).splitlines()[0], count=0)
    detail = "; ".join(faults[:_SHOWN]) + (f"; and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else "")
    return Check(name=name, passed=not faults, detail=detail, count=count)


def _sql_faults(lake: _Lake, statement: str, describe: Callable[[dict[str, Any]], str]) -> list[str]:
    return [describe(row) for row in rows(lake.connection, statement)]


def _file_hashes(lake: _Lake) -> _Found:
    """Every live file has the SHA-256 of its name."""
    faults = []
    for path, sha256 in zip(*(lake.snapshot.files[name].to_pylist() for name in ("path", "sha256")), strict=True):
        fault = check_file(lake.snapshot.uri, path, sha256)
        if fault is not None:
            faults.append(fault)
    return lake.snapshot.files.num_rows, faults


def _one_live_file(lake: _Lake) -> _Found:
    """A fragment has at most one live file of each family, of one build; a shard has one of its placements; each has content."""
    faults = []
    fragments = lake.snapshot.covered("content")
    for family in (*ALIGNED, "spans", "uri_index", "stages", "placements"):
        files = lake.snapshot.live(family)
        names = [files[name].to_pylist() for name in ("batch", "operator")]
        # Within what a number may be covered once: the lake, a build, a stage of a build.
        scopes: set[tuple[str | None, str | None]] = {(None, None)}
        if family == "placements":
            scopes = set(zip(*names, strict=True))
        elif FAMILIES[family].by_build:
            scopes = {(batch, None) for batch in names[0]}
        for batch, operator in sorted(scopes, key=str):
            numbers = lake.snapshot.covered(family, operator=operator, batch=batch)
            twice = numbers[1:][numbers[1:] == numbers[:-1]]
            thing = "shard" if family == "placements" else "fragment"
            faults += [f"{thing} {number} has two live files of {family}" for number in twice.tolist()]
            strange = np.setdiff1d(numbers, fragments) if family != "placements" else numbers[:0]
            faults += [f"family {family} covers fragment {number}, which has no content" for number in strange.tolist()]
    return len(fragments), faults


def _aligned(lake: _Lake) -> _Found:
    """Families of a fragment hold the same ids in the same order; rows of sparse families belong to samples."""
    faults, count = [], 0
    for where in lake.located():
        try:
            columns: dict[str, list[str]] = {family: [] for family in ALIGNED if family in where.files}
            for table in read_aligned(lake.snapshot.uri, where, columns):
                count += table.num_rows
        except CorruptLakeError as error:
            faults.append(f"fragment {where.fragment}: {error}")
    for family in ("spans", "uri_index", "stages", "placements"):
        faults += _sql_faults(
            lake,
            f"SELECT DISTINCT sample_id FROM {family} ANTI JOIN content USING (sample_id) ORDER BY 1 LIMIT 100",
            lambda row, family=family: f"family {family} has rows of sample {row['sample_id']}, which has no content",  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        )
    return count, faults


def _ids_unique(lake: _Lake) -> _Found:
    """Every sample_id occurs once."""
    total = rows(lake.connection, "SELECT count(*) AS n FROM content")[0]["n"]
    found = "SELECT sample_id, count(*) AS n FROM content GROUP BY 1 HAVING n > 1 LIMIT 100"
    return total, _sql_faults(lake, found, lambda row: f"sample {row['sample_id']} occurs {row['n']} times")


def _content_hashes(lake: _Lake) -> _Found:
    """The text of every sample has its content_hash and its length."""
    faults, count = [], 0
    for where in lake.located():
        for table in read_aligned(lake.snapshot.uri, where, {"content": ["text", "content_hash", "text_bytes"]}):
            for sample, text, digest, size in zip(
                *(table[name].to_pylist() for name in ("sample_id", "text", "content_hash", "text_bytes")), strict=True
            ):
                data = text.encode()
                count += 1
                if blake2b(data, digest_size=16).digest() != digest or len(data) != size:
                    faults.append(f"sample {sample}: its text is not the one that was hashed at ingest")
    return count, faults


def _counts_reconcile(lake: _Lake) -> _Found:
    """Per file: records and refused records are what was counted; per file and batch: in = kept + each first reason."""
    faults = _sql_faults(
        lake,
        "SELECT f.file_uri, f.records, f.quarantined, coalesce(c.n, 0) AS stored, coalesce(q.n, 0) AS refused FROM files f "
        "LEFT JOIN (SELECT file_id, count(*) AS n FROM content GROUP BY 1) c USING (file_id) "
        "LEFT JOIN (SELECT file_id, count(*) AS n FROM quarantine GROUP BY 1) q USING (file_id) "
        "WHERE f.records <> coalesce(c.n, 0) OR f.quarantined <> coalesce(q.n, 0)",
        lambda row: (
            f"{row['file_uri']}: expected {row['records']} records and {row['quarantined']} refused, found {row['stored']} and {row['refused']}"
        ),
    )
    for family in ("content", "quarantine"):
        faults += _sql_faults(
            lake,
            f"SELECT DISTINCT file_id FROM {family} ANTI JOIN files USING (file_id) ORDER BY 1 LIMIT 100",
            lambda row, family=family: f"file {row['file_id']} has rows in {family} and none in files",  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        )
    faults += _sql_faults(
        lake,
        "SELECT c.file_id, c.batch, count(*) AS n, count(*) FILTER (WHERE v.kept) AS kept, count(v.first_reason) AS rejected FROM content c "
        "JOIN verdicts v USING (sample_id) GROUP BY ALL HAVING n <> kept + rejected",
        lambda row: (
            f"file {row['file_id']} of batch {row['batch']}: {row['n']} in, {row['kept']} kept and {row['rejected']} rejected"
        ),
    )
    faults += _sql_faults(
        lake,
        "SELECT sample_id FROM verdicts WHERE kept <> (first_reason IS NULL) OR kept <> (len(reasons) = 0) "
        "OR (NOT kept AND reasons[1] <> first_reason) LIMIT 100",
        lambda row: f"sample {row['sample_id']}: kept, reasons and first_reason disagree",
    )
    return rows(lake.connection, "SELECT count(*) AS n FROM files")[0]["n"], faults


def _runs_known(lake: _Lake) -> _Found:
    """Every run that a row names has its row in family runs."""
    families = [*ALIGNED, "files", "quarantine", "spans", "stages", "placements"]
    named = " UNION ".join(f"SELECT DISTINCT run_id FROM {family}" for family in families)
    faults = _sql_faults(
        lake,
        f"SELECT run_id FROM ({named}) WHERE run_id NOT IN (SELECT run_id FROM runs)",
        lambda row: f"run {row['run_id']} has no row",
    )
    return rows(lake.connection, "SELECT count(*) AS n FROM runs")[0]["n"], faults


def _winners_kept(lake: _Lake) -> _Found:
    """Every duplicate names a winner of its own cluster that was kept."""
    found = (
        "SELECT v.sample_id, v.duplicate_of FROM verdicts v LEFT JOIN verdicts w ON w.sample_id = v.duplicate_of "
        "LEFT JOIN duplicates a ON a.sample_id = v.sample_id LEFT JOIN duplicates b ON b.sample_id = v.duplicate_of "
        "WHERE v.duplicate_of IS NOT NULL AND (w.kept IS NOT TRUE OR a.cluster_id IS DISTINCT FROM b.cluster_id) LIMIT 100"
    )
    count = rows(lake.connection, "SELECT count(duplicate_of) AS n FROM verdicts")[0]["n"]
    return count, _sql_faults(
        lake,
        found,
        lambda row: (
            f"sample {row['sample_id']} names {row['duplicate_of']}, which was not kept or is of another cluster"
        ),
    )


def _finished(lake: _Lake) -> list[tuple[str, str]]:
    """Return (build, stage) of all that has placements or was chosen for a build that ended, or of the build that was asked for."""
    found = rows(lake.connection, "SELECT DISTINCT build, stage FROM placements")
    ended = rows(lake.connection, "SELECT operators FROM runs WHERE step = 'build' AND ended IS NOT NULL")
    builds = sorted({str(json.loads(row["operators"])["shards"]["build"]) for row in ended})
    found += rows(
        lake.connection,
        "SELECT DISTINCT build, stage FROM stages WHERE stage IS NOT NULL AND list_contains(?, build)",
        [builds],
    )
    named = sorted({(str(row["build"]), str(row["stage"])) for row in found})
    chosen = [(build, stage) for build, stage in named if lake.build in (None, build)]
    if lake.build is not None and not chosen:
        raise UsageError(f"expected a build {lake.build!r} with shards, found none")
    return chosen


def _shard_files(lake: _Lake) -> _Found:
    """Every file of every shard has the size and SHA-256 of its manifest."""
    faults, count = [], 0
    for build, stage in _finished(lake):
        manifest = read_stage_manifest(lake.lake, build, stage)
        filesystem, path = resolve(builds_uri(lake.lake, build, stage))
        damaged = check_files(manifest, partial(_open_beside, filesystem, path))
        count += sum(len(shard.files) for shard in manifest.shards)
        faults += [f"{build}/{stage}/{name}: {fault}" for name, fault in damaged.items()]
    return count, faults


def _open_beside(filesystem: pafs.FileSystem, folder: str, name: str) -> Any:
    return filesystem.open_input_stream(join(folder, name))


def _placed_as_planned(lake: _Lake) -> _Found:
    """Every copy of every chosen sample is placed once, whole, and nothing else is; token sums equal the shards'."""
    faults, count = [], 0
    for build in dict.fromkeys(build for build, _ in _finished(lake)):
        parameters = [build, build]
        planned = (
            "WITH p AS (SELECT stage, sample_id, copy, sum(token_end - token_begin) AS n, min(sample_token_begin) AS first, "
            "count(DISTINCT sample_token_begin) = count(*) AS apart FROM placements WHERE build = ? GROUP BY ALL), "
            "q AS (SELECT stage, sample_id, count(*) AS placed, min(copy) AS low, max(copy) AS high, min(n) AS least, max(n) AS most, "
            "max(first) AS first, bool_and(apart) AS apart FROM p GROUP BY ALL) "
            "SELECT coalesce(s.stage, q.stage) AS stage, coalesce(s.sample_id, q.sample_id) AS sample_id FROM "
            "(SELECT stage, sample_id, copies FROM stages WHERE build = ? AND stage IS NOT NULL) s "
            "FULL JOIN q ON q.stage = s.stage AND q.sample_id = s.sample_id LEFT JOIN tokens t ON t.sample_id = s.sample_id "
            "WHERE s.sample_id IS NULL OR q.sample_id IS NULL OR q.placed <> s.copies OR q.low <> 0 OR q.high <> s.copies - 1 "
            "OR q.least <> t.n_tokens + 1 OR q.most <> t.n_tokens + 1 OR q.first <> 0 OR NOT q.apart LIMIT 100"
        )
        wrong = rows(lake.connection, planned, parameters)
        faults += [
            f"{build}: sample {row['sample_id']} is not placed in {row['stage']} as it was chosen" for row in wrong
        ]
        count += rows(
            lake.connection,
            "SELECT coalesce(sum(copies), 0)::BIGINT AS n FROM stages WHERE build = ? AND stage IS NOT NULL",
            [build],
        )[0]["n"]
        sums = rows(
            lake.connection,
            "SELECT stage, shard, sum(token_end - token_begin)::BIGINT AS n FROM placements WHERE build = ? GROUP BY ALL",
            [build],
        )
        by_shard = {(row["stage"], row["shard"]): row["n"] for row in sums}
        for stage in dict.fromkeys(stage for stage, _ in by_shard):
            manifest = read_stage_manifest(lake.lake, build, stage)
            for shard in manifest.shards:
                placed = by_shard.pop((stage, shard.number), 0)
                if placed != shard.tokens or placed + shard.padding != shard.sequences * manifest.context:
                    faults.append(
                        f"{build}/{stage} shard {shard.number}: {placed} tokens placed, {shard.tokens} and {shard.padding} of padding written"
                    )
        faults += [
            f"{build}/{stage} shard {shard} has placements and is not in the manifest" for stage, shard in by_shard
        ]
    return count, faults


def _texts_decode(lake: _Lake) -> _Found:
    """The bytes decoded from a sample's placements equal its text minus its spans."""
    faults, count = [], 0
    for build in dict.fromkeys(build for build, _ in _finished(lake)):
        names = rows(
            lake.connection,
            "SELECT recipe FROM runs WHERE step = 'build' AND contains(operators, ?)",
            [f'"build":"{build}"'],
        )
        vocabulary = load_vocabulary(_vocabulary_name(names))
        for where in lake.snapshot.locate(lake.snapshot.covered("content"), ["spans"]):
            low, high = where.fragment << 24, (where.fragment + 1) << 24
            placed = rows(
                lake.connection,
                "SELECT sample_id, stage, shard, token_begin, token_end, copy FROM placements WHERE build = ? AND sample_id >= ? AND sample_id < ? "
                "ORDER BY sample_id, stage, copy, sample_token_begin",
                [build, low, high],
            )
            if placed:
                expected = _texts(lake, where, {row["sample_id"] for row in placed})
                found, wrong = _compare(lake, build, placed, expected, vocabulary)
                count += found
                faults += wrong
    return count, faults


def _vocabulary_name(found: list[dict[str, Any]]) -> str:
    return str(json.loads(found[0]["recipe"])["vocabulary"]["name"]) if found else "headwater-156k"


def _texts(lake: _Lake, where: FragmentFiles, wanted: set[int]) -> dict[int, bytes]:
    spans = read_sparse(lake.snapshot.uri, where, "spans", ["span_begin", "span_end", "action"])
    texts: dict[int, bytes] = {}
    chosen = pa.array(sorted(wanted), pa.int64())
    for table in read_aligned(lake.snapshot.uri, where, {"content": ["text"]}):
        part = table.filter(pc.is_in(table["sample_id"], chosen)).combine_chunks()
        mine = spans.filter(pc.is_in(spans["sample_id"], part["sample_id"].combine_chunks()))
        row = pa.array(np.searchsorted(part["sample_id"].to_numpy(), mine["sample_id"].to_numpy()).astype(np.int32))
        columns = [mine[name].combine_chunks() for name in ("span_begin", "span_end", "action")]
        if part.num_rows:
            cleaned = apply_spans(part["text"].combine_chunks(), row, *columns)
            texts |= {
                sample: text.encode()
                for sample, text in zip(part["sample_id"].to_pylist(), cleaned.to_pylist(), strict=True)
            }
    return texts


def _compare(
    lake: _Lake, build: str, placed: list[dict[str, Any]], expected: dict[int, bytes], vocabulary: Vocabulary
) -> _Found:
    faults, count, at = [], 0, 0
    while at < len(placed):
        key = tuple(placed[at][name] for name in ("sample_id", "stage", "copy"))
        pieces = []
        while at < len(placed) and tuple(placed[at][name] for name in ("sample_id", "stage", "copy")) == key:
            row = placed[at]
            pieces.append(
                read_tokens(lake.lake, build, row["stage"], row["shard"], row["token_begin"], row["token_end"])
            )
            at += 1
        tokens = np.concatenate(pieces)
        count += 1
        if tokens[-1] != vocabulary.end_of_text or (tokens[:-1] >= vocabulary.n_ids).any():
            faults.append(
                f"{build}: sample {key[0]} in {key[1]} does not end in the end of text, or holds a special token"
            )
        elif decode(tokens[:-1], vocabulary) != expected.get(key[0]):
            faults.append(f"{build}: sample {key[0]} in {key[1]}: the shard's tokens are not its text minus its spans")
    return count, faults


_CHECKS: Final[dict[str, Callable[[_Lake], _Found]]] = {
    "file_hashes": _file_hashes,
    "one_live_file": _one_live_file,
    "families_aligned": _aligned,
    "ids_unique": _ids_unique,
    "content_hashes": _content_hashes,
    "counts_reconcile": _counts_reconcile,
    "runs_known": _runs_known,
    "winners_kept": _winners_kept,
    "shard_files": _shard_files,
    "placed_as_planned": _placed_as_planned,
    "texts_decode": _texts_decode,
}
