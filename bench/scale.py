"""What a driver does for forty trillion tokens, a part at a time: seconds, its peak memory, requests to a slow store, bytes that a task is sent.

    python -m bench.scale
    python -m bench.scale --fragments 20000 --parts open,locate
    python -m bench.scale --lake large-lake --parts plan,locate,targets,select

No task runs: the lake is a real log of files that do not exist (``scale_lake``), the store is a local folder whose answers take 30 ms
(``slow_store``), and Spark's part is what is handed to it. Each part has a process of its own. Where today's way and the one before it can both be
had, both are measured. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow.compute as pc

from bench.alternate import significant
from bench.figures import Figures

__all__ = ["PARTS", "main", "measure"]

_SLOTS: Final = 1000
_TASKS_PER_SLOT: Final = 4
_REQUESTS: Final = 1_000
_SHARDS: Final = 3 * 65_536
"""The most that three stages have."""
_DOCUMENTS: Final = 3 * 10**10
_ENTRIES: Final = 49
_NARROW: Final = ("minhash", "duplicates", "scores", "signals", "language", "spans", "tokens", "contamination")


@contextmanager
def _timed(figures: Figures, name: str) -> Iterator[None]:
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    figures[name] = {
        "wall_s": significant(time.perf_counter() - wall),
        "cpu_s": significant(time.process_time() - cpu),
    }


def _open(lake: str, _: float) -> Figures:
    """Open the newest version from its checkpoint alone, then again after as many small commits as may follow one."""
    from headwater.warehouse.commit import reserve_fragments
    from headwater.warehouse.snapshot import open_snapshot

    found: Figures = {}
    with _timed(found, "from_a_checkpoint"):
        snapshot = open_snapshot(lake)
    found |= {"live_files": snapshot.files.num_rows, "snapshot_mb": significant(snapshot.files.nbytes / 1e6)}
    log = Path(snapshot.uri, "_delta_log")
    found["checkpoint_mb"] = significant(sum(path.stat().st_size for path in log.glob("*.checkpoint*.parquet")) / 1e6)
    version = snapshot.version
    del snapshot
    small = str(Path(lake).parent / "small")
    _make_small(small)
    with _timed(found, "of_which_a_small_lake"):
        open_snapshot(small)
    for _ in range(_ENTRIES):
        reserve_fragments(small, 1)
    with _timed(found, "of_which_a_small_lake_and_49_entries"):
        open_snapshot(small)
    return found | {"version": version}


def _make_small(lake: str) -> None:
    from headwater.warehouse.commit import create_lake

    create_lake(lake)


def _plan(lake: str, _: float) -> Figures:
    """Plan annotate where every fragment lacks everything it makes."""
    from bench.scale_lake import recipe
    from headwater.lineage.runs import begin_run
    from headwater.pipelines.annotate import step
    from headwater.pipelines.recipe.operators import resolve
    from headwater.warehouse.snapshot import open_snapshot

    snapshot = open_snapshot(lake)
    job = resolve(recipe(), "")
    snapshot = replace(snapshot, files=snapshot.files.filter(pc.equal(snapshot.files["family"], "content")))
    run = begin_run(lake, "annotate", {}, {}, snapshot.version)
    found: Figures = {"families": len(job.fingerprints)}
    with _timed(found, "plan"):
        tasks = step._plan(snapshot, run, job, job.fingerprints, _SLOTS)  # what a driver does before the first task
    sizes = np.array([len(pickle.dumps(task)) for task in tasks])
    fragments = [len(task.fragments) for task in tasks]
    return found | {
        "tasks": len(tasks),
        "most_fragments_a_task": max(fragments),
        "text_gb_a_task": significant(3 * 0.17 * max(fragments)),
        "kb_a_task": significant(int(sizes.max()) / 1e3),
        "mb_all_tasks": significant(int(sizes.sum()) / 1e6),
    }


def _locate(lake: str, _: float) -> Figures:
    """Locate every fragment with eight families, and describe all to tasks, apart and a task's together."""
    from headwater.warehouse.snapshot import open_snapshot

    snapshot = open_snapshot(lake)
    found: Figures = {}
    with _timed(found, "locate"):
        located = list(snapshot.locate(snapshot.covered("content"), _NARROW))
    found["fragments"] = len(located)
    with _timed(found, "pickled_apart"):
        apart = sum(len(pickle.dumps(where)) for where in located)
    found["mb_apart"] = significant(apart / 1e6)
    try:
        from headwater.pipelines.spark.parcels import parcels
    except ImportError:  # in a version before it
        return found
    with _timed(found, "pickled_a_task_together"):
        together = [len(row) for (row,) in parcels(located, _TASKS_PER_SLOT * _SLOTS)]
    return found | {"mb_together": significant(sum(together) / 1e6), "kb_a_task": significant(max(together) / 1e3)}


