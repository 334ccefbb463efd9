"""Trace: from a token in a shard back to the sample, the text around it, and the sample's whole story."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

import duckdb
import numpy as np
import numpy.typing as npt

from headwater.errors import CorruptLakeError, UsageError
from headwater.lineage.questions import rows, why
from headwater.pipelines.recipe_sections import VocabularySettings
from headwater.pipelines.shards import builds_uri, shard_name
from headwater.pipelines.vocabulary_files import find_vocabulary
from headwater.tokenize.encoder import decode
from headwater.tokenize.manifest import Manifest, read_manifest
from headwater.tokenize.token_parquet import read_token_range
from headwater.tokenize.vocabulary import Vocabulary
from headwater.warehouse.filesystem import exists, join, read_bytes, resolve

__all__ = ["build_vocabulary", "read_stage_manifest", "read_tokens", "trace"]

_AROUND_TOKENS: Final = 40
_NPY_HEADER_BYTES: Final = 128


def read_stage_manifest(lake: str, build: str, stage: str) -> Manifest:
    """Return the manifest of one stage of a build.

    Raises:
        UsageError: there is no such build or stage, or it is not finished.
    """
    filesystem, path = resolve(builds_uri(lake, build, stage))
    place = join(path, "manifest.json")
    if exists(filesystem, place) is None:
        raise UsageError(
            f"expected a finished stage {stage!r} of build {build!r}, found no manifest at {place}; "
            "headwater sql LAKE 'SELECT DISTINCT build, stage FROM placements' lists them"
        )
    return read_manifest(read_bytes(filesystem, place), place)


def read_tokens(lake: str, build: str, stage: str, shard: int, begin: int, end: int) -> npt.NDArray[np.uint32]:
    """Return tokens ``begin`` to ``end`` of a shard, from a file of any format that has it."""
    filesystem, path = resolve(builds_uri(lake, build, stage))
    for suffix, offset in ((".bin", 0), (".npy", _NPY_HEADER_BYTES), (".dolma.npy", 0)):
        place = join(path, shard_name(shard) + suffix)
        if exists(filesystem, place) is None:
            continue
        with filesystem.open_input_file(place) as file:
            file.seek(offset + 4 * begin)
            data = file.read(4 * (end - begin))
        if len(data) != 4 * (end - begin):
            raise CorruptLakeError(
                f"expected tokens {begin} to {end} in {place}, found only {len(data) // 4} tokens; run verify, then restore the file"
            )
        return np.frombuffer(data, dtype="<u4")
    place = join(path, shard_name(shard) + ".tokens.parquet")
    if exists(filesystem, place) is None:
        raise CorruptLakeError(f"expected {shard_name(shard)} in {path}, found it in no format; run verify")
    with filesystem.open_input_file(place) as file:
        tokens = read_token_range(file, begin, end)
    if len(tokens) != end - begin:
        raise CorruptLakeError(f"expected tokens {begin} to {end} in {place}, found only {len(tokens)}; run verify")
    return tokens


def build_vocabulary(connection: duckdb.DuckDBPyConnection, lake: str, build: str) -> Vocabulary:
    """Return the vocabulary of a build, by the recipe of the run that wrote it.

    Raises:
        UsageError: it is no longer where the recipe names it.
    """
    found = rows(
        connection,
        "SELECT recipe FROM runs WHERE step = 'build' AND contains(operators, ?) ORDER BY started DESC LIMIT 1",
        [f'"build":"{build}"'],
    )
    name = json.loads(found[0]["recipe"])["vocabulary"]["name"] if found else VocabularySettings().name
    return find_vocabulary(lake, name)


def trace(
    connection: duckdb.DuckDBPyConnection,
    lake: str,
    build: str,
    stage: str,
    shard: int,
    token: int,
    vocabulary_name: str | None = None,
) -> dict[str, Any]:
    """Return the sample that a token belongs to, the text around the token, and the sample's story.

    Args:
        token: 0-based, in the shard; padding belongs to no sample, and the answer says so.
        vocabulary_name: as a recipe names it; by default that of the build's recipe.

    Raises:
        UsageError: no such build, stage, shard or token.
    """
    manifest = read_stage_manifest(lake, build, stage)
    found = [entry for entry in manifest.shards if entry.number == shard]
    if not found:
        raise UsageError(
            f"expected a shard of stage {stage!r} from {_listed([entry.number for entry in manifest.shards])}, found {shard}"
        )
    size = found[0].sequences * manifest.context
    if not 0 <= token < size:
        raise UsageError(f"expected a token from 0 to {size - 1} in {shard_name(shard)}, found {token}")
    place = rows(
        connection,
        "SELECT sample_id, sequence, token_begin, token_end, sample_token_begin, copy FROM placements "
        "WHERE build = ? AND stage = ? AND shard = ? AND token_begin <= ? AND token_end > ?",
        [build, stage, shard, token, token],
    )
    answer: dict[str, Any] = {
        "build": build,
        "stage": stage,
        "shard": shard,
        "token": token,
        "sequence": token // manifest.context,
    }
    named = vocabulary_name is not None
    vocabulary = find_vocabulary(lake, str(vocabulary_name)) if named else build_vocabulary(connection, lake, build)
    if vocabulary.fingerprint != manifest.vocabulary:
        raise UsageError(
            f"expected the vocabulary {manifest.vocabulary} of the build, found {vocabulary.fingerprint}; name it with --vocabulary"
        )
    here = int(read_tokens(lake, build, stage, shard, token, token + 1)[0])
    answer["token_id"] = here
    if not place:
        return answer | {"sample_id": None, "padding": here == manifest.padding_id}
    run = place[0]
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
    return answer | {"story": why(connection, run["sample_id"])}


def _listed(numbers: Sequence[int]) -> str:
    return f"{min(numbers)} to {max(numbers)}" if numbers else "none"
