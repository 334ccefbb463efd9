"""The story of a sample as data: what was taken down, refused or asked for in another form, and what each step says."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from text_lake import OPERATOR, Document, make_text_lake

from headwater import Lake
from headwater.cli.story import format_story
from headwater.errors import UsageError
from headwater.hashes import content_hashes
from headwater.lineage.keyed_hashes import make_key
from headwater.lineage.lookup import open_lookup
from headwater.lineage.questions import rows
from headwater.lineage.refused import samples_of_text
from headwater.lineage.story import why
from headwater.lineage.takedowns import keyed_rows
from headwater.lineage.views import connect
from headwater.warehouse.commit import commit
from headwater.warehouse.parquet import write_family

if TYPE_CHECKING:
    from small_lake import SmallLake


@pytest.fixture
def taken_lake(tmp_path: Path) -> str:
    """A lake of which the second sample was taken down, its text known by keyed hashes."""
    lake = str(tmp_path / "lake")
    snapshot = make_text_lake(
        tmp_path / "lake",
        [[Document("a text", "https://a.example/x?b=1&a=2", kept=True), Document("", "", kept=False)]],
    )
    gone = pa.table(
        {
            "sample_id": pa.array([1], pa.int64()),
            "content_hash": content_hashes(pa.array(["what went"], pa.large_string())),
            "bands": pa.array([[]], pa.list_(pa.int64())),
            "signature": pa.array([b""]),
            "normalized_hash": pa.array([None], pa.binary()),
        }
    )
    when = datetime.datetime(2026, 11, 28, tzinfo=datetime.UTC)
    table = keyed_rows(
        make_key(lake), gone, takedown="t1", who="the author", why="asked by letter", when=when, run_id="run"
    )
    entry = write_family(snapshot.uri, "takedowns", "b", 0, 1, OPERATOR, [table])
    commit(snapshot, adds=[entry], wave=("test", 2), lake=lake)
    return lake


def test_a_sample_that_was_taken_down_says_so(taken_lake: str) -> None:
    """Who asked, why and when, but none of the hashes by which the text is known again."""
    story = why(open_lookup(taken_lake), 1)
    (step,) = [step for step in story["steps"] if step["step"] == "takedown"]
    assert step["sentence"] == "taken down 2026-11-28T00:00:00+00:00 at the request of the author: asked by letter"
    assert "at the request of the author" in " ".join(format_story(story).split())
    assert not any(name.endswith(("_mac", "_macs")) for name in story["takedowns"][0])


def test_a_text_that_was_taken_down_is_known_again(taken_lake: str) -> None:
    """By its keyed hash; another text that no sample has is not taken for it."""
    with pytest.raises(UsageError, match="found that it was taken down"):
        samples_of_text(open_lookup(taken_lake), "what went\n")
    with pytest.raises(UsageError, match="expected an annotated lake"):
        samples_of_text(open_lookup(taken_lake), "something else")


@pytest.mark.spark
def test_a_url_in_another_form(finished_lake: SmallLake) -> None:
    """Scheme, port and tracking aside: the sample with the same normal form is named; of a URL that nobody has nothing is made up."""
    lake = Lake(finished_lake.folder)
    with connect(str(finished_lake.folder)) as connection:
        row = rows(
            connection, "SELECT sample_id, uri FROM content WHERE uri LIKE 'https://example.org/%' ORDER BY 1 LIMIT 1"
        )[0]
    asked = row["uri"].replace("https://example.org/", "http://EXAMPLE.org:80/") + "?utm_source=x"
    with pytest.raises(UsageError, match=f"sample {row['sample_id']} has it in another form"):
        lake.why(uri=asked)
    with pytest.raises(UsageError) as caught:
        lake.why(uri="https://example.org/nowhere")
    assert "another form" not in str(caught.value)


@pytest.mark.spark
def test_steps_name_operator_version_and_run(finished_lake: SmallLake) -> None:
    """Every step of every sample has its run, one of the story's, and the version that this run recorded of its operator."""
    lookup = open_lookup(str(finished_lake.folder))
    with connect(lookup.lake) as connection:
        ids = [row["id"] for row in rows(connection, "SELECT sample_id AS id FROM content ORDER BY 1")]
    kinds = set()
    for sample in ids:
        story = why(lookup, sample)
        runs = {run["run_id"]: run["step"] for run in story["runs"]}
        order = [step["step"] for step in story["steps"]]
        assert order[:2] == ["read", "quarantine"]
        assert [each for each in order if each in ("language", "signals", "scores", "duplicates", "verdict")] == [
            "language",
            "signals",
            "scores",
            "duplicates",
            "verdict",
        ]
        for step in story["steps"]:
            assert step["run_id"] in runs, step
            assert step["sentence"]
            recorded = lookup.runs([step["run_id"]])[0].operators.get(step["operator"])
            version = recorded.get("version") if isinstance(recorded, dict) else recorded
            assert step["version"] == version
        kinds |= set(order)
        if story["verdicts"]["duplicate_of"] is not None:
            (winner,) = lookup.rows("stages", [story["verdicts"]["duplicate_of"]], ["stage"])[:1]
            assert story["winner"]["stages"][0]["stage"] == winner["stage"]
            assert story["winner"]["placements"] == lookup.rows(
                "placements", [story["winner"]["sample_id"]], list(story["winner"]["placements"][0])
            )
    assert {"stage", "place", "rule", "spans", "contamination"} <= kinds
