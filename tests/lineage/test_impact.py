"""What a set of samples reaches equals what a count by hand over placements, batches and signatures finds, and totals are the manifests'."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from small_lake import BUILD, SmallLake
from what_if_lake import family_table

from headwater import Lake
from headwater.cli.root import cli
from headwater.errors import UsageError
from headwater.lineage.builds import read_stage_manifest
from headwater.lineage.impact import impact
from headwater.lineage.past_runs import read_runs
from headwater.lineage.questions import rows
from headwater.lineage.training_order import TrainingOrder
from headwater.lineage.training_steps import megatron_step
from headwater.lineage.views import connect
from headwater.plain import Row
from headwater.reader import Reader
from headwater.warehouse.commit import commit
from headwater.warehouse.parquet import read_file, write_family
from headwater.warehouse.snapshot import open_snapshot

pytestmark = pytest.mark.spark
STAGES = ("knowledge", "mid-training")


@pytest.fixture(scope="module")
def lake(finished_lake: SmallLake, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A copy of the small lake in which two vocabularies were trained on some samples."""
    folder = tmp_path_factory.mktemp("impact") / "lake"
    shutil.copytree(finished_lake.folder, folder)
    snapshot = open_snapshot(str(folder))
    fragment, *_ = snapshot.covered("content").tolist()
    entries = []
    for name, taken in (("one", 4), ("two", 2)):
        table = [
            {
                "sample_id": (fragment << 24) + row,
                "run_id": "train",
                "vocabulary": name,
                "sampled_bytes": 10 * (row + 1),
            }
            for row in range(taken)
        ]
        entries.append(
            write_family(
                snapshot.uri, "vocabularies", name, fragment, 1, "a" * 32, [family_table("vocabularies", table)]
            )
        )
    commit(snapshot, adds=entries, wave=("test", 1), lake=str(folder))
    return str(folder)


