"""Near-duplicates of a text: found by bands, told by signatures, and the same signatures in datasketch."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from click.testing import CliRunner
from datasketch import MinHash, MinHashLSH

from headwater import Lake
from headwater.cli.root import cli
from headwater.errors import MissingPackageError, UsageError
from headwater.lineage.lookup import open_lookup
from headwater.lineage.questions import rows
from headwater.lineage.similar import similar_to, sketch_of_sample, sketch_of_text
from headwater.lineage.views import connect
from headwater.plain import Row

if TYPE_CHECKING:
    from small_lake import SmallLake

pytestmark = pytest.mark.spark  # the lake is made by Spark, once


@pytest.fixture(scope="module")
def stored(finished_lake: SmallLake) -> list[Row]:
    """Id, signature, bands, hash and text of every sample."""
    with connect(str(finished_lake.folder)) as connection:
        return rows(
            connection,
            "SELECT sample_id, signature, bands, normalized_hash, text FROM minhash JOIN content USING (sample_id) ORDER BY 1",
        )


def _agreement(one: Row, other: Row) -> float:
    return float(
        np.mean(
            np.frombuffer(bytes.fromhex(one["signature"]), "<u4")
            == np.frombuffer(bytes.fromhex(other["signature"]), "<u4")
        )
    )


@pytest.mark.parametrize("least", [0.0, 0.75, 0.9, 1.0])
def test_what_is_found_is_what_shares_a_band(least: float, finished_lake: SmallLake, stored: list[Row]) -> None:
    """For every sample: the others that share a band and agree on so much, by comparing each with each; the most similar first."""
    lookup = open_lookup(str(finished_lake.folder))
    pairs = 0
    for one in stored:
        expected = [
            (-round(_agreement(one, other), 4), other["sample_id"])
            for other in stored
            if other is not one and set(one["bands"]) & set(other["bands"]) and _agreement(one, other) >= least
        ]
        answer = similar_to(lookup, sketch_of_sample(lookup, one["sample_id"]), least)
        assert [(-row["similarity"], row["sample_id"]) for row in answer["similar"]] == sorted(expected)
        assert answer["read"]["samples"] == len(stored)
        limited = similar_to(lookup, sketch_of_sample(lookup, one["sample_id"]), least, limit=1)
        assert (limited["similar"], limited["found"]) == (answer["similar"][:1], len(expected))
        pairs += len(expected)
    assert pairs > 0


def test_a_text_has_the_sketch_of_its_sample(finished_lake: SmallLake, stored: list[Row]) -> None:
    """Made now or by annotate, of prose, code and mathematics: the same bits; so a sample's own text finds the sample itself first."""
    lookup = open_lookup(str(finished_lake.folder))
    for row in stored:
        sketch = sketch_of_text(lookup, row["text"])
        assert sketch.signature.tobytes().hex() == row["signature"]
        assert (list(sketch.bands), sketch.normalized_hash.hex()) == (row["bands"], row["normalized_hash"])
    first = Lake(finished_lake.folder).similar(text=stored[0]["text"])[0]
    assert (first["sample_id"], first["similarity"]) == (stored[0]["sample_id"], 1.0)


def test_datasketch_finds_the_planted_duplicates(finished_lake: SmallLake, stored: list[Row]) -> None:
    """Its LSH over our signatures finds every pair that was rejected as near; its Jaccard estimate is the stored similarity."""
    lake = Lake(finished_lake.folder)
    with connect(str(finished_lake.folder)) as connection:
        lost = rows(
            connection, "SELECT sample_id, duplicate_of, similarity FROM verdicts WHERE first_reason = 'near_duplicate'"
        )
    sketches = {row["sample_id"]: lake.minhash(row["sample_id"]) for row in stored if row["signature"]}
    lsh = MinHashLSH(num_perm=112, params=(14, 8))
    for sample, sketch in sketches.items():
        lsh.insert(str(sample), sketch)
    assert lost
    for row in lost:
        mine, winner = sketches[row["sample_id"]], sketches[row["duplicate_of"]]
        assert str(row["duplicate_of"]) in lsh.query(mine)
        assert mine.jaccard(winner) == pytest.approx(row["similarity"], abs=1e-7)
    other = MinHash(num_perm=112, seed=1, scheme="affine32")
    other.update_batch([b"a", b"b"])
    assert 0 <= other.jaccard(sketches[lost[0]["sample_id"]]) < 0.1  # comparable: the same permutations and scheme


def test_without_datasketch_the_error_says_what_to_install(
    finished_lake: SmallLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only minhash needs the package."""
    monkeypatch.setitem(sys.modules, "datasketch", None)
    with pytest.raises(MissingPackageError, match="pip install 'datasketch>=2'"):
        Lake(finished_lake.folder).minhash(0)


def test_wrong_questions(finished_lake: SmallLake) -> None:
    """A sample that is not there, neither or both, a share beyond 1; an empty text and one in no UTF-8."""
    lake = Lake(finished_lake.folder)
    for ask in (
        lambda: lake.similar(99),
        lake.similar,
        lambda: lake.similar(0, text="x"),
        lambda: lake.similar(0, least=1.5),
    ):
        with pytest.raises(UsageError, match="^expected"):
            ask()
    for given in (b"", b"\xff"):
        asked = CliRunner().invoke(cli, ["similar", str(finished_lake.folder), "--text", "-"], input=given)
        assert (asked.exit_code, "expected a text" in asked.stderr) == (2, True)


def test_why_of_a_text(finished_lake: SmallLake, stored: list[Row]) -> None:
    """The exact text tells its story; one with a word changed names the nearest; one that is like nothing says so."""
    lake = str(finished_lake.folder)
    row = next(row for row in stored if row["bands"] and len(row["text"]) > 600)
    exact = CliRunner().invoke(cli, ["why", lake, "--text", "-"], input=row["text"] + "\n")
    assert f"sample {row['sample_id']}  " in exact.stdout
    changed = row["text"].rpartition(" ")[0] + " otherwise"
    near = CliRunner().invoke(cli, ["why", lake, "--text", "-"], input=changed)
    assert (near.exit_code, f"the nearest: {row['sample_id']} (" in near.stderr) == (2, True)
    none = CliRunner().invoke(cli, ["why", lake, "--text", "-"], input="nothing like this")
    assert "none that nearly has it" in none.stderr


def test_why_of_a_record(finished_lake: SmallLake) -> None:
    """By file and number: the sample, or why the record was refused, or that there is none; of an unknown URL, what was refused at all."""
    lake = str(finished_lake.folder)
    with connect(lake) as connection:
        (bad,) = rows(connection, "SELECT f.file_uri, f.file_id, q.* FROM quarantine q JOIN files f USING (file_id)")
        (good,) = rows(
            connection,
            "SELECT sample_id, record_no FROM content WHERE file_id = ? ORDER BY 1 LIMIT 1",
            [bad["file_id"]],
        )
    arguments = ["why", lake, "--file", bad["file_uri"], "--record"]
    assert f"sample {good['sample_id']}  " in CliRunner().invoke(cli, [*arguments, str(good["record_no"])]).stdout
    refused = CliRunner().invoke(cli, [*arguments, str(bad["record_no"])])
    assert (refused.exit_code, f"refused at ingest: {bad['quarantine_reason']}" in refused.stderr) == (2, True)
    assert "with other numbers" in CliRunner().invoke(cli, [*arguments, "999"]).stderr
    unknown = CliRunner().invoke(cli, ["why", lake, "--uri", "https://nowhere.example/"])
    assert f"refused at ingest: {bad['quarantine_reason']} 1;" in unknown.stderr
