"""The commands that run steps of the job on Spark; ``cli`` gathers them."""

from __future__ import annotations

import dataclasses
import datetime
import sys
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import click

from headwater.cli.options import (
    answer,
    benchmarks_option,
    example,
    inputs_option,
    lake_argument,
    output_option,
    recipe_argument,
    scale_option,
    spark_options,
    spark_session,
)
from headwater.cli.rendering import (
    clean,
    format_count,
    format_funnel,
    format_step,
    format_table,
)
from headwater.errors import UsageError

if TYPE_CHECKING:
    from headwater.pipelines.recipe.job import Recipe
    from headwater.pipelines.run import StepReport

__all__ = ["Timer", "annotate", "decide", "dedup", "ingest", "read_recipe", "run"]


def read_recipe(given: str) -> Recipe:
    """Return the recipe of a file or of a shipped name."""
    from headwater.pipelines.recipe.shipped import find_recipe

    return find_recipe(given)


@click.command(
    epilog=example(
        "headwater run lake ling-flash-2 --input data/web 'data/code/*.jsonl.zst'", "headwater run lake my-recipe.toml"
    )
)
@lake_argument
@recipe_argument
@inputs_option
@click.option("--batch", metavar="NAME", help="Name of the ingested batch; by default the time.")
@click.option("--build", metavar="NAME", help="Name of the build; by default made from the recipe and what it chooses.")
@scale_option
@benchmarks_option
@spark_options
@output_option
def run(
    lake: str,
    recipe: str,
    paths: Sequence[str],
    inputs: Sequence[str],
    batch: str | None,
    build: str | None,
    scale: str | None,
    benchmarks: Sequence[str],
    master: str | None,
    conf: Sequence[str],
    output: str,
) -> None:
    """Run all steps of RECIPE; go on where the last run stopped.

    Each step does only what LAKE lacks; LAKE is made where there is none. With --scale the whole is selected and only its proxy built.
    """
    loaded = read_recipe(recipe)
    from headwater.lineage.funnel import funnel
    from headwater.lineage.views import connect
    from headwater.pipelines.run import run as run_all

    since = datetime.datetime.now(datetime.UTC)
    _add_benchmarks(lake, loaded, benchmarks)

    def tell(step: StepReport) -> None:
        if output == "text":
            click.echo(format_step(step.step, step.counts, step.seconds))
        if step.step == "ingest":
            _name_faults(_refused(lake, step.counts, since), step.counts.get("unreadable", ()))

    with spark_session(master, conf) as spark:
        report = run_all(spark, lake, loaded, [*inputs, *paths], batch=batch, name=build, scale=scale, on_step=tell)
    with connect(lake) as connection:
        counted = funnel(connection, report.build, [stage.name for stage in loaded.stages])
    steps = [dataclasses.asdict(step) for step in report.steps]
    alarms: dict[str, float] = {}
    refused: list[dict[str, str]] = []
    unreadable: Sequence[Sequence[str]] = ()
    for step in report.steps:
        if step.step == "decide":
            alarms = _alarms(step.counts, loaded)
        if step.step == "ingest":
            refused, unreadable = _refused(lake, step.counts, since), step.counts.get("unreadable", ())

    def text() -> str:
        head = ["nothing new", ""] if report.nothing_new else [""]
        return "\n".join([*head, f"build {report.build}", format_funnel(counted)])

    found = {
        "build": report.build,
        "nothing_new": report.nothing_new,
        "steps": steps,
        "alarms": alarms,
        "refused_files": refused,
        "funnel": counted,
    }
    answer(found, text, output)
    _warn(alarms)
    _exit_if_unreadable(unreadable)


