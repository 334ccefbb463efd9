"""Writing family ``stages`` of one build: only what is missing, so that a selection that was killed goes on where it stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headwater.errors import UsageError
from headwater.lineage.runs import Run, Unit, commit_wave, finish_run
from headwater.pipelines.spark.aligned import Target
from headwater.pipelines.spark.held_rows import Parts, held_parts
from headwater.warehouse.faults import STAGES
from headwater.warehouse.fragments import operator_digits
from headwater.warehouse.parquet import FragmentFiles, write_family
from headwater.warehouse.snapshot import Snapshot

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["StageWriter"]

_Part = TypeVar("_Part")


@dataclass(frozen=True, kw_only=True, slots=True)
class StageWriter(Generic[_Part]):
    """How the rows of a build come about.

    Attributes:
        build: its name.
        operator: fingerprint of what the rows say.
        plan: the files to write for some fragments, given the table as it is.
        read: a fragment's samples, run in tasks; as ``held_parts`` takes it.
        size: how many they are.
        rows: a fragment's rows without ``build`` and ``run_id``, run in tasks.
    """

    build: str
    operator: str
    plan: Callable[[Snapshot, npt.NDArray[np.int64]], list[Target]]
    read: Callable[[FragmentFiles], _Part]
    size: Callable[[_Part], int]
    rows: Callable[[_Part], pa.Table]

    def write(
        self,
        spark: SparkSession,
        run: Run,
        snapshot: Snapshot,
        fragments: npt.NDArray[np.int64],
        held: Sequence[Target],
        parts: Parts[_Part],
    ) -> None:
        """Write the rows of the fragments that lack them, and end the run.

        Args:
            held: the files that ``parts`` are divided for.
            parts: the samples of all fragments, read already.

        Raises:
            UsageError: the lake has other rows under this name.
        """
        write = partial(_write_target, snapshot.uri, self.build, run.run_id, self.operator, self.rows)
        while True:
            todo = np.setdiff1d(fragments, snapshot.covered("stages", operator=self.operator, batch=self.build))
            if len(todo) == 0 and run.waves:
                break
            self._refuse_others(snapshot)
            targets = self.plan(snapshot, todo)
            if targets == list(held):
                units = parts.write(write, STAGES)
            else:
                with held_parts(spark, targets, self.read, self.size) as missing:
                    units = missing.write(write, STAGES)
            snapshot, _ = commit_wave(run, snapshot, units)
        finish_run(run, snapshot)

    def _refuse_others(self, snapshot: Snapshot) -> None:
        known = snapshot.live("stages", batch=self.build)
        if known.filter(pc.not_equal(known["operator"], operator_digits(self.operator))).num_rows:
            raise UsageError(
                f"expected no build named {self.build} of another recipe or other samples, found one; choose another name with --build"
            )


def _write_target(
    table_uri: str,
    build: str,
    run_id: str,
    operator: str,
    rows: Callable[[_Part], pa.Table],
    base: int,
    mask: int,
    parts: Iterator[_Part],
) -> Unit:
    counts: dict[str, int] = {"samples": 0, "chosen": 0}

    def groups() -> Iterator[pa.Table]:
        for part in parts:
            table = rows(part)
            counts["samples"] += table.num_rows
            counts["chosen"] += table.num_rows - table["stage"].null_count
            same = pa.array(np.zeros(table.num_rows, np.int64))
            for name, text in (("build", build), ("run_id", run_id)):
                table = table.append_column(name, pa.array([text], pa.string()).take(same))
            yield table

    entry = write_family(table_uri, "stages", build, base, mask, operator, groups())
    counts["stages_bytes"] = entry.size
    return Unit(adds=[entry], counts=counts)
