"""Outages while inputs are read from a store: a fault of the store is never one of a file, whatever its format and whichever pass meets it."""

from __future__ import annotations

import base64
import gzip
import io
import json
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_lake import small_recipe
from stores.fixtures import Store
from stores.proxy import Fault, key_ends
from warcs import conversion, pack_zstd, warcinfo

from headwater.errors import StorageError
from headwater.lineage.checks.lake import verify
from headwater.pipelines.ingest.step import IngestReport, ingest
from headwater.warehouse.commit import create_lake
from headwater.warehouse.snapshot import open_snapshot

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark

_RECORDS: Final = 24
_TEXT_BYTES: Final = 90_000
"""Of a text that cannot be compressed by much: every file is longer than what is read in one request."""


def _texts() -> list[str]:
    draw = random.Random(14)
    return [
        f"Text {number}. {base64.b64encode(draw.randbytes(_TEXT_BYTES * 3 // 4)).decode()}"
        for number in range(_RECORDS)
    ]


def _json_lines() -> bytes:
    return "".join(json.dumps({"text": text}) + "\n" for text in _texts()).encode()


def _parquet() -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table({"text": _texts()}), out, row_group_size=6)
    return out.getvalue()


def _archive() -> bytes:
    records = [conversion(f"https://site.example/{number}", text) for number, text in enumerate(_texts())]
    return b"".join(gzip.compress(record, mtime=0) for record in [warcinfo(), *records])


FORMATS: Final[dict[str, Callable[[], bytes]]] = {
    "texts.jsonl": _json_lines,
    "texts.jsonl.gz": lambda: gzip.compress(_json_lines(), mtime=0),
    "texts.jsonl.zst": lambda: pack_zstd(_json_lines()),
    "texts.parquet": _parquet,
    "pages.warc.wet.gz": _archive,
}
"""Name of an input → what makes its bytes; each holds the same texts."""


def _ingest(spark: SparkSession, store: Store) -> IngestReport:
    return ingest(spark, store.uri("lake"), small_recipe(), [store.uri("in")])


def _held(store: Store) -> tuple[int, int]:
    """Return how many records the lake has, and how many rows of quarantine."""
    snapshot = open_snapshot(store.uri("lake"))
    content, quarantine = (sum(snapshot.live(name)["rows"].to_pylist()) for name in ("content", "quarantine"))
    return content, quarantine


def _stops(spark: SparkSession, store: Store) -> str:
    """Ingest while the store fails, and return what was said: one error, or the file among those that could not be read."""
    try:
        report = _ingest(spark, store)
    except StorageError as error:
        return str(error)
    assert not report.records
    ((_, reason),) = report.unreadable
    return reason


@pytest.mark.parametrize("name", FORMATS)
def test_an_outage_costs_nothing(name: str, spark: SparkSession, store: Store) -> None:
    """A store that fails for longer than it is asked again, in each of the two passes, ends the ingest; nothing of the file is stored or refused.

    Short faults of every kind in both passes leave no trace.
    """
    create_lake(store.uri("lake"))
    store.put(f"in/{name}", FORMATS[name]())
    reads = key_ends(name, "GET")
    # Where the passes begin: the requests of an ingest into a lake of its own.
    create_lake(store.uri("other"))
    store.proxy.forget()
    assert ingest(spark, store.uri("other"), small_recipe(), [store.uri("in")]).records == _RECORDS
    asked = sum(seen.operation == "GET" and seen.path.endswith(name) for seen in store.proxy.seen)
    assert asked >= 2
    for after in (0, asked - 1):
        rule = Fault(kind="error", status=503, of=key_ends(name), begins=reads, after=after)
        store.proxy.use(rule)
        said = _stops(spark, store)
        assert rule.struck
        assert "nothing stored is damaged" in said
        assert _held(store) == (0, 0)
    faults = [
        Fault(kind="refuse", of=reads, times=2),
        Fault(kind="cut", of=reads, times=1),
        Fault(kind="error", status=500, of=reads, after=asked // 2, times=1),
        Fault(kind="cut", of=reads, after=asked // 2, times=1),
    ]
    store.proxy.use(*faults)
    report = _ingest(spark, store)
    assert (report.records, report.quarantined, report.unreadable) == (_RECORDS, 0, ())
    assert _held(store) == (_RECORDS, 0)
    assert all(fault.struck for fault in faults)


def test_a_denied_input_is_no_fault_of_the_file(spark: SparkSession, store: Store) -> None:
    """A key that may not read an input is told at once; with the right one the file comes in whole."""
    create_lake(store.uri("lake"))
    store.put("in/texts.parquet", FORMATS["texts.parquet"]())
    store.proxy.use(Fault(kind="error", status=403, of=key_ends("texts.parquet")))
    assert "denied" in _stops(spark, store)
    assert _held(store) == (0, 0)
    store.proxy.use()
    assert _ingest(spark, store).records == _RECORDS
    assert _held(store) == (_RECORDS, 0)
    assert [check for check in verify(store.uri("lake")) if not check.passed] == []
