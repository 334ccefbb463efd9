"""Near-duplicates of a text: found by bands, told by signatures, and the same signatures in datasketch."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner
from datasketch import MinHash, MinHashLSH
from text_lake import Document, make_text_lake

from headwater import Lake
from headwater.cli.root import cli
from headwater.errors import MissingPackageError, UsageError
from headwater.filters.duplicates.minhash import measure_minhash
from headwater.filters.duplicates.number_settings import DEFAULT_NUMBERS
from headwater.filters.signals.kinds import kinds
from headwater.filters.signals.measure import measure_signals
from headwater.lineage import similar
from headwater.lineage.checks.made_indexes import made_index_faults
from headwater.lineage.lookup import open_lookup
from headwater.lineage.questions import rows
from headwater.lineage.runs import Unit, begin_run, commit_wave, finish_run
from headwater.lineage.similar import similar_to, sketch_of_sample, sketch_of_text
from headwater.lineage.views import connect
from headwater.plain import Row
from headwater.warehouse import index_files, made_indexes
from headwater.warehouse.columns import with_run
from headwater.warehouse.fragments import sample_ids
from headwater.warehouse.made_indexes import make_indexes
from headwater.warehouse.parquet import write_family
from headwater.warehouse.snapshot import open_snapshot

if TYPE_CHECKING:
    from small_lake import SmallLake

DEMO = Path(__file__).resolve().parents[2] / "src" / "headwater" / "demo"


def _text(record: Row) -> str:
    return str(next(record[name] for name in ("text", "content", "problem", "body") if name in record))


def _texts() -> list[str]:
    """Return documents of the demo, two near-duplicates and an exact one of some, short texts, and one that normalises to a short one."""
    lines = [
        line
        for name in ("web/en", "web/th", "reasoning/code", "reasoning/math")
        for line in (DEMO / f"{name}.jsonl").read_text("utf-8").split("\n")[:6]
        if line
    ]
    texts = [_text(json.loads(line)) for line in lines]
    planted = (
        [text.replace(".", " indeed.", 1) for text in texts[:4]]
        + [text.replace(",", " and", 2) for text in texts[2:6]]
        + texts[:2]
    )
    return [*texts, *planted, "Few words here", "few WORDS, here!", "other words"]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A lake of two fragments of these texts, annotated for near comparison as annotate does, with its run."""
    folder = tmp_path_factory.mktemp("similar") / "lake"
    texts = _texts()
    parts = [texts[:11], texts[11:]]
    snapshot = make_text_lake(
        folder, [[Document(text, f"https://e.example/{text[:3]!r}") for text in part] for part in parts]
    )
    run = begin_run(
        str(folder), "annotate", {}, {"minhash": {"version": 2, "numbers": DEFAULT_NUMBERS}}, snapshot.version
    )
    entries = []
    for fragment, part in enumerate(parts):
        column = pa.array(part, pa.large_string())
        of_text = kinds(measure_signals(column, pa.array(["und"] * len(part))))
        rows_ = pa.Table.from_batches([measure_minhash(column, of_text, DEFAULT_NUMBERS)])
        table = with_run(rows_.append_column("sample_id", pa.array(sample_ids(fragment, 0, len(part)))), run.run_id)
        entries.append(write_family(snapshot.uri, "minhash", "b", fragment, 1, "0" * 16, [table]))
    after, _ = commit_wave(run, snapshot, [Unit(adds=entries)])
    finish_run(run, after)
    return str(folder)


@pytest.fixture(scope="module")
def stored(lake: str) -> list[Row]:
    """Id, signature, bands, hash and text of every sample."""
    with connect(lake) as connection:
        return rows(
            connection,
            "SELECT sample_id, signature, bands, normalized_hash, text FROM minhash JOIN content USING (sample_id) ORDER BY 1",
        )


def _near(one: Row, other: Row) -> bool:
    return bool(set(one["bands"]) & set(other["bands"])) or (
        not one["bands"] and one["normalized_hash"] == other["normalized_hash"]
    )


def _agreement(one: Row, other: Row) -> float:
    return float(
        np.mean(
            np.frombuffer(bytes.fromhex(one["signature"]), "<u4")
            == np.frombuffer(bytes.fromhex(other["signature"]), "<u4")
        )
    )


@pytest.mark.parametrize("least", [0.0, 0.75, 0.9, 1.0])
def test_what_is_found_is_what_shares_a_band(least: float, lake: str, stored: list[Row]) -> None:
    """For every sample: the others that share a band and agree on so much, by comparing each with each; the most similar first."""
    lookup = open_lookup(lake)
    pairs = 0
    for one in stored:
        expected = [
            (-round(_agreement(one, other), 4), other["sample_id"])
            for other in stored
            if other is not one and _near(one, other) and _agreement(one, other) >= least
        ]
        answer = similar_to(lookup, sketch_of_sample(lookup, one["sample_id"]), least)
        assert [(-row["similarity"], row["sample_id"]) for row in answer["similar"]] == sorted(expected)
        assert answer["read"]["samples"] == len(stored)
        limited = similar_to(lookup, sketch_of_sample(lookup, one["sample_id"]), least, limit=1)
        assert (limited["similar"], limited["found"]) == (answer["similar"][:1], len(expected))
        pairs += len(expected)
    assert pairs > 0


