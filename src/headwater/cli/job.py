"""The commands that fill a lake: ``run`` for the whole job, and its steps up to the verdicts."""

from __future__ import annotations

import dataclasses
import datetime
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from headwater.cli.options import (
    Timer,
    answer,
    benchmarks_option,
    check_new,
    example,
    inputs_option,
    job_arguments,
    job_options,
    read_recipe,
    scale_option,
    spark_session,
)
from headwater.cli.rendering import clean, format_count, format_funnel, format_table
from headwater.cli.summaries import format_step
from headwater.errors import UsageError

if TYPE_CHECKING:
    from headwater.pipelines.recipe.job import Recipe
    from headwater.pipelines.run import StepReport

__all__ = ["annotate", "decide", "dedup", "ingest", "run"]


@click.command(
    epilog=example(
        "headwater run lake ling-flash-2 --input data/web 'data/code/*.jsonl.zst'", "headwater run lake my-recipe.toml"
    )
)
@job_arguments
@inputs_option
@click.option("--batch", metavar="NAME", help="Name of the ingested batch; by default the current time.")
@click.option(
    "--build", metavar="NAME", help="Name of the build; by default derived from the recipe and what it chooses."
)
@scale_option
@benchmarks_option
@click.option(
    "--skip-unreadable",
    is_flag=True,
    help="Select and build without the inputs that could not be read, which are named; by default nothing is selected then, and the exit code is 1.",
)
@job_options
def run(
    lake: str,
    recipe: str,
    paths: Sequence[str],
    inputs: Sequence[str],
    batch: str | None,
    build: str | None,
    scale: str | None,
    benchmarks: Sequence[str],
    skip_unreadable: bool,
    master: str | None,
    conf: Sequence[str],
    output: str,
) -> None:
    """Run all steps of RECIPE, from where the last run stopped.

    Each step does only what LAKE still lacks; a LAKE that does not exist is created. With --scale, the whole selection is made, but only
    its proxy is built.
    """
    check_new(batch=batch, build=build, scale=scale)
    loaded = read_recipe(recipe)
    from headwater.lineage.empty_stages import empty_stages
    from headwater.lineage.funnel import funnel
    from headwater.lineage.views import connect
    from headwater.pipelines.run import run as run_all

    since = datetime.datetime.now(datetime.UTC)
    given = [*inputs, *paths]
    _check_inputs(lake, given)
    _add_benchmarks(lake, loaded, benchmarks)
    alarms: dict[str, float] = {}
    refused: list[dict[str, str]] = []

    def tell(step: StepReport) -> None:
        if output == "text":
            click.echo(format_step(step.step, step.counts, step.seconds))
        if step.step == "ingest":
            refused.extend(_refused(lake, step.counts, since))
            _name_faults(step.warnings, refused, step.counts.get("unreadable", ()))
        if step.step == "decide":
            alarms.update(_alarms(step.counts, loaded))

    with spark_session(master, conf) as spark:
        report = run_all(
            spark,
            lake,
            loaded,
            given,
            batch=batch,
            name=build,
            scale=scale,
            skip_unreadable=skip_unreadable,
            on_step=tell,
        )
    with connect(lake) as connection:
        counted = funnel(connection, report.build, [stage.name for stage in loaded.stages])
        empty = empty_stages(connection, report.build)

    def text() -> str:
        head = ["nothing new", ""] if report.nothing_new else [""]
        return "\n".join([*head, f"build {report.build}", format_funnel(counted)])

    for stage, why in empty.items():
        click.echo(f"stage {stage} is empty, and has no shards: {why}", err=True)
    found = {
        "build": report.build,
        "empty_stages": empty,
        "nothing_new": report.nothing_new,
        "steps": [dataclasses.asdict(step) for step in report.steps],
        "alarms": alarms,
        "refused_files": refused,
        "funnel": counted,
    }
    answer(found, text, output)
    _warn(alarms)


@click.command(epilog=example("headwater ingest lake ling-flash-2 --input data/web 'data/code/*.jsonl.zst'"))
@job_arguments
@inputs_option
@click.option("--batch", metavar="NAME", help="Name of the batch; by default the current time.")
@click.option(
    "--retry-quarantined",
    is_flag=True,
    help="Read every file again of which something was refused, whatever its reason.",
)
@job_options
def ingest(
    lake: str,
    recipe: str,
    paths: Sequence[str],
    inputs: Sequence[str],
    batch: str | None,
    retry_quarantined: bool,
    master: str | None,
    conf: Sequence[str],
    output: str,
) -> None:
    """Add the files that LAKE does not have yet.

    A file that it already has, under whatever name, is skipped, unless something of it was refused that may be taken now: by a higher
    limit, a later version, or a name that says what it is. Files that cannot be read are named at the end, and the exit code is then 1.
    """
    check_new(batch=batch)
    loaded = read_recipe(recipe)
    given = [*inputs, *paths]
    if not given:
        raise click.UsageError("expected at least one --input PATH, found none")
    from headwater.pipelines.ingest.step import ingest as ingest_step
    from headwater.pipelines.ingest.step import ingest_counts, ingest_warnings

    _check_inputs(lake, given)
    since = datetime.datetime.now(datetime.UTC)
    with spark_session(master, conf) as spark, Timer() as timer:
        report = ingest_step(spark, lake, loaded, given, batch, retry_quarantined=retry_quarantined)
    counts = ingest_counts(report)
    text = format_step("ingest", counts, timer.seconds)
    refused = _refused(lake, counts, since)
    found = dataclasses.asdict(report) | {"step": "ingest", "seconds": timer.seconds, "refused_files": refused}
    answer(found, text, output)
    _name_faults(ingest_warnings(report, given), refused, report.unreadable)
    _exit_if_unreadable(report.unreadable)