def _targets(lake: str, _: float) -> Figures:
    """Plan the files of verdicts by other rules: what each task gets to know, and what all of them together are."""
    from headwater.pipelines.spark.aligned import plan_targets
    from headwater.warehouse.snapshot import open_snapshot

    snapshot = open_snapshot(lake)
    found: Figures = {}
    with _timed(found, "plan"):
        targets = plan_targets(snapshot, "verdicts", snapshot.covered("content"), _NARROW, _SLOTS)
    sizes = [len(pickle.dumps(target)) for target in targets]
    return found | {
        "targets": len(targets),
        "kb_the_largest": significant(max(sizes) / 1e3),
        "mb_all_as_they_were_broadcast_to_each_worker": significant(len(pickle.dumps(targets)) / 1e6),
    }


def _select(lake: str, _: float) -> Figures:
    """Tell what a selection is made from, the files of every fragment, as ``select`` does to know whether it was made before."""
    from headwater.pipelines.selection import step
    from headwater.warehouse.snapshot import open_snapshot

    snapshot = open_snapshot(lake)
    found: Figures = {}
    with _timed(found, "locate_and_tell"):
        state = step._state(list(snapshot.locate(snapshot.covered("content"), step._FAMILIES)))
    return found | {"state": state}


def _commit(lake: str, _: float) -> Figures:
    """Commit what a minute brings, a thirtieth of the slots' tasks, and leave a checkpoint, on a disk that answers at once."""
    from bench.scale_lake import entries, families, moved
    from headwater.lineage.runs import Unit, begin_run, commit_wave
    from headwater.warehouse import commit as commits
    from headwater.warehouse.log_repair import write_checkpoint
    from headwater.warehouse.snapshot import open_snapshot

    commits._check_files = lambda *_: None  # the files do not exist; see part "sizes"
    snapshot = open_snapshot(lake)
    run = begin_run(lake, "annotate", {}, {}, snapshot.version)
    made = {family: operator[::-1] for family, operator in families().items() if family in _NARROW}
    first = int(snapshot.covered("content").max()) + 1
    units = []
    for begin in range(first, first + 32 * 34, 32):
        files = list(entries(begin, 32, made, content=False))
        units.append(Unit(adds=files, counts={"samples": 1}))
    found: Figures = {"units": len(units), "files": sum(len(unit.adds) for unit in units)}
    for name in ("first", "second"):
        with _timed(found, name):
            snapshot, dropped = commit_wave(run, snapshot, units)
        if dropped:
            raise RuntimeError(f"expected every unit to be committed, found {len(dropped)} dropped")
        units = [replace(unit, adds=[moved(entry, 32 * len(units)) for entry in unit.adds]) for unit in units]
    with _timed(found, "checkpoint"):
        write_checkpoint(snapshot)
    return found


