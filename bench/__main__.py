"""Print Headwater's speed, and its ratio to peers, as one JSON object: ``python -m bench`` (docs/benchmarks.md)."""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

# One thread for every library: read when they are imported.
for _name in ("OMP_NUM_THREADS", "RAYON_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

from bench import annotate, backfill, html_speed, operators  # noqa: E402 - after the settings above
from bench import whole_job as corpus_job  # noqa: E402 - as above
from bench.alternate import absent, significant  # noqa: E402 - as above
from bench.annotate_peers import against_peers, fastest  # noqa: E402 - as above
from bench.documents import CORPUS, REPOSITORY, Document, draw, take, write_files  # noqa: E402 - as above
from bench.families import RECIPE  # noqa: E402 - as above
from bench.figures import Figures  # noqa: E402 - as above
from bench.language_peers import language_against_fasttext  # noqa: E402 - as above
from bench.peers import PeerFailedError, Server, peer_python  # noqa: E402 - as above
from headwater import __version__  # noqa: E402 - as above

__all__ = ["main", "measure"]

_WARM_UP_BYTES = 1_000_000


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    corpus = Path(os.environ.get("HEADWATER_CORPUS", CORPUS))
    parser.add_argument("--corpus", type=Path, default=corpus, help="folder of SOURCE/LANGUAGE.jsonl.zst")
    parser.add_argument("--megabytes", type=float, default=24, help="of text, drawn evenly over all files")
    parser.add_argument("--peer-megabytes", type=float, default=2, help="of it, for datatrove and the other peers")
    parser.add_argument("--html-megabytes", type=float, default=20, help="of web pages, half of each set")
    parser.add_argument("--spark-megabytes", type=float, default=60, help="of text, for annotate under Spark")
    parser.add_argument("--repetitions", type=int, default=3, help="of each side, in turns")
    parser.add_argument("--no-install", action="store_true", help="do not make .venv-peers and its like")
    options = parser.parse_args(arguments)
    print(json.dumps(measure(options), indent=2, ensure_ascii=False))


def measure(options: argparse.Namespace) -> Figures:
    """Return the whole report."""
    begin = time.monotonic()
    python, reason = peer_python(
        REPOSITORY / ".venv-peers", REPOSITORY / "bench" / "requirements-peers.txt", install=not options.no_install
    )
    sample = draw(options.corpus, int(options.megabytes * 1e6))
    documents, repetitions = sample.documents, options.repetitions
    report: Figures = {
        "format": 1,
        "headwater": __version__,
        "date": datetime.now(UTC).date().isoformat(),
        "machine": {
            "processor": _processor(),
            "cores": os.cpu_count(),
            "load_before": [round(x, 1) for x in os.getloadavg()],
        },
        "documents": {
            "source": sample.source,
            "count": len(documents),
            "megabytes": significant(sample.n_bytes / 1e6),
            "files": len({document.folder for document in documents}),
        },
        "seconds": "cpu: processor time of all threads; wall: time on the wall; ratios are medians of the quotients of neighbouring repetitions",
    }
    _say("annotate against a kernel that only reads")
    report["annotate"] = annotate.against_reading(documents, repetitions)
    _say("MinHash against datasketch")
    report["minhash_against_datasketch"] = operators.minhash_against_datasketch(documents, repetitions)
    _say("encode against tokenizers")
    report["encode_against_tokenizers"], n_tokens = operators.encode_against_tokenizers(documents, repetitions)
    _say("HTML to text against trafilatura, resiliparse and turbohtml")
    report["html"] = html_speed.measure(options.corpus, int(options.html_megabytes * 1e6), repetitions)
    known = annotate.known_languages(documents)
    chosen = annotate.choose(documents, known, int(options.peer_megabytes * 1e6))
    with tempfile.TemporaryDirectory(prefix="headwater-bench-") as name:
        folder = Path(name)
        _say("language against fastText's packages")
        report["language_against_fasttext"] = language_against_fasttext(
            documents, repetitions, folder, install=not options.no_install
        )
        _say("annotate against peers")
        peers = against_peers(chosen, known, folder, repetitions, install=not options.no_install)
        report["annotate_against_peers"] = peers | {"fastest": fastest(peers)}
        report |= _under_spark(options, documents, n_tokens, folder)
        _say("annotate against datatrove")
        apart = folder / "datatrove"

        def compare_datatrove(spark: Server | None) -> Figures:
            return annotate.against_datatrove(chosen, known, python, reason, spark, apart, repetitions)

        found = _with_spark(apart, compare_datatrove)
        # Spark that does not start is no reason to go without datatrove.
        report["annotate_against_datatrove"] = compare_datatrove(None) if found["ratio"] is None else found
    report["peak_megabytes"] = {
        "this_process": _megabytes(resource.RUSAGE_SELF),
        "largest_child": _megabytes(resource.RUSAGE_CHILDREN),
    }
    report["took_seconds"] = round(time.monotonic() - begin)
    report["ratios"] = ratios(report)
    return report


def _under_spark(options: argparse.Namespace, documents: list[Document], n_tokens: int, folder: Path) -> Figures:
    """Return the figures of programs that run Spark, each in a process of its own, so that one that fails takes no other with it."""
    _say("the whole job")
    job = _with_spark(folder / "job", lambda spark: whole_job(documents, n_tokens, spark, folder / "job"))
    _say("the whole job on every document of the corpus")
    master = f"local[{os.cpu_count() or 1}]"
    inputs = [str(options.corpus)] if options.corpus.is_dir() else [str(folder / "job" / "documents")]
    try:
        whole = corpus_job.measure(str(folder / "whole-lake"), str(RECIPE), inputs, master)
    except PeerFailedError as error:
        whole = absent(str(error))
    _say("annotate under Spark, and backfill")
    large = draw(options.corpus, int(options.spark_megabytes * 1e6)).documents
    again = _with_spark(
        folder / "again", lambda spark: backfill.measure(large, spark, folder / "again", options.repetitions)
    )
    return {
        "job": job,
        "whole_job": {"documents": "the corpus" if options.corpus.is_dir() else "job"} | whole,
        **(again if again.get("reason") is None else {"annotate_through_spark": again, "backfill": again}),
    }


def _with_spark(folder: Path, work: Callable[[Server], Figures]) -> Figures:
    """Return what `work` finds with a `bench.spark_side` that lives as long; absent, with the reason, where that ends early."""
    folder.mkdir()
    environment = {"PYTHONPATH": os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])}
    try:
        with Server([sys.executable, "-m", "bench.spark_side", str(folder), str(RECIPE)], environment) as spark:
            return work(spark)
    except PeerFailedError as error:
        return absent(f"Spark's side ended early: {error}")


