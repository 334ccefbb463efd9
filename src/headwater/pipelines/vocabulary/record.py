"""Which samples trained a vocabulary: family ``vocabularies``, committed whole with the run's row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from headwater.errors import UsageError
from headwater.lineage.runs import Run, Unit, commit_wave
from headwater.pipelines.spark.sessions import run_tasks
from headwater.pipelines.vocabulary.counts import Counted, CountTarget
from headwater.warehouse.columns import repeat_text
from headwater.warehouse.filesystem import filesystem_of, join
from headwater.warehouse.fragments import FileEntry, fragment_mask, rows_of
from headwater.warehouse.parquet import write_family
from headwater.warehouse.schema import arrow_schema
from headwater.warehouse.snapshot import Snapshot

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["record_samples"]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Record:
    """One file of family ``vocabularies`` to write."""

    table: str
    folder: str
    samples: str
    fragments: tuple[int, ...]
    name: str
    fingerprint: str
    run_id: str


def record_samples(
    spark: SparkSession,
    run: Run,
    snapshot: Snapshot,
    folder: str,
    targets: Sequence[CountTarget],
    counted: Mapping[int, Counted],
    name: str,
    fingerprint: str,
) -> None:
    """Write which samples trained the vocabulary and commit it with the run's row.

    Args:
        folder: where the samples of each target were written down.
        counted: number of the target → what was counted of it.
        name: of the vocabulary, with its ``fingerprint``.

    Raises:
        UsageError: another training has given the name meanwhile.
    """
    records = [
        _Record(
            table=snapshot.uri,
            folder=folder,
            samples=each.samples,
            fragments=tuple(where.fragment for where in targets[number].fragments),
            name=name,
            fingerprint=fingerprint,
            run_id=run.run_id,
        )
        for number, each in sorted(counted.items())
    ]
    entries = run_tasks(spark, _write_record, records)
    _, dropped = commit_wave(run, snapshot, [Unit(adds=entries)], final=True)
    if dropped:
        raise UsageError(
            f"expected no vocabulary named {name}, found one that another training has just written; run again, or choose "
            "another name with --name"
        )


def _write_record(record: _Record) -> FileEntry:
    filesystem, path = filesystem_of(join(record.folder, record.samples))
    with filesystem.open_input_file(path) as file:
        rows = pq.read_table(file, columns=["sample_id", "sampled_bytes"]).sort_by("sample_id")
    n = rows.num_rows
    table = pa.table(
        {
            "sample_id": rows["sample_id"],
            "vocabulary": repeat_text(record.fingerprint, n),
            "sampled_bytes": rows["sampled_bytes"],
            "run_id": repeat_text(record.run_id, n),
        },
        schema=arrow_schema("vocabularies"),
    )
    ids = table["sample_id"].to_numpy()
    bounds = [rows_of(each, ids) for each in record.fragments]
    base, mask = fragment_mask(record.fragments)
    groups = (table.slice(begin, end - begin) for begin, end in bounds)
    return write_family(record.table, "vocabularies", record.name, base, mask, record.fingerprint, groups)