def _sizes(lake: str, request_ms: float) -> Figures:
    """Ask a store for the sizes of a thousand files, as before a commit: one after the other, and as now."""
    from bench.slow_store import mount
    from headwater.warehouse.filesystem import exists, filesystem_of
    from headwater.warehouse.many_files import AT_ONCE, sizes_of

    folder = Path(lake).parent / "sizes"
    folder.mkdir(exist_ok=True)
    paths = [str(folder / str(number)) for number in range(_REQUESTS)]
    for path in paths:
        Path(path).write_bytes(b"x")
    store = mount(request_ms)
    filesystem = sys.modules[filesystem_of.__module__].filesystem_of("/")[0]
    found: Figures = {"files": len(paths), "at_once": AT_ONCE}
    with _timed(found, "one_after_the_other"):
        one = [exists(filesystem, path) for path in paths]
    with _timed(found, "at_once_bounded"):
        many = list(sizes_of(filesystem, paths))
    if one != many:
        raise RuntimeError("expected the same sizes")
    return found | {"requests_each": store.asked["look"] // 2}


def _known(lake: str, request_ms: float) -> Figures:
    """Ask thrice which of some input files a lake has that describes 1,000 of them in 100 files of family ``files``."""
    from bench.slow_store import mount
    from headwater.pipelines.ingest.known import KnownFiles
    from headwater.pipelines.ingest.units import files_table, write_files
    from headwater.warehouse.commit import commit, create_lake

    small = str(Path(lake).parent / "known")
    snapshot = create_lake(small)
    rows = [_described(number) for number in range(1_000)]
    files = [write_files(snapshot.uri, "b", files_table(rows[at : at + 10])) for at in range(0, len(rows), 10)]
    snapshot = commit(snapshot, adds=files, wave=("files", 1), lake=small)
    store = mount(request_ms)
    known = KnownFiles()
    found: Figures = {}
    for name in ("first", "second", "third"):
        before = store.asked.total()
        with _timed(found, name):
            held = known.find(snapshot, {row["sha256"] for row in rows[: 10 + len(name)]})
        found[name]["requests"] = store.asked.total() - before
        if len(held) != 10 + len(name):
            raise RuntimeError(f"expected {10 + len(name)} files, found {len(held)}")
    return found


def _described(number: int) -> Figures:
    return {
        "file_id": number,
        "file_uri": f"s3://raw/{number}.warc.gz",
        "sha256": f"{number:064x}",
        "file_bytes": 1_000_000_000,
        "records": 50_000,
        "quarantined": 0,
        "format": "warc",
        "license": None,
        "passed_over": {"request": 1},
        "run_id": "run",
    }


def _shuffles(_: str, __: float) -> Figures:
    """Count partitions and blocks of each shuffle for the documents of so many fragments, as steps plan them; nothing is run."""
    from headwater.pipelines.builds.step import _runs_of_shards
    from headwater.pipelines.decide import step as decide
    from headwater.pipelines.deduplicate import clusters, pairs
    from headwater.pipelines.spark.blocks import FLUSH_BYTES, partitions_of

    tasks = _TASKS_PER_SLOT * _SLOTS
    found: Figures = {"documents": _DOCUMENTS}
    sizes = {
        "bands": _DOCUMENTS * pairs._BANDS * pairs._BANDED.itemsize,
        "buckets": 2 * _DOCUMENTS * pairs._SIGNED.itemsize,
        "texts": _DOCUMENTS * clusters._TEXT.itemsize,
    }
    for name, size in sizes.items():
        found[name] = _shuffle(size, tasks, partitions_of(size, _SLOTS)) | {
            "rows_b_a_partition_and_flush": significant(FLUSH_BYTES / partitions_of(size, _SLOTS))
        }
    size = _DOCUMENTS * decide._CANDIDATE_BYTES
    found["election_if_all_are_in_clusters"] = _shuffle(size, tasks, decide.election_partitions(_DOCUMENTS, _SLOTS))
    found["election_with_200_partitions"] = _shuffle(size, tasks, 200)
    tokens = 20 * 10**12 * 4
    tasks = 8 * _SLOTS
    found["build"] = _shuffle(tokens, tasks, _runs_of_shards(_SHARDS, tasks)) | {"shards": _SHARDS}
    found["build_with_a_partition_a_shard"] = _shuffle(tokens, tasks, _SHARDS)
    return found


def _shuffle(size: int, tasks: int, partitions: int) -> Figures:
    return {
        "tb": significant(size / 1e12),
        "tasks": tasks,
        "partitions": partitions,
        "blocks": tasks * partitions,
        "mb_a_partition": significant(size / partitions / 1e6),
        "kb_a_block": significant(size / partitions / tasks / 1e3),
    }


def _manifests(lake: str, request_ms: float) -> Figures:
    """Read the records of a thousand shards, of which a stage's manifest is made, from a store."""
    from bench.slow_store import mount
    from headwater.tokenize.shards.manifest import Shard, read_shard, write_shard
    from headwater.warehouse.filesystem import exists, filesystem_of, read_bytes
    from headwater.warehouse.many_files import read_present

    shard = Shard(
        number=0,
        sequences=16_384,
        tokens=67_000_000,
        padding=0,
        documents=100_000,
        longest_document=4_096,
        cut_documents=10,
        cut_tokens=100,
        full_sequences=5,
        files=(),
    )
    folder = Path(lake).parent / "shards"
    folder.mkdir(exist_ok=True)
    paths = [str(folder / f"{number}.json") for number in range(_REQUESTS)]
    for number, path in enumerate(paths):
        Path(path).write_bytes(write_shard(replace(shard, number=number)))
    store = mount(request_ms)
    filesystem = sys.modules[filesystem_of.__module__].filesystem_of("/")[0]
    found: Figures = {"shards": _REQUESTS}
    with _timed(found, "one_after_the_other"):
        one = [read_bytes(filesystem, path) for path in paths if exists(filesystem, path) is not None]
    found["one_after_the_other"]["requests"] = store.asked.total()
    with _timed(found, "at_once_bounded"):
        records = [
            read_shard(data, path) for path, data in zip(paths, read_present(filesystem, paths), strict=True) if data
        ]
    found["at_once_bounded"]["requests"] = store.asked.total() - found["one_after_the_other"]["requests"]
    if len(one) != len(records):
        raise RuntimeError("expected the same records")
    return found


PARTS: Final[dict[str, Callable[[str, float], Figures]]] = {
    "open": _open,
    "plan": _plan,
    "locate": _locate,
    "targets": _targets,
    "select": _select,
    "sizes": _sizes,
    "known": _known,
    "manifests": _manifests,
    "shuffles": _shuffles,
    "commit": _commit,
}
"""Part → what measures it; the last one changes the lake."""


def measure(part: str, lake: str, request_ms: float) -> Figures:
    """Return the figures of a part, and the peak memory of this process."""
    started = _megabytes()
    found = PARTS[part](lake, request_ms)
    return found | {"peak_mb": round(_megabytes("VmHWM")), "of_which_imports_mb": round(started)}


def _megabytes(name: str = "VmRSS") -> float:
    """Return a figure of this process; getrusage would hand on the parent's peak."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024


def main() -> None:
    """Make the lake, measure each part in a process of its own, print the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fragments", type=int, default=330_000)
    parser.add_argument("--request-ms", type=float, default=30.0, help="how long the store takes to answer")
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--part", help="measure one in this process, on the lake of --lake")
    parser.add_argument(
        "--lake", help="a folder to keep the lake in, made where it is not there; by default one that is deleted"
    )
    options = parser.parse_args()
    if options.part:
        print(json.dumps(measure(options.part, options.lake, options.request_ms)))
        return
    from bench.scale_lake import make_lake

    with tempfile.TemporaryDirectory(prefix="headwater-scale-") as folder:
        lake = str(Path(options.lake or Path(folder, "lake")).absolute())
        report: Figures = {"fragments": options.fragments, "slots": _SLOTS, "request_ms": options.request_ms}
        if not Path(lake).exists():
            with _timed(report, "making_the_lake"):
                make_lake(lake, options.fragments)
        report["machine"] = {"cores": os.cpu_count(), "load_before": [round(x, 1) for x in os.getloadavg()]}
        for part in options.parts.split(","):
            print(f"bench: {part}", file=sys.stderr)
            command = [sys.executable, "-m", "bench.scale", "--part", part, "--lake", lake]
            command += ["--request-ms", str(options.request_ms)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # this program
            report[part] = json.loads(done.stdout)
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