def test_an_index_of_bands_finds_the_same(lake: str, stored: list[Row], monkeypatch: pytest.MonkeyPatch) -> None:
    """Of every sample and whatever the similarity, one fragment indexed or both: as a scan; an entry that is there by chance is nobody's band."""
    monkeypatch.setattr(index_files, "GROUP_ROWS", 16)
    samples = [row["sample_id"] for row in stored]

    def asked() -> list[object]:
        lookup = open_lookup(lake)
        return [similar_to(lookup, sketch_of_sample(lookup, each), least) for each in samples for least in (0.0, 0.75)]

    scanned = asked()
    for rows_at_least, fragments in ((12, 1), (1, 1)):
        monkeypatch.setattr(made_indexes, "LEAST_ROWS", rows_at_least)
        assert make_indexes(lake) == 2 * fragments
        found = asked()
        for before, after in zip(scanned, found, strict=True):
            assert isinstance(before, dict)
            assert isinstance(after, dict)
            assert (after["similar"], after["found"]) == (before["similar"], before["found"])
            assert after["read"]["samples"] == len(stored)
    # Every band, told apart by half of its hash alone: all samples are in the index for any of them, and none is near by that.
    every = np.concatenate([made_indexes.band_keys(np.array(row["bands"], np.int64)) for row in stored if row["bands"]])
    monkeypatch.setattr(similar, "band_keys", lambda _: every)
    for before, after in zip(scanned, asked(), strict=True):
        assert isinstance(before, dict)
        assert isinstance(after, dict)
        assert (after["similar"], after["found"]) == (before["similar"], before["found"])
    snapshot = open_snapshot(lake)
    assert made_index_faults(snapshot, snapshot.covered("content")) == []


def test_a_text_has_the_sketch_of_its_sample(lake: str, stored: list[Row]) -> None:
    """Made now or by annotate, of prose, code and mathematics: the same bits; so a sample's own text finds the sample itself first."""
    lookup = open_lookup(lake)
    for row in stored:
        sketch = sketch_of_text(lookup, row["text"])
        assert sketch.signature.tobytes().hex() == row["signature"]
        assert (list(sketch.bands), sketch.normalized_hash.hex()) == (row["bands"], row["normalized_hash"])
    first = Lake(lake).similar(text=stored[0]["text"])[0]
    assert (first["sample_id"], first["similarity"]) == (stored[0]["sample_id"], 1.0)


def test_datasketch_finds_the_planted_duplicates(lake: str, stored: list[Row]) -> None:
    """Its LSH over our signatures finds what similar finds, the planted ones; its Jaccard estimate is our similarity."""
    sketches = {row["sample_id"]: Lake(lake).minhash(row["sample_id"]) for row in stored if row["bands"]}
    lsh = MinHashLSH(num_perm=112, params=(14, 8))
    for sample, sketch in sketches.items():
        lsh.insert(str(sample), sketch)
    planted = 0
    for sample, sketch in sketches.items():
        found = Lake(lake).similar(sample, least=0)
        assert set(lsh.query(sketch)) == {str(sample), *(str(row["sample_id"]) for row in found)}
        for row in found:
            assert sketch.jaccard(sketches[row["sample_id"]]) == pytest.approx(row["similarity"], abs=0.00005)
        planted += any(row["similarity"] >= 0.75 for row in found)
    assert planted >= 10
    other = MinHash(num_perm=112, seed=1, scheme="affine32")
    other.update_batch([b"a", b"b"])
    assert 0 <= other.jaccard(sketches[stored[0]["sample_id"]]) < 0.1  # comparable: the same permutations and scheme


def test_without_datasketch_the_error_says_what_to_install(lake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only minhash needs the package."""
    monkeypatch.setitem(sys.modules, "datasketch", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'headwater\[datasketch\]'"):
        Lake(lake).minhash(0)


def test_wrong_questions(lake: str) -> None:
    """A sample that is not there, neither or both, a share beyond 1; an empty text and one in no UTF-8."""
    asked_of = Lake(lake)
    wrong: list[Callable[[], object]] = [
        lambda: asked_of.similar(99),
        asked_of.similar,
        lambda: asked_of.similar(0, text="x"),
        lambda: asked_of.similar(0, least=1.5),
    ]
    for ask in wrong:
        with pytest.raises(UsageError, match="^expected"):
            ask()
    for given in (b"", b"\xff"):
        asked = CliRunner().invoke(cli, ["similar", lake, "--text", "-"], input=given)
        assert (asked.exit_code, "expected a text" in asked.stderr) == (2, True)


def test_why_of_a_text(lake: str, stored: list[Row]) -> None:
    """The exact text tells its story; one with a word changed names the nearest; one that is like nothing says so."""
    row = next(row for row in stored if row["bands"] and len(row["text"]) > 600)
    exact = CliRunner().invoke(cli, ["why", lake, "--text", "-"], input=row["text"] + "\n")
    assert f"sample {row['sample_id']}  " in exact.stdout
    changed = row["text"].rpartition(" ")[0] + " otherwise"
    near = CliRunner().invoke(cli, ["why", lake, "--text", "-"], input=changed)
    assert (near.exit_code, f"the nearest: {row['sample_id']} (" in near.stderr) == (2, True)
    none = CliRunner().invoke(cli, ["why", lake, "--text", "-"], input="nothing like this")
    assert "none that nearly has it" in none.stderr


@pytest.mark.spark
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
