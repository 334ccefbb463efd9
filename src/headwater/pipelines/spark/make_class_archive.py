"""Makes the archive of Spark's classes: ``python -m headwater.pipelines.spark.make_class_archive``.

``make setup`` does this. Once for each environment that Headwater is installed in, and again after another Java or Spark came.
"""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from headwater.pipelines.spark.class_archive import archive_folder, archive_key, archive_name, find_archive

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["main", "make_archive"]


def make_archive(spark_home: Path) -> Path | None:
    """Make the archive, unless it is there, and return it; None where there is no Java or this Java makes none.

    Takes some 25 s of processor time. Of two processes that make it at once one waits for the other.

    Raises:
        OSError: its folder cannot be written.
    """
    folder = archive_folder()
    key = archive_key(spark_home)
    if key is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        found = find_archive(spark_home)
        if found is not None:
            return found
        making = folder / "making"
        shutil.rmtree(making, ignore_errors=True)  # of one that was killed
        making.mkdir()
        made = making / "classes.jsa"
        _train(made)
        if not made.is_file():
            return None
        for other in folder.glob(f"{key.partition('-')[0]}-*.jsa"):
            other.unlink()  # of another Java or an earlier Spark in the same place, or damaged
        path = folder / archive_name(key, made)
        made.chmod(0o644)
        made.replace(path)
        making.rmdir()
    return path


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _train(archive: Path) -> None:
    """Start Spark, use what steps use of it, and let its JVM write what it loaded when it ends."""
    from py4j.protocol import Py4JError
    from pyspark.sql import functions as sf

    from headwater.pipelines.spark.sessions import session

    options = f'"-XX:ArchiveClassesAtExit={archive}" -Xlog:cds=off -Xlog:cds+dynamic=off'
    spark = session("local[2]", {"spark.driver.extraJavaOptions": options}, "headwater-classes")
    context = spark.sparkContext
    counter = context.accumulator(0)
    context.parallelize(range(4), 2).foreach(counter.add)
    shared = context.broadcast([1])
    work = spark.createDataFrame(
        context.parallelize([(bytes(8),)] * 4, 2).map(lambda row: (row[0] * len(shared.value),)), "item binary"
    )
    rows = work.mapInArrow(_rows, "a long, b int, c binary").cache()
    owners = spark.createDataFrame([(0, 1), (1, 2)], "b long, d int")
    joined = rows.join(sf.broadcast(owners), "b").join(
        rows.groupBy("a").agg(sf.count("*").alias("n"), sf.max("c")), "a"
    )
    joined.repartition(2, "d").sortWithinPartitions("d", "a").mapInArrow(_same, joined.schema).collect()
    rows.groupBy("b").agg(sf.sum("a")).orderBy("b").toArrow()
    spark.stop()
    jvm = context._jvm
    if jvm is not None:
        with contextlib.suppress(Py4JError, OSError):  # it ends without an answer
            jvm.System.exit(0)


def _rows(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    for batch in batches:
        n = batch.num_rows
        yield pa.record_batch(
            {"a": pa.array(range(n), pa.int64()), "b": pa.array([0] * n, pa.int32()), "c": batch["item"]}
        )


def _same(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    return batches


def main() -> None:
    """Make the archive and say where it is, or why there is none."""
    from pyspark.find_spark_home import _find_spark_home

    try:
        made = make_archive(Path(_find_spark_home()))
    except OSError as error:
        sys.exit(f"no archive was made, and Spark starts without one: {error}")
    if made is None:
        sys.exit("no archive was made, and Spark starts without one: there is no Java, or it makes none")
    sys.stdout.write(f"{made}\n")


if __name__ == "__main__":
    main()