def _check_inputs(lake: str, inputs: Sequence[str]) -> None:
    """Refuse inputs that name nothing before Spark starts, and before anything is made for them."""
    from headwater.pipelines.ingest.inputs import check_inputs

    check_inputs(inputs, lake)


def _alarms(counts: Mapping[str, int], recipe: Recipe) -> dict[str, float]:
    """Return the sources that lost more to duplicates than the recipe expects → the share lost."""
    from headwater.pipelines.decide.verdicts import wiped_sources

    return wiped_sources(dict(counts), recipe.deduplicate.alarm_source_loss)


def _warn(alarms: Mapping[str, float]) -> None:
    for source, share in alarms.items():
        click.echo(f"warning: source {clean(source)} lost {share:.0%} of its samples as duplicates", err=True)


def _refused(lake: str, counts: Mapping[str, object], since: datetime.datetime) -> list[dict[str, str]]:
    """Return the files of which an ingest begun at ``since`` could not use everything."""
    if not counts.get("quarantined"):
        return []
    from headwater.lineage.funnel import refused_files
    from headwater.lineage.views import connect

    with connect(lake) as connection:
        return refused_files(connection, since)


def _name_faults(
    warnings: Sequence[str], refused: Sequence[Mapping[str, str]], unreadable: Sequence[Sequence[str]]
) -> None:
    for warning in warnings:
        click.echo(f"warning: {clean(warning)}", err=True)
    for file in refused:
        click.echo(
            f"warning: {clean(file['uri'])}: {file['reason']}; the refused records are in family quarantine", err=True
        )
    for uri, reason in unreadable:
        click.echo(f"unreadable: {clean(uri)}: {reason}", err=True)


def _exit_if_unreadable(unreadable: Sequence[Sequence[str]]) -> None:
    if unreadable:
        click.echo(
            f"Error: {format_count(len(unreadable), 'file')} could not be read; repair or leave out, then run again",
            err=True,
        )
        sys.exit(1)


def _step(name: str, lake: str, recipe: str, master: str | None, conf: Sequence[str], output: str) -> None:
    loaded = read_recipe(recipe)
    from headwater.pipelines.annotate.step import annotate as annotate_step
    from headwater.pipelines.decide.step import decide as decide_step
    from headwater.pipelines.deduplicate.step import deduplicate
    from headwater.pipelines.recipe.operators import resolve

    step = {"annotate": annotate_step, "deduplicate": deduplicate, "decide": decide_step}[name]
    with spark_session(master, conf) as spark, Timer() as timer:
        counts = step(spark, resolve(loaded, lake))
    alarms = _alarms(counts, loaded) if name == "decide" else {}
    found = {"step": name, "counts": counts, "seconds": timer.seconds} | (
        {"alarms": alarms} if name == "decide" else {}
    )
    reasons = [
        {"first reason": key.removeprefix("reason:"), "samples": n}
        for key, n in counts.items()
        if key.startswith("reason:")
    ]
    reasons.sort(key=lambda row: (-int(str(row["samples"])), str(row["first reason"])))
    table = f"\n\n{format_table(reasons)}" if reasons else ""
    answer(found, format_step(name, counts, timer.seconds) + table, output)
    _warn(alarms)


def _add_benchmarks(lake: str, recipe: Recipe, paths: Sequence[str]) -> None:
    """Store evaluation sets in the lake; a recipe that would not look for them is an error."""
    if not paths:
        return
    from headwater.lineage.evaluation_sets import EVERY_SET
    from headwater.pipelines.ingest.evaluation_items import add_benchmarks

    if not recipe.contamination.sets:
        raise UsageError(
            f"--benchmarks: recipe {recipe.name} names no evaluation sets, so nothing would look for them; "
            f'write sets = ["{EVERY_SET}"] under [contamination] into the recipe'
        )
    add_benchmarks(lake, paths)


@click.command(
    epilog=example(
        "headwater annotate lake ling-flash-2 --master 'local[8]'",
        "headwater annotate lake ling-flash-2 --benchmarks evaluation",
    )
)
@job_arguments
@benchmarks_option
@job_options
def annotate(
    lake: str, recipe: str, benchmarks: Sequence[str], master: str | None, conf: Sequence[str], output: str
) -> None:
    """Measure the samples that have not been measured yet.

    Language, signals, scores, MinHash, spans, token counts and items of evaluation sets, in one pass over the text.
    """
    _add_benchmarks(lake, read_recipe(recipe), benchmarks)
    _step("annotate", lake, recipe, master, conf, output)


@click.command(epilog=example("headwater dedup lake ling-flash-2"))
@job_arguments
@job_options
def dedup(lake: str, recipe: str, master: str | None, conf: Sequence[str], output: str) -> None:
    """Cluster exact and near duplicates.

    New samples are compared with all earlier ones.
    """
    _step("deduplicate", lake, recipe, master, conf, output)


@click.command(epilog=example("headwater decide lake ling-flash-2"))
@job_arguments
@job_options
def decide(lake: str, recipe: str, master: str | None, conf: Sequence[str], output: str) -> None:
    """Keep or reject each sample and record every reason.

    The rules come first, then a winner in each cluster of duplicates. A warning names the sources that lost most of their samples as
    duplicates.
    """
    _step("decide", lake, recipe, master, conf, output)
