"""Tokens of each stage of a build by language, from the selection: what the shares of an impact are shares of."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headwater.arrays import Int64s
from headwater.lineage.builds import snapshot_then
from headwater.lineage.sample_sets import in_threads
from headwater.warehouse.filesystem import exists, filesystem_of, join
from headwater.warehouse.fragments import first_id
from headwater.warehouse.parquet import FragmentFiles, read_aligned, read_sparse
from headwater.warehouse.snapshot import Snapshot

__all__ = ["UNDETERMINED", "code_names", "language_tokens"]

UNDETERMINED = "und"
"""Language of samples that have none yet."""


def code_names(column: pa.ChunkedArray, names: dict[str, int], missing: str = UNDETERMINED) -> Int64s:
    """Return the number of each value, int64; a value not seen before gets the next one.

    Args:
        names: value → number; it grows.
        missing: stands for null.

    >>> names = {"en": 0}
    >>> code_names(pa.chunked_array([["de", "en", None]]), names).tolist(), names
    ([1, 0, 2], {'en': 0, 'de': 1, 'und': 2})
    """
    encoded = column.unify_dictionaries() if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    array = encoded.combine_chunks()
    indices = array.indices.fill_null(len(array.dictionary)).to_numpy()
    listed = array.dictionary.to_pylist()
    # What a dictionary names and no row has, gets no number.
    used = np.bincount(indices, minlength=len(listed) + 1) > 0
    numbers = [
        names.setdefault(missing if name is None else name, len(names)) if there else 0
        for name, there in zip([*listed, None], used.tolist(), strict=True)
    ]
    coded: Int64s = np.array(numbers, np.int64)[indices]
    return coded


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
