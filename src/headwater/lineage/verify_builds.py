"""Verify, the part about builds: shards are whole, hold what was chosen, and decode to the samples' texts.

A build is held against the version of the table that it was made from, which maintenance keeps.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import fs as pafs

from headwater.errors import UsageError
from headwater.filters.spans.find import SPAN_COLUMNS, without_spans
from headwater.lineage.builds import (
    LakeView,
    build_vocabulary,
    builds_uri,
    read_stage_manifest,
    read_tokens,
    shard_name,
    snapshot_then,
)
from headwater.lineage.past_runs import ended_builds
from headwater.lineage.questions import rows
from headwater.tokenize.encode.encoder import decode
from headwater.tokenize.forms.load import Vocabulary
from headwater.tokenize.shards.manifest import Manifest, check_files, write_shard
from headwater.warehouse.filesystem import exists, filesystem_of, join, read_bytes
from headwater.warehouse.fragments import first_id
from headwater.warehouse.parquet import FragmentFiles, read_aligned, read_file, read_sparse
from headwater.warehouse.schema import arrow_schema

__all__ = ["Found", "finished_stages", "placed_as_planned", "shard_files", "texts_decode"]


Found = tuple[int, list[str]]
"""On how many things a check was tried, and what was found wrong."""


def finished_stages(lake: LakeView) -> list[tuple[str, str]]:
    """Return (build, stage) of all that has placements or was chosen for a build that ended, or of the build that was asked for."""
    found = rows(lake.connection, "SELECT DISTINCT build, stage FROM placements")
    found += rows(
        lake.connection,
        "SELECT DISTINCT build, stage FROM stages WHERE stage IS NOT NULL AND list_contains(?, build)",
        [ended_builds(lake.snapshot)],
    )
    named = sorted({(str(row["build"]), str(row["stage"])) for row in found})
    chosen = [(build, stage) for build, stage in named if lake.build in (None, build)]
    if lake.build is not None and not chosen:
        raise UsageError(f"expected a build {lake.build!r} with shards, found none")
    return chosen


def shard_files(lake: LakeView) -> Found:
    """Every file of every shard has the size and SHA-256 of its manifest, and the record beside it says the same."""
    faults, count = [], 0
    for build, stage in finished_stages(lake):
        manifest = read_stage_manifest(lake.lake, build, stage)
        filesystem, path = filesystem_of(builds_uri(lake.lake, build, stage))
        damaged = check_files(manifest, partial(_open_beside, filesystem, path))
        count += sum(len(shard.files) for shard in manifest.shards)
        faults += [f"{build}/{stage}/{name}: {fault}" for name, fault in damaged.items()]
        for shard in manifest.shards:
            record = f"{shard_name(shard.number)}.json"
            size = exists(filesystem, join(path, record))
            if size is None or read_bytes(filesystem, join(path, record)) != write_shard(shard):
                faults.append(
                    f"{build}/{stage}/{record}: " + ("missing" if size is None else "differs from the manifest")
                )
    return count, faults


def _open_beside(filesystem: pafs.FileSystem, folder: str, name: str) -> Any:
    return filesystem.open_input_stream(join(folder, name), compression=None)  # else a .gz is read unpacked


def _token_counts(lake: LakeView, build: str) -> pa.RecordBatchReader:
    """Return sample_id and n_tokens as the build read them, a row group at a time."""
    then = snapshot_then(lake.snapshot, build)
    columns = ["sample_id", "n_tokens"]
    schema = pa.schema([arrow_schema("tokens").field(name) for name in columns])
    tables = (table for path in then.paths("tokens") for table in read_file(then.uri, path, columns))
    batches = (batch for table in tables for batch in table.cast(schema).to_batches())
    return pa.RecordBatchReader.from_batches(schema, batches)


def placed_as_planned(lake: LakeView) -> Found:
    """Every copy of every chosen sample is placed once, whole, and nothing else is; token sums equal the shards'."""
    faults, count = [], 0
    for build in dict.fromkeys(build for build, _ in finished_stages(lake)):
        manifests = {stage: read_stage_manifest(lake.lake, build, stage) for stage in _stages_of(lake, build)}
        extra = _by_stage({stage: manifest.special_tokens for stage, manifest in manifests.items()})
        first = _by_stage({stage: -int(manifest.beginning_of_text) for stage, manifest in manifests.items()})
        parameters = [build, build]
        lake.connection.register("tokens_then", _token_counts(lake, build))
        planned = (
            "WITH p AS (SELECT stage, sample_id, copy, sum(token_end - token_begin) AS n, min(sample_token_begin) AS first, "
            "count(DISTINCT sample_token_begin) = count(*) AS apart FROM placements WHERE build = ? GROUP BY ALL), "
            "q AS (SELECT stage, sample_id, count(*) AS placed, min(copy) AS low, max(copy) AS high, min(n) AS least, max(n) AS most, "
            "max(first) AS first, bool_and(apart) AS apart FROM p GROUP BY ALL) "
            "SELECT coalesce(s.stage, q.stage) AS stage, coalesce(s.sample_id, q.sample_id) AS sample_id FROM "
            "(SELECT stage, sample_id, copies FROM stages WHERE build = ? AND stage IS NOT NULL) s "
            "FULL JOIN q ON q.stage = s.stage AND q.sample_id = s.sample_id LEFT JOIN tokens_then t ON t.sample_id = s.sample_id "
            "WHERE s.sample_id IS NULL OR q.sample_id IS NULL OR q.placed <> s.copies OR q.low <> 0 OR q.high <> s.copies - 1 "
            f"OR q.least <> t.n_tokens + {extra} OR q.most <> t.n_tokens + {extra} OR q.first <> {first} OR NOT q.apart LIMIT 100"
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


def _stages_of(lake: LakeView, build: str) -> list[str]:
    return [stage for of, stage in finished_stages(lake) if of == build]


def _by_stage(numbers: dict[str, int]) -> str:
    """Return an SQL expression: the number of the stage ``s.stage``, whose name was checked when its recipe was read."""
    return "CASE s.stage" + "".join(f" WHEN '{stage}' THEN {number}" for stage, number in numbers.items()) + " END"


def texts_decode(lake: LakeView) -> Found:
    """The bytes decoded from a sample's placements equal its text minus its spans."""
    faults, count = [], 0
    for build in dict.fromkeys(build for build, _ in finished_stages(lake)):
        vocabulary = build_vocabulary(lake.snapshot, lake.lake, build)
        manifests = {stage: read_stage_manifest(lake.lake, build, stage) for stage in _stages_of(lake, build)}
        then = snapshot_then(lake.snapshot, build)
        for where in then.locate(then.covered("content"), ["spans"]):
            low, high = first_id(where.fragment), first_id(where.fragment + 1)
            placed = rows(
                lake.connection,
                "SELECT sample_id, stage, shard, token_begin, token_end, copy FROM placements WHERE build = ? AND sample_id >= ? AND sample_id < ? "
                "ORDER BY sample_id, stage, copy, sample_token_begin",
                [build, low, high],
            )
            if placed:
                expected = _texts(lake, where, {row["sample_id"] for row in placed})
                found, wrong = _compare(lake, build, placed, expected, vocabulary, manifests)
                count += found
                faults += wrong
    return count, faults


def _texts(lake: LakeView, where: FragmentFiles, wanted: set[int]) -> dict[int, bytes]:
    spans = read_sparse(lake.snapshot.uri, where, "spans", SPAN_COLUMNS)
    texts: dict[int, bytes] = {}
    chosen = pa.array(sorted(wanted), pa.int64())
    for table in read_aligned(lake.snapshot.uri, where, {"content": ["text"]}):
        part = table.filter(pc.is_in(table["sample_id"], chosen)).combine_chunks()
        if part.num_rows:
            cleaned = without_spans(part, spans)
            texts |= {
                sample: text.encode()
                for sample, text in zip(part["sample_id"].to_pylist(), cleaned.to_pylist(), strict=True)
            }
    return texts


def _compare(
    lake: LakeView,
    build: str,
    placed: list[dict[str, Any]],
    expected: dict[int, bytes],
    vocabulary: Vocabulary,
    manifests: dict[str, Manifest],
) -> Found:
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
        manifest = manifests[key[1]]
        begin, end = int(manifest.beginning_of_text), len(tokens) - int(manifest.end_of_text)
        own = tokens[begin:end]
        specials = [manifest.beginning_of_text_id] * begin + [manifest.end_of_text_id] * (len(tokens) - end)
        if [*tokens[:begin].tolist(), *tokens[end:].tolist()] != specials or (own >= vocabulary.n_ids).any():
            faults.append(
                f"{build}: sample {key[0]} in {key[1]} does not begin and end as its stage does, or holds a special token"
            )
        elif decode(own, vocabulary) != expected.get(key[0]):
            faults.append(f"{build}: sample {key[0]} in {key[1]}: the shard's tokens are not its text minus its spans")
    return count, faults
