"""Rows that a step needs again, on the lake's own storage: they outlive the machine that made them, and all that they were made from.

Spark's local checkpoint keeps rows on the executors' disks and forgets how they were made: on machines that may be taken away at any time, one that
goes ends the job. Its reliable checkpoint needs a file system of Hadoop's for the lake's store. So tasks write the rows below ``<lake>/scratch``,
through the layer that everything goes through, and later tasks read them there. What a killed step leaves is deleted by ``headwater maintain``.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.parquet as pq

from headwater.errors import CorruptLakeError
from headwater.pipelines.spark.parcels import contents, parcels
from headwater.warehouse.filesystem import HashingSink, delete_file, filesystem_of, join, write_hashed
from headwater.warehouse.many_files import for_each

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["SCRATCH", "Scratch"]

SCRATCH: Final = "scratch"


class Scratch:
    """A folder of a lake for the rows of one run of a step; as a context manager it is emptied at the end.

    Args:
        lake: the lake.
        name: of the folder, the run's.
    """

    def __init__(self, lake: str, name: str) -> None:
        self._lake, self._folder = lake, join(lake, SCRATCH, name)
        self._held: list[str] = []
        self._used = False

    def __enter__(self) -> Scratch:
        """Return it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Delete what was kept."""
        filesystem, path = filesystem_of(self._folder)
        if self._used:
            with contextlib.suppress(FileNotFoundError):  # where no row was kept
                filesystem.delete_dir(path)

    def keep(self, frame: DataFrame) -> DataFrame:
        """Write the rows of a frame, and return a frame that reads them: the same rows, without what they were made from.

        What was kept before is deleted: the frame is all that can still be made of it.
        """
        spark, schema = frame.sparkSession, frame.schema
        written = frame.mapInArrow(partial(_write, self._lake, self._folder), "name string").collect()
        self._used = True
        names = [row.name for row in written]
        filesystem, path = filesystem_of(self._folder)
        for _ in for_each(filesystem, partial(delete_file, filesystem), [join(path, name) for name in self._held]):
            pass
        self._held = names
        items = parcels(names, len(names))
        work = spark.createDataFrame(spark.sparkContext.parallelize(items, len(items)), "item binary")
        return work.mapInArrow(partial(_read, self._folder), schema)


def _write(lake: str, folder: str, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    first = next((batch for batch in batches if batch.num_rows), None)
    if first is None:
        return

    def fill(sink: HashingSink) -> None:
        with pq.ParquetWriter(sink, first.schema, compression="zstd", write_page_checksum=True) as writer:
            writer.write_batch(first)
            for batch in batches:
                writer.write_batch(batch)

    # A name of its own: of a task that is tried twice, what the other one wrote is never read.
    name = f"{secrets.token_hex(16)}.parquet"
    write_hashed(folder, fill, lambda _: name, root=lake)
    yield pa.record_batch({"name": pa.array([name])})


def _read(folder: str, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    filesystem, path = filesystem_of(folder)
    for name in contents(batches):
        try:
            with filesystem.open_input_file(join(path, name)) as file:
                yield from pq.ParquetFile(file, page_checksum_verification=True).iter_batches(1 << 16)
        except (pa.ArrowInvalid, FileNotFoundError) as error:
            raise CorruptLakeError(
                f"expected the rows of a running step at {join(folder, name)}, found them gone or damaged; run the same command again"
            ) from error
