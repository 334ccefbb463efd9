"""The log of a lake as large as forty trillion tokens make it: real entries and a real checkpoint, of files that do not exist."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from itertools import islice
from typing import Final

from deltalake import CommitProperties, PostCommitHookProperties
from deltalake.transaction import AddAction, RemoveAction

from headwater.fingerprint import fingerprint
from headwater.pipelines.recipe.job import Recipe
from headwater.pipelines.recipe.operators import resolve
from headwater.pipelines.recipe.shipped import find_recipe
from headwater.warehouse.commit import create_lake
from headwater.warehouse.fragments import FRAGMENTS_PER_FILE, FileEntry, file_name
from headwater.warehouse.snapshot import open_snapshot

__all__ = ["BUILD", "ROWS", "entries", "families", "make_lake", "moved", "recipe"]

BUILD: Final = "run"
ROWS: Final = 90_000
"""Samples of a fragment: thirty billion in 330,000."""
_CONTENT_BYTES: Final = 170_000_000
_NARROW_BYTES: Final = 20_000_000
_BATCH_FRAGMENTS: Final = 4_096
_PER_COMMIT: Final = 50_000
_OTHERS: Final = ("uri_index", "host_index")


def recipe() -> Recipe:
    """Return the recipe whose operators the lake's files have."""
    return find_recipe("ling-flash-2")


def _file(family: str, base: int, fragments: int, operator: str, batch: str, size: int) -> FileEntry:
    digest = hashlib.sha256(f"{family}/{base}/{operator}".encode()).hexdigest()
    mask = (1 << fragments) - 1
    return FileEntry(
        path=f"family={family}/batch={batch}/{file_name(base, mask, operator, digest)}",
        family=family,
        batch=batch,
        base=base,
        mask=mask,
        operator=operator[:16],
        sha256=digest,
        size=size,
        rows=fragments * ROWS,
        min_id=base << 24,
        max_id=(base + fragments - 1 << 24) + ROWS - 1,
    )


def entries(first: int, fragments: int, families: dict[str, str], *, content: bool = True) -> Iterator[FileEntry]:
    """Yield files of fragments: one of content each, one of 64 fragments of every narrow family.

    Args:
        families: narrow family → operator.
    """
    for begin in range(first, first + fragments, FRAGMENTS_PER_FILE):
        count = min(FRAGMENTS_PER_FILE, first + fragments - begin)
        batch = f"web-{begin // _BATCH_FRAGMENTS:04d}"
        if content:
            for fragment in range(begin, begin + count):
                yield _file("content", fragment, 1, fingerprint("content"), batch, _CONTENT_BYTES)
        for family, operator in families.items():
            named = BUILD if family == "stages" else batch
            yield _file(family, begin, count, operator, named, count * _NARROW_BYTES // 64)


def moved(entry: FileEntry, by: int) -> FileEntry:
    """Return the file of the fragments that come so much later."""
    return _file(entry.family, entry.base + by, entry.mask.bit_count(), entry.operator, entry.batch, entry.size)


def families() -> dict[str, str]:
    """Return the narrow families of a lake that is decided and selected, with the operator that wrote each."""
    job = resolve(recipe(), "")
    made = dict(job.fingerprints) | {family: job.operator(family) for family in ("duplicates", "verdicts")}
    return made | {family: fingerprint(family) for family in (*_OTHERS, "stages")}


def make_lake(lake: str, fragments: int) -> None:
    """Make a lake of so many fragments, in few entries and a checkpoint."""
    create_lake(lake)
    rest = entries(0, fragments, families())
    while some := list(islice(rest, _PER_COMMIT)):
        snapshot = open_snapshot(lake)
        actions: list[AddAction | RemoveAction] = [_action(entry) for entry in some]
        snapshot.delta.create_write_transaction(
            actions,
            mode="append",
            schema=snapshot.delta.schema(),
            partition_by=["family", "batch"],
            commit_properties=CommitProperties(max_commit_retries=0),
            post_commithook_properties=PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False),
        )
        del snapshot
    open_snapshot(lake).delta.create_checkpoint()


def _action(entry: FileEntry) -> AddAction:
    bounds = {
        "numRecords": entry.rows,
        "minValues": {"sample_id": entry.min_id},
        "maxValues": {"sample_id": entry.max_id},
        "nullCount": {"sample_id": 0},
    }
    return AddAction(
        path=entry.path,
        size=entry.size,
        partition_values={"family": entry.family, "batch": entry.batch},
        modification_time=1_700_000_000_000,
        data_change=True,
        stats=json.dumps(bounds),
    )
