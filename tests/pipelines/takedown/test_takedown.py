"""A takedown of planted canaries: they are nowhere afterwards, the lake is whole, and they are refused when they come again."""

from __future__ import annotations

import json
import shutil
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import small_lake
from small_lake import small_recipe

from headwater.errors import UsageError
from headwater.lineage.checks.absent import Absence, search_lake
from headwater.lineage.checks.lake import verify
from headwater.lineage.checks.needles import make_needles
from headwater.lineage.questions import rows
from headwater.lineage.training_order import TrainingOrder
from headwater.lineage.training_steps import open_placed_stage
from headwater.lineage.views import connect
from headwater.lineage.vocabularies import store_vocabulary
from headwater.pipelines.annotate.step import annotate
from headwater.pipelines.builds.reproduce import reproduce
from headwater.pipelines.builds.step import build
from headwater.pipelines.decide.step import decide
from headwater.pipelines.deduplicate.step import deduplicate
from headwater.pipelines.ingest.step import ingest
from headwater.pipelines.recipe.job import Recipe, parse_recipe
from headwater.pipelines.recipe.operators import resolve
from headwater.pipelines.selection.step import select
from headwater.pipelines.takedown.asked import Asked
from headwater.pipelines.takedown.step import plan_takedown, resume, takedown
from headwater.plain import Row
from headwater.reader import Reader
from headwater.tokenize.forms.load import vocabulary_from_merges, write_vocabulary
from headwater.warehouse.faults import VARIABLE, reach
from headwater.warehouse.maintain import maintain
from headwater.warehouse.snapshot import open_snapshot
from headwater.warehouse.takedown_records import Record, read_records, write_record

if TYPE_CHECKING:
    from pyspark.sql import SparkSession
    from small_lake import SmallLake

pytestmark = pytest.mark.spark  # the lake is made by Spark, once

URL = "https://canary-7313.example/about-her"
CANARIES = {
    "text": "zanzibar quokka seven-three-one-three",
    "url": "canary-7313.example/about-her",
    "meta": "meta-canary-99182",
    "refused": "refused-canary-55120",
}
_SHIPPED = Path(__file__).resolve().parents[3] / "src" / "headwater" / "demo" / "web" / "en.jsonl"
BIRDS, MAPS, SLEEP = (json.loads(line)["text"] for line in _SHIPPED.read_text("utf-8").splitlines()[12:15])


def _text(change: tuple[str, str] = ("", "")) -> str:
    """Return a text that passes the rules, with a canary in it; one word of it changed is a near-duplicate."""
    return f"{BIRDS} One keeper says {CANARIES['text']} and nothing else. {MAPS.replace(*change)}"


def _documents() -> list[object]:
    return [
        {"text": _text(), "url": URL, "note": CANARIES["meta"]},
        {"text": _text(), "url": "https://mirror.example/copy"},
        {"text": _text(("Africa", "Australia")), "url": "https://mirror.example/near"},
        {"text": 7, "note": CANARIES["refused"]},
    ]


def _write(path: Path, documents: Sequence[object]) -> str:
    path.write_text("".join(json.dumps(each) + "\n" for each in documents), "utf-8")
    return str(path)


def _steps(spark: SparkSession, lake: str) -> None:
    job = resolve(small_recipe(), lake)
    for step in (annotate, deduplicate, decide):
        step(spark, job)


@dataclass(frozen=True, kw_only=True, slots=True)
class Planted:
    """A lake with canaries, and their input file, which is no part of it."""

    lake: Path
    input: str


