"""Exchange: blocks of rows arrive whole, once, where they are sent."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.pipelines.spark import blocks as exchange

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_ROW = np.dtype([("x", "<i4")])


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 99)), max_size=60), st.integers(4, 40))
def test_every_row_arrives_where_it_is_sent(sent: list[tuple[int, int]], flush_bytes: int) -> None:
    """However small a flush is: each partition gets its rows, none twice, in the order in which they were."""
    rows = np.array([(value,) for _, value in sent], _ROW)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exchange, "FLUSH_BYTES", flush_bytes)
        blocks = list(exchange.route(0, rows, np.array([part for part, _ in sent])))
    assert max((len(data) for _, (_, data) in blocks), default=0) <= flush_bytes
    for part in range(6):
        (found,) = exchange.gather((block for block in blocks if block[0] == part), _ROW)
        assert found["x"].tolist() == [value for to, value in sent if to == part]


def test_partitions_grow_with_rows() -> None:
    """One for each 128 MiB, and never fewer than tasks run at once."""
    assert exchange.partitions_of(0, 3) == 3
    assert exchange.partitions_of(3 << 30, 3) == 24
    assert exchange.partitions_of((3 << 30) + 1, 3) == 25


@pytest.mark.spark
def test_spark_moves_blocks_to_the_partition_they_name(spark: SparkSession) -> None:
    """Sent from several tasks, each block is once in the partition of its number, also where that is larger than the tasks are many."""

    # Inside the test: workers cannot import this module.
    def place(partition: int, blocks: Iterable[tuple[int, exchange.Block]]) -> Iterator[tuple[int, int, bytes]]:
        for to, (_, data) in blocks:
            yield partition, to, data

    sent = [(number % 7, (0, bytes([number]))) for number in range(40)]
    found = exchange.exchange(spark.sparkContext.parallelize(sent, 3), 7).mapPartitionsWithIndex(place).collect()
    assert all(partition == to for partition, to, _ in found)
    assert Counter((to, data) for _, to, data in found) == Counter((to, data) for to, (_, data) in sent)


@pytest.mark.spark
def test_one_pool_of_workers_serves_frames_and_blocks(spark: SparkSession) -> None:
    """Workers are pooled by environment: with the same one for both, nothing is imported twice."""

    def environment(_: Iterable[object]) -> Iterator[str]:
        for name, value in os.environ.items():
            if name != "PYTHON_WORKER_FACTORY_SECRET":
                yield f"{name}={value}"

    def environment_batches(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for _ in batches:
            yield pa.record_batch({"variable": pa.array(list(environment([])))})

    plain = spark.sparkContext.parallelize([0], 1).mapPartitions(environment).collect()
    frame = spark.range(1).coalesce(1).mapInArrow(environment_batches, "variable string")
    assert {row.variable for row in frame.collect()} == set(plain)
