"""Verify, the part about builds: shards are whole, hold what was chosen, and decode to the samples' texts.

A build is held against the version of the table that it was made from, which maintenance keeps.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from operator import itemgetter
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headwater.errors import HeadwaterError, StoreError
from headwater.filters.spans.find import SPAN_COLUMNS, without_spans
from headwater.filters.spans.policy import Policy
from headwater.lineage.build_records import PROVENANCE, provenance_bytes, recorded_files, recorded_root
from headwater.lineage.builds import (
    LakeView,
    build_policy,
    build_vocabulary,
    builds_uri,
    read_stage_manifest,
    read_tokens,
    snapshot_then,
)
from headwater.lineage.checks.found import Found
from headwater.lineage.checks.pieces import Each, in_turn, shard_pieces, summed
from headwater.lineage.checks.stages import finished_stages
from headwater.lineage.past_runs import runs_of
from headwater.lineage.questions import rows
from headwater.plain import ValuesByName
from headwater.tokenize.encode.encoder import decode
from headwater.tokenize.forms.load import Vocabulary
from headwater.tokenize.shards.manifest import (
    MANIFEST,
    Manifest,
    read_manifest,
    root_of,
    write_manifest,
)
from headwater.tokenize.shards.roots import ROOT
from headwater.warehouse.filesystem import exists, filesystem_of, join, read_bytes
from headwater.warehouse.fragments import first_id
from headwater.warehouse.parquet import FragmentFiles, read_aligned, read_file, read_sparse
from headwater.warehouse.schema import arrow_schema

__all__ = ["build_records", "build_roots", "placed_as_planned", "shard_files", "texts_decode"]


def _manifests(lake: LakeView, build: str | None = None) -> tuple[dict[tuple[str, str], Manifest], list[str]]:
    """Return the manifests of the finished stages, of one build if given, and what is wrong with those that cannot be read."""
    found: dict[tuple[str, str], Manifest] = {}
    faults = []
    for of, stage in finished_stages(lake):
        if build in (None, of):
            try:
                found[of, stage] = read_stage_manifest(lake.lake, of, stage)
            except StoreError:
                raise
            except HeadwaterError:
                faults.append(f"{of}/{stage}/manifest.json: missing, or no manifest")
    return found, faults


def shard_files(lake: LakeView, each: Each = in_turn) -> Found:
    """Every file of every shard has the size and SHA-256 of its manifest, and the record beside it says the same."""
    manifests, faults = _manifests(lake)
    count, damaged = summed(each(shard_pieces(lake.lake, manifests)))
    return count, [*faults, *damaged]


def build_records(lake: LakeView) -> Found:
    """The manifest and the record of origins of every stage are byte for byte what the run that built it recorded."""
    faults = []
    stages = finished_stages(lake)
    for build, stage in stages:
        filesystem, path = filesystem_of(builds_uri(lake.lake, build, stage))
        recorded = recorded_files(lake.snapshot, build, stage)
        for name in (MANIFEST, PROVENANCE):
            place = join(path, name)
            if exists(filesystem, place) is None:
                faults.append(f"{build}/{stage}/{name}: missing")
                continue
            data = read_bytes(filesystem, place)
            if recorded is not None:
                if sha256(data).hexdigest() != recorded[name]:
                    faults.append(f"{build}/{stage}/{name}: has not the SHA-256 that its build recorded")
            elif not _plausible(lake, build, stage, name, data):
                faults.append(f"{build}/{stage}/{name}: does not fit the build that it is of")
    return 2 * len(stages), faults


def build_roots(lake: LakeView) -> Found:
    """The root of every stage is that of its shards' files, and that of a build, in `root.json`, that of its stages' manifests."""
    manifests, faults = _manifests(lake)
    faults += [
        f"{build}/{stage}/{MANIFEST}: expected root {root_of(manifest.shards)} of its shards, found {manifest.root}"
        for (build, stage), manifest in manifests.items()
        if manifest.root is not None and manifest.root != root_of(manifest.shards)
    ]
    builds = dict.fromkeys(build for build, _ in finished_stages(lake))
    for build in builds:
        expected = recorded_root(lake.snapshot, build)
        filesystem, path = filesystem_of(join(builds_uri(lake.lake, build), ROOT))
        if expected is None:
            continue  # an earlier release built it, without one
        if exists(filesystem, path) is None:
            faults.append(f"{build}/{ROOT}: missing")
        elif read_bytes(filesystem, path) != expected:
            faults.append(f"{build}/{ROOT}: is not the root of the manifests that the build recorded")
    return len(manifests) + len(builds), faults


def _plausible(lake: LakeView, build: str, stage: str, name: str, data: bytes) -> bool:
    """Return whether a record of a build that an earlier release made, and of which no hash is known, fits what is known."""
    try:
        if name == MANIFEST:
            manifest = read_manifest(data)
            totals = ("sequences", "tokens", "padding", "documents", "cut_documents", "cut_tokens", "full_sequences")
            sums = {total: sum(getattr(shard, total) for shard in manifest.shards) for total in totals}
            return write_manifest(manifest) == data and all(getattr(manifest, total) == sums[total] for total in totals)
        told = json.loads(data)
        run = runs_of(lake.snapshot, "build", build)[-1]
        return (
            data == provenance_bytes(told)
            and (told["build"], told["stage"], told["input_version"]) == (build, stage, run.input_version)
            and run.run_id in told["runs"]["build"]
        )
    except StoreError:
        raise
    except (HeadwaterError, ValueError, KeyError, TypeError, IndexError, RecursionError):
        return False


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
        manifests, unreadable = _manifests(lake, build)
        faults += unreadable
        if unreadable:
            continue
        lake.connection.register("tokens_then", _token_counts(lake, build))
        lake.connection.register(
            "stages_then", _stage_settings({stage: each for (_, stage), each in manifests.items()})
        )
        faults += [
            f"{build}: sample {row['sample_id']} is not placed in {row['stage']} as it was chosen"
            for row in rows(lake.connection, _PLANNED, {"build": build})
        ]
        count += rows(
            lake.connection,
            "SELECT coalesce(sum(copies), 0)::BIGINT AS n FROM stages WHERE build = ? AND stage IS NOT NULL",
            [build],
        )[0]["n"]
        faults += _shard_sums(lake, build, manifests)
    return count, faults


def _stage_settings(manifests: Mapping[str, Manifest]) -> pa.Table:
    """Return for each stage of a build the tokens that it adds to a document, and where a document's first run begins among its own tokens."""
    return pa.table(
        {
            "stage": pa.array(manifests, pa.string()),
            "special": pa.array([manifest.special_tokens for manifest in manifests.values()], pa.int64()),
            "first": pa.array([-int(manifest.beginning_of_text) for manifest in manifests.values()], pa.int64()),
        }
    )


