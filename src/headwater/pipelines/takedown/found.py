"""What a takedown takes: the samples that were named, copies of them, and near-duplicates above a similarity where it was asked.

A copy has the same text, so it always goes: else the same text would stay, and be refused when it comes again. Near-duplicates are looked for in the
clusters of what was named: these hold every pair that agrees on the recipe's least similarity. What is read of minhash is the fragments of the
clusters' members; hashes and clusters are narrow columns of the whole lake.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headwater.errors import UsageError
from headwater.filters.duplicates.minhash import N_PERMUTATIONS
from headwater.lineage.damaged_files import damage_told
from headwater.lineage.near_samples import near_duplicates
from headwater.lineage.past_runs import newest_ended, read_runs
from headwater.lineage.sample_sets import SampleSet
from headwater.warehouse.fragments import ROW_BITS
from headwater.warehouse.parquet import read_aligned
from headwater.warehouse.snapshot import Snapshot

__all__ = ["Found", "aligned_rows", "cluster_members", "find_samples", "least_agreement"]

_Ids = npt.NDArray[np.int64]
_EMPTY: Final = np.empty(0, np.int64)


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """Samples that go: int64, ascending, no sample twice."""

    named: _Ids
    exact: _Ids
    near: _Ids

    @property
    def all(self) -> _Ids:
        """All of them, ascending."""
        return np.union1d(np.union1d(self.named, self.exact), self.near)


def find_samples(
    snapshot: Snapshot, connection: duckdb.DuckDBPyConnection, named: _Ids, hashes: Sequence[bytes], near: float | None
) -> Found:
    """Return what goes with some samples.

    Args:
        connection: to the same version.
        named: ids.
        hashes: content hashes of texts that were named; samples that have them count as named.
        near: least similarity of near-duplicates that go too, None for none.

    Raises:
        UsageError: ``near`` is below what clusters were made by, so that near-duplicates of that similarity are in none.
    """
    by_hash = _with_hashes(connection, hashes)
    named = np.union1d(named, by_hash)
    exact = np.setdiff1d(_copies(connection, named), named)
    close = _EMPTY
    if near is not None:
        least = least_agreement(snapshot)
        if least is None:
            raise UsageError(
                "--near: expected a lake whose duplicates were clustered, found none: run headwater dedup first"
            )
        wanted = math.ceil(Fraction(repr(near)) * N_PERMUTATIONS)
        if not least <= wanted <= N_PERMUTATIONS:
            raise UsageError(
                f"--near: expected a similarity from {least / N_PERMUTATIONS:g}, by which this lake's clusters were made, to 1, found {near:g}"
            )
        both = np.union1d(named, exact)
        close, _ = near_duplicates(snapshot, SampleSet([both]), wanted / N_PERMUTATIONS)
        close = np.union1d(close, np.setdiff1d(_copies(connection, close), both))
    return Found(named=named, exact=exact, near=np.setdiff1d(close, np.union1d(named, exact)))


def least_agreement(snapshot: Snapshot) -> int | None:
    """Return how many equal values of signatures made the lake's clusters, by its newest run of deduplicate; None without one."""
    run = newest_ended(read_runs(snapshot, "deduplicate"))
    record = None if run is None else run.operators.get("duplicates")
    if not isinstance(record, Mapping):
        return None
    return math.ceil(Fraction(repr(float(record["min_similarity"]))) * N_PERMUTATIONS)


def _ids(connection: duckdb.DuckDBPyConnection, statement: str, **tables: pa.Table) -> _Ids:
    """Return the ids that a query over the views and some tables gives, ascending."""
    for name, table in tables.items():
        connection.register(name, table)
    try:
        with damage_told():
            found = connection.execute(statement).to_arrow_table()
    finally:
        for name in tables:
            connection.unregister(name)
    ids: _Ids = np.unique(found.column(0).to_numpy())
    return ids.astype(np.int64)


def _with_hashes(connection: duckdb.DuckDBPyConnection, hashes: Sequence[bytes]) -> _Ids:
    if not hashes:
        return _EMPTY
    wanted = pa.table({"content_hash": pa.array(hashes, pa.binary())})
    return _ids(connection, "SELECT sample_id FROM content SEMI JOIN wanted USING (content_hash)", wanted=wanted)


def _copies(connection: duckdb.DuckDBPyConnection, samples: _Ids) -> _Ids:
    """Return the samples with the text of one of some, these included; a sample that was taken down before has none."""
    if not len(samples):
        return _EMPTY
    statement = (
        "SELECT sample_id FROM content SEMI JOIN (SELECT DISTINCT content_hash FROM content SEMI JOIN going USING (sample_id) WHERE text_bytes > 0) "
        "USING (content_hash)"
    )
    return _ids(connection, statement, going=pa.table({"sample_id": samples}))


def cluster_members(connection: duckdb.DuckDBPyConnection, samples: _Ids) -> _Ids:
    """Return the members of the clusters of some samples, these included."""
    if not len(samples):
        return _EMPTY
    statement = (
        "SELECT sample_id FROM duplicates SEMI JOIN (SELECT DISTINCT cluster_id FROM duplicates SEMI JOIN going USING (sample_id) "
        "WHERE cluster_id IS NOT NULL) USING (cluster_id)"
    )
    return _ids(connection, statement, going=pa.table({"sample_id": samples}))


def aligned_rows(snapshot: Snapshot, samples: _Ids, columns: Mapping[str, Sequence[str]]) -> pa.Table:
    """Return columns of aligned families of some samples, ascending by ``sample_id``; only their fragments are read.

    A sample whose fragment lacks one of the families is left out.
    """
    parts = []
    fragments = np.unique(samples >> ROW_BITS)
    wanted = pa.array(samples)
    for where in snapshot.locate(fragments, list(columns)):
        if all(family in where.files for family in columns):
            for table in read_aligned(snapshot.uri, where, columns):
                parts.append(table.filter(pc.is_in(table["sample_id"], wanted)))  # noqa: PERF401 - two loops read better
    if not parts:
        return pa.table({"sample_id": pa.array([], pa.int64())})
    return pa.concat_tables(parts)
