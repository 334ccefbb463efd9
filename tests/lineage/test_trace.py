"""Trace: from any token of any shard back to its sample and story; padding and wrong names say what they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pytest
from named_samples import samples_named
from small_lake import SmallLake, small_recipe

from headwater.errors import UsageError
from headwater.filters.spans.find import apply_spans
from headwater.lineage.builds import read_stage_manifest, read_tokens
from headwater.lineage.finding import placements_of
from headwater.lineage.lookup import open_lookup
from headwater.lineage.questions import rows
from headwater.lineage.story import why
from headwater.lineage.trace import trace
from headwater.lineage.views import connect
from headwater.pipelines.builds import step as build
from headwater.pipelines.recipe.operators import resolve
from headwater.pipelines.selection import step as select
from headwater.tokenize.encode.encoder import decode
from headwater.tokenize.forms.load import load_vocabulary
from headwater.warehouse.snapshot import open_snapshot

if TYPE_CHECKING:
    import duckdb
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark  # the lake is made by Spark, once


@pytest.fixture
def connection(finished_lake: SmallLake) -> Iterator[duckdb.DuckDBPyConnection]:
    """An open connection to the finished lake."""
    with connect(str(finished_lake.folder)) as opened:
        yield opened


def test_every_token_of_a_shard_is_accounted_for(
    finished_lake: SmallLake, connection: duckdb.DuckDBPyConnection
) -> None:
    """Tokens at the edges of runs and of sequences give their sample and its own token; what is not placed is padding."""
    lake, name = str(finished_lake.folder), finished_lake.build
    manifest = read_stage_manifest(lake, name, "mid-training")
    shard = manifest.shards[0]
    placed = rows(
        connection,
        "SELECT * FROM placements WHERE build = ? AND stage = 'mid-training' AND shard = ?",
        [name, shard.number],
    )
    size = shard.sequences * manifest.context
    tokens = read_tokens(lake, name, "mid-training", shard.number, 0, size)
    for place in placed[:4]:
        for token in {place["token_begin"], place["token_end"] - 1}:
            found = trace(open_lookup(lake), name, "mid-training", shard.number, token)
            assert found["sample_id"] == place["sample_id"]
            assert found["sample_token"] == place["sample_token_begin"] + token - place["token_begin"]
            assert found["sequence"] == place["sequence"]
            assert found["token_id"] == tokens[token]
            assert found["end_of_text"] == (tokens[token] == manifest.end_of_text_id)
            assert found["story"]["sample_id"] == place["sample_id"]
    used = np.zeros(size, dtype=bool)
    for place in placed:
        used[place["token_begin"] : place["token_end"]] = True
    assert not used.all()
    found = trace(open_lookup(lake), name, "mid-training", shard.number, int(np.flatnonzero(~used)[0]))
    assert (found["sample_id"], found["padding"]) == (None, True)


def test_the_text_around_a_token_is_the_samples_own(
    finished_lake: SmallLake, connection: duckdb.DuckDBPyConnection
) -> None:
    """Before, the token and after are one piece of the sample's text."""
    lake = str(finished_lake.folder)
    place = rows(
        connection,
        "SELECT * FROM placements WHERE stage = 'knowledge' AND token_end - token_begin > 60 ORDER BY ALL LIMIT 1",
    )[0]
    found = trace(open_lookup(lake), finished_lake.build, "knowledge", place["shard"], place["token_begin"] + 50)
    (row,) = rows(connection, "SELECT text FROM content WHERE sample_id = ?", [place["sample_id"]])
    around = (found["before"] + found["text"] + found["after"]).strip("�")
    assert len(around) > 60
    assert around in row["text"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"build": "other"}, "finished stage"),
        ({"stage": "other"}, "finished stage"),
        ({"shard": 999}, "expected a shard of stage 'knowledge' from 0 to"),
        ({"token": -1}, "expected a token from 0 to"),
        ({"token": 10**9}, "expected a token from 0 to"),
    ],
)
def test_what_is_not_there_is_a_usage_error(
    change: dict[str, object], message: str, finished_lake: SmallLake, connection: duckdb.DuckDBPyConnection
) -> None:
    """Wrong names and numbers say what there is."""
    named = {"build": finished_lake.build, "stage": "knowledge", "shard": 0, "token": 0} | change
    with pytest.raises(UsageError, match=message):
        trace(open_lookup(str(finished_lake.folder)), **named)  # type: ignore[arg-type]  # arguments by name, of several types


