"""What was in a step: the sequences that the reader or Megatron takes, and in them the samples that the placements name."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner
from small_lake import BUILD, SmallLake

from headwater import Lake
from headwater.cli.root import cli
from headwater.errors import UsageError
from headwater.lineage.training_steps import megatron_step, reader_step, samples_in
from headwater.lineage.views import connect
from headwater.reader import Reader
from headwater.reader.megatron_order import stage_order

pytestmark = pytest.mark.spark


def test_the_samples_of_a_step_are_those_that_were_read(finished_lake: SmallLake) -> None:
    """Runs by placements equal the runs that the reader gives for the step, sample by sample, whatever step of whatever epoch."""
    lake = str(finished_lake.folder)
    stage = Lake(lake).stage(BUILD, "knowledge")
    context = stage.manifest.context
    with connect(lake) as connection:
        for step, batch in zip(range(5), Reader(stage, batch_size=4, seed=8), strict=False):
            sequences = reader_step(stage, step, batch_size=4, seed=8)
            assert [row["stage_sequence"] for row in sequences] == batch.sequences.tolist()
            assert (sequences[0]["epoch"], sequences[0]["position"]) == (batch.epoch, batch.position)
            runs = samples_in(connection, BUILD, "knowledge", sequences)
            told = [(run["sample_id"], run["token_begin"] - run["sequence"] * context, run["copy"]) for run in runs]
            assert told == [(d["sample_id"], d["begin"], d["copy"]) for d in batch.documents()]
            hashes = {row["sample_id"]: row["content_hash"] for row in _hashes(connection)}
            assert [hashes[run["sample_id"]] for run in runs] == [d["content_hash"] for d in batch.documents()]
            assert all(run["token_begin"] < run["token_end"] for run in runs)


def _hashes(connection: object) -> list[dict[str, object]]:
    from headwater.lineage.questions import rows

    return rows(connection, "SELECT sample_id, content_hash FROM content")  # type: ignore[arg-type] # a connection of DuckDB


def test_the_command(finished_lake: SmallLake) -> None:
    """`headwater steps` gives the same, with the rank of each sequence, for our reader and for Megatron."""
    lake = str(finished_lake.folder)
    stage = Lake(lake).stage(BUILD, "knowledge")
    base = ["steps", lake, BUILD, "knowledge", "--step", "2", "--batch-size", "4", "--output", "json"]
    done = CliRunner().invoke(cli, [*base, "--seed", "8", "--world-size", "2"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert [row["rank"] for row in found["sequences"]] == [0, 0, 1, 1]
    reader = Reader(stage, batch_size=4, seed=8)
    assert [row["stage_sequence"] for row in found["sequences"]] == reader.order(8, 4).tolist()
    assert {run["sample_id"] for run in found["runs"]}
    stored = json.loads(CliRunner().invoke(cli, [*base, "--no-shuffle"]).stdout)
    assert [row["stage_sequence"] for row in stored["sequences"]] == (np.arange(8, 12) % len(stage)).tolist()

    samples = len(stage)
    megatron = json.loads(
        CliRunner().invoke(cli, [*base, "--for", "megatron", "--samples", str(samples), "--no-extra-token"]).stdout
    )
    counts = [shard.sequences for shard in stage.manifest.shards]
    order = stage_order(counts, context=256, samples=samples, seed=1234, extra_token=False)
    assert [row["stage_sequence"] for row in megatron["sequences"]] == order[8:12].tolist()
    assert [row["position"] for row in megatron["sequences"]] == list(range(8, min(12, samples)))


def test_steps_that_are_not_there(finished_lake: SmallLake) -> None:
    """A step beyond Megatron's samples, no samples, ranks that cannot share and a wrong split are errors of the call."""
    stage = Lake(str(finished_lake.folder)).stage(BUILD, "knowledge")
    with pytest.raises(UsageError, match="step from 0 to 1"):
        megatron_step(stage, 2, batch_size=4, samples=8)
    with pytest.raises(UsageError, match="split"):
        megatron_step(stage, 0, batch_size=4, samples=8, split="all")
    with pytest.raises(UsageError, match="step from 0"):
        reader_step(stage, -1, batch_size=4)
    base = ["steps", str(finished_lake.folder), BUILD, "knowledge", "--step", "0", "--batch-size", "4"]
    for more in (["--for", "megatron"], ["--world-size", "3"]):
        assert CliRunner().invoke(cli, [*base, *more]).exit_code == 2
    assert CliRunner().invoke(cli, [*base[:3], "nothing", *base[4:]]).exit_code == 2
