"""Counts of personal data and secrets by type, form, language and source, over rows made by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from what_if_lake import OPERATOR, family_table

from headwater import Lake
from headwater.cli.root import cli
from headwater.errors import UsageError
from headwater.fingerprint import canonical_json
from headwater.warehouse.commit import commit, create_lake
from headwater.warehouse.fragments import sample_ids
from headwater.warehouse.parquet import write_family
from headwater.warehouse.snapshot import open_snapshot

LANGUAGES = ["de", "de", "en", "en"]
SOURCES = ["forum", "shop", "forum", "shop"]
KEPT = [True, False, True, True]
SPANS = [
    (0, "personal:email", 0, 10, "", "high"),
    (0, "personal:email", 20, 35, "", "high"),
    (0, "personal:phone", 40, 50, "", "low"),
    (1, "personal:email", 5, 9, "", "medium"),
    (2, "secret:api_key", 0, 40, "github", "high"),
    (2, "emails", 50, 60, None, None),
]


def make_lake(place: Path, *, looked: bool = True, with_spans: bool = True) -> str:
    """Write a lake of four samples and their spans, without Spark."""
    lake = str(place / "lake")
    snapshot = create_lake(lake)
    ids = sample_ids(0, 0, 4).tolist()
    rows = [
        {"sample_id": ids[i], "text": "x" * 80, "language": LANGUAGES[i], "source": SOURCES[i], "kept": KEPT[i]}
        for i in range(4)
    ]
    spans = [
        {
            "sample_id": ids[row],
            "operator": operator,
            "span_begin": begin,
            "span_end": end,
            "variant": variant,
            "confidence": sure,
            "action": "mask" if sure is None else None,
        }
        for row, operator, begin, end, variant, sure in (SPANS if with_spans else [])
    ]
    run = {
        "run_id": "a",
        "step": "annotate",
        "recipe": "{}",
        "operators": canonical_json({"spans": {"personal": 1} if looked else {}}),
        "counts": "{}",
        "code_version": "",
        "input_version": 0,
        "started": 0,
        "ended": 1,
    }
    entries = [
        write_family(snapshot.uri, name, "one", 0, 1, OPERATOR, [family_table(name, rows)])
        for name in ("content", "language", "verdicts")
    ]
    entries.append(write_family(snapshot.uri, "spans", "one", 0, 1, OPERATOR, [family_table("spans", spans)]))
    entries.append(write_family(snapshot.uri, "runs", "runs", 0, 0, OPERATOR, [family_table("runs", [run])]))
    commit(open_snapshot(lake), adds=entries, wave=("test", 1), lake=lake)
    return lake


def test_counts(tmp_path: Path) -> None:
    """Spans, the samples that hold one, and those of them that are kept; shares are of the samples of the lake, the language or the source."""
    found = Lake(make_lake(tmp_path)).report_personal()
    assert found["looked"]
    assert found["samples"] == 4
    assert found["types"] == [
        {"type": "email", "spans": 3, "samples": 2, "kept": 1, "share": 0.5, "bytes": 29, "high": 2, "medium": 1, "low": 0},
        {"type": "api_key", "spans": 1, "samples": 1, "kept": 1, "share": 0.25, "bytes": 40, "high": 1, "medium": 0, "low": 0},
        {"type": "phone", "spans": 1, "samples": 1, "kept": 1, "share": 0.25, "bytes": 10, "high": 0, "medium": 0, "low": 1},
    ]  # fmt: skip
    assert found["variants"] == [{"type": "api_key", "variant": "github", "spans": 1, "samples": 1, "kept": 1}]
    assert found["languages"][0] == {
        "language": "de",
        "type": "email",
        "spans": 3,
        "samples": 2,
        "kept": 1,
        "share": 1.0,
    }
    assert {(row["source"], row["type"], row["spans"], row["share"]) for row in found["sources"]} == {
        ("forum", "email", 2, 0.5), ("forum", "phone", 1, 0.5), ("forum", "api_key", 1, 0.5), ("shop", "email", 1, 0.5),
    }  # fmt: skip


def test_one_type(tmp_path: Path) -> None:
    """A report of one type has rows of that type alone; a type that is none is refused."""
    lake = Lake(make_lake(tmp_path))
    found = lake.report_personal("phone")
    assert {row["type"] for name in ("types", "languages", "sources") for row in found[name]} == {"phone"}
    with pytest.raises(UsageError, match="expected a type among"):
        lake.report_personal("name")


@pytest.mark.parametrize("looked", [True, False])
def test_nothing_found_is_not_nothing_looked_for(tmp_path: Path, looked: bool) -> None:
    """Where a lake has no such span, the report tells whether anything was looked for."""
    lake = make_lake(tmp_path, looked=looked, with_spans=False)
    assert Lake(lake).report_personal()["looked"] is looked
    done = CliRunner().invoke(cli, ["report", "personal", lake])
    assert done.exit_code == 0
    assert ("none found in 4 samples" in done.output) is looked
    assert ("not looked for" in done.output) is not looked


def test_command(tmp_path: Path) -> None:
    """As text, tables under their names, cut where they are long; as JSON, all."""
    lake = make_lake(tmp_path)
    said = CliRunner().invoke(cli, ["report", "personal", lake, "--limit", "1"]).output
    assert "4 samples\n\ntypes\ntype   spans" in said
    assert "... 2 more" in said
    found = json.loads(
        CliRunner().invoke(cli, ["report", "personal", lake, "--type", "email", "--output", "json"]).output
    )
    assert found == Lake(lake).report_personal("email")
