"""``headwater impact``: what a set of samples reaches in builds, steps, vocabularies and evaluation sets; and the order that unlearning replays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Unpack

import click

from headwater.cli.numbers import WHOLE, DecimalRange, WholeRange
from headwater.cli.options import answer, build_option, example, lake_argument, names_options, output_option
from headwater.cli.rendering import Answer, clean, format_count, format_table
from headwater.cli.training_options import Training, epochs_option, training_options, training_order
from headwater.errors import UsageError

if TYPE_CHECKING:
    from headwater.lineage.names import Names
    from headwater.lineage.training_order import TrainingOrder

__all__ = ["format_impact", "impact"]

_MOST_ROWS: Final = 12


@click.command(
    epilog=example(
        "headwater impact lake --host example.org --near 0.9",
        "headwater impact lake --operator quality@3 --batch-size 256 --seed 1",
        "headwater impact lake --samples ids.txt --build my-build --stage knowledge --batch-size 256 \\",
        "    --forget-order order.parquet --from-step 1000 --to-step 1999",
    )
)
@lake_argument
@names_options
@click.option(
    "--near",
    type=DecimalRange(min=0, max=1, min_open=True),
    metavar="SIMILARITY",
    help="Count near-duplicates from this similarity on as well.",
)
@build_option
@click.option("--stage", metavar="NAME", help="Only this stage.")
@click.option("--version", type=WHOLE, metavar="N", help="Version of the table to query; by default the newest.")
@training_options("Sequences a step, all ranks together: tells the steps too.")
@epochs_option
@click.option(
    "--forget-order",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="Write the order of samples between two steps to .jsonl or .parquet; needs --build and --stage.",
)
@click.option("--from-step", type=WholeRange(min=0), metavar="N", help="First step of --forget-order, from 0.")
@click.option("--to-step", type=WholeRange(min=0), metavar="N", help="Last step of --forget-order.")
@output_option
def impact(
    lake: str,
    near: float | None,
    build: str | None,
    stage: str | None,
    version: int | None,
    batch_size: int | None,
    seed: int | None,
    no_shuffle: bool,
    epochs: int,
    trainer: str,
    train_samples: int | None,
    split: str,
    no_extra_token: bool,
    forget_order: str | None,
    from_step: int | None,
    to_step: int | None,
    output: str,
    **named: Unpack[Names],
) -> None:
    """Tell what a set of samples reaches.

    Counts them and, with --near, what carries the same content; their tokens by build, stage, language and shard, with the share of each; with
    --batch-size the training steps that took some; the vocabularies that they trained and the evaluation sets found in them. Samples of a run or
    an operator are found, for each build, in the version of the table that it was made from.
    """
    if batch_size is None and forget_order is not None:
        raise UsageError("expected --batch-size B beside --forget-order, found none")
    told: Training = {
        "batch_size": batch_size,
        "seed": seed,
        "no_shuffle": no_shuffle,
        "epochs": epochs,
        "trainer": trainer,
        "train_samples": train_samples,
        "split": split,
        "no_extra_token": no_extra_token,
    }
    order = training_order(told)
    if forget_order is None:
        if from_step is not None or to_step is not None:
            raise UsageError("expected --forget-order FILE beside --from-step and --to-step, found none")
        from headwater.lineage.named_impact import named_impact

        found = named_impact(lake, named, near=near, version=version, build=build, stage=stage, order=order)
        answer(found, lambda: format_impact(found), output)
        return
    written = _write_order(lake, named, near, version, (build, stage), order, forget_order, (from_step, to_step))
    answer(written, lambda: _format_order(written), output)


def _write_order(
    lake: str,
    named: Names,
    near: float | None,
    version: int | None,
    place: tuple[str | None, str | None],
    order: TrainingOrder | None,
    path: str,
    steps: tuple[int | None, int | None],
) -> Answer:
    from headwater.lineage.named_impact import named_forget_order

    build, stage = place
    first, last = steps
    if build is None or stage is None or first is None or last is None or order is None:
        raise UsageError(
            "expected --build, --stage, --batch-size, --from-step and --to-step with --forget-order, found one missing"
        )
    return named_forget_order(
        lake,
        named,
        path,
        build=build,
        stage=stage,
        order=order,
        first_step=first,
        last_step=last,
        near=near,
        version=version,
    )


def _share(part: Answer) -> str:
    return "" if part["share"] is None else f"{part['share']:.2%}"


def _whole(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def format_impact(found: Answer) -> str:
    """Return the answer as tables: in total, by stage of each build, by language and shard, vocabularies and evaluation sets."""
    blocks = [_told(found)]
    stages = [(build, stage) for build in found["builds"] for stage in build["stages"]]
    if not stages:
        blocks.append("no build holds any of them")
    else:
        blocks.append(format_table([_stage_row(build, stage) for build, stage in stages]))
        blocks += [_parts(stages, key, title) for key, title in (("by_language", "language"), ("by_shard", "shard"))]
    blocks += [
        f"steps of {stage['stage']}: {_ranges(stage['steps'])}"
        for _, stage in stages
        if stage.get("steps", {}).get("touched")
    ]
    if found["vocabularies"]:
        rows = [
            {
                "vocabulary": row["vocabulary"],
                "samples": f"{row['samples']:,}",
                "bytes": f"{row['sampled_bytes']:,}",
                "share": _share(row),
            }
            for row in found["vocabularies"]
        ]
        blocks.append(format_table(rows))
    if found["evaluation_sets"]:
        rows = [
            {"evaluation set": row["benchmark"], "samples": f"{row['samples']:,}", "items": f"{row['items']:,}"}
            for row in found["evaluation_sets"]
        ]
        blocks.append(format_table(rows))
    return "\n\n".join(blocks)


def _told(found: Answer) -> str:
    near = found["near"]
    lines = [format_count(found["samples"], "sample")]
    if near is not None:
        lowest = "" if near["lowest"] is None else f", the least like at {near['lowest']:.2f}"
        lines[0] += (
            f": {found['given']:,} named, {format_count(near['samples'], 'near-duplicate')} from {near['at_least']:g} on{lowest}"
        )
    rejected = sum(row["samples"] for row in found["rejected"])
    state = [f"{found['kept']:,} kept", f"{rejected:,} rejected"]
    if found["undecided"]:
        state.append(f"{found['undecided']:,} not decided")
    lines.append(", ".join(state))
    first = found["rejected"][:_MOST_ROWS]
    lines += [f"  {row['samples']:,} {row['reason']}" for row in first]
    return clean("\n".join(lines))


def _stage_row(build: Answer, stage: Answer) -> dict[str, str]:
    row = {
        "build": build["build"],
        "stage": stage["stage"],
        "samples": f"{stage['samples']:,}",
        "copies": f"{stage['copies']:,}",
        "tokens": f"{stage['tokens']:,}",
        "of": _whole(stage["of"]),
        "share": _share(stage),
    }
    for key in ("sequences", "shards"):
        row[key] = f"{stage[key]['touched']:,}" + ("" if stage[key]["of"] is None else f" of {stage[key]['of']:,}")
    if "steps" in stage:
        row["steps"] = f"{stage['steps']['touched']:,} of {stage['steps']['of']:,}"
    return row


def _parts(stages: Sequence[tuple[Answer, Answer]], key: str, title: str) -> str:
    """Return a table of the languages or shards, of whatever stage, that hold most."""
    parts = [(build, stage, row) for build, stage in stages for row in stage[key]]
    most = sorted(parts, key=lambda part: -part[2]["tokens"])
    several = len({build["build"] for build, _ in stages}) > 1
    rows = []
    for build, stage, row in most[:_MOST_ROWS]:
        cells = {"build": build["build"]} if several else {}
        cells |= {"stage": stage["stage"], title: str(row[title]), "samples": f"{row['samples']:,}"}
        rows.append(cells | {"tokens": f"{row['tokens']:,}", "of": _whole(row["of"]), "share": _share(row)})
    more = len(most) - len(rows)
    return format_table(rows) + (f"\n… and {more:,} more: --output json has all" if more > 0 else "")


def _ranges(steps: Answer) -> str:
    shown: Sequence[Sequence[int]] = steps["ranges"][:_MOST_ROWS]
    told = ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in shown)
    more = len(steps["ranges"]) - len(shown) + steps["ranges_left_out"]
    return told + (f", and {more:,} more ranges up to {steps['last']}" if more else "")


def _format_order(written: Answer) -> str:
    rows = f"{format_count(written['rows'], 'row')} of {format_count(written['sequences'], 'sequence')}"
    lines = [
        f"{written['file']}: steps {written['from_step']} to {written['to_step']} of {written['build']} / {written['stage']}, {rows}",
        f"to forget: {format_count(written['forget_rows'], 'row')}, {written['forget_tokens']:,} of {written['tokens']:,} tokens",
    ]
    if written["first_forget_step"] is not None:
        lines.append(
            f"in {format_count(written['forget_steps'], 'step')} from {written['first_forget_step']} to {written['last_forget_step']}: "
            f"replay from a checkpoint that was taken before step {written['first_forget_step']}"
        )
    return clean("\n".join(lines))