def test_why_tells_the_rules_that_fired(finished_lake: SmallLake, connection: duckdb.DuckDBPyConnection) -> None:
    """A refused sample's story has each rule's predicate and the values it read; a duplicate's has its winner."""
    refused = rows(
        connection, "SELECT sample_id, reasons FROM verdicts WHERE NOT kept AND duplicate_of IS NULL LIMIT 1"
    )[0]
    fired = why(open_lookup(str(finished_lake.folder)), refused["sample_id"])["verdicts"]["rules_fired"]
    assert [entry["reason"] for entry in fired] == refused["reasons"]
    assert all(
        entry["passes_when"] and entry["values"] for entry in fired if not entry["reason"].startswith("missing:")
    )
    lost = rows(connection, "SELECT sample_id, duplicate_of FROM verdicts WHERE duplicate_of IS NOT NULL LIMIT 1")[0]
    story = why(open_lookup(str(finished_lake.folder)), lost["sample_id"])
    assert story["verdicts"]["rules_fired"][-1]["winner"] == lost["duplicate_of"]
    assert {run["step"] for run in story["runs"]} >= {"ingest", "annotate", "deduplicate", "decide"}
    assert "text" not in story["content"]


def test_find_gives_every_place_of_a_sample(finished_lake: SmallLake, connection: duckdb.DuckDBPyConnection) -> None:
    """By URL to the sample, and from it to each copy in each shard; decoded, a copy is the text minus its spans."""
    chosen = rows(
        connection,
        "SELECT sample_id, uri, text FROM content JOIN stages USING (sample_id) WHERE stage IS NOT NULL AND uri IS NOT NULL ORDER BY 1 LIMIT 1",
    )[0]
    assert samples_named(str(finished_lake.folder), uri=chosen["uri"], limit=5).count(chosen["sample_id"]) == 1
    (answer,) = placements_of(open_lookup(str(finished_lake.folder)), [chosen["sample_id"]], finished_lake.build)
    assert answer["kept"]
    first = [
        place
        for place in answer["placements"]
        if (place["copy"], place["stage"]) == (0, answer["placements"][0]["stage"])
    ]
    tokens = np.concatenate(
        [
            read_tokens(
                str(finished_lake.folder),
                finished_lake.build,
                place["stage"],
                place["shard"],
                place["token_begin"],
                place["token_end"],
            )
            for place in sorted(first, key=lambda place: place["sample_token_begin"])
        ]
    )
    spans = rows(
        connection,
        "SELECT span_begin, span_end, action FROM spans WHERE sample_id = ? ORDER BY 1",
        [chosen["sample_id"]],
    )
    import pyarrow as pa

    columns = [
        pa.array([span[name] for span in spans], kind)
        for name, kind in (("span_begin", pa.int64()), ("span_end", pa.int64()), ("action", pa.string()))
    ]
    cleaned = apply_spans(
        pa.array([chosen["text"]], pa.large_string()), pa.array([0] * len(spans), pa.int32()), *columns
    )
    vocabulary = load_vocabulary()
    assert tokens[-1] == vocabulary.end_of_text
    assert decode(tokens[:-1], vocabulary).decode() == cleaned[0].as_py()


def test_a_selection_that_is_known_is_not_made_again(spark: SparkSession, finished_lake: SmallLake) -> None:
    """The same rows, recipe and name: known, nothing written; the build has nothing to do either."""
    lake = str(finished_lake.folder)
    version = open_snapshot(lake).version
    found = select.select(spark, resolve(small_recipe(), lake), build=finished_lake.build)
    assert (found.build, found.known) == (finished_lake.build, True)
    assert build.build(spark, resolve(small_recipe(), lake), finished_lake.build) == {}
    assert open_snapshot(lake).version == version


def test_a_build_needs_the_recipe_that_chose_it(spark: SparkSession, finished_lake: SmallLake) -> None:
    """Another recipe may not pack what this one chose, nor a build be made of a selection that never was."""
    import dataclasses

    other = dataclasses.replace(small_recipe(), name="other")
    with pytest.raises(UsageError, match="expected the recipe that chose"):
        build.build(spark, resolve(other, str(finished_lake.folder)), finished_lake.build)
    with pytest.raises(UsageError, match="found none; run select first"):
        build.build(spark, resolve(small_recipe(), str(finished_lake.folder)), "never")
