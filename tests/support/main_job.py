"""The main job on some hundred documents, for tests that disturb it: input, a program to kill, one undisturbed lake, what to compare.

As a program (``python main_job.py MASTER LAKE FRAGMENT_BYTES FOLDER…``) it takes each folder as a batch through ingest to decide, then runs
the whole recipe: a driver of its own, which a test may kill.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headwater.errors import UsageError
from headwater.lineage.checks.lake import verify
from headwater.pipelines.annotate.step import annotate
from headwater.pipelines.decide.step import decide
from headwater.pipelines.deduplicate.step import deduplicate
from headwater.pipelines.ingest.step import ingest
from headwater.pipelines.recipe.job import load_recipe
from headwater.pipelines.recipe.operators import resolve
from headwater.pipelines.run import RunReport, run
from headwater.pipelines.spark.sessions import session
from headwater.warehouse.commit import create_lake
from headwater.warehouse.snapshot import open_snapshot, table_uri

if TYPE_CHECKING:
    import pytest
    from pyspark.sql import SparkSession

TESTS = Path(__file__).resolve().parents[1]
DEMO_TEXT = TESTS.parent / "src" / "headwater" / "demo"
RECIPE = TESTS / "pipelines" / "recipe" / "recipes" / "tiny.toml"
FRAGMENT_BYTES = 12_000
"""So small that the documents make a dozen fragments."""
TIMEOUT_S = 400
FAST_SPARK: dict[str, str] = {
    "spark.driver.memory": "768m",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",
}
"""For a driver that sees each query once: most of the time of a small job goes into compiling its queries."""


@cache
def documents() -> tuple[dict[str, str], ...]:
    """Return a third of the shipped text, each document with a URL of its own, and exact and near-duplicates of some."""
    texts = []
    for file in sorted([*DEMO_TEXT.glob("web/*.jsonl"), *DEMO_TEXT.glob("reasoning/*.jsonl")]):
        records = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
        texts += [record.get("text") or record["content"] for record in records[::3]]
    near = [f"{text}\n{number} 2026." for number, text in enumerate(texts[::4])]
    mail = [f"{text} Mail: reader{number}@example.org." for number, text in enumerate(texts[1::9])]
    short = [f"Too short to keep, number {number}." for number in range(6)]
    everything = [*texts, *near, *texts[::7], *mail, *short]
    return tuple(
        {"text": text, "url": f"https://site{number % 5}.example.org/{number}", "source": f"source-{number % 3}"}
        for number, text in enumerate(everything)
    )


def write_folders(root: Path, *, folders: int = 3, files: int = 4, seed: int | None = None) -> list[str]:
    """Write the documents as JSON Lines into ``folders`` of ``files`` each and return the folders; a seed deals them out in another order."""
    order = list(range(len(documents())))
    if seed is not None:
        random.Random(seed).shuffle(order)
    lines: dict[Path, list[str]] = {}
    for place, number in enumerate(order):
        slot = place % (folders * files)
        path = root / f"batch-{slot % folders}" / f"part-{slot // folders}.jsonl"
        lines.setdefault(path, []).append(json.dumps(documents()[number], ensure_ascii=False))
    for path, records in lines.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(records) + "\n", "utf-8")
    return sorted({str(path.parent) for path in lines})


def run_in_batches(spark: SparkSession, lake: str, batches: Sequence[Sequence[str]], fragment_bytes: int) -> RunReport:
    """Take each batch through ingest to decide, then run the whole recipe."""
    recipe = load_recipe(RECIPE)
    with contextlib.suppress(UsageError):  # it is there, from an earlier batch or another driver
        create_lake(lake)
    for inputs in batches:
        ingest(spark, lake, recipe, inputs, fragment_bytes=fragment_bytes)
        if len(batches) > 1:
            for step in (annotate, deduplicate, decide):
                step(spark, resolve(recipe, lake))
    return run(spark, lake, recipe)


def shard_hashes(lake: Path | str, build: str) -> dict[str, str]:
    """Return SHA-256 of every file of a build (shards, sidecars, manifests) but the one that says where it was made."""
    folder = Path(lake, "builds", build)
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "provenance.json"
    }


def committed(lake: Path | str, after: int, last: int) -> dict[str, dict[str, int]]:
    """Return, of the commits after one version up to another: family → path → bytes of the files added, read from the log itself."""
    found: dict[str, dict[str, int]] = {}
    for version in range(after + 1, last + 1):
        log = Path(table_uri(str(lake)), "_delta_log", f"{version:020d}.json")
        for line in log.read_text("utf-8").splitlines():
            add = json.loads(line).get("add")
            if add:
                found.setdefault(add["partitionValues"]["family"], {})[add["path"]] = add["size"]
    return found


def assert_whole(lake: Path | str) -> None:
    """Check that every document is in the lake once, and all that ``verify`` checks."""
    assert sum(open_snapshot(str(lake)).live("content")["rows"].to_pylist()) == len(documents())
    failed = [check for check in verify(str(lake)) if not check.passed]
    assert not failed


def undisturbed(spark: SparkSession, folders: pytest.TempPathFactory) -> tuple[Path, str, dict[str, str]]:
    """Return a lake made by one run without any disturbance, its build and the hashes of its shards; made once, only to be read."""
    return _undisturbed(spark, folders.getbasetemp() / "undisturbed")


@cache
def _undisturbed(spark: SparkSession, root: Path) -> tuple[Path, str, dict[str, str]]:
    lake = root / "lake"
    report = run_in_batches(spark, str(lake), [write_folders(root / "in")], FRAGMENT_BYTES)
    return lake, report.build, shard_hashes(lake, report.build)


def start_driver(
    lake: Path | str,
    folders: Sequence[str],
    *,
    master: str = "local[1,3]",
    fragment_bytes: int = FRAGMENT_BYTES,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[str]:
    """Start the job in a process of its own, which prints the name of its build."""
    command = [sys.executable, __file__, master, str(lake), str(fragment_bytes), *folders]
    return subprocess.Popen(
        command,
        env=os.environ | dict(environment or {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(driver: subprocess.Popen[str]) -> str:
    """Return what a driver printed; it must succeed."""
    output, errors = driver.communicate(timeout=TIMEOUT_S)
    assert driver.returncode == 0, errors[-4000:]
    return output.strip()


def main(master: str, lake: str, fragment_bytes: str, *folders: str) -> None:
    """Run the job on each folder as a batch of its own, with the Spark settings in MAIN_JOB_CONF."""
    conf: dict[str, Any] = json.loads(os.environ.get("MAIN_JOB_CONF", "{}"))
    spark = session(master, FAST_SPARK | conf)
    print(run_in_batches(spark, lake, [[folder] for folder in folders], int(fragment_bytes)).build)


if __name__ == "__main__":
    main(*sys.argv[1:])
