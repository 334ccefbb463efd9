"""Narrow rows in and out of Spark: fragments read as a DataFrame, sparse results written as aligned families.

Text never takes this way: only addresses, hashes, signatures, scores and what is decided about a sample.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headwater.lineage.runs import Unit
from headwater.pipelines.spark.blocks import Block, Records, exchange, gather, route, run_bounds
from headwater.pipelines.spark.parcels import contents, parcels
from headwater.pipelines.spark.slots import parallelism
from headwater.warehouse.faults import reach_in_task
from headwater.warehouse.fragments import (
    FRAGMENTS_PER_FILE,
    ROW_BITS,
    FileEntry,
    fragment_mask,
    fragments_of,
    parse_name,
    rows_of,
)
from headwater.warehouse.parquet import FragmentFiles, read_aligned, write_family
from headwater.warehouse.snapshot import Snapshot

if TYPE_CHECKING:
    from pyspark import RDD, SparkContext
    from pyspark.sql import DataFrame, SparkSession

__all__ = [
    "TASKS_PER_SLOT",
    "Target",
    "fragment_rows",
    "group_neighbours",
    "plan_targets",
    "rows_by_target",
    "write_aligned",
    "write_blocks",
]

Columns = Mapping[str, Sequence[str]]
TASKS_PER_SLOT: Final = 4
"""Into how many tasks work is cut for each task that runs at once."""
_WORK: Final = "_target"
"""Column of the description of a target, among sparse rows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """One file to write: the fragments that it covers and the live files that it replaces."""

    fragments: tuple[FragmentFiles, ...]
    removes: tuple[str, ...] = ()


