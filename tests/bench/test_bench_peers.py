"""Peers of the benchmark: what is asked of them, what is said where one is absent, and what a changed definition reaches."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from conftest import REPOSITORY

sys.path.insert(0, str(REPOSITORY))  # pytest may be started from elsewhere

from bench.annotate_peers import PEERS, against_peers, fastest
from bench.backfill import backfill, through_spark
from bench.definitions import changed_definitions, raisable
from bench.documents import Document
from bench.families import APART, FAMILIES, batches, measure, prepare
from bench.language_peers import _summary
from bench.peers import Server

from headwater.pipelines.recipe.job import load_recipe
from headwater.pipelines.recipe.operators import ANNOTATED, resolve

DEPENDANTS = {
    "language": {"signals", "scores", "minhash"},
    "signals": {"scores", "minhash"},
    "spans": {"tokens"},
}
PEER = """
from bench.peer_loop import claim_output, read_documents, serve
answers = claim_output()
print("a library's chatter")
calls = []
documents = read_documents({path!r})
serve(answers, {{"version": "peer 1"}}, {{"a": lambda d: calls.append(len(d)), "b": lambda d: None}}, documents)
"""


def _document(text: str) -> Document:
    raw = text.encode()
    return Document(key=raw[:16].ljust(16), text=text, n_bytes=len(raw), folder="en")


class _Spark:
    """Answers as `bench.spark_side` does, each request a second longer than the lake's size in megabytes over ten."""

    def __init__(self, megabytes: dict[str, float]) -> None:
        self.megabytes = megabytes

    def ask(self, request: str) -> dict[str, Any]:
        """Answer ``again LAKE FAMILIES`` and ``only LAKE FAMILIES``."""
        verb, lake, families = request.split(" ")
        assert verb in {"again", "only"}
        seconds = 1 + self.megabytes[lake] / 10 * len(families.split(","))
        written = dict.fromkeys(families.split(","), 10)
        return {
            "cpu": seconds,
            "wall": 2 * seconds,
            "bytes": {"content": 1000},
            "written": written,
            "untouched": ["content"],
        }


def test_a_peers_program_answers_what_it_is_asked(tmp_path: Path) -> None:
    """It says what it measures, times the families that a line names, and keeps chatter away from the answers."""
    file = tmp_path / "documents.jsonl"
    file.write_text('{"text": "one", "language": "en"}\n' * 5)
    with Server([sys.executable, "-c", PEER.format(path=str(file))], {"PYTHONPATH": str(REPOSITORY)}) as server:
        assert server.greeting == {"version": "peer 1", "families": ["a", "b"]}
        answer = server.ask("a,b")
        assert answer["cpu"] >= 0
        assert answer["wall"] > 0


def test_a_peer_that_is_not_there_does_not_stop_the_others(tmp_path: Path) -> None:
    """Every peer has its place in the report, with the reason why it is absent."""
    document = _document("text")
    found = against_peers([document], {document.key: "en"}, tmp_path, 1, install=False, environments=tmp_path)
    assert list(found) == [peer.name for peer in PEERS]
    assert all("switched off" in part["reason"] and part["ratio"] is None for part in found.values())
    assert fastest(found)["ratio"] is None


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: str(peer.name))
def test_a_peer_has_pins_and_a_program(peer: Any) -> None:
    """What a peer's name leads to is there."""
    assert peer.requirements.is_file()
    assert (REPOSITORY / f"{peer.module.replace('.', '/')}.py").is_file()


def test_the_fastest_fasttext_is_so_by_its_own_speed() -> None:
    """The ratio that counts is the one to the fastest package, whatever the others' ratios are."""

    def part(ratio: float, speed: float) -> dict[str, Any]:
        return {"lid_176_alone": {"ratio": ratio, "peer": {"mb_per_cpu_s": speed}}, "identify": {"ratio": ratio / 2}}

    found = _summary({"slow": part(9.0, 10.0), "fast": part(3.0, 30.0), "none": {"ratio": None, "reason": "absent"}})
    assert (found["fastest"], found["ratio"], found["identify_ratio"]) == ("fast", 3.0, 1.5)


@pytest.mark.slow
def test_families_are_those_of_the_step() -> None:
    """Nothing is timed that the annotate step does not fill; what it fills gives a row a text in this process too."""
    assert set(FAMILIES) <= {*ANNOTATED, "contamination"}
    prepared = prepare([_document("One sentence."), _document("Ein Satz.")])
    measure(prepared, [family for family in FAMILIES if family != APART])
    assert [batch.texts.to_pylist() for batch in prepared] == [["One sentence.", "Ein Satz."]]


def test_batches_keep_every_document_in_order() -> None:
    """A batch ends before the limit is passed; a longer document has one of its own."""
    texts = ["a" * 6, "b" * 6, "c" * 20, "d"]
    found = batches([_document(text) for text in texts], 12)
    assert [batch.to_pylist() for batch in found] == [["a" * 6, "b" * 6], ["c" * 20], ["d"]]
    assert all(batch.type == pa.large_string() for batch in found)


@pytest.mark.parametrize("family", raisable())
def test_a_changed_definition_reaches_what_reads_it(family: str) -> None:
    """A raised version changes the fingerprint of its family and of those that read it, no other, and is put back."""
    recipe = load_recipe(REPOSITORY / "recipes" / "demo.toml")
    before = resolve(recipe, "").fingerprints
    with changed_definitions([family]):
        inside = resolve(recipe, "").fingerprints
    changed = {name for name in before if inside[name] != before[name]}
    assert changed >= {family} | DEPENDANTS.get(family, set())
    assert changed <= {family} | DEPENDANTS.get(family, set()) | (set(ANNOTATED) - set(FAMILIES))
    assert resolve(recipe, "").fingerprints == before


def test_what_a_run_takes_whatever_its_size_is_apart() -> None:
    """Two lakes give the cost of a further megabyte, and what is left is fixed."""
    spark: Any = _Spark({"small": 10.0, "large": 50.0})
    lakes = [{"lake": name, "text_bytes": int(size * 1e6)} for name, size in spark.megabytes.items()]
    found = through_spark(spark, lakes[0], lakes[1], 2)
    n_families = len(found["families"])
    assert found["further_mb_per_cpu_s"] == pytest.approx(10 / n_families, rel=0.01)
    assert found["fixed_cpu_s"] == pytest.approx(1.0, abs=0.05)
    assert "tokens" not in found["families"]
    assert "spans" in found["families"]


def test_backfill_says_what_was_written_and_left() -> None:
    """For each family: bytes against those of content, time against annotating anew, and the families left alone."""
    spark: Any = _Spark({"lake": 10.0})
    found = backfill(spark, {"lake": "lake", "text_bytes": 10_000_000}, 1)
    assert set(found["changed"]) == set(raisable())
    part = found["changed"]["signals"]
    assert part["bytes_written"] == {"signals": 10}
    assert part["share_of_content_bytes"] == 0.01
    assert part["untouched"] == ["content"]
    assert 0 < part["time_against_anew"] < 1
    json.dumps(found)
