"""Evaluation sets of a lake: reading, storing, choosing them; what a finished lake says of what was found."""

from __future__ import annotations

import dataclasses
import gzip
import json
from pathlib import Path

import pyarrow as pa
import pytest
from click.testing import CliRunner
from small_lake import SmallLake, small_recipe

from headwater.cli.root import cli
from headwater.cli.story import format_story
from headwater.errors import BadInputError, CorruptLakeError, RecipeError, UsageError
from headwater.filters.contamination.items import ItemFields
from headwater.filters.rules.rule_set import evaluate, load_rules
from headwater.lineage.evaluation_sets import chosen_sets, list_benchmarks, load_benchmark
from headwater.lineage.lookup import open_lookup
from headwater.lineage.questions import rows
from headwater.lineage.story import why
from headwater.lineage.views import connect
from headwater.pipelines.ingest.decompress import Limits
from headwater.pipelines.ingest.evaluation_items import add_benchmarks, read_items
from headwater.pipelines.recipe.operators import ANNOTATED, resolve

GOOD = b'{"id": 3, "question": "What is asked?", "answer": "this"}\n\n{"id": 4, "problem": "And here?", "answer": 7}\n'


def _write(folder: Path, name: str, data: bytes) -> str:
    (folder / name).write_bytes(data)
    return str(folder / name)


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst"])
def test_plain_and_compressed_files_are_one(tmp_path: Path, name: str) -> None:
    """JSON Lines, plain, gzip or zstd, give the same items; blank lines and a byte order mark are no items."""
    data = b"\xef\xbb\xbf" + GOOD
    packed = {"gz": gzip.compress, "zst": lambda raw: pa.compress(raw, "zstd", asbytes=True)}.get(
        name.rsplit(".", maxsplit=1)[-1]
    )
    items = read_items(_write(tmp_path, name, packed(data) if packed else data), ItemFields())
    assert [(item.name, item.question, item.answers) for item in items] == [
        ("3", "What is asked?", ("this",)),
        ("4", "And here?", ("7",)),
    ]


