"""Trace: from a token in a shard back to the sample, the text around it, and the sample's whole story."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from headwater.errors import UsageError
from headwater.lineage.builds import (
    build_vocabulary,
    read_stage_manifest,
    read_tokens,
    shard_name,
    snapshot_then,
    stage_operator,
)
from headwater.lineage.lookup import Lookup
from headwater.lineage.story import why
from headwater.lineage.vocabularies import find_vocabulary
from headwater.plain import JsonObject, Row
from headwater.tokenize.encode.encoder import decode
from headwater.warehouse.fragments import ROW_BITS, fragment_of, operator_digits
from headwater.warehouse.parquet import read_content_row, read_file
from headwater.warehouse.snapshot import Snapshot

__all__ = ["trace"]

_AROUND_TOKENS: Final = 40
_OF_TEXT: Final = ("extractor", "page_kind", "blocks_kept", "blocks_left_out", "bytes_left_out", "left_out")


def trace(
    lookup: Lookup,
    build: str,
    stage: str,
    shard: int,
    token: int,
    vocabulary_name: str | None = None,
) -> JsonObject:
    """Return the sample that a token belongs to, the text around the token, and the sample's story.

    Args:
        token: 0-based, in the shard; padding belongs to no sample, and the answer says so.
        vocabulary_name: as a recipe names it; by default that of the build's recipe.

    Raises:
        UsageError: no such build, stage, shard or token.
    """
    lake = lookup.lake
    manifest = read_stage_manifest(lake, build, stage)
    found = [entry for entry in manifest.shards if entry.number == shard]
    if not found:
        raise UsageError(
            f"expected a shard of stage {stage!r} from {_listed([entry.number for entry in manifest.shards])}, found {shard}"
        )
    size = found[0].sequences * manifest.context
    if not 0 <= token < size:
        raise UsageError(f"expected a token from 0 to {size - 1} in {shard_name(shard)}, found {token}")
    run = _placement(lookup, build, stage, shard, token)
    answer: JsonObject = {
        "build": build,
        "stage": stage,
        "shard": shard,
        "token": token,
        "sequence": token // manifest.context,
    }
    named = vocabulary_name is not None
    vocabulary = (
        find_vocabulary(lake, str(vocabulary_name)) if named else build_vocabulary(lookup.snapshot, lake, build)
    )
    if vocabulary.fingerprint != manifest.vocabulary:
        raise UsageError(
            f"expected the vocabulary {manifest.vocabulary} of the build, found {vocabulary.fingerprint}; name it with --vocabulary"
        )
    here = int(read_tokens(lake, build, stage, shard, token, token + 1)[0])
    answer["token_id"] = here
    if run is None:
        return answer | {"sample_id": None, "padding": here == manifest.padding_id}
    last = run["token_end"]
    begin, end = max(run["token_begin"], token - _AROUND_TOKENS), min(last, token + _AROUND_TOKENS + 1)
    ids = read_tokens(lake, build, stage, shard, begin, end)
    parts = (ids[: token - begin], ids[token - begin : token - begin + 1], ids[token - begin + 1 :])
    before, marked, after = (
        decode(part[part < vocabulary.n_ids], vocabulary).decode(errors="replace") for part in parts
    )
    answer |= {
        "sample_id": run["sample_id"],
        "sample_token": run["sample_token_begin"] + token - run["token_begin"],
        "copy": run["copy"],
        "end_of_text": here == manifest.end_of_text_id,
        "before": before,
        "text": marked,
        "after": after,
    }
    then = _text_then(lookup.snapshot, build, run["sample_id"])
    return answer | ({"text_then": then} if then else {}) | {"story": why(lookup, run["sample_id"])}


def _placement(lookup: Lookup, build: str, stage: str, shard: int, token: int) -> Row | None:
    """Return the run of tokens that a token of a shard lies in, from the one file with the shard's placements; None where it is padding."""
    files = lookup.live.of("placements")
    operator = operator_digits(stage_operator(stage))
    for file in np.flatnonzero(files.base == shard).tolist():
        if (files.batch(file), files.operator(file)) != (build, operator):
            continue
        path = files.path(file)
        for group in range(lookup.reader.groups(path)):
            bounds = lookup.reader.read(path, group, ["token_begin", "token_end"])
            begin, end = bounds["token_begin"].to_numpy(), bounds["token_end"].to_numpy()
            at = np.flatnonzero((begin <= token) & (token < end))
            if len(at):
                found: Row = lookup.reader.read(path, group, _PLACED).slice(int(at[0]), 1).to_pylist()[0]
                return found
    return None


_PLACED: Final = ("sample_id", "sequence", "token_begin", "token_end", "sample_token_begin", "copy")


def _text_then(now: Snapshot, build: str, sample: int) -> JsonObject | None:
    """Return what the text of a sample was when a build was made, where another has taken its place since: hash, length, and whose it was."""
    then = snapshot_then(now, build)
    if then.version == now.version:
        return None
    found = [_text_facts(each, sample) for each in (then, now)]
    return found[0] | {"version": then.version} if found[0] != found[1] else None


def _text_facts(snapshot: Snapshot, sample: int) -> JsonObject:
    """Return hash and length of a sample's text, and what family ``captures`` says of it; an earlier lake's may say nothing."""
    fragment, row = fragment_of(sample), sample & ((1 << ROW_BITS) - 1)
    (where,) = snapshot.locate(np.array([fragment], np.int64), ["captures"])
    found = read_content_row(snapshot.uri, where, row, ["content_hash", "text_bytes"])
    if "captures" in where.files:
        table = pa.concat_tables(read_file(snapshot.uri, where.files["captures"][0], _OF_TEXT))
        found |= table.slice(row, 1).to_pylist()[0]
    return found


def _listed(numbers: Sequence[int]) -> str:
    return f"{min(numbers)} to {max(numbers)}" if numbers else "none"
