"""Recaptures: the newest capture of a URL is the same one in whatever batches and order they came."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
import pytest
from small_lake import small_recipe

from headwater.filters.rules.rule_set import RULE_COLUMNS, evaluate
from headwater.filters.urls.dates import capture_times
from headwater.filters.urls.normalize import normalize_url
from headwater.hashes import content_hashes
from headwater.lineage.runs import begin_run
from headwater.pipelines.deduplicate.recaptures import mark_recaptures
from headwater.pipelines.recipe.job import Recipe, parse_recipe
from headwater.pipelines.recipe.operators import resolve
from headwater.warehouse.commit import commit, create_lake
from headwater.warehouse.fragments import sample_ids
from headwater.warehouse.parquet import read_file, write_family
from headwater.warehouse.schema import arrow_schema
from headwater.warehouse.snapshot import open_snapshot

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


class Capture(NamedTuple):
    """A sample of the lake."""

    url: str | None
    date: str | None
    text: str
    origin: int


def _recipe() -> Recipe:
    raw = small_recipe().literals
    return parse_recipe({**raw, "rules": {**raw["rules"], "newest_capture": True}})


def _captures() -> list[Capture]:
    draw = random.Random(3)
    urls = [f"https://a.example/{n}" for n in range(12)] + [
        "https://A.example:443/0#x",
        "https://a.example/1?utm_source=b",
        None,
        "isbn 1",
    ]
    dates = ["2024-05-06T07:08:09Z", "20240506070809", "2023-01-01", "2025-02-03T00:00:00Z", "soon", None]
    return [Capture(draw.choice(urls), draw.choice(dates), f"text {n % 40}", n) for n in range(90)]


def _add(lake: str, fragment: int, captures: Sequence[Capture]) -> None:
    snapshot = open_snapshot(lake)
    n = len(captures)
    text = pa.array([each.text for each in captures])
    known = {
        "sample_id": pa.array(sample_ids(fragment, 0, n)),
        "uri": pa.array([each.url for each in captures], pa.string()),
        "collected_at": pa.array([each.date for each in captures], pa.string()),
        "content_hash": content_hashes(text),
        "origin": pa.array([each.origin for each in captures]),
        "text": text,
        "run_id": pa.array(["run"] * n),
    }
    schema = arrow_schema("content")
    table = pa.table([known.get(field.name, pa.nulls(n, field.type)) for field in schema], schema=schema)
    entry = write_family(snapshot.uri, "content", "b", fragment, 1, "0" * 16, [table])
    commit(snapshot, adds=[entry], wave=("test", fragment + 1), lake=lake)


def _mark(spark: SparkSession, lake: str) -> dict[int, int | None]:
    """Mark, and return origin → origin of the newest capture, of those that are older."""
    job = resolve(_recipe(), lake)
    snapshot = open_snapshot(lake)
    run = begin_run(lake, "deduplicate", job.recipe.literals, {}, snapshot.version)
    snapshot = mark_recaptures(spark, job, run, snapshot)
    names: dict[int, int] = {}
    marked = []
    for path in snapshot.paths("content"):
        table = pa.concat_tables(read_file(snapshot.uri, path))
        names.update(zip(table["sample_id"].to_pylist(), table["origin"].to_pylist(), strict=True))
    for path in snapshot.paths("recaptures"):
        marked += pa.concat_tables(read_file(snapshot.uri, path)).to_pylist()
    assert sorted(row["sample_id"] for row in marked) == sorted(names)
    assert all(row["older_capture"] == (row["newest_capture"] is not None) for row in marked)
    return {names[row["sample_id"]]: names[row["newest_capture"]] for row in marked if row["older_capture"]}


def _reference(captures: Sequence[Capture]) -> dict[int, int]:
    groups: dict[str, list[Capture]] = {}
    for each in captures:
        if each.url and (key := normalize_url(each.url)):
            groups.setdefault(key, []).append(each)
    found: dict[int, int] = {}
    for members in groups.values():
        hashes = dict(zip(members, content_hashes(pa.array([each.text for each in members])).to_pylist(), strict=True))
        members.sort(key=lambda each: (-int(capture_times([each.date])[0]), hashes[each], each.origin))
        found |= {each.origin: members[0].origin for each in members[1:]}
    return found


@pytest.mark.spark
def test_batches_and_orders_give_the_same_newest_captures(spark: SparkSession, tmp_path: Path) -> None:
    """All at once, or in batches in another order with marks between them: what a newer batch supersedes is marked anew."""
    captures = _captures()
    whole, parts = str(tmp_path / "whole"), str(tmp_path / "parts")
    for lake in (whole, parts):
        create_lake(lake)
    _add(whole, 0, captures)
    expected = _reference(captures)
    assert len(expected) > 30
    assert _mark(spark, whole) == expected
    shuffled = random.Random(1).sample(captures, len(captures))
    _add(parts, 0, shuffled[:40])
    _add(parts, 1, shuffled[40:50])
    assert _mark(spark, parts) == _reference(shuffled[:50])
    _add(parts, 2, shuffled[50:])
    assert _mark(spark, parts) == expected


def test_an_older_capture_has_its_reason_first() -> None:
    """The rule stands before all others, and only in recipes that ask for it."""
    rules = _recipe().rule_set
    assert rules.rules[0].name == "older_capture"
    assert "older_capture" not in [rule.name for rule in small_recipe().rule_set.rules]
    assert "newest_capture" not in small_recipe().literals["rules"]
    assert parse_recipe(_recipe().literals) == _recipe()
    types = {"FLOAT": pa.float32(), "VARCHAR": pa.string(), "INTEGER": pa.int32(), "BIGINT": pa.int64()}
    read = [name for name in rules.columns if name != "older_capture"]
    table = pa.table({name: pa.nulls(2, types[RULE_COLUMNS[name]]) for name in read})
    table = table.append_column("older_capture", pa.array([0, 1], pa.int32()))
    reasons = evaluate(table, rules)["first_reason"].to_pylist()
    assert reasons[1] == "older_capture"
    assert reasons[0] != "older_capture"
