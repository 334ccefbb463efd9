"""What it costs to change a definition on an existing lake: bytes written by family, time against annotating anew, files untouched.

    python -m bench.backfill --megabytes 20

``make bench`` prints the same under `backfill`, and `annotate_through_spark`: the speed of the pass under Spark, tokens apart, from two
lakes of different size, so that what a run takes whatever its size does not count as time per megabyte.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from statistics import median

from bench.alternate import significant
from bench.definitions import raisable
from bench.documents import CORPUS, REPOSITORY, Document, draw, take, write_files
from bench.families import RECIPE
from bench.figures import Figures
from bench.peers import Server
from headwater.pipelines.recipe.operators import ANNOTATED

__all__ = ["backfill", "main", "make_lake", "measure", "through_spark"]

_FRACTION = 4  # the smaller lake is this part of the larger


def make_lake(spark: Server, documents: list[Document], folder: Path) -> Figures:
    """Ingest and annotate into a lake that stays, and return what `bench.spark_side` answers, with the bytes of text."""
    write_files(documents, folder)
    return spark.ask(f"lake {folder}") | {"text_bytes": sum(document.n_bytes for document in documents)}


def backfill(spark: Server, lake: Figures, repetitions: int) -> Figures:
    """Return what one changed definition costs for each family that has one, beside annotating all families anew."""
    everything = raisable()
    changes = [[family] for family in everything]
    answers: dict[str, list[Figures]] = {}
    for _ in range(repetitions):
        for families in [everything, *changes]:
            answers.setdefault(",".join(families), []).append(_ask(spark, lake, families))
    anew = answers[",".join(everything)]
    content = anew[0]["bytes"]["content"]
    return {
        "what": "annotate again after the version of one operator was raised, local[1]; processor time of all processes, the median",
        "documents_megabytes": significant(lake["text_bytes"] / 1e6),
        "content_bytes": content,
        "anew": {"families": list(ANNOTATED), **_cost(anew, anew, content)},
        "changed": {
            family: {
                "rewritten": _rewritten(answers[family][0]),
                "untouched": answers[family][0]["untouched"],
                **_cost(answers[family], anew, content),
            }
            for family in everything
        },
    }


def _rewritten(answer: Figures) -> list[str]:
    """Return the families of which files were written."""
    return sorted(family for family in answer["written"] if family != "runs")


def _cost(answers: list[Figures], anew: list[Figures], content: int) -> Figures:
    written = {family: size for family, size in answers[0]["written"].items() if family != "runs"}
    shares = [own["cpu"] / whole["cpu"] for own, whole in zip(answers, anew, strict=True)]
    return {
        "bytes_written": written,
        "share_of_content_bytes": significant(sum(written.values()) / content),
        "cpu_s": significant(median(answer["cpu"] for answer in answers)),
        "wall_s": significant(median(answer["wall"] for answer in answers)),
        "time_against_anew": significant(median(shares)),
    }


def through_spark(spark: Server, small: Figures, large: Figures, repetitions: int) -> Figures:
    """Return MB/s a processor second of annotate under Spark, tokens apart: of the larger lake, and per further megabyte."""
    families = raisable()
    _ask(spark, small, families, "only")  # compiles, and starts the worker
    pairs = [(_ask(spark, small, families, "only"), _ask(spark, large, families, "only")) for _ in range(repetitions)]
    further = (large["text_bytes"] - small["text_bytes"]) / 1e6
    result: Figures = {
        "what": "the annotate step, local[1], on lakes whose operators were raised: content read, families written and committed",
        "families": families,
        "left_out": "tokens",
        "megabytes": [significant(lake["text_bytes"] / 1e6) for lake in (small, large)],
    }
    for clock in ("cpu", "wall"):
        slopes = [second[clock] - first[clock] for first, second in pairs]
        whole = median(second[clock] for _, second in pairs)
        slope = median(slopes)
        per_megabyte = slope / further
        result |= {
            f"{clock}_s": [[significant(answer[clock]) for answer in pair] for pair in pairs],
            f"mb_per_{clock}_s": significant(large["text_bytes"] / 1e6 / whole),
            # A busy machine can make the smaller lake the slower one: then the difference says nothing.
            f"further_mb_per_{clock}_s": significant(further / slope) if slope > 0 else None,
            f"fixed_{clock}_s": significant(whole - per_megabyte * large["text_bytes"] / 1e6) if slope > 0 else None,
        }
    return result


def _ask(spark: Server, lake: Figures, families: list[str], verb: str = "again") -> Figures:
    return spark.ask(f"{verb} {lake['lake']} {','.join(families)}")


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(prog="bench.backfill", description=__doc__)
    parser.add_argument("--corpus", type=Path, default=Path(os.environ.get("HEADWATER_CORPUS", CORPUS)))
    parser.add_argument(
        "--megabytes", type=float, default=60, help="of text in the larger lake; the smaller has a quarter"
    )
    parser.add_argument("--repetitions", type=int, default=3)
    options = parser.parse_args()
    documents = draw(options.corpus, int(options.megabytes * 1e6)).documents
    with tempfile.TemporaryDirectory(prefix="headwater-bench-") as name:
        command = [sys.executable, "-m", "bench.spark_side", name, str(RECIPE)]
        with Server(
            command, {"PYTHONPATH": os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])}
        ) as spark:
            print(json.dumps(measure(documents, spark, Path(name), options.repetitions), indent=2))


def measure(documents: list[Document], spark: Server, folder: Path, repetitions: int) -> Figures:
    """Make both lakes and return both figures."""
    n_bytes = sum(document.n_bytes for document in documents)
    small = make_lake(spark, take(documents, n_bytes // _FRACTION), folder / "small")
    large = make_lake(spark, documents, folder / "large")
    return {
        "annotate_through_spark": through_spark(spark, small, large, repetitions),
        "backfill": backfill(spark, small, repetitions),
    }


if __name__ == "__main__":
    main()
