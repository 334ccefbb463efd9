"""The main job with lake and input on a store: its inputs, waiting for what it writes, and whether it came out as on local files."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import main_job

from headwater.lineage.checks.lake import verify
from headwater.warehouse.snapshot import open_snapshot
from stores.fixtures import Store

__all__ = ["LAKE", "assert_same", "upload_inputs", "wait_for_put"]

LAKE = "lake"
"""Name of the lake in the bucket."""


def upload_inputs(store: Store, folder: Path, *, folders: int = 1, files: int = 4) -> list[str]:
    """Write the documents of the main job into folders of the bucket, as many files each, and return their URIs."""
    made = [Path(name) for name in main_job.write_folders(folder, folders=folders, files=files)]
    return [store.upload(each, f"in/{each.name}") for each in made]


def wait_for_put(store: Store, words: str, goes_on: Callable[[], bool] = lambda: True) -> bool:
    """Return True once something was written whose path holds ``words``, False where it was not and ``goes_on`` says that it will not be."""
    end = time.monotonic() + main_job.TIMEOUT_S
    while time.monotonic() < end:
        going = goes_on()
        if any(words in seen.path and seen.operation.startswith("PUT") for seen in store.proxy.seen):
            return True
        if not going:
            return False
        time.sleep(0.02)
    return False


def assert_same(store: Store, scratch: Path, build: str, hashes: dict[str, str]) -> None:
    """Check that the lake holds every document once, passes ``verify``, and has a build whose shards have these hashes.

    Args:
        scratch: a folder for a copy of the build.
    """
    lake = store.uri(LAKE)
    assert sum(open_snapshot(lake).live("content")["rows"].to_pylist()) == len(main_job.documents())
    failed = [check for check in verify(lake) if not check.passed]
    assert not failed, failed
    store.download(f"{LAKE}/builds/{build}", scratch / "copy" / "builds" / build)
    assert main_job.shard_hashes(scratch / "copy", build) == hashes
