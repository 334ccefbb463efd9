"""Which documents train a vocabulary: chosen cell by cell (language and domain) by a hash of their text, from narrow columns.

A document's *key* is a 64-bit hash of (seed, content_hash); a cell takes its documents up to a cut of the key at which the bytes that it was
asked for are reached. So the choice depends on the texts alone, and a lake of any size is sampled by a few hundred cuts.

Cost: three passes over narrow columns. Loses: nothing; a cut falls on a 2048th of twice the bytes asked for, or on a document.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headwater.errors import ReconciliationError, UsageError
from headwater.filters.rules.predicates import check_predicate, predicate_connection
from headwater.hashes import bytes_of_hashes, mix_hashes
from headwater.pipelines.recipe.vocabulary import SAMPLE_COLUMNS, SampleSettings
from headwater.pipelines.spark.aligned import fragment_rows
from headwater.pipelines.vocabulary.targets import TextCell, sample_targets
from headwater.warehouse.columns import family_columns
from headwater.warehouse.parquet import FragmentFiles
from headwater.warehouse.snapshot import Snapshot

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

__all__ = ["Sample", "choose_sample", "chosen_ids", "locate_samples", "plan_sample"]

_SALT: Final = 0x766F6361
"""Stands where a position has its origin: the order of a build's documents says nothing of who trains."""
_BINS: Final = 2048
_LAST: Final = 2**64 - 1
_NEEDED: Final = ("text_bytes", "content_hash", "origin", "language", "domain")
_STEPS: Final = {"verdicts": "decide"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """What every task of a training knows of the choice.

    Attributes:
        where: SQL that a sample must pass.
        columns: family → columns that are read to choose.
        distinct: whether no two samples that pass ``where`` have the same text.
        limits: cell → largest key that is looked at; None looks at all.
        cuts: cell → largest key that is taken; a cell without one is not taken.
    """

    settings: SampleSettings
    where: str
    columns: Mapping[str, Sequence[str]]
    distinct: bool
    limits: Mapping[TextCell, int] | None = None
    cuts: Mapping[TextCell, int] = field(default_factory=dict)


def plan_sample(snapshot: Snapshot, settings: SampleSettings) -> Sample:
    """Return how a lake is sampled: what is read, and whether only what was kept is taken.

    Raises:
        UsageError: samples that were not annotated, or that lack verdicts while others have them.
    """
    content = snapshot.covered("content")
    if len(content) == 0:
        raise UsageError("expected samples to train on, found none in this lake; run ingest first")
    where = settings.where
    if where is None:
        decided = len(np.intersect1d(content, snapshot.covered("verdicts")))
        if 0 < decided < len(content):
            raise UsageError(
                f"expected verdicts for all {len(content)} fragments or for none, found {decided} decided; run decide first, or say in the "
                "recipe which samples train: [sample] where"
            )
        where = "kept" if decided else "TRUE"
    names = dict.fromkeys([*_NEEDED, *check_predicate(where, SAMPLE_COLUMNS, "where")])
    columns = family_columns(names)
    for family in columns:
        missing = np.setdiff1d(content, snapshot.covered(family))
        if len(missing):
            raise UsageError(
                f"expected family {family} of every sample, found {len(missing)} of {len(content)} fragments without; "
                f"run {_STEPS.get(family, 'annotate')} first"
            )
    return Sample(settings=settings, where=where, columns=columns, distinct=where == "kept")


def locate_samples(snapshot: Snapshot, sample: Sample) -> list[FragmentFiles]:
    """Return where the lake's fragments lie: what is read to choose, and the spans that are left out."""
    return list(snapshot.locate(snapshot.covered("content"), [*sample.columns, "spans"]))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Rows:
    """The samples of a fragment that pass ``where``: cell [n], key uint64 [n], bytes that may be taken int64 [n], and the rows as read."""

    cells: Sequence[TextCell]
    cell: npt.NDArray[np.int64]
    key: npt.NDArray[np.uint64]
    size: npt.NDArray[np.int64]
    table: pa.Table


def _passing(sample: Sample, table: pa.Table) -> _Rows | None:
    """Return the samples of a fragment among which is chosen, or None."""
    wanted = f"({sample.where}) IS TRUE AND text_bytes > 0 AS passes, coalesce(language, 'und') AS lang, coalesce(domain, '') AS dom"
    with predicate_connection() as connection:
        connection.register("samples", table.drop_columns(["content_hash"]))
        found = connection.execute(f"SELECT {wanted} FROM samples").to_arrow_table()
    mask = found["passes"].combine_chunks()
    rows, found = table.filter(mask), found.filter(mask)
    if rows.num_rows == 0:
        return None
    names = [found[name].combine_chunks().dictionary_encode() for name in ("lang", "dom")]
    codes = np.stack([name.indices.to_numpy().astype(np.int64) for name in names], axis=1)
    distinct, cell = np.unique(codes, axis=0, return_inverse=True)
    cells = [
        TextCell(*(names[part].dictionary[int(code)].as_py() for part, code in enumerate(row))) for row in distinct
    ]
    salt = np.full(rows.num_rows, _SALT, dtype=np.int64)
    return _Rows(
        cells=cells,
        cell=cell.reshape(-1).astype(np.int64),
        key=mix_hashes("order", sample.settings.seed, bytes_of_hashes(rows["content_hash"]), salt),
        size=np.minimum(rows["text_bytes"].to_numpy(), sample.settings.max_document_bytes),
        table=rows,
    )


def _at_most(rows: _Rows, largest: Mapping[TextCell, int]) -> npt.NDArray[np.bool_]:
    """Return which samples have a key up to their cell's; of a cell that is not named, none."""
    bound = np.array([largest.get(cell, 0) for cell in rows.cells], dtype=np.uint64)
    named = np.array([cell in largest for cell in rows.cells], dtype=bool)
    return named[rows.cell] & (rows.key <= bound[rows.cell])


def _bin_sums(sample: Sample, where: FragmentFiles, table: pa.Table) -> pa.Table | None:
    """Return (content_hash, language, domain, bin, documents, bytes): summed, or a row a sample where texts may occur twice."""
    rows = _passing(sample, table)
    if rows is None:
        return None
    bins = np.zeros(len(rows.cell), dtype=np.int64)
    at = np.arange(len(bins))
    if sample.limits is not None:
        at = np.flatnonzero(_at_most(rows, sample.limits))
        steps = np.array([_step(sample.limits.get(cell, _LAST)) for cell in rows.cells], dtype=np.uint64)
        bins = (rows.key // steps[rows.cell]).astype(np.int64)
    if len(at) == 0:
        return None
    columns: dict[str, pa.Array] = {
        "content_hash": rows.table["content_hash"].combine_chunks().take(pa.array(at)),
        "language": pa.array([cell.language for cell in rows.cells]).take(pa.array(rows.cell[at])),
        "domain": pa.array([cell.domain for cell in rows.cells]).take(pa.array(rows.cell[at])),
        "bin": pa.array(bins[at].astype(np.int32)),
        "documents": pa.array(np.ones(len(at), np.int64)),
        "bytes": pa.array(rows.size[at]),
    }
    if not sample.distinct:
        return pa.table(columns)
    grouped = pa.table(columns).group_by(["language", "domain", "bin"])
    sums = grouped.aggregate([("documents", "sum"), ("bytes", "sum")])
    order = ["language", "domain", "bin", "documents_sum", "bytes_sum"]
    summed = sums.select(order).rename_columns(["language", "domain", "bin", "documents", "bytes"])
    return summed.add_column(0, "content_hash", pa.nulls(summed.num_rows, pa.binary()))


def _step(limit: int) -> int:
    """Return the width of a bin, so that the keys up to ``limit`` are in bins 0 to 2047."""
    return limit // _BINS + 1


def _sums(
    spark: SparkSession, snapshot: Snapshot, located: Sequence[FragmentFiles], sample: Sample
) -> dict[TextCell, dict[int, tuple[int, int]]]:
    """Return cell → bin → (documents, bytes), each text once."""
    from pyspark.sql import functions as sf

    schema = "content_hash binary, language string, domain string, bin int, documents long, bytes long"
    rows = fragment_rows(spark, located, snapshot.uri, sample.columns, schema, partial(_bin_sums, sample))
    if not sample.distinct:
        rows = rows.dropDuplicates(["content_hash"])
    sums = rows.groupBy("language", "domain", "bin").agg(
        sf.sum("documents").alias("documents"), sf.sum("bytes").alias("bytes")
    )
    found: dict[TextCell, dict[int, tuple[int, int]]] = {}
    for row in sums.collect():
        found.setdefault(TextCell(row.language, row.domain), {})[row.bin] = (row.documents, row.bytes)
    return found


def choose_sample(
    spark: SparkSession, snapshot: Snapshot, located: Sequence[FragmentFiles], sample: Sample
) -> tuple[Sample, dict[TextCell, int], dict[TextCell, int]]:
    """Return the sample with its cuts, the bytes available by cell, and the bytes asked for from each.

    Raises:
        UsageError: no sample passes ``where``.
    """
    there = {cell: bins[0][1] for cell, bins in _sums(spark, snapshot, located, sample).items()}
    if not there:
        raise UsageError(
            f"expected samples that pass where = {sample.where!r}, found none; change the recipe's [sample]"
        )
    asked = sample_targets(there, sample.settings)
    cuts = {cell: _LAST for cell, target in asked.items() if target >= there[cell]}
    limits = {
        cell: min(_LAST, 2 * target * 2**64 // there[cell])
        for cell, target in asked.items()
        if 0 < target < there[cell]
    }
    while limits:
        found = _sums(spark, snapshot, located, replace(sample, limits=limits))
        wider: dict[TextCell, int] = {}
        for cell, limit in limits.items():
            cut = _find_cut(found.get(cell, {}), asked[cell], limit)
            if cut is not None:
                cuts[cell] = cut
            elif limit == _LAST:
                raise ReconciliationError(f"cell {cell}: expected {there[cell]} bytes as counted before, found fewer")
            else:
                wider[cell] = min(_LAST, 4 * limit)
        limits = wider
    return replace(sample, cuts=cuts), there, asked


def _find_cut(bins: Mapping[int, tuple[int, int]], target: int, limit: int) -> int | None:
    """Return the last key of the bin in which the target is reached, or None where the bins hold less.

    >>> _find_cut({0: (1, 100), 7: (1, 100)}, 150, 2048 * 10 - 1)
    79
    """
    total = 0
    for number in sorted(bins):
        total += bins[number][1]
        if total >= target:
            return min((number + 1) * _step(limit) - 1, limit)
    return None


def _chosen(sample: Sample, where: FragmentFiles, table: pa.Table) -> pa.Table | None:
    """Return content_hash, origin and sample_id of the samples of a fragment up to their cells' cuts."""
    rows = _passing(sample, table)
    if rows is None:
        return None
    return rows.table.filter(pa.array(_at_most(rows, sample.cuts))).select(["content_hash", "origin", "sample_id"])


def chosen_ids(spark: SparkSession, snapshot: Snapshot, located: Sequence[FragmentFiles], sample: Sample) -> DataFrame:
    """Return ``sample_id`` of the chosen samples, of copies of a text that of the smallest origin."""
    from pyspark.sql import functions as sf

    schema = "content_hash binary, origin long, sample_id long"
    rows = fragment_rows(spark, located, snapshot.uri, sample.columns, schema, partial(_chosen, sample))
    best = rows.groupBy("content_hash").agg(sf.min(sf.struct("origin", "sample_id")).alias("best"))
    return best.select(sf.col("best.sample_id").alias("sample_id"))