def whole_job(documents: list[Document], n_tokens: int, spark: Server, folder: Path) -> Figures:
    """Run the whole job on a little text, so that nothing is compiled or loaded under the clock, then on a quarter, then on everything.

    Spark's steps take seconds whatever the input, so the figures of a small sample speak of those; the difference between the quarter and
    everything tells what another token costs.
    """
    n_bytes = sum(document.n_bytes for document in documents)
    answers = []
    for name, part in (("warm-up", min(_WARM_UP_BYTES, n_bytes)), ("quarter", n_bytes // 4), ("documents", n_bytes)):
        write_files(take(documents, part), folder / name)
        answers.append(spark.ask(f"run {folder / name}"))
    quarter = sum(document.n_bytes for document in take(documents, n_bytes // 4)) / n_bytes
    further = {
        f"further_tokens_per_{clock}_s": significant((1 - quarter) * n_tokens / (answers[2][clock] - answers[1][clock]))
        if answers[2][clock] > answers[1][clock]
        else None
        for clock in ("wall", "cpu")
    }
    return job_figures(answers[2], n_tokens, n_bytes) | {
        **further,
        "further": "what is left for the other three quarters when the time of one is taken off, in proportion to their bytes",
        "what": "headwater.pipelines.run.run, local[1], recipes/ling-flash-2.toml, JSON Lines to shards, after a run on 1 MB; all processes",
        "spark": spark.greeting["version"],
    }


def job_figures(answer: Figures, n_tokens: int, n_bytes: int) -> Figures:
    """Return speeds and each step's share of the time from what `bench.spark_side` answered."""
    total = sum(answer["steps"].values())
    return {
        "input_tokens": n_tokens,
        "tokens_per_wall_s": significant(n_tokens / answer["wall"]),
        "tokens_per_cpu_s": significant(n_tokens / answer["cpu"]),
        "mb_per_wall_s": significant(n_bytes / 1e6 / answer["wall"]),
        "seconds": {"cpu": significant(answer["cpu"]), "wall": significant(answer["wall"])},
        "steps": {
            step: {
                "wall": significant(seconds),
                "share": round(seconds / total, 3),
                "mb_per_wall_s": significant(n_bytes / 1e6 / seconds),
            }
            for step, seconds in answer["steps"].items()
        },
        "peak_megabytes": answer["peak_megabytes"],
    }


def ratios(report: Figures) -> Figures:
    """Return the figures that the design sets targets for, side by side."""
    datatrove = report["annotate_against_datatrove"]
    return {
        "annotate_mb_per_cpu_s": report["annotate"]["annotate"]["mb_per_cpu_s"],
        "annotate_share_of_reading": report["annotate"]["share_of_reading"],
        "annotate_through_spark_mb_per_cpu_s": report["annotate_through_spark"].get("mb_per_cpu_s"),
        "annotate_through_spark_further_mb_per_cpu_s": report["annotate_through_spark"].get("further_mb_per_cpu_s"),
        "operators_share_of_annotate": {
            family: part["share"] for family, part in report["annotate"]["operators"].items()
        },
        "scoring": {
            "share_of_annotate": report["annotate"]["operators"].get("scores", {}).get("share"),
            "at_most": annotate.SCORES_AT_MOST,
            "by_model": {name: part["share"] for name, part in report["annotate"].get("score_models", {}).items()},
        },
        "annotate_against_fastest_other_peer": report["annotate_against_peers"]["fastest"],
        "annotate_against_peers": {
            name: part["ratio"] for name, part in report["annotate_against_peers"].items() if name != "fastest"
        },
        "annotate_against_datatrove": datatrove["ratio"],
        "annotate_against_datatrove_that_drops": datatrove.get("when_datatrove_drops", {}).get("ratio"),
        "annotate_step_against_datatrove": datatrove.get("every_document_through_spark", {}).get("ratio"),
        "html_against_trafilatura": report["html"]["ratio"],
        "html_mb_per_cpu_s": {
            name: report["html"][name]["mb_per_cpu_s"]
            for name in ("headwater", "trafilatura", "resiliparse", "turbohtml")
            if report["html"].get(name, {}).get("mb_per_cpu_s")
        },
        "language_against_fastest_fasttext": report["language_against_fasttext"]["ratio"],
        "language_identify_against_fastest_fasttext": report["language_against_fasttext"].get("identify_ratio"),
        "language_against_fasttext_community": report["language_against_fasttext"]
        .get("packages", {})
        .get("fasttext-community", {})
        .get("ratio"),
        "minhash_against_datasketch_hashes_given": report["minhash_against_datasketch"]
        .get("hashes_given", {})
        .get("ratio"),
        "minhash_against_datasketch_as_documented": report["minhash_against_datasketch"]
        .get("as_documented", {})
        .get("ratio"),
        "encode_against_tokenizers": report["encode_against_tokenizers"]["ratio"],
        "backfill": {
            family: {name: part[name] for name in ("share_of_content_bytes", "time_against_anew")}
            for family, part in report["backfill"].get("changed", {}).items()
        },
        "whole_job_tokens_per_s_a_core": report.get("whole_job", {}).get("tokens_per_s_a_core"),
        "job_tokens_per_wall_s": report["job"].get("tokens_per_wall_s"),
        "job_tokens_per_cpu_s": report["job"].get("tokens_per_cpu_s"),
        "job_further_tokens_per_cpu_s": report["job"].get("further_tokens_per_cpu_s"),
    }


def _megabytes(who: int) -> float:
    # Kilobytes on Linux, bytes on macOS.
    unit = 1024 if sys.platform.startswith("linux") else 1 << 20
    return round(resource.getrusage(who).ru_maxrss / unit, 1)


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _say(what: str) -> None:
    print(f"bench: {what}", file=sys.stderr)


if __name__ == "__main__":
    main()
