"""What starting Spark takes in local mode: ``python -m bench.spark_start``.

Each line is a start in a process of its own, up to the session and up to the first answer of Python workers, in processor seconds of all processes:
with Java's own settings, with Headwater's options for local masters, and with these and the archive of classes (``make setup`` makes it).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from typing import Final

_OPTIONS: Final = {
    "java's own": "-XX:TieredStopAtLevel=4 -XX:+UseG1GC -Xshare:auto",
    "without the archive": "-Xshare:auto",
    "headwater's": "",
}
"""What a user's own options name is left as they say, so that each line is a choice of Headwater's options."""
_START: Final = """
import json, sys
from bench.process_tree import tree_cpu_seconds
from headwater.pipelines.spark import session
spark = session("local[2]", {"spark.driver.extraJavaOptions": sys.argv[1]})
started = tree_cpu_seconds()
spark.sparkContext.parallelize(range(2), 2).map(abs).collect()
print(json.dumps({"session": round(started, 1), "first_tasks": round(tree_cpu_seconds(), 1)}))
spark.stop()
"""


def measure(options: str) -> dict[str, float]:
    """Return processor seconds of one start."""
    done = subprocess.run([sys.executable, "-c", _START, options], stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    """Start Spark in each way, in turn, and print what each start took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=3)
    given = parser.parse_args()
    starts: dict[str, list[dict[str, float]]] = {name: [] for name in _OPTIONS}
    for _ in range(given.times):
        for name, options in _OPTIONS.items():
            starts[name].append(measure(options))
    print(json.dumps(starts, indent=1))


if __name__ == "__main__":
    main()
