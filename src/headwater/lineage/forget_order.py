"""The order in which training took samples between two steps, and which of them are to be forgotten: what exact replay without them needs.

One row a run of tokens, in the order of training: step, position of its sequence in the step, shard, sequence, the run's first token and the one
after its last, sample_id, copy, in_forget_set. The placements are read once; DuckDB sorts them within a limit of memory, and what does not fit goes
to a folder of its own. Held besides are 24 bytes a sequence of the steps, and the set.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from headwater.arrays import Int64s
from headwater.errors import CorruptLakeError, StorageError, UsageError
from headwater.lineage.builds import builds_uri, stage_operator
from headwater.lineage.placed_samples import PLACED, first_sequences
from headwater.lineage.sample_sets import SampleSet
from headwater.lineage.training_order import TrainingOrder
from headwater.plain import JsonObject
from headwater.reader import Stage, open_stage
from headwater.warehouse.filesystem import filesystem_of
from headwater.warehouse.lake_folders import refuse_lakes
from headwater.warehouse.parquet import read_file
from headwater.warehouse.snapshot import Snapshot

__all__ = ["FORGET_ORDER", "SUFFIXES", "write_forget_order"]

SUFFIXES: Final = (".jsonl", ".parquet")
FORGET_ORDER: Final = pa.schema(
    [
        pa.field("step", pa.int64(), nullable=False),
        pa.field("position", pa.int64(), nullable=False),
        pa.field("shard", pa.int32(), nullable=False),
        pa.field("sequence", pa.int64(), nullable=False),
        pa.field("token_begin", pa.int64(), nullable=False),
        pa.field("token_end", pa.int64(), nullable=False),
        pa.field("sample_id", pa.int64(), nullable=False),
        pa.field("copy", pa.int32(), nullable=False),
        pa.field("in_forget_set", pa.bool_(), nullable=False),
    ]
)
_MEMORY: Final = "256MB"
_ROWS: Final = 1 << 16


def write_forget_order(
    snapshot: Snapshot,
    build: str,
    stage: str,
    samples: SampleSet,
    order: TrainingOrder,
    path: str | Path,
    first: int,
    last: int,
) -> JsonObject:
    """Write the order of steps ``first`` to ``last`` to a file, JSON Lines or Parquet by the end of its name, and return what was counted.

    The file appears whole or not at all.

    Returns:
        rows, sequences and tokens in all and of the set, and the first and last step that hold some of it.

    Raises:
        UsageError: no such steps, another end of the name, or a place inside a lake.
        StorageError: the file cannot be written.
    """
    target = Path(path)
    if target.suffix not in SUFFIXES:
        raise UsageError(f"expected a file that ends in {' or '.join(SUFFIXES)}, found {target.name!r}")
    refuse_lakes(*filesystem_of(str(target)), snapshot.lake)
    opened = open_stage(builds_uri(snapshot.lake, build, stage))
    sequences = order.sequences(opened, first, last)
    found: JsonObject = {"build": build, "stage": stage, "from_step": first, "to_step": last, "file": str(target)}
    counts = _Counts()
    begin = first * order.batch_size
    try:
        with tempfile.TemporaryDirectory(prefix="headwater-order-") as scratch:
            rows = _sorted(_rows(snapshot, build, stage, opened, sequences, samples), scratch)
            _write(target, (counts.add(_at_steps(batch, begin, order.batch_size)) for batch in rows))
    except OSError as error:
        raise StorageError(
            f"cannot write {target}: {error.strerror or error}; free space, or name another file"
        ) from error
    return found | {"sequences": len(sequences)} | counts.told()


class _Counts:
    """What was written."""

    def __init__(self) -> None:
        self.rows = self.tokens = self.forgotten_rows = self.forgotten_tokens = 0
        self.steps = 0
        self.first: int | None = None
        self.last: int | None = None

    def add(self, batch: pa.Table) -> pa.Table:
        """Count a batch and return it."""
        tokens = batch["token_end"].to_numpy() - batch["token_begin"].to_numpy()
        mine = batch["in_forget_set"].to_numpy()
        self.rows += len(tokens)
        self.tokens += int(tokens.sum())
        self.forgotten_rows += int(mine.sum())
        self.forgotten_tokens += int(tokens[mine].sum())
        steps = np.unique(batch["step"].to_numpy()[mine])
        if len(steps):
            self.steps += len(steps) - int(self.last == int(steps[0]))
            self.first = int(steps[0]) if self.first is None else self.first
            self.last = int(steps[-1])
        return batch

    def told(self) -> JsonObject:
        """Return the counts by name."""
        return {
            "rows": self.rows,
            "tokens": self.tokens,
            "forget_rows": self.forgotten_rows,
            "forget_tokens": self.forgotten_tokens,
            "forget_steps": self.steps,
            "first_forget_step": self.first,
            "last_forget_step": self.last,
        }


def _rows(
    snapshot: Snapshot, build: str, stage: str, opened: Stage, sequences: Int64s, samples: SampleSet
) -> Iterator[pa.RecordBatch]:
    """Yield the runs of the wanted sequences, shard after shard, each as often as its sequence is taken."""
    by_sequence = np.argsort(sequences, kind="stable")
    ordered = sequences[by_sequence]
    first = first_sequences(opened.manifest.shards)
    files = snapshot.live("placements", operator=stage_operator(stage), batch=build)
    for shard, path in zip(files["base"].to_pylist(), files["path"].to_pylist(), strict=True):
        for table in read_file(snapshot.uri, path, ("sample_id", *PLACED)):
            if (
                table.num_rows == 0
            ):  # a shard to which no document fell has a file of placements, and no place in the manifest
                continue
            if shard not in first:
                raise CorruptLakeError(
                    f"{build}/{stage}: expected placements of the manifest's shards, found some of shard {shard}; run verify"
                )
            number = first[shard] + table["sequence"].to_numpy()
            begin = np.searchsorted(ordered, number)
            times = np.searchsorted(ordered, number, side="right") - begin
            rows = np.repeat(np.arange(len(number)), times)
            if len(rows) == 0:
                continue
            within = np.arange(len(rows)) - np.repeat(np.cumsum(times) - times, times)
            taken = table.take(pa.array(rows))
            columns = {name: taken[name].combine_chunks() for name in taken.column_names}
            columns["shard"] = pa.array(np.full(len(rows), shard, np.int32))
            columns["place"] = pa.array(by_sequence[begin[rows] + within])
            columns["in_forget_set"] = pa.array(samples.contains(taken["sample_id"].to_numpy()))
            yield pa.RecordBatch.from_pydict(columns)


def _sorted(batches: Iterator[pa.RecordBatch], scratch: str) -> Iterator[pa.RecordBatch]:
    """Yield rows by place and first token; what is more than memory holds lies in ``scratch``."""
    head = next(batches, None)
    if head is None:
        return

    def whole() -> Iterator[pa.RecordBatch]:
        yield head
        yield from batches

    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": _MEMORY,
        "temp_directory": scratch,
        "threads": "1",
        "python_enable_replacements": "false",
    }
    with duckdb.connect(config=config) as connection:
        connection.register("placed", pa.RecordBatchReader.from_batches(head.schema, whole()))
        yield from connection.execute("SELECT * FROM placed ORDER BY place, token_begin").to_arrow_reader(_ROWS)


def _at_steps(batch: pa.RecordBatch, begin: int, batch_size: int) -> pa.Table:
    place = batch.column("place").to_numpy() + begin
    columns = {name: batch.column(name) for name in batch.schema.names}
    columns |= {"step": pa.array(place // batch_size), "position": pa.array(place % batch_size)}
    return pa.table([columns[field.name] for field in FORGET_ORDER], schema=FORGET_ORDER)


def _write(target: Path, tables: Iterator[pa.Table]) -> None:
    """Write a file beside its name, and give it the name when it is whole."""
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        if target.suffix == ".parquet":
            with pq.ParquetWriter(part, FORGET_ORDER, compression="zstd") as writer:
                for table in tables:
                    writer.write_table(table)
        else:
            with part.open("w", encoding="utf-8") as lines:
                for table in tables:
                    lines.writelines(json.dumps(row) + "\n" for row in table.to_pylist())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