def fragment_rows(
    spark: SparkSession,
    locations: Iterable[FragmentFiles],
    table_uri: str,
    columns: Columns,
    schema: str,
    transform: Callable[[FragmentFiles, pa.Table], pa.Table | None],
) -> DataFrame:
    """Return a DataFrame of narrow rows read from fragments with Arrow, one fragment at a time.

    Args:
        columns: family → columns that are zipped; see ``read_aligned``.
        schema: Spark's DDL of what ``transform`` returns.
        transform: a module-level function or partial, run in the tasks.
    """
    items = parcels(list(locations), TASKS_PER_SLOT * parallelism(spark))
    work = spark.createDataFrame(spark.sparkContext.parallelize(items, len(items)), "item binary")

    def read(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for where in contents(batches):
            # One table a fragment: rows are narrow, and what a transform starts (a DuckDB connection) costs more than they do.
            table = pa.concat_tables(read_aligned(table_uri, where, columns))
            found = transform(where, table)
            if found is not None and found.num_rows:
                yield from found.combine_chunks().to_batches(max_chunksize=1 << 16)

    return work.mapInArrow(read, schema)


def plan_targets(
    snapshot: Snapshot,
    family: str,
    fragments: npt.NDArray[np.int64],
    families: Sequence[str],
    slots: int,
    batch: str | None = None,
) -> list[Target]:
    """Return the files that must be written so that ``family`` covers ``fragments`` anew.

    A live file that covers one of them is replaced whole, so its other fragments are written again too.

    Args:
        families: what the writer reads of each fragment.
        slots: tasks at once; a small lake gets a file a task instead of files of 64 fragments.
        batch: the build, for a family of builds.
    """
    again = set(fragments.tolist())
    for path in {path for where in snapshot.locate(fragments, [family], batch) for path in where.paths([family])}:
        name = parse_name(path)
        again |= set(fragments_of(name.base, name.mask))
    wanted = np.array(sorted(again), dtype=np.int64)
    per_file = max(1, min(FRAGMENTS_PER_FILE, len(wanted) // (TASKS_PER_SLOT * slots)))
    located = snapshot.locate(wanted, [*families, family], batch)
    groups = group_neighbours(located, per_file, lambda where: where.batch, lambda where: where.paths([family]))
    return [
        Target(
            fragments=tuple(members),
            removes=tuple(sorted({path for where in members for path in where.paths([family])})),
        )
        for members in groups
    ]


def group_neighbours(
    located: Iterable[FragmentFiles],
    most: int,
    kind: Callable[[FragmentFiles], object],
    replaced: Callable[[FragmentFiles], Collection[str]] = lambda _: (),
) -> list[list[FragmentFiles]]:
    """Return fragments in groups of neighbours that one file can cover.

    A group has one kind and at most ``most`` fragments, but for those whose files are replaced with those of the group: a file is replaced whole.

    Args:
        located: by fragment.
        kind: what must be equal in a group, such as the batch.
        replaced: the live files that a new one replaces.
    """
    groups: list[list[FragmentFiles]] = []
    going: set[str] = set()
    for where in located:
        old = replaced(where)
        near = (
            bool(groups)
            and kind(where) == kind(groups[-1][0])
            and where.fragment - groups[-1][0].fragment < FRAGMENTS_PER_FILE
        )
        if near and (len(groups[-1]) < most or not going.isdisjoint(old)):
            groups[-1].append(where)
            going |= set(old)
        else:
            groups.append([where])
            going = set(old)
    return groups


def write_aligned(
    spark: SparkSession,
    sparse: DataFrame,
    targets: Sequence[Target],
    table_uri: str,
    family: str,
    operator: str,
    columns: Columns,
    fill: Callable[[FragmentFiles, pa.Table, pa.Table], tuple[pa.Table, dict[str, int]]],
) -> list[Unit]:
    """Write one aligned file a target from sparse rows and return what to commit.

    Args:
        sparse: rows with ``sample_id``, in any order; each goes to the target that covers its fragment, others are ignored.
        columns: family → columns that ``fill`` needs beside the sparse rows.
        fill: given a fragment's files, its zipped rows and its sparse rows in order of ``sample_id``, returns the rows of ``family`` and counts.
    """
    from pyspark.sql import functions as sf

    if not targets:
        return []
    owner = {where.fragment: number for number, target in enumerate(targets) for where in target.fragments}
    owners = spark.createDataFrame(
        pa.table({"fragment": pa.array(owner.keys(), pa.int64()), "target": pa.array(owner.values(), pa.int32())})
    )
    placed = (
        sparse.withColumn("fragment", sf.shiftright("sample_id", ROW_BITS))
        .join(sf.broadcast(owners), "fragment")
        .drop("fragment")
    )
    # Every target has a row of its own, which comes first and says what it is: a file is written even where nothing sparse falls into it, and no
    # task gets to know of another's.
    marks = spark.createDataFrame(
        pa.table(
            {
                "target": pa.array(range(len(targets)), pa.int32()),
                "sample_id": pa.array([-1] * len(targets), pa.int64()),
                _WORK: pa.array([pickle.dumps(target) for target in targets], pa.binary()),
            }
        )
    )
    ordered = (
        placed.unionByName(marks, allowMissingColumns=True)
        .repartition(min(len(targets), 2000), "target")
        .sortWithinPartitions("target", "sample_id")
    )

    def write(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for _, marked in rows_by_target(batches):
            target: Target = pickle.loads(marked[_WORK][0].as_buffer())  # noqa: S301 - written by this job's driver
            rows = marked.slice(1).drop_columns([_WORK])
            filled = partial(_fill_sparse, rows["sample_id"].to_numpy(), rows, fill)
            unit = _write_target(table_uri, target, family, operator, columns, filled)
            yield pa.record_batch({"unit": pa.array([pickle.dumps(unit)], pa.binary())})

    found = ordered.mapInArrow(write, "unit binary").collect()
    return [pickle.loads(row.unit) for row in found]  # noqa: S301 - written by this job's own tasks


def write_blocks(
    context: SparkContext,
    blocks: RDD[bytes],
    dtype: np.dtype[np.void],
    targets: Sequence[Target],
    table_uri: str,
    family: str,
    operator: str,
    columns: Columns,
    fill: Callable[[FragmentFiles, pa.Table, Records], tuple[pa.Table, dict[str, int]]],
) -> list[Unit]:
    """Write one aligned file a target from sparse rows of fixed width and return what to commit.

    Args:
        blocks: rows of ``dtype`` with a field ``fragment``, in any order; those of fragments that no target covers are ignored.
        columns: family → columns that ``fill`` needs beside the sparse rows.
        fill: as for ``write_aligned``, the rows in any order.
    """
    owner = sorted((where.fragment, number) for number, target in enumerate(targets) for where in target.fragments)
    if not owner:
        return []
    fragments, numbers = np.array(owner, dtype=np.int64).T
    routed = blocks.mapPartitions(partial(_to_targets, dtype, fragments, numbers))
    work = [(number, (1, pickle.dumps(target))) for number, target in enumerate(targets)]
    both = routed.union(context.parallelize(work, max(1, len(work) // 1024)))
    write = partial(_write_blocks, dtype, table_uri, family, operator, columns, fill)
    return list(exchange(both, len(targets)).mapPartitions(write).collect())


def _to_targets(
    dtype: np.dtype[np.void],
    fragments: npt.NDArray[np.int64],
    numbers: npt.NDArray[np.int64],
    blocks: Iterator[bytes],
) -> Iterator[tuple[int, Block]]:
    for block in blocks:
        rows = np.frombuffer(block, dtype)
        at = np.minimum(np.searchsorted(fragments, rows["fragment"]), len(fragments) - 1)
        wanted = fragments[at] == rows["fragment"]
        yield from route(0, rows[wanted], numbers[at[wanted]])


def _write_blocks(
    dtype: np.dtype[np.void],
    table_uri: str,
    family: str,
    operator: str,
    columns: Columns,
    fill: Callable[[FragmentFiles, pa.Table, Records], tuple[pa.Table, dict[str, int]]],
    blocks: Iterator[tuple[int, Block]],
) -> Iterator[Unit]:
    held = list(blocks)
    (rows,) = gather((block for block in held if block[1][0] == 0), dtype)
    rows = rows[np.argsort(rows["fragment"], kind="stable")]

    def filled(where: FragmentFiles, zipped: pa.Table) -> tuple[pa.Table, dict[str, int]]:
        begin, end = np.searchsorted(rows["fragment"], [where.fragment, where.fragment + 1]).tolist()
        return fill(where, zipped, rows[begin:end])

    for _, (kind, data) in held:
        if kind == 1:
            target: Target = pickle.loads(data)  # noqa: S301 - written by this job's driver
            yield _write_target(table_uri, target, family, operator, columns, filled)


def rows_by_target(batches: Iterator[pa.RecordBatch]) -> Iterator[tuple[int, pa.Table]]:
    """Yield (target, its rows, the mark first); rows arrive sorted by target and may be cut between batches."""
    held: list[pa.Table] = []
    current: int | None = None
    for batch in batches:
        table = pa.Table.from_batches([batch])
        keys = table["target"].to_numpy()
        bounds = run_bounds(keys)
        for begin, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
            if current is not None and int(keys[begin]) != current:
                yield current, pa.concat_tables(held)
                held = []
            current = int(keys[begin])
            held.append(table.slice(begin, end - begin).drop_columns(["target"]))
    if current is not None:
        yield current, pa.concat_tables(held)


def _fill_sparse(
    ids: npt.NDArray[np.int64],
    rows: pa.Table,
    fill: Callable[[FragmentFiles, pa.Table, pa.Table], tuple[pa.Table, dict[str, int]]],
    where: FragmentFiles,
    zipped: pa.Table,
) -> tuple[pa.Table, dict[str, int]]:
    begin, end = rows_of(where.fragment, ids)
    return fill(where, zipped, rows.slice(begin, end - begin))


def _write_target(
    table_uri: str,
    target: Target,
    family: str,
    operator: str,
    columns: Columns,
    fill: Callable[[FragmentFiles, pa.Table], tuple[pa.Table, dict[str, int]]],
) -> Unit:
    counts: dict[str, int] = {"fragments": len(target.fragments)}

    def groups() -> Iterator[pa.Table]:
        for where in target.fragments:
            table, found = fill(where, pa.concat_tables(list(read_aligned(table_uri, where, columns))))
            for name, value in found.items():
                counts[name] = counts.get(name, 0) + value
            yield table

    base, mask = fragment_mask(where.fragment for where in target.fragments)
    entry: FileEntry = write_family(table_uri, family, target.fragments[0].batch, base, mask, operator, groups())
    counts[f"{family}_bytes"] = entry.size
    reach_in_task(family)
    return Unit(adds=[entry], removes=target.removes, counts=counts)
