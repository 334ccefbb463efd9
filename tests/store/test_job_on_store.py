"""The main job with lake and input on a store: the shards of a local run, whatever the store does meanwhile."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

import main_job
import pytest
from real_text import ALL
from stores.fixtures import Store
from stores.jobs import LAKE, assert_same, upload_inputs, wait_for_put
from stores.proxy import Fault, operation_is

from headwater.errors import ConflictError, UsageError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.spark, pytest.mark.slow]

_SEEDS: Final = range(3) if ALL else range(1)


def _faults() -> dict[str, Fault]:
    """Return what a busy store and a poor network do, each to a share of the requests; together one request in ten or so."""
    return {
        "SlowDown": Fault(kind="error", status=503, share=0.025),
        "InternalError": Fault(kind="error", status=500, share=0.025),
        "reset": Fault(kind="refuse", share=0.01),
        "cut": Fault(kind="cut", of=operation_is("GET"), share=0.02),
        "lost commit": Fault(kind="lost", of=operation_is("PUT_IF"), share=0.2),
        "failed commit that happened": Fault(kind="lost", of=operation_is("PUT_IF"), share=0.2, status=500),
        "lost file": Fault(kind="lost", of=operation_is("PUT"), share=0.02),
        "delay": Fault(kind="delay", share=0.02, delay_s=0.3),
    }


@pytest.mark.parametrize("seed", _SEEDS)
def test_job_on_a_faulty_store(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, store: Store, tmp_path: Path, seed: int
) -> None:
    """5 % errors, cut bodies, lost answers and delays from the first request to the last: the shards of an undisturbed run on local files.

    A commit whose answer was lost is known as done: every version has one entry of ours, and no document is there twice.
    """
    _, build, hashes = main_job.undisturbed(spark, tmp_path_factory)
    inputs = upload_inputs(store, tmp_path / "in")
    faults = _faults()
    store.proxy.reset(seed)
    store.proxy.use(*faults.values())
    report = main_job.run_in_batches(spark, store.uri(LAKE), [inputs], main_job.FRAGMENT_BYTES)
    store.proxy.use()
    assert report.build == build
    assert {name for name, fault in faults.items() if not fault.struck} <= _RARE
    assert_same(store, tmp_path, build, hashes)


_RARE: Final = {"lost file", "reset", "failed commit that happened", "lost commit"}
"""Faults that a small job may be spared by some seeds."""


def test_two_drivers_at_once(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, store: Store, tmp_path: Path
) -> None:
    """Two drivers make one lake of a store together, in batches of opposite order: of two commits one wins, and nothing is there twice.

    One may give up where the other has changed the lake under it, and says so; the next run ends with the undisturbed shards.
    """
    _, build, hashes = main_job.undisturbed(spark, tmp_path_factory)
    inputs = upload_inputs(store, tmp_path / "in", folders=2)
    lake = store.uri(LAKE)
    other = main_job.start_driver(lake, inputs[::-1], environment=store.environment())
    try:
        assert wait_for_put(store, "lake/", lambda: other.poll() is None)
        with contextlib.suppress(ConflictError, UsageError):
            main_job.run_in_batches(spark, lake, [[folder] for folder in inputs], main_job.FRAGMENT_BYTES)
        _, errors = other.communicate(timeout=main_job.TIMEOUT_S)
    finally:
        other.kill()
        other.wait()
    assert other.returncode == 0 or "ConflictError" in errors or "UsageError" in errors, errors[-4000:]
    refused = [seen for seen in store.proxy.seen if seen.operation == "PUT_IF" and seen.status == 412]
    assert refused
    report = main_job.run_in_batches(spark, lake, [inputs], main_job.FRAGMENT_BYTES)
    assert report.build == build
    assert_same(store, tmp_path, build, hashes)