@click.command(epilog=example("headwater ingest lake ling-flash-2 --input data/web 'data/code/*.jsonl.zst'"))
@lake_argument
@recipe_argument
@inputs_option
@click.option("--batch", metavar="NAME", help="Name of the batch; by default the time.")
@spark_options
@output_option
def ingest(
    lake: str,
    recipe: str,
    paths: Sequence[str],
    inputs: Sequence[str],
    batch: str | None,
    master: str | None,
    conf: Sequence[str],
    output: str,
) -> None:
    """Add the files that LAKE does not have yet.

    A file that it has, under whatever name, is left alone. Files that cannot be read are named at the end, and the exit code is 1.
    """
    loaded = read_recipe(recipe)
    if not inputs and not paths:
        raise click.UsageError("expected at least one --input PATH, found none")
    from headwater.pipelines.ingest.step import ingest as ingest_step

    since = datetime.datetime.now(datetime.UTC)
    with spark_session(master, conf) as spark, Timer() as timer:
        report = ingest_step(spark, lake, loaded, [*inputs, *paths], batch)
    counts = dataclasses.asdict(report) if report.files or report.unreadable else {}
    text = format_step("ingest", counts, timer.seconds)
    refused = _refused(lake, counts, since)
    found = dataclasses.asdict(report) | {"step": "ingest", "seconds": timer.seconds, "refused_files": refused}
    answer(found, text, output)
    _end_of_ingest(refused, report.unreadable)


class Timer:
    """How long a step took, in seconds."""

    seconds = 0.0

    def __enter__(self) -> Self:
        self._begin = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.monotonic() - self._begin


def _alarms(counts: Mapping[str, int], recipe: Recipe) -> dict[str, float]:
    """Return the sources that lost more to duplicates than the recipe expects → the share lost."""
    from headwater.pipelines.decide.verdicts import wiped_sources

    return wiped_sources(dict(counts), recipe.deduplicate.alarm_source_loss)


def _warn(alarms: Mapping[str, float]) -> None:
    for source, share in alarms.items():
        click.echo(f"warning: source {clean(source)} lost {share:.0%} of its samples as duplicates", err=True)


def _refused(lake: str, counts: Mapping[str, Any], since: datetime.datetime) -> list[dict[str, str]]:
    """Return the files that an ingest begun at ``since`` could not use to their end."""
    if not counts.get("quarantined"):
        return []
    from headwater.lineage.funnel import refused_files
    from headwater.lineage.views import connect

    with connect(lake) as connection:
        return refused_files(connection, since)


def _end_of_ingest(refused: Sequence[Mapping[str, str]], unreadable: Sequence[Sequence[str]]) -> None:
    """Name the files that could not be used, and exit with 1 where one could not even be read; all others were ingested."""
    _name_faults(refused, unreadable)
    _exit_if_unreadable(unreadable)


def _name_faults(refused: Sequence[Mapping[str, str]], unreadable: Sequence[Sequence[str]]) -> None:
    for file in refused:
        click.echo(
            f"warning: {clean(file['uri'])}: {file['reason']}; what was refused is in family quarantine", err=True
        )
    for uri, reason in unreadable:
        click.echo(f"unreadable: {clean(uri)}: {reason}", err=True)


def _exit_if_unreadable(unreadable: Sequence[Sequence[str]]) -> None:
    if unreadable:
        click.echo(
            f"Error: {format_count(len(unreadable), 'file')} could not be read; mend or leave out, then run again",
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
@lake_argument
@recipe_argument
@benchmarks_option
@spark_options
@output_option
def annotate(lake: str, recipe: str, benchmarks: Sequence[str], **given: Any) -> None:
    """Measure the samples that are not measured yet.

    Language, signals, scores, MinHash, spans, token counts and items of evaluation sets, in one pass over the text.
    """
    _add_benchmarks(lake, read_recipe(recipe), benchmarks)
    _step("annotate", lake, recipe, **given)


@click.command(epilog=example("headwater dedup lake ling-flash-2"))
@lake_argument
@recipe_argument
@spark_options
@output_option
def dedup(**given: Any) -> None:
    """Cluster exact and near duplicates.

    New samples are compared with all earlier ones.
    """
    _step("deduplicate", **given)


@click.command(epilog=example("headwater decide lake ling-flash-2"))
@lake_argument
@recipe_argument
@spark_options
@output_option
def decide(**given: Any) -> None:
    """Keep or reject each sample, with every reason.

    The rules first, then a winner in each cluster of duplicates; sources that lost most of themselves are named.
    """
    _step("decide", **given)