def _shard_sums(lake: LakeView, build: str, manifests: Mapping[tuple[str, str], Manifest]) -> list[str]:
    """Return the shards whose placements do not sum to what their manifest says."""
    faults = []
    sums = rows(
        lake.connection,
        "SELECT stage, shard, sum(token_end - token_begin)::BIGINT AS n FROM placements WHERE build = ? GROUP BY ALL",
        [build],
    )
    by_shard = {(row["stage"], row["shard"]): row["n"] for row in sums}
    for stage in dict.fromkeys(stage for stage, _ in by_shard):
        manifest = manifests[build, stage]
        for shard in manifest.shards:
            placed = by_shard.pop((stage, shard.number), 0)
            if placed != shard.tokens or placed + shard.padding != shard.sequences * manifest.context:
                faults.append(
                    f"{build}/{stage} shard {shard.number}: {placed} tokens placed, {shard.tokens} and {shard.padding} of padding written"
                )
    return faults + [
        f"{build}/{stage} shard {shard} has placements and is not in the manifest" for stage, shard in by_shard
    ]


def texts_decode(lake: LakeView) -> Found:
    """The bytes decoded from a sample's placements equal its text minus its spans."""
    faults, count = [], 0
    for build in dict.fromkeys(build for build, _ in finished_stages(lake)):
        of_build, unreadable = _manifests(lake, build)
        faults += unreadable
        if unreadable:
            continue
        manifests = {stage: each for (_, stage), each in of_build.items()}
        try:
            vocabulary = build_vocabulary(lake.snapshot, lake.lake, build)
        except StoreError:
            raise
        except HeadwaterError as error:
            faults.append(f"{build}: {error}")
            continue
        then = snapshot_then(lake.snapshot, build)
        policy = build_policy(lake.snapshot, build)
        for where in then.locate(lake.read_again(then.covered("content")), ["spans"]):
            low, high = first_id(where.fragment), first_id(where.fragment + 1)
            placed = rows(
                lake.connection,
                "SELECT sample_id, stage, shard, token_begin, token_end, copy FROM placements WHERE build = ? AND sample_id >= ? AND sample_id < ? "
                "ORDER BY sample_id, stage, copy, sample_token_begin",
                [build, low, high],
            )
            if placed:
                expected = _texts(lake, where, {row["sample_id"] for row in placed}, policy)
                found, wrong = _compare(lake, build, placed, expected, vocabulary, manifests)
                count += found
                faults += wrong
    return count, faults


def _texts(lake: LakeView, where: FragmentFiles, wanted: set[int], policy: Policy) -> dict[int, bytes]:
    spans = read_sparse(lake.snapshot.uri, where, "spans", SPAN_COLUMNS)
    texts: dict[int, bytes] = {}
    chosen = pa.array(sorted(wanted), pa.int64())
    for table in read_aligned(lake.snapshot.uri, where, {"content": ["text"]}):
        part = table.filter(pc.is_in(table["sample_id"], chosen)).combine_chunks()
        if part.num_rows:
            cleaned = without_spans(part, spans, policy)
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
