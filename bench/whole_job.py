"""Time and memory of the whole job on a folder of files.

    python -m bench.whole_job --input ../shared/corpus --recipe recipes/ling-flash-2.toml

Runs ``headwater run`` twice in processes of its own, the second time with nothing new, and samples the memory of the driver (the Python
process and its JVM, which in local mode is every executor too) and of each Python worker. Adds what lineage takes. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from headwater.warehouse.snapshot import open_snapshot

_SAMPLE_S = 0.25
_LINEAGE = ("files", "quarantine", "uri_index", "duplicates", "verdicts", "stages", "placements", "runs")


class _Sampler(threading.Thread):
    """Peak resident memory of a process tree, by role, in bytes."""

    def __init__(self, root: int) -> None:
        super().__init__(daemon=True)
        self._root = root
        self._stopped = threading.Event()
        self.peak = {"driver": 0, "worker": 0}

    def run(self) -> None:
        while not self._stopped.wait(_SAMPLE_S):
            driver = 0
            for name, size in _tree(self._root):
                if name == "worker":
                    self.peak["worker"] = max(self.peak["worker"], size)
                else:
                    driver += size
            self.peak["driver"] = max(self.peak["driver"], driver)

    def stop(self) -> None:
        self._stopped.set()
        self.join()


def _tree(root: int) -> list[tuple[str, int]]:
    """Return (role, resident bytes) of a process and its descendants."""
    children: dict[int, list[int]] = {}
    sizes: dict[int, tuple[str, int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            status = dict(
                line.split(":\t", 1) for line in (folder / "status").read_text().splitlines() if ":\t" in line
            )
            command = (folder / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        children.setdefault(int(status["PPid"]), []).append(int(folder.name))
        size = int(status.get("VmRSS", "0 kB").split()[0]) * 1024
        sizes[int(folder.name)] = ("worker" if b"pyspark.worker" in command else "driver", size)
    found, waiting = [], [root]
    while waiting:
        process = waiting.pop()
        waiting += children.get(process, [])
        if process in sizes:
            found.append(sizes[process])
    return found


def run(lake: str, recipe: str, inputs: list[str], master: str) -> dict[str, Any]:
    """Run the job once; return its report, seconds and peak memory."""
    command = [sys.executable, "-m", "headwater", "run", lake, recipe, "--master", master, "--output", "json"]
    command += [part for path in inputs for part in ("--input", path)]
    begin = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    sampler = _Sampler(process.pid)
    sampler.start()
    output, _ = process.communicate()
    sampler.stop()
    if process.returncode:
        raise SystemExit(f"headwater run ended with {process.returncode}")
    report = json.loads(output)
    return {
        "seconds": round(time.monotonic() - begin, 1),
        "steps": {step["step"]: round(step["seconds"], 1) for step in report["steps"]},
        "build": report["build"],
        "driver_peak_bytes": sampler.peak["driver"],
        "worker_peak_bytes": sampler.peak["worker"],
    }


def lineage(lake: str) -> dict[str, float]:
    """Return bytes a sample of the families that exist for lineage alone, from the files' sizes."""
    files = open_snapshot(lake).files
    sizes = {
        row["family"]: (row["size_sum"], row["rows_sum"])
        for row in files.group_by("family").aggregate([("size", "sum"), ("rows", "sum")]).to_pylist()
    }
    samples = sizes["content"][1]
    found = {name: round(sizes[name][0] / samples, 2) for name in _LINEAGE if name in sizes}
    return found | {"all": round(sum(sizes[name][0] for name in _LINEAGE if name in sizes) / samples, 2)}


def main() -> None:
    """Run twice and print both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input", action="append", required=True)
    parser.add_argument("--recipe", required=True)
    parser.add_argument("--master", default="local[*]")
    parser.add_argument("--lake", help="keep the lake here; by default it is thrown away")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lake = arguments.lake or str(Path(folder) / "lake")
        first = run(lake, arguments.recipe, arguments.input, arguments.master)
        again = run(lake, arguments.recipe, arguments.input, arguments.master)
        print(json.dumps({"first": first, "again": again, "lineage": lineage(lake)}, indent=1))


if __name__ == "__main__":
    main()
