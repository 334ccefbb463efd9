"""Driver memory of a snapshot: bytes for each live file of a synthetic table.

    python -m bench.snapshot_memory --files 1000000

The table's log is real, its files do not exist: a snapshot reads the log alone. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from deltalake import CommitProperties, PostCommitHookProperties
from deltalake.transaction import AddAction, RemoveAction

from headwater.warehouse.commit import create_lake
from headwater.warehouse.fragments import file_name
from headwater.warehouse.snapshot import open_snapshot

_FAMILIES: Final = (
    "content",
    "uri_index",
    "language",
    "signals",
    "scores",
    "minhash",
    "spans",
    "tokens",
    "duplicates",
    "verdicts",
)
_PER_COMMIT: Final = 50_000


def make_table(lake: str, files: int) -> None:
    """Commit ``files`` descriptions of files that do not exist, half of them content, and write a checkpoint."""
    create_lake(lake)
    for begin in range(0, files, _PER_COMMIT):
        snapshot = open_snapshot(lake)
        actions: list[AddAction | RemoveAction] = [
            _action(number) for number in range(begin, min(files, begin + _PER_COMMIT))
        ]
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


def _action(number: int) -> AddAction:
    family = "content" if number % 2 == 0 else _FAMILIES[1 + number // 2 % (len(_FAMILIES) - 1)]
    digest = hashlib.sha256(str(number).encode()).hexdigest()
    batch = f"web-{number // 10_000:04d}"
    first = number << 24
    bounds = {"numRecords": 100_000, "minValues": {"sample_id": first}, "maxValues": {"sample_id": first + 99_999}}
    return AddAction(
        path=f"family={family}/batch={batch}/{file_name(number, 1, digest[:16], digest)}",
        size=200_000_000,
        partition_values={"family": family, "batch": batch},
        modification_time=1_700_000_000_000,
        data_change=True,
        stats=json.dumps(bounds | {"nullCount": {"sample_id": 0}}),
    )


def measure(lake: str) -> dict[str, float]:
    """Open the newest snapshot in this process; return its memory and time."""
    before = _memory("VmRSS")
    begin = time.perf_counter()
    snapshot = open_snapshot(lake)
    seconds = time.perf_counter() - begin
    begin = time.perf_counter()
    missing = len(snapshot.missing("language", "0" * 16))
    planning = time.perf_counter() - begin
    peak, held = _memory("VmHWM"), _memory("VmRSS")
    files = snapshot.files.num_rows
    return {
        "files": files,
        "missing_fragments": missing,
        "open_seconds": round(seconds, 2),
        "missing_seconds": round(planning, 2),
        "peak_bytes_a_file": round((peak - before) / files, 1),
        "held_bytes_a_file": round((held - before) / files, 1),
        "arrow_bytes_a_file": round(snapshot.files.nbytes / files, 1),
    }


def _memory(name: str) -> int:
    """Return a figure of this process in bytes; getrusage would hand on the parent's peak."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024


def main() -> None:
    """Make the table, measure it in a process of its own, print the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=1_000_000)
    parser.add_argument("--measure", metavar="LAKE", help="measure an existing table")
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(arguments.measure)))
        return
    with tempfile.TemporaryDirectory() as folder:
        lake = str(Path(folder) / "lake")
        make_table(lake, arguments.files)
        command = [sys.executable, "-m", "bench.snapshot_memory", "--measure", lake]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