@pytest.fixture(scope="module")
def views(lake: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """The lake's views."""
    with connect(lake) as connection:
        yield connection


def _ids(views: duckdb.DuckDBPyConnection, where: str = "TRUE") -> np.ndarray[Any, np.dtype[np.int64]]:
    found = views.execute(f"SELECT sample_id FROM samples WHERE {where} ORDER BY 1").fetchall()
    return np.array([row[0] for row in found], np.int64)


def _stages(answer: dict[str, Any]) -> dict[str, dict[str, Any]]:
    (build,) = answer["builds"]
    return {stage["stage"]: stage for stage in build["stages"]}


def test_everything_is_what_the_manifests_count(lake: str, views: duckdb.DuckDBPyConnection) -> None:
    """Of all samples, tokens, sequences, shards and steps are those of the manifests, by stage, shard and language, and every share is 1."""
    answer = impact(lake, [_ids(views)], order=TrainingOrder(batch_size=3))
    assert answer["samples"] == answer["given"] == views.execute("SELECT count(*) FROM content").fetchall()[0][0]
    told = answer["kept"] + answer["undecided"] + sum(row["samples"] for row in answer["rejected"])
    assert told == answer["samples"] == sum(row["samples"] for row in answer["by_language"])
    (build,) = answer["builds"]
    manifests = {name: read_stage_manifest(lake, BUILD, name) for name in STAGES}
    assert (build["build"], build["share"]) == (BUILD, 1.0)
    assert build["tokens"] == build["of"] == sum(manifest.tokens for manifest in manifests.values())
    for name, stage in _stages(answer).items():
        manifest = manifests[name]
        assert (stage["tokens"], stage["of"], stage["share"]) == (manifest.tokens, manifest.tokens, 1.0)
        assert stage["copies"] == manifest.documents
        assert stage["sequences"] == {"touched": manifest.sequences, "of": manifest.sequences, "share": 1.0}
        assert stage["shards"]["touched"] == stage["shards"]["of"] == len(manifest.shards)
        by_shard = {row["shard"]: (row["tokens"], row["of"], row["sequences"]) for row in stage["by_shard"]}
        assert by_shard == {shard.number: (shard.tokens, shard.tokens, shard.sequences) for shard in manifest.shards}
        assert sum(row["tokens"] for row in stage["by_language"]) == manifest.tokens
        assert all(row["tokens"] == row["of"] for row in stage["by_language"])
        steps = -(-manifest.sequences // 3)
        assert stage["steps"] == {
            "first": 0,
            "last": steps - 1,
            "touched": steps,
            "of": steps,
            "share": 1.0,
            "ranges": [[0, steps - 1]],
            "ranges_left_out": 0,
        }


def test_any_set_is_counted_as_by_hand(lake: str, views: duckdb.DuckDBPyConnection) -> None:
    """Tokens, copies, sequences and languages of random sets equal sums over the rows of placements, whatever the batches and their order."""
    everything = _ids(views)
    random = np.random.default_rng(5)
    language = dict(views.execute("SELECT sample_id, language FROM language").fetchall())
    for size in (1, 2, 5, 11):
        chosen = random.choice(everything, size, replace=False)
        mine = set(chosen.tolist())
        answer = impact(lake, [chosen[: size // 2], chosen[size // 2 :], chosen[:1]])
        placed = [
            row for row in rows(views, "SELECT * EXCLUDE (run_id, batch) FROM placements") if row["sample_id"] in mine
        ]
        stages = _stages(answer) if placed else {}
        assert set(stages) == {row["stage"] for row in placed}
        for name, stage in stages.items():
            here = [row for row in placed if row["stage"] == name]
            tokens = [row["token_end"] - row["token_begin"] for row in here]
            assert stage["tokens"] == sum(tokens)
            assert stage["samples"] == len({row["sample_id"] for row in here})
            assert stage["copies"] == len({(row["sample_id"], row["copy"]) for row in here})
            assert stage["sequences"]["touched"] == len({(row["shard"], row["sequence"]) for row in here})
            by_shard, by_language = Counter[int](), Counter[str]()
            for row, count in zip(here, tokens, strict=True):
                by_shard[row["shard"]] += count
                by_language[language[row["sample_id"]]] += count
            assert {row["shard"]: row["tokens"] for row in stage["by_shard"]} == by_shard
            assert {row["language"]: row["tokens"] for row in stage["by_language"]} == by_language


def test_steps_are_those_in_which_training_read_them(lake: str, views: duckdb.DuckDBPyConnection) -> None:
    """The steps that touch some samples are those in which the reader, epoch after epoch, or Megatron takes a sequence with one of them."""
    chosen = _ids(views, "kept")[1::7]
    mine = set(chosen.tolist())
    stage = Lake(lake).stage(BUILD, "knowledge")
    total = -(-2 * len(stage) // 4)
    taken = [
        step
        for step, batch in zip(range(total), Reader(stage, batch_size=4, seed=8, epochs=2), strict=True)
        if mine & {run["sample_id"] for run in batch.documents()}
    ]
    order = TrainingOrder(batch_size=4, seed=8, epochs=2)
    found = _stages(impact(lake, [chosen], order=order))["knowledge"]["steps"]
    told = [step for first, last in found["ranges"] for step in range(first, last + 1)]
    assert told == taken
    assert (found["first"], found["last"], found["touched"], found["of"]) == (taken[0], taken[-1], len(taken), total)

    samples = len(stage)
    touched = {
        (row["shard"], row["sequence"])
        for row in rows(views, "SELECT sample_id, shard, sequence FROM placements WHERE stage = 'knowledge'")
        if row["sample_id"] in mine
    }
    by_megatron = [
        step
        for step in range(-(-samples // 4))
        if touched
        & {
            (row["shard"], row["sequence"])
            for row in megatron_step(stage, step, batch_size=4, samples=samples, extra_token=False)
        }
    ]
    order = TrainingOrder(batch_size=4, trainer="megatron", samples=samples, extra_token=False)
    found = _stages(impact(lake, [chosen], order=order, stage="knowledge"))["knowledge"]["steps"]
    assert [step for first, last in found["ranges"] for step in range(first, last + 1)] == by_megatron


def test_near_duplicates_are_those_of_the_signatures(lake: str, views: duckdb.DuckDBPyConnection) -> None:
    """Members of a named sample's cluster count from the similarity on that their own signatures have, and carry its tokens where it lost."""
    found = rows(
        views,
        "SELECT sample_id, cluster_id, signature::BLOB AS signature, normalized_hash, duplicate_of FROM samples WHERE cluster_id IS NOT NULL",
    )
    values = {row["sample_id"]: np.frombuffer(bytes.fromhex(row["signature"]), "<u4") for row in found}
    lost = [row["sample_id"] for row in found if row["duplicate_of"] is not None]
    assert lost
    for at_least in (0.5, 0.76, 0.95, 1.0):
        near = set()
        for row in found:
            for other in (
                each for each in found if each["sample_id"] in lost and each["cluster_id"] == row["cluster_id"]
            ):
                same = other["normalized_hash"] == row["normalized_hash"]
                equal = (values[row["sample_id"]] == values[other["sample_id"]]).mean()
                if row["sample_id"] not in lost and (same or equal >= at_least):
                    near.add(row["sample_id"])
        answer = impact(lake, [np.array(lost)], near=at_least)
        assert answer["near"]["samples"] == len(near) == answer["samples"] - len(lost)
        alone = impact(lake, [np.array(sorted(near), np.int64)])
        assert [build["tokens"] for build in answer["builds"]] == [build["tokens"] for build in alone["builds"]]
        assert sum(s["near_tokens"] for b in answer["builds"] for s in b["stages"]) == sum(
            b["tokens"] for b in alone["builds"]
        )
    assert not impact(lake, [np.array(lost)])["builds"]
    with pytest.raises(UsageError, match="similarity above 0"):
        impact(lake, [np.array(lost)], near=0.0)


def test_vocabularies_and_evaluation_sets(lake: str, views: duckdb.DuckDBPyConnection) -> None:
    """A vocabulary tells how many samples and bytes of it are the set's, an evaluation set how many samples hold which items."""
    first = _ids(views)[:3]
    answer = impact(lake, [first])
    expected = {"one": (3, 4, 60, 100, 0.6), "two": (2, 2, 30, 30, 1.0)}
    told = ("samples", "of", "sampled_bytes", "of_bytes", "share")
    assert {row["vocabulary"]: tuple(row[name] for name in told) for row in answer["vocabularies"]} == expected
    ((holder, benchmark),) = views.execute("SELECT DISTINCT sample_id, benchmark FROM contamination").fetchall()
    assert answer["evaluation_sets"] == []
    (found,) = impact(lake, [np.array([holder])])["evaluation_sets"]
    assert (found["benchmark"], found["samples"], found["items"]) == (benchmark, 1, 1)
    assert found["most_overlap"][0]["item"] == "hills"


def test_the_defect_question_looks_where_each_build_looked(lake: str, tmp_path: Path) -> None:
    """After an operator's rows were replaced, its old run still tells the tokens that a build made of them; the new run has none in that build."""
    copied = str(tmp_path / "lake")
    shutil.copytree(lake, copied)
    snapshot = open_snapshot(copied)
    (old,) = {run.run_id for run in read_runs(snapshot, "annotate")}
    adds = []
    live = snapshot.live("language")
    for file in live.to_pylist():
        groups = []
        for table in read_file(snapshot.uri, file["path"]):
            ids = pa.array(["again"] * table.num_rows, pa.string())
            again = table.set_column(table.schema.get_field_index("run_id"), "run_id", ids)
            groups.append(again)
        adds.append(write_family(snapshot.uri, "language", file["batch"], file["base"], file["mask"], "b" * 32, groups))
    run = next(run for run in read_runs(snapshot, "annotate"))
    record: Row = {"run_id": "again", "step": "annotate", "recipe": "{}", "code_version": "0", "counts": "{}"}
    record |= {"operators": json.dumps({"language": {"version": 99}}), "input_version": snapshot.version}
    record |= {"started": run.started, "ended": run.ended}
    adds.append(write_family(snapshot.uri, "runs", "runs", 0, 0, "c" * 32, [family_table("runs", [record])]))
    commit(snapshot, adds=adds, removes=live["path"].to_pylist(), wave=("test", 2), lake=copied)
    version = open_snapshot(copied).version
    whole = sum(read_stage_manifest(copied, BUILD, name).tokens for name in STAGES)

    (build,) = Lake(copied).impact(run=old)["builds"]
    assert (build["tokens"], build["share"]) == (whole, 1.0)
    assert build["selected_at"] < version
    answer = Lake(copied).impact(operator="language@99")
    assert answer["samples"] > 0
    assert answer["builds"] == []
    at_then = Lake(copied).impact(operator="language@99", version=version)
    assert at_then["builds"][0]["share"] == 1.0  # rows as they are now, if that is what is asked
    with pytest.raises(UsageError, match="language@99"):
        Lake(copied).impact(operator="language@98")


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_the_order_to_replay_is_what_training_read(
    lake: str, views: duckdb.DuckDBPyConnection, tmp_path: Path, suffix: str
) -> None:
    """Steps 2 to 7, over the end of an epoch, list the runs that the reader gives for them, in its order, with the set's marked."""
    stage = Lake(lake).stage(BUILD, "knowledge")
    size = len(stage) // 4
    wanted = []
    where = "n_tokens % 2 = 0"
    mine = set(_ids(views, where).tolist())
    for step, batch in zip(range(8), Reader(stage, batch_size=size, seed=3), strict=False):
        if step >= 2:
            runs = batch.documents()
            wanted += [(step, run["row"], run["sample_id"], run["copy"], run["sample_id"] in mine) for run in runs]
    path = tmp_path / f"order.{suffix}"
    order = TrainingOrder(batch_size=size, seed=3, epochs=2)
    told = Lake(lake).forget_order(
        path, build=BUILD, stage="knowledge", order=order, first_step=2, last_step=7, where=where
    )
    table = (
        pq.read_table(path).to_pylist()
        if suffix == "parquet"
        else [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    )
    names = ("step", "position", "sample_id", "copy", "in_forget_set")
    assert [tuple(row[name] for name in names) for row in table] == wanted
    forgotten = [row for row in table if row["in_forget_set"]]
    assert 0 < len(forgotten) < len(table)
    assert (told["rows"], told["forget_rows"]) == (len(table), len(forgotten))
    assert told["forget_tokens"] == sum(row["token_end"] - row["token_begin"] for row in forgotten)
    assert told["first_forget_step"] == forgotten[0]["step"]
    assert told["last_forget_step"] == forgotten[-1]["step"]
    assert told["forget_steps"] == len({row["step"] for row in forgotten})
    assert list(tmp_path.iterdir()) == [path]


def test_the_order_to_replay_of_megatron(lake: str, views: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """The runs of Megatron's steps are those of the sequences that it takes for them, a sequence of two epochs twice."""
    stage = Lake(lake).stage(BUILD, "mid-training")
    samples = 2 * len(stage)
    wanted = []
    for step in range(2):
        sequences = megatron_step(stage, step, batch_size=len(stage), samples=samples, extra_token=False)
        for position, place in enumerate(sequences):
            found = views.execute(
                "SELECT sample_id, token_begin, token_end FROM placements WHERE stage = 'mid-training' AND shard = ? AND sequence = ? "
                "ORDER BY token_begin",
                [place["shard"], place["sequence"]],
            ).fetchall()
            wanted += [(step, position, place["shard"], place["sequence"], *run) for run in found]
    order = TrainingOrder(batch_size=len(stage), trainer="megatron", samples=samples, extra_token=False)
    path = tmp_path / "order.parquet"
    told = Lake(lake).forget_order(
        path, build=BUILD, stage="mid-training", order=order, first_step=0, last_step=1, where="kept"
    )
    names = ("step", "position", "shard", "sequence", "sample_id", "token_begin", "token_end")
    assert [tuple(row[name] for name in names) for row in pq.read_table(path).to_pylist()] == wanted
    assert told["forget_rows"] == told["rows"] == len(wanted) > 0


def _call(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["impact", *map(str, arguments)])


def test_the_command(lake: str, views: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """`headwater impact` prints the same as JSON and as tables, writes the order, and says what a call lacks."""
    sample = views.execute("SELECT min(sample_id) FROM placements").fetchall()[0][0]
    done = _call(lake, "--sample", sample, "--batch-size", 2, "--output", "json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == json.loads(
        json.dumps(Lake(lake).impact(sample=sample, order=TrainingOrder(batch_size=2)))
    )
    shown = _call(lake, "--sample", sample, "--near", "0.8", "--batch-size", 2)
    assert shown.exit_code == 0, shown.output
    assert re.match(r"\d samples?: 1 named, ", shown.stdout)
    assert BUILD in shown.stdout
    assert "steps of" in shown.stdout
    path = tmp_path / "order.jsonl"
    order = ["--build", BUILD, "--stage", "knowledge", "--forget-order", path, "--from-step", 0, "--to-step", 0]
    written = _call(lake, "--sample", sample, "--batch-size", 2, *order)
    assert written.exit_code == 0, written.output
    assert path.exists()
    none = _call(lake, "--first-rule", "exact_duplicate")
    assert "no build holds any of them" in none.stdout
    for wrong, message in (
        (["--sample", 7 << 50], "none with the id"),
        (["--sample", sample, "--build", "nothing"], "expected a build"),
        (["--sample", sample, "--seed", 1], "--batch-size"),
        (["--sample", sample, "--from-step", 1], "--forget-order"),
        (["--sample", sample, "--batch-size", 2, "--forget-order", path], "one missing"),
        (["--sample", sample, "--batch-size", 2, *order[:-1], 999], "from 0 to"),
        (["--sample", sample, "--batch-size", 2, "--for", "megatron"], "--train-samples N"),
        (["--sample", sample, "--batch-size", 2, *order[:5], tmp_path / "a.csv", *order[6:]], ".jsonl or .parquet"),
        (
            ["--sample", sample, "--batch-size", 2, *order[:5], f"{lake}/samples/a.jsonl", *order[6:]],
            "where a lake keeps its own",
        ),
    ):
        refused = _call(lake, *wrong)
        assert refused.exit_code == 2, (wrong, refused.output)
        assert message in refused.output, (wrong, refused.output)