@pytest.fixture(scope="module")
def planted_once(finished_lake: SmallLake, spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Planted:
    """The small lake with a third batch in which canaries are planted, decided and not built."""
    folder = tmp_path_factory.mktemp("planted")
    shutil.copytree(finished_lake.folder, folder / "lake")
    path = _write(folder / "canary.jsonl", _documents())
    ingest(spark, str(folder / "lake"), small_recipe(), [path], "three")
    _steps(spark, str(folder / "lake"))
    return Planted(lake=folder / "lake", input=path)


@pytest.fixture
def planted(planted_once: Planted, tmp_path: Path) -> Planted:
    """A copy that a test may change."""
    shutil.copytree(planted_once.lake, tmp_path / "lake")
    return Planted(lake=tmp_path / "lake", input=planted_once.input)


BUILDS = ("again", "letters", "second")
"""Builds that hold the canaries, one of them by another vocabulary; build ``small`` was made before these came."""


@pytest.fixture(scope="module")
def built_once(planted_once: Planted, spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Planted:
    """The same lake with three builds that hold canaries, by two vocabularies, and one that does not."""
    lake = tmp_path_factory.mktemp("built") / "lake"
    shutil.copytree(planted_once.lake, lake)
    letters = vocabulary_from_merges(
        name="letters",
        pattern=r"\s?\p{L}+|\s+|.",
        alphabet=range(256),
        pairs=np.array([[101, 32], [116, 104]], np.int32),
    )
    store_vocabulary(str(lake), "letters", write_vocabulary(letters))
    for name, recipe in (("second", _recipe()), ("again", _recipe()), ("letters", _recipe("letters"))):
        job = resolve(recipe, str(lake))
        annotate(spark, job)
        decide(spark, job)
        select(spark, job, build=name)
        build(spark, job, name)
    return Planted(lake=lake, input=planted_once.input)


@pytest.fixture
def built(built_once: Planted, tmp_path: Path) -> Planted:
    """A copy that a test may change."""
    shutil.copytree(built_once.lake, tmp_path / "lake")
    return Planted(lake=tmp_path / "lake", input=built_once.input)


def _recipe(vocabulary: str | None = None) -> Recipe:
    """Return the small recipe, its first stage large enough for all, by a vocabulary of the lake if one is named."""
    told = tomllib.loads(small_lake._RECIPE)
    told["stages"][0]["budget"] = "100 %"
    return parse_recipe(told | ({} if vocabulary is None else {"vocabulary": {"name": vocabulary}}))


def _asked(**given: object) -> Asked:
    return Asked(**{"who": "A. Person", "why": "request 7", "after_days": 0.0, **given})  # type: ignore[arg-type]  # each test gives some


def _ask(lake: Path, statement: str) -> list[Row]:
    with connect(str(lake)) as connection:
        return rows(connection, statement)


def _search(lake: Path, strings: list[str]) -> Absence:
    return search_lake(open_snapshot(str(lake)), make_needles(strings))


def _faults(lake: Path) -> list[tuple[str, str]]:
    return [(check.name, check.detail) for check in verify(str(lake)) if not check.passed]


@pytest.mark.slow
def test_a_sample_in_three_builds_and_two_vocabularies(built: Planted) -> None:
    """Every build that held the canaries is revised, the one that did not keeps every byte; the strings are nowhere, and all checks pass."""
    strings = [CANARIES[name] for name in ("text", "url", "meta")]
    before = _search(built.lake, strings)
    decoded = {path.split("/")[1] for path, places in before.found.items() if "decoded tokens" in places}
    assert decoded == set(BUILDS)
    small = _files(built.lake / "builds" / "small")
    shards = {name: _shards(built.lake, name) for name in BUILDS}
    record = takedown(str(built.lake), _asked(named={"uri": URL}, near=0.8))
    assert set(record.revised) == set(BUILDS)
    assert _files(built.lake / "builds" / "small") == small
    after = _search(built.lake, strings)
    assert (after.found, after.unread) == ({}, {})
    assert _faults(built.lake) == []
    for name in BUILDS:
        told = record.revised[name]["stages"]
        touched = {f"{stage}/shard-{number:05d}" for stage, each in told.items() for number in each["shards"]}
        now = _shards(built.lake, name)
        changed = {
            path.partition(".")[0]
            for path in now.keys() | shards[name].keys()
            if now.get(path) != shards[name].get(path)
        }
        assert changed == touched


@pytest.mark.slow
def test_spark_does_what_this_process_does(built: Planted, spark: SparkSession, tmp_path: Path) -> None:
    """A takedown by Spark's tasks leaves every build byte for byte as one by this process alone, and such that it can be made again."""
    other = tmp_path / "other"
    shutil.copytree(built.lake, other)
    asked = _asked(named={"uri": URL}, near=0.8)
    by_spark = takedown(str(built.lake), asked, spark=spark)
    alone = takedown(str(other), asked)
    assert (by_spark.state, by_spark.removed, by_spark.deleted["files"]) == (
        "ended",
        alone.removed,
        alone.deleted["files"],
    )
    for name in BUILDS:
        assert _shards(built.lake, name) == _shards(other, name)
        assert by_spark.revised[name]["stages"].keys() == alone.revised[name]["stages"].keys()
    assert reproduce(spark, str(built.lake), "again").same
    assert _search(built.lake, list(CANARIES.values())).is_proof
    assert _faults(built.lake) == []


@pytest.mark.slow
def test_every_copy_of_a_sample_goes(planted: Planted, spark: SparkSession) -> None:
    """Of a sample that a build repeats, each copy goes: none is placed, and the shards lose the tokens of all of them."""
    lake = planted.lake
    told = tomllib.loads(small_lake._RECIPE)
    told["stages"] = [told["stages"][1] | {"budget": "250 %", "context": 256}]
    job = resolve(parse_recipe(told), str(lake))
    select(spark, job, build="many")
    build(spark, job, "many")
    of_build = "FROM placements WHERE build = 'many'"
    (before,) = _ask(
        lake,
        f"SELECT sample_id, count(DISTINCT copy) AS copies, sum(token_end - token_begin)::BIGINT AS tokens {of_build} "
        "GROUP BY ALL ORDER BY copies DESC, sample_id LIMIT 1",
    )
    assert before["copies"] > 1
    counted = f"SELECT sum(token_end - token_begin)::BIGINT AS tokens {of_build}"
    (whole,) = _ask(lake, counted)
    record = takedown(str(lake), _asked(named={"sample": before["sample_id"]}))
    assert record.samples == [before["sample_id"]]
    (place,) = [place for place in record.places if place["build"] == "many"]
    assert (place["samples"], place["copies"], place["tokens"]) == (1, before["copies"], before["tokens"])
    assert _ask(lake, f"SELECT * {of_build} AND sample_id = {before['sample_id']}") == []
    (left,), (came,) = _ask(lake, counted), _ask(lake, f"{counted} AND {_is_new(record)}")
    assert left["tokens"] - (came["tokens"] or 0) == whole["tokens"] - before["tokens"]
    assert _faults(lake) == []


def _is_new(record: Record) -> str:
    """Return the condition of the rows of samples that stand in the place of those that went."""
    return f"list_contains({[winner for _, winner in record.new_winners]}::BIGINT[], sample_id)"


def test_the_report_names_sequences_and_training_steps(finished_lake: SmallLake, tmp_path: Path) -> None:
    """Both forms of the report say which sequences of the stage held the sample, and in which steps a reader with these settings took them."""
    lake = tmp_path / "lake"
    shutil.copytree(finished_lake.folder, lake)
    (row,) = _ask(lake, "SELECT sample_id, build, stage FROM placements WHERE stage = 'knowledge' ORDER BY ALL LIMIT 1")
    order = TrainingOrder(batch_size=2, seed=5, epochs=2)
    stage = open_placed_stage(str(lake), row["build"], "knowledge")
    total = -(-2 * len(stage) // 2)
    expected = [
        step
        for step, batch in zip(range(total), Reader(stage, batch_size=2, seed=5, epochs=2), strict=True)
        if row["sample_id"] in {run["sample_id"] for run in batch.documents()}
    ]
    assert expected
    planned = plan_takedown(str(lake), _asked(named={"sample": row["sample_id"]}, order=order))
    record = takedown(str(lake), _asked(named={"sample": row["sample_id"]}, order=order))
    (place,) = [place for place in record.places if place["stage"] == "knowledge"]
    steps = [step for first, last in place["steps"]["ranges"] for step in range(first, last + 1)]
    assert steps == expected
    (stage_row,) = [each for each in planned["impact"]["builds"][0]["stages"] if each["stage"] == "knowledge"]
    assert stage_row["steps"] == place["steps"]
    assert (stage_row["tokens"], stage_row["of"]) == (place["tokens"], stage.manifest.tokens)
    for ending in ("txt", "html"):
        said = " ".join((lake / "takedowns" / f"{record.takedown}.{ending}").read_text().replace("\n  ", " ").split())
        assert f"of {place['of_sequences']:,}, counted from 0" in said
        assert f"of {total:,}, counted from 0" in said
        assert "batches of 2 sequences, seed 5, 2 epochs, shuffled" in said


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def _shards(lake: Path, build: str) -> dict[str, bytes]:
    return {path: data for path, data in _files(lake / "builds" / build).items() if "/shard-" in path}


class _KilledError(BaseException):
    """What stands for a kill within this process."""


POINTS = (
    "takedown/planned",
    "takedown/before-commit/1",
    "takedown/after-commit/1",
    "takedown/removed",
    "takedown/before-revise/again",
    "revise/before-commit/1",
    "revise/after-commit/1",
    "takedown/after-revise/letters",
    "takedown/revised",
    "takedown/delete/0",
    "takedown/delete/5",
    "takedown/deleted",
)


@pytest.mark.slow
def test_a_takedown_that_is_killed_again_and_again(built: Planted, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed at each point in turn, the same command goes on: the table holds all or nothing of it throughout, and in the end all is done."""

    def die(*_: int) -> None:
        raise _KilledError

    monkeypatch.setattr("headwater.warehouse.faults.os.kill", die)
    asked = _asked(named={"uri": URL}, near=0.8)
    for point in POINTS:
        monkeypatch.setenv(VARIABLE, point)
        with pytest.raises(_KilledError):
            takedown(str(built.lake), asked)
        left = _ask(built.lake, "SELECT text_bytes > 0 AS there, kept FROM samples WHERE batch = 'three'")
        assert {row["there"] for row in left} == ({True} if point in POINTS[:2] else {False})
    monkeypatch.delenv(VARIABLE)
    record = takedown(str(built.lake), asked)
    assert record.state == "ended"
    assert len(read_records(str(built.lake))) == 1
    assert set(record.revised) == set(BUILDS)
    assert _search(built.lake, [CANARIES[name] for name in ("text", "url", "meta")]).is_proof
    assert _faults(built.lake) == []


@pytest.mark.slow
def test_a_takedown_during_a_build(planted: Planted, spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """A build that is about to commit its first shards when what it has chosen is taken down is planned again, and holds nothing of it."""
    job = resolve(_recipe(), str(planted.lake))
    select(spark, job, build="during")
    taken: list[Record] = []

    def overtake(point: str) -> None:
        if point == "build/before-commit/1" and not taken:
            taken.append(Record(takedown="", who="", why="", asked_at="", request=""))
            taken[0] = takedown(str(planted.lake), _asked(named={"uri": URL}, near=0.8))
        reach(point)

    monkeypatch.setattr("headwater.lineage.runs.reach", overtake)
    build(spark, job, "during")
    assert (taken[0].state, taken[0].restarted) == ("ended", ["during"])
    assert _ask(planted.lake, "SELECT * FROM placements SEMI JOIN takedowns USING (sample_id)") == []
    assert _search(planted.lake, [CANARIES["text"]]).is_proof
    assert _faults(planted.lake) == []


def test_two_takedowns_at_once(planted: Planted, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second takedown of another sample of the same fragment commits first; the first plans again, and both are done."""
    other: list[Record] = []

    def overtake(point: str) -> None:
        if point == "takedown/before-commit/1" and not other:
            other.append(Record(takedown="", who="", why="", asked_at="", request=""))
            other[0] = takedown(str(planted.lake), _asked(named={"uri": "https://mirror.example/near"}))
        reach(point)

    monkeypatch.setattr("headwater.lineage.runs.reach", overtake)
    record = takedown(str(planted.lake), _asked(named={"uri": URL}))
    assert (len(record.samples), len(other[0].samples)) == (2, 1)
    assert (record.state, other[0].state) == ("ended", "ended")
    assert _search(planted.lake, [CANARIES["text"]]).is_proof


def test_a_tombstone_counts_as_rejected_and_holds_nothing(planted: Planted) -> None:
    """The row says which record it was, and that it was taken down; sparse families have no row of it; it cannot be named again."""
    (sample,) = takedown(str(planted.lake), _asked(named={"uri": "https://mirror.example/near"})).samples
    (row,) = _ask(planted.lake, f"SELECT * FROM samples WHERE sample_id = {sample}")
    assert (row["text"], row["uri"], row["meta"], row["record_no"], row["kept"]) == ("", None, None, 2, False)
    assert (row["reasons"], row["language"], row["n_tokens"], row["cluster_id"]) == (["taken_down"], "und", 0, None)
    for family in ("uri_index", "host_index", "spans", "stages"):
        assert _ask(planted.lake, f"SELECT * FROM {family} WHERE sample_id = {sample}") == []
    (left,) = _ask(planted.lake, f"SELECT * FROM takedowns WHERE sample_id = {sample}")
    assert (left["asked_by"], left["asked_why"]) == ("A. Person", "request 7")
    with pytest.raises(UsageError, match="found none"):
        takedown(str(planted.lake), _asked(named={"uri": "https://mirror.example/near"}))


def test_the_rest_of_a_cluster_gets_a_new_winner(planted: Planted) -> None:
    """Where the kept one of three goes with its copy, the near-duplicate that had named it is kept in its place."""
    before = _ask(planted.lake, "SELECT uri, kept FROM samples WHERE batch = 'three' ORDER BY record_no")
    takedown(str(planted.lake), _asked(named={"uri": URL}))
    after = _ask(
        planted.lake, "SELECT record_no, kept, first_reason, cluster_size FROM samples WHERE batch = 'three' ORDER BY 1"
    )
    assert sum(row["kept"] for row in before) == 1
    assert [(row["kept"], row["first_reason"], row["cluster_size"]) for row in after] == [
        (False, "taken_down", 1),
        (False, "taken_down", 1),
        (True, None, 1),
    ]
    (record,) = read_records(str(planted.lake))
    assert [winner for _, winner in record.new_winners] == [record.samples[0] + 2]


def test_the_same_text_is_refused_when_it_comes_again(planted: Planted, spark: SparkSession, tmp_path: Path) -> None:
    """The text in another file is quarantined as taken down; a near-duplicate comes in and is rejected; what is unlike it is kept."""
    takedown(str(planted.lake), _asked(named={"uri": URL}, near=0.8))
    again = [
        {"text": _text(), "url": "https://elsewhere.example/1"},
        {"text": _text(("poles", "ends"))},
        {"text": SLEEP},
    ]
    report = ingest(spark, str(planted.lake), small_recipe(), [_write(tmp_path / "again.jsonl", again)], "four")
    assert report.reasons == {"taken_down": 1}
    _steps(spark, str(planted.lake))
    found = _ask(planted.lake, "SELECT record_no, first_reason FROM samples WHERE batch = 'four' ORDER BY 1")
    assert [row["first_reason"] for row in found] == ["taken_down", None]
    assert _faults(planted.lake) == []


def test_a_refused_record_is_not_read_again(planted: Planted, spark: SparkSession) -> None:
    """A record that was refused when its file was read has the reason taken_down, which reading the file again does not undo."""
    record = takedown(str(planted.lake), _asked(records=[(planted.input, 3)]))
    assert (record.samples, len(record.records)) == ([], 1)
    ingest(spark, str(planted.lake), small_recipe(), [planted.input], "five", retry_quarantined=True)
    refused = _ask(
        planted.lake,
        f"SELECT quarantine_reason FROM quarantine JOIN files USING (file_id) WHERE file_uri = '{planted.input}'",
    )
    assert refused == [{"quarantine_reason": "taken_down"}]
    counted = _ask(planted.lake, f"SELECT records, quarantined FROM files WHERE file_uri = '{planted.input}'")
    assert counted == [{"records": 3, "quarantined": 1}]
    assert _search(planted.lake, [CANARIES["refused"]]).is_proof


def test_older_files_wait_until_they_are_due(planted: Planted) -> None:
    """With days to wait the text stays in files of earlier versions; maintain deletes them when they are due, and the report says so."""
    record = takedown(str(planted.lake), _asked(named={"uri": URL}, near=0.8, after_days=30.0))
    assert record.state == "revised"
    found = _search(planted.lake, [CANARIES["text"]])
    assert found.found
    live = set(open_snapshot(str(planted.lake)).files["path"].to_pylist())
    assert live.isdisjoint(path.removeprefix("samples/") for path in found.found)
    assert maintain(str(planted.lake)).takedowns == ()
    record.due = "2020-01-01T00:00:00+00:00"
    write_record(str(planted.lake), record)
    assert maintain(str(planted.lake)).takedowns == (record.takedown,)
    assert _search(planted.lake, [CANARIES["text"]]).is_proof
    assert resume(str(planted.lake), record.takedown).state == "ended"
    assert "State: done" in (planted.lake / "takedowns" / f"{record.takedown}.txt").read_text()


def test_a_dry_run_changes_nothing(planted: Planted) -> None:
    """What would be done is told, and not a file of the lake differs."""

    def files() -> dict[str, int]:
        return {str(path): path.stat().st_mtime_ns for path in planted.lake.rglob("*")}

    before = files()
    plan = plan_takedown(str(planted.lake), _asked(named={"uri": URL}, near=0.8))
    assert plan["samples"] == {"named": 1, "exact": 1, "near": 1}
    assert plan["rewrite"]["files"] > 5
    assert files() == before


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"named": {"uri": "https://nowhere.example/"}}, "found none in this lake"),
        ({}, "found none of them"),
        ({"named": {"uri": URL}, "near": 0.5}, "clusters were made"),
        ({"records": [("nowhere.jsonl", 1)]}, "found 0 of that name"),
        ({"named": {"uri": URL}, "builds": ("nothing",)}, "finished builds"),
        ({"named": {"uri": URL}, "who": " "}, "found an empty text"),
    ],
)
def test_what_cannot_be_is_refused(given: dict[str, object], said: str, planted_once: Planted) -> None:
    """A takedown of nothing, by nobody or by a similarity that no cluster holds is a usage error, and leaves no record."""
    with pytest.raises(UsageError, match=said):
        takedown(str(planted_once.lake), _asked(**given))
    assert read_records(str(planted_once.lake)) == []
