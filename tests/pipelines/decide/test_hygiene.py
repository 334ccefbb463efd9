"""Crawl hygiene through the steps: older captures and block lists become reasons that every question knows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from named_samples import samples_named
from small_lake import DEMO, small_recipe

from headwater.lineage.checks.lake import verify
from headwater.lineage.lookup import open_lookup
from headwater.lineage.questions import query, rows
from headwater.lineage.rules_report import heavy_rules, rules_report
from headwater.lineage.story import why
from headwater.lineage.views import connect, connect_for_users
from headwater.pipelines.annotate.step import annotate
from headwater.pipelines.decide.step import decide
from headwater.pipelines.deduplicate.step import deduplicate
from headwater.pipelines.ingest.step import ingest
from headwater.pipelines.recipe.job import Recipe, parse_recipe
from headwater.pipelines.recipe.operators import resolve
from headwater.pipelines.what_if.answer import what_if
from headwater.pipelines.what_if.changes import Changes
from headwater.warehouse.commit import create_lake

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

LISTS = {
    "ads": ("domains", "ads.example\n"),
    "paths": ("urls", "site.example/private/*\n"),
    "bad": ("words", "zyzzyva\n"),
}


def _recipe(folder: Path) -> Recipe:
    from headwater.lineage.blocklists import file_digest

    tables = []
    for name, (kind, text) in LISTS.items():
        file = folder / f"{name}.txt"
        file.write_text(text)
        tables.append({"name": name, "kind": kind, "file": str(file), "sha256": file_digest(file)})
    raw = small_recipe().literals
    del raw["contamination"]
    return parse_recipe({**raw, "rules": {"sets": [], "newest_capture": True}, "blocklists": tables})


def _decide(spark: SparkSession, lake: str, recipe: Recipe, batch: Path, records: list[dict[str, str]]) -> None:
    batch.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    ingest(spark, lake, recipe, [str(batch)])
    job = resolve(recipe, lake)
    annotate(spark, job, ["language", "signals", "scores", "minhash", "spans", "tokens", "blocklists"])
    deduplicate(spark, job)
    decide(spark, job)


def _reasons(lake: str) -> dict[str, list[str]]:
    with connect(lake) as connection:
        found = rows(connection, "SELECT uri || ' ' || collected_at AS name, reasons FROM samples")
    return {str(row["name"]): list(row["reasons"]) for row in found}


@pytest.mark.spark
def test_older_captures_and_lists_are_reasons_everywhere(spark: SparkSession, tmp_path: Path) -> None:
    """A later batch supersedes an earlier capture; verdicts, why, what-if, the report and verify agree; an index finds hosts."""
    lake, recipe = str(tmp_path / "lake"), _recipe(tmp_path)
    create_lake(lake)
    texts = [json.loads(line)["text"] for line in (DEMO / "web" / "en.jsonl").read_text("utf-8").split("\n")[:6]]

    def record(number: int, url: str, date: str = "2024-01-01", more: str = "") -> dict[str, Any]:
        return {"text": texts[number] + more, "url": url, "date": date}

    first = [
        record(0, "https://site.example/a"),
        record(1, "https://x.ads.example/b"),
        record(2, "http://site.example/private/c"),
        record(3, "https://site.example/d", more=" Zyzzyva."),
        record(4, "https://site.example/e"),
    ]
    _decide(spark, lake, recipe, tmp_path / "one.jsonl", first)
    expected: dict[str, list[str]] = {
        "https://site.example/a 2024-01-01": [],
        "https://x.ads.example/b 2024-01-01": ["blocklist_ads"],
        "http://site.example/private/c 2024-01-01": ["blocklist_paths"],
        "https://site.example/d 2024-01-01": ["blocklist_bad"],
        "https://site.example/e 2024-01-01": [],
    }
    assert _reasons(lake) == expected
    second = [
        record(5, "HTTPS://site.example:443/a?utm_source=x", "2025-01-01"),
        record(4, "https://site.example/f", "2023-01-01"),
    ]
    _decide(spark, lake, recipe, tmp_path / "two.jsonl", second)
    found = _reasons(lake)
    assert found["https://site.example/a 2024-01-01"] == ["older_capture"]
    assert found["HTTPS://site.example:443/a?utm_source=x 2025-01-01"] == []
    assert sorted(reason for reasons in found.values() for reason in reasons if reason.endswith("duplicate")) == [
        "exact_duplicate"
    ]
    with connect(lake) as connection:
        (sample,) = samples_named(lake, uri="https://site.example/a")
        assert why(open_lookup(lake), sample)["verdicts"]["first_reason"] == "older_capture"
        assert len(samples_named(lake, domain="site.example")) == 6
        assert samples_named(lake, host="x.ads.example") == samples_named(lake, domain="ads.example")
        report = rules_report(connection, "blocklist_ads")
        assert [(row["samples"], row["first"], row["of_language"], row["share"]) for row in report] == [
            (1, 1, 7, 0.1429)
        ]
        assert heavy_rules(report) == []
        assert heavy_rules([row | {"share": 0.5, "of_language": 20} for row in report])
    with connect_for_users(lake) as opened:
        listed = query(
            opened,
            "SELECT registered_domain, listed FROM samples WHERE older_capture = 0 AND cardinality(listed) > 0",
        )
    assert len(listed) == 3
    answer = what_if(lake, recipe, Changes(without=("blocklist_ads", "older_capture")))
    assert len(answer["examples"]["gained"]) == 2
    checks = verify(lake)
    assert [check for check in checks if not check.passed] == []
    assert next(check.count for check in checks if check.name == "block_lists") == 3
    stored = next(path for path in (tmp_path / "lake" / "blocklists").rglob("*") if path.is_file())
    stored.write_bytes(stored.read_bytes() + b"more")
    assert [check.name for check in verify(lake) if not check.passed] == ["block_lists"]
