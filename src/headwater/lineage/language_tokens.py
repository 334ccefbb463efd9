"""Tokens of each stage of a build by language, from the selection: what the shares of an impact are shares of."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headwater.arrays import Int64s
from headwater.lineage.builds import snapshot_then
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
    encoded = pc.fill_null(column.cast(pa.string()), missing).combine_chunks().dictionary_encode()
    numbers = np.array([names.setdefault(name, len(names)) for name in encoded.dictionary.to_pylist()], np.int64)
    coded: Int64s = numbers[encoded.indices.to_numpy()] if len(encoded) else np.empty(0, np.int64)
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
    for where, where_tokens in zip(snapshot.locate(fragments, ["stages", "language"], build), tokens_at, strict=True):
        stages, languages = {}, {}
        rows = read_sparse(snapshot.uri, where, "stages", ["stage", "copies"], ["stage"])
        rows = rows.filter(pc.is_valid(rows["stage"]))
        at = rows["sample_id"].to_numpy() - first_id(where.fragment)
        stage = code_names(rows["stage"], stages)
        language = code_names(_column(snapshot, where, "language", "language"), languages)[at]
        n_tokens = _column(then, where_tokens, "tokens", "n_tokens").to_numpy()[at]
        extra = np.array([special.get(name, 1) for name in stages] or [0])
        weights = rows["copies"].to_numpy() * (n_tokens + extra[stage])
        sums = np.zeros((len(stages), len(languages)), np.int64)
        np.add.at(sums, (stage, language), weights)
        for name, number in stages.items():
            mine = found.setdefault(name, {})
            for key, code in languages.items():
                mine[key] = mine.get(key, 0) + int(sums[number, code])
    return found


def _column(snapshot: Snapshot, where: FragmentFiles, family: str, column: str) -> pa.ChunkedArray:
    tables = read_aligned(snapshot.uri, where, {family: [column]}, [column] if column == "language" else [])
    return pa.concat_tables(tables)[column]


def _stands(then: Snapshot) -> bool:
    """Return whether the files of token counts of an older version are still there."""
    filesystem, root = filesystem_of(then.uri)
    return all(exists(filesystem, join(root, path)) is not None for path in then.paths("tokens"))
