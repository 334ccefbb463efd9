"""The benchmark's own arithmetic; its figures are never a test."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from conftest import REPOSITORY

sys.path.insert(0, str(REPOSITORY))  # pytest may be started from elsewhere

from bench.alternate import Seconds, Side, absent, alternate, compare, significant
from bench.annotate import LANGUAGES, against_datatrove, choose
from bench.documents import Document, draw, share_out, take, write_files
from bench.kernels import count_words
from bench.peers import PeerFailedError, Server, peer_python

from bench import __main__ as bench


def _documents(sizes: list[int]) -> list[Document]:
    return [
        Document(
            key=number.to_bytes(8) + (number * 7919 % 256).to_bytes() * 8, text="a" * size, n_bytes=size, folder="en"
        )
        for number, size in enumerate(sizes)
    ]


def _side(cpu: list[float]) -> Side:
    values = iter(cpu)
    return Side(what="a side", run=lambda: Seconds(cpu=(value := next(values)), wall=2 * value))


def _corpus(folder: Path, texts: dict[str, list[str]]) -> Path:
    for name, members in texts.items():
        path = folder / f"{name}.jsonl.zst"
        path.parent.mkdir(parents=True, exist_ok=True)
        with pa.output_stream(str(path), compression="zstd") as stream:
            stream.write("".join(json.dumps({"text": text}) + "\n" for text in members).encode())
    return folder


def test_sample_is_deterministic(tmp_path: Path) -> None:
    """The same corpus gives the same sample, whatever the order of its records, and every file its share."""
    texts = [f"document {number} " * 5 for number in range(200)]
    forth = draw(_corpus(tmp_path / "forth", {"a/en": texts, "b/de": [text.upper() for text in texts]}), 4000)
    back = draw(_corpus(tmp_path / "back", {"a/en": texts[::-1], "b/de": [text.upper() for text in texts]}), 4000)
    assert forth == back
    assert {document.folder for document in forth.documents} == {"de", "en"}
    assert abs(forth.n_bytes - 4000) < 2 * 100


def test_no_corpus_falls_back_to_the_shipped_text(tmp_path: Path) -> None:
    """Without a corpus the shipped text is taken whole, and the report says so."""
    sample = draw(tmp_path, 1000)
    assert sample.n_bytes > 100_000
    assert "no corpus" in sample.source


@pytest.mark.parametrize(
    ("sizes", "total", "shares"),
    [([10, 100, 100], 90, [10, 40, 40]), ([5, 5], 100, [5, 5]), ([], 10, []), ([100, 0, 100], 50, [25, 0, 25])],
)
def test_shares_are_even(sizes: list[int], total: int, shares: list[int]) -> None:
    """What a small file leaves is divided among the others."""
    assert share_out(sizes, total) == shares


def test_take_stops_at_the_limit() -> None:
    """Documents come in the order of their keys; only the one across the limit may exceed it."""
    documents = _documents([10] * 50)
    assert take(documents[::-1], 100) == documents[:10]
    assert len(take(documents, 105)) in {10, 11}
    assert take(documents, 0) == []


def test_take_neither_avoids_nor_prefers_long_documents() -> None:
    """A document longer than the limit is taken as often as it fits in part."""
    taken = sum(
        bool(take([Document(key=bytes(8) + (number << 56).to_bytes(8), text="", n_bytes=1000, folder="en")], 250))
        for number in range(256)
    )
    assert taken == 64


def test_datatrove_gets_an_even_share_of_every_language() -> None:
    """A language of few documents is among those compared, one without a label is not."""
    documents = _documents([10] * 100)
    labels = {document.key: "en" if number < 90 else "no" for number, document in enumerate(documents[:99])}
    chosen = choose(documents[::-1], labels, 100)
    assert [labels[document.key] for document in chosen] == ["en"] * 5 + ["no"] * 5
    assert choose(documents, {}, 100) == []


def test_files_hold_every_document(tmp_path: Path) -> None:
    """A file a folder name, a record a document."""
    paths = write_files(_documents([1, 2, 3]), tmp_path / "files")
    assert [path.name for path in paths] == ["en.jsonl"]
    assert [json.loads(line)["text"] for line in paths[0].read_bytes().splitlines()] == ["a", "aa", "aaa"]


def test_ratio_is_the_median_of_neighbours() -> None:
    """Each repetition is compared with the one beside it, so a machine that slows down changes no ratio."""
    found = compare(_side([1.0, 2.0, 30.0]), _side([10.0, 40.0, 300.0]), 3_000_000, 3)
    assert found["ratios"] == [10.0, 20.0, 10.0]
    assert found["ratio"] == 10.0
    assert found["headwater"]["mb_per_cpu_s"] == 1.5
    assert found["headwater"]["mb_per_wall_s"] == 0.75
    assert found["reason"] is None


def test_sides_alternate() -> None:
    """A B A B, never A A B B."""
    order: list[str] = []

    def side(name: str) -> Side:
        def run() -> Seconds:
            order.append(name)
            return Seconds(cpu=1, wall=1)

        return Side(what=name, run=run)

    alternate([side("a"), side("b")], 2)
    assert order == ["a", "b", "a", "b"]


def test_three_significant_digits() -> None:
    """Figures do not pretend to more than was measured."""
    assert [significant(value) for value in (0.0, 1.2345, 123456.0)] == [0.0, 1.23, 123000.0]


def test_absent_environment_gives_null_and_a_reason(tmp_path: Path) -> None:
    """No environment and no leave to make one: the ratio is null and the report says why."""
    requirements = REPOSITORY / "bench" / "requirements-peers.txt"
    python, reason = peer_python(tmp_path / ".venv-peers", requirements, install=False)
    found = against_datatrove([], {}, python, reason, None, tmp_path, 1)
    assert found["ratio"] is None
    assert "switched off" in found["reason"]


def test_peer_that_ends_early_says_why() -> None:
    """The last line on standard error is the reason."""
    with pytest.raises(PeerFailedError, match="no such thing"):
        Server([sys.executable, "-c", "raise SystemExit('no such thing')"])


def test_server_answers_a_line_with_a_line() -> None:
    """Greeting first, then one answer for each request."""
    program = 'import sys; print(\'{"version": "1"}\', flush=True)\nfor line in sys.stdin: print(\'{"asked": "\' + line.strip() + \'"}\', flush=True)'
    with Server([sys.executable, "-c", program]) as server:
        assert server.greeting == {"version": "1"}
        assert server.ask("one") == {"asked": "one"}
        assert server.ask("two") == {"asked": "two"}


def test_requirements_are_pinned() -> None:
    """Every peer and all that it needs has an exact version, the peer itself among them."""
    packages = {
        "": "datatrove", "-dolma": "dolma", "-data-juicer": "py-data-juicer", "-nemo-curator": "nemo-curator",
        "-text-dedup": "text-dedup", "-fasttext": "fasttext-new", "-ablation": "torch",
    }  # fmt: skip
    files = {path.name for path in (REPOSITORY / "bench").glob("requirements-peers*.txt")}
    assert files == {f"requirements-peers{name}.txt" for name in packages}
    for name, package in packages.items():
        lines = (REPOSITORY / "bench" / f"requirements-peers{name}.txt").read_text("utf-8").splitlines()
        assert package in dict(line.split("==") for line in lines if not line.startswith("#"))


def test_words_are_those_of_split() -> None:
    """The baseline counts what ``str.split`` splits, in any script."""
    texts = ["one two", "", " drei\u3000vier\n", "пять\u2028шесть\u00a0семь", "八 ก\u200bข", "\U0001f600 \U0001f601"]
    assert count_words(pa.array(texts)) == [len(text.split()) for text in texts]


def test_thirty_languages() -> None:
    """The languages that datatrove is asked to split are Headwater's thirty."""
    assert len(LANGUAGES) == 30


