"""Tokens of each stage of a build by language, from the selection: what the shares of an impact are shares of."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from functools import partial
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headwater.arrays import Int64s
from headwater.lineage.builds import snapshot_then
from headwater.lineage.coded_names import code_names
from headwater.lineage.sample_sets import in_threads
from headwater.warehouse.filesystem import exists, filesystem_of, join
from headwater.warehouse.fragments import first_id
from headwater.warehouse.parquet import FragmentFiles, read_aligned, read_sparse
from headwater.warehouse.snapshot import Snapshot

__all__ = ["language_tokens"]

_MOST_KEPT: Final = 32
_ADDED_UP: Final[OrderedDict[tuple[str, int], dict[str, dict[str, int]]]] = OrderedDict()
"""Answers of this process, some kilobytes each: all fragments of a build are read for one."""


def language_tokens(snapshot: Snapshot, build: str, special: Mapping[str, int]) -> dict[str, dict[str, int]] | None:
    """Return stage → language → tokens of all copies, beginnings and ends of text included.

    Token counts are those of the version that the build was made from; None where its files are gone.

    Args:
        special: stage → tokens that a document takes besides its own.
    """
    then = snapshot_then(snapshot, build)
    fragments = snapshot.covered("stages", batch=build)
    if not _stands(then) or len(np.setdiff1d(fragments, then.covered("tokens"))):
        return None
    # The name of a file has its hash, so what was added up of the same files is the same.
    files = (*snapshot.paths("stages", build), *snapshot.paths("language"), *then.paths("tokens"))
    key = (snapshot.uri, hash((build, files, tuple(sorted(special.items())))))
    if key not in _ADDED_UP:
        while len(_ADDED_UP) >= _MOST_KEPT:
            _ADDED_UP.popitem(last=False)
        _ADDED_UP[key] = _add_up(snapshot, then, build, special, fragments)
    return _ADDED_UP[key]


def _add_up(
    snapshot: Snapshot, then: Snapshot, build: str, special: Mapping[str, int], fragments: Int64s
) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    tokens_at = then.locate(fragments, ["tokens"])
    located = zip(snapshot.locate(fragments, ["stages", "language"], build), tokens_at, strict=True)
    for part in in_threads(partial(_of_fragment, snapshot, then, special), located):
        for (stage, language), tokens in part.items():
            mine = found.setdefault(stage, {})
            mine[language] = mine.get(language, 0) + tokens
    return found


def _of_fragment(
    snapshot: Snapshot, then: Snapshot, special: Mapping[str, int], located: tuple[FragmentFiles, FragmentFiles]
) -> dict[tuple[str, str], int]:
    """Return (stage, language) → tokens of a fragment."""
    where, where_tokens = located
    stages: dict[str, int] = {}
    languages: dict[str, int] = {}
    rows = read_sparse(snapshot.uri, where, "stages", ["stage", "copies"], ["stage"])
    if rows["stage"].null_count:
        rows = rows.filter(pc.is_valid(rows["stage"]))
    at = rows["sample_id"].to_numpy() - first_id(where.fragment)
    stage = code_names(rows["stage"], stages)
    language = code_names(_column(snapshot, where, "language", "language"), languages)[at]
    n_tokens = _column(then, where_tokens, "tokens", "n_tokens").fill_null(0).to_numpy()[at]
    extra = np.array([special.get(name, 1) for name in stages] or [0])
    weights = rows["copies"].to_numpy() * (n_tokens + extra[stage])
    # Exact as long as a fragment has fewer than 2^53 tokens.
    sums = np.bincount(stage * len(languages) + language, weights, len(stages) * len(languages)).astype(np.int64)
    return {
        (name, key): int(sums[number * len(languages) + code])
        for name, number in stages.items()
        for key, code in languages.items()
    }


def _column(snapshot: Snapshot, where: FragmentFiles, family: str, column: str) -> pa.ChunkedArray:
    tables = read_aligned(snapshot.uri, where, {family: [column]}, [column] if column == "language" else [])
    return pa.concat_tables(tables)[column]


def _stands(then: Snapshot) -> bool:
    """Return whether the files of token counts of an older version are still there."""
    filesystem, root = filesystem_of(then.uri)
    return all(exists(filesystem, join(root, path)) is not None for path in then.paths("tokens"))
