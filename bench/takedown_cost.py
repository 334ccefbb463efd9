"""What a takedown costs, by the shards that it touches.

    python -m bench.takedown_cost --input ../shared/corpus --megabytes 12

Makes a lake of some text with one build of many small shards; then, on a copy of the lake each time, takes down samples of the build: one; a
hundredth of them, once such that they lie in as few shards as can be and once drawn from all; a tenth drawn from all; and the drawn ones with the
build left as it is, which is the table's part. Prints one JSON object with a row for each: samples, shards written again and their bytes, files of
the table and their bytes, processor time and time on the wall in seconds, without the start of Python, by this process alone.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import time
import tomllib
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from bench.documents import draw, write_files
from headwater.lineage.questions import rows
from headwater.lineage.views import connect
from headwater.pipelines.recipe.job import parse_recipe
from headwater.pipelines.run import run
from headwater.pipelines.spark.sessions import session
from headwater.pipelines.takedown.asked import Asked
from headwater.pipelines.takedown.step import takedown
from headwater.plain import JsonObject
from headwater.warehouse.commit import create_lake
from headwater.warehouse.takedown_records import Record

_BUILD: Final = "bench"
_SHARE: Final = 0.01
_RECIPE: Final = """
format = 1
name = "takedown-cost"
[[pools]]
name = "all"
where = "TRUE"
[[stages]]
name = "all"
choose = 1
budget = "100 %"
context = 1024
order_by = "quality"
shares = { all = 1.0 }
[build]
shard_tokens = 16384
"""


def make_lake(lake: str, text: Path, n_bytes: int, master: str, scratch: Path) -> None:
    """Make a lake of some text and build all of it."""
    recipe = parse_recipe(tomllib.loads(_RECIPE))
    files = [str(path) for path in write_files(draw(text, n_bytes).documents, scratch / "in")]
    create_lake(lake)
    spark = session(master=master, conf={}, app_name="takedown-cost")
    run(spark, lake, recipe, files, name=_BUILD)
    spark.stop()


def places(lake: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the samples of the build and the shard of each, by shard, then by sample; a sample lies in one shard."""
    with connect(lake) as connection:
        found = rows(connection, "SELECT DISTINCT shard, sample_id FROM placements ORDER BY ALL")
    return np.array([row["sample_id"] for row in found], np.int64), np.array([row["shard"] for row in found], np.int64)


def cost(lake: str, samples: npt.NDArray[np.int64], *, with_build: bool) -> JsonObject:
    """Take samples of a copy of a lake down and return what it took."""
    with tempfile.TemporaryDirectory(prefix="takedown-cost-", dir=Path(lake).parent) as folder:
        copy = str(Path(folder, "lake"))
        shutil.copytree(lake, copy)
        listed = Path(folder, "ids.txt")
        listed.write_text("".join(f"{sample}\n" for sample in samples.tolist()), "utf-8")
        asked = Asked(
            who="bench",
            why="bench",
            named={"samples": str(listed)},
            builds=None if with_build else (),
            after_days=0.0,
        )
        before, begin = os.times(), time.monotonic()
        record = takedown(copy, asked)
        wall, after = time.monotonic() - begin, os.times()
        return {
            "named": len(samples),
            "samples": len(record.samples),
            **_written(record),
            "processor_s": round(after.user + after.system - before.user - before.system, 2),
            "wall_s": round(wall, 2),
        }


def _written(record: Record) -> JsonObject:
    stages = [told for build in record.revised.values() for told in build["stages"].values()]
    return {
        "shards": sum(len(told["shards"]) for told in stages),
        "shard_bytes": sum(told["bytes"] for told in stages),
        "table_files": record.rewritten["files"],
        "table_bytes": record.rewritten["bytes"],
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", type=Path, required=True, help="folder of a corpus")
    parser.add_argument("--megabytes", type=float, default=12.0, help="of text")
    parser.add_argument("--master", default="local[2]")
    parser.add_argument("--lake", help="keep the lake here, and use the one that is there")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="takedown-cost-") as folder:
        lake = arguments.lake or str(Path(folder, "lake"))
        if not Path(lake).exists():
            make_lake(lake, arguments.input, int(arguments.megabytes * 1e6), arguments.master, Path(folder))
        samples, shards = places(lake)
        n = max(1, round(len(samples) * _SHARE))
        drawn = np.sort(np.random.default_rng(0).choice(samples, n, replace=False))
        tenth = np.sort(np.random.default_rng(1).choice(samples, 10 * n, replace=False))
        cost(lake, samples[:1], with_build=True)  # loads and compiles what the others find there
        found = {
            "one sample": cost(lake, samples[:1], with_build=True),
            "1 %, of the fewest shards": cost(lake, np.sort(samples[:n]), with_build=True),
            "1 %, drawn from all": cost(lake, drawn, with_build=True),
            "1 %, drawn from all, without the build": cost(lake, drawn, with_build=False),
            "10 %, drawn from all": cost(lake, tenth, with_build=True),
            "10 %, drawn from all, without the build": cost(lake, tenth, with_build=False),
        }
    built = {"samples": len(samples), "shards": len(np.unique(shards))}
    print(json.dumps({"build": built, "takedowns": found}, indent=1))


if __name__ == "__main__":
    main()
