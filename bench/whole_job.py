"""Time and memory of the whole job on a folder of files.

    python -m bench.whole_job --input ../shared/corpus --recipe recipes/ling-flash-2.toml

Runs ``headwater run`` twice in processes of its own, the second time with nothing new, and samples the memory of the driver (the Python
process and its JVM, which in local mode is every executor too) and of each Python worker. Adds what lineage takes. Prints one JSON
object. Its tokens a second a core: the tokens of all ingested samples over the whole command's time on the wall, start of Spark included, and
over the cores of ``--master``. ``rest`` is the time that belongs to no step.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from bench.figures import Figures
from bench.peers import PeerFailedError
from headwater.warehouse.parquet import read_file
from headwater.warehouse.snapshot import open_snapshot

_SAMPLE_S = 0.25
_LINEAGE = ("files", "quarantine", "uri_index", "duplicates", "verdicts", "stages", "placements", "runs")


class _Sampler(threading.Thread):
    """Peak resident memory of a process tree, by role, in bytes, and the processor time of all its processes, in seconds."""

    def __init__(self, root: int) -> None:
        super().__init__(daemon=True)
        self._root = root
        self._stopped = threading.Event()
        self.peak = {"driver": 0, "worker": 0}
        self._cpu_s: dict[int, float] = {}

    @property
    def cpu_s(self) -> float:
        """Processor time so far; what a process used after it was last looked at is missing."""
        return sum(self._cpu_s.values())

    def run(self) -> None:
        while not self._stopped.wait(_SAMPLE_S):
            driver = 0
            for process, name, size in _tree(self._root):
                self._cpu_s[process] = max(self._cpu_s.get(process, 0.0), _cpu_s(process))
                if name == "worker":
                    self.peak["worker"] = max(self.peak["worker"], size)
                else:
                    driver += size
            self.peak["driver"] = max(self.peak["driver"], driver)

    def stop(self) -> None:
        self._stopped.set()
        self.join()


def _cpu_s(process: int) -> float:
    """Return user and system time of a process that may have ended, seconds."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _tree(root: int) -> list[tuple[int, str, int]]:
    """Return (number, role, resident bytes) of a process and its descendants."""
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
            found.append((process, *sizes[process]))
    return found


def run(lake: str, recipe: str, inputs: list[str], master: str) -> Figures:
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
        raise PeerFailedError(f"headwater run ended with {process.returncode}")
    report = json.loads(output)
    seconds = time.monotonic() - begin
    steps = {step["step"]: float(step["seconds"]) for step in report["steps"]}
    return {
        "seconds": round(seconds, 1),
        "cpu_seconds": round(sampler.cpu_s, 1),
        "steps": shares(steps, seconds),
        "build": report["build"],
        "driver_peak_bytes": sampler.peak["driver"],
        "worker_peak_bytes": sampler.peak["worker"],
    }


def shares(steps: dict[str, float], seconds: float) -> dict[str, dict[str, float]]:
    """Return seconds and share of each step, and of the rest.

    >>> shares({"ingest": 3.0}, 4.0)
    {'ingest': {'seconds': 3.0, 'share': 0.75}, 'rest': {'seconds': 1.0, 'share': 0.25}}
    """
    parts = steps | {"rest": seconds - sum(steps.values())}
    return {name: {"seconds": round(value, 1), "share": round(value / seconds, 3)} for name, value in parts.items()}


def count_tokens(lake: str) -> int:
    """Return the tokens of all samples of a lake."""
    snapshot = open_snapshot(lake)
    paths = snapshot.paths("tokens")
    return sum(
        sum(table["n_tokens"].to_pylist()) for path in paths for table in read_file(snapshot.uri, path, ["n_tokens"])
    )


def cores_of(master: str) -> int:
    """Return how many cores a local master uses.

    >>> cores_of("local[3]")
    3
    """
    found = re.search(r"\[(\d+)", master)
    return int(found.group(1)) if found else os.cpu_count() or 1


def measure(lake: str, recipe: str, inputs: list[str], master: str) -> Figures:
    """Run twice, the second time with nothing new, and return both with speeds."""
    first = run(lake, recipe, inputs, master)
    again = run(lake, recipe, inputs, master)
    tokens, cores = count_tokens(lake), cores_of(master)
    return {
        "input_tokens": tokens,
        "cores": cores,
        "tokens_per_s_a_core": round(tokens / first["seconds"] / cores),
        "tokens_per_cpu_s": round(tokens / first["cpu_seconds"]),
        "first": first,
        "again": again,
        "lineage": lineage(lake),
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
        print(json.dumps(measure(lake, arguments.recipe, arguments.input, arguments.master), indent=1))


if __name__ == "__main__":
    main()