@pytest.mark.parametrize(
    "data, reason",
    [
        (b"", "no_items"),
        (b"\n \n", "no_items"),
        (b"not json\n", "not_json"),
        (b"[1]\n", "not_an_object"),
        (b'{"clue": "q"}\n', "no_question"),
        (GOOD + b'{"question": "' + b"x" * 3000 + b'"}\n', "too_large"),
        (b'{"question": ' + b"[" * 90 + b"]" * 90 + b"}\n", "too_deep"),
        (b'{"question": "\xff"}\n', "invalid_utf8"),
        (gzip.compress(GOOD)[:-12], "truncated_compression"),
        (gzip.compress(b'{"question": "' + b"a" * 4_000_000 + b'"}\n'), "expansion_ratio"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_damaged_and_hostile_files_are_refused(tmp_path: Path, data: bytes, reason: str) -> None:
    """A set is used whole or not at all: the error says why, and names the file without its text."""
    path = _write(tmp_path, "a.jsonl", data)
    with pytest.raises(BadInputError) as caught:
        read_items(path, ItemFields(), Limits(max_record_bytes=2000 if reason == "too_large" else 16 << 20))
    assert caught.value.reason == reason
    assert "a.jsonl" in str(caught.value)
    assert "asked" not in str(caught.value)


def test_sets_are_named_by_file_and_stored_once(tmp_path: Path) -> None:
    """A folder adds all its files; the same again changes nothing; other items of a name replace it."""
    inputs, lake = tmp_path / "in", str(tmp_path / "lake")
    inputs.mkdir()
    _write(inputs, "One Set.jsonl", GOOD)
    _write(inputs, "two.test.jsonl.gz", gzip.compress(GOOD))
    stored = add_benchmarks(lake, [str(inputs)])
    assert [each.name for each in stored] == ["one_set", "two.test"]
    before = {path: path.stat().st_mtime_ns for path in Path(lake).rglob("*.zst")}
    assert add_benchmarks(lake, [str(inputs)]) == stored
    assert {path: path.stat().st_mtime_ns for path in Path(lake).rglob("*.zst")} == before
    _write(inputs, "One Set.jsonl", GOOD.replace(b"asked", b"meant"))
    changed = add_benchmarks(lake, [str(inputs / "One Set.jsonl")])
    assert changed[0].sha256 != stored[0].sha256
    assert list_benchmarks(lake) == [changed[0], stored[1]]
    assert load_benchmark(changed[0]).items[0].question == "What is meant?"


def test_a_stored_set_that_changed_is_not_used(tmp_path: Path) -> None:
    """The name of the file is the hash of what it holds; anything else, or nothing, is an error that says what to run."""
    (stored,) = add_benchmarks(str(tmp_path), [_write(tmp_path, "a.jsonl", GOOD)])
    (other,) = add_benchmarks(str(tmp_path), [_write(tmp_path, "b.jsonl", GOOD + GOOD)])
    Path(stored.uri).write_bytes(Path(other.uri).read_bytes())
    with pytest.raises(CorruptLakeError, match="headwater benchmarks add"):
        load_benchmark(stored)
    Path(stored.uri).write_bytes(b"garbage")
    with pytest.raises(CorruptLakeError, match="headwater benchmarks add"):
        load_benchmark(stored)
    Path(stored.uri).unlink()
    with pytest.raises(CorruptLakeError, match="headwater benchmarks add"):
        load_benchmark(stored)


def test_a_recipe_names_sets_or_all_or_none(tmp_path: Path) -> None:
    """Sets by name, by *, or none; one that is not there is an error that names the nearest and the command."""
    lake = str(tmp_path)
    assert chosen_sets(lake, ["*"]) == chosen_sets(lake, []) == ()
    add_benchmarks(lake, [_write(tmp_path, "gsm8k.jsonl", GOOD), _write(tmp_path, "mmlu.jsonl", GOOD)])
    assert [each.name for each in chosen_sets(lake, ["*"])] == ["gsm8k", "mmlu"]
    assert [each.name for each in chosen_sets(lake, ["mmlu"])] == ["mmlu"]
    with pytest.raises(RecipeError, match="did you mean 'gsm8k'.*headwater benchmarks add"):
        chosen_sets(lake, ["gsm8k_"])


def test_names_that_cannot_be(tmp_path: Path) -> None:
    """Two files of one name, a name for two files, and a name that is none are refused before anything is stored."""
    one, two = _write(tmp_path, "a.jsonl", GOOD), _write(tmp_path, "a.json", GOOD)
    for paths, name in (([one, two], None), ([one, two], "x"), ([one], "no/name")):
        with pytest.raises(UsageError):
            add_benchmarks(str(tmp_path / "lake"), paths, None, name)
    assert list_benchmarks(str(tmp_path / "lake")) == []


def test_another_set_touches_only_its_family(tmp_path: Path) -> None:
    """The fingerprint of the family covers the content of each set and the settings; no other family depends on them."""
    recipe, lake = small_recipe(), str(tmp_path)
    plain = resolve(recipe, lake).fingerprints
    named = dataclasses.replace(recipe, contamination=dataclasses.replace(recipe.contamination, sets=("*",)))
    assert set(plain) == set(ANNOTATED)
    add_benchmarks(lake, [_write(tmp_path, "a.jsonl", GOOD)])
    first = resolve(named, lake).fingerprints
    add_benchmarks(lake, [_write(tmp_path, "a.jsonl", GOOD + GOOD)])
    second = resolve(named, lake).fingerprints
    settings = dataclasses.replace(named.contamination, least_overlap=0.5)
    third = resolve(dataclasses.replace(recipe, contamination=settings), lake).fingerprints
    assert {family for family in first if first[family] != second[family]} == {"contamination"}
    assert {family for family in second if second[family] != third[family]} == {"contamination"}
    assert {family: first[family] for family in plain} == plain


@pytest.mark.parametrize(
    "overlap, answered, reasons",
    [
        (0.0, 0.0, []),
        (0.59, 0.29, []),
        (0.6, 0.0, ["contaminated"]),
        (0.3, 0.3, ["contaminated"]),
        (1.0, 1.0, ["contaminated"]),
        (None, 0.0, ["missing:contamination_overlap"]),
    ],
)
def test_the_rule_rejects_at_its_limits(overlap: float | None, answered: float, reasons: list[str]) -> None:
    """Six tenths of a question reject, three tenths with its answer; just inside passes; a missing sum is a reason."""
    table = pa.table(
        {
            "contamination_overlap": pa.array([overlap], pa.float32()),
            "contamination_answered": pa.array([answered], pa.float32()),
        }
    )
    assert evaluate(table, load_rules(["decontaminate"]))["reasons"].to_pylist() == [reasons]


@pytest.mark.spark
def test_a_finished_lake_tells_what_was_found(finished_lake: SmallLake) -> None:
    """The planted item has one row, of the letter; its verdict, why and the report name set and item, and the other item nowhere."""
    lake = str(finished_lake.folder)
    with connect(lake) as connection:
        (found,) = rows(connection, "SELECT * FROM contamination")
        assert (found["benchmark"], found["item"], found["part"], found["overlap"]) == (
            "planted",
            "hills",
            "question",
            1,
        )
        columns = "contamination_overlap AS overlap, contamination_answered AS answered"
        verdicts = rows(connection, f"SELECT sample_id, {columns} FROM verdicts WHERE contamination_overlap <> 0")
        assert verdicts == [{"sample_id": found["sample_id"], "overlap": 1.0, "answered": 0.0}]
        story = why(open_lookup(lake), found["sample_id"])
    assert story["contamination"][0]["item"] == "hills"
    assert "planted" in format_story(story)
    assert "annotate" in {run["step"] for run in story["runs"]}
    answer = CliRunner().invoke(cli, ["report", "contamination", lake, "--output", "json"])
    report = json.loads(answer.stdout)
    assert report["benchmarks"] == [
        {
            "benchmark": "planted",
            "items": 2,
            "alone": 2,
            "with_answer": 0,
            "unmatchable": 0,
            "items_found": 1,
            "answers_found": 0,
            "samples": 1,
            "kept": report["benchmarks"][0]["kept"],
            "worst": 1.0,
        }
    ]
    assert report["worst"][0]["sample_id"] == found["sample_id"]
    assert "letter" not in answer.stdout
    text = CliRunner().invoke(cli, ["report", "contamination", lake]).stdout
    assert "hills" in text
    listed = CliRunner().invoke(cli, ["benchmarks", "list", lake]).stdout
    assert "planted" in listed