def test_report_without_peers_is_whole() -> None:
    """Every ratio has its place in the summary, as null where a peer was absent."""
    nothing: dict[str, Any] = absent("not installed")
    operators = {"language": {"mb_per_cpu_s": 50.0, "share": 0.5}}
    report = {
        "annotate": {"annotate": {"mb_per_cpu_s": 25.0}, "share_of_reading": 0.1, "operators": operators},
        "annotate_against_peers": {"dolma": nothing, "fastest": {"peer": None} | nothing},
        "annotate_through_spark": nothing,
        "backfill": nothing,
        "annotate_against_datatrove": nothing,
        "language_against_fasttext": nothing,
        "html": nothing,
        "minhash_against_datasketch": nothing,
        "encode_against_tokenizers": nothing,
        "job": nothing,
    }
    summary = bench.ratios(report)
    assert summary["annotate_mb_per_cpu_s"] == 25.0
    assert [name for name, value in summary.items() if isinstance(value, float)] == [
        "annotate_mb_per_cpu_s",
        "annotate_share_of_reading",
    ]
    assert summary["annotate_against_peers"] == {"dolma": None}
    assert summary["annotate_against_fastest_other_peer"]["ratio"] is None
    json.dumps(summary)


def test_steps_shares_add_up() -> None:
    """Each step's share is of the time of all steps; tokens count by both clocks."""
    answer = {"cpu": 8.0, "wall": 5.0, "steps": {"ingest": 1.0, "annotate": 3.0}, "peak_megabytes": {"jvm": 1.0}}
    found = bench.job_figures(answer, 1_000_000, 4_000_000)
    assert {step: figures["share"] for step, figures in found["steps"].items()} == {"ingest": 0.25, "annotate": 0.75}
    assert (found["tokens_per_wall_s"], found["tokens_per_cpu_s"]) == (200_000.0, 125_000.0)
