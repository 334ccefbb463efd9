"""What lineage takes of a job: its processor time against the same job without lineage, and bytes a sample.

    python -m bench.lineage_share --input ../shared/corpus/manpages --pairs 2

Whole jobs in processes of their own, in pairs, in turn with lineage first and without it first. Without it nothing is computed or written that only
questions read: no rows of ``uri_index``, ``host_index`` and ``placements`` (``bench/lineage_off`` replaces what makes them, in every process of
the job). Left in both: verdicts and stages, which later steps read, the rows of ``runs`` and ``files``, by which a job goes on where it stopped, the
column ``run_id``, and the index files themselves. Both kinds must give the same shards. Processor seconds are of the whole process tree.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
from pathlib import Path
from typing import Final

from bench.figures import Figures
from bench.peers import PeerFailedError
from bench.whole_job import run
from headwater.tokenize.shards.manifest import read_manifest
from headwater.warehouse.snapshot import open_snapshot

__all__ = ["measure"]

_OFF: Final = Path(__file__).parent / "lineage_off"
_ONLY_ASKED: Final = ("uri_index", "host_index", "placements")
"""Families that no step reads."""
_BYTES: Final = ("files", "runs", "uri_index", "host_index", "hash_index", "verdicts", "stages", "placements")


def _job(folder: Path, recipe: str, inputs: list[str], master: str, *, lineage: bool) -> tuple[float, str]:
    """Run a job and return its processor seconds and its lake."""
    lake = str(folder / ("with" if lineage else "without"))
    before = os.environ.get("PYTHONPATH")
    if not lineage:
        os.environ["PYTHONPATH"] = os.pathsep.join([str(_OFF), *([before] if before else [])])
    try:
        found = run(lake, recipe, inputs, master)
    finally:
        os.environ.pop("PYTHONPATH", None)
        if before is not None:
            os.environ["PYTHONPATH"] = before
    rows = {family: sum(open_snapshot(lake).live(family)["rows"].to_pylist()) for family in _ONLY_ASKED}
    if not rows["placements"] if lineage else any(rows.values()):
        raise PeerFailedError(f"expected a job {'with' if lineage else 'without'} lineage, found one with rows {rows}")
    return float(found["cpu_seconds"]), lake


def _shards(lake: str) -> dict[str, str]:
    """Return the SHA-256 of every shard's file by stage and name, from the manifests."""
    found: dict[str, str] = {}
    for path in sorted(Path(lake, "builds").glob("*/*/manifest.json")):
        for shard in read_manifest(path.read_bytes(), str(path)).shards:
            found |= {f"{path.parent.name}/{file.name}": file.sha256 for file in shard.files}
    return found


def measure(recipe: str, inputs: list[str], master: str, pairs: int) -> Figures:
    """Return processor seconds with and without lineage, the share, and bytes a sample."""
    seconds: dict[bool, list[float]] = {True: [], False: []}
    answer: Figures = {}
    for number in range(pairs):
        with tempfile.TemporaryDirectory() as folder:
            lakes = {}
            for lineage in (True, False) if number % 2 == 0 else (False, True):
                cpu, lakes[lineage] = _job(Path(folder), recipe, inputs, master, lineage=lineage)
                seconds[lineage].append(cpu)
            if _shards(lakes[True]) != _shards(lakes[False]) or not _shards(lakes[True]):
                raise PeerFailedError("expected the same shards with lineage and without, found others")
            files = open_snapshot(lakes[True]).files
            samples = sum(open_snapshot(lakes[True]).live("content")["rows"].to_pylist())
            sizes = dict.fromkeys(_BYTES, 0)
            for family, size in zip(files["family"].to_pylist(), files["size"].to_pylist(), strict=True):
                if family in sizes:
                    sizes[family] += size
            answer |= {
                "samples": samples,
                "bytes_a_sample": {family: round(size / samples, 1) for family, size in sizes.items()},
                "lineage_bytes_a_sample": round(sum(sizes.values()) / samples, 1),
            }
    shares = [1 - without / whole for whole, without in zip(seconds[True], seconds[False], strict=True)]
    return answer | {
        "cpu_s_with": seconds[True],
        "cpu_s_without": seconds[False],
        "share_of_each_pair": [round(share, 3) for share in shares],
        "share": round(statistics.median(shares), 3),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="bench.lineage_share", description=__doc__)
    parser.add_argument("--input", action="append", required=True)
    parser.add_argument("--recipe", default="demo")
    parser.add_argument("--master", default="local[*]")
    parser.add_argument("--pairs", type=int, default=2)
    options = parser.parse_args()
    print(json.dumps(measure(options.recipe, options.input, options.master, options.pairs)))


if __name__ == "__main__":
    main()
