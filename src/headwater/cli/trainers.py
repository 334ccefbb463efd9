"""The question that trainers ask of a build: which samples were in a training step."""

from __future__ import annotations

import click

from headwater.cli.numbers import WholeRange
from headwater.cli.options import answer, example, lake_argument, output_option
from headwater.cli.rendering import format_table
from headwater.cli.training_options import training_options
from headwater.errors import UsageError

__all__ = ["steps"]

_COLUMNS = (
    "rank",
    "epoch",
    "position",
    "shard",
    "sequence",
    "token_begin",
    "token_end",
    "sample_id",
    "sample_token_begin",
    "copy",
    "uri",
)


@click.command(
    epilog=example(
        "headwater steps lake demo-4b2fbcca7f42 reasoning --step 120 --batch-size 256 --seed 1",
        "headwater steps lake my-build reasoning --step 9 --batch-size 8 --for megatron --samples 80",
    )
)
@lake_argument
@click.argument("build")
@click.argument("stage")
@click.option("--step", type=WholeRange(min=0), required=True, metavar="N", help="0-based training step.")
@training_options("Sequences per step, all ranks together.", required=True, samples="--samples")
@click.option(
    "--world-size",
    type=WholeRange(min=1),
    default=1,
    metavar="W",
    help="Number of ranks, to show which one had which sequence.",
)
@output_option
def steps(
    lake: str,
    build: str,
    stage: str,
    step: int,
    batch_size: int,
    seed: int | None,
    no_shuffle: bool,
    world_size: int,
    trainer: str,
    train_samples: int | None,
    split: str,
    no_extra_token: bool,
    output: str,
) -> None:
    """Show which samples were in a training step.

    One row for each run of tokens in the step's sequences, in the order of the step: its place in the shard, its sample and the
    sample's URI.
    """
    if batch_size % world_size:
        raise UsageError(f"expected a --batch-size that {world_size} ranks share equally, found {batch_size}")
    from headwater.lineage.builds import builds_uri
    from headwater.lineage.past_runs import require_build
    from headwater.lineage.training_order import MEGATRON_SEED
    from headwater.lineage.training_steps import megatron_step, reader_step, samples_in
    from headwater.lineage.views import connect
    from headwater.reader import open_stage
    from headwater.warehouse.snapshot import open_snapshot

    require_build(open_snapshot(lake), build, stage)
    opened = open_stage(builds_uri(lake, build, stage))
    if trainer == "reader":
        found = reader_step(opened, step, batch_size=batch_size, seed=seed or 0, shuffle=not no_shuffle)
        for number, row in enumerate(found):
            row["rank"] = number // (batch_size // world_size)
    elif train_samples is None:
        raise UsageError("expected --samples N with --for megatron, the training samples it is asked for; found none")
    else:
        found = megatron_step(
            opened,
            step,
            batch_size=batch_size,
            samples=train_samples,
            seed=MEGATRON_SEED if seed is None else seed,
            extra_token=not no_extra_token,
            split=split,
        )
    with connect(lake) as connection:
        runs = samples_in(connection, build, stage, found)
    columns = [name for name in _COLUMNS if trainer == "reader" or name not in ("rank", "epoch")]
    value = {"build": build, "stage": stage, "step": step, "for": trainer, "sequences": found, "runs": runs}
    answer(value, lambda: format_table(runs, columns), output)
