"""Verify, the part about builds: shards are whole, hold what was chosen, and decode to the samples' texts.

A build is held against the version of the table that it was made from, which maintenance keeps.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from functools import partial
from operator import itemgetter
from typing import BinaryIO, Final, cast

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
from headwater.plain import ValuesByName
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


def _open_beside(filesystem: pafs.FileSystem, folder: str, name: str) -> BinaryIO:
    return cast(
        BinaryIO, filesystem.open_input_stream(join(folder, name), compression=None)
    )  # else a .gz is read unpacked


def _token_counts(lake: LakeView, build: str) -> pa.RecordBatchReader:
    """Return sample_id and n_tokens as the build read them, a row group at a time."""
    then = snapshot_then(lake.snapshot, build)
    columns = ["sample_id", "n_tokens"]
    schema = pa.schema([arrow_schema("tokens").field(name) for name in columns])
    tables = (table for path in then.paths("tokens") for table in read_file(then.uri, path, columns))
    batches = (batch for table in tables for batch in table.cast(schema).to_batches())
    return pa.RecordBatchReader.from_batches(schema, batches)


_PLANNED: Final = """
WITH runs_of_copies AS (
    SELECT stage, sample_id, copy, sum(token_end - token_begin) AS n, min(sample_token_begin) AS first,
        count(DISTINCT sample_token_begin) = count(*) AS apart
    FROM placements WHERE build = $build GROUP BY ALL
), placed AS (
    SELECT stage, sample_id, count(*) AS copies, min(copy) AS low, max(copy) AS high, min(n) AS least, max(n) AS most, max(first) AS first,
        bool_and(apart) AS apart
    FROM runs_of_copies GROUP BY ALL
), chosen AS (
    SELECT stage, sample_id, copies FROM stages WHERE build = $build AND stage IS NOT NULL
)
SELECT coalesce(c.stage, p.stage) AS stage, coalesce(c.sample_id, p.sample_id) AS sample_id
FROM chosen c FULL JOIN placed p ON p.stage = c.stage AND p.sample_id = c.sample_id
LEFT JOIN tokens_then t ON t.sample_id = c.sample_id LEFT JOIN stages_then s ON s.stage = c.stage
WHERE c.sample_id IS NULL OR p.sample_id IS NULL OR p.copies <> c.copies OR p.low <> 0 OR p.high <> c.copies - 1
    OR p.least <> t.n_tokens + s.special OR p.most <> t.n_tokens + s.special OR p.first <> s.first OR NOT p.apart
LIMIT 100
"""
"""Samples that are not placed as they were chosen: each copy once, whole, from its beginning, with the tokens that its stage adds."""


def placed_as_planned(lake: LakeView) -> Found:
    """Every copy of every chosen sample is placed once, whole, and nothing else is; token sums equal the shards'."""
    faults, count = [], 0
    for build in dict.fromkeys(build for build, _ in finished_stages(lake)):
        lake.connection.register("tokens_then", _token_counts(lake, build))
        lake.connection.register("stages_then", _stage_settings(lake, build))
        faults += [
            f"{build}: sample {row['sample_id']} is not placed in {row['stage']} as it was chosen"
            for row in rows(lake.connection, _PLANNED, {"build": build})
        ]
        count += rows(
            lake.connection,
            "SELECT coalesce(sum(copies), 0)::BIGINT AS n FROM stages WHERE build = ? AND stage IS NOT NULL",
            [build],
        )[0]["n"]
        faults += _shard_sums(lake, build)
    return count, faults


def _stage_settings(lake: LakeView, build: str) -> pa.Table:
    """Return for each stage of a build the tokens that it adds to a document, and where a document's first run begins among its own tokens."""
    manifests = {stage: read_stage_manifest(lake.lake, build, stage) for stage in _stages_of(lake, build)}
    return pa.table(
        {
            "stage": pa.array(manifests, pa.string()),
            "special": pa.array([manifest.special_tokens for manifest in manifests.values()], pa.int64()),
            "first": pa.array([-int(manifest.beginning_of_text) for manifest in manifests.values()], pa.int64()),
        }
    )


def _shard_sums(lake: LakeView, build: str) -> list[str]:
    """Return the shards whose placements do not sum to what their manifest says."""
    faults = []
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
    return faults + [
        f"{build}/{stage} shard {shard} has placements and is not in the manifest" for stage, shard in by_shard
    ]


def _stages_of(lake: LakeView, build: str) -> list[str]:
    return [stage for of, stage in finished_stages(lake) if of == build]


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
    placed: Sequence[ValuesByName],
    expected: Mapping[int, bytes],
    vocabulary: Vocabulary,
    manifests: Mapping[str, Manifest],
) -> Found:
    """Decode every copy of some samples.

    Args:
        placed: runs of tokens, those of a copy one after the other and in order.
        expected: text of each sample without its spans.
    """
    faults, count = [], 0
    for (sample, stage, _), runs in itertools.groupby(placed, itemgetter("sample_id", "stage", "copy")):
        places = [(row["shard"], row["token_begin"], row["token_end"]) for row in runs]
        tokens = np.concatenate([read_tokens(lake.lake, build, stage, *place) for place in places])
        count += 1
        manifest = manifests[stage]
        begin, end = int(manifest.beginning_of_text), len(tokens) - int(manifest.end_of_text)
        own = tokens[begin:end]
        specials = [manifest.beginning_of_text_id] * begin + [manifest.end_of_text_id] * (len(tokens) - end)
        if [*tokens[:begin].tolist(), *tokens[end:].tolist()] != specials or (own >= vocabulary.n_ids).any():
            faults.append(
                f"{build}: sample {sample} in {stage} does not begin and end as its stage does, or holds a special token"
            )
        elif decode(own, vocabulary) != expected.get(sample):
            faults.append(f"{build}: sample {sample} in {stage}: the shard's tokens are not its text minus its spans")
    return count, faults
