"""The narrow rows that a selection looks at again and again: read once, held by Spark or, where they are few, by the driver.

Every pass folds a sum over them. A fold over rows in the driver costs no job; one over rows in Spark is a map and a merge, in a tree where there
are many tasks. Both give the same sums: they are exact, and no order matters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from itertools import chain
from operator import add
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from headwater.lineage.runs import Unit
from headwater.pipelines.spark.aligned import Target
from headwater.warehouse.faults import reach_in_task
from headwater.warehouse.fragments import fragment_mask
from headwater.warehouse.parquet import FragmentFiles

if TYPE_CHECKING:
    from pyspark import RDD
    from pyspark.sql import SparkSession

__all__ = ["Parts", "held_parts"]

_NEAR_ROWS: Final = 1 << 18
"""Most rows that the driver holds itself; of some 60 bytes each, 16 MB."""
_TASKS_PER_SLOT: Final = 2
_FLAT_TASKS: Final = 64
"""From more tasks than this the driver takes merged sums only."""
_Part = TypeVar("_Part")
_Sum = TypeVar("_Sum")
_Key = TypeVar("_Key")


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts(Generic[_Part]):
    """Rows by fragment.

    Attributes:
        spread: the rows in Spark, a partition a target, each with base and mask of the target's fragments.
        near: the same rows in the driver, where they are few.
    """

    spread: RDD[tuple[tuple[int, int], _Part]]
    near: Sequence[_Part] | None = None

    def fold(self, measure: Callable[[_Part], _Sum], merge: Callable[[_Sum, _Sum], _Sum], empty: _Sum) -> _Sum:
        """Return the sum over all fragments.

        Args:
            measure: of one fragment.
            merge: adds two sums; may change the first.
            empty: the sum of nothing.
        """
        if self.near is not None:
            return reduce(merge, map(measure, self.near), empty)

        def folded(rows: Iterable[tuple[tuple[int, int], _Part]]) -> Iterator[_Sum]:
            found = [measure(part) for _, part in rows]
            if found:
                yield reduce(merge, found)

        # A fold takes milliseconds a partition, a task rather more: a few tasks a slot, each of several partitions.
        slots = int(self.spread.context.defaultParallelism)
        sums: RDD[_Sum] = self.spread.coalesce(_TASKS_PER_SLOT * slots).mapPartitions(folded)
        if sums.getNumPartitions() <= _FLAT_TASKS:
            return reduce(merge, sums.collect(), empty)
        return sums.treeAggregate(empty, merge, merge)

    def sum_by_key(
        self,
        measure: Callable[[_Part], Mapping[_Key, int]],
        shorten: Callable[[Iterable[tuple[_Key, int]]], Iterable[tuple[_Key, int]]],
    ) -> Iterable[tuple[_Key, int]]:
        """Return sums by a key that may have many values: shuffled, and shortened where they came together.

        Args:
            measure: sums of one fragment.
            shorten: leaves out of some keys' sums what is not needed; keys are spread at will.
        """
        if self.near is not None:
            sums: dict[_Key, int] = {}
            for part in self.near:
                for key, number in measure(part).items():
                    sums[key] = sums.get(key, 0) + number
            return shorten(sums.items())
        pairs = self.spread.flatMap(lambda row: measure(row[1]).items())
        return pairs.reduceByKey(add, min(_FLAT_TASKS, pairs.getNumPartitions())).mapPartitions(shorten).collect()

    def write(self, write: Callable[[int, int, Iterator[_Part]], Unit], point: str) -> list[Unit]:
        """Return what ``write`` gives for each target, run in tasks.

        Args:
            write: of base and mask of a file's fragments and their rows in order.
            point: the work's name in ``warehouse.faults``, for tests that kill it.
        """

        def units(rows: Iterable[tuple[tuple[int, int], _Part]]) -> Iterator[Unit]:
            begun = iter(rows)
            head = next(begun, None)
            if (
                head is None
            ):  # the one partition of no targets: a run that was killed after its last wave has nothing left to write
                return
            covered, first = head
            unit = write(*covered, chain([first], (part for _, part in begun)))
            reach_in_task(point)
            yield unit

        return list(self.spread.mapPartitions(units).collect())


@contextmanager
def held_parts(
    spark: SparkSession,
    targets: Sequence[Target],
    read: Callable[[FragmentFiles], _Part],
    size: Callable[[_Part], int],
) -> Iterator[Parts[_Part]]:
    """Give the rows of the targets' fragments, read once; Spark keeps them on its disks where memory is short and reads lost ones again.

    Args:
        read: rows of a fragment from its files, run in tasks.
        size: how many rows.
    """
    from pyspark import StorageLevel

    def rows(part: Iterable[Target]) -> Iterator[tuple[tuple[int, int], _Part]]:
        for target in part:
            covered = fragment_mask(where.fragment for where in target.fragments)
            for where in target.fragments:
                yield covered, read(where)

    spread = spark.sparkContext.parallelize(targets, max(1, len(targets))).mapPartitions(rows)
    spread.persist(StorageLevel.MEMORY_AND_DISK)
    try:
        near = None
        if spread.map(lambda row: size(row[1])).sum() <= _NEAR_ROWS:
            near = [part for _, part in spread.collect()]
        yield Parts(spread=spread, near=near)
    finally:
        spread.unpersist()
